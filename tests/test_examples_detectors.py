"""A backbone, a neck and a head from a user's own file: together, alone, with settings, and with a mistake in them."""

import shutil
from pathlib import Path

import pytest

import vidi
from vidi.core.discovery import load
from vidi.errors import RecipeError
from vidi.nets.blocks.one_stage import OneStage
from vidi.tasks.detect import toy
from vidi.testing.detector import check_detector
from vidi.testing.net import SPACES

MINE = Path(__file__).parent.parent / "examples" / "detectors" / "mine.py"
BOXES = SPACES["boxes"]


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The example as the user's own ./mine.py."""
    shutil.copy(MINE, tmp_path / "mine.py")
    monkeypatch.chdir(tmp_path)
    return "./mine.py"


def test_all_three_parts_conform(mine):
    check_detector("yolo", head=mine, backbone=f"{mine}(width=8)", neck=f"{mine}(width=16)", attention="se", export=False)


@pytest.mark.parametrize("part", ["backbone", "neck", "head"])
@pytest.mark.parametrize("name", ["yolo", "fcos"])
def test_each_part_alone(mine, part, name):
    options = {"width": 8, "backbone": "resnet(width=8)"} | {part: mine}
    net = load("nets", name).net(BOXES, options.pop("head", "boxes"), **options)
    assert isinstance(net, OneStage)
    chosen = {"backbone": net.backbone, "neck": net.neck, "head": net.head}[part]
    assert type(chosen).__name__ == {"backbone": "Ladder", "neck": "TopDown", "head": "Simple"}[part]


def test_trains_by_path(mine):
    settings = {"head": mine, "backbone": f"{mine}(width=8)", "neck": f"{mine}(width=16)", "imgsz": 64, "augment": "none"}
    quick = {"epochs": 1, "batch": 8, "val": 0, "threads": 1, "verbose": False, "doctor": False}
    data = toy(16, 0)
    for sample in data.samples:
        sample.split = "train"
    model = vidi.train(data, net="yolo", name="mine", **settings, **quick)
    assert model.card.head == mine and type(model.net.neck).__name__ == "TopDown"
    assert len(model([sample.inputs["image"] for sample in data.samples[:3]])) == 3


@pytest.mark.parametrize(
    "options, hint",
    [
        ({"backbone": "./mine.py(widht=8)"}, "did you mean width"),
        ({"neck": "./mine.py(levels=[8])"}, "no such setting"),
        ({"head_options": {"dept": 2}}, "did you mean depth"),
        ({"backbone": "./mine.py(8)"}, "key=value"),
    ],
)
def test_mistakes_are_named(mine, options, hint):
    head = mine if "head_options" in options else "boxes"
    with pytest.raises(RecipeError, match=".") as caught:
        load("nets", "yolo").net(BOXES, head, **options)
    assert hint in str(caught.value)


@pytest.mark.parametrize("options", [{"anchors": [4, 4, 8, 8, 16, 16]}, {"end2end": True}])
def test_settings_that_the_head_lacks_are_refused(mine, options):
    with pytest.raises(RecipeError, match="no such setting"):
        load("nets", "yolo").net(BOXES, mine, width=8, **options)
