"""A learned denoiser, trained on pictures like the model's own by `vidi denoiser` (Zhang et al. 2017, arXiv:1608.03981)."""

from __future__ import annotations

from torch import Tensor, nn

from vidi.errors import InputError
from vidi.nets.blocks.denoiser import Denoiser, frozen, load_denoiser
from vidi.ops.straight import straight_through


class Denoise(nn.Module):
    """Pictures (B, 3, H, W) without their noise, in 0..1. Weights are buffers: they travel with the model and are never trained.

    Attributes:
        settings: what a model file keeps; the weights come from the model's own.
    """

    def __init__(self, net: Denoiser, width: int, depth: int):
        super().__init__()
        self.net, self.settings = frozen(net), {"width": width, "depth": depth}

    def forward(self, x: Tensor) -> Tensor:
        out = self.net(x)
        return straight_through(out, out.clamp(0, 1))  # gradients also where the value is cut off


def enhance(*, file: str | None = None, width: int | None = None, depth: int | None = None) -> nn.Module:
    """Take noise away by a trained net.

    Args:
        file: what `vidi denoiser DATA --out FILE` wrote.
        width, depth: of a denoiser whose weights come with a model file; not for use by hand.

    Raises:
        InputError: no file.
        ModelError: a file that is none of a denoiser.
    """
    if file is not None:
        net, facts = load_denoiser(file)
        if (width or facts.width, depth or facts.depth) != (facts.width, facts.depth):
            raise InputError("the file's denoiser is of another size", file=file, value=f"width {facts.width}, depth {facts.depth}", fix="leave width and depth out")
        return Denoise(net, facts.width, facts.depth)
    if width is None or depth is None:
        raise InputError("a denoiser is trained first", at="denoise", fix="`vidi denoiser DATA --out FILE`, then denoise(file=FILE)")
    return Denoise(Denoiser(width, depth), width, depth)
