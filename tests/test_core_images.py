"""The one decoder: its rules by kind of picture, what it refuses, and where it puts pixels on the canvas."""

import io
import json
import os
import struct
import subprocess
import sys
import time
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from vidi.core.images import MAX_PIXELS, decode, decode_boxed, decode_sized, detect, fingerprint, from_pil, open_image
from vidi.core.preprocess import FITS, Preprocess
from vidi.errors import ImageError, InputError, ResourceError, VidiError

RNG = np.random.default_rng(0)
SMOOTH = np.asarray(Image.fromarray(RNG.integers(0, 256, (6, 8, 3), np.uint8)).resize((80, 60), Image.Resampling.BICUBIC))


def encoded(image, kind="PNG", **options):
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(kind, orientation, **options):
    exif = Image.Exif()
    exif[274] = orientation
    return encoded(SMOOTH, kind, exif=exif, **options)


def png_header(width, height):
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(100000))
    parts = [struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (chunk, data, b"IEND")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("kind, options", [("PNG", {}), ("BMP", {}), ("PPM", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("TIFF", {"compression": "tiff_lzw"})])
def test_lossless_formats_give_the_same_pixels(kind, options):
    assert fingerprint(decode(encoded(SMOOTH, kind, **options))) == fingerprint(SMOOTH)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind, options", [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("JPEG", {"quality": 95})])
def test_orientation_is_applied_once_in_every_format(orientation, kind, options):
    data = turned(kind, orientation, **options)
    pixels, size = decode_sized(data)
    reference = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert size == pixels.shape[:2] == reference.shape[:2]
    assert np.array_equal(pixels, reference)


def test_every_source_of_the_same_picture_decodes_alike(tmp_path):
    data = turned("JPEG", 6)
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    hashes = {fingerprint(decode(source)) for source in (data, path, str(path))}
    hashes.add(fingerprint(from_pil(Image.open(path))))
    hashes.add(fingerprint(decode(decode(data))))
    assert len(hashes) == 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bit_gray_keeps_bright_and_dark_apart(kind):
    deep = np.array([[0, 300, 40000, 65535]], np.uint16)
    assert decode(encoded(Image.fromarray(deep), kind))[0, :, 0].tolist() == [0, 1, 156, 255]
    assert np.array_equal(decode(deep), decode(encoded(Image.fromarray(deep), kind)))


def test_rules_by_kind_of_picture():
    base = Image.fromarray(SMOOTH)
    red = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert (decode(encoded(red)) == 255).all(), "transparency is white"
    assert decode(encoded(Image.new("RGBA", (1, 1), (0, 0, 0, 128))))[0, 0].tolist() == [127, 127, 127]
    assert decode(encoded(Image.new("LA", (1, 1), (0, 0))))[0, 0].tolist() == [255, 255, 255]
    assert decode(encoded(Image.new("1", (2, 2), 1)))[0, 0].tolist() == [255, 255, 255]
    palette = base.quantize(16)
    assert np.array_equal(decode(encoded(palette)), np.asarray(palette.convert("RGB")))
    palette.info["transparency"] = 0
    clear = decode(encoded(palette, transparency=0))
    assert (clear[np.asarray(palette) == 0] == 255).all()
    ink = base.convert("CMYK")
    assert np.array_equal(decode(encoded(ink, "TIFF")), np.asarray(ink.convert("RGB")))
    assert np.array_equal(decode(encoded(Image.fromarray(np.array([[0, 0.5, 2, np.nan]], np.float32)), "TIFF"))[0, :, 0], [0, 128, 255, 0])
    assert np.array_equal(decode(encoded(base.convert("L"))), np.asarray(base.convert("L").convert("RGB")))


def test_progressive_and_baseline_jpeg_are_the_same_picture():
    assert np.array_equal(decode(encoded(SMOOTH, "JPEG", quality=90)), decode(encoded(SMOOTH, "JPEG", quality=90, progressive=True)))


@pytest.mark.parametrize("kind, options", [("GIF", {}), ("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])
def test_animation_gives_its_first_frame_only(kind, options):
    frames = [Image.new("RGB", (20, 20), (i % 256, 40, 200)) for i in range(300)]
    data = encoded(frames[7], kind, save_all=True, append_images=frames, **options)
    start = time.perf_counter()
    assert np.array_equal(decode(data), np.asarray(frames[7]))
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize("size", [(30000, 30000), (13000, 13000)])
def test_bombs_are_refused_from_the_header(size):
    data = png_header(*size)
    assert size[0] * size[1] > MAX_PIXELS
    start = time.perf_counter()
    with pytest.raises(ResourceError, match="more pixels than allowed") as caught:
        decode(data, name="bomb.png")
    assert time.perf_counter() - start < 0.2
    assert caught.value.exit_code == 3 and caught.value.file == "bomb.png"


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 95}])
@pytest.mark.parametrize("at_least", [None, (20, 20)])
def test_half_a_jpeg_is_refused_and_untouched(tmp_path, options, at_least):
    path = tmp_path / "half.jpg"
    noise = encoded(RNG.integers(0, 256, (200, 300, 3), np.uint8), "JPEG", **options)
    path.write_bytes(noise[: len(noise) // 2])
    before = path.read_bytes()
    with pytest.raises(ImageError, match="truncated") as caught:
        decode(path, at_least=at_least)
    assert caught.value.file == path and path.read_bytes() == before


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_half_a_picture_is_refused_in_every_format(kind):
    data = encoded(RNG.integers(0, 256, (120, 130, 3), np.uint8), kind)
    with pytest.raises(ImageError):
        decode(data[: len(data) // 2])


@pytest.mark.parametrize(
    "data, said",
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n", "PostScript"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xef\xbb\xbf <!DOCTYPE html><html></html>", "HTML"),
        (b'{"a": 1}', "JSON or text"),
        (b"", "empty file"),
        (b"bmw,mini,1\n", "text"),
        (b"PK\3\4" + bytes(40), "ZIP"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "HEIC"),
        (b"\x80\4\x95", "pickle"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path, data, said):
    path = tmp_path / "x.jpg"
    path.write_bytes(data)
    with pytest.raises(ImageError) as caught:
        decode(path)
    assert caught.value.value == detect(data[:64]) == said
    assert caught.value.file == path and caught.value.exit_code == 2


def test_no_program_is_started_for_a_disguised_picture(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: started.append(a))
    monkeypatch.setattr(os, "system", lambda *a: started.append(a))
    with pytest.raises(ImageError):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
    assert not started


def test_zip_behind_a_picture_is_refused_and_trailing_bytes_are_not():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("payload.txt", "x" * 100)
    picture = encoded(SMOOTH, "JPEG")
    with pytest.raises(ImageError, match="ZIP"):
        decode(picture + buffer.getvalue())
    assert decode(picture + b"PK\5\6" + bytes(30)).shape == SMOOTH.shape
    assert decode(picture + b"maker notes" * 10).shape == SMOOTH.shape


def test_files_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", tmp_path, tmp_path / "absent.jpg", "/dev/zero", "nul\0byte.jpg"):
        with pytest.raises(ImageError):
            decode(path)


@pytest.mark.parametrize("size", [(1, 1), (1, 20000), (20000, 1), (37, 1), (1, 37)])
@pytest.mark.parametrize("fit", FITS)
def test_extreme_sizes_reach_the_canvas(size, fit):
    pixels = RNG.integers(0, 256, (*size, 3), np.uint8)
    for canvas in ((32, 32), (1, 1), (224, 96)):
        placed, original, matrix = Preprocess(canvas, fit).load(encoded(pixels))
        assert placed.shape == (*canvas, 3) and placed.dtype == np.uint8
        assert original == size and np.isfinite(matrix).all() and np.linalg.det(matrix) > 0


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
def test_arrays_are_pictures(shape, dtype):
    array = RNG.integers(0, np.iinfo(dtype).max, shape).astype(dtype)
    pixels = decode(array)
    assert pixels.shape == (5, 7, 3) and pixels.dtype == np.uint8


@pytest.mark.parametrize("array", [np.zeros((5, 7)), np.zeros((5, 7, 2), np.uint8), np.zeros((0, 7), np.uint8), np.zeros(5, np.uint8)])
def test_arrays_that_are_no_pictures(array):
    with pytest.raises(ImageError, match="expected"):
        decode(array)


def test_deep_rgb_and_gray_arrays_agree_with_files():
    gray = RNG.integers(0, 256, (9, 11), np.uint8)
    assert np.array_equal(decode(gray), decode(encoded(gray)))
    clear = RNG.integers(0, 256, (9, 11, 4), np.uint8)
    assert np.abs(decode(clear).astype(int) - decode(encoded(clear))).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("fit", FITS)
def test_reduced_decoding_puts_a_mark_where_the_matrix_says(orientation, fit):
    """A bright square on dark ground, decoded at 1/4: its center on the canvas is where matrix puts the original's."""
    stored = np.zeros((1003, 1401, 3), np.uint8)
    stored[900:960, 1100:1160] = 255
    exif = Image.Exif()
    exif[274] = orientation
    data = encoded(stored, "JPEG", exif=exif, quality=95)
    upright = decode(data)
    canvas, size, matrix = Preprocess((224, 224), fit, fill=0).load(data)
    assert size == upright.shape[:2] and decode(data, at_least=(224, 224)).shape[0] < 500
    assert np.abs(center(canvas) - home(matrix, center(upright))).max() < 0.1


def center(pixels):
    weight = np.where(pixels[..., 0] > 20, pixels[..., 0], 0).astype(float)
    y, x = np.mgrid[: weight.shape[0], : weight.shape[1]] + 0.5
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


def home(matrix, point):
    return (matrix @ [*point, 1])[:2]


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("canvas", [(224, 224), (64, 96), (33, 17)])
def test_edges_of_the_picture_lie_where_the_matrix_says(fit, canvas):
    """The area that the picture covers on the canvas is the image of its outline, to less than half a pixel."""
    for _ in range(40):
        size = tuple(int(side) for side in RNG.integers(1, 400, 2))
        rule = Preprocess(canvas, fit)
        placed, matrix = rule.place(np.full((*size, 3), 255, np.uint8)), rule.matrix(size)
        covered = placed[..., 0] > 180
        rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
        low, high = home(matrix, (0, 0)), home(matrix, (size[1], size[0]))
        if fit == "crop":
            assert covered.all() and (low <= 1e-6).all() and (high >= np.array(canvas[::-1]) - 1e-6).all()
            assert min(np.abs(low).min(), 1) < 1e-6
        else:
            assert np.abs([columns[0] - low[0], rows[0] - low[1], columns[-1] + 1 - high[0], rows[-1] + 1 - high[1]]).max() < 0.5


def test_whole_decoding_fills_its_box():
    assert decode_boxed(encoded(SMOOTH))[2] == (0, 0, 80, 60)
    pixels, size, box = decode_boxed(encoded(RNG.integers(0, 256, (101, 203, 3), np.uint8), "JPEG"), at_least=(20, 20))
    assert pixels.shape == (26, 51, 3) and size == (101, 203) and box == (0, 0, 203 / 4, 101 / 4)


def test_canvas_of_the_same_size_is_the_picture():
    assert np.array_equal(Preprocess((60, 80)).place(SMOOTH), SMOOTH)


@pytest.mark.parametrize("values", [{"size": (0, 5)}, {"size": (5,)}, {"size": (5, 10**6)}, {"fit": "stretch"}, {"fill": 300}])
def test_impossible_preprocessing_is_refused(values):
    with pytest.raises(InputError):
        Preprocess(**{"size": (5, 5), **values})


def test_preprocessing_survives_its_dict():
    rule = Preprocess((32, 48), "letterbox", 0)
    assert Preprocess.from_dict(json.loads(json.dumps(rule.to_dict()))) == rule


def test_warnings_made_errors_do_not_change_pixels():
    """Pillow warns of pictures over 89 million pixels (here an error); they are within the limit and open all the same."""
    large = encoded(Image.new("1", (10000, 9500)))
    assert open_image(large).size == (10000, 9500)


def seeds():
    small = RNG.integers(0, 256, (24, 20, 3), np.uint8)
    gif = encoded(small, "GIF", save_all=True, append_images=[Image.fromarray(small[::-1])])
    yield from (encoded(small, "JPEG"), encoded(small, "JPEG", progressive=True), turned("JPEG", 6), encoded(small), gif)
    yield from (encoded(small, "BMP"), encoded(small, "WEBP", lossless=True), encoded(small, "WEBP"), encoded(small, "TIFF"))
    yield from (encoded(small, "TIFF", compression="tiff_lzw"), encoded(small, "PPM"), encoded(Image.fromarray(small).convert("CMYK"), "JPEG"))
    yield encoded(Image.fromarray(small.astype(np.uint16)[..., 0] * 200), "PNG")


def mutated(data, rng):
    broken = bytearray(data)
    for _ in range(rng.integers(1, 8)):
        at = int(rng.integers(0, len(broken)))
        kind = rng.integers(4)
        if kind == 0:
            broken[at] = int(rng.integers(256))
        elif kind == 1:
            broken[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            del broken[at : at + int(rng.integers(1, 9))]
        else:
            broken[at:at] = rng.bytes(int(rng.integers(1, 9)))
        if not broken:
            return b""
    return bytes(broken)


def test_five_thousand_mutated_pictures_give_pixels_or_typed_errors():
    rng = np.random.default_rng(5)
    originals = list(seeds())
    outcomes = {"pixels": 0, "refused": 0}
    for i in range(5000):
        data = mutated(originals[i % len(originals)], rng)
        try:
            pixels = decode(data, at_least=(8, 8) if i % 3 else None, name=f"mutant {i}")
        except VidiError as error:
            assert error.file == f"mutant {i}" and "0x" not in str(error)
            outcomes["refused"] += 1
        else:
            assert pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8 and pixels.size
            outcomes["pixels"] += 1
    assert min(outcomes.values()) > 500


def test_decoding_in_threads_is_the_same(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    pictures = [encoded(RNG.integers(0, 256, (40 + i, 50, 3), np.uint8), "JPEG") for i in range(12)]
    with ThreadPoolExecutor(4) as pool:
        hashes = list(pool.map(lambda data: fingerprint(decode(data)), pictures * 8))
    assert hashes == [fingerprint(decode(data)) for data in pictures] * 8


def test_module_needs_no_torch():
    code = "import sys, vidi.core.images, vidi.core.preprocess; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
