"""Precision over recall of masks at two overlaps: figures only."""

from vidi.metrics._measures import MASKS
from vidi.metrics._thing_curves import Curves

FAMILIES = frozenset({"Detections"})
EXCLUSIVE = None

metric = Curves(MASKS)
HIGHER_IS_BETTER: dict[str, bool] = {}
numbers, figures = metric.numbers, metric.figures
