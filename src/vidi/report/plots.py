"""Training curves as a picture file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidi.core.files import atomic_write

_X = ("epoch", "step", "batch", "time", "seconds")
_SIDE = re.compile(r"^(train|val|valid|test|ema)[/_.](.+)$")


def curves_png(rows: Sequence[Mapping[str, Any]], path: str | Path) -> Path:
    """Draw every numeric column of a run's rows, one panel per quantity, and write it as PNG, whole or not at all.

    Args:
        rows: one dict per epoch (or step), such as the lines of ``results.csv``. ``epoch`` or else ``step`` is the x
            axis. Columns that differ by ``train_``, ``val_`` or ``test_`` in front share a panel. Missing and non-finite values
            are gaps.
        path: the file to write; no rows give an empty picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    panels, x, x_name = _panels(rows)
    count = max(1, len(panels))
    across = min(3, count)
    down = -(-count // across)
    figure = Figure(figsize=(4.4 * across, 3.1 * down), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    for place, (name, lines) in enumerate(panels.items()):
        axes = figure.add_subplot(down, across, place + 1)
        for side, values in lines.items():
            axes.plot(x, values, marker="o" if len(x) < 25 else None, markersize=3, linewidth=1.6, label=side or name)
        axes.set_title(_plain(name), fontsize=10, loc="left")
        axes.set_xlabel(x_name, fontsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=x_name in ("epoch", "step", "row")))
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        if len(lines) > 1:
            axes.legend(fontsize=8, frameon=False)
    with atomic_write(Path(path)) as file:
        figure.savefig(file, format="png")
    return Path(path)


def _panels(rows: Sequence[Mapping[str, Any]]) -> tuple[dict[str, dict[str, list[float]]], list[float], str]:
    """Values by quantity and side, the x values, and what x is."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    x_name = next((key for key in _X[:2] if any(_number(row.get(key)) is not None for row in rows)), "row")
    places = [_number(row.get(x_name)) for row in rows]
    x = [float(index) if value is None else value for index, value in enumerate(places)]
    panels: dict[str, dict[str, list[float]]] = {}
    for column in columns:
        values = [_number(row.get(column)) for row in rows]
        if column in _X or all(value is None for value in values):
            continue
        match = _SIDE.match(column)
        side, name = (match[1], match[2]) if match else ("", column)
        panels.setdefault(name, {})[side] = [math.nan if value is None else value for value in values]
    return panels, x, x_name


def _number(value: Any) -> float | None:
    """A finite number, also from text as in a CSV file."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return result if math.isfinite(result) else None


def _plain(name: str) -> str:
    """A title that matplotlib takes as text, not as a formula."""
    return name.replace("$", r"\$")
