"""Which parts of a net learn, and how fast: freezing, gradual unfreezing, learning rates by depth. Functions on any `Net`."""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from vidi.core.net import Net
from vidi.errors import RecipeError, nearest

NORMS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm)
TOPS = ("pool", "neck", "rpn", "head")
"""Stages that no published weights fill: they stand on the backbone and learn with the head."""


def trainable_stages(net: Net) -> list[str]:
    """Names of the stages that have parameters, from input to output."""
    return [name for name, module in net.stages().items() if next(module.parameters(), None) is not None]


def stages_of(net: Net, spec: int | str | Iterable[str] | None) -> list[str]:
    """The stages that a setting speaks of.

    Args:
        spec: how many from the input; names (or one string of names with commas); ``backbone``: all before neck, pooling and head;
            ``none``, ``""``, None or 0: none.

    Raises:
        RecipeError: no such stage, more stages than there are, or a negative count.
    """
    names = trainable_stages(net)
    if spec is None or spec == "none" or spec == "":
        return []
    if isinstance(spec, int) or (isinstance(spec, str) and spec.strip().lstrip("-").isdigit()):
        count = int(spec)
        if not 0 <= count <= len(names):
            raise RecipeError(f"between 0 and {len(names)} stages", at="freeze", value=spec, fix=f"stages: {', '.join(names)}")
        return names[:count]
    wanted = [part.strip() for part in spec.split(",")] if isinstance(spec, str) else list(spec)
    chosen: set[str] = set()
    for part in wanted:
        if part == "backbone":
            chosen |= {name for name in names if name not in TOPS}
        elif part in net.stages():
            chosen.add(part)
        else:
            close = nearest(part, names)
            fix = f"did you mean {', '.join(close)}?" if close else f"a count, backbone, or some of: {', '.join(names)}"
            raise RecipeError("the net has no such stage", at="freeze", value=part, fix=fix)
    return [name for name in names if name in chosen]


def freeze(net: Net, spec: int | str | Iterable[str] | None) -> list[str]:
    """Let the stages of `spec` (see `stages_of`) stay as they are, and all others learn.

    Returns:
        Names of the frozen stages.

    Raises:
        RecipeError: as `stages_of`, or nothing would be left to learn.
    """
    frozen = stages_of(net, spec)
    if frozen and len(frozen) == len(trainable_stages(net)):
        raise RecipeError("nothing would be left to learn", at="freeze", value=spec, fix="freeze fewer stages")
    for name, module in net.stages().items():
        for parameter in module.parameters():
            parameter.requires_grad_(name not in frozen)
    return frozen


def _stay_in_eval(module: nn.Module, mode: bool = True) -> nn.Module:
    return nn.Module.train(module, False)


def freeze_bn_statistics(net: Net, stages: Iterable[str] | None = None) -> int:
    """Make batch normalization use and keep its running statistics, also after `net.train()`. Survives copying.

    Args:
        stages: names of stages, all when None.

    Returns:
        How many layers were frozen.
    """
    count = 0
    for name, stage in net.stages().items():
        if stages is not None and name not in stages:
            continue
        for module in stage.modules():
            if isinstance(module, _BatchNorm):
                module.__dict__["train"] = types.MethodType(_stay_in_eval, module)
                module.eval()
                count += 1
    return count


def thaw_bn_statistics(net: Net) -> int:
    """The reverse of `freeze_bn_statistics`; returns how many layers were freed."""
    frozen = [module for module in net.modules() if isinstance(module, _BatchNorm) and "train" in vars(module)]
    for module in frozen:
        del module.__dict__["train"]
        module.train(net.training)
    return len(frozen)


def trained_at(net: Net, progress: float, until: float = 0.5) -> list[str]:
    """Gradual unfreezing (Howard and Ruder 2018, arXiv:1801.06146): the stages that learn at a point of the run.

    Args:
        progress: share of the run done, 0..1.
        until: share of the run after which all stages learn. At 0 only the head (and neck and pooling) learns; the others join one by one,
            from the output, at equal distances.
    """
    names = trainable_stages(net)
    tops = sum(name in TOPS for name in names)
    below = len(names) - tops
    joined = below if progress >= until else int((below + 1) * max(0.0, progress) / until)
    return names[below - min(joined, below) :]


def parameter_groups(
    net: Net,
    lr: float,
    weight_decay: float,
    layer_decay: float = 1.0,
    bias_lr: float = 1.0,
    decay_all: bool = False,
) -> list[dict[str, Any]]:
    """Parameters in groups for an optimizer, frozen ones included so that its state does not change shape when they thaw.

    Args:
        lr: learning rate of the last stage.
        weight_decay: of weights; biases, norms and other vectors and scalars have none unless `decay_all`.
        layer_decay: factor on the learning rate for each stage toward the input (Clark et al. 2020, arXiv:2003.10555), 0 < f ≤ 1.
        bias_lr: factor on the learning rate of normalization layers' biases (64 in Jordan 2024, arXiv:2404.00498). Their decay, if
            any, is divided by it, so that decay per step stays the same.
        decay_all: decay biases and norms too.

    Returns:
        Groups with ``params``, ``lr``, ``weight_decay`` and ``name``, from input to output.
    """
    norm_biases = {
        id(module.bias) for module in net.modules() if isinstance(module, NORMS) and getattr(module, "bias", None) is not None
    }
    names, groups, seen = trainable_stages(net), [], set()
    for depth, name in enumerate(names):
        rate = lr * layer_decay ** (len(names) - 1 - depth)
        kinds: dict[str, list[nn.Parameter]] = {"weights": [], "vectors": [], "norm biases": []}
        for parameter in net.stages()[name].parameters():
            if id(parameter) in seen:
                continue
            seen.add(id(parameter))
            kind = "norm biases" if id(parameter) in norm_biases else "weights" if parameter.ndim > 1 else "vectors"
            kinds[kind].append(parameter)
        for kind, parameters in kinds.items():
            factor = bias_lr if kind == "norm biases" else 1.0
            decay = weight_decay / factor if kind == "weights" or decay_all else 0.0
            if parameters:
                groups.append({"params": parameters, "lr": rate * factor, "weight_decay": decay, "name": f"{name} {kind}"})
    return groups
