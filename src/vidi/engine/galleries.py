"""The pictures of a report: what the model got most wrong and most right. What is shown of a picture depends on its labels' family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.core.images import decode
from vidi.engine import map_pictures, neighbor_pictures, thing_pictures
from vidi.errors import VidiError
from vidi.labels import Detections, Embedding, Segmentation
from vidi.report.pictures import encode

SIDE = 128


def plain_picture(scored: Any, i: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """One sample as it is, with true and predicted label in words."""
    sample, guess = scored.dataset[i], scored.inference.labels[i]
    names = scored.dataset.space.names if scored.dataset.space else ()
    pixels = decode(sample.inputs["image"], at_least=(SIDE, SIDE), name=sample.id)
    return {"image": encode(pixels, SIDE), "caption": f"{sample.label.words(names) if sample.label else '?'} → {guess.words(names)}"}


def no_more(scored: Any, settings: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """No further sections."""
    return []


@dataclass(frozen=True, slots=True)
class Look:
    """How the samples of a label family are shown.

    Args:
        picture: (scored, index, settings) → an item with ``image`` and ``caption``; may raise what decoding raises.
        more: (scored, settings, count) → further sections.
        by_loss: whether the loss, where there is one, says which samples are the worst; if not, the disagreement does.
        word: for the disagreement's opposite, where pictures are captioned with it.
    """

    picture: Callable[[Any, int, Mapping[str, Any]], dict[str, Any]] = plain_picture
    more: Callable[[Any, Mapping[str, Any], int], list[dict[str, Any]]] = no_more
    by_loss: bool = True
    word: str | None = None


LOOKS = {
    Detections.family: Look(thing_pictures.scene, thing_pictures.sections),
    Segmentation.family: Look(map_pictures.panels, map_pictures.sections, by_loss=False, word="mean IoU"),
    Embedding.family: Look(neighbor_pictures.strip, by_loss=False, word="average precision"),
}
"""By family of the predictions; others are shown as they are."""


def galleries(scored: Any, settings: Mapping[str, Any], count: int = 12) -> list[dict[str, Any]]:
    """Sections with the worst and best samples and, where labels hold things or regions, what was missed and what was found for nothing.

    Args:
        scored: a `vidi.engine.evaluate.Scored`.
        settings: what the metrics were given.
        count: pictures per section.
    """
    guesses = scored.inference.labels
    look = LOOKS.get(guesses[0].family if guesses else "", Look())
    losses = scored.inference.losses if look.by_loss else None
    badness = scored.evaluation.per_sample["badness"] if losses is None else losses
    known = [i for i in range(len(badness)) if np.isfinite(badness[i])]
    if not known or count <= 0:
        return []
    order = sorted(known, key=lambda i: (-float(badness[i]), i))
    word = "loss" if losses is not None else "disagreement"
    sections = []
    for title, chosen in (("Worst samples", order[:count]), ("Best samples", order[::-1][:count])):
        notes = [f"{word} {badness[i]:.3f}" if look.word is None else f"{look.word} {1 - badness[i]:.3f}" for i in chosen]
        items = [_item(look, scored, i, settings, note) for i, note in zip(chosen, notes)]
        sections.append({"kind": "gallery", "title": title, "items": [item for item in items if item]})
    return sections + look.more(scored, settings, count)


def _item(look: Look, scored: Any, i: int, settings: Mapping[str, Any], note: str) -> dict[str, Any] | None:
    try:
        return look.picture(scored, i, settings) | {"note": f"{scored.dataset[i].id} · {note}"}
    except VidiError:
        return None
