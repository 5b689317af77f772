"""What every detector must do beyond `vidi.testing.net`, as one call: ``check_detector("yolo", width=8)``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidi.core.discovery import load, member
from vidi.core.net import Net
from vidi.errors import RecipeError
from vidi.labels import Detections
from vidi.testing.net import CHECKS, SPACES, TOLERANCE, NotConforming, check_export, toy_inputs, toy_labels

HEAD = "boxes"
ODD_SIZES = ((1, 1), (1, 4000), (4000, 1), (33, 47))
LEARNING_STEPS, LEARNING_RATE = 12, 2e-3


def _must(holds: bool, promise: str) -> None:
    if not holds:
        raise NotConforming(promise)


def _things(boxes: Any, classes: Any = None, crowd: Any = None) -> Detections:
    """Truth from plain lists."""
    return Detections(np.array(boxes, np.float32), classes=classes, crowd=crowd)


def _total(net: Net, raw: Mapping[str, Tensor], labels: Sequence[Detections]) -> Tensor:
    """(B,) sum of the loss parts."""
    return torch.stack([part for part in net.loss(raw, labels).values()]).sum(0)


def _near(a: Tensor, b: Tensor, tolerance: float = TOLERANCE) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=tolerance, atol=tolerance)


def _raw(net: Net, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    net.eval()
    with torch.no_grad():
        return net(inputs)


def _cut(values: Mapping[str, Tensor], index: Any) -> dict[str, Tensor]:
    return {key: value[index] for key, value in values.items()}


def check_losses_apart(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Detections]) -> None:
    """A picture's loss depends on no other picture and on no order of its boxes; validation loss is training loss."""
    raw = _raw(net, inputs)
    with torch.no_grad():
        whole = _total(net, raw, labels)
        alone = [_total(net, _cut(raw, slice(i, i + 1)), labels[i : i + 1]) for i in range(len(labels))]
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))
        permuted = _total(net, _cut(raw, order), [labels[i] for i in order])
        turned = _total(net, raw, [label[::-1] for label in labels])
        net.train()
        training = _total(net, raw, labels)
        net.eval()
    _must(bool((whole >= 0).all()), "no loss is negative")
    _must(_near(whole, torch.cat(alone)), "the loss of one picture equals its loss among others")
    _must(_near(whole[order], permuted), "a permuted batch permutes losses")
    _must(_near(whole, turned), "the order of a picture's boxes does not change its loss")
    _must(torch.equal(whole, training), "training and validation loss of the same raw outputs are the same")


def check_truths(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Detections]) -> None:
    """Losses and gradients are finite for nothing, one pixel, the full picture, boxes without area, a crowd alone, all in one place."""
    height, width = inputs["image"].shape[2:]
    cases = {
        "empty truth": Detections.empty(),
        "one-pixel boxes": _things([[0, 0, 1, 1], [width - 1, height - 1, width, height]], [0, 1]),
        "full-picture boxes": _things([[0, 0, width, height]] * 2, [0, 1]),
        "boxes without area": _things([[4, 4, 4, 9], [5, 5, 5, 5]], [0, 1]),
        "a crowd alone": _things([[0, 0, width, height]], crowd=[True]),
        "many equal boxes": _things([[3, 3, 20, 20]] * 30),
    }
    for name, label in cases.items():
        net.zero_grad()
        net.eval()
        total = _total(net, net(inputs), [label] * len(labels))
        _must(bool(total.isfinite().all()), f"loss is finite with {name}")
        if total.requires_grad:
            total.mean().backward()
        grads = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
        _must(all(bool(grad.isfinite().all()) for grad in grads), f"gradients are finite with {name}")
    net.zero_grad()


def check_found(net: Any, inputs: Mapping[str, Tensor], labels: Sequence[Detections]) -> None:
    """Predictions are finite, by falling score in 0..1, of known classes, at most `max_det`; with ``conf=1`` there are none."""
    raw, trial = _raw(net, inputs), copy.copy(net)
    for name in ("conf", "nms_iou", "max_det"):
        _must(hasattr(net, name), f"the net has the attribute `{name}`")
    trial.conf, trial.max_det = 0.0, 7
    found = trial.decode(raw)
    _must(len(found) == len(labels), "one label per picture")
    _must(all(0 < len(label) <= 7 for label in found), "conf=0 finds something, at most max_det")
    for label in found:
        _must(bool(np.isfinite(label.boxes).all()), "boxes are finite")
        _must(bool((label.boxes[:, 2:] >= label.boxes[:, :2]).all()), "boxes have x1 ≤ x2 and y1 ≤ y2")
        _must(bool((np.diff(label.scores) <= 0).all()), "scores fall")
        _must(bool(((label.scores >= 0) & (label.scores <= 1)).all()), "scores are in 0..1")
        _must(bool(((label.classes >= 0) & (label.classes < len(net.space))).all()), "classes are those of the space")
    trial.conf = 1.0
    _must(all(len(label) == 0 for label in trial.decode(raw)), "conf=1 finds nothing")


def check_sizes(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Detections]) -> None:
    """Pictures of any size go through: a single pixel, a line, sides that no stride divides."""
    net.eval()
    channels = inputs["image"].shape[1]
    for height, width in ODD_SIZES:
        image = torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(0))
        label = _things([[0, 0, min(width, 9), min(height, 9)]])
        try:
            with torch.no_grad():
                raw = net({"image": image})
                total = _total(net, raw, [label])
                net.decode(raw)
        except (RuntimeError, ValueError, IndexError) as error:
            raise NotConforming(f"a picture of {height}×{width} goes through: {error}") from error
        _must(bool(total.isfinite().all()), f"loss is finite on a picture of {height}×{width}")


def check_head_word(make: Callable[..., Net], options: Mapping[str, Any]) -> None:
    """A word that is no head of a detector is refused as a setting."""
    try:
        make(SPACES[HEAD], "softmax", **options)
    except RecipeError:
        return
    raise NotConforming("the head `softmax` is refused with a RecipeError")


def toy_scenes(count: int, side: int, channels: int = 3, seed: int = 0) -> tuple[Tensor, list[Detections]]:
    """Pictures (count, channels, side, side) in 0..1 of one or two bright squares on dim noise, and their boxes, all of class 0 or 1
    (by brightness)."""
    random = np.random.default_rng(seed)
    image = random.uniform(0, 0.3, (count, channels, side, side)).astype(np.float32)
    labels = []
    for picture in image:
        boxes, classes = [], []
        for _ in range(int(random.integers(1, 3))):
            size, kind = int(random.integers(side // 5, side // 2)), int(random.integers(2))
            x, y = random.integers(0, side - size, 2)
            picture[:, y : y + size, x : x + size] = 0.6 + 0.35 * kind
            boxes.append([x, y, x + size, y + size])
            classes.append(kind)
        labels.append(_things(boxes, classes=classes))
    return torch.from_numpy(image), labels


def check_learning(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Detections]) -> None:
    """A few steps of AdamW on eight pictures lower the loss, in training mode and in evaluation mode."""
    image, truth = toy_scenes(8, inputs["image"].shape[2], inputs["image"].shape[1])
    trial = copy.deepcopy(net)
    trial.prepare({"image": image})
    trial.fit_labels(truth)
    optimizer = torch.optim.AdamW(trial.parameters(), lr=LEARNING_RATE)
    course = []
    for _ in range(LEARNING_STEPS):
        trial.train()
        optimizer.zero_grad()
        loss = _total(trial, trial({"image": image}), truth).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trial.parameters(), 10.0)
        optimizer.step()
        course.append(float(loss.detach()))
    _must(bool(np.isfinite(course).all()), "the loss stays finite while learning")
    _must(course[-1] < course[0], f"{LEARNING_STEPS} steps lower the loss: {course[0]:.4g} → {course[-1]:.4g}")


DETECTOR_CHECKS: tuple[Callable[[Any, Mapping[str, Tensor], Sequence[Any]], None], ...] = (
    check_losses_apart,
    check_truths,
    check_found,
    check_sizes,
    check_learning,
)


def check_detector(
    name_or_path: str, /, *, head: str = HEAD, side: int = 64, count: int = 8, export: bool = True, **options: Any
) -> None:
    """Build a detector and check every promise of `vidi.core.net.Net` and of detectors.

    Args:
        name_or_path: a name of ``nets`` or the path of a Python file.
        head: ``boxes``, or the name or path of a dense head.
        side: height and width of the pictures.
        count: samples in a batch, at least 5.
        export: also trace the net with `torch.export` (seconds).
        **options: passed to the file's `net` function; keep the net small.

    Raises:
        NotConforming: the promise that is broken.
    """
    make = member(load("nets", name_or_path), "net", "nets")
    torch.manual_seed(0)
    space = SPACES[HEAD]
    try:
        net = make(space, head, **options)
        _must(isinstance(net, Net), "`net` gives a vidi.core.net.Net")
        _must(net.space == space, "the net keeps the space it was given")
        check_head_word(make, options)
        inputs, labels = toy_inputs(net.inputs, count, side), toy_labels(space, count, side=side)
        for check in (*CHECKS, *DETECTOR_CHECKS, *((check_export,) if export else ())):
            check(net, inputs, labels)
    except NotConforming as error:
        raise NotConforming(f"{name_or_path} with head {head}: {error}") from None
