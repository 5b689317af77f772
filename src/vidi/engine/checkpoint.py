"""Checkpoints: everything a run needs to go on exactly where it was, in one file without code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vidi.core.console import say
from vidi.core.container import Container, write_container
from vidi.core.files import parse_json
from vidi.core.tensors import dump, first_nonfinite, parse
from vidi.engine.ema import Average
from vidi.errors import ModelError, VidiError

KEEP = 2


def save(folder: Path, step: int, net: nn.Module, optimizer: torch.optim.Optimizer, average: Average | None, values: dict[str, Any]) -> Path:
    """Write ``step-N.ckpt`` whole or not at all, then remove all but the newest two.

    Args:
        values: plain JSON values of the loop (position, best number, running sums).

    Raises:
        ModelError: a weight is NaN or infinite; nothing is written.
        ResourceError: the disk is full; older checkpoints stay.
    """
    weights = net.state_dict()
    bad = first_nonfinite(weights)
    if bad is not None:
        raise ModelError("a weight became NaN or infinite; the last checkpoint is kept", at=bad, fix="a lower lr or clip=1")
    tensors = {f"net.{key}": value for key, value in weights.items()}
    plain: dict[str, Any] = {"step": step, **values, "optimizer": _flatten(optimizer, tensors)}
    if average is not None:
        tensors |= {f"ema.{key}": value for key, value in average.state().items()}
        plain["ema_updates"] = average.updates
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    path = folder / f"step-{step:09d}.ckpt"
    # Tied tensors would be refused by safetensors; a clone gives each its own memory.
    separate = {key: value.detach().clone() for key, value in tensors.items()}
    write_container(path, {"state.json": json.dumps(plain, allow_nan=False).encode(), "tensors.safetensors": dump(separate)})
    for old in sorted(folder.glob("step-*.ckpt"))[:-KEEP]:
        old.unlink(missing_ok=True)
    return path


def _flatten(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """The optimizer's state: tensors go into `tensors`, plain values into the result."""
    state = optimizer.state_dict()
    plain: dict[str, dict[str, Any]] = {}
    for index, entries in state["state"].items():
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{key}"] = value
            else:
                plain.setdefault(str(index), {})[key] = value
    groups = [{key: value for key, value in group.items() if key != "params" and _is_plain(value)} for group in state["param_groups"]]
    return {"plain": plain, "groups": groups}


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (int, float, bool, str)) or (isinstance(value, (list, tuple)) and all(map(_is_plain, value)))


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The plain values and tensors of a checkpoint.

    Raises:
        ModelError: damaged, or not a checkpoint.
    """
    with Container(path) as container:
        plain = parse_json(container.read("state.json").decode("utf-8", errors="replace"), path)
        tensors = parse(container.read("tensors.safetensors"), path)
    if not isinstance(plain, dict) or not isinstance(plain.get("step"), int):
        raise ModelError("not a checkpoint", file=path)
    return plain, tensors


def latest(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """The newest checkpoint that can be read; damaged ones are named and passed over. None: there is none at all.

    Raises:
        ModelError: there are checkpoints but none is whole.
    """
    paths = sorted(folder.glob("step-*.ckpt"), reverse=True)
    faults: list[tuple[Path, VidiError]] = []
    for path in paths:
        try:
            plain, tensors = read(path)
        except VidiError as error:
            faults.append((path, error))
            continue
        if faults:
            lost = int(faults[0][0].stem.split("-")[1]) - plain["step"]
            say(f"checkpoint {faults[0][0].name} is damaged ({faults[0][1].rule}); going on from {path.name}, {lost} steps earlier")
        return plain, tensors
    if faults:
        raise ModelError("no checkpoint is whole", file=faults[0][0], value=faults[0][1].rule, fix="start the run over with exist_ok=true")
    return None


def restore(plain: dict[str, Any], tensors: dict[str, Tensor], net: nn.Module, optimizer: torch.optim.Optimizer, average: Average | None) -> None:
    """Put net, optimizer, average and random state where the checkpoint has them."""
    own = net.state_dict()
    saved = {key[4:]: value for key, value in tensors.items() if key.startswith("net.")}
    wrong = [key for key in own if key not in saved or saved[key].shape != own[key].shape] + [key for key in saved if key not in own]
    if wrong:
        raise ModelError("the checkpoint belongs to another net", at=", ".join(wrong[:5]), fix="resume with the run's own settings")
    net.load_state_dict(saved)
    state: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            state.setdefault(int(index), {})[name] = value
    for index, entries in plain["optimizer"]["plain"].items():
        state.setdefault(int(index), {}).update(entries)
    groups = [
        {**group, **{key: tuple(value) if isinstance(value, list) else value for key, value in saved_group.items()}}
        for group, saved_group in zip(optimizer.state_dict()["param_groups"], plain["optimizer"]["groups"])
    ]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    if average is not None:
        average.load({key[4:]: value for key, value in tensors.items() if key.startswith("ema.")}, plain["ema_updates"])
    torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random.cuda"])
