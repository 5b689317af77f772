"""What a report shows of embeddings: a picture and the ones that its vector lies nearest to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vidi.core.preprocess import Preprocess
from vidi.labels import Classification, Embedding
from vidi.metrics._neighbors import Search
from vidi.report.pictures import encode

SIDE = 72
NEAREST = 5
COLORS = {True: (40, 150, 70), False: (205, 50, 45), None: (120, 120, 120)}


def strip(scored: Any, i: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """One sample and its nearest others, framed in green where they are of its class and in red where not."""
    names = scored.dataset.space.names if scored.dataset.space else ()
    near = nearest(scored, i, settings, NEAREST)
    own = _class(scored, i)
    tiles = [_tile(scored, i, None), np.full((SIDE + 8, 6, 3), 255, np.uint8), *(_tile(scored, j, _class(scored, j) == own) for j in near)]
    words = [scored.dataset[j].label.words(names) for j in near]
    return {"image": encode(np.concatenate(tiles, 1), len(tiles) * (SIDE + 8)), "caption": f"{scored.dataset[i].label.words(names)}: nearest {', '.join(words)}"}


def nearest(scored: Any, i: int, settings: Mapping[str, Any], count: int) -> list[int]:
    """The places of the samples that a sample's vector lies nearest to, nearest first, as the numbers count them."""
    labels = scored.inference.labels
    classes = np.array([_class(scored, j) for j in range(len(labels))], np.int64)
    query, cameras = (None if settings.get(name) is None else np.asarray(settings[name]) for name in ("query", "cameras"))
    gallery = Search(np.zeros((len(labels), 0)), classes, None if query is None else query.astype(bool)).gallery
    gallery = gallery[gallery != i]
    if cameras is not None:
        gallery = gallery[(classes[gallery] != classes[i]) | (cameras[gallery] != cameras[i])]
    vectors = Embedding.stack([labels[j] for j in gallery]) if len(gallery) else np.zeros((0, len(labels[i].vector)), np.float32)
    length = np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
    return [int(j) for j in gallery[np.argsort(-(vectors @ labels[i].vector) / length, kind="stable")[:count]]]


def _class(scored: Any, i: int) -> int:
    label = scored.dataset[i].label
    return label.top if isinstance(label, Classification) else -1


def _tile(scored: Any, i: int, right: bool | None) -> np.ndarray:
    """A sample's picture in a frame, (SIDE + 8, SIDE + 8, 3) uint8."""
    sample = scored.dataset[i]
    canvas, _, _ = Preprocess((SIDE, SIDE), "letterbox", 255).load(sample.inputs["image"], name=sample.id)
    tile = np.full((SIDE + 8, SIDE + 8, 3), 255, np.uint8)
    tile[1:-1, 1:-1] = COLORS[right]
    tile[4:-4, 4:-4] = canvas
    return tile
