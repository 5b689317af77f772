"""From a data set and settings to what the loop needs: resolved recipe, splits, sizes, net, loaders."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
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
from vidi.core.space import Space
from vidi.core.task import Task
from vidi.data.split import assign
from vidi.engine.tiles import cut
from vidi.errors import DataError, RecipeError, VidiError
from vidi.labels import Label
from vidi.model import build_net, parse_card
from vidi.nets import _pretrained, _transfer
from vidi.nets.enhance._steps import STEP_WEIGHTS, full_calls, refuse_bare

SIZES_LOOKED_AT = 200
WHOLE_SIDE = 640


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


def adapted(dataset: Dataset, name: str, task: Task) -> Dataset:
    """The data set with labels of the task's kind.

    Raises:
        DataError: labels of another kind, of which the task can make none of its own.
    """
    done = task.adapted(dataset)
    if done.space is None or not task.fits(done.space):
        raise DataError(f"the labels do not fit task {name}", file=dataset.root, value=done.space.family if done.space else "none")
    return done


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
    sizes = _sizes(dataset)
    if not sizes:
        return (224, 224), "crop"
    short = float(np.median([min(size) for size in sizes]))
    ratio = float(np.median([max(size) / max(1, min(size)) for size in sizes]))
    side = 224 if short >= 224 else max(16, round(short)) if short <= 64 else int(short // 32 * 32)
    return (side, side), "letterbox" if ratio > 1.5 else "crop"


def choose_whole(dataset: Dataset, longest: int | None = None) -> tuple[int, int]:
    """An input size that shows all of a data set's pictures in their usual shape: sides that are multiples of 32, the longer one the
    pictures' own, `WHOLE_SIDE` at most.

    Args:
        longest: the longer side, where it is set.
    """
    sizes = np.array(_sizes(dataset) or [(WHOLE_SIDE, WHOLE_SIDE)], dtype=np.float64)
    tall, wide = np.median(sizes, axis=0)
    side = longest or min(WHOLE_SIDE, max(32, round(max(tall, wide) / 32) * 32))
    scale = side / max(tall, wide)
    if np.std(np.log(sizes[:, 0] / sizes[:, 1])) > 0.25:  # both upright and lying pictures
        return side, side
    if longest is not None and longest % 32:
        return round(tall * scale), round(wide * scale)
    return tuple(max(32, round(length * scale / 32) * 32) for length in (tall, wide))


def _sizes(dataset: Dataset) -> list[tuple[int, int]]:
    """(height, width) of up to 200 pictures, evenly spread."""
    step = max(1, len(dataset) // SIZES_LOOKED_AT)
    sizes = []
    for sample in dataset.samples[::step]:
        picture: Any = sample.inputs.get("image")
        try:
            sizes.append(picture.shape[:2] if isinstance(picture, np.ndarray) else open_image(picture, name=sample.id).size[::-1])
        except VidiError:
            continue
    return sizes


def resolve(values: dict[str, Any], task_name: str, task: Task, dataset: Dataset) -> Recipe:
    """The full recipe: what was set stays, the rest is filled in from the task, the net (`RECIPE` of its file) and the data.

    Raises:
        RecipeError: unknown or wrong settings.
    """
    values = dict(values)
    values["task"] = task_name
    side, fit = _input(values, task, dataset)
    values["imgsz"], values["fit"] = list(side), fit
    values["net"] = values.get("net") or task.net(side)
    values["head"] = values.get("head") or task.head
    for key, value in {**task.recipe, **getattr(discovery.load("nets", values["net"]), "RECIPE", {})}.items():
        if values.get(key) is None:
            values[key] = value
    if values.get("augment") is None:
        values["augment"] = list(task.augment)
    values["enhance"] = full_calls(values.get("enhance"))
    return make_recipe(values, net_keys=net_keys(values["net"]))


def _input(values: dict[str, Any], task: Task, dataset: Dataset) -> tuple[tuple[int, int], str]:
    """The input size and fit that are set, or suit task and data."""
    given = make_recipe({key: values[key] for key in ("imgsz", "fit", "tile") if values.get(key) is not None})
    if given.tile is not None and given.imgsz is None:
        sides = (given.tile, given.tile) if isinstance(given.tile, int) else given.tile
        return (-(-sides[0] // 32) * 32, -(-sides[1] // 32) * 32), given.fit or "letterbox"
    if given.imgsz is not None and not isinstance(given.imgsz, int):
        side: tuple[int, int] | None = (given.imgsz[0], given.imgsz[1])
    elif task.whole and given.fit in (None, "letterbox"):
        side = choose_whole(dataset, given.imgsz)
    else:
        side = (given.imgsz, given.imgsz) if given.imgsz is not None else None
    if side is not None and (given.fit is not None or task.whole):
        return side, given.fit or "letterbox"
    chosen, fit = choose_size(dataset)
    return side or chosen, given.fit or fit


def split(dataset: Dataset, recipe: Recipe) -> Dataset:
    """The data set with a validation split, unless the recipe wants none."""
    labeled = dataset.filter(lambda sample: sample.label is not None)
    if len(labeled) < len(dataset):
        say(f"{len(dataset) - len(labeled)} samples have no label and are left out of training")
    if not len(labeled):
        raise DataError("no sample has a label", file=dataset.root, fix="see `vidi doctor`")
    done = assign(labeled, val=recipe.val, test=recipe.test, seed=recipe.seed, by=recipe.split_by)
    if not done.splits.get("train"):
        raise DataError("no training samples", file=dataset.root, value=done.splits, fix="a `train` folder or split")
    return done


def make_net(recipe: Recipe, dataset: Dataset, train: Dataset) -> tuple[Net, list[dict[str, Any]]]:
    """The net, started from weights or at random, with frozen stages marked; and its lineage.

    What was loaded, what was not and why is said in one line.
    """
    if dataset.space is None:
        raise DataError("no labels", file=dataset.root)
    net = build_net(recipe.net or "", recipe.head or "", dataset.space, recipe.net_options, recipe.enhance)
    if recipe.label_smoothing:
        if not hasattr(net, "head") or not hasattr(net.head, "label_smoothing"):
            raise RecipeError("this head has no label smoothing", at="label_smoothing", value=recipe.label_smoothing, fix="label_smoothing=0")
        net.head.label_smoothing = recipe.label_smoothing
    labels: list[Label] = known_labels(train.labels)
    net.fit_labels(labels)
    lineage = []
    if not recipe.weights:
        refuse_bare(net)
    else:
        state, provenance = weights_of(recipe.weights, recipe.net or "", net)
        if provenance.get("enhance") != recipe.enhance:  # steps of another making keep what they were made with
            refuse_bare(net)
            state = {name: tensor for name, tensor in state.items() if not name.startswith(STEP_WEIGHTS)}
        if provenance.get("names", list(dataset.space.names)) != list(dataset.space.names):
            state = {name: tensor for name, tensor in state.items() if name not in _by_class(recipe, dataset.space, net)}
            say("the weights' classes are others: what belongs to single classes starts anew")
        adopted = _pretrained.adopt(net, state, provenance)
        say(f"weights {recipe.weights}: {adopted.summary}")
        if not adopted.loaded:
            raise RecipeError("no tensor of these weights fits the net", at="weights", value=recipe.weights, fix="another net, or other weights")
        lineage.append({"from": recipe.weights, **provenance})
    if recipe.freeze is not None:
        frozen = _transfer.freeze(net, recipe.freeze)
        say(f"frozen: {', '.join(frozen) or 'nothing'}")
    return net, lineage


def _by_class(recipe: Recipe, space: Space, net: Net) -> set[str]:
    """Names of the tensors that have a part for each class: those that are of another size where there is one class more."""
    wider = replace(space, names=(*space.names, "one more"), ids=())
    other = build_net(recipe.net or "", recipe.head or "", wider, recipe.net_options, recipe.enhance).state_dict()
    return {name for name, tensor in net.state_dict().items() if name not in other or other[name].shape != tensor.shape}


def weights_of(name: str, net_name: str, net: Net) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors to start from: a model file's, or whatever `vidi.nets._pretrained` finds by that name."""
    if name.endswith(".vidi"):
        from vidi.core.container import Container
        from vidi.core.files import parse_json
        from vidi.core.tensors import parse

        with Container(name) as container:
            card = parse_card(parse_json(container.read("model.json").decode(), name, limit=1 << 24), name)
            return parse(container.read("weights.safetensors"), name), {"kind": "vidi model", "enhance": card.enhance, "names": list(card.label_space.names)}
    return _pretrained.find_weights(name, net)


def first_pictures(loader: Any, order: np.ndarray, count: int = 2000) -> torch.Tensor:
    """Some training pictures as the net will see them, (N, 3, H, W) float in 0..1, for initial values that depend on data."""
    chosen = order[:: max(1, len(order) // count)][:count]
    canvases = loader.store.fetch(np.sort(chosen))
    return torch.from_numpy(canvases).permute(0, 3, 1, 2).float().div_(255)


def tiled(parts: dict[str, Dataset], recipe: Recipe) -> dict[str, Dataset]:
    """The splits cut into tiles, where the recipe wants to train on tiles."""
    if recipe.tile is None:
        return parts
    empty = {"train": recipe.tile_empty}
    return {name: cut(part, recipe.tile, recipe.tile_overlap, empty=empty.get(name, 1.0), seed=recipe.seed) if len(part) else part for name, part in parts.items()}


def canvas_of(recipe: Recipe) -> Preprocess:
    """The preprocessing rule a recipe means."""
    size = recipe.imgsz if isinstance(recipe.imgsz, (tuple, list)) else (recipe.imgsz or 224,) * 2
    return Preprocess((int(size[0]), int(size[1])), recipe.fit or "crop")
