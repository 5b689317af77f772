"""The parts of ``vidi demo`` that are not verbs: its data, its mischief, its kill."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core import discovery
from vidi.core.console import say
from vidi.core.dataset import Dataset
from vidi.data import read
from vidi.data.split import assign
from vidi.errors import InputError, TrainError
from vidi.model import load
from vidi.report import Report


def data(task: str, base: Path) -> tuple[Path, dict[str, Any]]:
    """The demo's data as files, and the settings to train with."""
    from vidi.data._obtain import obtain
    from vidi.data.save import write_dataset

    chosen = discovery.member(discovery.load("tasks", task), "task", "tasks")
    if chosen.demo is not None:
        name, settings = chosen.demo
        return obtain(name, base / "data"), dict(settings)
    return write_dataset(chosen.toy(600, 0), base / "data"), {"epochs": 20}


def spoil(data: Path, target: Path) -> Path | None:
    """A copy of a folder of pictures with a cut-off file, a text in a picture's clothes, an empty file and some copies."""
    pictures = sorted(path for path in data.rglob("*.png"))
    if len(pictures) < 10 or not data.is_dir():
        return None
    shutil.copytree(data, target)
    chosen = [target / path.relative_to(data) for path in pictures[:: len(pictures) // 8]]
    chosen[0].write_bytes(chosen[0].read_bytes()[: chosen[0].stat().st_size // 2])
    chosen[1].write_text("<html>not a picture</html>")
    chosen[2].write_bytes(b"")
    shutil.copyfile(chosen[3], chosen[3].with_name("copy_of_" + chosen[3].name))
    if chosen[4].parent != chosen[-1].parent:
        shutil.copyfile(chosen[4], chosen[-1].with_name("mislabeled_" + chosen[4].name))
    return target


def killed_and_resumed(data: Path, base: Path, settings: Mapping[str, Any], reference: Path) -> None:
    """Train the same model in a process of its own, kill it half-way, resume it, and compare the weights bit for bit.

    Raises:
        TrainError: the resumed run's weights differ.
    """
    recipe = load(reference / "weights" / "last.vidi").card.recipe
    same = {**settings, "precision": recipe["precision"]}  # chosen by a measurement, which could come out otherwise the second time
    words = [f"{key}={_spelled(value)}" for key, value in same.items()]
    command = [sys.executable, "-m", "vidi", "train", str(data), f"project={base}", "name=killed", "checkpoint_every=10", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    state = base / settings["task"] / "killed" / "state"
    total = (recipe["epochs"] or 1) * 10
    deadline = time.monotonic() + 600
    while process.poll() is None and time.monotonic() < deadline:
        steps = [int(path.stem.split("-")[1]) for path in state.glob("step-*.ckpt")]
        if steps and max(steps) >= total:
            break
        time.sleep(0.05)
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    step = max((int(path.stem.split("-")[1]) for path in state.glob("step-*.ckpt")), default=0)
    say(f"   killed; the newest checkpoint is of step {step}")
    again = [sys.executable, "-m", "vidi", "train", f"project={base}", "name=killed", "--resume"]
    done = subprocess.run(again, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise TrainError("the killed run could not be resumed", value=done.stderr.strip()[-300:], fix="please report it")
    first, second = (load(path / "weights" / "last.vidi").card.weights_sha256 for path in (reference, base / settings["task"] / "killed"))
    if first != second:
        raise TrainError("the resumed run's weights differ from the uninterrupted run's", value=f"{first[:12]} {second[:12]}", fix="please report it")
    say(f"   resumed to the end: the weights equal the uninterrupted run's bit for bit (sha256 {first[:16]}…)")


def _spelled(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        words = ",".join(map(str, value))
        return words if any(isinstance(item, str) for item in value) else f"[{words}]"
    return str(value)


def held_out(data: Path, task: str, settings: Mapping[str, Any]) -> Dataset:
    """The data with the split that training makes of it."""
    chosen = discovery.load("tasks", task).task
    whole = {**chosen.recipe, **settings}
    return assign(read(data, task=chosen), val=whole.get("val", 0.2), test=whole.get("test", 0.0), seed=whole.get("seed", 0), by=whole.get("split_by", "sample"))


def followed(data: Path, task: str) -> bool:
    """Whether the data's things have identities through videos."""
    return any(getattr(label, "tracks", None) is not None for label in read(data, task=discovery.load("tasks", task).task).labels)


def some(data: Path, task: str, settings: Mapping[str, Any], count: int = 24) -> Dataset:
    """A few held-out samples, spread over the data."""
    dataset = held_out(data, task, settings)
    rest = dataset.split("test") if dataset.splits.get("test") else dataset
    return rest.with_samples(rest.samples[:: max(1, len(rest) // count)][:count])


def stages(run: Path) -> list[str]:
    """The names of a model's stages that give one feature map (a neck or a dense head gives several)."""
    model, blank = load(run / "weights" / "last.vidi"), np.zeros((32, 32, 3), np.uint8)
    found = []
    for name, stage in model.net.stages().items():
        if any(p.ndim == 4 for p in stage.state_dict().values()):
            with contextlib.suppress(InputError):
                model.features(blank, layers=[name])
                found.append(name)
    return found


def closing(base: Path, run: Path, report: Report) -> Path:
    """Put the run's report in the demo's folder, with links to the other pages."""
    pages = [("Training", run / "report.html"), ("Validation", base / "val" / "report.html"), ("Doctor", base / "doctor" / "report.html"),
             ("Doctor, spoiled data", base / "doctor-dirty" / "report.html"), ("Features", base / "features" / "features.html"), ("Tracks", base / "tracks" / "report.html")]  # fmt: skip
    rows = [[title, str(path.relative_to(base))] for title, path in pages if path.is_file()]
    whole = Report("demo", report.numbers, {**report.about, "title": "vidi demo"}, report.intervals, report.n,
                   [{"kind": "table", "title": "Pages beside this one", "columns": ["page", "file"], "rows": rows}, *report.sections])  # fmt: skip
    whole.save(base / "report.json")
    return whole.html(base / "report.html")
