"""The contract of a net: three questions, no mode flag."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from vidi.core.kinds import Kind
from vidi.core.space import Space
from vidi.labels import Label

RAW_KINDS = ("categorical", "bernoulli", "euclidean", "vector", "aux")


class Net(nn.Module, ABC):
    """Maps inputs to raw outputs, scores raw outputs against labels, and turns raw outputs into labels.

    Attributes:
        inputs: the kind of each input, by name.
        kinds: what each raw output is: ``categorical`` logits (softmax over dim 1), ``bernoulli`` logits (sigmoid), ``euclidean``
            values, ``vector`` (compared by angle) or ``aux`` (not part of the decision).
        space: what the labels mean.
    """

    inputs: Mapping[str, Kind]
    kinds: Mapping[str, str]
    space: Space

    @property
    def predicts(self) -> Space:
        """What predictions mean: the same as truth, unless the head answers in another family (`Head.predicts`)."""
        family = getattr(getattr(self, "head", None), "predicts", None)
        return self.space if family in (None, self.space.family) else Space(family)

    @abstractmethod
    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Raw outputs, with the same keys for every input; always ``features`` (B, D). Never sees ground truth."""

    @abstractmethod
    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Label]) -> dict[str, Tensor]:
        """Named parts of the loss, each (B,). Their sum is what training minimizes."""

    @abstractmethod
    def decode(self, raw: Mapping[str, Tensor]) -> list[Label]:
        """One label per sample, in tensor pixels."""

    @abstractmethod
    def stages(self) -> dict[str, nn.Module]:
        """The net's parts by name, from input to output; they partition its parameters. Used to freeze, to decay the learning
        rate by depth, and to extract features."""

    def prepare(self, inputs: Mapping[str, Tensor]) -> None:
        """Called once with real inputs before training from scratch, for initial values that depend on data."""

    def fit_labels(self, labels: Sequence[Label]) -> None:
        """Called once with the training labels before training, for initial values that depend on them."""
