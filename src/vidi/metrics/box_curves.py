"""Precision over recall of boxes at two overlaps: figures only."""

from vidi.metrics._measures import BOXES
from vidi.metrics._thing_curves import Curves

FAMILIES = frozenset({"Detections"})
EXCLUSIVE = None

metric = Curves(BOXES)
HIGHER_IS_BETTER: dict[str, bool] = {}
numbers, figures = metric.numbers, metric.figures
