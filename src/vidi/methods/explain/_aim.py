"""From words to what is explained: how it is chosen depends on the family of the predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidi.core.net import Net
from vidi.errors import InputError, nearest
from vidi.labels import Classification, Detections, Embedding, Label, Regression, Segmentation
from vidi.labels._draw import name_of
from vidi.methods.explain._target import NOBODY, ClassScore, Evidence, RegionScore, Target, ValueScore
from vidi.methods.explain._things import ThingScore
from vidi.ops.blur import gaussian_blur


@dataclass(frozen=True, slots=True)
class Scene:
    """Clean pictures and what the net says of them.

    Args:
        images: (B, 3, H, W) in 0..1.
        raw: raw outputs.
        labels: predictions, in canvas pixels.
        others: the net's inputs besides the pictures.
    """

    net: Net
    images: Tensor
    raw: Mapping[str, Tensor]
    labels: Sequence[Label]
    others: Mapping[str, Tensor]

    @property
    def names(self) -> tuple[str, ...]:
        return self.net.predicts.names or self.net.space.names

    def filled(self, value: int) -> Tensor:
        return torch.full((len(self.images),), value, dtype=torch.int64, device=self.images.device)

    def words(self) -> list[str]:
        return [label.words(self.names) for label in self.labels]


@torch.no_grad()
def aim(
    net: Net, images: Tensor, *, target: str | None = None, against: str | None = None, least: np.ndarray | None = None,
    others: Mapping[str, Tensor] | None = None,
) -> tuple[Target, list[Label]]:  # fmt: skip
    """What is explained of a batch of pictures, and the predictions for it in canvas pixels.

    Args:
        net: in evaluation mode.
        images: (B, 3, H, W) in 0..1.
        target: a class or value by name or index; of things, the index of one (by falling score) or a class, whose surest thing is meant;
            None: what was decided, and of things the surest one.
        against: a class, to ask why not that one.
        least: (C,) smallest score per class of things that are looked at.
        others: the net's inputs besides the pictures.

    Raises:
        InputError: no such class, value or thing, or predictions that cannot be asked so.
    """
    raw = net({"image": images, **(others or {})})
    labels = net.decode(raw)
    labels = labels if least is None else [label.confident(least) for label in labels]
    scene = Scene(net, images, raw, labels, others or {})
    family = net.predicts.family
    if family not in CHOICES:
        raise InputError("there is no way yet to choose what is explained of these predictions", at="target", value=family, fix="methods that ask the net only")
    return CHOICES[family](scene, target, against), list(labels)


def blurred(images: Tensor, share: float = 0.125) -> Tensor:
    """Pictures (B, 3, H, W) of which only the coarse colors are left: a Gaussian blur of that share of the longer side."""
    sigma = max(1.0, share * max(images.shape[2:]))
    return gaussian_blur(images, torch.full((len(images),), sigma, device=images.device), max(1, round(3 * sigma)))


def _everything(scene: Scene) -> Target:
    vectors = any(kind == "vector" for kind in scene.net.kinds.values())
    far = scene.net({"image": blurred(scene.images), **scene.others}) if vectors else None
    words = ["what tells it from the blurred picture"] * len(scene.labels) if vectors else scene.words()
    return Evidence(scene.net, scene.raw, far, words, scene.others)


def _class(scene: Scene, target: str | None, against: str | None) -> Target:
    if target is None and against is None:
        return _everything(scene)
    key = _output(scene, ("categorical", "bernoulli"), 2)
    rival = NOBODY if against is None else find_index(against, scene.names, "against")
    logits = scene.raw[key]
    index = logits.argmax(1) if target is None else scene.filled(find_index(target, scene.names, "target"))
    words = [f"{name_of(i, scene.names)}{_versus(rival, scene.names)}" for i in index.tolist()]
    return ClassScore(scene.net, key, index, scene.filled(rival), words, scene.others)


def _value(scene: Scene, target: str | None, against: str | None) -> Target:
    if against is not None:
        raise InputError("values do not exclude each other", at="against", value=against, fix="leave against out, and name a value by target")
    if target is None:
        return _everything(scene)
    key = _output(scene, ("euclidean",), 2)
    names = scene.names or tuple(map(str, range(scene.raw[key].shape[1])))
    index = find_index(target, names, "target")
    words = [f"{names[index]} {float(value):.3g}" for value in scene.raw[key][:, index]]
    return ValueScore(scene.net, key, scene.filled(index), words, scene.others)


def _vector(scene: Scene, target: str | None, against: str | None) -> Target:
    if target is not None or against is not None:
        raise InputError("these predictions are vectors, of which no part means something alone", at="target", value=target or against, fix="leave target and against out")
    return _everything(scene)


def _region(scene: Scene, target: str | None, against: str | None) -> Target:
    if target is None:
        if against is not None:
            raise InputError("against which class is clear, but not which class of the map", at="target", fix="target=CLASS")
        return _everything(scene)
    key = _output(scene, ("categorical", "bernoulli"), 4)
    index = find_index(target, scene.names, "target")
    rival = NOBODY if against is None else find_index(against, scene.names, "against")
    region = scene.raw[key].argmax(1) == index
    shares = region.float().mean((1, 2)).tolist()
    places = [f"{share:.1%} of the picture" if share else "found nowhere: all pixels" for share in shares]
    words = [f"{name_of(index, scene.names)}{_versus(rival, scene.names)}, {place}" for place in places]
    return RegionScore(scene.net, key, scene.filled(index), scene.filled(rival), region, words, scene.others)


def _thing(scene: Scene, target: str | None, against: str | None) -> Target:
    place, wanted = 0, None
    if target is not None and target in scene.names:
        wanted = scene.names.index(target)
    elif target is not None:
        if not target.isdecimal():
            raise _unknown(target, scene.names, "target", "the index of a thing, by falling score, or a class")
        place = int(target)
    rival = NOBODY if against is None else find_index(against, scene.names, "against")
    count = len(scene.labels)
    boxes, classes, known, words = np.zeros((count, 4), np.float32), np.zeros(count, np.int64), np.zeros(count, bool), []
    for i, label in enumerate(scene.labels):
        own: Detections = label  # type: ignore[assignment]
        found = np.arange(len(own)) if wanted is None else np.flatnonzero(own.classes == wanted)
        if place >= len(found):
            words.append("nothing found: all outputs" if place == 0 else "no such thing: all outputs")
            continue
        thing = found[place]
        boxes[i], classes[i], known[i] = own.boxes[thing], own.classes[thing], True
        corners = ", ".join(f"{side:.0f}" for side in own.boxes[thing])
        words.append(f"{name_of(int(classes[i]), scene.names)} {own.scores[thing]:.2f}{_versus(rival, scene.names)} at {corners}")
    device = scene.images.device
    places, index, there = (torch.from_numpy(part).to(device) for part in (boxes, classes, known))
    return ThingScore(scene.net, places, index, scene.filled(rival), there, scene.raw, words, scene.others)


CHOICES: Mapping[str, Callable[[Scene, str | None, str | None], Target]] = {
    Classification.family: _class,
    Regression.family: _value,
    Detections.family: _thing,
    Segmentation.family: _region,
    Embedding.family: _vector,
}
"""How a part of the predictions is chosen, by their family."""


def _versus(rival: int, names: Sequence[str]) -> str:
    return "" if rival == NOBODY else f" and not {name_of(rival, names)}"


def _output(scene: Scene, kinds: Sequence[str], ndim: int) -> str:
    """The one raw output of these kinds with so many dimensions.

    Raises:
        InputError: there is none, or several.
    """
    found = [key for key, kind in scene.net.kinds.items() if kind in kinds and scene.raw[key].ndim == ndim]
    if len(found) != 1:
        raise InputError("the net has no single output with a number for each class or value", at="target", value=", ".join(found) or None, fix="leave target out")
    return found[0]


def find_index(text: str, names: Sequence[str], at: str) -> int:
    """The place of a class or value given by name or by index; a name wins.

    Raises:
        InputError: no such class or value.
    """
    if text in names:
        return list(names).index(text)
    if text.isdecimal() and int(text) < len(names):
        return int(text)
    raise _unknown(text, names, at, "a class or value by name or index")


def _unknown(text: str, names: Sequence[str], at: str, what: str) -> InputError:
    close = nearest(text, names)
    return InputError(f"expected {what}", at=at, value=text, fix=f"did you mean {', '.join(close)}?" if close else f"one of: {', '.join(names)}"[:300])
