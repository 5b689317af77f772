"""Moving pixels and points by 3×3 matrices, a batch at a time.

Coordinates are (x, y) with the origin at the outer corner of the top-left pixel: the first pixel's center is (0.5, 0.5) and a
picture of width W spans 0..W. Matrices map old coordinates to new ones.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

Fill = float | str
FILLS = ("reflect", "border", "zeros")

_EXACT = 1e-3
_COARSE = 1.5
_MOST = 8


def warp(
    images: Tensor,
    matrices: Tensor,
    size: tuple[int, int],
    *,
    fill: Fill = "zeros",
    displacement: Tensor | None = None,
    antialias: bool = True,
) -> Tensor:
    """Pictures after each was moved by its matrix onto a canvas of another size.

    Samples whose matrix only mirrors and shifts by whole pixels are copied without interpolation, bit for bit. Others are sampled
    bilinearly; where a picture shrinks to less than 1/1.5, on a finer grid that is then averaged, against aliasing. What happens to
    a sample depends on its own matrix alone.

    Args:
        images: (B, C, H, W) float.
        matrices: (B, 3, 3), old x, y → new x, y.
        size: (height, width) of the result.
        fill: what lies outside of the picture: ``reflect`` (mirrored about the outermost pixels, which are not repeated), ``border``
            (the outermost pixels go on), ``zeros``, or a constant value.
        displacement: (B, 2, height, width) in pixels: a new pixel at (x, y) shows what else had been at (x, y) + displacement.
        antialias: average over what a shrunken pixel covers.

    Returns:
        (B, C, height, width) like `images`; `images` itself if nothing moves.

    Raises:
        ValueError: unknown `fill`, a shape that does not fit, or a matrix that cannot be inverted.
    """
    _check(images, matrices, fill)
    old, exact = size_of(images), None
    table = matrices.detach().double().cpu()
    if not len(images):
        return images.new_zeros((0, images.shape[1], *size))
    if displacement is None:
        exact = _mirrors_and_shifts(table)
        if bool(exact.all()):
            still = tuple(size) == old and bool(((table - torch.eye(3, dtype=table.dtype)).abs() < _EXACT).all())
            return images if still else _copy(images, table, size, fill)
    kinds = _kinds(table, old, size, antialias)
    if exact is not None:
        kinds[exact] = 0
    found = kinds.unique().tolist()
    back = _inverse(table)
    if len(found) == 1:
        return _one_kind(found[0], images, table, back, size, fill, displacement)
    out = images.new_empty((len(images), images.shape[1], *size))
    for kind in found:
        rows = (kinds == kind).nonzero().squeeze(1)
        where = rows.to(images.device)
        bend = None if displacement is None else displacement[where]
        out[where] = _one_kind(kind, images[where], table[rows], back[rows], size, fill, bend)
    return out


def size_of(images: Tensor) -> tuple[int, int]:
    """(height, width) of pictures."""
    return images.shape[-2], images.shape[-1]


def warp_points(points: Tensor, matrices: Tensor) -> Tensor:
    """Points (B, N, 2) or (N, 2), each set moved by its matrix (B, 3, 3) or (3, 3)."""
    moved = points @ matrices[..., :2, :2].transpose(-1, -2) + matrices[..., None, :2, 2]
    return moved / (points @ matrices[..., 2:, :2].transpose(-1, -2) + matrices[..., None, 2:, 2])


def fit_matrix(old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """(3, 3) float64 that stretches a picture of one (height, width) to another."""
    return torch.diag(torch.tensor([new[1] / old[1], new[0] / old[0], 1.0], dtype=torch.float64))


def fold(index: Tensor, length: int, fill: Fill = "reflect") -> Tensor:
    """Whole-numbered places outside of 0..length−1 brought inside, by reflection about the outermost places or to the nearest."""
    if fill != "reflect" or length == 1:
        return index.clamp(0, length - 1)
    index = index.remainder(2 * length - 2)
    return torch.minimum(index, 2 * length - 2 - index)


def pad(images: Tensor, margins: tuple[int, int, int, int], fill: Fill = "reflect") -> Tensor:
    """(B, C, H, W) pictures enlarged by (left, right, top, bottom) pixels; unlike torch's, any margin will do."""
    left, right, top, bottom = margins
    h, w = images.shape[-2:]
    ys = torch.arange(-top, h + bottom, device=images.device)
    xs = torch.arange(-left, w + right, device=images.device)
    out = images.index_select(-2, fold(ys, h, fill)).index_select(-1, fold(xs, w, fill))
    return out if fill in ("reflect", "border") else _blank(out, ys[None], xs[None], (h, w), fill)


def _check(images: Tensor, matrices: Tensor, fill: Fill) -> None:
    if images.ndim != 4 or tuple(matrices.shape) != (len(images), 3, 3):
        raise ValueError(f"expected images (B, C, H, W) and matrices (B, 3, 3), got {tuple(images.shape)}, {tuple(matrices.shape)}")
    if isinstance(fill, str) and fill not in FILLS:
        raise ValueError(f"fill: expected a number or one of {', '.join(FILLS)}, got {fill!r}")


def _mirrors_and_shifts(table: Tensor) -> Tensor:
    """(B,) True where a matrix holds only flips and whole-pixel shifts; a flip's shift is whole as well."""
    size = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=table.dtype)
    linear = table.abs() - size
    linear[:, :2, 2] = table[:, :2, 2] - table[:, :2, 2].round()
    return (linear.abs() < _EXACT).flatten(1).all(1) & (table[:, 2, 2] > 0)


def _kinds(table: Tensor, old: tuple[int, int], size: tuple[int, int], antialias: bool) -> Tensor:
    """(B,) what each sample needs: −1 a plain resize, otherwise n×n samples per new pixel."""
    kinds = torch.ones(len(table), dtype=torch.int64)
    if not antialias:
        return kinds
    center = torch.tensor([old[1] / 2, old[0] / 2, 1.0], dtype=table.dtype)
    place = table @ center
    depth = torch.where(place[:, 2].abs() < 1e-9, 1e-9, place[:, 2])[:, None]
    slope = (table[:, :2, :2] - (place[:, :2] / depth)[:, :, None] * table[:, 2:, :2]) / depth[:, :, None]
    squares, area = slope.square().sum((1, 2)), torch.linalg.det(slope).abs()
    largest = ((squares + (squares**2 - 4 * area**2).clamp_min(0).sqrt()) / 2).sqrt()
    shrink = largest / area.clamp_min(1e-12)  # one over the smaller singular value
    kinds = torch.where(shrink > _COARSE, shrink.round().clamp(2, _MOST).long(), kinds)
    kinds[((table - fit_matrix(old, size)).abs() < 1e-6).flatten(1).all(1)] = -1
    return kinds


def _one_kind(
    kind: int, images: Tensor, table: Tensor, back: Tensor, size: tuple[int, int], fill: Fill, displacement: Tensor | None
) -> Tensor:
    if kind == 0:
        return _copy(images, table, size, fill)
    if kind == -1 and displacement is None:
        return F.interpolate(images, size=size, mode="bilinear", antialias=True, align_corners=False)
    return _sample(images, back, size, fill, displacement, max(1, kind))


def _copy(images: Tensor, table: Tensor, size: tuple[int, int], fill: Fill) -> Tensor:
    """One gather; the index of a source row and column is whole, as the matrix is its own inverse up to the shift."""
    b, c, h, w = images.shape
    tall, wide = size
    sign, shift = table.diagonal(dim1=1, dim2=2)[:, :2].round(), table[:, :2, 2].round()
    ys = (sign[:, 1:] * (torch.arange(tall) + 0.5 - shift[:, 1:]) - 0.5).round().long()
    xs = (sign[:, :1] * (torch.arange(wide) + 0.5 - shift[:, :1]) - 0.5).round().long()
    ys, xs = ys.to(images.device), xs.to(images.device)
    index = (fold(ys, h, fill)[:, :, None] * w + fold(xs, w, fill)[:, None, :]).view(b, 1, tall * wide)
    out = torch.gather(images.reshape(b, c, h * w), 2, index.expand(b, c, tall * wide)).view(b, c, tall, wide)
    return out if fill in ("reflect", "border") else _blank(out, ys, xs, (h, w), fill)


def _blank(images: Tensor, ys: Tensor, xs: Tensor, size: tuple[int, int], fill: Fill) -> Tensor:
    """A constant where the source row or column (B, n) lies outside of the picture."""
    outside = ((ys < 0) | (ys >= size[0]))[:, None, :, None] | ((xs < 0) | (xs >= size[1]))[:, None, None, :]
    return images.masked_fill(outside, 0.0 if fill == "zeros" else float(fill)) if bool(outside.any()) else images


def _sample(images: Tensor, back: Tensor, size: tuple[int, int], fill: Fill, displacement: Tensor | None, finer: int) -> Tensor:
    """Bilinear sampling with `finer`² samples per new pixel."""
    tall, wide = size[0] * finer, size[1] * finer
    kind = images.dtype
    images = images if kind == torch.float64 else images.float()
    grid = _grid(images, back, (tall, wide), finer, displacement, fill == "reflect")
    offset = 0.0 if isinstance(fill, str) else float(fill)
    mode = {"reflect": "reflection", "border": "border"}.get(fill, "zeros") if isinstance(fill, str) else "zeros"
    source = images - offset if offset else images
    out = F.grid_sample(source, grid, mode="bilinear", padding_mode=mode, align_corners=fill == "reflect")
    if finer > 1:
        out = F.avg_pool2d(out, finer)
    return (out + offset if offset else out).to(kind)


def _grid(
    images: Tensor, back: Tensor, size: tuple[int, int], finer: int, displacement: Tensor | None, centers: bool
) -> Tensor:
    """(B, H, W, 2) places to sample at, in the units of `grid_sample`; `centers`: −1 and 1 are centers of the outermost pixels."""
    h, w = images.shape[-2:]
    (spanx, spany), half = ((max(w - 1, 1), max(h - 1, 1)), 0.5) if centers else ((w, h), 0.0)
    units = torch.tensor(
        [[2 / spanx, 0, -1 - 2 * half / spanx], [0, 2 / spany, -1 - 2 * half / spany], [0, 0, 1]], dtype=torch.float64
    )
    flat = bool((back[:, 2, :2].abs() < 1e-12).all())
    back = units @ (back / back[:, 2:, 2:] if flat else back)
    back = back.to(images.dtype).to(images.device)[:, :, :, None, None]
    ys = ((torch.arange(size[0], device=images.device, dtype=images.dtype) + 0.5) / finer).view(1, -1, 1)
    xs = ((torch.arange(size[1], device=images.device, dtype=images.dtype) + 0.5) / finer).view(1, 1, -1)
    if displacement is not None:
        bend = displacement.to(images.dtype)
        bend = bend if finer == 1 else F.interpolate(bend, size=size, mode="bilinear", align_corners=False)
        xs, ys = xs + bend[:, 0], ys + bend[:, 1]
    places = [back[:, row, 0] * xs + (back[:, row, 1] * ys + back[:, row, 2]) for row in range(2 if flat else 3)]
    if flat:
        return torch.stack(places, dim=-1)
    depth = places.pop()
    seen = depth > 1e-6
    near = torch.where(seen, depth, torch.ones_like(depth))
    return torch.stack([torch.where(seen, place / near, torch.full_like(place, 4.0)) for place in places], dim=-1)


def _inverse(table: Tensor) -> Tensor:
    inverse, info = torch.linalg.inv_ex(table)
    if bool((info != 0).any()) or not bool(torch.isfinite(inverse).all()):
        raise ValueError("matrices: one of them cannot be inverted")
    return inverse


def quad_matrix(old: Tensor, new: Tensor) -> Tensor:
    """(B, 3, 3) float32 perspective motions that take four corners (B, 4, 2) to four others.

    Raises:
        ValueError: three of the corners lie on one line.
    """
    x, y = old.double().unbind(-1)
    u, v = new.double().unbind(-1)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    upper = torch.stack([x, y, one, zero, zero, zero, -u * x, -u * y], dim=-1)
    lower = torch.stack([zero, zero, zero, x, y, one, -v * x, -v * y], dim=-1)
    solved, info = torch.linalg.solve_ex(torch.cat([upper, lower], dim=1), torch.cat([u, v], dim=1))
    if bool((info != 0).any()):
        raise ValueError("corners: three of them lie on one line")
    return torch.cat([solved, one[:, :1]], dim=1).view(-1, 3, 3).float()
