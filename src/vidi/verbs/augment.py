"""Draw augmented pictures of a data set, to look at before training."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from vidi.augmentations._pipeline import Pipeline
    from vidi.core.batch import Batch
    from vidi.core.dataset import Dataset
    from vidi.core.preprocess import Preprocess
    from vidi.report import Report


def augment(
    data: str | Dataset,
    *,
    augment: list[str] | str | None = None,
    task: str | None = None,
    imgsz: int | None = None,
    canvas: float = 1.0,
    count: int = 8,
    versions: int = 7,
    labels: bool = True,
    show: bool = False,
    out: str = "augment.png",
    seed: int = 0,
) -> Report:
    """Draw a grid of augmented pictures: a row for each picture, the original first, then what training would see of it.

    Args:
        data: class folders, a table, data.yaml, idx files, or a Dataset.
        augment: augmentations, as `name` or `name(key=value, …)` (`vidi list augmentations`); left out: the task's default.
        task: task, whose default augmentations are drawn; left out: told by the data.
        imgsz: input size in pixels; left out: told by the data.
        canvas: pictures are loaded this much larger than imgsz, as in training.
        count: pictures, one row each.
        versions: augmented versions of each picture.
        labels: draw labels, which follow the pixels.
        show: open the drawn grid in the default viewer.
        out: the PNG file to write.
        seed: which pictures, and what is random about them.

    Returns:
        A report with the grid and the augmentations with all of their settings.
    """
    from pathlib import Path

    from vidi.augmentations._pipeline import Pipeline, parse
    from vidi.core.console import say
    from vidi.core.preprocess import Preprocess
    from vidi.data import read
    from vidi.engine.prepare import choose_size, find_task
    from vidi.errors import RecipeError
    from vidi.report import Report
    from vidi.report.pictures import encode, grid, save_png

    for key, value, least in (("count", count, 1), ("versions", versions, 1), ("imgsz", imgsz or 1, 1), ("canvas", canvas, 1.0)):
        if value < least:
            raise RecipeError("too small", at=key, value=value, fix=f"{least} or more")
    dataset = read(data, task=task)
    entries = list(find_task(task, dataset)[1].augment) if augment is None else augment
    size, fit = choose_size(dataset)
    size = size if imgsz is None else (imgsz, imgsz)
    pipeline = Pipeline(parse(entries), size)
    batch = _pictures(dataset, Preprocess(size, fit).enlarged(canvas), count, seed)
    names = dataset.space.names if labels and dataset.space is not None else None
    columns = [_drawn(Pipeline([], size), batch, 0, seed, names)]
    columns += [_drawn(pipeline, batch, epoch, seed, names) for epoch in range(versions)]
    sheet = grid([picture for row in zip(*columns) for picture in row], versions + 1)
    path = save_png(sheet, Path(out))
    say(f"drawn: {path}")
    if show:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
    gallery = {"kind": "gallery", "title": "Original, then augmented", "items": [{"image": encode(sheet, 1600), "caption": str(path)}]}
    table = {"kind": "table", "title": "Augmentations", "columns": ["in order"], "rows": [[entry] for entry in pipeline.description]}
    about = {
        "title": f"augment {dataset.name}", "data": str(dataset.root or dataset.name), "file": str(path), "imgsz": list(size),
        "fit": fit, "seed": seed, "augment": pipeline.description,
    }  # fmt: skip
    return Report("augment", {"pictures": len(batch), "versions": versions}, about, sections=[gallery, table])


def _pictures(dataset: Dataset, rule: Preprocess, count: int, seed: int) -> Batch:
    """Random samples that can be decoded, training samples first, on their canvases.

    Raises:
        DataError: there is none.
    """
    import numpy as np
    import torch

    from vidi.core.batch import Batch, Frame
    from vidi.core.seeds import permutation
    from vidi.errors import DataError, VidiError

    order = sorted(permutation(len(dataset), seed, 0).tolist(), key=lambda index: dataset[index].split not in ("train", None))
    canvases, labels, frames, indices = [], [], [], []
    for index in order:
        sample = dataset[index]
        try:
            canvas, original, matrix = rule.load(sample.inputs.get("image"), sample.id)
        except VidiError:
            continue
        canvases.append(canvas)
        labels.append(None if sample.label is None else sample.label.warp(matrix, rule.size))
        frames.append(Frame(sample.id, original, matrix))
        indices.append(index)
        if len(indices) == count:
            break
    if not indices:
        raise DataError("no picture that can be read", file=dataset.root, fix="see `vidi doctor`")
    images = torch.from_numpy(np.stack(canvases)).permute(0, 3, 1, 2).float().div_(255)
    return Batch({"image": images}, labels, frames, np.array(indices))


def _drawn(pipeline: Pipeline, batch: Batch, epoch: int, seed: int, names: tuple[str, ...] | None) -> list[np.ndarray]:
    """The batch's pictures as one epoch shows them, (H, W, 3) uint8 each, with labels unless `names` is None."""
    from vidi.core.seeds import Draw

    out = pipeline(batch, Draw.samples(seed, epoch, batch.indices))
    pixels = out.inputs["image"].permute(0, 2, 3, 1).mul(255).round().byte().numpy()
    if names is None:
        return list(pixels)
    return [picture if label is None else label.draw(picture, names) for picture, label in zip(pixels, out.labels)]
