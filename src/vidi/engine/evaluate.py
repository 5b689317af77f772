"""Scoring a model on a data set, and the report about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from vidi.core.dataset import Dataset
from vidi.core.net import Net
from vidi.core.preprocess import Preprocess
from vidi.core.task import Task
from vidi.data import read
from vidi.data.loader import Loader
from vidi.data.pixels import PixelStore
from vidi.data.split import assign
from vidi.engine.decoding import decoding
from vidi.engine.galleries import galleries
from vidi.engine.infer import Inference, infer
from vidi.engine.tiles import Tiling, infer_tiles
from vidi.engine.views import View
from vidi.errors import DataError, InputError
from vidi.metrics._choose import choose_thresholds, has_thresholds
from vidi.metrics._evaluate import Evaluation, evaluate
from vidi.model import Model
from vidi.report import Report

SCORED_FROM = 0.01
"""Things from this score on count in the numbers, as average precision asks for unsure ones too."""


@dataclass(slots=True)
class Scored:
    """A data set, what the model said of it, and how good that is."""

    dataset: Dataset
    inference: Inference
    evaluation: Evaluation
    settings: Mapping[str, Any]


def score(
    net: Net, dataset: Dataset, loader: Any, task: Task, *, device: torch.device, precision: str = "fp32", settings: Mapping[str, Any] | None = None,
    intervals: int = 0, figures: bool = False, metrics: Sequence[str] = (), views: Sequence[View] = (), tiling: Tiling | None = None,
    title: str = "validating",
) -> Scored:  # fmt: skip
    """Run the net over a labeled data set and compute the task's numbers (or only those of `metrics`), with bootstrap intervals when
    asked for. With `views` or `tiling`, of predictions made with them; a tiled picture has no loss, nor has one that is compared with others.
    ``settings["max_dets"]`` lets a picture (or tile) have so many things."""
    own: Any = getattr(net, "conf", None)
    with decoding(net, conf=None if own is None else min(own, SCORED_FROM), max_det=(settings or {}).get("max_dets")):
        if tiling is not None:
            rule, size = loader.store.preprocess, loader.batch
            found = Inference(infer_tiles(net, dataset, rule, tiling, device=device, batch=size, precision=precision, views=views, title=title))
        else:
            found = infer(net, loader, len(dataset), device=device, precision=precision, losses=same_family(net), views=views, title=title)
    settings = dict(settings or {})
    if figures:
        settings["sizes"] = [frame.size for frame in loader.store.frames(np.arange(len(dataset)))]
    settings |= moments(dataset)
    space = net.space if same_family(net) or dataset.space is None else dataset.space
    result = evaluate(metrics or task.metrics, dataset.labels, found.labels, space, settings=settings, intervals=intervals, figures=figures, groups=settings.get("groups"))
    return Scored(dataset, found, result, settings)


def moments(dataset: Dataset) -> dict[str, Any]:
    """The group (video, patient) of each sample, and the number of its frame, where all have one: pictures of a group are drawn together for
    intervals."""
    samples = dataset.samples
    if not samples or any(sample.group is None for sample in samples):
        return {}
    frames = [sample.extra.get("frame") for sample in samples]
    return {"groups": [sample.group for sample in samples], **({"frames": frames} if all(isinstance(frame, int) for frame in frames) else {})}


def same_family(net: Net) -> bool:
    """Whether predictions are labels of the truth's kind. Where they are not (vectors for identities), the loss of a picture depends on those
    it is compared with, and the classes of the data may be others than the model's."""
    return net.predicts.family == net.space.family


def check_space(net: Net, dataset: Dataset) -> None:
    """Refuse a data set whose labels mean something else than the model's. Classes may be others where predictions are not classes.

    Raises:
        DataError: no labels, another family, or other class names.
    """
    space = dataset.space
    if space is None or all(label is None for label in dataset.labels):
        raise DataError("no labels to compare with", file=dataset.root, fix="`vidi predict` needs none")
    if (space.family, space.exclusive) != (net.space.family, net.space.exclusive):
        raise DataError("the labels are of another kind than the model's", file=dataset.root, value=space.family, fix=f"expected {net.space.family}")
    if same_family(net) and tuple(space.names) != tuple(net.space.names):
        unknown = [name for name in space.names if name not in net.space.names]
        raise DataError(
            "class names differ from the model's", file=dataset.root, value=", ".join(unknown or space.names)[:120],
            fix=f"the model knows, in this order: {', '.join(net.space.names)}"[:300],
        )  # fmt: skip


def align(dataset: Dataset, net: Net) -> Dataset:
    """The data set with its classes in the model's order, where it has a subset or another order of the model's classes."""
    space = dataset.space
    same_kind = space is not None and (space.family, space.exclusive) == (net.space.family, net.space.exclusive)
    if space is None or not same_kind or space.names == net.space.names or not set(space.names) <= set(net.space.names):
        return dataset
    places = np.array([net.space.names.index(name) for name in space.names], dtype=np.int64)
    moved = dataset.with_samples(
        replace(sample, label=sample.label.reindexed(places, len(net.space)) if sample.label is not None else None) for sample in dataset.samples
    )
    moved.space = net.space
    return moved


def in_splits(dataset: Dataset, model: Model) -> Dataset:
    """The data set in the splits that the model was trained with, where it is the data that was split then and says nothing of splits itself; else
    as it is. So a model is not scored on what it has learned."""
    recipe = model.card.recipe
    if not recipe or not any(sample.split is None for sample in dataset.samples):
        return dataset
    labeled = dataset.filter(lambda sample: sample.label is not None)
    try:
        found = assign(labeled, val=recipe["val"], test=recipe["test"], seed=recipe["seed"], by=recipe["split_by"])
    except (DataError, KeyError):
        return dataset
    return found if found.fingerprint() == model.card.data.get("fingerprint") else dataset


def data_for(model: Model, data: str | Dataset, task: Task) -> Dataset:
    """Data as a model can be measured on: its classes in the model's order, its splits those of the model's training."""
    return in_splits(align(read(data, task=task), model.net), model)


def settings_of(card: Any) -> dict[str, Any]:
    """What the metrics need to know of a model: its decision thresholds, if it has any."""
    return {} if card.thresholds is None else {"thresholds": np.asarray(card.thresholds, dtype=np.float64)}


def tuned(scored: Scored, objective: str) -> dict[str, Any]:
    """Per-class thresholds chosen on a scored data set.

    Args:
        objective: ``f1``, ``cost``, ``recall=FLOOR`` or ``precision=FLOOR``.

    Raises:
        InputError: unknown objective, or labels that no threshold decides about.
    """
    space = scored.dataset.space
    if space is None or not has_thresholds(space):
        raise InputError("no threshold decides about these labels", at="thresholds", value=objective, fix="leave thresholds out")
    return {"thresholds": choose_thresholds(scored.dataset.labels, scored.inference.labels, space, objective)}


def rescore(scored: Scored, task: Task, settings: Mapping[str, Any], intervals: int) -> Scored:
    """The same predictions under other settings."""
    space, settings = scored.dataset.space, {**scored.settings, **settings}
    if space is None:
        raise DataError("no labels to compare with", file=scored.dataset.root)
    result = evaluate(task.metrics, scored.dataset.labels, scored.inference.labels, space, settings=settings, intervals=intervals, figures=True, groups=settings.get("groups"))
    return Scored(scored.dataset, scored.inference, result, settings)


def make_loader(dataset: Dataset, preprocess: Preprocess, batch: int, **options: Any) -> Loader:
    """A loader over a fresh pixel store."""
    return Loader(PixelStore(dataset, preprocess, **options), dataset, batch=batch)


def report_of(kind: str, scored: Scored, about: dict[str, Any], *, sections: Sequence[dict[str, Any]] = (), pictures: int = 12) -> Report:
    """The report of a scored data set: numbers with intervals, the metrics' figures, best and worst pictures."""
    result = scored.evaluation
    extra = [*sections, *result.figures, *galleries(scored, scored.settings, pictures)]
    return Report(kind, result.numbers, about, result.intervals, result.n, extra)
