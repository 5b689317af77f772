"""One thing among those that a net finds, as something to explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from vidi.core.net import Net
from vidi.methods.explain._target import Evidence, Raw, Target

MATCH = 0.5
"""From this IoU on a place speaks of the same thing."""
EDGE = 1e-6


class ThingScore(Target):
    """One thing: the log-odds of its class at the places of the net whose decoded box overlaps the thing's by IoU 0.5 or more, weighted
    by overlap and score (where none does, at the place that overlaps most). With a rival class, minus the rival's there.

    For comparing numbers it is the similarity of D-RISE (Petsiuk et al. 2021, arXiv:2006.03204, equation 4): the largest, over all
    candidates, of IoU × cosine of the class scores × confidence, which is the best class score here; with a rival, the largest IoU ×
    score of the class minus the largest IoU × score of the rival.

    Args:
        boxes: (B, 4) x1, y1, x2, y2 in canvas pixels.
        index: (B,) int64, the class.
        rival: (B,) int64; −1: none.
        known: (B,) bool, where there is a thing; of other pictures `general` is explained.
        reference: raw outputs of the clean pictures.
    """

    thing = local = True
    row_fields = ("boxes", "index", "rival", "known", "profile", "general")

    def __init__(
        self, net: Net, boxes: Tensor, index: Tensor, rival: Tensor, known: Tensor, reference: Raw, words: Sequence[str],
        others: Mapping[str, Tensor] | None = None,
    ):  # fmt: skip
        super().__init__(net, words, others)
        self.boxes, self.index, self.rival, self.known = boxes, index, rival, known
        self.general = Evidence(net, reference, others=others)
        with torch.no_grad():
            places, scores = candidates(net, reference)
            overlap = self._overlaps(places)
            best = overlap * _of_class(scores, index) + EDGE * overlap
            self.profile = scores[torch.arange(len(scores), device=scores.device), best.argmax(1)] if scores.shape[1] else torch.zeros_like(scores[:, :, 0])

    def __call__(self, raw: Raw) -> Tensor:
        boxes, scores = candidates(self.net, raw)
        if not scores.shape[1]:
            return self.general(raw)
        own, overlap = _of_class(scores, self.index), self._overlaps(boxes.detach())
        weights = torch.where(overlap >= MATCH, overlap * own.detach(), 0)
        nearest = torch.zeros_like(weights).scatter(1, overlap.argmax(1, keepdim=True), 1.0)
        weights = torch.where(weights.sum(1, keepdim=True) > 0, weights, nearest)
        value = torch.logit(own, EDGE)
        value = value - torch.where(self.rival[:, None] >= 0, torch.logit(_of_class(scores, self.rival), EDGE), 0)
        found = (value * weights).sum(1) / weights.sum(1)
        return found if bool(self.known.all()) else torch.where(self.known, found, self.general(raw))

    def support(self, raw: Raw) -> Tensor:
        boxes, scores = candidates(self.net, raw)
        if not scores.shape[1]:
            found = self.boxes.new_zeros(len(self))
        else:
            overlap = self._overlaps(boxes)
            alike = torch.cosine_similarity(scores, self.profile[:, None], dim=2)
            own = (overlap * alike * scores.amax(2)).amax(1)
            contrast = (overlap * _of_class(scores, self.index)).amax(1) - (overlap * _of_class(scores, self.rival)).amax(1)
            found = torch.where(self.rival >= 0, contrast, own)
        return found if bool(self.known.all()) else torch.where(self.known, found, self.general(raw))

    def on(self, net: Net) -> Target:
        part = super().on(net)
        part.general = self.general.on(net)  # type: ignore[attr-defined]
        return part

    def _overlaps(self, boxes: Tensor) -> Tensor:
        """IoU of the thing with each candidate's box of its class, (B, A)."""
        if boxes.shape[2] > 1:
            index = self.index.view(-1, 1, 1, 1).expand(-1, boxes.shape[1], 1, 4)
            boxes = boxes.gather(2, index)
        return overlaps(boxes[:, :, 0], self.boxes)


def candidates(net: Net, raw: Raw) -> tuple[Tensor, Tensor]:
    """Boxes (B, A, 1 or C, 4) and scores (B, A, C) before doubles are removed, as the net's head decodes them, differentiable; of a net
    whose head cannot say, what `decode` finds."""
    decode = getattr(getattr(net, "head", None), "decode", None)
    found = decode(raw) if callable(decode) else None
    if isinstance(found, tuple) and len(found) == 2 and all(isinstance(part, Tensor) for part in found):
        boxes, scores = found
        return (boxes[:, :, None] if boxes.ndim == 3 else boxes).float(), scores.float()
    return _decoded(net, raw)


def _decoded(net: Net, raw: Raw) -> tuple[Tensor, Tensor]:
    labels = net.decode(raw)
    device, classes = next(iter(raw.values())).device, max(1, len(net.space))
    longest = max((len(label.scores) for label in labels), default=0)  # type: ignore[attr-defined]
    boxes, scores = torch.zeros(len(labels), longest, 1, 4), torch.zeros(len(labels), longest, classes)
    for i, label in enumerate(labels):
        count = len(label.scores)  # type: ignore[attr-defined]
        boxes[i, :count, 0] = torch.from_numpy(label.boxes)  # type: ignore[attr-defined]
        scores[i, torch.arange(count), torch.from_numpy(label.classes)] = torch.from_numpy(label.scores)  # type: ignore[attr-defined]
    return boxes.to(device), scores.to(device)


def overlaps(boxes: Tensor, one: Tensor) -> Tensor:
    """IoU of boxes (B, A, 4) with one box per picture (B, 4): (B, A), 0 where the union is empty."""
    low = torch.maximum(boxes[..., :2], one[:, None, :2])
    high = torch.minimum(boxes[..., 2:], one[:, None, 2:])
    shared = (high - low).clamp_min(0).prod(2)
    sizes = (boxes[..., 2:] - boxes[..., :2]).clamp_min(0).prod(2)
    union = sizes + (one[:, 2:] - one[:, :2]).clamp_min(0).prod(1)[:, None] - shared
    found = torch.where(union > 0, shared / union.clamp_min(1e-9), 0)
    return found.nan_to_num(0.0)


def _of_class(scores: Tensor, index: Tensor) -> Tensor:
    """The score of a class per picture at each candidate, (B, A)."""
    places = index.clamp_min(0).view(-1, 1, 1).expand(-1, scores.shape[1], 1)
    return scores.gather(2, places).squeeze(2)
