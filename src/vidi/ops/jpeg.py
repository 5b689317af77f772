"""What JPEG compression does to pictures, on tensors: color transform, chroma subsampling, DCT and quantization (ITU-T T.81).

Entropy coding loses nothing and is left out, so no bytes are made.
"""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

_LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMA = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
    *(99,) * 32,
)  # fmt: skip


@cache
def _basis() -> Tensor:
    """(8, 8) orthonormal DCT-II."""
    k, n = torch.arange(8.0)[:, None], torch.arange(8.0)
    basis = torch.cos(math.pi * (2 * n + 1) * k / 16) / 2
    basis[0] /= math.sqrt(2)
    return basis


def tables(quality: Tensor) -> tuple[Tensor, Tensor]:
    """Luma and chroma quantization steps, each (B, 8, 8), for qualities (B,) in 1..100, as libjpeg scales them."""
    quality = quality.round().clamp(1, 100)
    scale = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)[:, None]
    made = []
    for base in (_LUMA, _CHROMA):
        steps = torch.tensor(base, dtype=torch.float32, device=quality.device)
        made.append(((steps * scale + 50) / 100).floor().clamp(1, 255).view(-1, 8, 8))
    return made[0], made[1]


def _coded(plane: Tensor, steps: Tensor) -> Tensor:
    """(B, H, W) values around 0, through the quantized DCT of 8×8 blocks; sides are extended to multiples of 8 first."""
    b, h, w = plane.shape
    tall, wide = -(-h // 8) * 8, -(-w // 8) * 8
    basis = _basis().to(device=plane.device, dtype=plane.dtype)
    padded = F.pad(plane[:, None], (0, wide - w, 0, tall - h), mode="replicate")
    blocks = padded.view(b, tall // 8, 8, wide // 8, 8).transpose(2, 3)
    spectrum = ((blocks @ basis.T).transpose(-1, -2) @ basis.T).transpose(-1, -2)
    steps = steps[:, None, None].to(plane.dtype)
    kept = (spectrum / steps).round_() * steps
    blocks = ((kept @ basis).transpose(-1, -2) @ basis).transpose(-1, -2)
    return blocks.transpose(2, 3).reshape(b, tall, wide)[:, :h, :w].round().clamp_(-128, 127)


def jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) float in 0..1 after 8-bit JPEG with 4:2:0 subsampling at a quality (B,) in 1..100."""
    b, _, h, w = images.shape
    red, green, blue = (images * 255).round().unbind(1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = torch.stack([(blue - luma) * 0.564334, (red - luma) * 0.713267], dim=1).round_()
    fine, coarse = tables(quality)
    chroma = F.avg_pool2d(F.pad(chroma, (0, w % 2, 0, h % 2), mode="replicate"), 2).round_()
    small = chroma.shape[-2:]
    chroma = _coded(chroma.reshape(b * 2, *small), coarse.repeat_interleave(2, dim=0)).view(b, 2, *small)
    luma = _coded((luma - 128).round(), fine) + 128
    chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)[..., :h, :w]
    cb, cr = chroma.unbind(1)
    rgb = torch.stack([luma + 1.402 * cr, luma - 0.344136 * cb - 0.714136 * cr, luma + 1.772 * cb], dim=1)
    return rgb.round_().clamp_(0, 255) / 255
