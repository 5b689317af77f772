"""Show which pixels a model's answers rest on, and how far to trust that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from vidi.core.dataset import Dataset
    from vidi.methods.explain._run import Outcome
    from vidi.model import Model
    from vidi.report import Report


def explain(
    model: str | Path | Model,
    source: Any = None,
    *,
    method: str = "auto",
    what: str = "maps",
    target: str | None = None,
    against: str | None = None,
    layer: str | None = None,
    steps: int | None = None,
    limit: int = 16,
    batch: int = 16,
    sanity: bool = True,
    data: str | Dataset | None = None,
    nearest: int = 0,
    filters: bool = False,
    seed: int = 0,
    out: str | None = None,
    device: str = "auto",
    code: list[str] | None = None,
) -> Report:
    """Show which pixels a model's answers rest on, beside random maps and a net with random weights that say how far to trust that.

    Args:
        model: a .vidi file or a run folder.
        source: a picture, folder, glob, list of paths, array, or a Dataset.
        method: names of `vidi list explainers` with settings, such as gradcam,rise(steps=1000), or paths to .py files; auto: by net.
        what: maps of relevance on pictures; filters of the first layer; or features, pictures that a class, value or channel
            answers to most strongly. The last two need no source.
        target: what is explained: a class or value by name or index; of things the index of one (by falling score) or a class; left out: what
            was decided, and of things the surest one.
        against: a class, to ask why not that one.
        layer: a stage or module path, for methods that look at one; with what=features: show its channels.
        steps: of methods that go in steps (masks, noisy copies, places on the way); left out: the method's own.
        limit: at most so many pictures (chosen at random by the seed), classes or channels.
        batch: pictures per step.
        sanity: also explain the first pictures with random weights, which must give other maps.
        data: examples for nearest, such as the training data.
        nearest: show so many examples of data that are most alike to each picture, by features.
        filters: the same as what=filters.
        seed: of everything random.
        out: folder for report.json, report.html and maps/ (each map as PNG and NPY).
        device: auto, cpu, cuda, cuda:N or mps.
        code: Python files of the model's own net, head, backbone, neck or steps, which may be run.

    Returns:
        A report: pictures and maps side by side, each method's deletion and insertion against random maps, and its sanity check.
    """
    import contextlib
    from pathlib import Path

    from vidi.core.batch import check_batch
    from vidi.data.source import sources
    from vidi.engine import device as devices
    from vidi.engine.evaluate import make_loader, settings_of
    from vidi.errors import InputError
    from vidi.methods.explain import _report
    from vidi.methods.explain._base import at_least
    from vidi.methods.explain._run import explain_dataset
    from vidi.model import load

    check_batch(batch)
    at_least(1, limit=limit)
    at_least(0, nearest=nearest)
    if nearest and data is None:
        raise InputError("nearest examples of what", at="data", fix="data=FOLDER, such as the training data")
    where = devices.choose(device)
    loaded = load(model, device=str(where), code=code or [])
    folder = Path(out) if out else None
    about: dict[str, Any] = {
        "model": str(model) if isinstance(model, (str, Path)) else "model", "task": loaded.card.task, "weights": loaded.card.weights_sha256[:16], "enhance": loaded.card.enhance,
        "what": "filters" if filters else what, "method": method, "target": target, "against": against, "layer": layer, "seed": seed,
    }  # fmt: skip
    if filters or what != "maps":
        report = _report.look_inside(
            about["what"], loaded.net, loaded.preprocess.size, about, target=target, layer=layer, limit=limit, steps=steps, seed=seed, folder=folder
        )
    else:
        if source is None:
            raise InputError("a picture or folder is needed", at="source", fix="vidi explain MODEL SOURCE, or what=filters or features")
        dataset = _some(sources(source), limit, seed)
        loader = make_loader(dataset, loaded.preprocess, batch, cache="none")
        with contextlib.closing(loader.store):
            outcome = explain_dataset(
                loaded.net, dataset, loader, method, device=where, target=target, against=against, layer=layer, steps=steps, sanity=sanity,
                least=settings_of(loaded.card).get("thresholds"), seed=seed,
            )  # fmt: skip
        sections = [_near(loaded, outcome, dataset, data, nearest, batch, where)] if nearest and data is not None else []
        names = loaded.net.predicts.names or loaded.names
        about |= {"data": dataset.name, "samples": len(dataset), "methods": list(outcome.scores)}
        report = _report.report_of(outcome, dataset, names, about, sections, seed)
        if folder is not None:
            _report.write_maps(outcome, dataset, folder / "maps")
    if folder is not None:
        report.save(folder / "report.json")
        report.about["page"] = str(report.html(folder / "report.html"))
    return report


def _some(dataset: Dataset, limit: int, seed: int) -> Dataset:
    """At most so many pictures, in their order."""
    from vidi.core.seeds import permutation

    if len(dataset) <= limit:
        return dataset
    return dataset.with_samples(dataset[int(i)] for i in sorted(permutation(len(dataset), seed, 0)[:limit]))


def _near(loaded: Model, outcome: Outcome, dataset: Dataset, data: str | Dataset, count: int, batch: int, where: torch.device) -> dict[str, Any]:
    """The section on the nearest of the training examples, or of all where none is for training."""
    import contextlib

    from vidi.core import discovery
    from vidi.data import read
    from vidi.engine.evaluate import data_for, make_loader
    from vidi.engine.infer import infer
    from vidi.methods.explain._report import neighbors

    examples = data_for(loaded, data, discovery.load("tasks", loaded.card.task).task)
    examples = read(examples, split="train") if examples.splits.get("train") else examples
    loader = make_loader(examples, loaded.preprocess, batch, cache="none")
    with contextlib.closing(loader.store):
        found = infer(loaded.net, loader, len(examples), device=where, features=True, title="looking at examples")
    features = found.features
    if features is None:
        raise ValueError("infer gives features when asked")
    return neighbors(outcome, dataset, examples, features, count)
