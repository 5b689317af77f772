"""Find what is wrong with a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from vidi.core.dataset import Dataset
    from vidi.data.doctor import Examination
    from vidi.report import Report


def doctor(
    data: str | Dataset,
    *,
    task: str | None = None,
    fix: str | None = None,
    boxes: str = "clip",
    out: str | None = None,
    near: bool = True,
    limit: int | None = None,
    show: int = 3,
) -> Report:
    """Find what is wrong with a data set: file, line, rule and fix for every fault; leaks between splits; duplicates.

    The data is never changed. Training does the same by itself.

    Args:
        data: a folder, table, listing or data.yaml.
        task: what the data is for, where its labels can be read in several ways.
        fix: write a listing of what is left when all bad samples are left out and all bad boxes are put right, outside of the data:
            a .csv file, a .json file (as COCO has it) for boxes; or just `clip` or `drop`, for a file of the data's name in `out`.
        boxes: what `fix` does with a box that leaves its picture: clip it to the picture, or drop it.
        out: folder for report.json and report.html.
        near: also search for re-encoded, resized and flipped copies.
        limit: look at so many pictures at most, evenly spread.
        show: findings printed per rule; the report has all.

    Returns:
        A report; `--json` prints its numbers and all findings. The exit code is 2 while errors remain.
    """
    from dataclasses import replace
    from pathlib import Path

    from vidi.core.console import say
    from vidi.data import read
    from vidi.data._pages import numbers, sections
    from vidi.data._repair import MODES, listing_suffix
    from vidi.data.doctor import examine
    from vidi.errors import ChoiceError, InputError
    from vidi.report import Report

    if boxes not in MODES:
        raise ChoiceError("one of clip, drop", at="boxes", value=boxes)
    for key, value, least in (("limit", limit, 1), ("show", show, 0)):
        if value is not None and value < least:
            raise InputError(f"a whole number from {least}", at=key, value=value)
    faults: list = []
    dataset = read(data, task=task, faults=faults, adapt=False)
    if fix in MODES:
        fix, boxes = str(Path(out or ".") / f"{dataset.name}-{fix}{listing_suffix(dataset)}"), fix
    target = _outside(Path(fix), dataset) if fix else None
    found = examine(dataset, near_duplicates=near, sample_limit=limit, faults=faults)
    for line in found.lines(show):
        say(line)
    keys = ("samples", "boxes", "errors", "warnings", "faulty_boxes", "unreadable", "duplicates", "near_duplicates", "leaks", "conflicts")
    values = numbers(found)
    about = {
        "title": f"Data: {dataset.name}", "data": str(dataset.root or dataset.name), "format": dataset.format, "task": task,
        "fingerprint": dataset.fingerprint(), "refused": bool(found.errors), "facts": found.facts,
        "findings": [finding.to_dict() for finding in found.findings],
        "key_numbers": [name for name in keys if name in values],
    }  # fmt: skip
    report = Report("doctor", values, about, sections=sections(found))
    if target is not None:
        _fix(report, found, target, boxes)
    if out:
        report.save(Path(out) / "report.json")
        short = {key: value for key, value in report.about.items() if key not in ("findings", "facts")}
        replace(report, about=short).html(Path(out) / "report.html")
    return report


def _outside(target: Path, dataset: Dataset) -> Path:
    """The file to write, refused where it would touch the data."""
    import os
    from pathlib import Path

    from vidi.data._repair import listing_suffix
    from vidi.errors import InputError

    suffix = listing_suffix(dataset)
    full = Path(os.path.realpath(target))
    if full.suffix.lower() != suffix:
        raise InputError(f"the cleaned listing is a {suffix} file", file=target, fix=f"fix={target.with_suffix(suffix)}")
    if dataset.root is not None:
        root = Path(os.path.realpath(dataset.root))
        if full == root or (root.is_dir() and full.is_relative_to(root)):
            raise InputError("the data is never changed", file=target, fix="write the cleaned listing outside of the data's folder")
    if any(sample.file is not None and Path(os.path.realpath(sample.file)) == full for sample in dataset):
        raise InputError("this file is part of the data", file=target, fix="choose another name")
    return target


def _fix(report: Report, found: Examination, target: Path, boxes: str) -> None:
    """Write the listing of what is left, and say in the report what was done."""
    from vidi.core.console import say
    from vidi.data._repair import mend
    from vidi.data.write import write

    dataset = found.looks.dataset
    done = mend(dataset, found.findings, boxes)
    path = write(done.dataset, target)
    remain = [finding for finding in found.errors if finding.action is None and finding.rule != "unusable_rows"]
    report.numbers |= {"kept": len(done.dataset), "dropped": len(dataset) - len(done.dataset)}
    report.about |= {"fixed": str(path), "dropped": dict(done.samples), "refused": bool(remain)}
    if "boxes" in found.facts:
        report.numbers |= {"boxes_clipped": done.clipped.total(), "boxes_dropped": done.dropped.total(), "emptied": len(done.emptied)}
        report.about |= {"boxes_clipped": dict(done.clipped), "boxes_dropped": dict(done.dropped), "emptied": done.emptied}
    words = f"{path}: {len(done.dataset)} samples kept; {done.words()}"
    columns = ["rule", "samples left out", "boxes clipped", "boxes left out"]
    report.sections.insert(1, {"kind": "table", "title": "Cleaned listing", "columns": columns, "rows": done.table(), "note": f"{words}."})
    say(f"wrote {words}")
