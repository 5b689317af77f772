"""Detectors with anchors: `retinanet`, `ssd`, `faster_rcnn` and its cascade."""

import numpy as np
import pytest
import torch
import torchvision
from torch.nn import functional as F

from vidi.core.space import Space
from vidi.errors import ChoiceError, InputError, RecipeError
from vidi.labels import Detections
from vidi.model.model import build_net
from vidi.nets._adopt import adopt
from vidi.nets.blocks.roi import RoIPooler, _moved
from vidi.nets.blocks.rpn import RPN
from vidi.nets.dense.ssd import _hardest
from vidi.ops.boxes import iou_matrix
from vidi.ops.static_nms import kept_boxes
from vidi.testing.detector import check_detector

SPACE = Space("Detections", ("red", "green"))
TINY = {"backbone": "resnet(width=8)", "width": 32}
SHORT = {"proposals": 40, "candidates": 40}
# the kit turns losses into numbers without detaching them, and the box heads' have a gradient even from detached raw outputs
pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad:UserWarning")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(name: str, **options):
    torch.manual_seed(0)
    return build_net(name, "boxes", SPACE, TINY | options)


def scenes(count: int, side: int = 64, seed: int = 0) -> tuple[torch.Tensor, list[Detections]]:
    """Gray pictures with one or two red or green boxes on them."""
    random = np.random.default_rng(seed)
    pictures, labels = random.normal(0.5, 0.03, (count, 3, side, side)).astype(np.float32), []
    for i, picture in enumerate(pictures):
        boxes, classes = [], []
        for part in range(1 + i % 2):
            width, height = random.integers(14, 26, 2)
            x, y = part * side // 2 + int(random.integers(0, side // 2 - width + 1)), int(random.integers(0, side - height))
            kind = int(random.integers(2))
            picture[:, y : y + height, x : x + width] = 0.1
            picture[kind, y : y + height, x : x + width] = 0.95
            boxes.append([x, y, x + width, y + height])
            classes.append(kind)
        labels.append(Detections(boxes, classes=classes))
    return torch.from_numpy(pictures).clip(0, 1), labels


def total(net, raw, labels) -> torch.Tensor:
    return torch.stack(list(net.loss(raw, labels).values())).sum(0)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("retinanet", {}),
        ("retinanet", {"head_options": {"box_loss": "giou", "light": True}, "neck": "bifpn"}),
        ("ssd", {}),
        ("ssd", {"lite": True}),
        ("ssd", {"backbone": "vgg(width=8)", "neck": "ssd(atrous=32)"}),
        ("faster_rcnn", SHORT),
        ("faster_rcnn", SHORT | {"cascade": True}),
        ("faster_rcnn", SHORT | {"agnostic": False, "trunk": "conv", "light": False, "finest": 8}),
        ("faster_rcnn", SHORT | {"backbone": "small(widths=[8, 8, 16])"}),
    ],
)
def test_the_kit(name, options):
    check_detector(name, export=options in ({}, SHORT) or "cascade" in options, **(TINY | options))


@pytest.mark.parametrize(("name", "options"), [("retinanet", {}), ("ssd", {}), ("faster_rcnn", SHORT)])
def test_a_few_pictures_are_learned(name, options):
    image, labels = scenes(8)
    net = make(name, **(options | {"backbone": "resnet(width=16)"}))
    net.prepare({"image": image})
    net.fit_labels(labels)
    optimizer, steps = torch.optim.AdamW(net.parameters(), 3e-3), 60
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 3e-3 * min(1.0, (step + 1) / 5) * (1 - 0.95 * step / steps)
        loss = total(net, net({"image": image}), labels).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == 0:
            first = float(loss.detach())
    assert float(loss.detach()) < 0.2 * first
    net.eval()
    with torch.no_grad():
        found = net.decode(net({"image": image}))
    for label, one in zip(labels, found):
        best = one[: len(label)]
        overlap = iou_matrix(label.boxes, best.boxes) * (label.classes[:, None] == best.classes[None])
        assert (overlap.max(1) > 0.5).all()


def test_other_backbones_and_attention():
    image, labels = scenes(2)
    for options in ({"backbone": "timm(name=test_convnext)"}, {"backbone": "mobilenet(width=0.1)", "attention": "eca@stages"}):
        for name in ("retinanet", "ssd", "faster_rcnn"):
            net = make(name, **options).eval()
            with torch.no_grad():
                assert total(net, net({"image": image}), labels).isfinite().all()
    gray = make("faster_rcnn", in_channels=1).eval()
    assert len(gray.decode(gray({"image": image[:, :1]}))) == 2


def test_published_weights_find_the_backbone():
    state = torchvision.models.resnet18(num_classes=2).state_dict()
    net = build_net("faster_rcnn", "boxes", SPACE, {"backbone": "resnet", "width": 16})
    adopted = adopt(net, state)
    assert sum(name.startswith("backbone.") for name in adopted.loaded) == len(state) - 2


def test_half_precision_is_finite():
    image, labels = scenes(2)
    for name in ("retinanet", "ssd", "faster_rcnn"):
        net = make(name)
        with torch.autocast("cpu", torch.bfloat16):
            raw = net({"image": image})
        loss = total(net, raw, labels)
        assert loss.dtype == torch.float32 and loss.isfinite().all()
        loss.sum().backward()
        assert len(net.decode(raw)) == 2


def test_loss_draws_no_random_numbers():
    image, labels = scenes(3)
    for name in ("ssd", "faster_rcnn"):
        net = make(name)
        raw = net({"image": image})
        before = torch.get_rng_state()
        once, twice = total(net, raw, labels), total(net, raw, labels)
        assert torch.equal(torch.get_rng_state(), before) and torch.equal(once, twice)


@pytest.mark.parametrize("name", ["retinanet", "ssd", "faster_rcnn"])
def test_what_is_said_inside_a_crowd_costs_nothing(name):
    image, labels = scenes(1)
    net = make(name).eval()
    with torch.no_grad():
        raw = net({"image": image})
    crowd = Detections([*labels[0].boxes, [0, 0, 64, 64]], classes=[*labels[0].classes, 0], crowd=[False] * len(labels[0]) + [True])
    keys = [key for key in raw if key in ("objectness", "logits", "logits0")]
    raw = {key: value.clone().requires_grad_(key in keys) for key, value in raw.items()}
    for truth, some in ((labels[0], True), (crowd, False)):
        for key in keys:
            raw[key].grad = None
        total(net, raw, [truth]).sum().backward()
        learned = raw["objectness" if name == "faster_rcnn" else "logits"].grad
        places = learned[0] != 0 if name == "faster_rcnn" else (learned[0].abs().sum(0 if name == "ssd" else 1) > 0)
        inside = ((raw["anchors"][0] >= 0) & (raw["anchors"][0] <= 64)).all(1)
        outward = iou_matrix(raw["anchors"][0].detach().numpy(), labels[0].boxes).max(1) < 0.3
        background = inside & torch.from_numpy(outward)
        assert bool(places[background].any()) == some


# -- parts --------------------------------------------------------------------------------------------------------


def pyramid(strides=(4, 8, 16, 32), side: int = 128) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    return [torch.randn(2, 6, side // stride, side * 2 // stride, generator=random) for stride in strides]


@pytest.mark.parametrize("samples", [1, 2])
def test_pooling_equals_torchvision(samples):
    strides, maps = (4, 8, 16, 32), pyramid()
    random = torch.Generator().manual_seed(1)
    low = torch.rand(2, 60, 2, generator=random) * torch.tensor([200.0, 100.0])
    high = torch.minimum(low + torch.rand(2, 60, 2, generator=random) ** 3 * 250, torch.tensor([256.0, 128.0]))
    boxes = torch.cat([low, high], 2)
    got = RoIPooler(strides, 7, samples)(maps, boxes)
    oracle = torchvision.ops.MultiScaleRoIAlign(["0", "1", "2", "3"], 7, samples)
    oracle.scales, oracle.map_levels = [1 / s for s in strides], torchvision.ops.poolers.initLevelMapper(2, 5)
    pooler = RoIPooler(strides, 7, samples)
    for i in range(2):
        assert torch.equal(pooler.level(boxes[i]), oracle.map_levels([boxes[i]]))
        for k in range(60):
            level = int(pooler.level(boxes[i, k]))
            one = torchvision.ops.roi_align(maps[level][i : i + 1], [boxes[i, k : k + 1]], 7, 1 / strides[level], samples, True)
            assert torch.allclose(got[i, k], one[0], atol=1e-4)


def test_pooling_of_nothing_of_points_and_of_one_level():
    pooler = RoIPooler((8,))
    maps = [torch.randn(2, 6, 4, 4)]
    assert pooler(maps, torch.zeros(2, 0, 4)).shape == (2, 0, 6, 7, 7)
    point = pooler(maps, torch.full((2, 1, 4), 4.0))
    assert torch.allclose(point, maps[0][:, None, :, :1, :1].expand(2, 1, 6, 7, 7), atol=1e-5)
    assert RoIPooler((8,))([torch.randn(1, 6, 1, 1)], torch.tensor([[[0.0, 0, 8, 8]]])).isfinite().all()


def test_proposals_are_the_best_of_each_level():
    torch.manual_seed(0)
    rpn = RPN(8, (8, 16), [[(16.0, 16.0)], [(32.0, 32.0)]], candidates=20, proposals=12)
    maps = [torch.randn(2, 8, 8, 8), torch.randn(2, 8, 4, 4)]
    raw = {key: value.detach() for key, value in rpn(maps, 64, 64).items()}
    assert raw["proposals"].shape == (2, 12, 4)
    for i in range(2):
        boxes, scores = [], []
        for part in (slice(0, 64), slice(64, 80)):
            best = raw["objectness"][i, part].topk(min(20, part.stop - part.start)).indices
            offsets, anchors = raw["rpn_offsets"][i, part][best], raw["anchors"][i, part][best]
            middle = (anchors[:, :2] + anchors[:, 2:]) / 2 + offsets[:, :2] * (anchors[:, 2:] - anchors[:, :2])
            half = offsets[:, 2:].exp() * (anchors[:, 2:] - anchors[:, :2]) / 2
            boxes.append(torch.cat([middle - half, middle + half], 1).clamp(0, 64))
            scores.append(raw["objectness"][i, part][best])
        kept = torchvision.ops.nms(torch.cat(boxes), torch.cat(scores), 0.7)[:12]
        wanted = {tuple(row) for row in torch.cat(boxes)[kept].mul(100).round().int().tolist()}
        assert {tuple(row) for row in raw["proposals"][i].mul(100).round().int().tolist()} == wanted


def test_proposals_are_as_many_as_fit():
    rpn = RPN(8, (16,), [[(16.0, 16.0)]], proposals=100)
    assert rpn([torch.randn(1, 8, 2, 3)], 32, 48)["proposals"].shape == (1, 6, 4)


def test_moved_copies_stay_near():
    assert _moved(torch.zeros(0, 4), 8).shape == (0, 4)
    boxes = torch.tensor([[10.0, 20, 30, 60], [0, 0, 5, 5]])
    copies = _moved(boxes, 32)
    assert len(copies) == 8 and torch.equal(copies[:2], boxes)
    assert torchvision.ops.box_iou(copies, boxes).amax(1).min() > 0.7
    many = torch.arange(400.0).view(100, 4)
    assert len(_moved(many, 32)) == 32 and len(_moved(many[:20], 32)) == 32
    assert len({tuple(row) for row in _moved(many, 32).tolist()}) == 32


def test_mining_takes_the_hardest_negatives():
    losses = torch.tensor([[0.5, 0.1, 0.9, 0.5, 0.7], [0.1, 0.2, 0.3, 0.4, 0.5]])
    candidates = torch.tensor([[True, True, False, True, True], [True] * 5])
    assert _hardest(losses, candidates, torch.tensor([2.0, 0.0])).tolist() == [[True, False, False, False, True], [False] * 5]
    assert _hardest(losses, candidates, torch.tensor([9.0, 9.0])).sum().item() == 9


def test_ssd_loss_is_the_papers():
    """One picture, by hand."""
    image, labels = scenes(1)
    net = make("ssd").eval()
    with torch.no_grad():
        raw = net({"image": image})
        got = net.loss(raw, labels)
    iou = torch.from_numpy(iou_matrix(labels[0].boxes, raw["anchors"][0].numpy()))
    positive = (iou >= 0.5).any(0)
    positive[iou.argmax(1)] = True
    target = torch.where(positive, torch.from_numpy(labels[0].classes)[iou.argmax(0)], 2)
    entropy = F.cross_entropy(raw["logits"][0].T, target, reduction="none")
    count = int(positive.sum())
    negatives = entropy[~positive].sort(descending=True).values[: 3 * count]
    wanted = (entropy[positive].sum() + negatives.sum()) / count
    assert got["cross_entropy"].item() == pytest.approx(wanted.item(), rel=1e-5)
    empty = net.loss(raw, [Detections.empty()])
    assert empty["cross_entropy"].item() > 0 and empty["box"].item() == 0


def test_a_single_picture_without_truth_teaches_background():
    image, _ = scenes(2)
    for name in ("retinanet", "ssd", "faster_rcnn"):
        net = make(name)
        parts = net.loss(net({"image": image}), [Detections.empty()] * 2)
        sums = {key: float(value.detach().sum()) for key, value in parts.items()}
        assert sum(sums.values()) > 0
        assert all(value == 0 for key, value in sums.items() if "box" in key)


def test_typical_count_bounds_the_normalizer():
    image, labels = scenes(1)
    for name in ("retinanet", "ssd"):
        net = make(name).eval()
        with torch.no_grad():
            raw = net({"image": image})
            few = net.loss(raw, labels)["box"]
            net.fit_labels([Detections(np.tile([[0, 0, 9, 9]], (1000, 1)))])
            assert 0 < net.loss(raw, labels)["box"] < 0.1 * few


def test_anchors_are_taken_from_the_settings():
    shapes = [[8, 8], [16, 16], [24, 24], [40, 40], [60, 60]]
    for name in ("retinanet", "ssd", "faster_rcnn"):
        net = make(name, anchors=shapes).eval()
        sides = net({"image": torch.rand(1, 3, 64, 64)})["anchors"][0]
        found = {round(float(value)) for value in (sides[:, 2] - sides[:, 0])}
        assert found == {8, 16, 24, 40, 60}


@pytest.mark.parametrize(
    ("name", "options", "at"),
    [
        ("faster_rcnn", {"anchors": [[1, 2]]}, "anchors"),
        ("faster_rcnn", {"cascade": True, "agnostic": False}, "agnostic"),
        ("faster_rcnn", {"proposals": 0}, "proposals"),
        ("faster_rcnn", {"neck": "pan(width=8)"}, "neck"),
        ("faster_rcnn", {"ratios": [0.0]}, "ratios"),
        ("retinanet", {"neck": "pan(width=8)"}, "neck"),
        ("retinanet", {"head_options": {"low": 0.6}}, "high, low"),
        ("retinanet", {"head_options": {"box_loss": "l2"}}, "box_loss"),
        ("ssd", {"head_options": {"overlap": 0}}, "overlap"),
        ("ssd", {"head_options": {"sizes": 3}}, "head"),
        ("ssd", {"backbone": "resnet(depht=18)"}, "backbone"),
    ],
)
def test_bad_settings_are_refused(name, options, at):
    with pytest.raises(RecipeError) as caught:
        make(name, **options)
    assert caught.value.at == at


def test_unknown_names_are_refused():
    with pytest.raises(ChoiceError):
        make("faster_rcnn", trunk="fcc")
    with pytest.raises(RecipeError):
        build_net("faster_rcnn", "tal", SPACE, TINY)
    with pytest.raises(InputError):
        build_net("ssd", "boxes", Space("Classification", ("a", "b")), TINY)


def test_suppression_in_forward_meets_its_limit():
    """A row of boxes, each suppressed by the one before: more steps than the chain is long decide as greedy does."""
    row = torch.arange(9.0)[:, None] * torch.tensor([3.0, 0, 3, 0]) + torch.tensor([0.0, 0, 10, 10])
    assert kept_boxes(row[None], 0.4)[0].tolist() == [i % 2 == 0 for i in range(9)]
