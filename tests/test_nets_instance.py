"""Nets that give masks: `mask_rcnn`, and `yolo` with prototypes; and the ways between pixels and soft masks."""

import numpy as np
import pytest
import torch
import torchvision
from torch.nn import functional as F
from torchvision.models.detection.roi_heads import maskrcnn_loss, paste_masks_in_image

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.labels import Detections, Outline
from vidi.labels.outline import Polygons
from vidi.model.model import build_net
from vidi.nets.blocks.mask_head import MaskHead, MaskStages
from vidi.nets.blocks.mask_truth import spread, true_cutouts
from vidi.nets.dense._base import pad_truth
from vidi.ops.cutouts import NOTHING, Cutout, cut_out
from vidi.ops.masks import box_coverage, cell_coverage, paste
from vidi.ops.nms import pick, select
from vidi.testing import instance
from vidi.testing.instance import check_instance, disc, toy_shapes
from vidi.testing.net import NotConforming

SPACE = Space("Detections", ("disc", "frame"))
SHORT = {"backbone": "resnet(width=8)", "width": 16, "proposals": 16, "candidates": 16, "hidden": 32, "mask_channels": 8}
# the kit turns losses into numbers without detaching them, and heads that look twice have a gradient even from detached raw outputs
pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad:UserWarning")


@pytest.fixture(autouse=True)
def one_thread():
    torch.manual_seed(0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(name: str, head: str = "masks", **options):
    torch.manual_seed(0)
    usual = {"width": 8} if name == "yolo" else SHORT
    if name == "faster_rcnn":
        usual = {key: value for key, value in SHORT.items() if not key.startswith("mask")}
    return build_net(name, head, SPACE, usual | options)


def said(net, image):
    net.eval()
    with torch.no_grad():
        return net({"image": image})


# -- the kit ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [("yolo", {"width": 8}), ("mask_rcnn", SHORT | {"mask_proposals": 8})],
    ids=["yolo", "mask_rcnn"],
)
def test_conforms(name, options):
    check_instance(name, count=5, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("yolo", {"width": 8, "end2end": True, "head_options": {"dice": 1.0}}),
        ("yolo", {"width": 8, "backbone": "small(widths=[8, 12, 16])", "neck": "bifpn(width=16, repeats=1)", "head_options": {"finest": 1}}),
        ("fcos", {"width": 16, "backbone": "resnet(width=8)", "head": "tal_masks"}),
        ("mask_rcnn", SHORT | {"cascade": True, "mask_agnostic": False}),
        ("mask_rcnn", SHORT | {"agnostic": False, "mask_light": True, "in_channels": 1}),
        ("mask_rcnn", SHORT | {"mask_depth": 0, "finest": 8, "backbone": "mobilenet(width=0.1)"}),
    ],
)  # fmt: skip
def test_conforms_with_other_settings(name, options):
    check_instance(name, **options)


def test_the_kit_fails_when_it_should():
    image, labels = toy_shapes(2, 64)
    net, given = make("yolo"), {"image": image}

    class Flooding(type(net.head)):
        def found(self, raw, **settings):
            label = super().found(raw, **settings)
            return Detections(label.boxes, label.scores, label.classes, masks=np.ones_like(label.masks))

    class Careless(type(net.head)):
        def _more(self, raw, labels, truth, found):
            return super()._more(raw, [Detections(one.boxes, masks=one.bitmaps((64, 64))) for one in labels], truth, found)

    for kind, check, promise in (
        (Flooding, instance.check_masks, "within"),
        (Careless, instance.check_mask_truths, "without outline"),
    ):
        net.head.__class__ = kind
        with pytest.raises(NotConforming, match=promise):
            check(net, given, labels)


# -- settings ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fcos", "retinanet", "ssd", "faster_rcnn"])
def test_nets_without_masks_say_so(name):
    with pytest.raises(RecipeError) as caught:
        build_net(name, "masks", SPACE, {"backbone": "resnet(width=8)"})
    assert caught.value.at == "head" and "boxes" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "at"),
    [
        ("yolo", {"anchors": [5, 5, 9, 9, 16, 16]}, "anchors"),
        ("yolo", {"head_options": {"prototypes": 0}}, "prototypes"),
        ("yolo", {"head_options": {"mask": -1.0}}, "mask"),
        ("yolo", {"head_options": {"dize": 1.0}}, "head"),
        ("yolo", {"head_options": {"topk": 0}}, "topk"),
        ("mask_rcnn", {"head": "boxes"}, "head"),
        ("mask_rcnn", {"mask_proposals": 0}, "mask_proposals"),
        ("mask_rcnn", {"mask_depth": -1}, "mask_depth"),
        ("mask_rcnn", {"cascade": True, "agnostic": False}, "agnostic"),
    ],
)
def test_bad_settings_are_refused(name, options, at):
    with pytest.raises(RecipeError) as caught:
        make(name, **options)
    assert caught.value.at == at


# -- pixels and soft masks --------------------------------------------------------------------------------------------------------------


def blob(random: np.random.Generator, size=(40, 50)) -> np.ndarray:
    """A mask with a hole."""
    low = random.uniform(0, 15, 2)
    high = low + random.uniform(12, 22, 2)
    middle = (low + high) / 2
    hole = disc(size, [*(middle - 3), *(middle + 3)])
    return disc(size, [*low, *high]) & ~hole


def test_coverage_of_nothing():
    assert box_coverage(NOTHING, np.zeros((0, 4)), 7).shape == (0, 7, 7)
    assert not box_coverage(NOTHING, np.array([[0, 0, 9, 9]]), 7).any()
    assert np.isfinite(box_coverage(Cutout(0, 0, np.ones((3, 3), bool)), np.array([[1, 1, 1, 1]]), 4)).all()
    assert cell_coverage(NOTHING, (1, 0, 4, 2), 4).shape == (2, 3)


def test_coverage_is_exact():
    """Against counting a mask drawn forty times as fine."""
    random, fine = np.random.default_rng(0), 40
    mask = blob(random, (12, 14)) | disc((12, 14), (2, 1, 11, 9))
    boxes = np.array([[0, 0, 14, 12], [2.5, 1.25, 9.5, 8.25], [-3, 4, 5, 20], [6, 6, 6.5, 6.7]], np.float32)
    got = box_coverage(cut_out(mask), boxes, 4)
    share = (np.arange(4 * fine) + 0.5) / (4 * fine)
    for (x1, y1, x2, y2), one in zip(boxes.tolist(), got):
        x, y = np.floor(x1 + share * (x2 - x1)).astype(int), np.floor(y1 + share * (y2 - y1)).astype(int)
        seen = np.zeros((len(y), len(x)), bool)
        inside = np.ix_((y >= 0) & (y < 12), (x >= 0) & (x < 14))
        seen[inside] = mask[np.ix_(y[(y >= 0) & (y < 12)], x[(x >= 0) & (x < 14)])]
        assert np.allclose(one, seen.reshape(4, fine, 4, fine).mean((1, 3)), atol=0.03)
    whole = cell_coverage(cut_out(mask), (0, 0, 4, 3), 4)
    assert whole.sum() * 16 == mask.sum() and np.allclose(whole[1, 2], mask[4:8, 8:12].mean())


def test_coverage_is_near_torchvisions_crop():
    random = np.random.default_rng(1)
    for _ in range(3):
        mask = blob(random)
        box = torch.tensor([[4.0, 3.0, 32.0, 31.0]])
        oracle = torchvision.ops.roi_align(
            torch.from_numpy(mask).float()[None, None], [box], 14, sampling_ratio=8, aligned=True
        )[0, 0]
        assert np.abs(box_coverage(cut_out(mask), box.numpy(), 14)[0] - oracle.numpy()).mean() < 0.03


def test_paste_of_nothing():
    assert paste(np.zeros((0, 28, 28)), np.zeros((0, 4)), (9, 7)).shape == (0, 9, 7)
    odd = np.array([[-9, -9, -2, -1], [3, 3, 3, 8], [2.6, 2.6, 3.4, 3.4], [5, 5, 99, 99]], np.float32)
    assert paste(np.ones((4, 2, 2)), odd, (9, 7)).sum((1, 2)).tolist() == [0, 0, 0, 8]
    assert paste(np.ones((1, 1, 1)), np.array([[0, 0, 1, 1]]), (1, 1)).all()


def test_paste_reads_between_cells():
    """Each pixel by itself, with the textbook's formula."""
    random = np.random.default_rng(2)
    soft = random.uniform(size=(5, 6, 4)).astype(np.float32)
    boxes = random.uniform(-4, 18, (5, 4)).astype(np.float32)
    boxes[:, 2:] = boxes[:, :2] + random.uniform(1, 25, (5, 2))
    got = paste(soft, boxes, (20, 24))
    for n in range(5):
        x1, y1, x2, y2 = boxes[n].astype(np.float64)
        for y in range(20):
            for x in range(24):
                if not (x1 <= x + 0.5 < x2 and y1 <= y + 0.5 < y2):
                    assert not got[n, y, x]
                    continue
                u = np.clip((x + 0.5 - x1) / (x2 - x1) * 4 - 0.5, 0, 3)
                v = np.clip((y + 0.5 - y1) / (y2 - y1) * 6 - 0.5, 0, 5)
                value = sum(max(0, 1 - abs(u - j)) * max(0, 1 - abs(v - i)) * soft[n, i, j] for i in range(6) for j in range(4))
                assert abs(value - 0.5) < 1e-5 or got[n, y, x] == (value >= 0.5)


def test_paste_is_nearer_to_the_truth_than_torchvisions():
    """Which rounds boxes to pixels and blends their border with nothing."""
    random = np.random.default_rng(3)
    boxes, soft, masks = [], [], []
    for _ in range(6):
        mask = blob(random)
        cut = cut_out(mask)
        x1, y1, x2, y2 = cut.box
        box = np.array([x1 - 2, y1 - 2, x2 + 2, y2 + 2], np.float32)
        boxes.append(box)
        soft.append(box_coverage(cut, box[None], 28)[0])
        masks.append(mask)
    got = paste(np.array(soft), np.array(boxes), (40, 50))
    oracle = (
        paste_masks_in_image(torch.from_numpy(np.array(soft))[:, None], torch.from_numpy(np.array(boxes)), (40, 50))[:, 0]
        >= 0.5
    )
    for one, other, mask in zip(got, oracle.numpy(), masks):
        assert (one & other).sum() / (one | other).sum() > 0.85
        near = [(part & mask).sum() / (part | mask).sum() for part in (one, other)]
        assert near[0] > 0.98 and near[0] >= near[1]


def test_paste_in_a_frame_of_its_own():
    mask = disc((32, 48), (8, 4, 40, 28))
    soft = cell_coverage(cut_out(mask), (0, 0, 24, 16), 2)
    box = np.array([[10, 0, 30, 32]], np.float32)
    got = paste(soft[None], box, (32, 48), np.array([[0, 0, 48, 32]]))[0]
    wanted = mask.copy()
    wanted[:, :10], wanted[:, 30:] = False, False
    assert (got & wanted).sum() / (got | wanted).sum() > 0.97 and not got[:, :10].any()


# -- truth and choice -------------------------------------------------------------------------------------------------------------------


def test_truth_keeps_the_order_of_things():
    assert true_cutouts(Detections.empty(), (8, 8)) == []
    square = Polygons((np.array([[1.0, 1], [5, 1], [5, 4], [1, 4]]),))
    boxes = [[1, 1, 5, 4], [2, 2, 2, 6], [0, 0, 8, 8], [0, 0, 3, 3]]
    label = Detections(boxes, crowd=[False, False, True, False], outlines=(square, square, square, None))
    first, last = true_cutouts(label, (8, 8))
    assert first.box == (1, 1, 5, 4) and first.bits.all() and last is None
    assert len(true_cutouts(label, (8, 8))) == int(pad_truth([label]).valid.sum())
    masks = Detections(boxes, crowd=label.crowd, masks=np.repeat(square.mask((8, 8))[None], 4, 0))
    assert [cut.box for cut in true_cutouts(masks, (8, 8))] == [(1, 1, 5, 4)] * 2


@pytest.mark.parametrize("method", ["hard", "soft", "none"])
def test_choice_is_that_of_detectors(method):
    random = np.random.default_rng(4)
    low = random.uniform(0, 40, (60, 2))
    boxes = np.concatenate([low, low + random.uniform(5, 30, (60, 2))], 1).astype(np.float32)
    scores = random.uniform(0, 1, (60, 3)).astype(np.float32).round(1)
    settings = {"conf": 0.3, "iou": 0.5, "max_det": 20, "method": method}
    rows, values, classes = pick(boxes, scores, **settings)
    wanted = select(boxes, scores, **settings)
    assert np.array_equal(boxes[rows], wanted[0]) and np.array_equal(values, wanted[1]) and np.array_equal(classes, wanted[2])
    assert len(pick(boxes, scores, conf=1.0, iou=0.5, max_det=20, method=method)[0]) == 0


def test_spread():
    assert spread(0, 3) == [] and spread(3, 3) == [0, 1, 2] and spread(9, 3) == [0, 3, 6] and spread(5, 0) == []


# -- yolo -------------------------------------------------------------------------------------------------------------------------------


def test_boxes_are_those_of_the_detector():
    image, labels = toy_shapes(3, 64)
    masks, boxes = make("yolo"), make("yolo", "boxes")
    missing = masks.load_state_dict(boxes.state_dict(), strict=False)
    assert not missing.unexpected_keys and all("prototypes" in key or "mixes" in key for key in missing.missing_keys)
    raw, plain = said(masks, image), said(boxes, image)
    assert all(torch.equal(raw[key], plain[key]) for key in plain) and raw["prototypes"].shape == (3, 32, 16, 16)
    parts, wanted = masks.loss(raw, labels), boxes.loss(plain, labels)
    assert set(parts) - set(wanted) == {"mask"} and all(torch.equal(parts[key], wanted[key]) for key in wanted)
    masks.conf = boxes.conf = 0.0
    for found, other in zip(masks.decode(raw), boxes.decode(plain)):
        assert np.array_equal(found.boxes, other.boxes) and np.array_equal(found.classes, other.classes) and other.masks is None


@pytest.mark.parametrize("dice", [0.0, 2.0])
def test_mask_loss_of_places_by_hand(dice):
    image, labels = toy_shapes(2, 64, seed=3)
    labels[1] = Detections(labels[1].boxes, classes=labels[1].classes)  # of the second picture, no outline is known
    net = make("yolo", head_options={"dice": dice, "mask": 3.0})
    raw, truth = said(net, image), pad_truth(labels)
    with torch.no_grad():
        found, _ = net.head._assign(raw["logits"], raw["distances"], raw["points"], truth, net.head.topk)
        got = net.loss(raw, labels)["mask"]
    total, weights = 0.0, found.share[0][found.index[0] >= 0].sum()
    for a in (found.index[0] >= 0).nonzero()[:, 0].tolist():
        thing = int(found.index[0, a])
        logits = torch.einsum("p,phw->hw", raw["coefficients"][0, :, a], raw["prototypes"][0])
        target = torch.from_numpy(labels[0].masks[thing]).float().view(16, 4, 16, 4).mean((1, 3))
        x1, y1, x2, y2 = (labels[0].boxes[thing] / 4).tolist()
        x1, y1 = (max(0, int(np.floor(low)) - 1) for low in (x1, y1))
        x2, y2 = (min(16, int(np.ceil(high)) + 1) for high in (x2, y2))
        logits, target = logits[y1:y2, x1:x2], target[y1:y2, x1:x2]
        loss = 3 * F.binary_cross_entropy_with_logits(logits, target)
        soft = logits.sigmoid()
        loss = loss + dice * (1 - (2 * (soft * target).sum() + 1) / (soft.sum() + target.sum() + 1))
        total += float(loss * found.share[0, a])
    assert got[0].item() == pytest.approx(total / max(1.0, float(weights)), rel=1e-4) and got[1].item() == 0


def test_prototypes_are_as_fine_as_asked():
    for finest, side in ((8, 8), (4, 16), (2, 32), (3, 16), (99, 8)):
        net = make("yolo", head_options={"finest": finest, "prototypes": 5})
        raw = said(net, torch.rand(1, 3, 50, 64))
        assert raw["prototypes"].shape == (1, 5, side, side) and raw["size"].tolist() == [[50, 64]]
        net.conf = 0.0
        assert net.decode(raw)[0].masks.shape[1:] == (50, 64)


# -- mask_rcnn --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cascade", [False, True])
def test_boxes_are_those_of_faster_rcnn(cascade):
    image, labels = toy_shapes(3, 64)
    masks, boxes = make("mask_rcnn", cascade=cascade), make("faster_rcnn", "boxes", cascade=cascade)
    missing = masks.load_state_dict(boxes.state_dict(), strict=False)
    assert not missing.unexpected_keys and all(key.startswith("head.masks.") for key in missing.missing_keys)
    raw, plain = said(masks, image), said(boxes, image)
    assert all(torch.equal(raw[key], plain[key]) for key in plain) and raw["masks"].shape == (3, 16, 1, 28, 28)
    parts, wanted = masks.loss(raw, labels), boxes.loss(plain, labels)
    assert set(parts) - set(wanted) == {"mask"} and all(torch.equal(parts[key], wanted[key]) for key in wanted)
    masks.conf = boxes.conf = 0.0
    for found, other in zip(masks.decode(raw), boxes.decode(plain)):
        assert np.allclose(found.boxes, other.boxes, atol=1e-4) and np.array_equal(found.classes, other.classes)


@pytest.mark.parametrize("agnostic", [True, False])
def test_mask_loss_is_near_torchvisions(agnostic):
    image, labels = toy_shapes(2, 64, seed=5)
    net = make("mask_rcnn", mask_agnostic=agnostic)
    masks, ratios = net.head.masks, []
    for seed in range(12):
        torch.manual_seed(seed)
        torch.nn.init.normal_(masks.logits.weight, std=1.0)
        torch.nn.init.kaiming_normal_(masks.layers[-2].weight, mode="fan_out")  # as if learned: the four cells of one differ
        raw = said(net, image)
        raw["mask_boxes"] = torch.zeros_like(raw["mask_boxes"])  # so that true boxes alone are learned
        with torch.no_grad():
            got = net.loss(raw, labels)["mask"]
        for i, label in enumerate(labels):
            boxes, classes = torch.from_numpy(label.boxes), torch.from_numpy(label.classes)
            with torch.no_grad():
                logits = masks(net.head.mask_pooler([raw[f"map{j}"][i : i + 1] for j in range(net.pooled)], boxes[None])[0])
            logits = logits.expand(-1, 2, -1, -1) if agnostic else logits
            indices, things = torch.arange(len(boxes)), torch.from_numpy(label.masks).float()
            ratios.append(got[i].item() / maskrcnn_loss(logits, [boxes], [things], [classes], [indices]).item())
    assert ratios[:2] == pytest.approx([1, 1], rel=0.02)
    assert np.mean(ratios) == pytest.approx(1, rel=0.01)  # single heads differ by how both sample borders


def test_candidates_that_fit_learn_their_thing():
    stages = make("mask_rcnn").head
    cut = Cutout(0, 0, np.ones((4, 4), bool))
    true = torch.tensor([[0.0, 0, 10, 10], [20, 20, 40, 40], [50, 0, 60, 10]])
    candidates = torch.tensor([[0.0, 0, 10, 9], [21, 20, 40, 40], [20, 20, 22, 22], [50, 1, 60, 10]])
    boxes, things = stages._taken(candidates, true, [cut, None, cut])
    assert things.tolist() == [0, 2, 0, 2] and torch.equal(boxes[2:], candidates[[0, 3]])
    boxes, things = stages._taken(candidates, true[:0], [])
    assert boxes.shape == (0, 4) and len(things) == 0
    stages.learned = 3
    assert stages._taken(candidates, true, [cut, None, cut])[1].tolist() == [0, 2, 0]
    stages.learned = 1
    assert stages._taken(candidates, true, [cut, cut, cut])[1].tolist() == [0]


def test_a_new_head_draws_no_grid():
    masks = MaskHead(8, 16, 2, 3)
    found = masks(torch.randn(4, 8, 5, 5))
    assert found.shape == (4, 3, 10, 10) and found.std() > 0
    assert torch.equal(found, F.interpolate(found[..., ::2, ::2], scale_factor=2))


def test_masks_go_to_the_best_candidates_that_stand_apart(monkeypatch):
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9.5], [0, 0, 10, 9.8], [30, 30, 50, 50], [0, 40, 9, 70]])
    scores = torch.tensor([[0.6, 0.1], [0.9, 0.0], [0.1, 0.8], [0.3, 0.1], [0.1, 0.2]])
    stages = make("mask_rcnn").head
    monkeypatch.setattr(MaskStages, "decode", lambda self, raw: (boxes[None, :, None], scores[None]))
    for looked, wanted in (
        (1, [1]),
        (2, [1, 2]),
        (3, [1, 2, 3]),
        (4, [1, 2, 3, 4]),
        (5, [0, 1, 2, 3, 4]),
        (9, [0, 1, 2, 3, 4]),
    ):
        stages.looked = looked
        places, frames = stages._look({}, 60, 64)
        assert places[0].tolist() == wanted and frames[0, -1].tolist() == [
            *boxes[wanted[-1], :3].tolist(),
            min(60.0, float(boxes[wanted[-1], 3])),
        ]


@pytest.mark.parametrize("name", ["yolo", "mask_rcnn"])
def test_half_precision_and_raw_outputs_as_floats(name):
    image, labels = toy_shapes(2, 64)
    net = make(name)
    with torch.autocast("cpu", torch.bfloat16):
        raw = net({"image": image})
    raw = {key: value.float() for key, value in raw.items()}
    part = net.loss(raw, labels)["mask"]
    assert part.dtype == torch.float32 and part.isfinite().all()
    part.sum().backward()
    net.conf = 0.0
    assert all(label.masks.shape == (len(label), 64, 64) for label in net.decode(raw))


# -- learning ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "steps"),
    [
        ("yolo", {"width": 16}, 400),
        ("mask_rcnn", {"backbone": "resnet(width=16)", "width": 32, "proposals": 32, "candidates": 32, "mask_channels": 16, "mask_proposals": 8}, 220),
    ],
    ids=["yolo", "mask_rcnn"],
)  # fmt: skip
def test_masks_of_discs_and_frames_are_learned(name, options, steps):
    image, labels = toy_shapes(320, 64)
    fresh, truth = toy_shapes(40, 64, seed=1)
    net = make(name, **options)
    net.prepare({"image": image[:32]})
    net.fit_labels(labels)
    optimizer, order = torch.optim.AdamW(net.parameters(), 3e-3), np.random.default_rng(0)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 3e-3 * min(1.0, (step + 1) / 20) * (1 - 0.97 * step / steps)
        batch = order.permutation(len(labels))[:16]
        optimizer.zero_grad()
        parts = net.train().loss(net({"image": image[batch]}), [labels[i] for i in batch])
        torch.stack(list(parts.values())).sum(0).mean().backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimizer.step()
    net.conf = 0.3
    overlaps = []
    for found, label in zip(net.decode(said(net, fresh)), truth):
        for thing in range(len(label)):
            same = found.masks[found.classes == label.classes[thing]]
            shared, union = (same & label.masks[thing]).sum((1, 2)), (same | label.masks[thing]).sum((1, 2))
            overlaps.append(float((shared / union).max(initial=0.0)))
    overlaps = np.array(overlaps)
    assert (overlaps > 0.3).mean() > 0.85 and overlaps[overlaps > 0.3].mean() > 0.6


def test_toy_shapes_have_their_outlines():
    image, labels = toy_shapes(6, 64)
    assert image.shape == (6, 3, 64, 64) and {int(kind) for label in labels for kind in label.classes} == {0, 1}
    for label in labels:
        for box, mask in zip(label.boxes, label.masks):
            assert np.abs(Outline.of(mask).box() - box).max() <= 1
