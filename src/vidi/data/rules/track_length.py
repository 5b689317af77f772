"""Tracks of one or two frames."""

from vidi.data._tracks import called, tracks_of
from vidi.data.rules._base import about_box

SEVERITY = "warning"
MEANING = "A track of one or two frames in the midst of its sequence (of 10 frames or more): mostly a mistyped number, or a box that nobody followed up."
FIX = "Give the box the number of the track that it belongs to, or remove it."
SHORT, FEWEST = 2, 10


def check(dataset, looks):
    tracks = tracks_of(dataset, looks)
    for run in tracks.runs():
        first, last = run[0], run[-1]
        length = int(tracks.lengths[tracks.sequence[first]])
        whole = tracks.order[first] >= SHORT and tracks.order[last] < length - SHORT
        if len(run) <= SHORT and length >= FEWEST and whole:
            frames = "one frame" if len(run) == 1 else f"{len(run)} frames"
            yield about_box(looks, int(tracks.box[first]), f"{called(tracks, first)} is there for {frames}, from frame {int(tracks.frame[first])}", value=len(run))
