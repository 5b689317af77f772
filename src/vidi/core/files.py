"""Files written whole or not at all, and JSON and YAML read strictly."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import yaml

from vidi.errors import InputError, ResourceError, VidiError


@contextlib.contextmanager
def atomic_write(path: Path, mode: str = "wb", encoding: str | None = None) -> Iterator[IO]:
    """Open a temporary file beside `path`; on success sync it and move it into place, on failure remove it.

    A reader sees the old file or the new one, never a part, and a crash at any instant leaves one of the two.

    Raises:
        ResourceError: the disk is full or the folder cannot be written; the old file is untouched.
    """
    path = Path(path)
    if "b" not in mode and encoding is None:
        encoding = "utf-8"
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, mode, encoding=encoding) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, path)
        temporary = None
        sync_folder(path.parent)
    except OSError as error:
        raise disk_error(error, path) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _read_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _read_umask()  # once, at import: reading it sets it for a moment, which threads writing files would notice


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable (where the system can)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def disk_error(error: OSError, path: Path) -> VidiError:
    """The error to show when `path` could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        free = shutil.disk_usage(path.parent).free if path.parent.exists() else 0
        return ResourceError(
            f"disk full: {os.strerror(error.errno)}", file=path, value=f"{free / 2**20:.1f} MiB free", fix="free some space, then run again"
        )
    return ResourceError(f"cannot write: {os.strerror(error.errno or 0)}", file=path, fix="choose a folder that can be written")


def remove_orphans(folder: Path) -> int:
    """Delete temporary files that a killed `atomic_write` left in a folder; returns how many."""
    count = 0
    for path in Path(folder).glob(".*.tmp"):
        with contextlib.suppress(OSError):
            path.unlink()
            count += 1
    return count


def write_text(path: Path, text: str) -> None:
    with atomic_write(path, "w") as file:
        file.write(text)


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def parse_json(text: str | bytes, file: Any = None, limit: int = 1 << 30) -> Any:
    """JSON with duplicate keys, NaN and infinity, and excessive depth refused.

    Raises:
        InputError: not such JSON; `at` has the line and column or the key.
    """
    if len(text) > limit:
        raise InputError("JSON larger than allowed", file=file, value=f"{len(text)} bytes", fix=f"at most {limit} bytes")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in pairs:
            if key in result:
                raise InputError("duplicate key in JSON", file=file, at=key, fix="keep one of the two")
            result[key] = value
        return result

    def refuse(constant: str) -> Any:
        raise InputError("not a JSON number", file=file, value=constant, fix="use null for what is unknown")

    def finite(digits: str) -> float:
        value = float(digits)
        return value if math.isfinite(value) else refuse(digits)

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse, parse_float=finite)
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg}", file=file, at=f"line {error.lineno} column {error.colno}") from None
    except UnicodeDecodeError:
        raise InputError("not JSON: not UTF-8 text", file=file) from None
    except ValueError as error:
        raise InputError(f"not JSON: {error}", file=file) from None
    except RecursionError:
        raise InputError("JSON nested too deeply", file=file, fix="at most about 1000 levels") from None


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML without duplicate keys or aliases, and with plain values as in YAML 1.2.

    ``no`` and ``007`` are text (not False and 7), ``1:30`` is text (not 90), ``1e-3`` is a number.
    """

    def compose_node(self, parent, index):
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, (str, int, float, bool)) and key is not None:
                raise yaml.constructor.ConstructorError(None, None, "keys must be plain values", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key {key!r}", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_PLAIN = ("bool", "timestamp", "int", "float", "merge", "value")
_StrictLoader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in _PLAIN]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _kind, _pattern, _letters in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+.0123456789"),
):
    _StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern})$"), list(_letters))


class _TextLoader(_StrictLoader):
    """The same, with every plain value left as the text that stands there."""

    yaml_implicit_resolvers: dict = {}


def parse_yaml(text: str, file: Any = None, *, as_text: bool = False) -> Any:
    """YAML of plain values only: no tags that build objects, aliases or duplicate keys; ``yes``, ``no`` and ``007`` stay text.

    Args:
        as_text: leave every value as the text that stands there (class names such as ``1.10``, ``true`` or ``null``).

    Raises:
        InputError: with the line and column.
    """
    try:
        return yaml.load(io.StringIO(text), Loader=_TextLoader if as_text else _StrictLoader)  # both are SafeLoaders
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise InputError(
            f"not plain YAML: {error.problem}", file=file, at=f"line {mark.line + 1} column {mark.column + 1}" if mark else None
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"not plain YAML: {error}", file=file) from None
    except RecursionError:
        raise InputError("YAML nested too deeply", file=file) from None


def read_text(path: Path, limit: int = 1 << 30) -> str:
    """The text of a UTF-8 file.

    Raises:
        InputError: missing, not a regular file, larger than `limit` bytes, or not UTF-8.
    """
    path = Path(path)
    if not path.exists():
        raise InputError("no such file", file=path, fix="check the path")
    if not path.is_file():
        raise InputError("not a regular file", file=path)
    if path.stat().st_size > limit:
        raise ResourceError("file larger than allowed", file=path, value=f"{path.stat().st_size} bytes", fix=f"at most {limit} bytes")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text", file=path, at=f"byte {error.start}", fix="save the file as UTF-8") from None


def read_json(path: Path) -> Any:
    return parse_json(read_text(path), path)


def read_yaml(path: Path) -> Any:
    return parse_yaml(read_text(path, 1 << 24), path)


def safe_path(root: Path, name: str, file: Any = None, at: Any = None) -> Path:
    """The regular file `name` inside the folder `root`, given by an untrusted listing.

    Raises:
        InputError: absolute, outside the folder (also through links), a URL, or not a regular file.
    """

    def refuse(rule: str) -> InputError:
        return InputError(rule, file=file, at=at, value=name, fix=f"name a picture inside {root}")

    if not name or "\0" in name:
        raise refuse("empty path or NUL in path")
    if "://" in name:
        raise refuse("URLs are not read")
    if Path(name).is_absolute() or (len(name) > 1 and name[1] == ":"):
        raise refuse("absolute path")
    base = Path(os.path.realpath(root))
    try:
        full = Path(os.path.realpath(base / name, strict=True))
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or ("not a file name" if isinstance(error, ValueError) else "links in a circle")
        raise refuse(f"cannot be opened: {reason}") from None
    if not full.is_relative_to(base):
        raise refuse("leads outside the data's folder")
    if not full.is_file():
        raise refuse("not a regular file")
    return base / name


_FORMULA = frozenset("=+-@\t\r\n\0＝＋－＠")


def csv_safe(text: str) -> str:
    """Text that a spreadsheet will not run as a formula: guarded by a quote in front (OWASP ASVS 1.2.10). Numbers stay."""
    return "'" + text if _runs(text) else text


def csv_plain(text: str) -> str:
    """The inverse of `csv_safe`."""
    return text[1:] if text[:1] == "'" and _runs(text[1:]) else text


def _runs(text: str) -> bool:
    """Whether text, quotes in front aside, begins as formulas do and is no number."""
    bare = text.lstrip("'")
    return bare[:1] in _FORMULA and bare != "" and not (bare == text and _is_number(text))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
