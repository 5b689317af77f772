"""Show the whole story on built-in real data, in minutes, without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidi.report import Report


def demo(*, task: str = "classify", folder: str = "runs/demo", epochs: float | None = None, kill: bool = True) -> Report:
    """Show the whole story on built-in real data: doctor, training, a kill and an exact resume, validation, predictions, features.

    Args:
        task: the task to show.
        folder: where everything goes; it is made anew.
        epochs: train for this many instead of the task's demo setting.
        kill: show a training process killed without warning, and its resume.

    Returns:
        The report of the trained model; its page is the last line printed.
    """
    import shutil
    from pathlib import Path

    from vidi.core.console import say
    from vidi.engine import story
    from vidi.verbs.benchmark import benchmark
    from vidi.verbs.doctor import doctor
    from vidi.verbs.features import features
    from vidi.verbs.predict import predict
    from vidi.verbs.track import track
    from vidi.verbs.train import train
    from vidi.verbs.val import val

    base = Path(folder)
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(parents=True)
    data, settings = story.data(task, base)
    settings |= {"task": task, **({"epochs": epochs} if epochs else {})}

    say(f"\n== 1. What is wrong with the data?   vidi doctor {data}")
    doctor(str(data), task=task, out=str(base / "doctor"))
    dirty = story.spoil(data, base / "dirty")
    if dirty is not None:
        say(f"   the same data after some mischief:   vidi doctor {dirty}")
        say(doctor(str(dirty), task=task, out=str(base / "doctor-dirty"), fix="clip").text())

    say(f"\n== 2. Train   vidi train {data} " + " ".join(f"{key}={value}" for key, value in settings.items() if key != "augment"))
    train(str(data), project=str(base), name="model", exist_ok=True, **settings)
    run = base / task / "model"

    if kill:
        say("\n== 3. Kill a training process without warning (kill -9), then resume it")
        story.killed_and_resumed(data, base, settings, run)

    say(f"\n== 4. Validate   vidi val {run / 'weights' / 'last.vidi'} {data}")
    report = val(run / "weights" / "last.vidi", story.held_out(data, task, settings), split="test", out=str(base / "val"))

    say(f"\n== 5. Predict   vidi predict {run / 'weights' / 'last.vidi'} …")
    predict(run / "weights" / "last.vidi", story.some(data, task, settings), out=str(base / "predictions"))

    say("\n== 6. Features of every stage, and the speed of the model")
    features(run / "weights" / "last.vidi", story.some(data, task, settings, 8), layer=["features", *story.stages(run)], out=str(base / "features"))
    say(benchmark(run / "weights" / "last.vidi").text())

    if story.followed(data, task):
        say(f"\n== 7. Follow   vidi track {run / 'weights' / 'last.vidi'} {data}")
        say(track(run / "weights" / "last.vidi", str(data), tracker="bytetrack(high=0.4, new=0.5)", out=str(base / "tracks")).text())

    page = story.closing(base, run, report)
    say(f"\nEverything is in {base}; the last line is the report, for your browser")
    report.about["page"] = str(page.resolve())
    return report
