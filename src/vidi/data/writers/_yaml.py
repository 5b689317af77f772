"""A data.yaml beside what a writer wrote."""

from __future__ import annotations

from pathlib import Path

from vidi.core.dataset import Dataset
from vidi.core.files import write_text


def write_yaml(path: Path, dataset: Dataset, first: dict[str, object]) -> None:
    """Write the class names in their order, with the source's ids where it had any; nothing, where there is nothing to say.

    Args:
        first: what stands before: where the splits are.
    """
    import yaml

    values, space = dict(first), dataset.space
    if space is not None and space.names:
        values |= {"nc": len(space.names), "names": list(space.names)}
        if space.ids:
            values["ids"] = list(space.ids)
    if values:
        write_text(path, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
