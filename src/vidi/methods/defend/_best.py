"""Which epoch of a training is kept: the one that stands best under attack on validation pictures, as robustness can fall while training goes
on ("robust overfitting", Rice, Wong and Kolter 2020, arXiv:2002.11569)."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import numpy as np
import torch

from vidi.core.console import quiet
from vidi.core.dataset import Dataset, known_labels
from vidi.core.files import write_text
from vidi.core.seeds import Draw
from vidi.engine.decoding import decoding
from vidi.engine.evaluate import make_loader
from vidi.engine.held import held
from vidi.engine.infer import to_float
from vidi.engine.loop import Callback, Loop
from vidi.engine.prepare import canvas_of
from vidi.engine.thing_pictures import SHOWN_SCORE
from vidi.labels import FAMILIES
from vidi.methods.defend._ascent import tells
from vidi.methods.defend._base import Perturb

FILE, WEIGHTS = "robust.jsonl", "robust"
STEPS, MOST = 10, 500


class RobustBest(Callback):
    """After each epoch, attacks validation pictures and keeps the weights that stand best, the later of equals, as ``weights/robust.vidi``.

    What was seen lies in ``robust.jsonl`` of the run folder; a run that goes on forgets what came after its checkpoint.

    Args:
        dataset: labeled validation pictures; the first `MOST` count.
        attack: made of `STEPS` steps.
        seed: of the attack.
    """

    def __init__(self, dataset: Dataset, attack: Perturb, seed: int = 0):
        self.dataset, self.attack, self.seed = dataset.with_samples(dataset.samples[:MOST]), attack, seed
        self.rows: list[dict[str, Any]] = []

    @property
    def best(self) -> dict[str, Any] | None:
        return max(self.rows, key=lambda row: (row["standing"], row["epoch"]), default=None)

    def on_train_start(self, loop: Loop) -> None:
        path = loop.run.path / FILE
        self.rows = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
            with suppress(ValueError):
                self.rows.append(json.loads(line))
        self.rows = [row for row in self.rows if row["epoch"] <= loop.position.epoch]

    def on_fit_epoch_end(self, loop: Loop, row: dict[str, Any]) -> None:
        with loop.averaged():
            standing = self.standing(loop)
            self.rows.append({"epoch": row["epoch"], "standing": standing})
            best = self.best
            if best is not None and best["epoch"] == row["epoch"]:
                loop.save(WEIGHTS, row)
        write_text(loop.run.path / FILE, "".join(json.dumps(one) + "\n" for one in self.rows))

    def standing(self, loop: Loop) -> float:
        """The share of pictures whose prediction under attack does not contradict the truth."""
        labels = known_labels(self.dataset.labels)
        leeway = FAMILIES[loop.net.space.family].leeway(labels)
        loader = make_loader(self.dataset, canvas_of(loop.recipe), min(64, max(1, len(self.dataset))), cache="none")
        right: list[bool] = []
        own: Any = getattr(loop.net, "conf", None)
        with quiet(), held(loop.net), decoding(loop.net, conf=None if own is None else max(own, SHOWN_SCORE)):
            for batch in loader.batches(np.arange(len(self.dataset))):
                ready = to_float(batch, loop.device)
                draw = Draw.samples(self.seed, 0, batch.indices, loop.device)
                found = self.attack(loop.net, ready.inputs["image"], known_labels(ready.labels), STEPS, draw)
                with torch.no_grad():
                    guesses = loop.net.decode(loop.net({**ready.inputs, "image": found}))
                right += [not label.contradicts(guess, leeway) for label, guess in zip(ready.labels, guesses) if label is not None]
        loader.store.close()
        return float(np.mean(right)) if right else 0.0


def watches(net: Any, dataset: Dataset) -> bool:
    """Whether an epoch can be chosen so: there are validation pictures, and their labels are of the predictions' kind."""
    return tells(net) and any(sample.label is not None for sample in dataset.split("val"))
