"""How good a denoiser is on held-out pictures, beside the noisy pictures and plain filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidi.core import discovery
from vidi.core.console import progress
from vidi.core.seeds import Draw
from vidi.methods.denoise._noise import Sigma, mixed, neighbors
from vidi.metrics._bootstrap import percentiles, resamples
from vidi.nets.blocks.denoiser import Denoiser
from vidi.ops.similarity import psnr, ssim
from vidi.report import Report
from vidi.report.pictures import encode

SHARES = (0.2, 0.5, 1.0)
"""Strengths that are measured, as shares of the strongest that was trained on."""
ROOM, RIVALS = "nets/enhance", ("median", "bilateral")
SHOWN, SIDE, INTERVALS, CHUNK = 4, 160, 200, 16

Filter = Callable[[Tensor], Tensor]


def contenders(net: Denoiser) -> dict[str, Filter]:
    """What is compared: nothing, the plain filters that there are, and the denoiser."""
    filters: dict[str, Filter] = {"noisy": lambda x: x}
    for name in RIVALS:
        if name in discovery.names(ROOM):
            filters[name] = discovery.member(discovery.load(ROOM, name), "enhance", ROOM)()
    return filters | {"denoised": lambda x: net(x).clamp(0, 1)}


@torch.inference_mode()
def by_level(net: Denoiser, clean: Tensor, sigma: Sigma, device: torch.device, seed: int = 0) -> Report:
    """PSNR and SSIM to the clean pictures (N, 3, H, W) at several strengths of Gaussian noise and at one of shot noise, rounded to 8 bits:
    ``psnr_denoised_25`` is that at a standard deviation of 25 gray levels, ``…_shot25`` that of shot noise as strong on mid-gray."""
    filters, report = contenders(net.to(device).eval()), Report("denoiser")
    strongest = max(SHARES) * sigma.high
    cells = [(f"{255 * share * sigma.high:.0f}", share * sigma.high, 0.0) for share in SHARES] + [(f"shot{255 * strongest / 2:.0f}", strongest / 2, 1.0)]
    with progress("measuring", len(cells)) as bar:
        for done, (level, strength, shot) in enumerate(cells, 1):
            values = _measured(filters, clean, strength, shot, device, Draw.samples(seed, 0, np.arange(len(clean))).child(level))
            _add(report, values, level, len(clean))
            bar.update(done, level)
    gallery = _gallery(filters, clean[:SHOWN], strongest / 2, device, seed)
    report.sections = [*_figures(report, [cell[0] for cell in cells], list(filters)), *gallery]
    net.cpu()
    return report


def _noisy(clean: Tensor, strength: float, shot: float, draw: Draw) -> Tensor:
    ones = torch.ones(len(clean))
    return mixed(clean, strength * ones, shot * ones, draw).mul(255).round().div(255)


def _measured(filters: Mapping[str, Filter], clean: Tensor, strength: float, shot: float, device: torch.device, draw: Draw) -> dict[str, np.ndarray]:
    """(N,) by ``psnr_NAME`` and ``ssim_NAME``."""
    found: dict[str, list[Tensor]] = {}
    for start in range(0, len(clean), CHUNK):
        rows = torch.arange(start, min(start + CHUNK, len(clean)))
        truth = clean[rows].to(device)
        noisy = _noisy(clean[rows], strength, shot, draw[rows]).to(device)
        for name, apply in filters.items():
            out = apply(noisy)
            for measure, values in (("psnr", psnr(out, truth)), ("ssim", ssim(out, truth))):
                found.setdefault(f"{measure}_{name}", []).append(values.cpu())
    return {name: torch.cat(parts).numpy() for name, parts in found.items()}


def _add(report: Report, values: Mapping[str, np.ndarray], level: str, count: int) -> None:
    """Means with intervals over pictures, on the same resamples throughout."""
    drawn = np.concatenate(list(resamples(count, INTERVALS, 0)) or [np.zeros((0, count))])
    for name, rows in sorted(values.items()):
        key = f"{name}_{level}"
        report.numbers[key], report.n[key] = float(rows.mean()), count
        interval = percentiles(drawn @ rows / count, 0.95) if len(drawn) else None
        if interval is not None:
            report.intervals[key] = interval


def _figures(report: Report, levels: list[str], names: list[str]) -> list[dict[str, Any]]:
    plain = [level for level in levels if level.isdigit()]
    found = []
    for measure, title, unit in (("psnr", "PSNR by noise", "dB"), ("ssim", "SSIM by noise", "SSIM")):
        series = [{"name": name, "x": [int(level) for level in plain], "y": [report.numbers[f"{measure}_{name}_{level}"] for level in plain], "marks": True} for name in names]
        found.append({"kind": "lines", "title": title, "xlabel": "standard deviation, gray levels", "ylabel": unit, "series": series})
    return found


def _gallery(filters: Mapping[str, Filter], clean: Tensor, strength: float, device: torch.device, seed: int) -> list[dict[str, Any]]:
    noisy = _noisy(clean, strength, 0.0, Draw.samples(seed, 0, np.arange(len(clean))).child("shown")).to(device)
    rows = [clean, *(apply(noisy).cpu() for apply in filters.values())]
    pixels = [torch.cat(list(parts), 2).clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy() for parts in zip(*rows)]
    items = [{"image": encode(np.ascontiguousarray(one), SIDE * len(rows)), "caption": f"held out {i + 1}"} for i, one in enumerate(pixels)]
    return [{"kind": "gallery", "title": f"Clean, then {', '.join(filters)}", "items": items, "note": f"Noise of {255 * strength:.0f} gray levels."}]


@torch.inference_mode()
def by_halves(net: Denoiser, noisy: Tensor, device: torch.device, seed: int = 0) -> Report:
    """Without clean pictures: how well one half of a noisy picture tells the other (see `neighbors`), in gray levels, root mean square. The
    other half's own noise is part of all of these; what is below ``half_error_noisy`` was taken away."""
    filters, report = contenders(net.to(device).eval()), Report("denoiser")
    tall, wide = (side // 2 * 2 for side in noisy.shape[2:])
    choice = Draw.samples(seed, 0, np.arange(len(noisy))).integers(8, tall // 2, wide // 2)
    one, other = (half.to(device) for half in neighbors(noisy[:, :, :tall, :wide].contiguous(), choice))
    values = {f"half_error_{name}": 255 * (apply(one) - other).square().flatten(1).mean(1).sqrt().cpu().numpy() for name, apply in filters.items()}
    drawn = np.concatenate(list(resamples(len(noisy), INTERVALS, 0)) or [np.zeros((0, len(noisy)))])
    for key, rows in values.items():
        report.numbers[key], report.n[key] = float(rows.mean()), len(noisy)
        interval = percentiles(drawn @ rows / len(noisy), 0.95) if len(drawn) else None
        if interval is not None:
            report.intervals[key] = interval
    note = "Noisy pictures have no truth. One half of the pixels, denoised, is compared with the other half, whose own noise stays in every number."
    report.sections = [{"kind": "text", "title": "What is measured", "text": note}]
    net.cpu()
    return report
