"""Videos and cameras, frame by frame, through PyAV (``pip install "vidi[video]"``)."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.images import MAX_PIXELS
from vidi.errors import DataError, InputError, ResourceError

SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v"})
"""File endings that count as videos."""

_CAMERA = re.compile(r"camera:(\d+)|(\d)")
_DRIVERS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}"), "win32": ("vfwcap", "{}")}


def camera(source: Any) -> int | None:
    """The number of the camera that ``camera:0`` or ``0`` means; None for anything else, a file of that name included."""
    if not isinstance(source, (str, int)) or isinstance(source, bool) or os.path.exists(str(source)):
        return None
    found = _CAMERA.fullmatch(str(source))
    return int(found[1] or found[2]) if found else None


def is_video(source: Any) -> bool:
    """Whether a source is one video, by its file's ending, or a camera."""
    if camera(source) is not None:
        return True
    return isinstance(source, (str, os.PathLike)) and Path(source).suffix.lower() in SUFFIXES and Path(source).is_file()


def frames(source: str | Path | int, stride: int = 1) -> Generator[tuple[int, float, np.ndarray], None, None]:
    """The frames of a video or camera, one at a time.

    Args:
        source: a video file, or a camera (``camera:0``, ``0``).
        stride: every how many frames one is given.

    Yields:
        number of the frame from 0, its time in seconds, and its pixels (H, W, 3) uint8 RGB.

    Raises:
        ResourceError: PyAV is not installed, or the frames are too large.
        DataError: not a video, without pictures, or damaged from the start. What can be decoded before a damage is given.
        InputError: a stride under 1.
    """
    if stride < 1:
        raise InputError("every frame or every N-th, N at least 1", at="vid_stride", value=stride)
    with _opened(source) as container:
        stream = container.streams.video[0]
        count, zero = 0, None
        for frame in _decoded(container, stream, source):
            zero = frame.time if zero is None else zero
            if count % stride == 0:
                seconds = float(frame.time - zero) if frame.time is not None and zero is not None else count / float(stream.average_rate or 25)
                yield count, seconds, frame.to_ndarray(format="rgb24")
            count += 1
        if count == 0:
            raise DataError("a video without a picture", file=source)


def describe(source: str | Path | int) -> tuple[float, int]:
    """Frames per second (25 where it is not said) and the number of frames (0 where it is not known)."""
    with _opened(source) as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 25)
        count = stream.frames or (int(container.duration / 1e6 * rate) if container.duration else 0)
        return rate, int(count)


def _av() -> Any:
    try:
        import av
    except ImportError:
        raise ResourceError("reading and writing videos needs the package av", fix='pip install "vidi[video]", or pip install av') from None
    av.logging.set_level(None)
    return av


@contextlib.contextmanager
def _opened(source: str | Path | int) -> Iterator[Any]:
    av, number = _av(), camera(source)
    try:
        if number is None:
            container = av.open(os.fspath(source))  # type: ignore[arg-type]
        else:
            driver, name = _DRIVERS.get(sys.platform, _DRIVERS["linux"])
            container = av.open(name.format(number), format=driver)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        what = "not a video that can be decoded" if number is None else "the camera cannot be opened"
        raise DataError(f"{what}: {getattr(error, 'strerror', None) or error}", file=source) from None
    with container:
        if not container.streams.video:
            raise DataError("a file without a video stream", file=source)
        stream = container.streams.video[0]
        if stream.width * stream.height > MAX_PIXELS:
            raise ResourceError("more pixels than allowed", file=source, value=f"{stream.width}x{stream.height}", fix=f"at most {MAX_PIXELS} pixels")
        stream.thread_type = "AUTO"
        yield container


def _decoded(container: Any, stream: Any, source: Any) -> Iterator[Any]:
    """Frames as long as they can be decoded."""
    av, count = _av(), 0
    try:
        for frame in container.decode(stream):
            count += 1
            yield frame
    except av.error.FFmpegError as error:
        if count == 0:
            raise DataError(f"not a video that can be decoded: {error.strerror}", file=source) from None


class VideoWriter:
    """Writes frames to a video file as they come.

    Args:
        path: an ``.mp4`` file.
        rate: frames per second.

    Raises:
        ResourceError: PyAV is not installed, or the file cannot be written.
    """

    def __init__(self, path: str | Path, rate: float):
        self.path = Path(path)
        self._av, self._stream = _av(), None  # type: Any, Any
        self._rate = Fraction(rate).limit_denominator(1001)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._container = self._av.open(str(self.path), "w")
        except (self._av.error.FFmpegError, OSError) as error:
            raise ResourceError(f"cannot write: {error.strerror}", file=path, fix="choose a folder that can be written") from None

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def add(self, pixels: np.ndarray) -> None:
        """One more frame, (H, W, 3) uint8 RGB, of the first one's size; an odd last row or column is left out."""
        tall, wide = (max(2, side // 2 * 2) for side in pixels.shape[:2])
        if self._stream is None:
            self._stream = self._container.add_stream("mpeg4", rate=self._rate)
            self._stream.width, self._stream.height, self._stream.pix_fmt = wide, tall, "yuv420p"
            self._stream.bit_rate = max(1_000_000, wide * tall * 4)
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:tall, :wide]), format="rgb24")
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file."""
        if self._stream is not None:
            self._container.mux(self._stream.encode())
            self._stream = None
        self._container.close()
