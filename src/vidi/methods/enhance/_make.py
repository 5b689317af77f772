"""Comparing a model with and without steps, and making the new model."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import vidi
from vidi.core.console import say
from vidi.core.dataset import Dataset
from vidi.core.seeds import permutation
from vidi.core.task import Task
from vidi.data import read
from vidi.engine import evaluate
from vidi.engine.stress import Bench, Cell
from vidi.engine.tiles import parse_tiling
from vidi.errors import InputError
from vidi.methods.enhance._report import ranked, ranking_lines, ranking_section, report_of
from vidi.methods.enhance._trial import BETTER, measure, split_to_rank_on
from vidi.model import Model
from vidi.nets.enhance._steps import calls_of, put_steps, slot_of
from vidi.report import Report

AS_IT_WAS = "(as it was)"


@dataclass(slots=True)
class Comparison:
    """A model, and what its steps are measured on.

    Args:
        dataset: labeled, its classes in the model's order.
        cells: of the stresses; none: clean pictures alone.
        limit: at most so many pictures of a split.
    """

    model: Model
    task: Task
    dataset: Dataset
    cells: Sequence[Cell]
    device: torch.device
    limit: int | None = None
    batch: int = 64
    intervals: int = 200
    seed: int = 0

    def of(self, name: str, steps: nn.Sequential, split: str | None) -> Report:
        """The model as it is and with a chain, on a split (None: test if there is one, else val, else everything)."""
        chosen = split or next((part for part in ("test", "val") if self.dataset.splits.get(part)), None)
        with closing(self._bench(self._part(chosen))) as bench:
            before = measure(bench, AS_IT_WAS, _own(bench.net), self.cells)
            after = measure(bench, name, steps, self.cells)
            return report_of(before, after, self.task, len(bench.dataset), self._about(bench.dataset, chosen))

    def rank(self, chains: Mapping[str, nn.Sequential], split: str | None) -> tuple[Report, nn.Sequential]:
        """The report on the best chain, with the ranking in it, and the chain.

        Raises:
            InputError: no split to choose on.
        """
        chosen = split_to_rank_on(self.dataset, split)
        with closing(self._bench(self._part(chosen))) as bench:
            before = measure(bench, AS_IT_WAS, _own(bench.net), self.cells)
            order = ranked(before, [measure(bench, name, steps, self.cells) for name, steps in chains.items()], self.task)
            best, count = order[0], len(bench.dataset)
            report = report_of(before, best, self.task, count, self._about(bench.dataset, chosen))
        section = ranking_section(before, order, self.task, f"{count} pictures of {chosen or 'the data'}")
        for line in ranking_lines(section):
            say(line)
        if report.about["verdict"] == BETTER and split is None and self.dataset.splits.get("test"):
            report = self.of(best.name, best.steps, "test")
        report.sections.append(section)
        report.about |= {"chosen_on": chosen or "all", "best": best.name, "ranking": [one.name for one in order]}
        return report, best.steps

    def _part(self, split: str | None) -> Dataset:
        """At most so many labeled samples of a split, in their order.

        Raises:
            InputError: a limit below 1.
            DataError: no labels.
        """
        if self.limit is not None and self.limit < 1:
            raise InputError("at least one picture", at="limit", value=self.limit)
        dataset = read(self.dataset, split=split)
        evaluate.check_space(self.model.net, dataset)
        dataset = dataset.filter(lambda sample: sample.label is not None)
        if self.limit is None or self.limit >= len(dataset):
            return dataset
        return dataset.with_samples(dataset[int(i)] for i in np.sort(permutation(len(dataset), self.seed, 0)[: self.limit]))

    def _bench(self, dataset: Dataset) -> Bench:
        return Bench(
            copy.deepcopy(self.model.net), dataset, self.task, self.model.preprocess, device=self.device, batch=self.batch,
            settings=evaluate.settings_of(self.model.card), intervals=self.intervals, seed=self.seed,
        )  # fmt: skip

    def _about(self, dataset: Dataset, split: str | None) -> dict[str, Any]:
        card = self.model.card
        return {
            "task": card.task, "data": dataset.name, "split": split or "all", "samples": len(dataset), "fingerprint": dataset.fingerprint(),
            "weights": card.weights_sha256[:16], "enhance_before": card.enhance, "stresses": list(dict.fromkeys(cell.stress for cell in self.cells)),
            "severities": sorted({cell.severity for cell in self.cells}), "seed": self.seed,
        }  # fmt: skip

    def numbers(self, model: Model, split: str) -> dict[str, Any]:
        """All of the task's numbers of a model on a split, as `vidi val` has them."""
        dataset = self._part(None if split == "all" else split)
        loader = evaluate.make_loader(dataset, model.preprocess, self.batch)
        tiling = parse_tiling(None, None, True, model.preprocess.size, model.card.recipe)
        with closing(loader.store):
            scored = evaluate.score(model.net, dataset, loader, self.task, device=self.device, settings=evaluate.settings_of(model.card), tiling=tiling, title="scoring")
        return scored.evaluation.numbers


def _own(net: nn.Module) -> nn.Sequential:
    """The steps that a net has."""
    own = slot_of(net)
    return nn.Sequential() if own is None else own


def enhanced(model: Model, steps: nn.Sequential, report: Report | None) -> Model:
    """A copy of a model with other steps. Its recipe trains with them; numbers and calibration were those of other pictures, and are gone."""
    net = copy.deepcopy(model.net)
    put_steps(net, copy.deepcopy(steps))
    card, calls = model.card, calls_of(net)
    line: dict[str, Any] = {"from": card.weights_sha256[:16], "how": "enhanced", "steps": calls, "before": card.enhance}
    if report is not None:
        line |= {key: report.about[key] for key in ("data", "fingerprint", "split", "samples", "verdict", "why")}
    update = {
        "enhance": calls, "recipe": {**card.recipe, "enhance": calls}, "lineage": [*card.lineage, line], "numbers": {}, "calibration": {}, "alarm": None,
        "versions": {**card.versions, "vidi": vidi.__version__}, "weights_sha256": "",
    }  # fmt: skip
    return Model(net, card.model_copy(update=update), device=str(model.runner.device))


def keep(report: Report, model: Model, folder: str | None) -> None:
    """Put the report into the model, and where a folder is given, there as JSON and as a page."""
    if folder is not None:
        report.save(Path(folder) / "report.json")
        report.html(Path(folder) / "report.html")
    model.reports = {**model.reports, "enhance.json": json.dumps(report.to_dict(), allow_nan=False).encode()}
