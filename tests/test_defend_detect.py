"""An alarm for attacked pictures, and the attacker who knows of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import vidi
from vidi.core import discovery
from vidi.core.batch import Batch
from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.engine.alarm import SUSPICION, Watched
from vidi.errors import DataError, InputError, ModelError, VidiError
from vidi.methods.attack._base import Budget
from vidi.methods.defend._evade import evade
from vidi.methods.defend.detect import verdict
from vidi.model.card import parse_card
from vidi.ops.divergence import divergence
from vidi.tasks import classify

METHOD = "detect(effort=12, pictures=16)"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    data = classify.toy(160, seed=0)
    return vidi.train(data, net="small", widths=[8, 16, 16], epochs=6, lr=0.01, batch=32, verbose=False, project=str(tmp_path_factory.mktemp("runs"))), data


@pytest.fixture(scope="module")
def guarded(trained, tmp_path_factory):
    model, data = trained
    out = tmp_path_factory.mktemp("guarded") / "guarded.vidi"
    return vidi.defend(model, data, method=METHOD, budget="12/255", attack="pgd(steps=10)", out=str(out)), out


def test_watched_net_answers_as_its_own_and_adds_the_farthest_move(trained):
    net = trained[0].net.eval()
    watch = Watched(net, ["bit_depth(bits=2)", "median"]).eval()
    images = torch.rand(3, 3, *trained[0].preprocess.size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        raw, plain = watch({"image": images}), net({"image": images})
        moved = [divergence(plain, net({"image": step(images)}), net.kinds) for step in watch.squeezers]
    assert set(raw) == set(plain) | {SUSPICION} and watch.kinds[SUSPICION] == "aux"
    assert all(torch.equal(raw[name], plain[name]) for name in plain)
    torch.testing.assert_close(raw[SUSPICION], torch.stack(moved).max(0).values)
    with torch.no_grad():
        assert watch({"image": images[:0]})[SUSPICION].shape == (0,)
        still = Watched(net, ["bit_depth(bits=8)"]).eval()({"image": (images * 255).round() / 255})
    assert float(still[SUSPICION].max()) < 1e-6


def test_report_says_what_the_alarm_finds_and_what_gets_past_it(guarded, trained):
    report, out = guarded
    numbers = report.numbers
    assert 0 <= numbers["unnoticed"] <= numbers["before.fooled"] and 0 <= numbers["auc"] <= 1
    assert numbers["after.accuracy"] == numbers["before.accuracy"] and numbers["after.robust_accuracy"] == numbers["before.robust_accuracy"]
    low, high = report.intervals["unnoticed_knowing"]
    assert low <= numbers["unnoticed_knowing"] <= high and report.n["unnoticed_knowing"] == 16
    assert report.about["verdict"] in ("better", "not better") and "knows of the alarm" in report.about["why"]
    assert report.about["checks"] == {}
    alarm = vidi.load(out).card.alarm
    assert alarm.rate <= 0.05 and alarm.pictures > 0 and alarm.steps == ["bit_depth(bits=4)", "median(size=3)"]
    assert trained[0].card.alarm is None


def test_predictions_of_a_guarded_model_say_what_is_suspect(guarded, tmp_path):
    model = vidi.load(guarded[1])
    pictures = [np.full((40, 40, 3), 90, np.uint8), np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)]
    predicted = vidi.predict(model, pictures, out=str(tmp_path / "out"), draw=False)
    with torch.no_grad():
        canvas = [torch.from_numpy(picture).permute(2, 0, 1)[None] / 255 for picture in pictures]
        size = model.preprocess.size
        expected = [float(Watched(model.net, model.card.alarm.steps).eval()({"image": torch.nn.functional.interpolate(one, size)})[SUSPICION]) for one in canvas]
    assert predicted[0].extra[SUSPICION] == pytest.approx(expected[0], abs=1e-4)
    for sample in predicted:
        assert sample.extra["suspect"] == (sample.extra[SUSPICION] > model.card.alarm.threshold)
    assert SUSPICION in (tmp_path / "out" / "predictions.csv").read_text().splitlines()[0]
    assert "suspect" in (tmp_path / "out" / "predictions.json").read_text()
    quiet = model.card.alarm.model_copy(update={"threshold": 0.0})
    model.card = model.card.model_copy(update={"alarm": quiet})
    again = vidi.predict(model, pictures[1:])
    assert again[0].extra["suspect"] and any("suspect" in note for note in again.notes)


@pytest.mark.parametrize(("past", "false", "word"), [((0.4, 0.3, 0.5), 0.05, "better"), ((0.98, 0.95, 0.992), 0.003, "better"), ((0.98, 0.95, 0.992), 0.04, "not better"), (None, 0.0, "not better")])
def test_an_alarm_helps_where_it_catches_more_than_it_cries_wolf(past, false, word):
    share = {"unnoticed_knowing": past and past[0], "unnoticed": 0.1, "false_alarms": false}
    bounds = {"unnoticed_knowing": past and past[1:], "false_alarms": (0.0, false)}
    assert verdict(share, bounds, np.ones(10, bool))[0] == word


class Line(Net):
    """Two classes by the mean brightness, and squeezers that an attacker must reckon with."""

    def __init__(self):
        super().__init__()
        self.inputs, self.kinds, self.space = {}, {"logits": "categorical"}, classify.toy(4).space
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs):
        mean = inputs["image"].mean((1, 2, 3))
        logits = torch.stack([40 * (mean - 0.5), -40 * (mean - 0.5), *[mean * 0 - 50] * (len(self.space) - 2)], 1)
        return {"logits": logits, "features": mean[:, None]}

    def loss(self, raw, labels):
        truth = torch.tensor([int(np.argmax(label.decision())) for label in labels])
        return {"class": torch.nn.functional.cross_entropy(raw["logits"], truth, reduction="none")}

    def decode(self, raw):
        return [vidi.labels.Classification(row.numpy()) for row in raw["logits"].softmax(1).detach()]

    def stages(self):
        return {"all": self}


def _evaded(threshold, steps=20, size=0.2):
    net = Watched(Line(), ["bit_depth(bits=1)"])
    levels = torch.full((4, 3, 8, 8), 140, dtype=torch.uint8)
    labels = net.decode(net({"image": levels.float() / 255}))
    draw = Draw.samples(0, 0, np.arange(4))
    return evade(net, Batch({"image": levels}, list(labels), []), labels, threshold, Budget("linf", size), draw, steps=steps)


def test_evasion_gets_past_an_alarm_that_never_rings_and_not_past_one_that_always_does():
    assert _evaded(float("inf")).all()
    assert not _evaded(-1.0).any()
    assert not _evaded(float("inf"), size=0.01).any()
    assert not _evaded(float("inf"), steps=0).any()


def test_evasion_is_the_same_by_seed_and_keeps_the_net(trained):
    model, data = trained
    net = Watched(model.net, ["bit_depth(bits=3)"])
    levels = torch.randint(0, 256, (5, 3, *model.preprocess.size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        labels = net.eval().decode(net({"image": levels.float() / 255}))
    before = {name: value.clone() for name, value in model.net.state_dict().items()}
    first, second = (
        evade(net, Batch({"image": levels}, list(labels), []), labels, 0.5, Budget("l2", 1.0), Draw.samples(3, 0, np.arange(5)), steps=6) for _ in range(2)
    )
    assert torch.equal(first, second)
    assert all(torch.equal(value, before[name]) for name, value in model.net.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.net.parameters())


@pytest.mark.parametrize("method", ["detect(steps=none)", "detect(steps=no_such_step)", "detect(rate=2)", "detect(effort=0)", "detect(pictures=0)"])
def test_bad_settings_are_refused_before_anything_is_attacked(trained, tmp_path, method):
    model, data = trained
    with pytest.raises(VidiError):
        vidi.defend(model, data, method=method, out=str(tmp_path / "x.vidi"), project=str(tmp_path / "runs"))
    assert not (tmp_path / "x.vidi").exists()


def test_without_clean_pictures_beside_the_attacked_there_is_no_threshold(trained, tmp_path):
    model, data = trained
    only = data.with_samples(type(sample)(sample.id, sample.inputs, sample.label, "test") for sample in data)
    with pytest.raises(DataError, match="threshold"):
        vidi.defend(model, only, method=METHOD, out=str(tmp_path / "x.vidi"), project=str(tmp_path / "runs"))


def test_a_card_with_a_broken_alarm_is_refused(guarded, tmp_path):
    card = vidi.load(guarded[1]).card.model_dump()
    for alarm in ({"steps": [], "threshold": 0.1, "rate": 0.0, "pictures": 1}, {"steps": ["median"], "threshold": float("nan"), "rate": 0.0, "pictures": 1}, {"steps": ["median"]}):
        with pytest.raises(ModelError):
            parse_card({**card, "alarm": alarm}, "model.vidi")


def test_an_alarm_runs_no_file_that_was_not_named(guarded, tmp_path):
    model = vidi.load(guarded[1])
    spy = tmp_path / "spy.py"
    spy.write_text("raise SystemExit('ran')\n")
    model.card = model.card.model_copy(update={"alarm": model.card.alarm.model_copy(update={"steps": [str(spy)]})})
    model.save(tmp_path / "spy.vidi")
    with pytest.raises(ModelError, match="spy"):
        vidi.load(tmp_path / "spy.vidi")


@pytest.mark.parametrize("name", ["regress", "detect", "semantic", "embed"])
def test_every_family_can_have_an_alarm(name, tmp_path):
    task = discovery.load("tasks", name).task
    data = task.toy(16, seed=0)
    model = vidi.train(data, task=name, epochs=1, batch=4, imgsz=32, verbose=False, doctor=False, project=str(tmp_path))
    report = vidi.defend(
        model, data, method="detect(effort=2, pictures=2)", budget="4/255", attack="pgd(steps=2)", limit=3, intervals=20, checks=False, out=str(tmp_path / "d.vidi"), project=str(tmp_path),
    )  # fmt: skip
    assert 0 <= report.numbers["false_alarms"] <= 1
    assert all(SUSPICION in sample.extra for sample in vidi.predict(tmp_path / "d.vidi", data.with_samples(data.samples[:2])))


def test_training_settings_are_refused(trained, tmp_path):
    with pytest.raises(InputError, match="does not train"):
        vidi.defend(*trained, method="detect", epochs=3, out=str(tmp_path / "x.vidi"), project=str(tmp_path / "runs"))
