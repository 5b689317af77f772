"""A model compared with itself shows no difference."""

from __future__ import annotations

import vidi
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row


def check(row: Row) -> Found:
    places = [str(row.folder()) for _ in range(2)]
    for place in places:
        vidi.val(row.model, row.data, split="test", intervals=20, out=place)
    report = vidi.compare(*places)
    verdicts = report.about["verdict"]
    other = [name for name, verdict in verdicts.items() if verdict not in ("equal", "not computable")]
    differences = [value for name, value in report.numbers.items() if name.endswith(".difference") and value is not None]
    holds = not other and not any(differences) and len(differences) > 0
    return Found(holds, f"{len(differences)} differences, all 0" if holds else f"differ: {', '.join(other)[:120]}", {"compared": len(differences), "differ": len(other)})
