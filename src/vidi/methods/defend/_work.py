"""Around a defense: what it is given, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vidi.core.dataset import Dataset
from vidi.core.recipe import Recipe
from vidi.core.tensors import digest
from vidi.data import read
from vidi.engine import evaluate, prepare
from vidi.engine.run import RunFolder
from vidi.errors import DataError, InputError
from vidi.methods.defend._base import Defense, Work
from vidi.methods.defend._places import REPORT
from vidi.methods.defend._training import inherited
from vidi.model import Model
from vidi.report import Report


def check_settings(defense: Defense, settings: Mapping[str, Any]) -> None:
    """
    Raises:
        InputError: settings of a training for a method that does not train.
    """
    given = [key for key, value in settings.items() if value not in (None, False)]
    if given and not defense.trains:
        raise InputError(f"{defense.name} does not train the model", at=given[0], value=settings[given[0]], fix="leave it out, or method=trades, which trains")


def complete(work: Work, file: str | Path | Model, data: str | Dataset, out: str | None = None) -> Work:
    """The work with its data set, read, split as the model's own training split it, and with the model's file.

    Raises:
        InputError: the model's file would be written over.
        DataError: labels of another kind, or nothing to measure on.
    """
    net = work.net
    if not isinstance(file, Model):
        own = Path(file).resolve()
        if (out and own == Path(out).resolve()) or work.folder.resolve() in (own, *own.parents):
            raise InputError("the undefended model would be written over", file=own, fix="another out= or name=")
    dataset = evaluate.align(read(data, task=work.task), net)
    evaluate.check_space(net, dataset)
    recipe = _recipe(work, dataset)
    if any(sample.split in (None, "train") and sample.label is not None for sample in dataset.samples):
        dataset = prepare.split(dataset, recipe)
    split = work.split or next((name for name in ("test", "val") if dataset.splits.get(name)), "")
    if not dataset.splits.get(split):
        raise DataError("no pictures to attack that were not trained on", file=dataset.root, at="split", value=split or dataset.splits,
                        fix="a test or val split, or val=0.2 where all are for training")  # fmt: skip
    return replace(work, dataset=dataset, split=split, file=_file(work, file))


def _recipe(work: Work, dataset: Dataset) -> Recipe:
    """The recipe by which the data set is split: an interrupted run's own, else the model's with what was given."""
    if work.resume:
        return Recipe(**RunFolder(work.folder).args()["recipe"])
    return prepare.resolve({**inherited(work.model), **work.settings}, work.task_name, work.task, dataset)


def _file(work: Work, file: str | Path | Model) -> str:
    """The model's file; one that is in memory only is written beside the runs."""
    if isinstance(file, Model):
        path = work.folder.parent / f"undefended-{digest(file.net.state_dict())[:12]}.vidi"
        return str((path if path.is_file() else file.save(path)).resolve())
    path = Path(file)
    return str((path / "weights" / "best.vidi" if path.is_dir() else path).resolve())


def about(work: Work, file: str | Path | Model) -> dict[str, Any]:
    """What the report is about."""
    return {
        "model": "model" if isinstance(file, Model) else str(file), "task": work.task_name, "data": work.dataset.name, "split": work.split,
        "fingerprint": work.dataset.fingerprint(), "weights": digest(work.net.state_dict())[:16],
    }  # fmt: skip


def write(work: Work, defended: Model, report: Report, out: str | None, trained: bool, own: bool = True) -> None:
    """Stamp the defended model with where it comes from and what was measured, and write it with the report: into the folder, and to `out`.

    A training's folder keeps its last epoch; ``weights/best.vidi``, which the folder stands for, becomes the defended model.

    Args:
        trained: whether the folder is a training's.
        own: whether the numbers are those of the model's own net, so that its card may have them.
    """
    facts = report.about
    line = {"from": work.file, "kind": "defended", **{key: facts[key] for key in ("weights", "method", "norm", "budget", "fresh", "attack", "verdict")}}
    clean: dict[str, float] = {}
    attacked: dict[str, float] = {}
    for name, value in report.numbers.items():
        side, _, key = name.partition(".")
        if side == "after" and value is not None:
            (attacked if key.startswith("robust_") else clean)[key.removeprefix("robust_")] = value
    measured = {work.split: {**defended.card.numbers.get(work.split, {}), **clean}, f"{work.split}.attacked": attacked} if own else {}
    card = defended.card
    defended.card = card.model_copy(update={"lineage": [*work.model.card.lineage, *card.lineage, line], "numbers": {**card.numbers, **measured}})
    places = [(work.folder / "weights" / "best.vidi", work.folder / REPORT)] if trained or not out else []
    places += [(Path(out), Path(out).with_suffix(".json"))] if out else []
    facts["defended"] = str(places[-1][0])
    facts["page"] = str(places[-1][1].with_suffix(".html"))
    report.save(places[-1][1])
    defended.reports = {**defended.reports, REPORT: places[-1][1].read_bytes()}
    for file, page in places:
        defended.save(file)
        report.save(page)
        report.html(page.with_suffix(".html"))
