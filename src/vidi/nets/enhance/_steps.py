"""From calls such as ``clahe(clip=2.0)`` to layers in front of a net's normalization, and back.

A file of this folder, or one given by its path, defines ``enhance(**settings) -> nn.Module``: pictures (B, C, H, W) in 0..1 to pictures of the
same shape in 0..1, the same for the same pictures, with gradients. A module whose settings are not those it was made with (weights out of a
file, say) has them as a mapping ``settings``; these are what a model file keeps.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from vidi.core import discovery
from vidi.core.calls import parse_call
from vidi.errors import InputError, RecipeError, VidiError, nearest

ROOM = "nets/enhance"
STEP_WEIGHTS = "normalize.enhance."
"""How the names of the steps' own weights begin."""
_SHORT_EXPONENT = re.compile(r"(-?\d+)e")


def split_steps(steps: Sequence[str] | str | None) -> list[str]:
    """Single calls out of a list, or a text with ``+`` or commas between them; None, ``none`` and nothing are no steps.

    Raises:
        RecipeError: not text, or a bracket without its partner.
    """
    found: list[str] = []
    for text in [steps] if isinstance(steps, str) else steps or []:
        if not isinstance(text, str):
            raise RecipeError("not a step", at="enhance", value=text, fix="write `name` or `name(key=value, …)`")
        found += [item for item in _parts(text) if item and item != "none"]
    return found


def _parts(text: str) -> list[str]:
    """The text cut at commas and plus signs outside of brackets."""
    items, depth, start = [], 0, 0
    for i, character in enumerate(text + ","):
        depth += character in "(["
        depth -= character in ")]"
        if character in ",+" and depth == 0:
            items.append(text[start:i].strip())
            start = i + 1
    if depth:
        raise RecipeError("brackets that do not match", at="enhance", value=text)
    return items


def full_calls(steps: Sequence[str] | str | None) -> list[str]:
    """The calls with every setting that has a default spelled out, so that they mean the same later.

    Raises:
        RecipeError: not a call, or a setting the step does not have.
        ChoiceError: no such step.
    """
    return [_full(text)[0] for text in split_steps(steps)]


def _full(text: str) -> tuple[str, Callable[..., nn.Module], dict[str, Any]]:
    """One call: written out, its maker, the settings given. Defaults of None are not written."""
    name, given = parse_call(text, "enhance")
    maker = discovery.member(discovery.load(ROOM, name), "enhance", ROOM)
    known = inspect.signature(maker).parameters
    free = any(one.kind is one.VAR_KEYWORD for one in known.values())
    for key in given:
        if key not in known and not free:
            close = nearest(key, known)
            raise RecipeError("not a setting of this step", at=name, value=key, fix=f"did you mean {close[0]}?" if close else f"it has: {', '.join(known) or 'none'}")
    defaults = {key: one.default for key, one in known.items() if one.default is not one.empty and one.default is not None}
    return write_call(name, defaults | given), maker, given


def write_call(name: str, settings: dict[str, Any]) -> str:
    """A call from which the same name and settings are read again."""
    inside = ", ".join(f"{key}={_written(value)}" for key, value in settings.items())
    return f"{name}({inside})" if inside else name


def _written(value: Any) -> str:
    if isinstance(value, (str, Path)):
        return str(value)
    if isinstance(value, float):
        return _SHORT_EXPONENT.sub(r"\1.0e", json.dumps(value)) if "." not in json.dumps(value) else json.dumps(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_written, value))}]"
    return json.dumps(value)


def make_step(text: str) -> nn.Module:
    """The layer that a call asks for; its attribute ``call`` says the call again, in full.

    Raises:
        ChoiceError: no such step.
        RecipeError: settings the step does not have or refuses.
    """
    call, maker, given = _full(text)
    try:
        step = maker(**given)
    except VidiError:
        raise
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError) as error:
        raise RecipeError(f"the step refuses its settings: {error}", at="enhance", value=text, fix="see `vidi list enhancements`") from error
    if not isinstance(step, nn.Module):
        raise RecipeError("`enhance` must give a torch module", at="enhance", value=type(step).__name__)
    own = getattr(step, "settings", None)
    step.call = call if own is None else write_call(parse_call(text, "enhance")[0], dict(own))  # type: ignore[assignment]
    step.bare = own is not None and step.call == call and bool(step.state_dict())  # type: ignore[assignment]
    return step


def refuse_bare(net: nn.Module) -> None:
    """Refuse steps that were made with the settings that a model file keeps, but without the weights that it has beside them.

    Raises:
        RecipeError: there is one.
    """
    for step in slot_of(net) or ():
        if getattr(step, "bare", False):
            raise RecipeError("the weights of this step come with a model file, or out of one of its own", at="enhance", value=step.call,
                              fix=f"{str(step.call).partition('(')[0]}(file=FILE)")  # fmt: skip


def set_steps(net: nn.Module, steps: Sequence[str] | str | None) -> list[str]:
    """Put steps in front of a net's normalization, in place of those that were there; the calls, in full.

    Raises:
        InputError: the net has no such layer.
        ChoiceError, RecipeError: see `make_step`.
    """
    calls = split_steps(steps)
    if slot_of(net) is None:
        if calls:
            raise InputError("this net has no `normalize` layer to put the steps in", at="enhance", value=calls, fix="enhance=none, or a net made with vidi.nets.blocks")
        return []
    put_steps(net, nn.Sequential(*map(make_step, calls)))
    return calls_of(net)


def put_steps(net: nn.Module, steps: nn.Sequential) -> None:
    """Put made steps in front of a net's normalization, on its device and in its mode."""
    layer: Any = net.normalize
    layer.enhance = steps.to(layer.mean.device).train(net.training)


def slot_of(net: nn.Module) -> nn.Sequential | None:
    """The steps in front of a net's normalization; None where there is no place for any."""
    slot = getattr(getattr(net, "normalize", None), "enhance", None)
    return slot if isinstance(slot, nn.Sequential) else None


def calls_of(net: nn.Module) -> list[str]:
    """The calls of the steps in front of a net's normalization."""
    return [str(getattr(step, "call", type(step).__name__)) for step in slot_of(net) or ()]
