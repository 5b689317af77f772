"""A zip of stored members, written whole or not at all and read with suspicion: the form of model files and checkpoints."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

from vidi.core.files import atomic_write
from vidi.errors import ModelError, ResourceError

_MAX_MEMBERS = 10_000


def write_container(path: Path, members: dict[str, bytes]) -> None:
    """Write named members, uncompressed and with fixed dates, so that equal contents give equal files."""
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)


class Container:
    """An open container; `names` lists its members, `read(name)` gives one, checked against its CRC.

    Raises:
        ModelError: not a container of plain stored files (the detected type is named).
        ResourceError: compressed members, which could grow without limit.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        try:
            self._file = open(self.path, "rb")
        except OSError as error:
            raise ModelError(f"cannot be opened: {error.strerror}", file=path, fix="check the path") from None
        try:
            self._archive = zipfile.ZipFile(self._file)
            self._check()
        except zipfile.BadZipFile as error:
            self._file.seek(0)
            kind = detect_weights(self._file.read(4096))
            self._file.close()
            raise ModelError(f"not a vidi file ({error})", file=path, value=kind, fix=_ADVICE.get(kind)) from None
        except BaseException:
            self._file.close()
            raise

    def _check(self) -> None:
        entries = self._archive.infolist()
        names = [entry.filename for entry in entries]
        if any(name.endswith("data.pkl") for name in names):
            raise ModelError("a pickled torch file, which can run code when loaded", file=self.path, value="torch pickle", fix=_ADVICE["torch pickle"])
        if len(entries) > _MAX_MEMBERS or len(set(name.casefold() for name in names)) != len(names):
            raise ModelError("too many members, or names that collide", file=self.path)
        for entry in entries:
            parts = PurePosixPath(entry.filename).parts
            regular = not entry.is_dir() and (entry.external_attr >> 28) in (0, 8)
            if not parts or ".." in parts or parts[0] == "/" or "\\" in entry.filename or ":" in entry.filename or not regular:
                raise ModelError("member outside the file or not a regular file", file=self.path, at=entry.filename)
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
                raise ResourceError("compressed member: vidi files are stored, not deflated", file=self.path, at=entry.filename)
        if sum(entry.file_size for entry in entries) > self.path.stat().st_size:
            raise ResourceError("members larger than the file", file=self.path)

    @property
    def names(self) -> list[str]:
        return self._archive.namelist()

    def read(self, name: str) -> bytes:
        try:
            return self._archive.read(name)
        except KeyError:
            raise ModelError(f"no member {name!r}", file=self.path, fix="this is not the kind of file that was expected") from None
        except (zipfile.BadZipFile, OSError, EOFError, ValueError) as error:
            raise ModelError(f"damaged: {error}", file=self.path, at=name) from None

    def close(self) -> None:
        self._archive.close()
        self._file.close()

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


_ADVICE = {
    "torch pickle": "load it as weights=FILE of `vidi train`, which reads tensors only, and save a .vidi",
    "pickle": "load it as weights=FILE of `vidi train`, which reads tensors only, and save a .vidi",
    "safetensors": "bare weights: give them as weights=FILE of `vidi train`",
}


def detect_weights(head: bytes) -> str:
    """What a weight file is, from its first bytes."""
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return "pickle"
    if head[:2] == b"PK":
        return "zip"
    if len(head) > 9 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 40:
        return "safetensors"
    if head[:4] == b"\x08\x07\x12\x07" or b"onnx" in head[:64]:
        return "ONNX"
    return "empty file" if not head else "unknown data"
