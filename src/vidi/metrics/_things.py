"""The single things a detector got wrong, as plain values from which pictures can be drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Detections
from vidi.metrics._arrays import names_of
from vidi.metrics._box_thresholds import score_thresholds
from vidi.metrics._matching import Side, things_of
from vidi.metrics._measures import by_what
from vidi.metrics._tide import BACKGROUND, KINDS, RIGHT, SPARED, errors_of


def worst_things(
    truth: Sequence[Detections | None],
    predicted: Sequence[Detections],
    ids: Sequence[str],
    space: Space,
    settings: Mapping[str, Any] | None = None,
    *,
    count: int | None = None,
) -> list[dict[str, Any]]:
    """The pictures with false positives or false negatives at IoU 0.5, those with most of them first; by masks where truth and
    predictions have them, otherwise by boxes.

    Args:
        truth: one label per picture; None: not known, the picture is left out.
        predicted: one label per picture; predictions whose score reaches ``settings["thresholds"]`` (0.25) count.
        ids: the pictures' names.
        space: what the classes are.
        settings: as for the metrics.
        count: at most so many pictures; all when None.

    Returns:
        for each picture plain JSON values: ``index``, ``id``, ``false_positives`` (by falling score, each with ``box``
        [x1, y1, x2, y2], ``score``, ``class``, ``name``, ``error``: cls, loc, both, dup or bkg, and ``place``, its index among the
        picture's predictions) and ``false_negatives`` (by falling area, each with ``box``, ``area``, ``class``, ``name`` and
        ``place`` among the truth). Pictures are ordered by the sum of the false positives' scores and the number of
        false negatives.
    """
    settings = dict(settings or {})
    known = [i for i, label in enumerate(truth) if label is not None]
    if settings.get("sizes") is not None:
        settings["sizes"] = [settings["sizes"][i] for i in known]
    marked = [label for label in truth if label is not None]
    guesses = [predicted[i] for i in known]
    things = things_of(marked, guesses, space, settings, by_what(marked, guesses), floor=BACKGROUND, across=True)
    errors, names = errors_of(things), names_of(space, things.classes)
    scores = things.predicted.scores
    kept = scores >= score_thresholds(settings, space, things.classes)[things.predicted.classes]
    right, missed = errors.of(RIGHT), ~things.truth.crowd
    missed[errors.target[right & kept]] = False
    wrong = _by_picture(things.predicted, kept & ~right & ~errors.of(SPARED), -scores, len(known))
    lost = _by_picture(things.truth, missed, -things.truth.sizes, len(known))
    badness = [float(scores[part].sum()) + len(none) for part, none in zip(wrong, lost)]
    order = [row for row in np.argsort(-np.array(badness), kind="stable").tolist() if len(wrong[row]) + len(lost[row])]
    found = []
    for row in order[:count]:
        positives = [
            _thing(things.predicted, p, names) | _verdict(things.predicted, p, errors.kind) for p in wrong[row].tolist()
        ]
        negatives = [_thing(things.truth, t, names) | {"area": float(things.truth.sizes[t])} for t in lost[row].tolist()]
        place = known[row]
        found.append({"index": place, "id": ids[place], "false_positives": positives, "false_negatives": negatives})
    return found


def _by_picture(side: Side, chosen: np.ndarray, key: np.ndarray, pictures: int) -> list[np.ndarray]:
    """The indices of the chosen things of each picture by rising key."""
    index = np.flatnonzero(chosen)
    index = index[np.lexsort((key[index], side.rows[index]))]
    return np.split(index, np.searchsorted(side.rows[index], np.arange(1, pictures))) if pictures else []


def _thing(side: Side, i: int, names: Sequence[str]) -> dict[str, Any]:
    label = int(side.classes[i])
    return {"box": side.boxes[i].tolist(), "class": label, "name": names[label], "place": int(side.places[i])}


def _verdict(side: Side, i: int, kind: np.ndarray) -> dict[str, Any]:
    return {"score": float(side.scores[i]), "error": KINDS[kind[i]]}
