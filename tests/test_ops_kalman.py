import itertools

import numpy as np
import pytest
from scipy import ndimage

from vidi.ops.camera_motion import MODELS, CameraMotion, camera_motion, shift_between, small_gray
from vidi.ops.kalman import FORMS, GATES, BoxFilter
from vidi.ops.linear_assignment import assign

RNG = np.random.default_rng


def boxes(count=5, seed=0):
    corner = RNG(seed).uniform(10, 200, (count, 2))
    return np.hstack([corner, corner + RNG(seed + 1).uniform(20, 90, (count, 2))])


@pytest.mark.parametrize("form", FORMS)
def test_no_tracks(form):
    motion, none = BoxFilter(form), np.zeros((0, 4))
    mean, covariance = motion.start(motion.measure(none))
    assert mean.shape == (0, motion.size) and covariance.shape == (0, motion.size, motion.size)
    mean, covariance = motion.update(*motion.predict(mean, covariance), none)
    assert motion.boxes(mean).shape == (0, 4) and motion.distance(mean, covariance, motion.measure(boxes())).shape == (0, 5)
    assert motion.smooth(none).shape == (0, 4)


def test_unknown_form():
    with pytest.raises(ValueError, match="xyah"):
        BoxFilter("xyz")


@pytest.mark.parametrize("form", FORMS)
def test_measuring_and_boxes_are_inverse(form):
    motion = BoxFilter(form)
    np.testing.assert_allclose(motion.boxes(motion.measure(boxes())), boxes(), atol=1e-9)
    assert np.isfinite(motion.boxes(motion.measure(np.array([[5, 5, 5, 5.0], [9, 9, 3, 3]])))).all()


def textbook(motion, mean, covariance, measured):
    """One prediction and one update of one track with full matrices."""
    size = motion.size
    transition, seen = np.eye(size), np.eye(4, size)
    transition[np.arange(size - 4), np.arange(4, size)] = 1
    if motion.form == "xysr":
        step, sight = np.diag([1, 1, 1, 1, 0.01, 0.01, 1e-4]), np.diag([1, 1, 10, 10.0])
    else:
        def spread(state):
            return np.array([state[3]] * 4 if motion.form == "xyah" else [state[2], state[3]] * 2)

        variance = np.concatenate([spread(mean) / 20, spread(mean) / 160]) ** 2
        if motion.form == "xyah":
            variance[[2, 6]] = 1e-4, 1e-10
        step = np.diag(variance)
    mean, covariance = transition @ mean, transition @ covariance @ transition.T + step
    if motion.form != "xysr":
        variance = (spread(mean) / 20) ** 2
        if motion.form == "xyah":
            variance[2] = 1e-2
        sight = np.diag(variance)
    gain = covariance @ seen.T @ np.linalg.inv(seen @ covariance @ seen.T + sight)
    return mean + gain @ (measured - seen @ mean), (np.eye(size) - gain @ seen) @ covariance


@pytest.mark.parametrize("form", FORMS)
def test_equals_the_textbook(form):
    motion, path = BoxFilter(form), boxes(4)
    mean, covariance = motion.start(motion.measure(path))
    single = list(zip(mean, covariance))
    for step in range(5):
        path = path + RNG(step).normal(2, 1, path.shape)
        measured = motion.measure(path)
        mean, covariance = motion.update(*motion.predict(mean, covariance), measured)
        single = [textbook(motion, *state, z) for state, z in zip(single, measured)]
    np.testing.assert_allclose(mean, [m for m, _ in single], rtol=1e-8)
    np.testing.assert_allclose(covariance, [c for _, c in single], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("form", FORMS)
def test_steady_motion_is_learned(form):
    motion, path = BoxFilter(form), boxes(3)
    state = motion.start(motion.measure(path))
    for _ in range(60):
        path = path + [3, -1, 3, -1]
        state = motion.update(*motion.predict(*state), motion.measure(path))
    for _ in range(10):
        state = motion.predict(*state)
    np.testing.assert_allclose(motion.boxes(state[0]), path + [30, -10, 30, -10], atol=1.5)


@pytest.mark.parametrize("form", FORMS)
def test_sizes_never_become_negative(form):
    motion = BoxFilter(form)
    state = motion.start(motion.measure(boxes(2)))
    for shrink in (0.3, 0.6, 0.9):
        small = boxes(2) + [0, 0, *(0, 0)]
        small[:, 2:] -= shrink * (small[:, 2:] - small[:, :2])
        state = motion.update(*motion.predict(*state), motion.measure(small))
    for _ in range(200):
        state = motion.predict(*state)
    sides = motion.boxes(state[0])[:, 2:] - motion.boxes(state[0])[:, :2]
    assert (sides >= 0).all() and np.isfinite(sides).all()


def test_gating_distance():
    motion = BoxFilter("xyah")
    mean, covariance = motion.start(motion.measure(boxes(3)))
    measured = motion.measure(boxes(4, 7))
    brute = np.zeros((3, 4))
    for (i, m), (j, z) in itertools.product(enumerate(mean), enumerate(measured)):
        sight = np.diag([(m[3] / 20) ** 2] * 2 + [1e-2, (m[3] / 20) ** 2])
        brute[i, j] = (z - m[:4]) @ np.linalg.inv(covariance[i][:4, :4] + sight) @ (z - m[:4])
    np.testing.assert_allclose(motion.distance(mean, covariance, measured), brute)
    own = motion.distance(mean, covariance, motion.measure(boxes(3)))
    assert (own.diagonal() < 1e-12).all() and GATES[4] > GATES[2]
    assert (motion.distance(mean, covariance, measured, center=True) <= brute + 1e-9).all()


@pytest.mark.parametrize("form", FORMS)
def test_camera_moves_states(form):
    motion, path = BoxFilter(form), boxes(3)
    mean, covariance = motion.start(motion.measure(path))
    matrix = np.array([[1.1, 0, 12], [0, 1.1, -7], [0, 0, 1]])
    moved, spread = motion.warp(mean, covariance, matrix)
    np.testing.assert_allclose(motion.boxes(moved), path * 1.1 + [12, -7, 12, -7], atol=1e-9)
    np.testing.assert_allclose(spread[:, 0, 0], covariance[:, 0, 0] * 1.21)
    np.testing.assert_allclose(motion.warp(moved, spread, np.linalg.inv(matrix))[0], mean, atol=1e-9)


def test_smoothing_fills_gaps_and_lessens_noise():
    true = boxes(1) + np.arange(60)[:, None] * [2, 1, 2, 1]
    noisy = true + RNG(1).normal(0, 3, true.shape)
    noisy[20:28] = np.nan
    found = BoxFilter("xywh").smooth(noisy)
    assert np.isfinite(found).all()
    seen = np.isfinite(noisy).all(1)
    assert np.abs(found - true)[seen].mean() < 0.7 * np.abs(noisy - true)[seen].mean()
    assert np.abs(found - true)[20:28].mean() < 4


def best_of_all(cost, gate):
    """Least total over all sets of pairs, one left out costing the gate."""
    rows, columns = cost.shape
    least = 0.0
    for size in range(1, min(rows, columns) + 1):
        for chosen in itertools.combinations(range(rows), size):
            for order in itertools.permutations(range(columns), size):
                least = min(least, sum(cost[r, c] - gate for r, c in zip(chosen, order)))
    return least


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 0)])
def test_nothing_to_assign(shape):
    assert [len(part) for part in assign(np.zeros(shape), 1.0)] == [0, 0]


@pytest.mark.parametrize("seed", range(12))
def test_assignment_is_the_best(seed):
    draw = RNG(seed)
    cost = draw.uniform(0, 1, draw.integers(1, 5, 2))
    cost[draw.uniform(size=cost.shape) < 0.2] = np.inf
    rows, columns = assign(cost, 0.6)
    assert (cost[rows, columns] < 0.6).all() and len(set(columns.tolist())) == len(columns) and (np.diff(rows) > 0).all()
    assert (cost[rows, columns] - 0.6).sum() == pytest.approx(best_of_all(cost, 0.6))


def test_greedy_takes_the_cheapest_and_breaks_ties_by_place():
    assert [part.tolist() for part in assign([[0.2, 0.1], [0.9, 0.3]], 1.0, greedy=True)] == [[0, 1], [1, 0]]
    assert [part.tolist() for part in assign(np.zeros((3, 2)), 1.0, greedy=True)] == [[0, 1], [0, 1]]
    assert [part.tolist() for part in assign([[np.nan, 0.5]], 1.0, greedy=True)] == [[0], [1]]


@pytest.mark.parametrize("cost,gate", [(np.zeros(3), 1.0), (np.zeros((2, 2)), np.inf)])
def test_senseless_costs_are_refused(cost, gate):
    with pytest.raises(ValueError):
        assign(cost, gate)


def texture(seed=0, height=420, width=560):
    draw = RNG(seed)
    fine, coarse = (ndimage.gaussian_filter(draw.normal(size=(height + 120, width + 120)), s) for s in (2, 9))
    return np.clip(128 + 220 * fine + 700 * coarse, 0, 255)


def view(picture, matrix, size=(420, 560), margin=60):
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    back = np.linalg.inv(matrix)
    x = back[0, 0] * columns + back[0, 1] * rows + back[0, 2] + margin - 0.5
    y = back[1, 0] * columns + back[1, 1] * rows + back[1, 2] + margin - 0.5
    return ndimage.map_coordinates(picture, [y, x], order=1, mode="reflect")


def motion_of(angle, scale, x, y):
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, x], [s, c, y], [0, 0, 1]])


def frame(gray):
    return np.repeat(np.clip(gray, 0, 255).astype(np.uint8)[:, :, None], 3, 2)


@pytest.mark.parametrize("angle,scale,x,y", [(0, 1, 0, 0), (0, 1, 31, -18), (0.02, 1.02, -6, 3), (-0.03, 0.97, 14, 22), (0, 1, 0.7, 0.4)])
def test_camera_motion_of_warped_pictures(angle, scale, x, y):
    picture, true, draw = texture(), motion_of(angle, scale, x, y), RNG(5)
    after = view(picture, true) * 1.04 + 5 + draw.normal(0, 2, (420, 560))
    after[100:220, 150:300] = draw.uniform(0, 255, (120, 150))  # a thing that hides a twelfth of the picture
    (first, block), (second, _) = small_gray(frame(view(picture, np.eye(3)))), small_gray(frame(after))
    found = camera_motion(first, second)
    found[:2, 2] *= block
    corners = np.array([[0, 0, 1], [560, 0, 1], [0, 420, 1], [560, 420, 1.0]])
    assert np.abs(corners @ found.T - corners @ true.T).max() < 0.5
    assert abs(np.sqrt(np.linalg.det(found[:2, :2])) / scale - 1) < 0.01


@pytest.mark.parametrize("model", MODELS)
def test_models_of_camera_motion(model):
    picture = texture(3)
    found = camera_motion(view(picture, np.eye(3), (160, 200)), view(picture, motion_of(0, 1, 5, -3), (160, 200)), model=model)
    np.testing.assert_allclose(found, motion_of(0, 1, 5, -3), atol=0.1)


def test_boxes_are_left_out_of_camera_motion():
    picture, thing = texture(1), texture(2)
    before, after = view(picture, np.eye(3), (160, 200)), view(picture, np.eye(3), (160, 200))
    before[20:150, 30:180] = thing[20:150, 30:180]
    after[20:150, 34:184] = thing[20:150, 30:180]
    found = camera_motion(before, after, boxes=np.array([[30, 20, 184, 150.0]]))
    np.testing.assert_allclose(found, np.eye(3), atol=0.05)


@pytest.mark.parametrize("before,after", [(np.zeros((8, 8)), np.zeros((8, 8))), (np.zeros((90, 120)), np.full((90, 120), 9.0))])
def test_nothing_to_see_is_no_motion(before, after):
    assert (camera_motion(before, after) == np.eye(3)).all()


def test_a_cut_is_not_taken_for_a_wild_motion():
    found = camera_motion(view(texture(1), np.eye(3), (160, 200)), view(texture(2), np.eye(3), (160, 200)))
    corners = np.array([[0, 0, 1], [200, 0, 1], [0, 160, 1], [200, 160, 1.0]])
    assert np.abs(corners @ found.T - corners).max() <= 60


def test_camera_motion_refuses_two_sizes_and_unknown_models():
    with pytest.raises(ValueError, match="one size"):
        camera_motion(np.zeros((20, 20)), np.zeros((20, 21)))
    with pytest.raises(ValueError, match="affine"):
        camera_motion(np.zeros((20, 20)), np.zeros((20, 20)), model="wild")


def test_small_gray_is_the_mean_of_blocks():
    pixels = RNG(0).integers(0, 256, (130, 517, 3)).astype(np.uint8)
    small, block = small_gray(pixels)
    assert block == 3 and small.shape == (43, 172)
    np.testing.assert_allclose(small, pixels[:129, :516, 1].reshape(43, 3, 172, 3).mean((1, 3)), rtol=1e-5)
    assert small_gray(np.zeros((1, 2000, 3), np.uint8))[0].shape[0] == 1
    assert shift_between(view(texture(), np.eye(3)), view(texture(), motion_of(0, 1, 9, -4))) == (9.0, -4.0)


def test_a_camera_that_never_moves():
    camera, picture = CameraMotion(renew=4), view(texture(), np.eye(3))
    assert (camera(np.zeros((9, 9, 3), np.uint8)) == np.eye(3)).all()
    for t in range(10):
        shown = picture + RNG(t).normal(0, 2, picture.shape)
        shown[100:220, 100 + 8 * t : 160 + 8 * t] = 250
        assert (camera(frame(shown), np.array([[100 + 8 * t, 100, 160 + 8 * t, 220]])) == np.eye(3)).all()


@pytest.mark.parametrize("speed", [0.1, 0.6, 7.0])
def test_a_camera_that_moves_arrives_where_it_should(speed):
    """Steps that are too small to be told one by one add up to the way."""
    camera, picture, whole = CameraMotion(), texture(4), np.eye(3)
    for t in range(16):
        whole = camera(frame(view(picture, motion_of(0.0005 * speed * t, 1, speed * t, -speed * t / 2)) + RNG(t).normal(0, 1.5, (420, 560)))) @ whole
    true = motion_of(0.0005 * speed * 15, 1, speed * 15, -speed * 15 / 2)
    corners = np.array([[0, 0, 1], [560, 0, 1], [0, 420, 1], [560, 420, 1.0]])
    assert np.abs(corners @ whole.T - corners @ true.T).max() < 3.0  # a fifth of a pixel per frame
