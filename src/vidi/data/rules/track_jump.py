"""Boxes that move further than anything else does."""

import numpy as np

from vidi.data._tracks import called, tracks_of
from vidi.data.rules._base import about_box

SEVERITY = "warning"
MEANING = (
    "A track's box does not touch the one before and moved further than its sequence makes plausible: per frame and in lengths of the box, 6 robust"
    " standard deviations of the logarithm beyond the median and at least half a length, measured from where it was and from where it was going"
    " (sequences of 20 steps or more, and no more than a tenth of them)."
)
FIX = "Check whether two things share the number, or the box is misplaced."
FEWEST, FAR, SHARE, LEAST, STILL = 20, 6.0, 0.1, 0.5, 0.01
SPREAD = 0.3


def steps(tracks, boxes):
    """Rows that have a next one in a later frame; how far that is, per frame and in lengths of the box, from where it was and from where it
    was going (or, at a track's start, goes next); and whether the two boxes touch."""
    usable = boxes.sound[tracks.box]
    row = np.flatnonzero(tracks.same & usable[:-1] & usable[1:] & (np.diff(tracks.frame) > 0))
    box = np.where(usable[:, None], boxes.box[tracks.box], 0.0)
    middle = (box[:, :2] + box[:, 2:]) / 2
    length = np.sqrt(np.maximum((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]), 1e-12))
    time, scale = (tracks.frame[row + 1] - tracks.frame[row])[:, None], ((length[row] + length[row + 1]) / 2)[:, None]
    move = (middle[row + 1] - middle[row]) / time
    own = np.zeros_like(move)
    for shift in (1, -1):
        there = np.isin(row + shift, row)
        own[there] = move[np.searchsorted(row, row[there] + shift)]
    speed, turn = (np.hypot(*(each / scale).T) for each in (move, move - own))
    return row, speed, turn, touching(box[row], box[row + 1])


def touching(a, b):
    """Whether boxes (N, 4) overlap pair by pair."""
    return ((np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])) > 0).all(1)


def far(speed):
    """Which of one sequence's steps stand out."""
    values = np.log(np.maximum(speed, STILL))
    middle, (low, high) = np.median(values), np.quantile(values, [0.1, 0.9])
    spread = max(SPREAD, 1.4826 * float(np.median(np.abs(values - middle))), float(high - low) / 2.563)
    out = (values > middle + FAR * spread) & (speed >= LEAST)
    return out if out.mean() <= SHARE else np.zeros(len(speed), bool)


def check(dataset, looks):
    tracks, boxes = tracks_of(dataset, looks), looks.boxes
    if len(tracks) < FEWEST:
        return
    row, speed, turn, touch = steps(tracks, boxes)
    out, sequence = np.zeros(len(row), bool), tracks.sequence[row]
    for i in np.unique(sequence).tolist():
        own = np.flatnonzero(sequence == i)
        if len(own) >= FEWEST:
            out[own] = far(speed[own]) & far(turn[own]) & ~touch[own]
    box = boxes.box[tracks.box]
    for at in np.flatnonzero(out).tolist():
        here = int(row[at])
        back = at > 0 and out[at - 1] and row[at - 1] == here - 1 and bool(touching(box[[here - 1]], box[[here + 1]])[0])
        if not back:
            lengths = f"{speed[at]:.2g} of its lengths a frame"
            frames = f"from frame {int(tracks.frame[here])} to {int(tracks.frame[here + 1])}"
            yield about_box(looks, int(tracks.box[here + 1]), f"{called(tracks, here)} jumps {lengths} {frames}", value=round(float(speed[at]), 3))
