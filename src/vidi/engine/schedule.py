"""Learning rates as pure functions of progress through the run, so that resuming needs no state."""

from __future__ import annotations

import math

SHAPES = ("cosine", "linear", "triangle", "constant", "step")


def factor(progress: float, *, shape: str = "cosine", warmup: float = 0.05, final: float = 0.01) -> float:
    """The learning rate as a share of its peak.

    Args:
        progress: 0 at the first step, 1 at the end.
        shape: ``cosine`` (Loshchilov and Hutter 2017), ``linear``, ``triangle`` (up over `warmup`, down to `final`; the one-cycle shape),
            ``constant``, or ``step`` (a tenth after 50 %, a hundredth after 75 %).
        warmup: share of the run in which it rises linearly.
        final: share of the peak at the end.
    """
    progress = min(max(progress, 0.0), 1.0)
    if warmup > 0 and progress < warmup:
        start = 0.2 if shape == "triangle" else 0.0
        return max(start + (1 - start) * progress / warmup, 1e-3)
    rest = (progress - warmup) / max(1e-9, 1 - warmup)
    if shape == "cosine":
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * rest))
    if shape in ("linear", "triangle"):
        return 1 - (1 - final) * rest
    if shape == "step":
        return 1.0 if progress < 0.5 else 0.1 if progress < 0.75 else 0.01
    return 1.0
