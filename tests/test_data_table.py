"""Tables: finding the columns, reading the labels as the task wants or as they look, and naming every fault."""

import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from vidi.core.space import Space
from vidi.data import read
from vidi.data.readers._cells import sniff
from vidi.data.readers._encode import class_name, parse_list
from vidi.errors import DataError, InputError

CLASS, CLASSES, NUMBERS = (SimpleNamespace(columns=name, adapted=lambda data: data) for name in ("class", "classes", "numbers"))


@pytest.fixture
def room(tmp_path):
    """A folder with pictures i/0.png … i/9.png and a function that reads a table of it."""
    for i in range(10):
        path = tmp_path / "i" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (4, 4), i).save(path)

    def table(text, name="t.csv", **options):
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / name).write_bytes(data)
        return read(tmp_path / name, **options)

    table.root = tmp_path
    return table


def rows(header, *columns):
    lines = [",".join(map(str, cells)) for cells in zip(*columns)]
    return f"path,{header}\n" + "".join(f"i/{i % 10}.png,{line}\n" for i, line in enumerate(lines))


def said(data):
    return " | ".join(data.notes)


def truth(data):
    return np.stack([label.probabilities if hasattr(label, "probabilities") else label.values for label in data.labels])


# labels as they look


def test_text_is_a_class(room):
    data = room(rows("label", ["dog", "cat", "dog", "b10", "b2"]))
    assert data.space == Space("Classification", ("b2", "b10", "cat", "dog")) and [label.top for label in data.labels] == [3, 2, 3, 1, 0]
    assert [sample.line for sample in data] == [2, 3, 4, 5, 6] and data.format == "table"


def test_few_integers_are_classes_and_many_are_numbers(room):
    data = room(rows("y", [2, 10, 2, 0]))
    assert data.space == Space("Classification", ("0", "2", "10")) and "whole numbers were read as classes" in said(data)
    data = room(rows("y", range(100)))
    assert data.space == Space("Regression", ("y",)) and "as numbers" in said(data)


def test_integers_beside_gaps_are_the_same_classes(room):
    assert room(rows("label", ["3.0", "", "1.0", "3"])).space.names == ("1", "3")
    assert class_name("1.10") == "1.10" and class_name("3.0") == "3" and class_name("v3.0") == "v3.0"


def test_floats_are_numbers(room):
    data = room(rows("age", [1.5, "", "nan", -2e3]))
    assert data.space == Space("Regression", ("age",)) and [label and label.values.tolist() for label in data.labels] == [[1.5], None, None, [-2000]]
    assert "2 rows have no label" in said(data)


def test_several_numbers(room):
    data = room(rows("x,y", [0.5, 1, ""], [3, "NaN", ""]))
    assert data.space == Space("Regression", ("x", "y")) and data[0].label.values.tolist() == [0.5, 3]
    assert np.isnan(data[1].label.values[1]) and data[2].label is None


def test_zero_one_columns_are_several_classes(room):
    data = room(rows("red,big,old", [1, 0, "", 0], ["1.0", "0.0", "", 0], ["", "nan", "", 0]))
    assert data.space == Space("Classification", ("red", "big", "old"), exclusive=False)
    assert data[0].label.to_dict()["probabilities"] == [1, 1, None] and data[2].label is None
    assert data[3].label.probabilities.tolist() == [0, 0, 0], "nothing holds is a label"


@pytest.mark.parametrize("cells", [["a|b", "b", "", "[]", "c|a|"], ["a; b", "b", "", "[]", "c;a"], ['"[""a"",""b""]"', '"[""b""]"', "", "[]", '"[""c"",""a""]"'], ['"[\'a\', \'b\']"', "['b']", "", "[]", '"[\'c\', \'a\']"']])
def test_lists_are_several_classes(room, cells):
    data = room(rows("tags", cells))
    assert data.space == Space("Classification", ("a", "b", "c"), exclusive=False)
    assert [label and label.probabilities.tolist() for label in data.labels] == [[1, 1, 0], [0, 1, 0], None, [0, 0, 0], [1, 0, 1]]
    assert "1 rows have no label; write []" in said(data)


def test_parse_list():
    assert parse_list("", "|") is None and parse_list("[]", "|") == [] and parse_list("|", "|") == []
    assert parse_list(["a ", ""], "") == ["a"] and parse_list("[1, 2]", "") == ["1", "2"] and parse_list("[a, b]", "") == ["a", "b"]
    assert parse_list("a  b", " ") == ["a", "b"]


def test_truth_words_are_zero_and_one(room):
    assert truth(room(rows("a,b", ["true", "False", "yes"], [0, 1, "no"]))).tolist() == [[1, 0], [0, 1], [1, 0]]


def test_unclear_columns_are_asked_about(room):
    with pytest.raises(DataError, match="do not tell") as caught:
        room(rows("color,size", ["red", "blue"], [1.5, 2.5]))
    assert "color" in caught.value.rule and "label_columns" in caught.value.fix


def test_no_label_columns(room):
    data = room("path\ni/1.png\ni/2.png\n")
    assert data.space is None and data.labels == [None, None]
    assert room(rows("label", ["", ""])).space is None


# labels as the task wants

MIXED = rows("class,p,kind,bad,mono", ["x", "y", "x"], [0.5, 0, 1], ["m", "n", "m"], [1, 0, 0], [0, 1, 1])


def test_each_task_takes_its_columns(room):
    assert room(MIXED).space == Space("Classification", ("x", "y"))
    assert room(MIXED, task=CLASS).space == Space("Classification", ("x", "y"))
    assert room(MIXED, task=NUMBERS).space == Space("Regression", ("p",))
    data = room(MIXED, task=CLASSES)
    assert data.space == Space("Classification", ("bad", "mono"), exclusive=False) and "class, p, kind" in said(data)


def test_integers_as_the_task_wants(room):
    assert room(rows("age", range(100)), task=CLASS).space.family == "Classification"
    assert room(rows("grade", [1, 2, 3]), task=NUMBERS).space == Space("Regression", ("grade",))


def test_one_column_per_class_is_one_class_of_many_when_wanted(room):
    text = rows("MEL,NV,BCC", [1, 0, 0, ""], [0, 1, 0, ""], [0, 0, 1, ""])
    assert not room(text).space.exclusive
    data = room(text, task=CLASS)
    assert data.space == Space("Classification", ("MEL", "NV", "BCC")) and [label and label.top for label in data.labels] == [0, 1, 2, None]
    with pytest.raises(DataError, match="exactly one") as caught:
        room(rows("MEL,NV", [1, 1], [0, 1]), task=CLASS)
    assert caught.value.at == "line 3"


def test_shares_are_several_classes_when_wanted(room):
    assert truth(room(rows("a,b", [0.25, 1], [0.5, 0]), task=CLASSES)).tolist() == [[0.25, 0.5], [1, 0]]
    assert room(rows("tag", ["a", "b"]), task=CLASSES).space == Space("Classification", ("a", "b"), exclusive=False)


@pytest.mark.parametrize("task, text", [(NUMBERS, rows("a", ["x", "y"])), (CLASSES, rows("a,b", ["x", "y"], ["z", "z"])), (CLASS, rows("a,b", ["x", "y"], ["z", "y"]))])
def test_columns_that_do_not_serve_the_task(room, task, text):
    with pytest.raises(DataError) as caught:
        room(text, task=task)
    assert "label_columns" in caught.value.fix


# pictures


@pytest.mark.parametrize("header, cell", [("path", "i/{}.png"), ("Image Path", "i/{}.png"), ("whatever", "i/{}.png"), ("file", "{}.png"), ("id", "{}"), ("path", "i\\{}.png"), ("image", "./i/{}.png")])
def test_the_picture_column_is_found(room, header, cell):
    text = f"n,{header},label\n" + "".join(f"{i},{cell.format(i)},{'ab'[i % 2]}\n" for i in range(4))
    data = room(text.replace("n,", ",", 1))
    assert [sample.id for sample in data] == [f"i/{i}.png" for i in range(4)] and data.space.names == ("a", "b")
    assert all(sample.file.is_file() for sample in data)


def test_no_header(room):
    data = room("i/0.png,cat\ni/1.png,dog\n")
    assert data.space.names == ("cat", "dog") and data[0].line == 1


def test_a_folder_with_its_table(room):
    room(rows("label", ["a", "b"]), "labels.csv")
    data = read(room.root)
    assert data.format == "table" and len(data) == 2
    (room.root / "other.csv").write_text("x,y\n1,2\n")
    assert len(read(room.root)) == 2, "a table without pictures is none of ours"


def test_tables_by_split(room):
    for name, cells in (("train", ["a", "b"]), ("test", ["b"])):
        (room.root / f"{name}.csv").write_text(rows("label", cells))
    data = read(room.root)
    assert data.splits == {"train": 2, "test": 1} and data.space.names == ("a", "b")
    (room.root / "test.csv").write_text("path,klass\ni/0.png,a\n")
    with pytest.raises(DataError, match="columns differ"):
        read(room.root)


def test_a_yaml_settles_which_table(room):
    for name in ("one", "two"):
        (room.root / f"{name}.csv").write_text(rows("label", ["a", "b"]))
    (room.root / "data.yaml").write_text("table: two.csv\n")
    assert read(room.root).format == "yaml"


def test_two_tables_are_asked_about(room):
    for name in ("one", "two"):
        (room.root / f"{name}.csv").write_text(rows("label", ["a", "b"]))
    with pytest.raises(DataError, match="several tables"):
        read(room.root)


def test_no_pictures(room):
    with pytest.raises(DataError, match="no column names pictures"):
        room("a,b\n1,2\n")


def test_a_picture_named_twice_is_kept(room):
    data = room("path,label\ni/1.png,a\ni/1.png,b\ni/1.png,a\n")
    assert [sample.id for sample in data] == ["i/1.png", "i/1.png#3", "i/1.png#4"] and "2 rows repeat a picture" in said(data)


# splits and groups


def test_splits_and_groups(room):
    data = room(rows("label,split,patient", ["a", "b", "a", "b"], ["Train", "validation", "", "test"], ["p1", "p1", "", "p2"]))
    assert [sample.split for sample in data] == ["train", "val", None, "test"]
    assert [sample.group for sample in data] == ["p1", "p1", None, "p2"] and "groups: column patient" in said(data)


def test_unknown_split(room):
    with pytest.raises(DataError, match="unknown split") as caught:
        room(rows("label,split", ["a", "b"], ["train", "tset"]))
    assert caught.value.at == "line 3 split" and caught.value.value == "tset"


def test_a_set_column_of_something_else_is_a_label(room):
    assert room(rows("set", ["old", "new"])).space.names == ("new", "old")


# text


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_dialects(room, delimiter, newline, bom):
    lines = [["path", "label", "split"], ["i/0.png", "a b", "train"], ["i/1.png", "ü", "val"], []]
    data = room(bom + newline.join(delimiter.join(line) for line in lines))
    assert data.space.names == ("a b", "ü") and data.splits == {"train": 1, "val": 1}


def test_quotes_newlines_and_blanks(room):
    data = room('path, label\ni/0.png, "a, b"\n\n"i/1.png", "two\nlines"\n i/2.png , c \n')
    assert data.space.names == ("a, b", "c", "two\nlines") and [sample.line for sample in data] == [2, 4, 6]


def test_decimal_commas(room):
    assert truth(room("path;x\ni/0.png;0,5\ni/1.png;1,25\n")).tolist() == [[0.5], [1.25]]


def test_sniffing_prefers_equal_rows():
    assert sniff("a;b\n1,5;2\n") == ";" and sniff("a,b\nx|y,z|w\n") == "," and sniff("path\nx\n") == ","


@pytest.mark.parametrize(
    "text, rule",
    [("", "empty"), ("\n\n", "empty"), ("path,label\n", "no rows"), ("path,label,label\ni/0.png,a,b\n", "one name"), ('path,label\ni/0.png,"a\n', "quoting"), (b"path,label\ni/0.png,caf\xe9\n", "UTF-8")],
)
def test_broken_tables(room, text, rule):
    with pytest.raises(InputError, match=rule) as caught:
        room(text)
    assert caught.value.file == room.root / "t.csv"


# faults


def test_every_fault_is_in_one_error(room):
    lines = ["i/0.png,1.5", "i/77.png,2", "i/2.png,two", "i/3.png", "i/4.png,inf", "../x.png,1", "i/5.png,1e39"]
    with pytest.raises(DataError) as caught:
        room("path,x\n" + "\n".join(lines) + "\n")
    error = caught.value
    assert "6 faults" in error.rule and error.file == room.root / "t.csv" and error.exit_code == 2
    assert all(f"line {line}" in str(error) for line in (3, 4, 5, 6, 7, 8))
    faults = []
    data = room("path,x\n" + "\n".join(lines) + "\n", task=NUMBERS, faults=faults)
    assert [sample.id for sample in data] == ["i/0.png"] and len(faults) == 6


def test_at_most_twenty_are_shown_and_all_counted(room):
    with pytest.raises(DataError) as caught:
        room("path,label\ni/0.png,a\n" + "".join(f"i/no{i}.png,a\n" for i in range(500)))
    assert "500 faults" in caught.value.rule and "480 more" in caught.value.rule and caught.value.at == "line 3"
    assert str(caught.value).count("i/no") <= 20 and len(str(caught.value)) < 4000


def test_wrong_truths_are_named(room):
    (room.root / "data.yaml").write_text("table: t.csv\nlabel_columns: [a, b]\nlabels: classes\n")
    (room.root / "t.csv").write_text(rows("a,b", [0, 1, -1], [1, 0, 0]))
    with pytest.raises(DataError, match="neither 0 nor 1") as caught:
        read(room.root / "data.yaml")
    assert caught.value.at == "line 4 a" and caught.value.value == "-1"


def test_unknown_class_gets_the_nearest(room):
    (room.root / "t.csv").write_text(rows("label", ["cat", "dgo"]))
    (room.root / "data.yaml").write_text("table: t.csv\nnames: [cat, dog]\n")
    with pytest.raises(DataError, match="unknown class") as caught:
        read(room.root / "data.yaml")
    assert caught.value.at == "line 3 label" and "dog" in caught.value.fix


def test_numbers_stand_for_given_names(room):
    (room.root / "t.csv").write_text(rows("label", [1, 0, 1]))
    (room.root / "data.yaml").write_text("table: t.csv\nnames: [cat, dog, eel]\n")
    data = read(room.root / "data.yaml")
    assert data.space.names == ("cat", "dog", "eel") and [label.top for label in data.labels] == [1, 0, 1]
    (room.root / "t.csv").write_text(rows("label", [1, 7]))
    with pytest.raises(DataError, match="unknown class"):
        read(room.root / "data.yaml")


def test_guarded_cells_are_read_as_meant(room):
    assert room(rows("label", ["'=cmd|calc!A1", "'-x"]), task=CLASS).space.names == ("-x", "=cmd|calc!A1")


# Parquet


def parquet(room, columns, metadata=None, name="t.parquet"):
    arrow, files = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = arrow.table(columns)
    if metadata:
        table = table.replace_schema_metadata(metadata)
    files.write_table(table, room.root / name)
    return read(room.root / name)


def test_parquet_reads_as_csv_does(room):
    paths = [f"i/{i}.png" for i in range(4)]
    data = parquet(room, {"path": paths, "label": ["a", "b", None, "a"], "split": ["train", "val", "train", None]})
    assert data.space.names == ("a", "b") and data[2].label is None and [s.line for s in data] == [1, 2, 3, 4] and data.splits["train"] == 2
    assert parquet(room, {"path": paths, "x": [0.5, None, 1.0, 2.0]}).space == Space("Regression", ("x",))
    assert truth(parquet(room, {"path": paths, "a": [True, False, True, True], "b": [1, 0, 0, 1]})).tolist() == [[1, 1], [0, 0], [1, 0], [1, 1]]
    data = parquet(room, {"path": paths, "tags": [["a", "b"], [], None, ["b"]]})
    assert [label and label.probabilities.tolist() for label in data.labels] == [[1, 1], [0, 0], None, [0, 1]]


def test_parquet_with_pictures_inside(room):
    buffer = io.BytesIO()
    Image.new("RGB", (3, 2), (9, 8, 7)).save(buffer, "PNG")
    cells = [{"bytes": buffer.getvalue(), "path": "x.png"}, {"bytes": buffer.getvalue(), "path": None}]
    names = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    data = parquet(room, {"image": cells, "label": [1, 0]}, {b"huggingface": json.dumps(names).encode()})
    assert [s.id for s in data] == ["x.png", "row 2"] and data.space.names == ("cat", "dog") and [label.top for label in data.labels] == [1, 0]
    assert data[0].inputs["image"] == buffer.getvalue()


def test_parquet_that_is_none(room):
    pytest.importorskip("pyarrow")
    (room.root / "t.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="Parquet") as caught:
        read(room.root / "t.parquet")
    assert caught.value.file == room.root / "t.parquet"


def test_parquet_without_pyarrow(room, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (room.root / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="pyarrow") as caught:
        read(room.root / "t.parquet")
    assert "vidi[table]" in caught.value.fix
