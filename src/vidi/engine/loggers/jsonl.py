"""``metrics.jsonl``: one JSON object per epoch."""

from __future__ import annotations

import json
from typing import Any

from vidi.engine.loggers._file import FileLogger


class Logger(FileLogger):
    name, file = "jsonl", "metrics.jsonl"

    def log(self, row: dict[str, Any]) -> None:
        self.append(json.dumps(row) + "\n")
