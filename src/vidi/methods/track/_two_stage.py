"""Association in two stages, sure detections first, then the weak ones for what is left (Zhang et al. 2022, ByteTrack)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidi.methods.track._base import Tracker
from vidi.methods.track._gallery import Appearance
from vidi.methods.track._seen import Seen
from vidi.methods.track._settings import Life, check_range
from vidi.ops.kalman import BoxFilter


@dataclass(frozen=True, slots=True)
class Stages:
    """The thresholds of the stages.

    Args:
        high: least score of a sure detection.
        low: score above which the others take part in the second stage.
        iou: least IoU times score, sure detections with tracks, lost ones too.
        iou_low: least IoU, weak detections with the tracks that are left.
        iou_new: least IoU times score, sure detections with tracks that are not confirmed yet.
        fuse: whether overlap is multiplied by the detection's score.
        lost_low: whether tracks not seen in the frame before take weak detections too.
    """

    high: float = 0.6
    low: float = 0.1
    iou: float = 0.2
    iou_low: float = 0.5
    iou_new: float = 0.3
    fuse: bool = True
    lost_low: bool = False


class TwoStage(Tracker):
    """ByteTrack's association; a lost track keeps its size, as the reference programs have it."""

    def __init__(self, rate: float, motion: BoxFilter, life: Life, appearance: Appearance | None, stages: Stages) -> None:
        for name in ("high", "low", "iou", "iou_low", "iou_new"):
            check_range(name, getattr(stages, name), 0, 1)
        self.stages = stages
        super().__init__(rate, motion, life, appearance)

    @property
    def least(self) -> float:
        return self.stages.low

    def _predict(self, seen: Seen, frame: np.ndarray | None) -> None:
        table = self._table
        lost = table["missed"] > 0
        if lost.any():
            table["mean"][lost, 6 if self.motion.form == "xywh" else 7 :] = 0
        super()._predict(seen, frame)

    def _associate(self, seen: Seen) -> None:
        table, stages = self._table, self.stages
        overlap = self._overlap(seen)
        apart = self._looks_apart(seen, overlap)
        fused = 1 - overlap * seen.scores if stages.fuse else 1 - overlap
        confirmed = table["id"] > 0
        high = np.flatnonzero(seen.scores >= stages.high)
        low = np.flatnonzero((seen.scores < stages.high) & (seen.scores > stages.low))
        self._pair("high", np.flatnonzero(confirmed), high, fused, 1 - stages.iou, overlap, apart)
        followed = confirmed & ~self._taken
        if not stages.lost_low:
            followed &= table["missed"] == 1
        self._pair("low", np.flatnonzero(followed), low, 1 - overlap, 1 - stages.iou_low, overlap)
        free = high[self._owner[high] < 0]
        self._pair("new", np.flatnonzero(~confirmed), free, fused, 1 - stages.iou_new, overlap, apart)

    def _sure(self) -> float:
        return self.stages.high
