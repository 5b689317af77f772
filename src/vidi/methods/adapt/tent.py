"""Lower the entropy of predictions by the scales and shifts of normalization layers alone (Wang et al. 2021, *Tent*, arXiv:2006.10726),
without samples too unsure to learn from where asked for (Niu et al. 2022, *EATA*, arXiv:2204.02610), and with a guard against collapse."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from vidi.core.console import progress
from vidi.core.net import Net
from vidi.engine.held import held
from vidi.errors import InputError
from vidi.methods.adapt._base import Adapter, Changes, Inputs, Pictures, between, need_pictures
from vidi.methods.adapt._guard import Guard, Look, changed, look
from vidi.methods.adapt._norms import Statistics, by_batch, moved, scales
from vidi.methods.adapt.bn import restate
from vidi.ops.entropy import deciding, entropy

CHECKS = 10
LEAST_HELD, MOST_HELD = 10, 256
TITLE = "lowering entropy"


@dataclass(frozen=True)
class Tent(Adapter):
    """Batch-norm statistics of the new pictures first, as `bn`; then steps of Adam on the mean entropy of a batch, with batch norms
    normalizing by the batch; then statistics once more.

    Args:
        lr: learning rate.
        steps: batches learned from; pictures come again when all were seen.
        prior: as how many pictures the batch-norm statistics of the training weigh.
        reliable: pictures whose entropy is above this share of the largest possible are not learned from; EATA has 0.4; 1: all count.
        drift: share of held-out predictions that may change before the guard stops.
        hold: share of the pictures that the guard watches and that are not learned from.
    """

    name: ClassVar[str] = "tent"
    lr: float = 1e-3
    steps: int = 50
    prior: float = 16.0
    reliable: float = 1.0
    drift: float = 0.3
    hold: float = 0.2

    def __post_init__(self) -> None:
        between(0, 1e9, lr=self.lr, prior=self.prior)
        between(1, 1e6, steps=self.steps)
        between(0, 1, reliable=self.reliable, drift=self.drift)
        between(0, 0.9, hold=self.hold)

    def check(self, net: Net) -> None:
        if deciding(net.kinds) is None:
            kinds = sorted({kind for kind in net.kinds.values() if kind != "aux"})
            raise InputError(
                f"predictions without chances ({', '.join(kinds) or 'none'}) have no entropy that could be lowered", at="method", value=self.name,
                fix="method=bn, which works for every net with batch norm",
            )  # fmt: skip
        if not scales(net):
            raise InputError(
                "the net has no normalization layers, whose scales and shifts are all that tent changes", at="method", value=self.name,
                fix="train with augmentations for the new conditions",
            )  # fmt: skip

    def adapt(self, net: Net, pictures: Pictures) -> Changes:
        self.check(net)
        need_pictures(pictures)
        source, before = Statistics.of(net), _copies(scales(net))
        if source.values:
            restate(net, pictures, source, self.prior)
        watched, rest, notes = self._shares(len(pictures), pictures.seed)
        base = Statistics.of(net)
        final = Guard(look(net.eval(), pictures, watched), self.drift)
        history, stopped = self._steps(net, pictures, watched, rest)
        if source.values:
            restate(net, pictures, source, self.prior)
        now = look(net.eval(), pictures, watched)
        fault = final.fault(now)
        if fault is not None:
            _put(net, before)
            base.put(net)
            stopped, now = stopped or f"{fault}, at the end", final.start
            notes.append("back to the net with only its batch-norm statistics adapted" if source.values else "back to the net as it was")
        elif stopped is not None:
            notes.append("back to the last state that the guard let pass")
        notes.append(f"{len(before)} scales and shifts of normalization layers, {len(history)} steps of {self.steps}")
        numbers = {"held_entropy_before": final.start.entropy, "held_entropy_after": now.entropy, "held_changed": changed(final.start.labels, now.labels)}
        sections = [*_figures(history), _table(before, scales(net))]
        return Changes(moved(source, Statistics.of(net)), numbers, sections, notes, stopped)

    def _shares(self, count: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Pictures for the guard, pictures to learn from, and what is to be said."""
        order = np.random.default_rng(seed).permutation(count)
        taken = min(MOST_HELD, round(self.hold * count))
        if taken < LEAST_HELD:
            return np.sort(order[:MOST_HELD]), order, [f"{count} pictures are few: the guard watches those that are learned from"]
        return np.sort(order[:taken]), order[taken:], [f"the guard watches {taken} pictures that are not learned from"]

    def _steps(self, net: Net, pictures: Pictures, watched: np.ndarray, rest: np.ndarray) -> tuple[list[tuple[float, Look | None]], str | None]:
        """The steps; the net is left in the last state that the guard let pass. Gives the entropy of each step's batch with the look that
        followed, and why the guard stopped."""
        learned = scales(net)
        every = max(1, self.steps // CHECKS)
        history: list[tuple[float, Look | None]] = []
        with torch.inference_mode(False), held(net), by_batch(net), progress(TITLE, self.steps) as bar, contextlib.closing(self._stream(pictures, rest)) as stream:
            guard = Guard(look(net, pictures, watched), self.drift)
            good = _copies(learned)
            optimizer = torch.optim.Adam([value.requires_grad_(True) for value in learned.values()], self.lr)
            for step, inputs in zip(range(1, self.steps + 1), stream):
                value = self._step(net, inputs, optimizer)
                optimizer.zero_grad(set_to_none=True)
                seen = look(net, pictures, watched) if step % every == 0 or step == self.steps or not np.isfinite(value) else None
                history.append((value, seen))
                bar.update(step, f"entropy {value:.4f}")
                fault = None if seen is None else guard.fault(seen)
                if fault is not None:
                    _put(net, good)
                    return history, f"{fault}, after {step} steps"
                if seen is not None:
                    good = _copies(learned)
        return history, None

    def _step(self, net: Net, inputs: Inputs, optimizer: torch.optim.Optimizer) -> float:
        values = entropy(net(inputs), net.kinds)
        sure = values.detach() <= self.reliable
        if sure.any():
            values[sure].mean().backward()
            optimizer.step()
        return float(values.detach().mean())

    def _stream(self, pictures: Pictures, rest: np.ndarray) -> Generator[Inputs]:
        """Batches without end; each pass has an order of its own."""
        epoch = 1
        while True:
            yield from pictures.batches(pictures.whole(pictures.order(epoch, rest)))
            epoch += 1

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def _copies(values: dict[str, Any]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in values.items()}


@torch.no_grad()
def _put(net: Net, values: dict[str, Tensor]) -> None:
    for name, value in scales(net).items():
        value.copy_(values[name])


def _figures(history: list[tuple[float, Look | None]]) -> list[dict[str, Any]]:
    """Entropy by step, and what the guard saw."""
    if not history:
        return []
    seen = [(step, one) for step, (_, one) in enumerate(history, 1) if one is not None and np.isfinite(one.entropy)]
    steps = [step for step, _ in seen]
    lines = [
        {"name": "batch", "x": list(range(1, len(history) + 1)), "y": [value if np.isfinite(value) else None for value, _ in history]},
        {"name": "held out", "x": steps, "y": [one.entropy for _, one in seen]},
        {"name": "mean prediction, held out", "x": steps, "y": [one.spread for _, one in seen], "dash": True},
        {"name": "largest class, held out", "x": steps, "y": [one.top for _, one in seen], "dash": True},
    ]
    note = "Entropies as shares of the largest possible. When that of the mean prediction falls too, all pictures are taken for the same."
    return [{"kind": "lines", "title": "Entropy by step", "xlabel": "step", "ylabel": "share", "series": lines, "y_range": [0, 1], "note": note}]


def _table(before: dict[str, Tensor], after: dict[str, Any]) -> dict[str, Any]:
    rows = []
    for name, old in before.items():
        change = (after[name].detach() - old).abs()
        rows.append([name, round(float(change.mean()), 5), round(float(change.max()), 5), round(float(old.abs().mean()), 5)])
    columns = ["scale or shift", "mean change", "largest change", "mean size before"]
    return {"kind": "table", "title": "What the steps changed", "columns": columns, "rows": rows}


def adapter(
    *, lr: float = 1e-3, steps: int = 50, prior: float = 16.0, reliable: float = 1.0, drift: float = 0.3, hold: float = 0.2
) -> Tent:  # fmt: skip
    """See `Tent`."""
    return Tent(lr, steps, prior, reliable, drift, hold)

