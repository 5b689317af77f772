"""BoT-SORT: ByteTrack with width and height in the filter, the camera's motion taken out, and appearance (Aharon et al. 2022,
arXiv:2206.14651)."""

from __future__ import annotations

import numpy as np

from vidi.methods.track._gallery import Appearance
from vidi.methods.track._seen import Seen
from vidi.methods.track._settings import Life, box_filter
from vidi.methods.track._two_stage import Stages, TwoStage
from vidi.ops.camera_motion import CameraMotion
from vidi.ops.kalman import BoxFilter

RENEW = 2.0
"""Seconds after which the picture that a still camera is told by is replaced."""


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
        self._camera = CameraMotion(renew=max(1, self.frames(RENEW)))

    def _predict(self, seen: Seen, frame: np.ndarray | None) -> None:
        super()._predict(seen, frame)
        if frame is None or not self.looks:
            return
        matrix, table = self._camera(frame, seen.boxes[seen.scores >= self.stages.high]), self._table
        if len(table) and not np.array_equal(matrix, np.eye(3)):
            table["mean"], table["covariance"] = self.motion.warp(table["mean"], table["covariance"], matrix)


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
    double: float = 0.45,
    appearance: float | None = 0.25,
    near: float = 0.5,
    weight: float = 0.5,
    veto: float = 0.99999,
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
        double: overlap with a better detection of its class above which one is taken for a second box of the same thing, and not used
            (others: 1).
        appearance: largest distance (1 − cosine) / 2 at which two looks may be one thing (0.25); None makes no use of vectors. What
            follows belongs to it: see `vidi.methods.track._gallery.Appearance`.
        near: least overlap at which a near look replaces the cost of motion (0.5).
        weight: share of that distance in the cost of a match (paper: 0).
        veto: distance from which on a match is refused, near 1, for looks that are hidden in part are far from their own (paper: 1).
        average: share of the old in a track's average look (0.9).
        remember: seconds for which a track that was given up can be taken up again (paper: 0).
        recall: largest distance at which it is.
        adapt: whether distances are stretched to what is usual between things in this video.
    """
    looks = None if appearance is None else Appearance(appearance, near, weight, veto, average, remember, recall, adapt)
    stages = Stages(high, low, iou, iou_low, iou_new, fuse)
    return BotSort(rate, Life(keep, new, confirm, class_aware=class_aware, double=double), looks, stages, box_filter("xywh", velocity, rate), camera)
