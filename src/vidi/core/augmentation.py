"""The contract of an augmentation: it moves pixels by a matrix, changes their values, or mixes samples.

An augmentation is a frozen dataclass in a file of the ``augmentations`` room (or a user's own file). Its fields are its
settings. It overrides one or more of the six methods; all randomness comes from the `Draw` it is handed, which starts
afresh for each method, so that two methods of one augmentation can repeat the same choices.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from vidi.core.batch import Batch, Frame
from vidi.core.seeds import Draw
from vidi.errors import RecipeError
from vidi.labels import Label


def setting(default: Any, low: float | None = None, high: float | None = None) -> Any:
    """A dataclass field with a default and the range, ends included, in which its value, or each of its values, must lie."""
    return dataclasses.field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True)
class Augmentation:
    """Base class; every augmentation has the chance `p` of being applied to each sample.

    A geometric augmentation may have a setting `fill` for what was outside of the picture: ``reflect``, ``border``,
    ``zeros`` or a gray level 0..1. Settings `low` and `high` are the ends of a range.

    Raises:
        RecipeError: a setting is out of its range, or `low` above `high`.
    """

    p: float = setting(1.0, 0, 1)

    mixes: ClassVar[bool] = False
    """Whether pixels depend on other samples of the batch; then `mix` is called, and sees to `p` by itself."""

    families: ClassVar[tuple[str, ...]] = ()
    """The label families whose labels can follow; none named: every family's. Samples without a label are always welcome."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            low, high = field.metadata.get("low"), field.metadata.get("high")
            value = getattr(self, field.name)
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, (int, float)) and ((low is not None and not part >= low) or (high is not None and not part <= high)):
                    limits = f"{'' if low is None else low}..{'' if high is None else high}"
                    raise RecipeError("setting out of range", at=f"{type(self).__name__}.{field.name}", value=value, fix=f"in {limits}")
        start, end = getattr(self, "low", 0), getattr(self, "high", float("inf"))
        if start > end:
            raise RecipeError("low is above high", at=f"{type(self).__name__}.low", value=start, fix=f"at most {end}")

    def matrix(self, draw: Draw, size: tuple[int, int]) -> Tensor | None:
        """(B, 3, 3) float32, old x, y → new x, y in pixels of a picture of (height, width); None: pixels stay in place."""
        return None

    def window(self, draw: Draw, size: tuple[int, int], target: tuple[int, int]) -> Tensor | None:
        """Like `matrix`, from a picture of (height, width) to one of another: what part is shown; None: has no say in it."""
        return None

    def window_for(
        self, draw: Draw, size: tuple[int, int], target: tuple[int, int], labels: Sequence[Label | None]
    ) -> Tensor | None:
        """Like `window`, where the choice looks at the labels, given in pixels of the picture of (height, width)."""
        return self.window(draw, size, target)

    def displacement(self, draw: Draw, size: tuple[int, int]) -> Tensor | None:
        """(B, 2, H, W) float32 in pixels: the new pixel at (x, y) shows what was at (x, y) + displacement; None: no bending."""
        return None

    def pixels(self, images: Tensor, draw: Draw) -> Tensor | None:
        """New (B, 3, H, W) float pictures in 0..1 from old ones (not modified); None: values stay."""
        return None

    def mix(self, batch: Batch, draw: Draw) -> Batch:
        """A batch of mixed samples with mixed labels (MixUp, CutMix); called only when `mixes` is True."""
        return batch


def translation(x: Tensor, y: Tensor) -> Tensor:
    """(B, 3, 3) matrices that move by x and y pixels, each (B,)."""
    return affine(x=x, y=y)


def affine(
    *,
    a: Tensor | float = 1.0,
    b: Tensor | float = 0.0,
    c: Tensor | float = 0.0,
    d: Tensor | float = 1.0,
    x: Tensor | float = 0.0,
    y: Tensor | float = 0.0,
) -> Tensor:
    """(B, 3, 3) matrices [[a, b, x], [c, d, y], [0, 0, 1]]; at least one argument is a (B,) tensor."""
    import torch

    parts = [a, b, x, c, d, y, 0.0, 0.0, 1.0]
    like = next(part for part in parts if isinstance(part, Tensor))
    columns = [part if isinstance(part, Tensor) else torch.full_like(like, float(part)) for part in parts]
    return torch.stack(columns, dim=-1).view(-1, 3, 3)


def about_center(matrix: Tensor, size: tuple[int, int]) -> Tensor:
    """The same (B, 3, 3) motion with the middle of a (height, width) picture as its fixed origin."""
    import torch

    h, w = size
    center = torch.tensor([[1, 0, w / 2], [0, 1, h / 2], [0, 0, 1]], dtype=matrix.dtype, device=matrix.device)
    return center @ matrix @ torch.linalg.inv(center)


def compose_frames(matrices: Tensor, frames: list[Frame]) -> list[Frame]:
    """Frames whose matrices are followed by (B, 3, 3) further ones."""
    if not frames:
        return []
    moved = matrices.double().cpu().numpy() @ np.stack([frame.matrix for frame in frames])
    return [Frame(frame.id, frame.size, matrix) for frame, matrix in zip(frames, moved)]
