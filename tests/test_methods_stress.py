"""The robustness card: stresses, cells that resume, what is kept, advice, and the verb on several tasks."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from bright import SPACE, bright_model, scene
from torch import nn

from vidi.augmentations._pipeline import Pipeline, parse
from vidi.core import discovery
from vidi.core.batch import Batch, Frame
from vidi.core.dataset import Dataset, Sample
from vidi.core.kinds import Pixels
from vidi.core.net import Net
from vidi.core.preprocess import Preprocess
from vidi.core.seeds import Draw
from vidi.core.space import Space
from vidi.engine import stress as engine
from vidi.engine.stress import CLEAN, Bench, Cell, Outcome, run_cells
from vidi.errors import ChoiceError, DataError, InputError
from vidi.labels import Classification, Detections
from vidi.methods.stress import _levels
from vidi.methods.stress._advice import advise, recipe_line
from vidi.methods.stress._card import card
from vidi.methods.stress._choose import ROOM, Stress, check_severities, choose, load_stress
from vidi.methods.stress._kept import shares
from vidi.model import Model, build_net, make_card
from vidi.ops.texture import natural
from vidi.verbs.compare import compare
from vidi.verbs.robustness import robustness

CPU = torch.device("cpu")
NAMES = discovery.names(ROOM)
UNORDERED = {"saturate", "elastic", "frost", "glass_blur", "motion_blur", "snow", "spatter"}
"""Stresses whose published severities do not rise by the mean absolute difference at each step; most of them, or the last, lie above the first."""
FALLING = {("elastic", 32), ("elastic", 96), ("saturate", 32), ("frost", 96)}


class Halves(Net):
    """Tells which half of a picture is brighter."""

    inputs = {"image": Pixels(3)}
    kinds = {"logits": "categorical"}
    space = Space("Classification", ("left", "right"))

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(40.0))

    def forward(self, inputs):
        image = inputs["image"].mean(1)
        half = image.shape[-1] // 2
        gap = self.gain * (image[..., :half].mean((1, 2)) - image[..., half:].mean((1, 2)))
        return {"logits": torch.stack([gap, -gap], 1), "features": gap[:, None]}

    def loss(self, raw, labels):
        truth = torch.from_numpy(Classification.stack(labels)).to(raw["logits"])
        return {"class": -(truth * raw["logits"].log_softmax(1)).sum(1)}

    def decode(self, raw):
        return [Classification(row) for row in raw["logits"].softmax(1).detach().cpu().numpy()]

    def stages(self):
        return {"head": self}


def halves(count=24, side=16, seed=0):
    random = np.random.default_rng(seed)
    samples = []
    for i in range(count):
        picture = random.integers(60, 130, (side, side, 3)).astype(np.uint8)
        part = slice(0, side // 2) if i % 2 == 0 else slice(side // 2, side)
        picture[:, part] += np.uint8(random.integers(4, 60))
        samples.append(Sample(f"{i}", {"image": picture}, Classification.one_hot(i % 2, 2)))
    return Dataset(samples, Halves.space, name="halves")


def halves_model(**more):
    net = Halves()
    return Model(net, make_card(net, task="classify", name="halves", options={}, head="softmax", preprocess=Preprocess((16, 16)), **more))


def bench_of(data=None, **options):
    task = discovery.load("tasks", "classify").task
    return closing(Bench(Halves(), halves() if data is None else data, task, Preprocess((16, 16)), device=CPU, **{"batch": 7, "intervals": 20, **options}))


def pictures(count, side):
    draw = Draw.samples(3, 0, np.arange(count))
    return natural(draw.normal(3, side, side), draw.uniform)


def stressed(level, images, seed=0):
    size = tuple(images.shape[-2:])
    box = [[0.2 * size[1], 0.2 * size[0], 0.7 * size[1], 0.8 * size[0]]]
    frames = [Frame(str(i), size, np.eye(3)) for i in range(len(images))]
    batch = Batch({"image": images}, [Detections(box)] * len(images), frames, np.arange(len(images)))
    return Pipeline([level], size)(batch, Draw.samples(seed, 0, np.arange(len(images))))


def test_no_pictures_and_no_things_survive_every_stress():
    for name in NAMES:
        for level in load_stress(name).levels:
            assert stressed(level, torch.zeros(0, 3, 9, 8)).inputs["image"].shape == (0, 3, 9, 8)


def test_there_are_the_stresses_promised():
    families = {load_stress(name).family for name in NAMES}
    assert families == set("noise blur weather digital occlusion illumination geometry resolution compression missing outlier".split())
    assert len(NAMES) >= 40


@pytest.mark.parametrize("name", NAMES)
def test_a_stress_has_five_rising_levels_the_same_for_the_same_seed(name):
    found = load_stress(name)
    assert len(found.levels) == 5 and found.meaning and all("p=" in entry for entry in found.remedy) and parse(list(found.remedy))
    for side in (32, 96):
        images = pictures(6, side)
        before = images.clone()
        changed = [stressed(level, images).inputs["image"] for level in found.levels]
        assert torch.equal(images, before) and all(-1e-5 <= float(one.min()) and float(one.max()) <= 1 + 1e-5 for one in changed)
        again, other = (stressed(found.levels[2], images, seed).inputs["image"] for seed in (0, 1))
        assert torch.equal(again, changed[2])
        gaps = [float((one - images).abs().mean()) for one in changed]
        assert gaps[0] > 0 and ((name, side) in FALLING or gaps[-1] > gaps[0])
        assert name in UNORDERED or all(np.diff(gaps) > 0), gaps
    assert other.shape == images.shape


def test_levels_have_the_published_strengths():
    gray = torch.full((2, 3, 64, 64), 0.5)
    large = torch.full((2, 3, 224, 224), 0.5)
    noise = load_stress("gaussian_noise").levels
    for level, small, big in zip(noise, (0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38)):
        assert float(stressed(level, gray).inputs["image"].std()) == pytest.approx(small, rel=0.05)
        draw = Draw.samples(0, 0, np.arange(2))
        assert level.values(draw, (224, 224))[0].tolist() == pytest.approx([big] * 2)
    for level, amount in zip(load_stress("brightness").levels, (0.1, 0.2, 0.3, 0.4, 0.5)):
        assert torch.allclose(stressed(level, large).inputs["image"], large + amount, atol=1e-6)
    for level, stops in zip(load_stress("darkness").levels, (0.5, 1, 1.5, 2, 3)):
        assert torch.allclose(stressed(level, gray).inputs["image"], gray * 2**-stops, atol=1e-6)
    for level, share in zip(load_stress("occluded_area").levels, (0.1, 0.2, 0.3, 0.45, 0.6)):
        hidden = stressed(level, torch.ones(2, 3, 64, 64)).inputs["image"] < 1
        assert float(hidden.float().mean()) == pytest.approx(share, abs=0.02)
    for level, share in zip(load_stress("missing_rows").levels, (0.05, 0.1, 0.2, 0.35, 0.5)):
        assert float((stressed(level, gray).inputs["image"] == 0).float().mean()) == pytest.approx(share, abs=0.02)


def test_labels_move_with_the_picture():
    images = torch.zeros(1, 3, 40, 40)
    half = stressed(load_stress("scale_down").levels[4], images).labels[0]
    assert np.allclose(half.boxes, [[14, 14, 24, 26]], atol=1e-4)
    turned = stressed(load_stress("rotate").levels[4], images).labels[0]
    assert np.abs((turned.boxes[0, :2] + turned.boxes[0, 2:]) / 2 - 20).max() < 3 and turned.boxes[0, 2] - turned.boxes[0, 0] > 25
    assert np.allclose(stressed(load_stress("fog").levels[4], images).labels[0].boxes, [[8, 8, 28, 32]])


def test_a_choice_of_stresses():
    assert {stress.family for stress in choose(["noise", "rotate"], "Classification")} == {"noise", "geometry"}
    assert [stress.name for stress in choose(["rotate", "adversarial"], "Classification", ("adversarial",))] == ["rotate"]
    names = {family: [stress.name for stress in choose(None, family)] for family in ("Classification", "Detections")}
    assert set(names["Detections"]) - set(names["Classification"]) == {"occluded_things"}
    with pytest.raises(InputError, match="did you mean noise"):
        choose(["nois"], "Classification")
    with pytest.raises(InputError, match="occluded_area"):
        choose(["occluded_things"], "Regression")
    assert check_severities(None) == [1, 2, 3, 4, 5] and check_severities(["5", 1, "1"]) == [1, 5]
    for wrong in (["0"], [6], ["x"], []):
        with pytest.raises(InputError):
            check_severities(wrong)


def test_a_stress_from_outside(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        '"""Black."""\nfrom vidi.augmentations.brightness import Brightness\nFAMILY = "mine"\nMEANING = "x"\nREMEDY = ("brightness(p=0.5)",)\n'
        "def levels():\n    return tuple(Brightness(strength=s / 5) for s in range(1, 6))\n"
    )
    (found,) = choose([str(path)], "Classification")
    assert (found.name, found.family) == ("mine", "mine")
    path.write_text('"""Nothing."""\n')
    with pytest.raises(ChoiceError, match="must define"):
        load_stress(str(tmp_path / "mine2.py")) if path.rename(tmp_path / "mine2.py") else None


def test_a_run_that_was_cut_off_goes_on_and_equals_a_whole_one(tmp_path, monkeypatch):
    cells = [Cell(CLEAN, CLEAN, 0)] + [cell for stress in choose(["noise", "geometry"], "Classification") for cell in stress.cells([1, 4], (16, 16))]
    with bench_of() as bench:
        whole = run_cells(bench, cells, tmp_path / "whole.jsonl")
        run, seen = Bench.run, []

        def dies(self, cell, step=None):
            seen.append(cell)
            if len(seen) == 8:
                raise KeyboardInterrupt
            return run(self, cell, step)

        monkeypatch.setattr(Bench, "run", dies)
        with pytest.raises(KeyboardInterrupt):
            run_cells(bench, cells, tmp_path / "cut.jsonl")
        with (tmp_path / "cut.jsonl").open("a") as file:
            file.write('{"key": "half a li')
        rest = run_cells(bench, cells, tmp_path / "cut.jsonl")
        assert len(seen) == 8 + len(cells) - 7 and len(rest) == len(cells)
        for a, b in zip(whole, rest):
            assert a.cell == b.cell and a.score == b.score and np.array_equal(a.failed, b.failed)
            assert np.array_equal(a.resamples, b.resamples, equal_nan=True) and np.array_equal(a.agreement, b.agreement, equal_nan=True)
        assert len(run_cells(bench, cells, tmp_path / "cut.jsonl")) == len(cells) and len(seen) == 8 + len(cells) - 7


def test_finished_cells_belong_to_weights_data_and_settings():
    keys = []
    for change in ({}, {"seed": 1}, {"intervals": 3}, {"batch": 3}, {"data": halves(25)}):
        with bench_of(**change) as bench:
            keys.append(bench.key())
            with torch.no_grad():
                bench.net.gain += 1
            assert bench.key() != keys[-1]
    assert keys[3] == keys[0] and len(set(keys)) == 4
    first, second = load_stress("rotate").levels[:2]
    assert engine._name(Cell.of("a", "b", 1, first, (9, 9))) != engine._name(Cell.of("a", "b", 1, second, (9, 9)))


def test_outcomes_do_not_depend_on_the_batch():
    found = []
    for batch in (5, 24):
        with bench_of(batch=batch) as bench:
            found.append(run_cells(bench, load_stress("gaussian_noise").cells([5], (16, 16)) + load_stress("occluded_texture").cells([3], (16, 16))))
    assert [one.score for one in found[0]] == [one.score for one in found[1]]
    assert all(np.allclose(a.agreement, b.agreement, atol=2e-3) for a, b in zip(*found))


def outcome(name, family, severity, score, resamples):
    return Outcome(Cell(name, family, severity), score, np.array(resamples, float), np.zeros(1), np.zeros(1, bool))


def test_what_is_kept_by_hand():
    clean = outcome(CLEAN, CLEAN, 0, 0.8, [0.8, 1.0])
    cells = [
        outcome("a", "one", 1, 0.8, [0.4, 1]), outcome("a", "one", 2, 0.4, [0.4, 0.5]), outcome("b", "one", 1, 0.0, [0, 0]),
        outcome("c", "two", 1, 0.8, [0.8, 1]), outcome("d", "adversarial", 1, None, [np.nan, np.nan]),
    ]  # fmt: skip
    found = shares(clean, cells, True)
    assert [one.value for one in found.cells] == [1, 0.5, 0, 1, None]
    assert found.stresses["a"].value == 0.75 and found.families["one"].value == 0.375 and found.families["adversarial"].value is None
    assert found.whole.value == pytest.approx((0.375 + 1) / 2) and np.allclose(found.whole.values[1:], [(0.25 + 1) / 2, (0.375 + 1) / 2])
    assert found.scores.value == pytest.approx((0.3 + 0.8) / 2) and found.whole.interval[0] >= 0.6
    less = shares(replace_score(clean, 2.0), [outcome("a", "one", 1, 4.0, [4, 4]), outcome("b", "one", 1, 0.0, [1, 1])], False)
    assert [one.value for one in less.cells] == [0.5, None]
    perfect = shares(replace_score(clean, 0.0), [outcome("a", "one", 1, 0.0, [1, 1]), outcome("b", "one", 1, 3.0, [1, 1])], False)
    assert [one.value for one in perfect.cells] == [1.0, 0.0]


def replace_score(one, score):
    return replace(one, score=score)


def test_advice_begins_with_the_greatest_loss():
    clean = outcome(CLEAN, CLEAN, 0, 1.0, [])
    found = shares(clean, [outcome("a", "one", 1, 0.8, []), outcome("b", "one", 1, 0.5, []), outcome("c", "two", 1, 0.2, []), outcome("d", "three", 1, 0.95, [])], True)
    levels = load_stress("fog").levels
    stresses = [
        Stress("a", "one", "", ("blur(p=0.5)",), levels), Stress("b", "one", "", ("hflip(p=1.0)", "blur(p=0.9)"), levels),
        Stress("c", "two", "", ("gamma(strength=1.0, p=1.0)",), levels), Stress("d", "three", "", ("hue(p=0.5)",), levels),
    ]  # fmt: skip
    advice = advise(found, stresses)
    assert [one.family for one in advice] == ["two", "one"] and advice[1].worst == (("b", 0.5), ("a", 0.8))
    assert advice[1].entries == ("hflip(p=1.0)", "blur(p=0.9)", "blur(p=0.5)")
    line = recipe_line(["hflip", "crop(pad=2)"], advice)
    assert line == ["crop(pad=2)", "gamma(strength=1.0, p=0.34)", "hflip(p=0.34)", "blur(p=0.31)"] and parse(line)
    assert advise(found, stresses, bound=0.1) == [] and recipe_line([], []) == []


def test_the_card_of_a_classifier(tmp_path):
    model, data = halves_model(recipe={"augment": ["hflip"]}), halves(40)
    options = {"families": ["noise", "shadow", "one_sided_light", "geometry", "adversarial"], "severities": ["1", "5"], "intervals": 30, "out": str(tmp_path / "a")}
    report = robustness(model, data, **options, gate=["robust>=0.1", "robust_adversarial.low>=0.99"])
    assert report.numbers["accuracy"] == 1.0 and report.about["refused"] and len(report.about["gate"]) == 1
    assert 0.3 < report.numbers["robust"] < 1 and report.numbers["stress_scale_up"] > 0.9 > report.numbers["robust_adversarial"]
    parts = [report.numbers[f"robust_{family}"] for family in ("noise", "illumination", "geometry")]
    assert report.numbers["robust"] == pytest.approx(np.mean(parts))
    low, high = report.intervals["robust"]
    assert low < report.numbers["robust"] < high and report.n["robust"] == 40
    assert parse(report.about["augment"]) and report.about["augment"][0] == "hflip"
    titles = [section["title"] for section in report.sections]
    assert titles[1] == "Advice, greatest loss first" and "First failures: illumination" in titles and "Classes that lose most" in titles
    lines = [json.loads(line) for line in (tmp_path / "a" / "cells.jsonl").read_text().splitlines()]
    assert len(lines) == 1 + 2 * (4 + 2 + 5) + 2 and len({line["cell"] for line in lines}) == len(lines)
    again = robustness(model, data, **options)
    assert again.numbers == report.numbers and again.intervals == report.intervals
    assert len((tmp_path / "a" / "cells.jsonl").read_text().splitlines()) == len(lines)
    page = (tmp_path / "a" / "report.html").read_text()
    assert "could not be drawn" not in page and "Kept of the clean score, by family" in page
    result = compare(str(tmp_path / "a"), str(tmp_path / "a"), gate=["robust.difference>=0"])
    assert result.about["verdict"]["robust"] == "equal"


def test_things_are_scored_where_they_moved(tmp_path):
    scenes = [scene((64, 64), [(8, 8, 26, 30, 0), (36, 30, 58, 52, 1)]), scene((64, 64), [])] * 3
    labels = [Detections([[8, 8, 26, 30], [36, 30, 58, 52]], None, [0, 1]), Detections.empty()] * 3
    data = Dataset([Sample(str(i), {"image": picture}, label) for i, (picture, label) in enumerate(zip(scenes, labels))], SPACE)
    report = robustness(bright_model(), data, families=["translate", "scale_down", "occluded_things", "darkness"], severities=["1", "5"], intervals=5)
    assert report.numbers["box_ap"] == pytest.approx(1) and report.numbers["stress_scale_down"] > 0.8
    assert report.numbers["stress_occluded_things"] < 1 and report.numbers["stress_darkness"] < 0.6


@pytest.mark.parametrize(
    "name,net,head,options",
    [
        ("regress", "small", "regression", {"widths": [4, 4]}), ("multilabel", "small", "sigmoid", {"widths": [4, 4]}),
        ("embed", "small", "embedding", {"widths": [4, 4]}), ("semantic", "unet", "pixels", {"backbone": "classic", "width": 4, "depth": 2}),
    ],
)  # fmt: skip
def test_every_task_gets_a_card(name, net, head, options, tmp_path):
    torch.manual_seed(0)
    task = discovery.load("tasks", name).task
    data = task.toy(90 if name == "embed" else 24, 0)
    data = data.with_samples(replace(sample, split=None) for sample in data)
    built = build_net(net, head, data.space, options)
    model = Model(built, make_card(built, task=name, name=net, options=options, head=head, preprocess=Preprocess((32, 32))))
    report = robustness(model, data, families=["gaussian_noise", "rotate", "adversarial"], severities=["3"], intervals=4)
    assert report.numbers[task.primary] is not None and report.numbers["robust"] > 0
    assert {"robust_noise", "robust_geometry", "robust_adversarial", "stress_rotate"} <= set(report.numbers)
    report.html(tmp_path / "page.html")
    assert "could not be drawn" not in (tmp_path / "page.html").read_text()


def test_what_cannot_be_stressed_says_why():
    model, data = halves_model(), halves(6)
    with pytest.raises(InputError, match="at least one picture"):
        robustness(model, data, limit=0)
    with pytest.raises(DataError, match="no labels"):
        robustness(model, data.with_samples(Sample(one.id, one.inputs) for one in data))
    with pytest.raises(InputError, match="families"):
        robustness(model, data, families=["weathr"])
    wrong = data.with_samples(Sample(one.id, one.inputs, Classification(one.label.probabilities[::-1])) for one in data)
    with pytest.raises(InputError, match="no clean score"):
        robustness(model, wrong, families=["fog"], severities=["1"])
    with bench_of() as bench, pytest.raises(InputError, match="no stress is left"):
        card(bench, [], [1], {})


def test_a_limit_chooses_pictures_by_the_seed():
    model, data = halves_model(), halves(20)
    found = [robustness(model, data, families=["fog"], severities=["5"], limit=5, seed=seed, intervals=0).about for seed in (0, 0, 1)]
    assert [about["samples"] for about in found] == [5, 5, 5]
    assert found[0]["fingerprint"] == found[1]["fingerprint"] != found[2]["fingerprint"]


def test_levels_are_told_apart_by_their_settings():
    kinds = {repr(level) for name in NAMES for level in load_stress(name).levels}
    assert len(kinds) == 5 * len(NAMES) and _levels.SEVERITIES == (1, 2, 3, 4, 5)


def test_the_page_of_the_docs_names_every_stress_in_its_family():
    rows = [line.split("|")[1:3] for line in (Path(__file__).parent.parent / "docs" / "robustness.md").read_text().splitlines() if line.startswith("| ")]
    listed = {family.strip(): cells for family, cells in rows}
    for name in NAMES:
        assert name in listed[load_stress(name).family].replace(",", " ").split(), name
