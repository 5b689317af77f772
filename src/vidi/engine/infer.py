"""Running a net over a data set."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from vidi.core.batch import Batch
from vidi.core.console import progress
from vidi.core.net import Net
from vidi.engine.views import View, look, merged
from vidi.labels import Label


@dataclass(slots=True)
class Inference:
    """What a net said of a data set, in the data set's order.

    Args:
        labels: one per sample, in the original picture's pixels.
        losses: (N,) the loss per sample where truth is known, NaN elsewhere; None when not asked for.
        features: (N, D) when asked for.
        raw: raw outputs by key, (N, …), when asked for.
    """

    labels: list[Label]
    losses: np.ndarray | None = None
    features: np.ndarray | None = None
    raw: dict[str, np.ndarray] = field(default_factory=dict)


def to_float(batch: Batch, device: torch.device) -> Batch:
    """The batch on the device with uint8 pictures as float in 0..1, channels last."""
    inputs = {key: value.to(device, non_blocking=True) for key, value in batch.inputs.items()}
    if "image" in inputs and not inputs["image"].is_floating_point():
        inputs["image"] = inputs["image"].to(torch.float32, memory_format=torch.channels_last).div_(255)
    return Batch(inputs, batch.labels, batch.frames, batch.indices)


def forward_of(net: Net, device: torch.device, precision: str = "fp32") -> Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
    """The net's forward in a precision (``fp32`` or ``bf16``), with float32 raw outputs."""

    def forward(inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        half = torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()
        with half:
            return {key: value.float() for key, value in net(inputs).items()}

    return forward


@torch.inference_mode()
def infer(
    net: Net, loader: Any, count: int, *, device: torch.device, precision: str = "fp32", losses: bool = False, features: bool = False,
    raw_keys: tuple[str, ...] = (), views: Sequence[View] = (), title: str = "predicting",
) -> Inference:  # fmt: skip
    """Labels for samples 0..count−1 of a loader's data set; the net is put into evaluation mode and left so.

    Args:
        net: on `device`.
        loader: `vidi.data.loader.Loader`.
        precision: ``fp32`` or ``bf16``.
        losses, features, raw_keys: what else to keep.
        views: further views of each picture, whose labels are merged with the plain one's (`vidi.engine.views`); losses, features and raw
            outputs are those of the plain view.
        title: of the progress bar.
    """
    net.eval()
    labels: list[Label] = []
    kept: dict[str, list[np.ndarray]] = {key: [] for key in (*raw_keys, *(("features",) if features else ()))}
    loss_parts: list[np.ndarray] = []
    forward = forward_of(net, device, precision)
    stream = loader.batches(np.arange(count))
    with progress(title, count) as bar, contextlib.closing(stream):
        for batch in stream:
            batch = to_float(batch, device)
            raw = forward(batch.inputs)
            plain = [frame.home(label) for frame, label in zip(batch.frames, net.decode(raw))]
            labels.extend(label.compact() for label in merged(plain, look(net, forward, batch, views)))
            if losses:
                loss_parts.append(_losses(net, raw, batch.labels))
            for key, values in kept.items():
                values.append(raw[key].cpu().numpy())
            bar.update(len(labels))
    joined = {key: np.concatenate(values) if values else np.zeros((0,), np.float32) for key, values in kept.items()}
    total = (np.concatenate(loss_parts) if loss_parts else np.zeros(0, np.float32)) if losses else None
    return Inference(labels, total, joined.get("features"), {key: joined[key] for key in raw_keys})


def _losses(net: Net, raw: dict[str, torch.Tensor], labels: list[Label | None]) -> np.ndarray:
    known = {i: label for i, label in enumerate(labels) if label is not None}
    result = np.full(len(labels), np.nan, np.float32)
    if known:
        places = list(known)
        index = torch.as_tensor(places, device=next(iter(raw.values())).device)
        parts = net.loss({key: value[index] for key, value in raw.items()}, list(known.values()))
        total: Any = sum(parts.values())
        result[places] = total.cpu().numpy()
    return result
