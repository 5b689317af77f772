"""Runs a net in PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from vidi.core.net import Net
from vidi.errors import InputError, nearest


class Runner:
    """Calls a net in evaluation mode without gradients.

    Args:
        net: the net; moved to `device` and put into evaluation mode.
        device: such as ``cpu`` or ``cuda``.
    """

    def __init__(self, net: Net, device: str = "cpu"):
        self.net = net.to(device).eval()
        self.device = torch.device(device)

    @torch.inference_mode()
    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Raw outputs by key."""
        return self.net({key: value.to(self.device, non_blocking=True) for key, value in inputs.items()})

    def activations(self, inputs: Mapping[str, Tensor], layers: Sequence[str]) -> dict[str, Tensor]:
        """Outputs of raw keys, stages or modules, by the names given; hooks are gone afterwards.

        Raises:
            InputError: no such layer, or one that does not give a tensor.
        """
        modules = {**dict(self.net.named_modules()), **self.net.stages()}
        caught: dict[str, Tensor] = {}
        handles = []
        try:
            for layer in layers:
                if layer in modules and layer:
                    handles.append(modules[layer].register_forward_hook(_catch(caught, layer)))
            raw = self(inputs)
        finally:
            for handle in handles:
                handle.remove()
        result = {}
        for layer in layers:
            value = caught.get(layer, raw.get(layer))
            if value is None:
                known = [*raw, *self.net.stages(), *(name for name in modules if name)]
                raise InputError("no such layer, or it gives no tensor", value=layer, fix=f"nearest: {', '.join(nearest(layer, known, 5) or known[:8])}")
            result[layer] = value
        return result


def _catch(caught: dict[str, Tensor], name: str):
    def hook(module: nn.Module, inputs: tuple, output: object) -> None:
        value = output[-1] if isinstance(output, (list, tuple)) and output else output
        if isinstance(value, Tensor):
            caught[name] = value

    return hook
