"""Nearly the same picture, other boxes."""

import numpy as np

from vidi.data.rules._base import about_sample
from vidi.labels import Detections

SEVERITY = "warning"
MEANING = "Two pictures are nearly the same (encoded again, resized or flipped), but their boxes agree by less than 0.7, where 1 is the same."
FIX = "Compare the two pictures; correct the boxes of one of them, or remove it."
LEAST = 0.7


def plain(label):
    """Only boxes that can be compared, and nothing but boxes and classes."""
    sound = np.isfinite(label.boxes).all(1)
    sound &= (np.where(sound[:, None], label.boxes, 0)[:, 2:] > np.where(sound[:, None], label.boxes, 0)[:, :2]).all(1)
    return Detections(label.boxes[sound], None, label.classes[sound])


def onto(label, size, other, flipped):
    """The label of a picture of one (height, width) as it lies on a copy of another size, maybe flipped left to right."""
    across, down = float(other[1]) / float(size[1]), float(other[0]) / float(size[0])
    matrix = np.diag([-across if flipped else across, down, 1.0])
    matrix[0, 2] = float(other[1]) if flipped else 0.0
    return plain(label).warp(matrix, (int(other[0]), int(other[1])))


def check(dataset, looks):
    if looks.near is None:
        return
    near = looks.near
    for first, second, flipped in zip(near.first.tolist(), near.second.tolist(), near.flipped.tolist()):
        one, other = dataset[first].label, dataset[second].label
        if not isinstance(one, Detections) or not isinstance(other, Detections):
            continue
        size = looks.size[second]
        moved, own = onto(one, looks.size[first], size, flipped), onto(other, size, size, False)
        agreement = moved.agreement(own)
        if agreement < LEAST:
            how = "nearly the same, flipped" if flipped else "nearly the same"
            message = f"{len(other)} boxes here, {len(one)} on {dataset[first].id}, which is {how}; they agree by {agreement:.2f}"
            yield about_sample(dataset, second, message, value=round(agreement, 4), related=[first])
