"""MLflow, at the tracking address its own environment names (extra ``mlflow``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidi.engine.loggers._remote import RemoteLogger, need


class Logger(RemoteLogger):
    name = "mlflow"

    def __init__(self, folder: Path):
        self.mlflow = need("mlflow", "mlflow")
        self.run = self.mlflow.start_run(run_name=Path(folder).name)

    def log(self, row: dict[str, Any]) -> None:
        self.mlflow.log_metrics({key.replace("/", "."): value for key, value in self.numbers(row).items()}, step=row["epoch"])

    def close(self) -> None:
        self.mlflow.end_run()
