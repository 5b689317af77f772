"""Fit anchor boxes to a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from vidi.core.dataset import Dataset
    from vidi.core.preprocess import Preprocess
    from vidi.methods.anchors._truth import Truth
    from vidi.report import Report

STRIDES = (8, 16, 32)


def anchors(
    data: str | Dataset,
    *,
    imgsz: int = 320,
    count: int = 9,
    net: str | None = None,
    fit: str = "letterbox",
    task: str | None = None,
    show: str | None = None,
    iou: float = 0.5,
    pictures: int = 8,
    generations: int = 1000,
    out: str = "anchors",
    seed: int = 0,
    **settings: Any,
) -> Report:
    """Fit anchor boxes to a data set by k-means on IoU and mutation, and compare them with the defaults.

    Args:
        data: a data set with boxes; its training samples count, or all where it has no splits.
        imgsz: input size in pixels.
        count: anchors to fit, 1..100; a multiple of the net's levels.
        net: a net whose own anchors are compared too, and matched with --show matching.
        fit: how pictures meet the input size: letterbox, crop or squash.
        task: what the data is for, where its labels can be read in several ways.
        show: `matching` draws which anchor overlaps each true box most, and by how much.
        iou: overlap that counts as a match, 0..1.
        pictures: how many pictures are drawn.
        generations: mutations tried; 0: k-means alone.
        out: folder for anchors.png, report.json, report.html and matching.png.
        seed: where k-means and mutation start.
        **settings: settings of the net.

    Returns:
        A report with best possible recall and mean IoU of all anchors, and the recipe line to paste.
    """
    from pathlib import Path

    import numpy as np

    from vidi.core.console import say
    from vidi.core.preprocess import Preprocess
    from vidi.data import read
    from vidi.methods.anchors._truth import net_anchors, shapes_in, truth_of
    from vidi.ops.anchor_fit import YOLOV3, YOLOV3_SIDE, deal_out, evolve_anchors, kmeans_anchors, tiled
    from vidi.report import Report

    _check(imgsz, count, iou, show, pictures, generations)
    dataset = read(data, task=task)
    rule = Preprocess((imgsz, imgsz), fit)
    truth = truth_of(dataset.split("train") if dataset.splits.get("train") else dataset, rule)
    start = kmeans_anchors(truth.shapes, count, seed=seed)
    fitted = evolve_anchors(truth.shapes, start, seed=seed, generations=generations)
    shapes = {"fitted": fitted, "yolov3": np.array(YOLOV3) * (imgsz / YOLOV3_SIDE)}
    boxes = {name: tiled(deal_out(kinds, len(STRIDES)), STRIDES, rule.size) for name, kinds in shapes.items()}
    if net is not None:
        boxes[net] = net_anchors(net, settings, dataset, rule.size)
        shapes[net] = shapes_in(boxes[net])
    scores = {name: _scores(truth, kinds, boxes[name], iou) for name, kinds in shapes.items()}
    line = "anchors=[" + ", ".join(f"[{wide:.0f}, {tall:.0f}]" for wide, tall in np.maximum(fitted, 1)) + "]"
    folder = Path(out)
    sections = [_table(shapes, scores, iou), {"kind": "text", "title": "Recipe line", "text": line}, *_drawn(truth, shapes, rule, folder)]
    if show is not None:
        sections.append(_matching(truth, boxes[net or "fitted"], rule, iou, pictures, dataset, folder))
    numbers: dict[str, Any] = {"boxes": len(truth.shapes)}
    numbers |= {f"{name}.{key}": value for name, values in scores.items() for key, value in values.items()}
    about = {
        "title": f"Anchors for {dataset.name}", "data": str(dataset.root or dataset.name), "imgsz": imgsz, "fit": fit, "count": count, "seed": seed,
        "anchors": np.round(fitted, 2).tolist(), "recipe": line, "folder": str(folder),
        "key_numbers": ["boxes", "fitted.mean_iou", "fitted.recall", "yolov3.mean_iou", "yolov3.recall"],
    }  # fmt: skip
    report = Report("anchors", numbers, about, n={key: len(truth.shapes) for key in numbers if key != "boxes"}, sections=sections)
    report.save(folder / "report.json")
    report.html(folder / "report.html")
    say(f"recipe line: {line}\ndrawn: {folder / 'report.html'}")
    return report


def _check(imgsz: int, count: int, iou: float, show: str | None, pictures: int, generations: int) -> None:
    from vidi.errors import RecipeError

    for key, value, low, high in (("imgsz", imgsz, 8, 8192), ("count", count, 1, 100), ("iou", iou, 0, 1), ("pictures", pictures, 1, 1000),
                                  ("generations", generations, 0, 1_000_000)):  # fmt: skip
        if not low <= value <= high:
            raise RecipeError("out of range", at=key, value=value, fix=f"{low}..{high}")
    if show not in (None, "matching"):
        raise RecipeError("nothing by that name to show", at="show", value=show, fix="show=matching")


def _scores(truth: Truth, shapes: np.ndarray, boxes: np.ndarray, iou: float) -> dict[str, float | None]:
    """How well anchors suit the truth; ``placed_recall`` is measured on up to 500 samples."""
    import numpy as np

    from vidi.methods.anchors._figures import best_matches
    from vidi.ops.anchor_fit import fit_scores

    some: list[Any] = truth.labels[:: max(1, -(-len(truth.labels) // 500))]
    found = [best_matches(label.boxes, boxes)[1] for label in some if len(label)]
    placed = float((np.concatenate(found) >= iou).mean()) if found else None
    return fit_scores(truth.shapes, shapes, iou=iou) | {"placed_recall": placed}


def _table(shapes: dict[str, np.ndarray], scores: dict[str, dict[str, float | None]], iou: float) -> dict[str, Any]:
    return {
        "kind": "table", "title": "Anchors",
        "columns": ["anchors", "shapes", "mean IoU", f"recall at IoU {iou:g}, centered", "recall within factor 4", f"recall at IoU {iou:g}, in place"],
        "rows": [[name, len(shapes[name]), *values.values()] for name, values in scores.items()],
        "note": "Centered: the best shape laid over each box's own center. In place: the best anchor where it lies; the fitted and the COCO "
                "shapes (yolov3) are laid on strides 8, 16 and 32.",
    }  # fmt: skip


def _drawn(truth: Truth, shapes: dict[str, np.ndarray], rule: Preprocess, folder: Any) -> list[dict[str, Any]]:
    """Widths and heights of boxes and anchors, and the fitted anchors, written as anchors.png too."""
    from vidi.methods.anchors._figures import cloud, shapes_picture
    from vidi.report.pictures import encode, save_png

    sheet = shapes_picture(shapes["fitted"], rule.size)
    save_png(sheet, folder / "anchors.png")
    caption = f"{len(shapes['fitted'])} anchors on {rule.size[1]}×{rule.size[0]}"
    gallery = {"kind": "gallery", "title": "Fitted anchors", "items": [{"image": encode(sheet, 640), "caption": caption}]}
    return [cloud(truth.shapes, [(name, kinds) for name, kinds in shapes.items() if len(kinds) <= 200]), gallery]


def _matching(
    truth: Truth, boxes: np.ndarray, rule: Preprocess, iou: float, pictures: int, dataset: Dataset, folder: Any
) -> dict[str, Any]:
    """A gallery of pictures with boxes, evenly spread; written as matching.png too."""
    from vidi.methods.anchors._figures import matching_picture
    from vidi.report.pictures import encode, grid, save_png

    names = dataset.space.names if dataset.space is not None else ()
    able = [(sample, label) for sample, label in zip(truth.samples, truth.labels) if len(label)]  # type: ignore[arg-type]
    chosen = able[:: max(1, len(able) // pictures)][:pictures]
    drawn = [matching_picture(sample, label, rule, boxes, iou, names) for sample, label in chosen]
    side = max(320, min(640, max(rule.size)))
    save_png(grid([picture for picture, _ in drawn], captions=[caption for _, caption in drawn], cell=side), folder / "matching.png")
    items = [{"image": encode(picture, 640), "caption": caption} for picture, caption in drawn]
    note = f"Green: truth. Blue: the anchor that overlaps it most, by {iou:g} or more; red: by less."
    return {"kind": "gallery", "title": "Matching", "items": items, "note": note}
