"""Measure a model: latency, throughput, size, memory, operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from vidi.model import Model
    from vidi.report import Report


def benchmark(
    model: str | Path | Model,
    *,
    batch: int = 1,
    runs: int = 50,
    device: str = "auto",
    code: list[str] | None = None,
    threads: int | None = None,
    precision: str = "fp32",
    out: str | None = None,
) -> Report:
    """Measure a model on this machine: latency p50 and p95, throughput, file size, memory, parameters, multiply-adds.

    Args:
        model: a .vidi file or a run folder.
        batch: pictures per call for the latency; throughput is measured at 1, 8 and 32 as well.
        runs: timed calls, after warming up.
        device: auto, cpu, cuda, cuda:N or mps.
        code: Python files of the model's own net, head, backbone, neck or steps, which may be run.
        threads: CPU threads; left out: torch's choice.
        precision: fp32 or bf16.
        out: folder for report.json and report.html.

    Returns:
        A report.
    """
    from pathlib import Path

    from vidi.engine import device as devices
    from vidi.engine import speed
    from vidi.model import load

    where = devices.choose(device)
    loaded = load(model, device=str(where), code=code or [])
    path = Path(model) if isinstance(model, (str, Path)) else None
    report = speed.measure(loaded, path, where, batch=batch, runs=runs, threads=threads, precision=precision)
    if out:
        report.save(Path(out) / "report.json")
        report.html(Path(out) / "report.html")
    return report
