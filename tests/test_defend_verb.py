"""`vidi defend`: before and after, the verdict, resuming, lineage, what is refused."""

import json
from pathlib import Path

import pytest
from untrained import untrained

import vidi
from vidi.core.discovery import load
from vidi.core.tensors import digest
from vidi.engine.loop import Callback
from vidi.engine.training import Training
from vidi.errors import DataError, InputError, RecipeError, StoppedEarly
from vidi.report import Report

EASY = {"budget": "12/255", "attack": "pgd(steps=10)", "checks": False, "intervals": 50, "doctor": False, "verbose": False, "precision": "fp32"}
SHAM = """
from vidi.methods.defend._base import Defense, Findings
from vidi.model import Model

class Sham(Defense):
    name = "sham"

    def harden(self, work):
        return Model(work.net, work.model.card)

    def findings(self, work, model):
        return Findings({"charm": 1.0}, notes=["nothing was done"])

def defense():
    return Sham()
"""


def toy(task="classify", count=160):
    return load("tasks", task).task.toy(count, 0)


@pytest.fixture(autouse=True, scope="module")
def no_curves():
    """Nothing here looks at the picture of the training curves, whose drawing takes longer than these trainings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vidi.engine.training.curves_png", lambda rows, path: path)
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with an undefended model of the toy pictures."""
    folder = tmp_path_factory.mktemp("defend")
    vidi.train(toy(), net="small", widths=[8, 16], epochs=6, lr=0.01, batch=32, threads=1, precision="fp32", doctor=False, verbose=False, project=str(folder), name="plain")
    return folder


@pytest.fixture
def plain(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return home / "classify" / "plain" / "weights" / "last.vidi"


def test_the_defended_model_beats_the_undefended_one_under_attack(plain):
    report = vidi.defend(plain, toy(), method="pgd(steps=4)", epochs=5, **(EASY | {"checks": True}), out="new.vidi")
    numbers, about = report.numbers, report.about
    assert about["verdict"] == "better" and numbers["after.robust_accuracy"] > numbers["before.robust_accuracy"] + 0.2, about
    assert numbers["before.fooled"] > numbers["after.fooled"] and set(about["checks"].values()) == {"pass"}
    assert report.intervals["after.robust_accuracy"][0] <= numbers["after.robust_accuracy"] and report.n["after.accuracy"] == about["samples"] == 40
    model = vidi.load("new.vidi")
    line = model.card.lineage[-1]
    assert line["from"] == str(plain.resolve()) and line["method"] == "pgd(steps=4)" and line["budget"] == pytest.approx(12 / 255) and line["verdict"] == "better"
    assert model.card.numbers["test.attacked"]["accuracy"] == numbers["after.robust_accuracy"]
    assert digest(vidi.load("runs/classify/defend").net.state_dict()) == digest(model.net.state_dict()) != digest(vidi.load(plain).net.state_dict())
    again = vidi.attack("new.vidi", toy(), method="pgd(steps=10)", budget="12/255", split="test")
    assert again.extra["attack"]["attacked"] == numbers["after.robust_accuracy"]
    assert Report.load("new.json").numbers == numbers and "defend.json" in model.reports and "data:image" in Path("new.html").read_text()
    assert json.loads(Path("runs/classify/defend/robust.jsonl").read_text().splitlines()[-1])["epoch"] == 5
    assert report.text().count("better") == 1


def test_a_sham_is_not_better(plain, tmp_path):
    (tmp_path / "sham.py").write_text(SHAM)
    report = vidi.defend(plain, toy(), method="./sham.py", **{key: EASY[key] for key in ("budget", "attack", "checks", "intervals")}, gate=["after.robust_accuracy>=0.9"])
    assert report.about["verdict"] == "not better" and "not beyond" in report.about["why"] and report.about["refused"]
    assert report.numbers["charm"] == 1.0 and "nothing was done" in report.text() and vidi.load("runs/classify/defend").card.lineage[-1]["verdict"] == "not better"
    with pytest.raises(InputError, match="does not train"):
        vidi.defend(plain, toy(), method="./sham.py", epochs=3)
    with pytest.raises(InputError, match="does not train"):
        vidi.defend(plain, toy(), method="./sham.py", lr=0.1)


class StopAt(Callback):
    """As if a signal came at a step."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, loop, parts):
        if loop.position.step == self.step:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("method", ["fast(guard=2, awp=0.005)", "trades(steps=2, ramp=0.5)"])
def test_an_interrupted_defense_resumes_to_the_same_bits(plain, monkeypatch, method):
    settings = {**EASY, "method": method, "epochs": 3, "attack": "fgsm", "limit": 8, "ema": 0.9, "batch": 16}
    vidi.defend(plain, toy(count=80), name="whole", **settings)
    begin = Training.__init__

    def stopping(self, **more):
        begin(self, **more | {"callbacks": [*more["callbacks"], StopAt(5)]})

    with monkeypatch.context() as patch:
        patch.setattr(Training, "__init__", stopping)
        with pytest.raises(StoppedEarly):
            vidi.defend(plain, toy(count=80), name="cut", **settings)
    with pytest.raises(RecipeError, match="another objective"):
        vidi.defend(plain, toy(count=80), name="cut", resume=True, **(settings | {"method": "pgd"}))
    with pytest.raises(RecipeError, match="another objective"):
        vidi.defend(plain, toy(count=80), name="cut", resume=True, **(settings | {"budget": "2/255"}))
    vidi.defend(plain, toy(count=80), name="cut", resume=True, **settings)
    for file in ("best", "last", "robust"):
        first, second = (digest(vidi.load(f"runs/classify/{name}/weights/{file}.vidi").net.state_dict()) for name in ("whole", "cut"))
        assert first == second, file
    for log in ("metrics.jsonl", "robust.jsonl", *(["guard.jsonl"] if "guard" in method else [])):
        assert Path(f"runs/classify/whole/{log}").read_bytes() == Path(f"runs/classify/cut/{log}").read_bytes()


def test_fresh_weights_and_a_model_in_memory(plain):
    quick = EASY | {"epochs": 0.5, "attack": "fgsm", "limit": 8}
    report = vidi.defend(plain, toy(count=80), method="pgd(steps=1)", fresh=True, **quick)
    assert "weights" not in vidi.load(report.about["defended"]).card.recipe or vidi.load(report.about["defended"]).card.recipe["weights"] is None
    report = vidi.defend(vidi.load(plain), toy(count=80), method="pgd(steps=1)", **quick)
    model = vidi.load(report.about["defended"])
    assert Path(model.card.lineage[-1]["from"]).is_file() and model.card.recipe["weights"] == model.card.lineage[-1]["from"]
    assert model.card.recipe["lr"] == 0.01 and model.card.recipe["batch"] == 32 and model.card.recipe["epochs"] == 0.5


@pytest.mark.parametrize("task", ["regress", "embed", "semantic"])
def test_other_labels_go_through_the_same_way(tmp_path, monkeypatch, task):
    monkeypatch.chdir(tmp_path)
    model, data = untrained(task, 40)
    settings = {"batch": 16, "doctor": False, "verbose": False, "precision": "fp32"}
    report = vidi.defend(model, data, method="trades(steps=1)", epochs=0.5, attack="pgd(steps=2)", checks=False, intervals=20, limit=6, **settings)
    primary = load("tasks", task).task.primary
    assert {f"{when}.{what}{primary}" for when in ("before", "after") for what in ("", "robust_")} <= set(report.numbers)
    assert report.about["verdict"] in ("better", "not better") and vidi.load(report.about["defended"]).card.lineage[-1]["kind"] == "defended"


def test_what_cannot_be_is_refused_before_it_costs_time(plain):
    only = toy().filter(lambda sample: sample.split == "train")
    with pytest.raises(DataError, match="not trained on"):
        vidi.defend(plain, only, val=0, **EASY)
    for wrong in ({"budget": "9"}, {"norm": "l7"}, {"attack": "nothing"}, {"method": "pgd(steps=x)"}, {"attack": "square(steps=0)"}, {"limit": 0}, {"split": "moon"}):
        with pytest.raises(vidi.VidiError):
            vidi.defend(plain, toy(), **(EASY | wrong))
    with pytest.raises(InputError, match="no run to resume"):
        vidi.defend(plain, toy(), resume=True, **EASY)
    run = plain.parent.parent
    for wrong in ({"out": str(plain)}, {"project": str(run.parent.parent), "name": run.name, "exist_ok": True}):
        with pytest.raises(InputError, match="written over"):
            vidi.defend(plain, toy(), **(EASY | wrong))
    with pytest.raises(RecipeError, match="unknown key"):
        vidi.defend(plain, toy(), epoch=3, **EASY)
    assert not Path("runs").exists() or not list(Path("runs").rglob("*.vidi"))
