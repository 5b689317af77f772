"""Pictures for methods that need no labels, from a data set in any format or from anything that predictions are made on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from vidi.core.dataset import Dataset
from vidi.core.task import Task
from vidi.data.read import read
from vidi.data.source import sources


def pictures(source: Any, task: Task | None = None) -> Dataset:
    """The pictures of a source, with labels where it has any.

    Args:
        source: a folder is read as a data set, so that its masks are not taken for pictures; everything else as `vidi.data.source.sources`
            does.
        task: what labels are for.

    Raises:
        DataError: nothing there, no pictures, or a data set that cannot be read.
    """
    if isinstance(source, Dataset):
        return read(source, task=task)
    if isinstance(source, (str, os.PathLike)) and Path(source).expanduser().is_dir():
        return read(Path(source), task=task)
    found = sources(source)
    return found if task is None else task.adapted(found)
