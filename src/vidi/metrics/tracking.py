"""Tracks against true tracks: HOTA (Luiten et al. 2021), CLEAR MOT and identity scores, equal to those of TrackEval.

Where they differ on purpose: undefined numbers are None instead of 0 or 1, and ignored truth forgives predictions whatever its class
(`vidi.metrics._tracks`). A box is matched with boxes of its own class by IoU. Sequences are combined as TrackEval does, by adding
their sums, and classes likewise ("detection averaged"); the table of classes has their mean, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Detections
from vidi.metrics._arrays import Estimator, mean_defined, names_of, plain, point, rounded, table
from vidi.metrics._matching import wanted_things
from vidi.metrics._tracks import Film, class_count, counted, films, shots
from vidi.ops.tracking_scores import ALPHAS, SIZE, by_alpha, scores, tally

FAMILIES = frozenset({"Detections"})
EXCLUSIVE = None
HIGHER_IS_BETTER = {
    "hota": True, "deta": True, "assa": True, "loca": True, "mota": True, "motp": True, "idf1": True, "id_switches": False,
    "fragmentations": False,
}  # fmt: skip

SHOWN = (
    *HIGHER_IS_BETTER, "detre", "detpr", "assre", "asspr", "idp", "idr", "tracks", "mostly_tracked", "partly_tracked", "mostly_lost",
)  # fmt: skip
COLUMNS = ("truths", "predictions", *SHOWN)
COUNTS = frozenset({"id_switches", "fragmentations", "tracks", "mostly_tracked", "partly_tracked", "mostly_lost", "truths", "predictions"})


def tallies(
    truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
) -> tuple[list[Film], np.ndarray]:
    """The sequences, and the sums of each in each class, (sequences, classes, SIZE) float64 (`vidi.ops.tracking_scores`)."""
    every, masks = films(len(truth), settings), counted(truth, predicted)
    found = np.zeros((len(every), class_count(truth, predicted, space), SIZE))
    for i, film in enumerate(every):
        for kind, each in shots(film, truth, predicted, masks).items():
            found[i, kind] = tally(each.truth, each.predicted, each.overlaps)
    return every, found


def defined(sums: np.ndarray) -> dict[str, np.ndarray]:
    """The numbers of `vidi.ops.tracking_scores.scores`, NaN where there is nothing to compute them from: of everything where neither
    truth nor predictions have boxes, of ``mota`` and what is about the truth alone without truth, of ``motp`` and ``loca`` without a match."""
    values = {name: np.asarray(each, np.float64) for name, each in scores(sums).items()}
    truths, predictions = values["truths"], values["predictions"]
    needed = {name: truths + predictions for name in values if name not in ("truths", "predictions")}
    needed |= dict.fromkeys(("mota", "detre", "assre", "idr", "tracks", "mostly_tracked", "partly_tracked", "mostly_lost"), truths)
    needed |= {"detpr": predictions, "asspr": predictions, "idp": predictions, "motp": values["matched"], "loca": sums[..., : len(ALPHAS)].sum(-1)}
    return {name: np.where(needed[name] > 0, each, np.nan) if name in needed else each for name, each in values.items()}


def estimator(
    truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
) -> Estimator:
    """Frames of one sequence depend on each other, so that only whole sequences can be resampled: weights that differ within a
    sequence, and resamples of a single sequence, have no numbers."""
    every, sums = tallies(truth, predicted, space, settings)
    pooled = sums.sum(1)

    def estimate(weights: np.ndarray) -> dict[str, np.ndarray]:
        own = [weights[:, film.rows] for film in every]
        whole = np.all([(part == part[:, :1]).all(1) for part in own], axis=0) if own else np.ones(len(weights), bool)
        if len(weights) > 1 and len(every) < 2:
            whole = np.zeros(len(weights), bool)
        drawn = np.stack([part[:, 0] for part in own], 1) if own else np.zeros((len(weights), 0))
        values = defined(drawn @ pooled)
        return {name: np.where(whole, values[name], np.nan) for name in HIGHER_IS_BETTER}

    return estimate


def numbers(
    truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
) -> dict[str, float | None]:
    """``hota deta assa loca`` are means over IoU 0.05, 0.10, … 0.95, ``mota motp idf1 id_switches fragmentations`` are at IoU 0.5. All
    are in 0..1 but for ``mota``, which may be negative, and the two counts.

    Args:
        truth: N labels with tracks; boxes that are ignored (crowd) need not be found, and predictions matched to them do not count.
        predicted: N labels with tracks.
        settings: ``groups``, the sequence of each sample (all are one without it), and ``frames``, its number in there (in order without it).
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def counts(truth: Sequence[Detections], space: Space, settings: Mapping[str, Any]) -> dict[str, int]:
    """How many boxes there are to find."""
    return dict.fromkeys(HIGHER_IS_BETTER, int(wanted_things(truth).sum()))


def figures(
    truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The tables of sequences and of classes, where there are several, and HOTA over the overlap that counts as found."""
    every, sums = tallies(truth, predicted, space, settings)
    total = sums.sum((0, 1))
    values = scores(total)
    if not values["truths"] + values["predictions"]:
        return []
    films_found = [film.name for film in every] if len(every) > 1 else []
    drawn = [_table("Tracking scores by sequence", "sequence", [*films_found, "all"], np.concatenate([sums.sum(1)[: len(films_found)], total[None]]))]
    by_class = sums.sum(0)
    used = np.flatnonzero(defined(by_class)["hota"] >= 0)
    if len(used) > 1:
        names = names_of(space, len(by_class))
        rows = [*(names[k] for k in used), "all boxes"]
        own = _table("Tracking scores by class", "class", rows, np.concatenate([by_class[used], total[None]]))
        means = {name: float(mean_defined(each[used])) for name, each in defined(by_class).items()}
        own["rows"].append(["mean of the classes", *(None if name in COUNTS else plain(round(means[name], 4)) for name in COLUMNS)])
        drawn.append(own)
    curves = by_alpha(total)
    x = rounded(ALPHAS)
    series = [{"name": f"{name} ({curves[key].mean():.3f})", "x": x, "y": rounded(curves[key])} for name, key in _CURVES.items()]
    axes = {"xlabel": "IoU that counts as found", "ylabel": "score", "y_range": [0.0, 1.0]}
    return [*drawn, {"kind": "lines", "title": "HOTA and its parts", **axes, "series": series, "diagonal": False}]


_CURVES = {"HOTA": "hota", "detection": "deta", "association": "assa", "localization": "loca"}


def _table(title: str, what: str, names: list[str], sums: np.ndarray) -> dict[str, Any]:
    found = defined(sums)
    cells = [[int(value) if name in COUNTS and value is not None else value for value in rounded(found[name])] for name in COLUMNS]
    heads = [what, "n", "predicted", *(name.replace("_", " ") for name in SHOWN)]
    note = "Tracks are mostly tracked where more than 80 % of their boxes are found, mostly lost where less than 20 % are."
    return table(title, heads, [list(row) for row in zip(names, *cells)], found["hota"]) | {"note": note}
