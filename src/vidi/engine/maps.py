"""Feature arrays and filters as files and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from vidi.core.dataset import Dataset
from vidi.core.files import atomic_write
from vidi.model import Model
from vidi.report import Report
from vidi.report.pictures import encode, grid

MOST_CHANNELS = 64


def write(model: Model, dataset: Dataset, arrays: dict[str, np.ndarray], folder: Path, pictures: int) -> Report:
    """Write ``features.npz`` (one array per layer and the samples' ids) and PNGs of maps and filters; report on them."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / "features.npz") as file:
        named = {key.replace("/", "_"): value for key, value in arrays.items()}
        np.savez(file, ids=np.array([sample.id for sample in dataset.samples]), **named)  # type: ignore[arg-type]
    sections: list[dict[str, Any]] = []
    rows = [[layer, str(list(value.shape)), float(value.mean()), float(value.std()), float((value == 0).mean())] for layer, value in arrays.items() if value.size]
    sections.append({"kind": "table", "title": "Layers", "columns": ["layer", "shape", "mean", "std", "share of zeros"], "rows": rows})
    for layer, value in arrays.items():
        if value.ndim != 4:
            continue
        items = []
        for i in range(min(pictures, len(value))):
            sheet = channel_sheet(value[i])
            Image.fromarray(sheet).save(folder / f"{layer.replace('/', '_').replace('.', '_')}_{i}.png")
            items.append({"image": encode(sheet, 512), "caption": dataset[i].id, "note": f"{value.shape[1]} channels of {value.shape[2]}×{value.shape[3]}"})
        sections.append({"kind": "gallery", "title": f"Feature maps: {layer}", "items": items})
    filters = filter_sheet(model.net)
    if filters is not None:
        Image.fromarray(filters).save(folder / "filters.png")
        sections.append({"kind": "gallery", "title": "First layer's filters", "items": [{"image": encode(filters, 512), "caption": "", "note": ""}]})
    report = Report("features", {"samples": len(dataset), "layers": len(arrays)}, {"file": str(folder / "features.npz"), "layers": list(arrays)}, {}, {}, sections)
    report.html(folder / "features.html")
    return report


def channel_sheet(maps: np.ndarray) -> np.ndarray:
    """Channels (C, H, W) as one gray picture, each stretched to its own range; at most 64 channels."""
    tiles = []
    for channel in maps[:MOST_CHANNELS]:
        low, high = float(channel.min()), float(channel.max())
        tiles.append(np.repeat(((channel - low) / max(high - low, 1e-12) * 255).astype(np.uint8)[:, :, None], 3, axis=2))
    side = max(1, -(-48 // max(tiles[0].shape[:2])))
    return grid([tile.repeat(side, 0).repeat(side, 1) for tile in tiles], columns=8)


def filter_sheet(net: nn.Module) -> np.ndarray | None:
    """The first convolution's filters that look at 3-channel pictures, as one picture; None when there is none."""
    for tensor in net.state_dict().values():
        if tensor.ndim == 4 and tensor.shape[1] == 3 and max(tensor.shape[2:]) <= 16:
            filters = tensor.float().cpu().numpy()[:MOST_CHANNELS]
            scale = np.abs(filters).reshape(len(filters), -1).max(1)[:, None, None, None]
            pixels = ((filters / np.maximum(scale, 1e-12) + 1) * 127.5).round().astype(np.uint8).transpose(0, 2, 3, 1)
            side = max(1, 32 // max(tensor.shape[2:]))
            return grid([tile.repeat(side, 0).repeat(side, 1) for tile in pixels], columns=8)
    return None
