"""The numbers about boxes against pycocotools and brute force, the empty cases first."""

import contextlib
import io
import json

import numpy as np
import pytest

from vidi.core.discovery import load
from vidi.core.space import Space
from vidi.errors import InputError
from vidi.labels import Detections
from vidi.labels.outline import Outline
from vidi.metrics import applicable, evaluate, paired
from vidi.metrics._box_thresholds import best_box_thresholds
from vidi.metrics._matching import caps_of, gather, match
from vidi.metrics._thing_confusion import thing_confusion_matrix
from vidi.metrics._things import worst_things
from vidi.ops.box_overlap import covered_share, overlap_matrix

SPACE = Space("Detections", ("ant", "bee", "cat"))
NAMES = ("box_ap", "box_buckets", "box_confusion", "box_curves", "box_errors", "box_f1")
TWELVE = (
    "box_ap", "box_ap50", "box_ap75", "box_ap_small", "box_ap_medium", "box_ap_large",
    "box_ar1", "box_ar10", "box_ar100", "box_ar_small", "box_ar_medium", "box_ar_large",
)  # fmt: skip
EMPTY = Detections.empty()


def numbers(name, truth, predicted, space=SPACE, **settings):
    return load("metrics", name).numbers(truth, predicted, space, settings)


def figures(name, truth, predicted, space=SPACE, **settings):
    drawn = load("metrics", name).figures(truth, predicted, space, settings)
    json.dumps(drawn, allow_nan=False)
    return drawn


def boxed(*boxes, scores=None, classes=None, crowd=None):
    return Detections(np.array(boxes, np.float32), scores, classes if classes is None else np.array(classes), crowd=crowd)


def scene(rng, count=3, crowds=0.1, most=12, side=300):
    """One picture's truth and predictions: jittered copies, doubles, wrong classes and background."""
    n = int(rng.integers(0, most))
    low = rng.uniform(0, side - 20, (n, 2))
    boxes = np.concatenate([low, low + np.exp(rng.uniform(np.log(6), np.log(180), (n, 2)))], 1).astype(np.float32)
    classes = rng.integers(0, count, n)
    truth = Detections(boxes, None, classes, crowd=rng.random(n) < crowds)
    picked = rng.integers(0, n, int(rng.integers(0, 3 * n))) if n else np.zeros(0, int)
    noise = rng.normal(0, 0.12, (len(picked), 4)) * np.tile(boxes[picked, 2:] - boxes[picked, :2], 2)
    near = boxes[picked] + noise * (rng.random((len(picked), 1)) < 0.9)
    far = np.concatenate([rng.uniform(0, 150, (4, 2)), rng.uniform(160, 300, (4, 2))], 1)[: rng.integers(0, 5)]
    guessed = np.where(rng.random(len(picked)) < 0.85, classes[picked], rng.integers(0, count, len(picked)))
    guess = np.sort(np.concatenate([near, far]).reshape(-1, 2, 2), axis=1).reshape(-1, 4).astype(np.float32)
    labels = np.concatenate([guessed, rng.integers(0, count, len(far))])
    return truth, Detections(guess, rng.random(len(guess)).astype(np.float32), labels)


def scenes(pictures, seed, **options):
    rng = np.random.default_rng(seed)
    pairs = [scene(rng, **options) for _ in range(pictures)]
    return [true for true, _ in pairs], [guess for _, guess in pairs]


def shuffled(labels, seed=0):
    rng = np.random.default_rng(seed)
    return [label[rng.permutation(len(label))] for label in labels]


def coco(truth, predicted, ids, kind="bbox", sizes=None, caps=None):
    """pycocotools on the same things; `ids` are the category numbers."""
    mask_tools = pytest.importorskip("pycocotools.mask")
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def things(labels, result):
        found = []
        for row, label in enumerate(labels):
            for i, box in enumerate(label.boxes.astype(np.float64)):
                wide, tall = box[2:] - box[:2]
                one = {"image_id": 7 * row + 3, "category_id": ids[label.classes[i]], "id": len(found) + 1}
                if kind == "segm":
                    one["segmentation"] = mask_tools.encode(np.asfortranarray(label.masks[i].astype(np.uint8)))
                else:
                    one["bbox"] = [box[0], box[1], wide, tall]
                one["area"] = wide * tall if label.masks is None else int(label.masks[i].sum())
                crowd = 0 if label.crowd is None else int(label.crowd[i])
                found.append(one | ({"score": float(label.scores[i])} if result else {"iscrowd": crowd}))
        return found

    with contextlib.redirect_stdout(io.StringIO()):
        base = COCO()
        base.dataset = {
            "images": [{"id": 7 * row + 3, "height": 64, "width": 64} for row in range(len(truth))],
            "categories": [{"id": i} for i in ids], "annotations": things(truth, False),
        }  # fmt: skip
        base.createIndex()
        results = things(predicted, True)
        found = base.loadRes(results) if results else COCO()
        if not results:
            found.dataset = base.dataset | {"annotations": []}
            found.createIndex()
        run = COCOeval(base, found, kind)
        if caps:
            run.params.maxDets = list(caps)
        run.evaluate()
        run.accumulate()
        if not caps:
            run.summarize()
    return run


def equal(truth, predicted, space=SPACE, ids=(2, 7, 90)):
    expected = coco(truth, predicted, ids).stats
    found = numbers("box_ap", truth, predicted, space)
    assert tuple(found) == TWELVE
    for name, value in zip(TWELVE, expected):
        assert found[name] is None if value == -1 else found[name] == pytest.approx(value, abs=1e-9), name


def test_all_are_offered_for_detections():
    assert set(NAMES) <= set(applicable(SPACE)) and not set(NAMES) & set(applicable(Space("Classification", ("a",))))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("space", [SPACE, Space("Detections")], ids=["named", "nameless"])
@pytest.mark.parametrize("pictures", [0, 1, 3])
def test_nothing_marked_and_nothing_found_is_undefined(name, space, pictures):
    labels = [EMPTY] * pictures
    assert set(numbers(name, labels, labels, space).values()) <= {None}
    assert figures(name, labels, labels, space) == []
    found = evaluate([name], labels, labels, space, settings={"sizes": [(9, 9)] * pictures})
    assert set(found.numbers.values()) <= {None} and found.intervals == {}


@pytest.mark.parametrize("name", NAMES)
def test_only_truth_or_only_predictions(name):
    some = [boxed((0, 0, 40, 40), (50, 50, 90, 90), classes=[0, 1])]
    missed, wrong = numbers(name, some, [EMPTY]), numbers(name, [EMPTY], some)
    figures(name, some, [EMPTY])
    figures(name, [EMPTY], some)
    assert all(value in (0.0, None) for key, value in missed.items() if key not in ("tide_miss", "tide_fn"))
    assert all(value in (0.0, None) for value in wrong.values())
    if name == "box_ap":
        assert missed["box_ap"] == 0 and missed["box_ap_small"] is None and wrong["box_ap"] is None
    if name == "box_errors":
        assert missed["tide_miss"] == missed["tide_fn"] == 1 and wrong["tide_fp"] is None
    if name == "box_f1":
        assert missed == {"box_f1": 0, "box_precision": None, "box_recall": 0}
        assert wrong == {"box_f1": 0, "box_precision": 0, "box_recall": None}


def test_only_crowds_leave_nothing_to_find():
    crowd = [boxed((0, 0, 40, 40), crowd=[True])]
    for name in NAMES:
        found = numbers(name, crowd, [boxed((5, 5, 20, 20), scores=[0.9])])
        assert set(found.values()) <= {None}, name
        figures(name, crowd, [boxed((5, 5, 20, 20), scores=[0.9])])


def test_a_class_without_truth_is_left_out():
    truth = [boxed((0, 0, 40, 40), classes=[1])]
    guess = [boxed((0, 0, 40, 40), (0, 0, 9, 9), scores=[0.5, 0.9], classes=[1, 2])]
    assert numbers("box_ap", truth, guess)["box_ap"] == 1
    rows = figures("box_ap", truth, guess)[0]["rows"]
    assert [row[:4] for row in rows] == [["ant", 0, 0, None], ["bee", 1, 1, 1.0], ["cat", 0, 1, None]]
    equal(truth, guess)


def test_perfect_predictions_give_one():
    truth, _ = scenes(30, 0, crowds=0)
    found = numbers("box_ap", truth, truth)
    assert {value for name, value in found.items() if name not in ("box_ar1", "box_ar10")} == {1.0} and found["box_ar1"] < 1
    assert set(numbers("box_f1", truth, truth).values()) == {1.0} == set(numbers("box_buckets", truth, truth).values())
    assert set(numbers("box_errors", truth, truth).values()) == {0.0}
    n = np.bincount(np.concatenate([label.classes for label in truth]))
    assert (thing_confusion_matrix(gather(truth, truth, SPACE, across=True), np.zeros(3)) == np.diag([*n, 0])).all()


@pytest.mark.parametrize("seed", range(240))
def test_the_twelve_equal_pycocotools(seed):
    """Crowds, gaps in the ids, classes without truth, pictures without truth or predictions, all sizes."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 4))
    space, ids = Space("Detections", SPACE.names[:count]), sorted(rng.choice(99, count, replace=False).tolist())
    truth, predicted = scenes(int(rng.integers(1, 9)), seed, count=count, crowds=float(rng.choice([0, 0.3])))
    if seed % 5 == 0:
        truth[0], predicted[-1] = EMPTY, EMPTY
    equal(truth, predicted, space, ids)


def test_more_than_the_cap_equals_pycocotools():
    rng = np.random.default_rng(0)
    truth, predicted = scenes(3, 1, most=40, count=1)
    many = [Detections.concatenate([guess] * 12) for guess in predicted]
    moved = [guess.boxes + rng.normal(0, 1, guess.boxes.shape) for guess in many]
    many = [Detections(np.sort(boxes.reshape(-1, 2, 2), 1).reshape(-1, 4), rng.random(len(boxes))) for boxes in moved]
    assert max(map(len, many)) > 200
    one = Space("Detections", ("ant",))
    equal(truth, many, one, [5])
    note = figures("box_ap", truth, many, one)[0]["note"]
    assert f"{sum(len(guess) > 100 for guess in many)} of 3 pictures had more" in note
    run = coco(truth, many, [5], caps=(1, 10, 50)).eval
    found = numbers("box_ap", truth, many, one, max_dets=50)
    assert found["box_ap"] == pytest.approx(run["precision"][:, :, 0, 0, 2].mean(), abs=1e-9)
    assert found["box_ar50"] == pytest.approx(run["recall"][:, 0, 0, 2].mean(), abs=1e-9) and "box_ar100" not in found


def test_caps():
    assert caps_of({}) == (1, 10, 100) and caps_of({"max_dets": 5}) == (1, 5) and caps_of({"max_dets": [300, 3]}) == (3, 300)
    for wrong in (0, "9", [], [1.5], True, [3, -1]):
        with pytest.raises(InputError, match="cap"):
            caps_of({"max_dets": wrong})


def test_by_class_equals_pycocotools():
    truth, predicted = scenes(12, 5)
    precision = coco(truth, predicted, (2, 7, 90)).eval["precision"]
    for c, row in enumerate(figures("box_ap", truth, predicted)[0]["rows"]):
        np.testing.assert_allclose(row[3:6], [precision[:, :, c, 0, 2].mean(), *precision[[0, 5], :, c, 0, 2].mean(1)], atol=6e-5)


def test_equal_scores_in_different_pictures_equal_pycocotools():
    rng, levels = np.random.default_rng(3), np.arange(1, 51) / 50
    truth, predicted = scenes(20, 3)
    equal(truth, [Detections(guess.boxes, rng.permutation(levels)[: len(guess)], guess.classes) for guess in predicted])


def test_numbers_do_not_depend_on_the_order_of_tied_predictions():
    truth, predicted = scenes(25, 11)
    tied = [Detections(guess.boxes, np.round(guess.scores * 2) / 2, guess.classes) for guess in predicted]
    for name in NAMES:
        first, drawn = numbers(name, truth, tied), figures(name, truth, tied)
        for seed in range(5):
            other = shuffled(tied, seed)
            assert numbers(name, truth, other) == first and figures(name, truth, other) == drawn, name
    canonical = [guess[np.lexsort((*guess.boxes.T[::-1], -guess.scores))] for guess in tied]
    equal(truth, canonical)


def test_sizes_of_things_are_those_of_their_masks_or_outlines():
    masks = np.zeros((1, 64, 64), bool)
    masks[0, :20, :20] = True
    truth, outlined = [Detections([[0, 0, 60, 60]], masks=masks)], [Detections([[0, 0, 60, 60]], outlines=(Outline.of(masks[0]),))]
    for marked in (truth, outlined):
        found = numbers("box_ap", marked, [boxed((0, 0, 60, 60), scores=[0.5])])
        assert found["box_ap_small"] == 1 and found["box_ap_medium"] is None
    plain = [Detections([[0, 0, 60, 60]], outlines=(None,))]
    assert numbers("box_ap", plain, [boxed((0, 0, 60, 60), scores=[0.5])])["box_ap_medium"] == 1
    assert coco(truth, [boxed((0, 0, 60, 60), scores=[0.5])], (2, 7, 90)).stats[3] == pytest.approx(1)


@pytest.mark.parametrize("name", [name for name in NAMES if hasattr(load("metrics", name), "estimator")])
def test_weights_are_repeated_pictures(name):
    truth, predicted = scenes(15, 8)
    sizes = [(300, 300)] * 15
    weights = np.random.default_rng(0).integers(0, 3, (6, 15)).astype(float)
    weights[0] = 0
    for settings in ({"sizes": sizes}, {"sizes": sizes, "thresholds": [0.2, 0.5, 0.7]}):
        fast = load("metrics", name).estimator(truth, predicted, SPACE, settings)(weights)
        for r, row in enumerate(weights.astype(int)):
            drawn = np.repeat(np.arange(15), row)
            parts = [[part[i] for i in drawn] for part in (truth, predicted, sizes)]
            slow = numbers(name, *parts[:2], **(settings | {"sizes": parts[2]}))
            assert {key: None if np.isnan(value[r]) else pytest.approx(value[r], abs=1e-9) for key, value in fast.items()} == slow


def test_intervals_counts_and_directions():
    truth, predicted = scenes(40, 2)
    found = evaluate(NAMES, truth, predicted, SPACE, settings={"sizes": [(300, 300)] * 40}, intervals=50)
    json.dumps(found.to_dict(), allow_nan=False)
    for name in ("box_ap", "box_f1", "box_recall_clear"):
        low, high = found.intervals[name]
        assert low <= found.numbers[name] <= high
    real = sum(int((~label.crowd).sum()) for label in truth)
    assert found.n["samples"] == 40 and found.n["box_ap"] == found.n["box_f1"] == found.n["tide_fp"] == real
    assert found.n["box_recall_occluded"] + found.n["box_recall_clear"] == real
    assert sum(found.n[f"box_ar_{size}"] for size in ("small", "medium", "large")) == real > found.n["box_ap_small"]
    assert found.higher_is_better["box_ar10"] and not found.higher_is_better["tide_miss"]
    assert {figure["metric"] for figure in found.figures} == set(NAMES)
    low, high = paired(["box_ap"], truth, predicted, truth, SPACE, intervals=30)["box_ap"][1:]
    assert 0 < low <= high


def test_pictures_of_unknown_truth_are_left_out_with_their_sizes():
    truth, predicted = scenes(12, 6)
    sizes = [(100 + 20 * i, 300) for i in range(12)]
    holes = [None if i % 3 == 0 else label for i, label in enumerate(truth)]
    kept = [i for i in range(12) if i % 3]
    found = evaluate(["box_ap", "box_buckets"], holes, predicted, SPACE, settings={"sizes": sizes}, intervals=0)
    of = lambda values: [values[i] for i in kept]  # noqa: E731
    same = evaluate(["box_ap", "box_buckets"], of(truth), of(predicted), SPACE, settings={"sizes": of(sizes)}, intervals=0)
    assert found.numbers == same.numbers and found.figures == same.figures and found.n["unlabeled"] == 4
    with pytest.raises(InputError, match="size"):
        evaluate(["box_ap"], truth, predicted, SPACE, settings={"sizes": sizes[1:]})


@pytest.mark.parametrize(
    "broken",
    [boxed((0, 0, np.nan, 4)), boxed((0, 0, np.inf, 4)), boxed((0, 0, 4, 4), scores=[np.nan]), boxed((0, 0, 4, 4), classes=[3]),
     boxed((0, 0, 4, 4), classes=[-1])],
    ids=["nan", "inf", "score", "class", "negative"],
)  # fmt: skip
def test_a_broken_box_score_or_class_is_refused_by_name(broken):
    fine = [boxed((0, 0, 4, 4))] * 3
    for truth, predicted in ((fine, [fine[0], broken, fine[0]]), ([fine[0], broken, fine[0]], fine)):
        with pytest.raises(InputError) as caught:
            evaluate(["box_ap"], truth, predicted, SPACE, ids=["a.jpg", "b.jpg", "c.jpg"])
        assert caught.value.file == "b.jpg" and caught.value.at == 1


def simple_matches(true, guess, threshold):
    """Greedy matching of one picture, in the plainest words: (prediction, thing) of the predictions that reach a score."""
    pairs, taken = [], set()
    for p in sorted(range(len(guess)), key=lambda p: -guess.scores[p]):
        if guess.scores[p] < threshold[guess.classes[p]]:
            continue
        best, place = 0.5, None
        for t in range(len(true)):
            overlap = overlap_matrix(guess.boxes[p : p + 1], true.boxes[t : t + 1])[0, 0]
            if t not in taken and true.classes[t] == guess.classes[p] and overlap >= best:
                best, place = overlap, t
        if place is not None:
            taken.add(place)
            pairs.append((p, place))
    return pairs


def test_f1_equals_brute_force():
    truth, predicted = scenes(20, 9, crowds=0)
    level = np.array([0.3, 0.6, 0.1])
    chosen = sum(int((guess.scores >= level[guess.classes]).sum()) for guess in predicted)
    right, n = sum(len(simple_matches(t, p, level)) for t, p in zip(truth, predicted)), sum(map(len, truth))
    expected = {"box_f1": 2 * right / (chosen + n), "box_precision": right / chosen, "box_recall": right / n}
    assert numbers("box_f1", truth, predicted, thresholds=level) == pytest.approx(expected)
    assert numbers("box_f1", truth, predicted, thresholds=dict(zip(SPACE.names, level))) == pytest.approx(expected)

    every = np.unique(np.concatenate([guess.scores for guess in predicted]))
    tried = [numbers("box_f1", truth, predicted, thresholds=float(value))["box_f1"] for value in every]
    assert numbers("box_f1", truth, predicted)["box_f1"] == pytest.approx(max(tried))
    note = figures("box_f1", truth, predicted)[-1]["note"]
    assert f"{every[int(np.argmax(tried))]:.4g}" in note and "these very samples" in note


@pytest.mark.parametrize("objective", ["f1", "precision", "recall"])
def test_best_thresholds_equal_brute_force(objective):
    truth, predicted = scenes(30, 10, crowds=0)
    floor = 0.6
    found = best_box_thresholds(truth, predicted, SPACE, objective, floor)
    for c in range(3):
        own = [label[label.classes == c] for label in truth]
        guess = [label[label.classes == c] for label in predicted]

        def reached(level, own=own, guess=guess):
            right = sum(len(simple_matches(t, p, np.full(3, level))) for t, p in zip(own, guess))
            chosen, n = sum(int((p.scores >= level).sum()) for p in guess), sum(map(len, own))
            precision, recall = right / max(1, chosen), right / n
            f1 = 2 * right / (chosen + n)
            floors = {"precision": (precision, recall), "recall": (recall, precision)}
            if objective == "f1":
                return f1
            first, second = floors[objective]
            return (1, second) if first >= floor else (0, first)

        best = max(reached(level) for level in np.concatenate([label.scores for label in guess]))
        assert reached(found[c]) == pytest.approx(best) and 0 <= found[c] <= 1


def test_best_thresholds_of_nothing_and_of_wrong_wishes():
    assert best_box_thresholds([], [], SPACE).tolist() == [0.5] * 3
    assert best_box_thresholds([boxed((0, 0, 4, 4))], [EMPTY], SPACE).tolist() == [0.5] * 3
    gap = best_box_thresholds([boxed((0, 0, 9, 9))], [boxed((0, 0, 9, 9), (40, 40, 50, 50), scores=[0.75, 0.25])], SPACE)
    assert gap.tolist() == [0.5] * 3
    with pytest.raises(InputError, match="objective"):
        best_box_thresholds([], [], SPACE, "cost")
    with pytest.raises(InputError, match="floor"):
        best_box_thresholds([], [], SPACE, "recall", 2)


def test_curves_average_to_the_numbers():
    truth, predicted = scenes(20, 12)
    found = numbers("box_ap", truth, predicted)
    for figure, name in zip(figures("box_curves", truth, predicted), ("box_ap50", "box_ap75")):
        mean = figure["series"][0]
        assert np.mean(mean["y"]) == pytest.approx(found[name], abs=1e-4) and f"{found[name]:.3f}" in mean["name"]
        assert len(figure["series"]) == 4 and len(mean["x"]) == 101


def test_covered_share_equals_counted_pixels():
    assert covered_share(np.zeros((0, 4))).shape == (0,)
    assert covered_share([[0, 0, 10, 10], [0, 0, 10, 10], [3, 3, 3, 9]]).tolist() == [1, 1, 0]
    rng = np.random.default_rng(0)
    low = rng.integers(0, 30, (12, 2))
    boxes = np.concatenate([low, low + rng.integers(1, 15, (12, 2))], 1)
    covers = rng.random(12) < 0.7
    y, x = np.mgrid[:50, :50] + 0.5
    inside = [(x > a) & (x < c) & (y > b) & (y < d) for a, b, c, d in boxes]
    for i, share in enumerate(covered_share(boxes, covers)):
        others = np.any([np.zeros_like(inside[0]), *(inside[j] for j in range(12) if j != i and covers[j])], axis=0)
        assert share == pytest.approx((inside[i] & others).sum() / inside[i].sum())


def test_buckets_of_occlusion():
    truth = [boxed((10, 10, 50, 50), (48, 10, 88, 50), (120, 120, 160, 160), (130, 120, 170, 160), (0, 200, 30, 230), (10, 10, 90, 60),
                   crowd=[False] * 5 + [True])]  # fmt: skip
    guess = [boxed((10, 10, 50, 50), (120, 120, 160, 160), scores=[0.9, 0.8])]
    assert numbers("box_buckets", truth, guess) == {"box_recall_occluded": 0.5, "box_recall_clear": pytest.approx(1 / 3)}
    cut = numbers("box_buckets", truth, guess, sizes=[(300, 300)])
    assert cut == {"box_recall_occluded": pytest.approx(1 / 3), "box_recall_clear": 0.5}
    rows = {row[0]: row[1:3] for row in figures("box_buckets", truth, guess, sizes=[(300, 300)])[1]["rows"]}
    assert rows == {
        "small": [1, 0], "medium": [4, 2], "large": [0, 0], "0–10 % covered": [3, 1], "10–50 % covered": [0, 0],
        "over 50 % covered": [2, 1], "cut by the frame": [1, 0], "not cut": [4, 2],
    }  # fmt: skip


def test_buckets_of_size_have_cocos_precision():
    truth, predicted = scenes(30, 13)
    precision = coco(truth, predicted, (2, 7, 90)).eval["precision"]
    for a, row in enumerate(figures("box_buckets", truth, predicted)[1]["rows"][:3]):
        assert row[4] == pytest.approx(precision[0, :, :, a + 1, 2].mean(), abs=6e-5)


def test_errors_of_each_kind_are_told_apart():
    truth = [boxed((0, 0, 40, 40), (100, 0, 140, 40), (200, 0, 240, 40), (0, 100, 40, 140), (100, 100, 140, 140), classes=[0, 0, 0, 0, 1],
                   crowd=None)]  # fmt: skip
    guess = [boxed(
        (0, 0, 40, 40), (1, 0, 41, 40), (100, 0, 140, 40), (200, 20, 240, 60), (220, 20, 260, 60), (300, 300, 340, 340), (205, 20, 245, 60),
        scores=[0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3], classes=[0, 0, 1, 0, 1, 2, 0],
    )]  # fmt: skip
    found = {row[0]: row[2] for row in figures("box_errors", truth, guess)[1]["rows"]}
    assert found == {
        "tide_cls": 1, "tide_loc": 2, "tide_both": 1, "tide_dup": 1, "tide_bkg": 1, "tide_miss": 2, "tide_fp": 6, "tide_fn": 4,
    }  # fmt: skip
    things = worst_things(truth, guess, ["x"], SPACE)[0]
    assert [one["error"] for one in things["false_positives"]] == ["dup", "cls", "loc", "both", "bkg", "loc"]


def oracle(truth, predicted, kind):
    """AP50 before and after an error is put right, in the plainest words (no crowds)."""
    wanted, entries = {c: 0 for c in range(3)}, []
    fixes = {}
    for true, guess in zip(truth, predicted):
        found = dict(simple_matches(true, guess, np.zeros(3)))
        overlap, usable = overlap_matrix(guess.boxes, true.boxes), set()
        for t in range(len(true)):
            wanted[int(true.classes[t])] += 1
        for p in sorted(range(len(guess)), key=lambda p: -guess.scores[p]):
            same = guess.classes[p] == true.classes
            own, other = (np.where(side, overlap[p], 0) for side in (same, ~same))
            verdict, target = "both", None
            if p in found:
                verdict = "right"
            elif len(true) and 0.1 <= own.max() < 0.5:
                verdict, target = "loc", int(own.argmax())
            elif len(true) and other.max() >= 0.5:
                verdict, target = "cls", int(other.argmax())
            elif len(true) and own.max() >= 0.5:
                verdict = "dup"
            elif not len(true) or overlap[p].max() < 0.1:
                verdict = "bkg"
            mended = target is not None and target not in found.values() and target not in usable
            usable |= {target} if mended else set()
            c = int(true.classes[target]) if kind == verdict and mended else int(guess.classes[p])
            if verdict != kind or mended:
                entries.append((float(guess.scores[p]), c, verdict == "right" or (verdict == kind and mended)))
        for t in set(range(len(true))) - set(found.values()):
            if kind == "fn" or (kind == "miss" and t not in usable):
                fixes[int(true.classes[t])] = fixes.get(int(true.classes[t]), 0) + 1
    values = []
    for c in [c for c in wanted if wanted[c]]:
        own = sorted((e for e in entries if e[1] == c and (kind != "fp" or e[2])), reverse=True)
        n, hits = wanted[c] - fixes.get(c, 0), np.cumsum([e[2] for e in own])
        precision = hits / np.arange(1, len(own) + 1)
        best = [max([precision[i] for i in range(len(own)) if hits[i] / n >= r], default=0) for r in np.linspace(0, 1, 101)]
        values.append(np.mean(best) if n else 1.0)
    return np.mean(values)


@pytest.mark.parametrize("seed", range(4))
def test_errors_equal_brute_force(seed):
    truth, predicted = scenes(12, 20 + seed, crowds=0)
    found, base = numbers("box_errors", truth, predicted), oracle(truth, predicted, "")
    assert base == pytest.approx(numbers("box_ap", truth, predicted)["box_ap50"])
    for name, value in found.items():
        assert value == pytest.approx(oracle(truth, predicted, name.removeprefix("tide_")) - base), name


def test_confusion_equals_brute_force():
    truth, predicted = scenes(25, 14, crowds=0)
    expected = np.zeros((4, 4), int)
    for true, guess in zip(truth, predicted):
        pairs = dict(simple_matches(true, guess, np.full(3, 0.25)))
        overlap = overlap_matrix(guess.boxes, true.boxes)
        rest = [(-overlap[p, t], p, t) for p in range(len(guess)) for t in range(len(true))
                if guess.scores[p] >= 0.25 and overlap[p, t] >= 0.5 and guess.classes[p] != true.classes[t]]  # fmt: skip
        for _, p, t in sorted(rest):
            if p not in pairs and t not in pairs.values():
                pairs[p] = t
        for p in np.flatnonzero(guess.scores >= 0.25).tolist():
            expected[true.classes[pairs[p]] if p in pairs else 3, guess.classes[p]] += 1
        for t in set(range(len(true))) - set(pairs.values()):
            expected[true.classes[t], 3] += 1
    things = gather(truth, predicted, SPACE, across=True)
    np.testing.assert_array_equal(thing_confusion_matrix(things, np.full(3, 0.25)), expected)
    drawn = figures("box_confusion", truth, predicted)
    assert [row[:3] + [None] if i == 3 else row for i, row in enumerate(drawn[0]["values"])] == [
        [*row[:3], None] if i == 3 else row for i, row in enumerate(expected.tolist())
    ]
    assert drawn[0]["rows"][-1] == "background" and drawn[2]["kind"] == "table"
    assert figures("box_confusion", truth, predicted, thresholds=[2.0, 2.0, 2.0])[0]["values"][0][0] == 0


def test_worst_things_name_what_is_wrong():
    truth = [boxed((0, 0, 40, 40)), None, boxed((0, 0, 20, 20), (50, 50, 90, 90), (200, 0, 210, 10), crowd=[False, False, True])]
    guess = [boxed((0, 0, 40, 40), scores=[0.9]), boxed((0, 0, 9, 9), scores=[0.9]),
             boxed((100, 100, 120, 120), (2, 2, 120, 120), (201, 1, 209, 9), scores=[0.3, 0.8, 0.9])]  # fmt: skip
    assert worst_things([], [], [], SPACE) == [] == worst_things([None], [EMPTY], ["a"], SPACE)
    found = worst_things(truth, guess, ["a", "b", "c"], SPACE)
    json.dumps(found)
    assert [one["id"] for one in found] == ["c"] and found[0]["index"] == 2
    assert [one["score"] for one in found[0]["false_positives"]] == pytest.approx([0.8, 0.3])
    assert [one["place"] for one in found[0]["false_positives"]] == [1, 0]
    assert [(one["area"], one["place"], one["name"]) for one in found[0]["false_negatives"]] == [(1600, 1, "ant"), (400, 0, "ant")]
    strict = worst_things(truth, guess, ["a", "b", "c"], SPACE, {"thresholds": 0.95})
    assert [one["id"] for one in strict] == ["c", "a"] and strict[1]["false_positives"] == []
    assert len(worst_things(truth, guess, ["a", "b", "c"], SPACE, {"thresholds": 0.95}, count=1)) == 1


def test_matching_prefers_what_must_be_found():
    truth, guess = [boxed((0, 0, 10, 10), (0, 0, 10, 11))], [boxed((0, 0, 10, 11), scores=[0.5])]
    things = gather(truth, guess, SPACE)
    assert match(things, np.array([0.5]))[0].tolist() == [1]
    assert match(things, np.array([0.5]), np.array([False, True]))[0].tolist() == [0]
    assert match(things, np.array([0.5, 0.95]), np.array([False, True])).tolist() == [[0], [1]]
