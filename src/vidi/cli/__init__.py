"""The command line, derived from the verbs' signatures and docstrings."""

from vidi.cli.main import main

__all__ = ["main"]
