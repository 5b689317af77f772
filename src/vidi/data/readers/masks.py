"""Folders of pictures with folders of masks beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vidi.core.dataset import Dataset, Sample
from vidi.core.task import Task
from vidi.data.readers import _mask_labels, _mask_pairs
from vidi.data.readers._ask import Ask
from vidi.data.readers._mask_ask import MaskAsk
from vidi.data.readers._mask_files import MaskFile, each, load_all
from vidi.data.readers._mask_pairs import Pair
from vidi.data.readers._mask_values import Meaning, settle
from vidi.errors import DataError

MEANING = "masks (class maps or a value per thing; gray, palette, 16-bit or colored) in masks/ beside images/, as in Pascal VOC, or called like the picture with _mask behind"
PRIORITY = 72
WANTED, UNWANTED = 89, 20
"""Just below a data.yaml, and just above class folders."""


def priority(want: Task) -> int:
    """Before other labels that lie beside them where a task wants masks; after them where it wants no things at all."""
    if want.family == "Segmentation" or want.head == "masks":
        return WANTED
    return PRIORITY if want.family == "Detections" else UNWANTED


def matches(path: Path) -> bool:
    return path.is_dir() and _mask_pairs.home(path) is not None


def read(path: Path, ask: Ask) -> Dataset:
    """Samples in natural order of the pictures' names.

    Class maps become `Segmentation`; maps of things, and the parts of class maps where a task for things is wanted, become `Detections`
    with outlines. A value that no class has is kept, for the doctor to name. A picture without a mask has no label; one whose mask cannot
    be used is left out.

    Raises:
        DataError: no mask belongs to a picture, masks of different kinds, or classes that nothing tells.
    """
    notes: list[str] = []
    pairs, source = _mask_pairs.find(path, ask, notes, _wants_things(ask))
    files = _load(pairs, ask)
    kinds = _class_maps(pairs, files, ask) if any(pair.classes for pair in pairs) else {}
    home = _mask_pairs.home(path, ask.masks.masks) or path
    meaning = settle(list(files.values()), source, ask, home, notes)
    classes = settle([file for file, _ in kinds.values()], "segmentationclass", _plain(ask), home, []) if kinds and meaning.family == "Detections" else None
    _mask_labels.check_classes(meaning, classes, path)
    space = _mask_labels.space_of(meaning, classes)
    samples = _samples(pairs, files, meaning, classes, {name: file for name, (file, _) in kinds.items()}, ask)
    if not samples and not ask.faults:
        raise DataError("no pictures", file=path)
    return Dataset(samples, space, notes=notes)


def _wants_things(ask: Ask) -> bool | None:
    if ask.masks.values is not None:
        return ask.masks.values == "instances"
    return None if ask.want is None else ask.want.family == "Detections"


def _load(pairs: list[Pair], ask: Ask) -> dict[str, MaskFile]:
    """Mask files by picture; the others are faults."""
    masked = [pair for pair in pairs if pair.mask is not None]
    found = load_all([pair.parts or (pair.mask,) for pair in masked if pair.mask], [pair.picture for pair in masked], any(pair.parts for pair in pairs))
    for outcome in found:
        if not isinstance(outcome, MaskFile):
            ask.faults.add_error(outcome)  # type: ignore[arg-type]
    return {pair.name: outcome for pair, outcome in zip(masked, found) if isinstance(outcome, MaskFile)}


def _class_maps(pairs: list[Pair], files: dict[str, MaskFile], ask: Ask) -> dict[str, tuple[MaskFile, Pair]]:
    """The maps that tell the classes of things, where every map of things has one."""
    chosen = [pair for pair in pairs if pair.name in files and pair.classes is not None]
    if len(chosen) < len(files):
        return {}
    found = load_all([(pair.classes,) for pair in chosen if pair.classes], [pair.picture for pair in chosen])
    for outcome in found:
        if not isinstance(outcome, MaskFile):
            ask.faults.add_error(outcome)  # type: ignore[arg-type]
    return {pair.name: (outcome, pair) for pair, outcome in zip(chosen, found) if isinstance(outcome, MaskFile)}


def _plain(ask: Ask) -> Ask:
    """The ask for class maps beside maps of things."""
    return replace(ask, want=None, masks=MaskAsk(values="classes", ignore=ask.masks.ignore, colors=ask.masks.colors))


def _samples(
    pairs: list[Pair], files: dict[str, MaskFile], meaning: Meaning, classes: Meaning | None, kinds: dict[str, MaskFile], ask: Ask
) -> list[Sample]:
    usable = [pair for pair in pairs if pair.mask is None or (pair.name in files and (classes is None or pair.name in kinds))]

    def one(pair: Pair) -> Sample | DataError:
        sample = Sample(pair.name, {"image": pair.picture}, split=pair.split)
        if pair.mask is None:
            return sample
        sample.extra = {"file": str(pair.mask)}
        file = files[pair.name]
        if meaning.family == "Segmentation":
            sample.label = _mask_labels.class_map(file, meaning)
            return sample
        try:
            things = _mask_labels.things(file, meaning, (kinds[pair.name], classes) if classes is not None else None)
        except DataError as error:
            return error
        sample.label, sample.extra = things.label(), {**sample.extra, **things.extra()}
        return sample

    made = each(one, usable)
    for error in made:
        if isinstance(error, DataError):
            ask.faults.add_error(error)
    return [sample for sample in made if isinstance(sample, Sample)]
