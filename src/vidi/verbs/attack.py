"""Change pictures so that a model is misled, within a budget that holds in the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from vidi.core.dataset import Dataset
    from vidi.model import Model


def attack(
    model: str | Path | Model,
    data: str | Dataset,
    *,
    method: str = "pgd",
    budget: str | None = None,
    norm: str = "linf",
    aim: str = "away",
    labels: bool = True,
    steps: int | None = None,
    split: str | None = None,
    limit: int | None = None,
    batch: int = 32,
    seed: int = 0,
    format: str = "csv",
    out: str | None = None,
    device: str = "auto",
    code: list[str] | None = None,
) -> Dataset:
    """Change pictures so that a model is misled, and score it on them beside the clean ones and on noise of equal size.

    Args:
        model: a .vidi file or a run folder.
        data: pictures in any format that training reads; with labels, unless labels=false.
        method: a name of `vidi list attacks` with settings, such as pgd(restarts=5) or patch(size=0.2), or a path to a .py file.
        budget: largest change, in units of the pixel range, such as 8/255 or 0.5; left out: 8/255 for linf, 0.5 for l2, 12 for l1.
            Methods that are bounded otherwise (patch, spatial) take none.
        norm: how a change is measured: linf (the largest of a value), l2 (its length), l1 (the sum).
        aim: away (from the truth); of classes next or class=K; of boxes vanish, fabricate or mislabel; of class maps mislabel or class=K;
            of values up or down.
        labels: lead predictions away from the labels; else away from what the model says of the clean pictures.
        steps: of methods that go in steps; left out: the method's own.
        split: train, val or test, of the data or, where it has none and the model was trained on it, of that training; left out: test if there is
            one, else val, else everything.
        limit: attack only so many pictures, chosen at random by the seed.
        batch: pictures per step.
        seed: of everything random.
        format: of the labels that are written (`vidi list writers`); csv holds those of every task.
        out: new folder for the pictures (PNG) and labels; left out: they stay in memory.
        device: auto, cpu, cuda, cuda:N or mps.
        code: Python files of the model's own net, head, backbone, neck or steps, which may be run.

    Returns:
        The attacked pictures, as the model's canvas shows them, with their labels; `vidi val` scores them without resizing. Its notes
        have the scores in words, its `extra` all of them (``attack``, ``numbers``).
    """
    from pathlib import Path

    from vidi.core import discovery
    from vidi.engine import device as devices
    from vidi.engine.canvases import canvas_dataset, write_canvases
    from vidi.engine.evaluate import data_for, make_loader
    from vidi.methods.attack import _report as report
    from vidi.methods.attack._run import attack_dataset, count_exceeding
    from vidi.model import load

    where = devices.choose(device)
    attacker, settings = report.parse_method(method, steps)
    allowed = report.parse_budget(attacker, budget, norm)
    loaded = load(model, device=str(where), code=code or [])
    task = discovery.load("tasks", loaded.card.task).task
    dataset = data_for(loaded, data, task)
    dataset, labels, notes = report.chosen(dataset, loaded.net, labels, split, limit, seed)
    loader = make_loader(dataset, loaded.preprocess, batch, cache="none")
    outcome = attack_dataset(loaded.net, dataset, loader, attacker, allowed, device=where, aim=aim, labels=labels, seed=seed)
    scores = report.score(loaded, task, dataset, outcome, batch, where)
    attacked = canvas_dataset(dataset, outcome.attacked, f"{dataset.name} under {method}")
    pixels = [sample.inputs["image"] for sample in outcome.attacked]
    if out:
        attacked, pixels = write_canvases(attacked, Path(out), task, format)
    exceeded = count_exceeding([sample.inputs["image"] for sample in outcome.clean], pixels, allowed) if attacker.norms else None
    facts = {"method": method, "settings": settings, "aim": aim, "labels": labels, "norm": allowed.norm, "budget": allowed.size if attacker.norms else None, "seed": seed}
    facts |= report.facts(task, scores, outcome, exceeded)
    attacked.extra |= {"attack": facts, "numbers": report.numbers(facts)}
    attacked.notes += [*notes, *report.notes(facts, written=bool(out))]
    return attacked
