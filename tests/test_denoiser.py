"""The learned denoiser: noise and halves against their definitions, training against plain filters, its file, and its place in a model."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save
from torch.nn import functional as F

import vidi
from vidi.core.discovery import load
from vidi.core.preprocess import Preprocess
from vidi.core.seeds import Draw
from vidi.core.space import Space
from vidi.data.sets.digits import load as load_digits
from vidi.errors import DataError, InputError, ModelError, TrainError
from vidi.methods.denoise._crops import Crops, of_one_size, parted
from vidi.methods.denoise._fit import Plan, fit, make
from vidi.methods.denoise._noise import NEIGHBORS, Sigma, mixed, neighbors
from vidi.model import Model, build_net, make_card
from vidi.nets.blocks.denoiser import KEY, Denoiser, Facts, load_denoiser, save_denoiser
from vidi.nets.enhance.denoise import enhance
from vidi.ops.similarity import psnr, ssim

SMALL = {"width": 16, "depth": 5, "lr": 0.003, "crop": 24, "batch": 8}


def pixels_of(data):
    return torch.from_numpy(np.stack([sample.inputs["image"] for sample in data])).permute(0, 3, 1, 2).float() / 255


def digits(count=240, side=24):
    gray, _ = load_digits()
    wide = F.interpolate(torch.from_numpy(gray[:count, None]).float(), size=side, mode="bilinear").round().byte()
    return vidi.Dataset([vidi.Sample(f"{i:04d}", {"image": one.expand(3, -1, -1).permute(1, 2, 0).numpy().copy()}) for i, one in enumerate(wide)], None, "digits")


def noised(data, std=25 / 255):
    """The data set with Gaussian noise in its pixels."""
    images = pixels_of(data)
    noisy = images + std * torch.randn(images.shape, generator=torch.Generator().manual_seed(5))
    rows = noisy.clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1).numpy()
    return data.with_samples(vidi.Sample(sample.id, {"image": row}) for sample, row in zip(data, rows))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("denoiser")
    report = vidi.denoiser(digits(), out=str(folder / "d.safetensors"), imgsz=24, steps=160, report=str(folder / "page"), **SMALL)
    return report, folder


# -- parts ---------------------------------------------------------------------------------------------------------------


def test_similarity_of_nothing_and_of_the_same():
    assert psnr(torch.zeros(0, 3, 4, 4), torch.zeros(0, 3, 4, 4)).shape == (0,)
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(psnr(x, x), torch.tensor(100.0)) and torch.allclose(ssim(x, x), torch.ones(2))
    assert torch.allclose(psnr(x, x + 0.1), torch.tensor(20.0), atol=1e-3)
    assert ssim(x[..., :1, :1], x[..., :1, :1]).shape == (2,)


def test_structural_similarity_equals_a_plain_count():
    random = np.random.default_rng(1)
    a = random.random((1, 1, 14, 13))
    b = np.clip(a + 0.1 * random.normal(size=a.shape), 0, 1)
    bell = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    weights = np.outer(bell, bell) / bell.sum() ** 2
    found = []
    for y in range(4):
        for x in range(3):
            u, v = (image[0, 0, y : y + 11, x : x + 11] for image in (a, b))
            mu, mv = (weights * u).sum(), (weights * v).sum()
            su, sv, both = (weights * (u - mu) ** 2).sum(), (weights * (v - mv) ** 2).sum(), (weights * (u - mu) * (v - mv)).sum()
            found.append((2 * mu * mv + 1e-4) * (2 * both + 9e-4) / ((mu**2 + mv**2 + 1e-4) * (su + sv + 9e-4)))
    assert float(ssim(torch.from_numpy(a), torch.from_numpy(b))) == pytest.approx(np.mean(found), abs=1e-9)


def test_noise_is_as_strong_as_it_says():
    gray = torch.full((64, 3, 24, 24), 0.5)
    draw = Draw.samples(0, 0, np.arange(64))
    for shot in (0.0, 0.5, 1.0):
        out = mixed(gray, torch.full((64,), 0.08), torch.full((64,), shot), draw.child(str(shot)))
        assert float((out - gray).std()) == pytest.approx(0.08, rel=0.02)
    black = mixed(gray * 0, torch.full((64,), 0.08), torch.ones(64), draw)
    assert float(black.abs().max()) < 1e-3  # photon noise leaves black alone


@pytest.mark.parametrize("text, low, high", [("0-50/255", 0, 50 / 255), ("0.1-0.2", 0.1, 0.2), ("25/255", 25 / 255, 25 / 255), (0.3, 0.3, 0.3)])
def test_ranges_of_noise(text, low, high):
    found = Sigma.parse(text)
    assert (found.low, found.high) == pytest.approx((low, high))


@pytest.mark.parametrize("text", ["", "much", "50", "0.2-0.1", "-0.1", "0", "5/0", "nan", "0-inf"])
def test_ranges_that_are_none(text):
    with pytest.raises(InputError, match="noise"):
        Sigma.parse(text)


def test_halves_are_neighbors_of_one_cell():
    places = torch.arange(36.0).view(1, 1, 6, 6)
    for choice in range(8):
        one, other = neighbors(places, torch.full((1, 3, 3), choice))
        for row in range(3):
            for column in range(3):
                a, b = (divmod(int(half[0, 0, row, column]), 6) for half in (one, other))
                assert {a[0] // 2, b[0] // 2} == {row} and {a[1] // 2, b[1] // 2} == {column}
                assert abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1
    assert len(set(NEIGHBORS)) == 8


def test_the_net_is_homogeneous_and_begins_by_doing_nothing():
    net, x = make(8, 4, 0), torch.rand(2, 3, 9, 7)
    assert torch.equal(net(x), x)
    torch.nn.init.normal_(net.convs[-1].weight, std=0.1)
    with torch.no_grad():
        assert torch.allclose(net(3 * x), 3 * net(x), atol=1e-4)
        assert torch.allclose(net(x)[:1], net(x[:1]), atol=1e-6), "no picture depends on others"
    assert net(x).shape == x.shape and not any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in net.modules())


def test_crops_are_the_same_for_the_same_step():
    data = digits(7, 12)
    source = Crops(data, Preprocess((12, 12)), 9, 0)
    first, again = source.batch(3, 4)[0], source.batch(3, 4)[0]
    assert first.shape == (4, 3, 8, 8) and torch.equal(first, again) and not torch.equal(first, source.batch(4, 4)[0])
    seen = [source._picture(place) for place in range(14)]
    assert sorted(seen[:7]) == sorted(seen[7:]) == list(range(7))
    source.close()


def test_held_out_pictures():
    data = digits(20, 8)
    learned, held = parted(data, 0.1, 0)
    assert (len(learned), len(held)) == (18, 2) and not {s.id for s in learned} & {s.id for s in held}
    split = data.with_samples(vidi.Sample(s.id, s.inputs, None, "val" if i < 5 else "train") for i, s in enumerate(data))
    assert len(parted(split, 0.1, 0)[1]) == 5
    grouped = data.with_samples(vidi.Sample(s.id, s.inputs, None, None, f"g{i % 4}") for i, s in enumerate(data))
    learned, held = parted(grouped, 0.1, 0)
    assert len(held) == 5 and not {s.group for s in learned} & {s.group for s in held}
    with pytest.raises(DataError, match="at least two"):
        parted(digits(1, 8), 0.1, 0)


def test_noisy_pictures_keep_their_size():
    mixed_sizes = [*digits(5, 12), *[vidi.Sample(f"x{s.id}", s.inputs) for s in digits(2, 16)]]
    kept, preprocess, notes = of_one_size(vidi.Dataset(mixed_sizes))
    assert len(kept) == 5 and preprocess.size == (12, 12) and "2 pictures" in notes[0]
    with pytest.raises(DataError, match="must not be scaled"):
        of_one_size(vidi.Dataset(mixed_sizes[4:6]))
    with pytest.raises(DataError, match="must not be scaled"):
        of_one_size(vidi.Dataset([]))


# -- training ------------------------------------------------------------------------------------------------------------


def test_it_beats_noise_and_the_median(trained):
    report, folder = trained
    numbers = report.numbers
    assert numbers["psnr_denoised_25"] > numbers["psnr_noisy_25"] + 3
    assert numbers["psnr_denoised_25"] > numbers["psnr_median_25"] and numbers["ssim_denoised_25"] > numbers["ssim_median_25"]
    assert numbers["psnr_denoised_shot25"] > numbers["psnr_noisy_shot25"] + 2
    assert report.n["psnr_denoised_25"] == report.about["held_out"] == 24 and report.intervals["psnr_denoised_25"][0] > report.intervals["psnr_noisy_25"][1]
    assert "PSNR by noise" in (folder / "page" / "report.html").read_text()


def test_the_same_seed_gives_the_same_weights(tmp_path):
    files = [tmp_path / name for name in "ab"]
    for file in files:
        vidi.denoiser(digits(12), out=str(file), imgsz=16, steps=3, **SMALL)
    first, second = (load_denoiser(file)[0].state_dict() for file in files)
    assert all(torch.equal(value, second[key]) for key, value in first.items())


def test_noisy_pictures_teach_too(tmp_path):
    clean = digits(200)
    report = vidi.denoiser(noised(clean), out=str(tmp_path / "d"), noisy=True, steps=160, **SMALL)
    assert report.numbers["half_error_denoised"] < report.numbers["half_error_noisy"] and report.about["sigma"] is None
    others = digits(240).with_samples(digits(240).samples[200:])
    with torch.no_grad():
        noisy, truth = pixels_of(noised(others)), pixels_of(others)
        gain = psnr(enhance(file=str(tmp_path / "d"))(noisy), truth) - psnr(noisy, truth)
    assert float(gain.mean()) > 2


def test_minutes_end_it():
    source = Crops(digits(8, 12), Preprocess((12, 12)), 12, 0)
    steps, seconds = fit(make(4, 2, 0), source, Plan(Sigma(0, 0.1), minutes=0.005, batch=2), torch.device("cpu"))
    source.close()
    assert steps > 0 and 0.3 <= seconds < 5


def test_a_loss_that_is_no_number_stops_it():
    source = Crops(digits(8, 12), Preprocess((12, 12)), 12, 0)
    net = make(8, 4, 0)
    torch.nn.init.constant_(net.convs[0].weight, torch.nan)
    with pytest.raises(TrainError, match="no longer a number"):
        fit(net, source, Plan(Sigma(0, 0.1), steps=40, batch=2), torch.device("cpu"))
    source.close()


@pytest.mark.parametrize("settings", [
    {"steps": 0}, {"minutes": 0}, {"steps": 1, "minutes": 1}, {"lr": -1}, {"batch": 0}, {"val": 0}, {"width": 0}, {"depth": 1}, {"width": 10**6}, {"sigma": "9"},
    {"noisy": True, "imgsz": 16}, {"crop": 0},
])  # fmt: skip
def test_settings_that_are_refused(settings, tmp_path):
    with pytest.raises(InputError):
        vidi.denoiser(digits(4, 12), out=str(tmp_path / "d"), **settings)
    assert not (tmp_path / "d").exists()


def test_on_the_command_line(tmp_path, capsys):
    from vidi.cli.main import main

    for sample in digits(12):
        Image.fromarray(sample.inputs["image"]).save(tmp_path / f"{sample.id}.png")
    words = ["denoiser", str(tmp_path), "--out", str(tmp_path / "d.safetensors"), "--steps", "2", "--width", "4", "--depth", "2", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["numbers"]["psnr_denoised_25"] > 0 and told["about"]["file"] == str(tmp_path / "d.safetensors")
    assert main([*words[:-1], "--sigma", "50"]) == 2


# -- file ----------------------------------------------------------------------------------------------------------------


def test_the_file_tells_what_it_is(trained):
    report, folder = trained
    net, facts = load_denoiser(folder / "d.safetensors")
    assert (facts.width, facts.depth, facts.samples, facts.steps) == (16, 5, 216, 160) and facts.sigma == pytest.approx((0, 50 / 255))
    assert facts.numbers == report.numbers and facts.data == "digits" and facts.fingerprint and facts.size == (24, 24)
    assert sum(value.numel() for value in net.parameters()) == report.about["parameters"]


def written(tmp_path, told, state=None):
    """A file with these facts."""
    path = tmp_path / "odd"
    metadata = {} if told is None else {KEY: told if isinstance(told, str) else json.dumps(told)}
    path.write_bytes(save(state or Denoiser(4, 2).state_dict(), metadata=metadata))
    return path


GOOD = {"version": 1, "width": 4, "depth": 2}


def test_a_small_file_is_read(tmp_path):
    assert load_denoiser(written(tmp_path, GOOD))[1] == Facts(4, 2)


@pytest.mark.parametrize("told", [
    None, "{", "[]", "7", "{}", GOOD | {"version": 2}, GOOD | {"width": 5}, GOOD | {"depth": 3}, GOOD | {"width": 10**9}, GOOD | {"width": "4"},
    GOOD | {"width": True}, GOOD | {"code": "x"}, {"version": 1, "width": 4}, GOOD | {"depth": None},
])  # fmt: skip
def test_facts_that_are_refused(told, tmp_path):
    with pytest.raises(ModelError) as refused:
        load_denoiser(written(tmp_path, told))
    assert "\n" not in str(refused.value)


def test_weights_that_are_refused(tmp_path):
    state = Denoiser(4, 2).state_dict()
    with pytest.raises(ModelError, match="NaN"):
        load_denoiser(written(tmp_path, GOOD, {key: torch.full_like(value, torch.nan) for key, value in state.items()}))
    with pytest.raises(ModelError, match="do not fit"):
        load_denoiser(written(tmp_path, GOOD, state | {"more": torch.zeros(1)}))
    with pytest.raises(ModelError, match="do not fit"):
        load_denoiser(written(tmp_path, GOOD, {key: value.half() for key, value in state.items()}))
    broken = Denoiser(4, 2)
    torch.nn.init.constant_(broken.convs[0].weight, torch.inf)
    with pytest.raises(ModelError, match="not saved"):
        save_denoiser(broken, Facts(4, 2), tmp_path / "inf")
    assert not (tmp_path / "inf").exists()


@pytest.mark.parametrize("data", [b"", b"\x80\x04pickle", b"PK\x03\x04zip", b"\xff" * 64, (10**6).to_bytes(8, "little") + b"{}"])
def test_other_files_are_refused(data, tmp_path):
    (tmp_path / "odd").write_bytes(data)
    with pytest.raises(ModelError):
        load_denoiser(tmp_path / "odd")
    with pytest.raises(ModelError):
        load_denoiser(tmp_path)
    with pytest.raises(ModelError, match="cannot be opened"):
        load_denoiser(tmp_path / "none")


# -- in a model ----------------------------------------------------------------------------------------------------------


def model_with(step):
    space, options = Space("Classification", ("disc", "square", "cross")), {"widths": [4, 8]}
    torch.manual_seed(0)
    net = build_net("small", "softmax", space, options, [step])
    return Model(net, make_card(net, task="classify", name="small", options=options, head="softmax", preprocess=Preprocess((24, 24))))


def test_it_travels_inside_a_model(trained, tmp_path):
    file = tmp_path / "gone.safetensors"
    file.write_bytes((trained[1] / "d.safetensors").read_bytes())
    made = model_with(f"denoise(file={file})")
    assert made.card.enhance == ["denoise(width=16, depth=5)"]
    file.unlink()
    made.save(tmp_path / "m.vidi")
    again = vidi.load(tmp_path / "m.vidi")
    noisy = pixels_of(noised(digits(8)))
    with torch.no_grad():
        assert torch.equal(made.net({"image": noisy})["logits"], again.net({"image": noisy})["logits"])
        shown = again.net.normalize.enhance(noisy)
        assert float((psnr(shown, pixels_of(digits(8))) - psnr(noisy, pixels_of(digits(8)))).mean()) > 3
    assert not [name for name, _ in again.net.named_parameters() if "enhance" in name], "nothing of it is trained"
    assert [name for name in again.net.state_dict() if "enhance" in name]


def test_its_output_is_a_picture_and_has_gradients(trained):
    step = enhance(file=str(trained[1] / "d.safetensors"))
    x = torch.rand(2, 3, 10, 14, requires_grad=True)
    out = step(x)
    out.sum().backward()
    assert out.shape == x.shape and 0 <= float(out.detach().min()) and float(out.detach().max()) <= 1
    with torch.no_grad():
        assert torch.equal(step(x), out)
    black = torch.zeros(1, 3, 8, 8, requires_grad=True)
    step(black - 0.1).sum().backward()
    assert float(black.grad.abs().sum()) > 0, "gradients also where values are cut off"
    assert all(not value.requires_grad for value in step.state_dict().values()) and not list(step.parameters())
    assert step(torch.zeros(0, 3, 8, 8)).shape == (0, 3, 8, 8)


def test_without_weights_it_is_refused(trained):
    with pytest.raises(InputError, match="trained first"):
        enhance()
    with pytest.raises(InputError, match="another size"):
        enhance(file=str(trained[1] / "d.safetensors"), width=8)
    with pytest.raises(InputError):
        enhance(width=0, depth=2)


def test_training_a_model_leaves_it_alone(trained, tmp_path):
    data = load("tasks", "classify").task.toy(24, 0)
    step = f"denoise(file={trained[1] / 'd.safetensors'})"
    made = vidi.train(data, net="small", widths=[4], epochs=1, enhance=[step], verbose=False, project=str(tmp_path), ema=0.9)
    want = load_denoiser(trained[1] / "d.safetensors")[0].state_dict()
    own = made.net.normalize.enhance[0].net.state_dict()
    assert all(torch.allclose(value, own[key], atol=1e-6) for key, value in want.items())
