"""What the sets in idx files share."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

from vidi.data._obtain import check
from vidi.errors import DataError

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def copy(source: Path, folder: Path, expected: dict[str, str]) -> None:
    """Copy the four files of a set, checked by the sha256 of their unpacked content, as gzip files."""
    for name in FILES:
        packed, plain = source / f"{name}.gz", source / name
        if packed.is_file():
            raw = packed.read_bytes()
            content = gzip.decompress(raw)
        elif plain.is_file():
            content = plain.read_bytes()
            raw = gzip.compress(content, 6, mtime=0)
        else:
            raise DataError("the package lacks a file", file=source, value=name)
        check(hashlib.sha256(content).hexdigest(), expected[name], name)
        (folder / f"{name}.gz").write_bytes(raw)


def name_classes(folder: Path, names: tuple[str, ...]) -> None:
    (folder / "classes.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
