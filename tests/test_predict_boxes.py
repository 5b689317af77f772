"""`vidi predict` and `vidi val` for things: settings, files, crops, thresholds, other packages' forms."""

import csv
import json
import sys
import types

import numpy as np
import pytest
from bright import SPACE, bright_model, found_in, scene
from PIL import Image

from vidi.core.dataset import Dataset, Sample
from vidi.core.preprocess import Preprocess
from vidi.core.space import Space
from vidi.data import read
from vidi.engine.decoding import decoding
from vidi.engine.evaluate import make_loader, score, tuned
from vidi.engine.outputs import class_folders
from vidi.errors import ChoiceError, InputError, RecipeError, ResourceError
from vidi.labels import Classification, Detections, Regression
from vidi.metrics._choose import choose_thresholds, has_thresholds
from vidi.model import Model, build_net, make_card
from vidi.verbs.predict import predict
from vidi.verbs.val import val

PICTURE = scene((64, 64), [(3, 5, 20, 17, 0, 250), (40, 30, 61, 50, 1, 200), (25, 0, 33, 6, 0, 150)])


@pytest.fixture
def classifier():
    net = build_net("small", "softmax", Space("Classification", ("a", "b")), {"widths": [4, 4]})
    return Model(net, make_card(net, task="classify", name="small", options={}, head="softmax", preprocess=Preprocess((32, 32))))


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_picture_without_things(tmp_path):
    Image.fromarray(scene((30, 40), [])).save(tmp_path / "dark.png")
    found = predict(bright_model(), tmp_path / "dark.png", out=str(tmp_path / "out"), crops=True, format="yolo")
    assert len(found.labels[0]) == 0 and rows_of(tmp_path / "out/predictions.csv") == [] and not (tmp_path / "out/crops").exists()
    assert json.loads((tmp_path / "out/predictions.json").read_text())["predictions"][0]["boxes"] == []
    assert (tmp_path / "out/pictures/00000_dark.png").is_file()


def test_one_row_per_thing_and_one_crop(tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    predict(bright_model(), tmp_path / "a.png", out=str(tmp_path / "out"), crops=True)
    rows = rows_of(tmp_path / "out/predictions.csv")
    assert list(rows[0]) == ["path", "class", "score", "x1", "y1", "x2", "y2"]
    assert [(row["class"], float(row["x1"]), float(row["y2"])) for row in rows] == [("red", 3, 17), ("green", 40, 50), ("red", 25, 6)]
    assert sorted(path.parent.name for path in (tmp_path / "out/crops").rglob("*.png")) == ["green", "red", "red"]
    (green,) = (tmp_path / "out/crops/green").iterdir()
    assert np.array_equal(np.asarray(Image.open(green)), PICTURE[30:50, 40:61])


def test_every_class_has_a_folder_of_its_own():
    names = ["v1.0", "v1.1", "猫", "犬", "red square", "a/b", "A_b"]
    folders = class_folders(names)
    assert len({folder.casefold() for folder in folders.values()}) == len(names) and class_folders([]) == {}
    assert folders["v1.0"] == "v1_0" and folders["red square"] == "red_square" and folders["犬"] == "3__"


@pytest.mark.parametrize("format", ["coco", "yolo"])
def test_copies_are_read_back(tmp_path, format):
    (tmp_path / "in").mkdir()
    Image.fromarray(PICTURE).save(tmp_path / "in/a.png")
    found = predict(bright_model(), tmp_path / "in", out=str(tmp_path / "out"), draw=False, format=format)
    again = read(tmp_path / "out" / format)
    assert again.space.names == SPACE.names and np.abs(np.array(found_in(again.labels[0])) - np.array(found_in(found.labels[0]))).max() < 0.01
    with pytest.raises(InputError, match="holds files"):
        predict(bright_model(), tmp_path / "in", out=str(tmp_path / "out"), format=format)


def test_settings_reach_the_net_and_leave_it_as_it_was():
    model = bright_model()
    assert len(predict(model, PICTURE).labels[0]) == 3
    assert len(predict(model, PICTURE, conf=0.7).labels[0]) == 2 and len(predict(model, PICTURE, max_det=1).labels[0]) == 1
    assert (model.net.conf, model.net.max_det, model.net.nms) == (0.05, 100, "hard")
    with pytest.raises(ZeroDivisionError), decoding(model.net, nms="soft", iou=0.3):
        assert (model.net.nms, model.net.nms_iou) == ("soft", 0.3)
        raise ZeroDivisionError
    assert (model.net.nms, model.net.nms_iou) == ("hard", 0.6)


@pytest.mark.parametrize("settings", [{"conf": 1.5}, {"iou": -1.0}, {"max_det": 0}, {"nms": "fuzzy"}, {"tile": "x"}, {"tta": "twist"}, {"overlap": 2.0, "tile": 64}])
def test_wrong_values_are_refused(settings):
    with pytest.raises(RecipeError):
        predict(bright_model(), PICTURE, **settings)


def test_what_a_net_or_its_labels_lack_is_named(classifier, tmp_path):
    with pytest.raises(RecipeError, match="no such setting"):
        predict(classifier, PICTURE, conf=0.5)
    for settings in ({"tile": 32}, {"classes": ["a"]}, {"crops": True, "out": str(tmp_path)}, {"crops": True}, {"format": "coco"}):
        with pytest.raises(InputError):
            predict(classifier, PICTURE, **settings)
    with pytest.raises(ChoiceError, match="coc"):
        predict(bright_model(), PICTURE, format="coc", out=str(tmp_path))
    assert predict(classifier, PICTURE).labels[0].probabilities.shape == (2,)


def test_classes_by_name_and_index():
    model = bright_model()
    assert predict(model, PICTURE, classes=["green"]).labels[0].classes.tolist() == [1]
    assert predict(model, PICTURE, classes=["0", "red"]).labels[0].classes.tolist() == [0, 0]
    with pytest.raises(InputError, match="no such class") as caught:
        predict(model, PICTURE, classes=["grene"])
    assert "green" in caught.value.fix


def test_tiles_by_the_verb():
    picture = scene((200, 300), [(10, 10, 14, 14, 0), (150, 100, 153, 104, 1), (60, 60, 66, 66, 0)])
    assert len(predict(bright_model(), picture, tile=64).labels[0]) == 3 == len(predict(bright_model(), picture, tile="auto", overlap=0.4).labels[0])


def test_thresholds_of_the_card_apply_unless_conf_is_given():
    model = bright_model(thresholds=[0.7, 0.9])
    assert found_in(predict(model, PICTURE).labels[0]) == [(3, 5, 20, 17, 0)]
    assert len(predict(model, PICTURE, conf=0.05).labels[0]) == 3


def test_thresholds_are_chosen_for_things_and_for_independent_classes():
    truth = Detections(np.array([[3, 5, 20, 17], [40, 30, 61, 50]]), classes=np.array([0, 1]))
    data = Dataset([Sample("a", {"image": PICTURE}, truth)], SPACE)
    model = bright_model()
    task = types.SimpleNamespace(metrics=("box_ap",))
    import torch

    scored = score(model.net, data, make_loader(data, model.preprocess, 2), task, device=torch.device("cpu"))
    red, green = tuned(scored, "f1")["thresholds"]
    assert 150 / 255 < red <= 250 / 255 and 0 < green <= 200 / 255
    with pytest.raises(InputError, match="objective"):
        tuned(scored, "cost")
    with pytest.raises(InputError, match="objective"):
        choose_thresholds(data.labels, scored.inference.labels, SPACE, "recall=2")
    tags = Space("Classification", ("a", "b"), exclusive=False)
    labels = [Classification(np.array(p)) for p in ([1, 0], [0, 1])]
    assert choose_thresholds([*labels, None], [Classification(np.array(p)) for p in ([0.9, 0.1], [0.2, 0.3], [0.5, 0.5])], tags).shape == (2,)
    assert has_thresholds(tags) and has_thresholds(SPACE) and not has_thresholds(Space("Classification", ("a",))) and not has_thresholds(Space("Regression"))
    tiled = score(model.net, data, make_loader(data, model.preprocess, 2), task, device=torch.device("cpu"), tiling=None, views=())
    assert tiled.evaluation.numbers == scored.evaluation.numbers


def test_more_things_than_coco_counts():
    """A picture of 144 things: with 100 that count some are never found."""
    boxes = [(x, y, x + 5, y + 5, 0) for y in range(2, 120, 10) for x in range(2, 120, 10)]
    truth = Detections(np.array([box[:4] for box in boxes]), None, np.zeros(len(boxes), np.int64))
    data = Dataset([Sample("crowd", {"image": scene((124, 124), boxes)}, truth)], SPACE)
    usual, most = (val(bright_model((124, 124)), data, intervals=0, max_det=most) for most in (None, 200))
    assert 0.6 < usual.numbers["box_ap50"] < 0.75 and "box_ar100" in usual.numbers
    assert most.numbers["box_ap50"] == 1 and most.numbers["box_ar200"] == 1 and most.about["max_det"] == 200
    chosen = val(bright_model((124, 124)), data, intervals=0, max_det=200, thresholds="f1")
    assert chosen.numbers["box_ap50"] == 1 and chosen.about["max_det"] == 200 and "thresholds" in chosen.about
    notes = [" ".join(str(section.get("note", "")) for section in report.sections) for report in (usual, most)]
    assert "shows 144 things of one class" in notes[0] and "--max_det 288" in notes[0] and "things of one class" not in notes[1]


def test_classes_have_no_most(classifier):
    data = Dataset([Sample("one", {"image": np.zeros((32, 32, 3), np.uint8)}, Classification.one_hot(0, 2))], classifier.net.space)
    with pytest.raises(RecipeError, match="at=max_det"):
        val(classifier, data, max_det=5)


def test_val_takes_views_and_tiles():
    picture = scene((160, 200), [(10, 10, 14, 14, 0), (90, 70, 93, 74, 1), (130, 120, 150, 140, 0)])
    truth = Detections(np.array([[10, 10, 14, 14], [90, 70, 93, 74], [130, 120, 150, 140]]), classes=np.array([0, 1, 0]))
    data = Dataset([Sample(name, {"image": picture}, truth) for name in "ab"], SPACE)
    plain = val(bright_model(), data, intervals=0)
    tiled = val(bright_model(), data, intervals=0, tile="64", tta="flip")
    assert plain.numbers["box_ap"] < 0.7 and tiled.numbers["box_ap"] == pytest.approx(1.0)
    assert tiled.about["tile"] == [64, 64] and tiled.about["tta"] == "flip" and "tile" not in plain.about


def test_records_of_every_family():
    assert Detections.empty().records() == []
    things = Detections(np.array([[1, 2, 3.5, 4]]), np.array([0.25]), tracks=np.array([7]), texts=("hi",))
    assert things.records(["cat"]) == [{"class": "cat", "score": 0.25, "x1": 1.0, "y1": 2.0, "x2": 3.5, "y2": 4.0, "track": 7, "text": "hi"}]
    assert Regression(np.array([2.0])).records(["age"]) == [{"age": 2.0}]


def test_supervision_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(ResourceError, match="supervision") as caught:
        Detections.empty().to_supervision()
    assert "pip install supervision" in caught.value.fix


def test_supervision_gets_all_fields(monkeypatch):
    class Fake:
        def __init__(self, **fields):
            self.__dict__.update(fields)

    monkeypatch.setitem(sys.modules, "supervision", types.SimpleNamespace(Detections=Fake))
    empty = Detections.empty().to_supervision(["a"])
    assert empty.xyxy.shape == (0, 4) and empty.data["class_name"].shape == (0,) and empty.mask is None
    one = Detections(np.array([[1, 2, 3, 4]]), np.array([0.5]), np.array([1]), np.ones((1, 4, 4)), np.array([9])).to_supervision(["a", "b"])
    assert one.data["class_name"].tolist() == ["b"] and one.tracker_id.tolist() == [9] and one.mask.dtype == bool and one.confidence.tolist() == [0.5]
