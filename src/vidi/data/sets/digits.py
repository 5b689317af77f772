"""1,797 handwritten digits, 8×8 pixels, from scikit-learn's own files: needs no network."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from vidi.data._obtain import check

MEANING = "1,797 handwritten digits in 10 classes, 8×8 gray pixels, as class folders of PNG files"
LICENCE = "CC BY 4.0 (UCI Machine Learning Repository)"
SOURCE = "the file that scikit-learn's load_digits reads; its gray levels 0..16 are scaled to 0..255"
CITE = "Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998"
SIZE = 1797
SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def load() -> tuple[np.ndarray, np.ndarray]:
    """The digits (1797, 8, 8) and their classes (1797,), uint8, checked by hash."""
    from sklearn.datasets import load_digits

    data = load_digits()
    levels = np.asarray(data.images).astype(np.uint8)
    classes = np.asarray(data.target).astype(np.uint8)
    check(hashlib.sha256(levels.tobytes() + classes.tobytes()).hexdigest(), SHA256, "scikit-learn's digits")
    return np.rint(levels.astype(np.float32) * (255 / 16)).astype(np.uint8), classes


def get(folder: Path) -> None:
    """Write ``<digit>/<number>.png``."""
    from PIL import Image

    pixels, classes = load()
    for digit in range(10):
        (folder / str(digit)).mkdir()
    for i, (picture, digit) in enumerate(zip(pixels, classes)):
        Image.fromarray(picture).save(folder / str(digit) / f"{i:04d}.png")
