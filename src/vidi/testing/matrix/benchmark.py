"""Times, sizes and operations are measured and agree with each other."""

from __future__ import annotations

import vidi
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row


def check(row: Row) -> Found:
    numbers = vidi.benchmark(row.path, runs=5, threads=1, device="cpu", code=row.code).numbers
    value = {name: numbers[name] or 0.0 for name in ("latency_p50_ms", "latency_p95_ms", "parameters", "multiply_adds", "file_mib")}
    counted = sum(p.numel() for p in row.model.net.parameters())
    holds = 0 < value["latency_p50_ms"] <= value["latency_p95_ms"] and value["parameters"] == counted and value["multiply_adds"] > 0
    size = row.path.stat().st_size / 2**20
    words = f"{value['parameters'] / 1e6:.3f} M parameters, {value['multiply_adds'] / 1e6:.2f} M multiply-adds"
    return Found(holds and abs(value["file_mib"] - size) < 1e-3, words, {name: value[name] for name in ("parameters", "multiply_adds")})
