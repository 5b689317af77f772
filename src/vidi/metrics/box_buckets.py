"""How well small, large, clear and occluded things are found by their boxes."""

from vidi.metrics._measures import BOXES
from vidi.metrics._thing_buckets import Buckets

FAMILIES = frozenset({"Detections"})
EXCLUSIVE = None

metric = Buckets(BOXES)
HIGHER_IS_BETTER = metric.higher_is_better
estimator, numbers, counts, figures = metric.estimator, metric.numbers, metric.counts, metric.figures
