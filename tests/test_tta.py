"""Test-time augmentation: views, their way home, merging."""

import time

import numpy as np
import pytest
import torch
from bright import bright_model, found_in, scene

from vidi.core.dataset import Dataset, Sample
from vidi.core.preprocess import Preprocess
from vidi.core.space import Space
from vidi.engine.evaluate import make_loader
from vidi.engine.infer import infer
from vidi.engine.predictor import Predictor
from vidi.engine.views import View, merged, parse_views
from vidi.errors import RecipeError
from vidi.labels import Classification, Detections
from vidi.model import Model, build_net, make_card

THINGS = [(3, 5, 20, 17, 0), (40, 30, 61, 64, 1), (25, 0, 33, 6, 0)]


def data(*pictures):
    return Dataset([Sample(str(i), {"image": picture}) for i, picture in enumerate(pictures)])


def test_no_pictures_and_no_things():
    assert Predictor(bright_model(), tta="flip").labels(data()) == []
    (label,) = Predictor(bright_model(), tta="flip,vflip,scale(0.5)").labels(data(scene((64, 64), [])))
    assert len(label) == 0


def test_spellings():
    assert parse_views(None) == parse_views("none") == parse_views("") == ()
    assert parse_views("flip, vflip,scale(0.8),scale(factor=1.25)") == (View(True), View(False, True), View(scale=0.8), View(scale=1.25))
    for wrong in ("flop", "scale", "scale(0)", "scale(x)", "scale(99)", "scale(0.5"):
        with pytest.raises(RecipeError):
            parse_views(wrong)


def test_sizes_of_views_keep_to_multiples_of_32():
    assert View(scale=0.8).matrix((64, 96))[1] == (64, 64) and View(scale=1.25).matrix((320, 640))[1] == (384, 800)
    assert View(scale=0.5).matrix((50, 31))[1] == (25, 16)
    matrix, size = View(True, True, 0.5).matrix((64, 128))
    assert size == (32, 64) and np.allclose(matrix @ [0, 0, 1], [64, 32, 1]) and np.allclose(matrix @ [128, 64, 1], [0, 0, 1])


def test_no_view_is_the_plain_prediction_to_the_bit():
    picture = scene((64, 64), THINGS)
    plain, again = (Predictor(bright_model(), tta=tta).labels(data(picture))[0] for tta in (None, "none"))
    assert plain.to_dict() == again.to_dict() == merged([plain], [])[0].to_dict()


@pytest.mark.parametrize("tta", ["flip", "vflip", "flip,vflip"])
def test_flips_are_exact_for_boxes(tta):
    picture = scene((64, 64), THINGS)
    (plain,), (label,) = Predictor(bright_model()).labels(data(picture)), Predictor(bright_model(), tta=tta).labels(data(picture))
    assert found_in(label) == found_in(plain) == sorted(tuple(map(float, thing[:4])) + (thing[4],) for thing in THINGS)
    np.testing.assert_allclose(np.sort(label.scores), np.sort(plain.scores), atol=1e-6)


def test_scales_stay_near():
    picture = scene((64, 64), [(4, 6, 24, 26, 0), (32, 32, 60, 58, 1)])
    (label,) = Predictor(bright_model(), tta="scale(0.5),scale(2)").labels(data(picture))
    assert len(label) == 2 and np.abs(np.array(found_in(label))[:, :4] - [[4, 6, 24, 26], [32, 32, 60, 58]]).max() <= 1


def test_what_one_view_alone_sees_loses_score():
    first, second = (Detections(np.array([[0, 0, 9, 9]]), np.array([0.8]))), Detections.empty()
    (label,) = merged([first], [[second]])
    assert label.scores[0] == pytest.approx(0.4)


def test_other_families_are_merged_too():
    torch.manual_seed(0)
    net = build_net("small", "softmax", Space("Classification", ("a", "b")), {"widths": [4, 4]})
    model = Model(net, make_card(net, task="classify", name="small", options={}, head="softmax", preprocess=Preprocess((32, 32), "squash")))
    picture = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    (both,) = Predictor(model, tta="flip").labels(data(picture))
    singles = [model(view)[0].probabilities for view in (picture, picture[:, ::-1].copy())]
    assert isinstance(both, Classification)
    np.testing.assert_allclose(both.probabilities, np.mean(singles, 0), atol=1e-6)


def test_losses_are_those_of_the_plain_view():
    model, pictures = bright_model(), data(scene((64, 64), THINGS), scene((64, 64), THINGS[:1]))
    for sample in pictures:
        sample.label = Detections.empty()
    plain, viewed = (
        infer(model.net, make_loader(pictures, model.preprocess, 2), 2, device=torch.device("cpu"), losses=True, views=parse_views(tta))
        for tta in (None, "flip,scale(0.5)")
    )
    assert np.array_equal(plain.losses, viewed.losses) and len(viewed.labels) == 2


def test_views_of_tiles():
    things = [(30, 20, 75, 44, 0), (100, 90, 110, 99, 1)]
    (label,) = Predictor(bright_model(), tta="flip", tile=64, whole=False).labels(data(scene((128, 160), things)))
    assert found_in(label) == sorted(tuple(map(float, thing[:4])) + (thing[4],) for thing in things)


def test_fusing_a_hundred_boxes_of_six_views_is_fast():
    generator = np.random.default_rng(0)
    corners = generator.uniform(0, 600, (100, 2))
    truth = np.concatenate([corners, corners + generator.uniform(8, 60, (100, 2))], 1)
    views = [Detections(truth + generator.normal(0, 1, truth.shape), generator.random(100), generator.integers(0, 3, 100)) for _ in range(6)]
    begun = time.perf_counter()
    for _ in range(5):
        Detections.merge(views)
    assert time.perf_counter() - begun < 2
