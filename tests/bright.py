"""A net without training that finds what is bright: each bright island of pixels is a thing, red ones of class 0, green ones of class 1."""

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from vidi.core.kinds import Pixels
from vidi.core.net import Net
from vidi.core.preprocess import Preprocess
from vidi.core.space import Space
from vidi.labels import Detections
from vidi.model import Model, make_card

SPACE = Space("Detections", ("red", "green"))


class Bright(Net):
    inputs = {"image": Pixels(3)}
    kinds = {"image": "aux"}
    space = SPACE

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))
        self.conf, self.nms_iou, self.max_det, self.nms = 0.05, 0.6, 100, "hard"

    def forward(self, inputs):
        image = inputs["image"] * self.gain
        return {"image": image, "features": image.mean((2, 3))}

    def loss(self, raw, labels):
        return {"box": raw["features"].mean(1)}

    def decode(self, raw):
        return [self._found(image) for image in raw["image"].detach().cpu().numpy()]

    def _found(self, image):
        boxes, scores, classes = [], [], []
        for c in (0, 1):
            islands, _ = ndimage.label(image[c] > 0.5)
            for place in ndimage.find_objects(islands):
                boxes.append([place[1].start, place[0].start, place[1].stop, place[0].stop])
                scores.append(float(image[c][place].max()))
                classes.append(c)
        order = [i for i in np.argsort(-np.array(scores), kind="stable") if scores[i] > self.conf][: self.max_det]
        return Detections(np.array(boxes).reshape(-1, 4), np.array(scores), np.array(classes, np.int64))[np.array(order, np.int64)]

    def stages(self):
        return {"head": self}


def bright_model(size=(64, 64), fit="letterbox", **card):
    net = Bright()
    return Model(net, make_card(net, task="detect", name="bright", options={}, head="boxes", preprocess=Preprocess(size, fit), **card))


def scene(size, things):
    """A dark picture (H, W, 3) with things (x1, y1, x2, y2, class[, gray level])."""
    picture = np.full((*size, 3), 20, np.uint8)
    for x1, y1, x2, y2, c, *level in things:
        picture[y1:y2, x1:x2, c] = level[0] if level else 250
    return picture


def found_in(label):
    """The boxes with their classes, in order of place."""
    return sorted((*np.round(box.astype(float), 3).tolist(), int(c)) for box, c in zip(label.boxes, label.classes))
