"""Pascal VOC: Annotations/*.xml, JPEGImages/, ImageSets/Main/*.txt and classes.txt."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.files import write_text
from vidi.data.writers._folder import expect, flat_names, new_folder, put_pictures, refuse, without_groups
from vidi.data.writers._things import (
    around,
    exact,
    settled,
    shortest,
    size_of,
    stripped,
    things_of,
    without_crowds,
    without_outlines,
    without_scores,
    without_texts,
    without_tracks,
)  # fmt: skip
from vidi.errors import DataError
from vidi.labels import Detections

MEANING = "Pascal VOC XML in Annotations/, pictures in JPEGImages/, sets in ImageSets/Main/; holds boxes, difficult and truncated"

_TAG = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_DEFAULTS = {"pose": "Unspecified", "truncated": 0, "difficult": 0}
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def held(dataset: Dataset) -> tuple[Dataset, Counter[str]]:
    """Boxes and classes; crowd regions are left out."""
    expect(dataset, "Detections", "voc")
    for name in dataset.space.names if dataset.space is not None else ():
        if name.strip() != name or len(name.splitlines()) != 1 or _ILLEGAL.search(name):
            raise DataError("voc cannot hold this class name", value=repr(name), fix="choose a name of one line without blanks at its ends")
    lost: Counter[str] = Counter()
    data = stripped(
        settled(dataset), lost, crowd_regions=without_crowds, outlines=without_outlines, scores=without_scores, tracks=without_tracks,
        texts=without_texts,
    )  # fmt: skip
    return without_groups(data, lost), lost


def places(dataset: Dataset) -> list[str]:
    return flat_names(dataset.samples, ["JPEGImages"] * len(dataset))


def write(dataset: Dataset, folder: str | Path, *, lossy: bool = False) -> Path:
    """Write a data set into a new folder, with copies of its pictures.

    Boxes count pixels from 1 and name the first and the last: xmin is x1 + 1, xmax is x2, with the fewest digits that are read back
    exactly. A picture without a label gets no XML file.

    Args:
        lossy: leave out what the format cannot hold.

    Raises:
        DataError: labels that are no boxes, or with something that the format cannot hold.
        ImageError: a picture whose size cannot be read.
        InputError: the folder is not empty, or lies in the data.
    """
    folder, (data, lost) = Path(folder), held(dataset)
    refuse(lost, lossy, "voc")
    where = places(data)
    stems = [Path(place).stem for place in where]
    with new_folder(folder, data) as target:
        put_pictures(data, where, target)
        (target / "Annotations").mkdir()
        for sample, place, stem in zip(data, where, stems):
            if isinstance(sample.label, Detections):
                write_text(target / "Annotations" / f"{stem}.xml", _document(sample, sample.label, place, data))
        if data.space is not None:
            write_text(target / "classes.txt", "".join(name + "\n" for name in data.space.names))
        for split in ("train", "val", "test"):
            mine = [stem for stem, sample in zip(stems, data) if sample.split == split]
            if mine:
                write_text(target / "ImageSets" / "Main" / f"{split}.txt", "".join(stem + "\n" for stem in mine))
    return folder


def _document(sample: Sample, label: Detections, place: str, dataset: Dataset) -> str:
    height, width = size_of(sample)
    about = sample.extra.get("picture")
    about = about if isinstance(about, dict) else {}
    folder, _, name = place.rpartition("/")
    head: dict[str, Any] = {"folder": folder, "filename": name, "size": {"width": width, "height": height, "depth": 3}}
    lines = _elements(head | {key: value for key, value in about.items() if key not in (*head, "object", "path")}, 1)
    names = dataset.space.names if dataset.space is not None else ()
    for i, note in enumerate(things_of(sample)):
        more = _DEFAULTS | {key: value for key, value in note.items() if key not in ("name", "bndbox", "part")}
        x1, y1, x2, y2 = label.boxes[i]
        sides = {"xmin": _from_one(x1), "ymin": _from_one(y1), "xmax": exact(x2), "ymax": exact(y2)}
        lines += _elements({"object": {"name": names[int(label.classes[i])], **more, "bndbox": sides}}, 1)
    return "\n".join(["<annotation>", *lines, "</annotation>", ""])


def _from_one(value: np.float32) -> str:
    least, most = around(value)
    return shortest(float(value) + 1, lambda number: least < number - 1 < most)


def _elements(values: dict[str, Any], depth: int) -> list[str]:
    """Elements of texts, numbers and tables of them; what cannot be an element is left out."""
    lines, indent = [], "\t" * depth
    for key, value in values.items():
        if not _TAG.fullmatch(key) or value is None or isinstance(value, list):
            continue
        if isinstance(value, dict):
            inner = _elements(value, depth + 1)
            lines += [f"{indent}<{key}>", *inner, f"{indent}</{key}>"] if inner else [f"{indent}<{key}/>"]
        else:
            text = str(int(value)) if isinstance(value, bool) else str(value)
            lines.append(f"{indent}<{key}>{escape(_ILLEGAL.sub('', text))}</{key}>")
    return lines
