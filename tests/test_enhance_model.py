"""Steps in a net's first layer: nothing where there are none, and where there are, through file, recipe, training and transfer."""

import copy
import json

import pytest
import torch
from torch import nn

import vidi
from vidi.core.container import Container, write_container
from vidi.core.discovery import load as load_part
from vidi.core.discovery import names
from vidi.core.preprocess import Preprocess
from vidi.core.space import Space
from vidi.engine import prepare
from vidi.errors import InputError, ModelError, RecipeError, VidiError
from vidi.model import Model, build_net, code_of, load, make_card
from vidi.model.model import readme
from vidi.nets.blocks.denoiser import Denoiser, Facts, save_denoiser
from vidi.nets.blocks.normalize import Normalize
from vidi.nets.enhance._steps import calls_of

SPACE = Space("Classification", ("a", "b"))
SMALL = {"widths": [4, 4]}
_MAPS, _THINGS = {"backbone": "small(widths=[4, 4, 8])", "width": 4}, {"backbone": "small(widths=[4, 4, 8])", "width": 8}
SMALLEST = {
    "csp": {"width": 0.0625}, "densenet": {"growth": 4, "blocks": [2, 2], "stem": "small"}, "efficientnet": {"variant": "lite0"}, "small": SMALL,
    "mobilenet": {"width": 0.25, "stem": "small"}, "parts": {"backbone": "resnet(width=8)"}, "resnet": {"width": 8}, "timm": {"name": "test_resnet"}, "vgg": {"width": 8},
    "unet": {"backbone": "small(widths=[4, 4, 8])"}, "fcn": _MAPS, "deeplab": _MAPS, "lraspp": {"backbone": "small(widths=[4, 4, 8])"},
    "yolo": _THINGS, "fcos": _THINGS, "retinanet": _THINGS, "ssd": {"backbone": "small(widths=[4, 4, 8])"}, "faster_rcnn": _THINGS, "mask_rcnn": _THINGS,
}  # fmt: skip
HEADS = {"boxes": ("yolo", "fcos", "retinanet", "ssd", "faster_rcnn"), "masks": ("mask_rcnn",), "pixels": ("unet", "fcn", "deeplab", "lraspp")}


def built(name, enhance=()):
    head = next((head for head, nets in HEADS.items() if name in nets), "softmax")
    family = {"softmax": "Classification", "pixels": "Segmentation"}.get(head, "Detections")
    torch.manual_seed(0)
    return build_net(name, head, Space(family, ("a", "b")), SMALLEST[name], enhance).eval()


class Plain(nn.Module):
    """Normalization as it is without any steps."""

    def __init__(self, mean, std):
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, x):
        return (x - self.mean) / self.std


def test_every_net_is_tried():
    assert set(SMALLEST) == set(names("nets"))


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) if name in ("efficientnet", "timm") else name for name in sorted(SMALLEST)])
@torch.no_grad()
def test_a_net_without_steps_is_what_it_was_and_any_net_takes_steps(name):
    net, x = built(name), torch.rand(2, 3, 64, 64)
    keys = [key for key in net.state_dict() if key.startswith("normalize.")]
    assert keys == ["normalize.mean", "normalize.std"] and calls_of(net) == []
    found = net({"image": x})
    with_steps = built(name, "gray_world+gamma(value=0.7)")
    assert list(with_steps.state_dict()) == list(net.state_dict()) and len(calls_of(with_steps)) == 2
    moved = with_steps({"image": x})
    by_hand = net({"image": with_steps.normalize.enhance(x)})
    net.normalize = Plain(net.normalize.mean, net.normalize.std)
    plain = net({"image": x})
    assert all(torch.equal(found[key], plain[key]) and torch.equal(moved[key], by_hand[key]) for key in plain)
    assert not torch.equal(moved["features"], found["features"])


def test_normalization_is_fitted_behind_the_steps():
    layer, x = Normalize(), torch.rand(70, 3, 8, 8) * 0.3
    layer.enhance = nn.Sequential(load_part("nets/enhance", "gamma").enhance(value=0.5))
    layer.fit(x)
    done = layer(x)
    assert torch.allclose(done.mean((0, 2, 3)), torch.zeros(3), atol=1e-5) and torch.allclose(done.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-4)


def test_steps_keep_float32_under_autocast_and_survive_copies_and_tracing():
    net, x = built("small", "clahe(tiles=2)+gray_world"), torch.rand(2, 3, 16, 16)
    dtypes = []
    net.normalize.enhance.register_forward_hook(lambda module, inputs, output: dtypes.append(output.dtype))
    plain = net.normalize(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(net.normalize(x), plain)
    half = net.normalize.enhanced(x.bfloat16())
    assert half.dtype == torch.bfloat16 and set(dtypes) == {torch.float32}
    twin = copy.deepcopy(net)
    assert calls_of(twin) == calls_of(net) and torch.equal(twin.normalize(x), plain)
    traced = torch.compile(twin.normalize, backend="eager", fullgraph=True)
    assert torch.allclose(traced(x), plain, atol=1e-6)


def test_a_whole_net_with_steps_exports():
    net, x = built("small", "gray_world+clahe(tiles=2)+median"), torch.rand(2, 3, 16, 16)
    program = torch.export.export(net, ({"image": x},))
    with torch.no_grad():
        assert torch.allclose(program.module()({"image": x})["logits"], net({"image": x})["logits"], atol=1e-5)


def test_a_net_without_a_place_for_steps_is_refused(tmp_path):
    file = tmp_path / "bare.py"
    file.write_text(
        "from vidi.nets import small\n\n\ndef net(space, head):\n    made = small.net(space, head, widths=[4, 4])\n    made.normalize = __import__('torch').nn.Identity()\n    return made\n"
    )
    assert calls_of(build_net(str(file), "softmax", SPACE, {})) == []
    with pytest.raises(InputError, match="no `normalize` layer") as caught:
        build_net(str(file), "softmax", SPACE, {}, ["clahe"])
    assert "\n" not in str(caught.value)


# -- the file -----------------------------------------------------------------------------------------------------


def model_of(enhance=(), **more):
    torch.manual_seed(1)
    net = build_net("small", "softmax", SPACE, SMALL, enhance)
    return Model(net, make_card(net, task="classify", name="small", options=SMALL, head="softmax", preprocess=Preprocess((16, 16)), **more))


def same(a, b, side=16):
    x = torch.rand(3, 3, side, side, generator=torch.Generator().manual_seed(0))
    return torch.equal(a.runner({"image": x})["logits"], b.runner({"image": x})["logits"])


@pytest.mark.parametrize("name", [name for name in names("nets/enhance") if name != "denoise"])
def test_a_model_file_keeps_its_steps(name, tmp_path):
    model = model_of([name])
    again = load(model.save(tmp_path / "m.vidi"))
    assert again.card.enhance == model.card.enhance == calls_of(again.net) and again.card.enhance[0].startswith(name) and same(model, again)
    assert f"`{model.card.enhance[0]}`" in readme(again.card) and model.card.enhance[0] in again.text()
    assert vidi.inspect(str(tmp_path / "m.vidi")).about["enhance"] == model.card.enhance


def rewritten(file, **changes):
    with Container(file) as container:
        members = {name: container.read(name) for name in container.names}
    card = json.loads(members["model.json"])
    for key, value in changes.items():
        if value is None:
            card.pop(key)
        else:
            card[key] = value
    write_container(file, members | {"model.json": json.dumps(card).encode()})
    return file


def test_files_from_before_there_were_steps_still_open(tmp_path):
    model = model_of()
    again = load(rewritten(model.save(tmp_path / "m.vidi"), enhance=None))
    assert again.card.enhance == [] and same(model, again)


@pytest.mark.parametrize("steps", [["./evil.py"], [" ./evil.py (x=1)"], ["clahe(clip=2)+./evil.py"], ["clahe,./evil.py"], ["x(/../evil.py"], ["/evil.py"]], ids=str)
def test_a_file_never_runs_a_step_that_is_not_named(steps, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text("open('EXECUTED', 'w').close()\n")
    file = rewritten(model_of().save(tmp_path / "m.vidi"), enhance=steps)
    for code in ((), ("other.py",)):
        with pytest.raises(VidiError) as caught:
            load(file, code=code)
        assert caught.value.exit_code == 2 and "\n" not in str(caught.value)
    assert not (tmp_path / "EXECUTED").exists()


@pytest.mark.parametrize("step", ["denoise(file={})", "clahe(clip=2)+denoise(file={})"])
def test_a_step_in_a_file_reads_no_other_file(step, tmp_path):
    other = save_denoiser(Denoiser(4, 3), Facts(4, 3), tmp_path / "d.safetensors")
    with pytest.raises(ModelError, match="names another file"):
        load(rewritten(model_of().save(tmp_path / "m.vidi"), enhance=[step.format(other)]))


def test_a_step_of_your_own_runs_where_it_is_named(tmp_path):
    step = tmp_path / "half.py"
    step.write_text("import torch\n\n\nclass Half(torch.nn.Module):\n    def forward(self, x):\n        return x / 2\n\n\ndef enhance(*, times=1):\n    return torch.nn.Sequential(*[Half()] * times)\n")
    model = model_of([f"{step}(times=2)", "gray_world"])
    file = model.save(tmp_path / "m.vidi")
    assert code_of(model.card) == [str(step)]
    with pytest.raises(ModelError, match="not run unless named"):
        load(file)
    again = load(file, code=[step])
    assert same(model, again) and again.card.enhance == model.card.enhance


def test_weights_of_a_step_travel_with_the_model(tmp_path):
    torch.manual_seed(0)
    net = Denoiser(4, 3)
    nn.init.normal_(net.convs[-1].weight, std=0.1)
    file = save_denoiser(net, Facts(4, 3), tmp_path / "d.safetensors")
    model = model_of([f"denoise(file={file})"])
    assert model.card.enhance == ["denoise(width=4, depth=3)"]
    path = model.save(tmp_path / "m.vidi")
    file.unlink()
    again = load(path)
    assert same(model, again) and not same(model, model_of())
    kept = vidi.enhance(again, steps=["gray_world", *again.card.enhance])
    x = torch.rand(1, 3, 16, 16)
    assert torch.equal(kept.net.normalize.enhance[1](x), model.net.normalize.enhance[0](x))
    with pytest.raises(InputError, match="weights of this step come with a model file"):
        vidi.enhance(model_of(), steps="denoise(width=4, depth=3)")


# -- the recipe ---------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True, scope="module")
def no_curves():
    """Nothing here looks at the picture of the training curves, whose drawing takes longer than these trainings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vidi.engine.training.curves_png", lambda rows, path: path)
        yield


def toy(count=48):
    return load_part("tasks", "classify").task.toy(count, 0)


def trained(folder, name, **settings):
    options = {"net": "small", "widths": [4, 4], "epochs": 1, "batch": 16, "doctor": False, "verbose": False, "augment": "none", "threads": 1, "precision": "fp32"}
    return vidi.train(toy(), project=str(folder), name=name, **(options | settings))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, []), ("none", []), ([], []), ("median", ["median(size=3)"]), ("median+gray_world(limit=2.0)", ["median(size=3)", "gray_world(power=1.0, limit=2.0)"]),
        (["median", "stretch"], ["median(size=3)", "stretch(share=0.01, limit=5.0)"]),
    ],
)  # fmt: skip
def test_a_recipe_spells_its_steps_out(given, expected):
    task, values = load_part("tasks", "classify").task, {"net": "small"}
    assert prepare.resolve(values | ({} if given is None else {"enhance": given}), "classify", task, toy()).enhance == expected


def test_training_goes_through_the_steps_resumes_with_them_and_a_transfer_has_its_own(tmp_path):
    model = trained(tmp_path, "a", enhance="gray_world,gamma(value=0.8)")
    calls = ["gray_world(power=1.0, limit=4.0)", "gamma(value=0.8, target=0.5, limit=3.0)"]
    assert model.card.enhance == calls == model.card.recipe["enhance"] == calls_of(model.net)
    again = vidi.train(toy(), project=str(tmp_path), name="a", task="classify", resume=True)
    assert again.card.enhance == calls and same(model, again, model.preprocess.size[0])
    with pytest.raises(RecipeError, match="settings differ"):
        vidi.train(toy(), project=str(tmp_path), name="a", task="classify", resume=True, enhance="median")
    moved = trained(tmp_path, "b", weights=str(tmp_path / "classify" / "a" / "weights" / "last.vidi"), enhance="median")
    assert moved.card.enhance == ["median(size=3)"] and moved.card.lineage[0]["enhance"] == calls


def started(weights, enhance):
    """The net that a training would start with."""
    task, data = load_part("tasks", "classify").task, toy()
    recipe = prepare.resolve({"net": "small", **SMALL, "weights": weights, "enhance": enhance}, "classify", task, data)
    return prepare.make_net(recipe, data, data)[0]


def test_weights_of_steps_in_a_transfer(tmp_path):
    torch.manual_seed(0)
    files = []
    for i in range(2):
        net = Denoiser(4, 3)
        nn.init.normal_(net.convs[-1].weight, std=0.1)
        files.append(save_denoiser(net, Facts(4, 3), tmp_path / f"{i}.safetensors"))
    first = model_of([f"denoise(file={files[0]})"])
    weights, x = str(first.save(tmp_path / "m.vidi")), torch.rand(1, 3, 16, 16)
    begun, kept, changed = (net.normalize.enhance(x) for net in (first.net, started(weights, first.card.enhance), started(weights, f"denoise(file={files[1]})")))
    assert torch.equal(begun, kept) and not torch.equal(begun, changed)
    for source in (None, str(model_of().save(tmp_path / "n.vidi"))):
        with pytest.raises(RecipeError, match="weights of this step come with"):
            started(source, "denoise(width=4, depth=3)")
