"""Write a data set in another format."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidi.core.dataset import Dataset


def convert(data: str | Dataset, folder: str, *, to: str, task: str | None = None, split: str | None = None, lossy: bool = False) -> Dataset:
    """Write a data set in another format, with copies of its pictures, and make sure that nothing was lost.

    What was written is read again and compared. Labels that the format cannot hold are named and refused, unless the loss is allowed;
    then they are counted. The data is never changed.

    Args:
        data: a folder, table, file of annotations or data.yaml.
        folder: where to write; new or empty, and outside of the data.
        to: the format (`vidi list writers`), or a .py file that defines one.
        task: what the data is for, where its labels can be read in several ways.
        split: only train, val or test.
        lossy: leave out what the format cannot hold.

    Returns:
        the data set as it was read back.
    """
    from pathlib import Path

    from vidi.core import discovery
    from vidi.core.console import say
    from vidi.data import read
    from vidi.data._same import SHOWN, differences, unkept
    from vidi.errors import DataError
    from vidi.labels import Detections

    room = "data/writers"
    writer = discovery.load(room, to)
    write, held, places = (discovery.member(writer, name, room) for name in ("write", "held", "places"))
    tolerance = getattr(writer, "TOLERANCE", 0.0)
    dataset = read(data, task=task, split=split)
    kept, lost = held(dataset)
    path = Path(write(dataset, folder, lossy=lossy))
    again = read(path, task=task)
    odd = differences(kept, again, places(kept), path, tolerance)
    if odd:
        more = f"; and {len(odd) - SHOWN} more" if len(odd) > SHOWN else ""
        raise DataError(f"not read back as it was written: {'; '.join(odd[:SHOWN])}{more}", file=path, fix="please report it, with the data if you can")
    things = sum(len(label) for label in again.labels if isinstance(label, Detections))
    how = f"to {tolerance:g} of a picture's side" if tolerance else "exactly"
    say(f"written to {path} as {to}: {len(again)} pictures" + (f", {things} things" if things else ""))
    again.notes.append(f"read back and compared: labels are equal {how}")
    again.notes += [f"left out: {count} {what}" for what, count in lost.items()]
    if gone := unkept(kept, again):
        again.notes.append(f"what the source says beyond labels is not kept: {', '.join(gone)}")
    if dataset.space is not None and again.space is not None and dataset.space.ids != again.space.ids:
        again.notes.append("the source's category ids are not kept: classes are known by name and index")
    return again
