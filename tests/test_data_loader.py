import gc
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from vidi.core.dataset import Dataset, Sample
from vidi.core.preprocess import Preprocess
from vidi.data import _cache, _child, _workers
from vidi.data.loader import Loader
from vidi.data.pixels import PixelStore
from vidi.errors import DataError, ImageError, RecipeError, ResourceError
from vidi.labels import Classification, Detections

CANVAS = Preprocess((20, 24))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """30 pictures of many sizes and formats, the last five in memory."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    samples = []
    for i in range(30):
        pixels = rng.integers(0, 256, (30 + 3 * i, 70 - i, 3), dtype=np.uint8)
        path = folder / f"{i:02d}.{'jpg' if i % 2 else 'png'}"
        Image.fromarray(pixels).save(path)
        picture = path if i < 25 else path.read_bytes() if i < 28 else pixels
        samples.append(Sample(path.name, {"image": picture}, Classification.one_hot(i % 3, 3)))
    return Dataset(samples, root=folder)


def copied(photos, folder):
    """The same pictures in a folder of their own, all files."""
    samples = []
    for sample in photos.samples[:25]:
        (folder / sample.id).write_bytes((photos.root / sample.id).read_bytes())
        samples.append(Sample(sample.id, {"image": folder / sample.id}, sample.label))
    return Dataset(samples, root=folder)


def expected(data, indices):
    return np.stack([CANVAS.load(data[i].inputs["image"], name="x")[0] for i in indices])


def all_batches(store, data, order, **options):
    return list(Loader(store, data, batch=7).batches(order, **options))


def tree_hash(folder):
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(f"{path}{path.stat().st_mtime_ns}".encode() + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()


def our_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("vidi-")]


@pytest.fixture(autouse=True)
def nothing_left_over(monkeypatch, tmp_path):
    monkeypatch.setenv("VIDI_CACHE", str(tmp_path / "default-cache"))
    yield
    gc.collect()
    assert our_threads() == []


def test_empty_data_has_no_batches():
    for cache in ("auto", "memory", "disk", "none"):
        with PixelStore(Dataset([]), CANVAS, cache=cache) as store:
            assert all_batches(store, Dataset([]), []) == []
            assert store.fetch(np.zeros(0, int)).shape == (0, 20, 24, 3)
            assert store.frames([]) == [] and store.bad == []
            store.fill()


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_pixels_are_the_same_however_they_come(photos, cache, workers, tmp_path):
    order = np.random.default_rng(1).integers(0, len(photos), 40)
    truth = expected(photos, order)
    with PixelStore(photos, CANVAS, cache=cache, cache_dir=tmp_path, workers=workers) as store:
        for _ in range(2):
            batches = all_batches(store, photos, order)
            images = torch.cat([batch.inputs["image"] for batch in batches])
            assert (images.permute(0, 2, 3, 1).numpy() == truth).all()
            assert [len(batch) for batch in batches] == [7, 7, 7, 7, 7, 5]
        assert store.warm == (0 if cache == "none" else np.unique(order).size / len(photos))
        assert store.kind == cache


def test_boxes_come_in_the_pixels_of_the_canvas():
    picture, empty = np.zeros((40, 80, 3), np.uint8), Detections.empty()
    boxes = Detections([[0, 0, 40, 20], [70, 0, 80, 40]], None, [1, 0])
    labels = [boxes, empty, None]
    data = Dataset([Sample(str(i), {"image": picture}, label) for i, label in enumerate(labels)])
    for rule, truth in (
        (Preprocess((40, 40), "letterbox"), [[0, 10, 20, 20], [35, 10, 40, 30]]),
        (Preprocess((80, 80), "squash"), [[0, 0, 40, 40], [70, 0, 80, 80]]),
        (Preprocess((40, 40), "crop"), [[0, 0, 20, 20]]),
        (Preprocess((40, 80)), boxes.boxes.tolist()),
    ):
        with PixelStore(data, rule) as store:
            batch = next(iter(all_batches(store, data, [0, 1, 2])))
        found = batch.labels[0]
        assert found.boxes.tolist() == truth and found.classes.tolist() == [1, 0][: len(truth)]
        assert len(batch.labels[1]) == 0 and batch.labels[2] is None


def test_a_batch_is_complete(photos):
    with PixelStore(photos, CANVAS) as store:
        batch = next(iter(all_batches(store, photos, [3, 29, 3])))
    image = batch.inputs["image"]
    assert image.shape == (3, 3, 20, 24) and image.dtype == torch.uint8
    assert image.is_contiguous(memory_format=torch.channels_last)
    assert [label.top for label in batch.labels] == [0, 2, 0]
    assert batch.indices.tolist() == [3, 29, 3] and batch.indices.dtype == np.int64
    for frame, i in zip(batch.frames, (3, 29, 3)):
        _, size, matrix = CANVAS.load(photos[i].inputs["image"])
        assert frame.id == photos[i].id and frame.size == size
        assert np.array_equal(frame.matrix, matrix)


@pytest.mark.parametrize("prefetch", [0, 1, 5])
def test_resuming_in_the_middle_gives_the_tail(photos, prefetch):
    order = np.random.default_rng(2).permutation(len(photos))
    with PixelStore(photos, CANVAS) as store:
        whole = all_batches(store, photos, order)
        for start in (0, 2, 5, 99):
            tail = all_batches(store, photos, order, start=start, prefetch=prefetch)
            assert len(tail) == len(whole[start:])
            for a, b in zip(tail, whole[start:]):
                assert (a.indices == b.indices).all() and torch.equal(a.inputs["image"], b.inputs["image"])


def test_last_batch_and_batches_larger_than_the_data(photos):
    with PixelStore(photos, CANVAS) as store:
        assert [len(b) for b in all_batches(store, photos, range(10), drop_last=True)] == [7]
        large = Loader(store, photos, batch=1000)
        assert [len(b) for b in large.batches(range(30))] == [30]
        assert list(large.batches(range(30), drop_last=True)) == []
        assert large.count(30) == 1 and large.count(30, drop_last=True) == 0 and large.count(0) == 0


def test_wrong_indices_are_refused(photos):
    with PixelStore(photos, CANVAS) as store:
        for order in ([30], [-1]):
            with pytest.raises(IndexError):
                all_batches(store, photos, order)
        with pytest.raises(ValueError):
            store.fetch(np.array([0.5]))
    with pytest.raises(ValueError):
        store.fetch([0])


@pytest.mark.parametrize("settings", [{"cache": "ram"}, {"workers": -1}, {"bad_samples": "ignore"}, {"max_bad": 2}])
def test_wrong_settings_are_refused(photos, settings):
    with pytest.raises(RecipeError):
        PixelStore(photos, CANVAS, **settings)


# arrays and other inputs


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_arrays_of_the_canvas_size_need_no_decoding(cache, tmp_path):
    rng = np.random.default_rng(3)
    pictures = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in [(20, 24), (20, 24, 3), (20, 24, 1), (20, 24, 4)] * 5]
    data = Dataset([Sample(str(i), {"image": picture}) for i, picture in enumerate(pictures)])
    with PixelStore(data, CANVAS, cache=cache, cache_dir=tmp_path, workers=1) as store:
        assert (store.fetch(np.arange(20)) == expected(data, range(20))).all()
        assert [frame.size for frame in store.frames(np.arange(20))] == [(20, 24)] * 20
        assert store._pool._children == []  # arrays do not travel


def test_sixty_thousand_small_arrays_are_fast():
    pixels = np.random.default_rng(4).integers(0, 256, (60000, 28, 28), dtype=np.uint8)
    data = Dataset([Sample(str(i), {"image": picture}) for i, picture in enumerate(pixels)])
    begun = time.process_time()
    with PixelStore(data, Preprocess((28, 28)), cache="memory") as store:
        store.fill()
        assert time.process_time() - begun < 2
        assert store.warm == 1
        assert (store.fetch(np.array([5, 59999]))[..., 1] == pixels[[5, 59999]]).all()


def test_numbers_and_tokens_come_along():
    blank = np.zeros((20, 24), np.uint8)
    inputs = [
        {"image": blank, "table": [1.5, float("nan")], "tokens": [4, 5], "place": 8},
        {"image": blank, "table": [2, 3], "tokens": [6], "place": 9},
    ]
    data = Dataset([Sample(str(i), values) for i, values in enumerate(inputs)])
    with PixelStore(data, CANVAS) as store:
        (batch,) = all_batches(store, data, [1, 0])
        assert batch.inputs["table"].dtype == torch.float32 and batch.inputs["tokens"].dtype == torch.int64
        assert batch.inputs["tokens"].tolist() == [[6, 0], [4, 5]] and batch.inputs["place"].tolist() == [9, 8]
        np.testing.assert_array_equal(batch.inputs["table"], [[2, 3], [1.5, np.nan]])
        for wrong in ({"table": [1.0]}, {"table": "text"}, {}):
            odd = Dataset([data[0], Sample("odd", {"image": blank, "tokens": [1], "place": 1, **wrong})])
            with pytest.raises(DataError, match="odd"):
                Loader(store, odd, batch=1)


# the cache on disk


def open_disk(data, folder, **options):
    return PixelStore(data, CANVAS, cache="disk", cache_dir=folder, **options)


def no_decoding(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("decoded")

    monkeypatch.setattr(Preprocess, "load", refuse)


def test_a_later_run_finds_its_canvases_and_frames(photos, tmp_path, monkeypatch):
    with open_disk(photos, tmp_path) as store:
        store.fill()
    truth = expected(photos, range(30))
    relabeled = photos.with_samples(Sample(s.id, s.inputs, Classification.one_hot(0, 3)) for s in photos)
    no_decoding(monkeypatch)
    with open_disk(relabeled, tmp_path) as store:
        assert store.warm == 1 and store.notes == []
        assert (store.fetch(np.arange(30)) == truth).all()
        assert store.frames([29])[0].size == (117, 41)
    assert len(list(tmp_path.glob("*.pixels"))) == 1


def test_an_interrupted_fill_goes_on(photos, tmp_path):
    with open_disk(photos, tmp_path) as store:
        store.fetch(np.arange(10))
    calls = []
    with open_disk(photos, tmp_path, progress=lambda done, total: calls.append((done, total))) as store:
        assert store.warm == pytest.approx(1 / 3)
        store.fill()
        assert (store.fetch(np.arange(30)) == expected(photos, range(30))).all()
    assert calls[-1] == (30, 30) and calls == sorted(calls)


def test_an_edited_picture_is_decoded_again(photos, tmp_path):
    (tmp_path / "data").mkdir()
    data = copied(photos, tmp_path / "data")
    with open_disk(data, tmp_path / "cache") as store:
        store.fill()
    file = data[4].inputs["image"]
    Image.open(file).rotate(180).save(file)
    with open_disk(data, tmp_path / "cache") as store:
        assert (store.fetch(np.arange(25)) == expected(data, range(25))).all()


def damage_row(path):
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 1
    path.write_bytes(raw)


def damage_header(path):
    raw = bytearray(path.read_bytes())
    raw[20] ^= 1
    path.write_bytes(raw)


def swap_rows(path):
    raw, size = bytearray(path.read_bytes()), 20 * 24 * 3
    raw[-size:], raw[-2 * size : -size] = raw[-2 * size : -size], raw[-size:]
    table = 4096
    a, b = slice(table + 29 * 16, table + 30 * 16), slice(table + 28 * 16, table + 29 * 16)
    raw[a], raw[b] = raw[b], raw[a]
    path.write_bytes(raw)


def foreign(path):
    """A valid file of another set under this set's name."""
    other = Dataset([Sample(str(i), {"image": np.full((20, 24), i, np.uint8)}) for i in range(30)])
    with open_disk(other, path.parent / "other") as store:
        store.fill()
        os.replace(store._file.path, path)


def link(path):
    target = path.with_suffix(".elsewhere")
    path.rename(target)
    path.symlink_to(target)


@pytest.mark.parametrize("damage", [
    damage_row, damage_header, swap_rows, foreign, link, lambda path: os.truncate(path, 5000), lambda path: os.truncate(path, 0),
    lambda path: path.write_bytes(b"\x80\x04" + bytes(path.stat().st_size - 2)),
])  # fmt: skip
def test_a_poisoned_cache_is_refused_and_rebuilt(photos, tmp_path, damage):
    with open_disk(photos, tmp_path) as store:
        store.fill()
        path = store._file.path
    damage(path)
    for attempt in range(2):
        with open_disk(photos, tmp_path) as store:
            assert (store.fetch(np.arange(30)) == expected(photos, range(30))).all()
            assert len(store.notes) == 0 if damage in (damage_row, swap_rows) or attempt else 1
            assert not store._file.path.is_symlink()


def test_rows_written_but_not_marked_are_not_trusted(photos, tmp_path):
    with open_disk(photos, tmp_path) as store:
        store.fill()
        path = store._file.path
    with open(path, "r+b") as file:
        file.seek(4096 + 3 * 16)
        file.write(bytes(16))
    with open_disk(photos, tmp_path) as store:
        assert store.warm == pytest.approx(29 / 30)
        assert (store.fetch(np.arange(30)) == expected(photos, range(30))).all()


def test_two_stores_share_a_file(photos, tmp_path):
    with open_disk(photos, tmp_path) as a, open_disk(photos, tmp_path) as b:
        parts = [np.arange(0, 30, 2), np.arange(1, 30, 2)]
        threads = [threading.Thread(target=store.fetch, args=(part,)) for store, part in zip((a, b), parts)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    with open_disk(photos, tmp_path) as store:
        assert store.warm == 1
        assert (store.fetch(np.arange(30)) == expected(photos, range(30))).all()


def test_old_caches_are_pruned_by_size(photos, tmp_path, monkeypatch):
    for age, name in enumerate("abc"):
        file = tmp_path / f"{name}.pixels"
        file.write_bytes(bytes(400_000))
        os.utime(file, (1000 - age, 1000 - age))
    monkeypatch.setenv("VIDI_CACHE_GB", "0.0009")
    with open_disk(photos, tmp_path):
        assert sorted(path.name[0] for path in tmp_path.glob("?.pixels")) == ["a", "b"]
    monkeypatch.setenv("VIDI_CACHE_GB", "0.00001")
    with open_disk(photos, tmp_path):  # there already: used, not made
        pass
    with pytest.raises(ResourceError, match="VIDI_CACHE_GB"):
        PixelStore(photos, Preprocess((30, 30)), cache="disk", cache_dir=tmp_path)
    monkeypatch.setenv("VIDI_CACHE_GB", "many")
    with pytest.raises(RecipeError, match="VIDI_CACHE_GB"):
        PixelStore(photos, Preprocess((31, 31)), cache="disk", cache_dir=tmp_path)


def test_auto_takes_memory_then_disk_then_none(photos, tmp_path, monkeypatch):
    need = 30 * 20 * 24 * 3
    with PixelStore(photos, CANVAS) as store:
        assert store.kind == "memory"
    monkeypatch.setattr("vidi.data.pixels.available_memory", lambda: need)
    with PixelStore(photos, CANVAS) as store:
        assert store.kind == "disk" and store._file.path.parent == tmp_path / "default-cache"
    with pytest.raises(ResourceError, match="cache=disk"):
        PixelStore(photos, CANVAS, cache="memory")
    monkeypatch.setenv("VIDI_CACHE_GB", "0")
    with PixelStore(photos, Preprocess((20, 25))) as store:
        assert store.kind == "none" and "every epoch" in store.notes[0]


def test_the_data_folder_is_never_written(photos, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    data = copied(photos, folder)
    before = tree_hash(folder)
    for inside in (folder, folder / "cache"):
        with pytest.raises(RecipeError, match="inside the data"):
            open_disk(data, inside)
    folder.chmod(0o555)
    try:
        with open_disk(data, tmp_path / "cache", workers=1) as store:
            store.fill()
    finally:
        folder.chmod(0o755)
    assert tree_hash(folder) == before


def test_a_full_disk_is_named(photos, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with open_disk(photos, tmp_path) as store:
        monkeypatch.setattr(_cache.PackedFile, "write", full)
        with pytest.raises(ResourceError, match=r"\.pixels .*No space"):
            store.fetch(np.arange(5))
    monkeypatch.setattr(_cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(ResourceError, match="not enough room"):
        PixelStore(photos, Preprocess((30, 30)), cache="disk", cache_dir=tmp_path)


def test_a_row_check_binds_pixels_place_and_size(tmp_path):
    packed = _cache.PackedFile(tmp_path / "x.pixels", "k", (2, 4, 4, 3))
    row = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    packed.write(1, row, (9, 8))
    assert packed.good(1) and not packed.good(0) and (packed.rows[1] == row).all()
    assert packed._check(1, row, 9, 8) == zlib.crc32(row.tobytes(), zlib.crc32(b"1:9:8", zlib.crc32(b"k")))
    packed.close()


# bad pictures


@pytest.fixture
def spoiled(photos, tmp_path):
    folder = tmp_path / "spoiled"
    folder.mkdir()
    data = copied(photos, folder)
    for i in (4, 5, 24):
        data[i].inputs["image"].write_bytes(data[i].inputs["image"].read_bytes()[:60])
    return data


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_a_corrupt_picture_is_named_and_stops(spoiled, cache, workers, tmp_path):
    with PixelStore(spoiled, CANVAS, cache=cache, cache_dir=tmp_path, workers=workers) as store:
        for _ in range(2):
            with pytest.raises(ImageError) as caught:
                all_batches(store, spoiled, range(6))
            assert caught.value.file == "04.png" and caught.value.exit_code == 2
        assert len(all_batches(store, spoiled, range(4))) == 1


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_skipping_puts_the_next_good_sample_in_place(spoiled, cache, workers, tmp_path):
    with PixelStore(spoiled, CANVAS, cache=cache, cache_dir=tmp_path, workers=workers, bad_samples="skip", max_bad=0.2) as store:
        for _ in range(2):
            (batch,) = list(Loader(store, spoiled, batch=9).batches([24, 4, 5, 1, 5]))
            assert batch.indices.tolist() == [0, 6, 6, 1, 6]
            assert (batch.inputs["image"].permute(0, 2, 3, 1).numpy() == expected(spoiled, batch.indices)).all()
            assert [frame.id for frame in batch.frames] == [spoiled[i].id for i in batch.indices]
            assert [label.top for label in batch.labels] == [0, 0, 0, 1, 0]
        assert [(i, type(error)) for i, error in store.bad] == [(i, ImageError) for i in (4, 5, 24)]
        assert store.resolve([4]).tolist() == [6] and store.frames([5])[0].id == "06.png"


def test_too_many_bad_pictures_stop(spoiled):
    with PixelStore(spoiled, CANVAS, bad_samples="skip", max_bad=0.1) as store:
        with pytest.raises(DataError, match=r"3 of 25 \(12.0%\), allowed 10.0%"):
            store.fill()


def test_nothing_but_bad_pictures(tmp_path):
    data = Dataset([Sample("a", {"image": b"no"}), Sample("b", {"image": tmp_path / "missing.png"}), Sample("c", {})])
    with PixelStore(data, CANVAS, bad_samples="skip", max_bad=1) as store:
        with pytest.raises(DataError, match="no picture can be decoded"):
            store.fetch([0, 1, 2])
        assert [error.rule.split()[0] for _, error in store.bad] == ["not", "cannot", "the"]


# processes


def test_a_killed_process_is_replaced(photos):
    with PixelStore(photos, CANVAS, cache="none", workers=1) as store:
        store.fetch(np.arange(3))
        (child,) = store._pool._children
        os.kill(child.process.pid, signal.SIGKILL)
        assert (store.fetch(np.arange(25)) == expected(photos, range(25))).all()
        (fresh,) = store._pool._children
        assert fresh.process.pid != child.process.pid and fresh.number == child.number == 1


def test_a_process_lost_twice_is_named_with_signal_and_picture(photos, tmp_path, monkeypatch):
    deadly = tmp_path / "deadly.py"
    deadly.write_text("import os, sys\nsys.stdin.buffer.readline()\nsys.stdin.buffer.read(1)\nos.kill(os.getpid(), 9)\n")
    monkeypatch.setattr(_child, "__file__", str(deadly))
    with PixelStore(photos, CANVAS, cache="memory", workers=1) as store:
        with pytest.raises(ResourceError) as caught:
            all_batches(store, photos, [2, 3])
    error = caught.value
    assert "process 1" in error.rule and "SIGKILL" in error.value and error.file == "02.png" and error.exit_code == 3


def test_a_process_out_of_memory_is_retried_then_named(photos, tmp_path, monkeypatch):
    starved = tmp_path / "starved.py"
    source = Path(_child.__file__).read_text().replace("canvas, (height, width), _ = preprocess", "raise MemoryError\n            preprocess")
    starved.write_text(source)
    monkeypatch.setattr(_child, "__file__", str(starved))
    with PixelStore(photos, CANVAS, workers=1) as store:
        with pytest.raises(ResourceError, match="out of memory"):
            store.fetch([0])


def test_a_bug_in_a_process_is_not_blamed_on_the_picture(photos, tmp_path, monkeypatch):
    broken = tmp_path / "broken.py"
    broken.write_text(Path(_child.__file__).read_text().replace("canvas, (height, width), _ = preprocess", "1 / 0\n            preprocess"))
    monkeypatch.setattr(_child, "__file__", str(broken))
    with PixelStore(photos, CANVAS, workers=1, bad_samples="skip", max_bad=1) as store:
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            store.fetch([0])


def test_processes_end_with_the_store_and_live_across_epochs(photos):
    store = PixelStore(photos, CANVAS, cache="none", workers=2)
    all_batches(store, photos, range(25))
    first = {child.process.pid for child in store._pool._children}
    all_batches(store, photos, range(25))
    children = list(store._pool._children)
    assert {child.process.pid for child in children} >= first and len(children) <= 2
    store.close()
    store.close()
    assert all(child.process.returncode == 0 for child in children)


def test_processes_end_when_their_parent_is_killed(photos):
    code = (
        "import sys, time, numpy as np\nfrom vidi.core.dataset import *\nfrom vidi.core.preprocess import Preprocess\n"
        "from vidi.data.pixels import PixelStore\nfrom pathlib import Path\n"
        f"data = Dataset([Sample(str(i), {{'image': Path({str(photos.root / '01.jpg')!r})}}) for i in range(4)])\n"
        "store = PixelStore(data, Preprocess((8, 8)), workers=1)\nstore.fetch(np.arange(4))\n"
        "sys.stdout.write(f'{store._pool._children[0].process.pid}\\n')\nsys.stdout.flush()\ntime.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    for _ in range(100):
        if not _runs(pid):
            return
        time.sleep(0.05)
    pytest.fail("the loading process outlived its parent")


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_store_that_is_forgotten_ends_its_processes(photos):
    store = PixelStore(photos, CANVAS, workers=1)
    store.fetch([0])
    process = store._pool._children[0].process
    del store
    gc.collect()
    assert process.returncode == 0
    for _ in range(100):
        if not our_threads():
            break
        time.sleep(0.02)


def test_the_loading_process_imports_no_torch():
    code = "import sys; import vidi.core.preprocess; sys.exit('torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


def test_names_that_are_not_utf8(photos, tmp_path):
    path = tmp_path / os.fsdecode(b"\xff\xfe.png")
    path.write_bytes((photos.root / "00.png").read_bytes())
    data = Dataset([Sample(path.name, {"image": path})])
    for cache in ("memory", "disk"):
        with PixelStore(data, CANVAS, workers=1, cache=cache) as store:
            assert (store.fetch([0])[0] == expected(photos, [0])[0]).all()


# threads and numbers


def test_leaving_early_ends_the_prefetch_thread(photos):
    with PixelStore(photos, CANVAS) as store:
        loader = Loader(store, photos, batch=2)
        batches = loader.batches(range(30), prefetch=2)
        next(batches)
        assert [thread.name for thread in our_threads() if "prefetch" in thread.name]
        batches.close()
        assert not [thread for thread in our_threads() if "prefetch" in thread.name]
        loader.batches(range(30))  # never started
        for _ in zip(range(2), loader.batches(range(30))):
            pass
        gc.collect()
        assert not [thread for thread in our_threads() if "prefetch" in thread.name]


def test_waiting_is_counted_and_advice_given(photos):
    with PixelStore(photos, CANVAS, cache="none") as store:
        loader = Loader(store, photos, batch=5)
        assert loader.stats.advice(1.0) is None
        list(loader.batches(range(30)))
        stats = loader.stats
        assert stats.pictures == 30 and stats.wait_seconds > 0 and stats.fetch_seconds > 0
        assert stats.advice(1000.0) is None
        stats.wait_seconds = 3.0
        assert "30%" in stats.advice(7.0) and "cache=memory" in stats.advice(7.0)


@pytest.mark.parametrize("cpus, workers, hint", [(8, 0, "workers=8"), (8, 3, "workers=8"), (2, 0, "all 2 cores")])
def test_advice_for_decoding(photos, monkeypatch, cpus, workers, hint):
    monkeypatch.setattr("vidi.data.loader.cores", lambda: cpus)
    with PixelStore(photos, CANVAS, workers=workers) as store:
        loader = Loader(store, photos, batch=5)
        loader.stats.pictures, loader.stats.wait_seconds = 10, 1.0
        assert hint in loader.stats.advice(1.0)
        store.fill()
        assert "in memory" in loader.stats.advice(1.0)


def test_cores_counts_at_least_one():
    assert _workers.cores() >= 1


def test_kept_memory_is_not_cleared_again():
    code = (
        "import resource, numpy as np\nfrom vidi.core.memory import keep_freed_memory\nkept = keep_freed_memory()\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\nnp.ones(10_000_000)\nbefore = faults()\n"
        "for _ in range(20): np.ones(5_000_000)\nraise SystemExit(kept and faults() - before > 10_000)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
