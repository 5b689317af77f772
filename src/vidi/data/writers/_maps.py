"""What writers of masks and run lengths share: labels that are settled down to pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.data.writers._things import size_of, stripped, without_crowds, without_scores, without_texts, without_tracks
from vidi.errors import DataError
from vidi.labels import Detections, Outline, Runs, Segmentation


def expect_masks(dataset: Dataset, name: str) -> str:
    """The labels' family; of data without labels ``Segmentation``.

    Raises:
        DataError: labels without pixels.
    """
    family = dataset.space.family if dataset.space is not None else "Segmentation"
    if family not in ("Segmentation", "Detections"):
        raise DataError(f"labels of the family {family} do not fit into {name}", value=dataset.name, fix="choose csv, which holds more kinds of labels")
    return family


def plain_maps(dataset: Dataset, lost: Counter[str]) -> Dataset:
    """Class maps without probabilities, with the usual value for what is not known.

    Raises:
        DataError: a value that no class has.
    """
    count = len(dataset.space) if dataset.space is not None else 0
    unknown = 255 if count <= 255 else 65535

    def settled(sample: Sample) -> Sample:
        label = sample.label
        if not isinstance(label, Segmentation):
            return sample
        lost["probabilities"] += label.probabilities is not None
        classes = label.classes
        known = classes != label.ignore
        wrong = known & ((classes < 0) | (classes >= count))
        if wrong.any():
            raise DataError("a pixel of a class without a name", file=sample.extra.get("file") or sample.id, value=int(classes[wrong][0]), fix="see `vidi doctor`")
        return replace(sample, label=Segmentation(np.where(known, classes, unknown), None, unknown).packed())

    return dataset.with_samples(settled(sample) for sample in dataset)


def plain_things(dataset: Dataset, lost: Counter[str]) -> Dataset:
    """Things that are nothing but a class and run lengths; each thing that loses something is counted.

    Raises:
        DataError: run lengths of another size than the picture's.
    """
    data = stripped(dataset, lost, crowd_regions=without_crowds, scores=without_scores, tracks=without_tracks, texts=without_texts)

    def settled(sample: Sample) -> Sample:
        label = sample.label
        if not isinstance(label, Detections) or not len(label):
            return sample
        size = size_of(sample)
        runs: list[Runs] = []
        kept = []
        for i, outline in enumerate(label.outlines or [None] * len(label)):
            if isinstance(outline, Runs) and outline.size != size:
                raise DataError("run lengths of another size than the picture's", file=sample.id, value=f"{outline.size}, {size}")
            made = outline if outline is None or isinstance(outline, Runs) else Outline.of(outline.mask(size))
            if made is None or not made.area():
                lost["things without an outline" if made is None else "things without a pixel"] += 1
                continue
            lost["corners of polygons"] += not isinstance(outline, Runs)
            lost["boxes that differ from their outline"] += isinstance(outline, Runs) and not np.array_equal(made.box().astype(np.float32), label.boxes[i])
            runs.append(Outline.of(made.mask(size)))
            kept.append(i)
        return replace(sample, label=Detections(boxes(runs), None, label.classes[kept], outlines=tuple(runs)) if kept else Detections.empty())  # type: ignore[arg-type]

    return data.with_samples(settled(sample) for sample in data)


def boxes(outlines: list[Runs]) -> np.ndarray:
    """The boxes around outlines, (N, 4) float32."""
    return np.stack([outline.box() for outline in outlines]).astype(np.float32) if outlines else np.zeros((0, 4), np.float32)


def relabeled(dataset: Dataset, change: Callable[[Sample, Detections], Detections]) -> Dataset:
    """The data set with its things changed."""
    return dataset.with_samples(
        replace(sample, label=change(sample, sample.label)) if isinstance(sample.label, Detections) and len(sample.label) else sample for sample in dataset
    )
