"""Canvases packed into one file that is mapped into memory, checked row by row.

Layout: a page with magic and a JSON line (key, shape) and its checksum; a table of `_RECORD`, one per row; the rows. Every
row carries a checksum that starts from the file's key, the row's place and the picture's size, so a row that is torn, altered
or of another set is seen and decoded again. Several processes may fill one file: equal keys mean equal rows.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import shutil
import threading
import time
import zlib
from pathlib import Path

import numpy as np

from vidi.core.dataset import Dataset, picture_state
from vidi.core.files import atomic_write, disk_error
from vidi.core.preprocess import Preprocess
from vidi.errors import RecipeError, ResourceError

_MAGIC = b"vidi-pixels-1\n"
_PAGE = 4096
_RECORD = np.dtype([("filled", "<u4"), ("height", "<u4"), ("width", "<u4"), ("check", "<u4")])
_RESERVE = 1 << 30


def content_key(dataset: Dataset, preprocess: Preprocess) -> str:
    """32 hex digits over the samples' ids, their pictures' paths, sizes and times (or content, for those in memory), and the way
    they are placed. Labels do not matter."""
    digest = hashlib.sha256(json.dumps(preprocess.to_dict(), sort_keys=True).encode())
    for sample in dataset:
        picture = sample.inputs.get("image")
        place = os.path.abspath(picture) if isinstance(picture, Path) else ""
        digest.update(f"\0{sample.id}\0{place}\0{picture_state(picture)}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]


def cache_folder(given: Path | None, dataset: Dataset) -> Path:
    """Where packed files go: `given`, else ``VIDI_CACHE``, else ``~/.cache/vidi``.

    Raises:
        RecipeError: the folder lies inside the data's own.
    """
    folder = Path(given or os.environ.get("VIDI_CACHE") or Path.home() / ".cache" / "vidi").expanduser()
    root = dataset.root
    if root is not None and root.is_dir() and Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(root)):
        raise RecipeError("the cache may not lie inside the data's folder", file=folder, fix="another cache_dir, or VIDI_CACHE")
    return folder


def cache_limit() -> int:
    """Bytes that packed files may take together: ``VIDI_CACHE_GB`` (20)."""
    text = os.environ.get("VIDI_CACHE_GB", "20")
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < 1e9:
        raise RecipeError("not a size in GB", at="VIDI_CACHE_GB", value=text, fix="a number such as 20")
    return int(limit * 1e9)


def available_memory() -> int:
    """Bytes of RAM that can be had, also by the limits of a container; half of all RAM where the system does not tell."""
    found = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        with open("/proc/meminfo") as file:
            found.append(1024 * next(int(line.split()[1]) for line in file if line.startswith("MemAvailable")))
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        with contextlib.suppress(OSError, ValueError):
            found.append(max(0, int(Path(limit).read_text()) - int(Path(used).read_text())))
    if not found:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    return min(found, default=4 << 30)


def prune(folder: Path, keep: Path, limit: int) -> int:
    """Delete the packed files used longest ago until all together take at most `limit` bytes; returns how many went."""
    files = []
    for path in folder.glob("*.pixels"):
        with contextlib.suppress(OSError):
            state = path.lstat()
            files.append((state.st_mtime, state.st_blocks * 512 if hasattr(state, "st_blocks") else state.st_size, path))
    for path in folder.glob(".*.pixels.*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime > 3600:
                path.unlink()
    total, count = sum(size for _, size, path in files if path != keep), 0
    for _, size, path in sorted(files):
        if total <= limit:
            break
        if path != keep:
            with contextlib.suppress(OSError):
                path.unlink()
                total, count = total - size, count + 1
    return count


class PackedFile:
    """Rows of one shape on disk.

    Args:
        path: the file; opened if it is whole and has this key and shape, else made anew.
        key: what the rows are made of.
        shape: (N, H, W, 3).

    Attributes:
        rows: the rows as a read-only (N, H, W, 3) uint8 view of the file.
        filled: (N,) bool, rows that were there at opening and are yet to be checked.
        sizes: (N, 2) int32, the originals' (height, width) of those rows.
        refused: why an older file was not used, or None.

    Raises:
        ResourceError: the disk is too small or the folder cannot be written.
    """

    def __init__(self, path: Path, key: str, shape: tuple[int, int, int, int]):
        self.path, self.key, self.shape = path, key, shape
        self._row_bytes = int(np.prod(shape[1:]))
        self._start = -(-(_PAGE + shape[0] * _RECORD.itemsize) // _PAGE) * _PAGE
        self._total = self._start + shape[0] * self._row_bytes
        self._lock = threading.Lock()
        self._seed = zlib.crc32(key.encode())
        self.refused = self._flaw()
        if self.refused is not None:
            self._create()
        try:
            self._file = open(path, "r+b", buffering=0)
            os.utime(path)
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise disk_error(error, path) from error
        self.rows: np.ndarray = np.frombuffer(self._map, np.uint8, shape[0] * self._row_bytes, self._start).reshape(shape)
        self._table: np.ndarray = np.frombuffer(self._map, _RECORD, shape[0], _PAGE)
        self.filled = self._table["filled"] == 1
        self.sizes = np.stack([self._table["height"], self._table["width"]], axis=1).astype(np.int32)
        if self.refused == "":
            self.refused = None

    def good(self, index: int) -> bool:
        """Whether a row is what was written."""
        record = self._table[index]
        return record["filled"] == 1 and int(record["check"]) == self._check(
            index, self.rows[index], int(record["height"]), int(record["width"])
        )

    def write(self, index: int, row: np.ndarray, size: tuple[int, int]) -> None:
        """Store one row, then mark it as there.

        Raises:
            OSError: the disk is full or gone.
        """
        record = np.array([(1, *size, self._check(index, row, *size))], _RECORD)
        with self._lock:
            self._put(self._start + index * self._row_bytes, row)
            self._put(_PAGE + index * _RECORD.itemsize, record)

    def close(self) -> None:
        self.rows = self._table = np.zeros(0, np.uint8)
        self._file.close()
        with contextlib.suppress(BufferError):
            self._map.close()

    def _put(self, offset: int, values: np.ndarray) -> None:
        view = np.ascontiguousarray(values).view(np.uint8).data.cast("B")
        self._file.seek(offset)
        while view:
            view = view[self._file.write(view) :]

    def _check(self, index: int, row: np.ndarray, height: int, width: int) -> int:
        return zlib.crc32(np.ascontiguousarray(row).data, zlib.crc32(f"{index}:{height}:{width}".encode(), self._seed))

    def _header(self) -> bytes:
        text = _MAGIC + json.dumps({"key": self.key, "shape": list(self.shape)}).encode()
        return text.ljust(_PAGE - 5) + b"\n" + zlib.crc32(text).to_bytes(4, "little")

    def _flaw(self) -> str | None:
        """Why the file at the path cannot be used: None if it can, an empty string if there is none."""
        try:
            state = self.path.lstat()
        except OSError:
            return ""
        if not self.path.is_file() or self.path.is_symlink():
            return "not a regular file"
        if state.st_size != self._total:
            return f"{state.st_size} bytes instead of {self._total}"
        try:
            with open(self.path, "rb") as file:
                return None if file.read(_PAGE) == self._header() else "another header"
        except OSError as error:
            return f"unreadable: {error.strerror}"

    def _create(self) -> None:
        folder, limit = self.path.parent, cache_limit()
        if self._total > limit:
            raise ResourceError(
                "the packed pictures would be larger than the cache may be", file=self.path, value=f"{self._total / 1e9:.1f} GB",
                fix=f"VIDI_CACHE_GB={self._total / 1e9 + 1:.0f} (now {limit / 1e9:.0f})",
            )  # fmt: skip
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise disk_error(error, folder) from error
        prune(folder, self.path, limit - self._total)
        free = shutil.disk_usage(folder).free
        if free < self._total + _RESERVE:
            raise ResourceError(
                "not enough room for the packed pictures", file=folder, value=f"{free / 1e9:.1f} GB free",
                fix=f"{(self._total + _RESERVE) / 1e9:.1f} GB are needed: another cache_dir, or cache=none",
            )  # fmt: skip
        if self.path.is_dir() and not self.path.is_symlink():
            raise ResourceError("a folder stands where the cache should be", file=self.path, fix="remove it")
        with atomic_write(self.path) as file:
            file.write(self._header())
            file.truncate(self._total)


def in_words(size: float) -> str:
    """Bytes for people."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
