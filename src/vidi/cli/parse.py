"""Words of a command line → arguments of a verb. ``key=value``, ``--key value`` and ``--key=value`` mean the same."""

from __future__ import annotations

import re
from typing import Any

from vidi.cli.signature import Argument, Verb
from vidi.errors import InputError, nearest

_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
_SETTING = re.compile(r"^([A-Za-z_][\w.-]*)=(.*)$", re.S)


def parse(verb: Verb, words: list[str]) -> dict[str, Any]:
    """Arguments for the verb's function.

    Raises:
        InputError: an unknown or repeated argument, a wrong type, or one that is missing.
    """
    places = [argument for argument in verb.arguments.values() if argument.positional]
    values: dict[str, Any] = {}
    rest = list(words)
    index = 0
    while rest:
        word = rest.pop(0)
        setting = _SETTING.match(word)
        if word.startswith("--") and len(word) > 2:
            key, has_value, text = word[2:].partition("=")
            _put(verb, values, key.replace("-", "_"), text if has_value else None, rest)
        elif setting and (setting[1].replace("-", "_") in verb.arguments or verb.open) and not _is_file(word):
            _put(verb, values, setting[1].replace("-", "_"), setting[2], rest)
        elif index < len(places):
            argument = places[index]
            if argument.many:
                values.setdefault(argument.name, []).append(word)
            else:
                values[argument.name] = _convert(argument, word)
                index += 1
        else:
            raise InputError("one word too many", at=verb.name, value=word, fix=f"see `vidi {verb.name} --help`")
    missing = [argument.name for argument in verb.arguments.values() if argument.required and argument.name not in values]
    if missing:
        raise InputError(f"{verb.name} needs {', '.join(missing)}", at=missing[0], fix=f"see `vidi {verb.name} --help`")
    return values


def _is_file(word: str) -> bool:
    from pathlib import Path

    return "/" in word.split("=")[0] and Path(word).exists()


def _put(verb: Verb, values: dict[str, Any], key: str, text: str | None, rest: list[str]) -> None:
    argument = verb.arguments.get(key)
    if argument is None and not verb.open:
        close = nearest(key, verb.arguments)
        raise InputError("unknown argument", at=key, fix=f"did you mean {', '.join(close)}?" if close else f"see `vidi {verb.name} --help`")
    if text is None:
        following = rest[0] if rest else None
        if argument is not None and argument.kind == "bool":
            follows = following is not None and following.lower() in _TRUE | _FALSE
            text = rest.pop(0) if follows else "true"
        elif following is None or following.startswith("--"):
            text = "true"
            if argument is not None:
                raise InputError("an argument without its value", at=key, fix=f"--{key} VALUE")
        else:
            text = rest.pop(0)
    value = text if argument is None else _convert(argument, text)
    if argument is not None and argument.many:
        values.setdefault(key, []).extend(value if isinstance(value, list) else [value])
    elif key in values:
        raise InputError("given twice", at=key, value=text, fix="give it once")
    else:
        values[key] = value


def _convert(argument: Argument, text: str) -> Any:
    kind = argument.kind
    if text in ("None", "none") and "None" in kind and "str" not in kind:
        return None
    if argument.many:
        from vidi.core.recipe import split_list

        return split_list(text)
    try:
        if kind.startswith("bool"):
            if text.lower() not in _TRUE | _FALSE:
                raise ValueError
            return text.lower() in _TRUE
        if "int" in kind and "str" not in kind and "float" not in kind:
            return int(text)
        if "float" in kind and "str" not in kind:
            return float(text)
    except ValueError:
        raise InputError("not of the right type", at=argument.name, value=text, fix=f"expected {kind.split(' |')[0]}") from None
    return text
