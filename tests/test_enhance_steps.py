"""Steps that make pictures easier to see: each against an independent reference, and what all of them keep."""

import math

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch

from vidi.core.discovery import names
from vidi.core.space import Space
from vidi.errors import ChoiceError, InputError, RecipeError
from vidi.model import build_net
from vidi.nets.enhance._steps import full_calls, make_step, split_steps
from vidi.ops import clahe as clahe_ops
from vidi.ops import neighbors, quantile, rank, retinex
from vidi.ops.color import luma

OURS = ("bilateral", "clahe", "gamma", "gray_world", "median", "nlm", "retinex", "stretch", "white_patch")
VARIANTS = (
    *OURS, "clahe(clip=0, tiles=[2, 3])", "gamma(value=0.5)", "gamma(value=2.2)", "median(size=5)", "retinex(color=channels, scales=0.1)",
    "retinex(color=brightness)", "gray_world(power=6)", "white_patch(share=0)", "stretch(share=0)", "bilateral(likeness=0.1)", "nlm(noise=0.1)",
)  # fmt: skip

SMALLER = {"nlm": "nlm(search=3)", "bilateral": "bilateral(size=3, likeness=0.1)"}
"""The same with a smaller window: a graph of every comparison takes seconds to trace."""


def scene(batch=2, channels=3, h=37, w=41, seed=0):
    """Smooth pictures of good contrast with a little noise, in 0..1."""
    random = np.random.default_rng(seed)
    smooth = ndi.gaussian_filter(random.random((batch, channels, h, w)), (0, 0, 4, 4))
    low, high = smooth.min((2, 3), keepdims=True), smooth.max((2, 3), keepdims=True)
    return torch.from_numpy((0.1 + 0.8 * (smooth - low) / (high - low) + random.normal(0, 0.02, smooth.shape)).clip(0, 1)).float()


def eight_bit(x):
    return (x * 255).round() / 255


def test_all_of_them_are_tried():
    assert set(OURS) <= set(names("nets/enhance"))


# -- what all keep ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", VARIANTS)
def test_nothing_in_nothing_out(call):
    assert make_step(call)(torch.zeros(0, 3, 9, 8)).shape == (0, 3, 9, 8)


@pytest.mark.parametrize("call", VARIANTS)
def test_any_picture_gives_values_in_range_and_finite_gradients(call):
    step = make_step(call)
    odd = [torch.full((1, 3, 9, 7), level) for level in (0.0, 0.5, 1.0)] + [torch.rand(2, 3, 1, 1), torch.rand(1, 3, 1, 9), torch.rand(2, 1, 8, 8), torch.rand(1, 5, 8, 8)]
    odd += [torch.rand(1, 3, 9, 7).round(), torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(1, 3, 6, 6), scene()]
    for x in odd:
        x = x.clone().requires_grad_()
        y = step(x)
        assert y.shape == x.shape and y.dtype == x.dtype and bool(((y >= 0) & (y <= 1)).all()), x.shape
        (y * torch.linspace(0.5, 1, y.numel()).view_as(y)).sum().backward()
        assert bool(x.grad.isfinite().all()), x.shape
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("call", VARIANTS)
def test_a_picture_alone_or_among_others_and_again_comes_out_the_same(call):
    step, x = make_step(call), scene(8, seed=3)
    whole = step(x)
    assert torch.equal(whole, step(x))
    assert torch.allclose(whole, torch.cat([step(one[None]) for one in x]), atol=2e-6)
    assert torch.allclose(step(x.to(memory_format=torch.channels_last)), whole, atol=2e-6)


@pytest.mark.parametrize("call", OURS)
def test_the_exported_step_equals_the_eager_one(call):
    step, x = make_step(SMALLER.get(call, call)).eval(), scene(2, h=24, w=20)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(step, (x,), dynamic_shapes=({0: batch},))
    for y in (x, scene(5, h=24, w=20, seed=1)):
        assert torch.allclose(program.module()(y), step(y), atol=1e-6)


@pytest.mark.parametrize("call", ["gray_world", "white_patch", "gamma", "stretch", "retinex", "bilateral(likeness=0.2)", "nlm(noise=0.1)"])
def test_gradients_are_those_of_finite_differences(call):
    step, x = make_step(call), scene(1, h=6, w=5).double() * 0.5 + 0.2
    assert torch.autograd.gradcheck(step, (x.requires_grad_(),), eps=1e-6, atol=1e-4)


# -- each alone ---------------------------------------------------------------------------------------------------


def clahe_by_hand(picture, tiles, clip):
    """A channel (H, W) of whole levels 0..255, by loops; results in levels, not rounded."""
    h, w = picture.shape
    rows, columns = tiles
    tall, wide = math.ceil(h / rows), math.ceil(w / columns)
    padded = np.pad(picture, ((0, rows * tall - h), (0, columns * wide - w)), mode="reflect")
    curves = np.zeros((rows, columns, 256))
    for r in range(rows):
        for c in range(columns):
            counts = np.bincount(padded[r * tall : (r + 1) * tall, c * wide : (c + 1) * wide].ravel(), minlength=256)
            if clip:
                limit = max(1, int(clip * tall * wide / 256))
                excess = int((counts - limit).clip(0).sum())
                counts = counts.clip(max=limit) + excess // 256
                rest, step = excess % 256, max(256 // max(excess % 256, 1), 1)
                for i in range(0, 256, step):
                    if rest:
                        counts[i] += 1
                        rest -= 1
            curves[r, c] = counts.cumsum() * 255 / (tall * wide)
    out = np.zeros((h, w))
    for y in range(h):
        for x in range(w):
            fy, fx = y / tall - 0.5, x / wide - 0.5
            y0, x0 = math.floor(fy), math.floor(fx)
            for ty, wy in ((y0, 1 - fy + y0), (y0 + 1, fy - y0)):
                for tx, wx in ((x0, 1 - fx + x0), (x0 + 1, fx - x0)):
                    out[y, x] += wy * wx * curves[min(max(ty, 0), rows - 1), min(max(tx, 0), columns - 1), picture[y, x]]
    return out


@pytest.mark.parametrize(("size", "tiles", "clip"), [((32, 24), (4, 3), 2.0), ((37, 29), (8, 8), 40.0), ((24, 40), (2, 5), 0.0), ((19, 23), (3, 2), 1.0)])
def test_clahe_is_that_of_loops(size, tiles, clip):
    picture = (scene(1, 1, *size, seed=5)[0, 0] * 255).round()
    got = clahe_ops.clahe(picture[None] / 255, tiles, clip)[0] * 255
    np.testing.assert_allclose(got.numpy(), clahe_by_hand(picture.numpy().astype(int), tiles, clip), atol=2e-3)


@pytest.mark.parametrize(("size", "tiles", "clip"), [((64, 64), 8, 2.0), ((61, 83), 8, 40.0), ((96, 128), 4, 3.0)])
def test_clahe_is_that_of_opencv_but_for_its_rounding(size, tiles, clip):
    cv2 = pytest.importorskip("cv2")
    picture = (scene(1, 1, *size, seed=6)[0, 0] * 255).round().byte().numpy()
    expected = cv2.createCLAHE(clipLimit=clip, tileGridSize=(tiles, tiles)).apply(picture)
    got = make_step(f"clahe(tiles={tiles}, clip={clip})")(torch.from_numpy(picture)[None, None].float() / 255)[0, 0].numpy() * 255
    assert np.abs(got - expected).max() <= 1


def test_clahe_of_colors_moves_brightness_alone():
    x = scene() * 0.3 + 0.3
    moved = make_step("clahe(clip=1.5)")(x) - x
    assert torch.allclose(moved[:, 0], moved[:, 1], atol=1e-6) and moved.abs().max() > 0.02


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_the_median_is_scipys(size):
    x = scene(h=17, w=14)
    assert np.array_equal(rank.median(x, size).numpy(), ndi.median_filter(x.numpy(), size=(1, 1, size, size), mode="nearest"))


def test_the_median_takes_salt_and_pepper_away():
    x = scene(h=40, w=40)
    bad = x.clone().flatten()
    bad[::17], bad[5::31] = 0, 1
    bad = bad.view_as(x)
    assert (make_step("median")(bad) - x).abs().mean() < 0.5 * (bad - x).abs().mean()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.25, 0.5])
@pytest.mark.parametrize("count", [1, 2, 101])
def test_quantiles_are_numpys(share, count):
    values = torch.rand(3, count, generator=torch.Generator().manual_seed(0))
    for got, at in ((quantile.quantile_from_top(values, share), 1 - share), (quantile.quantile_from_bottom(values, share), share)):
        np.testing.assert_allclose(got[:, 0].numpy(), np.quantile(values.numpy(), at, axis=1), atol=1e-6)


def test_the_noise_that_is_seen_is_that_which_was_added():
    flat, generator = torch.full((1, 3, 64, 64), 0.5), torch.Generator().manual_seed(0)
    assert quantile.noise_level(flat).item() == 0 and quantile.noise_level(torch.rand(1, 3, 1, 64)).item() == 0
    for std in (0.02, 0.1):
        assert quantile.noise_level(flat + std * torch.randn(flat.shape, generator=generator)).item() == pytest.approx(std, rel=0.05)


def neighbors_by_hand(x, reach, patch, weight):
    """Means of a picture (C, H, W) by loops; `weight` takes two patches (C, patch, patch) and the offset."""
    rim = patch // 2
    c, h, w = x.shape
    padded = np.pad(x, ((0, 0), (reach + rim,) * 2, (reach + rim,) * 2), mode="edge")
    out = np.zeros_like(x)
    for i in range(h):
        for j in range(w):
            own, total, mass = padded[:, i + reach : i + reach + patch, j + reach : j + reach + patch], 0, 0
            for dy in range(-reach, reach + 1):
                for dx in range(-reach, reach + 1):
                    other = padded[:, i + reach + dy : i + reach + dy + patch, j + reach + dx : j + reach + dx + patch]
                    share = weight(own, other, dy, dx)
                    total, mass = total + share * other[:, rim, rim], mass + share
            out[:, i, j] = total / mass
    return out


def test_non_local_means_is_that_of_loops():
    x, noise = scene(1, h=11, w=8).double(), 0.05
    expected = neighbors_by_hand(x[0].numpy(), 2, 3, lambda a, b, dy, dx: math.exp(-max(((a - b) ** 2).mean() - 2 * noise**2, 0) / 0.1**2))
    got = neighbors.non_local_means(x, 3, 5, torch.full((1, 1, 1, 1), noise), torch.full((1, 1, 1, 1), 0.1))
    np.testing.assert_allclose(got[0].numpy(), expected, atol=1e-7)


def test_the_bilateral_filter_is_that_of_loops():
    x = scene(1, h=9, w=11).double()
    expected = neighbors_by_hand(x[0].numpy(), 2, 1, lambda a, b, dy, dx: math.exp(-(dy * dy + dx * dx) / (2 * 1.5**2) - ((a - b) ** 2).mean() / (2 * 0.1**2)))
    got = neighbors.bilateral(x, 2, 1.5, torch.full((1, 1, 1, 1), 0.1))
    np.testing.assert_allclose(got[0].numpy(), expected, atol=1e-7)


@pytest.mark.parametrize("name", ["bilateral", "nlm"])
def test_noise_goes_and_clean_pictures_hardly_change(name):
    step, generator = make_step(name), torch.Generator().manual_seed(0)
    clean = torch.from_numpy(ndi.gaussian_filter(scene(h=64, w=64).numpy(), (0, 0, 1.5, 1.5)))
    noisy = (clean + 0.1 * torch.randn(clean.shape, generator=generator)).clamp(0, 1)
    assert (step(noisy) - clean).square().mean() < 0.4 * (noisy - clean).square().mean()
    assert (step(clean) - clean).abs().max() < 0.02


def test_the_surround_is_a_gaussian_mean_over_the_picture():
    x = scene(1, 1, 33, 26)[0, 0].double().numpy()
    blurred, weights = (ndi.gaussian_filter(one, 5, mode="constant", truncate=30) for one in (x, np.ones_like(x)))
    np.testing.assert_allclose(retinex.surround(torch.from_numpy(x)[None, None], 5.0)[0, 0].numpy(), blurred / weights, atol=1e-12)


def test_retinex_is_that_of_the_formula():
    x, sigmas = scene(1, h=24, w=24).double(), (1.5, 6.0)
    lifted = x[0].numpy() + 1 / 255
    logs = [np.log(lifted) - np.log(np.stack([_mean_around(one, sigma) for one in lifted])) for sigma in sigmas]
    np.testing.assert_allclose(retinex.multi_scale(x, sigmas)[0].numpy(), np.mean(logs, 0), atol=1e-10)
    shares = np.log(1 + 125 * lifted * 3 / lifted.sum(0)) / np.log(126)
    np.testing.assert_allclose(retinex.color_restoration(x)[0].numpy(), shares, atol=1e-6)


def _mean_around(channel, sigma):
    blurred, weights = (ndi.gaussian_filter(one, sigma, mode="constant", truncate=30) for one in (channel, np.ones_like(channel)))
    return blurred / weights


def test_retinex_takes_a_slow_change_of_light_away():
    x = scene(2, h=48, w=48) * 0.6 + 0.2
    shaded = x * torch.linspace(0.3, 1, 48)
    for color in ("restore", "channels", "brightness"):
        step = make_step(f"retinex(scales=0.1, color={color})")
        assert (step(shaded) - step(x)).abs().mean() < 0.5 * (shaded - x).abs().mean(), color


def test_gray_world_and_white_patch_take_a_tint_away():
    x, tint = scene() * 0.6 + 0.1, torch.tensor([1.3, 0.9, 0.6]).view(1, 3, 1, 1)
    done = make_step("gray_world")(x * tint)
    means = done.mean((2, 3))
    assert torch.allclose(means, means[:, :1].expand_as(means), atol=1e-3)
    for call in ("gray_world", "gray_world(power=6)", "white_patch"):
        with_tint, without = (one / one.mean((1, 2, 3), keepdim=True) for one in (make_step(call)(x * tint), make_step(call)(x)))
        assert (with_tint - without).abs().max() < 0.02 < (x * tint / (x * tint).mean() - x / x.mean()).abs().max(), call
    gray = torch.rand(2, 1, 9, 9)
    assert torch.allclose(make_step("gray_world")(gray), gray)
    patch = make_step("white_patch(share=0)")(x)
    assert torch.allclose(patch.amax((2, 3)), torch.ones(2, 3))
    bound = make_step("gray_world(limit=1.5)")(torch.tensor([0.9, 0.1, 0.1]).view(1, 3, 1, 1).expand(1, 3, 4, 4))
    assert torch.allclose(bound[0, :, 0, 0], torch.tensor([0.6, 0.15, 0.15]))


def test_gamma_is_a_power_and_auto_brings_a_flat_picture_to_the_target():
    x = scene()
    assert torch.allclose(make_step("gamma(value=0.6)")(x), x.clamp_min(1e-3) ** 0.6, atol=1e-5) and torch.equal(make_step("gamma(value=1.0)")(x), x)
    ends = make_step("gamma(value=0.4)")(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2))
    assert ends.flatten().tolist() == [0, 1]
    for level in (0.15, 0.3, 0.7):
        assert make_step("gamma")(torch.full((1, 3, 4, 4), level)).mean().item() == pytest.approx(0.5, abs=1e-3)
    dark = x * 0.2
    assert abs(luma(make_step("gamma")(dark)).mean() - 0.5) < 0.1 < 0.3 < 0.5 - luma(dark).mean()


def test_stretching_fills_the_range_up_to_its_limit():
    x = scene() * 0.3 + 0.4
    low, high = (np.quantile(luma(x).flatten(1).numpy(), q, axis=1)[:, None, None, None] for q in (0.02, 0.98))
    np.testing.assert_allclose(make_step("stretch(share=0.02, limit=50)")(x).numpy(), ((x.numpy() - low) / (high - low)).clip(0, 1), atol=1e-5)
    for level in (0.0, 0.3, 1.0):
        flat = torch.full((1, 3, 5, 5), level)
        assert torch.allclose(make_step("stretch")(flat), flat, atol=1e-3)
    faint = 0.5 + 0.01 * (scene() - 0.5)
    assert make_step("stretch(limit=3)")(faint).std() == pytest.approx(3 * faint.std().item(), rel=0.02)


# -- how they are called ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (None, []), ([], []), ("", []), ("none", []), ("clahe", ["clahe"]), ("clahe, gamma", ["clahe", "gamma"]), ("clahe+gamma(value=0.5)", ["clahe", "gamma(value=0.5)"]),
        (["clahe(tiles=[4, 4], clip=1e+1)+median", "gamma"], ["clahe(tiles=[4, 4], clip=1e+1)", "median", "gamma"]),
    ],
)  # fmt: skip
def test_steps_are_split(steps, expected):
    assert split_steps(steps) == expected


def test_a_call_written_out_says_the_same_again():
    for call in VARIANTS:
        (full,) = full_calls(call)
        assert full_calls(full) == [full] == [make_step(call).call] == [make_step(full).call]
    assert full_calls("retinex(scales=[0.1, 0.00005])") == ["retinex(scales=[0.1, 5.0e-05], color=restore, spread=2.0)"]


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        ("clahee", ChoiceError, "did you mean clahe"), ("clahe(clipp=2)", RecipeError, "did you mean clip"), ("clahe(clip=-1)", InputError, "0 to 256"),
        ("clahe(tiles=0)", InputError, "tiles"), ("clahe(tiles=[1, 2, 3])", InputError, "tiles"), ("gamma(value=.nan)", InputError, "number from"),
        ("gamma(value=dark)", InputError, "number from"), ("median(size=4)", InputError, "odd"), ("median(size=99)", InputError, "odd"), ("nlm(search=101)", InputError, "odd"),
        ("retinex(color=red)", InputError, "restore or channels"), ("retinex(scales=[])", InputError, "scales"), ("clahe(2)", RecipeError, "key=value"),
        ("clahe(", RecipeError, "brackets"),
    ],
)  # fmt: skip
def test_wrong_steps_are_refused_in_one_line(call, error, match):
    with pytest.raises(error, match=match) as caught:
        build_net("small", "softmax", Space("Classification", ("a", "b")), {"widths": [4, 4]}, call)
    assert "\n" not in str(caught.value)


def test_a_step_of_your_own(tmp_path):
    file = tmp_path / "half.py"
    file.write_text("from torch import nn\n\n\nclass Half(nn.Module):\n    def forward(self, x):\n        return x / 2\n\n\ndef enhance(*, rounds=1):\n    return nn.Sequential(*[Half() for _ in range(rounds)])\n")
    step = make_step(f"{file}(rounds=2)")
    assert torch.equal(step(torch.ones(1, 3, 2, 2)), torch.full((1, 3, 2, 2), 0.25)) and step.call == f"{file}(rounds=2)"
    file.with_name("wrong.py").write_text("def enhance():\n    return 3\n")
    with pytest.raises(RecipeError, match="torch module"):
        make_step(str(file.with_name("wrong.py")))
