"""`vidi track`: from frames or videos to tracks, counts, files, scores and pages."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from bright import SPACE, bright_model, scene
from PIL import Image

from vidi.core.dataset import Dataset, Sample
from vidi.data import read
from vidi.errors import ChoiceError, InputError, RecipeError
from vidi.labels import Detections
from vidi.methods.track._session import parse_shapes
from vidi.verbs.track import track

SIZE = (64, 96)
EASY = "bytetrack(high=0.3, new=0.3)"


def place(number, frame):
    """Thing 1 walks to the right, thing 2 to the left below it, thing 3 stays until frame 9."""
    x = {1: 4 + 3 * frame, 2: 80 - 3 * frame, 3: 70}[number]
    y = {1: 6, 2: 30, 3: 48}[number]
    return (x, y, x + 12, y + 10)


def film(frames=20, tracks=True, split=None):
    """Frames with the three things and their true tracks."""
    samples = []
    for frame in range(frames):
        numbers = [n for n in (1, 2, 3) if (n != 3 or frame < 9)]
        boxes = [place(n, frame) for n in numbers]
        pixels = scene(SIZE, [(*box, 0, 250) for box in boxes])
        label = Detections(np.array(boxes, np.float32), None, np.zeros(len(boxes), int), tracks=np.array(numbers) if tracks else None)
        samples.append(Sample(f"walk#{frame:06d}", {"image": pixels}, label, split, "walk", None, {"frame": frame, "seconds": frame / 10}))
    return Dataset(samples, SPACE, name="walk")


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_an_empty_film(tmp_path):
    dark = Dataset([Sample(f"d{i}", {"image": scene(SIZE, [])}) for i in range(4)], name="dark")
    report = track(bright_model(), dark, tracker=EASY, out=str(tmp_path))
    assert report.numbers["tracks"] == 0 and report.numbers["frames"] == 4 and rows_of(tmp_path / "tracks.csv") == []
    assert "hota" not in report.numbers and json.loads((tmp_path / "tracks.json").read_text())["videos"][0]["tracks"] == []


def test_perfect_detections_of_things_apart_are_followed_perfectly(tmp_path):
    report = track(bright_model(SIZE), film(), tracker=EASY, out=str(tmp_path), line=["middle=48 0 48 64"], zone=["left=0 0 40 0 40 64 0 64"])
    numbers = report.numbers
    assert numbers["tracks"] == 3 and numbers["id_switches"] == 0 and numbers["mota"] > 0.9 and numbers["hota"] > 0.9
    counts = report.about["counts"]["walk"]
    assert counts["lines"]["middle"]["in"] == counts["lines"]["middle"]["out"] == 1
    assert counts["zones"]["left"]["visits"] == 2
    rows = rows_of(tmp_path / "tracks.csv")
    assert {row["class"] for row in rows} == {"red"} and len({row["track"] for row in rows}) == 3
    stored = json.loads((tmp_path / "tracks.json").read_text())["videos"][0]
    assert stored["frames"] == 20 and stored["rate"] == pytest.approx(10) and len(stored["tracks"]) == 3
    assert (tmp_path / "walk.mp4").stat().st_size > 0 and (tmp_path / "report.html").is_file()


def test_the_text_is_read_back(tmp_path):
    track(bright_model(), film(), tracker=EASY, out=str(tmp_path), draw=False)
    found = read(tmp_path / "walk.txt")
    assert sum(len(label) for label in found.labels if label is not None) == len(rows_of(tmp_path / "tracks.csv"))
    assert not list(tmp_path.glob("*.mp4"))


def test_the_same_every_time(tmp_path):
    texts = []
    for name in ("a", "b"):
        track(bright_model(), film(), tracker="botsort(high=0.3, new=0.3)", out=str(tmp_path / name), draw=False)
        texts.append((tmp_path / name / "walk.txt").read_text())
    assert texts[0] == texts[1]


def test_gaps_are_filled_and_short_tracks_left_out():
    data = film()
    data.samples[7].inputs["image"] = scene(SIZE, [(*place(2, 7), 0, 250)])  # thing 1 is hidden for a frame
    plain = track(bright_model(), data, tracker=EASY).numbers
    filled = track(bright_model(), data, tracker=EASY, fill=0.5).numbers
    assert filled["mota"] > plain["mota"] and filled["fragmentations"] <= plain["fragmentations"]
    assert track(bright_model(), data, tracker=EASY, shortest=1.0).numbers["tracks"] == 2


def test_a_switch_has_a_strip_and_the_costs(tmp_path):
    data = film()
    for i in range(10, 20):  # the truth says that the two changed their numbers
        label = data.samples[i].label
        data.samples[i].label = Detections(label.boxes, None, label.classes, tracks=3 - label.tracks)
    report = track(bright_model(), data, tracker=EASY, out=str(tmp_path))
    assert report.numbers["id_switches"] == 2
    (gallery,) = [section for section in report.sections if section["title"].startswith("Identity switches")]
    assert len(gallery["items"]) == 2 and "cost" in gallery["items"][0]["note"] and gallery["items"][0]["image"].startswith("data:image/")


def test_a_video_and_a_folder_of_frames(tmp_path):
    from vidi.data.video import VideoWriter

    (tmp_path / "frames").mkdir()
    with VideoWriter(tmp_path / "walk.mp4", 10) as movie:
        for i, sample in enumerate(film()):
            movie.add(sample.inputs["image"])
            Image.fromarray(sample.inputs["image"]).save(tmp_path / "frames" / f"{i:03d}.png")
    frames = track(bright_model(), tmp_path / "frames", tracker=EASY)
    assert frames.numbers["frames"] == 20 and frames.numbers["tracks"] == 3
    assert track(bright_model(), tmp_path / "walk.mp4", tracker=EASY).numbers["frames"] == 20
    assert track(bright_model(), tmp_path / "walk.mp4", tracker=EASY, vid_stride=4).numbers["frames"] == 5


def test_the_test_part_is_taken_where_there_is_one():
    data = film(split="train")
    for sample in data.samples[10:]:
        sample.split = "test"
    assert track(bright_model(), data, tracker=EASY).numbers["frames"] == 10
    assert track(bright_model(), data, tracker=EASY, split="train").numbers["frames"] == 10


def test_tuning_never_looks_at_the_test_part():
    data = film(split="train")
    for sample in data.samples[12:]:
        sample.split = "test"
    report = track(bright_model(), data, tracker="bytetrack(keep=1.5)", tune=4)
    assert report.numbers["frames"] == 8 and report.about["tracker"].startswith("bytetrack(keep=1.5")
    with pytest.raises(InputError, match="never chosen on the test part"):
        track(bright_model(), data, tune=2, split="test")
    with pytest.raises(InputError, match="labeled tracks"):
        track(bright_model(), film(tracks=False), tune=2)


@pytest.mark.parametrize("settings, kind, words", [
    ({"tracker": "bytetrak"}, ChoiceError, "bytetrack"), ({"tracker": "sort(spped=1)"}, RecipeError, "spped"), ({"vid_stride": 0}, InputError, "N at least 1"),
    ({"line": ["a=1 2 3"]}, InputError, "not a line"), ({"zone": ["a=1 2 3 4"]}, InputError, "not a zone"), ({"scale": -1.0}, RecipeError, "positive"),
    ({"smooth": -1.0}, RecipeError, "positive"),
])  # fmt: skip
def test_wrong_settings_are_named(settings, kind, words):
    with pytest.raises(kind) as caught:
        track(bright_model(), film(3), **settings)
    assert words in str(caught.value)


def test_lines_and_zones():
    line, zone = parse_shapes(["door=1,2, 3,4"], ["0 0 5 0 5 5"])
    assert (line.name, line.start, line.end) == ("door", (1, 2), (3, 4)) and zone.name == "zone 1" and len(zone.points) == 3
    assert parse_shapes(None, None) == []


def test_only_models_that_find_things(tmp_path):
    from vidi.core.preprocess import Preprocess
    from vidi.core.space import Space
    from vidi.model import Model, build_net, make_card

    net = build_net("small", "softmax", Space("Classification", ("a", "b")), {"widths": [4, 4]})
    model = Model(net, make_card(net, task="classify", name="small", options={}, head="softmax", preprocess=Preprocess((32, 32))))
    with pytest.raises(InputError, match="finds things"):
        track(model, Path(tmp_path))
