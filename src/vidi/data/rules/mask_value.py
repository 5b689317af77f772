"""Pixels of masks that are of no class."""

from dataclasses import replace

from vidi.data.readers._mask_values import UNKNOWN
from vidi.data.rules._base import about_sample

SEVERITY = "error"
MEANING = "The mask has values that no class has. A repair takes these pixels for not known."
FIX = "Correct the mask, or name the class in a data.yaml (names, with ids for the values; ignore for values of which nothing is known)."
SHOWN = 5


def check(dataset, looks):
    if dataset.space is None or dataset.space.family != "Segmentation":
        return
    maps = looks.maps
    for row, strange in zip(maps.row.tolist(), maps.strange):
        if not strange:
            continue
        values = {value - UNKNOWN if value >= UNKNOWN else value: count for value, count in strange.items()}
        few = ", ".join(f"{value} ({count} pixels)" for value, count in sorted(values.items())[:SHOWN])
        more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
        ids = dataset.space.ids or tuple(range(len(dataset.space)))
        known = f"{ids[0]} to {ids[-1]}" if ids == tuple(range(ids[0], ids[0] + len(ids))) else ", ".join(map(str, ids[:10])) + (" …" if len(ids) > 10 else "")
        message = f"no class has the value {few}{more}; the classes are {known}"
        yield replace(about_sample(dataset, row, message, at=dataset[row].extra.get("file"), value=", ".join(map(str, sorted(values)[:SHOWN]))), action="ignore")
