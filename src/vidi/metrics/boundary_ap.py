"""COCO's twelve numbers by boundaries: Boundary AP (Cheng et al. 2021, "Boundary IoU", arXiv:2103.16562).

The overlap of two masks is the IoU of the parts of them that lie near their own outlines, within 2 % of the picture's diagonal (at
least a pixel), or that of the masks where it is smaller, as in the published program. It sees errors at the outlines of large things
that mask AP hardly counts. Masks and the rest are as in `mask_ap`.
"""

from vidi.metrics._measures import BORDERS
from vidi.metrics._thing_ap import AveragePrecision

FAMILIES = frozenset({"Detections"})
EXCLUSIVE = None

metric = AveragePrecision(BORDERS)
HIGHER_IS_BETTER = metric.higher_is_better
estimator, numbers, counts, figures = metric.estimator, metric.numbers, metric.counts, metric.figures
