"""A moving average of a net's weights, in full precision (Polyak and Juditsky 1992)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn


class Average:
    """Exponential moving average of all floating tensors of a net; other tensors are copied.

    Args:
        net: the net that is trained.
        decay: share kept at each update; early updates keep less, so that the start is forgotten.
    """

    def __init__(self, net: nn.Module, decay: float):
        self.decay, self.updates = decay, 0
        self.values = {key: value.detach().clone() for key, value in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Take in the net's present weights."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 9))
        state = net.state_dict()
        keys = [key for key, value in self.values.items() if value.is_floating_point()]
        torch._foreach_lerp_([self.values[key] for key in keys], [state[key].detach() for key in keys], 1 - decay)
        for key, value in self.values.items():
            if not value.is_floating_point():
                value.copy_(state[key])

    @contextlib.contextmanager
    def swapped(self, net: nn.Module) -> Iterator[None]:
        """The net holds the averaged weights inside the block and its own again afterwards."""
        own = {key: value.detach().clone() for key, value in net.state_dict().items()}
        net.load_state_dict(self.values)
        try:
            yield
        finally:
            net.load_state_dict(own)

    def state(self) -> dict[str, Tensor]:
        return self.values

    def load(self, values: dict[str, Tensor], updates: int) -> None:
        self.updates = updates
        for key, value in values.items():
            self.values[key].copy_(value)
