"""Train a model on a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidi.core.dataset import Dataset
    from vidi.model import Model


def train(
    data: str | Dataset | None = None,
    *,
    recipe: str | None = None,
    project: str = "runs",
    name: str | None = None,
    resume: bool = False,
    override: list[str] | None = None,
    exist_ok: bool = False,
    allow_bad: bool = False,
    doctor: bool = True,
    callbacks: list | None = None,
    **settings: Any,
) -> Model:
    """Train a model on a data set: look at the data, split, train, score, report.

    Args:
        data: class folders, a table, data.yaml, idx files, or a Dataset; may be left out with resume.
        recipe: a recipe file, or the name of one that comes with vidi (`vidi list recipes`).
        project: folder that holds all runs.
        name: the run's name; the folder is project/task/name.
        resume: go on with the run of that name (or with the run folder given as project) from its newest checkpoint.
        override: settings that may differ from the resumed run's; `data` allows changed data.
        exist_ok: start over in a folder that already holds a run.
        allow_bad: leave out samples that the doctor refuses, and count them in the report.
        doctor: look at the data first.
        callbacks: objects with hooks, see `vidi.engine.loop.Callback` (Python only).
        **settings: recipe keys (`vidi list recipe`) and settings of the net.

    Returns:
        The model after the last epoch; `runs/<task>/<name>/weights` holds it and the best one.
    """
    from vidi.engine.training import Training

    training = Training(project=project, name=name, exist_ok=exist_ok, override=override or [], callbacks=callbacks or [])
    if resume:
        return training.resume(data, recipe, settings)
    return training.start(data, recipe, settings, look=doctor, allow_bad=allow_bad)
