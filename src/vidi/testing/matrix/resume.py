"""A run that is cut off and resumed ends with the weights of an uninterrupted one, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import vidi
from vidi.core.tensors import digest
from vidi.engine.loop import Callback, Loop
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row

VERBS = ("train",)
COUNT, CUT = 32, 2


class _Cut(Exception):
    """The run ends here, as if the process had died."""


class _Cutter(Callback):
    def on_step_end(self, loop: Loop, parts: dict[str, Any]) -> None:
        if loop.position.step == CUT:
            raise _Cut


def check(row: Row) -> Found:
    data, project = row.few(COUNT), str(row.folder())
    settings: dict[str, Any] = row.settings() | {"epochs": 2, "batch": 8, "checkpoint_every": 1}
    vidi.train(data, project=project, name="whole", **settings)
    try:
        vidi.train(data, project=project, name="cut", callbacks=[_Cutter()], **settings)
        return Found(False, "the run was not cut off")
    except _Cut:
        pass
    vidi.train(data, project=project, name="cut", resume=True)
    whole, again = (digest(vidi.load(_last(project, name), code=row.code).net.state_dict()) for name in ("whole", "cut"))
    return Found(whole == again, f"weights {'equal' if whole == again else 'differ'}, cut at step {CUT}", {"equal": float(whole == again)})


def _last(project: str, name: str) -> Path:
    return next(Path(project).glob(f"*/{name}/weights/last.vidi"))
