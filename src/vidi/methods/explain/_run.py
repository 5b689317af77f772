"""Explanations of the pictures of a data set, with how good each method's are."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from vidi.core.console import progress
from vidi.core.dataset import Dataset
from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.engine.decoding import decoding
from vidi.engine.infer import to_float
from vidi.errors import InputError
from vidi.labels import Label
from vidi.methods.explain import _sanity
from vidi.methods.explain._aim import aim
from vidi.methods.explain._auto import choose
from vidi.methods.explain._base import Explainer, parse_methods
from vidi.methods.explain._sanity import Sanity
from vidi.methods.explain._score import Scores, repeats, score
from vidi.methods.explain._target import Target

AUTO = "auto"
DECIDED_FROM = 0.25
"""Things from this score on are explained, where the model has no thresholds of its own."""


@dataclass(slots=True)
class Explained:
    """One picture.

    Args:
        index: its place in the data set.
        pixels: (H, W, 3) uint8, the canvas.
        label: the prediction, in canvas pixels.
        words: what is explained.
        maps: (H, W) float32 relevance by method.
        features: (D,) float32.
    """

    index: int
    pixels: np.ndarray
    label: Label
    words: str
    maps: dict[str, np.ndarray]
    features: np.ndarray


@dataclass(slots=True)
class Outcome:
    """All pictures, and by method what is said of it."""

    pictures: list[Explained] = field(default_factory=list)
    signed: dict[str, bool] = field(default_factory=dict)
    scores: dict[str, Scores] = field(default_factory=dict)
    sanity: dict[str, Sanity] = field(default_factory=dict)


def explain_dataset(
    net: Net, dataset: Dataset, loader: Any, method: str, *, device: torch.device, target: str | None = None, against: str | None = None,
    layer: str | None = None, steps: int | None = None, sanity: bool = True, least: np.ndarray | None = None, seed: int = 0,
) -> Outcome:  # fmt: skip
    """Explain every picture of a data set.

    Args:
        net: on `device`.
        loader: `vidi.data.loader.Loader` of the data set.
        method: one or several, as `parse_methods` reads them; ``auto``: as `choose` finds.
        target, against: see `vidi.methods.explain._aim.aim`.
        layer, steps: for the methods that have such a setting.
        sanity: also explain the first pictures with random weights.
        least: (C,) smallest score per class of things that are explained; None: 0.25.
        seed: of everything random.

    Raises:
        InputError: the method cannot work with this net, or there is no such target.
    """
    if "image" not in net.inputs:
        raise InputError("this model looks at no pictures", at="model", value=", ".join(net.inputs), fix="a model of pictures")
    explainers = None if method == AUTO else parse_methods(method, layer=layer, steps=steps)
    outcome, own = Outcome(), getattr(net, "conf", None)
    net.eval()
    stream = loader.batches(np.arange(len(dataset)))
    rivals = repeats(len(dataset))
    lowest = None if own is None else max(own, DECIDED_FROM) if least is None else min(own, float(np.min(least)))
    with decoding(net, conf=lowest), progress("explaining", len(dataset)) as bar, contextlib.closing(stream):
        for batch in stream:
            ready = to_float(batch, device)
            images = ready.inputs["image"].contiguous()
            others = {name: value for name, value in ready.inputs.items() if name != "image"}
            wanted, labels = aim(net, images, target=target, against=against, least=least, others=others)
            draw = Draw.samples(seed, 0, batch.indices, device)
            if explainers is None:
                explainers = _chosen(net, images, wanted, draw, layer, steps)
            found = _explain(net, images, wanted, draw, explainers, outcome, rivals)
            if sanity and not outcome.sanity:
                outcome.sanity = _checked(net, images, wanted, draw, explainers, found, seed)
            features = _features(net, images, wanted)
            pixels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
            for i, index in enumerate(batch.indices.tolist()):
                maps = {name: values[i].cpu().numpy() for name, values in found.items()}
                outcome.pictures.append(Explained(index, pixels[i], labels[i], wanted.words[i], maps, features[i]))
            bar.update(len(outcome.pictures))
    outcome.signed = {name: explainer.signed for name, explainer in (explainers or {}).items()}
    return outcome


def _chosen(net: Net, images: torch.Tensor, target: Target, draw: Draw, layer: str | None, steps: int | None) -> dict[str, Explainer]:
    found = choose(net, images, target, draw, layer=layer)
    return parse_methods(found.name, layer=layer, steps=steps)


def _explain(
    net: Net, images: torch.Tensor, target: Target, draw: Draw, explainers: Mapping[str, Explainer], outcome: Outcome, rivals: int
) -> dict[str, torch.Tensor]:  # fmt: skip
    """Maps by method, whose scores are added to the outcome's."""
    found = {}
    for name, explainer in explainers.items():
        found[name] = explainer.maps(net, images, target, draw)
        areas = score(net, images, found[name], target, draw, rivals=rivals)
        outcome.scores.setdefault(name, Scores()).add(areas, len(images))
    return found


def _checked(
    net: Net, images: torch.Tensor, target: Target, draw: Draw, explainers: Mapping[str, Explainer], maps: Mapping[str, torch.Tensor], seed: int
) -> dict[str, Sanity]:  # fmt: skip
    """The sanity check on the first pictures; stage by stage where a map is cheap."""
    rows = torch.arange(min(len(images), _sanity.PICTURES), device=images.device)
    return {
        name: _sanity.check(explainer, net, images[rows], target[rows], draw[rows], maps=maps[name][rows], cascade=explainer.gradients, seed=seed)
        for name, explainer in explainers.items()
    }


@torch.no_grad()
def _features(net: Net, images: torch.Tensor, target: Target) -> np.ndarray:
    return target.outputs(images)["features"].float().cpu().numpy()
