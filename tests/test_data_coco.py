"""COCO: what is read, every fault with its JSON pointer, and listings that are read back the same."""

import copy
import json
import os

import numpy as np
import pytest
from PIL import Image

from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.data import read
from vidi.data._same import label_difference
from vidi.data.write import write
from vidi.errors import DataError, InputError
from vidi.labels import Detections, Outline, Polygons, Runs

RING = [2, 1, 8, 1, 8, 5.5, 2, 5.5]


def picture(path, size=(12, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size).save(path)
    return path


def document():
    return {
        "info": {"year": 2020},
        "images": [{"id": 7, "file_name": "a.png", "width": 12, "height": 10}, {"id": 3, "file_name": "b.png", "width": 12, "height": 10}],
        "categories": [{"id": 90, "name": "dog", "supercategory": "pet"}, {"id": 2, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 90, "bbox": [2, 1, 6, 4.5], "area": 27, "iscrowd": 0, "segmentation": [RING]},
            {"id": 5, "image_id": 7, "category_id": 2, "bbox": [0.1, 0.2, 3.3, 4.4], "iscrowd": 0},
            {"id": 6, "image_id": 7, "category_id": 2, "bbox": [0, 0, 2, 10], "iscrowd": 1, "segmentation": {"size": [10, 12], "counts": [0, 20, 100]}},
        ],
    }


@pytest.fixture
def room(tmp_path):
    for name in ("a.png", "b.png"):
        picture(tmp_path / name)

    def make(values=None, name="t.json", **options):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(values if isinstance(values, str) else json.dumps(document() if values is None else values))
        return read(tmp_path / name, **options)

    make.root = tmp_path
    return make


def test_empty_comes_first(room):
    data = room({"images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": []})
    assert len(data[0].label) == 0 and data.space == Space("Detections") and data[0].extra["places"] == []
    with pytest.raises(DataError, match="no images"):
        room({"images": [], "annotations": [], "categories": []})


def test_what_is_read(room):
    data = room()
    assert data.format == "coco" and data.space == Space("Detections", ("cat", "dog"), ids=(2, 90))
    label, sample = data[0].label, data[0]
    assert [s.id for s in data] == ["a.png", "b.png"] and sample.file == room.root / "a.png" and len(data[1].label) == 0
    assert label.classes.tolist() == [1, 0, 0] and label.crowd.tolist() == [False, False, True]
    np.testing.assert_array_equal(label.boxes, np.array([[2, 1, 8, 5.5], [0.1, 0.2, 0.1 + 3.3, 0.2 + 4.4], [0, 0, 2, 10]], np.float32))
    assert label.outlines == (Polygons((np.reshape(RING, (4, 2)),)), None, Runs((10, 12), [0, 20, 100]))
    assert sample.extra["places"] == ["/annotations/0", "/annotations/1", "/annotations/2"] and sample.extra["size"] == [10, 12]
    assert sample.extra["things"][0] == {"id": 1, "area": 27} and sample.extra["id"] == 7
    assert data.extra["info"] == {"year": 2020} and data.extra["categories"] == [{}, {"supercategory": "pet"}]


def test_ids_from_zero_on_need_no_table(room):
    values = document()
    values["categories"] = [{"id": 1, "name": "b"}, {"id": 0, "name": "a"}]
    values["annotations"] = []
    assert room(values).space == Space("Detections", ("a", "b"))


def test_compressed_run_lengths(room):
    coco = pytest.importorskip("pycocotools.mask")
    mask = np.zeros((10, 12), np.uint8, order="F")
    mask[3:7, 2:9] = 1
    values = document()
    values["annotations"] = [{"image_id": 3, "category_id": 2, "segmentation": {"size": [10, 12], "counts": coco.encode(mask)["counts"].decode()}}]
    label = room(values)[1].label
    assert label.outlines == (Outline.of(mask.astype(bool)),) and label.boxes.tolist() == [[2, 3, 9, 7]]


def test_unlabeled_pictures_and_keypoints(room):
    values = document()
    del values["annotations"]
    data = room(values)
    assert data.labels == [None, None] and data.space is None and "2 pictures have no label" in data.notes
    values = document()
    values["images"][1]["labeled"] = False
    values["annotations"][0]["keypoints"] = [1, 2, 2]
    data = room(values)
    assert data[1].label is None and "keypoints of 1 annotations are not read as labels" in data.notes
    assert data[0].extra["things"][0]["keypoints"] == [1, 2, 2]


LAYOUTS = {
    "coco": (["annotations/instances_train2017.json", "annotations/instances_val2017.json", "annotations/captions_val2017.json"], ["train2017", "val2017"]),
    "plain": (["annotations/train.json", "annotations/val.json"], ["images", "images"]),
    "top": (["train.json", "valid.json"], ["images/train", "images/valid"]),
    "roboflow": (["train/_annotations.coco.json", "valid/_annotations.coco.json"], ["train", "valid"]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, layout):
    files, folders = LAYOUTS[layout]
    for file, folder in zip(files, [*folders, folders[-1]]):
        for name in ("a.png", "b.png"):
            picture(tmp_path / folder / name)
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(json.dumps(document()))
    data = read(tmp_path)
    assert data.format == "coco" and data.splits == {"train": 2, "val": 2} and data.space.ids == (2, 90)
    assert all(sample.file == tmp_path / sample.id.partition("#")[0] for sample in data)
    assert len({sample.id for sample in data}) == 4
    assert len(read(tmp_path / files[0])) == 2
    (tmp_path / "data.yaml").write_text(f"train: {files[0]}\nval: {files[1]}\nnames: [dog, cat]\n")
    again = read(tmp_path)
    assert again.format == "yaml" and again.space == Space("Detections", ("dog", "cat"), ids=(90, 2)) and again[0].label.classes.tolist() == [0, 1, 1]


def test_files_with_different_categories_are_united(tmp_path):
    picture(tmp_path / "a.png")
    for name, categories in (("train", [{"id": 5, "name": "x"}]), ("val", [{"id": 5, "name": "x"}, {"id": 1, "name": "y"}])):
        image, thing = {"id": 1, "file_name": "a.png"}, {"image_id": 1, "category_id": 5, "bbox": [0, 0, 1, 1]}
        (tmp_path / f"{name}.json").write_text(json.dumps({"images": [image], "annotations": [thing], "categories": categories}))
    data = read(tmp_path)
    assert data.space == Space("Detections", ("y", "x"), ids=(1, 5)) and [label.classes.tolist() for label in data.labels] == [[1], [1]]
    (tmp_path / "val.json").write_text(json.dumps({"images": [], "annotations": [], "categories": [{"id": 5, "name": "z"}]}))
    with pytest.raises(DataError, match="one id to two categories"):
        read(tmp_path)


HOSTILE = [
    "../secret.png", "/etc/passwd", "out.png", "up/secret.png", "loop.png", "pipe.png", "zero.png", "nul\0.png",
    "http://127.0.0.1/x.png", "file:///etc/passwd", "A.PNG", "sub", "x" * 300 + ".png",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(room, name):
    root = room.root / "data"
    picture(room.root / "secret.png")
    picture(root / "sub" / "b.png")
    picture(root / "a.png")
    os.symlink("../secret.png", root / "out.png")
    os.symlink("..", root / "up")
    os.symlink("loop.png", root / "loop.png")
    os.mkfifo(root / "pipe.png")
    os.symlink("/dev/zero", root / "zero.png")
    values = document()
    values["images"][1]["file_name"] = name
    with pytest.raises(InputError, match="image 3") as caught:
        room(values, "data/t.json")
    assert caught.value.at == "/images/1/file_name" and caught.value.exit_code == 2 and "\n" not in str(caught.value)


def put(place, value):
    def change(values):
        *path, last = place
        item = values
        for key in path:
            item = item[key]
        item[last] = value

    return change


FIRST, CROWD = ("annotations", 0), ("annotations", 2, "segmentation")
FAULTS = [
    (put((*FIRST, "bbox"), [1, 2, 3]), "/annotations/0/bbox", "four numbers"),
    (put((*FIRST, "bbox"), [1, 2, 3, True]), "/annotations/0/bbox", "four numbers"),
    (put((*FIRST, "bbox"), "1 2 3 4"), "/annotations/0/bbox", "four numbers"),
    (put(("annotations", 1, "bbox"), None), "/annotations/1/bbox", "no bbox"),
    (put((*FIRST, "id"), True), "/annotations/0/id", "whole number"),
    (put((*FIRST, "id"), 5), "/annotations/1/id", "two annotations have one id"),
    (put((*FIRST, "image_id"), 7.0), "/annotations/0/image_id", "whole number"),
    (put((*FIRST, "image_id"), 99), "/annotations/0/image_id", "no image has this id"),
    (put((*FIRST, "category_id"), 1), "/annotations/0/category_id", "no category has this id"),
    (put((*FIRST, "category_id"), True), "/annotations/0/category_id", "whole number"),
    (put((*FIRST, "iscrowd"), 2), "/annotations/0/iscrowd", "0 or 1"),
    (put((*FIRST, "score"), 1.5), "/annotations/0/score", "0..1"),
    (put((*FIRST, "segmentation"), [[1, 2, 3, 4]]), "/annotations/0/segmentation/0", "polygon of 4 numbers"),
    (put((*FIRST, "segmentation"), [[1, 2, 3, 4, 5, 6, 7]]), "/annotations/0/segmentation/0", "polygon of 7 numbers"),
    (put((*FIRST, "segmentation"), [RING, [1, 2, 3, float("nan"), 5, 6]]), "/annotations/0/segmentation/1/3", "not a coordinate"),
    (put((*FIRST, "segmentation"), [[1, 2, 3, float("inf"), 5, 6]]), "/annotations/0/segmentation/0/3", "not a coordinate"),
    (put((*FIRST, "segmentation"), [[1, 2, 1e9, 4, 5, 6]]), "/annotations/0/segmentation/0/2", "not a coordinate"),
    (put((*FIRST, "segmentation"), [[1, 2, 10**400, 4, 5, 6]]), "/annotations/0/segmentation/0/2", "not a coordinate"),
    (put((*FIRST, "segmentation"), "abc"), "/annotations/0/segmentation", "list of polygons"),
    (put((*CROWD, "counts"), [2, 3]), "/annotations/2/segmentation/counts", "counts sum to 5 ≠ 120"),
    (put((*CROWD, "counts"), [100, 21]), "/annotations/2/segmentation/counts", "counts sum to 121 ≠ 120"),
    (put((*CROWD, "counts"), [121, -1]), "/annotations/2/segmentation/counts/0", "a run of 121 pixels"),
    (put((*CROWD, "counts"), [10**12, 1 - 10**12, 119]), "/annotations/2/segmentation/counts/0", "a run of"),
    (put((*CROWD, "counts"), "oooooo0"), "/annotations/2/segmentation/counts", "a run of"),
    (put((*CROWD, "counts"), "\x07"), "/annotations/2/segmentation/counts", "compressed"),
    (put((*CROWD, "counts"), [1.5]), "/annotations/2/segmentation/counts", "whole numbers"),
    (put((*CROWD, "size"), [12, 10]), "/annotations/2/segmentation/size", "another size"),
    (put((*CROWD, "size"), [100000, 100000]), "/annotations/2/segmentation/size", "another size"),
    (put((*CROWD, "size"), [True, 12]), "/annotations/2/segmentation/size", "height and width"),
    (put(("images", 0, "id"), 3), "/images/1/id", "two images have one id"),
    (put(("images", 1, "id"), True), "/images/1/id", "whole number"),
    (put(("images", 1, "id"), 3.0), "/images/1/id", "whole number"),
    (put(("images", 1, "file_name"), 5), "/images/1/file_name", "must be text"),
    (put(("images", 1, "width"), -12), "/images/1/width", "whole number of pixels"),
    (put(("images", 1, "width"), 10**8), "/images/1/width", "more than"),
    (put(("images", 1), "a.png"), "/images/1", "an image is an object"),
    (put(("categories", 0, "id"), 2), "/categories/1/id", "two categories have one id"),
    (put(("categories", 0, "id"), "90"), "/categories/0/id", "whole number"),
    (put(("categories", 0, "name"), "cat"), "/categories/1/name", "two categories have one name"),
    (put(("categories",), {}), "/categories", "must be a list"),
    (put(("annotations", 1), []), "/annotations/1", "an annotation is an object"),
]  # fmt: skip


@pytest.mark.parametrize("change, at, rule", FAULTS)
def test_faults(room, change, at, rule):
    values = copy.deepcopy(document())
    change(values)
    faults = []
    room(values, faults=faults)
    assert any(fault.at == at and rule in fault.rule and fault.file == room.root / "t.json" for fault in faults), [f.line() for f in faults]
    with pytest.raises(DataError):
        room(values)


def test_all_faults_in_one_error(room):
    values = document()
    values["annotations"] = [{"id": i, "image_id": 7, "category_id": 1, "bbox": [0, 0, 1, 1]} for i in range(30)]
    with pytest.raises(DataError, match="30 faults"):
        room(values)


def test_a_picture_with_a_faulty_annotation_is_left_out_whole(room):
    values = document()
    values["annotations"][1]["bbox"] = [1]
    assert [sample.id for sample in room(values, faults=[])] == ["b.png"]


def test_odd_boxes_are_left_to_the_doctor(room):
    values = document()
    boxes = [[-5, 0, 2, 2], [3, 3, 0, 1], [5, 5, -2, 4], [90, 90, 5, 5], [float("nan"), 0, 1, 1], [0, 0, 1e300, 1]]
    values["annotations"] = [{"image_id": 3, "category_id": 2, "bbox": box} for box in boxes]
    text = json.dumps(values).replace("1e+300", "1e999")
    label = room(text)[1].label
    assert label.boxes[:4].tolist() == [[-5, 0, -3, 2], [3, 3, 3, 4], [5, 5, 3, 9], [90, 90, 95, 95]]
    assert np.isnan(label.boxes[4, 0]) and np.isnan(label.boxes[5, 2]) and label.boxes[5, 0] == 0
    with pytest.raises(DataError, match="no number") as caught:
        write(room(text), room.root / "out.csv")
    assert caught.value.at == "/annotations/4"


@pytest.mark.parametrize(
    "text, rule",
    [
        ("[" * 100_000, "nested too deeply"), ('{"a":' * 100_000, "nested too deeply"), ("{", "not JSON"), ("[]", "expected an object"),
        ("{}", "neither images nor annotations"), ('{"images": [{"id": ' + "9" * 5000 + "}]}", "not JSON"), ("\0", "not JSON"),
    ],
)  # fmt: skip
def test_broken_documents(room, text, rule):
    with pytest.raises(InputError, match=rule) as caught:
        room(text)
    assert caught.value.file == room.root / "t.json"


def test_doubled_keys_have_a_pointer(room):
    text = json.dumps(document()).replace('"id": 5,', '"id": 5, "bbox": [0, 0, 1, 1],').replace('"year": 2020', '"a/b": 1, "a/b": 2')
    faults = []
    room(text, faults=faults)
    assert {fault.at for fault in faults} == {"/annotations/1/bbox", "/info/a~1b"}


def test_two_files_of_one_split_are_asked_about(tmp_path):
    picture(tmp_path / "a.png")
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_text(json.dumps(document()))
    with pytest.raises(DataError, match="several COCO files"):
        read(tmp_path)


def scenes(root):
    """A data set with everything that labels of boxes can have."""
    mask = np.zeros((10, 12), bool)
    mask[2:5, 3:9] = True
    whole = Detections(
        np.array([[0.1, 0.7, 3.3, 9.9], [1 / 3, 2, 7.7, 1e-7], [-4, 2, 5e3, 8]]), [0.3, 1, 0.123456], [1, 0, 1], None, [3, -1, 9], ("é", "", "=x"),
        [True, False, False], (Outline.of(mask), None, Polygons((np.array([[0.1, 1 / 3], [5, 2], [3, 9]]),))),
    )  # fmt: skip
    labels = [whole, Detections.empty(), None, Detections([[1, 2, 3, 4]], classes=[1]), Detections([[1, 2, 3, 4]], masks=mask[None])]
    samples = [
        Sample(f"{i}", {"image": picture(root / "p" / f"{i}.png")}, label, ["train", "val", "test", None, "train"][i], f"g{i % 2}" if i else None)
        for i, label in enumerate(labels)
    ]
    return Dataset(samples, Space("Detections", ("cat", "no dog", "=unused"), ids=(1, 17, 90)))


@pytest.mark.parametrize("where", ["beside", "elsewhere"])
def test_listings_are_read_back(tmp_path, where):
    data = scenes(tmp_path / "data")
    path = write(data, (tmp_path / "data" if where == "beside" else tmp_path / "out" / "deep") / "list.csv")
    assert path.suffix == (".json" if where == "beside" else ".yaml") and not list(tmp_path.rglob("*.csv"))
    again = read(path)
    assert again.space == data.space and [(s.split, s.group) for s in again] == [(s.split, s.group) for s in data]
    for mine, theirs in zip(data, again):
        assert theirs.file.resolve() == mine.file.resolve()
        if mine.label is None or mine.label.masks is None:
            assert label_difference(mine.label, theirs.label) is None
    assert np.array_equal(again[4].label.outlines[0].mask((10, 12)), data[4].label.masks[0])


def test_a_listing_keeps_an_order_that_is_not_that_of_the_ids(tmp_path):
    data = scenes(tmp_path)
    data.space = Space("Detections", ("b", "c", "a"), ids=(9, 1, 5))
    path = write(data, tmp_path / "l.csv")
    assert path.suffix == ".yaml" and read(path).space == data.space and label_difference(read(path)[0].label, data[0].label) is None


def test_listings_of_random_boxes_are_exact_and_short(tmp_path):
    random = np.random.default_rng(0)
    low = random.uniform(-10, 3000, (300, 2))
    boxes = np.concatenate([low, low + random.uniform(-1, 500, (300, 2))], 1).astype(np.float32)
    boxes[100:200] = boxes[100:200].round(2)
    data = Dataset([Sample("a", {"image": picture(tmp_path / "a.png")}, Detections(boxes))], Space("Detections", ("x",)))
    path = write(data, tmp_path / "l.csv")
    assert np.array_equal(read(path)[0].label.boxes, boxes)
    rows = json.loads(path.read_text())["annotations"]
    assert max(len(str(value)) for row in rows[100:200] for value in row["bbox"]) <= 10
