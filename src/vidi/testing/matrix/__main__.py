"""``python -m vidi.testing.matrix [--tasks A,B] [--verbs C,D] [--nets all] [--out docs/matrix.md] [--json FILE]``: print the matrix, and write it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from vidi.errors import VidiError
from vidi.testing.matrix import SECONDS, matrix


def main(words: Sequence[str] | None = None) -> int:
    """The exit code: 0 when no cell fails, 1 when one does, 2 when the words are refused."""
    from rich.console import Console

    from vidi.core.recipe import split_list

    parser = argparse.ArgumentParser("python -m vidi.testing.matrix", description="Every task's toy data through every verb, checking behavior.")
    for name in ("tasks", "verbs", "nets"):
        parser.add_argument(f"--{name}", type=split_list, help="names or paths, with commas between; left out: all there are (nets: each task's default)")
    parser.add_argument("--out", action="append", default=[], help="a .md or .json file to write; may stand several times")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="cells that were not begun by then fail")
    given = parser.parse_args(words)
    try:
        table = matrix(given.tasks, given.verbs, "all" if given.nets == ["all"] else given.nets, seconds=given.seconds)
        for path in given.out:
            table.save(path)
    except VidiError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    table.show(Console())
    return 1 if table.faults else 0


if __name__ == "__main__":
    sys.exit(main())
