"""What a model file says about its model: ``model.json``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vidi.core.preprocess import FITS, Preprocess
from vidi.core.space import Space
from vidi.errors import InputError, ModelError, nearest
from vidi.labels import FAMILIES

FORMAT = 1


class Alarm(BaseModel):
    """From how far an answer moves when small changes are washed out a picture is called suspect, see `vidi.engine.alarm`.

    `steps` are the squeezers, as calls; `rate` is the share of clean pictures that lay above `threshold`, of `pictures`.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    steps: list[str] = Field(min_length=1)
    threshold: float = Field(ge=0, allow_inf_nan=False)
    rate: float = Field(ge=0, le=1)
    pictures: int = Field(ge=0)


class Card(BaseModel):
    """Everything about a model but its weights; plain JSON, no code.

    `enhance` holds the steps that pictures take first, as calls; `alarm` tells suspect pictures. `numbers` holds what was measured, by data split, with the fingerprint of the data it was measured on.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    format: int = FORMAT
    task: str
    net: str
    net_options: dict[str, Any] = Field(default_factory=dict)
    head: str
    enhance: list[str] = Field(default_factory=list)
    alarm: Alarm | None = None
    space: dict[str, Any]
    inputs: dict[str, dict[str, Any]]
    raw: dict[str, dict[str, Any]]
    preprocess: dict[str, Any]
    thresholds: list[float] | None = None
    calibration: dict[str, Any] = Field(default_factory=dict)
    numbers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    data: dict[str, Any] = Field(default_factory=dict)
    recipe: dict[str, Any] = Field(default_factory=dict)
    lineage: list[dict[str, Any]] = Field(default_factory=list)
    licenses: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    created: str = ""
    weights_sha256: str = ""

    @property
    def label_space(self) -> Space:
        return Space.from_dict(self.space)

    @property
    def canvas(self) -> Preprocess:
        return Preprocess.from_dict(self.preprocess)


def parse_card(values: Any, file: Any) -> Card:
    """A checked card.

    Raises:
        ModelError: unknown format version, missing, unknown or mistyped fields, or values that cannot be meant.
    """
    if not isinstance(values, dict):
        raise ModelError("model.json is not a table", file=file, at="model.json")
    if values.get("format") != FORMAT:
        raise ModelError("unknown format version", file=file, at="model.json/format", value=values.get("format"), fix=f"this vidi reads {FORMAT}")
    try:
        card = Card(**values)
        space, canvas = card.label_space, card.canvas
    except ValidationError as error:
        first = error.errors()[0]
        at = "model.json/" + "/".join(str(part) for part in first["loc"])
        close = nearest(str(first["loc"][0]), Card.model_fields)
        raise ModelError(first["msg"], file=file, at=at, fix=f"did you mean {close[0]}?" if close and first["type"] == "extra_forbidden" else None) from None
    except InputError as error:
        raise ModelError(f"preprocess: {error.rule}", file=file, at="model.json/preprocess", value=error.value, fix=error.fix) from None
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"incomplete table: {error}", file=file, at="model.json") from None
    if space.family not in FAMILIES or not all(isinstance(name, str) for name in space.names):
        raise ModelError("unknown label family or names that are not text", file=file, at="model.json/space", value=space.family)
    sides_ok = len(canvas.size) == 2 and all(isinstance(side, int) and 1 <= side <= 16384 for side in canvas.size)
    if not sides_ok or canvas.fit not in FITS or not isinstance(canvas.fill, int):
        raise ModelError("preprocess needs a size of 1..16384 pixels and a known fit", file=file, at="model.json/preprocess", value=card.preprocess)
    if card.thresholds is not None and len(card.thresholds) != len(space):
        raise ModelError("one threshold per class is needed", file=file, at="model.json/thresholds", value=len(card.thresholds))
    return card
