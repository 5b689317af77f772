"""Pictures inside reports: encoded in place, laid out in grids."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidi.core.files import atomic_write


def encode(image: np.ndarray, size: int = 320, quality: int = 85) -> str:
    """A picture as a ``data:`` URI whose longer side is at most `size` pixels.

    Args:
        image: (H, W, 3) or (H, W) uint8.
        size: larger pictures are scaled down to it; very small ones are enlarged by a whole factor, so that their
            pixels stay sharp.
        quality: of JPEG; pictures of few pixels are kept without loss as PNG.
    """
    from PIL.Image import Resampling

    picture = _pillow(image)
    longer = max(picture.size)
    buffer = io.BytesIO()
    if longer <= 96:
        factor = max(1, min(size, 160) // longer)
        picture.resize((picture.width * factor, picture.height * factor), Resampling.NEAREST).save(buffer, "PNG", optimize=True)
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    if longer > size:
        picture.thumbnail((size, size), Resampling.BICUBIC, reducing_gap=2.0)
    picture.convert("RGB").save(buffer, "JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def save_png(image: np.ndarray, path: str | Path) -> Path:
    """Write a picture (H, W, 3) or (H, W) uint8 as PNG, whole or not at all."""
    with atomic_write(Path(path)) as file:
        _pillow(image).save(file, "PNG")
    return Path(path)


def grid(
    images: Sequence[np.ndarray],
    columns: int | None = None,
    captions: Sequence[str] = (),
    cell: int | None = None,
    gap: int = 6,
) -> np.ndarray:
    """Pictures side by side on white, each centered in its cell, with captions under them.

    Args:
        images: each (H, W, 3) or (H, W) uint8, of any sizes; none gives a small blank picture.
        columns: per row; as square as possible when None.
        captions: one per picture, cut to the cell's width; fewer or none will do.
        cell: width of a cell in pixels, which also bounds the height; the largest side of the pictures, 96 to 320, when None.
        gap: pixels between cells.

    Returns:
        (height, width, 3) uint8.
    """
    from PIL import Image, ImageDraw

    from vidi.labels._draw import font

    if not len(images):
        return np.full((max(1, gap), max(1, gap), 3), 255, np.uint8)
    columns = max(1, min(columns or math.ceil(len(images) ** 0.5), len(images)))
    side = cell or int(np.clip(max(max(image.shape[:2]) for image in images), 96, 320))
    pictures = [_fitted(_pillow(image).convert("RGB"), side) for image in images]
    tall, face = max(picture.height for picture in pictures), font(max(10, side // 13))
    strip = sum(face.getmetrics()) + 3 if any(captions) else 0
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * (side + gap) + gap, rows * (tall + strip + gap) + gap), (255, 255, 255))
    pen = ImageDraw.Draw(sheet)
    for place, picture in enumerate(pictures):
        left, top = gap + place % columns * (side + gap), gap + place // columns * (tall + strip + gap)
        sheet.paste(picture, (left + (side - picture.width) // 2, top + (tall - picture.height) // 2))
        if place < len(captions) and captions[place]:
            pen.text((left, top + tall + 1), _cut(captions[place], face, side), fill=(40, 40, 40), font=face)
    return np.asarray(sheet)


def _pillow(image: np.ndarray):
    from PIL import Image

    if (
        image.dtype != np.uint8
        or image.ndim not in (2, 3)
        or (image.ndim == 3 and image.shape[2] not in (1, 3))
        or 0 in image.shape
    ):
        raise ValueError(f"picture: expected (H, W) or (H, W, 3) uint8, got {image.shape} {image.dtype}")
    return Image.fromarray(np.ascontiguousarray(image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image))


def _fitted(picture, side: int):
    """Scaled to fit a square cell: small pictures by a whole factor, with hard pixels."""
    from PIL.Image import Resampling

    longer = max(picture.size)
    if longer <= side // 2:
        factor = side // longer
        return picture.resize((picture.width * factor, picture.height * factor), Resampling.NEAREST)
    if longer == side:
        return picture
    shape = tuple(max(1, round(part * side / longer)) for part in picture.size)
    return picture.resize(shape, Resampling.BILINEAR, reducing_gap=2.0)


def _cut(text: str, font, width: int) -> str:
    from vidi.report._plain import visible

    text = visible(text)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
