"""Make a model fit new conditions by unlabeled pictures of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from vidi.model import Model
    from vidi.report import Report


def adapt(
    model: str | Path | Model,
    data: Any,
    *,
    method: str = "bn",
    out: str | None = None,
    split: str | None = None,
    limit: int | None = None,
    batch: int = 64,
    intervals: int = 200,
    seed: int = 0,
    report: str | None = None,
    gate: list[str] | None = None,
    device: str = "auto",
    code: list[str] | None = None,
) -> Report:
    """Make a model fit new conditions by unlabeled pictures of them, and say what changed.

    Args:
        model: a .vidi file or a run folder; it stays as it is.
        data: pictures of the new conditions: a folder, glob, list, or any format that training reads. Labels, where there are any, only
            score the model before and after.
        method: a name of `vidi list adapters` with settings, such as bn(prior=16) or tent(steps=50, lr=0.001), or a path to a .py file. bn
            takes over batch-norm statistics; tent then lowers the entropy of predictions by scales and shifts of norms, with a guard.
        out: file for the new model; left out: none is written.
        split: train, val or test; left out: everything.
        limit: at most so many pictures, chosen at random by the seed.
        batch: pictures per step.
        intervals: bootstrap resamples of the scores; 0 for none.
        seed: of everything random.
        report: folder for report.json and report.html.
        gate: rules such as `changed<=0.2` or `accuracy.difference>=0`; a broken one makes the exit code 2
            and leaves no new model.
        device: auto, cpu, cuda, cuda:N or mps.
        code: Python files of the model's own net, head, backbone, neck or steps, which may be run.

    Returns:
        A report: how far the statistics of each layer moved, entropy before and after, the share of predictions that changed; with labels
        also the scores before and after and a verdict. The new model holds it too.
    """
    import json
    from pathlib import Path

    from vidi.core import discovery
    from vidi.core.batch import check_batch
    from vidi.data.pictures import pictures
    from vidi.engine import device as devices
    from vidi.engine.evaluate import in_splits
    from vidi.methods.adapt import _run as runs
    from vidi.methods.adapt._base import make_adapter
    from vidi.methods.adapt._report import report_of
    from vidi.metrics._evaluate import check_level
    from vidi.model import load
    from vidi.report.gate import gate as check

    check_batch(batch)
    check_level(intervals, 0.95)
    adapter = make_adapter(method)
    where = devices.choose(device)
    loaded = load(model, device=str(where), code=code or [])
    task = discovery.load("tasks", loaded.card.task).task
    dataset, labeled, notes = runs.chosen(in_splits(pictures(data, task), loaded), loaded.net, split, limit, seed)
    found = runs.adapt_model(loaded, dataset, labeled, task, adapter, batch=batch, device=where, intervals=intervals, seed=seed)
    about = {
        "model": str(model) if isinstance(model, (str, Path)) else "model", "task": loaded.card.task, "data": dataset.name, "split": split or "all",
        "samples": len(dataset), "fingerprint": dataset.fingerprint(), "weights": loaded.card.weights_sha256[:16], "enhance": loaded.card.enhance, "method": method,
        "settings": adapter.to_dict(), "seed": seed,
    }  # fmt: skip
    result = report_of(found, task, adapter, about, notes)
    failures = check(result, gate or [])
    if failures:
        result.about |= {"refused": True, "gate": failures}
    elif out is not None:
        found.model.reports = {"adapt.json": json.dumps(result.to_dict(), allow_nan=False).encode()}
        result.about["file"] = str(found.model.save_new(out, model))
    if report is not None:
        result.save(Path(report) / "report.json")
        result.about["page"] = str(result.html(Path(report) / "report.html"))
    return result
