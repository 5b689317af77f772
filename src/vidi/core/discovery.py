"""The file name is the registry: a room's folder lists its choices, a path or an entry point adds one from outside."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from vidi.errors import ChoiceError, InputError, nearest

_HOME = Path(__file__).resolve().parent.parent
_ALLOWED: ContextVar[frozenset[Path] | None] = ContextVar("allowed", default=None)


@contextlib.contextmanager
def only(files: Iterable[str | Path]) -> Iterator[None]:
    """Within the block `load` imports no Python file by path but these, however the path is spelled."""
    token = _ALLOWED.set(frozenset(Path(file).expanduser().resolve() for file in files))
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def is_path(name: str) -> bool:
    """Whether a name is taken for the path of a Python file."""
    return name.endswith(".py") or "/" in name


def plain(name: str) -> str:
    """A name for folders and pages: that of the file without its ending, where a thing is named by its path."""
    return Path(name).stem if is_path(name) else name


def room_path(room: str) -> Path:
    """The folder of a room, such as ``nets`` or ``methods/attack``."""
    return _HOME / room


def names(room: str) -> list[str]:
    """What a room offers, sorted: its own files and the installed entry points of group ``vidi.<room>``. Imports nothing."""
    own = {path.stem for path in room_path(room).glob("*.py") if not path.stem.startswith("_")}
    return sorted(own | {point.name for point in entry_points(group=f"vidi.{room.replace('/', '.')}")})


def load(room: str, name: str) -> ModuleType:
    """The module behind a name of a room, or behind a path to a Python file (``./mine.py``).

    Raises:
        ChoiceError: nothing answers to the name; the message has the folder that was looked in and the nearest names.
    """
    if is_path(name):
        return _load_path(Path(name), room)
    if not name.startswith("_") and (room_path(room) / f"{name}.py").is_file():
        return importlib.import_module(f"vidi.{room.replace('/', '.')}.{name}")
    for point in entry_points(group=f"vidi.{room.replace('/', '.')}"):
        if point.name == name:
            return point.load()
    known = names(room)
    close = nearest(name, known)
    raise ChoiceError(
        f"no {name!r} in {room}",
        file=f"vidi/{room}",
        value=name,
        fix=f"did you mean {', '.join(close)}?" if close else f"one of: {', '.join(known)}; or a path to a .py file",
    )


def _load_path(path: Path, room: str) -> ModuleType:
    path = path.expanduser().resolve()
    allowed = _ALLOWED.get()
    if allowed is not None and path not in allowed:
        raise ChoiceError("a Python file outside vidi, which is not run unless named", file=path, fix=f"code={path}")
    if not path.is_file():
        raise ChoiceError("no such Python file", file=path, fix=f"give the path of an existing .py file, or a name of vidi/{room}")
    key = f"vidi_outside.{room.replace('/', '_')}.{path.stem}_{abs(hash(str(path))):x}"
    if key in sys.modules:
        return sys.modules[key]
    spec = importlib.util.spec_from_file_location(key, path)
    if spec is None or spec.loader is None:
        raise ChoiceError("not a Python file", file=path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[key] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[key]
        raise ChoiceError(f"the file fails when imported: {type(error).__name__}: {error}", file=path) from error
    return module


def member(module: ModuleType, name: str, room: str):
    """A public name that every module of a room must define."""
    try:
        return getattr(module, name)
    except AttributeError:
        raise ChoiceError(f"a file of {room} must define `{name}`", file=getattr(module, "__file__", module.__name__)) from None


def make(
    room: str, maker: str, name: str, settings: Mapping[str, Any], *, fix: str, at: str = "method", value: str | None = None,
    error: type[InputError] = InputError, **own: Any,
) -> Any:  # fmt: skip
    """What the function `maker` of a room's module makes of settings.

    Args:
        fix: where one sees which settings there are, for the error.
        at, value: what was set, and how it was written; by default the name.
        error: what is raised where settings are refused.
        own: settings that are the caller's, and not to be set besides.

    Raises:
        ChoiceError: nothing answers to the name.
        InputError: settings that it does not have or refuses.
    """
    function = member(load(room, name), maker, room)
    try:
        return function(**own, **settings)
    except TypeError as refused:
        raise error(f"the {at} refuses its settings: {refused}", at=at, value=name if value is None else value, fix=fix) from refused
