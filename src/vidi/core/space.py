"""What a label's numbers stand for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Space:
    """The meaning of a data set's labels, kept in the model file and in every export.

    Args:
        family: a label family's name, such as ``Classification``.
        names: class names by index, or the names of the values.
        exclusive: for classes: exactly one holds.
        ids: the number each class had in the files it was read from (COCO's ``category_id``), by index; empty: its index.
    """

    family: str
    names: tuple[str, ...] = ()
    exclusive: bool = True
    ids: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"names": list(self.names), "ids": list(self.ids)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Space:
        return cls(values["family"], tuple(values["names"]), bool(values["exclusive"]), tuple(values.get("ids", ())))
