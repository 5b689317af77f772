"""Toy data saved to disk has no errors, and a picture that is cut off is found and named."""

from __future__ import annotations

import vidi
from vidi.core.console import quiet
from vidi.data import read
from vidi.data.save import write_dataset
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row


def check(row: Row) -> Found:
    path = write_dataset(row.few(24), row.folder())
    sound = vidi.doctor(str(path), task=row.task_name, near=False, show=0)
    broken = read(path, task=row.task).samples[3].file
    if broken is None:
        return Found(False, "pictures are not read as files")
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    with quiet():
        after = vidi.doctor(str(path), task=row.task_name, near=False, show=0)
    named = sum(broken.name in str(finding) for finding in after.about["findings"] if finding.get("level", "error") == "error")
    errors = [report.numbers["errors"] for report in (sound, after)]
    return Found(errors[0] == 0 and bool(errors[1]) and named > 0, f"{errors[0]} errors; planted: {named} found", {"errors": errors[0], "planted": errors[1], "named": named})
