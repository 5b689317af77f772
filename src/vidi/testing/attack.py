"""What every attack must hold to: ``check_attack("pgd", steps=10)`` or ``check_attack("./mine.py")``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidi.core.discovery import load, member
from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.errors import InputError
from vidi.labels import Label
from vidi.methods.attack._base import ROOM, Attack, Budget, make_attack
from vidi.methods.attack._goal import Goal, goal_for
from vidi.model import build_net
from vidi.ops.projection import exceeds, to_levels

BUDGETS = {"linf": 0.06, "l2": 1.0, "l1": 15.0}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "multilabel": ("small", {"widths": [4, 8]}),
    "regress": ("small", {"widths": [4, 8]}),
    "embed": ("small", {"widths": [4, 8]}),
    "detect": ("fcos", {"backbone": "small(widths=[4,8,8])", "width": 8}),
    "semantic": ("unet", {"backbone": "classic", "width": 4, "depth": 2}),
    "instance": ("yolo", {"backbone": "small(widths=[4,8,8])", "width": 8}),
}
"""Nets with random weights that an attack works on or refuses, by task."""


class WeakAttack(AssertionError):
    """An attack breaks a promise; the message says which."""


def _must(holds: bool, promise: str) -> None:
    if not holds:
        raise WeakAttack(promise)


def toy_pictures(task: str, count: int, seed: int = 0) -> tuple[Tensor, list[Label]]:
    """Pictures (count, 3, H, W) in 0..1 of a task's toy data, whole levels of 255, with their labels."""
    data = member(load("tasks", task), "task", "tasks").toy(count, seed)
    pixels = np.stack([sample.inputs["image"] for sample in data])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255), [label for label in data.labels if label is not None]


@cache
def toy_classifier(steps: int = 60) -> Net:
    """A small net that was trained for seconds to tell a disc, a square and a cross apart."""
    task: Any = member(load("tasks", "classify"), "task", "tasks")
    images, labels = toy_pictures("classify", 96)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = build_net("small", task.head, task.toy(1, 0).space, {"widths": [8, 16, 16]})
        net.prepare({"image": images})
        adam = torch.optim.Adam(net.parameters(), 1e-2)
        net.train()
        for step in range(steps):
            rows = np.arange(32) + 32 * (step % 3)
            loss = torch.stack(list(net.loss(net({"image": images[rows]}), [labels[i] for i in rows]).values())).sum(0).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
        adam.zero_grad()
    return net.eval()


def _budgets(attack: Attack) -> Iterator[Budget]:
    yield from (Budget(norm, size) for norm, size in BUDGETS.items() if norm in attack.norms or (not attack.norms and norm == "linf"))


def _draw(count: int, seed: int = 0) -> Draw:
    return Draw.samples(seed, 0, np.arange(count))


def check_budgets(attack: Attack, net: Net, images: Tensor, goal: Goal) -> None:
    """Pictures keep their shape and range, and the budget, also in 8 bits; the same seed gives the same pictures; the net is left alone."""
    before = {name: value.clone() for name, value in net.state_dict().items()}
    for budget in _budgets(attack):
        found = attack.run(net, images, goal, budget, _draw(len(images)))
        again = attack.run(net, images, goal, budget, _draw(len(images)))
        _must(found.shape == images.shape and not found.requires_grad, "pictures keep their shape and carry no gradient")
        _must(bool(found.isfinite().all()) and float(found.min()) >= 0 and float(found.max()) <= 1, "pictures stay in 0..1")
        _must(torch.equal(found, again), "the same seed gives the same pictures")
        if attack.norms:
            _must(bool((budget.spent(found, images) <= budget.size * (1 + 1e-4)).all()), f"the {budget.norm} budget is kept")
            clean = images.mul(255).round().to(torch.uint8)
            levels = to_levels(found, clean, budget.norm, budget.size)
            _must(not bool(exceeds(levels, clean, budget.norm, budget.size).any()), f"the {budget.norm} budget is kept in 8 bits")
    _must(all(torch.equal(value, before[name]) for name, value in net.state_dict().items()), "the net's values stay as they are")


def check_stronger_than_noise(attack: Attack, net: Net, images: Tensor, goal: Goal) -> None:
    """The goal rises more than by random changes of equal size."""
    for budget in _budgets(attack):
        found = attack.run(net, images, goal, budget, _draw(len(images)))
        noise = attack.noise(images, budget, _draw(len(images)).child("noise"))
        with torch.no_grad():
            risen, by_noise = (float(goal(net({"image": shown})).mean()) for shown in (found, noise))
        _must(risen > by_noise, f"stronger than noise of equal size in {budget.norm}: the goal is {risen:.4g}, with noise {by_noise:.4g}")


def check_nothing_to_do(attack: Attack, net: Net, images: Tensor, goal: Goal) -> None:
    """No pictures give no pictures; a budget of zero changes nothing."""
    none = torch.zeros(0, dtype=torch.int64)
    for budget in _budgets(attack):
        empty = attack.run(net, images[:0], goal[none], budget, _draw(0))
        _must(empty.shape == images[:0].shape, "no pictures give no pictures")
        if attack.norms:
            still = attack.run(net, images, goal, Budget(budget.norm, 0.0), _draw(len(images)))
            _must(torch.equal(still, images), "a budget of zero changes nothing")


def check_net_is_restored(attack: Attack, net: Net, images: Tensor, goal: Goal) -> None:
    """Mode and gradients of the net are what they were before, and no gradient is left behind."""
    frozen = next(net.parameters())
    net.train()
    frozen.requires_grad_(False)
    try:
        attack.run(net, images[:2], goal[torch.arange(2)], next(_budgets(attack)), _draw(2))
        _must(all(module.training for module in net.modules()), "the net's mode is restored")
        _must(not frozen.requires_grad and all(p.requires_grad for p in list(net.parameters())[1:]), "parameters want gradients as before")
        _must(all(p.grad is None for p in net.parameters()), "parameters get no gradients")
    finally:
        frozen.requires_grad_(True)
        net.eval()


def check_other_labels(attack: Attack, count: int = 2) -> list[str]:
    """Works with labels of every family, or says in one sentence why not and what else would. Gives the tasks it works on."""
    works = []
    for task, (name, options) in FAMILIES.items():
        described = member(load("tasks", task), "task", "tasks")
        images, labels = toy_pictures(task, count + 2)
        torch.manual_seed(0)
        net = build_net(name, described.head, described.toy(1, 0).space, options).eval()
        truth = labels[-count:] if net.predicts.family == net.space.family else None
        goal = goal_for(net, images[-count:], truth)
        budget = next(_budgets(attack))
        try:
            found = attack.run(net, images[-count:], goal, budget, _draw(count))
        except InputError as error:
            _must(bool(error.fix), f"a refusal names an alternative: {error}")
            continue
        _must(found.shape == images[-count:].shape and bool(found.isfinite().all()), f"pictures keep their shape with the labels of {task}")
        _must(not attack.norms or bool((budget.spent(found, images[-count:]) <= budget.size * (1 + 1e-4)).all()), f"the budget is kept with the labels of {task}")
        works.append(task)
    return works


def check_attack(name: str, /, *, count: int = 12, **settings: Any) -> list[str]:
    """Check every promise of `vidi.methods.attack._base.Attack` on a toy classifier, and that other labels work or are refused clearly.

    Args:
        name: of ``methods/attack``, or the path of a Python file.
        count: pictures.
        settings: of the attack; keep it short.

    Returns:
        the tasks of `FAMILIES` that it works on.

    Raises:
        WeakAttack: the promise that is broken.
    """
    attack = make_attack(name, **settings)
    _must(isinstance(attack, Attack), f"`attack` of {ROOM} gives a vidi.methods.attack._base.Attack")
    net, (images, labels) = toy_classifier(), toy_pictures("classify", count, seed=1)
    goal = goal_for(net, images, labels)
    for check in (check_budgets, check_stronger_than_noise, check_nothing_to_do, check_net_is_restored):
        try:
            check(attack, net, images, goal)
        except WeakAttack as error:
            raise WeakAttack(f"{name}: {error}") from None
    return check_other_labels(attack)
