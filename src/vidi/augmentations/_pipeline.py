"""A list of augmentations, applied to a batch with as little resampling as possible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from vidi.augmentations._parse import describe, parse
from vidi.core.augmentation import Augmentation, compose_frames
from vidi.core.batch import Batch
from vidi.core.seeds import Draw
from vidi.errors import RecipeError
from vidi.labels import Label
from vidi.ops.warp import fit_matrix, size_of, warp

__all__ = ["Pipeline", "parse"]


@dataclass(frozen=True)
class _Step:
    """An augmentation and the name of its random stream."""

    augmentation: Augmentation
    stream: str

    def does(self, method: str) -> bool:
        return getattr(type(self.augmentation), method) is not getattr(Augmentation, method)

    @property
    def looks(self) -> bool:
        """Whether it chooses a window by the labels."""
        return self.does("window_for")

    def draw(self, draw: Draw) -> Draw:
        return draw.child(self.stream)

    def chosen(self, draw: Draw) -> Tensor | None:
        """(B,) True for samples it is applied to; None: for all."""
        p = self.augmentation.p
        return None if p >= 1 else self.draw(draw).child("p").chance(p)


@dataclass(frozen=True)
class _Move:
    """Matrices (B, 3, 3) onto a canvas of (height, width), and how it is bent then, (B, 2, H, W) or None."""

    matrices: Tensor
    size: tuple[int, int]
    bend: Tensor | None


class Pipeline:
    """Augmentations in their order, from a canvas to the size a net wants.

    Neighbors that move pixels are composed into one matrix and resample once, as long as they agree on what lies beyond the border
    (`fill`); then values are changed; mixing comes last. Unless an augmentation chooses a window (`crop`, `random_resized_crop`),
    the whole canvas is stretched to `size`. Elastic bending happens at the end of its group of neighbors, on the new pixels.

    Args:
        augmentations: see `parse`; none at all only fits the canvas.
        size: (height, width) of the result.
    """

    def __init__(self, augmentations: Sequence[Augmentation], size: tuple[int, int]):
        self.augmentations, self.size = tuple(augmentations), (int(size[0]), int(size[1]))
        seen: Counter[str] = Counter()
        self._stages: list[list[_Step] | _Step] = []
        self._mixes: list[_Step] = []
        for augmentation in self.augmentations:
            name = type(augmentation).__name__
            step = _Step(augmentation, f"{name}.{seen[name]}")
            seen[name] += 1
            if augmentation.p > 0:
                self._add(step)
        if not any(isinstance(stage, list) for stage in self._stages):
            self._stages.insert(0, [])
        groups = [stage for stage in self._stages if isinstance(stage, list)]
        self._fitting = next((group for group in groups if any(step.looks or step.does("window") for step in group)), groups[0])

    def _add(self, step: _Step) -> None:
        if step.looks or any(step.does(method) for method in ("matrix", "window", "displacement")):
            last = self._stages[-1] if self._stages else None
            if not isinstance(last, list) or _fill([*last, step]) is None:
                last = []
                self._stages.append(last)
            last.append(step)
        if step.does("pixels"):
            self._stages.append(step)
        if step.augmentation.mixes:
            self._mixes.append(step)

    @property
    def description(self) -> list[str]:
        """One recipe entry per augmentation, with all of its settings."""
        return [describe(augmentation) for augmentation in self.augmentations]

    @property
    def mixes(self) -> bool:
        """Whether a sample's result depends on other samples of its batch."""
        return bool(self._mixes)

    def __call__(self, batch: Batch, draw: Draw, *, size: tuple[int, int] | None = None, mixes: bool = True) -> Batch:
        """The batch, augmented; the one given is not changed.

        Args:
            batch: inputs with ``image`` (B, 3, H, W) float in 0..1.
            draw: the random stream of these B samples.
            size: (height, width) of the result where it is another than the pipeline's (training at several sizes).
            mixes: False leaves out what mixes samples, as in the last part of a training run.

        Raises:
            RecipeError: labels of a family that an augmentation cannot serve.
        """
        size = self.size if size is None else size
        self._refuse(batch.labels)
        images, moves = self._moved(batch.inputs["image"], draw, batch.labels, size)
        labels, frames = batch.labels, batch.frames
        if moves:
            frames = compose_frames(_total(moves), frames)
            labels = _followed(labels, moves)
        out = replace(batch, inputs=batch.inputs | {"image": images}, labels=list(labels), frames=list(frames))
        for step in self._mixes if len(batch) and mixes else ():
            out = step.augmentation.mix(out, step.draw(draw).to(images.device))
        return out

    def _refuse(self, labels: Sequence[Label | None]) -> None:
        family = next((label.family for label in labels if label is not None), None)
        for augmentation in self.augmentations if family else ():
            if augmentation.families and family not in augmentation.families:
                name = describe(augmentation).partition("(")[0]
                only = " and ".join(augmentation.families)
                raise RecipeError(f"labels of this family cannot follow; for {only} only", at=f"augment: {name}", value=family)

    def apply(
        self, images: Tensor, draw: Draw, labels: Sequence[Label | None] | None = None, *, size: tuple[int, int] | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Everything but the mixing, for pictures alone.

        Args:
            labels: one per sample, for augmentations that look at them; they are not moved. None: not known.
            size: (height, width) of the result; None: the pipeline's.

        Returns:
            (B, 3, height, width) pictures and (B, 3, 3) float64 matrices from the canvas to them, on the CPU; None: nothing moved.
        """
        images, moves = self._moved(images, draw, labels, self.size if size is None else size)
        return images, _total(moves) if moves else None

    def _moved(
        self, images: Tensor, draw: Draw, labels: Sequence[Label | None] | None, size: tuple[int, int]
    ) -> tuple[Tensor, list[_Move]]:
        """The pictures after everything but the mixing, and how their pixels were moved, in order."""
        if not len(images):
            return images.new_zeros(0, images.shape[1], *size), []
        host, device = draw.to("cpu"), draw.to(images.device)
        labels = [None] * len(images) if labels is None else labels
        moves: list[_Move] = []
        for stage in self._stages:
            if isinstance(stage, _Step):
                images = _recolored(stage, images, host, device)
                continue
            old = size_of(images)
            new = size if stage is self._fitting else old
            if not stage and new == old:
                continue
            matrices = _composed(stage, host, labels, old, new, _total(moves) if moves else None)
            bend = _bent(stage, host, device, new)
            images = warp(images, matrices, new, fill=_fill(stage), displacement=bend)
            moves.append(_Move(matrices, new, bend))
        return images, moves


def _fill(steps: Sequence[_Step]) -> Any:
    """What all of the steps that have a `fill` put beyond the border; None: they disagree."""
    found = list(dict.fromkeys(step.augmentation.fill for step in steps if hasattr(step.augmentation, "fill")))
    return None if len(found) > 1 else found[0] if found else "reflect"


def _composed(
    steps: list[_Step], draw: Draw, labels: Sequence[Label | None], old: tuple[int, int], new: tuple[int, int], before: Tensor | None
) -> Tensor:
    """(B, 3, 3) float64, from a picture of the old size to one of the new size; `before` brought labels to the old one."""
    still = torch.eye(3, dtype=torch.float64)
    total, size = still.expand(len(labels), 3, 3), old
    for step in steps:
        chosen, moves = step.chosen(draw), []
        if step.does("matrix"):
            moves.append((step.augmentation.matrix(step.draw(draw), size), still, size))
        if step.looks:
            seen = _moved(labels, total if before is None else total @ before, size)
            moves.append((step.augmentation.window_for(step.draw(draw), size, new, seen), fit_matrix(size, new), new))
        elif step.does("window"):
            moves.append((step.augmentation.window(step.draw(draw), size, new), fit_matrix(size, new), new))
        for matrix, otherwise, reached in moves:
            if matrix is not None:
                matrix = matrix.to("cpu", torch.float64)
                total = (matrix if chosen is None else torch.where(chosen[:, None, None], matrix, otherwise)) @ total
                size = reached
    return total if size == new else fit_matrix(size, new) @ total


def _total(moves: Sequence[_Move]) -> Tensor:
    """(B, 3, 3) of at least one move."""
    total = moves[0].matrices
    for move in moves[1:]:
        total = move.matrices @ total
    return total


def _followed(labels: Sequence[Label | None], moves: Sequence[_Move]) -> list[Label | None]:
    """Labels that go the way of the pixels; moves between two bends are one."""
    followed, start = list(labels), 0
    for end, move in enumerate(moves):
        if move.bend is None and end + 1 < len(moves):
            continue
        followed, start = _moved(followed, _total(moves[start : end + 1]), move.size), end + 1
        if move.bend is not None:
            table = move.bend.float().cpu().numpy()
            followed = [None if label is None else label.bent(bend) if bend.any() else label for label, bend in zip(followed, table)]
    return followed


def _moved(labels: Sequence[Label | None], matrices: Tensor, size: tuple[int, int]) -> list[Label | None]:
    return [None if label is None else label.cropped(matrix, size) for label, matrix in zip(labels, matrices.numpy())]


def _bent(steps: list[_Step], host: Draw, device: Draw, size: tuple[int, int]) -> Tensor | None:
    """The sum of all displacements, (B, 2, H, W)."""
    total = None
    for step in steps:
        bend = step.augmentation.displacement(step.draw(device), size) if step.does("displacement") else None
        if bend is not None:
            chosen = step.chosen(host)
            bend = bend if chosen is None else bend * chosen.to(bend.device)[:, None, None, None]
            total = bend if total is None else total + bend
    return total


def _recolored(step: _Step, images: Tensor, host: Draw, device: Draw) -> Tensor:
    chosen = step.chosen(host)
    if chosen is None or bool(chosen.all()):
        changed = step.augmentation.pixels(images, step.draw(device))
        return images if changed is None else changed.to(images.dtype)
    rows = chosen.nonzero().squeeze(1).to(images.device)
    if not len(rows):
        return images
    changed = step.augmentation.pixels(images[rows], step.draw(device)[rows])
    return images if changed is None else images.index_copy(0, rows, changed.to(images.dtype))
