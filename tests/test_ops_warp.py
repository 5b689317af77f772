"""Warping against torchvision's geometry, and the exact path against plain slicing."""

import math

import pytest
import torch
import torch.nn.functional as F

from vidi.ops.warp import fit_matrix, fold, pad, quad_matrix, warp, warp_points


def shift(x, y, *, flip=False, width=0):
    sign = -1.0 if flip else 1.0
    return torch.tensor([[sign, 0, (width if flip else 0) + x], [0, 1, y], [0, 0, 1.0]])


@pytest.fixture
def images():
    return torch.rand(6, 3, 13, 17, generator=torch.Generator().manual_seed(0))


def smooth(h=40, w=50):
    y, x = torch.meshgrid(torch.linspace(0, 3, h), torch.linspace(0, 4, w), indexing="ij")
    return torch.stack([x.sin(), (x + y).cos(), (x * y / 3).sin()])[None] * 0.4 + 0.5


def test_identity_returns_the_pictures_themselves(images):
    assert warp(images, torch.eye(3).expand(6, 3, 3), (13, 17)) is images


def test_empty_batch():
    assert warp(torch.zeros(0, 3, 5, 5), torch.zeros(0, 3, 3), (4, 7)).shape == (0, 3, 4, 7)


@pytest.mark.parametrize("mode,fill", [("reflect", "reflect"), ("replicate", "border"), ("constant", "zeros"), ("constant", 0.25)])
def test_padded_crops_and_flips_are_bit_exact(images, mode, fill):
    offsets = [(-4, 3), (0, 0), (4, -4), (1, 0), (2, 2), (-3, -1)]
    flips = [i % 2 == 1 for i in range(6)]
    matrices = torch.stack([shift(x, y, flip=flip, width=17) for (x, y), flip in zip(offsets, flips)])
    value = {"value": fill} if isinstance(fill, float) else {}
    padded = F.pad(images, (4, 4, 4, 4), mode=mode, **value)
    out = warp(images, matrices, (13, 17), fill=fill)
    for i, (x, y) in enumerate(offsets):
        source = padded[i].flip(-1) if flips[i] else padded[i]
        assert torch.equal(out[i], source[:, 4 - y : 17 - y, 4 - x : 21 - x])


def test_whole_shifts_equal_interpolation_with_the_same_fill(images):
    matrices = torch.stack([shift(x, -x, flip=x % 2 == 0, width=17) for x in range(-3, 3)])
    for fill in ("reflect", "border", "zeros", 0.3):
        exact = warp(images, matrices, (11, 20), fill=fill)
        sampled = warp(images, matrices, (11, 20), fill=fill, displacement=torch.zeros(6, 2, 11, 20))
        torch.testing.assert_close(exact, sampled, atol=2e-5, rtol=0)


@pytest.mark.parametrize("angle,shear,scale", [(0, 0, 1.3), (30, 0, 1.0), (-75, 0, 0.8), (10, 20, 1.1), (180, 0, 1.0)])
def test_affine_equals_torchvision(angle, shear, scale):
    from torchvision.transforms.v2 import functional as V

    image = smooth()
    want = V.affine(image, angle, [3, -2], scale, [shear, 0], interpolation=V.InterpolationMode.BILINEAR)
    a, s = math.radians(angle), math.radians(shear)
    turn = torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    lean = torch.tensor([[1, -math.tan(s)], [0, 1.0]])
    matrix = torch.eye(3)
    matrix[:2, :2] = scale * turn @ lean
    center = shift(25, 20)
    matrix = shift(3, -2) @ center @ matrix @ torch.linalg.inv(center)
    torch.testing.assert_close(warp(image, matrix[None], (40, 50)), want, atol=2e-3, rtol=0)


def test_perspective_equals_torchvision():
    from torchvision.transforms.v2 import functional as V

    image = smooth()
    start = [[0, 0], [49, 0], [49, 39], [0, 39]]
    end = [[4, 3], [45, 0], [49, 36], [2, 39]]
    want = V.perspective(image, start, end, interpolation=V.InterpolationMode.BILINEAR)
    start, end = torch.tensor(start, dtype=torch.float32), torch.tensor(end, dtype=torch.float32)
    matrix = quad_matrix(start[None], end[None])
    torch.testing.assert_close(warp(image, matrix, (40, 50)), want, atol=2e-3, rtol=0)
    torch.testing.assert_close(warp_points(start, matrix[0]), end, atol=1e-3, rtol=0)


def test_pure_resize_equals_antialiased_interpolation(images):
    matrices = fit_matrix((13, 17), (6, 5)).expand(6, 3, 3)
    want = F.interpolate(images, size=(6, 5), mode="bilinear", antialias=True)
    torch.testing.assert_close(warp(images, matrices, (6, 5)), want)


def test_shrinking_does_not_alias():
    board = (torch.arange(64)[:, None] + torch.arange(64)) % 2
    image = board.float().expand(1, 3, 64, 64)
    matrix = torch.diag(torch.tensor([0.26, 0.26, 1.0]))[None]
    fine, rough = (warp(image, matrix, (16, 16), fill="border", antialias=on) for on in (True, False))
    assert fine.std() < 0.1 < rough.std()


def test_a_sample_does_not_see_its_neighbors(images):
    turn = torch.tensor([[0.9, -0.3, 2], [0.3, 0.9, -1], [0, 0, 1.0]])
    small = torch.diag(torch.tensor([0.4, 0.3, 1.0]))
    matrices = torch.stack([torch.eye(3), turn, small, shift(2, 1), fit_matrix((13, 17), (13, 17)).float(), turn @ small])
    out = warp(images, matrices, (13, 17), fill="reflect")
    for i in range(6):
        torch.testing.assert_close(out[i : i + 1], warp(images[i : i + 1], matrices[i : i + 1], (13, 17), fill="reflect"), atol=1e-6, rtol=0)


def test_displacement_shows_what_was_there():
    image = smooth()
    bend = torch.zeros(1, 2, 40, 50)
    bend[:, 0] = 3
    out = warp(image, torch.eye(3)[None], (40, 50), displacement=bend, fill="border")
    torch.testing.assert_close(out[..., :47], image[..., 3:], atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2)])
@pytest.mark.parametrize("fill", ["reflect", "border", "zeros", 0.5])
def test_tiny_pictures(size, fill):
    image = torch.rand(1, 3, *size)
    for matrix in (shift(40, -7), torch.tensor([[0.7, -0.7, 0.2], [0.7, 0.7, 0.1], [0, 0, 1.0]]), torch.diag(torch.tensor([0.01, 0.01, 1]))):
        out = warp(image, matrix[None], (5, 4), fill=fill)
        assert out.shape == (1, 3, 5, 4) and torch.isfinite(out).all()
        assert out.min() >= -1e-6 and out.max() <= 1 + 1e-6


def test_behind_the_horizon_is_outside():
    matrix = torch.tensor([[1, 0, 0], [0, 1, 0], [0.2, 0, 1.0]])
    out = warp(torch.ones(1, 3, 20, 20), matrix[None], (20, 20), fill="zeros")
    assert torch.isfinite(out).all() and out[..., 10:].max() == 0


def test_fold_and_pad_match_torch(images):
    torch.testing.assert_close(pad(images, (3, 4, 5, 6)), F.pad(images, (3, 4, 5, 6), mode="reflect"))
    torch.testing.assert_close(pad(images, (3, 4, 5, 6), 0.5), F.pad(images, (3, 4, 5, 6), value=0.5))
    assert fold(torch.tensor([-5, -1, 0, 4, 5, 9]), 5).tolist() == [3, 1, 0, 4, 3, 1]


def test_bad_arguments(images):
    with pytest.raises(ValueError, match="fill"):
        warp(images, torch.eye(3).expand(6, 3, 3), (5, 5), fill="mirror")
    with pytest.raises(ValueError, match="matrices"):
        warp(images, torch.eye(3)[None], (5, 5))
    with pytest.raises(ValueError, match="inverted"):
        warp(images, torch.zeros(6, 3, 3), (5, 5))
