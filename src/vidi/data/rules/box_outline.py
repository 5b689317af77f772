"""Outlines that cross themselves or do not fit their boxes."""

from vidi.data.rules._base import about_box
from vidi.labels import Detections, Polygons
from vidi.ops.boxes import iou_matrix

SEVERITY = "warning"
MEANING = (
    "The outline of the thing crosses itself like a bow-tie (its area is then counted by the even-odd rule), or encloses nothing, or the box"
    " around it is not the thing's box (IoU below 0.5)."
)
FIX = "Draw the outline again, in order around the thing."
FITS = 0.5


def fault(outline, box, sound):
    """What is wrong with an outline, or None."""
    if isinstance(outline, Polygons) and outline.crossed():
        return "the outline crosses itself"
    around = outline.box()
    if not (around[2:] > around[:2]).all():
        return "the outline encloses nothing"
    if sound and iou_matrix(around[None], box[None])[0, 0] < FITS:
        return "the box around the outline is not the thing's box"
    return None


def check(dataset, looks):
    boxes = looks.boxes
    for index, (row, place) in enumerate(zip(boxes.row.tolist(), boxes.place.tolist())):
        label = dataset[row].label
        outline = label.outlines[place] if isinstance(label, Detections) and label.outlines is not None else None
        message = None if outline is None else fault(outline, boxes.box[index], bool(boxes.sound[index] and not boxes.gone[index]))
        if message is not None:
            what = f"polygon of {sum(map(len, outline.rings))} points" if isinstance(outline, Polygons) else "run lengths"
            yield about_box(looks, index, message, value=what)
