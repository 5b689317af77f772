"""The operations that published policies choose from, applied to a batch in groups of the same choice.

Strengths are those of the papers: a slope for shears, pixels for translations, degrees for turns, a change of a factor around one
for brightness, color, contrast and sharpness, kept bits for posterize, a threshold for solarize.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vidi.core.augmentation import about_center, affine, translation
from vidi.ops import color

MOVES: dict[str, Callable[[Tensor, tuple[int, int]], Tensor]] = {
    "shear_x": lambda value, size: about_center(affine(b=value), size),
    "shear_y": lambda value, size: about_center(affine(c=value), size),
    "translate_x": lambda value, size: translation(value.round(), torch.zeros_like(value)),
    "translate_y": lambda value, size: translation(torch.zeros_like(value), value.round()),
    "rotate": lambda value, size: _turned(value * (math.pi / 180), size),
}
COLORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "brightness": lambda images, value: color.brightness(images, 1 + value),
    "saturation": lambda images, value: color.saturation(images, 1 + value),
    "contrast": lambda images, value: color.contrast(images, 1 + value),
    "sharpness": lambda images, value: color.sharpness(images, 1 + value),
    "posterize": color.posterize,
    "solarize": color.solarize,
    "autocontrast": lambda images, value: color.autocontrast(images),
    "equalize": lambda images, value: color.equalize(images),
}
SIGNED = frozenset({*MOVES, "brightness", "saturation", "contrast", "sharpness"})


def _turned(angle: Tensor, size: tuple[int, int]) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return about_center(affine(a=cos, b=-sin, c=sin, d=cos), size)


def strengths(ranges: dict[str, tuple[float, float]], choice: Tensor, level: Tensor, negative: Tensor) -> Tensor:
    """(B,) strength of each sample's chosen operation.

    Args:
        ranges: strength at level 0 and level 1, by operation.
        choice: index into `ranges`, (B,).
        level: 0..1, (B,).
        negative: where a signed operation takes the other sign, (B,) bool.
    """
    low, high = (torch.tensor([ends[side] for ends in ranges.values()], dtype=torch.float32)[choice] for side in (0, 1))
    signed = torch.tensor([name in SIGNED for name in ranges])[choice]
    value = low + (high - low) * level
    whole = torch.tensor([name == "posterize" for name in ranges])[choice]
    value = torch.where(whole, value.round(), value)
    return torch.where(signed & negative, -value, value)


def matrices(names: Sequence[str], choice: Tensor, value: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, 3, 3) motions of the samples whose choice moves pixels; the others stand still."""
    out = torch.eye(3).repeat(len(choice), 1, 1)
    for index in choice.unique().tolist():
        if names[index] in MOVES:
            rows = choice == index
            out[rows] = MOVES[names[index]](value[rows], size)
    return out


def recolored(images: Tensor, names: Sequence[str], choice: Tensor, value: Tensor) -> Tensor:
    """Pictures after each sample's choice, where that changes colors; `choice` and `value` live on the CPU."""
    out = images
    for index in choice.unique().tolist():
        if names[index] in COLORS:
            rows = (choice == index).nonzero().squeeze(1)
            where = rows.to(images.device)
            changed = COLORS[names[index]](images[where], value[rows].to(images.device))
            out = out.index_copy(0, where, changed) if out is images else out.index_copy_(0, where, changed)
    return out
