"""Why a thing bears a number in a frame: questions about tracks, and their answers."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidi.data.crops import region
from vidi.engine.appearance import Appearance
from vidi.errors import InputError
from vidi.labels import Detections
from vidi.methods.track import _why_pages
from vidi.methods.track._base import Tracker
from vidi.methods.track._why_watch import Record

Frames = Iterator[tuple[int, float, np.ndarray]]
Alike = Callable[..., tuple[np.ndarray, dict[str, Any]]]
MOST_CROPS = 5
"""Pictures of a track that are kept from before the frame that is asked about."""
_FORM = re.compile(r"(?:(.+):)?(\d+)@(\d+)")


@dataclass(slots=True)
class Question:
    """Why `track` is `track` in a frame.

    Args:
        text: as it was asked.
        video: its name; "": the only one.
        track, frame: the number, and the frame from 1, as in the MOT file.

    Attributes:
        lives: first and last frame in which the track was seen, and the nearest ones before and after the frame.
        present: the tracks in the frame; None: no such frame.
        crops: the track in frames before: (frame, pixels).
        answer: sections of the report.
    """

    text: str
    video: str
    track: int
    frame: int
    lives: dict[str, int] = field(default_factory=dict)
    present: list[int] | None = None
    crops: list[tuple[int, np.ndarray]] = field(default_factory=list)
    answer: list[dict[str, Any]] = field(default_factory=list)
    seen: int = 0
    every: int = 1

    def note(self, number: int, label: Detections, pixels: np.ndarray, margin: float | None) -> None:
        """One more frame, in constant memory.

        Args:
            margin: around crops; None: none are kept.
        """
        tracks = [] if label.tracks is None else label.tracks.tolist()
        if number == self.frame:
            self.present = sorted(tracks)
        if self.track not in tracks:
            return
        self.lives.setdefault("first", number)
        self.lives["last"] = number
        if number < self.frame:
            self.lives["before"] = number
            if margin is not None and self.seen % self.every == 0:
                self.crops.append((number, cut(pixels, label.boxes[tracks.index(self.track)], margin)))
                if len(self.crops) > MOST_CROPS:
                    self.crops, self.every = self.crops[::2], 2 * self.every
            self.seen += 1
        elif number > self.frame:
            self.lives.setdefault("after", number)

    def refusal(self) -> InputError:
        """That there is nothing to tell, and where there is."""
        if self.lives:
            near = " and ".join(str(self.lives[key]) for key in ("before", "after") if key in self.lives)
            fix = f"identity {self.track} lives in frames {self.lives['first']} to {self.lives['last']}, nearest {near}"
        elif self.present is None:
            fix = "there is no such frame, and no such identity"
        else:
            fix = f"there is no identity {self.track}; in frame {self.frame} there are {', '.join(map(str, self.present)) or 'none'}"
        return InputError(f"identity {self.track} is not seen in frame {self.frame}", at="why", value=self.text, fix=fix)


def parse(text: str) -> list[Question]:
    """Questions from ``ID@FRAME`` or ``VIDEO:ID@FRAME``, several by comma.

    Raises:
        InputError: not of this form.
    """
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _FORM.fullmatch(part)
        if match is None or int(match[2]) < 1 or int(match[3]) < 1:
            raise InputError("identity and frame, both from 1", at="why", value=part, fix="why=7@340, or VIDEO:7@340 of several videos")
        found.append(Question(part, match[1] or "", int(match[2]), int(match[3])))
    if not found:
        raise InputError("no question", at="why", value=text, fix="why=7@340")
    return found


class Why:
    """Listens to trackers in the frames that are asked about, and in no others.

    Args:
        questions: what is asked.
        appearance: what the looks come from; None: motion alone.
        alike: `vidi.methods.explain._alike.alike`, the map of what makes a crop look like a track; None: no map.
    """

    def __init__(self, questions: Sequence[Question], appearance: Appearance | None = None, alike: Alike | None = None) -> None:
        self.questions, self.appearance, self.alike = list(questions), appearance, alike

    def check(self, films: Sequence[str]) -> None:
        """
        Raises:
            InputError: a question is about no video, or does not say about which.
        """
        for question in self.questions:
            question.video = question.video or (films[0] if len(films) == 1 else "")
            if question.video not in films:
                raise InputError("a question is about one video", at="why", value=question.text, fix=f"why={films[0]}:{question.track}@{question.frame}; videos: {', '.join(films)}"[:300])

    def watch(self, film: str, frames: Frames, tracker: Any) -> tuple[Frames, Any]:
        """Frames and tracker of a video, as they are or, where there are questions, listened to."""
        own = [question for question in self.questions if question.video == film]
        if not own:
            return frames, tracker
        numbers: deque[int] = deque()
        return _counted(frames, numbers), Witness(self, own, tracker, numbers)

    def sections(self) -> list[dict[str, Any]]:
        """The answers for the report.

        Raises:
            InputError: a track was not seen in the frame; it says in which it was.
        """
        for question in self.questions:
            if not question.answer:
                raise question.refusal()
        return [section for question in self.questions for section in question.answer]


def _counted(frames: Frames, numbers: deque[int]) -> Frames:
    for index, seconds, pixels in frames:
        numbers.append(index + 1)
        yield index, seconds, pixels


class Witness:
    """A tracker that is listened to; it gives what the tracker gives."""

    looks = True

    def __init__(self, why: Why, questions: Sequence[Question], tracker: Any, numbers: deque[int]) -> None:
        self._why, self._questions, self._tracker, self._numbers = why, questions, tracker, numbers

    @property
    def events(self) -> list[dict[str, Any]]:
        return list(self._tracker.events)

    def update(self, found: Detections, frame: np.ndarray, vectors: np.ndarray | None = None) -> Detections:
        """See `Tracker.update`; frames come always."""
        number, looks = self._numbers.popleft(), self._why.appearance
        asked = [question for question in self._questions if question.frame == number]
        record = Record(self._tracker) if asked and isinstance(self._tracker, Tracker) else None
        pixels = frame if self._tracker.looks else None
        if record is None:
            label: Detections = self._tracker.update(found, pixels, vectors)
        else:
            with record.listening():
                label = self._tracker.update(found, pixels, vectors)
        for question in self._questions:
            question.note(number, label, frame, None if looks is None else looks.margin)
        for question in asked:
            if question.present and question.track in question.present:
                question.answer = self._answer(question, record, label, frame)
        return label

    def _answer(self, question: Question, record: Record | None, label: Detections, frame: np.ndarray) -> list[dict[str, Any]]:
        place = np.asarray(label.tracks).tolist().index(question.track)
        events = [event for event in self.events if event["track"] == question.track]
        answer = _why_pages.Answer(question.video, question.track, question.frame, label.boxes[place], float(label.scores[place]), events)
        column = None if record is None else record.column_of(question.track)
        if record is not None and column is not None:
            row = record.chosen.get(column, (None, ""))[0]
            answer.weigh(record, row, column)
            looks = self._why.appearance
            if looks is not None and row is not None and self._why.alike is not None and record.tracks["learned"][row]:
                x1, y1, x2, y2 = region(answer.box, frame.shape[:2], looks.margin)
                canvas = looks.model.preprocess.place(frame[y1:y2, x1:x2])
                answer.map, answer.trust = self._why.alike(looks.model.net, looks.key, canvas, record.tracks["vector"][row])
        margin = None if self._why.appearance is None else self._why.appearance.margin
        shown = [] if margin is None else [(letter, cut(frame, box, margin)) for letter, box, _ in answer.letters()]
        return _why_pages.sections(answer, frame, question.crops, shown)


def cut(pixels: np.ndarray, box: np.ndarray, margin: float) -> np.ndarray:
    """A copy of a box's pixels with a margin."""
    x1, y1, x2, y2 = region(box, pixels.shape[:2], margin)
    return pixels[y1:y2, x1:x2].copy()
