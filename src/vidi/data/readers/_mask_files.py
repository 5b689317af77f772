"""One mask file as whole numbers, upright as its picture is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from vidi.core.images import FORMATS, open_image, read_bytes
from vidi.data._workers import cores
from vidi.errors import DataError, ImageError, ResourceError, VidiError
from vidi.labels import Segmentation

SHARE = 0.02
"""Of a map of two values that was scaled or compressed, so many pixels at most lie between the two."""

_SWAPPED = (5, 6, 7, 8)


@dataclass(slots=True)
class MaskFile:
    """What a mask file holds.

    Args:
        file: where it lies.
        codes: (H, W) whole numbers, compressed: gray values, indices of a palette, or colors as red << 16 | green << 8 | blue.
        values, counts: the different ones, rising, and how many pixels have each.
        kind: ``bits``, ``gray``, ``palette`` or ``color``.
        deep: more than 8 bits a pixel.
        rgb: gray, but stored as color.
        lossy: it was made two-valued, 0 and 255, as its file blurs values.
        turned: it was turned as its picture is.
        palette: the color of each of the values, where the file has a palette.
        parts: the names of the files of a picture's things, whose values are their numbers from 1.
        overlaps: of these, how many things are partly hidden by later ones.
    """

    file: Path
    codes: Segmentation
    values: np.ndarray
    counts: np.ndarray
    kind: str
    deep: bool = False
    rgb: bool = False
    lossy: bool = False
    turned: bool = False
    palette: np.ndarray | None = None
    parts: tuple[str, ...] = ()
    overlaps: int = 0


def each(function: Callable[..., Any], *items: Iterable[Any]) -> list[Any]:
    """The function's results in order, computed in threads."""
    with ThreadPoolExecutor(min(cores(), 32)) as pool:
        return list(pool.map(function, *items))


def load_all(masks: Sequence[tuple[Path, ...]], pictures: Sequence[Path], things: bool = False) -> list[MaskFile | VidiError]:
    """The mask of every picture, or why it cannot be used.

    Args:
        things: the files of a picture are those of its things; else there is one.
    """

    def one(files: tuple[Path, ...], picture: Path) -> MaskFile | VidiError:
        try:
            return joined(files, picture) if things else load(files[0], picture)
        except VidiError as error:
            return error

    return each(one, masks, pictures)


def joined(files: Sequence[Path], picture: Path) -> MaskFile:
    """A file for each thing as one map, numbered from 1 in the order of the files; later ones hide earlier ones.

    Raises:
        DataError: a file of more than two values, or of another size than the first.
    """
    first = load(files[0], picture)
    codes, sizes = np.zeros(first.codes.shape, np.int32), []
    for number, file in enumerate(files, 1):
        mask = load(file, picture) if number > 1 else first
        if len(mask.values) > 2 or (len(mask.values) == 2 and mask.values[0] != 0):
            raise DataError("a mask of one thing has more than two values", file=file, value=", ".join(map(str, mask.values[:5])))
        if mask.codes.shape != codes.shape:
            raise DataError("masks of one picture have different sizes", file=file, value=f"{mask.codes.shape[::-1]}, {codes.shape[::-1]}")
        pixels = mask.codes.classes > 0
        codes[pixels] = number
        sizes.append(int(pixels.sum()))
    values, counts = tally(codes)
    left = dict(zip(values.tolist(), counts.tolist()))
    hidden = sum(left.get(number, 0) != size for number, size in enumerate(sizes, 1))
    return MaskFile(files[0].parent, Segmentation(codes).packed(), values, counts, "gray", True, parts=tuple(file.name for file in files), overlaps=hidden)


def load(mask: Path, picture: Path) -> MaskFile:
    """
    Raises:
        DataError: a file that blurs values, or holds no whole numbers.
        ImageError: corrupt, or no picture.
        ResourceError: too large.
    """
    data = read_bytes(mask)
    image = open_image(data, name=mask)
    lossy = image.format in ("JPEG", "MPO") or (image.format == "WEBP" and b"VP8L" not in data[:64])
    if image.format in ("TIFF", "GIF", "WEBP") and getattr(image, "n_frames", 1) > 1:
        raise DataError("a mask of several pages", file=mask, value=f"{image.n_frames} pages", fix="save each page as a file of its own, one for each picture")  # type: ignore[attr-defined]
    turn = 1 if image.format == "TIFF" else _orientation(image)  # Pillow turns TIFF files itself while loading
    try:
        image.load()
        codes, kind, deep, rgb = (_two_values(image, mask), "gray", False, False) if lossy else _codes(image, mask)
    except MemoryError:
        raise ResourceError("not enough memory to decode", file=mask, value=f"{image.width}x{image.height}") from None
    except VidiError:
        raise
    except Exception as error:
        raise ImageError(f"corrupt or truncated: {error}", file=mask, fix="replace or remove the mask") from None
    borrowed = _borrowed(picture, codes.shape) if turn == 1 else 1
    codes = upright(codes, turn if turn != 1 else borrowed)
    values, counts = tally(codes)
    palette = _palette(image, values) if kind == "palette" else None
    if palette is not None and set(palette.tolist()) <= {0, 0xFFFFFF} and not set(values.tolist()) - {0, 1, 255}:
        codes, kind, palette = palette[np.searchsorted(values, codes)] & 1, "bits", None
        values, counts = tally(codes)
    return MaskFile(mask, Segmentation(codes).packed(), values, counts, kind, deep, rgb, lossy, borrowed != 1, palette)


def _palette(image: Image.Image, values: np.ndarray) -> np.ndarray:
    """The colors of indices, as one number each."""
    colors = np.zeros((256, 3), np.int64)
    given = np.array(image.getpalette("RGB") or [], np.int64).reshape(-1, 3)[:256]
    colors[: len(given)] = given
    return colors[values] @ np.array([1 << 16, 1 << 8, 1])


def tally(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different values of a map of numbers from 0, and their pixels."""
    if codes.size and int(codes.max()) < 1 << 16:
        counts = np.bincount(codes.ravel())
        values = np.flatnonzero(counts)
        return values, counts[values]
    values, counts = np.unique(codes, return_counts=True)
    return values.astype(np.int64), counts


def _codes(image: Image.Image, file: Path) -> tuple[np.ndarray, str, bool, bool]:
    """The pixels as numbers, their kind, whether they are deep, and whether they are gray in a file of colors."""
    mode = image.mode
    if mode == "1":
        return np.asarray(image).astype(np.int32), "bits", False, False
    if mode in ("LA", "RGBA") and all(low == high for low, high in image.getextrema()[:-1]):  # type: ignore[misc]
        return np.asarray(image)[..., -1].astype(np.int32), "gray", False, False  # the mask is drawn in the transparency
    if mode in ("L", "P", "LA", "PA"):
        pixels = np.asarray(image)
        return (pixels if pixels.ndim == 2 else pixels[..., 0]).astype(np.int32), "palette" if mode[0] == "P" else "gray", False, False
    if mode == "I" or mode.startswith("I;16"):
        return _whole(np.asarray(image), file), "gray", True, False
    if mode == "F":
        return _whole(np.asarray(image), file), "gray", True, False
    pixels = np.asarray(image if mode in ("RGB", "RGBA") else image.convert("RGB")).astype(np.int32)
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    if (red == green).all() and (green == blue).all():
        return red, "gray", False, True
    return red << 16 | green << 8 | blue, "color", False, False


def _whole(pixels: np.ndarray, file: Path) -> np.ndarray:
    if not np.isfinite(pixels).all() or (pixels != np.rint(pixels)).any() or pixels.min(initial=0) < 0 or pixels.max(initial=0) >= 1 << 24:
        raise DataError("a mask's values must be whole numbers from 0 below 16,777,216", file=file, fix="save it as 8-bit or 16-bit gray")
    return pixels.astype(np.int32)


def _two_values(image: Image.Image, file: Path) -> np.ndarray:
    """A lossy file as 0 and 255, where nearly all of its pixels are near one of them.

    Raises:
        DataError: they are not.
    """
    pixels = np.asarray(image.convert("RGB")).astype(np.int16)
    colored = (pixels.max(-1) - pixels.min(-1) > 60).mean() > SHARE
    gray = np.asarray(image.convert("L"))
    between = ((gray >= 64) & (gray < 192)).mean()
    dim = 8 < int(gray.max()) < 192  # small class numbers rather than black
    if colored or between > SHARE or dim:
        what = "colors" if colored else f"values up to {gray.max()}" if dim else f"{between:.0%} of its pixels between black and white"
        raise DataError(
            f"a mask in a format that blurs values ({image.format})", file=file, value=what, fix="export the masks as PNG; in JPEG only black and white can be told apart"
        )
    return np.where(gray >= 128, 255, 0).astype(np.int32)


def _orientation(image: Image.Image) -> int:
    try:
        turn = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1
    return turn if turn in range(1, 9) else 1


def _borrowed(picture: Path, size: tuple[int, ...]) -> int:
    """How the picture is turned, where the mask has the size of the picture as it is stored and not as it is seen; else 1."""
    try:
        header = Image.open(picture, formats=FORMATS)
        with header:
            turn = _orientation(header) if header.format != "TIFF" else 1
            stored = (header.height, header.width)
    except Exception:
        return 1
    return turn if turn in _SWAPPED and stored == size and stored != stored[::-1] else 1


def upright(pixels: np.ndarray, turn: int) -> np.ndarray:
    """A map (H, W) as EXIF orientation `turn` wants it seen."""
    pixels = pixels.T if turn in _SWAPPED else pixels
    pixels = pixels[:, ::-1] if turn in (2, 3, 6, 7) else pixels
    return np.ascontiguousarray(pixels[::-1] if turn in (3, 4, 7, 8) else pixels)
