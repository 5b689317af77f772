"""Tables with a row per box: how columns are called, empty rows, faults."""

import pytest
from PIL import Image

from vidi.core.space import Space
from vidi.data import read
from vidi.errors import DataError


@pytest.fixture
def room(tmp_path):
    for i in range(4):
        Image.new("L", (20, 10)).save(tmp_path / f"{i}.png")

    def table(text, name="t.csv", **options):
        (tmp_path / name).write_text(text)
        return read(tmp_path / name, **options)

    table.root = tmp_path
    return table


def test_empty_cells_are_an_empty_label(room):
    data = room("image_path,xmin,ymin,xmax,ymax,label\n0.png,,,,,\n1.png,1,2,3,4,tree\n")
    assert data.format == "boxes" and len(data[0].label) == 0 and data[1].label.boxes.tolist() == [[1, 2, 3, 4]]
    assert data.space == Space("Detections", ("tree",)) and [sample.line for sample in data] == [2, 3]
    data = room("path,xmin,ymin,xmax,ymax\n0.png,,,,\n")
    assert len(data[0].label) == 0 and data.space.names == ("object",)


@pytest.mark.parametrize(
    "header, row",
    [
        ("image_path,xmin,ymin,xmax,ymax,label", "1,2,3.5,4,x"), ("filename,width,height,class,xmin,ymin,xmax,ymax", "20,10,x,1,2,3.5,4"),
        ("path,x,y,w,h,label", "1,2,2.5,2,x"), ("file_name,bbox_x,bbox_y,bbox_width,bbox_height,category", "1,2,2.5,2,x"),
        ("image,X1,Y1,X2,Y2,Class", "1,2,3.5,4,x"), ("path,left,top,right,bottom,tag", "1,2,3.5,4,x"), ("path,x_min,x_max,y_min,y_max,label", "1,3.5,2,4,x"),
        ("path,left,top,width,height,label_name", "1,2,2.5,2,x"),
    ],
)  # fmt: skip
def test_spellings(room, header, row):
    data = room(f"{header}\n0.png,{row}\n")
    assert data.format == "boxes" and data[0].label.boxes.tolist() == [[1, 2, 3.5, 4]] and data.space.names == ("x",)


def test_rows_of_one_picture_are_one_sample(room):
    data = room("path,xmin,ymin,xmax,ymax,label,split,group\n1.png,1,2,3,4,b10,train,g\n0.png,1,2,3,4,b2,val,\n1.png,5,6,7,8,b2,train,g\n")
    assert [(sample.id, sample.split, sample.group, len(sample.label)) for sample in data] == [("1.png", "train", "g", 2), ("0.png", "val", None, 1)]
    assert data.space.names == ("b2", "b10") and data[0].label.classes.tolist() == [1, 0] and data[0].extra["places"] == ["line 2", "line 4"]


def test_a_folder_with_tables_by_split(room):
    for i, name in enumerate(("train", "test")):
        (room.root / f"{name}.csv").write_text(f"path,xmin,ymin,xmax,ymax,label\n{i}.png,1,2,3,4,x\n")
    data = read(room.root)
    assert data.format == "boxes" and data.splits == {"train": 1, "test": 1}
    (room.root / "test.csv").write_text("path,xmin,ymin,xmax,ymax,label\n0.png,1,2,3,4,x\n")
    with pytest.raises(DataError, match="one picture in several splits"):
        read(room.root)


def test_other_tables_are_left_to_the_table_reader(room):
    from types import SimpleNamespace

    assert room("path,label\n0.png,x\n1.png,y\n").format == "table"
    data = room("path,xmin,ymin,xmax,ymax\n0.png,1,2,3,4.5\n1.png,9,2,3,4.5\n", task=SimpleNamespace(columns="numbers", adapted=lambda data: data))
    assert data.space.family == "Regression" and len(data.space) == 4


def test_everything_a_thing_may_have(room):
    outline = '"{""polygons"": [[1, 2, 3, 4, 5, 1.5]]}"'
    data = room(
        "path,xmin,ymin,xmax,ymax,label,score,crowd,track,text,outline,extra,labeled\n"
        f"0.png,1,2,3,4,x,0.5,1,7,'=a,{outline},\"{{\"\"difficult\"\": 1}}\",1\n1.png,,,,,,,,,,,,0\n"
    )
    label = data[0].label
    assert label.scores.tolist() == [0.5] and label.crowd.tolist() == [True] and label.tracks.tolist() == [7] and label.texts == ("=a",)
    assert label.outlines[0].box().tolist() == [1, 1.5, 5, 4] and data[0].extra["things"] == [{"difficult": 1}] and data[1].label is None


@pytest.mark.parametrize(
    "rows, at, rule",
    [
        ("0.png,1,2,3,,x", "line 2 ymax", "empty cell"), ("0.png,1,2,3,z,x", "line 2 ymax", "not a number"), ("0.png,1,2,3,4,", "line 2 label", "without a class"),
        ("no.png,1,2,3,4,x", "line 2", "cannot be opened"), ("../0.png,1,2,3,4,x", "line 2", "cannot be opened|outside"), ("0.png,1,2,3,4_0,x", "line 2 ymax", "not a number"),
        ("0.png,1,2,3,4,x\n0.png,1,2,3", "line 3", "cells"),
    ],
)  # fmt: skip
def test_faults(room, rows, at, rule):
    with pytest.raises(DataError, match=rule) as caught:
        room(f"path,xmin,ymin,xmax,ymax,label\n{rows}\n1.png,1,2,3,4,x\n")
    assert caught.value.at == at and caught.value.file == room.root / "t.csv"


@pytest.mark.parametrize("column, cell", [("score", "2"), ("crowd", "maybe"), ("track", "1.5"), ("track", "1e30"), ("outline", "{}"), ("outline", "["), ("extra", "[]")])
def test_faulty_extras(room, column, cell):
    with pytest.raises(DataError, match=f"not a {column}") as caught:
        room(f'path,xmin,ymin,xmax,ymax,{column}\n0.png,1,2,3,4,"{cell}"\n')
    assert caught.value.at == f"line 2 {column}"


def test_odd_boxes_are_left_to_the_doctor(room):
    label = room("path,xmin,ymin,xmax,ymax\n0.png,-5,0,900,0\n0.png,5,5,1,1\n0.png,nan,1e999,2,3\n")[0].label
    assert label.boxes[:2].tolist() == [[-5, 0, 900, 0], [5, 5, 1, 1]] and str(label.boxes[2].tolist()) == "[nan, nan, 2.0, 3.0]"


def test_names_from_a_yaml(room):
    (room.root / "t.csv").write_text("path,xmin,ymin,xmax,ymax,label\n0.png,1,2,3,4,1\n1.png,1,2,3,4,cat\n")
    (room.root / "data.yaml").write_text("table: t.csv\nnames: [cat, dog]\nids: [3, 8]\n")
    data = read(room.root)
    assert data.space == Space("Detections", ("cat", "dog"), ids=(3, 8)) and [label.classes.tolist() for label in data.labels] == [[1], [0]]
    (room.root / "data.yaml").write_text("table: t.csv\nnames: [cat, dog]\nids: [3]\n")
    with pytest.raises(DataError, match="as many as names"):
        read(room.root)


def test_shares_are_said(room):
    assert "shares of the sides perhaps" in " ".join(room("path,xmin,ymin,xmax,ymax\n0.png,0.1,0.2,0.3,0.4\n").notes)
