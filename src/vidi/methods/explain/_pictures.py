"""Relevance as pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SUPPORTS = np.array([[40, 0, 60], [170, 20, 90], [240, 90, 40], [255, 215, 60]], np.float32)
OPPOSES = np.array([[10, 20, 60], [30, 80, 190], [90, 190, 250]], np.float32)
STRONGEST, LEAST = 0.995, 96


def overlay(pixels: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    """Relevance over a gray picture: warm where it supports (the stronger, the lighter), blue where it opposes.

    Args:
        pixels: (H, W, 3) uint8.
        relevance: (H, W); its strongest values, by magnitude, set the scale.

    Returns:
        (H, W, 3) uint8.
    """
    gray = np.repeat(pixels.astype(np.float32).mean(2, keepdims=True), 3, 2)
    top = float(np.quantile(np.abs(relevance), STRONGEST)) or float(np.abs(relevance).max())
    share = np.clip(relevance / top, -1, 1) if top > 0 else np.zeros_like(relevance)
    shown = 0.55 * gray
    for side, colors in ((share, SUPPORTS), (-share, OPPOSES)):
        strength = np.clip(side, 0, 1)
        cover = 0.8 * np.sqrt(strength)[..., None]
        shown = (1 - cover) * shown + cover * _ramp(strength, colors)
    return shown.clip(0, 255).astype(np.uint8)


def _ramp(values: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Colors (H, W, 3) of values in 0..1 along a list of colors."""
    places = np.linspace(0, 1, len(colors))
    return np.stack([np.interp(values, places, colors[:, i]) for i in range(3)], -1)


def beside(pictures: Sequence[np.ndarray], gap: int = 4) -> np.ndarray:
    """Pictures in a row on white; smaller ones are enlarged by whole factors to about the height of the tallest."""
    tallest = max(LEAST, *(len(picture) for picture in pictures))
    enlarged = [picture.repeat(max(1, tallest // len(picture)), 0).repeat(max(1, tallest // len(picture)), 1) for picture in pictures]
    height = max(len(picture) for picture in enlarged)
    parts = []
    for picture in enlarged:
        frame = np.full((height, picture.shape[1] + gap, 3), 255, np.uint8)
        frame[: len(picture), : picture.shape[1]] = picture
        parts.append(frame)
    return np.concatenate(parts, 1)[:, :-gap]
