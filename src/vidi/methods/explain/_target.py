"""What is explained: a number for each picture, read from a net's raw outputs."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from vidi.core.net import Net
from vidi.ops.divergence import evidence

Raw = Mapping[str, Tensor]
NOBODY = -1
"""In place of a rival class: there is none."""


class Target(ABC):
    """What is explained of the pictures of a batch. Calling it with the net's raw outputs gives the number, (B,).

    Args:
        net: whose raw outputs are read.
        words: what is explained of each picture, for people.
        others: the net's inputs besides the pictures.

    Attributes:
        thing: one thing among several is explained.
        local: it is decided place by place, so that means over a whole map say little.
        row_fields: attributes with one row per picture.
    """

    thing: ClassVar[bool] = False
    local: bool = False
    row_fields: ClassVar[tuple[str, ...]] = ()

    def __init__(self, net: Net, words: Sequence[str], others: Mapping[str, Tensor] | None = None):
        self.net, self.words, self.others = net, list(words), dict(others or {})

    @abstractmethod
    def __call__(self, raw: Raw) -> Tensor:
        """The number that is explained, (B,), differentiable in the raw outputs."""

    def support(self, raw: Raw) -> Tensor:
        """The same for those who only compare numbers, (B,); need not be differentiable."""
        return self(raw)

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, rows: Tensor) -> Target:
        """The target of some of the pictures, by indices (K,) int64."""
        part = copy.copy(self)
        part.words = [self.words[i] for i in rows.tolist()]
        part.others = {name: value[rows] for name, value in self.others.items()}
        for name in self.row_fields:
            setattr(part, name, _rows(getattr(self, name), rows))
        return part

    def on(self, net: Net) -> Target:
        """The same target, read from another net."""
        part = copy.copy(self)
        part.net = net
        return part

    def outputs(self, images: Tensor) -> dict[str, Tensor]:
        """Raw outputs for pictures (B, 3, H, W) in 0..1."""
        return self.net({"image": images, **self.others})

    @torch.no_grad()
    def look(self, images: Tensor) -> Tensor:
        """`support` of pictures (B, 3, H, W) in 0..1, (B,)."""
        return self.support(self.outputs(images)).float()


def _rows(value: Any, rows: Tensor) -> Any:
    if isinstance(value, Mapping):
        return {key: part[rows] for key, part in value.items()}
    if isinstance(value, Target) or isinstance(value, Tensor):
        return value[rows]
    return value


class Evidence(Target):
    """How strongly the raw outputs support what those of the clean picture decided, `vidi.ops.divergence.evidence`.

    A vector supports itself best, so that nothing could raise its evidence; outputs of kind ``vector`` are therefore told apart from
    those of the blurred picture: the cosine with the clean picture's vector minus that with the blurred one's.

    Args:
        reference: raw outputs of the clean pictures.
        blurred: raw outputs of the blurred pictures; needed where a kind is ``vector``.
    """

    row_fields = ("reference", "blurred")

    def __init__(self, net: Net, reference: Raw, blurred: Raw | None = None, words: Sequence[str] = (), others: Mapping[str, Tensor] | None = None):
        count = len(next(iter(reference.values())))
        super().__init__(net, words or ["what was decided"] * count, others)
        self.vectors = {key: kind for key, kind in net.kinds.items() if kind == "vector"}
        self.reference = {key: reference[key].detach() for key, kind in net.kinds.items() if kind != "aux"}
        self.local = any(value.ndim > 3 for value in self.reference.values())
        self.blurred = {} if blurred is None else {key: blurred[key].detach() for key in self.vectors}

    def __call__(self, raw: Raw) -> Tensor:
        own = evidence(raw, self.reference, self.net.kinds)
        return own - evidence(raw, self.blurred, self.vectors) if self.blurred else own


class ClassScore(Target):
    """For one class of the whole picture: its log-odds where classes exclude each other, else its logit; with a rival, the difference
    of both logits.

    Args:
        key: raw output (B, C).
        index: (B,) int64, the class.
        rival: (B,) int64, the class it is held against; −1: all others.
    """

    row_fields = ("index", "rival")

    def __init__(
        self, net: Net, key: str, index: Tensor, rival: Tensor, words: Sequence[str], others: Mapping[str, Tensor] | None = None
    ):  # fmt: skip
        super().__init__(net, words, others)
        self.key, self.index, self.rival = key, index, rival

    def __call__(self, raw: Raw) -> Tensor:
        return class_score(raw[self.key].float(), self.index, self.rival, self.net.kinds[self.key] == "categorical")


def class_score(logits: Tensor, index: Tensor, rival: Tensor, exclusive: bool) -> Tensor:
    """Of logits (B, C, …), the score of a class (B,) against a rival (B,), or against all others where that is −1: (B, …)."""

    def at(places: Tensor) -> Tensor:
        places = places.clamp_min(0).view(-1, *[1] * (logits.ndim - 1))
        return logits.gather(1, places.expand(-1, 1, *logits.shape[2:])).squeeze(1)

    own, other = at(index), at(rival)
    if exclusive and logits.shape[1] > 1:
        places = index.view(-1, *[1] * (logits.ndim - 1)).expand(-1, 1, *logits.shape[2:])
        rest = logits.scatter(1, places, float("-inf")).logsumexp(1)
    else:
        rest = torch.zeros_like(own)
    return own - torch.where((rival >= 0).view(-1, *[1] * (own.ndim - 1)), other, rest)


class ValueScore(Target):
    """A value as it is: what raises it.

    Args:
        key: raw output (B, D).
        index: (B,) int64.
    """

    row_fields = ("index",)

    def __init__(self, net: Net, key: str, index: Tensor, words: Sequence[str], others: Mapping[str, Tensor] | None = None):
        super().__init__(net, words, others)
        self.key, self.index = key, index

    def __call__(self, raw: Raw) -> Tensor:
        return raw[self.key].float().gather(1, self.index[:, None]).squeeze(1)


class RegionScore(Target):
    """A class of a class map: its score (see `class_score`), averaged over the pixels that were given it on the clean picture.

    Args:
        key: raw output (B, C, H, W).
        region: (B, H, W) bool; where it is empty, all pixels count.
    """

    local = True
    row_fields = ("index", "rival", "region")

    def __init__(
        self, net: Net, key: str, index: Tensor, rival: Tensor, region: Tensor, words: Sequence[str], others: Mapping[str, Tensor] | None = None
    ):  # fmt: skip
        super().__init__(net, words, others)
        self.key, self.index, self.rival = key, index, rival
        self.region = region | ~region.flatten(1).any(1)[:, None, None]

    def __call__(self, raw: Raw) -> Tensor:
        scores = class_score(raw[self.key].float(), self.index, self.rival, self.net.kinds[self.key] == "categorical")
        return (scores * self.region).sum((1, 2)) / self.region.sum((1, 2))
