"""Tensors in and out of safetensors bytes, with every rule of the format checked before anything is allocated."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from vidi.core.files import parse_json
from vidi.errors import InputError, ModelError

_SIZES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1,
          "F8_E4M3": 1, "F8_E5M2": 1}  # fmt: skip
_MAX_HEADER = 100_000_000


def dump(tensors: dict[str, Tensor]) -> bytes:
    """The safetensors form of named tensors; equal tensors give equal bytes."""
    from safetensors.torch import save

    return save({key: value.detach().cpu().contiguous() for key, value in sorted(tensors.items())})


def parse(data: bytes, file: Any = None) -> dict[str, Tensor]:
    """Named tensors out of safetensors bytes.

    Raises:
        ModelError: header too large, truncated, duplicate or unsafe names, or tensors that overlap, leave holes or have other sizes
            than their shapes say.
    """
    check(data, file)
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"not safetensors: {error}", file=file) from None


def check(data: bytes, file: Any = None) -> None:
    """Refuse bytes that break the safetensors format (see `parse`)."""
    if len(data) < 8:
        raise ModelError("not safetensors: shorter than its header", file=file, value=f"{len(data)} bytes")
    length = int.from_bytes(data[:8], "little")
    if length > _MAX_HEADER or length > len(data) - 8:
        raise ModelError("safetensors header longer than the file or the limit", file=file, value=f"{length} bytes")
    try:
        header = parse_json(data[8 : 8 + length], file)
    except InputError as error:
        raise ModelError(f"safetensors header: {error.rule}", file=file, at=error.at, value=error.value) from None
    if not isinstance(header, dict):
        raise ModelError("safetensors header is not a table", file=file)
    header.pop("__metadata__", None)
    spans = []
    for name, entry in header.items():
        spans.append(_span(name, entry, file))
    end = 0
    for start, stop, name in sorted(spans):
        if start != end:
            raise ModelError("tensors overlap or leave a hole", file=file, at=name, value=f"starts at {start}, expected {end}")
        end = stop
    if end != len(data) - 8 - length:
        raise ModelError("bytes after the last tensor, or missing", file=file, value=f"{len(data) - 8 - length} bytes, expected {end}")


def _span(name: str, entry: Any, file: Any) -> tuple[int, int, str]:
    try:
        size, shape, (start, stop) = _SIZES[entry["dtype"]], entry["shape"], entry["data_offsets"]
    except (KeyError, TypeError, ValueError):
        raise ModelError("a tensor needs a known dtype, a shape and two offsets", file=file, at=name, value=entry) from None
    whole = [*shape, start, stop] if isinstance(shape, list) else [None]
    if not all(isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**62 for number in whole):
        raise ModelError("shape and offsets must be whole numbers", file=file, at=name, value=entry)
    if ".." in name or "/" in name or "\0" in name:
        raise ModelError("unsafe tensor name", file=file, at=name)
    if math.prod(shape) * size != stop - start or (0 in shape and any(side > 2**31 for side in shape)):
        raise ModelError("tensor's size differs from its shape", file=file, at=name, value=f"{shape} in {stop - start} bytes")
    return start, stop, name


def first_nonfinite(tensors: dict[str, Tensor]) -> str | None:
    """The name of the first tensor holding NaN or infinity, or None."""
    for name, value in tensors.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            return name
    return None


def digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over names, shapes and bytes of tensors, as hex."""
    import hashlib

    return hashlib.sha256(dump(tensors)).hexdigest()
