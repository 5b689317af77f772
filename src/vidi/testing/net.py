"""What every net must do, as one call: ``check_net("resnet", depth=18)`` or ``check_net("./mine.py")``.

Each check is a function of its own, so that a failure names the broken promise.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidi.core.discovery import load, member
from vidi.core.kinds import Kind, Numbers, Pixels, Tokens
from vidi.core.net import RAW_KINDS, Net
from vidi.core.space import Space
from vidi.labels import FAMILIES, Classification, Detections, Label, Regression

# Head → the labels it is tried with.
SPACES = {
    "softmax": Space("Classification", ("cat", "dog", "owl")),
    "sigmoid": Space("Classification", ("cat", "dog", "owl"), exclusive=False),
    "regression": Space("Regression", ("age", "weight")),
    "embedding": Space("Classification", ("cat", "dog", "owl")),
    "boxes": Space("Detections", ("cat", "dog", "owl", "never there")),
}
POOLED = ("softmax", "sigmoid", "regression")
TOLERANCE = 1e-5


class NotConforming(AssertionError):
    """A net breaks a promise of the contract; the message says which."""


def _must(holds: bool, promise: str) -> None:
    if not holds:
        raise NotConforming(promise)


def toy_inputs(kinds: Mapping[str, Kind], count: int, side: int = 32, seed: int = 0) -> dict[str, Tensor]:
    """Random inputs of the declared kinds, `count` samples."""
    random = torch.Generator().manual_seed(seed)
    made: dict[str, Tensor] = {}
    for name, kind in kinds.items():
        if isinstance(kind, Pixels):
            made[name] = torch.rand(count, kind.channels, side, side, generator=random)
        elif isinstance(kind, Tokens):
            made[name] = torch.randint(1, kind.vocabulary, (count, 12), generator=random)
        elif isinstance(kind, Numbers):
            made[name] = torch.randn(count, kind.width, generator=random)
    return made


def toy_labels(space: Space, count: int, seed: int = 0, side: int = 32) -> list[Label]:
    """Random labels of a meaning, `count` samples (classification, regression, and boxes on pictures of a side in pixels)."""
    random = np.random.default_rng(seed)
    if space.family == "Detections":
        return [_toy_boxes(random, i, len(space), side) for i in range(count)]
    if space.family == "Regression":
        return [Regression(row) for row in random.normal(40, 12, (count, len(space)))]
    if space.exclusive:
        return [Classification.one_hot(int(i), len(space)) for i in random.integers(len(space), size=count)]
    return [Classification(row) for row in random.integers(0, 2, (count, len(space))).astype(np.float32)]


def _toy_boxes(random: np.random.Generator, i: int, classes: int, side: int) -> Detections:
    """Up to six boxes; the first labels are none at all, one pixel, the full picture, a thing in a crowd. The last class never comes."""
    special: tuple[list, ...] = ([], [[3, 5, 4, 6]], [[0, 0, side, side]], [[4, 4, 12, 12], [0, 0, side / 2, side / 2]])
    if i < len(special):
        boxes = np.array(special[i], np.float32).reshape(-1, 4)
    else:
        low = random.uniform(0, side - 8, (int(random.integers(1, 7)), 2))
        boxes = np.concatenate([low, np.minimum(low + random.uniform(4, side / 2, low.shape), side)], 1).astype(np.float32)
    crowd = np.array([False, True]) if i == len(special) - 1 else None
    return Detections(boxes, classes=random.integers(max(1, classes - 1), size=len(boxes)), crowd=crowd)


def unknown_labels(space: Space, count: int) -> list[Label]:
    """Labels about which nothing is known; none for families that cannot say so."""
    if space.family == "Detections":
        return []
    family: Any = FAMILIES[space.family]
    return [family(np.full(len(space), np.nan, np.float32)) for _ in range(count)]


def _run(net: Net, inputs: Mapping[str, Tensor], training: bool = False) -> dict[str, Tensor]:
    net.train(training)
    return net(inputs)


def _values(net: Net) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


def _same(a: Mapping[str, Tensor], b: Mapping[str, Tensor], tolerance: float = 0.0) -> bool:
    if a.keys() != b.keys():
        return False
    for name in a:
        x, y = a[name].detach().double(), b[name].detach().double()
        if x.shape != y.shape or not torch.allclose(x, y, rtol=tolerance, atol=tolerance * max(1.0, float(x.abs().max()))):
            return False
    return True


def check_raw(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Label]) -> None:
    """Fixed keys, declared kinds, features (B, D), finite values, the same twice."""
    with torch.no_grad():
        raw, again = _run(net, inputs), _run(net, inputs)
        trained = _run(copy.deepcopy(net), inputs, training=True)
    _must(_same(raw, again), "forward gives the same twice in eval mode")
    _must(raw.keys() == trained.keys(), f"the same raw keys in train and eval mode: {sorted(raw)} and {sorted(trained)}")
    _must("features" in raw and raw["features"].ndim == 2, "raw outputs have `features` of shape (B, D)")
    _must(set(net.kinds) == set(raw), f"`kinds` covers the raw outputs: {sorted(net.kinds)} and {sorted(raw)}")
    _must(set(net.kinds.values()) <= set(RAW_KINDS), f"kinds are some of {RAW_KINDS}: {dict(net.kinds)}")
    _must(all(len(value) == len(labels) for value in raw.values()), "every raw output has one row per sample")
    _must(all(bool(value.isfinite().all()) for value in raw.values()), "raw outputs are finite")


def check_batches(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Label]) -> None:
    """A permuted batch gives permuted outputs; one sample alone gives what it gives among others."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        raw = _run(net, inputs)
        permuted = _run(net, {name: value[order] for name, value in inputs.items()})
        alone = [_run(net, {name: value[i : i + 1] for name, value in inputs.items()}) for i in range(len(labels))]
    _must(_same({k: v[order] for k, v in raw.items()}, permuted, TOLERANCE), "a permuted batch gives permuted outputs")
    single = {key: torch.cat([one[key] for one in alone]) for key in raw}
    _must(_same(raw, single, TOLERANCE), "a batch of one equals a batch of many in eval mode")


def check_eval_changes_nothing(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Label]) -> None:
    """Forward, loss and decode in eval mode leave weights and statistics alone."""
    before = _values(net)
    raw = _run(net, inputs)
    net.loss(raw, labels)
    net.decode(raw)
    _must(_same(before, _values(net)), "eval mode never changes weights or statistics")


def check_loss(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Label]) -> None:
    """Named parts (B,), finite, independent of the mode flag. Whether a part depends on batch mates is the loss's own business."""
    count = len(labels)
    raw = {key: value.detach() for key, value in _run(net, inputs).items()}
    parts = net.loss(raw, labels)
    net.train(True)
    _must(_same(parts, net.loss(raw, labels)), "the loss of the same raw outputs does not depend on train or eval mode")
    _must(len(parts) > 0, "the loss has at least one part")
    _must(all(part.shape == (count,) for part in parts.values()), "every loss part has shape (B,)")
    _must(all(bool(part.isfinite().all()) for part in parts.values()), "loss parts are finite")


def check_unknown(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Label]) -> None:
    """Unknown truth costs nothing and its gradients are finite."""
    unknown = unknown_labels(net.space, len(labels))
    if not unknown:
        return
    net.zero_grad()
    parts = net.loss(_run(net, inputs), unknown)
    total = torch.stack([part.sum() for part in parts.values()]).sum()
    _must(float(total.detach()) == 0.0, "unknown truth costs nothing")
    if total.requires_grad:
        total.backward()
    grads = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
    _must(all(bool(grad.isfinite().all()) for grad in grads), "gradients of unknown truth are finite")
    net.zero_grad()


def check_decode(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Label]) -> None:
    """One label of the predictions' family per sample, in the samples' order."""
    with torch.no_grad():
        raw = _run(net, inputs)
        found = net.decode(raw)
        flipped = net.decode({key: value.flip(0) for key, value in raw.items()})
    _must(len(found) == len(labels), "decode gives one label per sample")
    family = FAMILIES[net.predicts.family]
    _must(all(isinstance(label, family) for label in found), f"decode gives labels of family {family.__name__}")
    _must(
        [label.to_dict() for label in reversed(found)] == [label.to_dict() for label in flipped],
        "a permuted batch permutes labels",
    )


def check_stages(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Label]) -> None:
    """Stages partition the parameters, end in the head, and each of them learns."""
    stages = net.stages()
    ids = [id(parameter) for module in stages.values() for parameter in module.parameters()]
    _must(len(ids) == len(set(ids)), "no parameter belongs to two stages")
    missing = [name for name, parameter in net.named_parameters() if id(parameter) not in set(ids)]
    _must(not missing, f"every parameter belongs to a stage; not so: {missing[:3]}")
    _must(list(stages)[-1] == "head", f"the last stage is the head, not {list(stages)[-1]}")
    trial = copy.deepcopy(net)
    trial.zero_grad()
    parts = trial.loss(_run(trial, inputs, training=True), labels)
    torch.stack([part.mean() for part in parts.values()]).sum().backward()
    for name, module in trial.stages().items():
        learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
        reached = any(parameter.grad is not None and bool(parameter.grad.any()) for parameter in learning)
        _must(not learning or reached, f"gradients reach stage {name}")


def check_state(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Label]) -> None:
    """Weights loaded into a disturbed copy give the same outputs; a deep copy is independent."""
    other = copy.deepcopy(net)
    with torch.no_grad():
        expected = _run(net, inputs)
        for parameter in other.parameters():
            parameter.add_(torch.ones_like(parameter))
        _must(_same(expected, _run(net, inputs)), "a deep copy shares nothing with its source")
        other.load_state_dict(net.state_dict())
        _must(_same(expected, _run(other, inputs)), "state_dict and load_state_dict are inverses")


def check_preparation(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Label]) -> None:
    """`prepare` and `fit_labels` keep outputs finite and take any labels, none and unknown ones included."""
    trial = copy.deepcopy(net)
    trial.prepare(inputs)
    for some in ([], unknown_labels(net.space, len(labels)), labels):
        trial.fit_labels(some)
    with torch.no_grad():
        raw = _run(trial, inputs)
    finite = all(bool(value.isfinite().all()) for value in raw.values())
    _must(finite, "outputs are finite after prepare and fit_labels")


def check_export(net: Net, inputs: Mapping[str, Tensor], labels: Sequence[Label]) -> None:
    """`torch.export` traces the net, so forward has no branch on data, and gives the same outputs."""
    net.eval()
    with torch.no_grad():
        expected = net(inputs)
        program = torch.export.export(net, (dict(inputs),))
        _must(_same(expected, program.module()(dict(inputs)), TOLERANCE), "the exported program gives the same outputs")


CHECKS: tuple[Callable[[Net, Mapping[str, Tensor], Sequence[Label]], None], ...] = (
    check_raw,
    check_batches,
    check_eval_changes_nothing,
    check_loss,
    check_unknown,
    check_decode,
    check_stages,
    check_state,
    check_preparation,
)


def check_net(
    name_or_path: str,
    /,
    *,
    heads: Sequence[str] = POOLED,
    side: int = 32,
    count: int = 8,
    export: bool = True,
    **options: Any,
) -> None:
    """Build a net with each head and check every promise of `vidi.core.net.Net`.

    Args:
        name_or_path: a name of ``nets`` or the path of a Python file.
        heads: the heads to try, keys of `SPACES`.
        side: height and width of the pictures.
        count: samples in a batch, at least 2.
        export: also trace the first head's net with `torch.export` (seconds).
        **options: passed to the file's `net` function; keep the net small.

    Raises:
        NotConforming: the promise that is broken.
    """
    make = member(load("nets", name_or_path), "net", "nets")
    for i, head in enumerate(heads):
        torch.manual_seed(0)
        space = SPACES[head]
        net = make(space, head, **options)
        _must(isinstance(net, Net), "`net` gives a vidi.core.net.Net")
        _must(net.space == space, "the net keeps the space it was given")
        inputs, labels = toy_inputs(net.inputs, count, side), toy_labels(space, count, side=side)
        for check in CHECKS + ((check_export,) if export and i == 0 else ()):
            try:
                check(net, inputs, labels)
            except NotConforming as error:
                raise NotConforming(f"{name_or_path} with head {head}: {error}") from None
