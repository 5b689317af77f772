"""One thing, two classes."""

from vidi.data._boxes import place_of
from vidi.data.rules._base import about_box, class_name

SEVERITY = "warning"
MEANING = "Boxes of different classes cover the same place of the picture (IoU of 0.9 or more), and a thing can be of one class only."
FIX = "Look at the picture and remove the box of the wrong class."


def check(dataset, looks):
    boxes = looks.boxes
    first, second, overlap = boxes.pairs
    differ = boxes.kind[first] != boxes.kind[second]
    for one, other, share in zip(first[differ].tolist(), second[differ].tolist(), overlap[differ].tolist()):
        where = place_of(dataset[int(boxes.row[one])], int(boxes.place[one]))
        names = " and ".join(class_name(dataset, int(boxes.kind[index])) for index in (one, other))
        yield about_box(looks, other, f"nearly the same box (IoU {share:.3f}) as the one at {where}, of another class", value=names)
