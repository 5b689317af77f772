"""SORT: boxes that move at constant velocity, matched by overlap (Bewley et al. 2016, arXiv:1602.00763)."""

from __future__ import annotations

import numpy as np

from vidi.methods.track._base import Tracker
from vidi.methods.track._gallery import Appearance
from vidi.methods.track._seen import Seen
from vidi.methods.track._settings import Life, box_filter, check_range
from vidi.ops.kalman import BoxFilter


class Sort(Tracker):
    """One assignment by IoU of predicted boxes and all detections."""

    def __init__(self, rate: float, motion: BoxFilter, life: Life, appearance: Appearance | None, iou: float) -> None:
        check_range("iou", iou, 0, 1)
        self.iou = iou
        super().__init__(rate, motion, life, appearance)

    @property
    def least(self) -> float:
        return self.life.least

    def _associate(self, seen: Seen) -> None:
        overlap = self._overlap(seen)
        rows, columns = np.arange(len(self._table)), np.arange(len(seen.boxes))
        self._pair("overlap", rows, columns, 1 - overlap, 1 - self.iou, overlap, self._looks_apart(seen, overlap))


def tracker(
    *,
    rate: float = 25.0,
    keep: float = 1.0,
    iou: float = 0.3,
    least: float = 0.5,
    new: float | None = None,
    confirm: int = 3,
    form: str = "xywh",
    velocity: float = 1 / 160,
    class_aware: bool = True,
    double: float = 0.45,
    appearance: float | None = 0.25,
    weight: float = 0.5,
    veto: float = 0.99999,
    average: float = 0.9,
    remember: float = 30.0,
    recall: float = 0.2,
    adapt: bool = True,
) -> Sort:
    """
    Args:
        rate: frames per second.
        keep: seconds a track is followed unseen (paper: one frame; 1 s as in the package `trackers`).
        iou: least overlap of a match (both: 0.3).
        least: detections with a lower score are not used (paper: 0.5; `trackers` uses all).
        new: least score of a detection that begins a track (`trackers`: 0.25); None: `least`.
        confirm: detections until a track counts (both: 3), except in the first frames of the video.
        form: what the filter follows: ``xysr`` as in the paper, whose noise fits one size and frame rate, or ``xyah``, ``xywh``.
        velocity: how much velocities wander, as a share of the size per frame at 30 frames per second; not for ``xysr``.
        class_aware: whether a track takes detections of its own class only.
        double: overlap with a better detection of its class above which one is taken for a second box of the same thing, and not used
            (others: 1).
        appearance: largest distance (1 − cosine) / 2 at which two looks may be one thing; None makes no use of vectors. What follows
            belongs to it: see `vidi.methods.track._gallery.Appearance`.
        weight: share of that distance in the cost of a match.
        veto: distance from which on a match is refused, near 1, for looks that are hidden in part are far from their own.
        average: share of the old in a track's average look.
        remember: seconds for which a track that was given up can be taken up again.
        recall: largest distance at which it is.
        adapt: whether distances are stretched to what is usual between things in this video.
    """
    looks = None if appearance is None else Appearance(appearance, 0.5, weight, veto, average, remember, recall, adapt)
    return Sort(rate, box_filter(form, velocity, rate), Life(keep, least if new is None else new, confirm, confirm, class_aware=class_aware, double=double, least=least), looks, iou)
