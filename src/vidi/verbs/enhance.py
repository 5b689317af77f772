"""Put steps that make pictures easier to see in front of a model, and measure whether they help."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from vidi.core.dataset import Dataset
    from vidi.core.task import Task
    from vidi.engine.stress import Cell
    from vidi.model import Model


def enhance(
    model: str | Path | Model,
    data: str | Dataset | None = None,
    *,
    steps: list[str] | str | None = None,
    rank: list[str] | str | None = None,
    stress: list[str] | None = None,
    severities: list[str] | None = None,
    split: str | None = None,
    limit: int | None = None,
    out: str | None = None,
    batch: int = 64,
    intervals: int = 200,
    seed: int = 0,
    report: str | None = None,
    device: str = "auto",
    code: list[str] | None = None,
) -> Model:
    """Put steps such as clahe, gray_world or median in front of a model, and with labeled data say `better` or `not better`.

    Args:
        model: a .vidi file or a run folder; it stays as it is.
        data: labeled data in any format that training reads; left out: nothing is measured.
        steps: what pictures take first, in this order and in place of what the model has, such as clahe(clip=2),gamma (`vidi list
            enhancements`), or paths of .py files; none takes them out.
        rank: measure these chains instead and keep the best, if it is better than none: all (each step alone), or chains such as
            clahe,gamma+clahe. Choosing is done on the val split; then the best is measured on test, if there is one.
        stress: also score under these families or single stresses, such as darkness,color_cast (`vidi list stresses`).
        severities: some of 1,2,3,4,5; left out: all.
        split: train, val or test; left out: with steps test if there is one, else val, else everything; with rank val.
        limit: at most so many pictures, chosen at random by the seed.
        out: file for the new model; left out: none is written. With rank nothing is written unless a chain is better.
        batch: pictures per step.
        intervals: bootstrap resamples; the verdict needs some.
        seed: of the stresses, the resamples and the choice of pictures.
        report: folder for report.json and report.html.
        device: auto, cpu, cuda, cuda:N or mps.
        code: Python files of the model's own net, head, backbone, neck or steps, which may be run.

    Returns:
        The new model; its lineage has the verdict, its reports hold `enhance.json`.
    """
    from copy import copy
    from pathlib import Path

    from vidi.core import discovery
    from vidi.core.batch import check_batch
    from vidi.core.console import say
    from vidi.core.recipe import split_list
    from vidi.engine import device as devices
    from vidi.errors import InputError
    from vidi.methods.enhance import _make as make
    from vidi.methods.enhance._report import sentence
    from vidi.methods.enhance._trial import BETTER, candidates, chain_of
    from vidi.metrics._evaluate import check_level
    from vidi.model import load
    from vidi.nets.enhance._steps import split_steps

    check_batch(batch)
    check_level(intervals, 0.95)
    if (steps is None) == (rank is None):
        raise InputError("either steps to put in or chains to rank", at="steps", fix="steps=clahe, steps=none, or rank=all")
    if data is None and (rank is not None or stress is not None):
        raise InputError("labeled data is needed to measure", at="data", fix="vidi enhance MODEL DATA")
    where = devices.choose(device)
    loaded = load(model, device=str(where), code=code or [])
    task = discovery.load("tasks", loaded.card.task).task
    chain = chain_of(steps or [], loaded.net)
    result = comparison = None
    if data is not None:
        cells = _cells(stress, severities, loaded)
        comparison = make.Comparison(loaded, task, _labeled(data, task, loaded), cells, where, limit, batch, intervals, seed)
        if rank is not None:
            result, chain = comparison.rank(candidates(split_list(rank) if isinstance(rank, str) else rank, loaded.net), split)
        else:
            result = comparison.of("+".join(split_steps(steps)) or "none", chain, split)
        result.about["model"] = str(model) if isinstance(model, (str, Path)) else "model"
    changed = rank is None or (result is not None and result.about["verdict"] == BETTER)
    new = make.enhanced(loaded, chain, result) if changed else copy(loaded)
    told = ", ".join(new.card.enhance) or "none"
    if result is not None and comparison is not None:
        result.about["steps"] = new.card.enhance
        say(f"{result.about.get('best', told)}: {sentence(result, task)}")
        if changed:
            new.card.numbers[result.about["split"]] = comparison.numbers(new, result.about["split"])
        make.keep(result, new, report)
    if out is not None and changed:
        say(f"model {new.save_new(out, model)}, which enhances pictures by: {told}")
    elif out is not None:
        say(f"{out} is not written: no chain is better than the model as it is")
    return new


def _cells(stress: list[str] | None, severities: list[str] | None, model: Model) -> list[Cell]:
    """The stresses' cells on the model's canvas."""
    from vidi.methods.stress._choose import check_severities, choose

    if stress is None:
        return []
    levels = check_severities(severities)
    return [cell for one in choose(stress, model.net.space.family) for cell in one.cells(levels, model.preprocess.size)]


def _labeled(data: str | Dataset, task: Task, model: Model) -> Dataset:
    """The data, its classes in the model's order, its splits those of the model's training."""
    from vidi.engine.evaluate import data_for

    return data_for(model, data, task)
