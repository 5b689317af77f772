"""Detections: filtering, warping, agreement, and fusion against a plain rewriting of the paper."""

import numpy as np
import pytest

from vidi.labels import Detections

RNG = np.random.default_rng


def random_detections(rng, count, classes=3, size=100.0):
    low = rng.uniform(0, size * 0.7, (count, 2))
    boxes = np.concatenate([low, low + rng.uniform(2, size * 0.3, (count, 2))], 1)
    return Detections(boxes, rng.uniform(0.05, 1, count), rng.integers(0, classes, count))


def test_empty_comes_first():
    empty = Detections.empty()
    assert len(empty) == 0 and empty.boxes.shape == (0, 4) and empty.scores.dtype == np.float32
    assert len(empty[empty.scores > 0.5]) == 0 and len(Detections.merge([empty, empty])) == 0
    assert empty.agreement(empty) == 1 and empty.agreement(Detections([[0, 0, 1, 1]])) == 0
    assert len(empty.warp(np.eye(3), (4, 4))) == 0 and Detections([]).boxes.shape == (0, 4)
    assert Detections.concatenate([]).boxes.shape == (0, 4)


def test_indexing_keeps_all_fields_together():
    masks = np.zeros((3, 5, 6), bool)
    masks[1, 2, 3] = True
    found = Detections(
        [[0, 0, 1, 1], [1, 1, 2, 2], [2, 2, 3, 3]], [0.1, 0.9, 0.6], [0, 1, 2], masks, [5, 6, 7], ["a", "b", "c"], [0, 0, 1]
    )
    kept = found[found.scores > 0.5]
    assert (
        kept.classes.tolist() == [1, 2]
        and kept.texts == ("b", "c")
        and kept.tracks.tolist() == [6, 7]
        and kept.crowd.tolist() == [False, True]
    )
    assert kept.masks[0, 2, 3] and not kept.masks[1].any()
    assert found[0].texts == ("a",) and found[-1].classes.tolist() == [2] and found[1:].texts == ("b", "c")
    assert (
        found[[2, 0]].texts == ("c", "a") and len(found[[]]) == 0 and found[np.argsort(-found.scores)].texts == ("b", "c", "a")
    )
    with pytest.raises(IndexError):
        found[3]


@pytest.mark.parametrize(
    "fields",
    [
        {"boxes": [[1, 2, 3]]},
        {"boxes": [[0, 0, 1, 1]], "scores": [0.5, 0.5]},
        {"boxes": [[0, 0, 1, 1]], "classes": []},
        {"boxes": [[0, 0, 1, 1]], "masks": np.zeros((2, 4, 4))},
        {"boxes": [[0, 0, 1, 1]], "texts": ["a", "b"]},
        {"boxes": [[0, 0, 1, 1]], "tracks": [1, 2]},
    ],
)
def test_wrong_shapes_are_refused(fields):
    with pytest.raises(ValueError, match="expected"):
        Detections(**fields)


def test_warp_moves_clips_and_removes():
    found = Detections([[1, 1, 3, 4], [8, 8, 9, 9]], classes=[4, 5])
    flip = np.array([[-1, 0, 10], [0, 1, 0], [0, 0, 1.0]])
    assert found.warp(flip, (10, 10)).boxes.tolist() == [[7, 1, 9, 4], [1, 8, 2, 9]]
    crop = np.array([[1, 0, -2], [0, 1, -2], [0, 0, 1.0]])
    cut = found.warp(crop, (4, 4))
    assert cut.boxes.tolist() == [[0, 0, 1, 2]] and cut.classes.tolist() == [4]


def test_masks_follow_their_boxes_through_a_quarter_turn():
    masks = np.zeros((1, 6, 8), bool)
    masks[0, 1:3, 4:7] = True
    found = Detections([[4, 1, 7, 3]], masks=masks)
    turn = np.array([[0, -1, 6], [1, 0, 0], [0, 0, 1.0]])  # (x, y) -> (6 - y, x)
    turned = found.warp(turn, (8, 6))
    assert np.array_equal(turned.masks[0], np.rot90(masks[0], -1))
    rows, columns = np.nonzero(turned.masks[0])
    assert turned.boxes[0].tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_agreement_matches_one_to_one_and_by_class():
    one, twice = Detections([[0, 0, 2, 2]]), Detections([[0, 0, 2, 2], [0, 0, 2, 2]])
    assert one.agreement(twice) == pytest.approx(2 / 3)
    assert one.agreement(Detections([[0, 0, 2, 2]], classes=[1])) == 0
    assert one.agreement(Detections([[0, 0, 2, 1]])) == pytest.approx(0.5)
    read = Detections([[0, 0, 2, 2]], texts=["cat"])
    assert read.agreement(Detections([[0, 0, 2, 2]], texts=["car"])) == pytest.approx(2 / 3)
    left, right = np.zeros((2, 1, 4, 4), bool)
    left[0, :, :2] = right[0, :, 1:3] = True
    assert Detections([[0, 0, 4, 4]], masks=left).agreement(Detections([[0, 0, 4, 4]], masks=right)) == pytest.approx(1 / 3)


def brute_iou(a, b):
    wide, tall = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(wide, 0) * max(tall, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def brute_fusion(labels, weights, threshold=0.55):
    """Weighted boxes fusion, section 3 of the paper, box by box, with models' weights as in its published code."""
    entries = [
        (float(s) * w, int(c), [float(v) for v in box])
        for label, w in zip(labels, weights)
        for box, s, c in zip(label.boxes, label.scores, label.classes)
    ]
    entries.sort(key=lambda entry: -entry[0])
    clusters = []
    for score, kind, box in entries:
        best, chosen = threshold, None
        for cluster in clusters:
            if cluster["class"] == kind and brute_iou(cluster["box"], box) > best:
                best, chosen = brute_iou(cluster["box"], box), cluster
        if chosen is None:
            chosen = {"class": kind, "members": []}
            clusters.append(chosen)
        chosen["members"].append((score, box))
        total = sum(s for s, _ in chosen["members"])
        chosen["box"] = [sum(s * b[i] for s, b in chosen["members"]) / total for i in range(4)]
    result = []
    for cluster in clusters:
        mean = sum(s for s, _ in cluster["members"]) / len(cluster["members"])
        result.append((mean * min(len(weights), len(cluster["members"])) / sum(weights), cluster["class"], cluster["box"]))
    return sorted(result, key=lambda entry: -entry[0])


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5]])
def test_merge_is_weighted_boxes_fusion(seed, weights):
    rng = RNG(seed)
    base = random_detections(rng, 12)
    labels = []
    for _ in range(3):
        kept = base[rng.random(12) < 0.8]
        labels.append(
            Detections(
                kept.boxes + rng.normal(0, 1.5, kept.boxes.shape),
                np.clip(kept.scores + rng.normal(0, 0.05, len(kept)), 0.01, 1),
                kept.classes,
            )
        )
    merged = Detections.merge(labels, weights)
    expected = brute_fusion(labels, weights or [1.0, 1.0, 1.0])
    assert len(merged) == len(expected)
    np.testing.assert_allclose(merged.scores, [min(1, score) for score, _, _ in expected], rtol=1e-5)
    assert merged.classes.tolist() == [kind for _, kind, _ in expected]
    np.testing.assert_allclose(merged.boxes, [box for _, _, box in expected], rtol=1e-4)


def test_merge_lowers_what_only_one_saw_and_keeps_the_leaders_fields():
    a = Detections([[0, 0, 10, 10]], [0.9], masks=np.ones((1, 4, 4), bool), tracks=[3], texts=["yes"])
    b = Detections(
        [[0, 0, 10, 11], [50, 50, 60, 60]], [0.6, 0.8], masks=np.zeros((2, 4, 4), bool), tracks=[4, 5], texts=["no", "lone"]
    )
    merged = Detections.merge([a, b])
    assert merged.texts == ("yes", "lone") and merged.tracks.tolist() == [3, 5]
    np.testing.assert_allclose(merged.scores, [0.75, 0.4])
    assert merged.masks[0].all() and not merged.masks[1].any()
    assert Detections.merge([a, Detections([[0, 0, 10, 10]], [0.5])]).masks is None


def test_zero_scores_do_not_divide_by_zero():
    merged = Detections.merge([Detections([[0, 0, 4, 4]], [0.0]), Detections([[0, 0, 4, 4]], [0.0])])
    assert merged.boxes.tolist() == [[0, 0, 4, 4]] and merged.scores.tolist() == [0]


def test_concatenate_keeps_what_all_have():
    a, b = Detections([[0, 0, 1, 1]], tracks=[1], crowd=[True]), Detections([[1, 1, 2, 2]], tracks=[2], texts=["x"])
    joined = Detections.concatenate([a, b])
    assert joined.tracks.tolist() == [1, 2] and joined.texts is None and joined.crowd.tolist() == [True, False]


def test_draw_marks_every_class_in_its_color():
    image = np.zeros((120, 160, 3), np.uint8)
    drawn = Detections([[20, 40, 60, 90], [100, 50, 150, 110]], [0.5, 0.75], [0, 3], texts=["‮odd", ""]).draw(image, ["cat"])
    assert drawn.shape == image.shape and (image == 0).all()
    assert drawn[89:91, 20:60].any() and len(np.unique(drawn.reshape(-1, 3), axis=0)) > 4
    assert Detections.empty().draw(image).max() == 0
    Detections([[-50, -50, 1e9, 1e9], [5, 5, 2, 2]]).draw(image)


def test_tags_give_way_to_a_legend_where_they_would_hide_the_picture():
    dark = np.full((300, 300, 3), 20, np.uint8)
    corners = np.array([[x, y] for y in range(40, 290, 25) for x in range(5, 290, 25)])
    many, few = (Detections(np.hstack([part, part + 12])) for part in (corners, corners[:4]))
    colored = {len(found): (found.draw(dark, ["cell"]) != 20).any(2) for found in (many, few)}
    assert colored[len(many)].mean() < 0.25 and colored[len(many)][:16, :60].mean() > 0.3  # boxes and the legend
    assert not colored[len(few)][:16].any() and colored[len(few)][26:40, 5:30].mean() > 0.5  # a tag over the first box
    tracks = Detections(many.boxes, tracks=np.arange(len(many)))
    numbered = (tracks.draw(dark, ["cell"]) != 20).any(2)
    assert not numbered[:16].any() and numbered.mean() > colored[len(many)].mean()  # no legend, and a number over each box
