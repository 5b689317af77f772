"""Training a denoiser on crops: against clean pictures, or against the other half of noisy ones."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vidi.core.console import progress
from vidi.core.memory import keep_freed_memory
from vidi.core.seeds import Draw
from vidi.errors import InputError, TrainError
from vidi.methods.denoise._crops import Crops
from vidi.methods.denoise._noise import Sigma, neighbors
from vidi.nets.blocks.denoiser import Denoiser

STEPS = 1500
TICKS = 1000


@dataclass(frozen=True)
class Plan:
    """How long and how a denoiser is trained.

    Args:
        sigma: noise that is added to clean pictures; None: the pictures are noisy themselves.
        steps: of Adam; None: `STEPS`, or as many as fit into `minutes`.
        minutes: instead of steps.
        lr: learning rate at the start; it falls to a hundredth along a half cosine.
        batch: crops per step.

    Raises:
        InputError: out of range, or both steps and minutes.
    """

    sigma: Sigma | None
    steps: int | None = None
    minutes: float | None = None
    lr: float = 2e-3
    batch: int = 16

    def __post_init__(self) -> None:
        if self.steps is not None and self.minutes is not None:
            raise InputError("steps or minutes, not both", at="steps", value=self.steps)
        for name, value, least in (("steps", self.steps, 1), ("minutes", self.minutes, 0), ("lr", self.lr, 0), ("batch", self.batch, 1)):
            if value is not None and not (least <= value < math.inf and value > 0):
                raise InputError("out of range", at=name, value=value, fix="a positive number")

    def share(self, step: int, seconds: float) -> float:
        """How far training is, 0..1."""
        return step / (self.steps or STEPS) if self.minutes is None else seconds / (60 * self.minutes)


def make(width: int, depth: int, seed: int) -> Denoiser:
    """A denoiser with initial weights by the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Denoiser(width, depth)


def fit(net: Denoiser, crops: Crops, plan: Plan, device: torch.device) -> tuple[int, float]:
    """Train a denoiser in place; gives steps and seconds.

    Raises:
        TrainError: the loss is no longer a number.
    """
    if device.type == "cpu":
        keep_freed_memory()
    net.to(device).train()
    optimizer = torch.optim.Adam(net.parameters(), plan.lr)
    begun, step, share, mean = time.monotonic(), 0, 0.0, 0.0
    with progress("denoiser", TICKS) as bar:
        while share < 1:
            images, draw = crops.batch(step, plan.batch)
            for group in optimizer.param_groups:
                group["lr"] = plan.lr * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)
            loss = _loss(net, images.to(device), draw.to(device), plan, share)
            if not torch.isfinite(loss):
                raise TrainError("the loss is no longer a number", at=f"step {step}", fix=f"a smaller lr than {plan.lr:g}")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            step, mean = step + 1, float(loss.detach()) if not step else 0.98 * mean + 0.02 * float(loss.detach())
            share = plan.share(step, time.monotonic() - begun)
            bar.update(min(TICKS, int(share * TICKS)), f"step {step} · error {255 * math.sqrt(mean):.2f} levels")
    net.cpu().eval()
    return step, time.monotonic() - begun


def _loss(net: Denoiser, images: Tensor, draw: Draw, plan: Plan, share: float) -> Tensor:
    """Mean squared error, (); without clean pictures that between one half of a noisy picture, denoised, and the other, with the term that
    takes away what the halves differ by without noise (Huang et al. 2021, eq. 6), which grows to its full weight."""
    if plan.sigma is not None:
        return F.mse_loss(net(plan.sigma.add(images, draw)), images)
    choice = draw.integers(8, images.shape[2] // 2, images.shape[3] // 2)
    one, other = neighbors(images, choice)
    with torch.no_grad():
        whole_one, whole_other = neighbors(net(images), choice)
    error = net(one) - other
    return error.square().mean() + share * (error - (whole_one - whole_other)).square().mean()
