"""Randomized smoothing: certificates that are true, and a verb that prints them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm

import vidi
from vidi.core import discovery
from vidi.core.kinds import Pixels
from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.core.space import Space
from vidi.errors import InputError
from vidi.methods.defend._smoothed import Smoothed, deciding
from vidi.methods.defend.smooth import Noisy
from vidi.tasks import classify


class Halves(Net):
    """Two classes with a straight border: the sign of w·x + b."""

    def __init__(self, weight, bias):
        super().__init__()
        self.weight, self.bias = torch.nn.Parameter(weight), bias
        self.inputs, self.kinds, self.space = {"image": Pixels(3)}, {"logits": "categorical", "features": "aux"}, Space("Classification", ("a", "b"))

    def forward(self, inputs):
        side = inputs["image"].flatten(1) @ self.weight + self.bias
        return {"logits": torch.stack([side, -side], 1), "features": side[:, None]}

    def loss(self, raw, labels):
        raise NotImplementedError

    def decode(self, raw):
        raise NotImplementedError

    def stages(self):
        return {}


def halves(sigma=0.25, alpha=0.001):
    weight = torch.randn(3 * 4 * 4, generator=torch.Generator().manual_seed(0))
    net = Halves(weight, 0.1)
    return Smoothed(net, "logits", sigma, alpha), weight


def draws(count, seed=0):
    return Draw.samples(seed, 0, np.arange(count))


def test_no_pictures():
    smoothed, _ = halves()
    classes, radii = smoothed.certify(torch.zeros(0, 3, 4, 4), draws(0), 20, 10)
    assert classes.shape == radii.shape == (0,) and smoothed.predict(torch.zeros(0, 3, 4, 4), draws(0), 10).shape == (0,)


def test_certificates_stay_under_the_distance_to_a_straight_border_and_come_near():
    smoothed, weight = halves()
    images = torch.rand(40, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    distance = ((images.flatten(1) @ weight + 0.1) / weight.norm()).numpy()
    classes, radii = smoothed.certify(images, draws(40), 2000, 100)
    sure = classes >= 0
    assert sure.mean() > 0.5 and ((classes == 0) == (distance > 0))[sure].all()
    assert (radii <= np.abs(distance) + 1e-9).all()
    reach = 0.25 * norm.ppf(0.001 ** (1 / 2000))
    near = sure & (np.abs(distance) > 0.05) & (np.abs(distance) < 0.6 * reach)
    assert near.any() and (radii[near] > 0.9 * np.abs(distance[near]) - 0.04).all()


def test_votes_do_not_depend_on_the_batch_and_leave_the_net_as_it_was():
    smoothed, _ = halves()
    images = torch.rand(6, 3, 4, 4)
    smoothed.net.train()
    whole = smoothed.votes(images, draws(6), 300)
    assert smoothed.net.training and smoothed.net.weight.requires_grad and (whole.sum(1) == 300).all()
    again = np.concatenate([smoothed.votes(images[i : i + 1], draws(6)[torch.tensor([i])], 300) for i in range(6)])
    assert np.array_equal(whole, again)


def test_a_picture_on_the_border_abstains():
    smoothed, weight = halves()
    flat = 0.5 + 0 * weight
    flat -= (flat @ weight + 0.1) / weight.norm() ** 2 * weight
    classes, radii = smoothed.certify(flat.view(1, 3, 4, 4), draws(1), 500, 50)
    assert classes.tolist() == [-1] and radii.tolist() == [0]
    assert smoothed.predict(flat.view(1, 3, 4, 4), draws(1), 500).tolist() == [-1]


@pytest.mark.parametrize("name", ["regress", "multilabel", "embed"])
def test_predictions_without_exactly_one_class_are_refused(name, tmp_path):
    task = discovery.load("tasks", name).task
    data = task.toy(12, seed=0)
    model = vidi.train(data, task=name, epochs=1, batch=4, imgsz=32, verbose=False, doctor=False, project=str(tmp_path))
    assert deciding(model.net) is None
    with pytest.raises(InputError, match="exactly one class") as caught:
        vidi.defend(model, data, method="smooth", epochs=1, project=str(tmp_path))
    assert "method=trades" in str(caught.value)


@pytest.mark.parametrize("settings", ["sigma=0", "alpha=1", "samples=0", "pictures=0", "radii=[-1]"])
def test_settings_out_of_range_are_refused(settings, tmp_path):
    data = classify.toy(24, seed=0)
    model = vidi.train(data, net="small", widths=[8], epochs=1, verbose=False, doctor=False, project=str(tmp_path))
    with pytest.raises(InputError):
        vidi.defend(model, data, method=f"smooth({settings})", epochs=1, project=str(tmp_path))


def test_smoothing_certifies_and_says_for_how_many_and_how_surely(tmp_path):
    data = classify.toy(160, seed=0)
    model = vidi.train(data, net="small", widths=[8, 16, 16], epochs=6, lr=0.01, batch=32, verbose=False, project=str(tmp_path / "runs"))
    report = vidi.defend(
        model, data, method="smooth(sigma=0.25, samples=200, first=20, radii=[0, 0.1, 0.25, 9])", norm="l2", budget="0.5", epochs=8, attack="pgd(steps=5)", checks=False,
        out=str(tmp_path / "smooth.vidi"), project=str(tmp_path / "runs"), verbose=False,
    )  # fmt: skip
    certified = [report.numbers[f"certified_{radius}"] for radius in ("0", "0.1", "0.25", "9")]
    assert certified == sorted(certified, reverse=True) and certified[0] > 0.5 and certified[-1] == 0
    assert report.n["certified_0.25"] == report.about["samples"] and any("confidence 0.999" in note for note in report.about["notes"])
    assert vidi.load(tmp_path / "smooth.vidi").card.lineage[-1]["method"].startswith("smooth")


def test_the_objective_tells_its_noise_apart():
    assert Noisy(0.25).to_dict() != Noisy(0.5).to_dict()
