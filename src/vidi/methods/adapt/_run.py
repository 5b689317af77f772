"""A model before and after an adaptation: what it says of the new pictures, and where they have labels, how good that is."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import vidi
from vidi.core import discovery
from vidi.core.dataset import Dataset
from vidi.core.net import Net
from vidi.core.seeds import permutation
from vidi.core.task import Task
from vidi.data import read
from vidi.engine.evaluate import Scored, align, check_space, make_loader, settings_of
from vidi.engine.evaluate import score as score_dataset
from vidi.engine.infer import infer
from vidi.engine.thing_pictures import SHOWN_SCORE
from vidi.engine.tiles import Tiling, cut, infer_tiles, parse_tiling
from vidi.errors import DataError, InputError
from vidi.labels import Label
from vidi.methods.adapt._base import Adapter, Changes, Pictures
from vidi.methods.adapt._guard import changed
from vidi.metrics._paired import Difference, paired
from vidi.model import Model
from vidi.ops.entropy import deciding, entropy


@dataclass(slots=True)
class Side:
    """What a model says of the pictures.

    Args:
        labels: one per picture, without things of low scores.
        entropy: mean of the predictions, 0..1; None where they hold no chances.
        scored: where the pictures have labels.
    """

    labels: list[Label]
    entropy: float | None
    scored: Scored | None


@dataclass(slots=True)
class Adapted:
    """An adaptation of a model.

    Args:
        model: the new one; its card has no numbers of the old one.
        before, after: of the old and the new model.
        changes: what the method did.
        changed: share of the predictions that became others.
        difference: of the task's primary number, after − before, with its interval; None without labels.
        verdict: ``better``, ``not better`` or ``worse``; None without labels.
    """

    model: Model
    before: Side
    after: Side
    changes: Changes
    changed: float | None
    difference: Difference | None
    verdict: str | None


def chosen(dataset: Dataset, net: Net, split: str | None, limit: int | None, seed: int) -> tuple[Dataset, bool, list[str]]:
    """The pictures to adapt to, whether they have labels to score by, and what is to be said.

    Raises:
        DataError: no pictures, or no such split.
        InputError: a limit below one.
    """
    if limit is not None and limit < 1:
        raise InputError("at least one picture", at="limit", value=limit)
    dataset, notes = align(read(dataset, split=split), net), []
    if limit is not None and limit < len(dataset):
        dataset = dataset.with_samples(dataset[int(i)] for i in np.sort(permutation(len(dataset), seed, 0)[:limit]))
        notes.append(f"{limit} pictures chosen at random")
    if not len(dataset):
        raise DataError("no pictures to adapt to", file=dataset.root, fix="pictures of the new conditions; labels are not needed")
    known = sum(label is not None for label in dataset.labels)
    try:
        check_space(net, dataset)
    except DataError as error:
        return dataset, False, notes + ([f"not scored: {error.rule}"] if known else [])
    notes.append(f"labels of {known} pictures served to score, not to adapt")
    return dataset, True, notes


def adapt_model(
    model: Model, dataset: Dataset, labeled: bool, task: Task, adapter: Adapter, *, batch: int, device: torch.device, intervals: int, seed: int
) -> Adapted:  # fmt: skip
    """Adapt a copy of a model to pictures.

    Raises:
        InputError: the method cannot work with this net.
    """
    adapter.check(model.net)
    tiling = parse_tiling(None, None, True, model.preprocess.size, model.card.recipe)
    before = _side(model, dataset, labeled, task, batch, device, intervals, tiling, "before")
    net = copy.deepcopy(model.net).to(device)
    shown = dataset if tiling is None else cut(dataset, tiling.size, tiling.overlap)
    loader = make_loader(shown, model.preprocess, batch)
    with contextlib.closing(loader.store):
        changes = adapter.adapt(net, Pictures(loader, len(shown), device, seed))
    new = Model(net, _card(model, dataset, adapter, seed), device=str(device))
    after = _side(new, dataset, labeled, task, batch, device, intervals, tiling, "after")
    difference = _difference(task, before, after, intervals) if labeled else None
    share = changed(before.labels, after.labels)
    return Adapted(new, before, after, changes, share, difference, None if difference is None else verdict(difference, task.higher_is_better))


def verdict(difference: Difference, higher_is_better: bool) -> str:
    """Whether a difference with its interval speaks for the new model."""
    change, low, high = difference
    if change is None or low is None or high is None:
        return "not better"
    if not higher_is_better:
        low, high = -high, -low
    return "better" if low > 0 else "worse" if high < 0 else "not better"


def _card(model: Model, dataset: Dataset, adapter: Adapter, seed: int) -> Any:
    """The old model's card with one more line in its lineage; numbers and calibration were those of other weights."""
    line = {
        "from": model.card.weights_sha256[:16], "how": f"adapted by {adapter.name}", "settings": adapter.to_dict(), "data": dataset.name,
        "fingerprint": dataset.fingerprint(), "samples": len(dataset), "seed": seed,
    }  # fmt: skip
    versions = {**model.card.versions, "vidi": vidi.__version__}
    return model.card.model_copy(update={"lineage": [*model.card.lineage, line], "numbers": {}, "calibration": {}, "alarm": None, "versions": versions, "weights_sha256": ""})


def _side(
    model: Model, dataset: Dataset, labeled: bool, task: Task, batch: int, device: torch.device, intervals: int, tiling: Tiling | None, title: str
) -> Side:  # fmt: skip
    settings, net = settings_of(model.card), model.net
    loader = make_loader(dataset, model.preprocess, batch)
    with contextlib.closing(loader.store), entropies(net) as values:
        scored = None
        if labeled:
            scored = score_dataset(net, dataset, loader, task, device=device, settings=settings, intervals=intervals, tiling=tiling, title=f"scoring {title}")
            labels = scored.inference.labels
        elif tiling is not None:
            labels = infer_tiles(net, dataset, model.preprocess, tiling, device=device, batch=batch, title=f"predicting {title}")
        else:
            labels = infer(net, loader, len(dataset), device=device, title=f"predicting {title}").labels
    least = np.asarray(settings.get("thresholds", np.full(max(1, len(net.predicts.names or net.space.names)), SHOWN_SCORE)), np.float64)
    found = float(torch.cat(values).mean()) if values else None
    return Side([label.confident(least) for label in labels], found, scored)


@contextlib.contextmanager
def entropies(net: Net) -> Iterator[list[Tensor]]:
    """The entropy of every prediction that the net makes in the block, a tensor per batch; none where predictions hold no chances."""
    values: list[Tensor] = []
    handle = net.register_forward_hook(lambda module, inputs, raw: values.append(entropy(raw, net.kinds).cpu())) if deciding(net.kinds) else None
    try:
        yield values
    finally:
        if handle is not None:
            handle.remove()


def _difference(task: Task, before: Side, after: Side, intervals: int) -> Difference:
    """Of the primary number, on the same resamples of the pictures."""
    if before.scored is None or after.scored is None:
        return None, None, None
    scored = before.scored
    name = next(name for name in task.metrics if task.primary in discovery.load("metrics", name).HIGHER_IS_BETTER)
    space = scored.dataset.space
    if space is None:
        return None, None, None
    found = paired(
        [name], scored.dataset.labels, scored.inference.labels, after.scored.inference.labels, space, settings=scored.settings, intervals=intervals,
        groups=scored.settings.get("groups"),
    )  # fmt: skip
    return found.get(task.primary, (None, None, None))
