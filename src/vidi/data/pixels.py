"""Pictures on their canvases: decoded once, kept packed in memory or on disk, handed out by index."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.batch import Frame
from vidi.core.dataset import Dataset, Sample
from vidi.core.preprocess import Preprocess
from vidi.data._cache import PackedFile, available_memory, cache_folder, content_key, in_words
from vidi.data._workers import Job, Pool
from vidi.errors import DataError, InputError, RecipeError, ResourceError, VidiError

CACHES = ("auto", "memory", "disk", "none")
BAD_SAMPLES = ("stop", "skip")

_EMPTY, _FOUND, _READY, _BAD = range(4)  # not decoded; in the file but unchecked; there; cannot be decoded. Order matters.


class PixelStore:
    """The pictures of a data set as one array of canvases.

    Args:
        dataset: its samples' ``image`` inputs are used; labels do not matter.
        preprocess: how a picture is placed on the canvas (H, W).
        cache: where decoded canvases stay: ``memory``; ``disk``, in a file that later runs find again; ``none``, decode every
            time; ``auto``: memory if they fit into a quarter of what is free, else disk, else none.
        cache_dir: folder for ``disk``; default ``VIDI_CACHE`` or ``~/.cache/vidi``, of which the files used longest ago are deleted
            beyond ``VIDI_CACHE_GB`` (20). Never inside the data's folder.
        workers: 0 decodes in threads of this process, N > 0 in N processes. The pixels are the same.
        bad_samples: what a picture that cannot be decoded does: ``stop`` raises its error; ``skip`` puts the next good sample in its
            place and counts it in `bad`.
        max_bad: share of the data, 0..1, beyond which ``skip`` gives up.
        progress: called with the number of canvases that are there and the number of all, from other threads.

    Attributes:
        kind: ``memory``, ``disk`` or ``none``.
        notes: what was decided or seen, one sentence each.

    Raises:
        ImageError, ResourceError: while fetching, for a picture that cannot be decoded (``stop``).
        DataError: while fetching, more pictures than `max_bad` are bad.
    """

    def __init__(
        self,
        dataset: Dataset,
        preprocess: Preprocess,
        *,
        cache: str = "auto",
        cache_dir: Path | None = None,
        workers: int = 0,
        bad_samples: str = "stop",
        max_bad: float = 0.001,
        progress: Callable[[int, int], None] | None = None,
    ):
        _check_settings(cache, workers, bad_samples, max_bad)
        self.dataset, self.preprocess, self.workers = dataset, preprocess, workers
        self._skip, self._max_bad, self._progress = bad_samples == "skip", max_bad, progress
        self.notes: list[str] = []
        count = len(dataset)
        self._shape = (count, *preprocess.size, 3)
        self._state = np.full(count, _EMPTY, np.uint8)
        self._sizes = np.zeros((count, 2), np.int32)
        self._plain = np.fromiter((_is_plain(sample, preprocess.size) for sample in dataset), bool, count)
        self._errors: dict[int, VidiError] = {}
        self._flying: dict[int, Future] = {}
        self._lock = threading.Lock()
        self._file: PackedFile | None = None
        self._rows: np.ndarray | None = None
        self.kind = self._open(cache, cache_dir)
        self._there = int(self._cached(slice(None)).sum())
        self._pool = Pool(preprocess, workers)
        self._closed = False
        self._forgotten = weakref.finalize(self, self._pool.close, wait=False)

    def __len__(self) -> int:
        return self._shape[0]

    def __enter__(self) -> PixelStore:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    @property
    def bad(self) -> list[tuple[int, VidiError]]:
        """The samples that could not be decoded, by index."""
        return sorted(self._errors.items())

    @property
    def warm(self) -> float:
        """Share of the canvases that are cached, 0..1."""
        if self.kind == "none":
            return 0.0
        return float(self._cached(slice(None)).mean()) if len(self) else 1.0

    @property
    def threads(self) -> int:
        """How many pictures are decoded at once."""
        return self._pool.threads

    @property
    def rows(self) -> np.ndarray:
        """The cached canvases (N, H, W, 3) uint8 themselves, filled or not; none for ``none``."""
        if self._rows is None:
            raise ValueError("the store is closed, or keeps nothing")
        return self._rows

    def fetch(self, indices: np.ndarray) -> np.ndarray:
        """Canvases (B, H, W, 3) uint8, a copy, of samples by index (B,)."""
        return self.request(indices).get()[0]

    def frames(self, indices: np.ndarray) -> list[Frame]:
        """Where each canvas came from; pictures not seen yet are decoded first."""
        indices = self.resolve(indices)
        unseen = self._sizes[indices, 0] == 0
        if unseen.any():
            self.request(indices[unseen]).get()
            indices = self.resolve(indices)
        if len(indices) == 0:
            return []
        sizes, member = np.unique(self._sizes[indices], axis=0, return_inverse=True)
        kinds = [(int(h), int(w)) for h, w in sizes]
        member = member.ravel()
        matrices = np.stack([self.preprocess.matrix(size) for size in kinds])[member]
        samples = self.dataset.samples
        return [Frame(samples[i].id, kinds[k], matrix) for i, k, matrix in zip(indices.tolist(), member.tolist(), matrices)]

    def resolve(self, indices: np.ndarray) -> np.ndarray:
        """The samples that `fetch` hands out for these indices: bad ones found so far are replaced by the next good one."""
        indices = self.checked(indices).copy()
        for _ in range(len(self)):
            bad = self._state[indices] == _BAD
            if not bad.any():
                break
            indices[bad] = (indices[bad] + 1) % len(self)
        return indices

    def request(self, indices: np.ndarray) -> Pending:
        """Start decoding what is missing and return at once; `Pending.get` waits."""
        if self._closed:
            raise ValueError("the store is closed")
        indices = self.checked(indices)
        if self.kind == "none":
            return self._request_fresh(indices)
        missing = np.unique(indices[self._state[indices] < _READY])
        with self._lock:
            flying = {index: self._flying[index] for index in missing.tolist() if index in self._flying}
            start = [index for index in missing.tolist() if index not in flying and self._state[index] < _READY]
            for chunk in self._chunks(np.array(start, np.int64)):
                future = self._pool.submit(self._land, chunk)
                flying.update(dict.fromkeys(chunk.tolist(), future))
            self._flying.update(flying)
        futures = dict.fromkeys(flying[index] for index in sorted(flying))  # the first error is that of the first sample
        return Pending(self, indices, list(futures), None, None)

    def fill(self) -> None:
        """Decode everything that is not cached yet (nothing for ``none``)."""
        if self.kind != "none":
            step = 64 * self.threads
            waiting = [self.request(np.arange(at, min(at + step, len(self)))) for at in range(0, len(self), step)]
            for pending in waiting:
                pending.wait()

    def close(self) -> None:
        """End threads and processes and let go of the file; cached canvases on disk stay."""
        if not self._closed:
            self._closed = True
            self._forgotten.detach()
            self._pool.close()
            self._rows = None
            if self._file is not None:
                self._file.close()

    def _open(self, cache: str, cache_dir: Path | None) -> str:
        need, free = int(np.prod(self._shape, dtype=np.int64)), available_memory()
        if cache == "none":
            return "none"
        if cache == "memory" and need > 0.9 * free:
            raise ResourceError(
                "the pictures do not fit into memory", value=f"{in_words(need)} needed, {in_words(free)} free", fix="cache=disk or cache=auto"
            )
        if cache == "memory" or need == 0 or (cache == "auto" and need <= free / 4):
            self._rows = np.empty(self._shape, np.uint8)
            return "memory"
        try:
            key = content_key(self.dataset, self.preprocess)
            self._file = PackedFile(cache_folder(cache_dir, self.dataset) / f"{key}.pixels", key, self._shape)
        except (ResourceError, RecipeError) as error:
            if cache == "disk":
                raise
            self.notes.append(f"Pictures are decoded in every epoch: {error.rule} ({error.file}).")
            return "none"
        if self._file.refused:
            self.notes.append(f"The cache {self._file.path} was refused and is made anew: {self._file.refused}.")
        self._rows = self._file.rows
        self._state[self._file.filled] = _FOUND
        self._sizes[self._file.filled] = self._file.sizes[self._file.filled]
        return "disk"

    def checked(self, indices: np.ndarray | Sequence[int]) -> np.ndarray:
        """Indices as (B,) int64, all of them in the data."""
        array = np.asarray(indices)
        if array.size == 0:
            return np.zeros(0, np.int64)
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise ValueError(f"indices: expected (B,) integers, got {array.shape} {array.dtype}")
        if array.min() < 0 or array.max() >= len(self):
            raise IndexError(f"indices: expected 0..{len(self) - 1}, got {array.min()}..{array.max()}")
        return array.astype(np.int64, copy=False)

    def _chunks(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        """Pieces small enough to keep all threads busy, large enough to be cheap."""
        plain = self._plain[indices]
        if plain.any():
            yield indices[plain]
            indices = indices[~plain]
        size = max(1, min(8, len(indices) // (4 * self.threads)))
        for at in range(0, len(indices), size):
            yield indices[at : at + size]

    def _request_fresh(self, indices: np.ndarray) -> Pending:
        unique, first, copies = np.unique(indices, return_index=True, return_inverse=True)
        rows = np.empty((len(indices), *self._shape[1:]), np.uint8)
        place = dict(zip(unique.tolist(), first.tolist()))
        wanted = unique[self._state[unique] != _BAD]
        futures = [
            self._pool.submit(self._decode, chunk, rows, np.array([place[i] for i in chunk.tolist()], np.int64))
            for chunk in self._chunks(wanted)
        ]
        return Pending(self, indices, futures, rows, first[copies.ravel()] if len(unique) < len(indices) else None)

    def _land(self, chunk: np.ndarray) -> None:
        """Fill rows of the cache (in a thread of the pool)."""
        before = self._cached(chunk).sum()
        try:
            self._decode(chunk, None if self.kind == "disk" else self._rows, chunk)
        finally:
            with self._lock:
                for index in chunk.tolist():
                    self._flying.pop(index, None)
                self._there += int(self._cached(chunk).sum() - before)
                if self._progress is not None:
                    self._progress(self._there, len(self))

    def _cached(self, which: slice | np.ndarray) -> np.ndarray:
        state = self._state[which]
        return (state == _FOUND) | (state == _READY)

    def _decode(self, chunk: np.ndarray, rows: np.ndarray | None, places: np.ndarray) -> None:
        """Decode samples into rows at places, or into the packed file when rows is None."""
        plain = self._plain[chunk]
        if plain.any():
            self._place_plain(chunk[plain], rows, places[plain])
        jobs, samples = [], self.dataset.samples
        for index, place in zip(chunk[~plain].tolist(), places[~plain].tolist()):
            if self._state[index] == _FOUND and self._file is not None and self._file.good(index):
                self._state[index] = _READY
                continue
            row = np.empty(self._shape[1:], np.uint8) if rows is None else rows[place]
            jobs.append(Job(index, samples[index].inputs.get("image"), samples[index].id, row))
        failed = []
        for job, outcome in self._pool.decode(jobs):
            if isinstance(outcome, Exception):
                failed.append((job, outcome))
            else:
                self._keep(job.index, job.row, outcome, self._file if rows is None else None)
        for job, error in failed:
            self._refuse(job, error)

    def _keep(self, index: int, row: np.ndarray, size: tuple[int, int], packed: PackedFile | None) -> None:
        self._sizes[index] = size
        if packed is not None:
            try:
                packed.write(index, row, size)
            except OSError as error:
                raise ResourceError(
                    f"the cache cannot be written: {error.strerror}", file=packed.path, fix="free some space, or cache=none"
                ) from error
        self._state[index] = _READY

    def _place_plain(self, chunk: np.ndarray, rows: np.ndarray | None, places: np.ndarray) -> None:
        """Arrays that have the canvas's size already: no decoding, all at once."""
        samples = self.dataset.samples
        for channels in (1, 3):
            mine = np.array([_channels(samples[i].inputs["image"]) == channels for i in chunk.tolist()])
            if not mine.any():
                continue
            shape = (*self._shape[1:3], channels)
            stacked = np.stack([samples[i].inputs["image"].reshape(shape) for i in chunk[mine].tolist()])
            if rows is not None:
                rows[places[mine]] = stacked
                self._sizes[chunk[mine]] = self._shape[1:3]
                self._state[chunk[mine]] = _READY
                continue
            for index, values in zip(chunk[mine].tolist(), stacked):
                self._keep(index, np.broadcast_to(values, self._shape[1:]), self._shape[1:3], self._file)

    def _refuse(self, job: Job, error: Exception) -> None:
        """Raise, or count the sample as bad and go on."""
        if job.picture is None:
            error = DataError("the sample has no picture", file=job.name, fix="remove it from the data")
        if not isinstance(error, (InputError, ResourceError)) or not self._skip:
            raise error
        with self._lock:
            self._errors[job.index] = error
            count = len(self._errors)
        self._state[job.index] = _BAD
        if count > self._max_bad * len(self):
            raise DataError(
                "more pictures cannot be decoded than allowed", file=job.name, at="max_bad",
                value=f"{count} of {len(self)} ({count / len(self):.1%}), allowed {self._max_bad:.1%}; last: {error.rule}",
                fix="vidi doctor names them all; remove them, or raise max_bad",
            )  # fmt: skip


class Pending:
    """Canvases under way, from `PixelStore.request`."""

    def __init__(
        self, store: PixelStore, indices: np.ndarray, futures: list[Future], rows: np.ndarray | None, copies: np.ndarray | None
    ):
        self._store, self._indices, self._futures, self._rows, self._copies = store, indices, futures, rows, copies

    def wait(self) -> None:
        """Until everything asked for was decoded or refused."""
        for future in self._futures:
            future.result()

    def get(self) -> tuple[np.ndarray, np.ndarray]:
        """Canvases (B, H, W, 3) uint8 and the indices (B,) they show: those asked for, bad ones replaced."""
        self.wait()
        pixels, indices, store = self._gathered(), self._indices, self._store
        for _ in range(len(store)):
            bad = np.flatnonzero(store._state[indices] == _BAD)
            if len(bad) == 0:
                return pixels, indices
            indices = indices.copy()
            indices[bad] = (indices[bad] + 1) % len(store)
            again = store.request(indices[bad])
            again.wait()
            pixels[bad] = again._gathered()
        if len(indices):
            raise DataError("no picture can be decoded", value=f"{len(store)} samples", fix="vidi doctor says why")
        return pixels, indices

    def _gathered(self) -> np.ndarray:
        if self._rows is None:
            return self._store.rows[self._indices]
        return self._rows if self._copies is None else self._rows[self._copies]


def _channels(picture: np.ndarray) -> int:
    return 1 if picture.ndim == 2 else picture.shape[2]


def _is_plain(sample: Sample, size: tuple[int, int]) -> bool:
    """Whether the picture is pixels of the canvas's own size, gray or RGB."""
    picture = sample.inputs.get("image")
    return (
        isinstance(picture, np.ndarray)
        and picture.dtype == np.uint8
        and picture.shape[:2] == tuple(size)
        and (picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] in (1, 3)))
    )


def _check_settings(cache: str, workers: int, bad_samples: str, max_bad: float) -> None:
    if cache not in CACHES:
        raise RecipeError("no such cache", at="cache", value=cache, fix=f"one of {', '.join(CACHES)}")
    if bad_samples not in BAD_SAMPLES:
        raise RecipeError("no such choice", at="bad_samples", value=bad_samples, fix=f"one of {', '.join(BAD_SAMPLES)}")
    if not 0 <= workers <= 256:
        raise RecipeError("not a number of processes", at="workers", value=workers, fix="0 to 256")
    if not 0 <= max_bad <= 1:
        raise RecipeError("not a share", at="max_bad", value=max_bad, fix="0 to 1, such as 0.001")
