"""A row of the matrix: a task's toy data and a net that is trained on it once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import vidi
from vidi.core.dataset import Dataset, Sample
from vidi.core.discovery import load, member
from vidi.core.task import Task
from vidi.errors import InputError, VidiError
from vidi.testing.matrix import _toys
from vidi.testing.matrix._cell import NoModel

if TYPE_CHECKING:
    from vidi.model import Model


@dataclass
class Row:
    """A task and a net.

    Args:
        task_name: a name of ``tasks``, or the path of a .py file.
        net: a name of ``nets``, or the path of a .py file.
        options: the net's settings.
        name: for the table.
        home: an empty folder of the row's own.

    Attributes:
        task: the Task.
        data: its toy data; the test part is met in no training.
    """

    task_name: str
    net: str
    options: dict[str, Any]
    name: str
    home: Path
    failed: Exception | None = field(default=None, init=False)
    _folders: int = field(default=0, init=False)

    @cached_property
    def task(self) -> Task:
        return member(load("tasks", self.task_name), "task", "tasks")

    @cached_property
    def data(self) -> Dataset:
        return self.task.toy(_toys.count_of(self.task_name), 0)

    def some(self, count: int, split: str = "test") -> Dataset:
        """The first samples of a part."""
        part = self.data.split(split)
        return part.with_samples(part.samples[:count])

    def few(self, count: int) -> Dataset:
        """A small data set with all parts, in their order."""
        return self.task.toy(count, 1)

    def pictures(self, count: int) -> Dataset:
        """Held-out pictures without labels."""
        part = self.some(count)
        return part.with_samples(Sample(one.id, one.inputs, None, None, one.group, None, one.extra) for one in part)

    def folder(self) -> Path:
        """A name for a new folder."""
        self._folders += 1
        return self.home / f"{self._folders:03d}"

    @property
    def code(self) -> list[str]:
        """Python files that the row is made of."""
        return [name for name in (self.task_name, self.net) if name.endswith(".py")]

    def settings(self) -> dict[str, Any]:
        """What `vidi.train` is given, without data and place."""
        return {"task": self.task_name, "net": self.net, "net_options": self.options, "doctor": False, **_toys.recipe_of(self.task_name)}

    @cached_property
    def path(self) -> Path:
        """The trained model's file.

        Raises:
            InputError: the task cannot be trained with this net.
            NoModel: training failed before.
        """
        if isinstance(self.failed, InputError):
            raise self.failed
        if self.failed is not None:
            raise NoModel("there is no model: training failed")
        try:
            vidi.train(self.data, project=str(self.home / "runs"), name="row", **self.settings())
        except Exception as error:
            self.failed = error
            raise
        return next((self.home / "runs").glob("*/row/weights/last.vidi"))

    @property
    def model(self) -> Model:
        """The trained model, loaded anew: what a check does to it nobody else sees."""
        return vidi.load(self.path, code=self.code)

    def better(self, one: float | None, other: float | None) -> bool:
        """Whether a primary number is strictly better than another; unknown ones are not."""
        if one is None or other is None:
            return False
        return one > other if self.task.higher_is_better else one < other


def raw_outputs(model: Model, data: Dataset) -> dict[str, torch.Tensor]:
    """What a model's net says of pictures, by raw key."""
    images, _ = model.load([sample.inputs["image"] for sample in data])
    return model.runner({"image": images})


def same_raw(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether raw outputs are equal bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def rows(tasks: list[str], nets: list[str] | None, home: Path) -> Iterator[tuple[Row, VidiError | None]]:
    """A row for each task with its default net, or with each of `nets`; the error is why a net does not offer a task."""
    from vidi.engine.prepare import choose_size, choose_whole
    from vidi.model import build_net

    for task_name in tasks:
        task = member(load("tasks", task_name), "task", "tasks")
        small = task.toy(8, 0)
        size = choose_whole(small) if task.whole else choose_size(small)[0]
        short = Path(task_name).stem if task_name.endswith(".py") else task_name
        for text in nets if nets is not None else [task.net(size)]:
            name, options = _toys.net_of(text, task.head)
            own = Path(name).stem if name.endswith(".py") else name
            title = short if nets is None else f"{short} · {own}"
            row, refused = Row(task_name, name, options, title, home / title.replace(" · ", "-")), None
            if nets is not None:
                try:
                    build_net(name, task.head, small.space, options)
                except VidiError as error:
                    refused = error
            yield row, refused
