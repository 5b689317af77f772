"""Which mask belongs to which picture: by the names of their folders and files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidi.core.files import read_text
from vidi.data.readers._ask import Ask, listed
from vidi.data.readers._mask_ask import MaskAsk
from vidi.data.readers._scan import SPLITS, Scan, hidden, is_picture, scan
from vidi.data.readers._things import split_word
from vidi.errors import DataError

OBJECTS = ("segmentationobject", "instances", "instance", "instance_masks", "objects")
"""Folders whose masks have a value per thing."""

_MASKS = (
    "masks", "mask", "segmentationclass", "segmentationclassraw", "labels", "label", "annotations", "annotation", "annot", "annots", "segmentations",
    "segmentation", "segs", "seg", "semantic", "semantic_masks", "gtfine", "gts", "gt", "groundtruth", "ground_truth", "targets", "target", *OBJECTS,
)  # fmt: skip
_IMAGES = ("images", "image", "imgs", "img", "jpegimages", "pictures", "picture", "photos", "photo", "inputs", "input", "leftimg8bit", "rgb")
_SPLIT = "|".join(sorted(SPLITS, key=len, reverse=True))
_WORD = re.compile(
    rf"(?:(?P<before>{_SPLIT})[_\-. ]?)?(?:(?P<mask>{'|'.join(sorted(_MASKS, key=len, reverse=True))})|(?P<image>{'|'.join(sorted(_IMAGES, key=len, reverse=True))}))"
    rf"(?:[_\-. ]?(?P<after>{_SPLIT})\d*)?"
)
_MASK_END = re.compile(
    r"(?:[_\-. ]gt(?:fine|coarse))?[_\-. ](?P<word>masks?|labels?|gt|seg|segmentation|annotation|groundtruth|instances?|instanceids|labelids|labeltrainids)$", re.I
)
_SHORT_END = re.compile(r"_[LP]$")
_IMAGE_END = re.compile(r"[_\-. ](?:image|img|sat|leftimg8bit|rgb)$", re.IGNORECASE)
_SETS = ("train", "val", "test", "trainval")
_ENOUGH = 10_000
"""So many files are passed in the search for masks beside pictures."""


@dataclass(slots=True)
class Pair:
    """A picture with its mask, if it has one.

    Args:
        name: relative to the folder that is read.
        classes: where there are masks of both kinds, that of classes for that of things.
        parts: the masks of a picture that has a file for each thing; the first of them is `mask`.
    """

    name: str
    picture: Path
    split: str | None = None
    mask: Path | None = None
    classes: Path | None = None
    parts: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """What the name of a picture tells: its folders without those that say what it is, and its stem.

    Args:
        kind: ``image``, ``mask`` or "" where no folder says so.
        source: the word for masks.
    """

    name: str
    kind: str
    source: str
    folders: tuple[str, ...]
    stem: str

    @property
    def core(self) -> str:
        """The stem without an ending such as ``_mask``."""
        return _SHORT_END.sub("", _MASK_END.sub("", self.stem)) if self.kind == "mask" else _IMAGE_END.sub("", self.stem)


def word(folder: str) -> tuple[str, str, str]:
    """What a folder's name says: ``image``, ``mask`` or "", the word itself, and the split in it (``train`` of ``train_masks``)."""
    found = _WORD.fullmatch(folder.casefold())
    if found is None:
        return "", "", folder.casefold()
    kind = "mask" if found["mask"] else "image"
    return kind, found[kind], found["before"] or found["after"] or ""


def place(name: str, ask: MaskAsk) -> Place:
    *folders, file = name.split("/")
    stem = os.path.splitext(file)[0]
    inside = "/".join([*folders, ""])
    given = next(((what, called) for what, called in (("mask", ask.masks), ("image", ask.images)) if called and inside.startswith(called + "/")), None)
    kind, source = given or ("", "")
    if given is not None:
        folders = folders[source.count("/") + 1 :]
    rest = []
    for folder in folders:
        what, called, more = word(folder)
        rest += [more] if more else []
        if given is None and (what == "mask" and ask.masks is None or what == "image" and ask.images is None):
            kind, source = what, called
    return Place(name, kind, source if kind == "mask" else "", tuple(rest), stem)


def home(path: Path, masks: str | None = None) -> Path | None:
    """The folder that holds pictures and masks, by their names: this one, or for a folder of pictures one above it.

    Args:
        masks: the folder of masks, where it is known.
    """
    if masks is not None:
        return path if (path / masks).is_dir() else _above(path, masks)
    return path if _holds(path) else _above(path)


def _holds(path: Path) -> bool:
    passed, pictures, ended = 0, 0, 0
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not hidden(name))
        told = {name: word(name) for name in folders}
        images = {more for kind, _, more in told.values() if kind == "image"} | {name.casefold() for name in folders if name.casefold() in SPLITS}
        here = [name for name in files if is_picture(name) and not hidden(name)]
        for name, (kind, _, more) in told.items():
            inner = os.path.join(folder, name)
            if kind == "mask" and (_first_picture(inner) if more in images else not more and _called_alike(here, inner)):
                return True
        passed += len(files)
        pictures += len(here)
        ended += _ending(here)
        if passed > _ENOUGH:
            break
    return ended > 0 and 4 * ended >= pictures


def _ending(names: Iterable[str]) -> int:
    """How many names of one folder are those of others with ``_mask`` behind."""
    stems = {os.path.splitext(name)[0] for name in names}
    return sum((core := _MASK_END.sub("", stem)) != stem and core in stems for stem in stems)


def _called_alike(pictures: list[str], folder: str) -> bool:
    """Whether a folder of masks holds one that is called like a picture."""
    stems = {os.path.splitext(name)[0] for name in pictures}
    masks = (os.path.splitext(name)[0] for name in (os.listdir(folder) if stems else ()) if is_picture(name))
    return any(stem in stems or _MASK_END.sub("", stem) in stems for stem in masks)


def _first_picture(folder: str) -> bool:
    """Whether a folder, or one in it, holds pictures above all, and not labels of another kind."""
    passed = 0
    for _, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not hidden(name))
        files = [name for name in files if not hidden(name)]
        if files and 2 * sum(map(is_picture, files)) >= len(files):
            return True
        passed += len(files)
        if passed > _ENOUGH:
            break
    return False


def _above(path: Path, masks: str | None = None) -> Path | None:
    full = Path(os.path.realpath(path))
    for folder in (full, *full.parents[:3]):
        if masks is not None:
            if folder != full and (folder / masks).is_dir():
                return folder
            continue
        kind, _, more = word(folder.name)
        if kind == "mask" or not (kind or folder.name.casefold() in SPLITS):
            continue
        try:
            beside = sorted(os.listdir(folder.parent))
        except OSError:
            continue
        for name in beside:
            other = word(name)
            if other[0] == "mask" and other[2] == more and _first_picture(os.path.join(folder.parent, name, os.path.relpath(full, folder))):
                return folder.parent
    return None


def find(path: Path, ask: Ask, notes: list[str], things: bool | None) -> tuple[list[Pair], str]:
    """All pictures in natural order, and what the folder (or ending) of the chosen masks is called.

    Args:
        things: whether masks of things are wanted; None: nothing is.

    Raises:
        DataError: no mask belongs to a picture.
    """
    named = ask.masks.masks
    base = home(path, named)
    if base is None:
        raise DataError("no folder of masks", file=path, value=named, fix="masks lie in masks/ beside images/, or a data.yaml names the folder (masks: …)")
    found = scan(base, ask.faults)
    inner = "" if base == path else os.path.relpath(os.path.realpath(path), os.path.realpath(base)).replace(os.sep, "/") + "/"
    images, sources = _sorted(found.pictures, inner, ask, notes)
    chosen, pairs = _choose(images, sources, things)
    parts = {} if any(pairs.values()) else _each_thing(images, sources)
    if parts:
        chosen, pairs = "a file for each thing", {item.name: next(iter(parts.get(item.name, ())), None) for item in images}
    if not any(mask for mask in pairs.values()):
        many = listed((item.name for items in sources.values() for item in items), 2)
        raise DataError("no mask is called like a picture", file=path, value=f"{listed((item.name for item in images), 2)}; {many}", fix="give a mask the name of its picture")
    classes = _pair(images, sources.get("segmentationclass", [])) if chosen in OBJECTS else {}
    sets = _sets(found, base, ask, notes)
    entries = []
    for item in images:
        mask, kinds = pairs[item.name], classes.get(item.name)
        split = sets.get(item.stem) if sets else next((split for part in item.folders if (split := split_word(part))), None)
        if sets and split is None and mask is None:
            continue
        name, own = item.name[len(inner) :], tuple(base / part for part in parts.get(item.name, ()))
        entries.append(Pair(name, path / name, split, base / mask if mask else None, base / kinds if kinds else None, own))
    _tell(images, entries, {} if parts else sources, chosen, pairs, notes)
    return entries, chosen


def _sorted(names: list[str], inner: str, ask: Ask, notes: list[str]) -> tuple[list[Place], dict[str, list[Place]]]:
    """Pictures, and masks by what their folder or ending is called."""
    places = [place(name, ask.masks) for name in names]
    stems = {(item.name.rpartition("/")[0], item.stem) for item in places} if all(item.kind != "mask" for item in places) else set()
    images: list[Place] = []
    sources: dict[str, list[Place]] = {}
    for item in places:
        end = _MASK_END.search(item.stem) if stems else None
        if end and (item.name.rpartition("/")[0], item.stem[: end.start()]) in stems:
            item = Place(item.name, "mask", "instances" if "instance" in end["word"].lower() else f"…{end[0]}", item.folders, item.stem)
        if item.kind == "mask":
            source = "instances" if (end := _MASK_END.search(item.stem)) and "instance" in end["word"].lower() and not ask.masks.masks else item.source
            sources.setdefault(source, []).append(item)
        elif item.name.startswith(inner):
            images.append(item)
    if any(item.kind == "image" for item in images):
        rest = [item.name for item in images if item.kind != "image"]
        images = [item for item in images if item.kind == "image"]
        if rest:
            notes.append(f"{len(rest)} pictures outside of the folders of pictures were not read: {listed(rest, 3)}")
    return images, sources


def _choose(images: list[Place], sources: dict[str, list[Place]], things: bool | None) -> tuple[str, dict[str, str | None]]:
    """The masks to read: of the wanted kind if there are any of it, then those of most pictures."""
    best: tuple[tuple[bool, int, int], str, dict[str, str | None]] | None = None
    for order, (source, items) in enumerate(sorted(sources.items())):
        pairs = _pair(images, items)
        count = sum(mask is not None for mask in pairs.values())
        rank = (count > 0 and (source in OBJECTS) == bool(things), count, -order)
        if best is None or rank > best[0]:
            best = rank, source, pairs
    return (best[1], best[2]) if best is not None else ("", {item.name: None for item in images})


def _pair(images: list[Place], masks: list[Place]) -> dict[str, str | None]:
    """By picture: its mask. Same folders and name, then without endings, then without the outer folders (in which no word tells pictures from
    masks), then the name alone where only one has it."""
    by_place: dict[tuple[tuple[str, ...], str], str] = {}
    by_stem: dict[str, str | None] = {}
    for item in masks:
        by_place.setdefault((item.folders, item.stem), item.name)
    for item in masks:
        by_place.setdefault((item.folders, item.core), item.name)
        by_stem[item.core] = None if item.core in by_stem else item.name
    twice = {stem for stem, count in _counts(item.stem for item in images) if count > 1}
    pairs: dict[str, str | None] = {}
    for item in images:
        inner = [item.folders[start:] for start in range(len(item.folders) if item.kind == "" else 1)] or [()]
        near = next((mask for folders in inner for stem in (item.stem, item.core) if (mask := by_place.get((folders, stem)))), None)
        pairs[item.name] = near or (None if item.stem in twice else by_stem.get(item.stem))
    return pairs


def _each_thing(images: list[Place], sources: dict[str, list[Place]]) -> dict[str, list[str]]:
    """By picture: the masks of its things, where each picture has folders of its own (``7/images/7.png``, ``7/masks/*.png``)."""
    alone = {folders for folders, count in _counts(item.folders for item in images) if count == 1 and folders}
    owners = {item.folders: item.name for item in images if item.folders in alone}
    found: dict[str, list[str]] = {}
    for item in max(sources.values(), key=len, default=[]):
        if item.folders in owners:
            found.setdefault(owners[item.folders], []).append(item.name)
    return found


def _counts(items: Iterable[Any]) -> Iterator[tuple[Any, int]]:
    counts: dict[Any, int] = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    yield from counts.items()


def _sets(found: Scan, base: Path, ask: Ask, notes: list[str]) -> dict[str, str]:
    """Split by stem, out of Pascal VOC's ImageSets/Segmentation."""
    home = next((name for name in found.folders if f"/{name}".casefold().endswith("/imagesets/segmentation")), None)
    splits: dict[str, str] = {}
    for name in _SETS if home else ():
        file = base / str(home) / f"{name}.txt"
        if file.is_file():
            for line in read_text(file, 1 << 26).split():
                stem = os.path.splitext(line.rpartition("/")[2])[0] if is_picture(line) else line
                splits.setdefault(stem, "train" if name == "trainval" else name)
    if splits:
        notes.append(f"splits: {home}/*.txt")
    return splits


def _tell(images: list[Place], entries: list[Pair], sources: dict[str, list[Place]], chosen: str, pairs: dict[str, str | None], notes: list[str]) -> None:
    notes.append(f"masks: {chosen}")
    used = {mask for mask in pairs.values() if mask}
    alone = [item.name for item in sources.get(chosen, []) if item.name not in used]
    if alone:
        notes.append(f"{len(alone)} masks have no picture: {listed(alone, 3)}")
    others = [f"{source} ({len(items)})" for source, items in sources.items() if source != chosen]
    if others:
        notes.append(f"other masks were not read: {listed(others)}; a data.yaml can name the folder (masks: …)")
    if len(entries) < len(images):
        notes.append(f"{len(images) - len(entries)} pictures without a mask stand in none of the sets and were not read")
    missing = sum(entry.mask is None for entry in entries)
    if missing:
        notes.append(f"{missing} pictures have no mask: they are unlabeled")
