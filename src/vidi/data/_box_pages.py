"""An examination's boxes as sections of a report: counts, sizes, places, and pictures with boxes drawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from vidi.core.images import decode
from vidi.data import _box_facts
from vidi.data.doctor import Examination
from vidi.data.rules import Finding
from vidi.errors import VidiError
from vidi.labels import Detections, Outline, Polygons, Runs
from vidi.report.pictures import encode, grid

SIDE = 320
SAMPLES = 16
FAULTY = 12
BEYOND = 0.35
"""So much of the picture's side is drawn beyond each edge, at most, to show a box that leaves it."""
CELLS = 20
_EDGES = np.array([0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0])
_FAULTS = {
    "box_outside": "Boxes that leave their picture", "box_no_area": "Boxes without area", "box_not_finite": "Boxes that are no numbers",
    "box_class": "Boxes of no known class", "box_duplicate": "Boxes there twice", "box_conflict": "One place, two classes",
    "box_implausible": "Boxes unlike others of their class", "box_outline": "Faulty outlines",
    "track_reuse": "One track on two things", "track_jump": "Tracks that jump",
}  # fmt: skip


def sections(found: Examination) -> Iterable[dict[str, Any]]:
    """What the page shows of boxes; nothing where the labels are no boxes."""
    if "boxes" not in found.facts or not len(found.looks.boxes):
        return
    yield from _faulty(found)
    yield from _disagreeing(found)
    yield from _pictures_by_class(found)
    yield from _per_picture(found)
    yield from _sizes(found)
    yield from _maps(found)
    yield from _samples(found)


def _pictures_by_class(found: Examination) -> Iterable[dict[str, Any]]:
    counts = found.facts["boxes"]["pictures"]
    if counts and counts["all"]:
        yield by_split(counts, "Pictures with each class", "pictures")


def by_split(counts: dict[str, dict[str, int]], title: str, what: str) -> dict[str, Any]:
    """Bars of counts by class, a color per split; of very many classes the largest and smallest."""
    order, note = sorted(counts["all"], key=lambda name: -counts["all"][name]), ""
    if len(order) > 60:
        note, order = f"The 30 largest and the 30 smallest of {len(order)} classes.", order[:30] + order[-30:]
    splits = [split for split in ("train", "val", "test") if split in counts] + sorted(set(counts) - {"all", "train", "val", "test"})
    bars: dict[str, Any] = {"kind": "bars", "title": title, "labels": order, "xlabel": what, "upright": False, "note": note}
    if len(splits) > 1:
        return bars | {"series": [{"name": split, "values": [counts[split][name] for name in order]} for split in splits]}
    return bars | {"values": [counts["all"][name] for name in order]}


def _per_picture(found: Examination) -> Iterable[dict[str, Any]]:
    each = _box_facts.per_picture(found.looks)
    most = int(each.max(initial=0))
    width = max(1, -(-(most + 1) // 30))
    counts = np.bincount(each // width, minlength=most // width + 1)
    labels = [str(start) if width == 1 else f"{start}–{start + width - 1}" for start in range(0, most + 1, width)]
    yield {
        "kind": "bars", "title": "Boxes per picture", "labels": labels, "values": counts.tolist(), "upright": True, "xlabel": "boxes",
        "ylabel": "pictures", "note": f"{len(each)} labeled pictures, {int((each == 0).sum())} of them without any box",
    }  # fmt: skip


def _sizes(found: Examination) -> Iterable[dict[str, Any]]:
    sizes = found.facts["boxes"]["sizes"]
    splits = [name for name in sizes if name != "all"] or ["all"]
    shown: dict[str, Any] = {"labels": list(_box_facts.SIZES), "xlabel": "boxes", "upright": False}
    if len(splits) > 1:
        shown["series"] = [{"name": name, "values": list(sizes[name].values())} for name in splits]
    else:
        shown["values"] = list(sizes[splits[0]].values())
    yield {"kind": "bars", "title": "Sizes of the boxes", "note": "small: below 32² square pixels, medium: below 96², large: the rest (as in COCO)"} | shown


def _maps(found: Examination) -> Iterable[dict[str, Any]]:
    boxes = found.looks.boxes
    share = boxes.share
    known = np.isfinite(share).all(1) & ~boxes.gone
    if not known.any():
        return
    wide, tall = np.minimum(share[known], 1.0).T
    counts = np.histogram2d(tall, wide, bins=(_EDGES, _EDGES))[0][::-1].astype(int)
    names = [f"{100 * edge:g} %" for edge in _EDGES[1:]]
    yield {
        "kind": "matrix", "title": "Width and height of the boxes", "values": counts.tolist(), "rows": names[::-1], "columns": names,
        "confusion": False, "xlabel": "width, up to, of the picture's width", "ylabel": "height", "note": f"{int(known.sum())} boxes",
    }  # fmt: skip
    frame = np.stack([boxes.width, boxes.height], 1)[known]
    x, y = np.clip((boxes.box[known, :2] + boxes.box[known, 2:]) / 2 / frame, 0, 1).T
    edges = np.linspace(0, 1, CELLS + 1)
    counts = np.histogram2d(y, x, bins=(edges, edges))[0].astype(int)
    names = [f"{100 * edge:g} %" for edge in edges[:-1]]
    yield {
        "kind": "matrix", "title": "Where the middles of the boxes are", "values": counts.tolist(), "rows": names, "columns": names,
        "confusion": False, "xlabel": "from the left edge of the picture", "ylabel": "from the top", "note": f"{int(known.sum())} boxes",
    }  # fmt: skip


def _samples(found: Examination) -> Iterable[dict[str, Any]]:
    """Pictures evenly spread over the data, and one of each of the rarest classes."""
    looks, space = found.looks, found.looks.dataset.space
    usable = np.unique(looks.boxes.row[looks.boxes.sound & looks.seen[looks.boxes.row]])
    if not len(usable):
        return
    spread = usable[np.linspace(0, len(usable) - 1, min(len(usable), SAMPLES)).round().astype(np.int64)].tolist()
    boxes = looks.boxes
    kinds, first, counts = np.unique(boxes.kind[boxes.sound], return_index=True, return_counts=True)
    rare = boxes.row[boxes.sound][first[np.argsort(counts, kind="stable")]][: SAMPLES // 2].tolist()
    rows = list(dict.fromkeys([*(row for row in rare if looks.seen[row]), *spread]))[:SAMPLES]
    names = space.names if space is not None else ()
    items = []
    for row in sorted(rows):
        picture = drawn(found, row)
        if picture is not None:
            label = looks.dataset[row].label
            items.append({"image": encode(picture, size=2 * SIDE), "caption": looks.dataset[row].id, "note": "" if label is None else label.words(names)})
    if items:
        yield {"kind": "gallery", "title": "Samples with their boxes", "items": items, "note": f"{len(items)} of {len(looks.dataset)}"}


def _faulty(found: Examination) -> Iterable[dict[str, Any]]:
    for rule, title in _FAULTS.items():
        group = [finding for finding in found.findings if finding.rule == rule and finding.index is not None]
        rows: dict[int, list[Finding]] = {}
        for finding in group:
            rows.setdefault(int(finding.index), []).append(finding)  # type: ignore[arg-type]
        items = []
        for row, findings in list(rows.items())[:FAULTY]:
            picture = drawn(found, row, [finding.box for finding in findings if finding.box is not None])
            if picture is not None:
                more = f" and {len(findings) - 1} more" if len(findings) > 1 else ""
                items.append({"image": encode(picture, size=2 * SIDE), "caption": f"{findings[0].sample} {findings[0].at}", "note": findings[0].message + more, "mark": "bad"})
        if items:
            note = f"{len(group)} boxes on {len(rows)} pictures" + (f", {len(items)} of them shown" if len(items) < len(rows) else "")
            yield {"kind": "gallery", "title": title, "items": items, "note": note}


def _disagreeing(found: Examination) -> Iterable[dict[str, Any]]:
    """Both pictures of a pair, each with its own boxes."""
    index = {sample.id: row for row, sample in enumerate(found.looks.dataset)}
    group = [finding for finding in found.findings if finding.rule == "box_disagreement" and finding.index is not None]
    items = []
    for finding in group[:FAULTY]:
        pair = [drawn(found, row) for row in (finding.index, index[finding.related[0]]) if row is not None]
        shown = [picture for picture in pair if picture is not None]
        if len(shown) == 2:
            image = encode(grid(shown, columns=2, cell=SIDE), size=2 * SIDE)
            items.append({"image": image, "caption": f"{finding.sample} and {finding.related[0]}", "note": finding.message, "mark": "bad"})
    if items:
        yield {"kind": "gallery", "title": "Near duplicates whose boxes disagree", "items": items, "note": f"{len(items)} of {len(group)}"}


def drawn(found: Examination, row: int, chosen: list[int] | None = None) -> np.ndarray | None:
    """A picture (H, W, 3) uint8 with all boxes or some of them, widened so far that boxes beyond its edges show; None if it cannot be read."""
    from PIL import Image

    sample, (height, width) = found.looks.dataset[row], found.looks.size[row].tolist()
    label, picture = sample.label, sample.inputs.get("image")
    if not isinstance(label, Detections) or picture is None or not found.looks.seen[row]:
        return None
    try:
        pixels = decode(picture, at_least=(SIDE, SIDE))
    except VidiError:
        return None
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR
    image = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(size, how))
    every = label.boxes.astype(np.float64) * (np.array([size[0], size[1]] * 2) / np.array([width, height] * 2))
    shown = np.arange(len(label)) if chosen is None else np.array(chosen, np.int64)
    shown = shown[np.isfinite(every[shown]).all(1)]
    boxes = every[shown]
    most = np.array([BEYOND * size[0], BEYOND * size[1]])
    before = np.clip(-boxes[:, :2].min(0, initial=0), 0, most).astype(int)
    after = np.clip(boxes[:, 2:].max(0, initial=0) - size, 0, most).astype(int)
    canvas = np.full((size[1] + before[1] + after[1], size[0] + before[0] + after[0], 3), 225, np.uint8)
    canvas[before[1] : before[1] + size[1], before[0] : before[0] + size[0]] = image
    boxes = np.clip(boxes + np.tile(before, 2), -4 * SIDE, 8 * SIDE)
    names = found.looks.dataset.space.names if found.looks.dataset.space is not None else ()
    return Detections(boxes.astype(np.float32), None, label.classes[shown], outlines=_outlines(label, shown, before, size, (height, width), canvas.shape[:2])).draw(canvas, names)  # type: ignore[arg-type]


def _outlines(
    label: Detections, shown: np.ndarray, before: np.ndarray, size: tuple[int, int], true: tuple[int, int], canvas: tuple[int, int]
) -> tuple[Outline | None, ...] | None:
    """The outlines of some things, as they lie on the drawn picture of (height, width) `canvas`; without run lengths of another size than the
    picture's."""
    if label.outlines is None:
        return None
    factor = np.array(size) / np.array(true[::-1])
    moved = np.diag([*factor.tolist(), 1.0])
    moved[:2, 2] = before

    def placed(outline: Outline | None) -> Outline | None:
        if isinstance(outline, Polygons):
            return Polygons(tuple(ring * factor + before for ring in outline.rings))
        return outline.warp(moved, canvas) if isinstance(outline, Runs) and outline.size == true else None

    return tuple(placed(label.outlines[index]) for index in shown.tolist())
