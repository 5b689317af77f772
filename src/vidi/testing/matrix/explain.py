"""Maps beat random ones at deletion and insertion, or the report says that they do not; the verdict agrees with the interval."""

from __future__ import annotations

import vidi
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row

COUNT = 6
BETTER, NO_BETTER = "better than random", "no better than random"


def check(row: Row) -> Found:
    report = vidi.explain(row.model, row.pictures(COUNT), limit=COUNT)
    method, verdicts = next(iter(report.about["verdicts"].items()))
    gain, interval = report.numbers[f"{method}.gain"], report.intervals.get(f"{method}.gain")
    said = verdicts["score"]
    agrees = said == (BETTER if interval is not None and interval[0] > 0 else NO_BETTER)
    checked = report.numbers.get(f"{method}.random_weights")
    holds = agrees and gain is not None and -1 <= gain <= 1 and verdicts["sanity"] != "not checked"
    return Found(holds, f"{method} gain {gain if gain is not None else 0:+.2f}, {said}", {"gain": gain, "random_weights": checked})
