"""What a data.yaml may say of masks and of run lengths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidi.errors import DataError

KEYS = {
    "images": "the folder of pictures beside that of masks, where it has a name of its own",
    "masks": "the folder of masks, relative to path, where it has a name of its own",
    "values": "what the values of masks are: classes or instances",
    "ignore": "the value (or values, as a list) of mask pixels of which nothing is known",
    "colors": "the color of each class in colored masks, in the order of names: [red, green, blue] or '#rrggbb'",
    "divisor": "of instance masks that tell classes too: the class is value // divisor",
    "run_order": "which way run lengths go: columns (as at Kaggle) or rows",
    "run_start": "the number of the first pixel in run lengths: 1 (as at Kaggle) or 0",
}
DEEPEST = 1 << 24
"""Values of masks are below this, as colors are."""

_HEX = re.compile(r"#?([0-9a-fA-F]{6})")


@dataclass(frozen=True, slots=True)
class MaskAsk:
    """What is known of masks before they are looked at.

    Args:
        images, masks: folders, relative to the data's; None: known by their names.
        values: ``classes``, ``instances`` or None.
        ignore: values of pixels of which nothing is known; None: by the kind of mask.
        colors: the color of each class, red << 16 | green << 8 | blue.
        divisor: of instance values, what gives the class.
        by_rows: run lengths go along the rows.
        start: the number of the first pixel in run lengths.
    """

    images: str | None = None
    masks: str | None = None
    values: str | None = None
    ignore: tuple[int, ...] | None = None
    colors: tuple[int, ...] | None = None
    divisor: int | None = None
    by_rows: bool = False
    start: int = 1


def parse(values: dict[str, Any], names: tuple[str, ...] | None, file: Path) -> MaskAsk:
    """
    Raises:
        DataError: a value of the wrong kind, or colors that do not go with the names.
    """
    colors = values.get("colors")
    if colors is not None:
        if not isinstance(colors, list) or len(colors) != len(names or ()):
            raise DataError("colors must be as many as names", file=file, at="colors", value=colors, fix=KEYS["colors"])
        colors = tuple(color_code(color, file) for color in colors)
        if len(set(colors)) < len(colors):
            raise DataError("two classes have one color", file=file, at="colors")
    divisor = values.get("divisor")
    if divisor is not None and not _whole(divisor, 2):
        raise DataError("divisor must be a whole number from 2", file=file, at="divisor", value=divisor)
    return MaskAsk(
        _folder(values, "images", file), _folder(values, "masks", file), _one_of(values, "values", ("classes", "instances"), None, file),
        _ignored(values.get("ignore"), file), colors, divisor, _one_of(values, "run_order", ("columns", "rows"), "columns", file) == "rows",
        _one_of(values, "run_start", (1, 0), 1, file),
    )  # fmt: skip


def color_code(color: Any, file: Path, at: str = "colors") -> int:
    """A color as one number, red << 16 | green << 8 | blue."""
    if isinstance(color, str) and (found := _HEX.fullmatch(color)):
        return int(found[1], 16)
    if isinstance(color, (list, tuple)) and len(color) == 3 and all(_whole(part, 0) and part <= 255 for part in color):
        return color[0] << 16 | color[1] << 8 | color[2]
    raise DataError("not a color", file=file, at=at, value=color, fix="[red, green, blue] in 0..255, or '#rrggbb'")


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _folder(values: dict[str, Any], key: str, file: Path) -> str | None:
    value = values.get(key)
    if value is None:
        return None
    parts = value.replace("\\", "/").strip("/").split("/") if isinstance(value, str) else []
    parts = parts[1:] if parts[:1] == ["."] else parts
    if not parts or value.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise DataError("must be a folder inside the data's", file=file, at=key, value=value, fix=KEYS[key])
    return "/".join(parts)


def _one_of(values: dict[str, Any], key: str, choices: tuple[Any, ...], default: Any, file: Path) -> Any:
    value = values.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or value not in choices:
        raise DataError("no such choice", file=file, at=key, value=value, fix=" or ".join(map(str, choices)))
    return value


def _ignored(value: Any, file: Path) -> tuple[int, ...] | None:
    if value is None:
        return None
    items = value if isinstance(value, list) else [value]
    if not all(_whole(item, 0) and item < DEEPEST for item in items):
        raise DataError("ignore must be whole numbers from 0", file=file, at="ignore", value=value, fix=KEYS["ignore"])
    return tuple(items)
