"""Frames that are missing in a sequence."""

import numpy as np

from vidi.data._tracks import sequences
from vidi.data.rules._base import about_all

SEVERITY = "warning"
MEANING = "Frames are missing between others of one sequence (by the usual step of its frame numbers), so that what moves seems to jump there."
FIX = "Add the frames, or give what comes before and after the gap different groups."


def gaps(frames):
    """First and last number of each run of missing frames."""
    step = np.diff(frames)
    step = step[step > 0]
    if not len(step):
        return []
    values, counts = np.unique(step, return_counts=True)
    usual = int(values[counts.argmax()])
    wide = np.flatnonzero(np.diff(frames) > usual)
    return [(int(frames[at]) + usual, int(frames[at + 1]) - usual) for at in wide.tolist()]


def check(dataset, looks):
    if not any("frame" in sample.extra for sample in dataset):
        return
    for name, (rows, frames) in sequences(dataset).items():
        missing = gaps(frames)
        if missing and name:
            shown = ", ".join(f"{first}–{last}" if last > first else str(first) for first, last in missing[:5])
            more = f" and {len(missing) - 5} more gaps" if len(missing) > 5 else ""
            starts = np.searchsorted(frames, [first for first, _ in missing]) - 1
            message = f"frames {shown}{more} are missing"
            yield about_all(dataset, message, at=f"group {name}", value=len(missing), related=[int(rows[start]) for start in starts[:20]])
