"""OC-SORT: what was observed weighs more than what the filter made up while a thing was hidden (Cao et al. 2023, arXiv:2203.14360)."""

from __future__ import annotations

import numpy as np

from vidi.methods.track._base import Tracker
from vidi.methods.track._gallery import Appearance
from vidi.methods.track._seen import Seen
from vidi.methods.track._settings import Life, check_range
from vidi.ops.boxes import iou_matrix
from vidi.ops.kalman import BoxFilter


class OcSort(Tracker):
    """Overlap and direction first, then weak detections if wanted, then the boxes where lost tracks were last seen.

    Three parts of the paper: momentum (OCM), the direction a track came from against the direction to a detection; recovery (OCR), a
    second assignment with last observations; re-update (ORU), after a gap the filter is led along a straight line from the last
    observation to the new one, instead of jumping.
    """

    def __init__(self, rate: float, life: Life, appearance: Appearance | None, *, high: float, low: float, iou: float,
                 momentum: float, reach: float, byte: bool) -> None:  # fmt: skip
        for name, value in {"high": high, "low": low, "iou": iou, "momentum": momentum}.items():
            check_range(name, value, 0, 1)
        check_range("reach", reach, 0, 60)
        self.high, self.low, self.iou, self.momentum, self.byte = high, low, iou, momentum, byte
        self._reach = max(1, int(reach * rate + 0.5))
        super().__init__(rate, BoxFilter("xysr"), life, appearance)

    @property
    def least(self) -> float:
        return self.low if self.byte else self.high

    def _born(self, boxes: np.ndarray, classes: np.ndarray) -> dict[str, np.ndarray]:
        rows = super()._born(boxes, classes)
        trail = np.full((len(boxes), self._reach + 1, 4), np.nan)  # of this frame, the one before, …
        trail[:, 0] = boxes
        own = {"trail": trail, "course": np.zeros((len(boxes), 2)), "sure_mean": rows["mean"].copy(), "sure_covariance": rows["covariance"].copy()}
        return rows | own

    def _predict(self, seen: Seen, frame: np.ndarray | None) -> None:
        super()._predict(seen, frame)
        trail = self._table["trail"]
        trail[:, 1:] = trail[:, :-1].copy()
        trail[:, 0] = np.nan

    def _associate(self, seen: Seen) -> None:
        overlap = self._overlap(seen)
        apart = self._looks_apart(seen, overlap)
        high = np.flatnonzero(seen.scores >= self.high)
        bonus = self._consistency(seen.boxes) * seen.scores * self.momentum
        self._pair("momentum", np.arange(len(self._table)), high, 1 - overlap, 1 - self.iou, overlap, apart, bonus)
        if self.byte:
            low = np.flatnonzero((seen.scores < self.high) & (seen.scores > self.low))
            self._pair("low", np.flatnonzero(~self._taken), low, 1 - overlap, 1 - self.iou, overlap)
        rows, columns = np.flatnonzero(~self._taken), high[self._owner[high] < 0]
        if len(rows) and len(columns):
            last = self._allowed(iou_matrix(self._table["box"], seen.boxes), seen)
            self._pair("recovery", rows, columns, 1 - last, 1 - self.iou, last, apart)

    def _earlier(self) -> np.ndarray:
        """(N, 4) each track's observation from `reach` frames ago, or the next one after it, or the last there is."""
        trail = self._table["trail"]
        known: np.ndarray = np.isfinite(trail[:, ::-1, 0])
        chosen = trail[np.arange(len(trail)), trail.shape[1] - 1 - known.argmax(1)]
        return np.where(known.any(axis=1, keepdims=True), chosen, self._table["box"])

    def _consistency(self, boxes: np.ndarray) -> np.ndarray:
        """(N, M) in −0.5..0.5: how well the way to a detection agrees with the way a track came; 0 for tracks without one."""
        course = self._table["course"]
        ways = _directions(self._earlier()[:, None], boxes[None])
        angle = np.arccos(np.clip((ways * course[:, None]).sum(2), -1, 1))
        return np.where(course.any(axis=1, keepdims=True), 0.5 - angle / np.pi, 0)

    def _absorb(self, seen: Seen) -> None:
        columns = np.flatnonzero(self._owner >= 0)
        table, rows, boxes = self._table, self._owner[columns], seen.boxes[columns]
        table["course"][rows] = _directions(self._earlier()[rows], boxes)
        gaps = table["missed"][rows]
        late = gaps > 1
        if late.any():
            self._walk(rows[late], gaps[late], boxes[late])
        table["trail"][rows, 0] = boxes
        super()._absorb(seen)
        table["sure_mean"][rows], table["sure_covariance"][rows] = table["mean"][rows], table["covariance"][rows]

    def _walk(self, rows: np.ndarray, gaps: np.ndarray, boxes: np.ndarray) -> None:
        """Re-update: filters as they were at the last observation, led straight to the new one, up to the prediction for this frame."""
        table = self._table
        mean, covariance = table["sure_mean"][rows], table["sure_covariance"][rows]
        first, last = (_sides(values) for values in (table["box"][rows], boxes))
        for step in range(1, int(gaps.max()) + 1):
            on = gaps >= step
            mean[on], covariance[on] = self.motion.predict(mean[on], covariance[on])
            between = gaps > step
            if between.any():
                share = (step / gaps[between])[:, None]
                way = first[between] + share * (last[between] - first[between])
                measured = np.column_stack([way[:, :2], way[:, 2] * way[:, 3], way[:, 2] / way[:, 3]])
                mean[between], covariance[between] = self.motion.update(mean[between], covariance[between], measured)
        table["mean"][rows], table["covariance"][rows] = mean, covariance

    def _sure(self) -> float:
        return self.high


def _sides(boxes: np.ndarray) -> np.ndarray:
    """(N, 4) centers, widths and heights."""
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3)], 1)


def _directions(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(…, 2) unit vectors from boxes' centers to others'; zeros where they are the same."""
    way = (end[..., :2] + end[..., 2:] - start[..., :2] - start[..., 2:]) / 2
    return way / np.maximum(np.sqrt((way * way).sum(-1, keepdims=True)), 1e-6)


def tracker(
    *,
    rate: float = 25.0,
    keep: float = 1.0,
    high: float = 0.6,
    low: float = 0.1,
    new: float | None = None,
    confirm: int = 3,
    iou: float = 0.3,
    momentum: float = 0.2,
    reach: float = 0.1,
    byte: bool = False,
    class_aware: bool = True,
    double: float = 0.45,
    appearance: float | None = 0.25,
    near: float = 0.5,
    weight: float = 0.5,
    veto: float = 0.99999,
    average: float = 0.9,
    remember: float = 30.0,
    recall: float = 0.2,
    adapt: bool = True,
) -> OcSort:
    """
    Args:
        rate: frames per second.
        keep: seconds a track is followed unseen (reference: 30 frames).
        high: least score of a detection that is used (0.6).
        low: with `byte`, score above which the others are used too (0.1).
        new: least score of a detection that begins a track; None: `high`, as in the reference.
        confirm: detections in a row until a track counts (3), except in the first frames of the video.
        iou: least overlap of a match (0.3).
        momentum: weight of the agreement of directions (0.2).
        reach: seconds back to which directions are measured (3 frames).
        byte: whether weak detections are matched with what is left (off).
        class_aware: whether a track takes detections of its own class only.
        double: overlap with a better detection of its class above which one is taken for a second box of the same thing, and not used
            (others: 1).
        appearance: largest distance (1 − cosine) / 2 at which two looks may be one thing; None makes no use of vectors. What follows
            belongs to it: see `vidi.methods.track._gallery.Appearance`.
        near: least overlap at which a near look replaces the cost of motion.
        weight: share of that distance in the cost of a match.
        veto: distance from which on a match is refused, near 1, for looks that are hidden in part are far from their own.
        average: share of the old in a track's average look.
        remember: seconds for which a track that was given up can be taken up again.
        recall: largest distance at which it is.
        adapt: whether distances are stretched to what is usual between things in this video.
    """
    looks = None if appearance is None else Appearance(appearance, near, weight, veto, average, remember, recall, adapt)
    life = Life(keep, high if new is None else new, confirm, confirm, patient=True, class_aware=class_aware, double=double)
    return OcSort(rate, life, looks, high=high, low=low, iou=iou, momentum=momentum, reach=reach, byte=byte)
