"""Decision thresholds per class, chosen on labeled predictions, for every family that has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.errors import InputError
from vidi.labels import Classification, Label
from vidi.metrics._box_thresholds import best_box_thresholds
from vidi.ops.thresholds import best_thresholds

Chooser = Callable[[Sequence[Any], Sequence[Any], Space, Any, float], np.ndarray]


def _classification(truth: Sequence[Any], predicted: Sequence[Any], space: Space, objective: Any, floor: float) -> np.ndarray:
    return best_thresholds(Classification.stack(predicted), Classification.stack(truth), objective=objective, floor=floor)


_CHOOSERS: dict[str, tuple[Chooser, tuple[str, ...]]] = {
    "Classification": (_classification, ("f1", "cost", "recall", "precision")),
    "Detections": (best_box_thresholds, ("f1", "recall", "precision")),
}


def has_thresholds(space: Space) -> bool:
    """Whether a threshold per class decides about labels of this meaning: independent classes, or things with scores."""
    return space.family in _CHOOSERS and not (space.family == "Classification" and space.exclusive)


def choose_thresholds(truth: Sequence[Label | None], predicted: Sequence[Label], space: Space, objective: str = "f1") -> np.ndarray:
    """The best threshold for each class, (C,) float64.

    Args:
        truth, predicted: one label per sample; those whose truth is None are left out.
        objective: ``f1``; ``recall=FLOOR`` or ``precision=FLOOR`` (0.9 where no floor is given); ``cost`` for independent classes.

    Raises:
        InputError: unknown objective, a floor out of 0..1, or labels that have no thresholds.
    """
    name, _, text = objective.partition("=")
    if not has_thresholds(space):
        raise InputError("no threshold decides about these labels", at="thresholds", value=space.family)
    chooser, objectives = _CHOOSERS[space.family]
    try:
        floor = float(text or 0.9)
    except ValueError:
        floor = -1.0
    if name not in objectives or not 0 <= floor <= 1:
        spelled = ", ".join(f"{one}=0.9" if one in ("recall", "precision") else one for one in objectives)
        raise InputError("no such objective for thresholds", at="thresholds", value=objective, fix=f"one of {spelled}")
    known = [i for i, label in enumerate(truth) if label is not None]
    return chooser([truth[i] for i in known], [predicted[i] for i in known], space, name, floor)
