"""Base of loggers that hand rows to another program, which keeps its own order by step."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from vidi.errors import InputError


def need(module: str, extra: str) -> ModuleType:
    """An optional package.

    Raises:
        InputError: not installed; the extra to install is named.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(f"the logger needs a package that is not installed: {error}", at="loggers", value=extra, fix=f"pip install 'vidi[{extra}]'") from None


class RemoteLogger:
    """Numbers of a row by name; position and rewind mean nothing here."""

    name = "remote"

    @staticmethod
    def numbers(row: dict) -> dict[str, float]:
        return {key: float(value) for key, value in row.items() if isinstance(value, (int, float))}

    def position(self) -> int:
        return 0

    def rewind(self, position: int) -> None:
        pass

    def close(self) -> None:
        pass
