"""YOLO: a text file per picture in labels/, pictures in images/, and a data.yaml."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.files import write_text
from vidi.data.writers._folder import by_split, expect, flat_names, new_folder, put_pictures, refuse, without_groups
from vidi.data.writers._things import exact, settled, size_of, stripped, without_crowds, without_texts, without_tracks
from vidi.data.writers._yaml import write_yaml
from vidi.labels import Detections, Polygons

MEANING = "YOLO text files in labels/, pictures in images/, and a data.yaml; holds boxes, scores of boxes, and polygons of one ring"
TOLERANCE = 1e-6
"""Of the picture's longer side: corners of polygons are written with nine decimals. Boxes without a polygon are read back exactly."""


def held(dataset: Dataset) -> tuple[Dataset, Counter[str]]:
    """Crowd regions are left out; outlines of several rings and run lengths are; a box with a polygon becomes the box around it."""
    expect(dataset, "Detections", "yolo")
    lost: Counter[str] = Counter()
    data = stripped(
        settled(dataset), lost, crowd_regions=without_crowds, tracks=without_tracks, texts=without_texts,
        run_lengths_and_outlines_of_several_rings=_one_ring, boxes_that_differ_from_their_outline=_boxes, scores_of_outlines=_scores,
    )  # fmt: skip
    return without_groups(data, lost), lost


def _one_ring(label: Detections, sample: Sample) -> tuple[Detections, int]:
    kept = [outline if isinstance(outline, Polygons) and len(outline.rings) == 1 else None for outline in label.outlines or ()]
    lost = sum(outline is not None for outline in label.outlines or ()) - sum(outline is not None for outline in kept)
    return (replace(label, outlines=tuple(kept) if any(kept) else None), lost) if lost else (label, 0)


def _outlined(label: Detections) -> list[int]:
    return [i for i, outline in enumerate(label.outlines or ()) if outline is not None]


def _boxes(label: Detections, sample: Sample) -> tuple[Detections, int]:
    boxes = label.boxes.copy()
    for i in _outlined(label):
        boxes[i] = label.outlines[i].box()  # type: ignore[index, union-attr]
    reach = max(1.0, float(np.abs(label.boxes).max(initial=0)))
    return replace(label, boxes=boxes), int((np.abs(boxes - label.boxes) > TOLERANCE * reach).any(1).sum())


def _scores(label: Detections, sample: Sample) -> tuple[Detections, int]:
    scores = label.scores.copy()
    scores[_outlined(label)] = 1
    return replace(label, scores=scores), int((scores != label.scores).sum())


def places(dataset: Dataset) -> list[str]:
    return flat_names(dataset.samples, by_split(dataset, "images"))


def write(dataset: Dataset, folder: str | Path, *, lossy: bool = False) -> Path:
    """Write a data set into a new folder, with copies of its pictures.

    A picture without a label gets no file, one with an empty label an empty file. The category ids of the source stand in the
    ``data.yaml`` as ``ids``.

    Args:
        lossy: leave out what the format cannot hold.

    Raises:
        DataError: labels that are no boxes, or with something that the format cannot hold.
        ImageError: a picture whose size cannot be read.
        InputError: the folder is not empty, or lies in the data.
    """
    folder, (data, lost) = Path(folder), held(dataset)
    refuse(lost, lossy, "yolo")
    where = places(data)
    with new_folder(folder, data) as target:
        put_pictures(data, where, target)
        for place in {name.rpartition("/")[0] for name in where}:
            (target / place.replace("images", "labels", 1)).mkdir(parents=True, exist_ok=True)
        for sample, place in zip(data, where):
            if isinstance(sample.label, Detections):
                file = (target / place.replace("images", "labels", 1)).with_suffix(".txt")
                write_text(file, "".join(line + "\n" for line in _lines(sample, sample.label)))
        splits = sorted({sample.split for sample in data if sample.split}, key=["train", "val", "test"].index)
        whole = all(sample.split for sample in data)
        write_yaml(target / "data.yaml", data, {split: f"images/{split}" for split in splits} if whole else {})
    return folder


def _lines(sample: Sample, label: Detections) -> list[str]:
    height, width = size_of(sample) if len(label) else (1, 1)
    lines = []
    for i in range(len(label)):
        outline = label.outlines[i] if label.outlines is not None else None
        if isinstance(outline, Polygons):
            numbers = [f"{value:.9f}".rstrip("0").rstrip(".") for value in (outline.rings[0] / [width, height]).ravel().tolist()]
        else:
            (x, w), (y, h) = (_middle_and_length(label.boxes[i, a], label.boxes[i, a + 2], side) for a, side in ((0, width), (1, height)))
            numbers = [x, y, w, h] + ([exact(label.scores[i])] if (label.scores != 1).any() else [])
        lines.append(" ".join([str(int(label.classes[i])), *numbers]))
    return lines


def _middle_and_length(low: np.float32, high: np.float32, side: int) -> tuple[str, str]:
    """Shares of the side with as few digits, six decimals at least, as give back both ends to the last bit of 32."""
    middle, length = (float(low) + float(high)) / 2 / side, (float(high) - float(low)) / side
    texts = (repr(middle), repr(length))
    for decimals in range(6, 18):
        texts = (f"{middle:.{decimals}f}", f"{length:.{decimals}f}")
        x, w = map(float, texts)
        if np.float32((x - w / 2) * side) == low and np.float32((x + w / 2) * side) == high:
            break
    return texts
