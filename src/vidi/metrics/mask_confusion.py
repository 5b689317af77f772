"""Which classes of things are taken for which, for background, or seen where there is nothing, by their masks: figures only."""

from vidi.metrics._measures import MASKS
from vidi.metrics._thing_confusion import Confusion

FAMILIES = frozenset({"Detections"})
EXCLUSIVE = None

metric = Confusion(MASKS)
HIGHER_IS_BETTER: dict[str, bool] = {}
numbers, figures = metric.numbers, metric.figures
