"""Anchors that are fitted to the data overlap its boxes more than the usual ones."""

from __future__ import annotations

import vidi
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row


def check(row: Row) -> Found:
    report = vidi.anchors(row.data, imgsz=64, count=3, task=row.task_name, generations=50, pictures=1, out=str(row.folder()))
    fitted, usual = (report.numbers[f"{name}.mean_iou"] or 0.0 for name in ("fitted", "yolov3"))
    return Found(fitted > usual, f"mean IoU {fitted:.2f} > {usual:.2f}", {"fitted": fitted, "usual": usual})
