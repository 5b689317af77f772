"""One track on two things: twice in a frame, or of two classes."""

import numpy as np

from vidi.data._tracks import called, tracks_of
from vidi.data.rules._base import about_box, class_name

SEVERITY = "warning"
MEANING = "A track's number stands for two things: it is on two boxes of one frame, or changes its class. Scores of tracks cannot be computed with the first."
FIX = "Give each thing a number of its own, and one class."


def check(dataset, looks):
    tracks = tracks_of(dataset, looks)
    kind = looks.boxes.kind[tracks.box]
    twice = tracks.same & (np.diff(tracks.frame) == 0)
    for row in np.flatnonzero(twice).tolist():
        yield about_box(looks, int(tracks.box[row + 1]), f"{called(tracks, row)} is twice in frame {int(tracks.frame[row])}", value=int(tracks.track[row]))
    for run in tracks.runs():
        changes = np.flatnonzero((np.diff(kind[run]) != 0) & ~twice[run[:-1]])
        if len(changes):
            row = int(run[changes[0] + 1])
            old, new = (class_name(dataset, int(kind[each])) for each in (row - 1, row))
            more = f", and {len(changes) - 1} times more" if len(changes) > 1 else ""
            message = f"{called(tracks, row)} turns from {old} into {new} in frame {int(tracks.frame[row])}{more}"
            yield about_box(looks, int(tracks.box[row]), message, value=int(tracks.track[row]))
