"""Before and after a short hardening the model is attacked in the same way, and the verdict agrees with the intervals; either verdict counts."""

from __future__ import annotations

import vidi
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row

METHOD, ATTACK, BUDGET, COUNT = "pgd(steps=2)", "pgd(steps=5)", "8/255", 24
BETTER = "better"


def check(row: Row) -> Found:
    report = vidi.defend(
        row.path, row.data, method=METHOD, budget=BUDGET, epochs=1, attack=ATTACK, limit=COUNT, checks=False, intervals=50, doctor=False, device="cpu",
        project=str(row.folder()), code=row.code, verbose=False,
    )  # fmt: skip
    names = [f"{when}.{what}{row.task.primary}" for when in ("before", "after") for what in ("", "robust_")]
    clean, robust, clean_after, robust_after = (report.numbers[name] for name in names)
    first, second = (report.intervals.get(f"{when}.robust_{row.task.primary}") for when in ("before", "after"))
    apart = first is not None and second is not None and (second[0] > first[1] if row.task.higher_is_better else second[1] < first[0])
    verdict = report.about["verdict"]
    shown = [f"{value:.3g}" if value is not None else "none" for value in (robust, robust_after, clean, clean_after)]
    words = f"robust {shown[0]} → {shown[1]}, clean {shown[2]} → {shown[3]}: {verdict}"
    return Found((verdict == BETTER) == apart and clean is not None, words, {name: report.numbers[name] for name in names})
