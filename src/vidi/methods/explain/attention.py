"""Where the net's own attention lies: self-attention of tokens rolled out through all blocks (Abnar and Zuidema 2020, arXiv:2005.00928),
or how much of the signal attention blocks between convolutions let through at each place. It is the same whatever is asked about."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.errors import InputError
from vidi.methods.explain._base import Explainer
from vidi.methods.explain._cam import enlarged
from vidi.methods.explain._layers import BODY
from vidi.methods.explain._target import Target
from vidi.nets.blocks.attention import Attention as Gate


class Attention(Explainer):
    name = "attention"

    def relevance(self, net: Net, images: Tensor, target: Target, draw: Draw) -> Tensor:
        size = images.shape[2], images.shape[3]
        rolled: list[Tensor] = []
        gates: list[Tensor] = []
        with _watching(net, rolled, gates):
            target.outputs(images)
        if rolled:
            return enlarged(self._grid(net, _rollout(rolled), size), size)
        if not gates:
            raise InputError("this net has no attention blocks", at="method", value=self.name, fix="method=gradcam; or a net with attention=cbam, or a transformer of `timm`")
        return torch.stack([enlarged(gate, size) for gate in gates]).sum(0)

    def _grid(self, net: Net, joint: Tensor, size: tuple[int, int]) -> Tensor:
        """What the patches, taken together, draw from each patch, (B, h, w), from attention (B, N, N) between all tokens."""
        body: Any = getattr(net, BODY, net)
        prefix = int(getattr(getattr(body, "model", body), "num_prefix_tokens", 0))
        from_patches = joint[:, prefix:, prefix:].mean(1)
        patches = from_patches.shape[1]
        tall = round(math.sqrt(patches * size[0] / size[1]))
        if tall < 1 or patches % tall:
            raise InputError("the tokens of this net do not lie on a grid over the picture", at="method", value=self.name, fix="method=integrated_gradients or rise")
        return from_patches.unflatten(1, (tall, patches // tall))


@contextlib.contextmanager
def _watching(net: nn.Module, rolled: list[Tensor], gates: list[Tensor]) -> Iterator[None]:
    """Collect the attention between tokens (B, N, N) of each self-attention, and the maps (B, h, w) of each attention block, within the block."""
    hooks = []
    for module in net.modules():
        if isinstance(module, Gate):
            hooks.append(module.block.register_forward_hook(_gate(module, gates)))
        elif isinstance(getattr(module, "qkv", None), nn.Linear) and hasattr(module, "num_heads"):
            hooks.append(module.qkv.register_forward_hook(_weights(module, rolled)))  # type: ignore[union-attr]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _gate(gate: Gate, found: list[Tensor]) -> Any:
    def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
        passed = output.abs().sum(1) / inputs[0].abs().sum(1).clamp_min(1e-12)
        found.append(gate.gamma.abs() * (passed - passed.mean((1, 2), keepdim=True)))

    return hook


def _weights(attention: Any, found: list[Tensor]) -> Any:
    norms = [getattr(attention, name, None) for name in ("q_norm", "k_norm")]

    def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
        if output.ndim != 3:
            return
        query, key, _ = output.unflatten(2, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        scale = getattr(attention, "scale", query.shape[3] ** -0.5)
        query, key = (value if norm is None else norm(value) for value, norm in zip((query, key), norms))
        found.append((query @ key.transpose(2, 3) * scale).softmax(3).mean(1))

    return hook


def _rollout(weights: list[Tensor]) -> Tensor:
    """How much of each token reaches each token through all blocks, (B, N, N): half attention, half the shortcut around it.

    Raises:
        InputError: the blocks attend to windows, or to other tokens.
    """
    joint = torch.eye(weights[0].shape[1], device=weights[0].device).expand_as(weights[0])
    for one in weights:
        if one.shape != joint.shape:
            raise InputError("the attention of this net is between parts of the picture and cannot be joined", at="method", value="attention",
                             fix="method=gradcam, integrated_gradients or rise")  # fmt: skip
        joint = (0.5 * one + 0.5 * torch.eye(one.shape[1], device=one.device)) @ joint
    return joint


def explainer() -> Attention:
    """The method."""
    return Attention()
