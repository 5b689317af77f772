"""Weights & Biases, in the mode its own environment says (extra ``wandb``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidi.engine.loggers._remote import RemoteLogger, need


class Logger(RemoteLogger):
    name = "wandb"

    def __init__(self, folder: Path):
        self.run = need("wandb", "wandb").init(project="vidi", name=Path(folder).name, dir=str(folder))

    def log(self, row: dict[str, Any]) -> None:
        self.run.log(self.numbers(row), step=row["epoch"])

    def close(self) -> None:
        self.run.finish()
