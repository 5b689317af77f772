"""A plain text file with one picture path per line."""

from __future__ import annotations

from pathlib import Path

from vidi.core.dataset import Dataset, Sample
from vidi.core.files import read_text
from vidi.data.readers._ask import Ask
from vidi.data.readers._labels import shared_labels
from vidi.data.readers._scan import Files, natural
from vidi.errors import DataError

MEANING = "a .txt file with one picture path per line, relative to its folder"
PRIORITY = 60


def matches(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in (".txt", ".lst")


def read(path: Path, ask: Ask) -> Dataset:
    """Samples in the order of the lines.

    Where a task for classes is asked for, or a ``data.yaml`` names the classes, the folder a picture lies in is its class.
    """
    lines = read_text(path).splitlines()
    root = ask.root or path.parent
    files = _files(root, path, lines)
    samples: list[Sample] = []
    seen: dict[str, int] = {}
    for i, line in enumerate(lines, 1):
        name = line.strip()
        if not name:
            continue
        name = name.removeprefix("./")
        file = files.look(name)
        if file is None:
            ask.faults.add_error(files.why_not(name, path, f"line {i}"))
            continue
        count = seen[name] = seen.get(name, 0) + 1
        samples.append(Sample(name if count == 1 else f"{name}#{i}", {"image": file}, line=i))
    if not samples and not ask.faults:
        raise DataError("the listing is empty", file=path, fix="one picture path per line")
    space = _label(samples, path, ask) if ask.names or ask.columns == "class" else None
    notes = ["the folder of each picture is its class"] if space else []
    repeated = sum(count - 1 for count in seen.values())
    if repeated:
        notes.append(f"{repeated} lines repeat a picture")
    return Dataset(samples, space, notes=notes)


def _files(root: Path, path: Path, lines: list[str]) -> Files:
    """Paths are relative to the root, or to the listing's own folder inside it, whichever has the first picture."""
    files, own = Files(root), Files(path.parent)
    first = next((line.strip().removeprefix("./") for line in lines if line.strip()), "")
    inside = Path(own.base).is_relative_to(files.base)
    return own if inside and files.look(first) is None and own.look(first) is not None else files


def _label(samples: list[Sample], path: Path, ask: Ask):
    classes = [sample.file.parent.name if sample.file else "" for sample in samples]
    names = list(ask.names) if ask.names else sorted(set(classes), key=natural)
    space, labels = shared_labels(names, ask, file=path)
    index = {name: i for i, name in enumerate(names)}
    for sample, name in zip(samples, classes):
        if name in index:
            sample.label = labels[index[name]]
        else:
            ask.faults.add("the picture's folder is not among the names", file=path, at=f"line {sample.line}", value=name)
    return space
