"""Small made-up pictures whose labels can be learned in seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.labels import Label

SIDE = 24
SCENE = 64
THINGS = 3
SHAPES = ("plate", "post", "frame")


def canvas(count: int, seed: int) -> tuple[np.ndarray, np.random.Generator]:
    """(count, SIDE, SIDE, 3) dim noisy ground in 0..1, and the generator to go on with."""
    generator = np.random.default_rng(seed)
    ground = generator.uniform(0.1, 0.4, (count, 1, 1, 3)) + generator.normal(0, 0.04, (count, SIDE, SIDE, 3))
    return ground, generator


def disc(generator: np.random.Generator, radius: tuple[float, float] = (4, 7)) -> tuple[np.ndarray, float]:
    """A filled disc as a (SIDE, SIDE) mask, and the share of the picture it covers."""
    r = generator.uniform(*radius)
    x, y = generator.uniform(r, SIDE - r, 2)
    yy, xx = np.mgrid[:SIDE, :SIDE] + 0.5
    mask = (xx - x) ** 2 + (yy - y) ** 2 <= r * r
    return mask, float(mask.mean())


def place(box: tuple[int, int, int, int], side: int) -> np.ndarray:
    """A (side, side) mask that is True inside x1, y1, x2, y2."""
    x1, y1, x2, y2 = box
    mask = np.zeros((side, side), bool)
    mask[y1:y2, x1:x2] = True
    return mask


def square(generator: np.random.Generator) -> np.ndarray:
    """A filled square as a (SIDE, SIDE) mask."""
    side = int(generator.integers(7, 12))
    y, x = generator.integers(0, SIDE - side, 2)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[y : y + side, x : x + side] = True
    return mask


def cross(generator: np.random.Generator) -> np.ndarray:
    """A plus sign as a (SIDE, SIDE) mask."""
    arm = int(generator.integers(4, 7))
    y, x = generator.integers(arm, SIDE - arm, 2)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[y - arm : y + arm + 1, x - 1 : x + 2] = True
    mask[y - 1 : y + 2, x - arm : x + arm + 1] = True
    return mask


def scenes(count: int, seed: int) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Pictures (count, SCENE, SCENE, 3) in 0..1 of up to three `SHAPES` that do not overlap, and for each its boxes (N, 4) float32,
    classes (N,) int64 and masks (N, SCENE, SCENE) bool."""
    generator = np.random.default_rng(seed)
    pictures = generator.uniform(0.1, 0.35, (count, 1, 1, 3)) + generator.normal(0, 0.03, (count, SCENE, SCENE, 3))
    return pictures, [_scene(picture, generator) for picture in pictures]


def _scene(picture: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Paint a scene into (SCENE, SCENE, 3) and give its truth."""
    taken = np.zeros((SCENE, SCENE), bool)
    boxes, classes, masks = [], [], []
    for _ in range(int(generator.integers(0, THINGS + 1))):
        kind = int(generator.integers(3))
        long, short = int(generator.integers(18, 28)), int(generator.integers(8, 13))
        wide, tall = ((long, short), (short, long), (long, long))[kind]
        x, y = int(generator.integers(0, SCENE - wide)), int(generator.integers(0, SCENE - tall))
        box = (x, y, x + wide, y + tall)
        if taken[y : y + tall, x : x + wide].any():
            continue
        taken[y : y + tall, x : x + wide] = True
        mask = place(box, SCENE)
        if kind == 2:
            mask &= ~place((x + 4, y + 4, x + wide - 4, y + tall - 4), SCENE)
        picture[mask] = generator.uniform(0.6, 1.0, 3)
        boxes.append(box)
        classes.append(kind)
        masks.append(mask)
    held = np.array(masks, bool).reshape(-1, SCENE, SCENE)
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, np.int64), held


def dataset(pictures: np.ndarray, labels: Sequence[Label], space: Space, name: str) -> Dataset:
    """Half the samples for training, a quarter each for validation and test."""
    pixels = (pictures.clip(0, 1) * 255).round().astype(np.uint8)
    splits = ["train", "train", "val", "test"]
    samples = [Sample(f"{name}/{i:05d}", {"image": pixels[i]}, labels[i], splits[i % 4]) for i in range(len(labels))]
    return Dataset(samples, space, name=name, format="toy")
