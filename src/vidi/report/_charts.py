"""The charts: lines, points, bars and heat maps, each from a section to one SVG."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from vidi.report._plain import number, shorten, visible
from vidi.report._svg import COLORS, HEIGHT, WIDE, Axis, drawing, element, frame, legend, text_width, tick_text, words


def _known(value: Any) -> bool:
    return value is not None and math.isfinite(value)


def _thin(points: list[tuple[float, float]], limit: int = 800) -> list[tuple[float, float]]:
    """At most about `limit` points of a line: the lowest and highest of each stretch, so that no peak is lost."""
    if len(points) <= limit:
        return points
    stretch = -(-len(points) // (limit // 2))
    kept = []
    for start in range(0, len(points), stretch):
        part = points[start : start + stretch]
        ends = {min(range(len(part)), key=lambda i: part[i][1]), max(range(len(part)), key=lambda i: part[i][1])}
        kept += [part[i] for i in sorted(ends)]
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


_POINTS = ("x", "y", "low", "high", "labels", "dash", "marks")


def _series(section: dict[str, Any]) -> list[dict[str, Any]]:
    """The series with x, y, low and high as equal-length lists, unplottable points as None."""
    x_log, y_log = bool(section.get("xlog")), bool(section.get("log"))
    result = []
    for series in section["series"] if "series" in section else [{key: section[key] for key in _POINTS if key in section}]:
        y = list(series["y"])
        x = list(series.get("x") or range(len(y)))
        if len(x) != len(y):
            raise ValueError(f"series {series.get('name')!r}: {len(x)} x for {len(y)} y")
        good = [_known(a) and _known(b) and not (x_log and a <= 0) and not (y_log and b <= 0) for a, b in zip(x, y)]
        result.append(series | {"points": [(float(a), float(b)) if ok else None for a, b, ok in zip(x, y, good)], "x": x})
    return result


def _canvas(
    section: dict[str, Any], series: list[dict[str, Any]], width: float, points_only: bool
) -> tuple[list[str], Axis, Axis, float]:
    """Legend, axes and frame for series of points, and the chart's height."""
    points = [point for one in series for point in one["points"] if point]
    bands = [
        v
        for one in series
        for key in ("low", "high")
        for v in one.get(key) or ()
        if _known(v) and not (section.get("log") and v <= 0)
    ]
    parts, top = legend([str(one.get("name", "")) for one in series], width)
    top += 28 if section.get("ylabel") else 12
    bottom = top + HEIGHT - 80
    x_values, y_values = [p[0] for p in points], [p[1] for p in points] + [float(v) for v in bands]
    if section.get("diagonal"):
        x_values = y_values = x_values + y_values
    x_range, y_range = section.get("x_range"), section.get("y_range")
    if section.get("diagonal") and x_values and 0 <= min(x_values) and max(x_values) <= 1:
        x_range, y_range = x_range or (0.0, 1.0), y_range or (0.0, 1.0)
    if points_only:
        x_range, y_range = x_range or _padded(x_values), y_range or _padded(y_values)
    y = Axis.over(y_values, bottom, top, log=bool(section.get("log")), limits=y_range)
    left = 16 + max((text_width(tick_text(tick, y.ticks, y.log), 12) for tick in y.ticks), default=24)
    x = Axis.over(
        x_values, left, width - 14, log=bool(section.get("xlog")), limits=x_range, tight=True, count=max(4, int(width / 90))
    )
    if x_values and all(value.is_integer() for value in x_values):
        x = replace(x, ticks=tuple(tick for tick in x.ticks if abs(tick - round(tick)) < 1e-9))
    parts += frame(x, y, str(section.get("xlabel") or ""), str(section.get("ylabel") or ""))
    if section.get("diagonal"):
        low, high = max(x.low, y.low), min(x.high, y.high)
        parts.append(element("line", x1=x(low), y1=y(low), x2=x(high), y2=y(high), class_="diagonal"))
    if not points:
        parts.append(words("no data", (x.start + x.stop) / 2, (y.start + y.stop) / 2, class_="name mid"))
    return parts, x, y, bottom + (48 if section.get("xlabel") else 26)


def _padded(values: Sequence[float]) -> tuple[float, float] | None:
    """The range of the values with a little room, so that no point lies on the frame."""
    room = 0.04 * (max(values) - min(values)) if values else 0.0
    return (min(values) - room, max(values) + room) if room > 0 else None


def _path(points: Iterable[tuple[float, float]], x: Axis, y: Axis) -> str:
    return " ".join(f"{'M' if i == 0 else 'L'}{x(a):.1f} {y(b):.1f}" for i, (a, b) in enumerate(points))


def _stretches(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """Runs of known points."""
    result: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            result.append([])
        else:
            result[-1].append(point)
    return [run for run in result if run]


def lines(section: dict[str, Any], width: float = WIDE) -> str:
    """Lines through points; None breaks a line, `low` and `high` shade a band around it."""
    series = _series(section)
    parts, x, y, height = _canvas(section, series, width, points_only=False)
    for index, one in enumerate(series):
        color = f"c{index % COLORS}"
        if one.get("low") and one.get("high"):
            edges = [
                (float(a), float(b), float(c))
                for a, b, c in zip(one["x"], one["low"], one["high"])
                if _known(a) and _known(b) and _known(c)
            ]
            outline = [(a, c) for a, _, c in edges] + [(a, b) for a, b, _ in reversed(edges)]
            if outline and not (y.log and min(b for _, b in outline) <= 0):
                parts.append(element("path", d=_path(outline, x, y) + "Z", class_=f"band {color}"))
        for run in _stretches(one["points"]):
            if len(run) > 1:
                parts.append(
                    element("path", d=_path(_thin(run), x, y), class_=f"line {color}{' dash' if one.get('dash') or index >= COLORS else ''}")
                )
            if len(run) == 1 or one.get("marks") or len(one["points"]) <= 24:
                parts += [_mark(point, x, y, color, one, None) for point in run]
    return drawing(parts, width, height, str(section.get("title", "lines")))


def _mark(
    point: tuple[float, float], x: Axis, y: Axis, color: str, series: dict[str, Any], label: Any, radius: float = 2.6
) -> str:
    said = ", ".join(str(part) for part in (label, series.get("name")) if part)
    title = html.escape(visible(f"{said + ': ' if said else ''}{number(point[0])}, {number(point[1])}"))
    return element("circle", f"<title>{title}</title>", cx=x(point[0]), cy=y(point[1]), r=radius, class_=f"fill {color}")


def scatter(section: dict[str, Any], width: float = WIDE) -> str:
    """Points; of more than 3000 in a series, evenly spaced ones are drawn."""
    series = _series(section)
    parts, x, y, height = _canvas(section, series, width, points_only=True)
    for index, one in enumerate(series):
        labels = one.get("labels") or []
        known = [(point, labels[i] if i < len(labels) else None) for i, point in enumerate(one["points"]) if point]
        stride = max(1, -(-len(known) // 3000))
        radius = 3.4 if len(known) < 300 else 2.2
        group = [_mark(point, x, y, f"c{index % COLORS}", one, label, radius) for point, label in known[::stride]]
        parts.append(element("g", "".join(group), opacity=0.75 if len(known) < 300 else 0.45))
    return drawing(parts, width, height, str(section.get("title", "points")))


def bars(section: dict[str, Any], width: float = WIDE) -> str:
    """Bars from zero: lying, with the names before them, or upright for histograms."""
    series = section.get("series") or [{"values": section["values"], "low": section.get("low"), "high": section.get("high")}]
    names = [visible(name) for name in section["labels"]]
    for one in series:
        if len(one["values"]) != len(names):
            raise ValueError(f"{len(one['values'])} values for {len(names)} names")
    return (_upright if section.get("upright", _numeric(names)) else _lying)(section, names, series, width)


def _numeric(names: Sequence[str]) -> bool:
    """Whether the names are the bins of a histogram."""
    return len(names) >= 5 and all(name[:1].isdigit() or name[:1] in "-−+." for name in names if name)


def _bounds(series: Sequence[dict[str, Any]]) -> list[float]:
    return [0.0] + [float(v) for one in series for key in ("values", "low", "high") for v in one.get(key) or () if _known(v)]


def _lying(section: dict[str, Any], names: list[str], series: Sequence[dict[str, Any]], width: float) -> str:
    shown = names[:80]
    parts, top = legend([str(one.get("name", "")) for one in series], width)
    thick = 18.0 if len(series) == 1 else 12.0
    pitch = thick * len(series) + 8
    left = min(220.0, 16 + max((text_width(name) for name in shown), default=0))
    bottom = top + 8 + pitch * len(shown)
    x = Axis.over(_bounds(series), left, width - 64, limits=section.get("x_range"))
    y = Axis(0, 1, bottom, top + 4, ())
    for tick in x.ticks:
        parts.append(element("line", x1=x(tick), x2=x(tick), y1=top + 4, y2=bottom, class_="grid"))
    parts += frame(x, y, str(section.get("xlabel") or ""), "")
    for i, name in enumerate(shown):
        middle = top + 8 + pitch * i + (pitch - 8) / 2
        parts.append(words(name, left - 8, middle + 4.5, 30, class_="key end"))
        for j, one in enumerate(series):
            parts.append(
                _bar(one, i, j, x, lambda a, b, place=top + 8 + pitch * i + thick * j: _flat(a, b, place, thick), thick, name)
            )
    parts.append(element("line", x1=x(0), x2=x(0), y1=top + 4, y2=bottom, class_="base") if x.low <= 0 <= x.high else "")
    height = bottom + (48 if section.get("xlabel") else 28)
    if len(names) > len(shown):
        parts.append(
            words(f"{len(shown)} of {len(names)} shown; the report's JSON has all", width / 2, height + 8, class_="tick mid")
        )
        height += 18
    return drawing(parts, width, height, str(section.get("title", "bars")))


def _flat(a: float, b: float, place: float, thick: float) -> dict[str, float]:
    return {"x": min(a, b), "y": place + 1, "width": max(1.0, abs(b - a)), "height": thick - 2}


def _bar(one: dict[str, Any], i: int, j: int, x: Axis, box: Callable[..., dict[str, float]], thick: float, name: str) -> str:
    """One lying bar with its value and whisker."""
    value = one["values"][i]
    if not _known(value):
        return ""
    ends = box(x(min(max(0.0, x.low), x.high)), x(min(max(value, x.low), x.high)))
    parts = [
        element("rect", f"<title>{html.escape(name)}: {number(value)}</title>", rx=2, class_=f"fill c{j % COLORS}", **ends)
    ]
    reach, middle = ends["x"] + (ends["width"] if value >= 0 else 0), ends["y"] + ends["height"] / 2
    low, high = ((one.get(key) or [None] * (i + 1))[i] for key in ("low", "high"))
    if _known(low) and _known(high):
        parts.append(element("line", x1=x(low), x2=x(high), y1=middle, y2=middle, class_="whisker"))
        parts += [element("line", x1=x(v), x2=x(v), y1=middle - 4, y2=middle + 4, class_="whisker") for v in (low, high)]
        reach = max(reach, x(high))
    parts.append(words(number(value), reach + 6 if value >= 0 else max(reach, x(0)) + 6, middle + 4, class_="tick"))
    return "".join(parts)


def _upright(section: dict[str, Any], names: list[str], series: Sequence[dict[str, Any]], width: float) -> str:
    parts, top = legend([str(one.get("name", "")) for one in series], width)
    top += 28 if section.get("ylabel") else 12
    bottom = top + HEIGHT - 90
    y = Axis.over(_bounds(series), bottom, top, limits=section.get("y_range"))
    left = 16 + max(text_width(tick_text(tick, y.ticks), 12) for tick in y.ticks)
    x = Axis(0, max(1, len(names)), left, width - 14, ())
    parts += frame(x, y, str(section.get("xlabel") or ""), str(section.get("ylabel") or ""))
    slot = (x.stop - x.start) / max(1, len(names))
    stride = max(1, math.ceil(max((text_width(shorten(name, 12), 12) + 8 for name in names), default=1) / slot))
    thick = slot * (0.92 if len(series) == 1 else 0.84) / len(series)
    for i, name in enumerate(names):
        for j, one in enumerate(series):
            value = one["values"][i]
            if _known(value):
                zero, tip = y(min(max(0.0, y.low), y.high)), y(min(max(value, y.low), y.high))
                title = f"<title>{html.escape(name)}: {number(value)}</title>"
                spot = {"x": x(i) + slot * 0.04 + thick * j, "width": thick, "y": min(zero, tip), "height": abs(zero - tip)}
                parts.append(element("rect", title, rx=1, class_=f"fill c{j % COLORS}", **spot))
        if i % stride == 0:
            parts.append(words(name, x(i + 0.5), y.start + 18, 12, class_="tick mid"))
    return drawing(parts, width, bottom + (48 if section.get("xlabel") else 26), str(section.get("title", "bars")))


def matrix(section: dict[str, Any]) -> str:
    """A heat map with its values; for a confusion matrix shaded by the share of the row, right and wrong in two colors."""
    values = [list(row) for row in section["values"]]
    rows, columns = ([visible(name) for name in section.get(key) or section["names"]] for key in ("rows", "columns"))
    if len(values) != len(rows) or any(len(row) != len(columns) for row in values):
        raise ValueError(f"matrix: values do not fit {len(rows)} rows and {len(columns)} columns")
    side = min(58.0, max(9.0, 720 / max(1, len(columns))))
    tall = min(side, 40.0)
    left = min(200.0, 16 + max((text_width(shorten(name, 26), 12) for name in rows), default=0)) + (
        20 if section.get("ylabel") else 0
    )
    lengths = [text_width(shorten(name, 24), 12) for name in columns]
    slanted = any(length > side - 4 for length in lengths)
    top = (14 + 0.72 * max(lengths) if slanted else 22) + (18 if section.get("xlabel") else 0)
    right = left + side * len(columns)
    parts = _labels(rows, columns, (left, top, side, tall), slanted)
    parts += _squares(
        values,
        rows,
        columns,
        (left, top, side, tall),
        bool(section.get("confusion", rows == columns and all(not _known(v) or v >= 0 for row in values for v in row))),
    )
    width = max([right + 8] + [left + (j + 1) * side + 0.72 * length for j, length in enumerate(lengths) if slanted])
    height = top + tall * len(rows) + 8
    if section.get("xlabel"):
        parts.append(words(section["xlabel"], (left + right) / 2, 13, 60, class_="name mid"))
    if section.get("ylabel"):
        middle = top + tall * len(rows) / 2
        parts.append(words(section["ylabel"], 12, middle, 60, class_="name mid", transform=f"rotate(-90 12 {middle:.1f})"))
    return drawing(parts, width, height, str(section.get("title", "matrix")), least=left * 0.8 + 24 * len(columns))


def _labels(rows: list[str], columns: list[str], layout: tuple[float, float, float, float], slanted: bool) -> list[str]:
    """Names of rows and columns; every other one where they would touch."""
    left, top, side, tall = layout
    parts = []
    for j, name in enumerate(columns):
        x = left + (j + 0.5) * side
        if slanted and j % math.ceil(13 / side) == 0:
            parts.append(words(name, x, top - 6, 24, class_="tick", transform=f"rotate(-45 {x:.1f} {top - 6:.1f})"))
        elif not slanted:
            parts.append(words(name, x, top - 6, 24, class_="tick mid"))
    for i, name in enumerate(rows):
        if i % math.ceil(12 / tall) == 0:
            parts.append(words(name, left - 8, top + (i + 0.5) * tall + 4, 26, class_="tick end"))
    return parts


def _squares(
    values: list[list[Any]], rows: list[str], columns: list[str], layout: tuple[float, float, float, float], confusion: bool
) -> list[str]:
    """The cells: a ground with gaps, colored squares where there is something, and the values where they fit."""
    left, top, side, tall = layout
    right, bottom = left + side * len(columns), top + tall * len(rows)
    parts = [element("rect", x=left, y=top, width=right - left, height=bottom - top, class_="cell")]
    parts += [
        element("line", x1=left + j * side, x2=left + j * side, y1=top, y2=bottom, class_="gap") for j in range(1, len(columns))
    ]
    parts += [
        element("line", x1=left, x2=right, y1=top + i * tall, y2=top + i * tall, class_="gap") for i in range(1, len(rows))
    ]
    known = [v for row in values for v in row if _known(v)]
    whole, peak = all(isinstance(v, int) for v in known), max(map(abs, known), default=0) or 1
    for i, row in enumerate(values):
        scale = (sum(v for v in row if _known(v)) or 1) if confusion else peak
        for j, value in enumerate(row):
            share = min(1.0, max(-1.0, value / scale)) if _known(value) else 0.0
            wrong = confusion and i != j
            depth = abs(share) ** (0.5 if wrong else 0.8)
            x, y = left + j * side, top + i * tall
            if depth > 0.004:
                title = f"<title>{html.escape(rows[i])} → {html.escape(columns[j])}: {number(value)}</title>"
                color = "c1" if wrong or share < 0 else "c0"
                spot = {"x": x + 0.5, "y": y + 0.5, "width": side - 1, "height": tall - 1}
                parts.append(element("rect", title, rx=1.5, class_=f"fill {color}", fill_opacity=depth, **spot))
            shown = (number(value) if whole else f"{value:.2f}".replace("-", "−")) if _known(value) else "–"
            if side >= text_width(shown, 11) and tall >= 13 and (value or side >= 30):
                shade = "zero" if not value else "on" if depth > 0.55 else "off"
                parts.append(words(shown, x + side / 2, y + tall / 2 + 4, class_=f"value mid {shade}"))
    return parts
