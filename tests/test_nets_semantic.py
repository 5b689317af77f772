"""Semantic nets keep the contract; their parts equal torchvision's; losses, dilation and settings do what they say."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vidi.core.discovery import load, names
from vidi.core.space import Space
from vidi.errors import ChoiceError, RecipeError
from vidi.labels import Segmentation
from vidi.nets import _transfer, deeplab, fcn, lraspp, resnet, unet
from vidi.nets._adopt import adopt
from vidi.nets.blocks.aspp import ASPP
from vidi.nets.blocks.assemble import create_backbone
from vidi.nets.blocks.dilate import dilated
from vidi.nets.blocks.pixels import thinned
from vidi.nets.blocks.unet_decoder import block_strides
from vidi.nets.losses._base import Sum, View, truth_maps
from vidi.testing import segmenter
from vidi.testing.net import NotConforming
from vidi.testing.segmenter import check_segmenter, toy_maps

SPACE = Space("Segmentation", ("ground", "dim", "bright"))
NARROW = "resnet(width=8)"


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(
    "name, options",
    [
        ("unet", {"backbone": NARROW, "gates": True, "deep": True, "widths": [8, 8, 12, 16]}),
        ("unet", {"backbone": "classic", "width": 4, "depth": 2, "export": False, "loss": "ohem+focal_dice"}),
        ("fcn", {"backbone": NARROW, "width": 16}),
        ("deeplab", {"backbone": NARROW, "width": 8, "low": 8}),
        ("lraspp", {"backbone": "mobilenet(width=0.1)", "width": 8, "attention": "se", "in_channels": 1, "export": False}),
    ],
    ids=["unet", "classic", "fcn", "deeplab", "lraspp"],
)
def test_conforms(name, options):
    check_segmenter(name, side=48, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, options",
    [
        ("unet", {"backbone": "classic", "width": 4, "depth": 3, "gates": True, "deep": True, "loss": "ce(weights=balanced)+lovasz"}),
        ("unet", {"backbone": NARROW, "finest": 1, "loss": "dice+0.5*boundary"}),
        ("unet", {"backbone": "timm(name=test_resnet)", "loss": "focal+tversky(power=0.75)"}),
        ("unet", {"backbone": "vgg(width=4)", "attention": "cbam"}),
        ("unet", {"backbone": "efficientnet(variant=lite0)", "deep": True}),
        ("unet", {"backbone": "resnet(width=8, stem=small)"}),
        ("fcn", {"backbone": NARROW, "stride": 32, "upsample": "bilinear"}),
        ("fcn", {"backbone": "vgg(width=4)", "stride": 16}),
        ("deeplab", {"backbone": NARROW, "width": 8, "decoder": False, "narrow": False, "output_stride": 8}),
        ("deeplab", {"backbone": "efficientnet(variant=lite0)", "width": 8, "narrow": True}),
        ("lraspp", {"backbone": NARROW, "output_stride": 8}),
    ],
)
def test_conforms_and_exports(name, options):
    check_segmenter(name, side=48, **options)


def test_kit_finds_what_is_broken():
    make = load("nets", "fcn").net
    image, labels = toy_maps(2, 32)
    net = make(SPACE, backbone=NARROW, width=8)
    whole = net.loss
    net.loss = lambda raw, labels: {key: part + part.mean() for key, part in whole(raw, labels).items()}
    with pytest.raises(NotConforming, match="among others"):
        segmenter.check_losses_apart(net, {"image": image}, labels)


def test_deeplab_learns_squares():
    image, labels = toy_maps(8, 48)
    net = deeplab.net(SPACE, backbone=NARROW, width=16, low=8, dropout=0)
    net.prepare({"image": image})
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        sum(net.loss(net({"image": image}), labels).values()).mean().backward()
        optimizer.step()
    found = net.decode({key: value.detach() for key, value in net({"image": image}).items()})
    assert np.mean([one.agreement(label) for one, label in zip(found, labels)]) > 0.7


# -- parts against torchvision --------------------------------------------------------------------------------------------


def copied(ours, theirs):
    """Their tensors put into our module in order."""
    mine, other = ours.state_dict(), list(theirs.state_dict().values())
    assert [tuple(value.shape) for value in mine.values()] == [tuple(value.shape) for value in other]
    ours.load_state_dict(dict(zip(mine, other)))


def stirred(module):
    for value in module.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) * 0.5 + 0.1 * torch.randn_like(value).abs())
    return module


@torch.no_grad()
def test_aspp_equals_torchvision():
    theirs = stirred(pytest.importorskip("torchvision").models.segmentation.deeplabv3.ASPP(12, [3, 6, 9], 8)).eval()
    ours = ASPP(12, 8, (3, 6, 9)).eval()
    copied(ours, theirs)
    x = torch.randn(2, 12, 17, 13)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_lraspp_head_equals_torchvision():
    theirs = stirred(pytest.importorskip("torchvision").models.segmentation.lraspp.LRASPPHead(16, 64, 3, 8)).eval()
    net = lraspp.net(SPACE, backbone=NARROW, width=8).eval()
    copied(torch.nn.ModuleList([net.neck, net.head.fine, net.head.coarse]), theirs)
    low, high = torch.randn(2, 16, 12, 9), torch.randn(2, 64, 6, 5)
    found = net.head(net.neck([low, low, low, low, high], low))[0]
    torch.testing.assert_close(found, theirs({"low": low, "high": high}), rtol=1e-5, atol=1e-5)


# -- dilation -------------------------------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("text", [NARROW, "resnet(depth=50, width=8)", "mobilenet(width=0.25)", "csp(width=0.1)", "timm(name=test_resnet)"])
@pytest.mark.parametrize("stride", [8, 16])
def test_dilated_maps_hold_the_plain_ones(text, stride):
    plain, dense = create_backbone(text).eval(), create_backbone(text).eval()
    dense.load_state_dict(plain.state_dict())
    assert dilated(dense, stride) is dense
    assert dense.strides == tuple(min(one, stride) for one in plain.strides)
    if text.startswith("csp"):  # its pyramid pooling looks at neighbors, which are others now
        return
    x = torch.randn(1, 3, 96, 128)
    for before, after, old in zip(plain(x), dense(x), plain.strides):
        step = max(1, old // stride)
        torch.testing.assert_close(after[:, :, ::step, ::step], before, rtol=1e-4, atol=1e-4)


def test_dilation_equals_that_of_torchvision():
    models = pytest.importorskip("torchvision").models
    theirs = models.resnet50(replace_stride_with_dilation=[False, True, True]).eval()
    ours = dilated(resnet.backbone(depth=50), 8).eval()
    ours.load_state_dict({name: value for name, value in theirs.state_dict().items() if not name.startswith("fc.")})
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        ours_last = ours(x)[-1]
        for part in (theirs.conv1, theirs.bn1, theirs.relu, theirs.maxpool, theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4):
            x = part(x)
    assert x.shape == (1, 2048, 8, 8)
    torch.testing.assert_close(ours_last, x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("text", ["densenet(growth=4, blocks=[1, 1, 1, 1])", "vgg(width=4)", "timm(name=test_convnext)"])
def test_backbones_that_cannot_be_dilated_are_refused(text):
    with pytest.raises(RecipeError, match="output_stride"):
        dilated(create_backbone(text), 8)


def test_coarse_enough_backbones_stay():
    body = create_backbone("resnet(width=8, stem=small)")
    assert dilated(body, 16).strides == (1, 2, 4, 8)


# -- losses ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names("nets/losses"))
def test_losses_pull_toward_the_truth(name):
    truth = torch.randint(-1, 3, (3, 12, 12), generator=torch.Generator().manual_seed(0)).repeat_interleave(2, 1)
    logits = torch.zeros(3, 3, 24, 12, requires_grad=True)
    part, optimizer = Sum(name, 3), torch.optim.Adam([logits], lr=0.3)
    for _ in range(30):
        optimizer.zero_grad()
        part(View(logits, truth))[name].sum().backward()
        optimizer.step()
    known = truth >= 0
    assert (logits.argmax(1) == truth)[known].float().mean() > 0.95
    assert not logits.detach().permute(0, 2, 3, 1)[~known].any()


def test_sums_of_losses():
    truth = torch.randint(0, 3, (2, 8, 8))
    view = View(torch.randn(2, 3, 8, 8), truth)
    apart = {name: Sum(name, 3)(view)[name] for name in ("ce", "dice")}
    both = Sum("2*ce + 0.5*dice(smooth=1)", 3)(view)
    torch.testing.assert_close(both, {"ce": 2 * apart["ce"], "dice": 0.5 * apart["dice"]})
    torch.testing.assert_close(Sum("tversky(false_positive=0.5, false_negative=0.5, smooth=0.5)", 3)(view)["tversky"], apart["dice"])
    torch.testing.assert_close(Sum("focal(gamma=0)", 3)(view)["focal"], apart["ce"])


@pytest.mark.parametrize(
    "text", ["", "ce+", "ce+ce", "2ce", "dice(width=3)", "ce(weights=[1, 2])", "ce(weights=[0, 0, 0])", "ce(weights=heavy)", "focal(gamma=-1)",
             "ohem(threshold=2)", "ce(1)", "focal_dice(beta=x)"],
)  # fmt: skip
def test_wrong_losses_are_refused(text):
    with pytest.raises((RecipeError, ChoiceError)):
        Sum(text, 3)


def test_balanced_weights():
    net = fcn.net(SPACE, backbone=NARROW, width=8, loss="ce(weights=balanced)+dice")
    classes = np.zeros((10, 10), np.int32)
    classes[0, :10], classes[1] = 2, 255
    part = net.head.criterion.parts["ce"]
    net.fit_labels([])
    assert part.weights.tolist() == [1, 1, 1]
    net.fit_labels([Segmentation(classes).packed()])
    torch.testing.assert_close(part.weights, torch.tensor([90 / 160, 1, 90 / 20]))
    image = torch.rand(1, 3, 10, 10)
    raw = net.eval()({"image": image})
    truth = torch.from_numpy(classes.astype(np.int64))[None]
    expected = F.cross_entropy(raw["pixels"], truth, part.weights, ignore_index=255, reduction="sum") / 90
    torch.testing.assert_close(net.loss(raw, [Segmentation(classes)])["ce"][0], expected)
    other = fcn.net(SPACE, backbone=NARROW, width=8, loss="ce(weights=balanced)+dice")
    other.load_state_dict(net.state_dict())
    assert other.head.criterion.parts["ce"].weights[2] == pytest.approx(4.5)


def test_truth_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"\(4, 5\)"):
        truth_maps([Segmentation(np.zeros((4, 5)))], (5, 5), 2)


# -- settings and parts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, options",
    [
        (unet.net, {"head": "boxes"}),
        (unet.net, {"width": 16}),
        (unet.net, {"finest": 4}),
        (unet.net, {"widths": [8, 8]}),
        (unet.net, {"backbone": "classic", "depth": 0}),
        (fcn.net, {"stride": 4}),
        (fcn.net, {"upsample": "nearest"}),
        (deeplab.net, {"output_stride": 4}),
        (deeplab.net, {"backbone": "vgg(width=4)"}),
        (lraspp.net, {"backbone": "timm(name=vit_tiny_patch16_224)"}),
    ],
)
def test_wrong_settings_are_refused(make, options):
    with pytest.raises(RecipeError):
        make(SPACE, **({"backbone": NARROW} | options))


def test_a_space_of_another_family_is_refused():
    with pytest.raises(RecipeError, match="Segmentation"):
        fcn.net(Space("Detections", ("a",)), backbone=NARROW)


def test_decoder_blocks_stand_at_all_strides():
    assert block_strides((2, 4, 8, 16, 32), 2) == [2, 4, 8, 16]
    assert block_strides((4, 8, 16, 32), 2) == [2, 4, 8, 16]
    assert block_strides((2, 4, 8), 1) == [1, 2, 4]
    assert block_strides((1, 2, 4, 8), 2) == [2, 4]
    assert block_strides((16,), 1) == [1]


def test_fcn_starts_as_bilinear_interpolation():
    double = fcn.bilinear_doubling(3)
    x = torch.randn(2, 3, 6, 5)
    found, expected = double(x), F.interpolate(x, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(found[:, :, 1:-1, 1:-1], expected[:, :, 1:-1, 1:-1])


def test_deep_supervision_reads_the_middles_of_cells():
    truth = torch.arange(35).view(1, 5, 7)
    assert thinned(truth, 4, (2, 2)).tolist() == [[[16, 20], [-1, -1]]]
    net = unet.net(SPACE, backbone=NARROW, deep=True, widths=[4, 4, 4, 4])
    image, labels = toy_maps(1, 33)
    raw = net({"image": image})
    assert {key: kind for key, kind in net.kinds.items() if kind == "aux"}.keys() == {"pixels_at_4", "pixels_at_8", "pixels_at_16", "features"}
    assert raw["pixels_at_16"].shape == (1, 3, 4, 4)
    assert set(net.loss(raw, labels)) == {"ce", "dice", "deep"}


def test_gates_begin_between_closed_and_open():
    gated, plain = (unet.net(SPACE, backbone=NARROW, gates=gates) for gates in (True, False))
    assert sum(parameter.numel() for parameter in gated.parameters()) > sum(parameter.numel() for parameter in plain.parameters())
    seen = []
    for module in gated.modules():
        if type(module).__name__ == "AttentionGate":
            module.score.register_forward_hook(lambda module, inputs, output: seen.append(output.detach().sigmoid()))
    gated({"image": torch.rand(2, 3, 64, 64)})
    assert len(seen) == 3
    assert all(0 < float(one.min()) <= float(one.max()) < 1 for one in seen)


def test_transfer_freezing_and_layer_decay():
    body, net = resnet.backbone(width=8), unet.net(SPACE, backbone=NARROW)
    result = adopt(net, body.state_dict())
    assert all(torch.equal(value, net.backbone.state_dict()[name]) for name, value in body.state_dict().items())
    assert not result.unexpected
    assert _transfer.freeze(net, "backbone") == ["stem", "layer1", "layer2", "layer3", "layer4"]
    rates = [group["lr"] for group in _transfer.parameter_groups(net, 1.0, 0.1, layer_decay=0.5) if group["name"].endswith(" weights")]
    assert rates[-1] == 1.0 and rates == sorted(rates)
    more = unet.net(Space("Segmentation", ("a", "b", "c", "d", "e")), backbone=NARROW)
    adopted = adopt(more, net.state_dict(), head=False)
    assert not adopted.mismatched
    assert torch.equal(more.neck.blocks[0].mix[0][0].weight, net.neck.blocks[0].mix[0][0].weight)


def test_one_picture_of_one_cell_trains():
    net = deeplab.net(SPACE, backbone="mobilenet(width=0.1)", width=8, low=8).train()
    raw = net({"image": torch.rand(1, 3, 32, 32)})
    sum(net.loss(raw, [Segmentation(np.zeros((32, 32)))]).values()).mean().backward()
    assert all(bool(parameter.grad.isfinite().all()) for parameter in net.parameters() if parameter.grad is not None)
