"""Randomized smoothing: training under Gaussian noise, and certificates for the vote over noisy copies.

Cohen, Rosenfeld and Kolter 2019, *Certified adversarial robustness via randomized smoothing*, arXiv:1902.02918.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from vidi.core.batch import Batch
from vidi.core.console import progress
from vidi.core.net import Net
from vidi.core.seeds import Draw, permutation
from vidi.engine.evaluate import make_loader
from vidi.engine.infer import to_float
from vidi.engine.loop import Loop
from vidi.engine.objective import Objective
from vidi.errors import InputError
from vidi.methods.defend._base import Findings, Work, between
from vidi.methods.defend._smoothed import Averaged, Smoothed, deciding
from vidi.methods.defend._training import TrainedDefense
from vidi.model import Model
from vidi.ops.certify import ABSTAIN

RADII = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
POINTS = 50
"""Places of the curve."""


class Noisy(Objective):
    """The net's loss under Gaussian noise.

    Args:
        sigma: its standard deviation, in units of the pixel range.
    """

    def __init__(self, sigma: float):
        self.sigma = sigma

    def parts(self, loop: Loop, batch: Batch, draw: Draw) -> dict[str, Tensor]:
        images = batch.inputs["image"]
        noisy = Batch({**batch.inputs, "image": images + self.sigma * draw.normal(*images.shape[1:])}, batch.labels, batch.frames, batch.indices)
        return super().parts(loop, noisy, draw)

    def to_dict(self) -> dict[str, Any]:
        return {"method": "smooth", "sigma": self.sigma}


@dataclass
class Smooth(TrainedDefense):
    """See `defense`."""

    sigma: float = 0.25
    samples: int = 1000
    first: int = 100
    alpha: float = 0.001
    radii: Sequence[float] = RADII
    pictures: int = 200
    copies: int = 8
    name: ClassVar[str] = "smooth"
    picks: ClassVar[bool] = False

    def check(self, work: Work) -> None:
        between(1e-6, 100, sigma=self.sigma)
        between(1, 10**7, samples=self.samples, first=self.first, pictures=self.pictures, copies=self.copies)
        between(1e-12, 0.5, alpha=self.alpha)
        if int(self.copies) != self.copies:
            raise InputError("a whole number", at="copies", value=self.copies)
        for one in self.radii:
            between(0, 1e6, radii=one)
        _key(self.name, work.net)

    def objective(self, work: Work) -> Noisy:
        return Noisy(float(self.sigma))

    def attacked(self, work: Work, model: Model) -> Net:
        return Averaged(model.net, _key(self.name, model.net), float(self.sigma), int(self.copies), work.seed)

    def findings(self, work: Work, model: Model) -> Findings:
        right, radii, answered = self.certified(work, model)
        count = len(right)
        if not count:
            return Findings(notes=["no labeled picture to certify"])
        held = np.where(right, radii, -1.0)
        numbers: dict[str, float | None] = {"certified_radius": float(np.where(right, radii, 0.0).mean()), "abstained": float((~answered).mean())}
        numbers |= {f"certified_{one:g}": float((held >= one).mean()) if one else float(right.mean()) for one in self.radii}
        rows = [[one, numbers[f"certified_{one:g}"], count, f"{1 - self.alpha:g} for each picture"] for one in self.radii]
        most = self.sigma * _reach(self.samples, self.alpha)
        at = np.linspace(0, max(most, 1e-6), POINTS)
        curve = {"name": f"sigma {self.sigma:g}", "x": at.tolist(), "y": [float((held >= one).mean()) for one in at]}
        note = (f"certified: {numbers[f'certified_{self.radii[0]:g}']:.3f} at L2 {self.radii[0]:g}" if len(self.radii) else "certified") + "".join(
            f", {numbers[f'certified_{one:g}']:.3f} at {one:g}" for one in self.radii[1:]
        )
        notes = [
            f"{note} (of {count} pictures, each with confidence {1 - self.alpha:g}; {numbers['abstained']:.3f} abstained; {self.samples} copies reach no farther than {most:.3g})",
            f"attacked and scored is the mean over {self.copies} noisy copies, a part of the vote that the certificates are about; the model file answers without noise",
        ]
        sections: list[dict[str, Any]] = [
            {"kind": "table", "title": "Certified accuracy", "columns": ["radius (L2)", "certified accuracy", "n", "confidence"], "rows": rows},
            {"kind": "lines", "title": "Certified accuracy by radius", "xlabel": "L2 radius, units of the pixel range", "ylabel": "share of pictures", "series": [curve]},
        ]
        return Findings(numbers, n=dict.fromkeys(numbers, count), sections=sections, notes=notes)

    def certified(self, work: Work, model: Model) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """By picture: whether the vote is right, its radius, and whether it did not abstain, each (n,)."""
        part = work.dataset.split(work.split)
        known = [i for i, sample in enumerate(part.samples) if sample.label is not None and sample.label.decision() is not None]
        kept = sorted(known[place] for place in permutation(len(known), work.seed, 0)[: self.pictures].tolist())
        part = part.with_samples(part.samples[i] for i in kept)
        smoothed, rows = Smoothed(model.net, _key(self.name, model.net), float(self.sigma), self.alpha), []
        loader = make_loader(part, model.preprocess, work.batch, cache="none")
        try:
            with progress("certifying", len(part)) as bar, torch.no_grad():
                for batch in loader.batches(np.arange(len(part))):
                    batch = to_float(batch, work.device)
                    draw = Draw.samples(work.seed, 0, batch.indices, work.device)
                    classes, radii = smoothed.certify(batch.inputs["image"], draw, self.samples, self.first)
                    decisions = [np.asarray(label.decision()) for label in batch.labels if label is not None]
                    truth = np.array([int(np.nanargmax(one)) for one in decisions])
                    rows.append(np.stack([classes == truth, radii, classes != ABSTAIN]))
                    bar.update(sum(len(one[0]) for one in rows))
        finally:
            loader.store.close()
        found = np.concatenate(rows, axis=1) if rows else np.zeros((3, 0))
        return found[0].astype(bool), found[1], found[2].astype(bool)


def _key(name: str, net: Net) -> str:
    """The raw output that is voted by.

    Raises:
        InputError: there is none.
    """
    key = deciding(net)
    if key is None:
        raise InputError("a vote needs exactly one class for each picture, which these predictions are not", at="method", value=name,
                         fix="method=trades or method=pgd, which harden any prediction")  # fmt: skip
    return key


def _reach(samples: int, alpha: float) -> float:
    """The largest radius, in sigmas, that so many copies can certify: all of them agree."""
    from scipy.stats import norm

    return float(norm.ppf(math.exp(math.log(alpha) / samples)))


def defense(
    *, sigma: float = 0.25, samples: int = 1000, first: int = 100, alpha: float = 0.001, radii: Sequence[float] = RADII, pictures: int = 200,
    copies: int = 8,
) -> Smooth:  # fmt: skip
    """The method.

    Args:
        sigma: standard deviation of the noise, in units of the pixel range 0..1: more certifies larger radii and costs clean accuracy.
        samples: noisy copies of a picture that bound the probability of its class.
        first: others that choose the class.
        alpha: chance that a certificate is wrong.
        radii: Euclidean distances, in units of the pixel range, of the table.
        pictures: at most so many are certified, chosen at random by the seed.
        copies: noisy copies of a picture whose mean is attacked and scored in the place of the vote, each as dear as the net itself.
    """
    return Smooth(sigma, samples, first, alpha, tuple(radii), pictures, copies)
