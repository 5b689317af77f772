"""What every defense is: something that makes another model out of a model, and what it has to say about that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from vidi.core.calls import parse_call
from vidi.core.dataset import Dataset
from vidi.core.discovery import make
from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.core.task import Task
from vidi.engine.evaluate import Scored
from vidi.errors import InputError
from vidi.labels import Label
from vidi.model import Model

ROOM = "methods/defend"


class Budget(Protocol):
    """How far a picture may be changed: a norm (``linf``, ``l2``, ``l1``) and a size in units of the pixel range 0..1."""

    @property
    def norm(self) -> str: ...

    @property
    def size(self) -> float: ...

    def project(self, images: Tensor, clean: Tensor) -> Tensor:
        """Pictures (B, C, H, W) brought back into the ball around the clean ones, and into 0..1."""

    def start(self, clean: Tensor, draw: Draw) -> Tensor:
        """Random pictures of the ball, (B, C, H, W)."""

    def noise(self, clean: Tensor, draw: Draw) -> Tensor:
        """Pictures with random noise of the full size."""


class Perturb(Protocol):
    """An attack at the budget, ready to use: projected gradient ascent with random starts."""

    def __call__(self, net: nn.Module, images: Tensor, labels: Sequence[Label] | None, steps: int, draw: Draw) -> Tensor:
        """Changed pictures in 0..1 within the budget; the net, its mode and its parameters stay as they are.

        Args:
            net: a `Net` (or what forwards like one, with its ``loss`` and ``kinds``), on the pictures' device.
            images: (B, 3, H, W) float in 0..1.
            labels: the truth on the canvas; None: away from what the net says of the clean pictures.
            steps: of the ascent.
            draw: randomness, one row per picture.
        """


class Transfer(Protocol):
    """The attack that was made for the undefended model, shown to another one."""

    def __call__(self, other: Model, /) -> tuple[Sequence[bool], Sequence[bool]]:
        """By picture that the verb attacked: whether the other model is right on it when clean, and whether the attacked picture fools it."""


class Before(Protocol):
    """The undefended model under the verb's attack: its scores on the canvases, clean and attacked, and by picture whether the model was right
    and whether the attack fooled it."""

    clean: Scored
    robust: Scored
    right: Sequence[bool]
    fooled: Sequence[bool]


@dataclass(frozen=True)
class Work:
    """What a defense is given.

    Args:
        model: to be defended; its net is on `device`, and must be left as it is.
        task_name, task: what it does.
        dataset: labeled, with classes in the model's order; every sample has a split (``train``, ``val`` or ``test``).
        budget: of the attacker.
        attack: an attack at the budget, for training and for findings. Methods do not import one another's folders, so it is handed in.
        file: where the model lies on disk.
        folder: ``project/task/name``, where the model, its report and what else is written go.
        minutes, epochs: how long to train; None: the method's own choice.
        settings: recipe keys of a training, as they were given.
        fresh: train from random weights instead of the model's.
        look: let the doctor look at the data before a training.
        resume: go on with an interrupted run.
        override: settings in which a resumed run may differ.
        exist_ok: start over in a folder that already holds a run.
        device: where everything runs.
        batch: pictures per step of all that is no training.
        seed: of everything random that is no training.
        split: the split that the verb scores on; its labels must not be learned from.
        before: for findings: the undefended model under the verb's attack; None until that was done.
        transfer: for findings: the verb's attack on the undefended model, shown to another; None until that was attacked.
    """

    model: Model
    task_name: str
    task: Task
    dataset: Dataset
    budget: Budget
    attack: Perturb
    file: str = ""
    folder: Path = Path("runs/task/defend")
    minutes: float | None = None
    epochs: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    fresh: bool = False
    look: bool = True
    resume: bool = False
    override: Sequence[str] = ()
    exist_ok: bool = False
    device: torch.device = torch.device("cpu")
    batch: int = 64
    seed: int = 0
    split: str = "test"
    before: Before | None = None
    transfer: Transfer | None = None

    @property
    def net(self) -> Net:
        return self.model.net


@dataclass
class Findings:
    """What a defense adds to the report.

    Args:
        numbers: by name; None where not computable.
        intervals: lower and upper end by number's name.
        n: how many things a number was computed from.
        sections: tables, plots and pictures, see `vidi.report`.
        notes: sentences that are printed.
        verdict: ``better`` or ``not better`` and why, of a defense that changes no prediction; None: by the robust scores.
    """

    numbers: dict[str, float | None] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    n: dict[str, int] = field(default_factory=dict)
    sections: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    verdict: tuple[str, str] | None = None


class Defense(ABC):
    """A way to harden a model. A file of ``methods/defend`` defines ``defense(**settings) -> Defense``.

    Attributes:
        name: the file's name.
        trains: trains the model: settings of a recipe, ``fresh``, ``resume``, ``minutes`` and ``epochs`` make sense.
    """

    name: ClassVar[str]
    trains: ClassVar[bool] = False

    def check(self, work: Work) -> None:
        """Called before anything costs time; the data set is read and split.

        Raises:
            InputError: the method cannot work with this model, budget or data; `fix` names the alternative.
        """
        return None

    @abstractmethod
    def harden(self, work: Work) -> Model:
        """The defended model, a new one on the same device; the verb writes its lineage and its file."""

    def attacked(self, work: Work, model: Model) -> Net:
        """The net that is attacked and scored for the defended model, with gradients that help the attacker. Default: the model's own; else
        one that stands for what the defense promises (the mean of several draws), whose scores are not those of the model's file."""
        return model.net

    def findings(self, work: Work, model: Model) -> Findings:
        """What else there is to say about the defended model: certificates, curves of detection. Default: nothing."""
        return Findings()


def make_defense(text: str) -> tuple[Defense, dict[str, Any]]:
    """The defense that ``name(key=value, …)`` means, and its settings.

    Raises:
        RecipeError: not of this form.
        ChoiceError: no such method.
        InputError: settings that it does not have or refuses.
    """
    name, settings = parse_call(text, "method")
    return make(ROOM, "defense", name, settings, value=text, fix="see `vidi list defenses`"), settings


def between(low: float, high: float, **values: float | None) -> None:
    """
    Raises:
        InputError: a setting is not a number, or lies outside.
    """
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InputError("not a number", at=name, value=value)
        if not low <= value <= high:
            raise InputError("out of range", at=name, value=value, fix=f"{low:g} to {high:g}")
