"""What every net with masks must do beyond `vidi.testing.detector`, as one call: ``check_instance("yolo", width=8)``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidi.core.discovery import load, member
from vidi.core.net import Net
from vidi.labels import Detections, Outline
from vidi.ops.cutouts import cut_out
from vidi.ops.masks import box_coverage, cell_coverage
from vidi.testing.detector import DETECTOR_CHECKS, LEARNING_RATE, check_head_word
from vidi.testing.net import CHECKS, SPACES, NotConforming, check_export, toy_inputs, toy_labels

HEAD, FAMILY = "masks", "boxes"
PART = "mask"
LEARNING_STEPS = 30
SURE = 12.0
"""A logit of which the sigmoid is 1 or 0."""


def _must(holds: bool, promise: str) -> None:
    if not holds:
        raise NotConforming(promise)


def disc(size: tuple[int, int], box: Sequence[float]) -> np.ndarray:
    """(H, W) bool: the pixels of the ellipse that fills a box, of the box itself where that is tiny."""
    x1, y1, x2, y2 = (float(value) for value in box)
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    return ((x - (x1 + x2) / 2) / max(x2 - x1, 1)) ** 2 + ((y - (y1 + y2) / 2) / max(y2 - y1, 1)) ** 2 <= 0.25


def outlined(labels: Sequence[Detections], size: tuple[int, int]) -> list[Detections]:
    """Labels whose things are ellipses; the last of three or more things stays without outline."""
    found = []
    for label in labels:
        outlines: list[Outline | None] = [Outline.of(disc(size, box)) for box in label.boxes]
        if len(label) > 2:
            outlines[-1] = None
        found.append(replace(label, outlines=tuple(outlines)))
    return found


def toy_shapes(count: int, side: int, channels: int = 3, seed: int = 0) -> tuple[Tensor, list[Detections]]:
    """Pictures (count, channels, side, side) in 0..1 of one or two bright ellipses (class 0) or hollow frames (class 1) on dim noise."""
    random = np.random.default_rng(seed)
    image = random.uniform(0, 0.3, (count, channels, side, side)).astype(np.float32)
    labels = []
    for picture in image:
        boxes, classes, masks = [], [], []
        for half in range(int(random.integers(1, 3))):
            long, kind = int(random.integers(side // 3, side // 2)), int(random.integers(2))
            x, y = half * side // 2 + int(random.integers(0, side // 2 - long + 1)), int(random.integers(0, side - long))
            mask = disc((side, side), (x, y, x + long, y + long))
            if kind:
                mask[:] = False
                mask[y : y + long, x : x + long] = True
                mask[y + long // 4 : y + long - long // 4, x + long // 4 : x + long - long // 4] = False
            picture[:, mask] = 0.8
            boxes.append([x, y, x + long, y + long])
            classes.append(kind)
            masks.append(mask)
        labels.append(replace(_things(boxes, np.array(masks)), classes=np.array(classes)))
    return torch.from_numpy(image), labels


def _found(net: Any, raw: Mapping[str, Tensor]) -> list[Detections]:
    """Everything a net says, unsure as it is."""
    trial = copy.copy(net)
    trial.conf, trial.max_det = 0.0, 9
    return trial.decode(raw)


def _raw(net: Net, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    net.eval()
    with torch.no_grad():
        return net(inputs)


def _size(inputs: Mapping[str, Tensor]) -> tuple[int, int]:
    return inputs["image"].shape[2], inputs["image"].shape[3]


def _things(boxes: Any, masks: np.ndarray | None = None, crowd: Any = None, outlines: Any = None) -> Detections:
    """Truth from plain lists."""
    return Detections(np.array(boxes, np.float32), masks=masks, crowd=crowd, outlines=outlines)


def check_masks(net: Any, inputs: Mapping[str, Tensor], labels: Sequence[Detections]) -> None:
    """Masks are bool, of the input's size, and lie within their box grown by a pixel; a picture without things has an empty stack."""
    wide = {"image": inputs["image"][:, :, : inputs["image"].shape[2] // 2 + 3].contiguous()}
    for given in (inputs, wide):
        raw = _raw(net, given)
        size = _size(given)
        for label in _found(net, raw):
            masks: Any = label.masks
            _must(masks is not None, "things have masks")
            _must(masks.dtype == bool and masks.shape == (len(label), *size), f"masks are bool of the input's size {size}")
            y, x = np.mgrid[: size[0], : size[1]] + 0.5
            for mask, (x1, y1, x2, y2) in zip(masks, label.boxes + np.array([-1, -1, 1, 1])):
                _must(not (mask & ~((x >= x1) & (x <= x2) & (y >= y1) & (y <= y2))).any(), "masks lie within their boxes")
        nothing = copy.copy(net)
        nothing.conf = 1.0
        empty = nothing.decode(raw)[0]
        _must(
            empty.masks is not None and empty.masks.shape == (0, *size),
            "without things, masks are an empty stack of the input's size",
        )


def check_mask_truths(net: Any, inputs: Mapping[str, Tensor], labels: Sequence[Detections]) -> None:
    """The mask part is finite, with its gradients, for any truth; things without outline and crowds have none."""
    height, width = size = _size(inputs)
    box = [[3, 3, width - 9, height - 9]]
    mask = disc(size, box[0])[None]
    corner = np.zeros((1, height, width), bool)
    corner[0, 0, 0] = True
    cases = {
        "nothing": (Detections.empty(), False),
        "a pixel": (_things([[0, 0, 1, 1]], masks=corner), True),
        "an outline": (_things(box, outlines=(Outline.of(mask[0]),)), True),
        "a mask": (_things(box, masks=mask), True),
        "the full picture": (_things([[0, 0, width, height]], masks=np.ones((1, height, width), bool)), True),
        "a mask that its box misses": (_things(box, masks=corner), True),
        "an empty mask": (_things(box, masks=np.zeros((1, height, width), bool)), False),
        "a thing without outline": (_things(box), False),
        "a crowd": (_things(box, masks=mask, crowd=[True]), False),
        "a thing in a crowd": (_things(box * 2, masks=np.concatenate([mask, mask]), crowd=[True, False]), True),
        "thirty in one place": (_things(box * 30, masks=np.repeat(mask, 30, 0)), True),
    }
    for name, (label, counts) in cases.items():
        net.zero_grad()
        net.eval()
        part = net.loss(net(inputs), [label] * len(labels))[PART]
        _must(part.shape == (len(labels),) and bool(part.isfinite().all()), f"the mask loss is finite and (B,) with {name}")
        if name not in ("a pixel", "a thing in a crowd"):  # no place may answer for it
            _must(bool((part > 0).all()) == counts, f"the mask loss is {'positive' if counts else 'zero'} with {name}")
        if part.requires_grad:
            part.mean().backward()
        grads = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
        _must(all(bool(grad.isfinite().all()) for grad in grads), f"gradients of the mask loss are finite with {name}")
    net.zero_grad()


def check_same_truth(net: Any, inputs: Mapping[str, Tensor], labels: Sequence[Detections]) -> None:
    """Masks and outlines that hold the same pixels cost the same."""
    raw, size = _raw(net, inputs), _size(inputs)
    full = [replace(label, outlines=tuple(Outline.of(disc(size, box)) for box in label.boxes)) for label in labels]
    masks = [replace(label, outlines=None, masks=label.bitmaps(size)) for label in full]
    with torch.no_grad():
        once, again = net.loss(raw, full)[PART], net.loss(raw, masks)[PART]
    _must(torch.equal(once, again), "masks and outlines of the same pixels cost the same")


def painted(raw: Mapping[str, Tensor], mask: np.ndarray) -> dict[str, Tensor]:
    """Raw outputs whose masks are those of one shape as well as they can be: a grid in each box (``masks`` in ``mask_boxes``), or
    ``prototypes`` with ``coefficients``.

    Raises:
        NotConforming: raw outputs of another kind.
    """
    raw, cut = dict(raw), cut_out(mask)
    if "mask_boxes" in raw:
        side, boxes = raw["masks"].shape[-1], raw["mask_boxes"]
        share = torch.from_numpy(box_coverage(cut, boxes.flatten(0, 1).numpy(), side)).unflatten(0, boxes.shape[:2])[:, :, None]
        raw["masks"] = (share * 2 - 1).mul(SURE).expand_as(raw["masks"])
    elif "prototypes" in raw:
        _, _, tall, wide = raw["prototypes"].shape
        step = -(-mask.shape[0] // 32) * 32 // tall
        share = torch.from_numpy(cell_coverage(cut, (0, 0, wide, tall), step))
        raw["prototypes"] = torch.zeros_like(raw["prototypes"])
        raw["prototypes"][:, 0] = (share * 2 - 1) * SURE
        raw["coefficients"] = torch.zeros_like(raw["coefficients"])
        raw["coefficients"][:, 0] = 1
    else:
        raise NotConforming(f"masks are among the raw outputs: {sorted(raw)}")
    return raw


def check_perfect_masks(net: Any, inputs: Mapping[str, Tensor], labels: Sequence[Detections]) -> None:
    """Masks that say what is there, as finely as they can, decode to it: IoU above 0.9 within boxes of some size."""
    height, width = size = _size(inputs)
    shape = disc(size, (2, 2, width - 2, height - 2))
    seen = 0
    for label in _found(net, painted(_raw(net, inputs), shape)):
        boxes = replace(label, masks=None).bitmaps(size)
        for mask, box in zip(label.masks, boxes):  # type: ignore[arg-type]
            wanted = shape & box
            if wanted.sum() > 100:
                seen += 1
                _must(
                    float((mask & wanted).sum() / (mask | wanted).sum()) > 0.9,
                    "perfect soft masks decode to masks of IoU > 0.9",
                )
    _must(seen > 0, "some box is large enough to tell")


def check_mask_learning(net: Any, inputs: Mapping[str, Tensor], labels: Sequence[Detections]) -> None:
    """Some steps of AdamW on eight pictures of discs and frames lower the mask part of the loss."""
    image, truth = toy_shapes(8, inputs["image"].shape[2], inputs["image"].shape[1])
    trial = copy.deepcopy(net)
    trial.prepare({"image": image})
    trial.fit_labels(truth)
    trial.train()
    optimizer = torch.optim.AdamW(trial.parameters(), lr=LEARNING_RATE)
    course = []
    for _ in range(LEARNING_STEPS):
        optimizer.zero_grad()
        parts = trial.loss(trial({"image": image}), truth)
        torch.stack(list(parts.values())).sum(0).mean().backward()
        torch.nn.utils.clip_grad_norm_(trial.parameters(), 10.0)
        optimizer.step()
        course.append(float(parts[PART].mean().detach()))
    _must(bool(np.isfinite(course).all()), "the mask loss stays finite while learning")
    _must(course[-1] < course[0], f"{LEARNING_STEPS} steps lower the mask loss: {course[0]:.4g} → {course[-1]:.4g}")


INSTANCE_CHECKS: tuple[Callable[[Any, Mapping[str, Tensor], Sequence[Any]], None], ...] = (
    check_masks,
    check_mask_truths,
    check_same_truth,
    check_perfect_masks,
    check_mask_learning,
)


def check_instance(
    name_or_path: str, /, *, head: str = HEAD, side: int = 64, count: int = 8, export: bool = True, **options: Any
) -> None:
    """Build a net with masks and check every promise of `vidi.core.net.Net`, of detectors and of masks.

    Args:
        name_or_path: a name of ``nets`` or the path of a Python file.
        head: ``masks``, or the name or path of a head that gives them.
        side: height and width of the pictures.
        count: samples in a batch, at least 5.
        export: also trace the net with `torch.export` (seconds).
        **options: passed to the file's `net` function; keep the net small.

    Raises:
        NotConforming: the promise that is broken.
    """
    make = member(load("nets", name_or_path), "net", "nets")
    torch.manual_seed(0)
    space = SPACES[FAMILY]
    try:
        net = make(space, head, **options)
        _must(isinstance(net, Net), "`net` gives a vidi.core.net.Net")
        _must(net.space == space, "the net keeps the space it was given")
        check_head_word(make, options)
        inputs = toy_inputs(net.inputs, count, side)
        labels = outlined(toy_labels(space, count, side=side), (side, side))  # type: ignore[arg-type]
        for check in (*CHECKS, *DETECTOR_CHECKS, *INSTANCE_CHECKS, *((check_export,) if export else ())):
            check(net, inputs, labels)
    except NotConforming as error:
        raise NotConforming(f"{name_or_path} with head {head}: {error}") from None
