"""What the guard of one-step training saw, in a file of the run folder, so that a resumed run knows what the interrupted one knew."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from vidi.core.files import write_text
from vidi.engine.loop import Loop

FILE = "guard.jsonl"


@dataclass(frozen=True, slots=True)
class Sight:
    """One look.

    Args:
        at: batches seen before.
        ratio: how much the attack of the training raises the loss, as a share of what an ascent of several steps does.
        alignment: mean cosine between the gradients at clean pictures and at random ones of the ball, −1..1 (Andriushchenko and Flammarion 2020,
            arXiv:2007.02617).
        steps: of the training's attack from here on.
    """

    at: int
    ratio: float
    alignment: float
    steps: int


class Watch:
    """The looks of a run so far.

    Args:
        path: of the file.
        before: what was seen from this batch on is forgotten: the run goes on from there.
    """

    def __init__(self, path: Path, before: int):
        self.path = path
        self.sights = [sight for sight in _read(path) if sight.at < before]
        self._write()

    @classmethod
    def of(cls, loop: Loop) -> Watch:
        return cls(loop.run.path / FILE, batches(loop))

    @property
    def steps(self) -> int:
        """Of the training's attack."""
        return self.sights[-1].steps if self.sights else 1

    def add(self, sight: Sight) -> None:
        self.sights.append(sight)
        self._write()

    def _write(self) -> None:
        write_text(self.path, "".join(json.dumps(asdict(sight)) + "\n" for sight in self.sights))


def batches(loop: Loop) -> int:
    """How many batches a run has seen."""
    return loop.position.epoch * loop.batches_per_epoch + loop.position.batch


def _read(path: Path) -> list[Sight]:
    """The looks in a file; lines that are none are passed over."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        with suppress(ValueError, TypeError):
            found.append(Sight(**json.loads(line)))
    return found
