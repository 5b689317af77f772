"""Listings: what is written is read back, cells are guarded, pictures stay where they are."""

import csv

import numpy as np
import pytest
from PIL import Image

from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.data import read
from vidi.data.write import write
from vidi.errors import DataError
from vidi.labels import Classification, Regression, Text

RNG = np.random.default_rng(0)


def make(root, labels, space, names=None, splits=None, groups=None):
    samples = []
    for i, label in enumerate(labels):
        path = root / (names[i] if names else f"p/{i}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (3, 3), i).save(path, "PNG")
        samples.append(Sample(str(i), {"image": path}, label, splits[i] if splits else None, groups[i] if groups else None))
    return Dataset(samples, space)


def same(data, again):
    assert again.space == data.space and len(again) == len(data)
    for mine, theirs in zip(data, again):
        assert theirs.file.resolve() == mine.file.resolve()
        assert (theirs.split, theirs.group) == (mine.split, mine.group)
        assert (theirs.label is None) == (mine.label is None)
        if mine.label is not None:
            assert mine.label.to_dict() == theirs.label.to_dict()


def one_hot(tops, count):
    return [None if top is None else Classification.one_hot(top, count) for top in tops]


ROUND_TRIPS = {
    "classes": (one_hot([0, 1, None, 2], 3), Space("Classification", ("a", "b", "c"))),
    "order": (one_hot([0, 1, 2], 3), Space("Classification", ("zebra", "ant", "never seen"))),
    "numbers as names": (one_hot([0, 1, 2], 4), Space("Classification", ("0", "1", "10", "2"))),
    "one class": (one_hot([0, 0], 1), Space("Classification", ("a",))),
    "odd names": (one_hot(range(8), 8), Space("Classification", ("=cmd|calc!A1", "-x", "a,b", 'q"q', "new\nline", "[x]", "007", " blank "))),
    "several": ([Classification([1, 0, np.nan]), Classification([0, 0, 0]), None, Classification([1, 1, 1])], Space("Classification", ("a", "b", "c"), False)),
    "several soft": ([Classification([0.25, 0.75])], Space("Classification", ("a", "b"), False)),
    "several of one": ([Classification([1]), Classification([0])], Space("Classification", ("a",), False)),
    "several odd": ([Classification([1, 0]), Classification([0, 1])], Space("Classification", ("label", "=1+1"), False)),
    "numbers": ([Regression([0.1]), Regression([-2e-5]), None], Space("Regression", ("x",))),
    "whole numbers": ([Regression([1]), Regression([2])], Space("Regression", ("label",))),
    "several numbers": ([Regression([1, np.nan]), Regression([0.3, 2])], Space("Regression", ("x", "y"))),
    "none": ([None, None], None),
}


@pytest.mark.parametrize("case", ROUND_TRIPS)
@pytest.mark.parametrize("where", ["beside", "elsewhere"])
def test_round_trip(tmp_path, case, where):
    labels, space = ROUND_TRIPS[case]
    splits = [["train", "val", "test", None][i % 4] for i in range(len(labels))]
    data = make(tmp_path / "data", labels, space, splits=splits, groups=[f"g{i}" for i in range(len(labels))])
    path = write(data, (tmp_path / "data" if where == "beside" else tmp_path / "out" / "deep") / "list.csv")
    again = read(path)
    same(data, again)
    assert (path.suffix == ".yaml") or where == "beside"


def test_plain_data_needs_only_the_csv(tmp_path):
    labels, space = ROUND_TRIPS["classes"]
    assert write(make(tmp_path, labels, space), tmp_path / "l.csv") == tmp_path / "l.csv"
    assert (tmp_path / "l.csv").read_text() == "path,label\np/0.png,a\np/1.png,b\np/2.png,\np/3.png,c\n"
    assert not (tmp_path / "l.yaml").exists()


def test_no_cell_is_a_formula(tmp_path):
    names = ["=1+1.png", "@x.png", "-y.png", "<img onerror=alert(1)>.jpg", "new\nline.png", "\u202egnp.png", "'=q.png"]
    labels = one_hot(range(7), 7)
    space = Space("Classification", ("=cmd|calc!A1", "+1+1", "@SUM(A1)", "-x", "\tt", "ok", "＝f"))
    data = make(tmp_path, labels, space, names)
    path = write(data, tmp_path / "l.csv")
    with open(tmp_path / "l.csv", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert len(cells) == 16 and not any(cell[:1] in tuple("=+-@\t\r＝") and cell for cell in cells)
    same(data, read(path))


def test_writing_touches_only_its_files(tmp_path):
    data = make(tmp_path / "data", *ROUND_TRIPS["order"])
    before = sorted((p, p.stat().st_mtime_ns) for p in (tmp_path / "data").rglob("*"))
    write(data, tmp_path / "out" / "l.csv")
    assert sorted((p, p.stat().st_mtime_ns) for p in (tmp_path / "data").rglob("*")) == before
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["l.csv", "l.yaml"]


def test_most_probable_class_of_a_prediction(tmp_path):
    data = make(tmp_path, [Classification([0.2, 0.8]), Classification([0.6, 0.4])], Space("Classification", ("a", "b")))
    assert [label.top for label in read(write(data, tmp_path / "l.csv")).labels] == [1, 0]


def test_what_cannot_be_listed(tmp_path):
    with pytest.raises(DataError, match="only pictures that are files"):
        write(Dataset([Sample("a", {"image": np.zeros((3, 3), np.uint8)})]), tmp_path / "l.csv")
    with pytest.raises(DataError, match="called like a column"):
        write(make(tmp_path, [Classification([1, 0])], Space("Classification", ("path", "b"), False)), tmp_path / "l.csv")
    with pytest.raises(DataError, match="family Text"):
        write(make(tmp_path, [Text("a")], Space("Text")), tmp_path / "l.csv")
    assert not (tmp_path / "l.csv").exists()


def test_empty_data_set(tmp_path):
    assert write(Dataset([]), tmp_path / "l.csv").read_text() == "path\n"
