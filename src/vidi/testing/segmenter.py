"""What every semantic net must do beyond `vidi.testing.net`, as one call: ``check_segmenter("unet", backbone="classic", width=8)``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidi.core.discovery import load, member
from vidi.core.net import Net
from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.labels import Segmentation
from vidi.testing import net as kit
from vidi.testing.net import CHECKS, TOLERANCE, NotConforming, check_export, toy_inputs

HEAD = "pixels"
SPACE = Space("Segmentation", ("ground", "dim", "bright", "never there"))
ODD_SIZES = ((1, 1), (1, 300), (300, 1), (33, 47))
LEARNING_STEPS, LEARNING_RATE = 12, 2e-3
IGNORE = 255


def _must(holds: bool, promise: str) -> None:
    if not holds:
        raise NotConforming(promise)


def _near(a: Tensor, b: Tensor, tolerance: float = TOLERANCE) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=tolerance, atol=tolerance)


def _total(net: Net, raw: Mapping[str, Tensor], labels: Sequence[Segmentation]) -> Tensor:
    """(B,) sum of the loss parts."""
    return torch.stack(list(net.loss(raw, labels).values())).sum(0)


def _raw(net: Net, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    net.eval()
    with torch.no_grad():
        return net(inputs)


def _cut(values: Mapping[str, Tensor], index: Any) -> dict[str, Tensor]:
    return {key: value[index] for key, value in values.items()}


def toy_maps(count: int, side: int, channels: int = 3, seed: int = 0) -> tuple[Tensor, list[Segmentation]]:
    """Pictures (count, channels, side, side) in 0..1 of one to three squares of class 1 or 2 (by brightness) on dim noise of class 0, with a
    strip of unknown truth at the left."""
    random = np.random.default_rng(seed)
    image = random.uniform(0, 0.3, (count, channels, side, side)).astype(np.float32)
    labels = []
    for picture in image:
        classes = np.zeros((side, side), np.int32)
        for _ in range(int(random.integers(1, 4))):
            size, kind = int(random.integers(side // 5, side // 2)), int(random.integers(2))
            x, y = random.integers(0, side - size, 2)
            picture[:, y : y + size, x : x + size] = 0.6 + 0.35 * kind
            classes[y : y + size, x : x + size] = 1 + kind
        classes[:, :2] = IGNORE
        labels.append(Segmentation(classes, ignore=IGNORE))
    return torch.from_numpy(image), labels


def unknown_maps(count: int, side: int) -> list[Segmentation]:
    """Labels about which nothing is known."""
    return [Segmentation(np.full((side, side), IGNORE), ignore=IGNORE) for _ in range(count)]


def check_losses_apart(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Segmentation]) -> None:
    """A picture's loss depends on no other picture; validation loss is training loss; packed truth is the same truth."""
    raw = _raw(net, inputs)
    with torch.no_grad():
        whole = _total(net, raw, labels)
        alone = [_total(net, _cut(raw, slice(i, i + 1)), labels[i : i + 1]) for i in range(len(labels))]
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))
        permuted = _total(net, _cut(raw, order), [labels[i] for i in order])
        packed = _total(net, raw, [label.packed() for label in labels])
        net.train()
        training = _total(net, raw, labels)
        net.eval()
    _must(all(part.dtype == torch.float32 for part in net.loss(raw, labels).values()), "loss parts are float32")
    _must(_near(whole, torch.cat(alone)), "the loss of one picture equals its loss among others")
    _must(_near(whole[order], permuted), "a permuted batch permutes losses")
    _must(torch.equal(whole, packed), "packed truth gives the same loss")
    _must(torch.equal(whole, training), "training and validation loss of the same raw outputs are the same")


def check_ignored(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Segmentation]) -> None:
    """Pixels of unknown truth have no say: whatever the logits are there, the loss is the same."""
    raw = _raw(net, inputs)
    unknown = torch.from_numpy(np.stack([label.classes == label.ignore for label in labels]))[:, None]
    other = raw | {HEAD: torch.where(unknown, torch.randn(raw[HEAD].shape) * 5, raw[HEAD])}
    with torch.no_grad():
        _must(_near(_total(net, raw, labels), _total(net, other, labels)), "logits where the truth is not known do not change the loss")


def check_truths(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Segmentation]) -> None:
    """Losses and gradients are finite, and nothing costs nothing, for unknown truth, one class only, a single known pixel, absurd values."""
    side, count = inputs["image"].shape[2], len(labels)
    pixel = np.full((side, side), IGNORE)
    pixel[side // 2, side // 2] = 1
    cases = {
        "unknown truth": unknown_maps(1, side)[0],
        "one class only": Segmentation(np.full((side, side), 2)),
        "a single known pixel": Segmentation(pixel),
        "values that are no class": Segmentation(np.full((side, side), 77)),
    }
    for name, label in cases.items():
        net.zero_grad()
        net.eval()
        total = _total(net, net(inputs), [label] * count)
        _must(bool(total.isfinite().all()), f"loss is finite with {name}")
        if name.startswith(("unknown", "values")):
            _must(bool((total == 0).all()), f"{name} cost nothing")
        if total.requires_grad:
            total.mean().backward()
        grads = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
        _must(all(bool(grad.isfinite().all()) for grad in grads), f"gradients are finite with {name}")
    net.zero_grad()


def check_maps(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Segmentation]) -> None:
    """Logits and predictions have the input's size; probabilities sum to 1, and the class is the most probable one."""
    raw, size = _raw(net, inputs), tuple(inputs["image"].shape[2:])
    _must(raw[HEAD].shape == (len(labels), len(net.space), *size), "`pixels` are (B, C, H, W) of the input's own size")
    _must(net.kinds[HEAD] == "categorical", "`pixels` are categorical")
    for label in net.decode(raw):
        found: Any = label
        _must(found.shape == size, "predicted maps have the input's size")
        _must(found.probabilities is not None and bool(np.allclose(found.probabilities.sum(0), 1, atol=1e-5)), "probabilities sum to 1")
        _must(bool((found.classes == found.probabilities.argmax(0)).all()), "each pixel has its most probable class")


def check_sizes(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Segmentation]) -> None:
    """Pictures of any size go through: a single pixel, a line, sides that no stride divides."""
    channels = inputs["image"].shape[1]
    for height, width in ODD_SIZES:
        image = torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(0))
        try:
            raw = _raw(net, {"image": image})
            total = _total(net, raw, [Segmentation(np.zeros((height, width)))])
            shapes = [tuple(found.classes.shape) for found in net.decode(raw)]  # type: ignore[attr-defined]
        except (RuntimeError, ValueError, IndexError) as error:
            raise NotConforming(f"a picture of {height}×{width} goes through: {error}") from error
        _must(bool(total.isfinite().all()), f"loss is finite on a picture of {height}×{width}")
        _must(shapes == [(height, width)], f"a picture of {height}×{width} gets a map of its size")


def check_half(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Segmentation]) -> None:
    """Under bfloat16 autocast outputs and loss are finite, and loss parts float32."""
    net.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        raw = net(inputs)
        parts = net.loss(raw, labels)
    _must(all(bool(value.isfinite().all()) for value in (*raw.values(), *parts.values())), "bfloat16 autocast keeps values finite")
    _must(all(part.dtype == torch.float32 for part in parts.values()), "loss parts are float32 under autocast")


def check_learning(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Segmentation]) -> None:
    """A few steps of AdamW on the pictures lower the loss."""
    trial, course = copy.deepcopy(net), []
    trial.prepare(inputs)
    trial.fit_labels(labels)
    optimizer = torch.optim.AdamW(trial.parameters(), lr=LEARNING_RATE)
    for _ in range(LEARNING_STEPS):
        trial.train()
        optimizer.zero_grad()
        loss = _total(trial, trial(inputs), labels).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trial.parameters(), 10.0)
        optimizer.step()
        course.append(float(loss.detach()))
    _must(bool(np.isfinite(course).all()), "the loss stays finite while learning")
    _must(course[-1] < course[0], f"{LEARNING_STEPS} steps lower the loss: {course[0]:.4g} → {course[-1]:.4g}")


def check_preparation(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Segmentation]) -> None:
    """`prepare` and `fit_labels` keep outputs finite and take any labels, none and unknown ones included."""
    trial = copy.deepcopy(net)
    trial.prepare(inputs)
    for some in ([], unknown_maps(2, 8), labels):
        trial.fit_labels(some)
    _must(all(bool(value.isfinite().all()) for value in _raw(trial, inputs).values()), "outputs are finite after prepare and fit_labels")


def check_head_word(make: Callable[..., Net], options: Mapping[str, Any]) -> None:
    """A word that is no head of a semantic net is refused as a setting."""
    try:
        make(SPACE, "softmax", **options)
    except RecipeError:
        return
    raise NotConforming("the head `softmax` is refused with a RecipeError")


OWN_FORMS = (kit.check_unknown, kit.check_preparation)
"""Checks of every net that make labels themselves; semantic nets have their own forms."""

SEGMENTER_CHECKS: tuple[Callable[[Any, Mapping[str, Tensor], Sequence[Any]], None], ...] = (
    check_losses_apart,
    check_ignored,
    check_truths,
    check_maps,
    check_sizes,
    check_half,
    check_learning,
    check_preparation,
)


def check_segmenter(
    name_or_path: str, /, *, head: str = HEAD, side: int = 64, count: int = 4, export: bool = True, **options: Any
) -> None:
    """Build a semantic net and check every promise of `vidi.core.net.Net` and of semantic nets.

    Args:
        name_or_path: a name of ``nets`` or the path of a Python file.
        head: ``pixels``.
        side: height and width of the pictures.
        count: samples in a batch, at least 2.
        export: also trace the net with `torch.export` (seconds).
        **options: passed to the file's `net` function; keep the net small.

    Raises:
        NotConforming: the promise that is broken.
    """
    make = member(load("nets", name_or_path), "net", "nets")
    torch.manual_seed(0)
    try:
        net = make(SPACE, head, **options)
        _must(isinstance(net, Net), "`net` gives a vidi.core.net.Net")
        _must(net.space == SPACE, "the net keeps the space it was given")
        check_head_word(make, options)
        channels = toy_inputs(net.inputs, 1, 8)["image"].shape[1]
        image, labels = toy_maps(count, side, channels)
        general = [check for check in CHECKS if check not in OWN_FORMS]
        for check in (*general, *SEGMENTER_CHECKS, *((check_export,) if export else ())):
            check(net, {"image": image}, labels)
    except NotConforming as error:
        raise NotConforming(f"{name_or_path} with head {head}: {error}") from None
