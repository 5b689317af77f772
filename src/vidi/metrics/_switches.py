"""Every identity switch of a result: where a true track goes on under another predicted track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vidi.core.space import Space
from vidi.labels import Detections
from vidi.metrics._arrays import names_of
from vidi.metrics._tracks import class_count, counted, films, shots
from vidi.ops.tracking_scores import identity_switches


def switches(
    truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The switches that ``id_switches`` counts, sequence by sequence in the order of the frames, in plain JSON values.

    Args:
        truth, predicted: N labels with tracks.
        settings: ``groups`` and ``frames``, as `vidi.metrics.tracking` takes them.

    Returns:
        of each: ``sequence``, ``frame`` (its number), ``index`` (the sample), ``class``, ``track`` (the true one), ``from`` and ``to``
        (the predicted ones), ``box`` and ``found`` (the true and the predicted box, x1 y1 x2 y2), ``last`` and ``last_frame`` (the sample
        and the number of the frame in which the true track was found before, then by ``from``).
    """
    masks, names = counted(truth, predicted), names_of(space, class_count(truth, predicted, space))
    found = []
    for film in films(len(truth), settings):
        own = []
        for kind, each in shots(film, truth, predicted, masks).items():
            for switch in identity_switches(each.truth, each.predicted, each.overlaps):
                t, (left, right) = switch.frame, each.places[switch.frame]
                index, last = int(film.rows[t]), int(film.rows[switch.last])
                own.append({
                    "sequence": film.name, "frame": int(film.frames[t]), "index": index, "class": names[kind], "track": switch.track,
                    "from": switch.before, "to": switch.after, "box": truth[index].boxes[left[switch.row]].tolist(),
                    "found": predicted[index].boxes[right[switch.column]].tolist(), "last": last, "last_frame": int(film.frames[switch.last]),
                })  # fmt: skip
        found += sorted(own, key=lambda switch: switch["frame"])
    return found
