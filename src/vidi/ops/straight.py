"""Gradients for operations that have none."""

from __future__ import annotations

import torch
from torch import Tensor


def straight_through(x: Tensor, changed: Tensor) -> Tensor:
    """The values of `changed`, bit for bit, with the gradient of `x`, finite and of the same shape (Bengio et al. 2013, arXiv:1308.3432).

    What an attacker does to get through a step without useful gradients (Athalye et al. 2018, arXiv:1802.00420, BPDA) is thereby built in.
    """
    return changed.detach() + (x - x.detach()) if torch.is_grad_enabled() else changed
