"""Which classes of things are taken for which, for background, or seen where there is nothing, by their boxes: figures only."""

from vidi.metrics._measures import BOXES
from vidi.metrics._thing_confusion import Confusion

FAMILIES = frozenset({"Detections"})
EXCLUSIVE = None

metric = Confusion(BOXES)
HIGHER_IS_BETTER: dict[str, bool] = {}
numbers, figures = metric.numbers, metric.figures
