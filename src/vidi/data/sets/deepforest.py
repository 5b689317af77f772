"""Four aerial photographs with a box around every tree, from the Python package deepforest."""

from __future__ import annotations

import csv
from pathlib import Path
from xml.etree import ElementTree

from vidi.data import _obtain
from vidi.errors import DataError

MEANING = "4 aerial photographs of 400 to 2,472 pixels with 951 tree crowns as boxes, as a table with one row per box"
LICENCE = "MIT (Weecology)"
SOURCE = "PyPI package deepforest 2.1.0 (its data files only); living and dead trees are one class here"
CITE = "Weinstein et al., DeepForest: A Python package for RGB deep learning tree crown delineation, Methods in Ecology and Evolution 11, 2020"
SIZE = 4
SHA256 = "71cc2eee4997daa292b48d208d5f88452e3c92bc72020f627a4b3cd9013f91b9"
PHOTOS = ("2019_YELL_2_528000_4978000_image_crop2", "2019_YELL_2_541000_4977000_image_crop", "OSBS_029", "SOAP_061")
CORNERS = ("xmin", "ymin", "xmax", "ymax")


def get(folder: Path) -> None:
    """Write ``images/`` and ``boxes.csv``."""
    with _obtain.workbench(folder) as bench:
        wheel = _obtain.pip_download("deepforest==2.1.0", bench)
        _obtain.unzip(wheel, "deepforest/data/", bench / "data", limit=1 << 27)
        names = [f"{photo}.{ending}" for photo in PHOTOS for ending in ("png", "xml")]
        if missing := [name for name in names if not (bench / "data" / name).is_file()]:
            raise DataError("the package lacks a file", file=wheel.name, value=missing[0])
        _obtain.check(_obtain.hash_files(bench / "data", names), SHA256, "deepforest")
        (folder / "images").mkdir()
        with open(folder / "boxes.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("path", *CORNERS, "label"))
            for photo in PHOTOS:
                (bench / "data" / f"{photo}.png").rename(folder / "images" / f"{photo}.png")
                for box in ElementTree.parse(bench / "data" / f"{photo}.xml").iter("bndbox"):  # its hash is known
                    writer.writerow((f"images/{photo}.png", *(box.findtext(corner) for corner in CORNERS), "Tree"))
