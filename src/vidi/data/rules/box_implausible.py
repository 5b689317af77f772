"""Boxes unlike all others of their class."""

import numpy as np

from vidi.data.rules._base import about_box, class_name, outlyingness

SEVERITY = "warning"
MEANING = (
    "The box's size or shape is far from that of the other boxes of its class (6 robust standard deviations of the logarithm, at least 3.3 times"
    " the size or 3 times the aspect ratio; classes of 20 boxes or more, and no more than a tenth of them)."
)
FIX = "Check for a slip of the mouse, another unit, or a wrong class."
FEWEST, FAR, SHARE = 20, 6.0, 0.1
SIZE_FLOOR, SHAPE_FLOOR = 0.2, 0.185
EDGE = 0.01


def far(values, floor):
    """Which values stand out, and by how many robust standard deviations, signed; tails of many values widen the scale."""
    low, high = np.quantile(values, [0.1, 0.9])
    distance = outlyingness(values, max(floor, float(high - low) / 2.563))
    out = np.abs(distance) > FAR
    return (out if out.mean() <= SHARE else np.zeros(len(values), bool)), distance


def check(dataset, looks):
    boxes = looks.boxes
    usable = np.flatnonzero(boxes.sound & ~boxes.crowd & ~boxes.leaves & np.isfinite(boxes.width))
    usable = usable[np.argsort(boxes.kind[usable], kind="stable")]
    kinds, starts = np.unique(boxes.kind[usable], return_index=True)
    found = {}
    for kind, part in zip(kinds.tolist(), np.split(usable, starts[1:])):
        if len(part) >= FEWEST:
            found |= _judge(boxes, part, class_name(dataset, kind))
    for index, message in sorted(found.items()):
        yield about_box(looks, index, message)


def _judge(boxes, part, name):
    """Faults of the boxes of one class, by their place. What the picture's edge cuts may be small or of any shape."""
    sides, share = np.log(boxes.sides[part]), np.log(boxes.share[part])
    frame = np.stack([boxes.width[part], boxes.height[part]], 1)
    near = EDGE * frame + 1
    cut = ((boxes.box[part, :2] < near) | (boxes.box[part, 2:] > frame - near)).any(1)
    size, relative = sides.mean(1), share.mean(1)
    (big, distance), (also, _) = far(size, SIZE_FLOOR), far(relative, SIZE_FLOOR)
    shape = sides[:, 0] - sides[:, 1]
    odd, _ = far(shape, SHAPE_FLOOR)
    found = {}
    for at in np.flatnonzero(odd & ~cut).tolist():
        times = np.exp(shape[at] - np.median(shape))
        found[int(part[at])] = f"the aspect ratio is {times:.3g} times the usual one of {name}"
    for at in np.flatnonzero(big & also & (~cut | (distance > 0))).tolist():
        times = np.exp(size[at] - np.median(size))
        found[int(part[at])] = f"the size is {times:.3g} times the usual one of {name}"
    return found
