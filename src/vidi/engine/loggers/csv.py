"""``results.csv``: the rows of ``metrics.jsonl`` as a table, with every column that any row has."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from vidi.core.files import atomic_write


class Logger:
    name = "csv"

    def __init__(self, folder: Path):
        self.source, self.path = Path(folder) / "metrics.jsonl", Path(folder) / "results.csv"

    def log(self, row: dict[str, Any]) -> None:
        rows = read_rows(self.source)
        header = list(dict.fromkeys(key for row in rows for key in row))
        with atomic_write(self.path, "w") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(["" if row.get(key) is None else row[key] for key in header] for row in rows)

    def position(self) -> int:
        return 0

    def rewind(self, position: int) -> None:
        pass

    def close(self) -> None:
        pass


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a ``metrics.jsonl``; a line cut short by a crash is left out."""
    rows = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                break
    return rows
