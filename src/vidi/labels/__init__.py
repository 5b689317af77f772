"""The six families of labels, each in its own file."""

from vidi.labels.base import Label
from vidi.labels.classification import Classification
from vidi.labels.detections import Detections
from vidi.labels.embedding import Embedding
from vidi.labels.outline import Outline, Polygons, Runs
from vidi.labels.regression import Regression
from vidi.labels.segmentation import Segmentation
from vidi.labels.text import Text

FAMILIES: dict[str, type[Label]] = {
    family.__name__: family for family in (Classification, Regression, Detections, Segmentation, Text, Embedding)
}

__all__ = [
    "FAMILIES", "Classification", "Detections", "Embedding", "Label", "Outline", "Polygons", "Regression", "Runs", "Segmentation", "Text",
]  # fmt: skip
