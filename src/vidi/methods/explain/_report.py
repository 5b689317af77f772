"""What is told and written of explanations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.console import progress
from vidi.core.dataset import Dataset
from vidi.core.files import atomic_write
from vidi.core.images import decode
from vidi.core.net import Net
from vidi.engine.maps import filter_sheet
from vidi.errors import InputError, VidiError
from vidi.methods.explain._dream import dream, frames, wish
from vidi.methods.explain._pictures import beside, overlay
from vidi.methods.explain._run import Explained, Outcome
from vidi.report import Report
from vidi.report.pictures import encode, save_png

SIDE = 320
COLUMNS = ["method", "deletion", "random deletion", "insertion", "random insertion", "gain", "from", "to", "verdict", "same with random weights", "sanity"]
NOTE = (
    "Deletion: the area under what is explained while the most relevant pixels are blurred first (small is good); insertion: while they are shown first "
    "(large is good); random deletion and insertion: the same by random maps that are as smooth. Gain: half of both improvements, with its 95 % interval. Same with random "
    "weights: rank correlation of the maps with those of a net that has learned nothing."
)


def report_of(outcome: Outcome, dataset: Dataset, names: tuple[str, ...], about: dict[str, Any], sections: list[dict[str, Any]], seed: int = 0) -> Report:
    """The report on explanations: numbers by method, a table, pictures side by side, and further sections."""
    numbers: dict[str, float | None] = {}
    intervals: dict[str, tuple[float, float]] = {}
    counts: dict[str, int] = {}
    verdicts, rows = {}, []
    for name, scores in outcome.scores.items():
        gain, interval = scores.gain(seed)
        sane = outcome.sanity.get(name)
        own = {key: scores.mean(key) for key in ("deletion", "random_deletion", "insertion", "random_insertion")} | {"gain": gain}
        own |= {} if sane is None else {"random_weights": sane.correlation}
        numbers |= {f"{name}.{key}": value for key, value in own.items()}
        counts |= dict.fromkeys((f"{name}.{key}" for key in own), scores.pictures)
        if interval is not None:
            intervals[f"{name}.gain"] = interval
        if sane is not None:
            counts[f"{name}.random_weights"] = sane.pictures
        verdicts[name] = {"score": scores.verdict(seed), "sanity": "not checked" if sane is None else sane.verdict}
        rows.append([name, *own.values()][:6] + [*(interval or (None, None)), verdicts[name]["score"], own.get("random_weights"), verdicts[name]["sanity"]])
    table = {"kind": "table", "title": "How far to trust these maps", "columns": COLUMNS, "rows": [[_short(cell) for cell in row] for row in rows], "note": NOTE}
    told = [[dataset[one.index].id, one.words] for one in outcome.pictures]
    listed = {"kind": "table", "title": "What is explained", "columns": ["picture", "explained"], "rows": told}
    items = [_item(one, dataset, names) for one in outcome.pictures]
    gallery = {"kind": "gallery", "title": f"Picture, then {', '.join(outcome.scores)}", "items": items, "note": "Warm: supports what is explained. Blue: speaks against it."}
    return Report("explain", numbers, about | {"verdicts": verdicts}, intervals, counts, [table, gallery, *sections, *_cascades(outcome), listed])


def _short(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def _item(one: Explained, dataset: Dataset, names: tuple[str, ...]) -> dict[str, Any]:
    """A picture, with its label drawn where that says where something is, and its maps."""
    first = one.label.draw(one.pixels, names) if one.label.placed else one.pixels
    row = beside([first, *(overlay(one.pixels, relevance) for relevance in one.maps.values())])
    truth, parts = dataset[one.index].label, [dataset[one.index].id, f"predicted: {one.label.words(names)}"]
    if truth is not None:
        parts.append(f"truth: {truth.words(dataset.space.names if dataset.space else names)}")
    return {"image": encode(row, SIDE * (1 + len(one.maps))), "caption": one.words, "note": " · ".join(parts)}


def _cascades(outcome: Outcome) -> list[dict[str, Any]]:
    """How maps change as stages lose what they learned, the last stage first."""
    long = {name: sane.stages for name, sane in outcome.sanity.items() if len(sane.stages) > 1}
    if not long:
        return []
    stages = list(next(iter(long.values())))
    series = [{"name": name, "x": list(range(1, len(values) + 1)), "y": list(values.values())} for name, values in long.items()]
    note = f"Rank correlation with the map of the trained net; random from the last stage down: {', '.join(stages)}."
    return [{"kind": "lines", "title": "Maps as stages get random weights", "series": series, "xlabel": "stages with random weights", "ylabel": "rank correlation", "note": note}]


def write_maps(outcome: Outcome, dataset: Dataset, folder: Path) -> None:
    """Each map of each picture as PNG (over the picture) and NPY ((H, W) float32, in the pixels of the model's canvas)."""
    folder.mkdir(parents=True, exist_ok=True)
    with progress("writing", len(outcome.pictures)) as bar:
        for i, one in enumerate(outcome.pictures):
            stem = f"{i:04d}_{_plain(dataset[one.index].id)}"
            for name, relevance in one.maps.items():
                save_png(overlay(one.pixels, relevance), folder / f"{stem}_{_plain(name)}.png")
                with atomic_write(folder / f"{stem}_{_plain(name)}.npy") as file:
                    np.save(file, relevance)
            bar.update(i + 1)


def _plain(text: str) -> str:
    """A text as part of a file's name."""
    return re.sub(r"[^\w.=-]+", "_", text).strip("_.")[-80:]


def neighbors(outcome: Outcome, dataset: Dataset, examples: Dataset, features: np.ndarray, count: int) -> dict[str, Any]:
    """A gallery: each picture with the examples whose features (N, D) are most alike by angle."""
    length = np.maximum(np.linalg.norm(features, axis=1), 1e-12)
    items = []
    for one in outcome.pictures:
        alike = features @ one.features / (length * max(float(np.linalg.norm(one.features)), 1e-12))
        near = np.argsort(-alike, kind="stable")[:count].tolist()
        tiles = [_thumb(one.pixels), *(_thumb(_pixels(examples, i)) for i in near)]
        labels = [examples[i].label for i in near]
        names = examples.space.names if examples.space else ()
        words = "; ".join(f"{'?' if label is None else label.words(names)} ({alike[i]:.2f})" for i, label in zip(near, labels))
        items.append({"image": encode(beside(tiles), SIDE * 2), "caption": one.words, "note": f"{dataset[one.index].id} · nearest: {words}"})
    return {"kind": "gallery", "title": "Nearest examples", "items": items, "note": "By the angle between features; in brackets its cosine."}


def _pixels(dataset: Dataset, i: int) -> np.ndarray:
    try:
        return decode(dataset[i].inputs["image"], name=dataset[i].id)
    except VidiError:
        return np.full((8, 8, 3), 128, np.uint8)


def _thumb(pixels: np.ndarray, side: int = 96) -> np.ndarray:
    from vidi.core.preprocess import Preprocess

    return Preprocess((side, side), "letterbox", 255).place(pixels)


def look_inside(
    what: str, net: Net, size: tuple[int, int], about: dict[str, Any], *, target: str | None = None, layer: str | None = None, limit: int = 16,
    steps: int | None = None, seed: int = 0, folder: Path | None = None,
) -> Report:  # fmt: skip
    """What a net looks for, without a picture: ``filters`` of its first layer, or ``features``, pictures that it answers to most strongly.

    Raises:
        InputError: something else is wanted, there are no filters to show, or the net cannot be asked so.
    """
    if what == "filters":
        sheet = filter_sheet(net)
        if sheet is None:
            raise InputError("the first layer has no filters that look at colors", at="what", value=what, fix="what=features")
        shown, title, note = [("filters", sheet)], "First layer's filters", "Gray is zero; each filter is stretched to its own largest weight."
    elif what == "features":
        wanted = wish(net, target=target, layer=layer, limit=limit)
        made = frames(dream(net, size, wanted, seed=seed, **({} if steps is None else {"steps": steps})))
        shown, title, note = list(zip(wanted.names, made)), "What the net answers to most strongly", "Made by gradient ascent from noise; not pictures from the data."
    else:
        raise InputError("nothing of this name is explained", at="what", value=what, fix="maps, filters or features")
    if folder is not None:
        for name, pixels in shown:
            save_png(pixels, folder / f"{what}_{_plain(name)}.png" if what != name else folder / f"{what}.png")
    items = [{"image": encode(pixels, 512), "caption": name} for name, pixels in shown]
    sections = [{"kind": "gallery", "title": title, "items": items, "note": note}]
    return Report("explain", {what: len(items)}, about | {"names": [name for name, _ in shown]}, {}, {}, sections)
