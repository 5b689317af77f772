"""One decoder for every path: training, validation, prediction and serving see the same pixels.

Rules, by kind of picture, all giving RGB uint8 (H, W, 3):

* EXIF orientation is applied.
* 16-bit and 32-bit integer grays are scaled from 0..65535 to 0..255 (rounded); float grays from 0..1.
* CMYK and YCCK are converted to RGB; palettes are resolved; bilevel becomes 0 and 255.
* Transparency is blended onto white.
* Of an animated or many-page file the first frame is taken.
"""

from __future__ import annotations

import io
import os
import re
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from vidi.errors import ImageError, ResourceError

SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"})
"""File endings that count as pictures when a folder is listed."""

FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM")
"""Pillow's decoders that vidi uses; none of them starts another program."""

MAX_PIXELS = 100_000_000
MAX_BYTES = 1 << 29

warnings.filterwarnings("ignore", module=r"PIL\.")  # what Pillow warns of is refused by rule or harmless; see also `_quietly`

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"), (b"BM", "BMP"), (b"GIF8", "GIF"), (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"), (b"%!PS", "PostScript"), (b"\xc5\xd0\xd3\xc6", "PostScript"), (b"%PDF", "PDF"), (b"PK\3\4", "ZIP"),
    (b"\x1f\x8b", "gzip"), (b"\xfd7zXZ", "xz"), (b"8BPS", "Photoshop"), (b"\xff\x0a", "JPEG XL"), (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"), (b"\x80", "pickle"),
)  # fmt: skip
_TEXT_SIGNATURES = (
    (b"<svg", "SVG"), (b"<?xml", "XML or SVG"), (b"<!doctype", "HTML"), (b"<html", "HTML"), (b"{", "JSON or text"), (b"[", "JSON or text"),
)  # fmt: skip


def detect(head: bytes) -> str:
    """What a file is, from its first bytes."""
    if not head:
        return "empty file"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:1] == b"P" and head[1:2] in b"123456":
        return "PPM"
    if head[4:8] == b"ftyp":
        brand = head[8:12].decode("latin-1").strip()
        return {"heic": "HEIC", "heix": "HEIC", "mif1": "HEIF", "avif": "AVIF"}.get(brand, "video or HEIF")
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for signature, name in _TEXT_SIGNATURES:
        if text.startswith(signature):
            return name
    return "text" if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head) else "unknown data"


def open_image(source: Path | bytes, *, name: Any = None, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Read a picture's header, checked; pixels are not decoded yet.

    Raises:
        ImageError: not a picture of a known format.
        ResourceError: more than `max_pixels` pixels or `MAX_BYTES` bytes.
    """
    name = name if name is not None else (source if isinstance(source, Path) else "<bytes>")
    data = source if isinstance(source, bytes) else read_bytes(source, name)
    if len(data) > MAX_BYTES:
        raise ResourceError("file larger than allowed", file=name, value=f"{len(data)} bytes", fix=f"at most {MAX_BYTES} bytes")
    try:
        image = _quietly(lambda: Image.open(io.BytesIO(data), formats=FORMATS))
    except UnidentifiedImageError:
        raise ImageError(
            "not a picture", file=name, value=detect(data[:64]), fix=f"one of {', '.join(sorted(set(FORMATS) - {'DIB'}))}"
        ) from None
    except Image.DecompressionBombError:
        raise _too_large(name, "over 179 million pixels", max_pixels) from None
    except Exception as error:
        raise ImageError(f"unreadable header: {error}", file=name, value=detect(data[:64]), fix="export the picture again") from None
    if image.width * image.height > max_pixels:
        raise _too_large(name, f"{image.width}x{image.height}", max_pixels)
    if min(image.size) < 1:
        raise ImageError("a picture without pixels", file=name, value=f"{image.width}x{image.height}")
    if _zip_behind(data):
        raise ImageError("a ZIP archive hides behind the picture", file=name, value=f"{image.format} and ZIP", fix="export the picture again")
    return image


def _quietly(function: Callable[[], Any]) -> Any:
    """The function's result, with warnings off where they have been made errors.

    The usual way is a filter set at import: `warnings.catch_warnings` is not safe in threads.
    """
    try:
        return function()
    except Warning:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function()


def _zip_behind(data: bytes) -> bool:
    """Whether a ZIP archive was appended: its directory's end record stands at the end and points to a directory inside."""
    at = data.rfind(b"PK\5\6", max(0, len(data) - 65557))
    if at < 0 or at + 22 > len(data):
        return False
    size, offset, comment = struct.unpack("<IIH", data[at + 12 : at + 22])
    return at + 22 + comment == len(data) and size <= at and data[at - size : at - size + 4] == (b"PK\1\2" if size else data[at : at + 4])


def _too_large(name: Any, value: str, limit: int) -> ResourceError:
    return ResourceError("more pixels than allowed", file=name, value=value, fix=f"at most {limit} pixels; scale the picture down")


def read_bytes(source: Path, name: Any = None) -> bytes:
    """The bytes of a picture file; a pipe, a device or a huge file is refused before it is opened.

    Raises:
        ImageError: missing, or not a regular file.
        ResourceError: more than `MAX_BYTES` bytes.
    """
    name = name if name is not None else source
    try:
        size = os.stat(source).st_size
        if size > MAX_BYTES:
            raise ResourceError("file larger than allowed", file=name, value=f"{size} bytes", fix=f"at most {MAX_BYTES} bytes")
        if not os.path.isfile(source):
            raise ImageError("not a regular file", file=name)
        with open(source, "rb") as file:
            return file.read()
    except OSError as error:
        raise ImageError(f"cannot be opened: {os.strerror(error.errno or 0)}", file=name) from None
    except ValueError:
        raise ImageError("not a file name", file=name) from None


def decode(source: Path | bytes | np.ndarray, *, at_least: tuple[int, int] | None = None, name: Any = None) -> np.ndarray:
    """A picture's pixels, (H, W, 3) uint8 RGB, by the rules on top of this module.

    Args:
        source: a file, an encoded file in memory, or pixels: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), uint8 or uint16.
        at_least: (height, width) in upright orientation that will do. A JPEG may then be decoded at 1/2, 1/4 or 1/8 of its size,
            never below this, which is several times faster. None: full size.
        name: what to call the picture in errors.

    Raises:
        ImageError: corrupt, truncated, or not a picture.
        ResourceError: too large.
    """
    return decode_sized(source, at_least=at_least, name=name)[0]


def decode_sized(
    source: Path | bytes | np.ndarray, *, at_least: tuple[int, int] | None = None, name: Any = None
) -> tuple[np.ndarray, tuple[int, int]]:
    """Like `decode`, with the original's full upright (height, width)."""
    return decode_boxed(source, at_least=at_least, name=name)[:2]


def decode_boxed(
    source: Path | bytes | np.ndarray, *, at_least: tuple[int, int] | None = None, name: Any = None
) -> tuple[np.ndarray, tuple[int, int], tuple[float, float, float, float]]:
    """Like `decode_sized`, with the box (x0, y0, x1, y1) that the original fills in the pixels.

    A JPEG decoded at 1/8 of its size has a last row and column that the original fills only in part, unless its sides are
    multiples of 8.
    """
    if isinstance(source, np.ndarray):
        pixels = _from_array(source, name)
        return pixels, pixels.shape[:2], _whole(pixels)
    name = name if name is not None else (source if isinstance(source, Path) else "<bytes>")
    data = source if isinstance(source, bytes) else read_bytes(source, name)
    return _quietly(lambda: _decode(data, at_least, name))


def _whole(pixels: np.ndarray) -> tuple[float, float, float, float]:
    return 0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0])


def _decode(
    data: bytes, at_least: tuple[int, int] | None, name: Any
) -> tuple[np.ndarray, tuple[int, int], tuple[float, float, float, float]]:
    image = open_image(data, name=name)
    width, height = image.size
    try:
        turn = _orientation(image)
        drafted = image.format in ("JPEG", "MPO")
        if drafted and at_least is not None:
            tall, wide = at_least[::-1] if turn in _SWAPPED else at_least
            image.draft(None, (max(1, wide), max(1, tall)))
        image.seek(0)
        image.load()
        if image.format == "TIFF":  # Pillow turns these itself while loading
            turn, (width, height) = 1, image.size
        pixels = _upright(_to_rgb(image), turn)
    except MemoryError:
        raise ResourceError("not enough memory to decode", file=name, value=f"{width}x{height}") from None
    except Image.DecompressionBombError:
        raise _too_large(name, f"{width}x{height}", MAX_PIXELS) from None
    except Warning:
        raise
    except Exception as error:
        raise _corrupt(error, name) from None
    upright = (width, height) if turn in _SWAPPED else (height, width)
    return pixels, upright, _filled(image.size, (width, height), turn) if drafted else _whole(pixels)


_SWAPPED = (5, 6, 7, 8)


def picture_size(path: Path) -> tuple[int, int]:
    """Upright (height, width) of a picture file, from its header.

    Raises:
        ImageError: not a regular file, or not a picture.
    """
    if not path.is_file():
        raise ImageError("not a regular file", file=path)
    try:
        with open(path, "rb") as file, Image.open(file, formats=FORMATS) as image:
            width, height = image.size
            told = image.format in ("JPEG", "MPO", "WEBP") or "exif" in image.info
            turned = told and image.format != "TIFF" and image.getexif().get(ExifTags.Base.Orientation, 1) in _SWAPPED
    except Exception as error:
        reason = str(error).partition(" at 0x")[0].partition("<")[0].strip() or type(error).__name__
        raise ImageError(f"the picture's size cannot be read: {reason}", file=path, fix="replace or remove the picture") from None
    return (width, height) if turned else (height, width)


def _orientation(image: Image.Image) -> int:
    try:
        turn = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Warning:
        raise
    except Exception:
        return 1
    return turn if turn in range(1, 9) else 1


def _filled(small: tuple[int, int], full: tuple[int, int], turn: int) -> tuple[float, float, float, float]:
    """Where the original lies in pixels decoded at 1/scale and then turned; sizes are (width, height) as stored."""
    scale = next((scale for scale in (1, 2, 4, 8) if all(-(-f // scale) == s for s, f in zip(small, full))), None)
    (wide, tall), (w, h) = small, (full[0] / scale, full[1] / scale) if scale else small
    if turn in _SWAPPED:
        wide, tall, w, h = tall, wide, h, w
    left = wide - w if turn in (2, 3, 6, 7) else 0.0
    top = tall - h if turn in (3, 4, 7, 8) else 0.0
    return left, top, left + w, top + h


def from_pil(image: Image.Image, name: Any = None) -> np.ndarray:
    """The pixels of an open Pillow image by the same rules, (H, W, 3) uint8.

    Raises:
        ImageError: corrupt or truncated.
        ResourceError: too many pixels.
    """
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(name, f"{image.width}x{image.height}", MAX_PIXELS)

    def convert() -> np.ndarray:
        image.load()
        return np.ascontiguousarray(_upright(_to_rgb(image), _orientation(image)))

    try:
        return _quietly(convert)
    except Exception as error:
        raise _corrupt(error, name) from None


def _corrupt(error: Exception, name: Any) -> ImageError:
    reason = re.sub(r" at 0x[0-9a-f]+", "", str(error)) or type(error).__name__
    return ImageError(f"corrupt or truncated: {reason}", file=name, fix="replace or remove the picture")


def _to_rgb(image: Image.Image) -> np.ndarray:
    mode = image.mode
    if mode.startswith("I;16") or mode == "I":
        values = np.asarray(image).astype(np.float64)
        return _gray(np.rint(values.clip(0, 65535) / 257))
    if mode == "F":
        values = np.nan_to_num(np.asarray(image).astype(np.float64), nan=0.0)
        return _gray(np.rint(values.clip(0, 1) * 255))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return np.asarray(Image.alpha_composite(ground, layer).convert("RGB"))
    return np.asarray(image if mode == "RGB" else image.convert("RGB"))


def _gray(values: np.ndarray) -> np.ndarray:
    return np.repeat(values.astype(np.uint8)[:, :, None], 3, axis=2)


def _upright(pixels: np.ndarray, turn: int) -> np.ndarray:
    if turn in _SWAPPED:
        pixels = pixels.transpose(1, 0, 2)
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _from_array(array: np.ndarray, name: Any) -> np.ndarray:
    shaped = array[:, :, None] if array.ndim == 2 else array
    if shaped.ndim != 3 or shaped.shape[2] not in (1, 3, 4) or 0 in shaped.shape or array.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            "expected (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) pixels, uint8 or uint16", file=name, value=f"{array.shape} {array.dtype}"
        )
    if array.dtype == np.uint16:
        shaped = np.rint(shaped / 257).astype(np.uint8)
    if shaped.shape[2] == 4:
        alpha = shaped[:, :, 3:].astype(np.float32) / 255
        shaped = np.rint(shaped[:, :, :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return np.repeat(shaped, 3, axis=2) if shaped.shape[2] == 1 else shaped


def fingerprint(pixels: np.ndarray) -> str:
    """16 hex digits of decoded pixels."""
    import hashlib

    return hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=8).hexdigest()
