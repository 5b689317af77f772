"""The pictures of a report: what the model got most wrong and most right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidi.core.images import decode
from vidi.errors import VidiError
from vidi.labels import Detections, Label
from vidi.metrics._things import worst_things
from vidi.report.pictures import encode

SIDE = 128
SCENE = 320
CROP = 160
SHOWN_SCORE = 0.25


def galleries(scored: Any, settings: Mapping[str, Any], count: int = 12) -> list[dict[str, Any]]:
    """Sections with the worst and best samples and, where labels hold things, what was found for nothing and what was missed.

    Args:
        scored: a `vidi.engine.evaluate.Scored`.
        settings: what the metrics were given.
        count: pictures per section.
    """
    losses = scored.inference.losses
    badness = scored.evaluation.per_sample["badness"] if losses is None else losses
    known = [i for i in range(len(badness)) if np.isfinite(badness[i])]
    if not known or count <= 0:
        return []
    order = sorted(known, key=lambda i: (-float(badness[i]), i))
    word = "loss" if losses is not None else "disagreement"
    sections = []
    for title, chosen in (("Worst samples", order[:count]), ("Best samples", order[::-1][:count])):
        items = [_whole(scored, i, settings, f"{word} {badness[i]:.3f}") for i in chosen]
        sections.append({"kind": "gallery", "title": title, "items": [item for item in items if item]})
    if scored.dataset.space.family == Detections.family:
        sections += _things(scored, settings, count)
    return sections


def _whole(scored: Any, i: int, settings: Mapping[str, Any], note: str) -> dict[str, Any] | None:
    sample, guess = scored.dataset[i], scored.inference.labels[i]
    names = scored.dataset.space.names if scored.dataset.space else ()
    scene, least = isinstance(guess, Detections), settings.get("thresholds")
    shown = guess.confident(np.full(max(1, len(names)), SHOWN_SCORE) if least is None else least)
    try:
        pixels = decode(sample.inputs["image"], at_least=None if scene else (SIDE, SIDE), name=sample.id)
    except VidiError:
        return None
    picture = encode(_beside(pixels, sample.label, shown, names), 2 * SCENE) if scene else encode(pixels, SIDE)
    return {
        "image": picture, "caption": f"{sample.label.words(names) if sample.label else '?'} → {shown.words(names)}", "note": f"{sample.id} · {note}",
    }  # fmt: skip


def _beside(pixels: np.ndarray, truth: Label | None, guess: Label, names: Sequence[str]) -> np.ndarray:
    """Truth on the left, prediction on the right."""
    left = truth.draw(pixels, names) if truth is not None else guess[:0].draw(pixels, names)  # type: ignore[index]
    right = guess.draw(pixels, names)
    return np.concatenate([left, np.full((len(left), 4, 3), 255, np.uint8), right], 1)


def _things(scored: Any, settings: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """The surest false positives and the largest misses, each cut out with its surroundings."""
    ids = [sample.id for sample in scored.dataset.samples]
    rows = worst_things(scored.dataset.labels, scored.inference.labels, ids, scored.dataset.space, settings)
    wrong = sorted(((row, thing) for row in rows for thing in row["false_positives"]), key=lambda item: -item[1]["score"])
    lost = sorted(((row, thing) for row in rows for thing in row["false_negatives"]), key=lambda item: -item[1]["area"])
    sections = []
    for title, chosen in (("Found for nothing, surest first", wrong[:count]), ("Missed, largest first", lost[:count])):
        items = [_cut(scored, row, thing) for row, thing in chosen]
        sections.append({"kind": "gallery", "title": title, "items": [item for item in items if item]})
    return sections


def _cut(scored: Any, row: dict[str, Any], thing: dict[str, Any]) -> dict[str, Any] | None:
    sample = scored.dataset[row["index"]]
    try:
        pixels = decode(sample.inputs["image"], name=sample.id)
    except VidiError:
        return None
    drawn = Detections(np.array([thing["box"]], np.float32), None, np.array([thing["class"]])).draw(pixels, scored.dataset.space.names)  # type: ignore[arg-type]
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
