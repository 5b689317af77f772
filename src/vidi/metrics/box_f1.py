"""Precision, recall and F1 of boxes at a score threshold, and what other thresholds would give."""

from vidi.metrics._measures import BOXES
from vidi.metrics._thing_f1 import F1

FAMILIES = frozenset({"Detections"})
EXCLUSIVE = None

metric = F1(BOXES)
HIGHER_IS_BETTER = metric.higher_is_better
estimator, numbers, counts, figures = metric.estimator, metric.numbers, metric.counts, metric.figures
