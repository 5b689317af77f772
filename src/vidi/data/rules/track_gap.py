"""Tracks that are not there for some frames and come back."""

import numpy as np

from vidi.data._tracks import called, tracks_of
from vidi.data.rules._base import about_box

SEVERITY = "note"
MEANING = "A track is missing on labeled frames and comes back: the thing was hidden, or its boxes were forgotten, or two things share the number."
FIX = "Nothing, if the thing was hidden; otherwise add its boxes."


def check(dataset, looks):
    tracks = tracks_of(dataset, looks)
    missing = np.where(tracks.same, np.diff(tracks.order) - 1, 0)
    for run in tracks.runs():
        gaps = missing[run[:-1]]
        if (gaps > 0).any():
            longest = int(run[gaps.argmax()])
            count, frames = int((gaps > 0).sum()), int(gaps.max())
            times = "once" if count == 1 else f"{count} times"
            message = (
                f"{called(tracks, longest)} is missing {times}, for {frames} frame{'s' if frames > 1 else ''}{' at most' if count > 1 else ''}"
                f" after frame {int(tracks.frame[longest])}"
            )
            yield about_box(looks, int(tracks.box[longest + 1]), message, value=frames)
