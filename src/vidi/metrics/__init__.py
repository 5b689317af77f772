"""One metric per file, over labels; `evaluate` computes those asked for, with bootstrap intervals and figures."""

from vidi.metrics._evaluate import Evaluation, applicable, evaluate
from vidi.metrics._paired import paired

__all__ = ["Evaluation", "applicable", "evaluate", "paired"]
