"""Videos and cameras: frame by frame, through PyAV."""

import csv
import sys
import types

import numpy as np
import pytest
from bright import bright_model, scene

from vidi.data import video
from vidi.data.source import sources
from vidi.engine.predictor import Predictor
from vidi.errors import DataError, InputError, ResourceError
from vidi.verbs.predict import predict


def moving(count=12):
    """A square that goes 4 pixels to the right with every frame."""
    return [scene((64, 96), [(4 + 4 * k, 20, 20 + 4 * k, 36, 0)]) for k in range(count)]


@pytest.fixture
def clip(tmp_path):
    pytest.importorskip("av")
    path = tmp_path / "clip.mp4"
    with video.VideoWriter(path, 10.0) as writer:
        for pixels in moving():
            writer.add(pixels)
    return path


def test_not_a_video(tmp_path):
    pytest.importorskip("av")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.avi").write_text("not a video")
    for name in ("empty.mp4", "text.avi"):
        with pytest.raises(DataError, match="not a video") as caught:
            list(video.frames(tmp_path / name))
        assert name in str(caught.value)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "clip.mp4").write_bytes(b"x")
    with pytest.raises(ResourceError, match="av") as caught:
        sources(tmp_path / "clip.mp4")
    assert "pip install" in caught.value.fix


def test_what_counts_as_video_or_camera(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert video.camera("camera:0") == 0 == video.camera("0") == video.camera(0) and video.camera("camera:12") == 12
    assert video.camera("10") is None and video.camera("a.mp4") is None and video.camera(True) is None and video.camera(tmp_path) is None
    (tmp_path / "0").mkdir()
    assert video.camera("0") is None and video.is_video("camera:0")
    assert not video.is_video("missing.mp4") and not video.is_video(np.zeros((2, 2, 3)))
    with pytest.raises(DataError, match="never ends"):
        sources("camera:0")


def test_frames_are_what_was_written(clip):
    seen = list(video.frames(clip))
    assert [index for index, _, _ in seen] == list(range(12)) and [seconds for _, seconds, _ in seen] == pytest.approx(np.arange(12) / 10)
    assert all(pixels.shape == (64, 96, 3) and pixels.dtype == np.uint8 for _, _, pixels in seen)
    assert max(np.abs(pixels.astype(int) - true).mean() for (_, _, pixels), true in zip(seen, moving())) < 12
    assert [index for index, _, _ in video.frames(clip, 5)] == [0, 5, 10]
    assert video.describe(clip) == (10.0, 12)
    with pytest.raises(InputError):
        next(video.frames(clip, 0))


def test_a_cut_off_video_gives_what_is_left(clip, tmp_path):
    data = clip.read_bytes()
    (tmp_path / "short.avi").write_bytes(data[: len(data) // 3])
    try:
        assert len(list(video.frames(tmp_path / "short.avi"))) <= 12
    except DataError as error:
        assert "short.avi" in str(error)


def test_predicting_a_video(clip, tmp_path):
    found = predict(bright_model((64, 96)), str(clip), batch=5, vid_stride=2, out=str(tmp_path / "out"))
    assert [sample.extra["frame"] for sample in found] == [0, 2, 4, 6, 8, 10] and all(not sample.inputs for sample in found)
    assert found[1].id == "clip.mp4#000002" and found[1].extra["seconds"] == pytest.approx(0.2) and found.format == "video"
    for sample in found:
        best = sample.label[int(np.argmax(sample.label.scores * (sample.label.classes == 0)))]
        assert np.abs(best.boxes[0] - [4 + 4 * sample.extra["frame"], 20, 20 + 4 * sample.extra["frame"], 36]).max() <= 3
    with open(tmp_path / "out/predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:4] == ["path", "frame", "seconds", "class"] and len(rows) >= 6
    drawn = list(video.frames(tmp_path / "out/clip.mp4"))
    assert len(drawn) == 6 and video.describe(tmp_path / "out/clip.mp4")[0] == pytest.approx(5.0)


def test_frames_as_samples(clip):
    data = sources(clip)
    assert len(data) == 12 and data[3].id == "clip.mp4#000003" and data[3].group == "clip.mp4" and data[3].inputs["image"].shape == (64, 96, 3)


def test_memory_does_not_grow_with_the_video(monkeypatch):
    alive, most = [], 0

    def endless(source, stride=1):
        for k in range(200):
            pixels = scene((64, 64), [(5, 5, 20, 20, 0)])
            import weakref

            alive.append(weakref.ref(pixels))
            nonlocal most
            most = max(most, sum(ref() is not None for ref in alive))
            yield k * stride, k / 25, pixels

    monkeypatch.setattr(video, "frames", endless)
    monkeypatch.setattr(video, "describe", lambda source: (25.0, 200))
    found = Predictor(bright_model(), batch=8).watch("long.mp4")
    assert len(found) == 200 and most <= 40


def test_a_user_who_stops_a_camera_keeps_what_was_seen(monkeypatch):
    def watched(source, stride=1):
        yield 0, 0.0, scene((64, 64), [(5, 5, 20, 20, 0)])
        yield 1, 0.1, scene((64, 64), [])
        raise KeyboardInterrupt

    monkeypatch.setattr(video, "frames", watched)
    found = Predictor(bright_model()).watch("camera:3")
    assert [len(label) for label in found.labels] == [1, 0] and "2 frames" in found.notes[0] and found[0].id == "camera3#000000"


def test_a_camera_that_is_not_there(monkeypatch):
    pytest.importorskip("av")
    monkeypatch.setattr(video, "_DRIVERS", {"linux": ("v4l2", "/dev/vidi-no-camera{}")})
    monkeypatch.setattr(video, "sys", types.SimpleNamespace(platform="linux"))
    with pytest.raises(DataError, match="camera cannot be opened"):
        next(video.frames("camera:7"))
