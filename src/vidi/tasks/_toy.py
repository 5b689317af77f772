"""Small made-up pictures whose labels can be learned in seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.labels import Label

SIDE = 24


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


def dataset(pictures: np.ndarray, labels: Sequence[Label], space: Space, name: str) -> Dataset:
    """Half the samples for training, a quarter each for validation and test."""
    pixels = (pictures.clip(0, 1) * 255).round().astype(np.uint8)
    splits = ["train", "train", "val", "test"]
    samples = [Sample(f"{name}/{i:05d}", {"image": pixels[i]}, labels[i], splits[i % 4]) for i in range(len(labels))]
    return Dataset(samples, space, name=name, format="toy")
