"""Saved and loaded again, a model gives equal raw outputs, and its card is the same."""

from __future__ import annotations

import vidi
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row, raw_outputs, same_raw

VERBS = ("train", "inspect")


def check(row: Row) -> Found:
    model, pictures = row.model, row.pictures(8)
    path = model.save(row.folder().with_suffix(".vidi"))
    again = vidi.load(path, code=row.code)
    same = same_raw(raw_outputs(model, pictures), raw_outputs(again, pictures))
    cards = [one.card.model_copy(update={"weights_sha256": ""}) for one in (model, again)]
    parameters = vidi.inspect(str(path), code=row.code).numbers["parameters"]
    counted = sum(p.numel() for p in model.net.parameters())
    holds = same and cards[0] == cards[1] and parameters == counted
    return Found(holds, f"outputs {'equal' if same else 'differ'}, {counted} parameters", {"equal": float(same), "parameters": counted})
