"""HOTA, CLEAR and identity scores of tracks, equal to those of TrackEval.

Sources: Luiten et al. 2021, HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking (arXiv:2009.07736); Bernardin and
Stiefelhagen 2008, Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics; Ristani et al. 2016, Performance Measures
and a Data Set for Multi-Target, Multi-Camera Tracking (arXiv:1609.01775).

A *tally* holds the sums of one sequence. Tallies add: those of several sequences or classes together are their sum, and `scores`
turns any sum into the numbers that TrackEval combines to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

ALPHAS = np.arange(0.05, 0.99, 0.05)
"""The 19 overlaps at which HOTA is computed."""

OVERLAP = 0.5
"""The overlap from which CLEAR and identity scores count a box as found."""

_EPS = float(np.finfo(np.float64).eps)
_BY_ALPHA = ("found", "association", "association_recall", "association_precision", "overlap")
_SINGLE = (
    "truths", "predictions", "matched", "matched_overlap", "id_switches", "fragmentations", "tracks", "mostly_tracked", "partly_tracked",
    "identity_found",
)  # fmt: skip
SIZE = len(_BY_ALPHA) * len(ALPHAS) + len(_SINGLE)
"""How many numbers a tally has."""


@dataclass(frozen=True, slots=True)
class Switch:
    """A true track that goes on under another predicted track.

    Args:
        frame: the frame's place in the sequence.
        row, column: the places of the true and the predicted box in that frame.
        track: the true track.
        before, after: the predicted tracks that had it last and have it now.
        last: the frame in which it was matched last.
    """

    frame: int
    row: int
    column: int
    track: int
    before: int
    after: int
    last: int


@dataclass(eq=False, slots=True)
class _Side:
    """Tracks of one side numbered from 0: their numbers frame by frame, their names, and in how many frames each is."""

    frames: list[np.ndarray]
    names: np.ndarray
    counts: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        every = np.concatenate([np.zeros(0, np.int64), *self.frames])
        self.counts = np.bincount(every, minlength=len(self.names)).astype(np.float64)

    @classmethod
    def of(cls, frames: Sequence[np.ndarray]) -> _Side:
        ids = [np.asarray(each, np.int64).reshape(-1) for each in frames]
        names, numbers = np.unique(np.concatenate([np.zeros(0, np.int64), *ids]), return_inverse=True)
        return cls(np.split(numbers.reshape(-1), np.cumsum([len(each) for each in ids])[:-1]) if ids else [], names)


def tally(truth: Sequence[np.ndarray], predicted: Sequence[np.ndarray], overlaps: Sequence[np.ndarray]) -> np.ndarray:
    """The sums of one sequence.

    Args:
        truth: the true tracks of each frame, (n,) int, each once in a frame.
        predicted: the predicted tracks of each frame, (m,) int, each once in a frame.
        overlaps: of each frame (n, m) float64 in 0..1, asked for twice in order; it may compute them when asked.

    Returns:
        (SIZE,) float64.

    Raises:
        ValueError: different numbers of frames, or an overlap matrix of another shape.
    """
    left, right = _sides(truth, predicted, overlaps)
    alignment, shared = _alignment(left, right, overlaps)
    clear, rows, columns, values = _Clear(left, right), [], [], []
    for t, true, guess, overlap in _both(left, right, overlaps):
        row, column = linear_sum_assignment(-(alignment[np.ix_(true, guess)] * overlap))
        rows.append(true[row])
        columns.append(guess[column])
        values.append(overlap[row, column])
        clear.step(t, true, guess, overlap)
    empty = np.zeros(0, np.int64)
    pairs = np.concatenate([empty, *rows]), np.concatenate([empty, *columns])
    by_alpha = _associations(left, right, *pairs, np.concatenate([np.zeros(0), *values]))
    identity = shared[linear_sum_assignment(-shared)].sum()
    return np.concatenate([by_alpha.ravel(), [left.counts.sum(), right.counts.sum(), *clear.sums(), identity]])


def identity_switches(truth: Sequence[np.ndarray], predicted: Sequence[np.ndarray], overlaps: Sequence[np.ndarray]) -> list[Switch]:
    """Every identity switch that CLEAR counts, in order; arguments as in `tally`."""
    left, right = _sides(truth, predicted, overlaps)
    clear = _Clear(left, right)
    for t, true, guess, overlap in _both(left, right, overlaps):
        clear.step(t, true, guess, overlap)
    return clear.switches


def by_alpha(tallies: np.ndarray) -> dict[str, np.ndarray]:
    """HOTA and its parts at each of `ALPHAS`: (…, SIZE) → ``hota deta assa loca detre detpr assre asspr``, each (…, 19) in 0..1."""
    parts = _parts(tallies)
    found, truths, predictions = parts["found"], parts["truths"][..., None], parts["predictions"][..., None]
    some = np.maximum(1, found)
    values = {
        "deta": found / np.maximum(1, truths + predictions - found),
        "assa": parts["association"] / some,
        "loca": np.maximum(1e-10, parts["overlap"]) / np.maximum(1e-10, found),
        "detre": found / np.maximum(1, truths),
        "detpr": found / np.maximum(1, predictions),
        "assre": parts["association_recall"] / some,
        "asspr": parts["association_precision"] / some,
    }
    return {"hota": np.sqrt(values["deta"] * values["assa"]), **values}


def scores(tallies: np.ndarray) -> dict[str, np.ndarray]:
    """The numbers of tallies or of sums of tallies, (…, SIZE) → each (…).

    ``hota deta assa loca detre detpr assre asspr`` are means over `ALPHAS`, 0..1. ``mota`` is at most 1 and may be negative. ``motp idf1
    idp idr`` are 0..1; ``id_switches fragmentations tracks mostly_tracked partly_tracked mostly_lost truths predictions matched`` are
    counts. As in TrackEval what is not defined is 0, and ``loca`` 1.
    """
    parts = _parts(tallies)
    truths, predictions, matched, identity = (parts[name] for name in ("truths", "predictions", "matched", "identity_found"))
    values = {name: each.mean(-1) for name, each in by_alpha(tallies).items()}
    values |= {
        "mota": (matched - (predictions - matched) - parts["id_switches"]) / np.maximum(1, truths),
        "motp": parts["matched_overlap"] / np.maximum(1, matched),
        "idf1": identity / np.maximum(1, (truths + predictions) / 2),
        "idp": identity / np.maximum(1, predictions),
        "idr": identity / np.maximum(1, truths),
    }
    counts = ("id_switches", "fragmentations", "tracks", "mostly_tracked", "partly_tracked", "truths", "predictions", "matched")
    values |= {name: parts[name] for name in counts}
    return values | {"mostly_lost": parts["tracks"] - parts["mostly_tracked"] - parts["partly_tracked"]}


def _parts(tallies: np.ndarray) -> dict[str, np.ndarray]:
    split = len(_BY_ALPHA) * len(ALPHAS)
    arrays = tallies[..., :split].reshape(*tallies.shape[:-1], len(_BY_ALPHA), len(ALPHAS))
    found = {name: arrays[..., i, :] for i, name in enumerate(_BY_ALPHA)}
    return found | {name: tallies[..., split + i] for i, name in enumerate(_SINGLE)}


def _sides(truth: Sequence[np.ndarray], predicted: Sequence[np.ndarray], overlaps: Sequence[np.ndarray]) -> tuple[_Side, _Side]:
    if not len(truth) == len(predicted) == len(overlaps):
        raise ValueError(f"expected as many frames of each, got {len(truth)}, {len(predicted)} and {len(overlaps)}")
    return _Side.of(truth), _Side.of(predicted)


def _both(left: _Side, right: _Side, overlaps: Sequence[np.ndarray]) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """The frames that have boxes on both sides; others change nothing but the numbers of boxes."""
    for t, (true, guess) in enumerate(zip(left.frames, right.frames)):
        if len(true) and len(guess):
            overlap = np.asarray(overlaps[t], np.float64)
            if overlap.shape != (len(true), len(guess)):
                raise ValueError(f"overlaps of frame {t}: expected {(len(true), len(guess))}, got {overlap.shape}")
            yield t, true, guess, overlap


def _alignment(left: _Side, right: _Side, overlaps: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """How much each true track goes along with each predicted one: HOTA's global alignment score, and in how many frames they overlap
    by `OVERLAP`; both (true tracks, predicted tracks)."""
    along, shared = np.zeros((2, len(left.names), len(right.names)))
    for _, true, guess, overlap in _both(left, right, overlaps):
        whole = overlap.sum(0)[None] + overlap.sum(1)[:, None] - overlap
        place = np.ix_(true, guess)
        along[place] += np.divide(overlap, whole, out=np.zeros_like(overlap), where=whole > _EPS)
        shared[place] += overlap >= OVERLAP
    return along / (left.counts[:, None] + right.counts[None] - along), shared


def _associations(left: _Side, right: _Side, true: np.ndarray, guess: np.ndarray, overlap: np.ndarray) -> np.ndarray:
    """HOTA's sums from all matched boxes of a sequence, (5, 19) in the order of the tally."""
    codes, pair = np.unique(true * max(1, len(right.names)) + guess, return_inverse=True)
    pair = pair.reshape(-1)
    rows, columns = np.divmod(codes, max(1, len(right.names)))
    of_true, of_guess = left.counts[rows], right.counts[columns]
    sums = np.zeros((len(_BY_ALPHA), len(ALPHAS)))
    for a, alpha in enumerate(ALPHAS):
        hit = overlap >= alpha - _EPS
        together = np.bincount(pair[hit], minlength=len(codes)).astype(np.float64)
        parts = (of_true + of_guess - together, of_true, of_guess)
        sums[:, a] = (hit.sum(), *((together * together / np.maximum(1, part)).sum() for part in parts), overlap[hit].sum())
    return sums


class _Clear:
    """CLEAR's matching, frame by frame: what was matched in the frame before goes on, then the overlap decides."""

    def __init__(self, left: _Side, right: _Side):
        count = len(left.names)
        self._left, self._right = left, right
        self._ever, self._before = np.full((2, count), -1)
        self._when = np.full(count, -1)
        self._hits, self._parts = np.zeros((2, count))
        self._matched, self._overlap = 0, 0.0
        self.switches: list[Switch] = []

    def step(self, t: int, true: np.ndarray, guess: np.ndarray, overlap: np.ndarray) -> None:
        score = 1000 * (guess[None] == self._before[true][:, None]) + overlap
        score[overlap < OVERLAP - _EPS] = 0
        row, column = linear_sum_assignment(-score)
        kept = score[row, column] > _EPS
        row, column = row[kept], column[kept]
        track, now = true[row], guess[column]
        before = self._ever[track]
        for i in np.flatnonzero((before >= 0) & (before != now)).tolist():
            names = self._right.names
            self.switches.append(
                Switch(t, int(row[i]), int(column[i]), int(self._left.names[track[i]]), int(names[before[i]]), int(names[now[i]]), int(self._when[track[i]]))
            )
        lost = self._before < 0
        self._before[:] = -1
        self._ever[track] = self._before[track] = now
        self._when[track] = t
        self._parts += lost & (self._before >= 0)
        self._hits[track] += 1
        self._matched += len(row)
        self._overlap += float(overlap[row, column].sum())

    def sums(self) -> list[float]:
        """Matched boxes, their overlap, switches, fragmentations, and true tracks: all, mostly tracked, partly tracked."""
        share = self._hits / np.maximum(1, self._left.counts)
        mostly = int((share > 0.8).sum())
        breaks = float((self._parts[self._parts > 0] - 1).sum())
        return [self._matched, self._overlap, len(self.switches), breaks, len(share), mostly, int((share >= 0.2).sum()) - mostly]
