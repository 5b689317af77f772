"""Defenses that train: the model's own recipe with another objective, from its weights or from none."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from vidi.core.console import say
from vidi.engine.objective import Objective
from vidi.engine.training import Training
from vidi.methods.defend._base import Defense, Work
from vidi.methods.defend._best import WEIGHTS, RobustBest, watches
from vidi.model import Model, code_of, load

INHERITED = (
    "augment", "canvas", "tile", "tile_overlap", "tile_empty", "multi_scale", "close_mix", "balance", "repeat_threshold", "per_class", "val", "test",
    "split_by", "seed", "batch", "accumulate", "optimizer", "lr", "momentum", "weight_decay", "bias_lr", "schedule", "warmup", "final_lr",
    "label_smoothing", "clip", "channels_last", "threads",
)  # fmt: skip
"""What a defense's recipe takes over from the model's, where nothing else is said. How long it was trained, from which weights and what was
frozen is not among them."""


class TrainedDefense(Defense):
    """Trains with an objective of its own.

    Attributes:
        picks: keeps the epoch that stands best under attack; else the last.
    """

    trains: ClassVar[bool] = True
    picks: ClassVar[bool] = True

    @abstractmethod
    def objective(self, work: Work) -> Objective:
        """What is lowered.

        Raises:
            InputError: settings that it refuses.
        """

    def check(self, work: Work) -> None:
        self.objective(work)

    def harden(self, work: Work) -> Model:
        keeper = RobustBest(work.dataset.split("val"), work.attack, work.seed) if self.picks and watches(work.net, work.dataset) else None
        project = work.folder if work.resume else work.folder.parent.parent
        training = Training(
            project=str(project), name=work.folder.name, exist_ok=work.exist_ok, override=list(work.override), callbacks=[keeper] if keeper else [],
            objective=self.objective(work),
        )  # fmt: skip
        own = chosen(work)
        if work.resume:
            model = training.resume(work.dataset, None, {"task": work.task_name, **own})
        else:
            model = training.start(work.dataset, None, {**inherited(work.model), **own}, look=work.look, allow_bad=False)
        best = keeper.best if keeper else None
        if keeper is None or best is None:
            say("the last epoch is kept" + (": there are no validation pictures to choose another by" if self.picks else ""))
            return model
        last = keeper.rows[-1]
        stands = f"{best['standing']:.3f} of validation pictures stand under attack (last: {last['standing']:.3f})"
        say(f"epoch {best['epoch']} of {last['epoch']} is kept: {stands}")
        if best is last:
            return model
        return load(work.folder / "weights" / f"{WEIGHTS}.vidi", device=str(work.device), code=code_of(model.card))


def chosen(work: Work) -> dict[str, Any]:
    """The settings that this defense was given."""
    given = {**work.settings, **{key: value for key, value in (("minutes", work.minutes), ("epochs", work.epochs)) if value is not None}}
    return given | ({} if work.fresh else {"weights": work.file})


def inherited(model: Model) -> dict[str, Any]:
    """A recipe for the model's net on its canvas, with what it takes over from the recipe that the model was trained by."""
    card = model.card
    kept = {key: card.recipe[key] for key in INHERITED if card.recipe.get(key) is not None}
    return kept | {
        "task": card.task, "net": card.net, "net_options": dict(card.net_options), "head": card.head, "imgsz": list(card.canvas.size), "fit": card.canvas.fit,
    }  # fmt: skip
