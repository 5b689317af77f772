"""As many crops are cut out as there are things that are large enough, each with its own thing's class."""

from __future__ import annotations

from collections import Counter

import vidi
from vidi.labels import Classification, Detections
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row

LEAST = 6.0


def check(row: Row) -> Found:
    data = row.few(24)
    found = vidi.crops(data, by="class", least=LEAST, every=1)
    names = data.space.names if data.space is not None else ()
    things = [label for label in data.labels if isinstance(label, Detections)]
    large = [label.classes[(label.boxes[:, 2:] - label.boxes[:, :2]).min(1, initial=1e9) >= LEAST] for label in things]
    expected = Counter(names[kind] for kinds in large for kind in kinds.tolist())
    own = found.space.names if found.space is not None else ()
    got = Counter(own[label.top] for label in found.labels if isinstance(label, Classification))
    return Found(got == expected, f"{len(found)} crops of {len(got)} classes", {"crops": len(found), "expected": expected.total()})
