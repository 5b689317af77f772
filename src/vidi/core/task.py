"""What makes a task a task: a label family and the facts that verbs need, and no network code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vidi.core.dataset import Dataset
from vidi.core.space import Space


@dataclass(frozen=True, slots=True)
class Task:
    """One task, defined by one file of the ``tasks`` room.

    Args:
        family: the label family's name.
        exclusive: for classes: exactly one holds.
        head: the head (``nets/heads``) that classification-like nets get.
        net: picks the default net from the input size (height, width).
        metrics: names in the ``metrics`` room, in printing order.
        primary: the number that chooses the best epoch.
        higher_is_better: whether a larger primary number is better.
        augment: the default augmentations, as recipe entries.
        toy: makes a small labeled data set of n samples from a seed, for tests and demos.
        columns: how a table's label columns are read: ``class``, ``classes`` or ``numbers``; None: not from tables.
        meaning: one sentence for ``vidi list tasks``.
        demo: the built-in sample set and recipe settings of ``vidi demo``; None: toy data and defaults.
        whole: the input shows all of a picture in its own shape (letterboxed, sides multiples of 32) unless set otherwise.
        recipe: settings that suit the task, where neither the user nor the net says otherwise.
        watch: the metrics computed after every epoch; empty: all of them.
        adapt: makes labels of the task's kind out of those of another kind that hold as much (class maps out of outlines), and gives
            back what it cannot use; None: only labels of the task's own kind will do.
    """

    family: str
    head: str
    net: Callable[[tuple[int, int]], str]
    metrics: tuple[str, ...]
    primary: str
    toy: Callable[[int, int], Dataset]
    meaning: str
    exclusive: bool = True
    higher_is_better: bool = True
    augment: tuple[str, ...] = ()
    columns: str | None = None
    demo: tuple[str, Mapping[str, object]] | None = None
    whole: bool = False
    recipe: Mapping[str, object] = field(default_factory=dict)
    watch: tuple[str, ...] = ()
    adapt: Callable[[Dataset], Dataset] | None = None

    def fits(self, space: Space) -> bool:
        """Whether labels of this meaning belong to the task."""
        return space.family == self.family and space.exclusive == self.exclusive

    def adapted(self, dataset: Dataset) -> Dataset:
        """The data set with labels of the task's kind, where they can be had from those it has; else the data set itself."""
        if self.adapt is None or dataset.space is None or self.fits(dataset.space):
            return dataset
        return self.adapt(dataset)
