"""A net held still while something else is computed with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import nn


@contextlib.contextmanager
def held(net: nn.Module) -> Iterator[None]:
    """The net in evaluation mode without gradients of its parameters, for the length of a block."""
    modes = [(module, module.training) for module in net.modules()]
    wanted = [(parameter, parameter.requires_grad) for parameter in net.parameters()]
    net.eval()
    for parameter, _ in wanted:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, on in wanted:
            parameter.requires_grad_(on)
        for module, training in modes:
            module.training = training
