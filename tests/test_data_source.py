"""Sources for prediction: files, folders, patterns, lists, arrays, images, bytes, data sets."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from vidi.core.dataset import Dataset, Sample
from vidi.core.images import decode
from vidi.data.source import sources
from vidi.errors import DataError, InputError


@pytest.fixture
def photos(tmp_path):
    for name in ("b10.png", "b2.png", "sub/deep/a.jpg", "notes.txt.bak"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (5, 4), (len(name), 0, 0)).save(path, "PNG")
    return tmp_path


def ids(data):
    return [sample.id for sample in data]


def test_file_and_folder(photos):
    assert ids(sources(photos / "b2.png")) == ["b2.png"] and ids(sources(str(photos / "notes.txt.bak"))) == ["notes.txt.bak"]
    data = sources(photos)
    assert ids(data) == ["b2.png", "b10.png", "sub/deep/a.jpg"] and "1 other files" in data.notes[0]
    assert all(decode(sample.inputs["image"]).shape == (4, 5, 3) for sample in data)


def test_patterns(photos):
    assert [os.path.basename(id) for id in ids(sources(str(photos / "b*.png")))] == ["b2.png", "b10.png"]
    assert len(sources(str(photos / "**" / "*.jpg"))) == 1
    with pytest.raises(DataError, match="no file") as caught:
        sources(str(photos / "nothing*.png"))
    assert str(photos) in caught.value.fix
    with pytest.raises(DataError, match="none a picture"):
        sources(str(photos / "*.bak"))


def test_a_file_with_pattern_marks_in_its_name(photos):
    (photos / "b2.png").rename(photos / "b[2].png")
    assert ids(sources(photos / "b[2].png")) == ["b[2].png"]


def test_listings_keep_their_labels(photos):
    (photos / "list.txt").write_text("b2.png\n")
    (photos / "t.csv").write_text("path,label\nb2.png,x\nb10.png,y\n")
    assert ids(sources(photos / "list.txt")) == ["b2.png"]
    assert sources(photos / "t.csv").space.names == ("x", "y")


def test_memory():
    array = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    for item in (array, Image.fromarray(array), buffer.getvalue(), bytearray(buffer.getvalue())):
        (sample,) = sources(item)
        assert np.array_equal(decode(sample.inputs["image"]), array) and sample.id == "00000"
    assert len(sources(np.stack([array] * 3))) == 3 and len(sources(np.zeros((7, 5, 6), np.uint8))) == 7 and len(sources(array[..., 0])) == 1


def test_open_images_follow_the_decoders_rules(photos):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.arange(20, dtype=np.uint8).reshape(4, 5)).save(photos / "turned.png", exif=exif)
    (sample,) = sources(Image.open(photos / "turned.png"))
    assert np.array_equal(sample.inputs["image"], decode(photos / "turned.png")) and sample.inputs["image"].shape == (5, 4, 3)


def test_lists(photos):
    array = np.zeros((4, 5, 3), np.uint8)
    data = sources([photos / "b2.png", str(photos / "b2.png"), photos, array, array, b"xx"])
    assert len(data) == 8 and len(set(ids(data))) == 8 and ids(data)[0] == str(photos / "b2.png") and ids(data)[1].endswith("#2")
    assert len(sources(photos.glob("*.png"))) == 2


def test_data_sets():
    data = Dataset([Sample("a", {})])
    assert sources(data) is data


@pytest.mark.parametrize(
    "source, rule",
    [("", "no source"), ("a\0b", "NUL"), ([], "empty list"), (3.5, "not a picture"), (None, "not a picture"), (np.zeros((4, 5)), "uint8"),
     (np.zeros((3, 40, 50), np.uint8), "channels come last"), ("https://x.org/a.jpg", "URLs"), ({"a": 1}, "no such file")],
)  # fmt: skip
def test_what_is_no_source(source, rule):
    with pytest.raises(InputError, match=rule):
        sources(source)


def test_missing_paths_name_what_is_near(photos):
    with pytest.raises(DataError, match="no such file") as caught:
        sources(photos / "sub" / "dep" / "a.jpg")
    assert str(photos / "sub") in caught.value.fix and "deep" in caught.value.fix


def test_empty_folder_pipe_and_links(photos):
    (photos / "none").mkdir()
    os.mkfifo(photos / "pipe")
    with pytest.raises(DataError, match="no pictures"):
        sources(photos / "none")
    with pytest.raises(DataError, match="not a regular file"):
        sources(photos / "pipe")
    os.symlink("/etc/passwd", photos / "x.png")
    with pytest.raises(DataError, match="leads outside"):
        sources(photos)
