"""A small residual denoiser and its file: what `vidi denoiser` trains and the step ``denoise`` of a model uses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from vidi.core.files import atomic_write, parse_json
from vidi.core.tensors import check, first_nonfinite, parse
from vidi.errors import InputError, ModelError

CHANNELS = 3
KEY = "vidi.denoiser"
VERSION = 1
MOST_WIDTH, MOST_DEPTH, MOST_BYTES = 512, 64, 1 << 28


class Denoiser(nn.Module):
    """Pictures minus the noise that convolutions find in them (Zhang et al. 2017, *DnCNN*, arXiv:1608.03981), without biases, so that
    twice as much noise on a picture twice as bright is found just as well (Mohan et al. 2020, arXiv:1906.05478), and without batch norm,
    so that no picture depends on others.

    Args:
        width: channels between layers.
        depth: convolutions, 2 or more.

    Raises:
        InputError: a size out of range.
    """

    def __init__(self, width: int = 32, depth: int = 7):
        super().__init__()
        for name, value, least, most in (("width", width, 1, MOST_WIDTH), ("depth", depth, 2, MOST_DEPTH)):
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise InputError("not the size of a denoiser", at=name, value=value, fix=f"a whole number from {least} to {most}")
        sides = [CHANNELS, *[width] * (depth - 1), CHANNELS]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in zip(sides, sides[1:]))
        for conv in self.convs:
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")  # type: ignore[arg-type]
        nn.init.zeros_(self.convs[-1].weight)  # type: ignore[arg-type]

    def noise(self, x: Tensor) -> Tensor:
        """The noise in pictures (B, 3, H, W); none before training."""
        for conv in self.convs[:-1]:
            x = F.relu(conv(x))
        return self.convs[-1](x)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in 0..1 without their noise; values beyond 0..1 may come out."""
        return x - self.noise(x)


@dataclass(frozen=True)
class Facts:
    """What a denoiser's file says about it.

    Args:
        width, depth: of the net.
        sigma: lowest and highest standard deviation of the noise it was trained on, in units of the pixel range; None: trained on
            pictures that were noisy themselves.
        size: (height, width) of the canvas that its pictures were scaled to.
        data, fingerprint, samples: what it was trained on.
        steps, seconds: how long.
        numbers: measured on held-out pictures.
    """

    width: int
    depth: int
    sigma: tuple[float, float] | None = None
    size: tuple[int, int] | None = None
    data: str = ""
    fingerprint: str = ""
    samples: int = 0
    steps: int = 0
    seconds: float = 0.0
    numbers: Mapping[str, float | None] = field(default_factory=dict)


def save_denoiser(net: Denoiser, facts: Facts, path: Path) -> Path:
    """Write a denoiser as safetensors with its facts, whole or not at all.

    Raises:
        ModelError: a weight is NaN or infinite.
        ResourceError: the disk is full.
    """
    from safetensors.torch import save

    state = {key: value.detach().cpu().contiguous() for key, value in net.state_dict().items()}
    bad = first_nonfinite(state)
    if bad is not None:
        raise ModelError("a weight is NaN or infinite; not saved", file=path, at=bad)
    told = json.dumps({"version": VERSION, **asdict(facts)}, allow_nan=False)
    with atomic_write(Path(path)) as file:
        file.write(save(state, metadata={KEY: told}))
    return Path(path)


def load_denoiser(path: str | Path) -> tuple[Denoiser, Facts]:
    """A denoiser out of its file; nothing in the file is ever run.

    Raises:
        ModelError: not such a file, of a later version, damaged, or weights that do not fit what it says about itself.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        data = path.read_bytes() if path.is_file() and size <= MOST_BYTES else None
    except OSError as error:
        raise ModelError(f"cannot be opened: {error.strerror}", file=path, fix="`vidi denoiser DATA --out FILE` makes one") from None
    if data is None:
        raise ModelError("not a regular file, or larger than any denoiser", file=path, value=f"{size} bytes")
    check(data, path)
    facts = _facts(data, path)
    try:
        net = Denoiser(facts.width, facts.depth)
    except InputError as error:
        raise ModelError(error.rule, file=path, at=error.at, value=error.value, fix=error.fix) from None
    _fit(net, parse(data, path), path)
    return net.eval(), facts


def _facts(data: bytes, path: Path) -> Facts:
    length = int.from_bytes(data[:8], "little")
    held = parse_json(data[8 : 8 + length], path).get("__metadata__")
    told = held.get(KEY) if isinstance(held, dict) else None
    if not isinstance(told, str):
        raise ModelError("safetensors, but not of a denoiser", file=path, fix="`vidi denoiser DATA --out FILE` makes one")
    try:
        values = parse_json(told, path)
        version = values.pop("version")
    except (InputError, AttributeError, KeyError, TypeError) as error:
        raise ModelError(f"its facts cannot be read: {getattr(error, 'rule', error)}", file=path, at=KEY) from None
    if version != VERSION:
        raise ModelError("written by another version of vidi", file=path, at=f"{KEY}/version", value=version, fix=f"this vidi reads {VERSION}")
    try:
        plain: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        return Facts(**plain)
    except TypeError as error:
        raise ModelError(f"its facts cannot be read: {error}", file=path, at=KEY) from None


def _fit(net: Denoiser, state: Mapping[str, Tensor], path: Path) -> None:
    wanted = {key: (tuple(value.shape), value.dtype) for key, value in net.state_dict().items()}
    given = {key: (tuple(value.shape), value.dtype) for key, value in state.items()}
    odd = [key for key in sorted({*wanted, *given}) if wanted.get(key) != given.get(key)]
    if odd:
        raise ModelError("weights do not fit the width and depth it tells", file=path, at=odd[0], value=given.get(odd[0], "missing"))
    bad = first_nonfinite(dict(state))
    if bad is not None:
        raise ModelError("a weight is NaN or infinite", file=path, at=bad)
    net.load_state_dict(dict(state))


def frozen(net: Denoiser) -> Denoiser:
    """The denoiser with buffers for weights: they travel with a model's state, and no training, freezing or decay reaches them."""
    for conv in net.convs:
        weight: Any = conv.weight
        del conv.weight
        conv.register_buffer("weight", weight.detach().clone())
    return net.eval()

