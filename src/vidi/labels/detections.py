"""Boxes with classes and, where a task has them, masks, tracks, texts and crowd flags."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vidi.labels import _layers, _stitch
from vidi.labels._draw import canvas, class_color, font_for, legend, name_of, tag
from vidi.labels._supervision import to_supervision
from vidi.labels.base import Label, no_aim, normalized, to_array, to_list
from vidi.labels.outline import Outline, Polygons, Runs, joined
from vidi.ops.boxes import area, clip_boxes, fuse_boxes, greedy_pairs, iou_matrix, warp_boxes
from vidi.ops.cutouts import Cutout, cut_out, cutout_overlaps, filled
from vidi.ops.edit_distance import similarity
from vidi.ops.runs import counts_to_mask, mask_to_counts
from vidi.ops.sampling import warp_masks

CROWDED, LISTED = 0.15, 12
"""Share of a picture that tags may cover, or else a legend counts the classes (tracks keep their numbers); and how many of them it names."""


@dataclass(frozen=True, eq=False, slots=True)
class Detections(Label):
    """N things found in, or marked on, one picture; N may be 0.

    Indexing filters all fields together: ``found[found.scores > 0.5]``.

    Args:
        boxes: (N, 4) float32, x1, y1, x2, y2 in pixels.
        scores: (N,) float32 in 0..1; ones when not given.
        classes: (N,) int64; zeros when not given.
        masks: (N, H, W) bool in the picture's pixels, or None.
        tracks: (N,) int64 identities through a video, or None.
        texts: N strings that were read, or None.
        crowd: (N,) bool, regions that stand for many things and are not counted as misses, or None.
        outlines: N outlines in the form their source has them (`vidi.labels.outline`), None for a thing without one; or None.

    Raises:
        ValueError: a field's shape does not fit.
    """

    placed = True

    boxes: np.ndarray
    scores: np.ndarray = None  # type: ignore[assignment]
    classes: np.ndarray = None  # type: ignore[assignment]
    masks: np.ndarray | None = None
    tracks: np.ndarray | None = None
    texts: tuple[str, ...] | None = None
    crowd: np.ndarray | None = None
    outlines: tuple[Outline | None, ...] | None = None

    def __post_init__(self) -> None:
        boxes = np.asarray(self.boxes, dtype=np.float32)
        boxes = boxes.reshape(0, 4) if boxes.size == 0 else boxes
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"boxes: expected shape (N, 4), got {boxes.shape}")
        count = len(boxes)
        fields: dict[str, Any] = {
            "boxes": boxes,
            "scores": np.ones(count, np.float32) if self.scores is None else np.asarray(self.scores, dtype=np.float32),
            "classes": np.zeros(count, np.int64) if self.classes is None else np.asarray(self.classes, dtype=np.int64),
            "masks": None if self.masks is None else np.asarray(self.masks, dtype=bool),
            "tracks": None if self.tracks is None else np.asarray(self.tracks, dtype=np.int64),
            "texts": None if self.texts is None else tuple(unicodedata.normalize("NFC", text) for text in self.texts),
            "crowd": None if self.crowd is None else np.asarray(self.crowd, dtype=bool),
            "outlines": None if self.outlines is None else tuple(self.outlines),
        }
        for name in ("scores", "classes", "tracks", "crowd"):
            if fields[name] is not None and fields[name].shape != (count,):
                raise ValueError(f"{name}: expected shape ({count},), got {fields[name].shape}")
        if fields["masks"] is not None and (fields["masks"].ndim != 3 or len(fields["masks"]) != count):
            raise ValueError(f"masks: expected shape ({count}, H, W), got {fields['masks'].shape}")
        if fields["texts"] is not None and len(fields["texts"]) != count:
            raise ValueError(f"texts: expected {count} strings, got {len(fields['texts'])}")
        if fields["outlines"] is not None and len(fields["outlines"]) != count:
            raise ValueError(f"outlines: expected {count} entries, got {len(fields['outlines'])}")
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @classmethod
    def empty(cls) -> Detections:
        """Nothing found."""
        return cls(np.zeros((0, 4), np.float32))

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: Any) -> Detections:
        """The things chosen by a boolean mask, a slice, indices, or one index."""
        chosen = np.atleast_1d(np.arange(len(self))[index])
        optional = {name: getattr(self, name) for name in ("masks", "tracks", "crowd")}
        return Detections(
            self.boxes[chosen], self.scores[chosen], self.classes[chosen],
            texts=None if self.texts is None else tuple(self.texts[i] for i in chosen),
            outlines=None if self.outlines is None else tuple(self.outlines[i] for i in chosen),
            **{name: None if value is None else value[chosen] for name, value in optional.items()},
        )  # fmt: skip

    @classmethod
    def concatenate(cls, labels: Sequence[Detections]) -> Detections:
        """All things of several labels, unmerged. A field that any of them lacks is dropped, except crowd (False there) and outlines (None
        there); masks beside outlines become outlines."""
        if not labels:
            return cls.empty()
        if len({label.masks is None for label in labels}) > 1 and any(label.outlines is not None for label in labels):
            labels = [label.compact() for label in labels]

        def stacked(name: str) -> np.ndarray | None:
            values = [getattr(label, name) for label in labels]
            return None if any(value is None for value in values) else np.concatenate(values)

        crowds = [np.zeros(len(label), bool) if label.crowd is None else label.crowd for label in labels]
        texts = (
            None
            if any(label.texts is None for label in labels)
            else tuple(text for label in labels for text in label.texts or ())
        )
        return cls(
            np.concatenate([label.boxes for label in labels]), np.concatenate([label.scores for label in labels]),
            np.concatenate([label.classes for label in labels]), stacked("masks"), stacked("tracks"), texts,
            np.concatenate(crowds) if any(label.crowd is not None for label in labels) else None,
            joined([(len(label), label.outlines) for label in labels]),
        )  # fmt: skip

    def warp(self, matrix: np.ndarray, size: tuple[int, int]) -> Detections:
        """Boxes become the upright boxes around their moved corners, clipped to the canvas; masks are sampled (`vidi.ops.sampling.warp_masks`),
        outlines move point by point or pixel by pixel.

        A thing whose box has no area left on the canvas is removed.
        """
        boxes = clip_boxes(warp_boxes(self.boxes, matrix), size)
        kept = np.flatnonzero(area(boxes) > 0)
        left = self[kept]
        masks = None if left.masks is None else warp_masks(left.masks, matrix, size)
        outlines = left.outlines
        if outlines is not None:
            outlines = tuple(None if outline is None else outline.warp(matrix, size) for outline in outlines)
        return Detections(boxes[kept], left.scores, left.classes, masks, left.tracks, left.texts, left.crowd, outlines)

    def cropped(self, matrix: np.ndarray, size: tuple[int, int]) -> Detections:
        """Like `warp`, for training: things of which less than 20 % stays on the canvas, or a side under 2 pixels, are left out.
        Crowd regions are kept as long as anything of them is seen."""
        return _layers.cropped(self, matrix, size)

    def bent(self, displacement: np.ndarray) -> Detections:
        """Masks and outlines are bent, and boxes that fitted them fit them afterwards; a box alone stays where it is."""
        return _layers.bent(self, displacement)

    def overlay(self, other: Detections, share: float) -> Detections:
        """The things of both pictures, each whole, as long as their picture shines through with a share of 0.3 or more (Zhang et al.
        2019, arXiv:1902.04103)."""
        return _layers.joined([label for label, part in ((self, share), (other, 1 - share)) if part >= _layers.COUNTS])

    def pasted(self, other: Detections, covered: np.ndarray) -> Detections:
        """This picture's things as far as they are not covered, and the other's as far as they show."""
        return _layers.joined([self.behind(covered), _layers.within(other, covered)])

    def behind(self, covered: np.ndarray) -> Detections:
        """After pixels `covered` (H, W) bool were painted over, for training: things of which less than 20 % is seen are left out,
        others are cut to what is seen: masks, and boxes of which whole rows or columns are hidden."""
        return _layers.behind(self, covered)

    def bitmaps(self, size: tuple[int, int]) -> np.ndarray:
        """(N, H, W) bool on a picture of (height, width): the masks, else the outlines' pixels, else (and for a thing without outline)
        the pixels whose center lies in the box."""
        if self.masks is not None and self.masks.shape[1:] == tuple(size):
            return self.masks
        found = np.zeros((len(self), *size), bool)
        for mask, cut in zip(found, self.cutouts(size)):
            x1, y1, x2, y2 = cut.box
            mask[y1:y2, x1:x2] = cut.bits
        return found

    def cutouts(self, size: tuple[int, int]) -> list[Cutout]:
        """What `bitmaps` holds, without the empty picture around each thing."""
        if self.masks is not None and self.masks.shape[1:] == tuple(size):
            return [cut_out(mask) for mask in self.masks]
        outlines = [None] * len(self) if self.outlines is None else self.outlines
        return [filled(box, size) if outline is None else outline.cutout(size) for box, outline in zip(self.boxes, outlines)]

    def compact(self) -> Detections:
        """Masks become outlines of run lengths, which say the same."""
        if self.masks is None:
            return self
        return replace(self, masks=None, outlines=tuple(Outline.of(mask) for mask in self.masks))

    def presence(self, count: int) -> np.ndarray:
        return np.isin(np.arange(count), self.classes)

    def agreement(self, other: Detections) -> float:
        """Twice the overlap of one-to-one matched things of equal class, over the number of things in both.

        Overlap is the IoU of masks where both have them, otherwise of boxes, times the texts' similarity where both have
        texts. 1.0 when both are empty, 0.0 when only one is.
        """
        if len(self) + len(other) == 0:
            return 1.0
        overlap = self._overlap(other) * (self.classes[:, None] == other.classes[None])
        total = 0.0
        for row, column in greedy_pairs(overlap):
            same = 1.0 if self.texts is None or other.texts is None else similarity(self.texts[row], other.texts[column])
            total += overlap[row, column] * same
        return float(2 * total / (len(self) + len(other)))

    @classmethod
    def aims(cls, names: Sequence[str] = ()) -> tuple[str, ...]:
        return ("vanish", "fabricate", "mislabel") if len(names) > 1 else ("vanish", "fabricate")

    def aimed(self, aim: str, names: Sequence[str] = ()) -> tuple[Detections, bool]:
        """``vanish``: nothing is found; ``fabricate``: as much as can be; ``mislabel``: each thing is taken for one of the next class."""
        if aim not in self.aims(names):
            raise no_aim(self, aim, names)
        if aim == "mislabel":
            return replace(self, classes=(self.classes + 1) % len(names)), True
        return Detections.empty(), aim == "vanish"

    def _overlap(self, other: Detections) -> np.ndarray:
        """(N, M) IoU of what the labels say of pixels where both do, else of boxes."""
        size = self._canvas()
        if size is None or other._canvas() != size:
            return iou_matrix(self.boxes, other.boxes)
        return cutout_overlaps(self.cutouts(size), other.cutouts(size))

    def _canvas(self) -> tuple[int, int] | None:
        """(height, width) of the masks or run lengths, if there are any for every thing."""
        if self.masks is not None:
            return self.masks.shape[1], self.masks.shape[2]
        sizes = {outline.size if isinstance(outline, Runs) else None for outline in self.outlines or [None]}
        return sizes.pop() if len(sizes) == 1 else None

    @classmethod
    def merge(cls, labels: Sequence[Detections], weights: Sequence[float] | None = None) -> Detections:
        """Weighted boxes fusion at IoU 0.55 (`vidi.ops.boxes.fuse_boxes`).

        A fused mask holds the pixels that at least half of its members (by weighted score) hold; track, text, crowd flag
        and outline are those of the member with the highest score.
        """
        if not labels:
            raise ValueError("merge needs at least one label")
        every = cls.concatenate([label for label in labels if len(label)] or labels[:1])  # an empty label lacks masks
        sources = np.repeat(np.arange(len(labels)), [len(label) for label in labels])
        share = normalized(weights, len(labels))
        boxes, scores, classes, groups = fuse_boxes(every.boxes, every.scores, every.classes, share, sources)
        weighted = every.scores * share[sources]
        leaders = np.array([group[weighted[group].argmax()] for group in groups], np.int64)
        led, masks = every[leaders], None
        if every.masks is not None:
            masks = np.zeros((len(groups), *every.masks.shape[1:]), bool)
            for place, group in enumerate(groups):
                part = np.maximum(weighted[group], 1e-12)
                masks[place] = np.tensordot(part / part.sum(), every.masks[group], axes=1) >= 0.5 - 1e-9
        return cls(boxes, np.clip(scores, 0, 1), classes, masks, led.tracks, led.texts, led.crowd, led.outlines)

    def to_dict(self) -> dict[str, Any]:
        """Masks are COCO's uncompressed run lengths: ``{"size": [H, W], "counts": [[…], …]}``; outlines as `Outline.to_dict` has them."""
        values: dict[str, Any] = {"family": self.family}
        values |= {name: to_list(getattr(self, name)) for name in ("boxes", "scores", "classes", "tracks", "crowd")}
        values["texts"] = None if self.texts is None else list(self.texts)
        values["outlines"] = None
        if self.outlines is not None:
            values["outlines"] = [None if outline is None else outline.to_dict() for outline in self.outlines]
        values["masks"] = None
        if self.masks is not None:
            values["masks"] = {"size": list(self.masks.shape[1:]), "counts": [mask_to_counts(mask) for mask in self.masks]}
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Detections:
        masks = values.get("masks")
        if masks is not None:
            size = tuple(masks["size"])
            decoded = [counts_to_mask(counts, size) for counts in masks["counts"]]
            masks = np.stack(decoded) if decoded else np.zeros((0, *size), bool)
        texts, outlines = values.get("texts"), values.get("outlines")
        return cls(
            np.asarray(to_array(values["boxes"])),
            np.asarray(to_array(values["scores"])),
            np.asarray(to_array(values["classes"], np.int64)),
            masks,
            to_array(values.get("tracks"), np.int64),
            None if texts is None else tuple(texts),
            to_array(values.get("crowd"), bool),
            None if outlines is None else tuple(None if outline is None else Outline.from_dict(outline) for outline in outlines),
        )

    def draw(self, image: np.ndarray, names: Sequence[str] = ()) -> np.ndarray:
        from PIL import ImageDraw

        shaded = image.copy()
        colors = [class_color(int(self.classes[i] if self.tracks is None else self.tracks[i])) for i in range(len(self))]
        if self.masks is not None and self.masks.shape[1:] == image.shape[:2]:
            for mask, color in zip(self.masks, colors):
                shaded[mask] = (0.5 * shaded[mask] + 0.5 * np.array(color)).astype(np.uint8)
        outlines = [None] * len(self) if self.outlines is None or self.masks is not None else self.outlines
        for outline, color in zip(outlines, colors):
            if isinstance(outline, Runs) and outline.size == image.shape[:2]:
                mask = outline.mask(outline.size)
                shaded[mask] = (0.5 * shaded[mask] + 0.5 * np.array(color)).astype(np.uint8)
        picture, factor = canvas(shaded)
        pen, font = ImageDraw.Draw(picture), font_for(picture)
        line = max(1, min(picture.size) // 120)
        for outline, color in zip(outlines, colors):
            for ring in outline.rings if isinstance(outline, Polygons) else ():
                if len(ring):
                    pen.line([tuple(point) for point in (ring * factor).tolist()] + [tuple((ring[0] * factor).tolist())], color, line)
        texts = [self._tag(i, names) for i in range(len(self))]
        full = sum(pen.textlength(text, font=font) + 6 for text in texts) * (font.size + 4) > CROWDED * picture.width * picture.height
        if full:
            texts = [""] * len(self) if self.tracks is None else [f"#{track}" for track in self.tracks]
        for i in np.argsort(self.scores, kind="stable"):
            box = (self.boxes[i] * factor).tolist()
            low, high = (
                [max(-1e6, min(box[a], box[a + 2])) for a in (0, 1)],
                [min(1e6, max(box[a], box[a + 2])) for a in (0, 1)],
            )
            pen.rectangle((*low, *high), outline=colors[i], width=line)
            if texts[i]:
                tag(pen, (low[0], low[1]), texts[i], colors[i], font, picture.size)
        if full and self.tracks is None:
            found, counts = np.unique(self.classes, return_counts=True)
            legend(pen, [(class_color(int(c)), f"{count} {name_of(int(c), names)}") for c, count in zip(found[:LISTED], counts)], font)
        return np.asarray(picture)

    def _tag(self, i: int, names: Sequence[str]) -> str:
        words = [name_of(int(self.classes[i]), names)]
        words += [] if self.tracks is None else [f"#{self.tracks[i]}"]
        words += [] if self.texts is None else [self.texts[i]]
        words += [] if self.scores[i] == 1 else [f"{self.scores[i]:.2f}"]
        return " ".join(words)

    def words(self, names: Sequence[str] = ()) -> str:
        found, counts = np.unique(self.classes, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        parts = [f"{counts[i]} {name_of(int(found[i]), names)}" for i in order[:5]]
        return ", ".join(parts + (["…"] if len(found) > 5 else [])) or "none"

    def record(self, names: Sequence[str] = (), top: int = 5) -> dict[str, Any]:
        return {"found": len(self), "label": self.words(names)}

    def records(self, names: Sequence[str] = (), top: int = 5) -> list[dict[str, Any]]:
        """One row per thing: class, score, x1, y1, x2, y2, and track and text where there are any."""
        rows = []
        for i, (x1, y1, x2, y2) in enumerate(np.round(self.boxes.astype(np.float64), 3).tolist()):
            row = {"class": name_of(int(self.classes[i]), names), "score": round(float(self.scores[i]), 6), "x1": x1, "y1": y1, "x2": x2, "y2": y2}
            row |= {} if self.tracks is None else {"track": int(self.tracks[i])}
            rows.append(row | ({} if self.texts is None else {"text": self.texts[i]}))
        return rows

    @classmethod
    def stitch(cls, labels: Sequence[Detections], windows: np.ndarray, size: tuple[int, int]) -> Detections:
        """Each thing once: doubles in regions that several windows show go, parts cut by a window's border are joined."""
        return _stitch.detections(labels, windows, size)

    def confident(self, least: np.ndarray) -> Detections:
        return self[self.scores >= np.asarray(least, np.float64)[self.classes]]

    def tidied(self, least: int) -> Detections:
        return self[self.areas() >= least]

    def areas(self) -> np.ndarray:
        """(N,) float64 square pixels: of the masks, else of the outlines, else (and for a thing without outline) of the boxes."""
        if self.masks is not None:
            return self.masks.sum((1, 2)).astype(np.float64)
        found = area(self.boxes).astype(np.float64)
        for i, outline in enumerate(self.outlines or ()):
            if outline is not None:
                found[i] = outline.area()
        return found

    def only(self, classes: np.ndarray) -> Detections:
        return self[np.isin(self.classes, classes)]

    def things(self) -> np.ndarray:
        return self.boxes

    def to_supervision(self, names: Sequence[str] = ()) -> Any:
        """The same as `supervision.Detections`, with ``class_name`` (and ``text``) in its data.

        Raises:
            ResourceError: the package is not installed.
        """
        return to_supervision(self, names)

    def reindexed(self, places: np.ndarray, count: int) -> Detections:
        return replace(self, classes=np.asarray(places, np.int64)[self.classes])
