"""Each rule on the smallest data that breaks it, and on data that does not."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.data.doctor import examine
from vidi.labels import Classification, Regression

ONE_OF_TWO = Space("Classification", ("cat", "dog"))
SEVERAL = Space("Classification", ("red", "round"), exclusive=False)
NUMBER = Space("Regression", ("age",))


def picture(seed, size=(24, 24)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def cats_and_dogs(count, **changes):
    samples = [Sample(f"{i}.png", {"image": picture(i)}, Classification.one_hot(i % 2, 2)) for i in range(count)]
    return Dataset(samples, ONE_OF_TWO, **changes)


def multilabel(rows):
    return Dataset([Sample(str(i), {"image": picture(i)}, None if row is None else Classification(row)) for i, row in enumerate(rows)], SEVERAL)


def numbers(values):
    return Dataset([Sample(str(i), {"image": picture(i)}, Regression([value])) for i, value in enumerate(values)], NUMBER)


def found(dataset, rule):
    return [finding for finding in examine(dataset).findings if finding.rule == rule]


def test_missing_is_not_empty():
    data = multilabel([[1, 0]] * 10 + [[0, 1]] * 10 + [None, [np.nan, np.nan], [0, 0], [0, np.nan]])
    assert [finding.sample for finding in found(data, "missing_label")] == ["20", "21"]
    (empty,) = found(data, "empty_label")
    assert empty.value == 1 and empty.related == ("22",) and empty.severity == "note"


def test_data_without_any_label_misses_none():
    data = Dataset([Sample(str(i), {"image": picture(i)}) for i in range(5)])
    assert examine(data).findings == []


def test_missing_label_bears_the_line_of_the_listing(tmp_path):
    data = cats_and_dogs(24, root=tmp_path / "labels.csv")
    data.samples[3].label, data.samples[3].line = None, 5
    (finding,) = found(data, "missing_label")
    assert (finding.file, finding.line, finding.at) == (str(tmp_path / "labels.csv"), 5, "3.png")
    assert "at=line 5, 3.png" in str(finding.error())


@pytest.mark.parametrize(
    ("label", "rule"),
    [
        (Classification([1, 0, 0]), "expected 2 values"),
        (Regression([1.0]), "expected Classification"),
        (Classification([np.inf, 0]), "finite"),
        (Classification([1.5, -0.5]), "probability"),
        (Classification([0, 0]), "sum to one"),
        (Classification([1, 1]), "sum to one"),
    ],
)
def test_wrong_labels_are_errors(label, rule):
    data = cats_and_dogs(24)
    data.samples[2].label = label
    (finding,) = found(data, "wrong_label")
    assert rule in finding.message and finding.severity == "error" and finding.action == "drop" and finding.sample == "2.png"


def test_soft_labels_are_right():
    data = cats_and_dogs(24)
    data.samples[0].label = Classification([0.3, 0.7])
    assert found(data, "wrong_label") == []


def test_class_counts():
    data = cats_and_dogs(24)
    data.samples = data.samples[::2] + data.samples[1:2]
    (rare,) = found(data, "rare_class")
    assert rare.severity == "error" and rare.sample == "1.png" and "dog" in rare.message
    (imbalance,) = found(data, "imbalance")
    assert imbalance.value == 12.0
    for sample in data.samples:
        sample.split = "train"
    (rare,) = found(data, "rare_class")
    assert rare.severity == "warning"
    data.samples = data.samples[:-1]
    assert [finding.at for finding in found(data, "absent_class")] == ["class dog"]
    assert len(found(data, "constant_label")) == 1


def test_class_missing_from_a_split():
    data = cats_and_dogs(60)
    for i, sample in enumerate(data.samples):
        sample.split = "val" if i % 2 and i > 30 else "train"
    (finding,) = found(data, "absent_class")
    assert finding.value == "val" and "cat" in finding.message


def test_values():
    random = np.random.default_rng(0)
    usual = random.normal(40, 5, 60).tolist()
    assert examine(numbers(usual)).findings == []
    (far,) = found(numbers([*usual, 4000.0]), "regression_outliers")
    assert far.sample == "60" and far.value == 4000.0 and far.at == "age"
    (infinite,) = found(numbers([*usual, np.inf]), "wrong_label")
    assert infinite.severity == "error"
    assert [finding.sample for finding in found(numbers([*usual, np.nan]), "missing_label")] == ["60"]
    assert len(found(numbers([3.0] * 30), "constant_label")) == 1
    assert found(numbers([0.0] * 30 + [1.0] * 5), "regression_outliers") == []


def test_duplicate_ids_and_colliding_names():
    data = cats_and_dogs(24)
    data.samples[4].id, data.samples[4].line = data.samples[0].id, 9
    (same,) = found(data, "duplicate_ids")
    assert same.severity == "error" and same.index == 4 and same.line == 9 and same.action == "drop"
    data = cats_and_dogs(24)
    data.samples[4].id, data.samples[5].id, data.samples[6].id = "Photo.PNG", "photo.png", "cafe\u0301.png"
    data.samples[7].id = "caf\u00e9.png"
    assert [finding.index for finding in found(data, "case_collisions")] == [5, 7]


def test_groups_across_splits():
    data = cats_and_dogs(24)
    for i, sample in enumerate(data.samples):
        sample.group, sample.split = f"patient {i // 4}", "val" if i >= 18 else "train"
    (leak,) = found(data, "group_leak")
    assert leak.at == "group patient 4" and leak.value == "train 2, val 2"


def with_outlier(usual, odd, count=40):
    return Dataset([Sample(str(i), {"image": usual(i)}) for i in range(count)] + [Sample("odd", {"image": odd})])


def photo(seed, size=64):
    rough = Image.fromarray(picture(seed, (9, 9))).resize((size, size), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(rough) + np.random.default_rng(seed).normal(0, 10, (size, size, 3)), 0, 255).astype(np.uint8)


def dimmed(pixels, factor):
    return (pixels * factor).astype(np.uint8)


@pytest.mark.parametrize(
    ("rule", "odd"),
    [
        ("dark", dimmed(photo(99), 0.1)),
        ("bright", 255 - dimmed(photo(99), 0.1)),
        ("blank", np.full((64, 64, 3), 128, np.uint8)),
        ("blurred", np.asarray(Image.fromarray(photo(99)).filter(ImageFilter.GaussianBlur(8)))),
        ("odd_sizes", photo(99, 300)),
        ("mixed_modes", np.repeat(photo(99)[..., :1], 3, axis=2)),
    ],
)
def test_one_that_stands_out(rule, odd):
    data = with_outlier(photo, odd)
    assert [finding.sample for finding in found(data, rule)] == ["odd"]
    assert found(data.with_samples(data.samples[:-1]), rule) == []


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("dark", lambda pixels: dimmed(pixels, 0.1)),
        ("bright", lambda pixels: 255 - dimmed(pixels, 0.1)),
        ("blurred", lambda pixels: np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(8)))),
    ],
)
def test_a_data_set_that_is_all_like_that_does_not_flood(rule, change):
    data = Dataset([Sample(str(i), {"image": change(photo(i))}) for i in range(40)])
    assert len(found(data, rule)) <= 1


def test_many_gray_and_many_colored_give_one_note():
    data = Dataset([Sample(str(i), {"image": photo(i) if i % 2 else photo(i)[..., 0]}) for i in range(40)])
    (finding,) = found(data, "mixed_modes")
    assert finding.sample is None and "20 pictures are colored, 20 are gray" in finding.message


def test_transparency_among_opaque(tmp_path):
    samples = []
    for i in range(30):
        image = Image.fromarray(photo(i))
        if i == 7:
            image.putalpha(100)
        image.save(tmp_path / f"{i}.png")
        samples.append(Sample(f"{i}.png", {"image": tmp_path / f"{i}.png"}))
    (finding,) = [finding for finding in found(Dataset(samples), "mixed_modes") if "transparent" in finding.message]
    assert finding.sample == "7.png" and finding.value == "RGBA"


def test_same_pixels_with_another_number_is_a_conflict():
    data = numbers(np.random.default_rng(0).normal(40, 5, 30).tolist())
    data.samples[8].inputs["image"] = data.samples[3].inputs["image"].copy()
    assert [finding.sample for finding in found(data, "label_conflicts")] == ["3", "8"]
    data.samples[8].label = data.samples[3].label
    assert found(data, "label_conflicts") == [] and [finding.sample for finding in found(data, "exact_duplicates")] == ["8"]


def test_detections_are_counted_by_object():
    from vidi.labels import Detections

    space = Space("Detections", ("car", "bike"))
    boxes = np.array([[1, 1, 5, 5], [2, 2, 8, 8]], np.float32)
    samples = [Sample(str(i), {"image": picture(i)}, Detections(boxes, classes=np.array([0, i % 2]))) for i in range(20)]
    samples.append(Sample("empty", {"image": picture(50)}, Detections(np.zeros((0, 4), np.float32), classes=np.zeros(0, np.int64))))
    examination = examine(Dataset(samples, space))
    assert examination.facts["classes"]["all"] == {"car": 30, "bike": 10}
    assert [finding.related for finding in examination.findings if finding.rule == "empty_label"] == [("empty",)]
