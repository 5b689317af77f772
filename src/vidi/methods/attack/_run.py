"""An attack on a whole data set: pictures in, 8-bit pictures and what became of each out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidi.core.batch import Batch
from vidi.core.console import progress
from vidi.core.dataset import Dataset, Sample
from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.engine.canvases import canvas_samples
from vidi.engine.decoding import decoding
from vidi.engine.held import held
from vidi.engine.infer import to_float
from vidi.labels import FAMILIES
from vidi.methods.attack._base import Attack, Budget
from vidi.methods.attack._goal import AWAY, Goal, goal_for
from vidi.methods.attack._search import climb, dlr
from vidi.ops.projection import exceeds, sizes, steepest, to_levels

DECIDED_FROM = 0.25
"""Things from this score on count where it is asked whether a picture was fooled."""

FARTHER = 25
"""Steps that lead over a border as far as 8 bits need it."""


@dataclass(slots=True)
class Attacked:
    """A data set under attack, with one entry per picture in each list.

    Args:
        clean: canvases as they were.
        noisy: changed as much, at random.
        attacked: changed by the attack.
        right: bool, whether the goal was not reached on the clean picture.
        fooled: bool, whether it is reached on the attacked one, after rounding to 8 bits.
        sizes: how far the 8-bit pictures are apart, in units of the pixel range.
    """

    clean: list[Sample] = field(default_factory=list)
    noisy: list[Sample] = field(default_factory=list)
    attacked: list[Sample] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    fooled: list[bool] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.clean)

    def share_fooled(self) -> float | None:
        """Of the pictures that were right before; None when there is none."""
        before = np.array(self.right, bool)
        return float(np.array(self.fooled, bool)[before].mean()) if before.any() else None


def attack_dataset(
    net: Net, dataset: Dataset, loader: Any, method: Attack, budget: Budget, *, device: torch.device, aim: str = AWAY, labels: bool = True, seed: int = 0
) -> Attacked:  # fmt: skip
    """Attack every picture of a data set.

    Args:
        net: on `device`.
        loader: `vidi.data.loader.Loader` of the data set.
        aim, labels: see `vidi.methods.attack._goal.goal_for`.
        seed: of everything random.

    Raises:
        InputError: the method cannot work with these predictions, labels or this norm.
    """
    own: Any = getattr(net, "conf", None)
    net.eval()
    known = [label for label in dataset.labels if label is not None]
    leeway = FAMILIES[net.predicts.family].leeway(known) if labels and known else None
    outcome = Attacked()

    def goals() -> Iterator[tuple[Batch, Batch, Goal]]:
        stream = loader.batches(np.arange(len(dataset)))
        with contextlib.closing(stream):
            for batch in stream:
                ready = to_float(batch, device)
                others = {name: value for name, value in ready.inputs.items() if name != "image"}
                truth = batch.labels if labels else None
                yield batch, ready, goal_for(net, ready.inputs["image"], truth, aim, others=others, leeway=leeway)

    def passes() -> Iterable[tuple[Tensor, Goal]]:
        return ((ready.inputs["image"], goal) for _, ready, goal in goals())

    with decoding(net, conf=None if own is None else max(own, DECIDED_FROM)), progress("attacking", len(dataset)) as bar:
        if method.trains and len(dataset):
            method.fit(net, passes, budget, Draw.samples(seed, 0, np.zeros(1, np.int64), device).child("fit"))
        for batch, ready, goal in goals():
            draw = Draw.samples(seed, 0, batch.indices, device)
            _attack_batch(net, dataset, batch, ready.inputs["image"], goal, method, budget, draw, outcome)
            bar.update(len(outcome))
    return outcome


def _attack_batch(
    net: Net, dataset: Dataset, batch: Batch, images: Tensor, goal: Goal, method: Attack, budget: Budget, draw: Draw, outcome: Attacked
) -> None:  # fmt: skip
    levels = batch.inputs["image"].to(images.device)
    ball = (budget.norm, budget.size) if method.norms else (None, 0.0)
    found = method.run(net, images, goal, budget, draw)
    found = _held(net, images, found, levels, goal, budget) if method.norms and goal.decisive else to_levels(found, levels, *ball)
    noise = to_levels(method.noise(images, budget, draw.child("noise")), levels, *ball)
    outcome.right.extend((~_fooled(net, images, goal)).tolist())
    outcome.fooled.extend(_fooled(net, found, goal).tolist())
    change = (found.float() - levels.float()) / 255
    outcome.sizes.extend(sizes(change, budget.norm).tolist())
    for pixels, samples in ((levels, outcome.clean), (noise, outcome.noisy), (found, outcome.attacked)):
        samples.extend(canvas_samples(dataset, batch, pixels.permute(0, 2, 3, 1).cpu().numpy()))


def _held(net: Net, images: Tensor, found: Tensor, levels: Tensor, goal: Goal, budget: Budget) -> Tensor:
    """Attacked pictures in 8 bits, (B, 3, H, W) uint8. Where rounding undoes what fooled, as it does with the smallest of changes, small
    steps within the budget lead farther over the border, until the rounded picture fools as well."""
    rounded = to_levels(found, levels, budget.norm, budget.size)
    lost = (_fooled(net, found, goal) & ~_fooled(net, rounded, goal)).nonzero().squeeze(1)
    current = found[lost]
    for _ in range(FARTHER):
        if not len(lost):
            break
        with held(net):
            slope = climb(net, current, goal[lost], dlr).gradient
        current = budget.project(current + budget.size / FARTHER * steepest(slope, budget.norm, current), images[lost])
        trial = to_levels(current, levels[lost], budget.norm, budget.size)
        holds = _fooled(net, trial, goal[lost])
        rounded[lost[holds]] = trial[holds]
        lost, current = lost[~holds], current[~holds]
    return rounded


def _fooled(net: Net, images: Tensor, goal: Goal) -> Tensor:
    """Where the goal is reached, (B,) bool, on pictures in 0..1 or of 8 bits."""
    if not images.is_floating_point():
        images = images.to(torch.float32, memory_format=torch.channels_last).div_(255)
    with torch.no_grad():
        return goal.fooled(net({"image": images, **goal.others}))


def count_exceeding(clean: list[np.ndarray], found: list[np.ndarray], budget: Budget) -> int:
    """How many pictures (H, W, 3) uint8 lie farther from the clean ones than the budget allows."""
    return sum(
        bool(exceeds(torch.from_numpy(b.copy())[None], torch.from_numpy(a.copy())[None], budget.norm, budget.size)[0]) for a, b in zip(clean, found)
    )
