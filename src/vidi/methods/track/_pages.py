"""What a report says of tracks: tables, counts, and a strip of pictures for every identity switch with the costs that decided it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidi.core.images import decode
from vidi.core.space import Space
from vidi.errors import VidiError
from vidi.labels import Detections
from vidi.labels._draw import class_color
from vidi.metrics._switches import switches
from vidi.report.pictures import encode

MOST_STRIPS = 60
MOST_ROWS = 200
BEFORE, AFTER = 3, 3
SIDE = 120


def summaries(done: Sequence[Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """Tables of what was counted and of the tracks, the longest first."""
    rows = [(each.film.name, track, summary) for each in done for track, summary in each.tracks.items()]
    rows.sort(key=lambda row: (row[0], -row[2].frames, row[1]))
    columns = ["video", "track", "class", "from s", "to s", "frames", "pixels per second"]
    cells = [
        [film, track, names[summary.kind] if summary.kind < len(names) else str(summary.kind), round(summary.begun, 2), round(summary.ended, 2), summary.frames,
         round(summary.path / max(1e-9, summary.ended - summary.begun), 1) if summary.ended > summary.begun else None]
        for film, track, summary in rows[:MOST_ROWS]
    ]  # fmt: skip
    note = f"The {MOST_ROWS} longest of {len(rows)}; all are in tracks.json." if len(rows) > MOST_ROWS else ""
    sections = [{"kind": "table", "title": "Tracks", "columns": columns, "rows": cells, "note": note}]
    for title, columns, cells in _counts(done):
        sections.insert(0, {"kind": "table", "title": title, "columns": columns, "rows": cells, "note": ""})
    return sections


def _counts(done: Sequence[Any]) -> list[tuple[str, list[str], list[list[Any]]]]:
    """Tables of lines and zones, where there are any."""
    lines = [[each.film.name, line, kind, values["in"], values["out"]] for each in done for line, whole in each.counts["lines"].items() for kind, values in _kinds(whole)]
    zones = [
        [each.film.name, zone, kind, values["visits"], _rounded(values["dwell_mean"]), _rounded(values["dwell_max"])]
        for each in done for zone, whole in each.counts["zones"].items() for kind, values in _kinds(whole)
    ]  # fmt: skip
    tables = []
    if zones:
        tables.append(("Visits to zones", ["video", "zone", "class", "visits", "mean stay s", "longest stay s"], zones))
    if lines:
        tables.append(("Crossings of lines", ["video", "line", "class", "in", "out"], lines))
    return tables


def _kinds(whole: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [("all", whole), *(whole["by_class"].items() if len(whole["by_class"]) > 1 else ())]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def words(counts: Mapping[str, Any]) -> list[str]:
    """What was counted so far, for a corner of the drawn video."""
    found = [f"{name}: {values['in']} in, {values['out']} out" for name, values in counts["lines"].items()]
    return found + [f"{name}: {values['now']} now, {values['visits']} visits" for name, values in counts["zones"].items()]


def switch_strips(done: Sequence[Any], truth: Sequence[Detections], found: Sequence[Detections], space: Space, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For every identity switch: the thing in the frames before and after, with the number it was given, and what the tracker weighed."""
    every = switches(truth, found, space, settings)
    if not every:
        return []
    samples = [sample for each in done for sample in (each.film.samples or [])[: each.frames]]
    events = [event for each in done for event in each.events]
    items = []
    for switch in every[:MOST_STRIPS]:
        strip = _strip(switch, samples, truth, found, settings)
        if strip is not None:
            name = f"{switch['sequence']} frame {switch['frame']}: {switch['class']} {switch['track']} was {switch['from']}, is {switch['to']}"
            items.append({"image": encode(strip, 2 * SIDE * (BEFORE + AFTER + 1)), "caption": name, "note": _costs(events, switch), "mark": "bad"})
    title = f"Identity switches ({len(every)})" if len(items) == len(every) else f"Identity switches ({len(items)} of {len(every)})"
    return [{"kind": "gallery", "title": title, "items": items}] if items else []


def _strip(switch: Mapping[str, Any], samples: Sequence[Any], truth: Sequence[Detections], found: Sequence[Detections], settings: Mapping[str, Any]) -> np.ndarray | None:
    """Frames side by side: where the thing was last found under its old number, those around the switch."""
    here, group = switch["index"], settings["groups"][switch["index"]]
    around = sorted({switch["last"], *range(here - BEFORE, here + AFTER + 1)})
    places = [i for i in around if 0 <= i < len(samples) and settings["groups"][i] == group]
    x1, y1, x2, y2 = switch["box"]
    reach = 1.5 * max(x2 - x1, y2 - y1, 12.0)
    cuts = []
    for i in places:
        try:
            pixels = decode(samples[i].inputs["image"], name=samples[i].id)
        except VidiError:
            return None
        cuts.append(_cut(found[i].draw(pixels), _middle(truth[i], switch, ((x1 + x2) / 2, (y1 + y2) / 2)), reach, pixels.shape[:2], i == here))
    return np.concatenate(cuts, 1) if cuts else None


def _middle(truth: Detections, switch: Mapping[str, Any], otherwise: tuple[float, float]) -> tuple[float, float]:
    own = np.flatnonzero(truth.tracks == switch["track"]) if truth.tracks is not None else np.zeros(0, int)
    if not len(own):
        return otherwise
    x1, y1, x2, y2 = truth.boxes[own[0]].tolist()
    return (x1 + x2) / 2, (y1 + y2) / 2


def _cut(drawn: np.ndarray, middle: tuple[float, float], reach: float, size: tuple[int, ...], here: bool) -> np.ndarray:
    """A square of the drawn frame around the thing, SIDE pixels, framed in red where the switch is."""
    from PIL import Image

    factor = drawn.shape[0] / size[0]
    x, y, half = middle[0] * factor, middle[1] * factor, reach * factor
    cut = Image.fromarray(drawn).crop((round(x - half), round(y - half), round(x + half), round(y + half))).resize((SIDE, SIDE))
    framed = np.full((SIDE + 8, SIDE + 8, 3), class_color(0) if here else (255, 255, 255), np.uint8)
    framed[4:-4, 4:-4] = np.asarray(cut)
    return framed


def _costs(events: Sequence[Sequence[Mapping[str, Any]]], switch: Mapping[str, Any]) -> str:
    """What the tracker weighed when it gave the new number."""
    chosen = [event for event in events[switch["index"]] if event["track"] == switch["to"]]
    if not chosen:
        return "a new track began"
    event = chosen[0]
    parts = [f"{key} {event[key]:.2f}" for key in ("iou", "appearance", "cost") if event.get(key) is not None]
    return f"{event['stage']}: {', '.join(parts)}"
