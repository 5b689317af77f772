"""Timing and sizing of a model."""

from __future__ import annotations

import contextlib
import io
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from vidi.core.batch import check_batch
from vidi.errors import InputError
from vidi.model import Model
from vidi.report import Report

BATCHES = (1, 8, 32)
WARM_UP = 5


def measure(model: Model, path: Path | None, device: torch.device, *, batch: int, runs: int, threads: int | None, precision: str) -> Report:
    """Latency, throughput, end-to-end time from file bytes, size, memory and operations of a model on this machine."""
    if precision not in ("fp32", "bf16"):
        raise InputError("fp32 or bf16", at="precision", value=precision)
    check_batch(batch)
    if runs < 1:
        raise InputError("at least one run", at="runs", value=runs)
    before = torch.get_num_threads()
    if threads:
        torch.set_num_threads(threads)
    try:
        times = {size: _times(model, size, runs if size == batch else max(5, runs // 5), device, precision) for size in dict.fromkeys((batch, *BATCHES))}
        whole = _whole(model, runs)
    finally:
        used = torch.get_num_threads()
        torch.set_num_threads(before)
    latency = times[batch] * 1000
    file = path / "weights" / "best.vidi" if path is not None and path.is_dir() else path
    numbers: dict[str, float | None] = {
        "latency_p50_ms": float(np.percentile(latency, 50)),
        "latency_p95_ms": float(np.percentile(latency, 95)),
        "latency_mean_ms": float(latency.mean()),
        "file_to_label_p50_ms": float(np.percentile(whole * 1000, 50)),
        **{f"pictures_per_second_batch{size}": float(size / np.median(seconds)) for size, seconds in times.items()},
        "parameters": float(sum(p.numel() for p in model.net.parameters())),
        "multiply_adds": float(multiply_adds(model)),
        "file_mib": file.stat().st_size / 2**20 if file is not None else None,
        "peak_memory_mib": _peak_memory(device),
    }
    about = {
        "model": str(path) if path else model.card.net, "device": _device_name(device), "threads": used, "batch": batch, "runs": runs, "precision": precision,
        "input": list(model.preprocess.size), "torch": str(torch.__version__),
    }  # fmt: skip
    series = [{"name": "pictures/s", "x": sorted(times), "y": [float(size / np.median(times[size])) for size in sorted(times)]}]
    figure = {"kind": "lines", "title": "Throughput by batch size", "xlabel": "pictures per call", "ylabel": "pictures per second", "series": series}
    return Report("benchmark", numbers, about, {}, {}, [figure])


@torch.inference_mode()
def _times(model: Model, batch: int, runs: int, device: torch.device, precision: str) -> np.ndarray:
    images = torch.full((batch, 3, *model.preprocess.size), 0.5, device=device)
    half = torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()
    times = []
    with half:
        for i in range(WARM_UP + max(1, runs)):
            _wait(device)
            start = time.perf_counter()
            model.net({"image": images})
            _wait(device)
            if i >= WARM_UP:
                times.append(time.perf_counter() - start)
    return np.array(times)


def _whole(model: Model, runs: int) -> np.ndarray:
    """Seconds from the bytes of a JPEG to its label."""
    from PIL import Image

    size = [max(side, 64) for side in model.preprocess.size]
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    times = []
    for i in range(WARM_UP + max(1, runs)):
        start = time.perf_counter()
        model(buffer.getvalue())
        if i >= WARM_UP:
            times.append(time.perf_counter() - start)
    return np.array(times)


@torch.inference_mode()
def multiply_adds(model: Model) -> int:
    """Multiply-adds of convolutions and matrix products for one picture."""
    total = 0
    handles = []

    def count(module: Any, inputs: tuple, output: Any) -> None:
        nonlocal total
        if isinstance(module, nn.Linear):
            total += output.numel() * module.in_features
        else:
            total += output.numel() * module.weight[0].numel()

    for module in model.net.modules():
        weight = getattr(module, "weight", None)
        if isinstance(module, nn.Linear) or (isinstance(weight, torch.Tensor) and weight.ndim == 4):
            handles.append(module.register_forward_hook(count))
    try:
        device = next(model.net.parameters()).device
        model.net({"image": torch.full((1, 3, *model.preprocess.size), 0.5, device=device)})
    finally:
        for handle in handles:
            handle.remove()
    return total


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _peak_memory(device: torch.device) -> float | None:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if platform.system() == "Darwin" else 2**10)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type} {platform.machine()}"
