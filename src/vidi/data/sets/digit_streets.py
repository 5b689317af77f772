"""Videos made of scikit-learn's real handwritten digits that walk, cross and hide behind posts: needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vidi.data.sets import digits
from vidi.data.sets.digit_scenes import ink

MEANING = "8 videos of 60 frames of 160×96 pixels with 4 to 6 real handwritten digits that walk, cross and pass behind posts, as MOT folders"
LICENCE = digits.LICENCE
SOURCE = "videos put together by vidi from the digits of scikit-learn; train and test hold different digits"
CITE = digits.CITE
SIZE = 480
SHA256 = digits.SHA256
WIDE, TALL = 160, 96
FRAMES, RATE = 60, 15
TRAIN, TEST = 6, 2
SEED = 31
SEEN = 0.25
"""A digit of which less is seen is not marked."""


def get(folder: Path) -> None:
    """Write ``train/`` and ``test/`` with a MOT folder per video: ``img1/``, ``gt/gt.txt``, ``seqinfo.ini``."""
    pixels, _ = digits.load()
    generator = np.random.Generator(np.random.PCG64(SEED))
    order = generator.permutation(len(pixels))
    parts = {"train": (TRAIN, order[: len(order) * 3 // 4]), "test": (TEST, order[len(order) * 3 // 4 :])}
    for split, (count, members) in parts.items():
        for number in range(count):
            _video(folder / split / f"{split}-street-{number + 1:02d}", pixels, members, generator)


def _video(folder: Path, pixels: np.ndarray, members: np.ndarray, generator: np.random.Generator) -> None:
    from PIL import Image

    (folder / "img1").mkdir(parents=True)
    (folder / "gt").mkdir()
    ground, walkers, posts = _ground(generator), _walkers(pixels, members, generator), _posts(generator)
    lines = []
    for frame in range(FRAMES):
        scene, owner = ground.copy(), np.full((TALL, WIDE), -1)
        boxes = [_paint(scene, owner, i, walker, frame) for i, walker in enumerate(walkers)]
        for left, wide, level in posts:
            scene[:, left : left + wide] = level
            owner[:, left : left + wide] = -1
        scene += generator.normal(0, 3, scene.shape)
        Image.fromarray(scene.clip(0, 255).round().astype(np.uint8)).save(folder / "img1" / f"{frame + 1:06d}.png")
        for i, (box, whole) in enumerate(boxes):
            seen = float((owner == i).sum() / max(1, whole))
            if seen >= SEEN:
                lines.append(f"{frame + 1},{i + 1},{box[0]},{box[1]},{box[2]},{box[3]},1,1,{seen:.3f}")
    lines.sort(key=lambda line: tuple(map(int, line.split(",")[:2])))
    (folder / "gt" / "gt.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "gt" / "labels.txt").write_text("digit\n", encoding="utf-8")
    facts = {"name": folder.name, "imDir": "img1", "frameRate": RATE, "seqLength": FRAMES, "imWidth": WIDE, "imHeight": TALL, "imExt": ".png"}
    (folder / "seqinfo.ini").write_text("[Sequence]\n" + "".join(f"{key}={value}\n" for key, value in facts.items()), encoding="utf-8")


def _ground(generator: np.random.Generator) -> np.ndarray:
    """(TALL, WIDE, 3) uneven dim ground."""
    yy, xx = np.mgrid[:TALL, :WIDE] / WIDE
    slope = generator.uniform(-30, 30, (2, 3))
    return generator.uniform(25, 70, 3) + slope[0] * xx[..., None] + slope[1] * yy[..., None]


def _posts(generator: np.random.Generator) -> list[tuple[int, int, np.ndarray]]:
    """Left side, width and color of one or two upright posts in front of everything."""
    count = int(generator.integers(1, 3))
    return [(int(generator.integers(30, WIDE - 40)), int(generator.integers(6, 15)), generator.uniform(60, 120, 3)) for _ in range(count)]


def _walkers(pixels: np.ndarray, members: np.ndarray, generator: np.random.Generator) -> list[dict[str, Any]]:
    """Digits with a color, a size, a starting place and a speed in pixels per frame; about half of them walk to the left."""
    walkers = []
    for _ in range(int(generator.integers(4, 7))):
        strokes = ink(pixels[int(generator.choice(members))], int(generator.integers(20, 31)), float(generator.uniform(0.8, 1.2)))
        ahead = 1 if generator.random() < 0.5 else -1
        speed = np.array([ahead * generator.uniform(1.2, 2.6), generator.uniform(-0.35, 0.35)])
        start = np.array([generator.uniform(-10, 50) if ahead > 0 else generator.uniform(WIDE - 75, WIDE - 15), generator.uniform(8, TALL - 44)])
        walkers.append({"ink": strokes, "start": start, "speed": speed, "swing": generator.uniform(0, 6.3), "color": generator.uniform(110, 255, 3)})
    return walkers


def _paint(scene: np.ndarray, owner: np.ndarray, index: int, walker: dict[str, Any], frame: int) -> tuple[tuple[int, int, int, int], int]:
    """Paint a walker; its x, y, width, height within the picture, and its pixels of ink in all."""
    strokes, (x, y) = walker["ink"], walker["start"] + walker["speed"] * frame
    y += 2 * np.sin(walker["swing"] + frame / 4)
    left, top = round(float(x)), round(float(y))
    tall, wide = strokes.shape
    x1, y1, x2, y2 = max(0, left), max(0, top), min(WIDE, left + wide), min(TALL, top + tall)
    whole = int((strokes > 0.4).sum())
    if x1 >= x2 or y1 >= y2:
        return (0, 0, 0, 0), whole
    part = strokes[y1 - top : y2 - top, x1 - left : x2 - left, None]
    scene[y1:y2, x1:x2] = scene[y1:y2, x1:x2] * (1 - part) + walker["color"] * part
    owner[y1:y2, x1:x2][part[..., 0] > 0.4] = index
    return (x1, y1, x2 - x1, y2 - y1), whole
