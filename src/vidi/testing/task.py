"""The conformance kit of tasks."""

from __future__ import annotations

import numpy as np

from vidi.core import discovery
from vidi.core.dataset import Dataset
from vidi.core.task import Task
from vidi.labels import FAMILIES, Classification, Embedding, Label
from vidi.metrics._evaluate import evaluate
from vidi.model import build_net


class TaskFault(Exception):
    """A task breaks its contract."""


def check_task(name: str) -> None:
    """Check one task: its toy data, metrics, default net and head belong together, and perfect predictions score perfectly.

    Raises:
        TaskFault: what does not hold.
        ChoiceError: a name the task mentions answers to nothing.
    """
    task = discovery.member(discovery.load("tasks", name), "task", "tasks")
    _require(isinstance(task, Task), "`task` must be a vidi.core.task.Task")
    _require(task.family in FAMILIES, f"unknown label family {task.family}")
    data = task.toy(24, 0)
    _check_toy(task, data)
    net = build_net(task.net((32, 32)), task.head, data.space, {})
    _require(net.space == data.space, "the net's space is not the data's")
    for metric in task.metrics:
        discovery.load("metrics", metric)
    perfect = evaluate(task.metrics, data.labels, [_perfect(label, net.predicts.family) for label in data.labels if label is not None], data.space, intervals=0)
    _require(task.primary in perfect.numbers, f"primary number {task.primary} is not among the metrics' numbers")
    best = perfect.numbers[task.primary]
    _require(best is not None and abs(best - (1.0 if task.higher_is_better else 0.0)) < 1e-6, f"perfect predictions give {task.primary} {best}")


def _perfect(label: Label, family: str) -> Label:
    """The best prediction of a family for a truth: itself, or for a class, as a vector, the axis of the class."""
    return Embedding(label.probabilities) if family == Embedding.family and isinstance(label, Classification) else label


def _check_toy(task: Task, data: Dataset) -> None:
    _require(len(data) == 24, "toy(24) must give 24 samples")
    _require(data.space is not None and task.fits(data.space), "the toy data's labels do not fit the task")
    _require(len({sample.id for sample in data}) == 24, "toy samples need ids of their own")
    again, other = task.toy(24, 0), task.toy(24, 1)
    same = all(np.array_equal(a.inputs["image"], b.inputs["image"]) for a, b in zip(data, again))
    _require(same and data.fingerprint() == again.fingerprint(), "toy data must be the same for the same seed")
    _require(data.fingerprint() != other.fingerprint(), "toy data must differ between seeds")
    _require({"train", "val", "test"} <= set(data.splits), "toy data needs train, val and test samples")


def _require(holds: bool, fault: str) -> None:
    if not holds:
        raise TaskFault(fault)
