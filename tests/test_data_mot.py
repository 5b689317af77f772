"""MOTChallenge text: sequence folders, videos with a text, results; written and read back; the doctor's rules about tracks."""

import io

import numpy as np
import pytest
from PIL import Image

from vidi.core.dataset import Dataset, Sample
from vidi.core.discovery import load
from vidi.core.space import Space
from vidi.data import read, video
from vidi.data._same import label_difference
from vidi.data.doctor import examine
from vidi.data.readers import _sequence
from vidi.data.readers._ask import Ask
from vidi.data.readers._mot import CLASSES
from vidi.data.readers.mot import read_mot
from vidi.data.writers.mot import held, write_mot
from vidi.errors import DataError, InputError, ResourceError
from vidi.labels import Detections, Polygons
from vidi.verbs.convert import convert

SPACE = Space("Detections", ("person", "car"), ids=(1, 3))


def picture(path, shade=0, size=(40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, shade).save(path)


def text(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines))
    return path


def sequence(root, name, *lines, frames=4, info="frameRate=10\nseqLength=4\n"):
    for number in range(1, frames + 1):
        picture(root / name / "img1" / f"{number:06d}.jpg", number)
    if lines:
        text(root / name / "gt" / "gt.txt", *lines)
    if info is not None:
        text(root / name / "seqinfo.ini", f"[Sequence]\nname={name}\nimDir=img1\n{info}".rstrip())
    return root / name


def film(path, count=6, size=(48, 64)):
    pytest.importorskip("av")
    with video.VideoWriter(path, 10.0) as writer:
        for k in range(count):
            pixels = np.full((*size, 3), 30, np.uint8)
            pixels[10:26, 4 + 6 * k : 20 + 6 * k] = (200, 60, 20)
            writer.add(pixels)
    return path


def test_an_empty_truth_says_that_nothing_is_there(tmp_path):
    folder = sequence(tmp_path, "S")
    text(folder / "gt" / "gt.txt")
    data = read(folder)
    assert data.format == "mot" and [len(label) for label in data.labels] == [0] * 4 and data.space.names == ()
    assert read(sequence(tmp_path, "T", info="seqLength=4\n")).labels == [None] * 4


def test_a_sequence_folder(tmp_path):
    folder = sequence(
        tmp_path, "S", "3,7,1.5,2,10,20.25,0.5,1,0.75", "1,7,1,2,10,20,1,1,1", "1,8,5,6,7,8,0,12,-1", "", "1,-1,0,0,4,4,-1,-1,0.5"
    )
    data = read(folder)
    assert data.format == "mot" and data.space == Space("Detections", ("pedestrian", "reflection"), ids=(1, 12)) and len(data) == 4
    assert [sample.id for sample in data] == [f"img1/{i:06d}.jpg" for i in (1, 2, 3, 4)] and {sample.group for sample in data} == {"S"}
    assert [sample.extra["frame"] for sample in data] == [0, 1, 2, 3] and [sample.extra["seconds"] for sample in data] == [0, 0.1, 0.2, 0.3]
    first, third = data[0], data[2]
    np.testing.assert_array_equal(first.label.boxes, [[1, 2, 11, 22], [5, 6, 12, 14], [0, 0, 4, 4]])
    assert first.label.classes.tolist() == [0, 1, 0] and first.label.crowd.tolist() == [False, True, False] and first.label.scores.tolist() == [1, 1, 1]
    assert first.label.tracks is None and third.label.tracks.tolist() == [7] and third.label.scores.tolist() == [0.5]
    assert first.extra["places"] == ["line 2", "line 3", "line 5"] and first.extra["file"] == str(folder / "gt" / "gt.txt")
    assert first.extra["things"] == [{"visibility": 1}, {}, {"visibility": 0.5}] and third.extra["things"] == [{"visibility": 0.75}]
    assert len(data[1].label) == 0 and any("1 boxes are not considered" in note for note in data.notes)
    assert read(folder / "gt" / "gt.txt").labels[2].tracks.tolist() == [7]


def test_folders_of_sequences_with_splits(tmp_path):
    for name in ("train/A-02", "train/A-10", "test/A-03"):
        sequence(tmp_path, name, *(["1,1,0,0,5,5,1,1,1"] if "train" in name else []))
    data = read(tmp_path)
    assert list(dict.fromkeys((sample.split, sample.group) for sample in data)) == [("test", "A-03"), ("train", "A-02"), ("train", "A-10")]
    assert data[0].id == "test/A-03/img1/000001.jpg" and data[0].label is None and data.splits == {"test": 4, "train": 8}
    assert len(read(tmp_path, split="train")) == 8 and {sample.split for sample in read(tmp_path / "train")} == {None}
    sequence(tmp_path, "train/more/A-02", "1,1,0,0,5,5,1,1,1")
    assert "train/more/A-02" not in {sample.group for sample in read(tmp_path)}, "sequences lie up to two folders deep"
    twins = tmp_path / "twins"
    for part in ("a", "b"):
        sequence(twins / part, "S", "1,1,0,0,5,5,1,1,1")
    assert [group for group in dict.fromkeys(sample.group for sample in read(twins))] == ["a/S/img1", "b/S/img1"]


def test_labels_without_frames(tmp_path):
    """What evaluation servers give away: gt.txt and seqinfo.ini alone."""
    text(tmp_path / "S" / "gt" / "gt.txt", "2,1,0,0,5,5,1,1,1")
    text(tmp_path / "S" / "seqinfo.ini", "[Sequence]", "name=S", "seqLength=3", "frameRate=5")
    data = read(tmp_path)
    assert [(sample.id, len(sample.label)) for sample in data] == [("S#000000", 0), ("S#000001", 1), ("S#000002", 0)]
    assert not data[0].inputs and any("3 frames have no picture" in note for note in data.notes)


@pytest.mark.parametrize(
    "line, extra",
    [
        ("1,4,1,2,3,4", {}), ("1,4,1,2,3,4,0.5", {}), ("1 4 1 2 3 4 1", {}), ("1,4,1,2,3,4,1,2", {}), ("1,4,1,2,3,4,1,2,0.25,", {"visibility": 0.25}),
        ("1,4,1,2,3,4,-1,-1,-1,-1", {}), ("1,4,1,2,3,4,1,-4.15,7,0", {"world": [-4.15, 7, 0]}), ("1.0,4.0,1.0,2.0,3.0,4.0,1.0,2.0,-1.0", {}),
    ],
)  # fmt: skip
def test_forms_of_rows(tmp_path, line, extra):
    sample = read_mot(text(tmp_path / "r.txt", line))[0]
    np.testing.assert_array_equal(sample.label.boxes, [[1, 2, 4, 6]])
    assert sample.label.tracks.tolist() == [4] and sample.extra.get("things", [{}]) == [extra] and sample.extra["frame"] == 0
    assert read_mot(tmp_path / "r.txt").space.names == (CLASSES[1] if line.replace(".0", "").split(",")[7:8] == ["2"] else CLASSES[0],)


@pytest.mark.parametrize(
    "line, rule",
    [
        ("0,1,1,2,3,4,1,1,1", "from 1"), ("1.5,1,1,2,3,4,1,1,1", "from 1"), ("1,-2,1,2,3,4,1,1,1", "tracks are whole"), ("1,1.5,1,2,3,4,1,1,1", "tracks are whole"),
        ("1,1,1,2,nan,4,1,1,1", "finite"), ("1,1,1,2,1e999,4,1,1,1", "finite"), ("1,x,1,2,3,4,1,1,1", "finite"), ("1,1,1_0,2,3,4,1,1,1", "finite"),
        ("1,1,1,2,3,4,1,1", "8 columns"), ("1,1,1,2,3,4,64.3,1,1", "confidence"), ("1,1,-1,-1,-1,-1,1,1,1", "without a box"), ("1,1,1,2,3,4,1,1.5,1", "classes"),
        ("9,1,1,2,3,4,1,1,1", "a frame that is not there"), ("1e9,1,1,2,3,4,1,1,1", "from 1"), ("1", "1 columns"),
    ],
)  # fmt: skip
def test_faults_have_file_and_line(tmp_path, line, rule):
    good = "1,1,1,2,3,4,1,1,1"
    folder = sequence(tmp_path, "S", good, line, good.replace("1,1,1", "2,1,1", 1))
    with pytest.raises(DataError, match=rule) as caught:
        read(folder)
    assert caught.value.file == folder / "gt" / "gt.txt" and caught.value.at == "line 2"
    faults = []
    data = read(folder, faults=faults)
    assert len(faults) == 1 and [len(label) for label in data.labels] == [1, 1, 0, 0]


def test_class_names(tmp_path):
    rows = ("1,1,0,0,5,5,1,2,1", "1,2,0,0,5,5,1,30,1")
    assert read(sequence(tmp_path / "1", "S", *rows)).space == Space("Detections", ("person on vehicle", "30"), ids=(2, 30))
    folder = sequence(tmp_path / "2", "S", *rows)
    text(folder / "gt" / "labels.txt", "cat", "dog", "never")
    assert read(folder).space == Space("Detections", ("cat", "dog", "never", "30"), ids=(1, 2, 3, 30))
    text(folder / "data.yaml", "names: [fox, owl]", "ids: [2, 30]")
    assert read(folder).space == Space("Detections", ("fox", "owl"), ids=(2, 30)) and read(folder).format == "yaml"
    text(folder / "data.yaml", "names: [fox, owl]")
    with pytest.raises(DataError, match="no such class") as caught:
        read(folder)
    assert caught.value.at == "line 2" and caught.value.value == 30


def test_seqinfo_faults(tmp_path):
    for info, rule in (("frameRate=fast\n", "above 0"), ("seqLength=0\n", "above 0"), ("labeled=all\n", "ranges of frames")):
        with pytest.raises(DataError, match=rule):
            read(sequence(tmp_path / rule, "S", "1,1,0,0,5,5,1,1,1", info=info))
    folder = sequence(tmp_path, "S", "1,1,0,0,5,5,1,1,1")
    text(folder / "seqinfo.ini", "[Sequence]", "imDir=../other")
    with pytest.raises(DataError, match="outside"):
        read(folder)
    text(folder / "seqinfo.ini", "name=S")
    with pytest.raises(DataError, match=r"not a seqinfo\.ini"):
        read(folder)


def test_a_folder_of_frames_and_its_text(tmp_path):
    for i in range(4):
        picture(tmp_path / "walk" / f"frame_{i:03d}.png")
    text(tmp_path / "walk-gt.txt", "2,5,1,2,3,4,1,1,1", "3,5,1,2,3,4,1,1,1")
    for path in (tmp_path, tmp_path / "walk-gt.txt"):
        data = read(path)
        assert data.format == "mot" and [sample.extra["frame"] for sample in data] == [0, 1, 2, 3] and {sample.group for sample in data} == {"walk"}
        assert [None if label is None else len(label) for label in data.labels] == [None, 1, 1, None]
        assert any("2 frames outside" in note for note in data.notes) and data[1].id == "walk/frame_001.png"


def test_a_video_and_its_text(tmp_path):
    path = film(tmp_path / "clip.mp4")
    text(tmp_path / "clip.txt", *(f"{k + 1},3,{4 + 6 * k},10,16,16,1,1,1" for k in range(6)))
    for source in (path, tmp_path / "clip.txt", tmp_path):
        data = read(source)
        assert data.format == "mot" and [sample.id for sample in data][:2] == ["clip.mp4#000000", "clip.mp4#000001"] and len(data) == 6
        assert data[3].extra["frame"] == 3 and data[3].extra["seconds"] == pytest.approx(0.3) and data[3].group == "clip.mp4"
        assert isinstance(data[0].inputs["image"], bytes) and any("JPEG of quality 95" in note for note in data.notes)
    pixels = np.asarray(Image.open(io.BytesIO(data[2].inputs["image"])).convert("RGB")).astype(int)
    true = [frame for _, _, frame in video.frames(path)][2].astype(int)
    assert np.abs(pixels - true).mean() < 2
    x1, y1, x2, y2 = data[2].label.boxes[0].astype(int)
    assert pixels[y1 + 4 : y2 - 4, x1 + 4 : x2 - 4, 0].mean() > 150


def test_frames_that_do_not_fit_into_memory(tmp_path, monkeypatch):
    film(tmp_path / "clip.mp4")
    text(tmp_path / "clip.txt", "1,3,4,10,16,16,1,1,1")
    monkeypatch.setattr(_sequence, "available_memory", lambda: 2000)
    with pytest.raises(ResourceError, match="do not fit") as caught:
        read(tmp_path / "clip.mp4")
    assert "frames" in caught.value.fix


def test_a_yaml_about_a_video(tmp_path):
    film(tmp_path / "films" / "clip.mp4", 8)
    text(tmp_path / "here" / "gt.txt", "1,3,4,10,16,16,1,1,1", "7,3,40,10,16,16,1,1,1")
    file = text(tmp_path / "here" / "data.yaml", "path: ../films", "video: clip.mp4", "truth: gt.txt", "train: [1, 3]", "test: [[5, 6], [8, 8]]", "names: [person]")
    reader = load("data/readers", "video")

    def read(path):
        ask = Ask()
        data = reader.read(path, ask)
        ask.faults.check()
        return data

    assert reader.matches(file) and reader.matches(file.parent) and not reader.matches(tmp_path)
    data = read(file)
    assert data.space == Space("Detections", ("person",)) and {sample.group for sample in data} == {"clip.mp4"}
    assert [(sample.extra["frame"], sample.split) for sample in data] == [(0, "train"), (1, "train"), (2, "train"), (4, "test"), (5, "test"), (7, "test")]
    assert [len(label) for label in data.labels] == [1, 0, 0, 0, 0, 0]
    with pytest.raises(DataError, match="outside the folder"):
        read(tmp_path / "here")
    text(file, "path: ../films", "video: clip.mp4", "truth: gt.txt", "frames: [7, 7]")
    assert [len(sample.label) for sample in read(file)] == [1]
    for lines, rule in (
        (("video: clip.mp4", "trian: [1, 2]"), "unknown key"), (("video: nothing.mp4",), "no such file"), (("video: clip.mp4", "train: [3, 1]"), "range of frames"),
        (("video: clip.mp4", "train: [1, 30]"), "after the last frame"), (("video: clip.mp4", "train: [1, 3]", "val: [3, 4]"), "in train and in val"), (("video: clip.mp4", "train: 5"), "range of frames"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=rule):
            read(text(file, "path: ../films", *lines))


def test_a_yaml_about_a_video_is_found(tmp_path):
    film(tmp_path / "clip.mp4")
    text(tmp_path / "gt.txt", "1,3,4,10,16,16,1,1,1")
    text(tmp_path / "data.yaml", "video: clip.mp4", "truth: gt.txt", "frames: [1, 2]")
    assert read(tmp_path).format == "video" and len(read(tmp_path / "data.yaml")) == 2


def tracked(count=5, split=None, group="walk", seed=0, space=SPACE):
    """Frames of one sequence with boxes of all kinds."""
    random, samples = np.random.default_rng(seed), []
    for k in range(count):
        low = random.uniform(-2, 30, (3, 2))
        boxes = np.concatenate([low, low + random.uniform(0, 20, (3, 2))], 1).astype(np.float32)
        crowd = random.random(3) < 0.3
        scores = np.where(crowd | (random.random(3) < 0.3), 1, random.uniform(0.01, 1, 3))
        label = Detections(boxes, scores, random.integers(0, len(space), 3), tracks=np.arange(3) + 5, crowd=crowd if crowd.any() else None)
        extra = {"frame": k + 2, "seconds": (k + 2) / 12.5, "things": [{"visibility": 0.5}, {}, {"visibility": 1}]}
        pixels = random.integers(0, 255, (30, 40, 3), np.uint8)
        samples.append(Sample(f"{group}{k}", {"image": pixels}, label if k != 1 else Detections.empty(), split, group, None, extra))
    return samples


def test_written_sequences_are_read_back_the_same(tmp_path):
    samples = tracked(split="train") + tracked(4, "test", seed=1) + tracked(3, None, "a:b", seed=2)
    samples[2].label = None
    data = Dataset(samples, SPACE)
    with pytest.raises(DataError, match="names of sequences"):
        convert(data, tmp_path / "no", to="mot")
    again = convert(data, tmp_path / "out", to="mot", lossy=True)
    assert (tmp_path / "out" / "train" / "walk" / "img1" / "000003.png").is_file() and (tmp_path / "out" / "unassigned" / "a_b" / "gt" / "gt.txt").is_file()
    assert again.space == SPACE and "left out: 1 names of sequences" in again.notes and sum(label is None for label in again.labels) == 1
    info = (tmp_path / "out" / "train" / "walk" / "seqinfo.ini").read_text()
    assert "frameRate=12.5" in info and "seqLength=7" in info and "imWidth=40" in info and "labeled=3-4,6-7" in info
    assert {sample.group for sample in again} == {"walk", "a_b"} and [sample.extra["frame"] for sample in again if sample.split == "test"] == [2, 3, 4, 5]
    assert next(sample.extra["things"] for sample in again if sample.split == "test") == [{"visibility": 0.5}, {}, {"visibility": 1}]
    third = convert(str(tmp_path / "out"), tmp_path / "again", to="mot")
    assert third.fingerprint() != "" and [sample.label.to_dict() for sample in third if sample.label] == [sample.label.to_dict() for sample in again if sample.label]


def test_what_mot_cannot_hold(tmp_path):
    box = np.array([[0, 0, 9, 9]])

    def one(**fields):
        return Dataset([Sample("a", {"image": np.zeros((20, 20), np.uint8)}, Detections(box, **fields), group="g")], SPACE)

    with pytest.raises(DataError, match="have none"):
        convert(one(), tmp_path / "a", to="mot")
    with pytest.raises(DataError, match="from 0"):
        convert(one(tracks=[-1]), tmp_path / "a", to="mot")
    ring = Polygons((np.array([[0, 0], [9, 0], [9, 9.0]]),))
    lossy = one(tracks=[1], outlines=(ring,), texts=("a",), scores=[0])
    _, lost = held(lossy)
    assert lost == {"outlines": 1, "texts": 1, "scores of 0 and of ignored regions": 1}
    with pytest.raises(DataError, match="cannot hold"):
        convert(lossy, tmp_path / "a", to="mot")
    assert convert(lossy, tmp_path / "a", to="mot", lossy=True)[0].label.scores.tolist() == [1]
    nothing = Dataset([Sample("a", {"image": np.zeros((20, 20), np.uint8)}, Detections.empty(), group="g")], SPACE)
    assert len(convert(nothing, tmp_path / "b", to="mot")[0].label) == 0


def test_results_are_read_back_exactly(tmp_path):
    data = Dataset(tracked(6), SPACE)
    file = write_mot(data, tmp_path / "deep" / "walk.txt")
    again = read_mot(file, SPACE, frames=(3, 8))
    assert [label_difference(a, b) for a, b in zip(data.labels, again.labels)] == [None] * 6 and again.space == SPACE
    assert [sample.extra["frame"] for sample in again] == [sample.extra["frame"] for sample in data]
    assert file.read_text().splitlines()[0].startswith("3,5,") and len(file.read_text().splitlines()[0].split(",")) == 9
    plain = Dataset(tracked(2, space=Space("Detections", ("x", "y"))), Space("Detections", ("x", "y")))
    assert read_mot(write_mot(plain, tmp_path / "p.txt"), plain.space)[0].label.classes.tolist() == plain[0].label.classes.tolist()
    with pytest.raises(DataError, match="one sequence"):
        write_mot(Dataset(tracked(2) + tracked(2, group="other"), SPACE), tmp_path / "two.txt")
    assert write_mot(Dataset([], SPACE), tmp_path / "none.txt").read_text() == ""
    with pytest.raises(InputError):
        read_mot(tmp_path / "missing.txt")
    assert [len(label) for label in read_mot(tmp_path / "none.txt", SPACE, frames=(1, 3)).labels] == [0, 0, 0]


# the doctor


def walk(count=30, things=3, seed=0, start=0):
    """Frames of things that walk side by side; each a list of (track, box)."""
    random = np.random.default_rng(seed)
    place, speed = np.column_stack([np.full(things, 5.0), 12.0 + 40 * np.arange(things)]), random.uniform(1, 2, (things, 1)) * [1, 0]
    frames = []
    for k in range(count):
        low = place + k * speed + random.normal(0, 0.3, (things, 2))
        frames.append([(t + 1, [*low[t], *(low[t] + [12, 30])], 0) for t in range(things)])
    return frames


def film_of(frames, numbers=None, group="film", split=None):
    samples = []
    for k, rows in enumerate(frames):
        boxes = np.array([row[1] for row in rows], np.float32).reshape(-1, 4)
        label = Detections(boxes, None, [row[2] for row in rows], tracks=np.array([row[0] for row in rows], np.int64))
        pixels = np.full((8, 8), 3 * k % 255, np.uint8)
        samples.append(Sample(f"{group}{k}", {"image": pixels}, label, split, group, None, {"frame": k if numbers is None else numbers[k]}))
    return samples


def found(samples, rule):
    examination = examine(Dataset(samples, SPACE), near_duplicates=False)
    return [finding for finding in examination.findings if finding.rule == rule]


RULES = ("track_reuse", "track_jump", "track_gap", "track_length", "frame_gap")


def test_sound_tracks_and_no_tracks_have_no_findings():
    plain = [Sample(str(k), {"image": np.full((8, 8), k, np.uint8)}, Detections([[0, 0, 5, 5]])) for k in range(30)]
    for samples in ([], film_of([]), film_of([[]] * 3), film_of(walk()), plain):
        examination = examine(Dataset(samples, SPACE), near_duplicates=False)
        assert not [finding for finding in examination.findings if finding.rule in RULES]


def test_a_number_on_two_things():
    frames = walk()
    frames[7].append((2, [70, 60, 80, 90], 0))
    for k in range(20, 30):
        frames[k][2] = (3, frames[k][2][1], 1)
    findings = found(film_of(frames), "track_reuse")
    assert [finding.message for finding in findings] == ["track 2 of film is twice in frame 7", "track 3 of film turns from person into car in frame 20"]
    assert findings[0].index == 7 and findings[1].index == 20 and findings[1].box == 2


def test_jumps():
    frames = walk()
    frames[10][1] = (2, [200, 200, 212, 230], 0)
    findings = found(film_of(frames), "track_jump")
    assert len(findings) == 1 and findings[0].index == 10 and "track 2 of film jumps" in findings[0].message, "there and back is one jump"
    swapped = walk()
    for k in range(15, 30):
        (_, a, _), (_, b, _) = swapped[k][0], swapped[k][2]
        swapped[k][0], swapped[k][2] = (3, a, 0), (1, b, 0)
    assert sorted((finding.index, finding.box) for finding in found(film_of(swapped), "track_jump")) == [(15, 0), (15, 2)]
    fast = [[(1, [20.0 * k, 0, 20.0 * k + 12, 30], 0)] for k in range(30)]
    assert found(film_of(fast), "track_jump") == [], "where everything is fast nothing jumps"
    runner = walk()
    for k in range(10, 20):
        runner[k].append((9, [15.0 * k, 150, 15.0 * k + 12, 180], 0))
    assert found(film_of(runner), "track_jump") == [], "a thing that keeps its speed does not jump"


def test_gaps_and_short_tracks():
    frames = walk()
    for k in (8, 9, 10, 20):
        del frames[k][1]
    findings = found(film_of(frames), "track_gap")
    assert [finding.message for finding in findings] == ["track 2 of film is missing 2 times, for 3 frames at most after frame 7"]
    assert findings[0].index == 11 and findings[0].severity == "note" and findings[0].value == 3
    unlabeled = film_of(frames)
    for k in (8, 9, 10, 20):
        unlabeled[k].label = None
    assert found(unlabeled, "track_gap") == [], "nothing is known of a frame without a label"
    frames = walk()
    frames[12].append((77, [50, 50, 60, 60], 0))
    frames[0].append((78, [50, 50, 60, 60], 0))
    findings = found(film_of(frames), "track_length")
    assert [(finding.index, finding.value) for finding in findings] == [(12, 1)], "at the ends of a sequence tracks may be short"


def test_missing_frames_and_leaks_of_videos():
    numbers = [*range(10), *range(13, 33)]
    findings = found(film_of(walk(30), numbers), "frame_gap")
    assert [finding.message for finding in findings] == ["frames 10–12 are missing"] and findings[0].at == "group film"
    assert found(film_of(walk(30), range(0, 300, 10)), "frame_gap") == [], "every tenth frame is no gap"
    assert found(film_of(walk(30), numbers), "track_gap") == [], "a frame that is not there is no gap of a track"
    both = film_of(walk(10), split="train") + film_of(walk(10), range(10, 20), split="test")
    for k, sample in enumerate(both):
        sample.id = str(k)
    assert len(found(both, "group_leak")) == 1
