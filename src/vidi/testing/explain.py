"""What every explainer must do, as one call: ``check_explainer("gradcam")`` or ``check_explainer("./mine.py", steps=8)``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidi.core.discovery import load, member
from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.core.space import Space
from vidi.errors import InputError
from vidi.methods.explain._aim import aim
from vidi.methods.explain._base import Explainer, make_explainer
from vidi.methods.explain._sanity import MOST, check
from vidi.methods.explain._target import Target
from vidi.testing.augment import augment_examples

COUNT, SIDE, TOLERANCE = 4, 32, 1e-3


class ExplainerFault(AssertionError):
    """An explainer breaks a promise; the message says which."""


def _must(holds: bool, promise: str) -> None:
    if not holds:
        raise ExplainerFault(promise)


def _classifier(attention: str | None = None) -> Net:
    """A small random net, whose attention blocks, if it has any, have a say."""
    made = member(load("nets", "resnet"), "net", "nets")(Space("Classification", ("cat", "dog", "owl")), "softmax", stem="small", width=8, attention=attention)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("gamma"):
                parameter.fill_(0.5)
            elif name.endswith("bn2.weight"):
                parameter.fill_(1.0)
    return made


def _detector() -> Net:
    return member(load("nets", "yolo"), "net", "nets")(Space("Detections", ("cat", "dog")), "boxes", width=8)


def trial_nets() -> list[Callable[[], Net]]:
    """Makers of nets an explainer is tried on; it need not work with all."""
    return [_classifier, _detector, partial(_classifier, "cbam@stages")]


def _trial(explainer: Explainer, makers: Sequence[Callable[[], Net]]) -> tuple[Net, Tensor, Target, Draw]:
    """The first net that an explainer works with, pictures, what is explained of them, and randomness."""
    images = augment_examples(COUNT, (SIDE, SIDE))
    draw = Draw.samples(3, 0, np.arange(COUNT))
    refused: InputError | None = None
    for make in makers:
        torch.manual_seed(0)
        net = make().eval()
        if hasattr(net, "conf"):
            net.conf = 0.0  # type: ignore[assignment]
        target, _ = aim(net, images)
        try:
            explainer.maps(net, images[:1], target[torch.zeros(1, dtype=torch.int64)], draw[torch.zeros(1, dtype=torch.int64)])
        except InputError as error:
            refused = error
            continue
        return net, images, target, draw
    raise ExplainerFault(f"works with one of the nets it is tried on: {refused}")


def check_explainer(name_or_path: str, /, nets: Sequence[Callable[[], Net]] = (), **settings: Any) -> None:
    """Check every promise of `vidi.methods.explain._base.Explainer`.

    Args:
        name_or_path: a name of ``methods/explain`` or the path of a Python file.
        nets: makers of nets to try it on; empty: `trial_nets`.
        **settings: passed to the file's `explainer` function; keep steps few.

    Raises:
        ExplainerFault: the promise that is broken.
    """
    explainer = make_explainer(name_or_path, **settings)
    _must(isinstance(explainer, Explainer), "`explainer` gives a vidi.methods.explain._base.Explainer")
    net, images, target, draw = _trial(explainer, nets or trial_nets())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    flags = [(module.training, [p.requires_grad for p in module.parameters(recurse=False)]) for module in net.modules()]
    clean, hooks = images.clone(), _hooks(net)
    maps = explainer.maps(net, images, target, draw)
    _must(maps.shape == (COUNT, SIDE, SIDE) and maps.dtype == torch.float32, f"maps have shape (B, H, W) and are float32, not {tuple(maps.shape)} {maps.dtype}")
    _must(bool(maps.isfinite().all()) and not maps.requires_grad, "maps are finite and need no gradient")
    _must(torch.equal(images, clean), "pictures stay as they are")
    _must(all(torch.equal(value, before[name]) for name, value in net.state_dict().items()), "weights and statistics stay as they are")
    same = [(module.training, [p.requires_grad for p in module.parameters(recurse=False)]) for module in net.modules()] == flags
    _must(same, "modes and gradients of the net stay as they are")
    _must(_hooks(net) == hooks, "hooks are gone afterwards")
    _must(torch.equal(maps, explainer.maps(net, images, target, draw)), "the same seed gives the same map")
    _check_batches(explainer, net, images, target, draw, maps)
    torch.manual_seed(1)
    changed = check(explainer, net, images, target, draw, maps=maps, cascade=False, seed=1)
    _must(changed.passed, f"a net with random weights gives another map: rank correlation {changed.correlation}, at most {MOST} is allowed")


def _hooks(net: Net) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in net.modules())


def _check_batches(explainer: Explainer, net: Net, images: Tensor, target: Target, draw: Draw, maps: Tensor) -> None:
    """Pictures alone give what they give among others; none gives none."""
    scale = float(maps.abs().max()) or 1.0
    for i in range(COUNT):
        row = torch.tensor([i])
        alone = explainer.maps(net, images[row], target[row], draw[row])[0]
        _must(float((alone - maps[i]).abs().max()) <= TOLERANCE * scale, "a batch of one equals a batch of many")
    none = torch.zeros(0, dtype=torch.int64)
    empty = explainer.maps(net, images[none], target[none], draw[none])
    _must(empty.shape == (0, SIDE, SIDE), f"no pictures give no maps, not {tuple(empty.shape)}")
