"""YOLO's text files: layouts, lines, faults with file and line, missing and empty label files."""

import os

import numpy as np
import pytest
from PIL import ExifTags, Image

from vidi.core.images import picture_size
from vidi.core.space import Space
from vidi.data import read
from vidi.errors import DataError, InputError
from vidi.labels import Polygons


def picture(path, size=(20, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size).save(path)


def text(path, content=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.fixture
def flat(tmp_path):
    picture(tmp_path / "images" / "a.png")
    text(tmp_path / "classes.txt", "cat\ndog\n")

    def make(content, **options):
        text(tmp_path / "labels" / "a.txt", content)
        return read(tmp_path, **options)

    make.root = tmp_path
    return make


def test_empty_and_missing_label_files_differ(flat):
    picture(flat.root / "images" / "b.png")
    data = flat(" \n")
    assert data.format == "yolo" and [sample.label is None for sample in data] == [False, True] and len(data[0].label) == 0
    assert "1 pictures have no label file: they are unlabeled" in data.notes and data.space == Space("Detections", ("cat", "dog"))


def test_boxes_scores_and_polygons(flat):
    data = flat("1 0.5 0.5 0.2 0.4\n\n0 0.5 0.5 1 1 0.75\n0.0 0.1 0.1 0.9 0.1 0.5 0.9\n")
    label = data[0].label
    np.testing.assert_allclose(label.boxes, [[8, 3, 12, 7], [0, 0, 20, 10], [2, 1, 18, 9]])
    assert label.classes.tolist() == [1, 0, 0] and label.scores.tolist() == [1, 0.75, 1]
    assert label.outlines[:2] == (None, None) and isinstance(label.outlines[2], Polygons)
    np.testing.assert_allclose(label.outlines[2].rings[0], [[2, 1], [18, 1], [10, 9]])
    assert data[0].extra["places"] == ["line 1", "line 3", "line 4"] and data[0].extra["file"] == str(flat.root / "labels" / "a.txt")
    assert data[0].file == flat.root / "images" / "a.png" and data[0].id == "images/a.png"


LAYOUTS = {
    "splits below": ("images/train/a.png", "labels/train/a.txt", "images/val2017/b.png", "labels/val2017/b.txt"),
    "splits above": ("train/images/a.png", "train/labels/a.txt", "valid/images/b.png", "valid/labels/b.txt"),
    "beside": ("train/a.png", "train/a.txt", "val/b.png", "val/b.txt"),
    "deep": ("images/train/x/a.png", "labels/train/x/a.txt", "images/val/x/b.png", "labels/val/x/b.txt"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, layout):
    first, label, second, other = LAYOUTS[layout]
    for name in (first, second):
        picture(tmp_path / name)
    text(tmp_path / label, "0 0.5 0.5 0.2 0.4\n")
    text(tmp_path / other, "2 0.5 0.5 0.2 0.4\n")
    data = read(tmp_path)
    assert data.format == "yolo" and {sample.id: sample.split for sample in data} == {first: "train", second: "val"}
    assert data.space.names == ("0", "1", "2") and "nothing names the classes" in " ".join(data.notes)
    folders = [name.rpartition("/")[0] for name in (first, second)]
    text(tmp_path / "data.yaml", f"train: {folders[0]}\nval: {folders[1]}\nnc: 3\nnames: [a, b, c]\nids: [5, 1, 9]\n")
    again = read(tmp_path)
    assert again.format == "yaml" and again.space == Space("Detections", ("a", "b", "c"), ids=(5, 1, 9)) and again.splits == {"train": 1, "val": 1}
    assert [sample.id for sample in again] == [first, second] and [label.classes.tolist() for label in again.labels] == [[0], [2]]


def test_roboflow_yaml_and_listings(tmp_path):
    for split in ("train", "valid"):
        picture(tmp_path / split / "images" / "a.png")
        text(tmp_path / split / "labels" / "a.txt", "1 0.5 0.5 0.2 0.4\n")
    text(tmp_path / "data.yaml", "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 2\nnames: ['x', 'y']\nroboflow: {license: MIT}\n")
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path)
    text(tmp_path / "data.yaml", "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['x', 'y']\nroboflow: {license: MIT}\n")
    assert read(tmp_path).splits == {"train": 1, "val": 1}
    text(tmp_path / "list.txt", "./train/images/a.png\nvalid/images/a.png\nvalid/images/no.png\n")
    faults = []
    data = read(tmp_path / "list.txt", faults=faults)
    assert data.format == "yolo" and [(s.id, s.line) for s in data] == [("train/images/a.png", 1), ("valid/images/a.png", 2)] and len(data[1].label) == 1
    assert faults[0].at == "line 3"
    text(tmp_path / "data.yaml", "train: list.txt\nnames: [x, y]\n")
    assert read(tmp_path, faults=[]).space.names == ("x", "y")


@pytest.mark.parametrize(
    "line, rule",
    [
        ("-1 0.5 0.5 0.2 0.4", "whole number from 0"), ("1.7 0.5 0.5 0.2 0.4", "whole number from 0"), ("2 0.5 0.5 0.2 0.4", "no such class"),
        ("0 0.5 0.5 0.2", "4 fields"), ("0", "1 fields"), ("0 0.1 0.1 0.2 0.2 0.3 0.3 0.4", "8 fields"), ("0 nan 0.5 0.2 0.4", "not a finite number"),
        ("0 0.5 0.5 1e999 0.4", "not a finite number"), ("0 0.5 0.5 0.2 x", "not a finite number"), ("cat 0.5 0.5 0.2 0.4", "not a finite number"),
        ("0 0.5 0.5 0.2 0.4 1.5", "0..1"), ("1_0 0.5 0.5 0.2 0.4", "not a finite number"),
    ],
)  # fmt: skip
def test_faults_have_file_and_line(flat, line, rule):
    good = "0 0.5 0.5 0.2 0.4\n"
    with pytest.raises(DataError, match=rule) as caught:
        flat(good + line + "\n" + good)
    assert caught.value.file == flat.root / "labels" / "a.txt" and caught.value.at == "line 2"
    faults = []
    assert len(flat(good + line + "\n" + line + "\n", faults=faults)) == 0 and [fault.at for fault in faults] == ["line 2", "line 3"]


def test_odd_boxes_are_left_to_the_doctor(flat):
    label = flat("0 -0.5 0.5 0.2 0\n0 0.5 0.5 -0.2 0.4\n0 5 5 1 1\n")[0].label
    np.testing.assert_allclose(label.boxes, [[-12, 5, -8, 5], [12, 3, 8, 7], [90, 45, 110, 55]], rtol=1e-6)


def test_a_class_of_a_billion_needs_names(flat):
    (flat.root / "classes.txt").unlink()
    with pytest.raises(DataError, match="no such class"):
        flat("999999999 0.5 0.5 0.2 0.4\n")
    assert flat("3 0.5 0.5 0.2 0.4\n").space.names == ("0", "1", "2", "3")


def test_hostile_label_files(tmp_path):
    root = tmp_path / "data"
    text(tmp_path / "secret.txt", "0 0.5 0.5 0.2 0.4\n")
    for name in "abcd":
        picture(root / "images" / f"{name}.png")
    text(root / "labels" / "a.txt", "0 0.5 0.5 0.2 0.4\n")
    os.symlink("../../secret.txt", root / "labels" / "b.txt")
    os.mkfifo(root / "labels" / "c.txt")
    os.symlink("/dev/zero", root / "labels" / "d.txt")
    faults = []
    data = read(root, faults=faults)
    assert [sample.id for sample in data] == ["images/a.png"] and {fault.file.name for fault in faults} == {"b.txt", "c.txt", "d.txt"}


def test_what_is_left_is_said(flat):
    picture(flat.root / "preview.png")
    text(flat.root / "labels" / "alone.txt", "0 0.5 0.5 0.2 0.4\n")
    said = " | ".join(flat("0 0.5 0.5 0.2 0.4\n").notes)
    assert "1 pictures outside of images/ were not read: preview.png" in said and "1 label files have no picture: labels/alone.txt" in said


def test_captions_and_masks_are_no_labels(tmp_path):
    picture(tmp_path / "a" / "1.png")
    picture(tmp_path / "b" / "2.png")
    text(tmp_path / "a" / "1.txt", "a red cat\n")
    assert read(tmp_path).format == "folders"
    picture(tmp_path / "two" / "images" / "1.png")
    picture(tmp_path / "two" / "labels" / "1.png")
    assert read(tmp_path / "two").format == "masks"


def test_a_broken_picture_is_a_fault(flat):
    (flat.root / "images" / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="size cannot be read"):
        flat("0 0.5 0.5 0.2 0.4\n")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "BMP"])
@pytest.mark.parametrize("turn", [1, 6, 3])
def test_sizes_are_those_of_the_decoder(tmp_path, format, turn):
    from vidi.core.images import decode

    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turn
    Image.new("RGB", (7, 4)).save(tmp_path / "x", format, **({} if format == "BMP" else {"exif": exif}))
    assert picture_size(tmp_path / "x") == decode(tmp_path / "x").shape[:2]
