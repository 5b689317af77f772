"""What all trackers share: the order of a frame's work, the life of a track, and what is told about it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np

from vidi.errors import DataError
from vidi.labels import Detections
from vidi.methods.track._gallery import Appearance, Compared, Gallery
from vidi.methods.track._listen import Listener, Pairing, Recall
from vidi.methods.track._seen import Seen, single
from vidi.methods.track._settings import Life, check_settings
from vidi.methods.track._table import Table
from vidi.ops.boxes import iou_matrix
from vidi.ops.kalman import BoxFilter
from vidi.ops.linear_assignment import assign

YOUNG = 0.4
"""Seconds after its first detection for which a new track may still turn out to be an old one."""

SETTLED = 5
"""Looks after which a track's average is taken for what it looks like."""

MEETS = 0.1
"""IoU above which a detection may be a track's."""

HIDDEN = 0.3
"""IoU with another track's detection above which a look is not learned, for it shows both."""

KNOWN = 10
"""Looks of followed things after which it is known how much those of one thing differ, so that others can be refused."""

LASTING = 1.0
"""Seconds after which a look is an old one."""


class Tracker(ABC):
    """Gives the detections of a video, frame by frame, the numbers of the things they belong to. Deterministic.

    Args:
        rate: frames per second; durations are given in seconds.
        motion: how tracks move.
        life: when they begin and end.
        appearance: how vectors are used; None ignores them.

    Attributes:
        looks: whether `update` makes use of the frame's pixels.
        listener: is told of every decision; None: nobody is.

    Raises:
        RecipeError: a setting out of range.
    """

    looks = False
    listener: Listener | None = None

    def __init__(self, rate: float, motion: BoxFilter, life: Life, appearance: Appearance | None) -> None:
        check_settings(rate, life, appearance)
        self.rate, self.motion, self.life, self.appearance = float(rate), motion, life, appearance
        self._keep = self.frames(life.keep)
        self.reset()

    @property
    def least(self) -> float:
        """The score from which detections are of use: by default that of one which begins a track."""
        return self.life.new

    def reset(self) -> None:
        """Forgets everything: the next frame is the first of another video."""
        self.clock, self._last_id, self._width = 0, 0, 0
        self._table = Table()
        remember = 0.0 if self.appearance is None else self.appearance.remember
        self._gallery = Gallery(self.appearance or Appearance(), self.frames(remember), self.life.class_aware)
        self._table.add(self._born(np.zeros((0, 4)), np.zeros(0, np.int64)))
        self._owner = np.zeros(0, np.int64)
        self._decisions: list[tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
        self._recalled: list[tuple[int, int, float]] = []
        self._told: tuple[np.ndarray, np.ndarray] = (self._owner, self._owner)

    def frames(self, seconds: float) -> int:
        """A duration in whole frames, halves up."""
        return int(math.floor(seconds * self.rate + 0.5))

    def update(self, found: Detections, frame: np.ndarray | None = None, vectors: np.ndarray | None = None) -> Detections:
        """The next frame.

        Args:
            found: its detections, in any order.
            frame: (H, W, 3) uint8, of use where `looks` is True.
            vectors: (N, D) appearance of the detections; a row with NaN, or of zeros, says nothing. They are scaled to length 1.

        Returns:
            The detections that belong to confirmed tracks, in their order, with all they carry and `tracks` numbers from 1.

        Raises:
            DataError: a box or score that is not finite, or vectors that do not fit.
        """
        seen = self._ordered(found, vectors)
        self.clock += 1
        self._decisions, self._recalled = [], []
        self._apart: np.ndarray | None = None
        self._owner = np.full(len(seen.boxes), -1, np.int64)
        self._predict(seen, frame)
        self._taken = np.zeros(len(self._table), bool)
        if len(seen.boxes) and len(self._table):
            if self.listener is not None:
                self.listener.expected(seen, {**self._table.copy(), "boxes": self.motion.boxes(self._table["mean"])})
            self._associate(seen)
        self._absorb(seen)
        self._retire()
        self._gallery.expire(self.clock)
        self._begin(seen)
        self._confirm()
        return self._result(found, seen)

    @property
    def events(self) -> list[dict[str, Any]]:
        """How the last frame's detections were matched: ``track`` (None: not confirmed), ``place`` among the detections given (None: a
        recall), ``stage``, ``iou``, ``appearance`` distance (0 the same, 0.5 as far apart as things here are; None: not known) and ``cost``."""
        numbers, places = self._told
        told: list[dict[str, Any]] = []
        for stage, columns, overlap, apart, cost in self._decisions:
            for column, iou, look, price in zip(columns.tolist(), overlap.tolist(), apart.tolist(), cost.tolist()):
                told.append({"track": int(numbers[column]) or None, "place": int(places[column]), "stage": stage, "iou": iou,
                             "appearance": None if math.isnan(look) else look, "cost": price})  # fmt: skip
        for place, number, distance in self._recalled:
            told.append({"track": number, "place": place, "stage": "recall", "iou": None, "appearance": distance, "cost": distance})
        return told

    @abstractmethod
    def _associate(self, seen: Seen) -> None:
        """Matches tracks and detections by calls of `_pair`."""

    def _predict(self, seen: Seen, frame: np.ndarray | None) -> None:
        """Moves the tracks to where they should be in this frame."""
        table = self._table
        if len(table):
            table["mean"], table["covariance"] = self.motion.predict(table["mean"], table["covariance"])
            table["missed"] += 1

    def _born(self, boxes: np.ndarray, classes: np.ndarray) -> dict[str, np.ndarray]:
        """Rows of new tracks; a tracker adds columns of its own."""
        count = len(boxes)
        mean, covariance = self.motion.start(self.motion.measure(boxes))
        return {
            "id": np.zeros(count, np.int64), "hits": np.ones(count, np.int64), "missed": np.zeros(count, np.int64),
            "birth": np.full(count, self.clock), "class": classes, "fresh": np.zeros(count, bool), "box": boxes,
            "mean": mean, "covariance": covariance, "vector": np.zeros((count, self._width)), "learned": np.zeros(count, np.int64),
            "early": np.zeros((count, self._width)), "settled": np.zeros(count, np.int64),
        }  # fmt: skip

    def _ordered(self, found: Detections, vectors: np.ndarray | None) -> Seen:
        boxes, scores = found.boxes.astype(np.float64), found.scores.astype(np.float64)
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise DataError("boxes and scores to track must be finite", at=f"frame {self.clock}")
        if vectors is None or self.appearance is None:
            vectors = None
        else:
            vectors = self._unit(np.asarray(vectors, np.float64), len(boxes))
        order = np.lexsort((found.classes, boxes[:, 3], boxes[:, 2], boxes[:, 1], boxes[:, 0], -scores))
        if self.life.least > 0:
            order = order[scores[order] >= self.life.least]
        if self.life.double < 1:
            order = order[single(boxes[order], found.classes[order] if self.life.class_aware else None, self.life.double)]
        return Seen(boxes[order], scores[order], found.classes[order], None if vectors is None else vectors[order], order)

    def _unit(self, vectors: np.ndarray, count: int) -> np.ndarray | None:
        if vectors.ndim != 2 or len(vectors) != count:
            raise DataError("one appearance vector per detection", at=f"frame {self.clock}", value=vectors.shape, fix=f"shape ({count}, D)")
        if count == 0:
            return None
        if self._width == 0 < vectors.shape[1]:
            self._width = vectors.shape[1]
            for name in ("vector", "early"):
                self._table[name] = np.zeros((len(self._table), self._width))
        if vectors.shape[1] != self._width:
            raise DataError("appearance vectors change their length", at=f"frame {self.clock}", value=vectors.shape[1], fix=f"{self._width} numbers each")
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.where(length > 1e-12, length, np.nan)

    def _overlap(self, seen: Seen) -> np.ndarray:
        """(N, M) IoU of the predicted boxes with the detections; −1 where the classes forbid a match."""
        return self._allowed(iou_matrix(self.motion.boxes(self._table["mean"]), seen.boxes), seen)

    def _allowed(self, overlap: np.ndarray, seen: Seen) -> np.ndarray:
        if not self.life.class_aware:
            return overlap
        return np.where(self._table["class"][:, None] == seen.classes[None], overlap, -1.0)

    def _looks_apart(self, seen: Seen, overlap: np.ndarray) -> np.ndarray | None:
        """(N, M) distances of the looks, NaN where unknown; None without vectors.

        Args:
            overlap: (N, M) IoU of predicted boxes and detections.
        """
        if seen.vectors is None or self.appearance is None:
            return None
        table, meets = self._table, (overlap > MEETS) & (seen.scores >= self._sure())
        alone = meets & (meets.sum(1, keepdims=True) == 1) & (meets.sum(0) == 1)
        self._fits = overlap >= self.appearance.near
        self._clear = alone & self._fits & (table["missed"] == 1)[:, None]
        self._apart = self.appearance.apart(table["vector"], table["learned"] > 0, seen.vectors)
        return self._apart

    def _pair(self, stage: str, rows: np.ndarray, columns: np.ndarray, cost: np.ndarray, gate: float, overlap: np.ndarray,
              apart: np.ndarray | None = None, bonus: np.ndarray | None = None) -> None:  # fmt: skip
        """Matches some tracks with some detections.

        Args:
            stage: what the match is called in the events.
            rows, columns: (K,) tracks and (L,) detections that are free.
            cost: (N, M) of all, in 0..1 where a match is possible.
            gate: a pair must cost less, before looks and bonus are counted.
            overlap, apart: (N, M) IoU and distance of looks of all.
            bonus: (N, M), at most 0.5, what speaks for a pair besides.
        """
        if len(rows) == 0 or len(columns) == 0:
            return
        block = (rows[:, None], columns)
        price, near, top = cost[block], overlap[block], gate
        far = unsure = None
        if apart is not None and self.appearance is not None:
            far, clear = apart[block], self._clear[block]
            unsure = self._gallery.passing.doubt(far) if self.appearance.adapt else far
            known = not self.appearance.adapt or self._gallery.passing.same.count >= KNOWN
            fused = np.where(price < gate, self.appearance.fuse(price, near, unsure, known), np.inf)
            price = np.where(clear, price, np.where(fused < gate, fused + self.appearance.extra(unsure), np.inf))
            top += self.appearance.weight
        if bonus is not None:
            price = np.where(price < top, price - bonus[block], np.inf)
            top += 0.5
        r, c = assign(price, top)
        if self.listener is not None:
            told, extra = None if far is None else far * self._gallery.stretch, None if bonus is None else bonus[block]
            self.listener.paired(Pairing(stage, rows, columns, near, cost[block], gate, told, unsure, extra, price, top, np.column_stack([r, c])))
        if len(r) == 0:
            return
        self._owner[columns[c]] = rows[r]
        self._taken[rows[r]] = True
        looks = np.full(len(r), np.nan) if far is None else far[r, c] * self._gallery.stretch
        self._decisions.append((stage, columns[c], near[r, c], looks, price[r, c]))

    def _absorb(self, seen: Seen) -> None:
        """Lets the matched tracks learn from their detections."""
        columns = np.flatnonzero(self._owner >= 0)
        if len(columns) == 0:
            return
        table, rows, boxes = self._table, self._owner[columns], seen.boxes[columns]
        measured = self.motion.measure(boxes)
        table["mean"][rows], table["covariance"][rows] = self.motion.update(table["mean"][rows], table["covariance"][rows], measured)
        broken = (table["missed"][rows] > 1) & (table["id"][rows] == 0)
        self._watch(seen, rows, columns)
        table["hits"][rows] = np.where(broken, 0, table["hits"][rows]) + 1
        table["missed"][rows] = 0
        table["box"][rows], table["class"][rows] = boxes, seen.classes[columns]
        self._learn(seen, rows, columns)

    def _learn(self, seen: Seen, rows: np.ndarray, columns: np.ndarray) -> None:
        if seen.vectors is None or self.appearance is None:
            return
        table = self._table
        overlap = iou_matrix(seen.boxes[columns], seen.boxes[columns])
        plain = (overlap > HIDDEN).sum(1) == 1
        sure = (seen.scores[columns] >= self._sure()) & (plain | (table["learned"][rows] == 0))
        rows, columns = rows[sure], columns[sure]
        table["vector"][rows], table["learned"][rows] = self.appearance.learn(table["vector"][rows], table["learned"][rows], seen.vectors[columns])
        first = rows[(table["learned"][rows] >= SETTLED) & (table["settled"][rows] == 0)]
        table["early"][first], table["settled"][first] = table["vector"][first], self.clock

    def _watch(self, seen: Seen, rows: np.ndarray, columns: np.ndarray) -> None:
        """Learns which distances of looks are usual from what is beyond doubt, boxes that fit one track alone; until there is enough of
        that, from all boxes that fit."""
        if seen.vectors is None or self.appearance is None or self._apart is None:
            return
        table, gallery = self._table, self._gallery
        settled = table["settled"][rows] > 0
        gallery.watch(table["vector"][rows[settled]])
        clear = settled & self._clear[rows, columns]
        if gallery.passing.same.count < KNOWN:
            near = self._apart[rows, columns][self._fits[rows, columns] & ~clear]
            gallery.passing.same.add(near[np.isfinite(near)])
        gallery.passing.learn(self._apart[np.ix_(rows[clear], columns[clear])])
        old = rows[clear & (self.clock - table["settled"][rows] >= LASTING * self.rate)]
        gallery.lasting.learn((1 - table["early"][old] @ table["vector"][old].T) / 2)

    def _sure(self) -> float:
        """Least score of a detection whose look is learned."""
        return min(self.life.new, 0.6)

    def _retire(self) -> None:
        """Ends tracks that were not seen for too long; the looks of confirmed ones go to the gallery."""
        table, missed = self._table, self._table["missed"]
        if not missed.any():
            return
        ends = missed > self._keep
        if not self.life.patient:
            ends |= (missed > 0) & (table["id"] == 0)
        if ends.any():
            kept = ends & (table["id"] > 0) & (table["learned"] > 0)
            self._gallery.store(table["id"][kept], table["vector"][kept], table["class"][kept], self.clock - missed[kept])
            self._drop(~ends)

    def _drop(self, kept: np.ndarray) -> None:
        """Removes tracks; the detections' owners are counted anew."""
        moved = np.where(kept, np.cumsum(kept) - 1, -1)
        self._owner = np.where(self._owner >= 0, moved[self._owner], -1) if len(moved) else self._owner
        self._table.keep(kept)

    def _begin(self, seen: Seen) -> None:
        """New tracks from what nothing was matched with."""
        columns = np.flatnonzero((self._owner < 0) & (seen.scores >= self.life.new))
        if len(columns) == 0:
            return
        rows = np.arange(len(columns)) + len(self._table)
        self._table.add(self._born(seen.boxes[columns], seen.classes[columns]))
        self._owner[columns] = rows
        self._learn(seen, rows, columns)

    def _confirm(self) -> None:
        """Numbers for the tracks that have been seen often enough: an old one where the look is known, else the next."""
        table = self._table
        if table["fresh"].any():
            table["fresh"] &= self.clock - table["birth"] <= self.frames(YOUNG)
        if self._width:
            self._recall(self._ripe() | table["fresh"])
        ripe = self._ripe()
        count = int(np.count_nonzero(ripe))
        if count:
            table["id"][ripe] = np.arange(1, count + 1) + self._last_id
            table["fresh"][ripe] = True
            self._last_id += count

    def _ripe(self) -> np.ndarray:
        """(N,) bool, tracks without a number that were seen often enough to get one."""
        table = self._table
        waiting = (table["id"] == 0) & (table["missed"] == 0)
        return waiting if self.clock <= self.life.at_once else waiting & (table["hits"] >= self.life.confirm)

    def _recall(self, asked: np.ndarray) -> None:
        """Looks for tracks that are taken up again among `asked` (N,) bool."""
        table = self._table
        asked = asked & (table["learned"] > 0) & (table["missed"] == 0)
        if not asked.any():
            return
        lost = (table["id"] > 0) & (table["missed"] > 0) & (table["learned"] > 0)
        if not (len(self._gallery) or lost.any()):
            return
        new = np.flatnonzero(asked)
        known = (table["id"][lost], table["vector"][lost], table["class"][lost], self.clock - table["missed"][lost])
        compared = self._gallery.compare(table["vector"][new], table["class"][new], table["birth"][new], known)
        pairs = self._gallery.choose(compared)
        if self.listener is not None:
            self.listener.recalled(self._told_of(new, compared))
        if not pairs:
            return
        numbers = np.array([number for _, number, _ in pairs])
        gone = np.isin(table["id"], numbers)
        for place, number, distance in pairs:
            row = int(new[place])
            table["id"][row], table["fresh"][row] = number, False
            column = int(np.flatnonzero(self._owner == row)[0])
            self._recalled.append((column, number, distance))
        self._gallery.forget(numbers)
        if gone.any():
            self._drop(~gone)

    def _told_of(self, new: np.ndarray, compared: Compared) -> Recall:
        """What a listener hears of new tracks (K,), by their places, beside old ones."""
        columns = (self._owner[:, None] == new).argmax(0)
        doubt, looks = self._gallery.doubt(compared), compared.far * self._gallery.stretch
        return Recall(columns, compared.ids, self.clock - compared.last, looks, doubt, compared.together, compared.foreign)

    def _result(self, found: Detections, seen: Seen) -> Detections:
        table = self._table
        numbers = np.where(self._owner >= 0, table["id"][self._owner], 0) if len(table) else np.zeros(len(seen.boxes), np.int64)
        self._told = (numbers, seen.places)
        if self.listener is not None:
            self.listener.numbered(numbers)
        self._recalled = [(int(seen.places[column]), number, distance) for column, number, distance in self._recalled]
        tracks = np.zeros(len(found), np.int64)
        tracks[seen.places] = numbers
        label = replace(found, tracks=tracks)
        return label if tracks.all() else label[tracks > 0]
