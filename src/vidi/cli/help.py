"""Help texts, plain and short."""

from __future__ import annotations

import shutil
import textwrap

from vidi import __version__
from vidi.cli.signature import Verb, verb_names

COMMON = (("--json", "print one JSON object and nothing else"), ("--debug", "show the traceback of an error"), ("--help", "this text"))


def overview() -> str:
    """What ``vidi --help`` prints."""
    lines = [f"vidi {__version__}: from a folder of pictures to a vision model you can trust.", "", "vidi VERB … [key=value …]", ""]
    verbs = verb_names()
    lines += [_row(name, words, 14) for name, words in verbs.items()]
    return "\n".join([*lines, "", "`vidi VERB --help` explains one; start with `vidi demo`."])


def explain(verb: Verb) -> str:
    """What ``vidi VERB --help`` prints."""
    places = " ".join(f"{a.name.upper()}{'…' if a.many else ''}" if a.required else f"[{a.name.upper()}]" for a in verb.arguments.values() if a.positional)
    lines = [f"vidi {verb.name} {places} [key=value …]".replace("  ", " "), "", *textwrap.wrap(verb.words, 100), ""]
    for argument in verb.arguments.values():
        default = "" if argument.required or argument.default is None else f" (default {argument.default})"
        lines.append(_row(argument.name if argument.positional else f"--{argument.name}", argument.words + default, 16))
    if verb.open:
        lines.append(_row("key=value", verb.settings_words, 16))
    lines += [_row(name, words, 16) for name, words in COMMON]
    return "\n".join([*lines, "", *textwrap.wrap(verb.returns, 100)]).rstrip()


def _row(name: str, words: str, width: int) -> str:
    columns = max(60, min(120, shutil.get_terminal_size((110, 20)).columns))
    wrapped = textwrap.wrap(words, columns - width - 4) or [""]
    first = f"  {name:<{width}} {wrapped[0]}" if len(name) <= width else f"  {name}\n  {'':<{width}} {wrapped[0]}"
    return "\n".join([first, *(f"  {'':<{width}} {line}" for line in wrapped[1:])]).rstrip()
