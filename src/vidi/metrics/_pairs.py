"""Truth and prediction brought together and checked, and the metrics that fit them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from types import ModuleType
from typing import Any

import numpy as np

from vidi.core.discovery import load, member
from vidi.core.space import Space
from vidi.errors import ChoiceError, InputError
from vidi.labels import FAMILIES, Label

BY_SAMPLE = {"sizes": "size", "query": "flag", "cameras": "camera", "groups": "group", "frames": "frame number"}
"""Settings that have a value for each sample, and what that is."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """What metrics are computed from: the samples whose truth is known.

    Args:
        truth: K labels.
        predicted: K labels.
        stacks: both as arrays (K, …), for families with labels of one size; None for others.
        kept: (K,) places among all samples.
        space: what the labels mean.
    """

    truth: list[Label]
    predicted: list[Label]
    stacks: tuple[np.ndarray, np.ndarray] | None
    kept: np.ndarray
    space: Space

    def __len__(self) -> int:
        return len(self.truth)

    def of(self, metric: ModuleType) -> tuple[Any, Any]:
        """Truth and prediction as the metric takes them: arrays, or lists where there are none or it asks for labels."""
        if self.stacks is None or not getattr(metric, "STACKED", True):
            return self.truth, self.predicted
        return self.stacks

    def settings(self, given: Mapping[str, Any] | None, count: int) -> dict[str, Any]:
        """Settings for these samples: of those with a value for each of `count` samples (`BY_SAMPLE`), the values of samples that are kept.

        Raises:
            InputError: not one value for each sample.
        """
        settings = {**(given or {}), "shared": {}}
        for name, what in BY_SAMPLE.items():
            if settings.get(name) is not None:
                if len(settings[name]) != count:
                    raise InputError(f"expected one {what} for each sample", at=name, value=f"{len(settings[name])} for {count}")
                settings[name] = [settings[name][i] for i in self.kept]
        return settings

    def informative(self) -> np.ndarray:
        """Where at least a part of the truth is known, (K,) bool."""
        if self.stacks is None:
            return np.array([_classes_known(label) for label in self.truth], bool)
        return ~np.isnan(self.stacks[0]).reshape(len(self), -1).all(1) if self.stacks[0].size else np.zeros(len(self), bool)


def pair(
    truth: Sequence[Label | None], predicted: Sequence[Label], space: Space, ids: Sequence[str] | None = None, predicts: str | None = None
) -> Pairs:
    """Check labels and keep the samples whose truth is known.

    Args:
        predicts: the family of predictions; None: that of the truth.

    Raises:
        InputError: lengths, families or sizes differ, or a value is not finite; `at` is the sample's index, `file` its id.
    """
    if len(truth) != len(predicted):
        raise InputError("expected one prediction for each sample", value=f"{len(predicted)} for {len(truth)}")
    family = FAMILIES.get(space.family)
    if family is None:
        raise InputError("no such label family", value=space.family, fix=f"one of: {', '.join(FAMILIES)}")
    kept = np.array([i for i, label in enumerate(truth) if label is not None], dtype=np.int64)
    other = predicts not in (None, space.family)
    meant = (FAMILIES[str(predicts)], Space(str(predicts))) if other else (family, space)
    guesses = _finite(predicted, range(len(predicted)), *meant, ids, prediction=True)
    answers = _finite([truth[i] for i in kept], kept, family, space, ids, prediction=False)
    for i in kept.tolist():
        shapes = [getattr(label, "shape", None) for label in (truth[i], predicted[i])]
        if shapes[0] != shapes[1]:
            raise InputError("truth and prediction must be maps of one size", file=ids[i] if ids else None, at=i, value=f"{shapes[1]} for {shapes[0]}")
    stacks = None if answers is None or guesses is None else (answers, guesses[kept])
    return Pairs([truth[i] for i in kept], [predicted[i] for i in kept], stacks, kept, space)


def _finite(
    labels: Sequence[Label | None],
    places: Sequence[int] | np.ndarray,
    family: type[Label],
    space: Space,
    ids: Sequence[str] | None,
    prediction: bool,
) -> np.ndarray | None:
    """The labels' stack, if their family has one, after a check of every float they hold."""
    stack = getattr(family, "stack", None)
    whole = prediction or stack is None  # only values of one size each can be known in part
    what, allowed = "a prediction" if prediction else "a true label", "finite" if whole else "finite, or NaN where not known"

    def refuse(i: int, rule: str, value: Any) -> InputError:
        return InputError(rule, file=ids[places[i]] if ids else None, at=int(places[i]), value=value)

    for i, label in enumerate(labels):
        if not isinstance(label, family):
            raise refuse(i, f"{what} must be a {family.__name__}", type(label).__name__)
    array = None if stack is None else _stacked(labels, stack, len(space), what, refuse)
    if array is not None and is_dataclass(family) and len(fields(family)) == 1 and _sound(array, whole).all():
        return array  # the stack is all that the labels hold
    for i, label in enumerate(labels):
        values = _floats(label)
        broken = values[~_sound(values, whole)]
        if broken.size:
            raise refuse(i, f"{what} must be {allowed}", broken[0])
        unknown = _unknown_classes(label, len(space))
        if unknown.size:
            raise refuse(i, f"{what} has a class that is not there", unknown[0])
    return array


def _unknown_classes(label: Any, count: int) -> np.ndarray:
    """The classes of a label's things or pixels that `count` names do not cover; without names, those below 0."""
    classes = getattr(label, "classes", np.zeros(0, np.int64))
    found = classes[(classes < 0) | (classes >= (count or np.inf))]
    return found[found != getattr(label, "ignore", None)]


def _classes_known(label: Any) -> bool:
    """Whether anything of a label is known: a map with nothing but the value for "not known" says nothing."""
    return not hasattr(label, "ignore") or bool((label.classes != label.ignore).any())


def _stacked(labels: Sequence[Any], stack: Callable, size: int, what: str, refuse: Callable) -> np.ndarray:
    """(K, size or what the labels have, …); K = 0 gives (0, size)."""
    if not len(labels):
        return np.zeros((0, size), np.float32)
    try:
        array = stack(labels)
    except ValueError:
        array = None
    width = (size or array.shape[1]) if array is not None else size
    if array is None or array.shape[1] != width:
        shapes = [np.shape(stack([label])) for label in labels]
        wrong = next(i for i, shape in enumerate(shapes) if shape[1:] != (width or shapes[0][1],))
        raise refuse(wrong, f"{what} must have {width or shapes[0][1]} values", shapes[wrong][1])
    return array


def _floats(label: Any) -> np.ndarray:
    """All floats in a label's arrays, flat."""
    values = [getattr(label, field.name) for field in fields(label)] if is_dataclass(label) else []
    arrays = [np.ravel(value) for value in values if isinstance(value, np.ndarray | float)]
    found = [array for array in arrays if array.dtype.kind == "f"]
    return np.concatenate(found) if found else np.zeros(0)


def _sound(values: np.ndarray, whole: bool) -> np.ndarray:
    return np.isfinite(values) if whole else ~np.isinf(values)


def metrics_for(names: Sequence[str], space: Space) -> list[ModuleType]:
    """The metrics of these names.

    Raises:
        ChoiceError: a name that nothing answers to, or a metric of other labels.
    """
    found = []
    for name in dict.fromkeys(names):
        module = load("metrics", name)
        for needed in ("numbers", "FAMILIES", "HIGHER_IS_BETTER"):
            member(module, needed, "metrics")
        if not fits(module, space):
            kinds = {True: "exclusive ", False: "independent ", None: ""}[getattr(module, "EXCLUSIVE", None)]
            raise ChoiceError(
                f"the metric is about {kinds}labels of {', '.join(sorted(module.FAMILIES))}", file="vidi/metrics", value=name
            )
        found.append(module)
    return found


def fits(metric: ModuleType, space: Space) -> bool:
    """Whether a metric is about truth of this meaning."""
    return space.family in metric.FAMILIES and getattr(metric, "EXCLUSIVE", None) in (None, space.exclusive)


def predicted_family(metrics: Sequence[ModuleType], space: Space) -> str:
    """The family of the predictions that metrics take: the truth's, or the one that they name in ``PREDICTS``.

    Raises:
        InputError: some take another than others.
    """
    families = sorted({getattr(metric, "PREDICTS", space.family) for metric in metrics} or {space.family})
    if len(families) > 1:
        raise InputError("metrics about predictions of different families", value=", ".join(families), fix="compute them one after the other")
    return families[0]


def higher_is_better(metric: ModuleType, number: str) -> bool:
    """The direction of a number, told by its name or the part before ``_<value>``."""
    known = metric.HIGHER_IS_BETTER
    best = max((key for key in known if number == key or number.startswith(f"{key}_")), key=len, default=None)
    return True if best is None else known[best]
