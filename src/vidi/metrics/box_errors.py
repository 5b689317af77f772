"""How much average precision of boxes each kind of error costs (TIDE, Bolya et al. 2020, arXiv:2008.08050)."""

from vidi.metrics._measures import BOXES
from vidi.metrics._thing_errors import ErrorCosts

FAMILIES = frozenset({"Detections"})
EXCLUSIVE = None

metric = ErrorCosts(BOXES)
HIGHER_IS_BETTER = metric.higher_is_better
estimator, numbers, counts, figures = metric.estimator, metric.numbers, metric.counts, metric.figures
