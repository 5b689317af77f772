"""Around an attack on a data set: which pictures, which method and budget, and what is said of the outcome."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch

from vidi.core.calls import parse_call
from vidi.core.console import quiet
from vidi.core.dataset import Dataset
from vidi.core.discovery import load, member
from vidi.core.net import Net
from vidi.core.seeds import permutation
from vidi.core.task import Task
from vidi.data import read
from vidi.engine.canvases import canvas_dataset
from vidi.engine.evaluate import check_space, make_loader, same_family, settings_of
from vidi.engine.evaluate import score as score_dataset
from vidi.errors import DataError, InputError
from vidi.methods.attack._base import ROOM, Attack, Budget, at_least, make_attack
from vidi.methods.attack._run import Attacked
from vidi.model import Model

SHOWN = {"clean": "clean", "noisy": "noise of equal size", "attacked": "attacked"}


def parse_method(text: str, steps: int | None) -> tuple[Attack, dict[str, Any]]:
    """The attack that ``name(key=value, …)`` means, and its settings.

    Raises:
        RecipeError: not of this form.
        ChoiceError: no such method.
        InputError: settings that it does not have or refuses.
    """
    name, settings = parse_call(text, "method")
    if steps is not None:
        if "steps" in settings:
            raise InputError("given twice", at="steps", value=steps, fix="give it once")
        takes = inspect.signature(member(load(ROOM, name), "attack", ROOM)).parameters
        if "steps" not in takes:
            raise InputError(f"{name} does not go in steps", at="steps", value=steps, fix=f"it takes {', '.join(takes) or 'no settings'}")
        settings["steps"] = steps
    return make_attack(name, **settings), settings


def parse_budget(attack: Attack, size: str | float | None, norm: str) -> Budget:
    """
    Raises:
        InputError: not a budget, a norm that the method does not know, or a budget for a method that is bounded otherwise.
    """
    if not attack.norms and size is not None:
        raise InputError(f"{attack.name} is bounded by its own settings", at="budget", value=size, fix="leave budget out; see `vidi list attacks`")
    budget = Budget.parse(size, norm)
    if attack.norms and norm not in attack.norms:
        raise InputError(f"{attack.name} does not know this norm", at="norm", value=norm, fix=f"norm={' or '.join(attack.norms)}, or method=pgd")
    return budget


def chosen(dataset: Dataset, net: Net, labels: bool, split: str | None, limit: int | None, seed: int) -> tuple[Dataset, bool, list[str]]:
    """The pictures that are attacked, whether labels are looked at, and what is to be said about both.

    Raises:
        DataError: no pictures, or labels of another kind than the model's.
        InputError: a limit below one.
    """
    at_least(1, limit=limit)
    notes = []
    if labels or any(label is not None for label in dataset.labels):
        check_space(net, dataset)
    name = split or next((part for part in ("test", "val") if dataset.splits.get(part)), None)
    dataset = read(dataset, split=name)
    if labels and not same_family(net):
        labels = False
        notes.append("predictions are of another kind than the labels: they were led away from what the model says of the clean pictures")
    unlabeled = sum(label is None for label in dataset.labels)
    if labels and unlabeled:
        dataset = dataset.filter(lambda sample: sample.label is not None)
        notes.append(f"left out {unlabeled} pictures without a label (labels=false attacks them too)")
    if limit is not None and limit < len(dataset):
        kept = np.sort(permutation(len(dataset), seed, 0)[:limit])
        dataset = dataset.with_samples(dataset[int(i)] for i in kept)
        notes.append(f"{limit} pictures chosen at random")
    if not len(dataset):
        raise DataError("no pictures to attack", file=dataset.root, fix="labels=false, where none has a label")
    return dataset, labels, notes


def score(model: Model, task: Task, dataset: Dataset, outcome: Attacked, batch: int, device: torch.device) -> dict[str, dict[str, float | None]]:
    """The task's numbers on clean, noisy and attacked canvases; nothing where not every picture has a label."""
    if any(label is None for label in dataset.labels):
        return {}
    found = {}
    for name in SHOWN:
        canvases = canvas_dataset(dataset, getattr(outcome, name), name)
        loader = make_loader(canvases, model.preprocess, batch, cache="none")
        with quiet():
            scored = score_dataset(model.net, canvases, loader, task, device=device, settings=settings_of(model.card), metrics=task.watch)
        found[name] = dict(scored.evaluation.numbers)
    return found


def facts(task: Task, scores: dict[str, dict[str, float | None]], outcome: Attacked, exceeded: int | None) -> dict[str, Any]:
    """Plain JSON values about an attack: the primary number thrice, all numbers, the share fooled, mean size, pictures over budget."""
    primary = {name: numbers.get(task.primary) for name, numbers in scores.items()}
    return {
        "n": len(outcome), "primary": task.primary, **{name: primary.get(name) for name in SHOWN}, "numbers": scores, "right_before": int(np.sum(outcome.right)),
        "fooled": outcome.share_fooled(), "mean_size": float(np.mean(outcome.sizes)) if outcome.sizes else 0.0, "exceeded": exceeded,
    }  # fmt: skip


def numbers(facts: dict[str, Any]) -> dict[str, Any]:
    """The figures of `facts` under flat names: ``clean.accuracy``, ``noisy.accuracy``, ``attacked.accuracy``, ``fooled`` and so on."""
    scored = {f"{name}.{key}": value for name, values in facts["numbers"].items() for key, value in values.items()}
    return scored | {key: facts[key] for key in ("fooled", "right_before", "mean_size", "exceeded")}


def notes(facts: dict[str, Any], written: bool) -> list[str]:
    """The same in sentences."""
    lines = []
    if facts["clean"] is not None:
        values = ", ".join(f"{words} {facts[name]:.4g}" if facts[name] is not None else f"{words} none" for name, words in SHOWN.items())
        lines.append(f"{facts['primary']}: {values} (n={facts['n']})")
    if facts["fooled"] is not None:
        lines.append(f"fooled: {facts['fooled']:.1%} of the {facts['right_before']} pictures that did not mislead the model before")
    if facts["exceeded"] is not None:
        places = "in the files, read again" if written else "after rounding to 8 bits"
        lines.append(f"size of the change: {facts['mean_size']:.4g} ({facts['norm']}) on average; budget {facts['budget']:.4g}, exceeded {places} by {facts['exceeded']} pictures")
    return lines
