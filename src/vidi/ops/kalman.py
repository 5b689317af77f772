"""Kalman filters for boxes that move at constant velocity, all tracks of a frame at once, in numpy.

A state is four numbers that describe a box, then the velocities of the first ones, per step of one frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GATES = {1: 3.8415, 2: 5.9915, 3: 7.8147, 4: 9.4877}
"""0.95 quantiles of chi-square by degrees of freedom: beyond it a squared distance is no chance deviation."""

FORMS = ("xysr", "xyah", "xywh")
_LEAST = 1e-3
_SORT_START = np.array([10, 10, 10, 10, 1e4, 1e4, 1e4])
_SORT_STEP = np.array([1, 1, 1, 1, 1e-2, 1e-2, 1e-4])
_SORT_SEEN = np.array([1.0, 1.0, 10.0, 10.0])


@dataclass(frozen=True, slots=True)
class BoxFilter:
    """Constant velocity in one of three forms of a box.

    * ``xysr``: center, area, width over height (without a velocity); noise in fixed pixels (SORT, Bewley et al. 2016, arXiv:1602.00763;
      7 numbers).
    * ``xyah``: center, width over height, height; noise in shares of the height (DeepSORT, Wojke et al. 2017, arXiv:1703.07402; 8).
    * ``xywh``: center, width, height; noise in shares of width and height (BoT-SORT, Aharon et al. 2022, arXiv:2206.14651; 8).

    Args:
        form: one of `FORMS`.
        position: standard deviation of a step and of a measurement, as a share of the size. Not for ``xysr``.
        velocity: the same of a velocity's change per frame.

    Raises:
        ValueError: an unknown form.
    """

    form: str = "xyah"
    position: float = 1 / 20
    velocity: float = 1 / 160

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise ValueError(f"form: expected one of {', '.join(FORMS)}, got {self.form!r}")

    @property
    def size(self) -> int:
        """Numbers in a state."""
        return 7 if self.form == "xysr" else 8

    def measure(self, boxes: np.ndarray) -> np.ndarray:
        """(N, 4) boxes x1, y1, x2, y2 in this form; sides count as at least 0.001 pixels."""
        boxes = np.asarray(boxes, np.float64)
        sides = np.maximum(boxes[:, 2:] - boxes[:, :2], _LEAST)
        width, height = sides[:, 0], sides[:, 1]
        shape = {"xysr": (width * height, width / height), "xyah": (width / height, height), "xywh": (width, height)}[self.form]
        return np.column_stack([(boxes[:, :2] + boxes[:, 2:]) / 2, *shape])

    def boxes(self, mean: np.ndarray) -> np.ndarray:
        """(N, 4) boxes of states (N, D), or of measurements."""
        first, second = np.maximum(mean[:, 2], 0), np.maximum(mean[:, 3], 0)
        if self.form == "xysr":
            width = np.sqrt(first * second)
            height = first / np.maximum(width, 1e-12)
        else:
            width, height = (first * second if self.form == "xyah" else first), second
        half = np.column_stack([width, height]) / 2
        return np.concatenate([mean[:, :2] - half, mean[:, :2] + half], 1)

    def start(self, measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """States (N, D) at rest and their covariances (N, D, D) after the first measurements (N, 4)."""
        mean = np.zeros((len(measured), self.size))
        mean[:, :4] = measured
        covariance = np.zeros((len(measured), self.size, self.size))
        if self.form == "xysr":
            variance = np.broadcast_to(_SORT_START, mean.shape)
        else:
            scales = self._scales(mean)
            variance = np.concatenate([2 * self.position * scales, 10 * self.velocity * scales], 1) ** 2
            if self.form == "xyah":
                variance[:, [2, 6]] = 1e-4, 1e-10
        _add_diagonal(covariance, variance)
        return mean, covariance

    def predict(self, mean: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One frame on. An area or side that would become negative stops shrinking instead."""
        count, mean, covariance = self.size - 4, mean.copy(), covariance.copy()
        noise = self._step_noise(mean)
        sizes = slice(2, count)
        velocity = mean[:, 6:]
        velocity[mean[:, sizes] + velocity <= 0] = 0
        mean[:, :count] += mean[:, 4:]
        covariance[:, :count] += covariance[:, 4:]
        covariance[:, :, :count] += covariance[:, :, 4:]
        _add_diagonal(covariance, noise)
        return mean, covariance

    def update(self, mean: np.ndarray, covariance: np.ndarray, measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """States after one measurement (N, 4) each."""
        if len(mean) == 0:
            return mean, covariance
        projected = self._projected(mean, covariance)
        seen = covariance[:, :4]
        gain = np.matmul(np.linalg.inv(projected), seen).transpose(0, 2, 1)  # (N, D, 4)
        moved = mean + np.matmul(gain, (measured - mean[:, :4])[:, :, None])[:, :, 0]
        left = covariance - np.matmul(gain, seen)
        moved[:, 2:4] = np.maximum(moved[:, 2:4], _LEAST * _LEAST)
        return moved, (left + left.transpose(0, 2, 1)) / 2

    def distance(self, mean: np.ndarray, covariance: np.ndarray, measured: np.ndarray, center: bool = False) -> np.ndarray:
        """(N, M) squared Mahalanobis distances of measurements (M, 4) from states; `GATES` says which are too far.

        Args:
            center: of the centers alone (2 degrees of freedom instead of 4).
        """
        size = 2 if center else 4
        inverse = np.linalg.inv(self._projected(mean, covariance)[:, :size, :size])
        apart = measured[None, :, :size] - mean[:, None, :size]
        return np.einsum("nmi,nij,nmj->nm", apart, inverse, apart)

    def warp(self, mean: np.ndarray, covariance: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """States after the camera moved: centers and velocities through the affine matrix (2 or 3, 3), sizes by its mean scale."""
        linear, shift = np.asarray(matrix, np.float64)[:2, :2], np.asarray(matrix, np.float64)[:2, 2]
        scale = np.sqrt(abs(np.linalg.det(linear)))
        factors = {"xysr": (scale**2, 1.0), "xyah": (1.0, scale), "xywh": (scale, scale)}[self.form]
        whole = np.zeros((self.size, self.size))
        whole[:2, :2] = whole[4:6, 4:6] = linear
        whole[2, 2], whole[3, 3] = factors
        whole[np.arange(6, self.size), np.arange(6, self.size)] = factors[: self.size - 6]
        moved = mean @ whole.T
        moved[:, :2] += shift
        return moved, whole @ covariance @ whole.T

    def smooth(self, boxes: np.ndarray) -> np.ndarray:
        """One track's boxes (T, 4), NaN rows where it was not seen, smoothed back and forth (Rauch, Tung and Striebel 1965).

        Args:
            boxes: of consecutive frames, the first one seen.

        Returns:
            (T, 4), every frame filled.
        """
        measured, seen = self.measure(boxes), np.isfinite(boxes).all(1)
        if len(boxes) == 0:
            return np.zeros((0, 4))
        state = self.start(measured[:1])
        after, before = [state], [state]
        for t in range(1, len(boxes)):
            before.append(self.predict(*after[-1]))
            after.append(self.update(*before[-1], measured[t : t + 1]) if seen[t] else before[-1])
        transition = np.eye(self.size)
        transition[np.arange(self.size - 4), np.arange(4, self.size)] = 1
        mean = after[-1][0]
        found = [mean]
        for t in range(len(boxes) - 2, -1, -1):
            back = after[t][1][0] @ transition.T @ np.linalg.inv(before[t + 1][1][0])
            mean = after[t][0] + (mean - before[t + 1][0]) @ back.T
            found.append(mean)
        return self.boxes(np.concatenate(found[::-1]))

    def _scales(self, mean: np.ndarray) -> np.ndarray:
        """(N, 4) what the noise of the four numbers is a share of."""
        return np.maximum(mean[:, [3, 3, 3, 3] if self.form == "xyah" else [2, 3, 2, 3]], _LEAST)

    def _step_noise(self, mean: np.ndarray) -> np.ndarray:
        """(N, D) variances that one frame adds."""
        if self.form == "xysr":
            return _SORT_STEP
        scales = self._scales(mean)
        variance = np.concatenate([self.position * scales, self.velocity * scales], 1) ** 2
        if self.form == "xyah":
            variance[:, [2, 6]] = 1e-4, 1e-10
        return variance

    def _projected(self, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        """(N, 4, 4) covariance of a measurement."""
        projected = covariance[:, :4, :4].copy()
        if self.form == "xysr":
            variance = _SORT_SEEN
        else:
            variance = (self.position * self._scales(mean)) ** 2
            if self.form == "xyah":
                variance[:, 2] = 1e-2
        _add_diagonal(projected, variance)
        return projected


def _add_diagonal(matrices: np.ndarray, values: np.ndarray) -> None:
    """Adds (N, D) or (D,) to the diagonals of contiguous (N, D, D), in place."""
    size = matrices.shape[1]
    matrices.reshape(len(matrices), size * size)[:, :: size + 1] += values
