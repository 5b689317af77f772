"""Maps of whole numbers held compressed, so that the labels of a large data set fit in memory."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class PackedMap:
    """A map (H, W) of whole numbers, compressed.

    Args:
        shape: (height, width).
        dtype: of the numbers as they are held.
        data: zlib's bytes.
    """

    shape: tuple[int, int]
    dtype: str
    data: bytes

    @classmethod
    def of(cls, values: np.ndarray) -> PackedMap:
        """Held in the smallest type that fits the values."""
        low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
        dtype = next(kind for kind in ("u1", "<u2", "<i4") if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
        return cls((values.shape[0], values.shape[1]), dtype, zlib.compress(np.ascontiguousarray(values.astype(dtype)).data, 1))

    def values(self) -> np.ndarray:
        """(H, W) int32."""
        return np.frombuffer(zlib.decompress(self.data), self.dtype).astype(np.int32).reshape(self.shape)
