"""Answers to why a thing bears a number in a frame, as words, tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidi.labels._draw import canvas, font, tag
from vidi.methods.track._why_watch import Record, Weighed
from vidi.report.pictures import encode

WIDE, TALL = 960, 540
OWN, OTHER, EXPECTED, GROUND = (225, 30, 45), (60, 84, 180), (244, 196, 48), (236, 237, 240)
NUMBERS = ("iou", "motion", "limit", "look", "doubt", "bonus", "cost", "less")
HEADS = {"iou": "IoU", "motion": "motion cost", "limit": "motion limit", "look": "look", "doubt": "look: doubt", "bonus": "bonus", "cost": "cost", "less": "too dear by"}
NOTE = (
    "IoU is with the box where the track was expected (yellow). A pair is possible while its motion cost is below the limit; cost is what counts after looks and bonus, and "
    "too dear by is how much less it had to cost for another decision. look: distance to the track's average look, 0 the same, 0.5 as far apart as things here are; "
    "doubt: what the tracker makes of it, by default the probability that they are not one thing's."
)


@dataclass(slots=True)
class Answer:
    """What is known of one decision.

    Args:
        video, track, frame: the question.
        box, score: of the detection that bears the number.
        events: what the tracker itself told of it.

    Attributes:
        takers: tracks that could have taken the detection, as dicts, the chosen first.
        takes: other detections that the track could have taken.
        remembered: tracks out of sight whose looks were compared.
        boxes: by letter: box, the number it bears now, and its score; A is the one that is asked about.
        expected: where the track was expected; None: it is new.
        map, trust: what makes the crop look like the track, and how far to trust that.
    """

    video: str
    track: int
    frame: int
    box: np.ndarray
    score: float
    events: list[dict[str, Any]]
    takers: list[dict[str, Any]] = field(default_factory=list)
    takes: list[dict[str, Any]] = field(default_factory=list)
    remembered: list[dict[str, Any]] = field(default_factory=list)
    boxes: dict[str, tuple[np.ndarray, int, float]] = field(default_factory=dict)
    expected: np.ndarray | None = None
    weighed: bool = False
    map: np.ndarray | None = None
    trust: dict[str, Any] = field(default_factory=dict)

    def letters(self) -> list[tuple[str, np.ndarray, int]]:
        """(letter, box, number) of all detections that are spoken of."""
        return [(letter, box, number) for letter, (box, number, _) in self.boxes.items()] or [("A", self.box, self.track)]

    def weigh(self, record: Record, row: int | None, column: int) -> None:
        """Takes over what was recorded about a track (None: a new one) and a detection."""
        self.weighed = True
        self.boxes["A"] = (self.box, self.track, self.score)
        self.remembered = record.remembered(self.track)
        if record.seen is None:
            return
        numbers, letters = record.numbers, {column: "A"}
        self.expected = None if row is None else record.tracks["boxes"][row]
        for pair in record.about(row, column):
            if pair.column not in letters:
                letter = chr(ord("A") + len(letters)) if len(letters) < 26 else f"Z{len(letters)}"
                letters[pair.column] = letter
                self.boxes[letter] = (record.seen.boxes[pair.column], int(numbers[pair.column]), float(record.seen.scores[pair.column]))
            side = self.takers if pair.column == column else self.takes
            side.append(_told(pair, record, letters[pair.column], self.boxes[letters[pair.column]][2]))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        boxes = {letter: {"box": np.round(box, 2).tolist(), "track": number or None, "score": round(score, 4)} for letter, (box, number, score) in self.boxes.items()}
        return {
            "video": self.video, "track": self.track, "frame": self.frame, "box": np.round(self.box, 2).tolist(), "score": self.score, "events": self.events,
            "expected": None if self.expected is None else np.round(self.expected, 2).tolist(), "boxes": boxes, "takers": self.takers, "takes": self.takes,
            "remembered": self.remembered, "map": self.trust,
        }  # fmt: skip

    def words(self) -> str:
        """The decision in sentences, one a line."""
        lines = [self._chosen()]
        for title, rows, name in (("for this box", self.takers, "name"), (f"for track {self.track}", self.takes, "box")):
            rivals = [row for row in rows if row["cost"] is not None and row["outcome"] != "chosen"]
            if rivals:
                first = min(rivals, key=lambda row: row["less"])
                what = first["name"] if name == "name" else f"box {first['box']}"
                lines.append(f"Next {title}: {what} at cost {first['cost']:.2f} in stage {first['stage']}; it had to cost {first['less']:.2f} less for another decision.")
            others = [row for row in rows if row["cost"] is None]
            if others:
                said = [f"{row['name'] if name == 'name' else 'box ' + row['box']}: {row['outcome'].removeprefix('refused: ')}" for row in others[:4]]
                lines.append(f"Refused {title}: {'; '.join(said)}{f'; and {len(others) - 4} more' if len(others) > 4 else ''}.")
            if self.weighed and not rivals and not others and (name == "name" or self.expected is not None):
                lines.append(f"Nothing else came near {title}.")
        if self.trust:
            lines.append(
                f"Map of the look: cosine {self.trust['likeness']:.2f} with the track's average; deletion {self.trust['deletion']:.2f}, by random maps "
                f"{self.trust['random_deletion']:.2f}; insertion {self.trust['insertion']:.2f}, by random maps {self.trust['random_insertion']:.2f}: {self.trust['verdict']}."
            )
        return "\n".join(lines)

    def _chosen(self) -> str:
        again = next((event for event in self.events if event["stage"] == "recall"), None)
        row = next((row for row in self.takers if row["outcome"] == "chosen"), None)
        if again is not None:
            return f"Taken up again by its look: distance {again['appearance']:.2f} from what track {self.track} looked like when it was lost."
        if row is None and self.events:
            return f"Chosen: stage {self.events[0]['stage']}, cost {self.events[0]['cost']:.2f}. This tracker tells only what it decided."
        if row is None:
            return f"A new track began here with number {self.track}: no track took this box, and its score is {self.score:.2f}."
        parts = [f"IoU {row['iou']:.2f}", *(f"{HEADS[key]} {row[key]:.2f}" for key in ("motion", "look", "doubt", "bonus") if row[key] is not None)]
        first = "" if row["track"] else f" It was not confirmed before, and got number {self.track} now."
        return f"Chosen: {row['name']} in stage {row['stage']} at cost {row['cost']:.2f} ({', '.join(parts)}; motion limit {row['limit']:.2f}).{first}"


def _told(pair: Weighed, record: Record, letter: str, score: float) -> dict[str, Any]:
    number = int(record.tracks["id"][pair.row])
    name = f"track {number}" if number else f"an unconfirmed track (seen {int(record.tracks['hits'][pair.row])} times)"
    return {"track": number or None, "name": name, "unseen": int(record.tracks["missed"][pair.row]) - 1, "box": letter, "score": round(score, 4), **pair.to_dict()}


def sections(answer: Answer, frame: np.ndarray, before: Sequence[tuple[int, np.ndarray]], shown: Sequence[tuple[str, np.ndarray]]) -> list[dict[str, Any]]:
    """The part of the report that answers a question.

    Args:
        frame: (H, W, 3) uint8.
        before: the track's pictures in earlier frames.
        shown: pictures of the boxes by letter, where looks count.
    """
    title = f"Why {answer.track} in frame {answer.frame} of {answer.video}"
    found: list[dict[str, Any]] = [
        {"kind": "text", "title": title, "text": answer.words(), "answer": answer.to_dict(), "wide": True},
        {"kind": "gallery", "title": "", "items": _frames(answer, frame), "note": "Red: the box that is asked about; blue: others, with the numbers they bear; yellow: where the track was expected."},
    ]  # fmt: skip
    if shown:
        items = [{"image": encode(crop, 160), "caption": f"{answer.track} in frame {number}"} for number, crop in before]
        for letter, crop in shown:
            rows = [row["look"] for row in (*answer.takers, *answer.takes) if row["box"] == letter and row["look"] is not None and row["track"] in (answer.track, None)]
            items.append({"image": encode(crop, 160), "caption": f"box {letter}, now", "note": f"look {min(rows):.2f}" if rows else "", "mark": "good" if letter == "A" else ""})
        if answer.map is not None:
            items.append({"image": encode(answer.map, 160), "caption": "what makes A look like the track", "note": answer.trust["verdict"]})
        found.append({"kind": "gallery", "title": f"Looks of {answer.track} before, and now", "items": items})
    if answer.takers:
        found.append(_table("Tracks that could have taken this box", {"name": "track", "unseen": "frames unseen", "stage": "stage"}, answer.takers, NOTE))
    if answer.takes:
        found.append(_table(f"Other boxes that track {answer.track} could have taken", {"box": "box", "score": "score", "stage": "stage"}, answer.takes, ""))
    if answer.remembered:
        rows = [[row["track"], row["unseen"], row["look"], row["doubt"], row["limit"], row["outcome"]] for row in answer.remembered]
        columns = ["track", "frames unseen", "look", "doubt", "limit", "outcome"]
        found.append({"kind": "table", "title": "Tracks out of sight that it could have been, by looks", "columns": columns, "rows": rows, "note": ""})
    return found


def _table(title: str, first: dict[str, str], told: Sequence[dict[str, Any]], note: str) -> dict[str, Any]:
    """Only the columns that say something."""
    numbers = [key for key in NUMBERS if any(row[key] is not None for row in told)]
    rows = [[*(row[key] for key in first), *(None if row[key] is None else round(row[key], 3) for key in numbers), row["outcome"]] for row in told]
    return {"kind": "table", "title": title, "columns": [*first.values(), *(HEADS[key] for key in numbers), "outcome"], "rows": rows, "note": note if told else ""}


def _frames(answer: Answer, frame: np.ndarray) -> list[dict[str, Any]]:
    """The whole frame, and what surrounds the boxes."""
    every = np.array([answer.box, *(box for _, box, _ in answer.letters()), *([] if answer.expected is None else [answer.expected])], np.float64)
    low, high = every[:, :2].min(0), every[:, 2:].max(0)
    size, most = np.maximum(1.5 * (high - low), 16), np.array([frame.shape[1], frame.shape[0]])
    size = np.minimum(np.maximum(size, size[::-1] * [WIDE / TALL, TALL / WIDE]), most)
    start = np.clip((low + high - size) / 2, 0, most - size)
    (x1, y1), (x2, y2) = np.floor(start).astype(int), np.ceil(start + size).astype(int)
    parts = [("the frame", frame, (0, 0)), ("closer", frame[y1:y2, x1:x2], (int(x1), int(y1)))]
    return [{"image": encode(_drawn(answer, pixels, corner), WIDE), "caption": caption} for caption, pixels, corner in parts]


def _drawn(answer: Answer, pixels: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """A part of the frame with its boxes, in the middle of WIDE × TALL pixels."""
    from PIL import Image, ImageDraw

    factor = min(WIDE / pixels.shape[1], TALL / pixels.shape[0])
    picture, _ = canvas(pixels, 1)
    picture = picture.resize((max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor))), Image.Resampling.BICUBIC if factor < 4 else Image.Resampling.NEAREST)
    pen, face = ImageDraw.Draw(picture), font(22)

    def place(box: np.ndarray) -> tuple[float, float, float, float]:
        x1, y1, x2, y2 = ((box - np.tile(corner, 2)) * factor).tolist()
        return x1, y1, max(x1, x2), max(y1, y2)

    if answer.expected is not None:
        pen.rectangle(place(answer.expected), outline=EXPECTED, width=2)
    for letter, box, number in reversed(answer.letters()):
        color = OWN if letter == "A" else OTHER
        pen.rectangle(place(box), outline=color, width=4 if letter == "A" else 2)
        tag(pen, place(box)[:2], f"{letter} → {number or 'none'}", color, face, picture.size)
    sheet = Image.new("RGB", (WIDE, TALL), GROUND)
    sheet.paste(picture, ((WIDE - picture.width) // 2, (TALL - picture.height) // 2))
    return np.asarray(sheet)
