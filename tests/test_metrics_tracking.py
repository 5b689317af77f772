"""Tracking scores against TrackEval, the empty cases first; sequences, classes, ignored truth, intervals and switches."""

import contextlib
import io
import json

import numpy as np
import pytest

from vidi.core.discovery import load
from vidi.core.space import Space
from vidi.errors import InputError
from vidi.labels import Detections
from vidi.metrics import applicable, evaluate
from vidi.metrics._switches import switches
from vidi.metrics.tracking import tallies
from vidi.ops.box_overlap import overlap_matrix
from vidi.ops.tracking_scores import SIZE, by_alpha, identity_switches, scores, tally

SPACE = Space("Detections", ("person", "car"))
EMPTY = Detections.empty()
NUMBERS = ("hota", "deta", "assa", "loca", "mota", "motp", "idf1", "id_switches", "fragmentations")
THEIRS = {
    "deta": "DetA", "assa": "AssA", "loca": "LocA", "hota": "HOTA", "detre": "DetRe", "detpr": "DetPr", "assre": "AssRe", "asspr": "AssPr",
    "mota": "MOTA", "motp": "MOTP", "id_switches": "IDSW", "fragmentations": "Frag", "mostly_tracked": "MT", "partly_tracked": "PT",
    "mostly_lost": "ML", "idf1": "IDF1", "idp": "IDP", "idr": "IDR",
}  # fmt: skip


def tracks(rows, **more):
    """A frame's label out of rows (track, x1, y1, x2, y2)."""
    array = np.array(rows, np.float64).reshape(-1, 5)
    return Detections(array[:, 1:], tracks=array[:, 0].astype(int), **more)


def film(rng, frames=None, count=None):
    """Truth and result of a random sequence: walks, misses, false alarms, exchanged and new identities, doubles, empty frames."""
    frames = int(rng.integers(1, 25)) if frames is None else frames
    count = int(rng.integers(0, 7)) if count is None else count
    place, speed = rng.uniform(0, 60, (count, 2)), rng.normal(0, 3, (count, 2))
    size = rng.uniform(8, 25, (count, 2))
    names, fresh = rng.permutation(100)[:count], 200
    truth, result = [], []
    for _ in range(frames):
        place = place + speed
        boxes = np.concatenate([place, place + size], 1)
        seen = rng.random(count) < 0.85
        truth.append((np.arange(count)[seen] * 3, boxes[seen]))
        if count > 1 and rng.random() < 0.15:
            i, j = rng.choice(count, 2, replace=False)
            names[i], names[j] = names[j], names[i]
        if count and rng.random() < 0.1:
            names[rng.integers(count)] = fresh = fresh + 1
        found = rng.random(count) < 0.8
        noise = rng.normal(0, rng.choice([0, 1.5, 5]), (count, 4)) * (rng.random((count, 1)) < 0.7)
        ids, guess = names[found], (boxes + noise)[found]
        alarms = int(rng.integers(0, 3)) if rng.random() < 0.3 else 0
        ids = np.concatenate([ids, 1000 + np.arange(alarms)])
        guess = np.concatenate([guess, rng.uniform(0, 40, (alarms, 4)) + [0, 0, 45, 45]])
        if len(ids) and rng.random() < 0.2:
            ids, guess = np.append(ids, 2000), np.concatenate([guess, guess[:1]])
        order = rng.permutation(len(ids))
        result.append((ids[order], guess[order]))
        if rng.random() < 0.1:
            truth[-1] = (truth[-1][0][:0], truth[-1][1][:0])
        if rng.random() < 0.1:
            result[-1] = (result[-1][0][:0], result[-1][1][:0])
    return truth, result


def overlaps(truth, result):
    return [overlap_matrix(a, b) for (_, a), (_, b) in zip(truth, result)]


def oracle(truth, result, similar):
    """What TrackEval says of one sequence, by metric; combined, as it leaves out the last step for an empty side."""
    pytest.importorskip("trackeval")
    from trackeval.metrics import CLEAR, HOTA, Identity

    ids = [[np.asarray(each[0], int) for each in side] for side in (truth, result)]
    known = [np.unique(np.concatenate([np.zeros(0, int), *side])) for side in ids]
    left, right = ([np.searchsorted(names, each) for each in side] for names, side in zip(known, ids))
    data = {
        "gt_ids": left, "tracker_ids": right, "similarity_scores": similar, "num_timesteps": len(left), "seq": "film",
        "num_gt_dets": sum(map(len, left)), "num_tracker_dets": sum(map(len, right)), "num_gt_ids": len(known[0]), "num_tracker_ids": len(known[1]),
    }  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        metrics = (HOTA(), CLEAR({"PRINT_CONFIG": False}), Identity({"PRINT_CONFIG": False}))
        return {metric: metric.combine_sequences({"film": metric.eval_sequence(data)}) for metric in metrics}


def same(ours, theirs):
    every = {key: np.mean(value) for part in theirs for key, value in part.items()}
    for name, other in THEIRS.items():
        assert ours[name] == pytest.approx(every[other], abs=1e-9), name


NONE = (np.zeros(0, int), np.zeros((0, 4)))
BOX = np.array([[0.0, 0, 10, 10]])
DEGENERATE = {
    "no frames": ([], []),
    "nothing at all": ([NONE] * 3, [NONE] * 3),
    "empty truth": ([NONE] * 3, [([1], BOX)] * 3),
    "empty result": ([([1], BOX)] * 3, [NONE] * 3),
    "one frame": ([([1], BOX)], [([7], BOX)]),
    "one frame, far": ([([1], BOX)], [([7], BOX + 50)]),
    "exactly half": ([([1], BOX)] * 2, [([7], BOX * [1, 1, 0.5, 1])] * 2),
    "no area": ([([1], BOX * 0)] * 2, [([7], BOX * 0)] * 2),
    "ids exchanged": ([([1, 2], np.concatenate([BOX, BOX + 20]))] * 4, [([1, 2], np.concatenate([BOX, BOX + 20]))] * 2 + [([2, 1], np.concatenate([BOX, BOX + 20]))] * 2),
    "doubles": ([([1, 2], np.concatenate([BOX, BOX]))] * 3, [([5, 6, 7], np.concatenate([BOX, BOX, BOX]))] * 3),
    "interrupted": ([([1], BOX)] * 5, [([3], BOX), NONE, ([3], BOX), ([4], BOX + 30), ([4], BOX)]),
    "truth pauses": ([([1], BOX), NONE, ([1], BOX)], [([3], BOX), ([3], BOX), ([4], BOX)]),
}  # fmt: skip


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_sequences_equal_trackeval(name):
    truth, result = DEGENERATE[name]
    similar = overlaps(truth, result)
    same(scores(tally([a for a, _ in truth], [b for b, _ in result], similar)), oracle(truth, result, similar).values())


def test_random_sequences_and_their_sum_equal_trackeval():
    rng = np.random.default_rng(0)
    found, theirs = [], []
    for _ in range(400):
        truth, result = film(rng)
        similar = overlaps(truth, result)
        found.append(tally([a for a, _ in truth], [b for b, _ in result], similar))
        theirs.append(oracle(truth, result, similar))
        same(scores(found[-1]), theirs[-1].values())
    ours = by_alpha(np.array(found))
    for i, each in enumerate(theirs):
        hota = next(value for metric, value in each.items() if metric.get_name() == "HOTA")
        for key in ("hota", "deta", "assa", "loca"):
            np.testing.assert_allclose(ours[key][i], hota[THEIRS[key]], atol=1e-12)
    for start in range(0, 400, 40):
        part = theirs[start : start + 40]
        parts = [list(each.items()) for each in part]
        combined = [parts[0][k][0].combine_sequences({str(i): each[k][1] for i, each in enumerate(parts)}) for k in range(3)]
        same(scores(np.sum(found[start : start + 40], axis=0)), combined)


def test_crossing_tracks():
    steps = np.arange(-30, 31, 3)
    boxes = [(np.array([1, 2]), np.array([[x, 0, x + 20, 20], [-x, 4, 20 - x, 24]], float)) for x in steps]
    swapped = [(ids[::-1] if x > 0 else ids, each) for x, (ids, each) in zip(steps, boxes)]
    for result, count in ((boxes, 0), (swapped, 2)):
        similar = overlaps(boxes, result)
        values = tally([a for a, _ in boxes], [b for b, _ in result], similar)
        same(scores(values), oracle(boxes, result, similar).values())
        events = identity_switches([a for a, _ in boxes], [b for b, _ in result], similar)
        assert len(events) == count == scores(values)["id_switches"]


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="as many frames"):
        tally([np.array([1])], [], [])
    with pytest.raises(ValueError, match="frame 0"):
        tally([np.array([1])], [np.array([1])], [np.zeros((2, 1))])
    assert tally([], [], []).shape == (SIZE,)


# the metric


def numbers(truth, predicted, space=SPACE, **settings):
    return load("metrics", "tracking").numbers(truth, predicted, space, settings)


def labels(frames, kind=0):
    return [Detections(boxes, None, np.full(len(ids), kind), tracks=np.asarray(ids, np.int64)) for ids, boxes in frames]


def test_empty_cases_have_no_numbers():
    assert numbers([], []) == dict.fromkeys(NUMBERS) == numbers([EMPTY], [EMPTY])
    one = [tracks([(1, 0, 0, 9, 9)])]
    missed, alarm = numbers(one, [EMPTY]), numbers([EMPTY], one)
    assert (missed["hota"], missed["mota"], missed["motp"], missed["loca"], missed["id_switches"]) == (0, 0, None, None, 0)
    assert (alarm["hota"], alarm["mota"], alarm["idf1"]) == (0, None, 0)
    perfect = numbers(one, one)
    assert [perfect[name] for name in NUMBERS] == pytest.approx([1, 1, 1, 1, 1, 1, 1, 0, 0])
    assert "tracking" in applicable(SPACE) and "tracking" not in applicable(Space("Regression", ("a",)))
    assert load("metrics", "tracking").figures([EMPTY], [EMPTY], SPACE, {}) == []


def test_sequences_classes_and_order_of_frames():
    rng = np.random.default_rng(1)
    parts = [film(rng, 12, 4) for _ in range(4)]
    joined = [[Detections.concatenate(pair) for pair in zip(labels(parts[0][k]), labels(parts[1][k], 1))] for k in (0, 1)]
    other = [labels(parts[2][k]) for k in (0, 1)]
    truth, predicted = joined[0] + other[0], joined[1] + other[1]
    groups, frames = ["a"] * 12 + ["b"] * 12, list(range(12)) * 2
    values = numbers(truth, predicted, groups=groups, frames=frames)
    single = [overlaps(*part) for part in parts]
    sums = sum(tally([a for a, _ in parts[i][0]], [b for b, _ in parts[i][1]], single[i]) for i in range(3))
    assert [values[name] for name in NUMBERS] == pytest.approx([float(scores(sums)[name]) for name in NUMBERS], abs=1e-5)
    order = rng.permutation(24)
    mixed = numbers([truth[i] for i in order], [predicted[i] for i in order], groups=[groups[i] for i in order], frames=[frames[i] for i in order])
    assert mixed == pytest.approx(values)
    every, found = tallies(truth, predicted, SPACE, {"groups": groups})
    assert [each.name for each in every] == ["a", "b"] and found.shape == (2, 2, SIZE) and not found[1, 1].any()
    drawn = load("metrics", "tracking").figures(truth, predicted, SPACE, {"groups": groups, "frames": frames})
    json.dumps(drawn, allow_nan=False)
    assert [row[0] for row in drawn[0]["rows"]] == ["a", "b", "all"] and drawn[2]["kind"] == "lines"
    assert [row[0] for row in drawn[1]["rows"]] == ["person", "car", "all boxes", "mean of the classes"]
    column = drawn[1]["columns"].index("hota")
    assert drawn[1]["rows"][3][column] == pytest.approx(np.mean([row[column] for row in drawn[1]["rows"][:2]]), abs=1e-4)
    assert drawn[0]["rows"][2][column] == pytest.approx(values["hota"], abs=1e-4)


def test_faults_are_named():
    one = tracks([(1, 0, 0, 9, 9)])
    with pytest.raises(InputError, match="no tracks") as caught:
        numbers([one, one], [one, Detections(one.boxes)])
    assert caught.value.at == 1
    with pytest.raises(InputError, match="twice in one frame") as caught:
        numbers([one, one], [one, tracks([(4, 0, 0, 9, 9), (4, 1, 1, 9, 9)])])
    assert caught.value.at == 1 and caught.value.value == 4
    with pytest.raises(InputError, match="two samples are one frame"):
        numbers([one, one], [one, one], frames=[3, 3])
    with pytest.raises(InputError, match="one for each sample"):
        numbers([one, one], [one, one], groups=["a"])


def test_ignored_truth_forgives_as_in_motchallenge():
    """Against TrackEval's own preprocessing: distractors of other classes are ignored truth here."""
    pytest.importorskip("trackeval")
    from trackeval.datasets import MotChallenge2DBox

    rng, crowd_space = np.random.default_rng(2), Space("Detections", ("pedestrian", "reflection"))
    dataset = MotChallenge2DBox.__new__(MotChallenge2DBox)
    dataset.benchmark, dataset.do_preproc = "MOT17", True
    dataset.class_name_to_class_id = {"pedestrian": 1, "person_on_vehicle": 2, "static_person": 7, "distractor": 8, "reflection": 12}
    dataset.valid_class_numbers = list(range(1, 14))
    for _ in range(40):
        truth, result = film(rng)
        kinds = [np.where(np.asarray(ids) % 2 == 0, 1, 12) for ids, _ in truth]
        similar = overlaps(truth, result)
        raw = {
            "gt_ids": [np.asarray(ids, int) for ids, _ in truth], "gt_dets": [boxes for _, boxes in truth], "gt_classes": kinds,
            "gt_extras": [{"zero_marked": (kind == 1).astype(int)} for kind in kinds], "tracker_ids": [np.asarray(ids, int) for ids, _ in result],
            "tracker_dets": [boxes for _, boxes in result], "tracker_classes": [np.ones(len(ids), int) for ids, _ in result],
            "tracker_confidences": [np.ones(len(ids)) for ids, _ in result], "similarity_scores": similar, "num_timesteps": len(truth), "seq": "film",
        }  # fmt: skip
        with contextlib.redirect_stdout(io.StringIO()):
            data = dataset.get_preprocessed_seq_data(raw, "pedestrian")
        left, right = ([(ids, boxes) for ids, boxes in zip(data[f"{side}_ids"], data[f"{side}_dets"])] for side in ("gt", "tracker"))
        expected = scores(tally([ids for ids, _ in left], [ids for ids, _ in right], data["similarity_scores"]))
        marked = [
            Detections(boxes, None, (kind == 12).astype(int), tracks=np.asarray(ids, int), crowd=kind == 12)
            for (ids, boxes), kind in zip(truth, kinds)
        ]
        _, found = tallies(marked, labels(result), crowd_space, {})
        ours = scores(found.sum((0, 1)))
        for name in THEIRS:
            assert ours[name] == pytest.approx(expected[name], abs=1e-5), name


def test_intervals_need_several_sequences():
    rng = np.random.default_rng(3)
    parts = [film(rng, 8, 3) for _ in range(6)]
    truth, predicted = (sum((labels(part[k]) for part in parts), []) for k in (0, 1))
    groups = [name for name in "abcdef" for _ in range(8)]
    found = evaluate(["tracking"], truth, predicted, SPACE, settings={"groups": groups}, groups=groups, intervals=50)
    assert set(found.numbers) == set(NUMBERS) and found.intervals["hota"][0] < found.numbers["hota"] < found.intervals["hota"][1]
    assert found.n["hota"] == sum(map(len, truth)) and not found.higher_is_better["id_switches"] and found.higher_is_better["assa"]
    assert evaluate(["tracking"], truth, predicted, SPACE, settings={"groups": groups}, intervals=50).intervals == {}
    alone = evaluate(["tracking"], truth[:8], predicted[:8], SPACE, groups=groups[:8], intervals=50)
    assert alone.intervals == {} and alone.numbers["hota"] is not None


def test_switches_are_listed_where_they_are():
    box = [(5, 0, 0, 10, 10)]
    truth = [tracks(box) for _ in range(6)]
    ids = [1, None, 2, 2, 3, 3]
    predicted = [EMPTY if i is None else tracks([(9, 50, 50, 60, 60), (i, 0, 0, 10, 9)]) for i in ids]
    settings = {"groups": ["film"] * 6, "frames": [10, 11, 12, 13, 14, 15]}
    found = switches(truth, predicted, SPACE, settings)
    json.dumps(found)
    assert [(one["frame"], one["from"], one["to"], one["last_frame"], one["index"], one["last"]) for one in found] == [(12, 1, 2, 10, 2, 0), (14, 2, 3, 13, 4, 3)]
    assert found[0]["box"] == [0, 0, 10, 10] and found[0]["found"] == [0, 0, 10, 9] and found[0]["track"] == 5
    assert found[0]["sequence"] == "film" and found[0]["class"] == "person"
    assert numbers(truth, predicted, **settings)["id_switches"] == 2 and switches([], [], SPACE, {}) == []


def test_many_frames_stay_small():
    """Overlaps are computed frame by frame and never kept."""
    one, other = tracks([(1, 0, 0, 9, 9), (2, 20, 0, 29, 9)]), tracks([(4, 0, 0, 9, 8), (3, 20, 0, 29, 9)])
    values = numbers([one] * 3000, [other] * 3000)
    assert values["idf1"] == 1 and values["assa"] > 0.9
