"""A small writer of SVG: elements, text, axes with round ticks, legends. Colors come from the page's style."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vidi.report._plain import shorten, visible

NARROW, WIDE, HEIGHT = 500, 760, 330
COLORS = 8


def element(name: str, body: str | None = None, **attributes: Any) -> str:
    """One SVG element; attribute names end in ``_`` where Python forbids them and take ``_`` for ``-``."""
    parts = []
    for key, value in attributes.items():
        if value is not None:
            text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
            parts.append(f' {key.rstrip("_").replace("_", "-")}="{html.escape(text)}"')
    return f"<{name}{''.join(parts)}/>" if body is None else f"<{name}{''.join(parts)}>{body}</{name}>"


def words(text: Any, x: float, y: float, limit: int | None = None, **attributes: Any) -> str:
    """Escaped text at a place; what is cut off stays readable as a tooltip."""
    full = visible(text)
    shown = full if limit is None else shorten(full, limit)
    title = f"<title>{html.escape(full)}</title>" if shown != full else ""
    return element("text", html.escape(shown) + title, x=x, y=y, **attributes)


def text_width(text: str, size: float = 13) -> float:
    """Roughly how wide a line is, in pixels."""
    return size * sum(1.0 if ord(c) > 0x2E80 else 0.36 if c in "il.,:;'|!" else 0.61 for c in text)


def drawing(parts: Iterable[str], width: float, height: float, label: str, least: float | None = None) -> str:
    """A chart that shrinks with the page down to `least` pixels, then scrolls."""
    least = min(width, least or (340 if width <= NARROW else 560))
    return element(
        "svg", "".join(parts), viewBox=f"0 0 {width:.0f} {height:.0f}", role="img", aria_label=visible(label), class_="chart",
        style=f"max-width:{width * 1.1:.0f}px;min-width:{least:.0f}px",
    )  # fmt: skip


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers (1, 2, 2.5 or 5 times a power of ten) from at or below `low` to at or above `high`."""
    if not high > low:
        pad = abs(low) * 0.1 or 1.0
        low, high = low - pad, high + pad
    rough = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten around a positive range, with 2 and 5 between them when there are few."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    last = max(last, first + 1)
    stride = max(1, (last - first) // 6)
    factors = (1, 2, 5) if last - first <= 2 else (1,)
    ticks = [
        factor * 10.0**power for power in range(first, last + 1, stride) for factor in factors if power < last or factor == 1
    ]
    ticks += [10.0**last] if ticks[-1] < high else []
    start = max(i for i, tick in enumerate(ticks) if tick <= low * (1 + 1e-9))
    stop = min(i for i, tick in enumerate(ticks) if tick >= high * (1 - 1e-9))
    return ticks[start : max(stop, start + 1) + 1]


def tick_text(value: float, ticks: Sequence[float], log: bool = False) -> str:
    if value == 0:
        return "0"
    if log or max(abs(tick) for tick in ticks) >= 1e7 or max(abs(tick) for tick in ticks) < 1e-4:
        return (
            f"{value:g}".replace("-", "−")
            if 1e-4 <= abs(value) < 1e5
            else f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("-", "−")
        )
    step = min((b - a for a, b in zip(ticks, ticks[1:])), default=1.0)
    decimals = next((d for d in range(6) if abs(round(step, d) - step) < step * 1e-6), 6)
    return f"{value:,.{decimals}f}".replace(",", "\u2009" if abs(value) >= 10_000 else "").replace("-", "−")


@dataclass(frozen=True)
class Axis:
    """Maps values low..high to pixels start..stop."""

    low: float
    high: float
    start: float
    stop: float
    ticks: tuple[float, ...]
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (math.log10(v) for v in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        return self.start + (value - low) / (high - low) * (self.stop - self.start)

    @classmethod
    def over(
        cls, values: Sequence[float], start: float, stop: float, *, log: bool = False,
        limits: Sequence[float] | None = None, tight: bool = False, count: int = 5,
    ) -> Axis:  # fmt: skip
        """An axis with round ends around the values, or with given ends; `tight` ends at the values themselves."""
        low, high = (float(limits[0]), float(limits[1])) if limits else (min(values), max(values)) if values else (0.0, 1.0)
        if log:
            low, high = (low, high) if low > 0 else (min((v for v in values if v > 0), default=1.0), max(high, 10.0))
            ticks = log_ticks(low, high)
            return cls(ticks[0], ticks[-1], start, stop, tuple(ticks), True)
        ticks = nice_ticks(low, high, count)
        if (limits or tight) and high > low:
            inside = [tick for tick in ticks if low - 1e-9 * (high - low) <= tick <= high + 1e-9 * (high - low)]
            return cls(low, high, start, stop, tuple(inside))
        return cls(ticks[0], ticks[-1], start, stop, tuple(ticks))


def frame(x: Axis, y: Axis, x_name: str, y_name: str) -> list[str]:
    """Grid lines, tick labels and the names of both axes."""
    parts = []
    for tick in y.ticks:
        parts.append(element("line", x1=x.start, x2=x.stop, y1=y(tick), y2=y(tick), class_="base" if tick == 0 else "grid"))
        parts.append(words(tick_text(tick, y.ticks, y.log), x.start - 8, y(tick) + 4, class_="tick end"))
    for tick in x.ticks:
        parts.append(element("line", x1=x(tick), x2=x(tick), y1=y.start, y2=y.start + 4, class_="grid"))
        parts.append(words(tick_text(tick, x.ticks, x.log), x(tick), y.start + 18, class_="tick mid"))
    if x_name:
        parts.append(words(x_name, (x.start + x.stop) / 2, y.start + 38, 70, class_="name mid"))
    if y_name:
        parts.append(words(y_name, 4, y.stop - 14, 70, class_="name"))
    return parts


def legend(names: Sequence[str], width: float, classes: Sequence[str] = ()) -> tuple[list[str], float]:
    """A row (or rows) of color and name, and its height; nothing for a single unnamed or lone series. Where colors come again their keys are hollow."""
    if len(names) < 2:
        return [], 0.0
    parts, x, y = [], 4.0, 14.0
    for index, name in enumerate(names):
        shown = shorten(visible(name), 32)
        step = 20 + text_width(shown) + 16
        if x > 4 and x + step > width:
            x, y = 4.0, y + 20
        kind = classes[index] if index < len(classes) else f"c{index % COLORS}"
        look = "line" if index >= max(COLORS, len(classes)) else "fill"
        parts.append(element("rect", x=x, y=y - 9, width=12, height=10, rx=2, class_=f"{look} {kind}"))
        parts.append(words(name, x + 18, y, 32, class_="key"))
        x += step
    return parts, y + 10
