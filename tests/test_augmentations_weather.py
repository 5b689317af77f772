"""Weather, lenses and damage: the kit is run on every augmentation elsewhere; here they are compared with formulas and other libraries."""

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image

from vidi.augmentations._pipeline import Pipeline, parse
from vidi.core.batch import Batch, Frame
from vidi.core.seeds import Draw
from vidi.labels import Detections
from vidi.ops import damage, lens, texture, weather
from vidi.ops.blur import filter_each
from vidi.ops.severity import graded, length_scale

NEW = (
    "defocus_blur", "glass_blur", "zoom_blur", "snow", "frost", "fog", "rain", "spatter", "pixelate", "drop_channel", "drop_rows", "drop_patches",
    "solarize",
)  # fmt: skip


def pictures(count=4, side=24, seed=0):
    draw = Draw.samples(seed, 0, np.arange(count))
    return texture.natural(draw.normal(3, side, side), draw.uniform)


def run(entry, images, seed=0, labels=None):
    size = tuple(images.shape[-2:])
    frames = [Frame(str(i), size, np.eye(3)) for i in range(len(images))]
    batch = Batch({"image": images}, labels or [None] * len(images), frames, np.arange(len(images)))
    return Pipeline(parse([entry]), size)(batch, Draw.samples(seed, 0, np.arange(len(images)))).inputs["image"]


@pytest.mark.parametrize("name", NEW)
def test_no_pictures_at_all(name):
    assert run(f"{name}(p=1)", torch.zeros(0, 3, 8, 9)).shape == (0, 3, 8, 9)


def test_tables_are_read_by_the_side_of_the_picture():
    severity = torch.tensor([1.0, 2.5, 5.0])
    small, large = [(0.0, 1), (2.0, 1), (4.0, 1), (6, 1), (8, 2)], [(10.0, 5), (10, 5), (10, 5), (10, 5), (30, 5)]
    low, fixed = graded(severity, (32, 200), small, large)
    assert low.tolist() == [0, 3, 8] and fixed.tolist() == [1, 1, 2]
    assert graded(severity, (65, 65), small, large)[0].tolist() == [10, 10, 30]
    assert [length_scale(size) for size in ((32, 99), (64, 64), (112, 300), (224, 224), (640, 640))] == [1, 2, 0.5, 1, 1]


def test_hsv_by_the_standard_library():
    images = pictures(2, 9)
    images[:, :, 0, 0], images[:, :, 0, 1] = 0.0, 0.4
    amount, factor, more = torch.tensor([0.1, 0.5]), torch.tensor([0.3, 5.0]), torch.tensor([0.0, 0.1])
    brighter, colored = damage.lit(images, amount), damage.saturated(images, factor, more)
    for b in range(2):
        for y in range(9):
            for x in range(9):
                rgb = images[b, :, y, x].tolist()
                hue, saturation, value = colorsys.rgb_to_hsv(*rgb)
                lit = colorsys.hsv_to_rgb(hue, saturation, min(1, value + float(amount[b])))
                assert np.allclose(brighter[b, :, y, x], lit, atol=1e-5)
                gray = saturation == 0
                new = colorsys.hsv_to_rgb(hue, min(1, saturation * float(factor[b]) + float(more[b])), value)
                assert np.allclose(colored[b, :, y, x], rgb if gray else new, atol=1e-5)


def test_contrast_keeps_the_mean_of_each_channel():
    images = pictures() * 0.5 + 0.25
    flat = damage.flattened(images, torch.full((4,), 0.2))
    assert torch.allclose(flat.mean((2, 3)), images.mean((2, 3)), atol=1e-5)
    assert torch.allclose(flat.std((2, 3)), 0.2 * images.std((2, 3)), atol=1e-5)


@pytest.mark.parametrize("photons", [3.0, 12.0, 60.0])
def test_photons_are_counted_by_the_law_of_poisson(photons):
    draw = Draw.samples(0, 0, np.arange(2))
    images = torch.full((2, 3, 64, 64), 0.4)
    counts = damage.counted(images, torch.full((2,), photons), draw.uniform(0, 1, 3, 64, 64), draw.normal(3, 64, 64)) * photons
    assert torch.allclose(counts, counts.round(), atol=1e-4)
    rate = 0.4 * photons
    assert abs(float(counts.mean()) - rate) < 0.05 * rate
    if photons < 50:  # above, values beyond white are cut off less often than never
        assert abs(float(counts.var()) - rate) < 0.1 * rate + 0.15
    if photons == 3.0:
        assert abs(float((counts == 0).float().mean()) - np.exp(-rate)) < 0.02
    black = damage.counted(images * 0, torch.full((2,), photons), draw.uniform(0, 1, 3, 64, 64), draw.normal(3, 64, 64))
    assert float(black.max()) == 0


def test_large_kernels_by_fourier_equal_small_ones_by_sums():
    images, kernels = pictures(3, 20), torch.rand(3, 9, 11)
    assert torch.allclose(lens.filtered(images, kernels), filter_each(images, kernels), atol=1e-4)


def test_a_point_out_of_focus_is_a_disk():
    (kernel,) = lens.disk_kernel(torch.tensor([4.0]), torch.tensor([0.1]))
    middle = len(kernel) // 2
    y, x = np.mgrid[: len(kernel), : len(kernel)] - middle
    distance = np.hypot(x, y)
    assert float(kernel.sum()) == pytest.approx(1) and float(kernel[torch.from_numpy(distance > 5)].max()) < 1e-6
    inside = kernel[torch.from_numpy(distance < 3)]
    assert float(inside.max() - inside.min()) < 1e-6
    (point,) = lens.disk_kernel(torch.zeros(1), torch.tensor([1e-3]))
    assert float(point[len(point) // 2, len(point) // 2]) == pytest.approx(1)


def test_a_trail_lies_on_one_side():
    (kernel,) = lens.trail_kernel(torch.tensor([8.0]), torch.tensor([3.0]), torch.tensor([0.0]))
    middle = len(kernel) // 2
    assert float(kernel[middle].sum()) == pytest.approx(1, abs=1e-5) and float(kernel[middle, : middle - 1].sum()) == pytest.approx(0, abs=1e-6)
    assert bool((kernel[middle, middle + 1 : middle + 8].diff() < 0).all())


def test_zoom_blur_keeps_the_middle_and_even_pictures():
    even = torch.full((1, 3, 21, 21), 0.3)
    assert torch.allclose(lens.zoomed(even, torch.tensor([1.3])), even, atol=1e-6)
    images = pictures(1, 21)
    blurred = lens.zoomed(images, torch.tensor([1.1]))
    gap = (blurred - images).abs().mean(1)[0]
    assert float(gap[10, 10]) < 0.02 < float(gap[:3].mean())
    assert torch.allclose(lens.zoomed(images, torch.ones(1)), images, atol=1e-5)


def test_glass_moves_pixels_no_farther_than_told():
    images, shift = pictures(2, 12), torch.full((2, 12, 12), 2.0)
    moved = lens.shuffled(images, shift, -shift)
    assert torch.equal(moved[:, :, 2:, :10], images[:, :, :10, 2:])


def test_pixels_are_averaged_as_pillow_does():
    images = pictures(2, 30)
    for share, side in ((0.5, 15), (0.6, 18), (0.25, 7)):
        out = damage.pixelated(images, torch.full((2,), share))
        for image, got in zip(images, out):
            for channel, values in zip(image.numpy(), got.numpy()):
                small = Image.fromarray(channel).resize((side, side), Image.Resampling.BOX)
                assert np.allclose(np.asarray(small.resize((30, 30), Image.Resampling.NEAREST)), values, atol=1e-5)


def test_what_is_lost_is_as_much_as_told():
    draw = Draw.samples(0, 0, np.arange(3))
    share = torch.tensor([0.0, 0.25, 1.0])
    rows = damage.lost_rows(draw.uniform(0, 1, 20), share, (20, 8))
    assert rows.shape == (3, 1, 20, 1) and rows.sum((1, 2, 3)).tolist() == [0, 5, 20]
    blocks = damage.lost_blocks(draw.uniform(0, 1, 4, 4), share, (16, 32))
    assert blocks.float().mean((1, 2, 3)).tolist() == [0, 0.25, 1]
    images = pictures() * 0.9 + 0.1
    gone = run("drop_channel(p=1, count=2)", images)
    assert ((gone == 0).all(3).all(2).sum(1) == 2).all()


def test_clouds_and_natural_texture():
    draw = Draw.samples(0, 0, np.arange(3))
    for size in ((1, 1), (17, 40), (300, 70)):
        clouds = texture.plasma(draw.uniform, size, torch.full((3,), 2.0))
        assert clouds.shape == (3, 1, *size) and 0 <= float(clouds.min()) <= float(clouds.max()) <= 1
    smooth, rough = (texture.plasma(Draw.samples(0, 0, np.arange(3)).uniform, (64, 64), torch.full((3,), decay)) for decay in (3.0, 1.3))
    assert float(rough.diff(dim=3).abs().mean()) > 3 * float(smooth.diff(dim=3).abs().mean())
    noise = texture.smooth_noise(draw.normal(1, 64, 64), torch.full((3,), 1.5))
    wide = texture.wide_noise(draw.normal(1, 64, 64), torch.tensor([0.5, 2.0, 4.0]))
    assert abs(float(noise.std()) - 1) < 0.1 and abs(float(wide.std()) - 1) < 0.2


def test_fog_keeps_the_brightest_value_and_frost_lets_light_through():
    images = pictures()
    thick = weather.fogged(images, torch.ones(4, 1, 24, 24), torch.full((4,), 2.0))
    assert torch.allclose(thick.amax((1, 2, 3)), images.amax((1, 2, 3)), atol=1e-5)
    assert torch.allclose(weather.fogged(images, torch.ones(4, 1, 24, 24), torch.zeros(4)), images, atol=1e-6)
    clear = weather.frosted(images, torch.zeros(4, 1, 24, 24), torch.full((4,), 0.7), torch.ones(4))
    assert torch.allclose(clear, 0.7 * images, atol=1e-6)


def test_rain_covers_about_as_much_as_told():
    images = torch.zeros(4, 3, 64, 64)
    draw = Draw.samples(0, 0, np.arange(4))
    density, length = torch.full((4,), 0.1), torch.full((4,), 10.0)
    out = weather.rained(images, draw.uniform(0, 1, 1, 64, 64), torch.full((4,), 1.5), density, length, torch.full((4,), 0.5), torch.zeros(4))
    assert 0.06 < float((out.mean(1) > 0.15).float().mean()) < 0.2


def test_things_are_hidden_by_the_share_told_and_nothing_else_is():
    images = torch.full((3, 3, 40, 40), 0.5)
    labels = [Detections([[4, 6, 24, 26]]), Detections.empty(), Detections([[0, 0, 10, 10], [20, 20, 40, 40]])]
    for share in (0.2, 0.5, 1.0):
        out = run(f"hide_things(p=1, low={share}, high={share})", images, labels=labels)
        changed = (out != images).any(1)
        assert float(changed[0, 6:26, 4:24].float().mean()) == pytest.approx(share, abs=0.06)
        changed[0, 6:26, 4:24] = False
        assert not changed[0].any() and not changed[1].any() and not changed[2, 10:20].any()
    assert torch.equal(run("hide_things(p=0)", images, labels=labels), images)
