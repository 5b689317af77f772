"""The numbers about class maps against torchmetrics and brute force, the empty cases first."""

import gc
import json
import weakref

import numpy as np
import pytest
import torch
from scipy import ndimage

from vidi.core.discovery import load
from vidi.core.space import Space
from vidi.errors import InputError
from vidi.labels import Classification, Detections, Segmentation
from vidi.labels.outline import Outline, Polygons
from vidi.metrics import applicable, evaluate, paired
from vidi.metrics._arrays import point
from vidi.metrics._flat import canvas, flattened
from vidi.metrics._maps import confusions
from vidi.metrics._regions import regions, worst_regions
from vidi.metrics.boundary_f1 import TOLERANCE, border_scores
from vidi.metrics.hd95 import surface_distances
from vidi.metrics.panoptic import matches

SPACE = Space("Segmentation", ("sky", "road", "car"))
THINGS = Space("Detections", ("ant", "bee", "cat"))
NAMES = ("miou", "dice", "pixel_accuracy", "boundary_f1", "hd95", "regions")
IGNORE = 255


def numbers(name, truth, predicted, space=SPACE, **settings):
    return load("metrics", name).numbers(truth, predicted, space, settings)


def figures(name, truth, predicted, space=SPACE, **settings):
    drawn = load("metrics", name).figures(truth, predicted, space, settings)
    json.dumps(drawn, allow_nan=False)
    return drawn


def blobs(rng, count=3, size=(40, 48), smooth=3.0):
    return np.stack([ndimage.gaussian_filter(rng.normal(size=size), smooth) for _ in range(count)]).argmax(0)


def picture(rng, count=3, size=(40, 48), ignored=0.1, noise=0.4):
    """A true map with a part that is not known, and a prediction that resembles it."""
    fields = np.stack([ndimage.gaussian_filter(rng.normal(size=size), 3.0) for _ in range(count)])
    other = fields + noise * np.stack([ndimage.gaussian_filter(rng.normal(size=size), 2.0) for _ in range(count)])
    truth = np.where(ndimage.gaussian_filter(rng.random(size), 1.0) < 0.5 - 0.1 + ignored - 0.1, IGNORE, fields.argmax(0))
    return Segmentation(truth), Segmentation(other.argmax(0))


def pictures(seed, n=6, **options):
    rng = np.random.default_rng(seed)
    return tuple(list(side) for side in zip(*(picture(rng, **options) for _ in range(n))))


def of(*rows, ignore=IGNORE):
    return Segmentation(np.array(rows), None, ignore)


# ---------------------------------------------------------------- nothing, little, and everything


def test_all_are_offered_for_maps():
    assert set(NAMES) <= set(applicable(SPACE)) and "panoptic" in applicable(THINGS)
    assert not {*NAMES, "panoptic"} & set(applicable(Space("Classification", ("a",))))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("space", [SPACE, Space("Segmentation", ())])
@pytest.mark.parametrize("size", [None, (0, 0), (1, 1), (5, 7)])
def test_nothing_known_is_undefined(name, space, size):
    truth = [] if size is None else [Segmentation(np.full(size, IGNORE))] * 2
    guess = [] if size is None else [Segmentation(np.zeros(size, int)), Segmentation(np.full(size, IGNORE))]
    found = numbers(name, truth, guess, space)
    assert found and set(found.values()) == {None}
    assert figures(name, truth, guess, space) == []
    assert {value for value in getattr(load("metrics", name), "counts", lambda *_: {})(truth, space, {}).values()} <= {0}


def test_evaluating_nothing():
    for truth, guess in (([], []), ([None], [of([0, 1])]), ([of([IGNORE, IGNORE])], [of([0, 1])])):
        result = evaluate(NAMES, truth, guess, SPACE)
        assert set(result.numbers.values()) == {None} and result.intervals == {} and result.figures == []
        assert result.n["samples"] == len(truth) and result.n["unlabeled"] == len(truth)


def test_one_pixel():
    right, wrong = ([of([1])], [of([1])]), ([of([1])], [of([2])])
    assert numbers("miou", *right)["miou"] == numbers("dice", *right)["dice"] == numbers("pixel_accuracy", *right)["pixel_accuracy"] == 1
    assert numbers("miou", *wrong)["miou"] == numbers("dice", *wrong)["dice"] == numbers("pixel_accuracy", *wrong)["pixel_accuracy"] == 0
    assert numbers("hd95", *right) == {"hd95": 0, "hd95_sky": None, "hd95_road": 0, "hd95_car": None}
    assert numbers("hd95", *wrong)["hd95"] == pytest.approx(2**0.5)
    assert numbers("boundary_f1", *right)["boundary_f1"] is None
    assert numbers("regions", *right)["region_f1"] == 1 and numbers("regions", *wrong)["region_f1"] == 0


def test_a_class_in_neither_map_is_left_out_and_one_in_one_of_them_counts_as_zero():
    truth, guess = [of([0, 0, 1, 1])], [of([0, 0, 1, 2])]
    found = numbers("miou", truth, guess, Space("Segmentation", ("a", "b", "c", "d")))
    assert found == {"miou": pytest.approx(0.5), "miou_by_picture": pytest.approx(0.5), "iou_a": 1, "iou_b": 0.5, "iou_c": 0, "iou_d": None}


def test_perfect_predictions_reach_the_best():
    truth, _ = pictures(0)
    for name in NAMES:
        found = {key: value for key, value in numbers(name, truth, truth).items() if value is not None}
        assert found and set(found.values()) == {0.0 if name == "hd95" else 1.0}


def test_what_the_prediction_leaves_unknown_is_a_miss_and_no_false_find():
    truth, guess = [of([0, 0, 1, 1])], [of([0, IGNORE, 1, 1])]
    assert numbers("miou", truth, guess)["iou_sky"] == 0.5 and numbers("miou", truth, guess)["iou_road"] == 1
    found = numbers("pixel_accuracy", truth, guess)
    assert found == {"pixel_accuracy": 0.75, "mean_class_accuracy": 0.75, "mean_class_precision": 1.0}
    assert "1 pixels without" in figures("pixel_accuracy", truth, guess)[1]["note"]


def test_each_label_has_its_own_value_for_unknown():
    truth, guess = [of([0, 9, 1, 1], ignore=9)], [of([0, 0, 7, 1], ignore=7)]
    assert numbers("miou", truth, guess)["miou"] == pytest.approx(0.75)
    assert evaluate(["miou"], truth, guess, SPACE).numbers["miou"] == pytest.approx(0.75)


# ---------------------------------------------------------------- torchmetrics and brute force


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ignored", [0.0, 0.1])
def test_counts_equal_torchmetrics(seed, ignored):
    from torchmetrics.classification import (
        MulticlassAccuracy,
        MulticlassConfusionMatrix,
        MulticlassF1Score,
        MulticlassJaccardIndex,
        MulticlassPrecision,
    )

    truth, guess = pictures(seed, count=3, ignored=ignored)
    true, found = (torch.from_numpy(np.stack([label.classes for label in side])).long() for side in (truth, guess))
    options = {"num_classes": 3, "ignore_index": IGNORE}

    def theirs(metric, average):
        return metric(**options, average=average)(found, true).numpy()

    ours = {key: value for name in NAMES[:3] for key, value in numbers(name, truth, guess).items()}
    assert [ours[f"iou_{name}"] for name in SPACE.names] == pytest.approx(theirs(MulticlassJaccardIndex, "none").tolist(), abs=1e-6)
    assert ours["miou"] == pytest.approx(float(theirs(MulticlassJaccardIndex, "macro")), abs=1e-6)
    assert [ours[f"dice_{name}"] for name in SPACE.names] == pytest.approx(theirs(MulticlassF1Score, "none").tolist(), abs=1e-6)
    assert ours["dice"] == pytest.approx(float(theirs(MulticlassF1Score, "macro")), abs=1e-6)
    assert ours["pixel_accuracy"] == pytest.approx(float(theirs(MulticlassAccuracy, "micro")), abs=1e-6)
    assert ours["mean_class_accuracy"] == pytest.approx(float(theirs(MulticlassAccuracy, "macro")), abs=1e-6)
    assert ours["mean_class_precision"] == pytest.approx(float(theirs(MulticlassPrecision, "macro")), abs=1e-6)
    matrix = next(one for one in figures("pixel_accuracy", truth, guess) if one["kind"] == "matrix")
    assert matrix["values"] == MulticlassConfusionMatrix(**options)(found, true).tolist()
    each = [float(MulticlassJaccardIndex(**options, average="macro")(a[None], b[None])) for a, b in zip(found, true) if (b < 3).any()]
    assert ours["miou_by_picture"] == pytest.approx(np.mean(each), abs=1e-6)


def test_dice_by_picture_equals_torchmetrics():
    from torchmetrics.segmentation import DiceScore

    truth, guess = pictures(5, ignored=-1.0)
    true, found = (torch.from_numpy(np.stack([label.classes for label in side])).long() for side in (truth, guess))
    theirs = DiceScore(num_classes=3, average="macro", input_format="index", include_background=True)(found, true)
    assert numbers("dice", truth, guess)["dice_by_picture"] == pytest.approx(float(theirs), abs=1e-6)


def far(points, targets):
    """Distances to the nearest target by comparing all with all."""
    return np.sqrt(((points[:, None] - targets[None]) ** 2).sum(2)).min(1)


@pytest.mark.parametrize("seed", range(4))
def test_hausdorff_equals_monais_definition(seed):
    rng = np.random.default_rng(seed)
    true, guess = picture(rng, size=(30, 37), noise=0.2 + seed)
    first = np.where(true.classes == IGNORE, -1, true.classes)
    second = np.where(first == -1, -1, guess.classes)
    found = surface_distances(true, guess)
    assert found.keys() == {c for c in range(3) if ((first == c) | (second == c)).any()}
    for c, (value, mean, _) in found.items():
        edges = [mask & ~ndimage.binary_erosion(mask) for mask in (first == c, second == c)]
        if not all(edge.any() for edge in edges):
            assert value == mean == np.hypot(30, 37)
            continue
        one = ndimage.distance_transform_edt(~edges[0])[edges[1]]
        two = ndimage.distance_transform_edt(~edges[1])[edges[0]]
        assert value == pytest.approx(max(np.percentile(one, 95), np.percentile(two, 95)))
        brute = far(np.argwhere(edges[1]), np.argwhere(edges[0])), far(np.argwhere(edges[0]), np.argwhere(edges[1]))
        assert value == pytest.approx(max(np.percentile(way, 95) for way in brute)) and mean == pytest.approx(np.concatenate(brute).mean())


def test_hausdorff_of_shifted_squares_and_of_absent_classes():
    canvas_, moved = np.zeros((40, 40), int), np.zeros((40, 40), int)
    canvas_[10:20, 10:20] = moved[10:20, 17:27] = 1
    space = Space("Segmentation", ("ground", "square"))
    assert numbers("hd95", [Segmentation(canvas_)], [Segmentation(moved)], space)["hd95_square"] == 7
    empty = Segmentation(np.zeros((40, 40), int))
    truth, guess = [Segmentation(canvas_), empty], [empty, empty]
    found = numbers("hd95", truth, guess, space)
    assert found["hd95_square"] == pytest.approx(40 * 2**0.5)  # the second picture has no square to be far from
    assert load("metrics", "hd95").counts(truth, space, {}) == {"hd95_ground": 2, "hd95_square": 1}
    row = figures("hd95", truth, guess, space)[0]["rows"][1]
    assert row[:3] == ["square", 1, 1]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [(30, 37), (200, 260)])
def test_border_f1_equals_brute_force(seed, size):
    true, guess = picture(np.random.default_rng(seed), size=size)
    maps = np.where(true.classes == IGNORE, -1, true.classes), np.where(true.classes == IGNORE, -1, guess.classes)
    points = []
    for values in maps:
        padded = np.pad(values, 1, constant_values=-1)
        middle, border = padded[1:-1, 1:-1], np.zeros(size, bool)
        for near in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
            border |= (near != middle) & (near >= 0) & (middle >= 0)
        points.append({c: np.argwhere(border & (values == c)) for c in range(3)})
    found, reach = border_scores(true, guess), TOLERANCE * np.hypot(*size)
    for c in range(3):
        one, two = points[0][c], points[1][c]
        if not len(one) and not len(two):
            assert c not in found
        elif not len(one) or not len(two):
            assert found[c] == (0, 0, 0)
        else:
            precision, recall = (far(two, one) <= reach).mean(), (far(one, two) <= reach).mean()
            f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
            assert found[c] == pytest.approx((f1, precision, recall))


def test_border_f1_forgives_what_lies_within_the_tolerance():
    def half(at):
        values = np.zeros((300, 400), int)  # 0.75 % of the diagonal are 3.75 pixels
        values[:, at:] = 1
        return [Segmentation(values)]

    space = Space("Segmentation", ("left", "right"))
    assert numbers("boundary_f1", half(200), half(203), space)["boundary_f1"] == 1
    assert numbers("boundary_f1", half(200), half(204), space)["boundary_f1"] == 0
    assert numbers("boundary_f1", half(200), half(0), space)["boundary_f1"] == 0  # no border at all
    assert numbers("boundary_f1", half(0), half(0), space)["boundary_f1"] is None  # the frame is none


def parts(values, c):
    labels, count = ndimage.label(values == c, np.ones((3, 3)))
    return [labels == k for k in range(1, count + 1)]


@pytest.mark.parametrize("seed", range(3))
def test_regions_equal_brute_force(seed):
    true, guess = picture(np.random.default_rng(seed), size=(70, 80), noise=0.7)
    first = np.where(true.classes == IGNORE, -1, true.classes)
    second = np.where(first == -1, -1, guess.classes)
    cover, precise, areas = [], [], []
    for c in range(3):
        ours, theirs = parts(first, c), parts(second, c)
        for one in ours:
            touching = np.any([other for other in theirs if (other & one).any()] or [np.zeros_like(one)], axis=0)
            others = np.any([other for other in ours if other is not one] or [np.zeros_like(one)], axis=0)
            cover.append((one & touching).sum() / ((one | touching) & ~others).sum())
            areas.append(one.sum())
        precise += [(other & (first == c)).sum() / other.sum() for other in theirs]
    found = numbers("regions", [true], [guess])
    cover, precise, areas = np.array(cover), np.array(precise), np.array(areas)
    assert found["region_iou"] == pytest.approx(cover.mean()) and found["region_precision"] == pytest.approx(precise.mean())
    levels = np.arange(25, 80, 5) / 100
    hits, false = (cover[:, None] > levels).sum(0), (precise[:, None] <= levels).sum(0)
    assert found["region_f1"] == pytest.approx((2 * hits / (hits + len(cover) + false)).mean())
    for size, own in (("small", areas <= 1024), ("medium", (areas > 1024) & (areas <= 96**2)), ("large", areas > 96**2)):
        assert found[f"region_iou_{size}"] == (pytest.approx(cover[own].mean()) if own.any() else None)
    table = figures("regions", [true], [guess])[0]
    assert [sum(row[1] for row in table["rows"]), sum(row[4] for row in table["rows"])] == [len(cover), len(precise)]


def test_worst_regions_name_what_was_missed_and_made_up():
    truth, guess = np.zeros((40, 40), int), np.zeros((40, 40), int)
    truth[2:12, 3:13] = 1
    guess[20:25, 30:40] = 2
    missed, false = worst_regions([None, Segmentation(truth)], [Segmentation(guess)] * 2, ["a", "b"], SPACE)
    assert missed == [{"index": 1, "id": "b", "box": [3, 2, 13, 12], "area": 100, "class": 1, "cover": 0.0, "name": "road"}]
    assert false == [{"index": 1, "id": "b", "box": [30, 20, 40, 25], "area": 50, "class": 2, "cover": 0.0, "name": "car"}]
    assert worst_regions([], [], [], SPACE) == ([], [])


# ---------------------------------------------------------------- weights, intervals, memory


@pytest.mark.parametrize("name", [*NAMES, "panoptic"])
def test_weights_are_repeated_pictures(name):
    space = THINGS if name == "panoptic" else SPACE
    truth, guess = things(3) if name == "panoptic" else pictures(3)
    weights = np.array([1, 0, 3, 2, 0, 1])
    estimate = load("metrics", name).estimator(truth, guess, space, {})
    rows = {key: values[0] for key, values in estimate(weights[None].astype(float)).items()}
    drawn = np.repeat(np.arange(6), weights)
    again = numbers(name, [truth[i] for i in drawn], [guess[i] for i in drawn], space)
    assert rows.keys() == again.keys()
    for key, value in again.items():
        assert (np.isnan(rows[key]) and value is None) or rows[key] == pytest.approx(value)
    assert point(estimate, 6) == pytest.approx(numbers(name, truth, guess, space), nan_ok=True)


def test_evaluation_has_intervals_counts_and_directions():
    truth, guess = pictures(1, n=8)
    packed = [label.compact() for label in guess]
    result = evaluate(NAMES, truth, packed, SPACE, intervals=50)
    assert result.numbers == evaluate(NAMES, truth, guess, SPACE, intervals=0).numbers
    for name, (low, high) in result.intervals.items():
        assert low <= result.numbers[name] <= high or name.startswith("hd95")
    assert {"miou", "dice", "hd95", "iou_car", "region_f1", "boundary_f1"} <= result.intervals.keys()
    assert result.n["miou"] == 8 and result.n["iou_car"] == sum((label.classes == 2).any() for label in truth)
    assert not result.higher_is_better["hd95_car"] and result.higher_is_better["miou_by_picture"]
    json.dumps(result.to_dict(), allow_nan=False)
    better = paired(["miou"], truth, packed, truth, SPACE, intervals=20)
    assert better["miou"][0] == pytest.approx(1 - result.numbers["miou"])


def test_many_classes_have_a_table_and_no_number_each():
    space = Space("Segmentation", tuple(f"c{i}" for i in range(70)))
    truth, guess = [Segmentation(np.arange(70).reshape(7, 10))], [Segmentation(np.arange(70)[::-1].reshape(7, 10))]
    assert numbers("miou", truth, guess, space) == {"miou": 0.0, "miou_by_picture": 0.0}
    assert len(figures("miou", truth, guess, space)[0]["rows"]) == 50
    assert [one["kind"] for one in figures("pixel_accuracy", truth, guess, space)] == ["table", "table"]


def test_what_does_not_fit_is_refused_by_name():
    fine = of([0, 1])
    for truth, guess, rule, at in (
        ([fine, of([0, 3])], [fine, fine], "a true label has a class that is not there", 1),
        ([fine, fine], [of([0, -1]), fine], "a prediction has a class that is not there", 0),
        ([fine, fine], [fine, of([0, 1, 1])], "one size", 1),
    ):
        with pytest.raises(InputError, match=rule) as caught:
            evaluate(["miou"], truth, guess, SPACE, ids=["a", "b"])
        assert caught.value.file == "ab"[at] and caught.value.at == at
    with pytest.raises(InputError, match="one size"):
        numbers("miou", [fine], [of([0, 1, 1])])


def test_maps_are_looked_at_once_and_not_kept_alive(monkeypatch):
    true, guess = picture(np.random.default_rng(0))
    first = confusions(true, guess)
    assert confusions(true, guess) is first
    other = Segmentation(true.classes)
    assert confusions(other, guess) is not first and np.array_equal(confusions(other, guess), first)
    alive = [weakref.ref(label) for label in (true, guess, other)]
    del true, guess, other
    gc.collect()
    assert [label() for label in alive] == [None] * 3


# ---------------------------------------------------------------- panoptic quality


def things(seed, n=6, size=(40, 50), crowds=0.0, most=6):
    """Pictures of ellipses, some of which overlap, and predictions that are moved, doubled, of another class, or made up."""
    rng = np.random.default_rng(seed)
    ys, xs = np.mgrid[: size[0], : size[1]] + 0.5
    truth, predicted = [], []
    for _ in range(n):
        count = int(rng.integers(0, most))
        middle, half = rng.uniform(5, 35, (count, 2)), rng.uniform(3, 10, (count, 2))
        classes = rng.integers(0, 3, count)
        picked = np.flatnonzero(rng.random(count) < 0.9)
        sides = [(middle, half, classes), (middle[picked] + rng.normal(0, 1.0, (len(picked), 2)), half[picked], classes[picked])]
        sides[1] = tuple(np.concatenate([part, part[:1]]) for part in sides[1])
        labels = []
        for centers, radii, own in sides:
            masks = np.array([((ys - y) / a) ** 2 + ((xs - x) / b) ** 2 < 1 for (y, x), (a, b) in zip(centers, radii)], bool)
            masks = masks.reshape(-1, *size)
            boxes = np.stack([centers[:, 1] - radii[:, 1], centers[:, 0] - radii[:, 0], centers[:, 1] + radii[:, 1], centers[:, 0] + radii[:, 0]], 1)
            labels.append(Detections(boxes, None, own, masks))
        crowd = rng.random(count) < crowds
        truth.append(Detections(labels[0].boxes, None, classes, labels[0].masks, crowd=crowd))
        scores = rng.uniform(0.3, 1, len(labels[1]))
        predicted.append(Detections(labels[1].boxes, scores, labels[1].classes, labels[1].masks))
    return truth, predicted


def brute_panoptic(truth, predicted, kept=0.5):
    """PQ, SQ, RQ by sets of pixels, thing by thing."""
    sums = np.zeros((3, 4))
    for true, guess in zip(truth, predicted):
        sides = []
        for label, least in ((true, 0.0), (guess, kept)):
            crowd = label.crowd if label.crowd is not None else np.zeros(len(label), bool)
            taken, segments = set(), {}
            for i in sorted(range(len(label)), key=lambda i: (crowd[i], -label.scores[i], label.masks[i].sum(), i)):
                pixels = set(map(tuple, np.argwhere(label.masks[i]).tolist()))
                free = pixels - taken
                if free and len(free) >= least * len(pixels):
                    segments[i] = free
                    taken |= free
            sides.append(segments)
        crowd = true.crowd if true.crowd is not None else np.zeros(len(true), bool)
        wanted = {i for i in sides[0] if not crowd[i]}
        sums[:, 3] += np.bincount(true.classes[sorted(wanted)].astype(int), minlength=3)
        for p, pixels in sides[1].items():
            c = guess.classes[p]
            overlaps = [len(pixels & sides[0][t]) / len(pixels | sides[0][t]) for t in wanted if true.classes[t] == c]
            if overlaps and max(overlaps) > 0.5:
                sums[c] += (max(overlaps), 1, 1, 0)
            elif sum(len(pixels & sides[0][t]) for t in sides[0] if crowd[t] and true.classes[t] == c) <= 0.5 * len(pixels):
                sums[c, 2] += 1
    sums = sums[sums[:, 2:].sum(1) > 0]
    iou, hits, chosen, wanted = sums.T
    return [float(part.mean()) for part in (2 * iou / (chosen + wanted), iou / np.maximum(hits, 1), 2 * hits / (chosen + wanted))]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("crowds", [0.0, 0.4])
def test_panoptic_equals_brute_force(seed, crowds):
    truth, predicted = things(seed, crowds=crowds)
    ours = numbers("panoptic", truth, predicted, THINGS)
    assert list(ours.values()) == pytest.approx(brute_panoptic(truth, predicted)) and list(ours) == ["pq", "sq", "rq"]


def test_panoptic_equals_torchmetrics():
    from torchmetrics.detection import PanopticQuality

    truth, predicted = things(11, n=8)
    maps = []
    for side, kept in ((truth, 0.0), (predicted, 0.5)):
        planes = []
        for label in side:
            owners = flattened(label, (40, 50), kept=kept).owners
            classes = np.where(owners >= 0, np.append(label.classes, 0)[owners], 3)
            planes.append(np.stack([classes, np.where(owners >= 0, owners + 1, 0)], -1))
        maps.append(torch.from_numpy(np.stack(planes)))
    theirs = PanopticQuality(things={0, 1, 2}, stuffs={3}, return_sq_and_rq=True, return_per_class=True)(maps[1], maps[0])
    assert list(numbers("panoptic", truth, predicted, THINGS).values()) == pytest.approx(theirs[:3].mean(0).tolist(), abs=1e-6)


def test_panoptic_of_nothing_and_of_one_side():
    empty, (truth, predicted) = Detections.empty(), things(1)
    for side in ([], [empty], [empty, empty]):
        assert set(numbers("panoptic", side, side, THINGS).values()) == {None} and figures("panoptic", side, side, THINGS) == []
    for one, two in ((truth, [empty] * 6), ([empty] * 6, predicted)):
        assert set(numbers("panoptic", one, two, THINGS).values()) == {0.0}
    apart = [Detections(np.array([[0, 0, 9, 9], [9, 0, 20, 30]]), None, np.array([0, 2]))] * 2
    assert set(numbers("panoptic", apart, apart, THINGS).values()) == set(numbers("panoptic", apart, apart, Space("Detections")).values()) == {1.0}


def test_panoptic_reads_masks_outlines_and_boxes_alike():
    square = np.zeros((30, 30), bool)
    square[5:15, 5:15] = True
    box = np.array([[5, 5, 15, 15]], np.float32)
    ring = np.array([[5, 5], [15, 5], [15, 15], [5, 15]], float)
    labels = [
        Detections(box, masks=square[None]), Detections(box, outlines=(Outline.of(square),)), Detections(box, outlines=(Polygons((ring,)),)),
        Detections(box),
    ]  # fmt: skip
    for one in labels:
        for two in labels:
            assert numbers("panoptic", [one], [two], THINGS, sizes=[(30, 30)])["pq"] == 1
    assert canvas([Detections(box)]) == (15, 15) and canvas(labels[2:], (20, 30)) == (20, 30) and canvas(labels[:2]) == (30, 30)
    with pytest.raises(InputError, match="one size"):
        canvas(labels[:1], (20, 20))
    with pytest.raises(InputError, match="too far"):
        canvas([Detections(np.array([[0, 0, 1e6, 1e6]]))])


def test_overlaps_go_to_the_surer_then_to_the_smaller_thing():
    masks = np.zeros((3, 10, 10), bool)
    masks[0, :, :6], masks[1, :, 4:], masks[2, 0, :] = True, True, True
    boxes = np.zeros((3, 4), np.float32)
    flat = flattened(Detections(boxes, [0.5, 0.9, 0.4], None, masks), (10, 10))
    assert flat.areas.tolist() == [40, 60, 0]
    flat = flattened(Detections(boxes, [0.5, 0.5, 0.5], None, masks), (10, 10), kept=0.5)
    assert flat.areas.tolist() == [54, 36, 10]
    found = matches(Detections(boxes, None, None, masks), Detections(boxes, [0.9, 0.2, 0.8], None, masks), (0.25,), None)
    assert found[0, 2:].tolist() == [1, 3]  # the third keeps four of its ten pixels


# ---------------------------------------------------------------- pictures of the report


class Scored:
    """What `engine.evaluate` hands to the galleries."""

    def __init__(self, root, truth, guess, space, ids):
        from types import SimpleNamespace

        from vidi.core.dataset import Dataset, Sample
        from vidi.report.pictures import save_png

        rng = np.random.default_rng(0)
        samples = []
        for name, label in zip(ids, truth):
            image = save_png(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8), root / f"{name}.png")
            samples.append(Sample(id=name, inputs={"image": image}, label=label))
        self.dataset = Dataset(samples, space)
        self.inference = SimpleNamespace(labels=guess, losses=np.array([0.0, 5.0, 1.0]))
        names = {"Segmentation": NAMES, "Detections": ["panoptic"], "Classification": ["accuracy"]}[space.family]
        self.evaluation = evaluate(names, [sample.label for sample in samples], guess, space, intervals=0)


def test_galleries_of_maps(tmp_path):
    from vidi.engine.galleries import galleries

    truth, guess = pictures(2, n=3, size=(60, 80), noise=1.0)
    guess[1] = Segmentation(np.where(truth[1].classes == IGNORE, 0, truth[1].classes))
    sections = galleries(Scored(tmp_path, truth, guess, SPACE, ["a", "b", "c"]), {}, 2)
    titles = [section["title"] for section in sections]
    assert titles == ["Worst samples", "Best samples", "Regions missed, largest first", "Regions found for nothing, largest first"]
    assert sections[1]["items"][0]["note"] == "b · mean IoU 1.000"  # by IoU, not by the loss
    assert [len(section["items"]) for section in sections[:2]] == [2, 2]
    assert all(item["image"].startswith("data:image/") for section in sections for item in section["items"])


def test_galleries_of_things_with_outlines(tmp_path):
    from vidi.engine.galleries import galleries

    truth, guess = things(4, n=3, size=(60, 80))
    guess[0] = guess[0][:0]
    sections = galleries(Scored(tmp_path, truth, [label.compact() for label in guess], THINGS, ["a", "b", "c"]), {}, 4)
    assert [section["title"] for section in sections][2:] == ["Found for nothing, surest first", "Missed, largest first"]
    assert all(item["image"].startswith("data:image/") for section in sections for item in section["items"])


def test_galleries_of_other_families_and_of_pictures_that_are_gone(tmp_path):
    from vidi.engine.galleries import galleries

    space = Space("Classification", ("ant", "bee"))
    truth = [Classification(np.array(row, np.float32)) for row in ([1, 0], [0, 1], [1, 0])]
    scored = Scored(tmp_path, truth, truth[1:] + truth[:1], space, ["a", "b", "c"])
    (tmp_path / "b.png").unlink()
    worst, best = galleries(scored, {}, 2)
    assert [item["note"] for item in worst["items"]] == ["c · loss 1.000"]
    assert [item["note"] for item in best["items"]] == ["a · loss 0.000", "c · loss 1.000"]
    scored.inference.losses = None
    assert galleries(scored, {}, 1)[1]["items"][0]["note"] == "c · disagreement 0.000" and galleries(scored, {}, 0) == []


def test_the_error_map_marks_wrong_and_unknown_pixels():
    from vidi.engine.map_pictures import error_map, shrunk, tinted

    pixels = np.full((2, 2, 3), 100, np.uint8)
    truth, guess = of([0, 1], [IGNORE, 1]), of([0, 0], [0, IGNORE])
    shown = error_map(pixels, truth, guess).astype(int)
    assert (shown[0, 0] == shown[0, 0, 0]).all() and (shown[1, 0] < 90).all()
    assert (shown[[0, 1], 1, 0] > 180).all() and (shown[[0, 1], 1, 1] < 90).all()
    assert (tinted(pixels, truth)[1, 0] == 100).all() and (tinted(pixels, truth)[0, 0] != 100).any()
    large = np.zeros((400, 200, 3), np.uint8)
    small, first, _ = shrunk(large, [Segmentation(np.arange(2).repeat(200)[:, None].repeat(200, 1))] * 2, 100)
    assert small.shape == (100, 50, 3) and first.shape == (100, 50) and (first.classes[:50] == 0).all() and (first.classes[50:] == 1).all()


def test_regions_of_a_picture_are_bounded():
    noise = np.random.default_rng(0).integers(0, 3, (64, 64))
    found = regions(Segmentation(noise), Segmentation((noise + 1) % 3))
    assert len(found.missed) == len(found.false) == 12 and found.right[0].sum() == 0
