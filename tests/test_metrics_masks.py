"""The numbers about masks against pycocotools and brute force, the empty cases first."""

import contextlib
import io
import json
import time

import numpy as np
import pytest

from vidi.core.discovery import load
from vidi.core.space import Space
from vidi.errors import InputError
from vidi.labels import Detections, Outline, Polygons
from vidi.metrics import applicable, evaluate
from vidi.metrics._box_thresholds import best_box_thresholds
from vidi.metrics._matching import LEAST, gather, match
from vidi.metrics._measures import BORDERS, BOXES, MASKS, by_what, thing_sizes
from vidi.metrics._thing_confusion import thing_confusion_matrix
from vidi.metrics._things import worst_things
from vidi.ops.cutouts import border, cut_out, cutout_overlaps, from_counts, moved, to_counts, united

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools

SPACE = Space("Detections", ("ant", "bee", "cat"))
NAMES = ("boundary_ap", "mask_ap", "mask_buckets", "mask_confusion", "mask_curves", "mask_errors", "mask_f1")
PARTS = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large")
EMPTY = Detections.empty()


def numbers(name, truth, predicted, space=SPACE, **settings):
    return load("metrics", name).numbers(truth, predicted, space, settings)


def figures(name, truth, predicted, space=SPACE, **settings):
    drawn = load("metrics", name).figures(truth, predicted, space, settings)
    json.dumps(drawn, allow_nan=False)
    return drawn


def boxes_of(masks):
    return np.array([cut_out(mask).box for mask in masks], np.float32).reshape(-1, 4)


def masked(masks, scores=None, classes=None, crowd=None):
    masks = np.asarray(masks, bool)
    return Detections(boxes_of(masks), scores, classes, masks, crowd=crowd)


def blob(rng, size):
    """An ellipse, a hollow one, a rectangle, a single pixel or speckles."""
    height, width = size
    y, x = np.mgrid[:height, :width] + 0.5
    kind, (cx, cy) = rng.integers(8), rng.uniform(0, 1, 2) * [width, height]
    r, q = np.exp(rng.uniform(np.log(1), np.log(min(size) / 2), 2))
    away = ((x - cx) / r) ** 2 + ((y - cy) / q) ** 2
    if kind == 0:
        return (away < 1) & (away > 0.4)
    if kind == 1:
        return (np.abs(x - cx) < r) & (np.abs(y - cy) < q)
    if kind == 2:
        return (np.floor(x) == np.floor(cx)) & (np.floor(y) == np.floor(cy))
    if kind == 3:
        return (away < 1) & (rng.random(size) < 0.6)
    return away < 1


def scene(rng, count=3, crowds=0.1, most=9, size=(40, 56), factor=1):
    """Truth and predictions: shifted copies, doubles, wrong classes and background."""
    n = int(rng.integers(0, most))
    marks = np.array([blob(rng, size) for _ in range(n)], bool).reshape(n, *size)
    classes = rng.integers(0, count, n)
    picked = rng.integers(0, n, int(rng.integers(0, 3 * n))) if n else np.zeros(0, int)
    near = [np.roll(marks[i], rng.integers(-2, 3, 2) * (rng.random() < 0.8), (0, 1)) for i in picked]
    found = np.array([*near, *(blob(rng, size) for _ in range(rng.integers(0, 4)))], bool).reshape(-1, *size)
    guessed = rng.integers(0, count, len(found))
    guessed[: len(picked)] = np.where(rng.random(len(picked)) < 0.85, classes[picked], guessed[: len(picked)])
    if factor > 1:
        marks, found = (part.repeat(factor, 1).repeat(factor, 2) for part in (marks, found))
    truth = masked(marks, None, classes, rng.random(n) < crowds)
    return truth, masked(found, rng.random(len(found)).astype(np.float32), guessed)


def scenes(pictures, seed, **options):
    rng = np.random.default_rng(seed)
    pairs = [scene(rng, **options) for _ in range(pictures)]
    return [true for true, _ in pairs], [guess for _, guess in pairs]


def coco(truth, predicted, ids, sizes, caps=None, boundary=False):
    """pycocotools on the same things' pixels; with `boundary`, its overlaps are those of Boundary IoU, in the plainest words."""
    tools = pytest.importorskip("pycocotools.mask")
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def things(labels, result):
        found = []
        for row, label in enumerate(labels):
            areas = label.bitmaps(sizes[row]).sum((1, 2)) if result else thing_sizes(label)
            for i, mask in enumerate(label.bitmaps(sizes[row])):
                one = {"image_id": 7 * row + 3, "category_id": ids[label.classes[i]], "id": len(found) + 1, "area": float(areas[i])}
                one["segmentation"] = tools.encode(np.asfortranarray(mask.astype(np.uint8)))
                crowd = 0 if label.crowd is None else int(label.crowd[i])
                found.append(one | ({"score": float(label.scores[i])} if result else {"iscrowd": crowd}))
        return found

    class Evaluation(COCOeval):
        def computeIoU(self, image, category):
            overlaps = super().computeIoU(image, category)
            if not boundary or not len(overlaps):
                return overlaps
            wanted, found = self._gts[image, category], self._dts[image, category]
            found = [found[i] for i in np.argsort([-one["score"] for one in found], kind="mergesort")][: self.params.maxDets[-1]]
            edges = [[plain_border(tools.decode(one["segmentation"]).astype(bool)) for one in side] for side in (found, wanted)]
            for p, mine in enumerate(edges[0]):
                for t, theirs in enumerate(edges[1]):
                    if not wanted[t]["iscrowd"]:
                        overlaps[p, t] = min(overlaps[p, t], (mine & theirs).sum() / max(1, (mine | theirs).sum()))
            return overlaps

    with contextlib.redirect_stdout(io.StringIO()):
        base, found = COCO(), COCO()
        images = [{"id": 7 * row + 3, "height": sizes[row][0], "width": sizes[row][1]} for row in range(len(truth))]
        for which, labels, result in ((base, truth, False), (found, predicted, True)):
            which.dataset = {"images": images, "categories": [{"id": i} for i in ids], "annotations": things(labels, result)}
            which.createIndex()
        run = Evaluation(base, found, "segm")
        run.params.maxDets = list(caps or (1, 10, 100))
        run.evaluate()
        run.accumulate()
        if not caps:
            run.summarize()
    return run


def plain_border(mask):
    """The pixels of a mask within a distance of 2 % of the diagonal of what is not the mask, by taking layers away."""
    reach = max(1, round(0.02 * np.hypot(*mask.shape)))
    left = np.pad(mask, 1)
    for _ in range(reach):
        left[1:-1, 1:-1] &= np.all([np.roll(left, (a, b), (0, 1))[1:-1, 1:-1] for a in (-1, 0, 1) for b in (-1, 0, 1)], axis=0)
    return mask & ~left[1:-1, 1:-1]


def equal(truth, predicted, sizes, space=SPACE, ids=(2, 7, 90), name="mask"):
    expected = coco(truth, predicted, ids, sizes, boundary=name == "boundary").stats
    found = numbers(f"{name}_ap", truth, predicted, space, sizes=sizes)
    assert tuple(found) == tuple(f"{name}_{part}" for part in PARTS)
    for (part, value), one in zip(found.items(), expected):
        assert value is None if one == -1 else value == pytest.approx(one, abs=1e-9), part


def compact(labels):
    return [label.compact() for label in labels]


# -- nothing ----------------------------------------------------------------------------------------------------------


def test_all_are_offered_for_things():
    assert set(NAMES) <= set(applicable(SPACE)) and not set(NAMES) & set(applicable(Space("Segmentation", ("a",))))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pictures", [0, 1, 3])
def test_nothing_marked_and_nothing_found_is_undefined(name, pictures):
    nothing = Detections(np.zeros((0, 4)), masks=np.zeros((0, 5, 7), bool))
    for labels in ([EMPTY] * pictures, [nothing] * pictures, [Detections(np.zeros((0, 4)), outlines=())] * pictures):
        assert set(numbers(name, labels, labels).values()) <= {None}
        assert figures(name, labels, labels) == []
    found = evaluate([name], [EMPTY] * pictures, [nothing] * pictures, SPACE, settings={"sizes": [(9, 9)] * pictures})
    assert set(found.numbers.values()) <= {None} and found.intervals == {}


@pytest.mark.parametrize("name", NAMES)
def test_only_truth_or_only_predictions(name):
    some = [masked([blob(np.random.default_rng(5), (20, 20)), np.ones((20, 20))], classes=[0, 1])]
    missed, wrong = numbers(name, some, [EMPTY]), numbers(name, [EMPTY], some)
    figures(name, some, [EMPTY])
    figures(name, [EMPTY], some)
    assert all(value in (0.0, None) for key, value in missed.items() if key not in ("mask_tide_miss", "mask_tide_fn"))
    assert all(value in (0.0, None) for value in wrong.values())


@pytest.mark.parametrize("name", NAMES)
def test_masks_without_a_pixel_are_found_by_nothing(name):
    blank = [masked(np.zeros((2, 9, 9)), [0.9, 0.8], [0, 1])]
    found = numbers(name, blank, blank)
    assert all(value in (0.0, None) for key, value in found.items() if key not in ("mask_tide_miss", "mask_tide_fn"))
    figures(name, blank, blank)


# -- equal to pycocotools ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(200))
def test_the_twelve_equal_pycocotools(seed):
    """Crowds, gaps in the ids, classes and pictures without truth, speckles, holes, single pixels and empty masks, all sizes."""
    rng = np.random.default_rng(seed)
    count, factor = int(rng.integers(1, 4)), int(rng.choice([1, 1, 1, 5]))
    space, ids = Space("Detections", SPACE.names[:count]), sorted(rng.choice(99, count, replace=False).tolist())
    options = {"count": count, "crowds": float(rng.choice([0, 0.3])), "factor": factor}
    truth, predicted = scenes(int(rng.integers(1, 6 if factor == 1 else 3)), seed, **options)
    if seed % 5 == 0:
        truth[0], predicted[-1] = EMPTY, EMPTY
    sizes = [(40 * factor, 56 * factor)] * len(truth)
    if seed % 2:
        truth, predicted = compact(truth), compact(predicted)
    equal(truth, predicted, sizes, space, ids)


@pytest.mark.parametrize("seed", range(30))
def test_polygons_and_things_without_outline_equal_pycocotools(seed):
    rng, size = np.random.default_rng(seed), (48, 64)

    def some(count):
        outlines, boxes = [], []
        for _ in range(count):
            center, reach = rng.uniform(0, 1, 2) * [64, 48], np.exp(rng.uniform(0, 3.2))
            angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 9))))
            ring = center + reach * np.stack([np.cos(angles), np.sin(angles)], 1)
            rings = (ring, ring + rng.uniform(-9, 9, 2))[: rng.integers(1, 3)]
            outlines.append(Polygons(rings) if rng.random() < 0.8 else None)
            boxes.append(np.clip(Polygons(rings).box(), 0, [64, 48, 64, 48]))
        return outlines, np.array(boxes, np.float32).reshape(-1, 4)

    truth, predicted = [], []
    for _ in range(4):
        outlines, boxes = some(int(rng.integers(0, 7)))
        extra, more = some(int(rng.integers(0, 4)))
        classes = rng.integers(0, 3, len(outlines))
        truth.append(Detections(boxes, None, classes, crowd=rng.random(len(boxes)) < 0.2, outlines=tuple(outlines)))
        label = Detections(np.concatenate([boxes + 1, more]), rng.random(len(boxes) + len(more)), [*classes, *rng.integers(0, 3, len(more))],
                           outlines=tuple([one and Polygons(tuple(ring + 1 for ring in one.rings)) for one in outlines] + extra))  # fmt: skip
        predicted.append(label if rng.random() < 0.5 else Detections(label.boxes, label.scores, label.classes, label.bitmaps(size)))
    equal(truth, predicted, [size] * 4)


def test_degenerate_pictures_equal_pycocotools():
    one = np.zeros((1, 12, 12), bool)
    one[0, 3, 4] = True
    halves = np.stack([np.arange(12) < 6, np.arange(12) >= 6])[:, None].repeat(12, 1)  # they touch
    whole = np.ones((1, 12, 12), bool)
    pictures = [
        (masked(one), masked(one, [0.5])), (masked(halves), masked(halves, [0.7, 0.7])), (masked(whole, crowd=[True]), masked(halves, [0.5, 0.4])),
        (masked(np.concatenate([one, whole]), crowd=[False, True]), masked(np.concatenate([one, one, halves]), [0.9, 0.3, 0.2, 0.1])),
        (masked(np.zeros((1, 12, 12))), masked(np.zeros((1, 12, 12)), [0.3])), (EMPTY, masked(whole, [0.2])), (masked(halves[:1]), EMPTY),
        (masked(np.stack([whole[0]] * 3)), masked(np.stack([whole[0]] * 5), [0.5] * 5)),
    ]  # fmt: skip
    for truth, guess in pictures:
        for name in ("mask", "boundary"):
            equal([truth], [guess], [(12, 12)], name=name)
            equal([truth.compact()], [guess.compact()], [(12, 12)], name=name)
    equal(*([pair[side] for pair in pictures] for side in (0, 1)), [(12, 12)] * len(pictures))


def test_equal_scores_in_different_pictures_equal_pycocotools():
    rng, levels = np.random.default_rng(3), np.arange(1, 51) / 50
    truth, predicted = scenes(20, 3)
    level = [Detections(guess.boxes, rng.permutation(levels)[: len(guess)], guess.classes, guess.masks) for guess in predicted]
    equal(truth, level, [(40, 56)] * 20)


def test_more_than_the_cap_equals_pycocotools():
    truth, predicted = scenes(3, 1, most=30, count=1)
    rng = np.random.default_rng(0)
    many = [Detections.concatenate([guess] * 6) for guess in predicted]
    many = [Detections(label.boxes, rng.random(len(label)), None, label.masks) for label in many]
    assert max(map(len, many)) > 120
    equal(truth, many, [(40, 56)] * 3, Space("Detections", ("ant",)), [5])
    run = coco(truth, many, [5], [(40, 56)] * 3, caps=(1, 10, 50)).eval
    found = numbers("mask_ap", truth, many, Space("Detections", ("ant",)), max_dets=50)
    assert found["mask_ap"] == pytest.approx(run["precision"][:, :, 0, 0, 2].mean(), abs=1e-9) and "mask_ar50" in found


def test_by_class_equals_pycocotools():
    truth, predicted = scenes(12, 5)
    precision = coco(truth, predicted, (2, 7, 90), [(40, 56)] * 12).eval["precision"]
    for c, row in enumerate(figures("mask_ap", truth, predicted)[0]["rows"]):
        np.testing.assert_allclose(row[3:6], [precision[:, :, c, 0, 2].mean(), *precision[[0, 5], :, c, 0, 2].mean(1)], atol=6e-5)


@pytest.mark.parametrize("seed", range(40))
def test_boundary_ap_equals_brute_force(seed):
    truth, predicted = scenes(2, seed, factor=3 if seed % 2 else 1, crowds=0.2)
    sizes = [(40, 56)] * 2 if seed % 2 == 0 else [(120, 168)] * 2
    equal(truth, compact(predicted) if seed % 3 else predicted, sizes, name="boundary")


# -- what masks share -------------------------------------------------------------------------------------------------


def test_cutouts_say_what_masks_say():
    rng = np.random.default_rng(0)
    for _ in range(60):
        size = tuple(rng.integers(1, 25, 2))
        masks = rng.random((4, *size)) < rng.choice([0.02, 0.3, 0.9, 1.0], (4, 1, 1))
        cuts = [cut_out(mask) for mask in masks]
        regions = rng.random(4) < 0.3
        flat = masks.reshape(4, -1).astype(float)
        shared, own = flat @ flat.T, flat.sum(1)
        union = np.where(regions[None], own[:, None], own[:, None] + own[None] - shared)
        expected = np.where(shared > 0, shared / np.maximum(union, 1), 0)
        np.testing.assert_array_equal(cutout_overlaps(cuts, cuts, regions), expected)
        floored = cutout_overlaps(cuts, cuts, regions, 0.4)
        np.testing.assert_array_equal(floored[expected >= 0.4], expected[expected >= 0.4])
        assert np.array_equal(united(cuts).mask(size), masks.any(0))
        for mask, cut in zip(masks, cuts):
            assert np.array_equal(cut.mask(size), mask) and np.array_equal(from_counts(to_counts(cut, size), size).mask(size), mask)
            assert np.array_equal(border(cut, max(1, round(0.02 * np.hypot(*size)))).mask(size), plain_border(mask))
    assert cutout_overlaps([], cuts).shape == (0, 4) and not cut_out(np.zeros((0, 3))).bits.size
    assert not moved(cut_out(np.zeros((4, 4))), (4, 4), np.eye(3), (4, 4)).bits.size


def test_masks_in_any_form_give_the_same_numbers():
    truth, predicted = scenes(10, 4)
    for name in NAMES:
        forms = [numbers(name, *pair) for pair in ((truth, predicted), (compact(truth), predicted), (truth, compact(predicted)))]
        assert forms[0] == forms[1] == forms[2], name


def test_masks_that_differ_in_size_are_refused():
    label, other = masked(np.ones((1, 4, 5))), masked(np.ones((1, 5, 4)))
    for guess in (other, other.compact()):
        with pytest.raises(InputError, match="differ in size.*at=1|at=1.*differ in size"):
            numbers("mask_ap", [label, label], [label, guess])
    far = [Detections([[0, 0, 5e4, 5e4]])]
    with pytest.raises(InputError, match="beyond any picture"):
        numbers("mask_ap", far, far)
    assert numbers("mask_ap", far, far, sizes=[(9, 9)])["mask_ap"] == 1


def test_what_things_are_judged_by():
    box, mask = [Detections([[0, 0, 4, 4]])], [masked(np.ones((1, 4, 4)))]
    assert by_what(mask, mask) is MASKS and by_what(mask, box) is BOXES is by_what(box, mask) and by_what([], []) is BOXES
    diagonal = np.eye(40, dtype=bool)[None]
    truth = [Detections([[0, 0, 40, 40]], outlines=(Outline.of(diagonal[0]),))]
    guess = [Detections([[0, 0, 40, 40]], [0.9], outlines=(Outline.of(diagonal[0, :, ::-1]),))]
    assert worst_things(truth, guess, ["a"], SPACE)[0]["false_positives"][0]["error"] == "bkg"
    assert worst_things([None, *truth], [EMPTY, *truth], ["x", "a"], SPACE, {"sizes": [(9, 9), (40, 40)]}) == []
    both = Detections(np.tile(guess[0].boxes, (2, 1)), [0.9, 0.6], outlines=(*guess[0].outlines, *truth[0].outlines))
    assert best_box_thresholds(truth, [both], SPACE)[0] < 0.6 < best_box_thresholds([Detections(truth[0].boxes)], [both], SPACE)[0]


# -- the other numbers ------------------------------------------------------------------------------------------------


def simple_matches(true, guess, least, kind=MASKS):
    """Pairs (prediction, thing) at IoU 0.5 in the plainest words (no crowds)."""
    pairs, overlap = {}, plain_overlap(guess, true)
    for p in sorted(range(len(guess)), key=lambda p: -guess.scores[p]):
        free = [t for t in range(len(true)) if t not in pairs.values() and true.classes[t] == guess.classes[p] and overlap[p, t] >= 0.5]
        if free and guess.scores[p] >= least:
            pairs[p] = max(free, key=lambda t: overlap[p, t])
    return pairs, overlap


def plain_overlap(guess, true):
    return np.array([[(a & b).sum() / max(1, (a | b).sum()) for b in true.masks] for a in guess.masks]).reshape(len(guess), len(true))


def test_f1_confusion_and_closeness_equal_brute_force():
    truth, predicted = scenes(15, 9, crowds=0)
    right, chosen, ious = 0, 0, [[] for _ in SPACE.names]
    for true, guess in zip(truth, predicted):
        right += len(simple_matches(true, guess, 0.3)[0])
        chosen += int((guess.scores >= 0.3).sum())
        pairs, overlap = simple_matches(true, guess, 0)
        for p, t in pairs.items():
            ious[true.classes[t]].append(overlap[p, t])
    n = sum(map(len, truth))
    found = numbers("mask_f1", truth, predicted, thresholds=0.3)
    assert found == pytest.approx({"mask_f1": 2 * right / (chosen + n), "mask_precision": right / chosen, "mask_recall": right / n})
    matrix = thing_confusion_matrix(gather(truth, predicted, SPACE, across=True, measure=MASKS), np.full(3, 0.3))
    assert np.trace(matrix[:3, :3]) == right and matrix[:3].sum() == n and matrix[:, :3].sum() == chosen
    drawn = figures("mask_ap", truth, predicted)[1]
    for row, values in zip(drawn["rows"], ious):
        values = np.array(values)
        assert row[2] == len(values) and row[3:5] == pytest.approx([values.mean(), (2 * values / (1 + values)).mean()], abs=6e-5)
        assert row[5] == pytest.approx((values >= 0.75).mean(), abs=6e-5)


def test_perfect_predictions_give_one():
    truth, _ = scenes(20, 0, crowds=0, most=4)
    truth = [label[label.masks.any((1, 2))] for label in truth]
    for name, value in (("mask_ap", 1.0), ("boundary_ap", 1.0), ("mask_f1", 1.0), ("mask_buckets", 1.0), ("mask_errors", 0.0)):
        found = {value for part, value in numbers(name, truth, compact(truth)).items() if not part.endswith(("ar1", "ar10"))}
        assert found - {None} == {value}
    assert all(row[3] == row[4] == row[6] == 1 for row in figures("mask_ap", truth, truth)[1]["rows"])


def test_boundaries_ask_more_than_masks_and_curves_average_to_the_numbers():
    truth, predicted = scenes(12, 12, factor=4)
    assert numbers("boundary_ap", truth, predicted)["boundary_ap"] < numbers("mask_ap", truth, predicted)["mask_ap"]
    found = numbers("mask_ap", truth, predicted)
    for figure, name in zip(figures("mask_curves", truth, predicted), ("mask_ap50", "mask_ap75")):
        assert np.mean(figure["series"][0]["y"]) == pytest.approx(found[name], abs=1e-4) and "masks" in figure["title"]
    base = numbers("mask_errors", truth, predicted)
    assert all(name.startswith("mask_tide_") and value >= 0 for name, value in base.items())


def test_one_evaluation_gathers_once_for_each_measure(monkeypatch):
    from vidi.metrics import _matching

    calls, plain = [], _matching.gather
    monkeypatch.setattr(_matching, "gather", lambda *given, **named: calls.append(named["measure"].name) or plain(*given, **named))
    truth, predicted = scenes(12, 6, crowds=0.2)
    names = (*NAMES, "box_ap", "box_f1", "box_errors", "box_confusion")
    found = evaluate(names, truth, predicted, SPACE, settings={"sizes": [(40, 56)] * 12}, intervals=20)
    assert sorted(calls) == ["boundary", "box", "mask"]
    json.dumps(found.to_dict(), allow_nan=False)
    for name in names:
        alone = evaluate([name], truth, predicted, SPACE, settings={"sizes": [(40, 56)] * 12}, intervals=20)
        assert alone.numbers.items() <= found.numbers.items() and alone.intervals.items() <= found.intervals.items()
        direct = numbers(name, truth, predicted, sizes=[(40, 56)] * 12)
        assert direct == alone.numbers and figures(name, truth, predicted, sizes=[(40, 56)] * 12) == [
            {key: value for key, value in figure.items() if key != "metric"} for figure in alone.figures
        ]
        low, high = found.intervals.get(f"{name}", (0, 1))
        assert low <= high and found.higher_is_better.get("mask_tide_miss") is False
    real = sum(int((~label.crowd).sum()) for label in truth)
    assert found.n["mask_ap"] == found.n["mask_f1"] == found.n["boundary_ap"] == found.n["mask_tide_fp"] == real
    things = plain(truth, predicted, SPACE, floor=LEAST, across=True, measure=BORDERS)
    few = plain(truth, predicted, SPACE, measure=BORDERS)
    assert np.array_equal(things.narrowed(0.5, False).pairs, few.pairs) and np.array_equal(match(things, [0.5]), match(few, [0.5]))


@pytest.mark.parametrize("name", [name for name in NAMES if hasattr(load("metrics", name), "estimator")])
def test_weights_are_repeated_pictures(name):
    truth, predicted = scenes(10, 8)
    sizes = [(40, 56)] * 10
    weights = np.random.default_rng(0).integers(0, 3, (4, 10)).astype(float)
    weights[0] = 0
    for settings in ({"sizes": sizes}, {"sizes": sizes, "thresholds": [0.2, 0.5, 0.7]}):
        fast = load("metrics", name).estimator(truth, predicted, SPACE, settings)(weights)
        for r, row in enumerate(weights.astype(int)):
            drawn = np.repeat(np.arange(10), row)
            parts = [[part[i] for i in drawn] for part in (truth, predicted, sizes)]
            slow = numbers(name, *parts[:2], **(settings | {"sizes": parts[2]}))
            assert {key: None if np.isnan(value[r]) else pytest.approx(value[r], abs=1e-9) for key, value in fast.items()} == slow


def test_many_masks_take_little_time():
    rng, size = np.random.default_rng(0), (480, 640)
    y, x = np.mgrid[:480, :640]
    truth, predicted = [], []
    for _ in range(10):
        where = rng.uniform(0, 1, (30, 4)) * [600, 440, 40, 40] + [20, 20, 10, 10]
        marks = [Outline.of(((x - a) / r) ** 2 + ((y - b) / q) ** 2 < 1) for a, b, r, q in where]
        shift = [np.array([[1, 0, a], [0, 1, b], [0, 0, 1.0]]) for a, b in rng.normal(0, 4, (100, 2))]
        picked = rng.integers(0, 30, 100)
        found = [marks[i].warp(matrix, size) for i, matrix in zip(picked, shift)]
        classes = rng.integers(0, 3, 30)
        truth.append(Detections(np.array([one.box() for one in marks]), None, classes, outlines=tuple(marks)))
        predicted.append(Detections(np.array([one.box() for one in found]), rng.random(100), classes[picked], outlines=tuple(found)))
    start = time.perf_counter()
    assert 0.3 < numbers("mask_ap", truth, predicted)["mask_ap"] < 1
    assert time.perf_counter() - start < 2.5
