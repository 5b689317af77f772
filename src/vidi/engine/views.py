"""Test-time augmentation: several views of a picture, whose labels are brought home and merged."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidi.core.batch import Batch, Frame
from vidi.core.calls import parse_call
from vidi.core.net import Net
from vidi.core.recipe import split_list
from vidi.errors import RecipeError
from vidi.labels import Label
from vidi.ops.warp import fit_matrix, size_of, warp

KNOWN = "flip, vflip, scale(FACTOR), such as tta=flip,scale(0.8),scale(1.25)"


@dataclass(frozen=True, slots=True)
class View:
    """One more look at a picture.

    Args:
        flip_x, flip_y: mirrored left to right, top to bottom.
        scale: factor on both sides; where the net's input has sides that are multiples of 32, so has the view.
    """

    flip_x: bool = False
    flip_y: bool = False
    scale: float = 1.0

    def matrix(self, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
        """(3, 3) float64 from the input's pixels to the view's, and the view's (height, width)."""
        tall, wide = self._side(size[0]), self._side(size[1])
        total = fit_matrix(size, (tall, wide)).numpy()
        if self.flip_x:
            total = np.array([[-1.0, 0, wide], [0, 1, 0], [0, 0, 1]]) @ total
        if self.flip_y:
            total = np.array([[1.0, 0, 0], [0, -1, tall], [0, 0, 1]]) @ total
        return total, (tall, wide)

    def _side(self, length: int) -> int:
        step = 32 if length % 32 == 0 else 1
        return max(step, round(length * self.scale / step) * step)


def parse_views(text: str | None) -> tuple[View, ...]:
    """The views that are looked at besides the plain one: ``flip,scale(0.8)``; none for ``none`` or None.

    Raises:
        RecipeError: no such view, or a scale out of range.
    """
    if text is None or text.strip().lower() in ("", "none"):
        return ()
    if text.count("(") != text.count(")"):
        raise RecipeError("brackets that do not match", at="tta", value=text, fix=KNOWN)
    return tuple(_view(word) for word in split_list(text))


def _view(word: str) -> View:
    plain = {"flip": View(flip_x=True), "hflip": View(flip_x=True), "vflip": View(flip_y=True)}
    if word.strip() in plain:
        return plain[word.strip()]
    name, _, inside = word.strip().partition("(")
    if name == "scale" and inside.endswith(")"):
        number = inside[:-1].strip()
        settings = {"factor": number} if "=" not in number else parse_call(word, "tta")[1]
        with contextlib.suppress(ValueError, TypeError):
            factor = float(settings.get("factor", "nan"))
            if 0.1 <= factor <= 4:
                return View(scale=factor)
        raise RecipeError("a scale lies in 0.1..4", at="tta", value=word, fix="scale(1.25)")
    raise RecipeError("no such view", at="tta", value=word, fix=KNOWN)


def merged(plain: Sequence[Label], others: Sequence[Sequence[Label]]) -> list[Label]:
    """One label per picture out of those of its views; without other views the plain ones themselves."""
    if not others:
        return list(plain)
    return [type(first).merge([first, *rest]) for first, *rest in zip(plain, *others)]


def look(net: Net, forward: Callable[[dict[str, Tensor]], dict[str, Tensor]], batch: Batch, views: Sequence[View]) -> list[list[Label]]:
    """What the net says of each view of a batch, in the original pictures' pixels: one list per view.

    Args:
        forward: inputs → raw outputs, float32.
        batch: with ``image`` (B, 3, H, W) float.
    """
    found = []
    for view in views:
        images = batch.inputs["image"]
        matrix, size = view.matrix(size_of(images))
        moved = warp(images, torch.from_numpy(matrix).expand(len(images), 3, 3), size, fill="border")
        raw = forward(batch.inputs | {"image": moved.contiguous(memory_format=torch.channels_last)})
        frames = [Frame(frame.id, frame.size, matrix @ frame.matrix) for frame in batch.frames]
        found.append([frame.home(label) for frame, label in zip(frames, net.decode(raw))])
    return found
