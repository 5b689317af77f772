"""Fashion-MNIST from the Debian package dataset-fashion-mnist, installed or downloaded."""

from __future__ import annotations

from pathlib import Path

from vidi.core.console import say
from vidi.data import _obtain
from vidi.data.sets import _idx

MEANING = "70,000 pieces of clothing in 10 classes, 28×28 gray pixels, train and test, as idx files"
LICENCE = "MIT (Zalando SE)"
SOURCE = "Debian package dataset-fashion-mnist"
CITE = "Xiao, Rasul and Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms, 2017, arXiv:1708.07747"
SIZE = 70000
NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
INSTALLED = Path("/usr/share/datasets/fashion-mnist")
SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def get(folder: Path) -> None:
    """Write the four idx files and the class names."""
    if INSTALLED.is_dir():
        say(f"copying from {INSTALLED}")
        _idx.copy(INSTALLED, folder, SHA256)
    else:
        with _obtain.workbench(folder) as bench:
            unpacked = _obtain.apt_download("dataset-fashion-mnist", bench)
            _idx.copy(unpacked / INSTALLED.relative_to("/"), folder, SHA256)
    _idx.name_classes(folder, NAMES)
