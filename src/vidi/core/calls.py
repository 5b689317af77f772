"""The spelling ``name(key=value, …)`` by which recipes and command lines name a thing with its settings."""

from __future__ import annotations

import re
from typing import Any

from vidi.core.files import parse_yaml
from vidi.errors import RecipeError

_CALL = re.compile(r"\s*(?P<name>[^()\s][^()]*?)\s*(?:\((?P<inside>.*)\))?\s*", re.DOTALL)


def parse_call(text: str, at: str) -> tuple[str, dict[str, Any]]:
    """A name (or path) and its settings: ``efficientnet(variant=lite0)`` → ``("efficientnet", {"variant": "lite0"})``.

    Args:
        at: the setting it was given for, for the error.

    Raises:
        RecipeError: not of this form.
    """
    from vidi.core.recipe import split_list

    found = _CALL.fullmatch(text)
    if found is None:
        raise RecipeError("not of the form name(key=value, …)", at=at, value=text)
    settings: dict[str, Any] = {}
    for item in split_list(found["inside"] or ""):
        key, equals, value = item.partition("=")
        if not equals or not key.strip().isidentifier():
            raise RecipeError("settings are written key=value", at=at, value=item, fix=f"{found['name']}(key=value)")
        if key.strip() in settings:
            raise RecipeError("a setting stands twice", at=at, value=item)
        settings[key.strip()] = parse_yaml(value.strip())
    return found["name"], settings
