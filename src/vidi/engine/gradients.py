"""Is every layer learning? Gradient and weight norms by layer, once per epoch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from vidi.core.net import Net


class GradientLog:
    """Appends one row per epoch to ``gradients.jsonl``: the gradient's norm divided by the weight's, by parameter."""

    name = "gradients"

    def __init__(self, net: Net, path: Path):
        self.net, self.path = net, path

    def take(self, epoch: int) -> None:
        """Record the gradients that are there now."""
        learning = [(name, p, p.grad) for name, p in self.net.named_parameters() if p.grad is not None and p.ndim > 1]
        if not learning:
            return
        gradients = torch.stack(torch._foreach_norm([gradient for _, _, gradient in learning])).tolist()
        weights = torch.stack(torch._foreach_norm([p.detach() for _, p, _ in learning])).tolist()
        row = {"epoch": epoch, "layers": {name: g / max(w, 1e-12) for (name, _, _), g, w in zip(learning, gradients, weights)}}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def position(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def rewind(self, position: int) -> None:
        if self.path.exists():
            with open(self.path, "r+b") as file:
                file.truncate(position)


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a gradient log."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def figure(rows: list[dict[str, Any]], most: int = 12) -> dict[str, Any] | None:
    """Lines of relative gradient size by layer over epochs; of many layers an even choice is shown."""
    if not rows:
        return None
    layers = list(rows[-1]["layers"])
    chosen = layers if len(layers) <= most else [layers[round(i * (len(layers) - 1) / (most - 1))] for i in range(most)]
    series = [{"name": layer, "x": [row["epoch"] for row in rows], "y": [row["layers"].get(layer) for row in rows]} for layer in chosen]
    return {
        "kind": "lines", "title": "Is every layer learning? Gradient norm / weight norm", "xlabel": "epoch", "ylabel": "ratio", "log": True,
        "series": series,
    }  # fmt: skip
