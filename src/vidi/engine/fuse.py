"""Batch norm folded into the convolutions before it: the same answers from a net that is a quarter to a third faster."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from vidi.core.net import Net
from vidi.core.wrapped import Wrapped
from vidi.engine.held import held

NEAR = 1e-3
"""How far outputs may be apart, in shares of the largest; else the net is left as it is."""


class Fused(Wrapped):
    """A net that forwards through a copy with folded norms; all else is the net's own, so its settings of decoding count.

    Args:
        net: the net.
        swift: the copy.
    """

    def __init__(self, net: Net, swift: Net):
        super().__init__(net)
        self.swift = swift

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return self.swift(inputs)

    def stages(self) -> dict[str, nn.Module]:
        return self.swift.stages()


def fused(net: Net, size: tuple[int, int]) -> Net:
    """The net with folded norms, for evaluation only; itself where nothing can be folded, or where its answers would change.

    Which norm follows which convolution is seen in a forward pass, so it works for nets of any making; the result is compared with the net.

    Args:
        net: maps pictures alone to raw outputs; stays as it is.
        size: height and width of a picture for the pass.
    """
    if set(net.inputs) != {"image"}:
        return net
    device = next((parameter.device for parameter in net.parameters()), torch.device("cpu"))
    picture = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)).to(device, memory_format=torch.channels_last)
    with torch.no_grad(), held(net):
        pairs, expected = _follow(net, picture)
        if not pairs:
            return net
        swift = copy.deepcopy(net).eval()
        for conv, norm in pairs:
            _fold(swift, conv, norm)
        found = swift({"image": picture})
    same = all(_near(found[name], value) for name, value in expected.items())
    return Fused(net, swift) if same else net


def _near(found: Tensor, expected: Tensor) -> bool:
    if found.shape != expected.shape:
        return False
    most = float(expected.abs().max()) if expected.numel() else 0.0
    return bool(torch.isclose(found.float(), expected.float(), rtol=NEAR, atol=NEAR * max(most, 1e-6)).all())


def _follow(net: Net, picture: Tensor) -> tuple[list[tuple[str, str]], dict[str, Tensor]]:
    """Names of convolutions and of the norms that take what they give, each called once; and the raw outputs."""
    calls: Counter[str] = Counter()
    given: dict[int, tuple[str, Tensor]] = {}
    pairs: list[tuple[str, str]] = []
    hooks = []

    def gave(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            calls[name] += 1
            given[id(output)] = (name, output)

        return hook

    def takes(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any) -> None:
            calls[name] += 1
            if inputs and id(inputs[0]) in given:
                pairs.append((given[id(inputs[0])][0], name))

        return hook

    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(gave(name)))
        elif isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            hooks.append(module.register_forward_pre_hook(takes(name)))
    try:
        raw = net({"image": picture})
    finally:
        for hook in hooks:
            hook.remove()
    return [(conv, norm) for conv, norm in pairs if calls[conv] == calls[norm] == 1], {name: value.clone() for name, value in raw.items()}


def _fold(net: Net, conv: str, norm: str) -> None:
    first: Any = net.get_submodule(conv)
    second: Any = net.get_submodule(norm)
    dense = first.weight.is_contiguous(memory_format=torch.channels_last)
    weight, bias = fuse_conv_bn_weights(first.weight, first.bias, second.running_mean, second.running_var, second.eps, second.weight, second.bias)
    first.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last if dense else torch.contiguous_format), requires_grad=False)
    first.bias = nn.Parameter(bias, requires_grad=False)
    home, _, last = norm.rpartition(".")
    after = [part for part in (getattr(second, "drop", None), getattr(second, "act", None)) if isinstance(part, nn.Module)]  # timm's norms end with these
    setattr(net.get_submodule(home) if home else net, last, nn.Sequential(*after) if after else nn.Identity())
