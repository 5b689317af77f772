"""Scenes made of scikit-learn's real handwritten digits, with a box around and the outline of each: needs no network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from vidi.data.sets import digits
from vidi.ops.runs import mask_to_counts

MEANING = "1,000 scenes of 96×96 pixels with 1 to 5 real handwritten digits of 18 to 34 pixels on uneven ground, with boxes and outlines, as COCO JSON"
LICENCE = digits.LICENCE
SOURCE = "scenes put together by vidi from the digits of scikit-learn; train and test hold different digits"
CITE = digits.CITE
SIZE = 1000
SHA256 = digits.SHA256
SIDE = 96
SEED = 20
TRAIN = 800


def get(folder: Path) -> None:
    """Write ``train/`` and ``test/``, each with its pictures and ``_annotations.coco.json``."""
    from PIL import Image

    pixels, classes = digits.load()
    generator = np.random.Generator(np.random.PCG64(SEED))
    order = generator.permutation(len(pixels))
    parts = {"train": order[: len(order) * 3 // 4], "test": order[len(order) * 3 // 4 :]}
    for split, members in parts.items():
        (folder / split).mkdir()
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number in range(TRAIN if split == "train" else SIZE - TRAIN):
            picture, things = _scene(pixels, members, generator)
            name = f"{number:04d}.png"
            Image.fromarray(picture).save(folder / split / name)
            images.append({"id": number + 1, "file_name": name, "width": SIDE, "height": SIDE})
            for index, (x, y, wide, tall), mask in things:
                annotations.append({
                    "id": len(annotations) + 1, "image_id": number + 1, "category_id": int(classes[index]) + 1, "bbox": [x, y, wide, tall],
                    "segmentation": {"size": [SIDE, SIDE], "counts": mask_to_counts(mask)}, "area": int(mask.sum()), "iscrowd": 0,
                })  # fmt: skip
        values = {"images": images, "annotations": annotations, "categories": [{"id": digit + 1, "name": str(digit)} for digit in range(10)]}
        (folder / split / "_annotations.coco.json").write_text(json.dumps(values), encoding="utf-8")


Thing = tuple[int, tuple[int, int, int, int], np.ndarray]
"""A digit's place among all, x, y, width, height of its ink, and its pixels (SIDE, SIDE) bool."""


def _scene(pixels: np.ndarray, members: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, list[Thing]]:
    """A (SIDE, SIDE) uint8 picture and what is on it; a digit painted later covers an earlier one."""
    slope = generator.uniform(-25, 25, 2)
    yy, xx = np.mgrid[:SIDE, :SIDE] / SIDE
    ground = generator.uniform(20, 90) + slope[0] * xx + slope[1] * yy
    scene = ground + generator.normal(0, 4, (SIDE, SIDE))
    things: list[Thing] = []
    taken = np.zeros((SIDE, SIDE), bool)
    for _ in range(int(generator.integers(1, 6))):
        index = int(generator.choice(members))
        strokes = ink(pixels[index], int(generator.integers(18, 35)), float(generator.uniform(0.75, 1.25)))
        tall, wide = strokes.shape
        for _attempt in range(20):
            y, x = int(generator.integers(0, SIDE - tall + 1)), int(generator.integers(0, SIDE - wide + 1))
            place = np.s_[y : y + tall, x : x + wide]
            if taken[place].mean() < 0.1:
                break
        else:
            continue
        taken[place] = True
        level = generator.uniform(150, 250)
        scene[place] = scene[place] * (1 - strokes) + level * strokes
        mask = np.zeros((SIDE, SIDE), bool)
        mask[place] = strokes > 0.4
        things = [(other, box, seen & ~mask) for other, box, seen in things]
        things.append((index, (x, y, wide, tall), mask))
    return scene.clip(0, 255).round().astype(np.uint8), things


def ink(digit: np.ndarray, height: int, stretch: float) -> np.ndarray:
    """A digit's ink 0..1, cut to its strokes and enlarged to a height."""
    from PIL import Image

    marked = digit > 60
    rows, columns = np.flatnonzero(marked.any(1)), np.flatnonzero(marked.any(0))
    cut = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    width = max(6, round(height * cut.shape[1] / cut.shape[0] * stretch))
    return np.asarray(Image.fromarray(cut).resize((width, height), Image.Resampling.BICUBIC), np.float64) / 255
