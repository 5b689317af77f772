"""An examination as sections of a report: tables, plots, and pictures of the worst."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from vidi.core.images import decode
from vidi.data import _box_pages, _map_pages
from vidi.data.doctor import SEVERITIES, Examination
from vidi.data.rules import Finding
from vidi.data.rules._base import unit, value_table
from vidi.errors import VidiError
from vidi.report.pictures import encode

ROWS_PER_RULE = 25
PICTURES = 12
SIDE = 160
_PAIRED = {"leaks": "Leaks between splits", "label_conflicts": "Same picture, different labels", "exact_duplicates": "Exact duplicates",
           "near_duplicates": "Near duplicates"}  # fmt: skip
_SINGLE = {"blank": "Blank", "dark": "Darkest", "bright": "Brightest", "blurred": "Most blurred", "odd_sizes": "Odd sizes", "tiny": "Too small"}


def sections(found: Examination) -> list[dict[str, Any]]:
    """What the doctor's page shows, most important first; parts with nothing to show are left out."""
    parts = [_findings(found), *_pictures(found), *_classes(found), *_box_pages.sections(found), *_map_pages.sections(found), *_values(found), *_sizes(found)]
    if found.looks.dataset.notes:
        parts.append({"kind": "text", "title": "How the data was read", "text": "\n\n".join(found.looks.dataset.notes)})
    return parts


def _findings(found: Examination) -> dict[str, Any]:
    met: Counter[str] = Counter()
    rows = []
    for finding in found.findings:
        met[finding.rule] += 1
        if met[finding.rule] <= ROWS_PER_RULE:
            place = ", ".join(str(part) for part in (f"line {finding.line}" if finding.line is not None else None, finding.at) if part)
            rows.append([finding.severity, finding.rule, finding.file or finding.sample, place or None, finding.message, _text(finding.value), finding.fix])
    hidden = sum(count - ROWS_PER_RULE for count in met.values() if count > ROWS_PER_RULE)
    note = ", ".join(f"{rule} {count}" for rule, count in met.items()) or "Nothing was found."
    if hidden:
        note += f". {hidden} rows are not shown here; the JSON beside this page has all."
    columns = ["severity", "rule", "file", "where", "what", "value", "fix"]
    return {"kind": "table", "title": "Findings", "columns": columns, "rows": rows, "note": note}


def _text(value: Any) -> str | None:
    return None if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _pictures(found: Examination) -> Iterable[dict[str, Any]]:
    index: dict[str, int] = {}
    for row, sample in enumerate(found.looks.dataset):
        index.setdefault(sample.id, row)
    for rule, title in (_PAIRED | _SINGLE).items():
        group = [(finding.index, finding) for finding in found.findings if finding.rule == rule and finding.index is not None]
        items = []
        for row, finding in group[:PICTURES]:
            rows = [row]
            if rule in _PAIRED:
                rows += [index[name] for name in finding.related if index.get(name, row) != row][:1]
            picture = _side_by_side(found, rows)
            if picture is not None:
                items.append({"image": picture, "caption": finding.sample, "note": _caption(finding), "mark": "bad"})
        if items:
            more = f"{len(items)} of {len(group)}" if len(group) > len(items) else ""
            yield {"kind": "gallery", "title": title, "items": items, "note": more}


def _caption(finding: Finding) -> str:
    value = _text(finding.value)
    return finding.message + (f" ({value})" if value and value not in finding.message else "")


def _side_by_side(found: Examination, rows: list[int]) -> str | None:
    """Pictures of equal height beside each other, as a data URI; None if one cannot be read any more."""
    from PIL import Image

    shown: list[np.ndarray] = []
    for row in rows:
        picture: Any = found.looks.dataset[row].inputs.get("image")
        try:
            pixels = decode(picture, at_least=(SIDE, SIDE))
        except VidiError:
            return None
        height, width = pixels.shape[:2]
        scale = min(SIDE / height, 2 * SIDE / width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR
        image = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(size, how))
        canvas = np.full((SIDE, image.shape[1], 3), 255, np.uint8)
        canvas[: image.shape[0]] = image
        shown += [canvas, np.full((SIDE, 6, 3), 255, np.uint8)]
    return encode(np.concatenate(shown[:-1], axis=1), size=4 * SIDE + 6)


def _classes(found: Examination) -> Iterable[dict[str, Any]]:
    classes = found.facts.get("classes")
    if classes and classes["all"]:
        what = unit(found.looks.dataset)
        yield _box_pages.by_split(classes, f"{what.capitalize()} per class", what)


def _values(found: Examination) -> Iterable[dict[str, Any]]:
    table, space = value_table(found.looks.dataset), found.looks.dataset.space
    if table is None or space is None:
        return
    for index, name in enumerate(space.names[:8]):
        known = table[np.isfinite(table[:, index]), index]
        if len(known) < 2 or known.min() == known.max():
            continue
        counts, edges = np.histogram(known, bins=min(30, max(5, int(len(known) ** 0.5))))
        names = [f"{value:.3g}" for value in (edges[:-1] + edges[1:]) / 2]
        yield {"kind": "bars", "title": f"Values of {name}", "labels": names, "values": counts.tolist(), "ylabel": "samples", "upright": True}


def _sizes(found: Examination) -> Iterable[dict[str, Any]]:
    size = found.looks.size[found.looks.seen]
    if not len(size):
        return
    unique, counts = np.unique(size, axis=0, return_counts=True)
    if len(unique) == 1:
        yield {"kind": "text", "title": "Size of the pictures", "text": f"All pictures are {unique[0][1]}×{unique[0][0]} pixels (width × height)."}
        return
    keep = np.argsort(-counts, kind="stable")[:400]
    labels = [f"{width}×{height}: {count}" for (height, width), count in zip(unique[keep].tolist(), counts[keep].tolist())]
    series = [{"name": "pictures", "x": unique[keep, 1].tolist(), "y": unique[keep, 0].tolist(), "labels": labels}]
    note = f"{len(unique)} different sizes" + (", the 400 most common are shown" if len(unique) > 400 else "")
    yield {"kind": "scatter", "title": "Size of the pictures", "series": series, "xlabel": "width in pixels", "ylabel": "height in pixels", "note": note}


def numbers(found: Examination) -> dict[str, float | None]:
    """The doctor's numbers, in printing order."""
    counts, facts = found.counts, found.facts
    by = Counter(finding.severity for finding in found.findings)
    return {
        "samples": facts["samples"],
        "readable": facts["readable"],
        "unreadable": counts.get("unreadable", 0) + counts.get("huge", 0),
        "unusable_rows": counts.get("unusable_rows", 0),
        "duplicates": facts["duplicates"],
        "near_duplicates": facts["near_duplicates"] if found.looks.near is not None else None,
        "leaks": facts["leaks"],
        **_box_numbers(found),
        **_map_numbers(found),
        "conflicts": facts["conflicts"],
        "missing_labels": counts.get("missing_label", 0),
        "imbalance_ratio": facts.get("imbalance_ratio"),
        **{f"{name}s": by[name] for name in SEVERITIES},
    }


def _map_numbers(found: Examination) -> dict[str, float | None]:
    """Class maps, and how many are faulty (errors and warnings of their rules); nothing where the labels are none."""
    if "maps" not in found.facts:
        return {}
    faulty = {finding.index for finding in found.findings if finding.rule.startswith("mask_") and finding.index is not None}
    facts = found.facts["maps"]
    return {"maps": facts["count"], "faulty_maps": len(faulty), "empty_maps": facts["empty_maps"], "unknown_share": facts["unknown_share"]}


def _box_numbers(found: Examination) -> dict[str, float | None]:
    """Boxes, and how many different ones are faulty (errors and warnings); nothing where the labels are no boxes."""
    if "boxes" not in found.facts:
        return {}
    faulty = {(finding.index, finding.box) for finding in found.findings if finding.box is not None and finding.severity != "note"}
    return {"boxes": found.facts["boxes"]["count"], "faulty_boxes": len(faulty), "empty_pictures": found.facts["boxes"]["empty_pictures"]}
