"""The page: one HTML file without scripts, fonts or anything from elsewhere."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from vidi.report._plain import cell, visible
from vidi.report._sections import breakable, escape, is_narrow, section_html, table, tiles
from vidi.report._style import STYLE

if TYPE_CHECKING:
    from vidi.report.report import Report

_HEADER = ("model", "data", "date", "command")
_HIDDEN = ("title", "subtitle", "key_numbers", "higher_is_better", "overlap", "verdict", "gate", "gate_failures")
_TILES = 8


def page(report: Report) -> str:
    """The whole page as text."""
    values = report.to_dict()
    about, numbers = values["about"], values["numbers"]
    title = visible(about.get("title") or report.kind.replace("_", " ").capitalize())
    asked = about.get("key_numbers") if isinstance(about.get("key_numbers"), list) else []
    keys = [name for name in asked if name in numbers] or list(numbers)[:_TILES]
    shown = {name: numbers[name] for name in keys}
    rest = [name for name in numbers if name not in shown]
    parts = [_header(title, report.kind, about)]
    if shown:
        parts.append(tiles(shown, values["intervals"], values["n"], first=keys[0]))
    extra = {key: value for key, value in about.items() if key not in (*_HEADER, *_HIDDEN)}
    parts += ["<main>", *_laid_out(values["sections"]), "</main>"]
    if rest:
        parts.append(f"<details><summary>More numbers</summary>{table(_remaining(rest, values))}</details>")
    large = {key: value for key, value in extra.items() if isinstance(value, dict) and len(value) > 8}
    small = {key: value for key, value in extra.items() if key not in large}
    if small:
        parts.append(f'<details open><summary>About these numbers</summary><dl class="facts">{_facts(small)}</dl></details>')
    for key, value in large.items():
        summary = escape(key.replace("_", " ").capitalize())
        parts.append(f'<details><summary>{summary}</summary><dl class="facts">{_facts(value)}</dl></details>')
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{''.join(parts)}"
        "<footer>Made by vidi. This page holds everything it shows and loads nothing.</footer></body></html>\n"
    )


def _header(title: str, kind: str, about: dict[str, Any]) -> str:
    facts = {key: about[key] for key in _HEADER if about.get(key) not in (None, "")}
    subtitle = f'<p class="subtitle">{escape(about["subtitle"])}</p>' if about.get("subtitle") else ""
    listed = f'<dl class="head">{_facts(facts)}</dl>' if facts else ""
    return f'<header><p class="kind">{escape(kind)}</p><h1>{escape(title)}</h1>{subtitle}{listed}</header>'


def _facts(values: dict[str, Any]) -> str:
    parts = []
    for key, value in values.items():
        if isinstance(value, dict) and value and not any(isinstance(item, (dict, list)) for item in value.values()):
            lines = [f"{escape(name)}: {escape(cell(item))}" for name, item in value.items()]
        elif isinstance(value, list) and value and not any(isinstance(item, (dict, list)) for item in value):
            lines = [escape(cell(item)) for item in value]
        else:
            lines = [escape(cell(value))]
        parts.append(f"<div><dt>{breakable(key)}</dt><dd>{'<br>'.join(lines)}</dd></div>")
    return "".join(parts)


def _remaining(names: list[str], values: dict[str, Any]) -> dict[str, Any]:
    """A table of the numbers that got no tile."""
    rows = []
    for name in names:
        low, high = values["intervals"].get(name) or (None, None)
        rows.append([name, values["numbers"][name], low, high, values["n"].get(name)])
    used = [i for i in range(5) if i < 2 or any(row[i] is not None for row in rows)]
    columns = ["number", "value", "lower", "upper", "n"]
    return {"columns": [columns[i] for i in used], "rows": [[row[i] for i in used] for row in rows]}


def _laid_out(sections: list[dict[str, Any]]) -> list[str]:
    """Charts that follow each other stand in pairs, heat maps with heat maps; an odd one comes first, on a row of its own."""
    parts = []
    for (narrow, _), group in itertools.groupby(sections, lambda one: (is_narrow(one), one["kind"] == "matrix")):
        run = list(group)
        alone = len(run) % 2 if narrow else len(run)
        parts += [section_html(section, wide=index < alone) for index, section in enumerate(run)]
    return parts
