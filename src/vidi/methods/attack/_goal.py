"""What an attacker wants: a number for each picture, from a net's raw outputs, that is to rise."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from vidi.core.net import Net
from vidi.errors import InputError
from vidi.labels import Label
from vidi.ops.divergence import divergence, evidence

Raw = Mapping[str, Tensor]
AWAY = "away"


class Goal(ABC):
    """The goal for the pictures of a batch. Calling it with the net's raw outputs gives what is to rise, (B,).

    Args:
        net: whose loss and kinds of raw outputs are used; on its device.
        labels: one per picture.
        others: the net's inputs besides the pictures.
        leeway: differences of labels that do not count as fooled, see `Label.contradicts`.

    Attributes:
        toward: predictions shall come near the labels, instead of leaving them.
        flat: the gradient vanishes on the clean pictures, so that a search must begin beside them.
        decisive: one number for each class decides, and `margin` can be asked for.
        rivals: see `against`.
    """

    toward = False
    flat = False

    def __init__(self, net: Net, labels: Sequence[Label], *, others: Mapping[str, Tensor] | None = None, leeway: np.ndarray | None = None):
        self.net, self.labels, self.others, self.leeway = net, list(labels), dict(others or {}), leeway
        self.rivals: Tensor | None = None
        self.key = _deciding(net)
        decisions = [label.decision() for label in self.labels]
        known = [decision for decision in decisions if decision is not None]
        self.truth: Tensor | None = None
        if self.key is not None and known and len(known) == len(decisions):
            self.truth = torch.from_numpy(np.stack(known)).to(next((p.device for p in net.parameters()), "cpu"))

    @abstractmethod
    def __call__(self, raw: Raw) -> Tensor:
        """What is to rise, (B,), differentiable in the raw outputs."""

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Tensor) -> Goal:
        """The goal for some of the pictures, by indices (K,) int64."""
        part = copy.copy(self)
        part.labels = [self.labels[i] for i in rows.tolist()]
        part.truth = None if self.truth is None else self.truth[rows]
        part.rivals = None if self.rivals is None else self.rivals[rows]
        part.others = {name: value[rows] for name, value in self.others.items()}
        return part

    def against(self, rivals: Tensor) -> Goal:
        """The same goal with another class for each picture, (B,) int64, that targeted measures are after."""
        part = copy.copy(self)
        part.rivals = rivals
        return part

    @property
    def decisive(self) -> bool:
        return self.truth is not None

    @property
    def exclusive(self) -> bool:
        """Whether exactly one class holds."""
        return self.decisive and self.key is not None and self.net.kinds[self.key] == "categorical"

    @property
    def classes(self) -> Tensor:
        """(B,) int64, the class of each label, of classes that exclude each other; −1 where it is not known."""
        truth = self._truth()
        unknown = truth.isnan().all(1)
        return truth.nan_to_num(-1.0).argmax(1).masked_fill(unknown, -1)

    def logits(self, raw: Raw) -> Tensor:
        """The number of each class, (B, C)."""
        return raw[self.key].float() if self.key is not None else self._truth()

    def margin(self, raw: Raw) -> Tensor:
        """By how much the picture is over the border between right and wrong, (B,) in logits: positive where the goal is reached.

        Classes that exclude each other: the best other class before the true one (or the wanted one before the best other). Independent
        classes: the farthest of them (or, of wanted ones, the nearest). A picture of unknown classes has minus infinity.
        """
        logits, truth = self.logits(raw), self._truth()
        if self.exclusive:
            return exclusive_margin(logits, self.classes, self.toward)
        side = torch.where(truth >= 0.5, logits, -logits)
        known = ~truth.isnan()
        if self.toward:
            return torch.where(known.any(1), side.masked_fill(~known, torch.inf).amin(1), -torch.inf)
        return (-side).masked_fill(~known, -torch.inf).amax(1)

    @torch.no_grad()
    def fooled(self, raw: Raw) -> Tensor:
        """Which pictures reach the goal, (B,) bool."""
        if self.decisive:
            return self.margin(raw) > 0
        reached = [self.reached(i, found) for i, found in enumerate(self.net.decode(raw))]
        return torch.tensor(reached, dtype=torch.bool, device=next(iter(raw.values())).device)

    def reached(self, i: int, found: Label) -> bool:
        """Whether a prediction for picture i reaches the goal."""
        return self.labels[i].contradicts(found, self.leeway)

    def _truth(self) -> Tensor:
        if self.truth is None:
            raise ValueError("margin: no number for each class decides here")
        return self.truth


class Away(Goal):
    """Away from labels: the sum of the net's loss parts."""

    def __call__(self, raw: Raw) -> Tensor:
        return _loss(self.net, raw, self.labels)


class Toward(Goal):
    """Toward labels: minus the sum of the net's loss parts.

    Args:
        labels: where predictions shall go.
        truth: where they shall come from.
    """

    toward = True

    def __init__(
        self, net: Net, labels: Sequence[Label], truth: Sequence[Label], *, others: Mapping[str, Tensor] | None = None, leeway: np.ndarray | None = None
    ):  # fmt: skip
        super().__init__(net, labels, others=others, leeway=leeway)
        self.sources = list(truth)

    def __call__(self, raw: Raw) -> Tensor:
        return -_loss(self.net, raw, self.labels)

    def __getitem__(self, rows: Tensor) -> Toward:
        part = super().__getitem__(rows)
        part.sources = [self.sources[i] for i in rows.tolist()]  # type: ignore[attr-defined]
        return part  # type: ignore[return-value]

    def reached(self, i: int, found: Label) -> bool:
        """What was aimed at, or another decision than the truth's that lies nearer to it than the truth does."""
        aim, truth = self.labels[i], self.sources[i]
        return not aim.contradicts(found, self.leeway) or (truth.contradicts(found, self.leeway) and aim.agreement(found) > aim.agreement(truth))


class Apart(Goal):
    """Away from what the net says of the clean pictures; needs no labels. By divergence or, where one number for each class decides, by the
    evidence against the decision: divergence grows as well where a decision is only made firmer.

    Args:
        raw: of the clean pictures.
    """

    def __init__(self, net: Net, raw: Raw, *, others: Mapping[str, Tensor] | None = None, leeway: np.ndarray | None = None):
        super().__init__(net, net.decode(raw), others=others, leeway=leeway)
        self.reference = {key: value.detach() for key, value in raw.items() if net.kinds.get(key, "aux") != "aux"}

        self.flat = not self.decisive

    def __call__(self, raw: Raw) -> Tensor:
        if self.decisive:
            return -evidence(raw, self.reference, self.net.kinds)
        return divergence(self.reference, raw, self.net.kinds)

    def __getitem__(self, rows: Tensor) -> Apart:
        part = super().__getitem__(rows)
        part.reference = {key: value[rows] for key, value in self.reference.items()}  # type: ignore[attr-defined]
        return part  # type: ignore[return-value]


def goal_for(
    net: Net, images: Tensor, labels: Sequence[Label | None] | None, aim: str = AWAY, *, others: Mapping[str, Tensor] | None = None, leeway: np.ndarray | None = None
) -> Goal:  # fmt: skip
    """The goal of an aim for a batch.

    Args:
        net: in evaluation mode, on the pictures' device.
        images: the clean pictures.
        labels: the truth in the pictures' pixels; None: what the net says of the clean pictures stands for it.
        aim: ``away``, or an aim of the label family (`Label.aims`).

    Raises:
        InputError: a picture without a label, labels of another kind than predictions, or an aim that these labels do not have.
    """
    if labels is not None and net.predicts.family != net.space.family:
        raise InputError("these predictions are of another kind than the labels and cannot be led away from them", at="labels", value=net.predicts.family,
                         fix="labels=false")  # fmt: skip
    truth: Sequence[Label]
    if labels is None:
        with torch.no_grad():
            raw = net({"image": images, **(others or {})})
        if aim == AWAY:
            return Apart(net, raw, others=others, leeway=leeway)
        truth = net.decode(raw)
    else:
        truth = [label for label in labels if label is not None]
        if len(truth) < len(labels):
            raise InputError("a picture without a label", at="labels", fix="labels=false attacks what the model says of the clean pictures")
    if aim == AWAY:
        return Away(net, truth, others=others, leeway=leeway)
    aimed = [label.aimed(aim, net.predicts.names or net.space.names) for label in truth]
    wanted = [label for label, _ in aimed]
    if all(near for _, near in aimed):
        return Toward(net, wanted, truth, others=others, leeway=leeway)
    return Away(net, wanted, others=others, leeway=leeway)


def exclusive_margin(logits: Tensor, classes: Tensor, toward: bool = False) -> Tensor:
    """The largest logit but that of a class, minus that of the class, (B,); with `toward` the other way round. Minus infinity where the
    class is −1."""
    own = logits.gather(1, classes.clamp_min(0)[:, None]).squeeze(1)
    best = logits.scatter(1, classes.clamp_min(0)[:, None], -torch.inf).amax(1)
    return torch.where(classes >= 0, own - best if toward else best - own, -torch.inf)


def _deciding(net: Net) -> str | None:
    """The one raw output that decides, where it holds a number for each class of the whole picture."""
    keys = [key for key, kind in net.kinds.items() if kind != "aux"]
    return keys[0] if len(keys) == 1 and net.kinds[keys[0]] in ("categorical", "bernoulli") else None


def _loss(net: Net, raw: Raw, labels: Sequence[Label]) -> Tensor:
    return torch.stack(list(net.loss(raw, labels).values())).sum(0)
