"""Pictures of things for a report: whole scenes, and what was found for nothing or missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidi.core.images import decode
from vidi.errors import VidiError
from vidi.labels import Label
from vidi.metrics._things import worst_things
from vidi.report.pictures import encode

SCENE = 320
CROP = 160
SHOWN_SCORE = 0.25


def scene(scored: Any, i: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """One sample with its truth on the left, the prediction on the right."""
    sample, guess = scored.dataset[i], scored.inference.labels[i]
    names, least = scored.dataset.space.names, settings.get("thresholds")
    shown = guess.confident(np.full(max(1, len(names)), SHOWN_SCORE) if least is None else least)
    pixels = decode(sample.inputs["image"], name=sample.id)
    caption = f"{sample.label.words(names) if sample.label else '?'} → {shown.words(names)}"
    return {"image": encode(_beside(pixels, sample.label, shown, names), 2 * SCENE), "caption": caption}


def _beside(pixels: np.ndarray, truth: Label | None, guess: Label, names: Sequence[str]) -> np.ndarray:
    """Truth on the left, prediction on the right."""
    left = truth.draw(pixels, names) if truth is not None else guess[:0].draw(pixels, names)  # type: ignore[index]
    right = guess.draw(pixels, names)
    return np.concatenate([left, np.full((len(left), 4, 3), 255, np.uint8), right], 1)


def sections(scored: Any, settings: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """The surest false positives and the largest misses, each cut out with its surroundings."""
    ids = [sample.id for sample in scored.dataset.samples]
    rows = worst_things(scored.dataset.labels, scored.inference.labels, ids, scored.dataset.space, settings)
    wrong = sorted(((row, thing) for row in rows for thing in row["false_positives"]), key=lambda item: -item[1]["score"])
    lost = sorted(((row, thing) for row in rows for thing in row["false_negatives"]), key=lambda item: -item[1]["area"])
    sides = (
        ("Found for nothing, surest first", wrong, scored.inference.labels), ("Missed, largest first", lost, scored.dataset.labels),
    )  # fmt: skip
    found = []
    for title, chosen, labels in sides:
        items = [_cut(scored, row, thing, labels[row["index"]]) for row, thing in chosen[:count]]
        found.append({"kind": "gallery", "title": title, "items": [item for item in items if item]})
    return found


def _cut(scored: Any, row: dict[str, Any], thing: dict[str, Any], label: Any) -> dict[str, Any] | None:
    sample = scored.dataset[row["index"]]
    try:
        pixels = decode(sample.inputs["image"], name=sample.id)
    except VidiError:
        return None
    drawn = label[thing["place"]].draw(pixels, scored.dataset.space.names)
    factor = drawn.shape[0] / pixels.shape[0]
    x1, y1, x2, y2 = (factor * side for side in thing["box"])
    reach = max(x2 - x1, y2 - y1, 24.0)
    middle = (x1 + x2) / 2, (y1 + y2) / 2
    left, top = (max(0, int(at - reach)) for at in middle)
    cut = drawn[top : max(top + 1, int(middle[1] + reach)), left : max(left + 1, int(middle[0] + reach))]
    if not cut.size:
        return None
    note = f"score {thing['score']:.2f}, {thing['error']}" if "score" in thing else f"{thing['area']:.0f} px²"
    return {"image": encode(cut, CROP), "caption": thing["name"], "note": f"{sample.id} · {note}", "mark": "bad"}
