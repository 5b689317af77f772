"""What every label family can do. Ground truth and prediction are the same type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np

from vidi.errors import InputError


class Label(ABC):
    """One label of one picture, held in numpy arrays.

    Pixel coordinates are (x, y) with the origin at the outer corner of the top-left pixel, so the center of the first
    pixel is (0.5, 0.5) and a picture of width W spans 0..W.
    """

    family: ClassVar[str]
    placed: ClassVar[bool] = False
    """Whether the label says where something is, so that it moves with the picture."""

    def __init_subclass__(cls) -> None:
        cls.family = cls.__name__

    @abstractmethod
    def warp(self, matrix: np.ndarray, size: tuple[int, int]) -> Self:
        """The label after the picture was moved by a 3×3 matrix (old x, y → new x, y) onto a canvas of (height, width)."""

    def cropped(self, matrix: np.ndarray, size: tuple[int, int]) -> Self:
        """Like `warp`, for training: what is cut down to a sliver that nobody would mark is left out."""
        return self.warp(matrix, size)

    def bent(self, displacement: np.ndarray) -> Self:
        """The label after the picture was bent, for training: its pixel at (x, y) now shows what was at (x, y) + displacement (2, H, W).
        Labels without pixels stay as they are."""
        return self

    def overlay(self, other: Self, share: float) -> Self:
        """The label of two pictures blended for training, this one weighing `share` (0..1), the other the rest (MixUp)."""
        return self.merge([self, other], [share, 1 - share])

    def pasted(self, other: Self, covered: np.ndarray) -> Self:
        """The label of a picture whose pixels `covered` (H, W) bool now show another picture's, for training (CutMix)."""
        share = 1 - float(covered.mean())
        return self.merge([self, other], [share, 1 - share])

    def compact(self) -> Self:
        """What is kept of a prediction once nothing more will be merged with it: the same decision in little memory."""
        return self

    def presence(self, count: int) -> np.ndarray:
        """(count,) bool: which of so many classes the picture shows; none for labels without classes."""
        return np.zeros(count, bool)

    @abstractmethod
    def agreement(self, other: Self) -> float:
        """How far two labels of the same picture agree, from 0 (not at all) to 1 (the same)."""

    def contradicts(self, other: Self, leeway: np.ndarray | None = None) -> bool:
        """Whether two labels of the same picture decide differently: here, whether they agree by less than half.

        Args:
            leeway: differences that do not matter, as `leeway` tells them.
        """
        return self.agreement(other) < 0.5

    @classmethod
    def leeway(cls, labels: Sequence[Self]) -> np.ndarray | None:
        """Differences that do not matter to `contradicts` among labels of one data set; None where the family has no use for them."""
        return None

    def decision(self) -> np.ndarray | None:
        """(C,) float32, how far each class holds (NaN: not known), of labels that say nothing else; None of others."""
        return None

    @classmethod
    def aims(cls, names: Sequence[str] = ()) -> tuple[str, ...]:
        """What an attack may be after beside a wrong prediction: what `aimed` takes; ``class=K`` stands for any class."""
        return ()

    def aimed(self, aim: str, names: Sequence[str] = ()) -> tuple[Self, bool]:
        """The label that an attack with an aim has in mind for a picture of this truth.

        Args:
            aim: one of `aims`.
            names: class or value names.

        Returns:
            the label, and whether predictions shall come near it (else they shall leave it).

        Raises:
            InputError: these labels have no such aim, or no such class.
        """
        raise no_aim(self, aim, names)

    @classmethod
    @abstractmethod
    def merge(cls, labels: Sequence[Self], weights: Sequence[float] | None = None) -> Self:
        """One label out of several for the same picture (ensembles, test-time augmentation, tiles, MixUp).

        Args:
            labels: at least one label.
            weights: relative weight per label; equal when None.
        """

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, with the family's name under ``family``."""

    @classmethod
    @abstractmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The exact inverse of `to_dict`."""

    def state(self) -> bytes:
        """What the label says, as bytes that are equal for equal labels: for fingerprints."""
        return repr(self.to_dict()).encode()

    @abstractmethod
    def draw(self, image: np.ndarray, names: Sequence[str] = ()) -> np.ndarray:
        """A copy of the (H, W, 3) uint8 picture with the label drawn on it; `names` are the class or value names."""

    def words(self, names: Sequence[str] = ()) -> str:
        """The label in a few words, for lists and captions."""
        return ", ".join(f"{key} {value}" for key, value in self.to_dict().items() if key != "family")[:80]

    def record(self, names: Sequence[str] = (), top: int = 5) -> dict[str, Any]:
        """The label as columns of a table: name → plain value, at most `top` classes."""
        return {"label": self.words(names)}

    def records(self, names: Sequence[str] = (), top: int = 5) -> list[dict[str, Any]]:
        """The label as rows of a table: one row, or one for each thing where a label holds things."""
        return [self.record(names, top)]

    @classmethod
    def stitch(cls, labels: Sequence[Self], windows: np.ndarray, size: tuple[int, int]) -> Self:
        """One label of a picture out of those of overlapping windows of it.

        Args:
            labels: one per window, in the window's own pixels.
            windows: (T, 4) int64, x1, y1, x2, y2 in the picture's pixels.
            size: (height, width) of the picture.

        Raises:
            InputError: what the labels say of a part does not add up to something about the whole picture.
        """
        raise InputError("labels of this family say something about a whole picture and cannot be put together from tiles", at="tile", value=cls.family,
                         fix="leave tile out; a larger imgsz, or tta=scale(1.25), shows more detail")  # fmt: skip

    @classmethod
    def tileable(cls) -> bool:
        """Whether `stitch` works."""
        return cls.stitch.__func__ is not Label.stitch.__func__  # type: ignore[attr-defined]

    def confident(self, least: np.ndarray) -> Self:
        """Without things whose score lies under that of their class in `least` (C,); labels without things stay as they are."""
        return self

    def tidied(self, least: int) -> Self:
        """Without things, or connected parts of a map, of fewer than `least` pixels; labels without either stay as they are."""
        return self

    def only(self, classes: np.ndarray) -> Self:
        """Only the things whose class is among `classes` (indices).

        Raises:
            InputError: a label without things that could be left out.
        """
        raise InputError("these labels hold no things that could be chosen by class", at="classes", value=self.family, fix="leave classes out")

    def things(self) -> np.ndarray:
        """(N, 4) boxes of the things on the picture, in the order of `records`.

        Raises:
            InputError: a label without things.
        """
        raise InputError("these labels hold no things that could be cut out", at="crops", value=self.family, fix="leave crops out")

    def reindexed(self, places: np.ndarray, count: int) -> Self:
        """The label with class i renumbered to places[i] among `count` classes; labels without classes stay as they are."""
        return self


def no_aim(label: Label, aim: str, names: Sequence[str]) -> InputError:
    """The error for an aim that labels of a family do not have."""
    return InputError("these labels have no such aim", at="aim", value=aim, fix=f"one of {', '.join(('away', *label.aims(names)))}")


def class_aim(label: Label, aim: str, names: Sequence[str]) -> int:
    """The class of an aim ``class=K``, K a name or an index.

    Raises:
        InputError: another aim, or no such class.
    """
    kind, equals, text = aim.partition("=")
    if kind != "class" or not equals:
        raise no_aim(label, aim, names)
    if text in names:
        return list(names).index(text)
    if text.isdigit() and int(text) < len(names):
        return int(text)
    raise InputError("no such class", at="aim", value=aim, fix=f"class=NAME or class=INDEX; the classes are {', '.join(names)}"[:300])


def normalized(weights: Sequence[float] | None, count: int) -> np.ndarray:
    """Weights that sum to one, shape (count,), float64."""
    values = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    return values / values.sum()


def to_list(array: np.ndarray | None) -> list | None:
    """Nested lists with None for NaN, or None."""
    if array is None:
        return None
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), np.array(None), array.astype(object))
    return array.tolist()


def to_array(values: Any, dtype: Any = np.float32) -> np.ndarray | None:
    """The inverse of `to_list`."""
    if values is None:
        return None
    return np.array(values, dtype=object).astype(dtype) if np.dtype(dtype).kind == "f" else np.asarray(values, dtype=dtype)


def caption(image: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """A copy of the picture with lines of text on dark ground at its top, enlarged first if it is too small to write on."""
    from PIL import Image, ImageDraw

    from vidi.labels._draw import font

    picture = Image.fromarray(image)
    if min(picture.size) < 96:
        factor = -(-96 // max(1, min(picture.size)))
        picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    size = max(10, min(picture.size) // 12)
    type_face, pen = font(size), ImageDraw.Draw(picture)
    y: float = 0
    for line in lines:
        box = pen.textbbox((3, y + 1), line, font=type_face)
        pen.rectangle((0, y, min(box[2] + 3, picture.width), box[3] + 2), fill=(20, 20, 20))
        pen.text((3, y + 1), line, fill=(255, 255, 255), font=type_face)
        y = box[3] + 2
    return np.asarray(picture)
