"""How things on a frame look, as vectors: what a tracker compares to know a thing again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from vidi.core.batch import check_batch
from vidi.data.crops import MARGIN, region
from vidi.errors import InputError
from vidi.model import Model, load


class Appearance:
    """Unit vectors of the things on a frame, from one run of a model over their crops.

    Args:
        model: trained with ``task=embed``; of any other model the pooled features are taken, which know classes rather than identities.
        batch: crops per step; a frame with fewer things takes one step.
        margin: share of a box's sides that is shown around it; that of the crops the model was trained on (`vidi.data.crops`).

    Raises:
        InputError: no crop per step, or no share.
    """

    def __init__(self, model: Model | str | Path, *, batch: int = 64, margin: float = MARGIN):
        check_batch(batch)
        if not 0 <= margin <= 2:
            raise InputError("a share of the box's sides", at="margin", value=margin, fix="0..2")
        self.model, self.batch, self.margin = load(model), batch, margin
        kinds = self.model.net.kinds
        self.key = next((key for key, kind in kinds.items() if kind == "vector"), "features")
        """The raw output that is taken."""

    @property
    def dim(self) -> int:
        """D, the length of the vectors."""
        return int(self.model.card.raw[self.key]["shape"][0])

    def vectors(self, frame: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """(N, D) float32 vectors of unit length (zero where the net gives zero), one for each box.

        Args:
            frame: (H, W, 3) uint8.
            boxes: (N, 4) x1, y1, x2, y2 in the frame's pixels; parts outside of it are cut off.

        Raises:
            InputError: not a frame, not boxes, or a box that is not finite.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
            raise InputError("a frame is (H, W, 3) uint8", at="frame", value=f"{frame.shape} {frame.dtype}")
        boxes = np.asarray(boxes, np.float64)
        boxes = boxes.reshape(0, 4) if boxes.size == 0 else boxes
        if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
            raise InputError("boxes are (N, 4) finite numbers", at="boxes", value=boxes.shape)
        parts = [self._looked(frame, boxes[start : start + self.batch]) for start in range(0, len(boxes), self.batch)]
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), np.float32)

    def _looked(self, frame: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        canvases = np.empty((len(boxes), *self.model.preprocess.size, 3), np.uint8)
        for i, box in enumerate(boxes):
            x1, y1, x2, y2 = region(box, frame.shape[:2], self.margin)
            canvases[i] = self.model.preprocess.place(frame[y1:y2, x1:x2])
        runner = self.model.runner
        images = torch.from_numpy(canvases).to(runner.device).permute(0, 3, 1, 2)  # (N, 3, H, W), channels last in memory
        found = runner({"image": images.float().div_(255)})[self.key].float()
        return torch.nn.functional.normalize(found, dim=1).cpu().numpy()
