"""From a data set and settings to what the loop needs: resolved recipe, splits, sizes, net, loaders."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from vidi.core import discovery
from vidi.core.console import say
from vidi.core.dataset import Dataset, known_labels
from vidi.core.images import open_image
from vidi.core.net import Net
from vidi.core.preprocess import Preprocess
from vidi.core.recipe import Recipe, load_recipe, make_recipe
from vidi.core.task import Task
from vidi.data.split import assign
from vidi.errors import DataError, RecipeError, VidiError
from vidi.labels import Label
from vidi.model import build_net
from vidi.nets import _pretrained, _transfer

SIZES_LOOKED_AT = 200


def find_task(name: str | None, dataset: Dataset | None = None) -> tuple[str, Task]:
    """The task of a name, or the first whose labels are of the data set's kind.

    Raises:
        DataError: no task fits the data.
    """
    if name is not None:
        return name, discovery.member(discovery.load("tasks", name), "task", "tasks")
    space = dataset.space if dataset is not None else None
    if space is not None:
        for candidate in discovery.names("tasks"):
            task = discovery.load("tasks", candidate).task
            if task.fits(space):
                return candidate, task
    raise DataError("no labels that a task fits", file=dataset.root if dataset else None, fix="class folders, or a table with a label column")


def read_recipe(recipe: str | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a recipe file, overlaid with those given by hand."""
    return {**(load_recipe(recipe) if recipe else {}), **settings}


def net_keys(net: str) -> dict[str, inspect.Parameter]:
    """The settings a net takes, by name."""
    maker = discovery.member(discovery.load("nets", net), "net", "nets")
    parameters = inspect.signature(maker).parameters.values()
    return {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY}


def choose_size(dataset: Dataset) -> tuple[tuple[int, int], str]:
    """An input size and fit for a data set's pictures, from the sizes of up to 200 of them.

    Small pictures keep their size (16 pixels at least); larger ones become 224; long ones are letterboxed.
    """
    step = max(1, len(dataset) // SIZES_LOOKED_AT)
    sizes = []
    for sample in dataset.samples[::step]:
        picture = sample.inputs.get("image")
        try:
            sizes.append(picture.shape[:2] if isinstance(picture, np.ndarray) else open_image(picture, name=sample.id).size[::-1])
        except VidiError:
            continue
    if not sizes:
        return (224, 224), "crop"
    short = float(np.median([min(size) for size in sizes]))
    ratio = float(np.median([max(size) / max(1, min(size)) for size in sizes]))
    side = 224 if short >= 224 else max(16, round(short)) if short <= 64 else int(short // 32 * 32)
    return (side, side), "letterbox" if ratio > 1.5 else "crop"


def resolve(values: dict[str, Any], task_name: str, task: Task, dataset: Dataset) -> Recipe:
    """The full recipe: what was set stays, the rest is filled in from the task and the data.

    Raises:
        RecipeError: unknown or wrong settings.
    """
    values = dict(values)
    values["task"] = task_name
    size = values.get("imgsz")
    chosen, fit = choose_size(dataset) if size is None or values.get("fit") is None else ((0, 0), "crop")
    probe = make_recipe({key: value for key, value in values.items() if key in ("imgsz", "fit")}).imgsz if size is not None else None
    side = chosen if probe is None else (probe, probe) if isinstance(probe, int) else tuple(probe)
    values["imgsz"] = list(side)
    values["fit"] = values.get("fit") or fit
    values["net"] = values.get("net") or task.net(side)
    values["head"] = values.get("head") or task.head
    if values.get("augment") is None:
        values["augment"] = list(task.augment)
    return make_recipe(values, net_keys=net_keys(values["net"]))


def split(dataset: Dataset, recipe: Recipe) -> Dataset:
    """The data set with a validation split, unless the recipe wants none."""
    labeled = dataset.filter(lambda sample: sample.label is not None)
    if len(labeled) < len(dataset):
        say(f"{len(dataset) - len(labeled)} samples have no label and are left out of training")
    if not len(labeled):
        raise DataError("no sample has a label", file=dataset.root, fix="see `vidi doctor`")
    done = assign(labeled, val=recipe.val, test=recipe.test, seed=recipe.seed)
    if not done.splits.get("train"):
        raise DataError("no training samples", file=dataset.root, value=done.splits, fix="a `train` folder or split")
    return done


def make_net(recipe: Recipe, dataset: Dataset, train: Dataset) -> tuple[Net, list[dict[str, Any]]]:
    """The net, started from weights or at random, with frozen stages marked; and its lineage.

    What was loaded, what was not and why is said in one line.
    """
    if dataset.space is None:
        raise DataError("no labels", file=dataset.root)
    net = build_net(recipe.net or "", recipe.head or "", dataset.space, recipe.net_options)
    if recipe.label_smoothing:
        if not hasattr(net, "head") or not hasattr(net.head, "label_smoothing"):
            raise RecipeError("this head has no label smoothing", at="label_smoothing", value=recipe.label_smoothing, fix="label_smoothing=0")
        net.head.label_smoothing = recipe.label_smoothing
    labels: list[Label] = known_labels(train.labels)
    net.fit_labels(labels)
    lineage = []
    if recipe.weights:
        state, provenance = weights_of(recipe.weights, recipe.net or "", net)
        adopted = _pretrained.adopt(net, state)
        say(f"weights {recipe.weights}: {adopted.summary}")
        if not adopted.loaded:
            raise RecipeError("no tensor of these weights fits the net", at="weights", value=recipe.weights, fix="another net, or other weights")
        lineage.append({"from": recipe.weights, **provenance})
    if recipe.freeze is not None:
        frozen = _transfer.freeze(net, recipe.freeze)
        say(f"frozen: {', '.join(frozen) or 'nothing'}")
    return net, lineage


def weights_of(name: str, net_name: str, net: Net) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors to start from: a model file's, or whatever `vidi.nets._pretrained` finds by that name."""
    if name.endswith(".vidi"):
        from vidi.core.container import Container
        from vidi.core.tensors import parse

        with Container(name) as container:
            return parse(container.read("weights.safetensors"), name), {"kind": "vidi model"}
    return _pretrained.find_weights(name, net)


def first_pictures(loader: Any, order: np.ndarray, count: int = 2000) -> torch.Tensor:
    """Some training pictures as the net will see them, (N, 3, H, W) float in 0..1, for initial values that depend on data."""
    chosen = order[:: max(1, len(order) // count)][:count]
    canvases = loader.store.fetch(np.sort(chosen))
    return torch.from_numpy(canvases).permute(0, 3, 1, 2).float().div_(255)


def canvas_of(recipe: Recipe) -> Preprocess:
    """The preprocessing rule a recipe means."""
    size = recipe.imgsz if isinstance(recipe.imgsz, (tuple, list)) else (recipe.imgsz or 224,) * 2
    return Preprocess((int(size[0]), int(size[1])), recipe.fit or "crop")
