"""ByteTrack: weak detections are matched too, after the sure ones (Zhang et al. 2022, arXiv:2110.06864)."""

from __future__ import annotations

from vidi.methods.track._gallery import Appearance
from vidi.methods.track._settings import Life, box_filter
from vidi.methods.track._two_stage import Stages, TwoStage


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
    lost_low: bool = True,
    form: str = "xywh",
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
) -> TwoStage:
    """
    Args:
        rate: frames per second.
        keep: seconds a track is followed unseen (paper: 30 frames).
        high: least score of a sure detection (0.6).
        low: score above which weak ones are used (0.1).
        new: least score of a detection that begins a track (0.7).
        confirm: detections until a track counts (2), except in the video's first frame.
        iou: least overlap times score of tracks and sure detections (reference: 0.2; the package `trackers`: 0.1).
        iou_low: least overlap of tracks and weak detections (reference: 0.5; `trackers`: 0.1).
        iou_new: least overlap times score of unconfirmed tracks and sure detections (reference: 0.3; `trackers`: 0.1).
        fuse: whether overlap is multiplied by the score (on; `trackers`: off).
        lost_low: whether lost tracks take weak detections too (algorithm 1 of the paper and `trackers`: on; reference program: off).
        form: what the filter follows: ``xyah`` as in the reference, or ``xywh``, ``xysr``.
        velocity: how much velocities wander, as a share of the size per frame at 30 frames per second (reference: 1/160).
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
    stages = Stages(high, low, iou, iou_low, iou_new, fuse, lost_low)
    return TwoStage(rate, box_filter(form, velocity, rate), Life(keep, new, confirm, class_aware=class_aware, double=double), looks, stages)
