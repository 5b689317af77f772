"""Whole runs on toy data: learning, stopping, resuming, refusing."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import vidi
from vidi.core import discovery
from vidi.core.console import quiet
from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.data.save import write_dataset
from vidi.engine import prepare
from vidi.engine.loop import Callback
from vidi.errors import DataError, InputError, RecipeError, StoppedEarly, TrainError, VidiError
from vidi.labels import Regression
from vidi.model import load

RUN = {"batch": 32, "verbose": False, "doctor": False, "precision": "fp32", "threads": 1}
FAST = RUN | {"net": "small", "widths": [16, 32]}
DETECTOR = {"net": "fcos", "backbone": "small(widths=[16, 32, 64])", "width": 32}
NETS = {
    "detect": DETECTOR, "track": DETECTOR, "semantic": {"backbone": "small(widths=[8, 16, 32])"},
    "instance": {"net": "yolo", "backbone": "small(widths=[16, 32, 64])", "width": 16, "head_options": {"finest": 2, "prototypes": 8, "cls": 2.0}},
}  # fmt: skip
SAMPLES = {"detect": 300, "track": 144, "semantic": 160, "instance": 200}


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with quiet():
        yield


def toy(task, count=240):
    return discovery.load("tasks", task).toy(count, 0)


def weights(run):
    return load(run).card.weights_sha256


@pytest.mark.parametrize("name", discovery.names("tasks"))
def test_every_task_learns_its_toy_data(name):
    task = discovery.load("tasks", name).task
    settings = (RUN | NETS[name] if name in NETS else FAST) | {"task": name}
    untrained = vidi.train(toy(name), project="runs", name="no", epochs=0.01, lr=1e-9, **settings)
    model = vidi.train(toy(name, SAMPLES.get(name, 600)), project="runs", name="yes", epochs=12, lr=5e-3, **settings)
    key = task.primary
    before, after = untrained.card.numbers["test"][key], model.card.numbers["test"][key]
    assert after > before + 0.15 if task.higher_is_better else after < 0.6 * before
    folder = Path("runs") / name / "yes"
    for file in ("args.yaml", "metrics.jsonl", "results.csv", "results.png", "status.json", "report.json", "report.html", "weights/last.vidi", "weights/best.vidi"):
        assert (folder / file).stat().st_size > 0, file
    assert json.loads((folder / "status.json").read_text())["state"] == "done"
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == list(range(1, 13)) and rows[-1]["train/loss"] < rows[0]["train/loss"]


def train(name, data=None, **more):
    settings = {**FAST, "epochs": 3, "augment": ["hflip", "crop(pad=2)"], "ema": 0.9, "dropout": 0.1, **more}
    return vidi.train(data if data is not None else toy("classify"), project="runs", name=name, **settings)


class StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, loop, parts):
        if loop.position.step == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("more", [{}, {"accumulate": 2, "optimizer": "sgd", "lr": 0.1}, {"workers": 2, "cache": "none"}], ids=["plain", "accumulate", "workers"])
def test_a_stopped_run_resumes_to_the_same_bits(more):
    train("whole", **more)
    for step in (2, 5):
        name = f"stopped{step}"
        with pytest.raises(StoppedEarly) as caught:
            train(name, callbacks=[StopAt(step)], **more)
        assert caught.value.exit_code == 75
        vidi.train(toy("classify"), project="runs", name=name, resume=True, doctor=False)
        assert weights(f"runs/classify/{name}/weights/last.vidi") == weights("runs/classify/whole/weights/last.vidi")
        assert weights(f"runs/classify/{name}/weights/best.vidi") == weights("runs/classify/whole/weights/best.vidi")
        for log in ("metrics.jsonl", "results.csv", "gradients.jsonl"):
            assert Path(f"runs/classify/{name}/{log}").read_bytes() == Path(f"runs/classify/whole/{log}").read_bytes()


class Dies(Callback):
    def on_train_start(self, loop):
        raise KeyboardInterrupt


def test_a_run_cut_before_its_first_checkpoint_or_after_its_last_step_resumes_to_the_same_bits():
    train("whole")
    with pytest.raises(KeyboardInterrupt):
        train("early", callbacks=[Dies()])
    with pytest.raises(StoppedEarly):
        train("late", callbacks=[StopAt(12)])
    for name in ("early", "late"):
        vidi.train(toy("classify"), project="runs", name=name, resume=True, doctor=False)
        for file in ("last", "best"):
            assert weights(f"runs/classify/{name}/weights/{file}.vidi") == weights(f"runs/classify/whole/weights/{file}.vidi")
        for log in ("metrics.jsonl", "results.csv", "gradients.jsonl"):
            assert Path(f"runs/classify/{name}/{log}").read_bytes() == Path(f"runs/classify/whole/{log}").read_bytes()


def test_a_run_equals_itself_and_not_another_seed():
    train("a")
    train("b")
    train("c", seed=1)
    first, second, third = (weights(f"runs/classify/{name}/weights/last.vidi") for name in "abc")
    assert first == second != third


def test_each_sample_is_seen_once_per_epoch():
    seen = []

    class Watch(Callback):
        def on_step_end(self, loop, parts):
            seen.append((loop.position.epoch, loop.position.samples))

    train("x", callbacks=[Watch()])
    assert max(samples for epoch, samples in seen if epoch == 0) == 120 and seen[-1][1] == 360


def test_changed_settings_are_refused_on_resume_unless_named():
    with pytest.raises(StoppedEarly):
        train("r", callbacks=[StopAt(2)])
    again = {"project": "runs", "name": "r", "resume": True}
    with pytest.raises(RecipeError, match="differ") as caught:
        vidi.train(toy("classify"), lr=0.5, **again)
    assert "lr" in caught.value.value
    with pytest.raises(DataError, match="data changed"):
        vidi.train(toy("classify", 200), **again)
    model = vidi.train(toy("classify"), lr=0.5, override=["lr"], **again)
    assert model.card.recipe["lr"] == 0.5
    with pytest.raises(InputError, match="no run to resume"):
        vidi.train(toy("classify"), project="runs", name="none", resume=True)


def test_a_run_is_not_overwritten():
    train("x")
    before = weights("runs/classify/x")
    with pytest.raises(InputError, match="already holds a run"):
        train("x", seed=5)
    assert weights("runs/classify/x") == before
    train("x", seed=5, exist_ok=True)
    assert weights("runs/classify/x/weights/last.vidi") != before


def poisoned(bad):
    generator = np.random.default_rng(0)
    samples = [Sample(f"p{i}", {"image": generator.integers(0, 255, (16, 16, 3), dtype=np.uint8)}, Regression(np.array([bad if i == 7 else i])), "train") for i in range(32)]
    return Dataset(samples, Space("Regression", ("v",)))


def test_a_loss_that_overflows_stops_at_once_and_names_the_samples():
    with pytest.raises(TrainError, match="NaN or infinite") as caught:
        vidi.train(poisoned(3e38), project="runs", name="nan", epochs=3, val=0, head_options={"loss": "l2"}, **FAST)
    assert "p7" in caught.value.value and caught.value.at.startswith("step ")
    assert json.loads(Path("runs/regress/nan/status.json").read_text())["state"] == "failed"
    for path in Path("runs/regress/nan/weights").glob("*.vidi"):
        load(path)  # refuses weights that are not finite


def test_bad_settings_are_refused_with_the_nearest():
    for settings, match in (({"epoch": 3}, "unknown key"), ({"net": "smal"}, "no 'smal'"), ({"augment": ["hflap"]}, "hflap"), ({"device": "tpu"}, "device"), ({"weights": "nothing-here"}, "nothing-here")):
        with pytest.raises(VidiError, match=match) as caught:
            vidi.train(toy("classify", 40), project="runs", **{**FAST, **settings})
        assert caught.value.exit_code == 2


def test_labels_must_be_there():
    with pytest.raises(DataError):
        vidi.train(Dataset([Sample("a", {"image": np.zeros((8, 8, 3), np.uint8)})]), project="runs", **FAST)
    with pytest.raises(InputError, match="no data given"):
        vidi.train(project="runs")


def test_freezing_and_starting_from_a_model():
    train("base", ema=0)
    base = load("runs/classify/base/weights/last.vidi").net.state_dict()
    others = discovery.load("tasks", "classify").toy(240, 1)
    model = train("tuned", others, weights="runs/classify/base/weights/last.vidi", freeze="backbone", epochs=1, seed=3, ema=0)
    after = model.net.state_dict()
    frozen = [key for key in base if key.startswith(("backbone", "normalize"))]
    assert frozen and all(torch.equal(base[key], after[key]) for key in frozen)
    assert not torch.equal(base["head.linear.weight"], after["head.linear.weight"])
    assert model.card.lineage[0]["from"].endswith("last.vidi")


@pytest.mark.parametrize("names", [("disc", "square", "star"), ("cross", "square", "disc")])
def test_a_head_for_other_classes_starts_anew(names):
    train("base", ema=0)
    before = load("runs/classify/base/weights/last.vidi").net.state_dict()
    data = discovery.load("tasks", "classify").toy(60, 1)
    data.space = replace(data.space, names=names)
    settings = {"weights": "runs/classify/base/weights/last.vidi", "epochs": 1, "ema": 0, "freeze": "backbone", "seed": 7, "lr": 1e-12, "weight_decay": 0.0}
    other, same = (train(name, some, **settings).net.state_dict() for name, some in (("other", data), ("same", discovery.load("tasks", "classify").toy(60, 1))))
    assert torch.allclose(before["head.linear.weight"], same["head.linear.weight"], atol=1e-6)
    assert not torch.allclose(before["head.linear.weight"], other["head.linear.weight"], atol=1e-3)
    assert all(torch.equal(before[key], other[key]) for key in before if key.startswith("backbone"))


def test_weights_bring_the_normalization_they_were_made_with(monkeypatch):
    state = {key: value for key, value in train("base", epochs=1).net.state_dict().items() if key.startswith("backbone")}
    monkeypatch.setattr(prepare, "weights_of", lambda *_: (state, {"mean": [0.5] * 3, "std": [0.25] * 3}))
    net = train("tuned", weights="published", epochs=1).net
    assert net.normalize.mean.unique().tolist() == [0.5] and net.normalize.std.unique().tolist() == [0.25]


def test_after_training_in_half_precision_the_net_computes_like_the_saved_one():
    kept = []

    class Keep(Callback):
        def on_train_end(self, loop):
            kept.append(loop.net)

    model, x = train("half", precision="bf16", epochs=1, ema=0, callbacks=[Keep()]), {"image": torch.rand(4, 3, 32, 32)}
    with torch.no_grad():
        assert torch.allclose(kept[0].eval()(x)["logits"], model.net.eval()(x)["logits"], rtol=1e-5, atol=1e-5)


def test_early_stop_and_time_budget():
    model = train("patient", epochs=50, patience=1, lr=1e-9, ema=0)
    assert json.loads(Path("runs/classify/patient/status.json").read_text())["epoch"] <= 3
    start = time.monotonic()
    train("budget", epochs=1000, minutes=0.05)
    assert time.monotonic() - start < 60 and model.card.task == "classify"


def test_class_balance_changes_what_is_seen():
    data = toy("classify", 300)
    rare = [i for i, sample in enumerate(data) if sample.label.top == 2]
    few = data.with_samples([sample for i, sample in enumerate(data) if i not in rare[8:]])
    shares = {}

    class Look(Callback):
        def on_train_start(self, loop):
            labels = loop.loader.dataset.samples
            seen = [labels[i].label.top for i in loop.order(0)]
            shares[loop.recipe.balance] = np.bincount(seen, minlength=3) / len(seen)

    for balance in ("none", "equal"):
        train(balance, data=few, balance=balance, epochs=1, callbacks=[Look()])
    assert shares["none"][2] < 0.06
    assert shares["equal"] == pytest.approx(np.full(3, 1 / 3), abs=0.02)


def command(*words):
    return [sys.executable, "-m", "vidi", *map(str, words)]


KILLED = {
    "classify": (400, ["net=small", "widths=[16,32]", "epochs=4"]),
    "detect": (64, ["net=fcos", "backbone=small(widths=[8,16,32])", "width=16", "epochs=4", "augment=hflip,scale_jitter,mosaic"]),
}


@pytest.mark.parametrize("task", KILLED)
def test_kill_nine_then_resume_equals_an_uninterrupted_run(task, tmp_path):
    count, own = KILLED[task]
    folder = write_dataset(toy(task, count), tmp_path / "data")
    settings = [*own, f"task={task}", "batch=16", "checkpoint_every=3", "precision=fp32", "project=runs", "threads=1"]
    subprocess.run(command("train", folder, "name=whole", *settings), check=True, capture_output=True)
    process = subprocess.Popen(command("train", folder, "name=killed", *settings), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    state = tmp_path / f"runs/{task}/killed/state"
    deadline = time.monotonic() + 120
    while not list(state.glob("step-*.ckpt")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert list(state.glob("step-*.ckpt"))
    done = subprocess.run(command("train", "project=runs", "name=killed", "--resume"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert weights(f"runs/{task}/killed/weights/last.vidi") == weights(f"runs/{task}/whole/weights/last.vidi")
    assert list(state.glob(".*")) == []
