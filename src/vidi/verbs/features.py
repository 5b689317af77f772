"""Extract features of pictures from any layer of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from vidi.model import Model
    from vidi.report import Report


def features(
    model: str | Path | Model,
    source: Any,
    *,
    layer: list[str] | None = None,
    out: str = "features",
    batch: int = 32,
    device: str = "auto",
    code: list[str] | None = None,
    pictures: int = 4,
) -> Report:
    """Extract features of pictures from any layer of a model, as arrays (features.npz) and as pictures.

    Args:
        model: a .vidi file or a run folder.
        source: a picture, folder, glob, list of paths, array, or a Dataset.
        layer: raw outputs, stages or module paths (`vidi inspect` lists them); left out: the pooled features.
        out: folder for features.npz, pictures of feature maps and of the first layer's filters.
        batch: pictures per step.
        device: auto, cpu, cuda, cuda:N or mps.
        code: Python files of the model's own net, head, backbone, neck or steps, which may be run.
        pictures: how many pictures' feature maps are drawn.

    Returns:
        A report with the arrays' shapes and statistics and the drawn maps.
    """
    from pathlib import Path

    from vidi.data.source import sources
    from vidi.engine import device as devices
    from vidi.engine import maps
    from vidi.model import load

    loaded = load(model, device=str(devices.choose(device)), code=code or [])
    dataset = sources(source)
    layers = layer or ["features"]
    arrays = loaded.features([sample.inputs["image"] for sample in dataset.samples], layers=layers, batch=batch)
    return maps.write(loaded, dataset, arrays, Path(out), pictures)
