"""An examination's masks as sections of a report: shares of pixels, and pictures with their masks drawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from vidi.core.images import decode
from vidi.data.doctor import Examination
from vidi.data.rules import Finding
from vidi.errors import VidiError
from vidi.labels import Segmentation
from vidi.report.pictures import encode, grid

SIDE = 320
SAMPLES = 16
FAULTY = 12
CLASSES = 60
_FAULTS = {
    "mask_size": "Masks of another size than their picture", "mask_value": "Masks with values that no class has", "mask_speckled": "Speckled masks",
}  # fmt: skip


def sections(found: Examination) -> Iterable[dict[str, Any]]:
    """What the page shows of class maps; nothing where the labels are none."""
    if "maps" not in found.facts or not len(found.looks.maps):
        return
    yield from _faulty(found)
    yield from _shares(found)
    yield from _samples(found)


def _shares(found: Examination) -> Iterable[dict[str, Any]]:
    """Share of the known pixels by class, a color per split; of very many classes the largest."""
    pixels = found.facts["maps"]["pixels"]
    order = sorted(pixels["all"], key=lambda name: -pixels["all"][name])
    if not order or not any(pixels["all"].values()):
        return
    splits = [name for name in pixels if name != "all"]
    unknown = found.facts["maps"]["unknown_share"]
    note = f"Of all pixels, {100 * unknown:.1f} % are marked as not known." if unknown else ""
    if len(order) > CLASSES:
        note, order = f"The {CLASSES} largest of {len(order)} classes. {note}", order[:CLASSES]
    bars: dict[str, Any] = {"kind": "bars", "title": "Share of the pixels of each class", "labels": order, "xlabel": "% of the known pixels", "upright": False, "note": note}

    def shares(split: str) -> list[float]:
        total = max(1, sum(pixels[split].values()))
        return [round(100 * pixels[split][name] / total, 3) for name in order]

    yield bars | ({"series": [{"name": split, "values": shares(split)} for split in splits]} if len(splits) > 1 else {"values": shares("all")})


def _samples(found: Examination) -> Iterable[dict[str, Any]]:
    """Pictures evenly spread over the data, and one of each of the rarest classes."""
    maps, looks = found.looks.maps, found.looks
    usable = np.flatnonzero(looks.seen[maps.row])
    if not len(usable):
        return
    spread = usable[np.linspace(0, len(usable) - 1, min(len(usable), SAMPLES)).round().astype(np.int64)]
    there = maps.pixels[usable] > 0
    rare = [usable[there[:, kind].argmax()] for kind in np.argsort(there.sum(0), kind="stable") if there[:, kind].any()][: SAMPLES // 2]
    rows = list(dict.fromkeys(int(maps.row[index]) for index in [*rare, *spread]))[:SAMPLES]
    names = looks.dataset.space.names if looks.dataset.space is not None else ()
    items = []
    for row in sorted(rows):
        picture, label = drawn(found, row), looks.dataset[row].label
        if picture is not None and label is not None:
            items.append({"image": encode(picture, size=2 * SIDE), "caption": looks.dataset[row].id, "note": label.words(names)})
    if items:
        yield {"kind": "gallery", "title": "Samples with their masks", "items": items, "note": f"{len(items)} of {len(looks.dataset)}"}


def _faulty(found: Examination) -> Iterable[dict[str, Any]]:
    for rule, title in _FAULTS.items():
        group: list[Finding] = [finding for finding in found.findings if finding.rule == rule and finding.index is not None]
        items = []
        for finding in group[:FAULTY]:
            picture = drawn(found, int(finding.index))  # type: ignore[arg-type]
            if picture is not None:
                items.append({"image": encode(picture, size=2 * SIDE), "caption": finding.sample, "note": finding.message, "mark": "bad"})
        if items:
            yield {"kind": "gallery", "title": title, "items": items, "note": f"{len(items)} of {len(group)}" if len(items) < len(group) else ""}


def drawn(found: Examination, row: int) -> np.ndarray | None:
    """A picture beside itself with its mask, uint8 (H, W, 3); a mask of another size is scaled as if it were the picture's. None if the picture
    cannot be read."""
    from PIL import Image

    sample = found.looks.dataset[row]
    label, picture = sample.label, sample.inputs.get("image")
    if not isinstance(label, Segmentation) or picture is None or not found.looks.seen[row]:
        return None
    try:
        pixels = decode(picture, at_least=(SIDE, SIDE))
    except VidiError:
        return None
    height, width = found.looks.size[row].tolist()
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR
    image = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(size, how))
    matrix = np.diag([size[0] / max(1, label.shape[1]), size[1] / max(1, label.shape[0]), 1.0])
    names = found.looks.dataset.space.names if found.looks.dataset.space is not None else ()
    mask = Segmentation(label.classes, None, label.ignore).warp(matrix, (size[1], size[0])).draw(image, names)
    return grid([image, mask], columns=2, cell=SIDE)
