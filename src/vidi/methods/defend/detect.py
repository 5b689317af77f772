"""An alarm for attacked pictures, judged by an attacker who knows of it.

Feature squeezing (Xu, Evans and Qi 2018, arXiv:1704.01155): a picture is suspect when the net's answer moves too far once small changes are washed
out of it. He et al. 2017 (arXiv:1706.04701) and Bryniarski et al. 2022 (arXiv:2106.15023) showed that an attacker who knows can often evade such
alarms, so the verdict is about that attacker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.stats import binomtest

from vidi.core.batch import Batch
from vidi.core.console import progress, quiet
from vidi.core.dataset import Dataset
from vidi.core.seeds import Draw, permutation
from vidi.engine.alarm import SUSPICION, Watched
from vidi.engine.evaluate import make_loader
from vidi.engine.held import held
from vidi.engine.infer import infer, to_float
from vidi.errors import DataError, InputError
from vidi.labels import Label
from vidi.methods.defend._ascent import tells
from vidi.methods.defend._base import Defense, Findings, Work, between
from vidi.methods.defend._evade import evade
from vidi.methods.defend._report import BETTER, NOT_BETTER
from vidi.model import Model
from vidi.model.card import Alarm
from vidi.nets.enhance._steps import full_calls, make_step, split_steps
from vidi.ops.curves import area_under_roc, rank, roc_curve, thin

MOST = 1000
"""Clean pictures that the threshold is chosen on."""


@dataclass
class Detect(Defense):
    """See `defense`."""

    steps: str = "bit_depth(bits=4)+median"
    rate: float = 0.05
    effort: int = 50
    pictures: int = 100
    name: ClassVar[str] = "detect"

    def check(self, work: Work) -> None:
        between(0, 1, rate=self.rate)
        between(1, 1_000_000, effort=self.effort, pictures=self.pictures)
        if not split_steps(self.steps):
            raise InputError("no steps to squeeze by", at="steps", value=self.steps, fix="detect(steps=bit_depth(bits=4)+median), see `vidi list enhancements`")
        for call in full_calls(self.steps):
            make_step(call)
        if not len(self._quiet(work)):
            raise DataError("no clean pictures to choose the threshold on", file=work.dataset.root, at="split", value=work.split, fix="a val or train split beside the attacked one")

    def harden(self, work: Work) -> Model:
        calls = full_calls(self.steps)
        values = suspicions(work, Watched(work.net, calls), self._quiet(work))
        threshold = float(np.quantile(values, 1 - self.rate, method="higher"))
        alarm = Alarm(steps=calls, threshold=threshold, rate=float((values > threshold).mean()), pictures=len(values))
        return Model(work.net, work.model.card.model_copy(update={"alarm": alarm}), device=str(work.device), reports=work.model.reports)

    def findings(self, work: Work, model: Model) -> Findings:
        """How often the alarm rings for clean pictures and for attacked ones, and what an attacker who knows of it gets past it."""
        alarm, before = model.card.alarm, work.before
        if alarm is None or before is None:
            return Findings()
        net = Watched(model.net, alarm.steps)
        right, fooled = np.array(before.right, bool), np.array(before.fooled, bool)
        clean, attacked = (suspicions(work, net, scored.dataset) for scored in (before.clean, before.robust))
        hit = right & fooled
        rows, through = self._knowing(work, net, alarm.threshold, before.clean.dataset, right)
        through |= hit[rows] & (attacked[rows] <= alarm.threshold)
        share = {"false_alarms": _share(clean > alarm.threshold), "detected": _share(attacked[hit] > alarm.threshold),
                 "unnoticed": _share((fooled & (attacked <= alarm.threshold))[right]), "unnoticed_knowing": _share(through)}  # fmt: skip
        n = {"false_alarms": len(clean), "detected": int(hit.sum()), "unnoticed": int(right.sum()), "unnoticed_knowing": len(through), "auc": int(hit.sum())}
        suspicion, guilty = np.concatenate([clean, attacked[hit]]), np.repeat([False, True], [len(clean), int(hit.sum())])
        area = area_under_roc(rank(suspicion, guilty), np.ones((1, len(guilty))))[0]
        bounds = {name: _interval(value, n[name]) for name, value in share.items() if value is not None}
        return Findings(
            {**share, "auc": None if np.isnan(area) else float(area)}, bounds, n, _sections(suspicion, guilty, alarm),
            [f"the threshold {alarm.threshold:.4g} was chosen on {alarm.pictures} clean pictures, {alarm.rate:.3f} of which lie above it"],
            verdict(share, bounds, hit[rows]),
        )  # fmt: skip

    def _quiet(self, work: Work) -> Dataset:
        """Clean pictures for the threshold: of validation where that is not attacked, else of training."""
        part = work.dataset.split("val" if work.split != "val" and work.dataset.splits.get("val") else "train")
        return part.with_samples(part[i] for i in sorted(permutation(len(part), work.seed, 0)[:MOST].tolist()))

    def _knowing(self, work: Work, net: Watched, threshold: float, canvases: Dataset, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of pictures that were judged right, and whether one who knows of the alarm gets them past it, both (K,)."""
        rows = np.flatnonzero(right)
        rows = np.sort(rows[permutation(len(rows), work.seed, 0)[: self.pictures]])
        part = canvases.with_samples(canvases[int(i)] for i in rows)
        known = [sample.label for sample in part if sample.label is not None]
        leeway = type(known[0]).leeway(known) if known and tells(net) else None
        found: list[bool] = []
        loader = make_loader(part, work.model.preprocess, work.batch, cache="none")
        try:
            with progress("evading the alarm", len(part)) as bar:
                for batch in loader.batches(np.arange(len(part))):
                    draw = Draw.samples(work.seed, 0, batch.indices, work.device).child("evade")
                    labels = _truth(net, batch, work.device)
                    found += evade(net, batch, labels, threshold, work.budget, draw, steps=self.effort, leeway=leeway).tolist()
                    bar.update(len(found))
        finally:
            loader.store.close()
        return rows, np.array(found, bool)


def suspicions(work: Work, net: Watched, dataset: Dataset) -> np.ndarray:
    """How suspect each picture is, (n,)."""
    loader = make_loader(dataset, work.model.preprocess, work.batch, cache="none")
    try:
        with quiet():
            return infer(net, loader, len(dataset), device=work.device, raw_keys=(SUSPICION,)).raw[SUSPICION]
    finally:
        loader.store.close()


def _truth(net: Watched, batch: Batch, device: torch.device) -> list[Label]:
    """What a batch's predictions must not contradict."""
    if tells(net):
        return [label for label in batch.labels if label is not None]
    with torch.no_grad(), held(net):
        return net.decode(net(to_float(batch, device).inputs))


def _share(flags: np.ndarray) -> float | None:
    return float(flags.mean()) if len(flags) else None


def _interval(share: float, count: int) -> tuple[float, float]:
    """Wilson's, at 95 %."""
    found = binomtest(round(share * count), count).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def verdict(share: Mapping[str, float | None], bounds: Mapping[str, tuple[float, float]], fooled: np.ndarray) -> tuple[str, str]:
    """By whether the alarm catches more of those who know of it than it rings for clean pictures, beyond both intervals; one that rang by chance
    would do as much."""
    past = share["unnoticed_knowing"]
    if past is None:
        return NOT_BETTER, "the net is right on no picture"
    low, high = bounds["unnoticed_knowing"]
    why = (
        f"of {len(fooled)} pictures {fooled.mean():.3f} fool the net, and {past:.3f} ({low:.3f}–{high:.3f}) do so unnoticed when the attacker knows of the alarm"
        f" ({share['unnoticed']:.3f} when not); {share['false_alarms']:.3f} of clean pictures raise it"
    )
    return (BETTER if fooled.mean() - high > bounds["false_alarms"][1] else NOT_BETTER), why


def _sections(suspicion: np.ndarray, guilty: np.ndarray, alarm: Alarm) -> list[dict[str, Any]]:
    """The curve of detection over false alarms."""
    if not 0 < guilty.sum() < len(guilty):
        return []
    false, true, _ = roc_curve(suspicion, guilty)
    x, y = thin(false, true)
    series = [{"name": " + ".join(alarm.steps), "x": x, "y": y}]
    return [{"kind": "lines", "title": "Attacked pictures found, by false alarms", "xlabel": "share of clean pictures", "ylabel": "share of attacked pictures that fool", "series": series}]


def defense(*, steps: str = "bit_depth(bits=4)+median", rate: float = 0.05, effort: int = 50, pictures: int = 100) -> Detect:
    """The method.

    Args:
        steps: squeezers out of `vidi list enhancements`, each applied by itself; the largest move counts.
        rate: share of clean pictures that may raise the alarm, 0..1; the threshold is chosen for it.
        effort: steps of the attacker who knows of the alarm.
        pictures: at most so many are attacked in that way, chosen at random by the seed.
    """
    return Detect(steps, rate, effort, pictures)
