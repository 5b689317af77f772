"""Every net keeps the contract; stages, attention, pooling and options do what they say."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vidi.core.discovery import names
from vidi.core.space import Space
from vidi.errors import ChoiceError, RecipeError
from vidi.labels import Classification
from vidi.nets import densenet, mobilenet, parts, resnet, small, vgg
from vidi.nets.blocks.assemble import create_backbone
from vidi.nets.blocks.attention import ATTENTIONS, create_attention, insert_attention
from vidi.nets.blocks.cut import cut
from vidi.nets.blocks.normalize import Normalize
from vidi.nets.blocks.pool import POOLS, create_pool
from vidi.testing.net import NotConforming, check_net

CLASSES = Space("Classification", ("a", "b", "c", "d"))
DETECTORS = {"faster_rcnn", "fcos", "retinanet", "ssd", "yolo", "mask_rcnn"}
SEGMENTERS = {"unet", "fcn", "deeplab", "lraspp"}  # tried in test_nets_one_stage and test_nets_two_stage
SMALLEST = {
    "csp": {"width": 0.0625},
    "densenet": {"growth": 4, "blocks": (2, 2), "stem": "small"},
    "efficientnet": {"variant": "lite0"},
    "mobilenet": {"width": 0.25, "stem": "small"},
    "parts": {"backbone": "resnet(width=8)", "parts": 3},
    "resnet": {"width": 8},
    "small": {"widths": (8, 12)},
    "timm": {"name": "test_resnet"},
    "vgg": {"width": 8},
}
TINY = Path(__file__).parent.parent / "examples" / "nets" / "tiny.py"


def test_every_net_is_tried():
    assert set(SMALLEST) | DETECTORS | SEGMENTERS == set(names("nets"))


@pytest.mark.parametrize("name", sorted(set(SMALLEST) - {"efficientnet"}))
def test_conforms(name):
    check_net(name, export=name == "small", **SMALLEST[name])


@pytest.mark.parametrize("options", [{"depth": 3, "in_channels": 1}, {"whiten": False}], ids=str)
def test_small_variants_conform(options):
    check_net("small", widths=(8, 12), export=False, side=28, **options)


def test_bottlenecks_with_attention_conform():
    check_net("resnet", width=4, depth=50, stem="small", attention="se@stages", pool="gem", export=False, heads=("softmax",))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SMALLEST))
def test_conforms_and_exports(name):
    check_net(name, heads=("softmax",), **SMALLEST[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["test_vit", "test_efficientnet", "test_convnext", "test_vit2", "regnetx_002"])
def test_library_designs_conform(name):
    check_net("timm", name=name, side=160 if "vit" in name else 64, heads=("softmax",))


def test_net_by_path_conforms():
    check_net(str(TINY), width=4, export=False)


def test_broken_net_is_named(tmp_path):
    source = TINY.read_text() + '\n\nclass Odd(Pooled):\n    def stages(self):\n        return {"head": self.head}\n'
    (tmp_path / "odd.py").write_text(source.replace("return Pooled(", "return Odd("))
    with pytest.raises(NotConforming, match="every parameter belongs to a stage"):
        check_net(str(tmp_path / "odd.py"), heads=("softmax",), export=False)


@pytest.mark.parametrize("side", [8, 15, 28, 32])
@pytest.mark.parametrize(
    "make",
    [
        lambda: small.backbone(widths=(8, 8, 8)),
        lambda: vgg.backbone(width=8),
        lambda: densenet.backbone(growth=4, blocks=(1, 1, 1, 1)),
        lambda: mobilenet.backbone(width=0.25),
        lambda: resnet.backbone(width=8, stem="small"),
    ],
    ids=["small", "vgg", "densenet", "mobilenet", "resnet"],
)
def test_pyramids(make, side):
    body = make().eval()
    maps = body(torch.rand(2, 3, side, side + 3))
    assert tuple(level.shape[1] for level in maps) == body.channels
    assert len(maps) == len(body.strides) and list(body.strides) == sorted(set(body.strides))
    assert all(min(level.shape[2:]) >= 1 for level in maps)


def test_strides_are_true():
    for body in (
        vgg.backbone(width=8),
        densenet.backbone(growth=4, blocks=(1, 1, 1, 1)),
        resnet.backbone(width=8),
        mobilenet.backbone(width=0.25),
    ):
        maps = body.eval()(torch.rand(1, 3, 64, 64))
        assert [64 // level.shape[2] for level in maps] == list(body.strides)


@pytest.mark.parametrize(
    "module, bad",
    [
        (resnet, {"depth": 20}),
        (resnet, {"stem": "big"}),
        (vgg, {"depth": 12}),
        (densenet, {"depth": 7}),
        (mobilenet, {"width": 0}),
        (small, {"depth": 4}),
        (small, {"widths": ()}),
    ],
)
def test_options_out_of_range_are_refused(module, bad):
    with pytest.raises(RecipeError):
        module.backbone(**bad)


def test_heads_refuse_other_labels():
    for space, head in (
        (CLASSES, "regression"),
        (CLASSES, "sigmoid"),
        (Space("Regression", ("a",)), "softmax"),
        (Space("Classification"), "softmax"),
    ):
        with pytest.raises(RecipeError):
            small.net(space, head, widths=(8,))


def test_whitening_decorrelates():
    torch.manual_seed(0)
    pictures = nn.functional.avg_pool2d(torch.rand(64, 3, 18, 18), 3, 1)
    net = small.net(CLASSES, "softmax", widths=(8,))
    net.prepare({"image": pictures})
    body = net.normalize(pictures)
    assert body.mean((0, 2, 3)).abs().max() < 1e-4 and (body.std((0, 2, 3)) - 1).abs().max() < 1e-3
    patches = net.backbone.stem(body).transpose(0, 1).flatten(1)[:12]
    assert (torch.cov(patches) - torch.eye(12)).abs().max() < 0.15
    assert "backbone.stem.weight" not in dict(net.named_parameters())
    assert "backbone.stem.weight" in net.state_dict()


def test_whitening_survives_gray_and_constant_pictures():
    gray = torch.rand(32, 1, 12, 12).expand(-1, 3, -1, -1)
    for pictures in (gray, torch.full((4, 3, 12, 12), 0.5)):
        net = small.net(CLASSES, "softmax", widths=(8,))
        net.prepare({"image": pictures})
        assert net.eval()({"image": pictures})["logits"].isfinite().all()
    assert net.backbone.stem.weight.abs().max() < 1e3


def test_small_starts_as_identity_and_has_the_published_size():
    body = small.backbone()
    conv = body.blocks[1].convs[1].weight
    assert torch.equal(conv[:, :, 1, 1], torch.eye(256)) and conv.abs().sum() == 256
    count = sum(
        parameter.numel() for parameter in small.net(Space("Classification", tuple("abcdefghij")), "softmax").parameters()
    )
    # airbench94 counts 1 972 792 with its fixed 24×3×2×2 whitening weights and fixed batch-norm scales.
    assert count == 24 + 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256) + 2 * (64 + 256 + 256) + 2560
    net = small.net(CLASSES, "softmax", widths=(8,))
    assert net.head.scale == pytest.approx(1 / 9) and net.head.linear.bias is None
    assert small.net(Space("Regression", ("a",)), "regression", widths=(8,)).head.linear.bias is not None


def test_normalize_fits_and_is_saved():
    x = torch.rand(4, 3, 5, 5) * 0.2 + 0.4
    layer = Normalize(3)
    layer.fit(x)
    assert torch.allclose(layer.mean.flatten(), x.mean((0, 2, 3)), atol=1e-6)
    assert torch.allclose(layer.std.flatten(), x.std((0, 2, 3), correction=0), atol=1e-6)
    layer.fit(torch.full((2, 3, 4, 4), 0.3))
    assert layer(torch.full((1, 3, 2, 2), 0.3)).abs().max() < 1e-4
    assert set(layer.state_dict()) == {"mean", "std"}


def test_attention_leaves_a_net_as_it_was():
    torch.manual_seed(0)
    x = torch.rand(2, 3, 32, 32)
    for body in (
        resnet.backbone(width=8),
        vgg.backbone(width=8),
        densenet.backbone(growth=4, blocks=(2, 2)),
        mobilenet.backbone(width=0.25),
        small.backbone(widths=(8, 8)),
    ):
        body.eval()
        before, known = [level.clone() for level in body(x)], set(body.state_dict())
        places = insert_attention(body, "se")
        assert places and all(torch.equal(a, b) for a, b in zip(before, body.eval()(x)))
        assert known <= set(body.state_dict())
        twin = copy.deepcopy(body)
        for module in twin.modules():
            if hasattr(module, "gamma"):
                module.gamma.data.fill_(1.0)
        assert not torch.allclose(before[-1], twin(x)[-1])
        assert torch.equal(before[-1], body(x)[-1])


@pytest.mark.parametrize("name", sorted(ATTENTIONS))
def test_each_attention_keeps_shape_and_learns(name):
    torch.manual_seed(0)
    for channels, side in ((16, 5), (24, 1)):
        block = create_attention(name, channels).eval()
        x = torch.rand(2, channels, side, side)
        assert torch.equal(block(x), x)
        with torch.no_grad():
            block.gamma.fill_(1.0)
        y = block(x)
        assert y.shape == x.shape and y.isfinite().all()
        y.square().sum().backward()
        assert block.gamma.grad is not None


def test_attention_places():
    body = resnet.backbone(width=8)
    assert insert_attention(copy.deepcopy(body), "eca") == [f"layer{i}.{j}" for i in range(1, 5) for j in range(2)]
    assert insert_attention(copy.deepcopy(body), "eca@stages") == [f"layer{i}.1" for i in range(1, 5)]
    assert insert_attention(copy.deepcopy(body), "eca", "layer4") == ["layer4.0", "layer4.1"]
    with pytest.raises(ChoiceError, match="did you mean cbam"):
        insert_attention(body, "cban")
    with pytest.raises(ChoiceError, match="layer1, layer2"):
        insert_attention(body, "eca@layer9")


def _formula(name, x):
    flat = x.flatten(2).double()
    mean, top = flat.mean(2), flat.amax(2)
    return {
        "avg": mean,
        "attentive": mean,
        "max": top,
        "avgmax": (mean + top) / 2,
        "catavgmax": torch.cat([mean, top], 1),
        "gem": flat.pow(3).mean(2).pow(1 / 3),
        "lse": (5 * flat).exp().mean(2).log() / 5,
        "soft": (flat * flat.exp()).sum(2) / flat.exp().sum(2),
        "stripes": F.adaptive_avg_pool2d(x.double().repeat_interleave(6, 2), (6, 1)).flatten(1),
    }[name]


@pytest.mark.parametrize("name", sorted(POOLS))
def test_pools_follow_their_formulas(name):
    x = torch.rand(3, 6, 5, 4) + 0.01
    pool, width = create_pool(name, 6)
    y = pool(x)
    assert y.shape == (3, width)
    assert torch.allclose(y.double(), _formula(name, x), atol=1e-5)
    for hard in (torch.zeros(2, 6, 1, 1), torch.full((2, 6, 3, 3), 1e4), -torch.rand(2, 6, 3, 3)):
        hard.requires_grad_()
        pool(hard).sum().backward()
        assert pool(hard).isfinite().all() and hard.grad.isfinite().all()


def test_pools_take_settings():
    x = torch.rand(2, 6, 8, 3)
    pool, width = create_pool("stripes(count=4)", 6)
    assert width == 24 and torch.allclose(pool(x), F.adaptive_avg_pool2d(x, (4, 1)).flatten(1))
    assert torch.allclose(create_pool("gem(p=1)", 6)[0](x), x.mean((2, 3)), atol=1e-5)
    with pytest.raises(RecipeError, match="at=pool value=stripes\\(rows=4\\)"):
        create_pool("stripes(rows=4)", 6)
    with pytest.raises(RecipeError, match="at least one stripe"):
        create_pool("stripes(count=0)", 6)


@pytest.mark.parametrize("name", ["resnet", "vgg", "mobilenet", "densenet", "csp", "timm"])
def test_cut_keeps_the_maps_before_it(name):
    torch.manual_seed(0)
    options = ", ".join(f"{key}={list(value) if isinstance(value, tuple) else value}" for key, value in SMALLEST[name].items())
    body, x = create_backbone(f"{name}({options})").eval(), torch.rand(1, 3, 64, 48)
    before, count = body(x), sum(p.numel() for p in body.parameters())
    idle = cut(body, 0)
    assert all(torch.equal(a, b) for a, b in zip(before[:1], body(x)))
    assert idle and sum(p.numel() for p in body.parameters()) < count
    assert not body.training and all(body.get_submodule(path) is not None for path in body.points)


def test_cut_at_the_last_map_takes_nothing_away():
    body = create_backbone("resnet(width=8)")
    assert cut(body, len(body.strides) - 1) == [] and body.training


def test_parts_has_no_empty_stages():
    net = parts.net(CLASSES, "softmax", backbone="resnet(width=8)", parts=2).eval()
    assert list(net.stages()) == ["normalize", "stem", "layer1", "layer2", "pool", "head"]
    assert net({"image": torch.rand(2, 3, 64, 32)})["features"].shape == (2, 32)


def test_parts_needs_a_map_of_the_stride():
    with pytest.raises(RecipeError, match="at=stride value=5 .*one of: 2, 4, 8, 16, 32"):
        parts.net(CLASSES, "softmax", backbone="resnet(width=8)", stride=5)


def test_unknown_pool_and_head():
    with pytest.raises(ChoiceError, match="did you mean"):
        create_pool("gemm", 4)
    with pytest.raises(ChoiceError, match="nets/heads"):
        small.net(CLASSES, "softmaxx", widths=(8,))


def test_every_option_of_the_textbook_nets():
    x = {"image": torch.rand(2, 1, 32, 32)}
    for module, options in (
        (resnet, {"width": 8}),
        (vgg, {"width": 8, "bn": False}),
        (mobilenet, {"width": 0.25}),
        (small, {"widths": (8,)}),
    ):
        made = module.net(
            CLASSES,
            "softmax",
            attention="eca",
            pool="catavgmax",
            dropout=0.3,
            in_channels=1,
            head_options={"label_smoothing": 0.1},
            **options,
        )
        raw = made.eval()(x)
        assert raw["logits"].shape == (2, 4) and raw["features"].shape[1] == 2 * made.backbone.channels[-1]
        assert made.head.label_smoothing == 0.1 and made.dropout.p == 0.3


def test_learns_a_toy():
    torch.manual_seed(0)
    side = 12
    x = torch.rand(64, 3, side, side) * 0.3
    truth = [i % 4 for i in range(64)]
    for i, k in enumerate(truth):
        x[i, :, (k // 2) * 6 : (k // 2) * 6 + 6, (k % 2) * 6 : (k % 2) * 6 + 6] += 0.6
    labels = [Classification.one_hot(k, 4) for k in truth]
    net = small.net(CLASSES, "softmax", widths=(8, 16), pool="avg", head_options={"scale": 1.0})
    net.prepare({"image": x})
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    net.train()
    for _ in range(30):
        loss = net.loss(net({"image": x}), labels)["cross_entropy"].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = [label.top for label in net.eval().decode(net({"image": x}))]
    assert sum(a == b for a, b in zip(found, truth)) >= 60
