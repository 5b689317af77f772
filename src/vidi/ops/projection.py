"""Balls of the norms linf, l2 and l1 around batches of pictures: how large a change is, the nearest change that is small enough, the
direction in which a function rises fastest, and pictures of 8 bits that stay inside."""

from __future__ import annotations

import torch
from torch import Tensor

NORMS = ("linf", "l2", "l1")
SHARE = 0.01
"""Share of the values that one step of norm l1 changes (Tramèr and Boneh 2019, arXiv:1904.13000, section 4)."""


def sizes(change: Tensor, norm: str) -> Tensor:
    """The norm of each sample's change, (B,), of a tensor (B, …).

    Raises:
        ValueError: an unknown norm.
    """
    flat = change.flatten(1)
    if norm == "linf":
        return flat.abs().amax(1) if flat.shape[1] else flat.sum(1)
    return torch.linalg.vector_norm(flat, _order(norm), dim=1)


def project(change: Tensor, norm: str, size: float) -> Tensor:
    """The nearest change, in the Euclidean sense, whose norm is at most `size`; row by row of (B, …).

    Norm l1 as in Duchi et al. 2008, *Efficient projections onto the l1-ball for learning in high dimensions*.

    Raises:
        ValueError: an unknown norm.
    """
    if norm == "linf":
        return change.clamp(-size, size)
    if norm == "l1":
        return _onto_l1(change.flatten(1), size).view_as(change)
    length = sizes(change, norm)
    return change * (size / length.clamp_min(1e-12)).clamp_max(1).view(-1, *[1] * (change.ndim - 1))


def _onto_l1(flat: Tensor, size: float) -> Tensor:
    length = flat.abs()
    falling = length.sort(1, descending=True).values
    total = falling.cumsum(1)
    count = torch.arange(1, flat.shape[1] + 1, device=flat.device, dtype=flat.dtype)
    kept = (falling * count > total - size).sum(1, keepdim=True).clamp_min(1)
    less = ((total.gather(1, kept - 1) - size) / kept).clamp_min(0)
    shrunk = flat.sign() * (length - less).clamp_min(0)
    return torch.where(length.sum(1, keepdim=True) <= size, flat, shrunk)


def steepest(gradient: Tensor, norm: str, images: Tensor | None = None) -> Tensor:
    """The change of norm 1 along which a function with this gradient rises fastest, row by row of (B, …); zero where the gradient is.

    Norm l1 spreads the change over the hundredth of values with the largest gradients, instead of the largest alone.

    Args:
        images: pictures in 0..1 that are to be changed: norm l1 passes over values that would leave the range.

    Raises:
        ValueError: an unknown norm.
    """
    if norm == "linf":
        return gradient.sign()
    if norm == "l1":
        if images is not None:
            stuck = ((images >= 1) & (gradient > 0)) | ((images <= 0) & (gradient < 0))
            gradient = gradient.masked_fill(stuck, 0)
        flat = gradient.flatten(1)
        count = max(1, int(flat.shape[1] * SHARE))
        least = flat.abs().topk(min(count, flat.shape[1]), 1).values[:, -1:]
        chosen = flat.sign() * (flat.abs() >= least)
        return (chosen / chosen.abs().sum(1, keepdim=True).clamp_min(1)).view_as(gradient)
    peak = gradient.flatten(1).abs().amax(1).clamp_min(1e-30).view(-1, *[1] * (gradient.ndim - 1))
    scaled = gradient / peak  # tiny gradients would vanish when squared
    return scaled / sizes(scaled, norm).clamp_min(1e-12).view_as(peak)


def to_levels(images: Tensor, clean: Tensor, norm: str | None = None, size: float = 0.0) -> Tensor:
    """Pictures as 8-bit levels that stay within a distance of the clean ones.

    Rounding alone may leave the ball. Norm linf: levels are cut off at the last whole one inside. Norms l2 and l1: the change is scaled
    down before rounding by the largest of a series of factors that ends inside.

    Args:
        images: (B, C, H, W) float in 0..1.
        clean: (B, C, H, W) uint8.
        norm, size: the ball; without a norm, pictures are rounded to the nearest level.

    Returns:
        (B, C, H, W) uint8.
    """
    base = clean.to(torch.float32)
    change = images.to(torch.float32) * 255 - base
    if norm == "linf":
        change = change.round().clamp(-levels_within(size), levels_within(size))
    elif norm is not None:
        change = _rounded(change, base, norm, size)
    return (base + change).round().clamp(0, 255).to(torch.uint8)


def levels_within(size: float) -> int:
    """How many whole levels of 255 fit into a size in 0..1."""
    return int(size * 255 + 1e-6)


def _rounded(change: Tensor, base: Tensor, norm: str, size: float) -> Tensor:
    """The change in whole levels, scaled down where it would be too large."""
    low, high = torch.zeros(len(change), device=change.device), torch.ones(len(change), device=change.device)
    shape = (-1, *[1] * (change.ndim - 1))

    def levels(factor: Tensor) -> Tensor:
        return ((base + change * factor.view(shape)).round().clamp(0, 255) - base).double()

    def fits(factor: Tensor) -> Tensor:
        return sizes(levels(factor), norm) <= size * 255 * (1 + 1e-9)

    whole = fits(high)
    for _ in range(16):
        middle = (low + high) / 2
        inside = fits(middle)
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    return levels(torch.where(whole, torch.ones_like(low), low)).to(change.dtype)


def exceeds(levels: Tensor, clean: Tensor, norm: str, size: float) -> Tensor:
    """(B,) bool: which 8-bit pictures (B, C, H, W) lie farther from the clean ones than `size`, counted in whole levels and float64."""
    return sizes(levels.double() - clean.double(), norm) > size * 255 * (1 + 1e-9) + 1e-6


def _order(norm: str) -> int:
    try:
        return {"l2": 2, "l1": 1}[norm]
    except KeyError:
        raise ValueError(f"norm: expected one of {', '.join(NORMS)}; got {norm!r}") from None
