"""`vidi track --why`: what decided an identity in a frame, in words, numbers and pictures."""

import itertools
import json
from collections import deque

import numpy as np
import pytest
import torch
from bright import SPACE, bright_model
from torch import nn

from vidi.core.dataset import Dataset, Sample
from vidi.errors import InputError
from vidi.labels import Detections
from vidi.methods.explain._alike import alike
from vidi.methods.track import botsort, bytetrack, ocsort, sort
from vidi.methods.track._why import MOST_CROPS, Question, Why, parse
from vidi.methods.track._why_watch import Record
from vidi.testing.tracking import crossings
from vidi.verbs.track import track

MAKE = {"botsort": botsort.tracker, "bytetrack": bytetrack.tracker, "ocsort": ocsort.tracker, "sort": sort.tracker}
EASY = "bytetrack(high=0.3, new=0.3)"
PAINTS = ((250, 20, 200), (250, 110, 20))
SIZE = (90, 160)


def film(frames=24, name="walk"):
    """Two red things, one with blue and one with green, that pass each other closely."""
    samples = []
    for frame in range(frames):
        pixels = np.full((*SIZE, 3), 20, np.uint8)
        for (x, y), paint in zip(((10 + 5 * frame, 22), (125 - 5 * frame, 48)), PAINTS):
            pixels[y : y + 24, x : x + 14] = paint
        samples.append(Sample(f"{name}#{frame:06d}", {"image": pixels}, None, None, name, None, {"frame": frame, "seconds": frame / 10}))
    return Dataset(samples, SPACE, name=name)


def answer_of(report):
    return next(section["answer"] for section in report.sections if "answer" in section)


def test_no_question_is_refused_and_costs_nothing():
    with pytest.raises(InputError, match="no question"):
        parse(" , ")
    frames, tracker = iter(()), object()
    assert Why(parse("1@2")[:0]).watch("walk", frames, tracker) == (frames, tracker)


@pytest.mark.parametrize("text", ["7", "7@", "@3", "a@3", "0@3", "7@0", "7@3.5"])
def test_questions_have_one_form(text):
    with pytest.raises(InputError, match="why"):
        parse(text)


def test_several_questions():
    found = parse("7@340, 2@5,cam:1@9")
    assert [(q.video, q.track, q.frame) for q in found] == [("", 7, 340), ("", 2, 5), ("cam", 1, 9)]


@pytest.mark.parametrize("name", sorted(MAKE))
@pytest.mark.parametrize("looks", [False, True])
def test_listening_changes_nothing_and_tells_the_costs_that_were_paid(name, looks):
    video = crossings(2, gap=0.5, seconds=4.0, seed=3)
    plain, heard = MAKE[name](rate=video.rate), MAKE[name](rate=video.rate)
    weighed = 0
    for found, vectors in zip(video.found, video.vectors):
        given = vectors if looks else None
        record = Record(heard)
        with record.listening():
            label = heard.update(found, vectors=given)
        assert label.to_dict() == plain.update(found, vectors=given).to_dict() and plain.events == heard.events
        chosen = [pair for pair in record.pairs if pair.outcome == "chosen"]
        paid = sorted(round(event["cost"], 9) for event in heard.events if event["stage"] != "recall")
        assert sorted(round(pair.cost, 9) for pair in chosen) == paid
        weighed += len(record.pairs) - len(chosen)
    assert weighed > 0 and heard.listener is None


def best(costs, top):
    """Pairs of the least total over all ways, one left out costing `top`."""
    ways = (
        ({(i, j) for i, j in enumerate(way) if j < costs.shape[1]}, way)
        for way in itertools.permutations(range(costs.shape[0] + costs.shape[1]), costs.shape[0])
    )
    return min((sum(costs[p] for p in pairs) + top * (len(costs) - len(pairs)), sorted(pairs)) for pairs, _ in ways)


def test_the_margin_is_what_another_decision_takes():
    boxes = np.array([[0, 0, 40, 80], [18, 0, 58, 80], [30, 4, 70, 84.0]])
    tracker = bytetrack.tracker(rate=25.0, double=1.0)
    tracker.update(Detections(boxes, np.full(3, 0.95)))
    record = Record(tracker)
    with record.listening():
        tracker.update(Detections(boxes + [7, 2, 7, 2], np.array([0.9, 0.85, 0.8])))
    stage = record._stages["high"]
    top, tried = 0.8, 0
    before = best(stage.costs, top)
    for column in range(3):
        for pair in record.about(record.chosen[column][0], column):
            if pair.less is None or pair.stage != "high":
                continue
            place = int(np.flatnonzero(stage.rows == pair.row)[0]), int(np.flatnonzero(stage.columns == pair.column)[0])
            for change, made in ((pair.less + 1e-6, True), (pair.less - 1e-6, False)):
                costs = stage.costs.copy()
                costs[place] -= change
                assert (place in best(costs, top)[1]) is made
                assert made or best(costs, top)[0] == pytest.approx(before[0])
            tried += 1
    assert tried >= 4


def test_a_question_is_answered_with_words_tables_pictures_and_json(tmp_path):
    report = track(bright_model(SIZE), film(), tracker=EASY, out=str(tmp_path), draw=False, why="1@12")
    text, pictures, takers, *_ = report.sections
    assert text["title"] == "Why 1 in frame 12 of walk" and "Chosen: track 1 in stage high" in text["text"]
    assert len(pictures["items"]) == 2 and takers["rows"][0][0] == "track 1" and takers["rows"][0][-1] == "chosen"
    answer = answer_of(report)
    rows = [line.split(",") for line in (tmp_path / "walk.txt").read_text().splitlines()]
    (row,) = [row for row in rows if row[:2] == ["12", "1"]]
    assert [answer["box"][0] + 1, answer["box"][1] + 1] == pytest.approx([float(row[2]), float(row[3])], abs=1.01)
    assert answer["takers"][0]["cost"] == pytest.approx(answer["events"][0]["cost"], abs=1e-4)
    assert json.loads((tmp_path / "report.json").read_text())["sections"][0]["answer"]["track"] == 1
    assert "Why 1 in frame 12" in (tmp_path / "report.html").read_text()


def test_answers_change_no_track(tmp_path):
    for name, why in (("a", None), ("b", "1@12,2@13")):
        track(bright_model(SIZE), film(), tracker="ocsort(high=0.3)", reid=bright_model((24, 16)), out=str(tmp_path / name), draw=False, why=why)
    assert (tmp_path / "a/tracks.csv").read_text() == (tmp_path / "b/tracks.csv").read_text()


def test_looks_come_with_crops_and_a_map():
    report = track(bright_model(SIZE), film(), tracker="botsort(high=0.3, new=0.3)", reid=bright_model((24, 16)), why="2@14")
    (looks,) = [section for section in report.sections if section["title"].startswith("Looks of 2")]
    captions = [item["caption"] for item in looks["items"]]
    assert sum("in frame" in caption for caption in captions) <= MOST_CROPS and "box A, now" in captions and "look like" in captions[-1]
    answer = answer_of(report)
    assert answer["takers"][0]["look"] < 0.05 and {"deletion", "random_deletion", "verdict"} <= set(answer["map"])


def test_the_first_frame_of_a_track():
    report = track(bright_model(SIZE), film(), tracker=EASY, why="1@1")
    assert "A new track began here" in report.sections[0]["text"] and answer_of(report)["takers"] == []


@pytest.mark.parametrize("why,said", [("1@99", "frames 1 to 24, nearest 24"), ("9@5", "in frame 5 there are 1, 2"), ("9@99", "no such frame"), ("cam:1@5", "videos: walk")])
def test_what_is_not_there_is_said_with_what_is(why, said):
    with pytest.raises(InputError, match=said) as error:
        track(bright_model(SIZE), film(), tracker=EASY, why=why)
    assert "\n" not in str(error.value)


def test_videos_are_told_apart():
    both = Dataset([*film(8, "a"), *film(8, "b")], SPACE, name="both")
    with pytest.raises(InputError, match="videos: a, b"):
        track(bright_model(SIZE), both, tracker=EASY, why="1@5")
    assert answer_of(track(bright_model(SIZE), both, tracker=EASY, why="b:1@5"))["video"] == "b"


def test_memory_stays_the_same_however_long_the_video():
    question, pixels = Question("1@99999", "a", 1, 99999), np.zeros((20, 20, 3), np.uint8)
    label = Detections(np.array([[2, 2, 9, 9.0]]), np.array([0.9]), tracks=np.array([1]))
    for number in range(1, 3000):
        question.note(number, label, pixels, 0.1)
    assert len(question.crops) <= MOST_CROPS and question.crops[0][0] == 1 and question.crops[-1][0] > 2000
    numbers = deque()
    why = Why([question])
    frames, _ = why.watch("a", ((i, 0.0, pixels) for i in range(50)), sort.tracker())
    for _ in frames:
        numbers.append(1)
    assert len(numbers) == 50


def test_a_tracker_of_ones_own_tells_what_it_told(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from dataclasses import replace\nimport numpy as np\n\n\nclass Mine:\n    looks, least = False, 0.1\n\n    def update(self, found, frame=None, vectors=None):\n"
        "        self.events = [{'track': 1, 'place': 0, 'stage': 'mine', 'iou': None, 'appearance': None, 'cost': 0.5}]\n"
        "        return replace(found, tracks=np.arange(1, len(found) + 1))\n\n\ndef tracker(rate=25.0):\n    return Mine()\n"
    )
    report = track(bright_model(SIZE), film(), tracker=str(path), why="1@5")
    assert "stage mine, cost 0.50" in report.sections[0]["text"]


class Left(nn.Module):
    """A vector of the left half's colors; the right half says nothing."""

    def __init__(self):
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))

    def forward(self, inputs):
        image = inputs["image"] * self.one
        left = torch.nn.functional.adaptive_avg_pool2d(image[..., : image.shape[3] // 2], 4).flatten(1)
        return {"features": left - 0.3}


def test_the_map_lies_where_the_likeness_comes_from():
    canvas = np.full((48, 48, 3), 20, np.uint8)
    canvas[8:24, 4:16], canvas[8:24, 30:42] = (250, 30, 60), (30, 250, 60)
    net = Left().eval()
    vector = net({"image": torch.from_numpy(canvas).permute(2, 0, 1)[None] / 255})["features"][0].detach().numpy()
    picture, trust = alike(net, "features", canvas, vector)
    assert picture.shape == canvas.shape and trust["likeness"] == pytest.approx(1, abs=1e-5)
    color = np.ptp(picture.astype(int), axis=2)
    assert color[:, :20].mean() > 3 * color[:, 28:].mean()
    assert trust["deletion"] < trust["random_deletion"] and trust["verdict"] == "better than random"
