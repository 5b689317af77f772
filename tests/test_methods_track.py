import json
import pickle
import resource
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from vidi.core import discovery
from vidi.errors import DataError, RecipeError
from vidi.labels import Detections
from vidi.methods.track import botsort, bytetrack, ocsort, sort
from vidi.methods.track._counts import Counter, Line, Zone
from vidi.methods.track._finish import drop_short, fill_gaps, smooth
from vidi.methods.track._gallery import Appearance, Gallery, Likeness
from vidi.ops.boxes import iou_matrix
from vidi.testing.tracking import TrackerFault, check_tracker, crossings, identities_kept, track_scene

NAMES = ["botsort", "bytetrack", "ocsort", "sort"]
MAKE = {"botsort": botsort.tracker, "bytetrack": bytetrack.tracker, "ocsort": ocsort.tracker, "sort": sort.tracker}


def things(*boxes, scores=None, classes=None):
    count = len(boxes)
    return Detections(np.array(boxes, np.float32).reshape(count, 4), np.full(count, 0.9) if scores is None else scores, classes)


def box(x, y, width=30, height=60):
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def numbers(tracker, frames, vectors=None):
    return [tracker.update(found, vectors=None if vectors is None else vectors[t]).tracks.tolist() for t, found in enumerate(frames)]


def test_the_folder_lists_the_trackers():
    assert set(NAMES) <= set(discovery.names("methods/track"))


@pytest.mark.parametrize("name", NAMES)
def test_conformance(name):
    check_tracker(name)


def test_conformance_of_variants():
    check_tracker("ocsort", byte=True)
    check_tracker("sort", form="xysr")
    check_tracker("bytetrack", form="xyah", lost_low=False, fuse=False)
    check_tracker("botsort", camera=False, weight=0.0, veto=1.0)


BROKEN = {
    "weak": "        found = found if len(found) == 0 or found.scores.max() > 0.2 else replace(found, scores=found.scores * 0 + 0.9)\n",
    "order": "        found = found if len(found) < 2 else found[1:]\n",
    "carried": "        found = replace(found, texts=None)\n",
}


@pytest.mark.parametrize("fault,line", [("weak scores", BROKEN["weak"]), ("order", BROKEN["order"]), ("lost or moved", BROKEN["carried"])])
def test_the_kit_can_fail(tmp_path, fault, line):
    path = tmp_path / "broken.py"
    path.write_text(
        "from dataclasses import replace\nfrom vidi.methods.track import bytetrack\n\n\ndef tracker(**settings):\n"
        "    made = bytetrack.tracker(**settings)\n    right = made.update\n\n"
        f"    def update(found, frame=None, vectors=None):\n        vectors = None if len(found) > 1 else vectors\n{line}"
        "        return right(found, frame, None if vectors is None or len(vectors) != len(found) else vectors)\n\n"
        "    made.update = update\n    return made\n"
    )
    with pytest.raises(TrackerFault, match=fault):
        check_tracker(str(path))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("setting,value", [("rate", 0), ("keep", -1), ("new", 1.5), ("confirm", 0), ("iou", 2), ("appearance", -0.1), ("recall", "a")])
def test_senseless_settings_are_refused(name, setting, value):
    with pytest.raises(RecipeError, match=setting):
        MAKE[name](**{setting: value})


@pytest.mark.parametrize("name", NAMES)
def test_senseless_input_is_refused(name):
    tracker = MAKE[name]()
    with pytest.raises(DataError, match="finite"):
        tracker.update(things([0, 0, np.nan, 4]))
    with pytest.raises(DataError, match="one appearance vector"):
        tracker.update(things(box(50, 50)), vectors=np.ones((2, 4)))
    tracker.update(things(box(50, 50)), vectors=np.ones((1, 4)))
    with pytest.raises(DataError, match="length"):
        tracker.update(things(box(50, 50)), vectors=np.ones((1, 5)))


@pytest.mark.parametrize("name", NAMES)
def test_two_walkers_keep_their_numbers(name):
    frames = [things(box(40 + 4 * t, 60), box(400 - 4 * t, 160)) for t in range(60)]
    found = numbers(MAKE[name](), frames)
    assert all(own in ([], [1, 2]) for own in found) and found[-1] == [1, 2] and found[0] == [1, 2]


@pytest.mark.parametrize("name", NAMES)
def test_odd_boxes_do_no_harm(name):
    tracker = MAKE[name]()
    for _ in range(4):
        tracker.update(things([5, 5, 5, 5], [9, 9, 3, 3], [-1e6, 0, 1e6, 1], [10, 10, 40, 90], [10, 10, 40, 90]))
    assert np.isfinite(tracker.update(things([10, 10, 40, 90])).boxes).all()


@pytest.mark.parametrize("name", NAMES)
def test_classes_are_kept_apart_unless_told_otherwise(name):
    frames = [things(box(100, 100), classes=[t // 10]) for t in range(20)]
    assert numbers(MAKE[name](), frames)[-1] == [2]
    assert numbers(MAKE[name](class_aware=False), frames)[-1] == [1]


def test_weak_detections_hold_a_track_in_two_stages_only():
    frames = [things(box(100 + 2 * t, 100), scores=[0.9 if t < 10 else 0.3]) for t in range(60)]
    for name, held in (("bytetrack", True), ("botsort", True), ("ocsort", False)):
        assert bool(numbers(MAKE[name](), frames)[-1]) is held
    assert numbers(ocsort.tracker(byte=True), frames)[-1] == [1]


def test_a_tentative_track_ends_with_a_miss():
    tracker, none = bytetrack.tracker(), Detections.empty()
    tracker.update(none)
    for found in (things(box(100, 100)), none, things(box(100, 100)), none, things(box(100, 100))):
        assert len(tracker.update(found)) == 0


def test_ocsort_leads_the_filter_along_the_gap():
    """After a turn while hidden, the re-updated filter moves with the thing; a filter that jumps does not."""
    path = [(100 + 6 * t, 100) for t in range(20)] + [(220 - 1.0 * t, 100 + 4 * t) for t in range(30)]
    tracker = ocsort.tracker(iou=0.05)
    for t, (x, y) in enumerate(path[:36]):
        tracker.update(Detections.empty() if 20 <= t < 32 else things(box(x, y, 60, 90)))
    velocity = tracker._table["mean"][0, 4:6]
    assert len(tracker._table) == 1 and velocity[1] > 2.0 and velocity[0] < 1.0


def test_ocsort_recovers_where_a_thing_was_last_seen():
    frames = [things(box(100 + 8 * t, 100)) for t in range(12)] + [Detections.empty()] * 8 + [things(box(196, 100))] * 4
    tracker = ocsort.tracker()
    assert numbers(tracker, frames[:21])[-1] == [1]
    assert tracker.events[0]["stage"] == "recovery" and tracker.events[0]["track"] == 1
    assert numbers(tracker, frames[21:])[-1] == [1]


def test_botsort_takes_out_the_motion_of_the_camera():
    draw = np.random.default_rng(0)
    world = np.clip(128 + 900 * ndimage.gaussian_filter(draw.normal(size=(400, 520)), 4), 0, 255).astype(np.uint8)
    shifts = draw.integers(0, 60, (25, 2))
    still, moved = botsort.tracker(rate=25), botsort.tracker(rate=25)
    blind, seen = [], []
    for x, y in shifts:
        found = things(box(160 - x, 150 - y, 24, 50), box(260 - x, 200 - y, 24, 50))
        frame = np.repeat(world[y : y + 320, x : x + 440, None], 3, 2)
        label = moved.update(found, frame)
        seen.append(label.tracks.tolist())
        blind += still.update(found).tracks.tolist()
    assert botsort.tracker().looks and not botsort.tracker(camera=False).looks and not sort.tracker().looks
    assert seen == [[1, 2]] * 25 and len(blind) < 40


@pytest.mark.parametrize("name", NAMES)
def test_events_name_the_costs_that_decided(name):
    tracker, look = MAKE[name](), np.eye(4, dtype=np.float32)
    for t in range(6):
        found = things(box(300, 50), box(100 + t, 100))
        tracker.update(found, vectors=look[:2])
    events = sorted(tracker.events, key=lambda event: event["place"])
    assert [event["place"] for event in events] == [0, 1] and json.dumps(events)
    assert all(event["iou"] > 0.8 and event["appearance"] == pytest.approx(0) and event["cost"] < 0.5 for event in events)
    assert {event["track"] for event in events} == {1, 2}


@pytest.mark.parametrize("name", NAMES)
def test_looks_decide_where_boxes_do_not(name):
    """Two things change places within one frame: by boxes alone the numbers stay where they are."""
    look = np.eye(8, dtype=np.float32)[:2]
    frames = [things(box(100, 100), box(114, 100))] * 10
    plain, seeing, blind = MAKE[name](), MAKE[name](), MAKE[name](appearance=None)
    for found in frames:
        plain.update(found)
        seeing.update(found, vectors=look)
        blind.update(found, vectors=look)
    assert plain.update(frames[0]).tracks.tolist() == [1, 2]
    assert seeing.update(frames[0], vectors=look[::-1]).tracks.tolist() == [2, 1]
    assert blind.update(frames[0], vectors=look[::-1]).tracks.tolist() == [1, 2]


def test_unknown_looks_do_no_harm():
    look = np.full((1, 8), np.nan, np.float32)
    found = numbers(botsort.tracker(), [things(box(100, 100))] * 8, [look, np.zeros((1, 8)), *[look] * 6])
    assert found == [[1]] * 8


def test_who_leaves_and_comes_back_elsewhere_is_known():
    looks = np.eye(16, dtype=np.float32)
    for make in MAKE.values():
        tracker = make(keep=0.4)
        first = [things(box(100, 100), box(300, 100))] * 10
        numbers(tracker, first, [looks[:2]] * 10)
        numbers(tracker, [things(box(300, 100))] * 60, [looks[1:2]] * 60)
        both = [things(box(300, 100), box(500, 300))] * 8
        assert numbers(tracker, both, [looks[[1, 0]]] * 8)[-1] == [2, 1]
        assert len(tracker._gallery) == 0


def test_a_memory_ends_and_no_one_is_known_who_is_still_there():
    looks, tracker = np.eye(8, dtype=np.float32), bytetrack.tracker(keep=0.2, remember=2.0)
    one = things(box(100, 100))
    numbers(tracker, [one] * 5, [looks[:1]] * 5)
    numbers(tracker, [Detections.empty()] * 60)
    assert numbers(tracker, [one] * 5, [looks[:1]] * 5)[-1] == [2]
    twins = [things(box(100, 100), box(400, 100))] * 8  # the same look, at the same time
    assert numbers(tracker, twins, [looks[[0, 0]]] * 8)[-1] == [2, 3]


def test_gallery():
    gallery = Gallery(Appearance(), 10, True)
    lost = (np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert gallery.recognize(np.eye(4), np.zeros(4, int), np.full(4, 9), lost) == [] and len(gallery) == 0
    gallery.store(np.array([5, 6]), np.eye(4)[:2], np.array([0, 1]), np.array([3, 4]))
    found = gallery.recognize(np.eye(4)[[1, 0, 2]], np.array([0, 0, 0]), np.array([9, 9, 9]), lost)
    assert found == [(1, 5, 0.0)]  # 6 is of another class, and nothing is like the third
    assert gallery.recognize(np.eye(4)[:1], np.array([0]), np.array([3]), lost) == []  # began before the other was last seen
    gallery.expire(14)
    assert gallery.ids.tolist() == [6]
    gallery.store(np.arange(3000), np.zeros((3000, 4)), np.zeros(3000, int), np.full(3000, 14))
    assert len(gallery) == 2000


def test_what_is_usual_between_things_sets_the_measure():
    """A net that puts all things close together: a stranger is not taken for one who left, and who comes back is known."""
    common, own = np.ones(16) * 2, np.eye(16) * 2
    looks = (common + own) / np.linalg.norm(common + own, axis=1, keepdims=True)
    assert (1 - looks[0] @ looks[1]) / 2 < 0.1
    for adapt, number in ((True, 4), (False, 1)):
        tracker = botsort.tracker(keep=0.4, adapt=adapt)
        numbers(tracker, [things(box(100, 100), box(300, 100), box(500, 100))] * 20, [looks[:3]] * 20)
        rest = [things(box(300, 100), box(500, 100))] * 30
        numbers(tracker, rest, [looks[1:3]] * 30)
        others = [things(box(300, 100), box(500, 100), box(700, 300))] * 8
        assert numbers(tracker, others, [looks[[1, 2, 3]]] * 8)[-1] == [2, 3, number]
        if adapt:
            numbers(tracker, rest, [looks[1:3]] * 30)
            assert numbers(tracker, others, [looks[[1, 2, 0]]] * 8)[-1] == [2, 3, 1]


def test_the_usual_distance():
    gallery, draw = Gallery(Appearance(), 10, True), np.random.default_rng(0)
    vectors = 0.5 + draw.normal(size=(6, 12))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for _ in range(3000):
        gallery.watch(vectors)
        gallery.watch(vectors[:1])
    pairs = [(1 - vectors[i] @ vectors[j]) / 2 for i in range(6) for j in range(i)]
    assert gallery.stretch == pytest.approx(0.5 / np.mean(pairs), rel=1e-2)
    assert Gallery(Appearance(adapt=False), 10, True).stretch == 1 == Gallery(Appearance(), 10, True).stretch


def test_doubt_before_anything_was_seen():
    likeness = Likeness()
    likeness.learn(np.zeros((0, 0)))
    assert likeness.doubt(np.zeros((0, 0))).shape == (0, 0)
    near, far, unknown = likeness.doubt(np.array([0.0, 0.5, np.nan]))
    assert near < 0.05 and far > 0.95 and np.isnan(unknown)


@pytest.mark.parametrize("same,other,deviation", [(0.1, 0.3, 0.1), (0.02, 0.05, 0.01), (0.2, 0.24, 0.05)])
def test_doubt_is_the_share_of_strangers_at_a_distance(same, other, deviation):
    """Against counting: of as many pairs of one thing as of two, at a distance, the share that are of two."""
    draw, likeness, one, two = np.random.default_rng(0), Likeness(), [], []
    for _ in range(400):
        distance = draw.normal(other, deviation, (4, 4))
        np.fill_diagonal(distance, draw.normal(same, deviation, 4))
        likeness.learn(distance)
        one, two = one + distance.diagonal().tolist(), two + distance[~np.eye(4, dtype=bool)].tolist()
    middle, step = (same + other) / 2, deviation / 5
    share = [np.mean(np.abs(np.array(values) - middle) < step) for values in (one, two)]
    found = float(likeness.doubt(np.array(middle)))
    assert found == pytest.approx(share[1] / sum(share), abs=0.15)
    at = likeness.doubt(np.linspace(-1, 2, 50))
    assert (np.diff(at) >= -1e-12).all() and (likeness.doubt(np.array(middle), 9) > found)


def test_looks_that_tell_nothing_have_no_say():
    """The same distances between looks of one thing and of two: no distance is more than a guess."""
    draw, likeness = np.random.default_rng(0), Likeness()
    for _ in range(300):
        likeness.learn(draw.normal(0.3, 0.05, (5, 5)))
    assert np.abs(likeness.doubt(np.linspace(0, 1, 21)) - 0.5).max() < 0.2
    assert (likeness.doubt(np.linspace(0, 1, 21), 3) > 0.5).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("noise", [0.6, 20.0])
def test_looks_never_cost_identities(name, noise):
    kept = [[], []]
    for seed in range(2):
        scene = crossings(8, gap=0.5, seconds=6.0, noise=noise, seed=seed)
        for seeing in (False, True):
            kept[seeing].append(identities_kept(scene, track_scene(MAKE[name](rate=scene.rate), scene, seeing)))
    without, with_ = (np.concatenate(part).mean() for part in kept)
    assert with_ >= (without if noise < 1 else without - 0.07)


@pytest.mark.parametrize("name", NAMES)
def test_a_box_that_fits_one_track_alone_is_its_whatever_it_looks_like(name):
    look, tracker = np.eye(4, dtype=np.float32), MAKE[name]()
    one = [things(box(100 + 2 * t, 100), box(400, 100)) for t in range(40)]
    found = numbers(tracker, one, [look[:2]] * 30 + [look[2:]] * 10)
    assert found[-1] == [1, 2]


@pytest.mark.parametrize("name", NAMES)
def test_second_boxes_of_a_thing_are_no_things(name):
    draw = np.random.default_rng(0)
    frames = [things(box(100 + 2 * t, 100), box(103 + 2 * t, 104, 34, 66), scores=[0.95, draw.uniform(0.7, 0.9)]) for t in range(30)]
    assert numbers(MAKE[name](), frames)[-1] == [1]
    assert len(numbers(MAKE[name](double=1), frames)[-1]) == 2
    apart = [things(box(100, 100), box(103, 104), classes=[0, 1])] * 10
    assert numbers(MAKE[name](), apart)[-1] == [1, 2]


def test_sort_uses_no_weak_detections():
    weak = [things(box(100, 100), box(300, 100), scores=[0.9, 0.4])] * 8
    assert numbers(sort.tracker(), weak)[-1] == [1] and numbers(sort.tracker(least=0.3), weak)[-1] == [1, 2]
    label = sort.tracker(confirm=1).update(things(box(300, 100), box(100, 100), scores=[0.4, 0.9]))
    np.testing.assert_allclose(label.boxes, [box(100, 100)])


def test_moving_average_of_looks():
    looks = Appearance(average=0.9)
    vectors, counts, draw = np.zeros((1, 3)), np.zeros(1, int), np.random.default_rng(0)
    first = draw.normal(size=(4, 3))
    for new in first / np.linalg.norm(first, axis=1, keepdims=True):
        vectors, counts = looks.learn(vectors, counts, new[None])
    assert counts.tolist() == [4] and np.linalg.norm(vectors) == pytest.approx(1)
    after, same = looks.learn(vectors, counts + 96, np.array([[1.0, 0, 0]])), looks.learn(vectors, counts, np.full((1, 3), np.nan))
    mixed = 0.9 * vectors + 0.1 * np.array([[1, 0, 0]])
    np.testing.assert_allclose(after[0], mixed / np.linalg.norm(mixed))
    np.testing.assert_allclose(same[0], vectors)


def test_crossings_are_reproducible_and_hide_whom_they_say():
    scene, again = crossings(3, gap=1.0, seed=4), crossings(3, gap=1.0, seed=4)
    assert all(a.to_dict() == b.to_dict() for a, b in zip(scene.found, again.found)) and len(scene.meetings) == 3
    for first, last, begin, end in scene.meetings:
        middle = (begin + end) // 2
        assert first in scene.truth[middle].tracks and last not in scene.truth[middle].tracks
        assert {first, last} <= set(scene.truth[begin - 2].tracks.tolist()) & set(scene.truth[end + 2].tracks.tolist())
    assert all(np.allclose(np.linalg.norm(looks, axis=1), 1, atol=1e-5) for looks in scene.vectors)
    assert identities_kept(scene, scene.truth).all()
    swapped = [replace(label, tracks=7 - label.tracks if t > 100 else label.tracks) for t, label in enumerate(scene.truth)]
    assert not identities_kept(scene, swapped).any()


@pytest.mark.parametrize("name", ["botsort", "ocsort"])
@pytest.mark.parametrize("gap,least", [(0.5, 0.99), (1.0, 0.95), (2.0, 0.85)])
def test_identities_outlast_occlusions(name, gap, least):
    kept = []
    for seed in range(3):
        scene = crossings(8, gap=gap, seconds=7.0, seed=seed)
        kept.append(identities_kept(scene, track_scene(MAKE[name](rate=scene.rate), scene, True)))
    assert np.concatenate(kept).mean() >= least


def stream(count, seed=0):
    """People who come and go without end: about eight at a time."""
    draw, alive, born = np.random.default_rng(seed), {}, 0
    for _ in range(count):
        while len(alive) < 8:
            alive[born] = [draw.uniform(0, 1800), draw.uniform(0, 900), *draw.normal(0, 4, 2), draw.integers(20, 200), draw.normal(size=16)]
            born += 1
        for key in [key for key, state in alive.items() if state[4] <= 0]:
            del alive[key]
        for state in alive.values():
            state[0], state[1], state[4] = state[0] + state[2], state[1] + state[3], state[4] - 1
        boxes = np.array([box(state[0], state[1]) for state in alive.values()]).reshape(-1, 4)
        yield Detections(boxes + draw.normal(0, 1, boxes.shape), draw.uniform(0.3, 1, len(boxes))), np.array([state[5] for state in alive.values()]).reshape(-1, 16)


@pytest.mark.parametrize("name", ["botsort", "ocsort"])
def test_a_tracker_does_not_grow(name):
    tracker, sizes = MAKE[name](remember=2.0), []
    for t, (found, looks) in enumerate(stream(900)):
        tracker.update(found, vectors=looks)
        if t % 100 == 99:
            sizes.append(len(pickle.dumps(tracker)))
    assert max(sizes[4:]) < 1.5 * max(sizes[:4])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_memory_stays_flat_over_a_long_stream(name):
    tracker, before = MAKE[name](), 0
    for t, (found, looks) in enumerate(stream(100_000)):
        tracker.update(found, vectors=looks)
        if t == 20_000:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB


def tracked(*rows):
    """A label from (track, x, y)."""
    return replace(things(*[box(x, y) for _, x, y in rows]), tracks=np.array([number for number, *_ in rows], np.int64))


def test_finishing_nothing():
    for frames in ([], [Detections.empty()] * 3):
        assert [len(label) for label in fill_gaps(frames) + smooth(frames) + drop_short(frames)] == [0] * 3 * len(frames)


def test_gaps_are_filled_on_a_line_up_to_the_longest():
    frames = [tracked((1, 10, 50), (2, 200, 50)), tracked((2, 200, 50)), Detections.empty(), tracked((1, 16, 50)), *[Detections.empty()] * 9, tracked((1, 30, 50))]
    found = fill_gaps(frames, seconds=0.2, rate=25)
    assert [label.tracks.tolist() if label.tracks is not None else None for label in found[:4]] == [[1, 2], [2, 1], [1], [1]]
    np.testing.assert_allclose(found[2].boxes[0], box(14, 50))
    assert [len(label) for label in found[4:13]] == [0] * 9


def test_filling_keeps_outlines_and_texts():
    mask = np.zeros((1, 80, 80), bool)
    mask[0, 20:60, 10:40] = True
    seen = Detections(np.array([[10, 20, 40, 60.0]]), masks=mask, tracks=np.array([3]), texts=("b",))
    other = Detections(np.array([[60, 20, 70, 60.0]]), masks=mask, tracks=np.array([4]), texts=("c",))
    found = fill_gaps([seen, other, seen], 1.0, 25)[1]
    assert found.texts == ("c", "b") and found.tracks.tolist() == [4, 3]
    assert found.outlines[1] is None and (found.outlines[0].mask((80, 80)) == mask[0]).all()


@pytest.mark.parametrize("method", ["gaussian", "rts"])
def test_smoothing_lessens_noise_and_keeps_steady_motion(method):
    straight = [tracked((1, 100 + 3 * t, 100 + t)) for t in range(60)]
    draw = np.random.default_rng(0)
    noisy = [replace(label, boxes=label.boxes + draw.normal(0, 2, (1, 4))) for label in straight]
    del straight[30:34], noisy[30:34]
    frames = noisy[:30] + [Detections.empty()] * 4 + noisy[30:]
    true = np.concatenate([label.boxes for label in straight])
    error = [np.abs(np.concatenate([label.boxes for label in part if len(label)]) - true).mean() for part in (noisy, smooth(frames, 0.2, 25, method))]
    assert error[1] < 0.7 * error[0]
    exact = smooth(straight[:30], 0.2, 25, method)
    np.testing.assert_allclose(np.concatenate([label.boxes for label in exact])[10:], true[10:30], atol=0.05 if method == "gaussian" else 2.0)


def test_short_tracks_go():
    frames = [tracked((1, 50, 50), (2, 200, 50)) if t < 4 else tracked((1, 50, 50)) for t in range(20)]
    assert [label.tracks.tolist() for label in drop_short(frames, 0.5, 25)] == [[1]] * 20


def test_finishing_refuses_what_it_cannot_do():
    with pytest.raises(DataError, match="frame 0"):
        fill_gaps([things(box(10, 10))])
    with pytest.raises(DataError, match="twice"):
        smooth([tracked((1, 10, 10), (1, 90, 90))])
    with pytest.raises(RecipeError, match="gaussian"):
        smooth([], method="median")
    with pytest.raises(RecipeError, match="rate"):
        drop_short([], rate=0)


def counted(line, points, classes=None):
    counter = Counter([line], names=("person", "car"))
    for t, (x, y) in enumerate(points):
        counter.update(tracked((1, x, y)) if classes is None else replace(tracked((1, x, y)), classes=np.array([classes])), t * 0.04)
    return counter.result()["lines"]["door"]


def test_counting_nothing():
    counter = Counter([Line("door", (0, 0), (9, 0))], [Zone("room", [(0, 0), (9, 0), (9, 9)])])
    for t in range(3):
        assert counter.update(Detections.empty(), float(t)) == []
    found = counter.result()
    assert json.loads(json.dumps(found)) == found and found["seconds"] == 2.0 and found["speed"]["mean"] is None
    assert found["lines"]["door"] == {"in": 0, "out": 0, "by_class": {}} and found["zones"]["room"]["dwell_mean"] is None


def test_lines_count_directions_classes_and_ends():
    line = Line("door", (100, 200), (300, 200), anchor="center")
    down = [(200, 150 + 5 * t) for t in range(20)]
    assert counted(line, down) == {"in": 1, "out": 0, "by_class": {"person": {"in": 1, "out": 0}}}
    assert counted(line, down[::-1], 1) == {"in": 0, "out": 1, "by_class": {"car": {"in": 0, "out": 1}}}
    assert counted(line, down + down[::-1])["out"] == 1
    assert counted(line, [(350, y) for _, y in down])["in"] == 0  # beyond the line's end
    assert counted(line, [(200, 150), (200, 900)])["in"] == 1  # in one leap
    assert counted(Line("door", (100, 200), (300, 200)), [(200, 150 + t) for t in range(15)])["in"] == 0  # feet were below at once


def test_trembling_on_a_line_is_no_crossing():
    draw = np.random.default_rng(0)
    line = Line("door", (100, 200), (300, 200), anchor="center")
    still = [(200, 190), *[(200 + draw.normal(), 200 + np.clip(draw.normal(), -2.5, 2.5)) for _ in range(200)]]
    assert counted(line, still)["in"] == 0 and counted(line, [*still, (200, 230)])["in"] == 1


def test_zones_count_visits_and_dwell():
    counter = Counter(zones=[Zone("room", [(100, 0), (300, 0), (300, 300), (100, 300)], anchor="center", grace=0.5)])
    path = [50] * 5 + [200] * 26 + [50] * 5 + [200] * 20 + [50] * 25 + [200] * 11  # a short step out is no new visit
    for t, x in enumerate(path):
        events = counter.update(tracked((1, x, 100)), t / 25)
        assert bool(events) is (t in (5, 81))
    room = counter.result()["zones"]["room"]
    assert room["visits"] == 2 and room["now"] == 1
    assert room["dwell_max"] == pytest.approx(2.0) and room["dwell_mean"] == pytest.approx((2.0 + 0.4) / 2)
    assert room["by_class"]["0"]["visits"] == 2


def test_speed_in_pixels_and_on_the_ground():
    for scale, factor in ((1.0, 1.0), (0.05, 0.05), (np.diag([0.1, 0.1, 1.0]), 0.1)):
        counter = Counter(scale=scale, unit="m", over=0.4)
        for t in range(40):
            counter.update(tracked((7, 100 + 3 * t, 100 + 4 * t)), t / 25)
        found = counter.result()["speed"]
        assert found["now"]["7"] == pytest.approx(125 * factor, rel=1e-4) and found["mean"] == pytest.approx(125 * factor, rel=1e-4)
        assert found["unit"] == "m/s" and found["by_class"]["0"]["max"] == pytest.approx(125 * factor, rel=1e-3)


def test_counters_forget_those_who_are_gone():
    counter = Counter([Line("door", (0, 0), (900, 0))])
    for t in range(2000):
        counter.update(tracked((t // 10 + 1, 100, 100)), t / 25)
    assert len(counter._things) < 20 and counter.result()["tracks"] == {"now": 1, "total": 200}


def test_counters_refuse_what_they_cannot_count():
    for wrong in (lambda: Line("a", (1, 1), (1, 1)), lambda: Zone("a", [(0, 0), (1, 1)]), lambda: Line("a", (0, 0), (1, 1), anchor="top"),
                  lambda: Counter([Line("a", (0, 0), (1, 1))], [Zone("a", [(0, 0), (1, 0), (1, 1)])]), lambda: Counter(scale=-1),
                  lambda: Counter(over=0)):  # fmt: skip
        with pytest.raises(RecipeError):
            wrong()
    counter = Counter()
    with pytest.raises(DataError, match="without track"):
        counter.update(things(box(10, 10)), 0.0)
    counter.update(Detections.empty(), 1.0)
    with pytest.raises(DataError, match="rise"):
        counter.update(Detections.empty(), 1.0)


def test_overlap_of_results_is_that_of_detections():
    """What comes out are the detections themselves, not the filter's boxes."""
    scene = crossings(2, seconds=2.0)
    for found, label in zip(scene.found, track_scene(ocsort.tracker(), scene, False)):
        if len(label):
            assert (iou_matrix(label.boxes, found.boxes).max(1) > 0.999).all()
