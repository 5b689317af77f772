"""What a model keeps of its score under stress, where it fails first, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vidi.core.dataset import Dataset
    from vidi.engine.stress import Bench, Cell
    from vidi.model import Model
    from vidi.report import Report

ADVERSARIAL = "adversarial"
ATTACK, STEPS, BUDGETS = "pgd", 10, ("2/255", "8/255")
"""The attack of the card: two budgets, each of so many steps."""


def robustness(
    model: str | Path | Model,
    data: str | Dataset,
    *,
    families: list[str] | None = None,
    severities: list[str] | None = None,
    split: str | None = None,
    limit: int | None = None,
    batch: int = 64,
    intervals: int = 100,
    seed: int = 0,
    out: str | None = None,
    gate: list[str] | None = None,
    device: str = "auto",
    code: list[str] | None = None,
) -> Report:
    """Stress a model: the common corruptions, light, occlusion, missing data, geometry and two attacks, at five severities each.

    Args:
        model: a .vidi file or a run folder.
        data: labeled data in any format that training reads.
        families: families of stresses, single stresses by name, or paths of .py files, such as noise,blur,rotate (`vidi list stresses`);
            adversarial: the attacks; left out: all.
        severities: some of 1,2,3,4,5; left out: all.
        split: train, val or test, of the data or, where it has none and the model was trained on it, of that training; left out: test if there is
            one, else val, else everything.
        limit: at most this many pictures, chosen by the seed; left out: all.
        batch: pictures per step; large pictures are taken in smaller steps.
        intervals: bootstrap resamples; 0 for none.
        seed: of the stresses, the resamples and the choice of pictures.
        out: folder for report.json, report.html and cells.jsonl, from which a second run goes on.
        gate: rules such as `robust>=0.8` or `robust_noise.low>=0.7`; a broken one makes the exit code 2.
        device: auto, cpu, cuda, cuda:N or mps.
        code: Python files of the model's own net, head, backbone, neck or steps, which may be run.

    Returns:
        A report: `robust` is the share of the clean score that is kept, a mean over families (attacks are told apart), with curves, a heat
        table, pictures of the first failures, and augmentations to train with.
    """
    from contextlib import closing
    from pathlib import Path

    from vidi.core import discovery
    from vidi.core.batch import check_batch
    from vidi.data import read
    from vidi.engine import device as devices
    from vidi.engine import evaluate
    from vidi.engine.stress import Bench
    from vidi.methods.stress._card import card
    from vidi.methods.stress._choose import check_severities, choose
    from vidi.metrics._evaluate import check_level
    from vidi.model import load
    from vidi.report.gate import gate as check

    check_batch(batch)
    check_level(intervals, 0.95)
    wanted = check_severities(severities)
    where = devices.choose(device)
    loaded = load(model, device=str(where), code=code or [])
    task = discovery.load("tasks", loaded.card.task).task
    stresses = choose(families, loaded.net.space.family, (ADVERSARIAL,))
    dataset = evaluate.data_for(loaded, data, task)
    evaluate.check_space(loaded.net, dataset)
    chosen = split or next((name for name in ("test", "val") if dataset.splits.get(name)), None)
    dataset = _some(read(dataset, split=chosen), limit, seed)
    evaluate.check_space(loaded.net, dataset)
    folder = Path(out) if out else None
    about = {
        "model": str(model) if isinstance(model, (str, Path)) else "model", "task": loaded.card.task, "data": dataset.name, "split": chosen or "all",
        "samples": len(dataset), "fingerprint": dataset.fingerprint(), "weights": loaded.card.weights_sha256[:16], "enhance": loaded.card.enhance, "seed": seed,
    }  # fmt: skip
    bench = Bench(
        loaded.net, dataset, task, loaded.preprocess, device=where, batch=batch, settings=evaluate.settings_of(loaded.card), intervals=intervals, seed=seed
    )
    with closing(bench):
        attacks = _attacks(bench) if families is None or ADVERSARIAL in families else []
        own = loaded.card.recipe.get("augment") or []
        file = folder / "cells.jsonl" if folder else None
        report = card(bench, stresses, wanted, about, extra_cells=attacks, augment=own, file=file)
    failures = check(report, gate or [])
    if failures:
        report.about |= {"refused": True, "gate": failures}
    if folder is not None:
        report.save(folder / "report.json")
        report.html(folder / "report.html")
    return report


def _some(dataset: Dataset, limit: int | None, seed: int) -> Dataset:
    """At most so many labeled samples, in their order.

    Raises:
        InputError: a limit below 1.
    """
    from vidi.core.seeds import permutation
    from vidi.errors import InputError

    if limit is None:
        return dataset
    if limit < 1:
        raise InputError("at least one picture", at="limit", value=limit)
    known = [i for i, sample in enumerate(dataset.samples) if sample.label is not None]
    kept = sorted(known[place] for place in permutation(len(known), seed, 0)[:limit].tolist())
    return dataset.with_samples(dataset.samples[i] for i in kept)


def _attacks(bench: Bench) -> Sequence[Cell]:
    """A cell for each budget of the card's attack."""
    from functools import partial

    from vidi.core.batch import Batch
    from vidi.core.seeds import Draw
    from vidi.engine.stress import Cell
    from vidi.methods.attack._base import Budget, make_attack
    from vidi.methods.attack._goal import goal_for

    attack = make_attack(ATTACK, steps=STEPS)

    def change(budget: Budget, batch: Batch, draw: Draw) -> Batch:
        images = batch.inputs["image"]
        others = {name: value for name, value in batch.inputs.items() if name != "image"}
        labels = batch.labels if bench.labeled else None
        goal = goal_for(bench.net, images, labels, others=others, leeway=bench.leeway)
        changed = attack.run(bench.net, images, goal, budget, draw.to(images.device))
        return Batch(batch.inputs | {"image": changed}, batch.labels, batch.frames, batch.indices)

    budgets = [Budget.parse(size) for size in BUDGETS]
    return [
        Cell(f"{ATTACK}_linf", ADVERSARIAL, severity, partial(change, budget), f"{ATTACK} steps={STEPS} {budget}")
        for severity, budget in enumerate(budgets, 1)
    ]
