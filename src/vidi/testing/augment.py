"""What every augmentation must hold to, one from outside as well."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidi.augmentations._pipeline import Pipeline, parse
from vidi.core.augmentation import Augmentation
from vidi.core.batch import Batch, Frame
from vidi.core.seeds import Draw
from vidi.errors import RecipeError
from vidi.labels import Classification, Detections, Label
from vidi.ops.warp import size_of, warp_points

SIZE = (24, 32)
_ODD = ((1, 1), (37, 1), (1, 37), (2, 3), (65, 33))


def augment_examples(count: int = 8, size: tuple[int, int] = SIZE) -> Tensor:
    """(count, 3, height, width) float pictures in 0..1 with slopes, edges, colors and grain, each another."""
    h, w = size
    draw = Draw.samples(11, 0, np.arange(count))
    y, x = torch.meshgrid(torch.arange(h) / max(h - 1, 1), torch.arange(w) / max(w - 1, 1), indexing="ij")
    turn = draw.uniform(1, 6, 3)[:, :, None, None]
    waves = 0.5 + 0.3 * torch.sin(turn * x + 2 * turn.flip(1) * y)
    waves = waves + 0.15 * ((x > draw.uniform()[:, None, None, None]) ^ (y > draw.uniform()[:, None, None, None]))
    return (waves + 0.05 * draw.normal(3, h, w)).clamp(0, 1)


def check_augment(name: str) -> None:
    """Check an augmentation: shapes, ranges, repeatability, independence of the batch, `p`, tiny pictures, labels that follow.

    Args:
        name: a name, a path to a .py file, or a recipe entry with settings.

    Raises:
        AssertionError: says which promise is broken.
        VidiError: nothing, or nothing usable, answers to the name.
    """
    (found,) = parse([name])
    always = replace(found, p=1.0)
    _check_entry(found, name)
    _check_values(always, name)
    _check_never(found, name)
    _check_alone(always, name)
    _check_sizes(always, name)
    _check_frames(always, name)
    _check_boxes(always, name)
    if found.families:
        _check_families(always, name)
    if found.mixes:
        _check_mixing(always, name)
        _check_mixed_boxes(always, name)


def _expect(holds: bool, where: str, promise: str, got: Any = None) -> None:
    if not holds:
        raise AssertionError(f"{where}: {promise}" + ("" if got is None else f"; got {got}"))


def _batch(images: Tensor, labels: list[Label | None] | None = None) -> Batch:
    count, size = len(images), size_of(images)
    frames = [Frame(str(index), size, np.eye(3)) for index in range(count)]
    return Batch({"image": images}, labels or [None] * count, frames, np.arange(count))


def _run(augmentation: Augmentation, images: Tensor, size: tuple[int, int], draw: Draw | None = None) -> Tensor:
    draw = Draw.samples(0, 1, np.arange(len(images))) if draw is None else draw
    return Pipeline([augmentation], size)(_batch(images, _labels(augmentation, images)), draw).inputs["image"]


def _labels(augmentation: Augmentation, images: Tensor) -> list[Label | None] | None:
    """For augmentations that live by things: one in the middle of each picture."""
    if "Detections" not in augmentation.families:
        return None
    h, w = size_of(images)
    return [Detections([[w / 4, h / 4, w * 3 / 4, h * 3 / 4]]) for _ in images]  # type: ignore[arg-type]


def _check_entry(augmentation: Augmentation, where: str) -> None:
    again = parse(Pipeline([augmentation], SIZE).description)
    _expect(again == [augmentation], where, "its description must parse to the same augmentation", again)


def _check_values(augmentation: Augmentation, where: str) -> None:
    images = augment_examples()
    before = images.clone()
    out = _run(augmentation, images, SIZE)
    _expect(torch.equal(images, before), where, "the pictures given must not be changed")
    _expect(out.shape == images.shape and out.dtype == images.dtype, where, "shape and dtype stay", (tuple(out.shape), out.dtype))
    _expect(bool(torch.isfinite(out).all()), where, "values are finite")
    _expect(float(out.min()) >= -1e-5 and float(out.max()) <= 1 + 1e-5, where, "values lie in 0..1", (float(out.min()), float(out.max())))
    _expect(torch.equal(out, _run(augmentation, images, SIZE)), where, "the same keys give the same pictures")
    changed = any(
        float((_run(augmentation, images, SIZE, Draw.samples(0, epoch, np.arange(8))) - images).abs().max()) > 1e-3 for epoch in range(3)
    )
    _expect(changed, where, "with p=1 something changes")


def _check_never(augmentation: Augmentation, where: str) -> None:
    images = augment_examples()
    _expect(torch.equal(_run(replace(augmentation, p=0.0), images, SIZE), images), where, "with p=0 nothing changes")


def _check_alone(augmentation: Augmentation, where: str) -> None:
    """A sample's result does not depend on the rest of its batch, unless the augmentation says so (`mixes`)."""
    if augmentation.mixes:
        return
    for some in (augmentation, replace(augmentation, p=0.5)):
        images, draw = augment_examples(8, (28, 36)), Draw.samples(5, 2, np.arange(8))
        together = _run(some, images, SIZE, draw)
        for index in range(8):
            row = torch.tensor([index])
            alone = _run(some, images[row], SIZE, draw[row])[0]
            gap = float((alone - together[index]).abs().max())
            _expect(gap < 1e-4, where, "a sample alone equals the sample in its batch", f"sample {index} differs by {gap:.2g}")


def _check_sizes(augmentation: Augmentation, where: str) -> None:
    for size in _ODD:
        for count in (1, 3):
            out = _run(augmentation, augment_examples(count, size), size)
            fine = out.shape == (count, 3, *size) and bool(torch.isfinite(out).all())
            _expect(fine, where, f"pictures of {size[0]}x{size[1]} survive", tuple(out.shape))
    out = _run(augmentation, torch.zeros(0, 3, *SIZE), SIZE)
    _expect(out.shape == (0, 3, *SIZE), where, "an empty batch survives", tuple(out.shape))
    out = _run(augmentation, augment_examples(2, (40, 50)), SIZE)
    _expect(out.shape == (2, 3, *SIZE), where, "a larger canvas ends at the net's size", tuple(out.shape))


def _check_frames(augmentation: Augmentation, where: str) -> None:
    images, draw = augment_examples(8, (28, 36)), Draw.samples(3, 0, np.arange(8))
    pipeline = Pipeline([augmentation], SIZE)
    out, (_, matrices) = pipeline(_batch(images), draw), pipeline.apply(images, draw)
    matrices = torch.eye(3).expand(8, 3, 3) if matrices is None else matrices
    got = np.stack([frame.matrix for frame in out.frames])
    _expect(bool(np.allclose(got, matrices.numpy())), where, "frames remember the matrix")
    _expect(all(frame.size == (28, 36) for frame in out.frames), where, "frames keep the original's size")


def _check_boxes(augmentation: Augmentation, where: str) -> None:
    """A bright square's pixels land where its moved box says; its label bounds what is seen of it, unless that is a sliver."""
    kind = type(augmentation)
    outline = {"fill": "zeros"} if "fill" in {field.name for field in fields(augmentation)} else {}
    still = type(kind.__name__, (kind,), {"pixels": Augmentation.pixels, "mixes": False, "__module__": kind.__module__})
    values = {field.name: getattr(augmentation, field.name) for field in fields(augmentation)}
    mover = still(**(values | outline))
    size, box = (60, 80), np.array([30, 20, 50, 40], np.float32)
    images = torch.zeros(16, 3, *size)
    images[:, :, 20:40, 30:50] = 1
    draw = Draw.samples(9, 4, np.arange(16))
    bend = kind.displacement(mover, draw.child(f"{kind.__name__}.0"), size)
    margin = 1.0 + (0.0 if bend is None else float(bend.abs().max()))
    pipeline = Pipeline([mover], size)
    labels: list[Label | None] = [Detections(box[None]) for _ in range(16)]
    moved = pipeline(_batch(images, labels), draw)
    _, matrices = pipeline.apply(images, draw, labels)
    corners = torch.tensor([[30, 20], [50, 20], [50, 40], [30, 40]], dtype=torch.float64)
    for index, (image, label) in enumerate(zip(moved.inputs["image"], moved.labels)):
        bright = (image[0] > 0.5).nonzero().flip(1).double() + 0.5
        places = corners if matrices is None else warp_points(corners, matrices[index])
        outside = ((bright < places.amin(0) - margin) | (bright > places.amax(0) + margin)).any(1).double().mean()
        _expect(not len(bright) or float(outside) < 0.02, where, "pixels land where the matrix says", f"sample {index}")
        full = torch.cat([places.amin(0), places.amax(0)])
        seen = torch.cat([full[:2].clamp_min(0), torch.minimum(full[2:], torch.tensor([80.0, 60.0]))])
        sides = (seen[2:] - seen[:2]).clamp_min(0)
        share = float(sides.prod() / (full[2:] - full[:2]).prod().clamp_min(1e-9))
        boxes = label.boxes if isinstance(label, Detections) else np.zeros((0, 4))
        if share > 0.25 and float(sides.min()) > 2.5:
            _expect(len(boxes) == 1, where, "a box of which enough is seen is kept", f"sample {index}")
        if share < 0.15:
            _expect(len(boxes) == 0, where, "a box of which only a sliver is seen is left out", f"sample {index}")
        if len(boxes):
            _expect(bool(np.allclose(boxes[0], seen.numpy(), atol=1e-2)), where, "boxes follow the matrix", boxes[0])
            _expect(_bounded(bright, boxes, margin) > 0.98, where, "a box bounds the pixels of its thing", f"sample {index}")


def _bounded(places: Tensor, boxes: np.ndarray, margin: float) -> float:
    """The share of places (N, 2) that lie in some box."""
    if not len(places):
        return 1.0
    table = torch.from_numpy(boxes).to(places.dtype)
    inside = (places[:, None] > table[:, :2] - margin) & (places[:, None] < table[:, 2:] + margin)
    return float(inside.all(2).any(1).double().mean())


def _check_families(augmentation: Augmentation, where: str) -> None:
    """Labels that cannot follow are refused, in one sentence."""
    labels: list[Label | None] = [Classification.one_hot(index % 4, 4) for index in range(8)]
    if "Classification" in augmentation.families:
        return
    try:
        Pipeline([augmentation], SIZE)(_batch(augment_examples(), labels), Draw.samples(0, 0, np.arange(8)))
    except RecipeError:
        return
    _expect(False, where, f"labels of families other than {', '.join(augmentation.families)} are refused")


def _check_mixed_boxes(augmentation: Augmentation, where: str) -> None:
    """Bright squares on black: what is bright afterwards lies in a box (but for slivers), and no box is dark.

    An augmentation that hands the labels on as they are says that what it mixes in is no thing.
    """
    h, w, count = 96, 128, 12
    images, labels = torch.zeros(count, 3, h, w), []
    for index in range(count):
        x, y, side = 8 + 7 * index, 8 + 4 * index, 24 + 2 * (index % 3)
        images[index, :, y : y + side, x : x + side] = 1
        labels.append(Detections([[x, y, min(x + side, w), min(y + side, h)]], None, [index % 3]))  # type: ignore[arg-type]
    kind = type(augmentation)
    outline: dict[str, Any] = {"fill": "zeros"} if "fill" in {field.name for field in fields(augmentation)} else {}
    mixer = replace(augmentation, **outline)
    before = images.clone()
    for epoch in range(3):
        batch = _batch(images, list(labels))
        out = mixer.mix(batch, Draw.samples(1, epoch, np.arange(count)).child(kind.__name__))
        if all(one is other for one, other in zip(out.labels, labels)):
            continue
        bright, dark = [], []
        for image, label in zip(out.inputs["image"], out.labels):
            boxes = label.boxes if isinstance(label, Detections) else np.zeros((0, 4), np.float32)
            places = (image[0] > 0.5).nonzero().flip(1).double() + 0.5
            bright.append(_bounded(places, boxes, 1.5))
            _expect(bool((boxes >= 0).all() and (boxes[:, 2:] <= [w, h]).all()), where, "boxes stay on the picture", boxes)
            for x0, y0, x1, y1 in boxes.round().astype(int):
                dark.append(float(image[0, y0:y1, x0:x1].mean()) < 0.15)
        _expect(float(np.mean(bright)) > 0.9, where, "things are marked", f"{np.mean(bright):.2f} of the bright pixels")
        _expect(float(np.mean(dark)) < 0.1, where, "boxes hold things", f"{np.mean(dark):.2f} are dark")
    _expect(torch.equal(images, before), where, "the pictures given must not be changed")
    _expect(all(len(label) == 1 for label in labels), where, "the labels given must not be changed")
    nothing = mixer.mix(_batch(images, [Detections.empty() for _ in range(count)]), Draw.samples(1, 0, np.arange(count)))
    _expect(all(isinstance(label, Detections) and not len(label) for label in nothing.labels), where, "pictures without things survive")


def _check_mixing(augmentation: Augmentation, where: str) -> None:
    images = augment_examples()
    unknown = augmentation.mix(_batch(images), Draw.samples(0, 0, np.arange(8)))
    _expect(unknown.labels == [None] * 8, where, "samples without labels survive")
    if augmentation.families and "Classification" not in augmentation.families:
        return
    labels = [Classification.one_hot(index % 4, 4) for index in range(8)]
    out = augmentation.mix(_batch(images, list(labels)), Draw.samples(0, 0, np.arange(8)))
    sums = np.array([label.probabilities.sum() for label in out.labels if isinstance(label, Classification)])
    _expect(len(sums) == 8 and bool(np.allclose(sums, 1, atol=1e-5)), where, "mixed labels keep their mass", sums)
    kept = np.stack([label.probabilities for label in labels])
    _expect(bool(np.array_equal(kept, np.eye(4, dtype=np.float32)[np.arange(8) % 4])), where, "the labels given must not be changed")
