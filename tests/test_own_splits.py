"""A model is measured on what it has not learned, also where only its training split the data."""

import pytest
from PIL import Image

import vidi
from vidi.engine.evaluate import in_splits
from vidi.errors import DataError
from vidi.tasks import classify


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    data = classify.toy(60, seed=0)
    for i, sample in enumerate(data):
        place = folder / "data" / data.space.names[int(sample.label.decision().argmax())]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sample.inputs["image"]).save(place / f"{i}.png")
    model = vidi.train(str(folder / "data"), net="small", widths=[8, 8], epochs=2, batch=16, val=0.2, test=0.3, verbose=False, doctor=False, project=str(folder / "runs"))
    return model, folder / "data"


def test_val_scores_the_part_that_training_held_out(trained):
    model, data = trained
    report = vidi.val(model, str(data), intervals=0)
    assert report.about["split"] == "test" and report.about["samples"] == 18
    assert report.numbers["accuracy"] == pytest.approx(model.card.numbers["test"]["accuracy"])
    assert vidi.val(model, str(data), split="val", intervals=0).about["samples"] == 12


def test_other_data_is_taken_as_it_is(trained, tmp_path):
    model, data = trained
    other = vidi.read(str(data))
    assert in_splits(other.with_samples(other.samples[:-1]), model).splits == {"": 59}
    assert vidi.val(model, other.with_samples(other.samples[:-1]), intervals=0).about["split"] == "all"
    with pytest.raises(DataError, match="no samples of this split"):
        vidi.val(model, other.with_samples(other.samples[:-1]), split="test")
    assert in_splits(other.with_samples([]), model).splits == {}


def test_splits_of_the_data_come_before_those_of_training(trained):
    model, data = trained
    told = vidi.read(str(data))
    told = told.with_samples(type(one)(one.id, one.inputs, one.label, "val") for one in told)
    assert in_splits(told, model).splits == {"val": 60}
