"""Things keep their numbers: through videos with true tracks (HOTA, fewer switches than frames), else through a still one."""

from __future__ import annotations

import csv
from pathlib import Path

import vidi
from vidi.core.dataset import Dataset, Sample
from vidi.labels import Detections
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row

FRAMES = 8


def check(row: Row) -> Found:
    model = row.model
    if any(isinstance(label, Detections) and label.tracks is not None for label in row.data.labels):
        report = vidi.track(model, row.data, split="test")
        numbers = {name: report.numbers.get(name) for name in ("hota", "idf1", "id_switches", "frames", "videos")}
        hota, switches = numbers["hota"], numbers["id_switches"]
        if hota is None or switches is None:
            return Found(False, f"{numbers['videos']} videos with true tracks, and no HOTA", numbers)
        words = f"HOTA {hota:.2f}, {switches} switches in {numbers['frames']} frames"
        return Found(hota > 0 and switches < (numbers["frames"] or 0), words, numbers)
    out = row.folder()
    report = vidi.track(model, _still(row), draw=False, out=str(out))
    ids = _by_frame(out)
    kept = len(ids) == FRAMES and all(one == ids[-1] for one in ids[1:])
    words = f"{len(ids[-1]) if ids else 0} things through {FRAMES} still frames, {report.numbers['tracks']} tracks"
    return Found(kept, words, {"tracks": report.numbers["tracks"], "frames": report.numbers["frames"]})


def _still(row: Row) -> Dataset:
    """A video that shows one picture again and again: of the held-out ones, that with the surest thing."""
    held = row.pictures(24)
    found = vidi.predict(row.model, held).labels
    scores = [float(label.scores.max(initial=0)) if isinstance(label, Detections) else 0.0 for label in found]
    picture = held[scores.index(max(scores))].inputs
    return held.with_samples(Sample(f"still#{i:06d}", picture, None, None, "still", None, {"frame": i, "seconds": i / 10}) for i in range(FRAMES))


def _by_frame(folder: Path) -> list[set[str]]:
    """The numbers seen in each frame that shows any."""
    frames: dict[str, set[str]] = {}
    with open(folder / "tracks.csv", encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            frames.setdefault(line["frame"], set()).add(line["track"])
    return list(frames.values())
