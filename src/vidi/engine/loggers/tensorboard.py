"""TensorBoard event files in the run folder (extra ``tensorboard``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidi.engine.loggers._remote import RemoteLogger, need


class Logger(RemoteLogger):
    name = "tensorboard"

    def __init__(self, folder: Path):
        need("tensorboard", "tensorboard")
        self.writer = need("torch.utils.tensorboard", "tensorboard").SummaryWriter(str(Path(folder) / "tensorboard"))

    def log(self, row: dict[str, Any]) -> None:
        for key, value in self.numbers(row).items():
            self.writer.add_scalar(key, value, row["epoch"])

    def close(self) -> None:
        self.writer.close()
