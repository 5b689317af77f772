"""The grid that is drawn before training."""

import numpy as np
import pytest
from PIL import Image

from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.errors import DataError, RecipeError
from vidi.labels import Classification
from vidi.verbs.augment import augment


@pytest.fixture
def data():
    noise = np.random.default_rng(0).integers(0, 255, (10, 100, 100, 3), np.uint8)
    samples = [Sample(f"{i}", {"image": noise[i]}, Classification.one_hot(i % 2, 2)) for i in range(10)]
    samples.append(Sample("broken", {"image": b"no picture"}, Classification.one_hot(0, 2)))
    return Dataset(samples, Space("Classification", ("cat", "dog")))


def test_grid_has_a_row_per_picture(data, tmp_path):
    out = tmp_path / "grid.png"
    report = augment(data, augment=["hflip", "mixup(alpha=1)"], imgsz=96, count=20, versions=3, out=str(out), labels=False)
    assert report.numbers == {"pictures": 10, "versions": 3}
    assert report.about["augment"][0] == "hflip(p=0.5)" and report.about["imgsz"] == [96, 96]
    with Image.open(out) as sheet:
        assert sheet.size == (4 * 102 + 6, 10 * 102 + 6)
    again = augment(data, augment="hflip, mixup(alpha=1)", imgsz=96, count=20, versions=3, out=str(tmp_path / "b.png"), labels=False)
    assert (tmp_path / "b.png").read_bytes() == out.read_bytes() and again.numbers == report.numbers


def test_defaults_come_from_the_task_and_labels_are_drawn(data, tmp_path):
    report = augment(data, count=2, versions=2, canvas=1.1, out=str(tmp_path / "grid.png"))
    assert report.about["augment"] and report.sections[0]["items"][0]["image"].startswith("data:image")
    plain = augment(data, count=2, versions=2, canvas=1.1, out=str(tmp_path / "plain.png"), labels=False)
    assert plain.about["augment"] == report.about["augment"]
    assert (tmp_path / "plain.png").read_bytes() != (tmp_path / "grid.png").read_bytes()


def test_refusals(data, tmp_path):
    with pytest.raises(RecipeError, match="too small"):
        augment(data, count=0, out=str(tmp_path / "a.png"))
    with pytest.raises(DataError, match="no picture"):
        augment(data.with_samples([data[10]]), augment=[], out=str(tmp_path / "a.png"))
    assert not list(tmp_path.iterdir())
