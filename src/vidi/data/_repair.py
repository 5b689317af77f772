"""What the doctor's findings ask for, done on a copy: samples left out, boxes cut to their picture or left out, class maps cleared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.data.rules import Finding
from vidi.errors import ChoiceError
from vidi.labels import Detections, Outline, Runs, Segmentation

MODES = ("clip", "drop")
"""What is done with a box that leaves its picture."""

_PER_THING = ("places", "things")


@dataclass(eq=False)
class Repair:
    """What was done.

    Args:
        dataset: the repaired data set.
        samples: how many samples were left out, by rule.
        clipped: how many boxes were cut to their picture, by rule.
        dropped: how many boxes were left out, by rule.
        emptied: ids of the pictures that have no box left; they now count as showing nothing.
        ignored: how many class maps had pixels of no class, which are now not known, by rule.
    """

    dataset: Dataset
    samples: Counter[str] = field(default_factory=Counter)
    clipped: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    emptied: list[str] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)

    @property
    def counts(self) -> dict[str, int]:
        """Samples, boxes and class maps by rule."""
        return dict(self.samples + self.clipped + self.dropped + self.ignored)

    def words(self) -> str:
        """What was done in one sentence."""
        parts = [(self.samples, "left out"), (self.clipped, "boxes clipped"), (self.dropped, "boxes left out"), (self.ignored, "masks cleared of values of no class")]
        said = [f"{what}: {', '.join(f'{rule} {count}' for rule, count in counts.items())}" for counts, what in parts if counts]
        if self.emptied:
            said.append(f"{len(self.emptied)} pictures have no box left and count as background")
        return "; ".join(said) or "left out: nothing"

    def table(self) -> list[list[str | int]]:
        """A row per rule: its name, samples left out, boxes clipped, boxes left out."""
        return [[rule, self.samples[rule], self.clipped[rule], self.dropped[rule]] for rule in sorted(self.counts)]


def mend(dataset: Dataset, findings: Iterable[Finding], boxes: str = "clip") -> Repair:
    """Do what the findings ask for. A sample or box counts for the first rule that names it; leaving out goes before clipping.

    Args:
        dataset: what the findings are of; it is not changed.
        findings: of `vidi.data.doctor.examine` on this very data set; pass a part of them to repair only that.
        boxes: ``clip`` cuts boxes that leave their picture to it; ``drop`` leaves them out. Boxes without area, not finite, wholly outside,
            of no known class, or there twice, are left out by both.

    Raises:
        ChoiceError: `boxes` is another word.
    """
    if boxes not in MODES:
        raise ChoiceError("clip or drop", at="boxes", value=boxes, fix="boxes=clip cuts boxes to their picture, boxes=drop leaves them out")
    gone: dict[int, str] = {}
    clip: dict[int, dict[int, Finding]] = {}
    drop: dict[int, dict[int, str]] = {}
    ignore: dict[int, str] = {}
    for finding in findings:
        row, box = finding.index, finding.box
        if row is None:
            continue
        if finding.action == "drop":
            gone.setdefault(row, finding.rule)
        elif finding.action == "ignore":
            ignore.setdefault(row, finding.rule)
        elif box is not None and finding.action == "clip" and boxes == "clip":
            clip.setdefault(row, {}).setdefault(box, finding)
        elif box is not None and finding.action in ("clip", "drop_box"):
            drop.setdefault(row, {}).setdefault(box, finding.rule)
    repair = Repair(dataset, Counter(gone.values()), ignored=Counter(rule for row, rule in ignore.items() if row not in gone))
    count = len(dataset.space) if dataset.space is not None else 0
    samples = []
    for row, sample in enumerate(dataset):
        if row in gone:
            continue
        if row in ignore:
            sample = _cleared(sample, count)
        elif row in clip or row in drop:
            sample = _mended(sample, clip.get(row, {}), drop.get(row, {}), repair)
        samples.append(sample)
    repair.dataset = dataset.with_samples(samples)
    return repair


def _cleared(sample: Sample, count: int) -> Sample:
    """A copy of a sample whose class map has no value beyond so many classes; such pixels are not known."""
    label = sample.label
    if not isinstance(label, Segmentation):
        return sample
    classes = label.classes
    return replace(sample, label=Segmentation(np.where((classes >= 0) & (classes < count), classes, label.ignore), None, label.ignore).packed())


def _mended(sample: Sample, clip: dict[int, Finding], drop: dict[int, str], repair: Repair) -> Sample:
    """A copy of a sample with its label put right, and what was done to it counted."""
    label = sample.label
    if not isinstance(label, Detections):
        return sample
    clip = {box: finding for box, finding in clip.items() if box not in drop and finding.instead is not None}
    repair.clipped.update(finding.rule for finding in clip.values())
    repair.dropped.update(drop.values())
    if clip:
        label = _clipped(label, {box: finding.instead for box, finding in clip.items() if finding.instead is not None})
    keep = [index for index in range(len(label)) if index not in drop]
    if not keep:
        repair.emptied.append(sample.id)
    lists = {name: sample.extra.get(name) for name in _PER_THING}
    fitting = {name: [values[index] for index in keep] for name, values in lists.items() if isinstance(values, list) and len(values) == len(label)}
    return replace(sample, label=label[np.array(keep, np.int64)] if drop else label, extra=sample.extra | fitting)


def _clipped(label: Detections, instead: dict[int, tuple[float, float, float, float]]) -> Detections:
    boxes, outlines = label.boxes.copy(), None if label.outlines is None else list(label.outlines)
    for index, box in instead.items():
        boxes[index] = box
        outline = None if outlines is None else outlines[index]
        if outlines is not None and outline is not None:
            outlines[index] = _within(outline, box)
    return replace(label, boxes=boxes, outlines=None if outlines is None else tuple(outlines))


def _within(outline: Outline, box: tuple[float, float, float, float]) -> Outline:
    """A polygon cut to a box; run lengths never leave their picture."""
    if isinstance(outline, Runs):
        return outline
    x1, y1, x2, y2 = box
    there, back = np.eye(3), np.eye(3)
    there[:2, 2], back[:2, 2] = (-x1, -y1), (x1, y1)
    return outline.warp(there, (y2 - y1, x2 - x1)).warp(back, (y2, x2))  # type: ignore[arg-type]


def listing_suffix(dataset: Dataset) -> str:
    """The ending of the file that a cleaned listing of such labels is written to."""
    return ".json" if dataset.space is not None and dataset.space.family == "Detections" else ".csv"
