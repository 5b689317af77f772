"""The same thing marked twice."""

from vidi.data._boxes import place_of
from vidi.data.rules._base import about_box

SEVERITY = "warning"
MEANING = "A box of the same class covers the same place of the picture (IoU of 0.95 or more): the thing counts twice, and one of the two can never be found."
FIX = "Remove one of the two."
LEAST = 0.95


def doubles(boxes):
    """Which box repeats which, as place → (place of the one that stays, overlap). A box that leaves its picture goes first."""
    first, second, overlap = boxes.pairs
    same = (overlap >= LEAST) & (boxes.kind[first] == boxes.kind[second])
    gone: dict[int, tuple[int, float]] = {}
    for one, other, share in zip(first[same].tolist(), second[same].tolist(), overlap[same].tolist()):
        goes, stays = (one, other) if boxes.leaves[one] and not boxes.leaves[other] else (other, one)
        if stays not in gone:
            gone.setdefault(goes, (stays, share))
    return gone


def check(dataset, looks):
    boxes = looks.boxes
    for index, (stays, overlap) in sorted(doubles(boxes).items()):
        sample = dataset[int(boxes.row[stays])]
        where = place_of(sample, int(boxes.place[stays]))
        how = "the same as" if overlap == 1 else f"nearly the same as (IoU {overlap:.3f})"
        yield about_box(looks, index, f"the box is {how} the one at {where}", action="drop_box")
