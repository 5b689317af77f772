"""Pictures of single things, cut out of labeled scenes, to learn how each looks (re-identification) or what each is."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vidi.core.dataset import Dataset, Sample
from vidi.core.files import disk_error
from vidi.core.images import decode
from vidi.core.space import Space
from vidi.errors import DataError, InputError, ResourceError
from vidi.labels import Classification, Detections

MARGIN = 0.1
"""Share of a box's sides that its crop shows around it, where nothing else is said: in training and in tracking alike."""

MEMORY = 1 << 31
QUALITY = 95
PIXELS = 96 * 96
"""Crops of up to so many pixels are kept without loss."""


@dataclass(frozen=True, slots=True)
class _Cut:
    sample: int
    thing: int
    name: str
    frame: int | None


def crops(
    dataset: Dataset, *, by: str = "track", margin: float = MARGIN, size: int | None = 256, least: float = 12.0, every: int = 5, fewest: int = 2,
    folder: str | Path | None = None,
) -> Dataset:  # fmt: skip
    """One sample for each thing that is worth learning from, labeled with its identity or its class.

    ``vidi.train(crops(read("street/")), task="embed")`` trains a net that tells one thing from another. Samples keep their split and
    their group (the video), so validation shows identities of other videos where the splits are by video. Pictures are decoded one after
    the other; memory holds the encoded crops alone, or nothing of them with `folder`.

    Args:
        dataset: pictures with `Detections`; not changed.
        by: ``track``: the identity in its video, called ``VIDEO:TRACK``, or ``SPLIT/VIDEO:TRACK`` where videos of one name are in several
            splits; ``class``: the class.
        margin: share of a box's width and height that is shown on each side of it, 0..2; `vidi.engine.appearance` must do the same.
        size: longer crops are scaled down to this longer side, pixels; None: none are.
        least: things whose box has a shorter side than that are left out, pixels.
        every: of a thing in a video, at most one crop in so many frames: frames that follow each other show nearly the same.
        fewest: identities with fewer crops are left out.
        folder: new or empty; gets the crops as class folders, ``SPLIT/IDENTITY/NAME.png``, which `vidi train` reads.

    Returns:
        samples called ``SAMPLE@TRACK`` (``SAMPLE@NUMBER`` for things without one), by sample; its notes say what was left out and why.

    Raises:
        DataError: no boxes, no tracks, or no crop is left.
        InputError: a setting out of range, or a folder that is not empty.
        ResourceError: the crops do not fit into memory.
    """
    _check(by, margin, size, every)
    if dataset.space is None or dataset.space.family != Detections.family:
        raise DataError("there are no boxes to cut out", file=dataset.root, value=dataset.space.family if dataset.space else "no labels",
                        fix="labels with boxes: data for --task detect, instance or track")  # fmt: skip
    left: Counter[str] = Counter()
    cuts = _enough(list(_planned(dataset, by, least, every, left)), fewest if by == "track" else 1, left)
    if not cuts:
        why = ", ".join(f"{count} {what}" for what, count in left.items()) or "no picture shows a thing"
        without = by == "track" and not any(isinstance(label, Detections) and label.tracks is not None for label in dataset.labels)
        raise DataError("no things have a track" if without else "no crop is left", file=dataset.root, value=why, fix="by=class" if without else "smaller least or fewest")
    names = dataset.space.names if by == "class" else tuple(dict.fromkeys(cut.name for cut in cuts))
    home = None if folder is None else _Folder(Path(folder), names, any(sample.split for sample in dataset))
    samples = list(_made(dataset, cuts, names, margin, size, home))
    made = Dataset(samples, Space(Classification.family, tuple(names)), name=f"{dataset.name} crops", root=None if home is None else home.path, format="crops")
    made.notes.append(f"{len(samples)} crops of {len({cut.name for cut in cuts})} {'classes' if by == 'class' else 'identities'}")
    made.notes += [f"left out: {count} {what}" for what, count in left.items()]
    return made


def region(box: np.ndarray, size: tuple[int, int], margin: float = MARGIN) -> tuple[int, int, int, int]:
    """The whole pixels x1, y1, x2, y2 of a picture of (height, width) that show a box with a margin; one pixel at least."""
    x1, y1, x2, y2 = (float(side) for side in box)
    across, down = margin * (x2 - x1), margin * (y2 - y1)
    low = np.clip(np.floor([x1 - across, y1 - down]), 0, [size[1] - 1, size[0] - 1]).astype(int)
    high = np.clip(np.ceil([x2 + across, y2 + down]), low + 1, [size[1], size[0]]).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _check(by: str, margin: float, size: int | None, every: int) -> None:
    if by not in ("track", "class"):
        raise InputError("track or class", at="by", value=by)
    if not 0 <= margin <= 2:
        raise InputError("a share of the box's sides", at="margin", value=margin, fix="0..2")
    if size is not None and size < 8:
        raise InputError("a longer side in pixels", at="size", value=size, fix="8 or more, or none")
    if every < 1:
        raise InputError("every frame or every N-th, N at least 1", at="every", value=every)


def _planned(dataset: Dataset, by: str, least: float, every: int, left: Counter[str]) -> Iterator[_Cut]:
    """The crops that are large, known and new enough, by sample."""
    names = dataset.space.names if dataset.space is not None else ()
    videos, seen = _videos(dataset), dict[Any, int]()
    for i, sample in enumerate(dataset):
        label = sample.label
        if not isinstance(label, Detections) or "image" not in sample.inputs:
            continue
        frame = sample.extra.get("frame")
        for k in range(len(label)):
            track = None if label.tracks is None or label.tracks[k] < 0 else int(label.tracks[k])
            if label.crowd is not None and label.crowd[k]:
                left["regions that stand for many things"] += 1
            elif by == "track" and track is None:
                left["things without a track"] += 1
            elif min(label.boxes[k, 2:] - label.boxes[k, :2]) < least:
                left[f"things of less than {least:g} pixels"] += 1
            else:
                video = videos[sample.split, sample.group]
                key = (video, track if track is not None else f"class {label.classes[k]}")
                if frame is not None and 0 < abs(frame - seen.get(key, frame)) < every:
                    left[f"crops less than {every} frames after the one before"] += 1
                    continue
                if frame is not None:
                    seen[key] = frame
                yield _Cut(i, k, names[label.classes[k]] if by == "class" else f"{video}:{track}" if video else str(track), frame)


def _videos(dataset: Dataset) -> dict[tuple[str | None, str | None], str | None]:
    """What the video of a split and group is called; None for samples without a group."""
    pairs = dict.fromkeys((sample.split, sample.group) for sample in dataset)
    often = Counter(group for _, group in pairs)
    return {(split, group): f"{split}/{group}" if group and split and often[group] > 1 else group for split, group in pairs}


def _enough(cuts: list[_Cut], fewest: int, left: Counter[str]) -> list[_Cut]:
    counts = Counter(cut.name for cut in cuts)
    kept = [cut for cut in cuts if counts[cut.name] >= fewest]
    if len(kept) < len(cuts):
        left[f"identities with fewer than {fewest} crops"] += sum(count < fewest for count in counts.values())
    return kept


def _made(dataset: Dataset, cuts: list[_Cut], names: tuple[str, ...], margin: float, size: int | None, home: _Folder | None) -> Iterator[Sample]:
    index = {name: i for i, name in enumerate(names)}
    labels = [Classification.one_hot(i, len(names)) for i in range(len(names))]  # shared by the samples of an identity
    used, held, pixels = 0, -1, np.zeros((1, 1, 3), np.uint8)
    for cut in cuts:
        sample = dataset[cut.sample]
        things: Any = sample.label
        if cut.sample != held:
            pixels, held = decode(sample.inputs["image"], name=sample.id), cut.sample
        x1, y1, x2, y2 = region(things.boxes[cut.thing], pixels.shape[:2], margin)
        encoded, suffix = _encoded(pixels[y1:y2, x1:x2], size)
        number = cut.thing if things.tracks is None else int(things.tracks[cut.thing])
        used += len(encoded)
        if home is None and used > MEMORY:
            raise ResourceError("the crops do not fit into memory", value=f"over {MEMORY >> 20} MiB", fix="folder=…, a larger every, or a smaller size")
        picture = encoded if home is None else home.add(encoded, sample, cut, number, suffix)
        where = {"frame": cut.frame} if cut.frame is not None else {}
        name = f"{sample.id}@{number}" if things.tracks is None or number >= 0 else f"{sample.id}@#{cut.thing}"
        yield Sample(name, {"image": picture}, labels[index[cut.name]], sample.split, sample.group, None, where)


def _encoded(pixels: np.ndarray, size: int | None) -> tuple[bytes, str]:
    """A crop as a file's bytes, without loss if it is small, and the file's suffix."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if size is not None and max(image.size) > size:
        scale = size / max(image.size)
        image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.BILINEAR, reducing_gap=2.0)
    buffer = io.BytesIO()
    if image.width * image.height <= PIXELS:
        image.save(buffer, "PNG", compress_level=4)
        return buffer.getvalue(), ".png"
    image.save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue(), ".jpg"


class _Folder:
    """Class folders that are written crop by crop."""

    def __init__(self, path: Path, names: tuple[str, ...], splits: bool):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise InputError("not a new or empty folder", file=path, at="folder", fix="another folder")
        self.path, self.splits = path, splits
        self.folders: dict[str, str] = {}
        for name in names:
            plain = _plain(name)
            self.folders[name] = plain if plain not in self.folders.values() else f"{plain}_{len(self.folders)}"

    def add(self, encoded: bytes, sample: Sample, cut: _Cut, number: int, suffix: str) -> Path:
        folder = self.path / (sample.split or "train") if self.splits else self.path
        folder /= self.folders[cut.name]
        path = folder / f"{cut.sample:06d}_{_plain(sample.id)[-80:]}_{number}_{cut.thing}{suffix}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded)
        except OSError as error:
            raise disk_error(error, path) from error
        return path


def _plain(name: str) -> str:
    """A name that any file system takes."""
    return re.sub(r"[^\w\-]+", "_", name).strip("_") or "_"
