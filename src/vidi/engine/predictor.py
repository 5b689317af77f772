"""From pictures to predicted labels by all the settings of prediction: views, tiles, limits, chosen classes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vidi.core.batch import check_batch
from vidi.core.console import progress, quiet
from vidi.core.dataset import Dataset, Sample
from vidi.core.net import Net
from vidi.data import video
from vidi.engine.alarm import SUSPICION, Watched
from vidi.engine.decoding import decoding
from vidi.engine.evaluate import make_loader
from vidi.engine.fuse import fused
from vidi.engine.infer import infer
from vidi.engine.tiles import infer_tiles, parse_tiling
from vidi.engine.views import parse_views
from vidi.errors import InputError, nearest
from vidi.labels import FAMILIES, Label
from vidi.model import Model

MANY = 128
"""Pictures from which on it pays to make a faster net first."""


class Predictor:
    """A model with settings of prediction; checks them before any picture is looked at.

    Args:
        model: on its device.
        batch: pictures (or tiles) per step.
        conf, iou, max_det, nms: see `vidi.engine.decoding`. Without `conf`, things under their class's threshold in the model's card are
            left out.
        tile, overlap, whole: see `vidi.engine.tiles.parse_tiling`.
        tta: see `vidi.engine.views.parse_views`.
        classes: names or indices of the classes that are kept; None: all.
        min_area: smaller things go, and smaller parts of class maps take the class around them, pixels.

    Raises:
        RecipeError: a setting the net does not have, or out of range.
        InputError: no picture per step, classes the model does not know, or labels of a family that a setting does not suit.
    """

    def __init__(
        self, model: Model, *, batch: int = 64, conf: float | None = None, iou: float | None = None, max_det: int | None = None, nms: str | None = None,
        tile: Any = None, overlap: float | None = None, whole: bool = True, tta: str | None = None, classes: Sequence[str | int] | None = None,
        min_area: int = 0,
    ):  # fmt: skip
        check_batch(batch)
        self.model, self.batch, self.conf, self.min_area = model, batch, conf, min_area
        self.settings = {"conf": conf, "iou": iou, "max_det": max_det, "nms": nms}
        self.views = parse_views(tta)
        self.tiling = parse_tiling(tile, overlap, whole, model.preprocess.size, model.card.recipe)
        self.watched = None if model.card.alarm is None or self.tiling is not None else Watched(model.net, model.card.alarm.steps)
        self._net, self._count = model.net, 0
        self.classes = None if classes is None else _class_indices(classes, model.names)
        family = FAMILIES[model.net.predicts.family]
        if self.tiling is not None and not family.tileable():
            family.stitch([], np.zeros((0, 4), np.int64), (1, 1))
        with decoding(model.net, **self.settings):
            pass

    def labels(self, dataset: Dataset, title: str = "predicting") -> list[Label]:
        """One label per sample, in the pictures' own pixels."""
        return self._seen(dataset, title)[0]

    def _seen(self, dataset: Dataset, title: str = "predicting") -> tuple[list[Label], list[dict[str, Any]]]:
        """Labels, and what the model's alarm says of each picture."""
        model, device = self.model, torch.device(self.model.runner.device)
        net = self._quick(len(dataset))
        with decoding(model.net, **self.settings):
            if self.tiling is not None:
                found = infer_tiles(net, dataset, model.preprocess, self.tiling, device=device, batch=self.batch, views=self.views, title=title)
                told: list[dict[str, Any]] = [{} for _ in found]
            else:
                loader = make_loader(dataset, model.preprocess, self.batch, cache="none")
                with contextlib.closing(loader.store):
                    keys = () if self.watched is None else (SUSPICION,)
                    seen = infer(self.watched or net, loader, len(dataset), device=device, views=self.views, raw_keys=keys, title=title)
                found, told = seen.labels, self._told(seen.raw, len(dataset))
        least = self._least()
        found = found if least is None else [label.confident(least) for label in found]
        found = found if self.classes is None else [label.only(self.classes) for label in found]
        return [label.tidied(self.min_area) for label in found] if self.min_area else found, told

    def _quick(self, count: int) -> Net:
        """The net, with folded norms once there are many pictures."""
        if self._count < MANY <= self._count + count:
            self._net = fused(self.model.net, self.model.preprocess.size)
            self.watched = self.watched and Watched(self._net, self.watched.steps)
        self._count += count
        return self._net

    def _told(self, raw: Mapping[str, np.ndarray], count: int) -> list[dict[str, Any]]:
        """``suspicion`` and ``suspect`` by picture, where the model has an alarm."""
        alarm = self.model.card.alarm
        if alarm is None or SUSPICION not in raw:
            return [{} for _ in range(count)]
        return [{SUSPICION: float(value), "suspect": bool(value > alarm.threshold)} for value in raw[SUSPICION]]

    def _least(self) -> np.ndarray | None:
        """The smallest score that counts, by class: `conf` also bounds what views merged; else the card's thresholds."""
        if self.conf is not None:
            return np.full(max(1, len(self.model.names)), self.conf)
        return None if self.model.card.thresholds is None else np.asarray(self.model.card.thresholds, np.float64)

    def predict(self, dataset: Dataset) -> Dataset:
        """The data set with predictions for labels."""
        labels, told = self._seen(dataset)
        predicted = dataset.with_samples(replace(sample, label=label, extra=extra) for sample, label, extra in zip(dataset.samples, labels, told))
        predicted.space = self.model.net.predicts
        predicted.notes = self._warned(predicted)
        return predicted

    def _warned(self, predicted: Dataset) -> list[str]:
        """A sentence about suspect pictures, or about an alarm that could not be heard."""
        if self.model.card.alarm is None:
            return []
        if self.watched is None:
            return ["the model's alarm for changed pictures looks at whole pictures, not at tiles"]
        suspect = [sample.id for sample in predicted.samples if sample.extra.get("suspect")]
        few = ", ".join(suspect[:5]) + (" …" if len(suspect) > 5 else "")
        return [f"{len(suspect)} of {len(predicted)} pictures are suspect: their answers move too far when small changes are washed out: {few}"] if suspect else []

    def watch(self, source: str | Path | int, *, stride: int = 1, out: Path | None = None) -> Dataset:
        """Predict the frames of a video or camera a batch at a time, in constant memory but for the labels.

        A camera is watched until it ends or the user interrupts (Ctrl-C), which also ends a video early without losing what was seen.

        Args:
            stride: every how many frames one is looked at.
            out: folder for the drawn video, ``NAME.mp4``, written as it goes.

        Returns:
            one sample per frame, without pixels, with ``frame`` and ``seconds`` in its `extra`.
        """
        number = video.camera(source)
        name = Path(str(source)).name if number is None else f"camera{number}"
        rate, count = video.describe(source) if number is None else (25.0, 0)
        writer = None if out is None else video.VideoWriter(out / f"{Path(name).stem}.mp4", max(1.0, rate / stride))
        samples: list[Sample] = []
        notes = []
        with writer or contextlib.nullcontext(), progress("predicting", count // stride) as bar, contextlib.closing(video.frames(source, stride)) as stream:
            try:
                for chunk in chunks(stream, self.batch if number is None else 1):
                    with quiet():
                        labels, told = self._seen(_in_memory([pixels for _, _, pixels in chunk]))
                    for (index, seconds, pixels), label, extra in zip(chunk, labels, told):
                        where = {"frame": index, "seconds": round(seconds, 6), **extra}
                        samples.append(Sample(f"{name}#{index:06d}", {}, label, None, name, None, where))
                        if writer is not None:
                            writer.add(label.draw(pixels, self.model.names))
                    bar.update(len(samples))
            except KeyboardInterrupt:
                notes.append(f"stopped by the user after {len(samples)} frames")
        return Dataset(samples, self.model.net.predicts, name=name, root=None if number is not None else Path(str(source)), format="video", notes=notes)

    def labels_of(self, arrays: Sequence[np.ndarray]) -> list[Label]:
        """One label per picture in memory, without a word on the terminal."""
        with quiet():
            return self.labels(_in_memory(arrays))


def _in_memory(arrays: Sequence[np.ndarray]) -> Dataset:
    return Dataset([Sample(f"{i}", {"image": pixels}) for i, pixels in enumerate(arrays)])


def chunks(stream: Iterable[tuple[int, float, np.ndarray]], size: int) -> Iterator[list[tuple[int, float, np.ndarray]]]:
    """A stream of frames in lists of `size`; the last one may be shorter."""
    chunk = []
    for item in stream:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _class_indices(classes: Sequence[str | int], names: Sequence[str]) -> np.ndarray:
    """Indices of classes given by name or by index; a name wins over an index that looks the same."""
    found = []
    for one in classes:
        if one in names:
            found.append(list(names).index(str(one)))
        elif str(one).isdecimal() and int(one) < max(1, len(names)):
            found.append(int(one))
        else:
            close = nearest(str(one), names)
            raise InputError("the model knows no such class", at="classes", value=one, fix=f"did you mean {', '.join(close)}?" if close else f"one of: {', '.join(names)}"[:300])
    return np.array(sorted(set(found)), np.int64)
