"""Label pictures or a video with a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from vidi.core.dataset import Dataset
    from vidi.model import Model


def predict(
    model: str | Path | Model,
    source: Any,
    *,
    batch: int = 64,
    device: str = "auto",
    code: list[str] | None = None,
    conf: float | None = None,
    iou: float | None = None,
    max_det: int | None = None,
    nms: str | None = None,
    classes: list[str] | None = None,
    tile: str | int | None = None,
    overlap: float | None = None,
    whole: bool = True,
    tta: str | None = None,
    min_area: int = 0,
    vid_stride: int = 1,
    top: int = 5,
    out: str | None = None,
    draw: bool = True,
    crops: bool = False,
    format: str = "csv",
    bad_samples: str = "stop",
) -> Dataset:
    """Label pictures or a video with a model.

    Args:
        model: a .vidi file or a run folder.
        source: a picture, folder, glob, video, camera (camera:0), list of paths, array, or a Dataset.
        batch: pictures per step.
        device: auto, cpu, cuda, cuda:N or mps.
        code: Python files of the model's own net, head, backbone, neck or steps, which may be run.
        conf: smallest score of a thing, 0..1; left out: the thresholds chosen for the model, or the net's own.
        iou: overlap, 0..1, above which the lesser of two boxes of a class goes.
        max_det: most things per picture (or tile).
        nms: what is done with doubles: hard, soft or none.
        classes: keep only things of these classes, by name or index.
        tile: look at large pictures in tiles of this many pixels (HEIGHT,WIDTH or one side; auto: the net's input size; none);
            left out: as the model was trained.
        overlap: share of a tile that its neighbor shows as well; left out: as in training, or 0.2.
        whole: with tile, look at the whole picture too, for things larger than a tile.
        tta: further views whose labels are merged with the plain one's: flip, vflip, scale(FACTOR), such as flip,scale(0.8),scale(1.25).
        min_area: leave out things of fewer pixels; small parts of class maps take the class around them.
        vid_stride: every how many frames of a video one is looked at.
        top: classes per picture in predictions.csv.
        out: folder for predictions.csv, predictions.json and drawn pictures (or the drawn video).
        draw: draw the pictures with their labels (up to 200) and a page of the first ones, when out is given.
        crops: write each thing as a picture of its own, to out/crops/CLASS.
        format: write a further copy as coco, yolo or another format (`vidi list formats`), to out/FORMAT.
        bad_samples: stop at a picture that cannot be read, or skip it and say so.

    Returns:
        The pictures as a data set whose labels are the predictions, in the pictures' own pixels; of a video, a sample per frame.
    """
    from pathlib import Path

    from vidi.data import video
    from vidi.data.source import sources
    from vidi.engine import device as devices
    from vidi.engine import outputs
    from vidi.engine.predictor import Predictor
    from vidi.model import load

    folder = Path(out) if out else None
    loaded = load(model, device=str(devices.choose(device)), code=code or [])
    predictor = Predictor(
        loaded, batch=batch, conf=conf, iou=iou, max_det=max_det, nms=nms, tile=tile, overlap=overlap, whole=whole, tta=tta, classes=classes,
        min_area=min_area,
    )  # fmt: skip
    outputs.check(folder, crops=crops, format=format, family=loaded.net.predicts.family)
    if video.is_video(source):
        predicted = predictor.watch(source, stride=vid_stride, out=folder if draw else None)
    else:
        dataset, bad = outputs.readable(sources(source), bad_samples)
        predicted = predictor.predict(dataset)
        predicted.notes += [f"left out {sample}: {error.rule}" for sample, error in bad]
    if folder is not None:
        outputs.write(predicted, folder, top=top, draw=draw, crops=crops, format=format)
    return predicted
