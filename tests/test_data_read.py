"""Reading folders, listings, idx files and data.yaml: what is found, what is refused, and that nothing is touched."""

import gzip
import hashlib
import os
import stat
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.data import read
from vidi.data.readers import folders
from vidi.data.readers._scan import natural
from vidi.errors import DataError, InputError, ResourceError, VidiError
from vidi.labels import Classification

CLASS, CLASSES, NUMBERS = (SimpleNamespace(columns=name, adapted=lambda data: data) for name in ("class", "classes", "numbers"))


def picture(path, level=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (6, 5), level).save(path)
    return path


def tree(root, *names):
    for name in names:
        picture(root / name)
    return root


def said(data):
    return " | ".join(data.notes)


def tops(data):
    return {sample.id: data.space.names[sample.label.top] for sample in data if sample.label is not None}


def state(root):
    """Names, kinds, sizes, times and content of everything below a folder."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        info = path.lstat()
        digest.update(f"{path}{info.st_mode}{info.st_size}{info.st_mtime_ns}".encode())
        if path.is_file() and not path.is_symlink() and stat.S_ISREG(info.st_mode):
            digest.update(path.read_bytes())
    return digest.hexdigest()


# class folders


def test_class_folders(tmp_path):
    data = read(tree(tmp_path, "b10/1.png", "b10/10.png", "b10/2.png", "b2/deep/er/x.JPG.png", "a/x.jpg"))
    assert data.format == "folders" and data.root == tmp_path
    assert data.space == Space("Classification", ("a", "b2", "b10"))
    assert [sample.id for sample in data] == ["a/x.jpg", "b2/deep/er/x.JPG.png", "b10/1.png", "b10/2.png", "b10/10.png"]
    assert tops(data)["b2/deep/er/x.JPG.png"] == "b2" and data.splits == {"": 5}
    assert all(sample.file == tmp_path / sample.id and sample.file.is_file() for sample in data)


def test_natural_order_is_total():
    names = ["img10", "img2", "Img2", "img02", "a", "B", "", "10", "9", "é"]
    assert sorted(sorted(names, key=natural)[::-1], key=natural) == sorted(names, key=natural)
    assert sorted(["b10", "b2", "a"], key=natural) == ["a", "b2", "b10"]


@pytest.mark.parametrize("train, val, test", [("train", "val", "test"), ("Training", "validation", "testing"), ("train", "valid", "eval")])
def test_split_folders(tmp_path, train, val, test):
    data = read(tree(tmp_path, f"{train}/cat/1.png", f"{train}/dog/1.png", f"{val}/cat/2.png", f"{test}/dog/3.png"))
    assert data.splits == {"train": 2, "val": 1, "test": 1} and data.space.names == ("cat", "dog")
    assert "no picture in val of: dog" in said(data)
    assert read(tmp_path, split="val").samples[0].id == f"{val}/cat/2.png"


def test_split_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no samples of this split") as caught:
        read(tree(tmp_path, "train/cat/1.png"), split="val")
    assert "train (1)" in caught.value.fix


def test_a_class_called_test_is_a_class(tmp_path):
    assert read(tree(tmp_path, "test/1.png", "control/1.png")).space.names == ("control", "test")


def test_test_pictures_without_classes(tmp_path):
    data = read(tree(tmp_path, "train/cat/1.png", "train/dog/1.png", "test/5.png"))
    assert data.split("test").labels == [None] and data.space.names == ("cat", "dog")


def test_folders_outside_the_splits_are_said(tmp_path):
    data = read(tree(tmp_path, "train/cat/1.png", "extra/cat/2.png"))
    assert len(data) == 1 and "extra/cat/2.png" in said(data)


def test_folder_around_everything(tmp_path):
    data = read(tree(tmp_path, "flowers/rose/1.png", "flowers/tulip/1.png"))
    assert data.space.names == ("rose", "tulip") and data.samples[0].id == "flowers/rose/1.png" and "flowers/" in said(data)
    assert read(tree(tmp_path / "two", "all/train/rose/1.png", "all/val/rose/1.png")).splits == {"train": 1, "val": 1}


def test_pictures_without_classes(tmp_path):
    data = read(tree(tmp_path / "a", "1.png", "2.png"))
    assert data.space is None and data.labels == [None, None]
    data = read(tree(tmp_path / "b", "images/1.png", "images/2.png"))
    assert data.space is None and len(data) == 2


def test_stray_pictures_beside_classes_are_unlabeled(tmp_path):
    data = read(tree(tmp_path, "cat/1.png", "dog/1.png", "stray.png"))
    assert [sample.id for sample in data if sample.label is None] == ["stray.png"] and "1 pictures outside class folders" in said(data)


def test_what_is_skipped_is_said(tmp_path):
    tree(tmp_path, "cat/1.png", "dog/1.png", ".hidden/1.png", "cat/.x.png", "__MACOSX/cat/1.png")
    for name in ("cat/notes.doc", "README.md", "LICENSE"):
        (tmp_path / name).write_text("x")
    (tmp_path / "empty").mkdir()
    data = read(tmp_path)
    assert len(data) == 2 and data.space.names == ("cat", "dog")
    assert "class folders without pictures: empty" in said(data) and "1 files are no pictures" in said(data) and "notes.doc" in said(data)


def test_one_class_is_said(tmp_path):
    assert "only one class: cat" in said(read(tree(tmp_path, "cat/1.png")))


def test_class_names_differing_in_case_are_refused(tmp_path):
    with pytest.raises(DataError, match="differ only in case"):
        read(tree(tmp_path, "Cat/1.png", "cat/2.png"))


def test_every_fault_of_a_folder_is_in_one_error(tmp_path):
    outside = picture(tmp_path / "outside" / "x.png")
    root = tree(tmp_path / "data", "cat/1.png", "dog/1.png", "dog/A.png", "dog/a.png")
    os.symlink(outside, root / "cat" / "link.png")
    os.symlink(root, root / "cat" / "loop")
    os.symlink(outside.parent, root / "evil")
    os.symlink("nowhere", root / "cat" / "dead.png")
    os.mkfifo(root / "cat" / "pipe.png")
    (root / os.fsdecode(b"cat/\xff.png")).touch()
    with pytest.raises(DataError) as caught:
        read(root)
    assert "7 faults" in caught.value.rule
    for what in ("leads outside", "circle", "not a regular file", "cannot be followed", "not UTF-8", "differ only in case"):
        assert what in str(caught.value)
    assert "\n" not in str(caught.value)
    faults = []
    data = read(root, faults=faults)
    assert len(faults) == 7 and {sample.id for sample in data} >= {"cat/1.png", "dog/1.png"} and len(data) == 4


def test_links_inside_are_followed(tmp_path):
    tree(tmp_path, "cat/1.png", "pool/2.png")
    os.symlink("../pool/2.png", tmp_path / "cat" / "2.png")
    os.symlink("pool", tmp_path / "dog")
    data = read(tmp_path)
    assert {"cat/2.png", "dog/2.png", "pool/2.png"} <= {sample.id for sample in data}


def test_many_links_do_not_explode(tmp_path):
    for i in range(30):
        picture(tmp_path / f"d{i}" / "x.png")
        for name in "ab":
            os.symlink(f"../d{i + 1}", tmp_path / f"d{i}" / name)
    faults = []
    data = read(tmp_path, faults=faults)
    assert len(data) < 200 and faults


def test_tasks_read_class_folders_their_way(tmp_path):
    tree(tmp_path, "10/a.png", "2.5/b.png")
    assert read(tmp_path, task=CLASSES).space == Space("Classification", ("2.5", "10"), exclusive=False)
    data = read(tmp_path, task=NUMBERS)
    assert data.space == Space("Regression", ("value",)) and sorted(float(label.values[0]) for label in data.labels) == [2.5, 10]
    picture(tmp_path / "many" / "x.png")
    with pytest.raises(DataError, match="reads numbers"):
        read(tmp_path, task=NUMBERS)


def test_a_task_by_name(tmp_path):
    assert not read(tree(tmp_path, "a/1.png", "b/1.png"), task="multilabel").space.exclusive
    with pytest.raises(InputError):
        read(tmp_path, task="clasify")


def test_labels_of_one_class_are_shared(tmp_path):
    data = read(tree(tmp_path, "a/1.png", "a/2.png", "b/1.png"))
    assert data[0].label is data[1].label and data[0].label is not data[2].label


# what there is no reader for


def test_nothing_there(tmp_path):
    (tmp_path / "flowers").mkdir()
    with pytest.raises(DataError, match="no such file") as caught:
        read(tmp_path / "flower" / "train")
    assert str(tmp_path) in caught.value.fix and "flowers" in caught.value.fix


@pytest.mark.parametrize("name", ["empty", "x.docx"])
def test_no_reader(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.docx").write_text("x")
    with pytest.raises(DataError) as caught:
        read(tmp_path / name)
    assert all(word in caught.value.fix for word in ("folders", "table", "idx", "yaml", "listing"))


def test_urls_are_not_read():
    with pytest.raises(DataError, match="URLs"):
        read("https://example.com/data.zip")


def test_a_data_set_is_returned_as_it_is():
    data = Dataset([Sample("a", {}, split="val")])
    assert read(data) is data and len(read(data, split="val")) == 1


def test_reading_leaves_the_data_as_it_was_and_needs_no_write_access(tmp_path):
    root = tree(tmp_path / "data", "train/cat/1.png", "train/dog/1.png", "val/cat/1.png")
    before = state(root)
    for folder in (root / "train", root):
        folder.chmod(0o555)
    try:
        assert len(read(root)) == 3
    finally:
        for folder in (root, root / "train"):
            folder.chmod(0o755)
    assert state(root) == before


def test_sixty_thousand_files_take_seconds(tmp_path, monkeypatch):
    """Counts system calls instead of seconds: no file is opened or asked for its state."""
    for c in "ab":
        (tmp_path / c).mkdir()
        for i in range(50):
            (tmp_path / c / f"{i}.png").touch()
    monkeypatch.setattr(folders, "matches", lambda path: True)
    opened = []
    monkeypatch.setattr("builtins.open", lambda *a, **k: opened.append(a))
    stats = []
    original = os.stat
    monkeypatch.setattr(os, "stat", lambda *a, **k: stats.append(a) or original(*a, **k))
    assert len(folders.read(tmp_path, __import__("vidi.data.readers._ask", fromlist=["Ask"]).Ask())) == 100
    assert not opened and len(stats) < 10


# listings


def test_listing(tmp_path):
    tree(tmp_path, "a/1.png", "b/2 with blanks.png")
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf./a/1.png\r\n\r\nb/2 with blanks.png\r\na/1.png\n")
    data = read(tmp_path / "list.txt")
    assert [(s.id, s.line, s.label) for s in data] == [("a/1.png", 1, None), ("b/2 with blanks.png", 3, None), ("a/1.png#4", 4, None)]
    assert "1 lines repeat" in said(data)
    assert tops(read(tmp_path / "list.txt", task=CLASS)) == {"a/1.png": "a", "b/2 with blanks.png": "b", "a/1.png#4": "a"}


HOSTILE = [
    "../secret.png", "/etc/passwd", "out.png", "up/secret.png", "loop.png", "pipe.png", "zero.png", "nul\0.png",
    "http://127.0.0.1/x.png", "file:///etc/passwd", "A.PNG", "sub", "x" * 300 + ".png",
]  # fmt: skip


@pytest.fixture
def hostile(tmp_path):
    picture(tmp_path / "secret.png")
    root = tree(tmp_path / "data", "a.png", "sub/b.png")
    os.symlink("../secret.png", root / "out.png")
    os.symlink("..", root / "up")
    os.symlink("loop.png", root / "loop.png")
    os.mkfifo(root / "pipe.png")
    os.symlink("/dev/zero", root / "zero.png")
    return root


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_in_a_listing(hostile, name):
    (hostile / "list.txt").write_text(f"a.png\n{name}\n")
    with pytest.raises(InputError) as caught:
        read(hostile / "list.txt")
    assert caught.value.file == hostile / "list.txt" and caught.value.at == "line 2" and caught.value.exit_code == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_in_a_table(hostile, name):
    (hostile / "list.csv").write_text(f'path,label\na.png,x\n"{name}",y\nsub/b.png,x\n')
    with pytest.raises(InputError) as caught:
        read(hostile / "list.csv")
    assert caught.value.file == hostile / "list.csv" and caught.value.at == "line 3"


def test_all_hostile_names_are_reported_together(hostile):
    (hostile / "list.txt").write_text("\n".join(["a.png", *HOSTILE]) + "\n")
    with pytest.raises(DataError, match=f"{len(HOSTILE)} faults"):
        read(hostile / "list.txt")


def test_case_of_a_file_name_is_hinted(hostile):
    (hostile / "list.txt").write_text("a.png\nA.PNG\n")
    with pytest.raises(DataError) as caught:
        read(hostile / "list.txt")
    assert "a.png" in caught.value.fix


# idx


def idx(path, array):
    head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    data = head + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture
def mnist(tmp_path):
    rng = np.random.default_rng(0)
    for split, count, end in (("train", 20, ".gz"), ("t10k", 6, "")):
        idx(tmp_path / f"{split}-images-idx3-ubyte{end}", rng.integers(0, 256, (count, 4, 5)))
        idx(tmp_path / f"{split}-labels-idx1-ubyte{end}", np.arange(count) % 3)
    return tmp_path


def test_idx_files(mnist):
    data = read(mnist)
    assert data.format == "idx" and data.splits == {"train": 20, "test": 6} and data.space.names == ("0", "1", "2")
    assert data[17].id == "train/00017" and data[17].label.top == 2 and data[20].id == "test/00000"
    image = data[3].inputs["image"]
    assert image.shape == (4, 5) and image.dtype == np.uint8 and image.base is not None
    again = np.random.default_rng(0).integers(0, 256, (20, 4, 5))
    assert np.array_equal(image, again[3])
    assert len(read(mnist / "train-images-idx3-ubyte.gz")) == 20


def test_idx_names_beside(mnist):
    (mnist / "classes.txt").write_text("shirt\nbag\nT-shirt/top\nunused\n")
    assert read(mnist).space.names == ("shirt", "bag", "T-shirt/top", "unused")
    (mnist / "classes.txt").write_text("shirt\n")
    with pytest.raises(DataError, match="fewer names"):
        read(mnist)


def test_idx_without_labels(mnist):
    (mnist / "t10k-labels-idx1-ubyte").unlink()
    data = read(mnist)
    assert data.split("test").labels == [None] * 6 and "no label file" in said(data)


@pytest.mark.parametrize(
    "change, rule",
    [
        (lambda b: b[:4] + struct.pack(">III", 2**31, 2**31, 2**31) + b[16:], "does not agree"),
        (lambda b: b[:4] + struct.pack(">III", 7, 4, 5) + b[16:], "does not agree"),
        (lambda b: b[:-1], "does not agree"),
        (lambda b: b + b"x", "does not agree"),
        (lambda b: b[:10], "not an idx file"),
        (lambda b: b"", "not an idx file"),
        (lambda b: bytes((0, 0, 13, 3)) + b[4:], "not an idx file"),
        (lambda b: bytes((0, 0, 8, 2)) + b[4:], "not an idx file"),
        (lambda b: b[:4] + struct.pack(">III", 6, 0, 5), "without pixels"),
    ],
)
def test_hostile_idx_headers(mnist, change, rule):
    file = mnist / "t10k-images-idx3-ubyte"
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(DataError, match=rule) as caught:
        read(mnist)
    assert caught.value.file == file


@pytest.mark.parametrize(
    "change",
    [
        lambda b: gzip.compress(gzip.decompress(b)[:-3]),
        lambda b: gzip.compress(gzip.decompress(b) + b"x"),
        lambda b: b[: len(b) // 2],
        lambda b: b[:20] + bytes(8) + b[28:],
        lambda b: gzip.compress(gzip.decompress(b)[:4] + struct.pack(">III", 2**20, 2**10, 2**10)),
    ],
)
def test_hostile_gzip_idx(mnist, change):
    file = mnist / "train-images-idx3-ubyte.gz"
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(VidiError) as caught:
        read(mnist)
    assert caught.value.file == file and isinstance(caught.value, (DataError, ResourceError))


def test_idx_counts_must_agree(mnist):
    idx(mnist / "train-labels-idx1-ubyte.gz", np.zeros(19))
    with pytest.raises(DataError, match="differ in number"):
        read(mnist)


# data.yaml


def yaml(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_yaml_of_folders(tmp_path):
    tree(tmp_path, "a/cat/1.png", "a/dog/1.png", "b/dog/2.png")
    yaml(tmp_path / "data.yaml", "path: .\ntrain: a\nval: [b]\nnames: {0: dog, 1: cat, 2: eel}\nnc: 3\n")
    data = read(tmp_path)
    assert data.format == "yaml" and data.space.names == ("dog", "cat", "eel") and data.splits == {"train": 2, "val": 1}
    assert tops(data) == {"a/cat/1.png": "cat", "a/dog/1.png": "dog", "b/dog/2.png": "dog"}
    assert read(tmp_path / "data.yaml").labels[0].top == 1


@pytest.mark.parametrize("text", ["", "{broken", "[]"])
def test_broken_annotations_are_no_unlabeled_pictures(tmp_path, text):
    tree(tmp_path, "images/1.png", "images/2.png")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "all.json").write_text(text)
    with pytest.raises(DataError, match="not COCO") as caught:
        read(tmp_path)
    assert caught.value.file.name == "all.json"


def test_yaml_never_runs_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tree(tmp_path, "a/cat/1.png", "a/dog/1.png")
    (tmp_path / "evil.py").write_text("open('EXECUTED', 'w').close()\n")
    yaml(tmp_path / "data.yaml", "train: a\ntask: ./evil.py\n")
    with pytest.raises(DataError, match="never code"):
        read(tmp_path)
    assert not (tmp_path / "EXECUTED").exists()


def test_yaml_names_keep_their_spelling(tmp_path):
    tree(tmp_path, "d/no/1.png", "d/007/1.png", "d/1.10/1.png", "d/true/1.png")
    yaml(tmp_path / "data.yaml", "train: d\nnames: [no, 007, 1.10, true]\n")
    data = read(tmp_path)
    assert data.space.names == ("no", "007", "1.10", "true") and len(set(tops(data).values())) == 4


def test_yaml_of_tables_and_listings(tmp_path):
    tree(tmp_path, "i/1.png", "i/2.png", "i/3.png", "cat/4.png")
    (tmp_path / "tr.csv").write_text("path,label\ni/1.png,cat\ni/2.png,dog\n")
    (tmp_path / "va.csv").write_text("path,label\ni/3.png,dog\n")
    yaml(tmp_path / "data.yaml", "train: tr.csv\nval: va.csv\n")
    data = read(tmp_path / "data.yaml")
    assert data.splits == {"train": 2, "val": 1} and tops(data)["i/3.png"] == "dog" and data[2].line == 2
    (tmp_path / "te.txt").write_text("cat/4.png\n")
    yaml(tmp_path / "data.yaml", "train: tr.csv\ntest: te.txt\nnames: [cat, dog]\n")
    assert tops(read(tmp_path / "data.yaml"))["cat/4.png"] == "cat"


def test_yaml_table_settings(tmp_path):
    tree(tmp_path, "i/1.png", "i/2.png")
    (tmp_path / "t.csv").write_text("weird,tags,who,z\ni/1.png,a b,p1,3\ni/2.png,b,p1,4\n")
    yaml(tmp_path / "data.yaml", 'table: t.csv\nimage_column: weird\nlabel_columns: [tags]\nseparator: " "\ngroup_column: who\nnames: [b, a]\n')
    data = read(tmp_path)
    assert data.space == Space("Classification", ("b", "a"), exclusive=False) and [s.group for s in data] == ["p1", "p1"]
    assert data[0].label.probabilities.tolist() == [1, 1] and data[1].label.probabilities.tolist() == [1, 0]


def test_yaml_without_parts_reads_its_folder(mnist):
    yaml(mnist / "data.yaml", "names: [a, b, c, d]\nlicense: MIT\n")
    assert read(mnist).space.names == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    "text, at",
    [
        ("trian: a", "trian"), ("train: a\nnames: [a, a]", "names"), ("train: a\nnames: {0: a, 2: b}", "names"), ("train: 5", "train"),
        ("train: a\nnc: 3\nnames: [a, b]", "nc"), ("train: nowhere", "train"), ("train: ../..", "train"), ("path: nowhere\ntrain: a", "path"),
        ("train: a\ntable: b.csv", "table"), ("- a", None), ("train: [a", "line 2 column 1"), ("train: a\nlabels: words", "labels"),
        ("path: ..\ntrain: data/a", "path"), ("path: /etc\ntrain: a", "path"), ("train: /etc", "train"),
    ],
)  # fmt: skip
def test_wrong_yaml(tmp_path, text, at):
    root = tree(tmp_path / "data", "a/x/1.png", "a/y/1.png")
    file = yaml(root / "data.yaml", text + "\n")
    with pytest.raises(InputError) as caught:
        read(root)
    if at:
        assert caught.value.at == at
    assert file.name in str(caught.value) or at == "path"
    if text.startswith("trian"):
        assert "train" in caught.value.fix


def test_a_named_yaml_may_lie_elsewhere(tmp_path):
    tree(tmp_path / "data", "train/x/1.png", "train/y/1.png")
    file = yaml(tmp_path / "conf" / "mine.yaml", "path: ../data\ntrain: train\n")
    data = read(file)
    assert len(data) == 2 and str((tmp_path / "data").resolve()) in said(data)
    assert [s.id for s in data] == ["train/x/1.png", "train/y/1.png"]


def test_folder_unknown_to_the_names(tmp_path):
    tree(tmp_path, "a/cat/1.png", "a/dgo/1.png")
    yaml(tmp_path / "data.yaml", "train: a\nnames: [cat, dog]\n")
    with pytest.raises(DataError, match="not among the names") as caught:
        read(tmp_path)
    assert "dog" in caught.value.fix


def test_splits_with_different_classes_are_united(tmp_path):
    tree(tmp_path, "a/cat/1.png", "a/ant/1.png", "b/dog/2.png", "b/cat/2.png")
    yaml(tmp_path / "data.yaml", "train: a\nval: b\n")
    data = read(tmp_path)
    assert data.space.names == ("ant", "cat", "dog") and tops(data)["b/dog/2.png"] == "dog" and tops(data)["a/ant/1.png"] == "ant"


def test_reading_needs_no_torch():
    code = "import sys; from vidi.data import read; from vidi.data.source import sources; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_fingerprint_follows_labels_and_files(tmp_path):
    tree(tmp_path, "a/1.png", "b/1.png")
    first = read(tmp_path).fingerprint()
    assert read(tmp_path).fingerprint() == first
    (tmp_path / "a" / "1.png").write_bytes(Path(tmp_path / "b" / "1.png").read_bytes() + b" ")
    assert read(tmp_path).fingerprint() != first
    data = read(tmp_path)
    second = data.fingerprint()
    data[0].label = Classification.one_hot(1, 2)
    assert data.fingerprint() != second
