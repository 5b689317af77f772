"""Label pictures with a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidi.core.dataset import Dataset
    from vidi.model import Model


def predict(
    model: str | Model,
    source: Any,
    *,
    batch: int = 64,
    device: str = "auto",
    top: int = 5,
    out: str | None = None,
    draw: bool = True,
    bad_samples: str = "stop",
) -> Dataset:
    """Label pictures with a model.

    Args:
        model: a .vidi file or a run folder.
        source: a picture, folder, glob, list of paths, array, or a Dataset.
        batch: pictures per step.
        device: auto, cpu, cuda, cuda:N or mps.
        top: values per picture in predictions.csv.
        out: folder for predictions.csv, predictions.json and drawn pictures.
        draw: draw the pictures with their labels (up to 200) and a page of the first ones, when out is given.
        bad_samples: stop at a picture that cannot be read, or skip it and say so.

    Returns:
        The pictures as a data set whose labels are the predictions, in the pictures' own pixels.
    """
    from pathlib import Path

    from vidi.core.dataset import Sample
    from vidi.data.source import sources
    from vidi.engine import device as devices
    from vidi.engine import evaluate, outputs
    from vidi.engine.infer import infer
    from vidi.model import load

    where = devices.choose(device)
    loaded = load(model, device=str(where))
    dataset, bad = outputs.readable(sources(source), bad_samples)
    loader = evaluate.make_loader(dataset, loaded.preprocess, batch, cache="none")
    found = infer(loaded.net, loader, len(dataset), device=where)
    samples = [Sample(s.id, s.inputs, label, s.split, s.group, s.line) for s, label in zip(dataset.samples, found.labels)]
    predicted = dataset.with_samples(samples)
    predicted.space = loaded.net.space
    predicted.notes = [f"left out {sample}: {error.rule}" for sample, error in bad]
    if out:
        outputs.write(predicted, Path(out), top=top, draw=draw)
    return predicted
