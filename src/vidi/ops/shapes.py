"""Soft and hard masks and smooth fields over a picture, one per sample, for light, shadows and occlusion.

Places are given as shares of the picture: (0, 0) is its top-left corner, (1, 1) the bottom-right one. Lengths called `radius` or
`softness` are shares of the shorter side.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def _places(size: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """x (1, 1, W) and y (1, H, 1) of pixel centers in units of the shorter side."""
    h, w = size
    short = min(h, w)
    return ((torch.arange(w, device=device) + 0.5) / short).view(1, 1, -1), ((torch.arange(h, device=device) + 0.5) / short).view(1, -1, 1)


def _from(x: Tensor, y: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """(B, H, W) distances from points given as shares of the picture, each (B,), along x and y."""
    h, w = size
    short = min(h, w)
    across, down = _places(size, x.device)
    return across - (x * w / short)[:, None, None], down - (y * h / short)[:, None, None]


def rectangles(x: Tensor, y: Tensor, width: Tensor, height: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, 1, H, W) bool: pixels within boxes given in whole pixels by their top-left corner and sides, each (B,)."""
    xs, ys = torch.arange(size[1], device=x.device), torch.arange(size[0], device=x.device)
    across = (xs >= x[:, None]) & (xs < (x + width)[:, None])
    down = (ys >= y[:, None]) & (ys < (y + height)[:, None])
    return (down[:, :, None] & across[:, None, :]).unsqueeze(1)


def polygon(x: Tensor, y: Tensor, angles: Tensor, distances: Tensor, softness: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, 1, H, W) in 0..1: convex polygons, each the meeting of half-planes around a point.

    Args:
        x, y: a point inside, (B,).
        angles: directions of the outward normals, (B, K) radians.
        distances: of the edges from the point, (B, K); infinite ones are no edge, a single finite one gives a half-plane.
        softness: width of the transition, (B,).
    """
    dx, dy = _from(x, y, size)
    soft = softness.clamp_min(1e-3)[:, None, None]
    mask = torch.ones_like(dx)
    for k in range(angles.shape[1]):
        angle, distance = angles[:, k, None, None], distances[:, k, None, None]
        inside = (distance - (dx * angle.cos() + dy * angle.sin())) / soft + 0.5
        mask = torch.minimum(mask, inside.clamp_(0, 1))
    return (mask * mask * (3 - 2 * mask)).unsqueeze(1)


def blobs(x: Tensor, y: Tensor, radius: Tensor, waves: Tensor, phases: Tensor, softness: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, 1, H, W) in 0..1: round shapes with a wavy outline.

    Args:
        x, y: centers, (B,).
        radius: mean radius, (B,).
        waves: amplitude of the outline's 2nd, 3rd, … harmonic as a share of the radius, (B, K).
        phases: their phases, (B, K) radians.
        softness: width of the edge, (B,).
    """
    dx, dy = _from(x, y, size)
    angle = torch.atan2(dy, dx)
    outline = torch.ones_like(dx)
    for k in range(waves.shape[1]):
        outline = outline + waves[:, k, None, None] * torch.cos((k + 2) * angle + phases[:, k, None, None])
    edge = radius[:, None, None] * outline.clamp_min_(0.05) - (dx * dx + dy * dy).sqrt()
    mask = (edge / softness.clamp_min(1e-3)[:, None, None] + 0.5).clamp_(0, 1)
    return (mask * mask * (3 - 2 * mask)).unsqueeze(1)


def slope(angle: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, 1, H, W): rises evenly from −1 to 1 across the picture along a direction (B,) in radians (0 is rightward, π/2 downward)."""
    half = torch.tensor(0.5, device=angle.device).expand_as(angle)
    dx, dy = _from(half, half, size)
    h, w = size
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    reach = (w * cos.abs() + h * sin.abs()) / (2 * min(h, w))
    return ((dx * cos + dy * sin) / reach).unsqueeze(1)


def smooth_field(values: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, C, H, W) out of a coarse grid (B, C, h, w) by bicubic interpolation from edge to edge."""
    return F.interpolate(values, size=size, mode="bicubic", align_corners=True)


def grid_holes(period: Tensor, share: Tensor, x: Tensor, y: Tensor, angle: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, 1, H, W) bool: square holes on a regular, turned grid.

    Args:
        period: distance between holes in pixels, (B,).
        share: side of a hole as a share of the period, (B,).
        x, y: shift of the grid as a share of the period, (B,).
        angle: turn of the grid in radians, (B,).
    """
    xs = (torch.arange(size[1], device=x.device) + 0.5).view(1, 1, -1)
    ys = (torch.arange(size[0], device=x.device) + 0.5).view(1, -1, 1)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    step, side = period.clamp_min(2)[:, None, None], share[:, None, None]
    across = ((xs * cos + ys * sin) / step + x[:, None, None]).remainder(1)
    down = ((ys * cos - xs * sin) / step + y[:, None, None]).remainder(1)
    return ((across < side) & (down < side)).unsqueeze(1)


