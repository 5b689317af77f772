"""`vidi enhance`: steps into a model file and out of it, before and after, the ranking, and what a robustness card advises."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import vidi
from vidi.core import discovery
from vidi.core.dataset import Dataset, Sample
from vidi.core.preprocess import Preprocess
from vidi.core.space import Space
from vidi.engine.stress import CLEAN, Cell, Outcome
from vidi.errors import InputError
from vidi.labels import Classification
from vidi.methods.enhance._trial import Measured, difference, verdict
from vidi.methods.stress._advice import STEPS, advise, step_line, step_trial
from vidi.methods.stress._choose import choose, load_stress
from vidi.methods.stress._kept import shares
from vidi.model import Model, build_net, load, make_card
from vidi.nets.enhance._steps import calls_of, make_step

SPACE = Space("Classification", ("red", "blue"))


def centers(count, seed=0, split=None):
    """Gray pictures with a spot of red or of blue, which another color of the light hides."""
    random = np.random.default_rng(seed)
    samples = []
    for i in range(count):
        picture = np.repeat(random.integers(90, 150, (16, 16, 1)), 3, 2)
        y, x = random.integers(2, 9, 2)
        picture[y : y + 5, x : x + 5, 2 * (i % 2)] += 30
        samples.append(Sample(f"{seed}-{i}", {"image": picture.astype(np.uint8)}, Classification.one_hot(i % 2, 2), split=split))
    return Dataset(samples, SPACE, name="centers")


def parts(**counts):
    found = [sample for seed, (split, count) in enumerate(counts.items()) for sample in centers(count, seed, split)]
    return Dataset(found, SPACE, name="centers")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    vidi.train(
        parts(train=160, val=40), project=str(folder), name="a", net="small", widths=[8], pool="max", epochs=12, batch=16, lr=0.02, doctor=False, verbose=False, augment="none", threads=1,
        precision="fp32", val_every=100,
    )  # fmt: skip
    return folder / "classify" / "a" / "weights" / "last.vidi"


def same(a, b):
    x = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return torch.equal(a.runner({"image": x})["logits"], b.runner({"image": x})["logits"])


def test_in_and_out_again(file, tmp_path):
    plain = load(file)
    within = vidi.enhance(file, steps="gray_world", out=str(tmp_path / "in.vidi"))
    assert within.card.enhance == ["gray_world(power=1.0, limit=4.0)"] == within.card.recipe["enhance"] and not same(plain, within)
    assert within.card.numbers == {} and within.card.lineage[-1] == {
        "from": plain.card.weights_sha256[:16], "how": "enhanced", "steps": within.card.enhance, "before": [],
    }  # fmt: skip
    assert same(within, load(tmp_path / "in.vidi"))
    without = vidi.enhance(str(tmp_path / "in.vidi"), steps="none")
    assert same(plain, without) and without.card.enhance == [] and plain.card.enhance == [] and len(without.card.lineage) == 2


def test_gray_world_helps_under_a_color_cast_and_says_so(file, tmp_path):
    data = parts(test=120)
    new = vidi.enhance(file, data, steps=["gray_world"], stress=["color_cast"], severities=["3", "5"], out=str(tmp_path / "m.vidi"), report=str(tmp_path / "r"))
    report = json.loads(load(tmp_path / "m.vidi").reports["enhance.json"])
    numbers, about = report["numbers"], report["about"]
    assert about["verdict"] == "better" and about["split"] == "test" and about["steps"] == new.card.enhance
    assert numbers["accuracy.before"] > 0.9 and numbers["stressed.before"] < 0.75
    assert numbers["stressed.after"] - numbers["stressed.before"] == pytest.approx(numbers["stressed.difference"])
    assert report["intervals"]["stressed.difference"][0] > 0.1 and report["n"]["stressed.difference"] == 120
    assert numbers["stress_color_cast.after"] == numbers["stressed.after"]
    assert new.card.lineage[-1]["verdict"] == "better" and new.card.numbers["test"]["accuracy"] == pytest.approx(numbers["accuracy.after"])
    assert vidi.val(new, data, intervals=0).numbers["accuracy"] == pytest.approx(numbers["accuracy.after"])
    assert "could not be drawn" not in (tmp_path / "r" / "report.html").read_text()


def test_steps_that_do_not_help_are_called_not_better_and_put_in_all_the_same(file):
    new = vidi.enhance(file, parts(test=60), steps="gamma(value=3.0)")
    about = json.loads(new.reports["enhance.json"])["about"]
    assert about["verdict"] == "not better" and new.card.enhance and about["stresses"] == []


def test_chains_are_ranked_on_val_and_the_best_is_measured_on_test(file, tmp_path):
    data = parts(train=4, val=80, test=60)
    new = vidi.enhance(file, data, rank="median(size=5),gray_world,gray_world+median", stress=["color_cast"], severities=["4"], out=str(tmp_path / "m.vidi"))
    report = json.loads(new.reports["enhance.json"])
    assert report["about"]["best"] == "gray_world" and report["about"]["chosen_on"] == "val" and report["about"]["split"] == "test"
    assert report["n"]["accuracy.after"] == 60 and new.card.enhance[0].startswith("gray_world") and load(tmp_path / "m.vidi").card.enhance == new.card.enhance
    table = report["sections"][-1]
    assert [row[0] for row in table["rows"]][0] == "gray_world" and table["rows"][-1][0] == "(as it was)" and len(table["rows"]) == 4


def test_where_nothing_is_better_nothing_is_written(file, tmp_path):
    model = load(file)
    new = vidi.enhance(model, parts(val=60), rank=["median(size=5)", "gamma(value=3.0)"], out=str(tmp_path / "m.vidi"))
    assert new.card == model.card and not (tmp_path / "m.vidi").exists() and model.reports != new.reports
    assert json.loads(new.reports["enhance.json"])["about"]["verdict"] == "not better"


def test_all_tries_every_step_that_needs_nothing(file):
    new = vidi.enhance(file, centers(24, 9), rank="all", intervals=10)
    ranking = json.loads(new.reports["enhance.json"])["about"]["ranking"]
    assert {"clahe", "retinex", "gray_world", "nlm"} <= set(ranking) and "denoise" not in ranking


def test_what_cannot_be_done_is_said(file, tmp_path):
    data = parts(test=8)
    for options, match in [
        ({}, "either steps"), ({"steps": "clahe", "rank": "all"}, "either steps"), ({"rank": "all"}, "labeled data"), ({"steps": "clahe", "stress": ["fog"]}, "labeled data"),
        ({"steps": "clahee"}, "did you mean"), ({"data": data, "rank": "all"}, "no val split"), ({"data": data, "steps": "clahe", "stress": ["fogg"]}, "fog"),
        ({"data": data, "steps": "clahe", "limit": 0}, "at least one"), ({"data": data, "steps": "clahe", "stress": ["fog"], "severities": ["9"]}, "severities"),
        ({"steps": "clahe", "out": str(file)}, "old model"), ({"data": data.with_samples(replace(one, label=None) for one in data), "steps": "clahe"}, "no labels"),
    ]:  # fmt: skip
        with pytest.raises(InputError, match=match) as caught:
            vidi.enhance(file, **options)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "net", "head", "options"),
    [
        ("regress", "small", "regression", {"widths": [4, 4]}), ("multilabel", "small", "sigmoid", {"widths": [4, 4]}), ("embed", "small", "embedding", {"widths": [4, 4]}),
        ("semantic", "unet", "pixels", {"backbone": "classic", "width": 4, "depth": 2}), ("detect", "yolo", "boxes", {"backbone": "small(widths=[4, 4, 8])", "width": 8}),
        pytest.param("instance", "mask_rcnn", "masks", {"backbone": "small(widths=[4, 4, 8])", "width": 8}, marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_every_task_is_enhanced_and_measured(name, net, head, options):
    torch.manual_seed(0)
    task = discovery.load("tasks", name).task
    data = task.toy(90 if name == "embed" else 12, 0)
    data = data.with_samples(replace(sample, split=None) for sample in data)
    made = build_net(net, head, data.space, options)
    model = Model(made, make_card(made, task=name, name=net, options=options, head=head, preprocess=Preprocess((32, 32))))
    new = vidi.enhance(model, data, steps="clahe(tiles=2)+gray_world", stress=["darkness"], severities=["5"], intervals=10)
    numbers = json.loads(new.reports["enhance.json"])["numbers"]
    assert calls_of(new.net) == new.card.enhance and calls_of(model.net) == []
    assert {f"{task.primary}.before", f"{task.primary}.difference", "stressed.after"} <= set(numbers)


# -- the pieces ---------------------------------------------------------------------------------------------------


def series(*values):
    return np.array(values, np.float64)


def test_a_verdict_needs_a_gain_beyond_its_interval_and_no_loss_on_clean_pictures():
    steps = torch.nn.Sequential()
    before = Measured("", steps, series(0.8, 0.8, 0.8, 0.8), {"a": series(0.4, 0.4, 0.5, 0.3)})
    gain, even = Measured("", steps, before.clean, {"a": before.stresses["a"] + 0.1}), Measured("", steps, before.clean, before.stresses)
    costly = Measured("", steps, before.clean - 0.1, gain.stresses)
    assert [verdict(before, one, True)[0] for one in (gain, even, costly, before)] == ["better", "not better", "not better", "not better"]
    assert "clean pictures lose" in verdict(before, costly, True)[1] and verdict(before, gain, False)[0] == "not better" and "worse" in verdict(before, gain, False)[1]
    bare = Measured("", steps, before.clean), Measured("", steps, before.clean + 0.05)
    assert verdict(*bare, True)[0] == "better" and "clean +0.0500" in verdict(*bare, True)[1]
    assert verdict(bare[1], bare[0], False)[0] == "better" and "clean -0.0500" in verdict(bare[1], bare[0], False)[1]
    unknown = Measured("", steps, series(np.nan, np.nan, np.nan))
    assert verdict(unknown, unknown, True) == ("not better", "the difference has no interval") and difference(unknown.clean, unknown.clean) == (None, None)


def test_every_step_that_is_advised_and_every_stress_it_is_for_exist():
    assert set(STEPS) <= set(discovery.names("methods/stress"))
    for step in set(STEPS.values()):
        make_step(step)


def test_a_card_says_which_steps_are_worth_a_try():
    clean = Outcome(Cell(CLEAN, CLEAN, 0), 1.0, np.array([]), np.array([]), np.array([]))
    scores = {"gaussian_noise": 0.5, "impulse_noise": 0.95, "color_cast": 0.6, "darkness": 0.7, "rotate": 0.3}
    stresses = [load_stress(name) for name in scores]
    found = shares(clean, [Outcome(Cell(one.name, one.family, 1), scores[one.name], np.array([]), np.array([]), np.array([])) for one in stresses], True)
    advice = advise(found, stresses)
    assert step_line([], advice) == ["nlm", "gray_world", "gamma"] and step_line(["nlm(search=5)"], advice) == ["nlm(search=5)", "gray_world", "gamma"]
    command = step_trial([], advice)
    assert command == "vidi enhance MODEL DATA --rank 'nlm,gray_world,gamma,nlm+gray_world+gamma' --stress color_cast,darkness,gaussian_noise --out NEW.vidi"
    assert all(choose([name], "Classification") for name in ("gaussian_noise", "color_cast", "darkness"))
    assert step_line([], advise(found, [load_stress("rotate")])) == [] == step_line(["clahe"], [])


def test_the_card_of_a_model_advises_and_the_command_can_be_followed(file):
    data = parts(test=60)
    card = vidi.robustness(file, data, families=["color_cast", "rotate"], severities=["5"], intervals=10)
    assert card.about["enhance"] == ["gray_world"]
    (section,) = [one for one in card.sections if one["title"].endswith("in front of the model")]
    assert section["text"] == "enhance: [gray_world]" and "--rank 'gray_world' --stress color_cast" in section["note"]
    better = vidi.enhance(file, data, rank=["gray_world"], stress=["color_cast"], split="test", severities=["5"])
    again = vidi.robustness(better, data, families=["color_cast"], severities=["5"], intervals=10)
    assert again.numbers["robust"] > card.numbers["stress_color_cast"] and "gray_world" not in str(again.about["enhance"])
