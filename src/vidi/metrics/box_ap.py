"""COCO's twelve numbers about boxes (Lin et al. 2014, arXiv:1405.0312), equal to those of pycocotools.

Where they differ on purpose: undefined numbers are None instead of −1, and of equal scores in one picture the box decides, so that no
number depends on the order of the predictions. The size of a true thing is the area of its mask or outline where the truth has
one, otherwise of its box; a prediction's is the area of its box.
"""

from vidi.metrics._measures import BOXES
from vidi.metrics._thing_ap import AveragePrecision

FAMILIES = frozenset({"Detections"})
EXCLUSIVE = None

metric = AveragePrecision(BOXES)
HIGHER_IS_BETTER = metric.higher_is_better
estimator, numbers, counts, figures = metric.estimator, metric.numbers, metric.counts, metric.figures
