"""Score a model on labeled data."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from vidi.core.dataset import Dataset
    from vidi.model import Model
    from vidi.report import Report


def val(
    model: str | Path | Model,
    data: str | Dataset,
    *,
    split: str | None = None,
    thresholds: str | None = None,
    tta: str | None = None,
    tile: str | int | None = None,
    overlap: float | None = None,
    max_det: int | None = None,
    batch: int = 64,
    device: str = "auto",
    code: list[str] | None = None,
    intervals: int = 200,
    gate: list[str] | None = None,
    out: str | None = None,
) -> Report:
    """Score a model on labeled data; every number comes with its count and a bootstrap interval.

    Args:
        model: a .vidi file or a run folder.
        data: labeled data in any format that training reads.
        split: train, val or test, of the data or, where it has none and the model was trained on it, of that training; left out: test if there is
            one, else val, else everything.
        thresholds: choose decision thresholds on this data first: f1, cost, recall=0.9 or precision=0.9; else the model's own are used.
        tta: further views whose labels are merged with the plain one's, such as flip,scale(0.8); see `vidi predict --help`.
        tile: look at large pictures in tiles of this many pixels (HEIGHT,WIDTH or one side; auto: the net's input size; none),
            and at the whole; left out: as the model was trained.
        overlap: share of a tile that its neighbor shows as well; left out: as in training, or 0.2.
        max_det: most things per picture and class that count (COCO: 100); more for pictures that show more.
        batch: pictures per step.
        device: auto, cpu, cuda, cuda:N or mps.
        code: Python files of the model's own net, head, backbone, neck or steps, which may be run.
        intervals: bootstrap resamples; 0 for none.
        gate: rules such as `accuracy>=0.94` or `accuracy.low>=0.9`; a broken one makes the exit code 2.
        out: folder for report.json and report.html.

    Returns:
        A report; `--json` prints its numbers.
    """
    from pathlib import Path

    from vidi.core import discovery
    from vidi.data import read
    from vidi.engine import device as devices
    from vidi.engine import evaluate
    from vidi.engine.tiles import parse_tiling
    from vidi.engine.views import parse_views
    from vidi.model import load
    from vidi.report.gate import gate as check

    where = devices.choose(device)
    loaded = load(model, device=str(where), code=code or [])
    task = discovery.load("tasks", loaded.card.task).task
    dataset = evaluate.data_for(loaded, data, task)
    evaluate.check_space(loaded.net, dataset)
    chosen = split or next((name for name in ("test", "val") if dataset.splits.get(name)), None)
    dataset = read(dataset, split=chosen)
    evaluate.check_space(loaded.net, dataset)
    loader = evaluate.make_loader(dataset, loaded.preprocess, batch)
    settings = evaluate.settings_of(loaded.card) | ({} if max_det is None else {"max_dets": max_det})
    tiling = parse_tiling(tile, overlap, True, loaded.preprocess.size, loaded.card.recipe)
    scored = evaluate.score(
        loaded.net, dataset, loader, task, device=where, settings=settings, intervals=intervals, figures=True, title="scoring",
        views=parse_views(tta), tiling=tiling,
    )  # fmt: skip
    if thresholds:
        settings |= evaluate.tuned(scored, thresholds)
        scored = evaluate.rescore(scored, task, settings, intervals)
    about = {
        "model": str(model) if isinstance(model, (str, Path)) else "model", "task": loaded.card.task, "data": dataset.name, "split": chosen or "all",
        "samples": len(dataset), "fingerprint": dataset.fingerprint(), "weights": loaded.card.weights_sha256[:16], "enhance": loaded.card.enhance,
        "higher_is_better": {task.primary: task.higher_is_better}, **({"tta": tta} if tta else {}), **({"tile": list(tiling.size), "overlap": tiling.overlap} if tiling else {}),
        **({"thresholds": [round(float(value), 6) for value in settings["thresholds"]]} if "thresholds" in settings else {}),
        **({} if max_det is None else {"max_det": max_det}),
    }  # fmt: skip
    report = evaluate.report_of("val", scored, about)
    failures = check(report, gate or [])
    if failures:
        report.about |= {"refused": True, "gate": failures}
    if out:
        report.save(Path(out) / "report.json")
        report.html(Path(out) / "report.html")
    return report
