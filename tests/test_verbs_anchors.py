"""Anchors fitted to made-up scenes."""

import numpy as np
import pytest
from PIL import Image

from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.errors import DataError, RecipeError
from vidi.labels import Classification, Detections
from vidi.report import Report
from vidi.verbs.anchors import anchors

SHAPES = ((12, 30), (50, 22), (70, 70))


@pytest.fixture
def data():
    generator = np.random.default_rng(0)
    samples = []
    for i in range(20):
        picture = generator.integers(0, 80, (100, 200, 3), np.uint8)
        sides = np.array([SHAPES[k] for k in generator.integers(0, 3, i % 4)], np.float32).reshape(-1, 2)
        corners = generator.uniform(0, 1, sides.shape) * ([200, 100] - sides)
        label = Detections(np.hstack([corners, corners + sides]), None, np.arange(len(sides)) % 2)
        samples.append(Sample(f"{i}", {"image": picture}, label, "train" if i < 16 else "val"))
    return Dataset(samples, Space("Detections", ("cell", "dust")))


def test_fitted_anchors_beat_the_defaults(data, tmp_path):
    report = anchors(data, imgsz=160, count=3, generations=50, show="matching", pictures=4, out=str(tmp_path))
    fitted = np.array(report.about["anchors"])
    np.testing.assert_allclose(fitted, np.array(SHAPES) * 0.8, rtol=0.05)
    assert report.numbers["fitted.mean_iou"] > 0.95 > report.numbers["yolov3.mean_iou"]
    assert report.numbers["fitted.recall"] == 1 and 0 < report.numbers["fitted.placed_recall"] <= 1
    assert report.about["recipe"].startswith("anchors=[[") and report.numbers["boxes"] == sum(len(s.label) for s in data.samples[:16])
    assert len(report.sections[-1]["items"]) == 4
    for name in ("anchors.png", "matching.png"):
        with Image.open(tmp_path / name) as picture:
            assert min(picture.size) >= 160
    assert Report.load(tmp_path / "report.json").numbers == report.numbers
    assert "could not be drawn" not in (tmp_path / "report.html").read_text()
    again = anchors(data, imgsz=160, count=3, generations=50, out=str(tmp_path / "again"))
    assert again.about["anchors"] == report.about["anchors"]


def test_the_nets_own_anchors_are_compared(data, tmp_path):
    outside = tmp_path / "mine.py"
    outside.write_text(
        "import torch\nfrom vidi.core.net import Net\n\n\nclass Mine(Net):\n"
        "    def forward(self, inputs):\n        box = torch.tensor([[0.0, 0.0, 40.0, 18.0], [8.0, 0.0, 48.0, 18.0]])\n"
        "        return {'features': inputs['image'].mean((2, 3)), 'anchors': box.expand(len(inputs['image']), -1, -1)}\n"
        "    def loss(self, raw, labels): ...\n    def decode(self, raw): ...\n    def stages(self): return {}\n\n\n"
        "def net(space, head, *, depth=1):\n    return Mine()\n"
    )
    report = anchors(data, imgsz=160, count=3, generations=0, net=str(outside), show="matching", pictures=2, out=str(tmp_path), depth=2)
    assert {row[0]: row[1] for row in report.sections[0]["rows"]} == {"fitted": 3, "yolov3": 9, str(outside): 1}


def test_settings_of_the_net_come_as_words_too(data, tmp_path):
    words = {"backbone": "small(widths=[8,16,32])", "width": "16"}
    report = anchors(data, imgsz=64, count=3, generations=0, net="retinanet", out=str(tmp_path), **words)
    assert report.numbers["retinanet.recall"] >= 0
    with pytest.raises(RecipeError, match="did you mean backbone"):
        anchors(data, imgsz=64, count=3, generations=0, net="retinanet", out=str(tmp_path), backbon="small")


def test_refusals(data, tmp_path):
    out = str(tmp_path / "none")
    for wrong in ({"imgsz": 2}, {"count": 0}, {"show": "boxes"}, {"iou": 2}):
        with pytest.raises(RecipeError):
            anchors(data, out=out, **wrong)
    with pytest.raises(DataError, match="no box"):
        anchors(data.filter(lambda sample: len(sample.label) == 0), out=out)
    classes = Dataset([Sample("a", {"image": np.zeros((8, 8, 3), np.uint8)}, Classification.one_hot(0, 2))], Space("Classification", ("a", "b")))
    with pytest.raises(DataError, match="boxes"):
        anchors(classes, out=out)
    assert not (tmp_path / "none").exists()
