"""One-stage detectors keep the contract; necks, backbones, heads and their settings do what they say."""

import numpy as np
import pytest
import torch

from vidi.core.discovery import load, names
from vidi.core.space import Space
from vidi.errors import ChoiceError, RecipeError
from vidi.labels import Detections
from vidi.nets import csp, fcos, yolo
from vidi.nets._adopt import adopt
from vidi.nets.blocks.one_stage import padded
from vidi.nets.dense import anchored, tal
from vidi.nets.dense._base import centers, ignored, pad_truth
from vidi.nets.necks._base import plan_levels
from vidi.testing import detector
from vidi.testing.detector import check_detector, toy_scenes
from vidi.testing.net import NotConforming, check_net

SPACE = Space("Detections", ("dim", "bright", "absent"))
ANCHORS = [5, 5, 9, 12, 16, 16, 20, 24, 40, 40, 60, 50]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(
    "name, options",
    [
        ("yolo", {"width": 8}),
        ("yolo", {"width": 8, "end2end": True, "export": False}),
        ("yolo", {"width": 8, "anchors": ANCHORS, "export": False}),
        ("fcos", {"width": 16, "backbone": "resnet(width=8)", "head_options": {"depth": 1}, "export": False}),
        ("yolo", {"backbone": "small(widths=[8, 12, 16])", "neck": "bifpn(width=16, repeats=1)", "attention": "se", "export": False}),
    ],
    ids=["yolo", "end2end", "anchored", "fcos", "small backbone"],
)  # fmt: skip
def test_conforms(name, options):
    check_detector(name, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, options",
    [
        ("yolo", {"width": 8, "end2end": True}),
        ("yolo", {"width": 8, "anchors": ANCHORS}),
        ("yolo", {"width": 8, "attention": "cbam", "in_channels": 1, "head_options": {"cls_loss": "varifocal", "box_loss": "giou"}}),
        ("yolo", {"width": 16, "backbone": "timm(name=test_resnet)", "neck": "none"}),
        ("yolo", {"width": 16, "backbone": "efficientnet(variant=lite0)", "neck": "fpn(extra=1)"}),
        ("fcos", {"width": 16, "backbone": "resnet(width=8)"}),
        ("fcos", {"width": 16, "backbone": "mobilenet(width=0.25)", "neck": "bifpn", "head": "tal"}),
    ],
)  # fmt: skip
def test_conforms_and_exports(name, options):
    check_detector(name, **options)


def test_csp_classifies():
    check_net("csp", width=0.0625, heads=("softmax",), export=False, attention="eca")
    assert csp.backbone().channels == (16, 32, 64, 128, 256) and csp.backbone(size="m").channels[-1] == 576
    counts = [sum(p.numel() for p in csp.backbone(size=size).parameters()) for size in "nsmlx"]
    assert counts == sorted(counts) and 1e6 < counts[0] < 2e6
    with pytest.raises(RecipeError, match="no such size"):
        csp.backbone(size="xl")


@pytest.mark.parametrize("size, million", [("n", 3), ("s", 11), ("m", 25)])
def test_sizes(size, million):
    count = sum(p.numel() for p in yolo.net(SPACE, size=size).parameters()) / 1e6
    assert 0.8 * million < count < 1.2 * million


# -- the kit fails when it should ---------------------------------------------------------------------------------


class _Batchwise(tal.TaskAligned):
    def loss(self, raw, labels):
        return {name: part / part.sum().clamp(min=1e-6) for name, part in super().loss(raw, labels).items()}


class _Modal(tal.TaskAligned):
    def loss(self, raw, labels):
        return {name: part * (1 + self.training) for name, part in super().loss(raw, labels).items()}


@pytest.mark.parametrize(
    "kind, check, promise",
    [(_Batchwise, detector.check_losses_apart, "among others"), (_Modal, detector.check_losses_apart, "validation loss")],
)
def test_broken_losses_are_named(kind, check, promise):
    net = yolo.net(SPACE, width=8)
    net.head = kind(net.neck.channels, net.neck.strides, 3)
    image, labels = toy_scenes(4, 64)
    with pytest.raises(NotConforming, match=promise):
        check(net, {"image": image}, labels)


# -- levels and necks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "strides, settings, taken, levels",
    [
        ((2, 4, 8, 16, 32), {}, (2, 3, 4), (8, 16, 32)),
        ((4, 8, 16, 32), {"extra": 2}, (1, 2, 3), (8, 16, 32, 64, 128)),
        ((2, 4, 8), {}, (0, 1, 2), (2, 4, 8)),
        ((1, 2, 4, 8), {}, (1, 2, 3), (2, 4, 8)),
        ((2, 4, 8, 16), {}, (2, 3), (8, 16, 32)),
        ((16,), {}, (0,), (16, 32)),
        ((2,), {}, (0,), (2,)),
        ((2, 4, 8, 16, 32), {"levels": [4, 8]}, (1, 2), (4, 8)),
        ((2, 4, 8, 16, 32), {"levels": [16, 32, 64]}, (3, 4), (16, 32, 64)),
    ],
)
def test_levels(strides, settings, taken, levels):
    plan = plan_levels(strides, **settings)
    assert plan.taken == taken and plan.strides == levels


@pytest.mark.parametrize("levels", [[4], [8, 16, 64], [], [3, 8]])
def test_levels_that_cannot_be(levels):
    with pytest.raises(RecipeError, match="levels"):
        plan_levels((8, 16, 32), levels)


@pytest.mark.parametrize("name", ["fpn", "pan", "bifpn", "none"])
@pytest.mark.parametrize("sizes", [(8, 4, 2), (9, 5, 3), (1, 1, 1), (7, 3, 1)])
def test_necks(name, sizes):
    maps = [torch.rand(2, width, side, side + 1) for width, side in zip((8, 12, 16), sizes)]
    neck = load("nets/necks", name).neck((8, 12, 16), (8, 16, 32), width=8, extra=1).eval()
    out = neck(maps)
    assert [x.shape[1] for x in out] == list(neck.channels) and neck.strides == (8, 16, 32, 64)
    assert [x.shape[2] for x in out[:3]] == list(sizes)
    out[0].sum().backward()
    used = [p for p in neck.parameters() if p.grad is not None]
    assert used and all(p.grad.isfinite().all() for p in used)


@pytest.mark.parametrize("name", ["fpn", "pan", "bifpn"])
def test_coarse_maps_reach_fine_ones(name):
    neck = load("nets/necks", name).neck((8, 8, 8), (8, 16, 32), width=8).eval()
    maps = [torch.rand(1, 8, side, side, requires_grad=True) for side in (8, 4, 2)]
    neck(maps)[0].square().sum().backward()
    assert all(x.grad.abs().sum() > 0 for x in maps)


def test_every_neck_is_tried():
    assert {"fpn", "pan", "bifpn", "none"} <= set(names("nets/necks"))


# -- parts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", ["softmax", "box", ""])
def test_other_heads_are_refused(head):
    for make in (yolo.net, fcos.net):
        with pytest.raises(RecipeError, match="."):
            make(SPACE, head)


@pytest.mark.parametrize(
    "options, error, hint",
    [
        ({"backbone": "resnett"}, ChoiceError, "did you mean resnet"),
        ({"backbone": "yolo"}, ChoiceError, "must define"),
        ({"neck": "fpnn"}, ChoiceError, "did you mean fpn"),
        ({"backbone": "resnet(depht=18)"}, RecipeError, "did you mean depth"),
        ({"head_options": {"topk": 0}}, RecipeError, "at least 1"),
        ({"head_options": {"tpk": 3}}, RecipeError, "did you mean topk"),
        ({"anchors": [1, 2, 3]}, RecipeError, "pairs"),
        ({"anchors": [1, -2, 3, 4, 5, 6]}, RecipeError, "pairs"),
        ({"attention": "sse"}, ChoiceError, "did you mean"),
        ({"size": "q"}, RecipeError, "no such size"),
        ({"anchors": ANCHORS, "end2end": True}, RecipeError, "needs NMS"),
        ({"neck": "fpn(levels=[2.5])"}, RecipeError, "levels"),
    ],
)
def test_settings_are_checked(options, error, hint):
    with pytest.raises(error) as caught:
        yolo.net(SPACE, **options)
    assert hint in str(caught.value)


def test_fcos_needs_levels_of_one_width():
    with pytest.raises(RecipeError, match="one width"):
        fcos.net(SPACE, backbone="resnet(width=8)", neck="pan(width=8)")


def test_only_detections():
    with pytest.raises(RecipeError, match="Detections"):
        yolo.net(Space("Classification", ("a", "b")), width=8)


# -- details ------------------------------------------------------------------------------------------------------------


def test_padding_keeps_places():
    x = torch.rand(1, 3, 33, 64)
    assert padded(x).shape == (1, 3, 64, 64) and torch.equal(padded(x)[:, :, :33], x) and not padded(x)[:, :, 33:].any()
    assert padded(x[:, :, :32]) is not None and padded(x[:, :, :32]).shape[2:] == (32, 64)


def test_centers():
    places = centers([torch.zeros(1, 1, 2, 3), torch.zeros(1, 1, 1, 1)], (8, 16))
    assert places[:, 0].tolist() == [4, 12, 20, 4, 12, 20, 8] and places[:, 1].tolist() == [4, 4, 4, 12, 12, 12, 8]
    assert places[:, 2].tolist() == [8] * 6 + [16]


def test_truth():
    empty = pad_truth([Detections.empty(), Detections.empty()])
    assert empty.boxes.shape == (2, 0, 4) and empty.crowd.shape == (2, 0, 4)
    boxes = [[0, 0, 4, 4], [1, 1, 1, 5], [2, 2, 9, 9], [0, 0, np.nan, 3]]
    truth = pad_truth([Detections.empty(), Detections(boxes, classes=[1, 2, 0, 1], crowd=[False, False, True, False])])
    assert truth.valid.tolist() == [[False], [True]] and truth.classes[1].tolist() == [1]
    assert truth.crowd.tolist() == [[[0, 0, 0, 0]], [[2, 2, 9, 9]]]
    places = torch.tensor([[2.0, 2, 6, 6], [7, 7, 11, 11], [5, 7, 9, 11], [20, 20, 24, 24]])
    assert ignored(places, truth.crowd).tolist() == [[False] * 4, [True, False, True, False]]


@pytest.mark.parametrize("options", [{}, {"anchors": ANCHORS}, {"end2end": True}], ids=["tal", "anchored", "end2end"])
def test_crowds_are_neither_right_nor_wrong(options):
    net = yolo.net(SPACE, width=8, **options).eval()
    with torch.no_grad():
        raw = net({"image": torch.rand(1, 3, 64, 64)})
    whole = Detections([[-1000, -1000, 1064, 1064]], crowd=[True])
    assert all(float(part) == 0 for part in net.loss(raw, [whole]).values())
    part = Detections([[0, 0, 32, 64]], crowd=[True])
    costs = [float(sum(net.loss(raw, [label]).values())) for label in (part, Detections.empty())]
    assert 0 < costs[0] < costs[1]


def test_typical_count_bounds_the_divisor():
    net = yolo.net(SPACE, width=8).eval()
    raw = net({"image": torch.rand(2, 3, 64, 64)})
    before = net.loss(raw, [Detections.empty()] * 2)["cls"].detach()
    net.fit_labels([Detections(np.tile([0, 0, 9, 9], (10, 1))), Detections.empty()])
    assert float(net.head.typical) == 5 and torch.allclose(net.loss(raw, [Detections.empty()] * 2)["cls"] * 5, before)
    assert "head.typical" in net.state_dict()


def _perfect(head, points, label, classes=3):
    """Raw outputs of a head whose every place names the nearest true box exactly."""
    logits, distances = torch.full((1, len(points), classes), -12.0), torch.zeros(1, head.reg_max, len(points), 4)
    for a, (x, y, stride) in enumerate(points.tolist()):
        for box, kind in zip(label.boxes.tolist(), label.classes):
            if box[0] < x < box[2] and box[1] < y < box[3]:
                logits[0, a, kind] = 8.0 - abs(x - (box[0] + box[2]) / 2) / 8
                for side, reach in enumerate((x - box[0], y - box[1], box[2] - x, box[3] - y)):
                    steps = min(reach / stride, head.reg_max - 1.001)
                    low, share = int(steps), steps - int(steps)
                    distances[0, :, a, side] = -40
                    distances[0, low, a, side], distances[0, low + 1, a, side] = np.log(
                        [1 - share + 1e-9, share + 1e-9]
                    ).tolist()
    return {"logits": logits, "distances": distances, "points": points[None]}


def test_decode_reads_what_the_loss_teaches():
    net = yolo.net(SPACE, width=8)
    label = Detections([[8, 8, 40, 30], [60, 20, 100, 90]], classes=[0, 2])
    points = centers([torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 4, 4)], (8, 16, 32))
    raw = _perfect(net.head, points, label)
    found = net.decode(raw)[0]
    order = np.argsort(found.classes)
    assert found.classes[order].tolist() == [0, 2] and np.allclose(found.boxes[order], label.boxes, atol=0.05)
    parts = net.loss(raw, [label])
    assert float(parts["box"]) < 0.01 and all(float(part) >= 0 for part in parts.values())


def test_first_boxes_are_of_moderate_size():
    net = yolo.net(SPACE, width=8).eval()
    boxes, scores = net.head.decode(net({"image": torch.rand(1, 3, 64, 64)}))
    fine = (boxes[0, :64, 2] - boxes[0, :64, 0]).mean()
    assert 30 < fine.item() < 60 and 0.005 < scores.mean().item() < 0.02


def test_parse_anchors():
    assert anchored.parse_anchors(None, (8, 16))[1][0] == (32, 32)
    assert (
        anchored.parse_anchors([30, 30, 4, 4], (8, 16))
        == [[(4, 4)], [(30, 30)]]
        == anchored.parse_anchors([[4, 4], [30, 30]], (8, 16))
    )


def test_weights_of_another_net_leave_the_anchors_alone():
    net, other = (yolo.net(SPACE, width=8, anchors=anchors) for anchors in (ANCHORS, [2 * side for side in ANCHORS]))
    adopt(net, other.state_dict())
    assert net.head.sizes.flatten().tolist() == ANCHORS


def test_anchored_boxes():
    head = anchored.head((4,), (8,), SPACE)
    place = torch.tensor([[20.0, 12.0, 8.0, 16.0, 32.0]])
    assert head.boxes(torch.zeros(1, 4), place).tolist() == [[12, -4, 28, 28]]
    reach = head.boxes(torch.tensor([[50.0, -50.0, 50.0, -50.0]]), place)[0]
    assert reach.tolist() == pytest.approx([0, 0, 64, 0], abs=1e-3)


def test_end2end_gives_one_box_where_many_places_agree():
    net = yolo.net(SPACE, width=8, end2end=True).eval()
    assert net.nms == "none" and {"many_logits", "many_distances"} <= set(net.kinds)
    raw = net({"image": torch.rand(1, 3, 64, 64)})
    label = Detections([[10, 10, 40, 40]])
    with torch.no_grad():
        found, _ = net.head._assign(raw["logits"], raw["distances"], raw["points"], pad_truth([label]), 1)
    assert int((found.index >= 0).sum()) == 1


def test_learns_toy_scenes():
    image, labels = toy_scenes(16, 64)
    net = yolo.net(SPACE, width=16)
    net.fit_labels(labels)
    optimizer = torch.optim.AdamW(net.parameters(), lr=4e-3)
    for _ in range(45):
        optimizer.zero_grad()
        torch.stack([part.mean() for part in net.loss(net({"image": image}), labels).values()]).sum().backward()
        optimizer.step()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.3
    with torch.no_grad():
        for _ in range(10):
            net({"image": image})
        net.eval()
        net.conf = 0.3
        found = net.decode(net({"image": image}))
    assert np.mean([a.agreement(b) for a, b in zip(found, labels)]) > 0.6
