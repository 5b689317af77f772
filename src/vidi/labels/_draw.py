"""Drawing shared by the families: fixed class colors, enlarging, tags and legends."""

from __future__ import annotations

import colorsys
import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

PALETTE = (
    (230, 75, 53), (77, 187, 213), (0, 160, 135), (244, 196, 48), (60, 84, 180), (243, 155, 127), (132, 145, 180),
    (145, 209, 194), (176, 36, 120), (126, 97, 72), (120, 190, 32), (255, 127, 14), (148, 103, 189), (23, 190, 207),
    (188, 189, 34), (227, 119, 194),
)  # fmt: skip


def class_color(index: int) -> tuple[int, int, int]:
    """RGB color of a class; the same class always has the same color."""
    if 0 <= index < len(PALETTE):
        return PALETTE[index]
    hue, value = (index * 0.61803398875) % 1.0, 0.95 - 0.3 * (index % 3) / 2
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.7, value))  # type: ignore[return-value]


def ink_on(color: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black or white, whichever reads better on a color."""
    red, green, blue = color
    return (20, 20, 20) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (255, 255, 255)


def name_of(index: int, names: Sequence[str]) -> str:
    return names[index] if 0 <= index < len(names) else str(index)


def canvas(image: np.ndarray, least: int = 96) -> tuple[Any, int]:
    """The picture as a Pillow image whose shorter side is at least `least` pixels, and the whole factor it was enlarged by."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(image[:, :, :3]).astype(np.uint8, copy=False))
    factor = max(1, -(-least // max(1, min(picture.size))))
    if factor > 1:
        picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    return picture.copy(), factor


@functools.lru_cache(maxsize=32)
def font(size: int) -> Any:
    """A font for names in most alphabets: matplotlib's DejaVu Sans, as Pillow's own knows hardly more than ASCII."""
    from PIL import ImageFont

    found = importlib.util.find_spec("matplotlib")
    file = Path(found.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf" if found and found.origin else None
    return ImageFont.truetype(str(file), size) if file is not None and file.is_file() else ImageFont.load_default(size)


def font_for(picture: Any) -> Any:
    """The font in a size that suits a picture."""
    return font(min(26, max(10, min(picture.size) // 24)))


def tag(pen: Any, at: tuple[float, float], text: str, color: tuple[int, int, int], font: Any, size: tuple[int, int]) -> None:
    """Text on a colored ground, moved so that it stays inside a picture of (width, height)."""
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    wide, tall = right - left + 6, bottom - top + 4
    x = min(max(0, at[0]), max(0, size[0] - wide))
    y = at[1] - tall if at[1] - tall >= 0 else min(at[1], max(0, size[1] - tall))
    pen.rectangle((x, y, x + wide, y + tall), fill=color)
    pen.text((x + 3 - left, y + 2 - top), text, fill=ink_on(color), font=font)


def legend(pen: Any, entries: Sequence[tuple[tuple[int, int, int], str]], font: Any) -> None:
    """Color and text, line by line, at the picture's top left."""
    y = 0
    for color, text in entries:
        left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
        tall = bottom - top + 6
        pen.rectangle((0, y, right - left + tall + 6, y + tall), fill=(20, 20, 20))
        pen.rectangle((3, y + 3, tall - 3, y + tall - 3), fill=color)
        pen.text((tall + 2 - left, y + 3 - top), text, fill=(255, 255, 255), font=font)
        y += tall
