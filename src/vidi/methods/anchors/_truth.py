"""The true boxes of a data set in pixels of a net's input, and the anchors of a net."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.images import open_image
from vidi.core.preprocess import Preprocess
from vidi.errors import DataError, RecipeError, VidiError, nearest
from vidi.labels import Label


@dataclass(frozen=True)
class Truth:
    """Samples with their labels in input pixels, and the widths and heights (N, 2) of all their boxes."""

    samples: list[Sample]
    labels: list[Label]
    shapes: np.ndarray


def truth_of(dataset: Dataset, rule: Preprocess) -> Truth:
    """What of a data set can be read; crowd regions and boxes without area do not count.

    Raises:
        DataError: labels without boxes, or no box at all.
    """
    samples, labels, shapes = [], [], []
    for sample in dataset.samples:
        if sample.label is None:
            continue
        if not hasattr(sample.label, "boxes"):
            raise DataError("labels without boxes have no anchors", file=dataset.root, value=sample.label.family, fix="data with boxes")
        picture: Any = sample.inputs.get("image")
        try:
            size = picture.shape[:2] if isinstance(picture, np.ndarray) else open_image(picture, name=sample.id).size[::-1]
        except VidiError:
            continue
        label: Any = sample.label.warp(rule.matrix(size), rule.size)
        label = label if label.crowd is None else label[~label.crowd]
        samples.append(sample)
        labels.append(label)
        shapes.append(label.boxes[:, 2:] - label.boxes[:, :2])
    found = np.concatenate(shapes).astype(np.float64) if shapes else np.zeros((0, 2))
    found = found[(found > 0).all(1)]
    if not len(found):
        raise DataError("no box to fit anchors to", file=dataset.root, fix="see `vidi doctor`")
    return Truth(samples, labels, found)


def net_anchors(name: str, options: Mapping[str, Any], dataset: Dataset, size: tuple[int, int]) -> np.ndarray:
    """(A, 4) boxes in input pixels that a net starts from: its raw output ``anchors``.

    Raises:
        RecipeError: the net has none, or no such settings.
    """
    import torch

    from vidi.core.recipe import make_recipe
    from vidi.engine.prepare import net_keys
    from vidi.model import build_net

    if dataset.space is None:
        raise DataError("no labels", file=dataset.root)
    known = net_keys(name)
    for key in options:
        if key not in known:
            close = nearest(key, known)
            raise RecipeError("the net has no such setting", at=key, value=name, fix=f"did you mean {', '.join(close)}?" if close else f"one of: {', '.join(known)}")
    net = build_net(name, "boxes", dataset.space, make_recipe(dict(options), net_keys=known).net_options).eval()
    with torch.inference_mode():
        raw = net({"image": torch.zeros(1, 3, *size)})
    if "anchors" not in raw:
        raise RecipeError("this net has no anchors", at="net", value=name, fix="a net with anchors, such as ssd, retinanet or faster_rcnn")
    return raw["anchors"][0].double().numpy()


def shapes_in(boxes: np.ndarray) -> np.ndarray:
    """(K, 2) different widths and heights among boxes, to a hundredth of a pixel, by rising area."""
    shapes = np.unique(np.round(boxes[:, 2:] - boxes[:, :2], 2), axis=0)
    shapes = shapes[(shapes > 0).all(1)]
    return shapes[np.argsort(shapes.prod(1), kind="stable")]
