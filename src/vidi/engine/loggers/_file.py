"""A log file that can be taken back to where a checkpoint was."""

from __future__ import annotations

from pathlib import Path


class FileLogger:
    """Base of loggers that append text to one file.

    Args:
        folder: the run folder.
    """

    name = "file"
    file = "log"

    def __init__(self, folder: Path):
        self.path = Path(folder) / self.file

    def append(self, text: str) -> None:
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            file.write(text)

    def position(self) -> int:
        """Bytes written so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def rewind(self, position: int) -> None:
        """Forget what was written after `position`."""
        if self.path.exists():
            with open(self.path, "r+b") as file:
                file.truncate(position)

    def close(self) -> None:
        pass
