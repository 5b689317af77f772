"""By unlabeled pictures of another light, norms are changed and nothing else, and the report says how far; or the method refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

import vidi
from vidi.core import discovery
from vidi.core.dataset import Dataset
from vidi.errors import InputError
from vidi.nets._transfer import NORMS
from vidi.testing.matrix._cell import Found, sentence
from vidi.testing.matrix._row import Row

COUNT, DIMMED = 32, 0.6
SHORT = {"tent": "(steps=8)"}


def check(row: Row) -> Found:
    data, holds = _dimmed(row), True
    words: list[str] = []
    numbers: dict[str, float | None] = {}
    refused: InputError | None = None
    note = ""
    for method in discovery.names("methods/adapt"):
        file = row.folder().with_suffix(".vidi")
        try:
            report = vidi.adapt(row.model, data, method=method + SHORT.get(method, ""), out=str(file), batch=16)
        except InputError as error:
            refused = error
            words.append(f"{method} refuses")
            note += f"{method}: {sentence(error)}. "
            continue
        before, after = row.model.net, vidi.load(file, code=row.code).net
        norms = {name for name, module in before.named_modules() if isinstance(module, NORMS)}
        state = after.state_dict()
        changed = {name for name, value in before.state_dict().items() if not torch.equal(value, state[name])}
        only = all(name.rpartition(".")[0] in norms for name in changed)
        said = report.numbers["changed"] is not None and bool(report.about["notes"])
        holds = holds and only and said and (bool(changed) or report.about["stopped"] is not None)
        stopped = ", stopped by its guard" if report.about["stopped"] else ""
        words.append(f"{method} {len(changed)} tensors, {report.numbers['changed'] or 0:.0%} of labels{stopped}")
        numbers |= {f"{method}.tensors": len(changed), f"{method}.changed": report.numbers["changed"]}
    if refused is not None and not numbers:
        raise refused
    return Found(holds and bool(numbers), "; ".join(words), numbers, note.strip())


def _dimmed(row: Row) -> Dataset:
    """Unlabeled pictures, darker than those of the training."""
    part = row.pictures(COUNT)
    return part.with_samples(replace(one, inputs={**one.inputs, "image": (one.inputs["image"] * DIMMED).round().astype(np.uint8)}) for one in part)
