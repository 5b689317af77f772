"""Colors, blur, JPEG and noise against torchvision and Pillow."""

import io

import numpy as np
import pytest
import torch

from vidi.ops import blur, color, noise, shapes
from vidi.ops.jpeg import jpeg


@pytest.fixture
def images():
    return torch.rand(4, 3, 19, 23, generator=torch.Generator().manual_seed(1))


def eight_bit(images):
    return (images * 255).round() / 255


def textured(h=67, w=90):
    y, x = torch.meshgrid(torch.arange(h) / h, torch.arange(w) / w, indexing="ij")
    waves = torch.stack([(9 * x + 4 * y).sin(), (x * y * 20).cos(), (6 * y - 3 * x).sin()])[None] * 0.35 + 0.5
    return (waves + 0.05 * torch.randn(1, 3, h, w, generator=torch.Generator().manual_seed(3))).clamp(0, 1)


@pytest.mark.parametrize(
    "name,oracle,values",
    [
        ("brightness", "adjust_brightness", (0.0, 0.6, 1.0, 1.7)),
        ("contrast", "adjust_contrast", (0.0, 0.6, 1.0, 1.7)),
        ("saturation", "adjust_saturation", (0.0, 0.6, 1.0, 1.7)),
        ("hue", "adjust_hue", (-0.4, -0.1, 0.0, 0.5)),
        ("gamma", "adjust_gamma", (0.4, 1.0, 1.5, 3.0)),
        ("sharpness", "adjust_sharpness", (0.0, 0.5, 1.0, 2.0)),
        ("solarize", "solarize", (0.0, 0.3, 0.7, 1.0)),
    ],
)
def test_colors_equal_torchvision(images, name, oracle, values):
    from torchvision.transforms.v2 import functional as V

    ours = getattr(color, name)(images, torch.tensor(values))
    for i, value in enumerate(values):
        torch.testing.assert_close(ours[i], getattr(V, oracle)(images[i], value), atol=1e-5, rtol=0)


def test_eight_bit_operations_equal_torchvision(images):
    from torchvision.transforms.v2 import functional as V

    images[3] = 0.5
    whole = (images * 255).round().to(torch.uint8)
    images = whole / 255
    assert torch.equal((color.equalize(images) * 255).round().to(torch.uint8), V.equalize(whole))
    assert torch.equal((color.posterize(images, torch.full((4,), 3)) * 255).round().to(torch.uint8), V.posterize(whole, 3))
    torch.testing.assert_close(color.autocontrast(images), V.autocontrast(images))


def test_gaussian_blur_equals_torchvision(images):
    from torchvision.transforms.v2 import functional as V

    sigmas = torch.tensor([0.3, 1.0, 1.7, 2.5])
    ours = blur.gaussian_blur(images, sigmas, 7)
    for i, sigma in enumerate(sigmas.tolist()):
        torch.testing.assert_close(ours[i], V.gaussian_blur(images[i], [15, 15], [sigma, sigma]), atol=1e-5, rtol=0)


def test_motion_blur_moves_along_its_line():
    image = torch.zeros(2, 1, 15, 15)
    image[:, :, 7, 7] = 1
    out = blur.motion_blur(image, torch.tensor([5.0, 5.0]), torch.tensor([0.0, torch.pi / 2]), 4)
    torch.testing.assert_close(out[0, 0, 7, 5:10], torch.full((5,), 0.2), atol=0.05, rtol=0)
    torch.testing.assert_close(out[1, 0], out[0, 0].T, atol=1e-5, rtol=0)
    torch.testing.assert_close(out.sum((1, 2, 3)), torch.ones(2))


@pytest.mark.parametrize("quality", [10, 35, 75, 95])
def test_jpeg_equals_pillow(quality):
    from PIL import Image

    image = textured()
    pixels = (image[0].permute(1, 2, 0) * 255).round().byte().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=2)
    want = np.asarray(Image.open(file)).astype(np.float32)
    ours = jpeg(image, torch.tensor([quality]))[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(ours - want).mean() < min(1.3, 0.35 * np.abs(pixels - want).mean())


def test_noise_has_the_strength_it_says():
    gray = torch.full((2, 3, 80, 80), 0.5)
    normal = torch.randn(2, 3, 80, 80, generator=torch.Generator().manual_seed(0))
    assert noise.gaussian(gray, torch.tensor([0.05, 0.1]), normal).std((1, 2, 3)).tolist() == pytest.approx([0.05, 0.1], rel=0.05)
    assert noise.speckle(gray, torch.tensor([0.1, 0.2]), normal).std((1, 2, 3)).tolist() == pytest.approx([0.05, 0.1], rel=0.05)
    assert noise.shot(gray, torch.tensor([200.0, 50.0]), normal).std((1, 2, 3)).tolist() == pytest.approx([0.05, 0.1], rel=0.05)
    changed = noise.impulse(gray, torch.tensor([0.1, 0.3]), torch.rand(2, 3, 80, 80, generator=torch.Generator().manual_seed(0))) != 0.5
    assert changed.float().mean((1, 2, 3)).tolist() == pytest.approx([0.1, 0.3], rel=0.1)


def test_shapes_cover_what_they_say():
    x = y = torch.tensor([0.5])
    disc = shapes.blobs(x, y, torch.tensor([0.25]), torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([0.01]), (100, 140))
    assert disc.sum().item() == pytest.approx(np.pi * 25**2, rel=0.02)
    half = shapes.polygon(x, y, torch.zeros(1, 1), torch.zeros(1, 1), torch.tensor([0.01]), (40, 60))
    assert half.mean().item() == pytest.approx(0.5, abs=0.02) and half[0, 0, 0, 0] == 1 and half[0, 0, 0, -1] == 0
    box = shapes.rectangles(torch.tensor([2]), torch.tensor([-1]), torch.tensor([3]), torch.tensor([4]), (10, 10))
    assert box.sum() == 9 and box[0, 0, 0, 2] and not box[0, 0, 3, 2]
    light = shapes.slope(torch.tensor([0.0, torch.pi / 2]), (10, 20))
    assert light[0, 0, :, 0].mean().item() == pytest.approx(-0.95) and light[1, 0, -1].mean().item() == pytest.approx(0.9)
    holes = shapes.grid_holes(torch.tensor([8.0]), torch.tensor([0.5]), torch.zeros(1), torch.zeros(1), torch.zeros(1), (64, 64))
    assert holes.float().mean().item() == pytest.approx(0.25)
