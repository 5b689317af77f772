"""Entry point: find the verb, call it, print its noun, turn errors into one line and an exit code."""

from __future__ import annotations

import json
import sys
from typing import Any

from vidi.errors import ChoiceError, ResourceError, VidiError, nearest

BUGS = "please report it, with the command and what --debug shows"


def main(words: list[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    words = list(sys.argv[1:] if words is None else words)
    as_json, debug = _take(words, "--json"), _take(words, "--debug")
    try:
        return _run(words, as_json)
    except VidiError as error:
        if debug:
            raise
        return _fail(error.exit_code, error.code, error.fields(), str(error), as_json)
    except KeyboardInterrupt:
        return _fail(75, "STOPPED", {"rule": "interrupted"}, "error: STOPPED rule=interrupted", as_json)
    except BrokenPipeError:
        return 0
    except OSError as error:
        if debug:
            raise
        if error.filename is None:
            return _bug(error, as_json)
        refused = ResourceError(f"the system refuses: {error.strerror}", file=error.filename, fix="check the path, its rights and the space left")
        return _fail(refused.exit_code, refused.code, refused.fields(), str(refused), as_json)
    except Exception as error:
        if debug:
            raise
        return _bug(error, as_json)


def _bug(error: Exception, as_json: bool) -> int:
    fields = {"rule": f"{type(error).__name__}: {error}".replace("\n", " "), "fix": BUGS}
    return _fail(1, "BUG", fields, f"error: BUG rule={fields['rule']} fix={BUGS}", as_json)


def _take(words: list[str], flag: str) -> bool:
    found = flag in words
    while flag in words:
        words.remove(flag)
    return found


def _run(words: list[str], as_json: bool) -> int:
    from vidi.cli import help as texts
    from vidi.cli.signature import load_verb, verb_names

    if not words or words[0] in ("-h", "--help", "help"):
        _print(texts.overview())
        return 0
    if words[0] in ("--version", "version"):
        from vidi import __version__

        _print(f"vidi {__version__}")
        return 0
    names = verb_names()
    if words[0] not in names:
        close = nearest(words[0], names)
        raise ChoiceError("no such verb", value=words[0], fix=f"did you mean {', '.join(close)}?" if close else "`vidi --help` lists them")
    verb = load_verb(words[0])
    if "-h" in words[1:] or "--help" in words[1:]:
        _print(texts.explain(verb))
        return 0
    from vidi.cli.parse import parse
    from vidi.core.console import set_quiet

    arguments = parse(verb, words[1:])
    set_quiet(as_json)
    places = [arguments.pop(a.name) for a in verb.arguments.values() if a.positional and a.name in arguments]
    noun = verb.function(*places, **arguments)
    _show(noun, as_json)
    about = getattr(noun, "about", None)
    return 2 if isinstance(about, dict) and about.get("refused") else 0


def _show(noun: Any, as_json: bool) -> None:
    if noun is None:
        return
    if as_json:
        summary = noun.summary() if hasattr(noun, "summary") else {"kind": type(noun).__name__, "numbers": {}, "about": {"value": str(noun)}}
        _print(json.dumps(summary, ensure_ascii=False, allow_nan=False, default=str))
    else:
        _print(noun.text() if hasattr(noun, "text") else str(noun))
        about = getattr(noun, "about", None)
        if isinstance(about, dict) and about.get("page"):
            _print(f"\n{about['page']}")


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _fail(code: int, name: str, fields: dict[str, str], line: str, as_json: bool) -> int:
    if as_json:
        _print(json.dumps({"kind": "error", "numbers": {}, "about": {"code": name, **fields}}, ensure_ascii=False))
    else:
        sys.stderr.write(line + "\n")
    return code
