"""Batches of pictures, labels and frames, made ready while the last one is being used."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidi.core.batch import Batch, Frame, check_batch
from vidi.core.dataset import Dataset
from vidi.data._workers import cores
from vidi.data.pixels import Pending, PixelStore
from vidi.errors import DataError
from vidi.labels import Label

_BOUND = 0.15
_END = object()
_STILL = np.eye(3)


@dataclass(slots=True)
class Stats:
    """How long pictures took, over all iterations of a `Loader`.

    Args:
        wait_seconds: time the consumer stood still.
        fetch_seconds: time batches took to make, most of it in the background.
        pictures: pictures handed out.
    """

    store: PixelStore = field(repr=False)
    wait_seconds: float = 0.0
    fetch_seconds: float = 0.0
    pictures: int = 0

    def waiting(self, step_seconds: float) -> float:
        """Share of the time spent waiting, 0..1; `step_seconds` is the time the consumer worked."""
        total = self.wait_seconds + step_seconds
        return self.wait_seconds / total if total > 0 else 0.0

    def advice(self, step_seconds: float) -> str | None:
        """What to change when more than 15 % of the time went into waiting for pictures, else None.

        Args:
            step_seconds: time the consumer spent on its own work (training steps) since the loader was made.
        """
        share = self.waiting(step_seconds)
        if share <= _BOUND or self.pictures == 0:
            return None
        rate = self.pictures / max(self.fetch_seconds, 1e-9)
        text = f"Input-bound: {share:.0%} of the time went into waiting for pictures ({rate:.0f} pictures/s)."
        store = self.store
        if store.kind == "none":
            return f"{text} They are decoded in every epoch: cache=memory or cache=disk keeps them."
        if store.warm < 1:
            later = "Later epochs read them from the cache"
            if store.workers == 0 and cores() > 2:
                return f"{text} {later}; workers={cores()} decodes in processes."
            if 0 < store.workers < cores():
                return f"{text} {later}; workers={cores()} uses all cores."
            return f"{text} {later}; all {cores()} cores decode already."
        if store.kind == "disk":
            return f"{text} They come from the cache on disk: cache=memory, or a faster disk for cache_dir."
        return f"{text} They are all in memory: the steps are shorter than making a batch, a larger batch costs less per picture."


class Loader:
    """Cuts an order of samples into batches and makes them ahead of time.

    Args:
        store: the pictures.
        dataset: the samples, in the store's order; labels and inputs other than ``image`` are taken from here.
        batch: pictures per batch.
        pin: put pictures into page-locked memory, from which a CUDA device copies while it computes.

    Attributes:
        stats: a `Stats`.
    """

    def __init__(self, store: PixelStore, dataset: Dataset, *, batch: int, pin: bool = False):
        check_batch(batch)
        if len(store) != len(dataset):
            raise ValueError(f"store and data set differ: {len(store)} and {len(dataset)} samples")
        self.store, self.dataset, self.batch = store, dataset, batch
        self.pin = pin and torch.cuda.is_available()
        self.stats = Stats(store)
        self._others = _other_inputs(dataset)

    def count(self, samples: int, drop_last: bool = False) -> int:
        """How many batches an order of so many samples gives."""
        return samples // self.batch if drop_last else -(-samples // self.batch)

    def batches(
        self, order: np.ndarray | Sequence[int], *, start: int = 0, drop_last: bool = False, prefetch: int = 3
    ) -> Iterator[Batch]:
        """The batches of an order of sample indices.

        Args:
            order: (n,) indices, repeats allowed.
            start: batches to leave out at the front (to go on in the middle of an epoch); what follows is the same as without.
            drop_last: leave out a last batch that is not full.
            prefetch: batches made ahead in a thread that ends with the iterator; 0: none, each is made when asked for.

        Yields:
            batches whose ``image`` is (B, 3, H, W) uint8, a channels-last view, with labels in its pixels.
        """
        if start < 0 or prefetch < 0:
            raise ValueError("start and prefetch: expected at least 0")
        order = self.store.checked(order)
        parts = [order[k * self.batch : (k + 1) * self.batch] for k in range(start, self.count(len(order), drop_last))]
        return self._ahead(parts, prefetch) if prefetch else self._at_once(parts)

    def _at_once(self, parts: list[np.ndarray]) -> Iterator[Batch]:
        for part in parts:
            begun = time.perf_counter()
            batch = self._built(self.store.request(part))
            self._took(batch, time.perf_counter() - begun)
            yield batch

    def _took(self, batch: Batch, seconds: float) -> None:
        self.stats.wait_seconds += seconds
        self.stats.pictures += len(batch)

    def _ahead(self, parts: list[np.ndarray], prefetch: int) -> Iterator[Batch]:
        ready: queue.Queue = queue.Queue(prefetch)
        stop = threading.Event()
        thread = threading.Thread(target=self._produce, args=(parts, prefetch, ready, stop), name="vidi-prefetch", daemon=True)
        thread.start()
        try:
            while True:
                begun = time.perf_counter()
                item = ready.get()
                if item is _END:
                    return
                if isinstance(item, BaseException):
                    raise item
                self._took(item, time.perf_counter() - begun)
                yield item
        finally:
            stop.set()
            while thread.is_alive():
                with suppress(queue.Empty):  # make room for a producer that is about to put
                    while True:
                        ready.get_nowait()
                thread.join(0.05)

    def _produce(self, parts: list[np.ndarray], prefetch: int, ready: queue.Queue, stop: threading.Event) -> None:
        try:
            waiting: deque[Pending] = deque()
            rest = iter(parts)
            while not stop.is_set():
                for part in rest:
                    waiting.append(self.store.request(part))
                    if len(waiting) > min(prefetch, 2):
                        break
                if not waiting:
                    break
                ready.put(self._built(waiting.popleft()))
        except BaseException as error:
            ready.put(error)
        else:
            ready.put(_END)

    def _built(self, pending: Pending) -> Batch:
        begun = time.perf_counter()
        pixels, indices = pending.get()
        images = torch.from_numpy(pixels)
        if self.pin:
            images = images.pin_memory()
        inputs = {"image": images.permute(0, 3, 1, 2)} | {name: torch.from_numpy(rows[indices]) for name, rows in self._others.items()}
        frames = self.store.frames(indices)
        batch = Batch(inputs, [self._on_canvas(i, frame) for i, frame in zip(indices.tolist(), frames)], frames, indices)
        self.stats.fetch_seconds += time.perf_counter() - begun
        return batch

    def _on_canvas(self, index: int, frame: Frame) -> Label | None:
        """A sample's label in the canvas's pixels."""
        label = self.dataset.samples[index].label
        return label if label is None or np.array_equal(frame.matrix, _STILL) else label.cropped(frame.matrix, self.store.preprocess.size)


def _other_inputs(dataset: Dataset) -> dict[str, np.ndarray]:
    """Inputs that are not pictures, stacked over the data set: numbers as (N, …) float32, token ids as (N, L) int64 padded by 0."""
    names = sorted({name for sample in dataset for name in sample.inputs} - {"image"})
    return {name: _stacked(dataset, name) for name in names}


def _stacked(dataset: Dataset, name: str) -> np.ndarray:
    rows = []
    for sample in dataset:
        row = sample.inputs.get(name)
        row = np.asarray(row.cpu() if isinstance(row, Tensor) else row)
        if row.dtype.kind not in "fiub":
            raise DataError("an input that is neither numbers nor token ids", file=sample.id, at=name, value=row.dtype)
        rows.append(row)
    floats = any(row.dtype.kind == "f" for row in rows)
    odd = next((i for i, row in enumerate(rows) if (row.shape if floats else row.ndim) != (rows[0].shape if floats else rows[0].ndim)), None)
    if odd is not None:
        raise DataError(
            "another shape than the first sample's", file=dataset[odd].id, at=name, value=rows[odd].shape,
            fix=f"{rows[0].shape}; NaN stands for a missing number",
        )  # fmt: skip
    if floats:
        return np.stack(rows).astype(np.float32)
    table = np.zeros((len(rows), *(max(sides) for sides in zip(*(row.shape for row in rows)))), np.int64)
    for i, row in enumerate(rows):
        place: tuple[Any, ...] = (i, *(slice(side) for side in row.shape))
        table[place] = row
    return table
