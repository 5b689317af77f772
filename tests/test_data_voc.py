"""Pascal VOC: boxes from one on, sets, classes, and XML that is not to be trusted."""

import os

import pytest
from PIL import Image

from vidi.core.space import Space
from vidi.data import read
from vidi.errors import DataError

BOX = "<bndbox><xmin>1</xmin><ymin>2.5</ymin><xmax>8</xmax><ymax>9</ymax></bndbox>"


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (20, 10)).save(path)


def thing(name="cat", more="", box=BOX):
    return f"<object><name>{name}</name>{more}{box}</object>"


def annotation(*things, filename="a.png"):
    size = "<size><width>20</width><height>10</height><depth>3</depth></size>"
    return f"<annotation>\n<folder>f</folder><filename>{filename}</filename>{size}<segmented>0</segmented>\n" + "\n".join(things) + "\n</annotation>"


@pytest.fixture
def home(tmp_path):
    for name in "ab":
        picture(tmp_path / "JPEGImages" / f"{name}.png")
    (tmp_path / "Annotations").mkdir()

    def make(content, name="a", **options):
        path = tmp_path / "Annotations" / f"{name}.xml"
        path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)
        return read(tmp_path, **options)

    make.root = tmp_path
    return make


def sets(root, **lines):
    folder = root / "ImageSets" / "Main"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in lines.items():
        (folder / f"{name}.txt").write_text(text)


def test_no_object_is_an_empty_label_and_no_file_is_none(home):
    data = home(annotation())
    assert data.format == "voc" and len(data[0].label) == 0 and data[1].label is None
    assert "1 pictures have no XML file: they are unlabeled" in data.notes


def test_boxes_reach_from_one_before_the_first_pixel(home):
    more = "<pose>Left</pose><truncated>1</truncated><difficult>0</difficult><part><name>head</name>" + BOX + "</part>"
    data = home(annotation(thing("dog", more), thing()))
    assert data[0].label.boxes.tolist() == [[0, 1.5, 8, 9], [0, 1.5, 8, 9]] and data[0].label.classes.tolist() == [1, 0]
    assert data.space == Space("Detections", ("cat", "dog"))
    extra = data[0].extra
    assert extra["things"] == [{"pose": "Left", "truncated": 1, "difficult": 0}, {}] and extra["places"] == ["line 3", "line 4"]
    assert extra["size"] == [10, 20] and extra["picture"] == {"folder": "f", "segmented": 0} and extra["file"].endswith("a.xml")


def test_classes_are_in_natural_order_or_as_listed(home):
    assert home(annotation(thing("b10"), thing("b2"))).space.names == ("b2", "b10")
    (home.root / "classes.txt").write_text("b10\nnever\nb2\n")
    data = home(annotation(thing("b10"), thing("b2")))
    assert data.space.names == ("b10", "never", "b2") and data[0].label.classes.tolist() == [0, 2]
    with pytest.raises(DataError, match="unknown class") as caught:
        home(annotation(thing("b10"), thing("b3")))
    assert caught.value.at == "line 4" and "b2" in caught.value.fix
    (home.root / "classes.txt").unlink()
    (home.root / "data.yaml").write_text("names: [z, b2]\nids: [4, 2]\n")
    assert home(annotation(thing("b2"))).space == Space("Detections", ("z", "b2"), ids=(4, 2))


def test_sets_are_splits(home):
    picture(home.root / "JPEGImages" / "with blank.jpg")
    sets(home.root, train="a\n", val="b -1\n", test="with blank\n", trainval="a\nb\n", cat_train="a 1\n")
    data = home(annotation(thing()))
    assert {sample.id: sample.split for sample in data} == {"JPEGImages/a.png": "train", "JPEGImages/b.png": "val", "JPEGImages/with blank.jpg": "test"}
    sets(home.root, val="a\nno\n")
    faults = []
    home(annotation(thing()), faults=faults)
    assert [(fault.at, fault.rule) for fault in faults] == [("line 1", "stands in train and in val"), ("line 2", "no picture of this name")]


def test_trainval_alone_is_train(home):
    sets(home.root, trainval="a\n", test="b\n")
    assert home(annotation(thing())).splits == {"train": 1, "test": 1}


def test_files_beside_the_pictures(tmp_path):
    for split in ("train", "valid"):
        picture(tmp_path / split / "x.png")
        (tmp_path / split / "x.xml").write_text(annotation(thing(), filename="elsewhere.png"))
    data = read(tmp_path)
    assert data.format == "voc" and data.splits == {"train": 1, "val": 1} and len(data[0].label) == 1


def test_a_folder_around_everything(tmp_path):
    picture(tmp_path / "VOC2012" / "JPEGImages" / "a.png")
    (tmp_path / "VOC2012" / "Annotations").mkdir()
    (tmp_path / "VOC2012" / "Annotations" / "a.xml").write_text(annotation(thing()))
    sets(tmp_path / "VOC2012", val="a\n")
    data = read(tmp_path)
    assert data.format == "voc" and data[0].split == "val" and len(data[0].label) == 1


HOSTILE = ["../../secret.png", "/etc/passwd", "out.png", "loop.png", "pipe.png", "zero.png", "http://127.0.0.1/x.png", "sub", "A.PNG", "x" * 300 + ".png", ""]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(tmp_path, name):
    root = tmp_path / "data"
    picture(tmp_path / "secret.png")
    picture(root / "JPEGImages" / "a.png")
    (root / "JPEGImages" / "sub").mkdir()
    (root / "Annotations").mkdir()
    os.symlink("../../secret.png", root / "JPEGImages" / "out.png")
    os.symlink("loop.png", root / "JPEGImages" / "loop.png")
    os.mkfifo(root / "JPEGImages" / "pipe.png")
    os.symlink("/dev/zero", root / "JPEGImages" / "zero.png")
    (root / "Annotations" / "other.xml").write_text(annotation(thing(), filename=name))
    faults = []
    data = read(root, faults=faults)
    mine = [fault for fault in faults if fault.file == root / "Annotations" / "other.xml"]
    assert len(mine) == 1 and mine[0].at == "line 2" and [sample.label for sample in data] == [None]


def test_a_picture_named_in_the_file(home):
    data = home(annotation(thing(), filename="b.png"), "other")
    assert [sample.label is None for sample in data] == [True, False]
    with pytest.raises(DataError, match="two XML files of one picture"):
        home(annotation(thing()), "b")


@pytest.mark.parametrize(
    "content, at, rule",
    [
        (annotation(thing(box="")), "line 3", "without bndbox"), (annotation(thing(name=" ")), "line 3", "without name"),
        (annotation(thing(box="<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>x</xmax><ymax>9</ymax></bndbox>")), "line 3", "xmax is no number"),
        (annotation(thing(box="<bndbox>\n<xmin>1</xmin><ymin>2</ymin><xmax>3</xmax></bndbox>")), "line 3", "without ymax"),
        ("<annotation>\n<object>", "line 2", "not XML"), ("<annotation", "line 1", "not XML"), ("<annotation>&x;</annotation>", "line 1", "not XML"),
        ('<!DOCTYPE annotation [<!ENTITY a "b">]>\n' + annotation(thing("&a;")), "line 1", "DOCTYPE"),
        ('<!DOCTYPE annotation SYSTEM "file:///etc/passwd">' + annotation(), "line 1", "DOCTYPE"),
        ("<annotation>" + "<a>" * 100_000, "line 1", "nested too deeply"),
        (('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE annotation [<!ENTITY a "b">]><annotation/>').encode("utf-16"), "line 1", "DOCTYPE"),
    ],
)  # fmt: skip
def test_faults_have_file_and_line(home, content, at, rule):
    home(annotation(thing()), "b")
    faults = []
    data = home(content, faults=faults)
    assert [(fault.file.name, fault.at) for fault in faults] == [("a.xml", at)] and rule in faults[0].rule
    assert [sample.id for sample in data] == ["JPEGImages/b.png"]


def test_odd_boxes_are_left_to_the_doctor(home):
    odd = ["<bndbox><xmin>0</xmin><ymin>5</ymin><xmax>0</xmax><ymax>900</ymax></bndbox>", "<bndbox><xmin>nan</xmin><ymin>5</ymin><xmax>1e999</xmax><ymax>2</ymax></bndbox>"]
    label = home(annotation(*(thing(box=box) for box in odd)))[0].label
    assert label.boxes[0].tolist() == [-1, 4, 0, 900] and str(label.boxes[1].tolist()) == "[nan, 4.0, nan, 2.0]"


def test_other_xml_is_said(home):
    (home.root / "Annotations" / "z.xml").write_text("<plan/>")
    assert "1 XML files are no annotations" in home(annotation(thing())).notes
