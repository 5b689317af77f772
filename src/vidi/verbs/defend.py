"""Make a model harder to mislead, attack it again, and say whether that helped and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from vidi.core.dataset import Dataset
    from vidi.core.net import Net
    from vidi.methods.attack._base import Attack, Budget
    from vidi.methods.attack._run import Attacked
    from vidi.methods.defend._base import Perturb, Work
    from vidi.methods.defend._masking import Check
    from vidi.methods.defend._report import Side
    from vidi.model import Model
    from vidi.report import Report

CHECKED = 64
RESTARTS = 2


def defend(
    model: str | Path | Model,
    data: str | Dataset,
    *,
    method: str = "trades",
    budget: str | None = None,
    norm: str = "linf",
    minutes: float | None = None,
    epochs: float | None = None,
    fresh: bool = False,
    attack: str | None = None,
    split: str | None = None,
    limit: int | None = 1000,
    checks: bool = True,
    intervals: int = 200,
    batch: int | None = None,
    seed: int = 0,
    out: str | None = None,
    project: str = "runs",
    name: str | None = None,
    resume: bool = False,
    override: list[str] | None = None,
    exist_ok: bool = False,
    doctor: bool = True,
    gate: list[str] | None = None,
    device: str = "auto",
    code: list[str] | None = None,
    **settings: Any,
) -> Report:
    """Harden a model, attack it before and after in the same way, and say `better` or `not better`, with the cost on clean pictures.

    Args:
        model: a .vidi file or a run folder.
        data: labeled data in any format that training reads, with what the method learns from and what the attack is measured on.
        method: a name of `vidi list defenses` with settings, such as trades(beta=6) or pgd(steps=7, awp=0.005), or a path to a .py file.
        budget: largest change by the attacker, in units of the pixel range, such as 8/255; left out: 8/255 for linf, 0.5 for l2, 12 for l1.
        norm: how a change is measured: linf (the largest of a value), l2 (its length), l1 (the sum).
        minutes: train for this long.
        epochs: or for so many passes; left out: 10.
        fresh: train from random weights; else from the model's.
        attack: the attack that both models are measured by (`vidi list attacks`); left out: auto where exactly one class holds, else pgd with
            50 steps from two places.
        split: what is attacked: test or val; left out: test if there is one, else val.
        limit: attack at most this many pictures, chosen at random by the seed; none: all.
        checks: look for signs that the defense only hides its gradients.
        intervals: bootstrap resamples; the verdict needs some.
        batch: pictures per step; left out: of a training as the model's own, of an attack 64.
        seed: of the attacks and the choice of pictures.
        out: the defended model's file, with its report beside it; left out: in project/task/name.
        project: folder that holds all runs.
        name: the run's name; left out: defend, with a number.
        resume: go on with an interrupted training, then measure.
        override: settings in which a resumed training may differ.
        exist_ok: start over in a folder that already holds a run.
        doctor: let the doctor look at the data before a training.
        gate: rules such as `after.robust_accuracy>=0.5`; a broken one makes the exit code 2.
        device: auto, cpu, cuda, cuda:N or mps.
        code: Python files of the model's own net, head, backbone, neck or steps, which may be run.
        **settings: recipe keys (`vidi list recipe`) of methods that train; left out: the model's own recipe.

    Returns:
        A report; `about` has the verdict, the cost, the checks and where the model is.
    """
    from dataclasses import replace

    from vidi.core import discovery
    from vidi.core.batch import check_batch
    from vidi.core.dataset import Dataset
    from vidi.engine import device as devices
    from vidi.methods.attack._base import Budget
    from vidi.methods.defend import _places, _report, _work
    from vidi.methods.defend._base import Work, make_defense
    from vidi.metrics._evaluate import check_level
    from vidi.model import load
    from vidi.report.gate import gate as check

    check_batch(64 if batch is None else batch)
    check_level(intervals, 0.95)
    where = devices.choose(device)
    defense, own = make_defense(method)
    allowed = Budget.parse(budget, norm)
    original = load(model, device=str(where), code=code or [])
    task = discovery.load("tasks", original.card.task).task
    _work.check_settings(defense, {"fresh": fresh, "resume": resume, "minutes": minutes, "epochs": epochs, **settings})
    work = _work.complete(Work(
        original, original.card.task, task, Dataset([]), allowed, _perturb(allowed), split=split or "", minutes=minutes, epochs=epochs, fresh=fresh,
        look=doctor, folder=_places.folder_of(project, original.card.task, name, resume=resume, exist_ok=exist_ok), resume=resume,
        override=override or [], exist_ok=exist_ok, settings={**settings, "device": str(where), **({} if batch is None else {"batch": batch})},
        device=where, batch=batch or 64, seed=seed,
    ), model, data, out)  # fmt: skip
    defense.check(work)
    bench = _Bench(work, allowed, limit, attack, intervals)
    before = bench.side(original, original.net)
    defended = defense.harden(work)
    net = defense.attacked(work, defended)
    same = net is original.net
    after = before if same else bench.side(defended, net)
    about = {
        **_work.about(work, model), "method": method, "settings": own, "attack": bench.method, "norm": allowed.norm, "budget": allowed.size,
        "samples": len(bench.dataset), "seed": seed, "fresh": fresh, "notes": bench.notes,
    }  # fmt: skip
    names = original.net.predicts.names or original.net.space.names
    extra = defense.findings(replace(work, before=before, transfer=lambda other: bench.transfer(before, other)), defended)
    report = _report.report(before, after, task, about, bench.checks(defended, net) if checks and not same else [], extra, names)
    failures = check(report, gate or [])
    if failures:
        report.about |= {"refused": True, "gate": failures}
    _work.write(work, defended, report, out, defense.trains, own=net is defended.net)
    return report


def _perturb(budget: Budget) -> Perturb:
    """Projected gradient ascent at the budget."""
    from vidi.methods.attack._base import make_attack
    from vidi.methods.attack._goal import goal_for

    def perturb(net: Any, images: Any, labels: Any, steps: int, draw: Any) -> Any:
        return make_attack("pgd", steps=steps).run(net, images, goal_for(net, images, labels), budget, draw)

    return perturb


class _Bench:
    """The pictures that both models are attacked on.

    Args:
        limit: at most so many.
        attack: as it is written; None: the strongest that the labels allow.
        intervals: bootstrap resamples.
    """

    def __init__(self, work: Work, budget: Budget, limit: int | None, attack: str | None, intervals: int):
        from vidi.methods.attack._goal import Away
        from vidi.methods.attack._report import chosen, parse_method

        self.work, self.budget, self.intervals = work, budget, intervals
        self.dataset, self.labels, self.notes = chosen(work.dataset, work.net, True, work.split, limit, work.seed)
        one = self.labels and Away(work.net, [label for label in self.dataset.labels[:1] if label is not None]).exclusive
        self.method = attack or ("auto" if one else f"pgd(steps=50, restarts={RESTARTS})")
        parse_method(self.method, None)

    def attacked(self, model: Model, net: Net, dataset: Dataset, method: str | Attack, budget: Budget) -> Attacked:
        """What becomes of pictures."""
        from vidi.engine.evaluate import make_loader
        from vidi.methods.attack._report import parse_method
        from vidi.methods.attack._run import attack_dataset

        work, attack = self.work, parse_method(method, None)[0] if isinstance(method, str) else method
        loader = make_loader(dataset, model.preprocess, work.batch, cache="none")
        try:
            return attack_dataset(net, dataset, loader, attack, budget, device=work.device, labels=self.labels, seed=work.seed)
        finally:
            loader.store.close()

    def side(self, model: Model, net: Net) -> Side:
        """A model under the attack; `net` is what is attacked, and what answers."""
        from vidi.methods.defend._report import side

        work = self.work
        outcome = self.attacked(model, net, self.dataset, self.method, self.budget)
        return side(model, net, work.task, self.dataset, outcome.clean, outcome.attacked, (outcome.right, outcome.fooled), batch=work.batch,
                    intervals=self.intervals, device=work.device)  # fmt: skip

    def transfer(self, before: Side, model: Model) -> tuple[list[bool], list[bool]]:
        """The attack on the undefended model, shown to another one: by picture, right before, fooled after."""
        from vidi.core.console import quiet
        from vidi.methods.attack._given import Given

        made = Given([sample.inputs["image"] for sample in before.robust.dataset.samples])
        with quiet():
            outcome = self.attacked(model, model.net, self.dataset, made, self.budget)
        return outcome.right, outcome.fooled

    def checks(self, model: Model, net: Net) -> list[Check]:
        """Signs of hidden gradients, on the first pictures."""
        import numpy as np

        from vidi.core.console import quiet
        from vidi.methods.attack._base import Budget, make_attack
        from vidi.methods.defend._masking import checks

        some, budget = self.dataset.with_samples(self.dataset.samples[:CHECKED]), self.budget

        def fooled(method: str, size: float) -> tuple[int, int]:
            outcome = self.attacked(model, net, some, method, Budget(budget.norm, size))
            right = np.array(outcome.right, bool)
            return int(np.array(outcome.fooled, bool)[right].sum()), int(right.sum())

        with quiet():
            return checks(fooled, budget, 3 * model.preprocess.size[0] * model.preprocess.size[1], budget.norm in make_attack("square").norms)
