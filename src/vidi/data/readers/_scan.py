"""Listing the pictures of a folder, fast and without leaving it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from vidi.core.files import safe_path
from vidi.core.images import SUFFIXES
from vidi.data.readers._ask import Faults
from vidi.errors import InputError

_DIGITS = re.compile(r"(\d+)")
_SKIPPED = frozenset({"__MACOSX", "@eaDir", "Thumbs.db", "desktop.ini", "$RECYCLE.BIN", "System Volume Information"})
_BYSTANDERS = re.compile(r"^(readme|licen[cs]e|copying|citation|changelog|notice)(\..*)?$", re.IGNORECASE)

SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test", "eval": "test", "t10k": "test",
}  # fmt: skip
"""What splits are called, and what vidi calls them."""


def natural(text: str) -> tuple:
    """A sort key by which ``b2`` comes before ``b10`` and ``B``'s case does not matter."""
    parts: list[str | int] = list(_DIGITS.split(text.casefold()))
    parts[1::2] = map(int, parts[1::2])
    return tuple(parts), text


def natural_path(name: str) -> tuple:
    """A sort key for relative paths: folder by folder, each in natural order."""
    return tuple(natural(part) for part in name.split("/"))


def is_picture(name: str) -> bool:
    """Whether a file name ends as pictures' names do."""
    return os.path.splitext(name)[1].lower() in SUFFIXES


def hidden(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED


@dataclass(slots=True)
class Scan:
    """What lies in a folder; all names relative to it, with forward slashes, in natural order."""

    root: Path
    pictures: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)


def scan(root: Path, faults: Faults) -> Scan:
    """All pictures below a folder, by name (nothing is opened).

    Hidden files are skipped. Links that lead outside the folder, in a circle or twice to one folder, special files with a picture's name, names that
    are not UTF-8 and names that differ only in case are faults.
    """
    root = Path(root)
    base = os.path.realpath(root)
    found = Scan(root)
    linked: set[str] = {base}
    pending = [(base, "")]
    while pending:
        folder, prefix = pending.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            faults.add(f"cannot be listed: {os.strerror(error.errno or 0)}", file=root / prefix)
            continue
        pictures: list[str] = []
        for entry in entries:
            if hidden(entry.name):
                continue
            name = prefix + entry.name
            if not _sound(name, root, faults):
                continue
            kind, real = _kind(entry, base, name, linked, root, faults)
            if kind == "folder":
                found.folders.append(name)
                pending.append((real, name + "/"))
            elif kind == "file":
                (pictures if is_picture(entry.name) else found.others).append(name)
        _collisions(pictures, root, faults)
        found.pictures += pictures
    found.pictures.sort(key=natural_path)
    found.folders.sort(key=natural_path)
    found.others = sorted((name for name in found.others if not _BYSTANDERS.match(name.rpartition("/")[2])), key=natural_path)
    return found


def _sound(name: str, root: Path, faults: Faults) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        faults.add("file name is not UTF-8", file=root, value=name, fix="rename the file")
        return False
    return True


def _kind(entry: os.DirEntry, base: str, name: str, linked: set[str], root: Path, faults: Faults) -> tuple[str, str]:
    """``folder``, ``file`` or ``none``, and for a folder its real path."""
    if not entry.is_symlink():
        if entry.is_dir(follow_symlinks=False):
            return "folder", entry.path
        if entry.is_file(follow_symlinks=False):
            return "file", ""
        if is_picture(name):
            faults.add("not a regular file", file=root / name, fix="remove it")
        return "none", ""
    try:
        real = os.path.realpath(entry.path, strict=True)
    except OSError as error:
        if is_picture(name):
            faults.add(f"link cannot be followed: {os.strerror(error.errno or 0)}", file=root / name, fix="remove the link")
        return "none", ""
    if real != base and not real.startswith(base + os.sep):
        faults.add("link leads outside the data's folder", file=root / name, value=real, fix="copy the files, or read the folder they lie in")
        return "none", ""
    if os.path.isdir(real):
        if real in linked or (base + os.sep + name).startswith(real + os.sep):
            faults.add("links in a circle, or two links to one folder", file=root / name, value=real, fix="remove the link")
            return "none", ""
        linked.add(real)
        return "folder", real
    if os.path.isfile(real):
        return "file", ""
    if is_picture(name):
        faults.add("not a regular file", file=root / name, fix="remove it")
    return "none", ""


def _collisions(names: list[str], root: Path, faults: Faults) -> None:
    folded: dict[str, str] = {}
    for name in names:
        other = folded.setdefault(name.casefold(), name)
        if other is not name:
            faults.add("names differ only in case", file=root / name, value=other, fix="rename one of the two")


class Files:
    """Looks up many names in one folder, listing each of its folders once; the rules are `core.files.safe_path`'s."""

    def __init__(self, root: Path):
        self.root = Path(root)
        self.base = os.path.realpath(root)
        self._prefix = str(self.root) + "/"
        self._folders: dict[str, frozenset[str]] = {}

    def look(self, name: str) -> Path | None:
        """The file, or None when it is not there or may not be used."""
        head, _, tail = name.rpartition("/")
        entries = self._folders.get(head)
        if entries is None:
            entries = self._folders[head] = self._list(head)
        if tail in entries:
            return Path(self._prefix + name)
        try:
            return self.root / safe_path(self.root, name).relative_to(self.base)
        except (InputError, ValueError):
            return None

    def why_not(self, name: str, file: object, at: object) -> InputError:
        """The reason that `look` gave None."""
        try:
            safe_path(self.root, name, file, at)
        except InputError as error:
            twin = self._twin(name)
            if twin:
                error.fix = f"the file is called {twin}"
            return error
        return InputError("cannot be used", file=file, at=at, value=name)

    def _twin(self, name: str) -> str | None:
        head, _, tail = name.rpartition("/")
        folded = tail.casefold()
        return next((other for other in self._folders.get(head, ()) if other.casefold() == folded), None)

    def _list(self, head: str) -> frozenset[str]:
        """Plain files of a folder inside the root; links are left to `safe_path`."""
        if "\0" in head or ".." in head.split("/") or head.startswith("/") or "://" in head:
            return frozenset()
        try:
            full = os.path.realpath(os.path.join(self.base, head), strict=True)
            if full != self.base and not full.startswith(self.base + os.sep):
                return frozenset()
            with os.scandir(full) as entries:
                return frozenset(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
        except (OSError, ValueError):
            return frozenset()
