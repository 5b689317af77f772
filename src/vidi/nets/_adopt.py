"""Putting foreign weights into a net: by name, by rewritten name, or by order, and never in silence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from vidi.core.net import Net
from vidi.errors import ModelError

PREFIXES = ("_orig_mod.", "module.", "state_dict.", "model.", "net.", "encoder.", "backbone.", "base_model.")


@dataclass
class Adopted:
    """What became of each tensor.

    Attributes:
        loaded: names in the net that were filled.
        missing: names in the net that the source has nothing for.
        mismatched: (name, expected shape, got shape) of those that differ in shape.
        unexpected: names in the source that were not used.
        how: ``by name`` or ``by order``.
        notes: further sentences, such as an adapted first layer.
    """

    loaded: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    mismatched: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    how: str = "by name"
    notes: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """One line for people."""
        total = len(self.loaded) + len(self.missing) + len(self.mismatched)
        parts = [f"loaded {len(self.loaded)} of {total} tensors {self.how}"]
        if self.mismatched:
            shapes = [f"{name} ({_shape(got)} in the file, {_shape(want)} here)" for name, want, got in self.mismatched]
            parts.append(f"made new: {_few(shapes)}")
        if self.missing:
            parts.append(f"not in the file, made new: {_few(self.missing)}")
        if self.unexpected:
            parts.append(f"in the file, not used: {_few(self.unexpected)}")
        return "; ".join(parts + self.notes)


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "scalar"


def _few(names: list[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def adopt(net: Net, state: Mapping[str, Tensor], provenance: Mapping[str, Any] | None = None, head: bool = True) -> Adopted:
    """Fill a net from a state dict, as far as it fits; what does not fit keeps its fresh values.

    Names are matched as they are, then without common prefixes, then as the backbone's published names. If more fits by order (the
    backbone's tensors in a row have the shapes of the source's first ones), order decides. A first layer for another number of input
    channels is adapted: summed for fewer, repeated and rescaled for more.

    Args:
        net: changed in place.
        state: names to tensors.
        provenance: if it has ``mean`` and ``std``, normalization takes them over.
        head: also fill the head where shapes agree; give False when the classes are others.

    Raises:
        ModelError: a tensor is not finite, or nothing of the backbone fits.
    """
    state = {name: tensor for name, tensor in state.items() if isinstance(tensor, Tensor)}
    bad = [name for name, tensor in state.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if bad:
        raise ModelError("weights with NaN or infinity", at=bad[0], value=f"{len(bad)} tensors", fix="use another file")
    target = net.state_dict()
    pairs, how = _by_name(net, target, state), "by name"
    ordered = _by_order(target, state)
    if _fitting(ordered, target, state) > _fitting(pairs, target, state):
        pairs, how = ordered, "by order"
    if not head:
        pairs = {name: source for name, source in pairs.items() if not name.startswith("head.")}
    result = Adopted(how=how)
    first = next((name for name, tensor in target.items() if tensor.ndim == 4 and name.startswith("backbone.")), None)
    with torch.no_grad():
        for name, tensor in target.items():
            source = pairs.get(name)
            if source is None:
                if not name.endswith("num_batches_tracked"):
                    result.missing.append(name)
            else:
                _fill(name, tensor, state[source], result, adapt=name == first)
    used = set(pairs.values())
    result.unexpected = [name for name in state if name not in used and not name.endswith("num_batches_tracked")]
    if not any(name.startswith("backbone.") or not name.startswith(("head.", "normalize.")) for name in result.loaded):
        raise ModelError(
            "the weights are of another design", value=_few(list(state)), fix="choose the net that the weights were made for"
        )
    if provenance and "mean" in provenance and hasattr(net, "normalize"):
        _normalize(net.normalize, provenance, result)
    return result


def _fill(name: str, tensor: Tensor, source: Tensor, result: Adopted, adapt: bool) -> None:
    if tensor.shape == source.shape:
        tensor.copy_(source)
        result.loaded.append(name)
    elif adapt and source.ndim == 4 and tensor.shape[0] == source.shape[0] and tensor.shape[2:] == source.shape[2:]:
        tensor.copy_(_channels(source.float(), tensor.shape[1]))
        result.loaded.append(name)
        result.notes.append(f"first layer adapted from {source.shape[1]} to {tensor.shape[1]} input channels")
    else:
        result.mismatched.append((name, tuple(tensor.shape), tuple(source.shape)))


def _channels(weight: Tensor, channels: int) -> Tensor:
    """First-layer weights for another number of input channels that answer a gray picture as before."""
    if channels == 1:
        return weight.sum(1, keepdim=True)
    repeats = -(-channels // weight.shape[1])
    return weight.repeat(1, repeats, 1, 1)[:, :channels] * (weight.shape[1] / channels)


def _normalize(layer: Any, provenance: Mapping[str, Any], result: Adopted) -> None:
    mean, std, channels = list(provenance["mean"]), list(provenance["std"]), len(layer.mean)
    if len(mean) != channels:
        mean, std = [sum(mean) / len(mean)], [sum(std) / len(std)]
    layer.set(mean, std)
    text = ", ".join(f"{value:.3g}" for value in mean), ", ".join(f"{value:.3g}" for value in std)
    result.notes.append(f"pixels normalized with mean {text[0]} and std {text[1]}")
    for name in ("normalize.mean", "normalize.std"):
        if name in result.missing:
            result.missing.remove(name)
            result.loaded.append(name)


def _by_name(net: Net, target: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, str]:
    """Target name → source name."""
    backbone: Any = getattr(net, "backbone", None)
    pairs: dict[str, str] = {}
    for source in state:
        for plain in _spellings(source):
            names = [plain, f"backbone.{plain}"]
            if hasattr(backbone, "renamed"):
                names.append(f"backbone.{backbone.renamed(plain)}")
            found = next((name for name in names if name in target and name not in pairs), None)
            if found:
                pairs[found] = source
                break
    return pairs


def _spellings(name: str) -> list[str]:
    """The name with its common prefixes taken off one after another."""
    spellings = [name]
    while (prefix := next((p for p in PREFIXES if name.startswith(p)), None)) is not None:
        name = name[len(prefix) :]
        spellings.append(name)
    return spellings


def _by_order(target: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, str]:
    """Target name → source name if the source's first tensors have the shapes of the backbone's, in order; else nothing."""
    skipped = "num_batches_tracked"
    ours = [
        name for name in target if name.startswith("backbone.") and ".attention." not in name and not name.endswith(skipped)
    ]
    theirs = [name for name in state if not name.endswith(skipped)]
    if not ours or len(theirs) < len(ours):
        return {}
    for i, (name, source) in enumerate(zip(ours, theirs)):
        want, got = tuple(target[name].shape), tuple(state[source].shape)
        if want != got and not (i == 0 and len(want) == len(got) == 4 and want[0] == got[0] and want[2:] == got[2:]):
            return {}
    return dict(zip(ours, theirs))


def _fitting(pairs: Mapping[str, str], target: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> int:
    """How many of the backbone's parameters the pairs would fill."""
    return sum(
        target[name].numel()
        for name, source in pairs.items()
        if not name.startswith(("head.", "normalize.")) and target[name].shape == state[source].shape
    )
