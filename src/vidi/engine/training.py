"""One training run from start to report."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

import vidi
from vidi.augmentations._pipeline import Pipeline, parse
from vidi.core import discovery
from vidi.core.console import quiet, say
from vidi.core.dataset import Dataset
from vidi.core.recipe import Recipe
from vidi.core.seeds import seed_everything
from vidi.core.task import Task
from vidi.data import doctor, read
from vidi.data._repair import mend
from vidi.data.loader import Loader
from vidi.data.pixels import PixelStore
from vidi.data.rules._base import Finding
from vidi.data.samplers import balanced, class_presence, grouped_batch, m_per_class, repeat_factor, shuffled
from vidi.engine import device as devices
from vidi.engine import evaluate, gradients, prepare
from vidi.engine.loggers.csv import read_rows
from vidi.engine.loop import Loop, even_batch
from vidi.engine.objective import Objective
from vidi.engine.run import RunFolder
from vidi.engine.tiles import parse_tiling
from vidi.errors import DataError, InputError, RecipeError
from vidi.metrics._choose import has_thresholds
from vidi.model import Model, code_of, load, make_card
from vidi.report import Report
from vidi.report.plots import curves_png

INTERVALS = 200


class Training:
    """Starts or resumes a run.

    Args:
        project, name, exist_ok: where the run lives.
        override: settings in which a resumed run may differ.
        callbacks: `vidi.engine.loop.Callback` objects.
        objective: what is lowered; the net's loss when None.
    """

    def __init__(self, *, project: str, name: str | None, exist_ok: bool, override: list[str], callbacks: list, objective: Objective | None = None):
        self.project, self.name, self.exist_ok = Path(project), name, exist_ok
        self.override, self.callbacks, self.objective = override, callbacks, objective or Objective()
        self.dropped = 0
        self.mended: list[dict[str, Any]] = []

    # -- start and resume -----------------------------------------------------------------------------------------

    def start(self, data: str | Dataset | None, recipe: str | None, settings: Mapping[str, Any], *, look: bool, allow_bad: bool) -> Model:
        if data is None:
            raise InputError("no data given", at="data", fix="vidi train DATA")
        values = prepare.read_recipe(recipe, settings)
        dataset, task_name, task = self._read(data, values)
        with quiet(values.get("verbose") in (False, "false")):
            if look:
                dataset = self._look(dataset, allow_bad)
            dataset = prepare.adapted(dataset, task_name, task)
            resolved = prepare.resolve(values, task_name, task, dataset)
            dataset = prepare.split(dataset, resolved)
            with RunFolder.create(self.project, task_name, self.name, self.exist_ok) as run:
                run.clear()
                return self._run(run, dataset, task, resolved, resumed=False, data=data)

    def resume(self, data: str | Dataset | None, recipe: str | None, settings: Mapping[str, Any]) -> Model:
        folder = self._find_run(settings.get("task"))
        run = RunFolder(folder)
        before = run.args()
        data = before.get("data") if data is None else data
        if data is None:
            raise InputError("the run was started on data in memory", file=folder, fix="give the data again")
        stored = dict(before["recipe"])
        given = prepare.read_recipe(recipe, settings)
        dataset, task_name, task = self._read(data, {"task": stored["task"]})
        wanted = prepare.resolve({**stored, **stored.get("net_options", {}), **given}, task_name, task, dataset) if given else Recipe(**stored)
        self._refuse_changes(folder, before, Recipe(**stored), wanted)
        with quiet(not wanted.verbose):
            self.mended = before.get("mended", [])
            whole = len(dataset)
            dataset = mend(dataset, [Finding.from_dict(values) for values in self.mended]).dataset
            self.dropped = whole - len(dataset)
            dataset = prepare.adapted(dataset, task_name, task)
            dataset = prepare.split(dataset, wanted)
            if dataset.fingerprint() != before["fingerprint"] and "data" not in self.override:
                raise DataError("the data changed since the run was started", file=dataset.root, fix="--override data to go on all the same")
            with run:
                run.open()
                return self._run(run, dataset, task, wanted, resumed=True, data=data)

    def _find_run(self, task: str | None) -> Path:
        if (self.project / "args.yaml").is_file():
            return self.project
        pattern = f"{discovery.plain(task) if task else '*'}/{self.name or '*'}/args.yaml"
        found = sorted(self.project.glob(pattern), key=lambda path: path.stat().st_mtime)
        if not found:
            raise InputError("no run to resume", file=self.project / pattern, fix="name=NAME of a run in the project folder, or train without resume")
        return found[-1].parent

    def _refuse_changes(self, folder: Path, before: dict[str, Any], old: Recipe, new: Recipe) -> None:
        """Nothing may differ from the interrupted run unless it is named in `override`; versions and threads are told."""
        free = {"verbose", "workers", "cache", "checkpoint_every", *self.override}
        changed = [key for key in Recipe.model_fields if getattr(old, key) != getattr(new, key) and key not in free]
        if changed:
            listing = "; ".join(f"{key}: {getattr(old, key)} → {getattr(new, key)}" for key in changed)
            raise RecipeError("settings differ from the interrupted run's", file=folder, value=listing, fix=f"--override {changed[0]} to change it, or leave it out")
        began, now_lowers = before.get("objective", {}), self.objective.to_dict()
        if began != now_lowers:
            raise RecipeError("the run was started with another objective", file=folder, value=f"{began or 'the loss'} → {now_lowers or 'the loss'}", fix="resume with the verb and method that started it")
        now = _environment()
        for key, value in before.get("environment", {}).items():
            if now.get(key) != value:
                say(f"note: {key} was {value} and is {now.get(key)}: the run will not equal an uninterrupted one bit for bit")

    # -- data -----------------------------------------------------------------------------------------------------

    def _read(self, data: str | Dataset, values: Mapping[str, Any]) -> tuple[Dataset, str, Task]:
        wanted = values.get("task")
        known = prepare.find_task(wanted)[1] if wanted else None
        dataset = read(data, task=known, adapt=False)
        task_name, task = prepare.find_task(wanted, dataset)
        return dataset, task_name, task

    def _look(self, dataset: Dataset, allow_bad: bool) -> Dataset:
        """Let the doctor look; refuse, or drop what must not be used."""
        found = doctor.examine(dataset)
        errors = found.errors
        say(found.summary())
        if not errors:
            return dataset
        if not allow_bad:
            first = errors[0]
            raise DataError(
                f"{first.message} ({len(errors)} such errors in all)", file=first.file or dataset.root, at=first.at or first.line or first.sample, value=first.value,
                fix=f"{first.fix}; `vidi doctor` lists all; allow_bad=true leaves them out",
            )  # fmt: skip
        done = mend(dataset, errors)
        self.dropped, self.mended = len(dataset) - len(done.dataset), [finding.to_dict() for finding in errors]
        say(done.words())
        return done.dataset

    # -- the run --------------------------------------------------------------------------------------------------

    def _run(self, run: RunFolder, dataset: Dataset, task: Task, recipe: Recipe, *, resumed: bool, data: Any) -> Model:
        if recipe.threads:
            torch.set_num_threads(recipe.threads)
        seed_everything(recipe.seed)
        device = devices.choose(recipe.device)
        wholes = {name: dataset.split(name) for name in ("train", "val", "test")}
        parts = prepare.tiled(wholes, recipe)
        preprocess = prepare.canvas_of(recipe)
        net, lineage = prepare.make_net(recipe, dataset, parts["train"])
        options: dict[str, Any] = {"cache": recipe.cache, "workers": recipe.workers, "bad_samples": recipe.bad_samples, "max_bad": recipe.max_bad}
        count = len(parts["train"])
        size = even_batch(count, recipe.batch) if recipe.per_class == 1 else grouped_batch(count, recipe.batch, recipe.per_class)
        loader = Loader(PixelStore(parts["train"], preprocess.enlarged(recipe.canvas), **options), parts["train"], batch=size)
        eval_loaders = {
            name: Loader(PixelStore(parts[name], preprocess, **options), parts[name], batch=max(size, 64)) for name in ("val", "test") if len(parts[name])
        }
        order = _order(parts["train"], recipe, size)
        if not recipe.weights and not any(run.state.glob("step-*.ckpt")):  # weights and checkpoints bring the values along
            net.prepare({"image": prepare.first_pictures(loader, order(0))})
        if not resumed:
            precision, why = devices.choose_precision(recipe.precision, device, net.to(device), preprocess.size, size, recipe.channels_last)
            recipe = recipe.model_copy(update={"precision": precision})
            self._save_args(run, recipe, dataset, data)
            self._announce(run, recipe, parts, net, device, why, size)
        card = make_card(
            net, task=recipe.task or "", name=recipe.net or "", options=recipe.net_options, head=recipe.head or "", preprocess=preprocess,
            data={"name": dataset.name, "samples": len(parts["train"]), "fingerprint": dataset.fingerprint()}, recipe=recipe.model_dump(mode="json"),
            lineage=lineage,
        )  # fmt: skip
        model = Model(net, card, device=str(device))

        def validate() -> dict[str, float | None]:
            scored = evaluate.score(net, parts["val"], eval_loaders["val"], task, device=device, metrics=task.watch)
            losses = scored.inference.losses
            loss = float(np.nanmean(losses)) if losses is not None else None
            return {"val/loss": loss, **{f"val/{key}": value for key, value in scored.evaluation.numbers.items()}}

        def save(which: str, row: dict[str, Any]) -> None:
            numbers = {"val": {key.removeprefix("val/"): value for key, value in row.items() if key.startswith("val/")}, "epoch": {"last": row["epoch"]}}
            model.card = model.card.model_copy(update={"numbers": {key: value for key, value in numbers.items() if value}})
            model.save(run.weights / f"{which}.vidi")

        loggers = [discovery.load("engine/loggers", name).Logger(run.path) for name in ("jsonl", "csv", *recipe.loggers)]
        loop = Loop(
            net, loader, order, Pipeline(parse(recipe.augment or []), preprocess.size), recipe, run, device=device, precision=recipe.precision, batch=size,
            validate=validate if "val" in eval_loaders else None, save=save, loggers=loggers, primary=(task.primary, task.higher_is_better),
            callbacks=self.callbacks, objective=self.objective,
        )  # fmt: skip
        if resumed:
            self._announce_resume(loop.resume(), loop)
        position = loop.fit()
        for logger in loggers:
            logger.close()
        advice = loader.stats.advice(max(0.0, position.seconds - loader.stats.wait_seconds))
        if advice:
            say(advice)
        with loop.averaged():
            self._finish(run, model, task, wholes, {} if recipe.tile else eval_loaders, device, position, recipe)
        for one in (loader, *eval_loaders.values()):
            one.store.close()
        return load(run.last, device=str(device), code=code_of(model.card))

    def _save_args(self, run: RunFolder, recipe: Recipe, dataset: Dataset, data: Any) -> None:
        run.save_args({
            "data": str(Path(data).resolve()) if isinstance(data, (str, Path)) else None, "fingerprint": dataset.fingerprint(), "mended": self.mended,
            "environment": _environment(), "objective": self.objective.to_dict(), "recipe": recipe.model_dump(mode="json"),
        })  # fmt: skip

    def _announce(self, run: RunFolder, recipe: Recipe, parts: dict[str, Dataset], net: Any, device: torch.device, why: str, batch: int) -> None:
        counts = ", ".join(f"{name} {len(part)}" for name, part in parts.items() if len(part))
        say(f"{recipe.task}: {counts} samples of {parts['train'].name} ({parts['train'].format})")
        for note in parts["train"].notes:
            say(f"  {note}")
        parameters = sum(p.numel() for p in net.parameters())
        height, width = recipe.imgsz if isinstance(recipe.imgsz, (list, tuple)) else (recipe.imgsz, recipe.imgsz)
        say(f"net {recipe.net}, {parameters / 1e6:.2f} M parameters, input {height}×{width} ({recipe.fit}), {device}, {recipe.precision} ({why})")
        if batch != min(recipe.batch, len(parts["train"])):
            say(f"batches of {batch} instead of {recipe.batch}: the same number of steps, all of one size")
        say(f"run folder {run.path}")

    @staticmethod
    def _announce_resume(found: bool, loop: Loop) -> None:
        at = loop.position
        say(f"resumed at epoch {at.epoch + 1}, batch {at.batch}, step {at.step}" if found else "no checkpoint yet: starting from the beginning")

    # -- the end --------------------------------------------------------------------------------------------------

    def _finish(self, run: RunFolder, model: Model, task: Task, parts: dict[str, Dataset], loaders: dict[str, Loader], device: torch.device, position: Any, recipe: Recipe) -> None:
        """Score the last epoch's model, write the report, tell where things are."""
        rows = read_rows(run.path / "metrics.jsonl")
        curves = self._curves(rows, run, task)
        about = {
            "model": str(run.last), "task": recipe.task, "net": recipe.net, "data": parts["train"].name, "fingerprint": model.card.data["fingerprint"],
            "epochs": position.epoch, "training_seconds": round(position.seconds, 1), "best_epoch": position.best_epoch,
            f"best_val_{task.primary}": position.best, "dropped": self.dropped, "mended": len(self.mended), "recipe": recipe.model_dump(mode="json"),
            **_environment(),
        }  # fmt: skip
        report = Report("train", {"train_loss": rows[-1]["train/loss"] if rows else None}, about, {}, {}, curves)
        numbers = {key: value for key, value in model.card.numbers.items() if key != "epoch"}
        settings: dict[str, Any] = {}
        for name, scored in self._scores(model, task, parts, loaders, device, recipe, settings):
            numbers[name] = scored.evaluation.numbers
            report = evaluate.report_of("train", scored, {**about, "split": name}, sections=curves)
            say(f"last epoch on {name}: " + _line(report, task))
        update: dict[str, Any] = {"numbers": numbers}
        if settings:
            update["thresholds"] = [float(value) for value in settings["thresholds"]]
        model.card = model.card.model_copy(update=update)
        report.save(run.path / "report.json")
        report.html(run.path / "report.html")
        model.reports = {"train.json": (run.path / "report.json").read_bytes()}
        model.save(run.last)
        if not run.best.exists():
            model.save(run.best)
        if rows:
            curves_png(rows, run.path / "results.png")
        if position.best is not None:
            say(f"best epoch {position.best_epoch} of {position.epoch}: {task.primary} {position.best:.4f} on val")
        run.status(state="done", epoch=position.epoch, step=position.step, seconds=round(position.seconds, 1), numbers=report.numbers)
        say(f"model {run.last}\nreport {run.path / 'report.html'}\nnext: vidi predict {run.last} PICTURES")

    @staticmethod
    def _scores(
        model: Model, task: Task, parts: dict[str, Dataset], loaders: dict[str, Loader], device: torch.device, recipe: Recipe, settings: dict[str, Any]
    ) -> Iterator[tuple[str, evaluate.Scored]]:
        """Validation and test in turn, as predictions will be made; thresholds chosen on validation are left in `settings`."""
        tiling = parse_tiling(None, None, True, model.preprocess.size, recipe.model_dump())
        for name in ("val", "test"):
            if not len(parts[name]):
                continue
            loader = loaders.get(name) or evaluate.make_loader(parts[name], model.preprocess, max(recipe.batch, 64), cache="none", workers=recipe.workers)
            choose = name == "val" and has_thresholds(model.card.label_space)
            scored = evaluate.score(model.net, parts[name], loader, task, device=device, settings=settings, intervals=0 if choose else INTERVALS,
                                    figures=True, tiling=tiling, title=f"scoring {name}")  # fmt: skip
            if choose:
                settings |= evaluate.tuned(scored, "f1")
                scored = evaluate.rescore(scored, task, settings, INTERVALS)
            yield name, scored

    @staticmethod
    def _curves(rows: list[dict[str, Any]], run: RunFolder, task: Task) -> list[dict[str, Any]]:
        """Figures of the run: losses, the primary number, gradients."""
        figures = []
        for title, keys in (("Loss", ("train/loss", "val/loss")), (task.primary, (f"val/{task.primary}",)), ("Learning rate", ("lr",))):
            series = [{"name": key, "x": [row["epoch"] for row in rows if row.get(key) is not None], "y": [row[key] for row in rows if row.get(key) is not None]} for key in keys]
            series = [one for one in series if one["x"]]
            if series:
                figures.append({"kind": "lines", "title": title, "xlabel": "epoch", "ylabel": title.lower(), "series": series})
        layers = gradients.figure(gradients.read(run.path / "gradients.jsonl"))
        return figures + ([layers] if layers else [])


def _order(dataset: Dataset, recipe: Recipe, batch: int):
    """Epoch → order of training samples.

    Raises:
        RecipeError: two rules at once, or classes that do not exclude each other where each sample must have one.
    """
    count = len(dataset)
    if recipe.per_class > 1:
        classes = _one_class(dataset, recipe)
        return lambda epoch: m_per_class(classes, recipe.per_class, batch, recipe.seed, epoch)
    if recipe.balance == "none":
        return lambda epoch: shuffled(count, recipe.seed, epoch)
    present = class_presence(dataset)
    if recipe.balance == "repeat":
        return lambda epoch: repeat_factor(present, recipe.repeat_threshold, recipe.seed, epoch, even=True)
    one_each = (present.sum(1) <= 1).all()
    table = np.where(present.any(1), present.argmax(1), -1) if one_each else present
    return lambda epoch: balanced(table, recipe.balance, recipe.seed, epoch)


def _one_class(dataset: Dataset, recipe: Recipe) -> np.ndarray:
    """The class of each sample, (n,) int64; −1 where none is known."""
    if recipe.balance != "none":
        raise RecipeError("classes come equally often with per_class", at="balance", value=recipe.balance, fix="balance=none, or per_class=1")
    present = class_presence(dataset)
    if not present.any() or (present.sum(1) > 1).any():
        raise RecipeError("batches by class need one class for each sample", at="per_class", value=recipe.per_class, fix="per_class=1")
    return np.where(present.any(1), present.argmax(1), -1)


def _environment() -> dict[str, Any]:
    return {"vidi": vidi.__version__, "torch": str(torch.__version__), "python": platform.python_version(), "threads": torch.get_num_threads()}


def _line(report: Report, task: Task) -> str:
    parts = []
    for key, value in report.numbers.items():
        if value is None or "_" in key and key.startswith(("mae_", "rmse_", "r2_")):
            continue
        low_high = report.intervals.get(key)
        shown = f"{key} {value:.4f}"
        if key == task.primary and low_high:
            shown += f" ({low_high[0]:.4f}–{low_high[1]:.4f}, n={report.n.get(key, '?')})"
        parts.append(shown)
    return " · ".join(parts[:8])
