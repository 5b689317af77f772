"""Randomized smoothing: certificates that are true, and a verb that prints them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm
from untrained import untrained

import vidi
from vidi.core.kinds import Pixels
from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.core.space import Space
from vidi.errors import InputError
from vidi.labels import Classification
from vidi.methods.defend._smoothed import Averaged, Smoothed, deciding
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
        return [Classification(row) for row in raw["logits"].softmax(1).detach().numpy()]

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


def test_the_mean_over_copies_is_that_of_probabilities_for_every_batch_and_has_its_gradient():
    smoothed, weight = halves()
    net = Averaged(smoothed.net, "logits", 0.25, 3, seed=5)
    images = torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(2)).requires_grad_(True)
    noise = 0.25 * draws(3, seed=5).normal(3, 4, 4)
    wanted = torch.stack([smoothed.net({"image": images + one})["logits"].softmax(1) for one in noise]).mean(0)
    raw = net({"image": images})
    assert set(raw) == {"logits", "features"} and net({"image": images[:0]})["logits"].shape == (0, 2)
    torch.testing.assert_close(raw["logits"].exp(), wanted)
    torch.testing.assert_close(net({"image": images[2:3]})["logits"], raw["logits"][2:3])
    np.testing.assert_allclose(np.stack([label.probabilities for label in net.decode(raw)]), wanted.detach().numpy(), rtol=1e-5)
    slopes = (torch.autograd.grad(values[:, 0].sum(), images)[0] for values in (raw["logits"].exp(), wanted))
    torch.testing.assert_close(*slopes)


def test_the_mean_over_many_copies_decides_as_the_vote_does():
    smoothed, _ = halves()
    images = torch.rand(40, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    votes = smoothed.predict(images, draws(40), 400)
    decided = Averaged(smoothed.net, "logits", 0.25, 400)({"image": images})["logits"].argmax(1).numpy()
    assert (votes >= 0).any() and (decided == votes)[votes >= 0].all()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    data, runs = classify.toy(160, seed=0), str(tmp_path_factory.mktemp("runs"))
    return vidi.train(data, net="small", widths=[8, 16], epochs=6, lr=0.02, batch=32, verbose=False, doctor=False, project=runs), data


@pytest.mark.parametrize("name", ["regress", "multilabel", "embed", "semantic"])
def test_predictions_without_exactly_one_class_are_refused(name, tmp_path):
    model, data = untrained(name, 12)
    assert deciding(model.net) is None
    with pytest.raises(InputError, match="exactly one class") as caught:
        vidi.defend(model, data, method="smooth", epochs=1, project=str(tmp_path))
    assert "method=trades" in str(caught.value)


@pytest.mark.parametrize("settings", ["sigma=0", "alpha=1", "samples=0", "pictures=0", "copies=0", "copies=1.5", "radii=[-1]"])
def test_settings_out_of_range_are_refused(trained, settings, tmp_path):
    with pytest.raises(InputError):
        vidi.defend(*trained, method=f"smooth({settings})", epochs=1, project=str(tmp_path))


def test_smoothing_certifies_and_says_for_how_many_and_how_surely(trained, tmp_path):
    report = vidi.defend(
        *trained, method="smooth(sigma=0.25, samples=200, first=20, copies=3, radii=[0, 0.1, 0.25, 9])", norm="l2", budget="0.5", epochs=6, attack="pgd(steps=3)", checks=False,
        intervals=20, out=str(tmp_path / "smooth.vidi"), project=str(tmp_path / "runs"), verbose=False, doctor=False,
    )  # fmt: skip
    certified = [report.numbers[f"certified_{radius}"] for radius in ("0", "0.1", "0.25", "9")]
    assert certified == sorted(certified, reverse=True) and certified[0] > 0.5 and certified[-1] == 0
    assert report.n["certified_0.25"] == report.about["samples"] and any("confidence 0.999" in note for note in report.about["notes"])
    card = vidi.load(tmp_path / "smooth.vidi").card
    assert card.lineage[-1]["method"].startswith("smooth") and "test.attacked" not in card.numbers
    assert any("mean over 3 noisy copies" in note for note in report.about["notes"])


def test_the_objective_tells_its_noise_apart():
    assert Noisy(0.25).to_dict() != Noisy(0.5).to_dict()
