"""Steps put in front of the net and taken out again leave its outputs as they were; put in, they change them, and labeled data gives a verdict."""

from __future__ import annotations

import json

import vidi
from vidi.core import discovery
from vidi.errors import InputError
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row, raw_outputs, same_raw


def check(row: Row) -> Found:
    pictures, refused = row.pictures(4), None
    same: list[str] = []
    other: list[str] = []
    plain = raw_outputs(row.model, pictures)
    for step in discovery.names("nets/enhance"):
        files = [str(row.folder().with_suffix(".vidi")) for _ in range(2)]
        try:
            vidi.enhance(row.path, steps=[step], out=files[0], code=row.code)
        except InputError as error:
            refused = error
            continue
        vidi.enhance(files[0], steps=["none"], out=files[1], code=row.code)
        within, without = (raw_outputs(vidi.load(file, code=row.code), pictures) for file in files)
        (same if same_raw(plain, without) and not same_raw(plain, within) else other).append(step)
    if refused is not None and not same and not other:
        raise refused
    measured = vidi.enhance(row.model, row.some(24), steps=same[:1] or ["none"], intervals=20)
    verdict = json.loads(measured.reports["enhance.json"])["about"]["verdict"]
    words = f"{len(same)} steps in and out: equal, {same[0] if same else 'none'}: {verdict}" + (f"; not so: {', '.join(other)}" if other else "")
    return Found(bool(same) and not other and bool(verdict), words, {"equal": len(same), "differ": len(other)})
