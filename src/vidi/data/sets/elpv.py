"""Photographs of solar cells with defect probabilities, from the Python package elpv-dataset."""

from __future__ import annotations

import csv
from pathlib import Path

from vidi.data import _obtain
from vidi.errors import DataError

MEANING = "2,624 electroluminescence photographs of solar cells, 300×300 gray pixels, with defect probability and type, as a table"
LICENCE = "CC BY-NC-SA 4.0 (not for commercial use)"
SOURCE = "PyPI package elpv-dataset 1.0.0.post1 (its data files only)"
CITE = "Buerhop-Lutz et al., A Benchmark for Visual Identification of Defective Solar Cells in Electroluminescence Imagery, EU PVSEC 2018"
SIZE = 2624
SHA256 = "f6db68a781ba0ee69f30e9edc9dd6d628a12cf6873f8bd6a3109af4dee86aba6"
COLUMNS = ("path", "class", "defect_probability", "type", "defect", "mono")


def get(folder: Path) -> None:
    """Write ``images/`` and ``labels.csv``.

    Columns: ``class`` (functional, or defective where the probability is 0.5 or more) serves tasks with one class,
    ``defect_probability`` (0, 1/3, 2/3 or 1) those with numbers, ``defect`` and ``mono`` (0 or 1) those with several classes; ``type`` is
    as in the source (mono, poly).
    """
    with _obtain.workbench(folder) as bench:
        wheel = _obtain.pip_download("elpv-dataset==1.0.0.post1", bench)
        names = _obtain.unzip(wheel, "elpv_dataset/data/", bench / "data", limit=1 << 28)
        _obtain.check(_obtain.hash_files(bench / "data", names), SHA256, "elpv-dataset")
        rows = [line.split() for line in (bench / "data" / "labels.csv").read_text(encoding="utf-8").splitlines() if line.strip()]
        if any(len(row) != 3 for row in rows):
            raise DataError("not a table of path, probability and type", file="labels.csv")
        (bench / "data" / "images").rename(folder / "images")
    with open(folder / "labels.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for path, probability, kind in rows:
            defect = float(probability) >= 0.5
            writer.writerow([path, "defective" if defect else "functional", probability, kind, int(defect), int(kind == "mono")])
