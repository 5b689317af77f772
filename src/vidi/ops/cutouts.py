"""Masks of single things without the empty picture around them: what they share, their borders, motion, and run lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidi.ops.boxes import clip_boxes, warp_boxes
from vidi.ops.sampling import warp_masks


@dataclass(frozen=True, slots=True)
class Cutout:
    """A rectangle cut out of a mask that is empty everywhere else.

    Args:
        x, y: column and row of its top-left pixel.
        bits: (h, w) bool.
    """

    x: int
    y: int
    bits: np.ndarray

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x1, y1, x2, y2 in pixels."""
        return self.x, self.y, self.x + self.bits.shape[1], self.y + self.bits.shape[0]

    def mask(self, size: tuple[int, int]) -> np.ndarray:
        """The mask of a picture of (height, width), in which the rectangle lies."""
        whole = np.zeros(size, bool)
        x1, y1, x2, y2 = self.box
        whole[y1:y2, x1:x2] = self.bits
        return whole

    def part(self, box: tuple[int, int, int, int]) -> np.ndarray:
        """The mask's pixels in a rectangle x1, y1, x2, y2, which may reach beyond it."""
        out = np.zeros((max(0, box[3] - box[1]), max(0, box[2] - box[0])), bool)
        x1, y1, x2, y2 = _shared_box(self.box, box)
        if x2 > x1 and y2 > y1:
            out[y1 - box[1] : y2 - box[1], x1 - box[0] : x2 - box[0]] = self.bits[y1 - self.y : y2 - self.y, x1 - self.x : x2 - self.x]
        return out

    def tight(self) -> Cutout:
        """The same without empty rows and columns at its sides."""
        cut = cut_out(self.bits)
        return Cutout(self.x + cut.x, self.y + cut.y, cut.bits) if cut.bits.size else cut

    def minus(self, covered: np.ndarray) -> Cutout:
        """Without the pixels of a mask of the whole picture (H, W) bool."""
        x1, y1, x2, y2 = self.box
        return Cutout(self.x, self.y, self.bits & ~covered[y1:y2, x1:x2])


NOTHING = Cutout(0, 0, np.zeros((0, 0), bool))


def _shared_box(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def cut_out(mask: np.ndarray) -> Cutout:
    """The smallest rectangle around the pixels of a mask (H, W)."""
    mask = np.asarray(mask, bool)
    rows = np.flatnonzero(mask.any(1))
    if not len(rows):
        return NOTHING
    y1, y2 = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(mask[y1:y2].any(0))
    x1, x2 = int(columns[0]), int(columns[-1]) + 1
    return Cutout(x1, y1, mask[y1:y2, x1:x2])


def filled(box: np.ndarray, size: tuple[int, int]) -> Cutout:
    """The pixels of a picture of (height, width) whose center lies in a box (4,) x1, y1, x2, y2."""
    height, width = size
    x1, y1, x2, y2 = np.clip(np.ceil(box - 0.5), 0, [width, height, width, height]).astype(np.int64).tolist()
    return Cutout(x1, y1, np.ones((y2 - y1, x2 - x1), bool)) if x2 > x1 and y2 > y1 else NOTHING


def united(parts: Sequence[Cutout]) -> Cutout:
    """The pixels that lie in at least one of several."""
    parts = [part for part in parts if part.bits.size]
    if len(parts) < 2:
        return parts[0] if parts else NOTHING
    corners = np.array([part.box for part in parts])
    (x1, y1), (x2, y2) = corners[:, :2].min(0).tolist(), corners[:, 2:].max(0).tolist()
    bits = np.zeros((y2 - y1, x2 - x1), bool)
    for part in parts:
        left, top, right, bottom = part.box
        bits[top - y1 : bottom - y1, left - x1 : right - x1] |= part.bits
    return Cutout(x1, y1, bits)


def from_counts(counts: np.ndarray, size: tuple[int, int]) -> Cutout:
    """Out of run lengths, column by column and zeros first, that fill a picture of (height, width)."""
    height = size[0]
    ends = np.cumsum(counts)
    last, lengths = ends[1::2] - 1, counts[1::2]
    if not lengths.all():
        last, lengths = last[lengths > 0], lengths[lengths > 0]
    if not len(last):
        return NOTHING
    first = last - lengths + 1
    left, right = first // height, last // height
    if (left != right).any():  # runs that go on in the next column
        pieces = right - left + 1
        column = np.repeat(left, pieces) + np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        first, last = np.maximum(np.repeat(first, pieces), column * height), np.minimum(np.repeat(last, pieces), (column + 1) * height - 1)
        left = column
    top, bottom = first - left * height, last - left * height + 1
    x1, x2, y1, y2 = int(left[0]), int(left[-1]) + 1, int(top.min()), int(bottom.max())
    toggles = np.zeros((y2 - y1 + 1, x2 - x1), bool)
    toggles[top - y1, left - x1] = True
    toggles[bottom - y1, left - x1] ^= True
    return Cutout(x1, y1, np.logical_xor.accumulate(toggles[:-1], axis=0))


def to_counts(cut: Cutout, size: tuple[int, int]) -> np.ndarray:
    """Run lengths of a picture of (height, width), column by column, zeros first: (R,) int64, the inverse of `from_counts`."""
    height, width = size
    tall, wide = cut.bits.shape
    padded = np.zeros((wide, tall + 2), np.int8)
    padded[:, 1:-1] = cut.bits.T
    column, row = np.nonzero(np.diff(padded, axis=1))
    turns = (cut.x + column) * height + cut.y + row
    same = np.flatnonzero(turns[1:] == turns[:-1])  # a run that goes on at the top of the next column
    turns = np.delete(turns, np.concatenate([same, same + 1])) if len(same) else turns
    counts = np.diff(np.concatenate([[0], turns, [height * width]]))
    return counts[:-1] if len(turns) and counts[-1] == 0 else counts if height * width else np.zeros(0, np.int64)


def moved(cut: Cutout, old: tuple[int, int], matrix: np.ndarray, new: tuple[int, int]) -> Cutout:
    """After a 3×3 matrix (old x, y → new x, y), from a picture of one (height, width) onto a canvas of another, as
    `vidi.ops.sampling.warp_masks` moves the whole mask."""
    if not cut.bits.size:
        return NOTHING
    x1, y1, x2, y2 = cut.box
    x1, y1, x2, y2 = max(0, x1 - 1), max(0, y1 - 1), min(old[1], x2 + 1), min(old[0], y2 + 1)  # edges are drawn between pixels
    around = clip_boxes(warp_boxes(np.array([[x1, y1, x2, y2]]), matrix), new)[0]
    left, top = np.maximum(np.floor(around[:2]).astype(int) - 1, 0).tolist()
    right, bottom = (min(int(np.ceil(end)) + 1, side) for end, side in zip(around[2:], (new[1], new[0])))
    if right <= left or bottom <= top or (around[2:] <= around[:2]).any():
        return NOTHING
    there, back = np.eye(3), np.eye(3)
    there[:2, 2], back[:2, 2] = (x1, y1), (-left, -top)
    bits = warp_masks(cut.part((x1, y1, x2, y2))[None], back @ np.asarray(matrix, np.float64) @ there, (bottom - top, right - left))
    return Cutout(left, top, bits[0]).tight()


def border(cut: Cutout, reach: int) -> Cutout:
    """Its pixels that lie at most `reach` pixels, rows and columns alike, from one that does not belong to it, or from the outside."""
    tall, wide = cut.bits.shape
    if min(tall, wide) <= 2 * reach:
        return cut
    inner = _full(_full(cut.bits, reach), reach, rows=False)
    bits = cut.bits.copy()
    bits[reach : tall - reach, reach : wide - reach] &= ~inner
    return Cutout(cut.x, cut.y, bits)


def _full(bits: np.ndarray, reach: int, *, rows: bool = True) -> np.ndarray:
    """Where all of 2 · reach + 1 neighbors along an axis are set: shorter by 2 · reach there."""
    axis, span = (0 if rows else 1), 2 * reach + 1
    shape = (1, bits.shape[1]) if rows else (bits.shape[0], 1)
    sums = np.concatenate([np.zeros(shape, np.int32), np.cumsum(bits, axis=axis, dtype=np.int32)], axis)
    return sums[span:] - sums[:-span] == span if rows else sums[:, span:] - sums[:, :-span] == span


def pixel_counts(cuts: Sequence[Cutout]) -> np.ndarray:
    """(N,) float64 pixels of each."""
    return np.array([np.count_nonzero(cut.bits) for cut in cuts], np.float64)


def shared_pixels(a: Sequence[Cutout], b: Sequence[Cutout], wanted: np.ndarray) -> np.ndarray:
    """How many pixels each of N shares with each of M: (N, M) float64.

    Args:
        wanted: (N, M) bool, the pairs to count; 0 for others.
    """
    shared = np.zeros((len(a), len(b)))
    for i, j in zip(*(part.tolist() for part in np.nonzero(wanted))):
        one, two = a[i], b[j]
        x1, y1, x2, y2 = _shared_box(one.box, two.box)
        if x2 > x1 and y2 > y1:
            mine = one.bits[y1 - one.y : y2 - one.y, x1 - one.x : x2 - one.x]
            shared[i, j] = np.count_nonzero(mine & two.bits[y1 - two.y : y2 - two.y, x1 - two.x : x2 - two.x])
    return shared


def cutout_overlaps(a: Sequence[Cutout], b: Sequence[Cutout], regions: np.ndarray | None = None, floor: float = 0.0) -> np.ndarray:
    """Intersection over union of N masks with M others: (N, M) float64, 0 where the union is empty.

    Args:
        regions: (M,) bool: others that are regions; there it is the share of the mask that lies in the region.
        floor: pairs that cannot reach it need not be counted exactly, and are 0.
    """
    own, others = pixel_counts(a), pixel_counts(b)
    corners = [np.array([cut.box for cut in cuts], np.float64).reshape(-1, 4) for cuts in (a, b)]
    sides = np.minimum(corners[0][:, None, 2:], corners[1][None, :, 2:]) - np.maximum(corners[0][:, None, :2], corners[1][None, :, :2])
    most = np.maximum(sides, 0).prod(2)
    most = np.minimum(most, np.minimum(own[:, None], others[None]))
    regions = np.zeros(len(b), bool) if regions is None else regions
    shared = shared_pixels(a, b, (most > 0) & (most >= floor * _whole(own, others, most, regions) - 1e-6))
    return np.divide(shared, _whole(own, others, shared, regions), out=np.zeros_like(shared), where=shared > 0)


def _whole(own: np.ndarray, others: np.ndarray, shared: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """What shared pixels are measured by: the union, or with regions the mask itself, (N, M)."""
    return np.where(regions[None], own[:, None], own[:, None] + others[None] - shared)
