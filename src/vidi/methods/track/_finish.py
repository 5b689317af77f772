"""A whole video's tracks put in order afterwards: gaps filled, paths smoothed, short ones removed.

All functions take the labels of consecutive frames, each with `tracks`, and give new ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from vidi.errors import DataError, RecipeError
from vidi.labels import Detections
from vidi.ops.kalman import BoxFilter

METHODS = ("gaussian", "rts")


def fill_gaps(frames: Sequence[Detections], seconds: float = 1.0, rate: float = 25.0) -> list[Detections]:
    """Adds the boxes between a track's observations, on a straight line, where no more than `seconds` lie between them.

    Score and class are those of the observation before (the lower score of both); its text as well. What is added has no outline, and
    masks become outlines, for an added thing has none.

    Args:
        seconds: longest gap.
        rate: frames per second.

    Raises:
        DataError: a label without tracks, or a number that a frame has twice.
        RecipeError: a duration or rate out of range.
    """
    longest = _frames(seconds, rate, "seconds")
    added: dict[int, list[tuple[Detections, np.ndarray, float]]] = {}
    for times, rows in _paths(frames):
        for place in np.flatnonzero((np.diff(times) > 1) & (np.diff(times) - 1 <= longest)).tolist():
            begin, end = int(times[place]), int(times[place + 1])
            before, after = frames[begin][int(rows[place])], frames[end][int(rows[place + 1])]
            for t in range(begin + 1, end):
                share = (t - begin) / (end - begin)
                box = before.boxes[0] + share * (after.boxes[0] - before.boxes[0])
                added.setdefault(t, []).append((before, box, float(min(before.scores[0], after.scores[0]))))
    return [_joined(label, added.get(t, [])) for t, label in enumerate(frames)]


def _joined(label: Detections, extra: list[tuple[Detections, np.ndarray, float]]) -> Detections:
    if not extra:
        return label
    parts = [
        replace(before, boxes=box[None], scores=np.array([score]), masks=None, crowd=None, outlines=None)
        for before, box, score in extra
    ]
    return Detections.concatenate([label.compact(), *parts]) if len(label) else Detections.concatenate(parts)


def smooth(frames: Sequence[Detections], seconds: float = 0.2, rate: float = 25.0, method: str = "gaussian") -> list[Detections]:
    """Boxes moved to a smooth path of each track; masks and outlines stay where they are.

    Args:
        seconds: for ``gaussian``, the standard deviation of the weights of neighboring observations; a line is fitted with them, so that
            steady motion and the ends of a path are kept.
        rate: frames per second.
        method: ``gaussian``, or ``rts``: the smoother of Rauch, Tung and Striebel with the motion of a tracker's filter.

    Raises:
        DataError: a label without tracks, or a number that a frame has twice.
        RecipeError: an unknown method; a duration or rate out of range.
    """
    if method not in METHODS:
        raise RecipeError(f"one of {', '.join(METHODS)}", at="method", value=method)
    width = max(_checked(seconds, "seconds") * _checked(rate, "rate"), 1e-9)
    boxes = [label.boxes.astype(np.float64) for label in frames]
    for times, rows in _paths(frames):
        path = np.stack([boxes[t][row] for t, row in zip(times.tolist(), rows.tolist())])
        moved = _gaussian(times, path, width) if method == "gaussian" else _rts(times, path)
        for t, row, box in zip(times.tolist(), rows.tolist(), moved):
            boxes[t][row] = box
    return [replace(label, boxes=moved) for label, moved in zip(frames, boxes)]


def _gaussian(times: np.ndarray, path: np.ndarray, width: float) -> np.ndarray:
    """(T, 4) values at each time of lines fitted to the neighbors, weighted by a bell."""
    found, reach = np.empty_like(path), 4 * width
    first, last = np.searchsorted(times, times - reach), np.searchsorted(times, times + reach, side="right")
    for place, (begin, end) in enumerate(zip(first.tolist(), last.tolist())):
        away = (times[begin:end] - times[place]).astype(np.float64)
        weight = np.exp(-0.5 * (away / width) ** 2)
        total, slope, square = weight.sum(), weight @ away, weight @ away**2
        spread = total * square - slope**2
        values = path[begin:end]
        level = weight @ values
        found[place] = level / total if spread < 1e-9 * total * total else (square * level - slope * ((weight * away) @ values)) / spread
    return found


def _rts(times: np.ndarray, path: np.ndarray) -> np.ndarray:
    whole = np.full((int(times[-1] - times[0]) + 1, 4), np.nan)
    whole[times - times[0]] = path
    return BoxFilter("xywh").smooth(whole)[times - times[0]]


def drop_short(frames: Sequence[Detections], seconds: float = 0.5, rate: float = 25.0) -> list[Detections]:
    """Without the tracks that were seen for less than `seconds` in all.

    Raises:
        DataError: a label without tracks, or a number that a frame has twice.
        RecipeError: a duration or rate out of range.
    """
    least = _checked(seconds, "seconds") * _checked(rate, "rate")
    kept = [np.ones(len(label), bool) for label in frames]
    for times, rows in _paths(frames):
        if len(times) < least:
            for t, row in zip(times.tolist(), rows.tolist()):
                kept[t][row] = False
    return [label[chosen] for label, chosen in zip(frames, kept)]


def _paths(frames: Sequence[Detections]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each track, by rising number: the frames it is in, and its place in each."""
    numbers = []
    for t, label in enumerate(frames):
        if label.tracks is None and len(label):
            raise DataError("things without track numbers", at=f"frame {t}", fix="track the video first")
        own = np.zeros(0, np.int64) if label.tracks is None else label.tracks
        if len(np.unique(own)) < len(own):
            raise DataError("a track number stands twice in a frame", at=f"frame {t}")
        numbers.append(own)
    if not numbers:
        return
    every = np.concatenate(numbers)
    times = np.repeat(np.arange(len(numbers)), [len(own) for own in numbers])
    rows = np.concatenate([np.arange(len(own)) for own in numbers])
    order = np.argsort(every, kind="stable")
    ends = np.flatnonzero(np.diff(every[order])) + 1
    for chosen in np.split(order, ends) if len(order) else []:
        yield times[chosen], rows[chosen]


def _checked(value: float, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not (0 < value < 1e9 or (value == 0 and name != "rate")):
        raise RecipeError("a positive number", at=name, value=value)
    return float(value)


def _frames(seconds: float, rate: float, name: str) -> int:
    return int(_checked(seconds, name) * _checked(rate, "rate") + 0.5)
