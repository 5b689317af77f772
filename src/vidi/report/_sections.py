"""One function per kind of section, each giving HTML; what cannot be drawn is shown as JSON."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from vidi.errors import VidiError
from vidi.report import _charts, _svg
from vidi.report._plain import cell, number, visible

_DATA_PICTURE = re.compile(r"data:image/(?:png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}")
_FAULTS = (KeyError, TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError, OverflowError)


def is_narrow(section: dict[str, Any]) -> bool:
    """Whether a section may share a row with a neighbor where the page is wide enough."""
    if section.get("wide"):
        return False
    columns = section.get("columns") or section.get("names")
    few = isinstance(columns, list) and len(columns) <= 10
    return section["kind"] in ("lines", "scatter", "bars") or (section["kind"] == "matrix" and few)


def escape(text: Any) -> str:
    """Text made visible and safe inside HTML."""
    return html.escape(visible(text))


def section_html(section: dict[str, Any], wide: bool) -> str:
    """One section of the page."""
    draw, fault = _KINDS.get(section["kind"], _json), ""
    try:
        body = draw(section, wide)
    except _FAULTS as error:
        body, fault = _json(section), f"This part could not be drawn: {error!r}"
    title = f"<h2>{escape(section['title'])}</h2>" if section.get("title") else ""
    notes = [part for part in (section.get("note"), fault) if part]
    foot = "".join(f'<p class="note">{escape(part)}</p>' for part in notes)
    return f'<section class="{"wide" if wide else "half"}">{title}{body}{foot}</section>'


def _json(section: dict[str, Any], wide: bool = True) -> str:
    shown = {key: value for key, value in section.items() if key not in ("title", "note")}
    lines = json.dumps(shown, indent=1, ensure_ascii=False).splitlines()
    return f"<pre>{chr(10).join(escape(line) for line in lines)}</pre>"


def _text(section: dict[str, Any], wide: bool = True) -> str:
    paragraphs = re.split(r"\n\s*\n", str(section["text"]).strip())
    return "".join(f"<p>{'<br>'.join(escape(line) for line in part.splitlines())}</p>" for part in paragraphs)


def _numbers(section: dict[str, Any], wide: bool = True) -> str:
    return tiles(section["numbers"], section.get("intervals") or {}, section.get("n") or {})


def tiles(
    numbers: dict[str, Any], intervals: dict[str, Sequence[float]], counts: dict[str, int], first: str | None = None
) -> str:
    """Numbers as tiles: the value large, its interval and n below; `first` stands out."""
    parts = []
    for name, value in numbers.items():
        signed = name.endswith(".difference")
        pair, below = intervals.get(name), []
        if pair:
            below.append(f"{number(pair[0], signed)} to {number(pair[1], signed)}")
        if value is None:
            below.append("not computable")
        if name in counts:
            below.append(f"n = {cell(counts[name])}")
        parts.append(
            f'<div class="tile{" first" if name == first else ""}"><div class="label">{breakable(name)}</div>'
            f'<div class="value">{html.escape(number(value, signed))}</div>{"" if signed else _whisker(value, pair)}'
            + "".join(f'<div class="about">{escape(part)}</div>' for part in below)
            + "</div>"
        )
    return f'<div class="tiles">{"".join(parts)}</div>'


def breakable(name: str) -> str:
    """A name that may wrap after its dots, slashes and underscores."""
    return re.sub(r"([._/])(?=.)", r"\1<wbr>", escape(name))


def _whisker(value: Any, pair: Sequence[float] | None) -> str:
    """A thin line from 0 to 1 with the interval and the value on it, for shares that have an interval."""
    if pair is None or value is None or min(pair[0], value) < 0 or max(pair[1], value) > 1:
        return ""
    parts = [
        _svg.element("line", x1=0, x2=100, y1=4, y2=4, class_="track", vector_effect="non-scaling-stroke"),
        _svg.element(
            "rect", x=float(100 * pair[0]), width=max(0.8, 100.0 * (pair[1] - pair[0])), y=2, height=4, class_="reach"
        ),
        _svg.element("rect", x=100.0 * value - 0.5, width=1, y=0, height=8, class_="point"),
    ]
    return f'<svg class="whisker-line" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">{"".join(parts)}</svg>'


def table(section: dict[str, Any], wide: bool = True) -> str:
    """Columns of text and of numbers, the latter flush right."""
    columns, rows = section["columns"], section["rows"]
    numeric = [
        any(_is_number(row[i]) for row in rows) and all(row[i] is None or _is_number(row[i]) for row in rows)
        for i in range(len(columns))
    ]
    head = "".join(
        f'<th scope="col"{" class=num" if right else ""}>{escape(name)}</th>' for name, right in zip(columns, numeric)
    )
    body = []
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"{len(row)} cells for {len(columns)} columns")
        parts = "".join(
            f"<td{' class=num' if right else ''}>{html.escape(cell(value))}</td>" for value, right in zip(row, numeric)
        )
        body.append(f"<tr>{parts}</tr>")
    empty = f'<tr><td colspan="{len(columns)}" class="none">none</td></tr>' if not rows else ""
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(body)}{empty}</tbody></table></div>'


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _chart(draw: Callable[[dict[str, Any], float], str]) -> Callable[[dict[str, Any], bool], str]:
    return lambda section, wide: f'<div class="scroll">{draw(section, _svg.WIDE if wide else _svg.NARROW)}</div>'


def _matrix(section: dict[str, Any], wide: bool = True) -> str:
    return f'<div class="scroll">{_charts.matrix(section)}</div>'


def _gallery(section: dict[str, Any], wide: bool = True) -> str:
    figures = []
    for item in section["items"]:
        mark = item.get("mark") if item.get("mark") in ("good", "bad") else ""
        caption = f"<b>{escape(item['caption'])}</b>" if item.get("caption") else ""
        note = f"<span>{escape(item['note'])}</span>" if item.get("note") else ""
        words = f"<figcaption>{caption}{note}</figcaption>" if caption or note else ""
        figures.append(
            f'<figure class="{mark}">{_picture(item.get("image"), item.get("caption") or item.get("note") or "")}'
            f"{words}</figure>"
        )
    kind = "gallery strips" if _lying([item.get("image") for item in section["items"]]) else "gallery"
    return f'<div class="{kind}">{"".join(figures) or "<p>none</p>"}</div>'


def _lying(sources: list[Any]) -> bool:
    """Whether most of the pictures are much wider than high (several side by side), so that small squares would not do."""
    from PIL import Image

    ratios = []
    for source in sources:
        if isinstance(source, str) and _DATA_PICTURE.fullmatch(source):
            with suppress(OSError, ValueError), Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as image:
                ratios.append(image.width / max(1, image.height))
    return bool(ratios) and sorted(ratios)[len(ratios) // 2] > STRIP


def _picture(source: Any, words: Any) -> str:
    """A picture in place; one that cannot be read leaves a box that says so."""
    if isinstance(source, str) and source.startswith("data:"):
        if _DATA_PICTURE.fullmatch(source):
            return f'<img src="{source}" alt="{escape(words)}" loading="lazy">'
        return '<div class="missing">not a picture</div>'
    try:
        from vidi.core.images import decode
        from vidi.report.pictures import encode

        return f'<img src="{encode(decode(Path(str(source)), at_least=(320, 320)))}" alt="{escape(words)}" loading="lazy">'
    except VidiError as error:
        return f'<div class="missing">{escape(error.rule)}: {escape(source)}</div>'
    except ValueError as error:
        return f'<div class="missing">{escape(error)}</div>'


STRIP = 1.7

_KINDS: dict[str, Callable[[dict[str, Any], bool], str]] = {
    "text": _text,
    "numbers": _numbers,
    "table": table,
    "matrix": _matrix,
    "lines": _chart(_charts.lines),
    "scatter": _chart(_charts.scatter),
    "bars": _chart(_charts.bars),
    "gallery": _gallery,
}
