"""BoT-SORT: ByteTrack with width and height in the filter, the camera's motion taken out, and appearance (Aharon et al. 2022,
arXiv:2206.14651)."""

from __future__ import annotations

import numpy as np

from vidi.methods.track._base import Life, Seen, box_filter
from vidi.methods.track._gallery import Appearance
from vidi.methods.track._two_stage import Stages, TwoStage
from vidi.ops.camera_motion import camera_motion, small_gray
from vidi.ops.kalman import BoxFilter


class BotSort(TwoStage):
    """Two stages after predicted boxes were moved with the background.

    Args:
        camera: whether `update` looks at the frames.
    """

    def __init__(self, rate: float, life: Life, appearance: Appearance | None, stages: Stages, motion: BoxFilter, camera: bool) -> None:
        self.looks = bool(camera)
        super().__init__(rate, motion, life, appearance, stages)

    def reset(self) -> None:
        super().reset()
        self._before: np.ndarray | None = None
        self._boxes = np.zeros((0, 4))

    def _predict(self, seen: Seen, frame: np.ndarray | None) -> None:
        super()._predict(seen, frame)
        if frame is not None and self.looks:
            self._follow(seen, frame)

    def _follow(self, seen: Seen, frame: np.ndarray) -> None:
        """Moves the tracks as the background moved."""
        gray, block = small_gray(frame)
        table, before = self._table, self._before
        if before is not None and before.shape == gray.shape and len(table):
            matrix = camera_motion(before, gray, boxes=self._boxes)
            matrix[:2, 2] *= block
            table["mean"], table["covariance"] = self.motion.warp(table["mean"], table["covariance"], matrix)
        self._before, self._boxes = gray, seen.boxes[seen.scores >= self.stages.high] / block


def tracker(
    *,
    rate: float = 25.0,
    keep: float = 1.0,
    high: float = 0.6,
    low: float = 0.1,
    new: float = 0.7,
    confirm: int = 2,
    iou: float = 0.2,
    iou_low: float = 0.5,
    iou_new: float = 0.3,
    fuse: bool = True,
    camera: bool = True,
    velocity: float = 1 / 160,
    class_aware: bool = True,
    appearance: float | None = 0.25,
    near: float = 0.5,
    weight: float = 0.5,
    veto: float = 0.4,
    average: float = 0.9,
    remember: float = 30.0,
    recall: float = 0.2,
    adapt: bool = True,
) -> BotSort:
    """
    Args:
        rate: frames per second.
        keep: seconds a track is followed unseen (reference: 30 frames).
        high: least score of a sure detection (0.6).
        low: score above which weak ones are used (0.1).
        new: least score of a detection that begins a track (0.7).
        confirm: detections until a track counts (2), except in the video's first frame.
        iou: least overlap times score of tracks and sure detections (0.2).
        iou_low: least overlap of tracks and weak detections (0.5).
        iou_new: least overlap times score of unconfirmed tracks and sure detections (0.3).
        fuse: whether overlap is multiplied by the score.
        velocity: how much velocities wander, as a share of the size per frame at 30 frames per second (1/160).
        camera: whether the motion of the camera is estimated from the frames.
        class_aware: whether a track takes detections of its own class only.
        appearance: largest distance (1 − cosine) / 2 at which two looks may be one thing (0.25); None makes no use of vectors. What
            follows belongs to it: see `vidi.methods.track._gallery.Appearance`.
        near: least overlap at which a near look replaces the cost of motion (0.5).
        weight: share of that distance in the cost of a match (paper: 0).
        veto: distance from which on a match is refused (paper: 1).
        average: share of the old in a track's average look (0.9).
        remember: seconds for which a track that was given up can be taken up again (paper: 0).
        recall: largest distance at which it is.
        adapt: whether distances are stretched to what is usual between things in this video.
    """
    looks = None if appearance is None else Appearance(appearance, near, weight, veto, average, remember, recall, adapt)
    stages = Stages(high, low, iou, iou_low, iou_new, fuse)
    return BotSort(rate, Life(keep, new, confirm, class_aware=class_aware), looks, stages, box_filter("xywh", velocity, rate), camera)
