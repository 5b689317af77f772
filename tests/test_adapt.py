"""Test-time adaptation: entropies, statistics against an independent count, gains under stress, the guard, refusals, files."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import vidi
from vidi.core.discovery import load, names
from vidi.core.kinds import Pixels
from vidi.core.net import Net
from vidi.core.preprocess import Preprocess
from vidi.core.seeds import Draw
from vidi.core.space import Space
from vidi.engine.evaluate import make_loader
from vidi.errors import ChoiceError, DataError, InputError
from vidi.labels import Classification, Detections
from vidi.methods.adapt._base import Pictures, make_adapter
from vidi.methods.adapt._guard import Guard, Look, changed
from vidi.methods.adapt._norms import Statistics, batch_norms, by_batch, moved, scales, settling
from vidi.methods.adapt._run import verdict
from vidi.methods.stress._choose import load_stress
from vidi.model import Model, build_net, make_card
from vidi.ops.entropy import deciding, entropy, mean_prediction, spread
from vidi.tasks import classify
from vidi.testing.attack import FAMILIES

CPU = torch.device("cpu")
SOFT, YES = {"logits": "categorical"}, {"logits": "bernoulli"}


def pictures_of(images, batch=8):
    """Adaptation's view of float pictures (N, 3, H, W) that are whole gray levels."""
    pixels = images.mul(255).round().byte().permute(0, 2, 3, 1).numpy()
    data = vidi.Dataset([vidi.Sample(f"{i}", {"image": one}) for i, one in enumerate(pixels)])
    return Pictures(make_loader(data, Preprocess(tuple(images.shape[2:])), batch, cache="none"), len(data), CPU)


def levels(count, side=6, seed=0):
    return torch.randint(0, 256, (count, 3, side, side), generator=torch.Generator().manual_seed(seed)) / 255


def stressed(data, name, severity):
    """The data set with every picture under a stress."""
    images = torch.from_numpy(np.stack([sample.inputs["image"] for sample in data])).permute(0, 3, 1, 2).float() / 255
    changed = load_stress(name).levels[severity - 1].pixels(images, Draw.samples(0, 0, np.arange(len(images))))
    pixels = (changed * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return data.with_samples(replace(sample, inputs={"image": one}) for sample, one in zip(data, pixels))


def unlabeled(data):
    return vidi.Dataset([replace(sample, label=None) for sample in data], None, "unlabeled")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    runs = str(tmp_path_factory.mktemp("runs"))
    return vidi.train(classify.toy(240, 0), net="small", widths=[8, 16, 16], epochs=8, lr=0.01, verbose=False, project=runs)


@pytest.fixture(scope="module")
def dim():
    return stressed(classify.toy(200, 7), "contrast", 5)


class Plain(Net):
    """Convolution, norm, pooling, softmax."""

    def __init__(self, norm, classes=3):
        super().__init__()
        self.inputs, self.kinds = {"image": Pixels(3)}, {"logits": "categorical", "features": "aux"}
        self.space = Space("Classification", tuple("abc"[:classes]))
        self.conv, self.norm, self.linear = nn.Conv2d(3, 4, 1), norm, nn.Linear(4, classes)

    def forward(self, inputs):
        features = self.norm(self.conv(inputs["image"])).relu().mean((2, 3))
        return {"logits": self.linear(features), "features": features}

    def loss(self, raw, labels):
        return {"nothing": raw["logits"].sum(1)}

    def decode(self, raw):
        return [Classification(row) for row in raw["logits"].softmax(1).numpy()]

    def stages(self):
        return {"all": self}


def plain(norm):
    torch.manual_seed(0)
    return Plain(norm).eval()


# -- entropies -----------------------------------------------------------------------------------------------------------


def test_entropy_of_nothing():
    for kinds in (SOFT, YES):
        assert entropy({"logits": torch.zeros(0, 3)}, kinds).shape == (0,)
    assert float(entropy({"logits": torch.full((1, 5, 2), -9.0)}, YES)) == 0  # no place shows anything


@pytest.mark.parametrize("kinds, shape", [(SOFT, (4, 5)), (SOFT, (4, 5, 3, 2)), (YES, (4, 5))])
def test_entropy_equals_the_definition(kinds, shape):
    logits = torch.randn(*shape, generator=torch.Generator().manual_seed(0)).double()
    if kinds is SOFT:
        p = logits.softmax(1)
        want = -(p * p.log()).sum(1) / math.log(5)
    else:
        p = logits.sigmoid()
        want = -(p * p.log2() + (1 - p) * (1 - p).log2())
    assert torch.allclose(entropy({"logits": logits}, kinds).double(), want.reshape(4, -1).mean(1), atol=1e-6)
    assert torch.allclose(entropy({"logits": torch.zeros(*shape)}, kinds), torch.ones(4))


def test_entropy_of_things_leaves_out_ground():
    logits = torch.full((1, 100, 2), -4.0)
    logits[0, 3, 1] = 0.0
    assert float(entropy({"logits": logits}, YES)) == 1


def test_which_output_decides():
    assert deciding({"features": "aux", "offsets": "euclidean", "logits": "bernoulli", "distances": "categorical"}) == "logits"
    assert deciding({"values": "euclidean", "vector": "vector"}) is None
    with pytest.raises(ValueError, match="entropy"):
        entropy({"values": torch.zeros(2, 1)}, {"values": "euclidean"})


def test_mean_prediction_and_its_spread():
    sure = torch.tensor([[9.0, 0, 0], [0, 9.0, 0], [0, 0, 9.0]])
    chances, top = mean_prediction({"logits": sure}, SOFT)
    assert spread(chances, True) == pytest.approx(1) and top.tolist() == pytest.approx([1 / 3] * 3)
    chances, top = mean_prediction({"logits": sure[:1].expand(4, 3)}, SOFT)
    assert spread(chances, True) < 0.01 and top.tolist() == [1, 0, 0]
    chances, top = mean_prediction({"logits": torch.zeros(2, 3)}, YES)
    assert chances.shape == (3,) and len(top) == 0 and spread(chances, False) == pytest.approx(1)


# -- statistics ----------------------------------------------------------------------------------------------------------


def test_tallies_equal_a_plain_count():
    net = nn.Sequential(nn.BatchNorm2d(3))
    images = levels(11) * 1e-3 + 5  # a mean far from zero beside a small spread
    with settling(net, Statistics.of(net), 0.5) as tallies:
        for part in images.split(4):
            net(part)
    mean, variance = tallies["0"].moments()
    rows = images.double().transpose(0, 1).flatten(1)
    assert torch.allclose(mean, rows.mean(1), rtol=1e-12) and torch.allclose(variance, rows.var(1), rtol=1e-6)
    assert not net[0]._forward_pre_hooks


@pytest.mark.parametrize("batch", [1, 5, 16])
def test_bn_mixes_old_and_new_statistics_by_the_prior(batch):
    net, images = plain(nn.BatchNorm2d(4)), levels(16)
    net.norm.running_mean.fill_(0.3)
    net.norm.running_var.fill_(2.0)
    with torch.no_grad():
        rows = net.conv(images).transpose(0, 1).flatten(1)
    changes = make_adapter("bn(prior=48)").adapt(net, pictures_of(images, batch))
    assert torch.allclose(net.norm.running_mean, 0.75 * 0.3 + 0.25 * rows.mean(1), atol=1e-5)
    assert torch.allclose(net.norm.running_var, 0.75 * 2.0 + 0.25 * rows.var(1), atol=1e-4)
    wanted = (net.norm.running_mean - 0.3).abs().mean() / math.sqrt(2)
    assert changes.layers[0].shift == pytest.approx(float(wanted), rel=1e-3) and int(net.norm.num_batches_tracked) == 0


def test_an_endless_prior_changes_nothing_and_none_takes_all():
    net, images = plain(nn.BatchNorm2d(4)), levels(16)
    before = Statistics.of(net)
    make_adapter("bn(prior=1e9)").adapt(net, pictures_of(images))
    assert moved(before, Statistics.of(net))[0].largest < 1e-4
    make_adapter("bn(prior=0)").adapt(net, pictures_of(images))
    with torch.no_grad():
        out = net.norm(net.conv(images))
    assert out.mean((0, 2, 3)).abs().max() < 1e-4 and (out.var((0, 2, 3)) - 1).abs().max() < 1e-2


@pytest.mark.parametrize("prior", [0, 16, 100])
def test_deep_statistics_are_those_of_the_net_as_it_is_saved(prior):
    """In a deep net far from its old statistics: what a second look at the adapted net would find is what it holds."""
    torch.manual_seed(0)
    net = build_net("resnet", "softmax", Space("Classification", ("a", "b")), {"stem": "small", "width": 8}).eval()
    source, images = Statistics.of(net), levels(64, 16) * 0.2
    images = images.mul(255).round() / 255
    make_adapter(f"bn(prior={prior})").adapt(net, pictures_of(images, 32))
    seen, handles = {}, []
    for name, layer in batch_norms(net).items():
        handles.append(layer.register_forward_pre_hook(lambda layer, inputs, name=name: seen.update({name: inputs[0].transpose(0, 1).flatten(1).double()})))
    with torch.no_grad():
        net({"image": images})
    own = prior / (prior + 64)
    for name, layer in batch_norms(net).items():
        mean, variance = source.values[name]
        wanted = own * mean + (1 - own) * seen[name].mean(1)
        assert ((wanted - layer.running_mean).abs() / (own * variance + (1 - own) * seen[name].var(1)).sqrt()).max() < 0.05, name


def test_by_batch_leaves_no_trace():
    net = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5), nn.Flatten(), nn.LazyLinear(4), nn.BatchNorm1d(4)).train()
    net(levels(4))
    state = {key: value.clone() for key, value in net.state_dict().items()}
    with by_batch(net):
        assert torch.equal(net(levels(4)), net(levels(4)))  # no dropout
        net(levels(1))  # a single row: the last layer uses what it knows
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in state.items())
    assert all(layer.track_running_stats and not layer.training and not layer._forward_pre_hooks for layer in net.modules() if isinstance(layer, nn.BatchNorm2d))


def test_layers_that_nothing_reaches_keep_their_statistics():
    net = plain(nn.BatchNorm2d(4))
    net.spare = nn.BatchNorm2d(2)
    net.spare.running_mean.fill_(7)
    changes = make_adapter("bn").adapt(net, pictures_of(levels(8)))
    assert [layer.layer for layer in changes.layers] == ["norm"] and float(net.spare.running_mean[0]) == 7
    assert any("spare" in note for note in changes.notes)


# -- gains and the guard -------------------------------------------------------------------------------------------------


def test_bn_helps_under_lost_contrast_and_never_sees_labels(model, dim, tmp_path):
    before = {key: value.clone() for key, value in model.net.state_dict().items()}
    report = vidi.adapt(model, dim, out=str(tmp_path / "new.vidi"), report=str(tmp_path / "page"))
    assert report.numbers["accuracy.after"] > report.numbers["accuracy.before"] + 0.15 and report.about["verdict"] == "better"
    assert report.intervals["accuracy.difference"][0] > 0 and report.n["accuracy.after"] == 200
    assert report.numbers["changed"] > 0.2 and report.numbers["shift"] > 0.05 and "standard deviations" in report.text()
    assert all(torch.equal(value, model.net.state_dict()[key]) for key, value in before.items()), "the old model stays"
    new = vidi.load(tmp_path / "new.vidi")
    assert vidi.val(new, dim, intervals=0).numbers["accuracy"] != vidi.val(model, dim, intervals=0).numbers["accuracy"]
    assert new.card.lineage[-1]["how"] == "adapted by bn" and new.card.lineage[-1]["settings"] == {"prior": 16.0} and not new.card.numbers
    assert json.loads(new.reports["adapt.json"])["numbers"]["accuracy.after"] == report.numbers["accuracy.after"]
    assert "How far means moved" in (tmp_path / "page" / "report.html").read_text()
    vidi.adapt(model, unlabeled(dim), out=str(tmp_path / "blind.vidi"))
    state = new.net.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in vidi.load(tmp_path / "blind.vidi").net.state_dict().items())


def test_bn_leaves_a_model_alone_on_pictures_like_its_own(model):
    report = vidi.adapt(model, classify.toy(200, 5), intervals=50)
    assert report.about["verdict"] in ("not better", "better") and report.numbers["changed"] < 0.15 and report.numbers["shift"] < 0.1


def test_tent_lowers_entropy_and_changes_norms_alone(model, dim, tmp_path):
    bn = vidi.adapt(model, dim, intervals=0)
    tent = vidi.adapt(model, dim, method="tent(steps=20, lr=0.005)", intervals=0, out=str(tmp_path / "t.vidi"))
    assert tent.numbers["entropy.after"] < bn.numbers["entropy.after"] and tent.about["stopped"] is None
    assert tent.numbers["accuracy.after"] > tent.numbers["accuracy.before"] + 0.15
    net, old = vidi.load(tmp_path / "t.vidi").net, model.net.state_dict()
    allowed = {*scales(net), *(f"{name}.running_{part}" for name in batch_norms(net) for part in ("mean", "var"))}
    differ = {key for key, value in net.state_dict().items() if not torch.equal(value, old[key])}
    assert differ <= allowed and any(key in differ for key in scales(net))
    assert any(section.get("title") == "Entropy by step" for section in tent.sections)


@pytest.mark.parametrize("lr", [3.0, 1e6])
def test_the_guard_stops_a_collapse(model, dim, lr):
    bn = vidi.adapt(model, dim, intervals=0)
    tent = vidi.adapt(model, dim, method=f"tent(steps=20, lr={lr})", intervals=0)
    assert tent.about["stopped"] and "the guard stopped tent" in tent.text()
    assert tent.numbers["accuracy.after"] >= bn.numbers["accuracy.after"] - 0.05
    assert tent.numbers["entropy.after"] > 0.01


def test_without_the_guard_it_would_collapse(model, dim, monkeypatch):
    monkeypatch.setattr(Guard, "fault", lambda self, now: None)
    report = vidi.adapt(model, dim, method="tent(steps=20, lr=3.0)", intervals=0)
    assert report.numbers["accuracy.after"] < 0.5


def test_what_the_guard_says():
    start = Look([Classification.one_hot(i % 2, 2) for i in range(10)], 0.5, 1.0, 0.5)
    guard = Guard(start, 0.3)
    assert guard.fault(start) is None
    assert "no longer numbers" in guard.fault(Look())
    assert "one class takes 90%" in guard.fault(replace(start, top=0.9))
    assert "grow alike" in guard.fault(replace(start, spread=0.4))
    assert "50% of the predictions changed" in guard.fault(replace(start, labels=[Classification.one_hot(0, 2)] * 10))
    single = Guard(replace(start, top=1.0, spread=0.0), 0.3)
    assert single.fault(replace(start, top=1.0, spread=0.0)) is None, "pictures of one class from the start are no collapse"


def test_share_of_changed_predictions():
    empty, box = Detections.empty(), Detections(np.array([[0.0, 0, 4, 4]]), np.array([0.9]), np.array([0]))
    assert changed([], []) is None and changed([empty], [empty]) == 0 and changed([empty, box], [box, box]) == 0.5


def test_unreliable_pictures_are_not_learned_from(model, dim):
    some = unlabeled(dim.with_samples(dim.samples[:60]))
    still = vidi.adapt(model, some, method="tent(steps=5, lr=0.1, reliable=0)")
    bn = vidi.adapt(model, some)
    assert still.numbers["entropy.after"] == pytest.approx(bn.numbers["entropy.after"], abs=1e-6) and still.about["stopped"] is None


def test_group_norms_can_be_tented():
    net, images = plain(nn.GroupNorm(2, 4)), levels(24)
    with pytest.raises(InputError, match="no batch norm") as refused:
        make_adapter("bn").adapt(net, pictures_of(images))
    assert "tent" in refused.value.fix
    before = {key: value.clone() for key, value in net.state_dict().items()}
    changes = make_adapter("tent(steps=4, lr=0.01, drift=1)").adapt(net, pictures_of(images))
    assert {key for key, value in net.state_dict().items() if not torch.equal(value, before[key])} <= {"norm.weight", "norm.bias"}
    assert not changes.layers and all(p.requires_grad and p.grad is None for p in net.parameters())


def test_verdicts():
    assert verdict((0.1, 0.02, 0.2), True) == "better" and verdict((0.1, 0.02, 0.2), False) == "worse"
    assert verdict((-0.1, -0.2, -0.02), False) == "better" and verdict((0.1, -0.02, 0.2), True) == "not better"
    assert verdict((None, None, None), True) == "not better" and verdict((0.1, None, None), True) == "not better"


# -- every task, refusals, files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", FAMILIES)
def test_every_task(task, tmp_path):
    name, options = FAMILIES[task]
    described = load("tasks", task).task
    data = described.toy(12, 0)
    torch.manual_seed(0)
    net = build_net(name, described.head, data.space, options)
    side = data[0].inputs["image"].shape[0]
    made = Model(net, make_card(net, task=task, name=name, options=options, head=described.head, preprocess=Preprocess((side, side))))
    report = vidi.adapt(made, data, out=str(tmp_path / "bn.vidi"), intervals=10, batch=6)
    assert report.numbers["shift"] > 0 and f"{described.primary}.after" in report.numbers and report.about["verdict"]
    assert vidi.load(tmp_path / "bn.vidi").card.task == task
    if deciding(net.kinds) is None:
        with pytest.raises(InputError, match="no entropy") as refused:
            vidi.adapt(made, data, method="tent")
        assert "method=bn" in refused.value.fix
    else:
        told = vidi.adapt(made, data, method="tent(steps=2)", intervals=0, batch=6).numbers
        assert 0 <= told["entropy.after"] <= 1 and 0 <= told["changed"] <= 1


def test_a_net_without_norms_is_refused():
    space = Space("Classification", ("a", "b"))
    net = build_net("vgg", "softmax", space, {"bn": False, "width": 4})
    made = Model(net, make_card(net, task="classify", name="vgg", options={"bn": False, "width": 4}, head="softmax", preprocess=Preprocess((32, 32))))
    for method in names("methods/adapt"):
        with pytest.raises(InputError) as refused:
            vidi.adapt(made, classify.toy(4, 0), method=method)
        assert "augmentations" in refused.value.fix


@pytest.mark.parametrize("method, error", [
    ("bm", ChoiceError), ("bn(prior=-1)", InputError), ("bn(strength=2)", InputError), ("tent(steps=0)", InputError), ("tent(lr=fast)", InputError),
    ("tent(drift=2)", InputError),
])  # fmt: skip
def test_methods_and_settings_that_are_refused(model, dim, method, error):
    with pytest.raises(error):
        vidi.adapt(model, dim, method=method)


def test_folders_globs_and_lists_of_pictures(model, dim, tmp_path):
    for i, sample in enumerate(dim.samples[:12]):
        Image.fromarray(sample.inputs["image"]).save(tmp_path / f"{i}.png")
    want = None
    for source in (tmp_path, str(tmp_path / "*.png"), [sample.inputs["image"] for sample in dim.samples[:12]]):
        report = vidi.adapt(model, source)
        assert "accuracy.after" not in report.numbers and report.about["samples"] == 12 and report.about["verdict"] is None
        assert any("few" in note for note in report.about["notes"])
        want = want or report.numbers["shift"]
        assert report.numbers["shift"] == pytest.approx(want, rel=0.2)  # folders are read in the order of names
    with pytest.raises(DataError):
        vidi.adapt(model, tmp_path / "none")
    with pytest.raises(DataError, match="no pictures"):
        vidi.adapt(model, dim.with_samples([]))


def test_labels_of_another_kind_do_not_stand_in_the_way(model):
    other = load("tasks", "regress").task.toy(20, 0)
    report = vidi.adapt(model, other)
    assert any(note.startswith("not scored") for note in report.about["notes"]) and report.about["verdict"] is None


def test_the_old_file_is_never_lost_and_a_broken_gate_leaves_none(model, dim, tmp_path):
    file = model.save(tmp_path / "old.vidi")
    with pytest.raises(InputError, match="old model would be lost"):
        vidi.adapt(file, unlabeled(dim), out=str(file))
    report = vidi.adapt(file, unlabeled(dim), out=str(tmp_path / "new.vidi"), gate=["changed<=0"])
    assert report.about["refused"] and not (tmp_path / "new.vidi").exists()
    assert vidi.adapt(file, unlabeled(dim), out=str(tmp_path / "new.vidi"), limit=50).about["samples"] == 50
    assert (tmp_path / "new.vidi").exists()


def test_on_the_command_line(model, dim, tmp_path, capsys):
    from vidi.cli.main import main

    file = model.save(tmp_path / "old.vidi")
    folder = tmp_path / "dim"
    folder.mkdir()
    for i, sample in enumerate(dim.samples[:20]):
        Image.fromarray(sample.inputs["image"]).save(folder / f"{i}.png")
    assert main(["adapt", str(file), str(folder), "--method", "tent(steps=2)", "--out", str(tmp_path / "new.vidi"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kind"] == "adapt" and told["about"]["file"].endswith("new.vidi") and told["numbers"]["entropy.before"] > 0
    assert main(["adapt", str(file), str(folder), "--method", "bn(prior=x)"]) == 2
