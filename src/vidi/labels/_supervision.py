"""Things in the form of the `supervision` package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vidi.errors import ResourceError
from vidi.labels._draw import name_of

if TYPE_CHECKING:
    from vidi.labels.detections import Detections


def to_supervision(label: Detections, names: Sequence[str]) -> Any:
    try:
        import supervision
    except ImportError:
        raise ResourceError("this needs the package supervision", value="to_supervision", fix="pip install supervision") from None
    data: dict[str, Any] = {"class_name": np.array([name_of(int(c), names) for c in label.classes], dtype=np.str_)}
    if label.texts is not None:
        data["text"] = np.array(label.texts, dtype=np.str_)
    size = label._canvas()
    return supervision.Detections(
        xyxy=label.boxes.copy(), confidence=label.scores.copy(), class_id=label.classes.astype(int), mask=None if size is None else label.bitmaps(size).copy(),
        tracker_id=None if label.tracks is None else label.tracks.astype(int), data=data,
    )  # fmt: skip
