"""Every label family keeps the same promises; see also the tests of single families."""

import numpy as np
import pytest

from vidi.labels import FAMILIES, Classification, Detections, Embedding, Label, Regression, Segmentation, Text
from vidi.testing.label import check_label, label_examples


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_family_keeps_its_promises(family):
    check_label(family)
    assert label_examples(family)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_agreement_is_symmetric_and_bounded(family):
    examples = label_examples(family)
    for a in examples:
        for b in examples:
            if _comparable(a, b):
                there, back = a.agreement(b), b.agreement(a)
                assert there == pytest.approx(back, abs=1e-6) and -1e-6 <= there <= 1 + 1e-6


def _comparable(a: Label, b: Label) -> bool:
    for name in ("probabilities", "values", "vector"):
        if isinstance(a, (Classification, Regression, Embedding)) and hasattr(a, name):
            return getattr(a, name).shape == getattr(b, name).shape
    return a.family != "Segmentation" or a.classes.shape == b.classes.shape


def test_check_label_catches_a_broken_family():
    class Doubtful(Text):
        def agreement(self, other):
            return 0.5

    class Forgetful(Text):
        def to_dict(self):
            return {
                "family": "Forgetful",
                "text": self.text,
                "confidence": 1.0 if self.confidence == 1 else self.confidence / 2,
            }

    with pytest.raises(AssertionError, match="example 0: a label agrees with itself"):
        check_label(Doubtful, [Doubtful("")])
    with pytest.raises(AssertionError, match="example 1: from_dict is the exact inverse"):
        check_label(Forgetful, [Forgetful(""), Forgetful("a", 0.5)])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Classification(np.zeros((1, 2))),
        lambda: Regression(np.zeros((1, 2))),
        lambda: Regression([1.0], [1.0, 2.0]),
        lambda: Embedding(np.zeros((2, 2))),
        lambda: Text(3),
    ],
)
def test_wrong_shapes_are_refused_at_birth(make):
    with pytest.raises(ValueError, match="expected"):
        make()


def test_classification():
    a, b = Classification([1, 0, 0]), Classification([0, 1, 0])
    assert a.agreement(b) == 0 and Classification.merge([a, b], [3, 1]).probabilities.tolist() == [0.75, 0.25, 0]
    assert Classification.one_hot(2, 4).top == 2 and Classification([np.nan, np.nan]).top == -1 and Classification([]).top == -1
    both, none = Classification([1, 1, 0]), Classification([0, 0, 0])
    assert both.agreement(none) == pytest.approx(1 / 3)
    assert Classification([np.nan, 0.5]).to_dict()["probabilities"] == [None, 0.5]


def test_regression_merge_adds_disagreement_to_the_std():
    merged = Regression.merge([Regression([0.0], [1.0]), Regression([2.0], [1.0])])
    assert merged.values.tolist() == [1.0] and merged.std[0] == pytest.approx(np.sqrt(2))
    assert Regression.merge([Regression([0.0], [1.0]), Regression([2.0])]).std is None
    assert Regression([10.0]).agreement(Regression([10.0])) == 1 and Regression([10.0]).agreement(Regression([-10.0])) < 0.2


def test_text():
    assert Text("e\u0301").text == "é"
    assert Text("kitten").agreement(Text("sitting")) == pytest.approx(1 - 3 / 7)
    assert Text("").agreement(Text("")) == 1 and Text("").agreement(Text("a")) == 0
    votes = [Text("cat", 0.9), Text("cut", 0.6), Text("cut", 0.6)]
    assert Text.merge(votes).text == "cut" and Text.merge(votes).confidence == pytest.approx(0.4)
    assert Text.merge(votes, [10, 1, 1]).text == "cat"
    assert Text.merge([Text("b", 0.0), Text("a", 0.0)]).text == "b"


def test_embedding():
    a, b = Embedding([1, 0]), Embedding([0, 2])
    assert a.agreement(b) == 0.5 and a.agreement(Embedding([-3, 0])) == 0 and a.agreement(Embedding([5, 0])) == 1
    assert Embedding.merge([a, b]).vector.tolist() == [0.5, 1.0]
    assert Embedding(np.zeros(2)).agreement(a) == 0.5


def test_names_are_drawn_in_most_alphabets():
    blank = np.zeros((100, 300, 3), np.uint8)
    drawn = [Text(text).draw(blank) for text in ("ö", "Ж", "λ", "ş")]
    for i, a in enumerate(drawn):
        assert all(not np.array_equal(a, b) for b in drawn[:i])


def test_words_and_renumbering():
    found = Detections(np.array([[0, 0, 1, 1]] * 3), classes=np.array([1, 0, 1]), texts=("a", "b", "c"))
    assert found.words(["cat", "dog"]) == "2 dog, 1 cat" and Detections.empty().words() == "none"
    assert found.record(["cat", "dog"]) == {"found": 3, "label": "2 dog, 1 cat"}
    moved = found.reindexed(np.array([4, 2]), 5)
    assert moved.classes.tolist() == [2, 4, 2] and moved.texts == found.texts
    assert Detections.empty().reindexed(np.array([4, 2]), 5).classes.shape == (0,)
    chances = np.zeros((2, 1, 4), np.float32)
    chances[0, 0, 0] = chances[1, 0, 1:3] = 1
    areas = Segmentation.from_probabilities(chances)
    assert areas.words(["sky"]) == "1 50%, sky 25%" and Segmentation(np.full((2, 2), 255)).words() == "none"
    moved = areas.reindexed(np.array([3, 0]), 4)
    assert moved.classes.tolist() == [[3, 0, 0, 255]] and moved.probabilities[:, 0, 0].tolist() == [0, 0, 0, 1]
    assert Text("a", 0.5).record() == {"text": "a", "confidence": 0.5} and Text("a", 0.5).words() == "a 0.50"
    assert Embedding(np.array([3.0, 4.0])).words() == "2 values, length 5"
