"""Conversions: nothing is lost in silence, sources are never touched, and what was written is read back."""

import hashlib
import os
import stat

import numpy as np
import pytest
from PIL import Image

from vidi.cli import main
from vidi.core import discovery
from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.data import read
from vidi.data._same import differences, label_difference
from vidi.errors import DataError, InputError
from vidi.labels import Classification, Detections, Outline, Polygons, Regression
from vidi.verbs.convert import convert

FORMATS = ["coco", "yolo", "voc", "csv"]
RING = np.array([[1.25, 1], [9.1, 2], [5, 8.3]])


def state(root):
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        info = path.lstat()
        digest.update(f"{path}{info.st_mode}{info.st_size}{info.st_mtime_ns}{info.st_nlink}".encode())
        if stat.S_ISREG(info.st_mode):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def scenes(root, labels, splits=None, names=("cat", "b10", "b2", "never"), ids=(), ids_of_pictures=None):
    samples = []
    for i, label in enumerate(labels):
        id = ids_of_pictures[i] if ids_of_pictures else f"p/{i}.png"
        path = root / id
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((37, 53, 3), 5 * i, np.uint8)).save(path)
        samples.append(Sample(id, {"image": path}, label, splits[i] if splits else None))
    return Dataset(samples, Space("Detections", names, ids=ids), root=root)


def plain(seed=0, count=6):
    random = np.random.default_rng(seed)
    labels = [Detections.empty(), None]
    for _ in range(count):
        low = random.uniform(-2, 40, (5, 2))
        boxes = np.concatenate([low, low + random.uniform(0, 20, (5, 2))], 1)
        boxes[:2] = boxes[:2].round()
        labels.append(Detections(boxes, classes=random.integers(0, 3, 5)))
    return labels


def test_empty_comes_first(tmp_path):
    for name in FORMATS:
        data = convert(scenes(tmp_path / "data", [Detections.empty()]), tmp_path / name, to=name)
        assert len(data) == 1 and len(data[0].label) == 0 and data.space.names == ("cat", "b10", "b2", "never")
        none = scenes(tmp_path / "data", [None])
        none.space = None
        assert convert(none, tmp_path / f"{name} none", to=name).labels == [None]


SPLITS = {"none": None, "all": ["train", "train", "val", "test"] * 2, "some": ["train", None, "val", None] * 2}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("splits", SPLITS)
def test_round_trips(tmp_path, name, splits):
    data = scenes(tmp_path / "data", plain(), SPLITS[splits])
    before = state(tmp_path / "data")
    again = convert(data, tmp_path / "out", to=name)
    assert state(tmp_path / "data") == before and again.space == data.space and again.splits == data.splits
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out"]
    places = discovery.load("data/writers", name).places(data)
    by_file = {sample.file: sample.label for sample in again}
    for sample, place in zip(data, places):
        copy = tmp_path / "out" / place
        assert copy.read_bytes() == sample.file.read_bytes() and not copy.samefile(sample.file)
        assert label_difference(sample.label, by_file[copy]) is None, "boxes are exact in every format"


def test_round_the_whole_ring(tmp_path):
    first = convert(scenes(tmp_path / "data", plain(), SPLITS["all"]), tmp_path / "0", to="coco")
    path, last = tmp_path / "0", first
    for i, name in enumerate(["yolo", "csv", "voc", "csv", "yolo", "coco"], 1):
        last = convert(str(path), tmp_path / str(i), to=name)
        path = tmp_path / str(i)
    mine, theirs = ({sample.file.name: sample.label for sample in data} for data in (first, last))
    assert mine.keys() == theirs.keys() and all(label_difference(mine[key], theirs[key]) is None for key in mine)


def rich():
    mask = np.zeros((37, 53), bool)
    mask[3:9, 4:20] = True
    boxes = np.array([[1.25, 1, 9.1, 8.3], [4, 3, 20, 9], [0, 0, 30, 30], [5, 5, 9, 9]])
    outlines = (Polygons((RING,)), Outline.of(mask), Polygons((RING, RING + 20)), None)
    return Detections(boxes, [1, 0.5, 1, 0.25], [0, 1, 2, 0], None, [1, 2, 3, 4], ("", "a", "=b", " c "), [False, False, False, True], outlines)


@pytest.mark.parametrize("name", ["coco", "csv"])
def test_coco_and_csv_hold_everything(tmp_path, name):
    data = scenes(tmp_path / "data", [rich(), Detections.empty(), None], ids=(7, 3, 90, 1))
    data[1].group = "g"
    again = convert(data, tmp_path / "out", to=name)
    assert again.space == data.space and label_difference(data[0].label, again[0].label) is None and again[1].group == "g"


@pytest.mark.parametrize(
    "name, words",
    [("yolo", ["crowd regions (1)", "tracks (3)", "texts (3)", "run lengths and outlines of several rings (2)"]), ("voc", ["outlines (3)", "scores (1)"])],
)
def test_what_a_format_cannot_hold_is_refused_or_counted(tmp_path, name, words):
    data = scenes(tmp_path / "data", [rich(), Detections.empty()])
    data[1].group = "g"
    data[0].extra = {"places": list("abcd"), "things": [{"difficult": i} for i in range(4)]}
    with pytest.raises(DataError, match=f"{name} cannot hold") as caught:
        convert(data, tmp_path / "out", to=name)
    assert all(word in caught.value.rule for word in [*words, "groups (1)"]) and not (tmp_path / "out").exists()
    again = convert(data, tmp_path / "out", to=name, lossy=True)
    assert any("left out: 1 crowd regions" in note for note in again.notes) and len(again[0].label) == 3
    assert again[0].label.boxes.tolist() == data[0].label.boxes[:3].tolist()
    if name == "yolo":
        assert again[0].label.scores.tolist() == [1, 0.5, 1] and [o is not None for o in again[0].label.outlines] == [True, False, False]
        np.testing.assert_allclose(again[0].label.outlines[0].rings[0], RING, rtol=1e-6)
    else:
        assert again[0].extra["things"][2] == {"pose": "Unspecified", "truncated": 0, "difficult": 2}


def test_a_box_that_is_not_its_outlines(tmp_path):
    data = scenes(tmp_path / "data", [Detections([[0, 0, 9.1, 8.3]], outlines=(Polygons((RING,)),))])
    with pytest.raises(DataError, match="boxes that differ from their outline"):
        convert(data, tmp_path / "out", to="yolo")


def test_category_ids_are_kept_or_said(tmp_path):
    data = scenes(tmp_path / "data", plain(), ids=(90, 1, 17, 2))
    for name in ("coco", "yolo", "csv"):
        assert convert(data, tmp_path / name, to=name).space == data.space
    again = convert(data, tmp_path / "voc", to="voc")
    assert again.space.ids == () and "category ids are not kept" in again.notes[-1]


def test_what_the_source_says_of_things_goes_along(tmp_path):
    data = scenes(tmp_path / "data", [Detections([[1, 2, 3, 4], [2, 3, 4, 5]])])
    data[0].extra = {"things": [{"pose": "Left", "truncated": 1, "difficult": 0}, {"pose": "", "truncated": 0, "difficult": 1}], "picture": {"folder": "f"}}
    convert(data, tmp_path / "1", to="voc")
    convert(str(tmp_path / "1"), tmp_path / "2", to="coco")
    again = convert(str(tmp_path / "2"), tmp_path / "3", to="voc")
    kept = [{key: thing[key] for key in ("pose", "truncated", "difficult")} for thing in again[0].extra["things"]]
    assert kept == data[0].extra["things"] and again[0].extra["picture"]["folder"] == "JPEGImages"
    notes = convert(str(tmp_path / "1"), tmp_path / "4", to="yolo").notes
    assert "what the source says beyond labels is not kept: difficult, folder, pose, truncated" in notes


def test_names_of_pictures_stay_apart(tmp_path):
    names = ["a/x.png", "b/x.png", "b/X.PNG", "x.jpg", "c/-weird<>: name.png", "c/.hid.png", "c/train.txt.png", "c/classes.png"]
    data = scenes(tmp_path / "data", [Detections([[i, 0, 20 + i, 9]]) for i in range(8)], ids_of_pictures=names)
    for name in FORMATS:
        again = convert(data, tmp_path / name, to=name)
        assert len(again) == 8 and len({os.path.splitext(sample.file.name)[0].casefold() for sample in again}) == 8
        assert not any(set(sample.file.name) & set('<>:\\|?*"') for sample in again)


@pytest.mark.parametrize("name", [*FORMATS, "folders"])
def test_targets_that_are_refused(tmp_path, name):
    data = scenes(tmp_path / "data", plain(count=1))
    if name == "folders":
        data = data.with_samples(Sample(s.id, s.inputs, Classification([1, 0])) for s in data)
        data.space = Space("Classification", ("a", "b"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    (tmp_path / "file").touch()
    os.symlink("data", tmp_path / "link")
    before = state(tmp_path)
    for target in ("full", "file", "data", "data/new", "link/new"):
        with pytest.raises(InputError):
            convert(data, tmp_path / target, to=name)
    assert state(tmp_path) == before
    (tmp_path / "empty").mkdir()
    assert len(convert(data, tmp_path / "empty", to=name)) == len(data)


def test_a_failed_conversion_leaves_nothing(tmp_path):
    data = scenes(tmp_path / "data", plain(count=1))
    data[2].file.write_bytes(b"no picture")
    with pytest.raises(InputError, match="size cannot be read"):
        convert(data, tmp_path / "out", to="yolo")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    data[2].label = Detections([[0, np.nan, 1, 1]])
    for name in FORMATS:
        with pytest.raises(DataError, match="no number"):
            convert(data, tmp_path / "out", to=name)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_names_of_classes_survive(tmp_path):
    names = ("007", "=cmd|calc!A1", "a b", "<x> & 'y'", "é文", "no", "1.10", "a: b")
    data = scenes(tmp_path / "data", [Detections([[i, 0, 9, 9] for i in range(8)], classes=np.arange(8))], names=names)
    for name in FORMATS:
        assert convert(data, tmp_path / name, to=name).space.names == names
    odd = scenes(tmp_path / "odd", [Detections.empty()], names=(" x",))
    with pytest.raises(DataError, match="class name"):
        convert(odd, tmp_path / "out", to="voc")
    assert convert(odd, tmp_path / "out", to="yolo").space.names == (" x",)


def test_pictures_in_memory_are_written(tmp_path):
    pixels = np.arange(12 * 9 * 3, dtype=np.uint8).reshape(12, 9, 3)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    samples = [Sample("one", {"image": pixels}, Detections([[1, 2, 3, 4]])), Sample("two", {"image": (tmp_path / "x.png").read_bytes()}, None)]
    for name in FORMATS:
        again = convert(Dataset(samples, Space("Detections", ("a",))), tmp_path / name, to=name)
        assert all(np.array_equal(np.asarray(Image.open(sample.file)), pixels) for sample in again)


def test_masks_become_run_lengths(tmp_path):
    masks = np.zeros((1, 37, 53), bool)
    masks[0, 3:9, 4:20] = True
    data = scenes(tmp_path / "data", [Detections([[4, 3, 20, 9]], [0.5], masks=masks)])
    for name in ("coco", "csv"):
        label = convert(data, tmp_path / name, to=name)[0].label
        assert np.array_equal(label.outlines[0].mask((37, 53)), masks[0]) and label.scores.tolist() == [0.5]


def kinds(root):
    hot, paths = Classification.one_hot, []
    for i in range(4):
        path = root / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (4, 4), i).save(path)
        paths.append(path)

    def made(labels, space, splits=None):
        return Dataset([Sample(path.name, {"image": path}, label, splits[i] if splits else None) for i, (path, label) in enumerate(zip(paths, labels))], space, root=root)

    one = Space("Classification", ("zebra", "ant", "never"))
    return {
        "classes": made([hot(0, 3), hot(1, 3), None, hot(0, 3)], one),
        "splits": made([hot(0, 3), hot(1, 3), hot(0, 3), None], one, ["train", "val", "train", "test"]),
        "several": made([Classification([1, 1]), Classification([0, 0]), None, Classification([0, 1])], Space("Classification", ("a", "b"), False)),
        "numbers": made([Regression([0.5]), Regression([1e-5]), None, Regression([3])], Space("Regression", ("x",))),
    }


@pytest.mark.parametrize("case, name", [("classes", "csv"), ("classes", "folders"), ("splits", "csv"), ("splits", "folders"), ("several", "csv"), ("numbers", "csv")])
def test_other_kinds_of_labels(tmp_path, case, name):
    data = kinds(tmp_path / "data")[case]
    again = convert(data, tmp_path / "out", to=name)
    assert again.space == data.space and again.splits == data.splits


def test_what_does_not_fit_is_refused(tmp_path):
    data = kinds(tmp_path / "data")
    for case, name in (("classes", "coco"), ("numbers", "yolo"), ("several", "folders"), ("numbers", "folders")):
        with pytest.raises(DataError):
            convert(data[case], tmp_path / "out", to=name)
    soft = data["classes"]
    soft[0].label = Classification([0.7, 0.2, 0.1])
    with pytest.raises(DataError, match="probabilities"):
        convert(soft, tmp_path / "out", to="folders")
    assert convert(soft, tmp_path / "out", to="folders", lossy=True).space == soft.space


def test_differences_are_found(tmp_path):
    data = scenes(tmp_path / "data", plain(count=1))
    places = [sample.id for sample in data]
    assert differences(data, data, places, tmp_path / "data") == []
    other = data.with_samples(Sample(s.id, s.inputs, s.label, s.split) for s in data)
    other[0].label, other[1].split = Detections([[0, 0, 1, 1]]), "val"
    other[2].label = Detections(data[2].label.boxes + np.float32(0.01), classes=data[2].label.classes)
    assert len(differences(data, other, places, tmp_path / "data")) == 3
    assert len(differences(data, other, places, tmp_path / "data", 1e-3)) == 2
    assert "not there" in differences(data, other.with_samples(other.samples[:2]), places, tmp_path / "data")[-1]


def test_the_command(tmp_path, capsys):
    convert(scenes(tmp_path / "data", plain(), SPLITS["all"]), tmp_path / "a", to="coco")
    assert main(["convert", str(tmp_path / "a"), str(tmp_path / "b"), "--to", "yolo"]) == 0
    said = capsys.readouterr()
    assert "read back and compared: labels are equal to 1e-06" in said.out and "as yolo: 8 pictures, 30 things" in said.err
    assert main(["convert", str(tmp_path / "b"), str(tmp_path / "c"), "to=voc", "split=train", "--json"]) == 0
    assert len(read(tmp_path / "c")) == 4
    assert main(["convert", str(tmp_path / "a"), str(tmp_path / "d"), "--to", "yoloo"]) == 2 and "yolo" in capsys.readouterr().err
    assert main(["convert", str(tmp_path / "a"), str(tmp_path / "d")]) == 2


def test_writers_are_listed_with_their_meaning():
    names = discovery.names("data/writers")
    assert {*FORMATS, "folders"} <= set(names)
    for name in names:
        module = discovery.load("data/writers", name)
        assert module.MEANING and all(callable(getattr(module, part)) for part in ("write", "held", "places"))
