"""The training loop, the same for every task."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor

from vidi.augmentations._pipeline import Pipeline
from vidi.augmentations._sizes import size_at
from vidi.core.batch import Batch
from vidi.core.console import Bar, progress, say
from vidi.core.net import Net
from vidi.core.recipe import Recipe
from vidi.core.seeds import Draw, sample_keys
from vidi.engine import checkpoint, optimizers, schedule, transfer
from vidi.engine.ema import Average
from vidi.engine.gradients import GradientLog
from vidi.engine.objective import Objective
from vidi.engine.run import RunFolder
from vidi.engine.signals import StopRequest
from vidi.errors import ResourceError, StoppedEarly, TrainError

CHECKPOINT_SECONDS = 60.0

Validate = Callable[[], dict[str, float | None]]
"""Scores the net as it stands: ``val/<number>`` by name, the primary number included."""


@dataclass
class Position:
    """Where a run is: the plain values of a checkpoint."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    samples: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    best: float | None = None
    best_epoch: int = 0
    stale: int = 0
    logged: dict[str, int] = field(default_factory=dict)


class Callback:
    """Hooks into training; override what is needed. `loop` gives access to the net, the position and the recipe."""

    def on_train_start(self, loop: Loop) -> None: ...

    def on_epoch_start(self, loop: Loop) -> None: ...

    def on_step_end(self, loop: Loop, parts: dict[str, Tensor]) -> None: ...

    def on_fit_epoch_end(self, loop: Loop, row: dict[str, Any]) -> None: ...

    def on_train_end(self, loop: Loop) -> None: ...


class Loop:
    """Trains one net on one stream of batches.

    Args:
        net: the net, with its initial weights.
        loader: gives batches for an order of sample indices.
        order: epoch → order of sample indices.
        pipeline: augmentations.
        recipe: the resolved settings.
        run: the folder that is held.
        validate: scores the net, or None.
        save: writes a model file (``last`` or ``best``) of the net as it stands.
        loggers: receive a row per epoch.
        primary: key of the row that chooses the best epoch, and whether higher is better.
        callbacks: hooks.
        objective: what is lowered; the net's loss when None.
    """

    def __init__(
        self, net: Net, loader: Any, order: Callable[[int], np.ndarray], pipeline: Pipeline, recipe: Recipe, run: RunFolder,
        *, device: torch.device, precision: str, batch: int, validate: Validate | None, save: Callable[[str, dict[str, Any]], None],
        loggers: Sequence[Any] = (), primary: tuple[str, bool] = ("", True), callbacks: Sequence[Callback] = (),
        objective: Objective | None = None,
    ):  # fmt: skip
        self.net, self.loader, self.order, self.pipeline, self.recipe, self.run = net, loader, order, pipeline, recipe, run
        self.device, self.validate, self.save, self.loggers, self.primary = device, validate, save, list(loggers), primary
        self.callbacks, self.objective = list(callbacks), objective or Objective()
        self.batch = batch
        self.batches_per_epoch = max(1, -(-len(order(0)) // batch))
        self.steps_per_epoch = -(-self.batches_per_epoch // recipe.accumulate)
        self.total_steps = max(1, round(recipe.epochs * self.steps_per_epoch))
        AcceleratorState._reset_state(reset_partial_state=True)
        mixed = "no" if precision == "fp32" else precision
        self.accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision=mixed)
        net.to(device)
        if recipe.channels_last:
            net.to(memory_format=torch.channels_last)
        self.optimizer = optimizers.build(net, recipe)
        self.average = Average(net, recipe.ema) if recipe.ema else None
        module = torch.compile(net) if recipe.compile else net
        self.module, self.stepper = self.accelerator.prepare(module, self.optimizer)
        self.position = Position()
        self.gradients = GradientLog(net, run.path / "gradients.jsonl")
        self.thaw = transfer.Thaw(net, recipe)
        self._saved_at = (time.monotonic(), 0)
        self._tick = 0.0

    # -- progress -------------------------------------------------------------------------------------------------

    @property
    def share(self) -> float:
        """How far the run is, 0..1."""
        if self.recipe.minutes is not None:
            return min(1.0, self.position.seconds / (60 * self.recipe.minutes))
        return self.position.step / self.total_steps

    @property
    def done(self) -> bool:
        return self.share >= 1.0

    def resume(self) -> bool:
        """Go to the newest whole checkpoint; False when there is none."""
        found = checkpoint.latest(self.run.state)
        if found is not None:
            plain, tensors = found
            checkpoint.restore(plain, tensors, self.net, self.optimizer, self.average)
            self.position = Position(**{key: plain[key] for key in asdict(Position())})
        for logger in (*self.loggers, self.gradients):
            logger.rewind(self.position.logged.get(logger.name, 0))
        return found is not None

    def checkpoint(self) -> None:
        for logger in (*self.loggers, self.gradients):
            self.position.logged[logger.name] = logger.position()
        checkpoint.save(self.run.state, self.position.step, self.net, self.optimizer, self.average, asdict(self.position))
        self._saved_at = (time.monotonic(), self.position.step)

    # -- the loop -------------------------------------------------------------------------------------------------

    def fit(self) -> Position:
        """Train to the end of the recipe.

        Raises:
            StoppedEarly: a signal came; the checkpoint is written.
            TrainError: loss or gradient became NaN or infinite.
            ResourceError: out of memory or disk.
        """
        self._call("on_train_start")
        try:
            with StopRequest() as stop:
                if self.done and self.position.batch:  # resumed between the last step and the end of its epoch
                    self._close_epoch(0.0, 0.0)
                while not self.done and not self._impatient():
                    self._epoch(stop)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise self._out_of_memory(error) from error
        except RuntimeError as error:
            if "not enough memory" in str(error) or "can't allocate" in str(error):
                raise self._out_of_memory(error) from error
            raise
        self.accelerator.unwrap_model(self.module, keep_fp32_wrapper=False)  # what is scored now is what will be loaded: full precision
        self._call("on_train_end")
        return self.position

    def _epoch(self, stop: StopRequest) -> None:
        at = self.position
        order = self.order(at.epoch)
        self._call("on_epoch_start")
        title = f"epoch {at.epoch + 1}" + ("" if self.recipe.minutes else f"/{-(-self.total_steps // self.steps_per_epoch)}")
        started, mark = time.monotonic(), at.samples
        self._tick = time.perf_counter()
        stream = self.loader.batches(order, start=at.batch)
        with progress(title, self.batches_per_epoch) as bar, contextlib.closing(stream):
            for batch in stream:
                self._batch(batch, bar, started, mark)
                if at.batch % self.recipe.accumulate == 0 or at.batch == self.batches_per_epoch:
                    self._maybe_checkpoint()
                    self._maybe_stop(stop)
                if self.done:
                    break
        seconds = time.monotonic() - started
        self._close_epoch((at.samples - mark) / max(seconds, 1e-9), seconds)
        self._maybe_stop(stop)

    def _batch(self, batch: Batch, bar: Bar, started: float, mark: int) -> None:
        at = self.position
        self.thaw.apply(self.share)
        self._modes()
        optimizers.set_progress(self.optimizer, schedule.factor(
            self.share, shape=self.recipe.schedule, warmup=self.recipe.warmup, final=self.recipe.final_lr))  # fmt: skip
        last = (at.batch + 1) % self.recipe.accumulate == 0 or at.batch + 1 == self.batches_per_epoch
        parts = self._forward_backward(batch)
        if last:
            self._step(batch)
        for key, value in parts.items():
            at.sums[key] = at.sums.get(key, 0.0) + float(value) * len(batch)
        at.samples += len(batch)
        at.sums["count"] = at.sums.get("count", 0.0) + len(batch)
        at.batch += 1
        now = time.perf_counter()
        at.seconds, self._tick = at.seconds + now - self._tick, now
        for callback in self.callbacks:
            callback.on_step_end(self, parts)
        bar.update(at.batch, f"loss {sum(map(float, parts.values())):.4f} · {(at.samples - mark) / (time.monotonic() - started + 1e-9):.0f}/s")

    def _forward_backward(self, batch: Batch) -> dict[str, Tensor]:
        batch = self.ready(batch)
        at, recipe = self.position, self.recipe
        draw = Draw(sample_keys(recipe.seed, at.epoch, batch.indices, self.device), epoch=at.epoch, indices=torch.as_tensor(batch.indices))
        size = size_at(at.epoch * self.batches_per_epoch + at.batch, recipe.seed, self.pipeline.size, recipe.multi_scale)
        batch = self.pipeline(batch, draw, size=size, mixes=self.share <= 1 - recipe.close_mix)
        parts = {key: value.mean() for key, value in self.objective.parts(self, batch, draw.child("objective")).items()}
        total: Any = sum(parts.values())
        if not torch.isfinite(total):
            self._refuse("the loss", batch)
        window = min(self.recipe.accumulate, self.batches_per_epoch - self.position.batch // self.recipe.accumulate * self.recipe.accumulate)
        self.accelerator.backward(total / window)
        self.objective.after_backward(self)
        return {key: value.detach() for key, value in parts.items()}

    def _step(self, batch: Batch) -> None:
        limit = self.recipe.clip if self.recipe.clip is not None else float("inf")
        norm = self.accelerator.clip_grad_norm_(self.net.parameters(), limit) if self.recipe.clip is not None else _gradient_norm(self.net)
        if self.accelerator.scaler is None and not torch.isfinite(torch.as_tensor(norm)):
            self._refuse("a gradient", batch)
        if self.position.batch + self.recipe.accumulate >= self.batches_per_epoch:
            self.gradients.take(self.position.epoch + 1)
        self.stepper.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.position.step += 1
        if self.average is not None and self.position.step % self.recipe.ema_every == 0:
            self.average.update(self.net)

    def ready(self, batch: Batch) -> Batch:
        """The batch on the device, pictures as float in 0..1."""
        inputs = {key: value.to(self.device, non_blocking=True) for key, value in batch.inputs.items()}
        if "image" in inputs and not inputs["image"].is_floating_point():
            layout = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
            inputs["image"] = inputs["image"].to(torch.float32, memory_format=layout).div_(255)
        return Batch(inputs, batch.labels, batch.frames, batch.indices)

    def _modes(self) -> None:
        if not self.net.training:
            self.net.train()
        self.thaw.modes(self.net)

    # -- epoch's end ----------------------------------------------------------------------------------------------

    def _close_epoch(self, rate: float, seconds: float) -> None:
        at = self.position
        finished = at.batch >= self.batches_per_epoch
        if not finished and not self.done:
            return
        count = max(1.0, at.sums.pop("count", 0.0))
        row: dict[str, Any] = {"epoch": at.epoch + 1, "step": at.step, "lr": self.optimizer.param_groups[0]["lr"]}
        row["train/loss"] = sum(at.sums.values()) / count
        row |= {f"train/{key}": value / count for key, value in at.sums.items() if len(at.sums) > 1}
        at.epoch, at.batch, at.sums = at.epoch + 1, 0, {}
        if self.validate is not None and (at.epoch % self.recipe.val_every == 0 or self.done):
            with self.averaged():
                row |= self.validate()
        for logger in self.loggers:
            logger.log(row)
        self._keep_best(row)
        with self.averaged():
            self.save("last", row)
        self._report(row, rate, seconds)
        self._call("on_fit_epoch_end", row)
        self.checkpoint()

    def _keep_best(self, row: dict[str, Any]) -> None:
        key, higher = self.primary
        value = row.get(f"val/{key}")
        at = self.position
        if value is None:
            return
        if at.best is None or (value > at.best if higher else value < at.best):
            at.best, at.best_epoch, at.stale = value, at.epoch, 0
            with self.averaged():
                self.save("best", row)
        else:
            at.stale += 1

    def _impatient(self) -> bool:
        tired = self.recipe.patience is not None and self.position.stale >= self.recipe.patience
        if tired:
            say(f"no better {self.primary[0]} for {self.position.stale} epochs: stopping after epoch {self.position.epoch}")
        return tired

    @contextlib.contextmanager
    def averaged(self):
        """Inside the block the net holds the weights that count: the moving average where there is one. It is in evaluation mode."""
        with self.average.swapped(self.net) if self.average is not None else contextlib.nullcontext():
            self.net.eval()
            yield
        self.net.train()

    def _report(self, row: dict[str, Any], rate: float, seconds: float) -> None:
        shown = [f"{key.removeprefix('val/') if key.startswith('val/') else key} {value:.4f}" for key, value in row.items()
                 if isinstance(value, float) and key in ("train/loss", "val/loss", f"val/{self.primary[0]}")]  # fmt: skip
        say(f"epoch {row['epoch']}: " + " · ".join(shown) + f" · {rate:.0f} samples/s · {seconds:.0f} s")
        self.run.status(state="training", epoch=row["epoch"], step=row["step"], share=self.share, samples_per_second=round(rate, 1),
                        seconds=round(self.position.seconds, 1), best=self.position.best, best_epoch=self.position.best_epoch)  # fmt: skip

    # -- stops ----------------------------------------------------------------------------------------------------

    def _maybe_checkpoint(self) -> None:
        every = self.recipe.checkpoint_every
        when, step = self._saved_at
        due = self.position.step - step >= every if every else time.monotonic() - when > CHECKPOINT_SECONDS
        if due and self.position.step > step:
            self.checkpoint()

    def _maybe_stop(self, stop: StopRequest) -> None:
        if stop.name is None:
            return
        self.checkpoint()
        self.run.status(state="stopped", epoch=self.position.epoch, step=self.position.step, signal=stop.name)
        raise StoppedEarly(f"{stop.name} came; the checkpoint of step {self.position.step} is written", file=self.run.path, fix="the same command with --resume")

    def _refuse(self, what: str, batch: Batch) -> None:
        names = ", ".join(frame.id for frame in batch.frames)
        culprit = next((name for name, p in self.net.named_parameters() if p.grad is not None and not torch.isfinite(p.grad).all()), None)
        culprit = next((name for name, p in self.net.named_parameters() if not torch.isfinite(p).all()), culprit)
        self.run.status(state="failed", reason=f"{what} became NaN or infinite", step=self.position.step)
        where = f"step {self.position.step + 1}" + (f", first non-finite tensor {culprit}" if culprit else ", all weights and gradients so far finite")
        raise TrainError(f"{what} became NaN or infinite", at=where, value=names, file=self.run.path, fix="a lower lr, clip=1, or look at these samples; the last checkpoint is kept")

    def _out_of_memory(self, error: BaseException) -> ResourceError:
        need = f"batch of {self.batch} at {self.device}"
        if self.device.type == "cuda":
            need += f", {torch.cuda.max_memory_allocated(self.device) / 2**30:.1f} GiB used of {torch.cuda.get_device_properties(self.device).total_memory / 2**30:.1f}"
        return ResourceError("out of memory", file=self.run.path, value=need, fix=f"batch={max(1, self.batch // 2)} accumulate={2 * self.recipe.accumulate}, or a smaller imgsz")

    def _call(self, hook: str, *arguments: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self, *arguments)


def _gradient_norm(net: Net) -> Tensor:
    gradients = [p.grad for p in net.parameters() if p.grad is not None]
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))) if gradients else torch.zeros(())


def even_batch(count: int, batch: int) -> int:
    """The largest batch size up to `batch` that splits `count` samples into equally many steps of nearly equal size, so that no
    epoch ends in a batch too small for batch statistics."""
    if count <= batch:
        return max(1, count)
    size = -(-count // -(-count // batch))
    while size > 2 and count % size == 1:
        size -= 1
    return size
