"""The guard of an adaptation without labels: lowering entropy has a trivial end, where every picture is taken for the same
(Niu et al. 2023, *SAR*, arXiv:2302.12400). It watches pictures that are not learned from and says when that end comes near."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from vidi.core.net import Net
from vidi.engine.thing_pictures import SHOWN_SCORE
from vidi.labels import Label
from vidi.methods.adapt._base import Pictures
from vidi.ops.entropy import deciding, entropy, mean_prediction, spread

SPREAD_KEPT = 0.5
"""Of the entropy of the mean prediction so much must be left."""


@dataclass(slots=True)
class Look:
    """What a net says of some pictures.

    Args:
        labels: on the canvas, without things of low scores; none where an output is not finite.
        entropy: mean, 0..1; NaN where an output is not finite.
        spread: entropy of the mean prediction, 0..1.
        top: share of the most frequent class among all places; 0 where classes do not exclude each other.
    """

    labels: list[Label] = field(default_factory=list)
    entropy: float = float("nan")
    spread: float = float("nan")
    top: float = 0.0


@torch.no_grad()
def look(net: Net, pictures: Pictures, indices: np.ndarray) -> Look:
    """Look at pictures as the net stands, in whatever mode it is."""
    kinds, found, values, chances, tops, sizes = net.kinds, Look(), [], [], [], []
    least = np.full(max(1, len(net.predicts.names or net.space.names)), SHOWN_SCORE)
    for inputs in pictures.batches(indices):
        raw = net(inputs)
        if not all(value.isfinite().all() for key, value in raw.items() if kinds.get(key, "aux") != "aux"):
            return Look()
        found.labels += [label.confident(least) for label in net.decode(raw)]
        values.append(entropy(raw, kinds))
        chance, top = mean_prediction(raw, kinds)
        chances.append(chance)
        tops.append(top)
        sizes.append(len(values[-1]))
    weights = torch.tensor(sizes, dtype=torch.float32, device=values[0].device)[:, None] / sum(sizes)
    exclusive = kinds[str(deciding(kinds))] == "categorical"
    found.entropy, found.spread = float(torch.cat(values).mean()), spread((torch.stack(chances) * weights).sum(0), exclusive)
    found.top = float((torch.stack(tops) * weights).sum(0).max()) if exclusive else 0.0
    return found


def changed(before: list[Label], after: list[Label]) -> float | None:
    """Share of pictures whose prediction contradicts the one before; None without pictures."""
    if not before or len(before) != len(after):
        return None
    leeway = type(before[0]).leeway(before)
    return float(np.mean([old.contradicts(new, leeway) for old, new in zip(before, after)]))


class Guard:
    """Compares a net with how it was when the guard was set.

    Args:
        start: a look at the pictures that are watched.
        drift: share of them whose prediction may change.
    """

    def __init__(self, start: Look, drift: float):
        self.start, self.drift = start, drift

    def fault(self, now: Look) -> str | None:
        """Why the net must not stay as it is; None: nothing speaks against it."""
        if not np.isfinite(now.entropy):
            return "predictions are no longer numbers"
        most = 1 - (1 - self.start.top) / 2
        if now.top > most and now.top > self.start.top:
            return f"one class takes {now.top:.0%} of all predictions ({self.start.top:.0%} before)"
        if now.spread < SPREAD_KEPT * self.start.spread:
            return f"predictions grow alike: the entropy of their mean fell from {self.start.spread:.2f} to {now.spread:.2f}"
        gone = changed(self.start.labels, now.labels)
        if gone is not None and gone > self.drift:
            return f"{gone:.0%} of the predictions changed, more than {self.drift:.0%}"
        return None
