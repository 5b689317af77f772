"""The doctor on boxes: every planted fault is found in one run, where it stands; repairs count what they do and touch nothing."""

import json
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from vidi.core.console import quiet
from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.data import _box_pages
from vidi.data._pages import numbers, sections
from vidi.data._repair import mend
from vidi.data.doctor import examine, repair
from vidi.errors import ChoiceError, DataError, InputError
from vidi.labels import Detections, Outline, Polygons
from vidi.ops.boxes import iou_matrix
from vidi.ops.near_boxes import near_boxes
from vidi.report import Report
from vidi.verbs.doctor import doctor

SPACE = Space("Detections", ("car", "bike"))
HEIGHT, WIDTH = 60, 80


def picture(seed, size=(HEIGHT, WIDTH)):
    rough = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(rough).resize(size[::-1], Image.Resampling.BICUBIC))


def sample(name, boxes, classes=None, *, seed=None, **more):
    label = Detections(np.array(boxes, np.float32).reshape(-1, 4), None, None if classes is None else np.array(classes))
    return Sample(str(name), {"image": picture(10_000 + zlib.crc32(str(name).encode()) if seed is None else seed)}, label, **more)


def sound(count, start=0):
    """Pictures with a car and a bike each, all alike in size."""
    random = np.random.default_rng(start)
    corners = random.integers(2, 20, (count, 2, 2))
    boxes = np.concatenate([corners + [[0, 0], [35, 0]], corners + [[20, 15], [55, 15]]], 2) + random.uniform(0, 2, (count, 2, 4))
    return [sample(f"sound{start + i}", boxes[i], [0, 1], seed=start + i) for i in range(count)]


def street(*samples, count=20):
    return Dataset([*sound(count), *samples], SPACE)


def found(examination, rule):
    return [finding for finding in examination.findings if finding.rule == rule]


def only(dataset, rule):
    return found(examine(dataset), rule)


def test_no_boxes_at_all():
    nothing = Dataset([Sample(str(i), {"image": picture(i)}, Detections.empty()) for i in range(4)], SPACE)
    examination = examine(nothing)
    assert {finding.rule for finding in examination.findings} == {"absent_class", "empty_label"}
    assert examination.errors == [] and examination.facts["boxes"]["count"] == 0 and examination.facts["boxes"]["empty_pictures"] == 4
    assert repair(nothing, examination.findings) == (nothing, {})
    assert {section["kind"] for section in sections(examination)} <= {"table", "bars", "text"}
    for boxes in ("clip", "drop"):
        assert mend(Dataset([]), [], boxes).words() == "left out: nothing"


def test_sound_boxes_have_no_findings():
    assert examine(street()).findings == []


def faulty(**more):
    """One picture with every kind of error, and sound boxes between."""
    boxes = [
        [5, 5, 25, 20], [np.nan, 5, 20, 20], [10, 10, np.inf, 20], [30, 30, 30, 50], [30, 30, 20, 50], [60, 10, 90, 30], [-9, -4, 20, 20],
        [100, 10, 120, 30], [-30, 5, -2, 20], [40, 40, 60, 58],
    ]  # fmt: skip
    return sample("bad", boxes, [0, 0, 0, 1, 1, 0, 1, 0, 1, 5], seed=77, **more)


def test_all_errors_in_one_run_with_their_places():
    places = [f"/annotations/{7 * i}" for i in range(10)]
    data = street(faulty(extra={"places": places, "file": "labels/train.json"}))
    examination = examine(data)
    named = {(finding.rule, finding.box) for finding in examination.errors}
    assert named == {
        ("box_not_finite", 1), ("box_not_finite", 2), ("box_no_area", 3), ("box_no_area", 4), ("box_outside", 5), ("box_outside", 6),
        ("box_outside", 7), ("box_outside", 8), ("box_class", 9),
    }  # fmt: skip
    for finding in examination.errors:
        assert (finding.sample, finding.index, finding.at, finding.file) == ("bad", 20, places[finding.box], "labels/train.json")
    outside = {finding.box: finding for finding in found(examination, "box_outside")}
    assert "by 10 pixels" in outside[5].message and outside[5].instead == (60, 10, 80, 30) and outside[5].action == "clip"
    assert "by 9 pixels" in outside[6].message and "wholly" in outside[7].message and outside[8].action == "drop_box"
    assert "at=/annotations/35" in str(outside[5].error()) and outside[5].value == "60 10 90 30"
    kept = json.loads(json.dumps([finding.to_dict() for finding in examination.findings], allow_nan=False))
    assert [type(finding).from_dict(values) for finding, values in zip(examination.findings, kept)] == examination.findings
    with pytest.raises(DataError, match="9 errors in all"):
        examination.refuse()


def test_a_box_without_a_known_place_has_its_number():
    (finding,) = only(street(sample("x", [[5, 5, 20, 20], [5, 5, 5, 20]], [0, 1])), "box_no_area")
    assert finding.at == "box 1"


def test_rounding_is_no_fault():
    assert only(street(sample("edge", [[-0.9, -1, 81, 60.5], [60, 2, 80.99, 30]], [0, 1])), "box_outside") == []
    wide = Dataset([Sample("wide", {"image": picture(1, (40, 1000))}, Detections([[0, 0, 1004, 20], [0, 0, 1006, 20], [0, 0, 20, 41.5]]))], SPACE)
    assert [finding.box for finding in only(wide, "box_outside")] == [1, 2]
    assert [finding.box for finding in only(street(sample("thin", [[80, 5, 80.5, 20]], [0])), "box_outside")] == [0]


def test_clip_and_drop_count_what_they_do():
    bad = faulty(extra={"places": [f"line {i}" for i in range(10)], "things": [{"id": i} for i in range(10)], "file": "bad.txt"})
    data = street(bad)
    before = bad.label.boxes.copy(), json.dumps(bad.extra)
    examination = examine(data)
    clipped = mend(data, examination.findings)
    assert dict(clipped.clipped) == {"box_outside": 2}
    assert dict(clipped.dropped) == {"box_not_finite": 2, "box_no_area": 2, "box_outside": 2, "box_class": 1}
    mended = clipped.dataset[20]
    assert mended.label.boxes.tolist() == [[5, 5, 25, 20], [60, 10, 80, 30], [0, 0, 20, 20]]
    assert mended.extra == {"places": ["line 0", "line 5", "line 6"], "things": [{"id": 0}, {"id": 5}, {"id": 6}], "file": "bad.txt"}
    assert clipped.words().startswith("boxes clipped: box_outside 2; boxes left out: ")
    dropped = mend(data, examination.findings, "drop")
    assert dropped.clipped.total() == 0 and dropped.dropped["box_outside"] == 4 and len(dropped.dataset[20].label) == 1
    assert np.array_equal(bad.label.boxes, before[0], equal_nan=True) and json.dumps(bad.extra) == before[1] and data[20] is bad
    for done in (clipped, dropped):
        assert len(done.dataset) == 21 and examine(done.dataset).errors == [] and done.samples == {}
    assert repair(data, examination.errors)[1] == clipped.counts
    with pytest.raises(ChoiceError):
        repair(data, examination.findings, "squash")


def test_a_picture_that_loses_its_last_box_is_named():
    data = street(sample("gone", [[3, 3, 3, 9]], [0]))
    done = mend(data, examine(data).findings)
    assert done.emptied == ["gone"] and len(done.dataset[20].label) == 0 and "1 pictures have no box left" in done.words()


def test_clipping_cuts_the_outline_too():
    ring = np.array([[50, 10], [100, 10], [100, 40], [50, 40]], np.float64)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[5:20, 5:20] = True
    label = Detections([[50, 10, 100, 40], [5, 5, 20, 20]], None, [0, 1], outlines=(Polygons((ring,)), Outline.of(mask)))
    data = street(Sample("poly", {"image": picture(505)}, label))
    rest, done = repair(data, examine(data).findings)
    assert done == {"box_outside": 1}
    assert rest[20].label.outlines[0].box().tolist() == rest[20].label.boxes[0].tolist() == [50, 10, 80, 40]
    assert rest[20].label.outlines[1] == label.outlines[1]


def test_duplicates_and_conflicts():
    boxes = [[5, 5, 25, 20], [5, 5, 25, 20], [5.2, 5, 25, 20], [40, 5, 60, 30], [40, 5, 60, 31], [5, 30, 25, 50], [8, 30, 28, 50]]
    data = street(sample("twice", boxes, [0, 0, 0, 0, 1, 1, 1], extra={"places": [f"line {i + 1}" for i in range(7)]}))
    examination = examine(data)
    doubles = found(examination, "box_duplicate")
    assert [(finding.box, finding.at) for finding in doubles] == [(1, "line 2"), (2, "line 3")]
    assert "line 1" in doubles[0].message and doubles[0].severity == "warning"
    (conflict,) = found(examination, "box_conflict")
    assert conflict.box == 4 and conflict.value == "car and bike" and conflict.action is None and "line 4" in conflict.message
    rest, done = repair(data, examination.findings)
    assert done == {"box_duplicate": 2} and len(rest[20].label) == 5


def test_of_two_copies_the_one_that_leaves_the_picture_goes():
    data = street(sample("edge", [[50, 5, 81.6, 50], [50, 5, 80, 50]], [0, 0]))
    rest, done = repair(data, examine(data).findings, "drop")
    assert done == {"box_outside": 1} and rest[20].label.boxes.tolist() == [[50, 5, 80, 50]]


def test_crowds_may_cover_things():
    label = Detections([[5, 5, 60, 50], [5, 5, 60, 50]], None, [0, 0], crowd=[False, True])
    assert only(street(Sample("crowd", {"image": picture(303)}, label)), "box_duplicate") == []


@pytest.mark.parametrize("seed", range(5))
def test_near_boxes_equal_brute_force(seed):
    random = np.random.default_rng(seed)
    low = random.integers(0, 6, (300, 2)) * [1, 2]
    boxes = np.concatenate([low, low + random.integers(-1, 9, (300, 2))], 1).astype(float)
    groups = random.integers(0, 4, 300)
    expected = iou_matrix(boxes, boxes) * (groups[:, None] == groups)
    rows, columns = np.nonzero(np.triu(expected, 1).T >= 0.7)
    first, second, overlap = near_boxes(boxes, groups, 0.7)
    assert list(zip(second.tolist(), first.tolist())) == list(zip(rows.tolist(), columns.tolist()))
    assert np.allclose(overlap, expected[first, second])


def test_near_boxes_of_none():
    assert [len(part) for part in near_boxes(np.zeros((0, 4)), np.zeros(0, int), 0.9)] == [0, 0, 0]


def test_a_size_or_shape_unlike_the_class():
    data = street(sample("small", [[40, 40, 42, 42]], [0]), sample("flat", [[10, 20, 70, 24]], [1]), sample("cut", [[0, 20, 2, 50]], [1]), count=40)
    implausible = only(data, "box_implausible")
    assert [finding.sample for finding in implausible] == ["small", "flat"]
    assert "size" in implausible[0].message and "car" in implausible[0].message and "aspect ratio" in implausible[1].message
    assert only(street(sample("small", [[40, 40, 42, 42]], [0]), count=10), "box_implausible") == []


def test_tiny_things_are_counted():
    data = street(sample("dots", [[5, 5, 8, 30], [5, 40, 12, 47.5], [30, 40, 39, 47.5]], [0, 1, 1]))
    narrow, small = only(data, "box_tiny")
    assert narrow.severity == "note" and narrow.value == 1 and narrow.related == ("dots",)
    assert small.value == 1 and "both sides" in small.message
    large = Dataset([Sample("large", {"image": picture(1, (960, 1280))}, Detections([[5, 5, 20, 20], [50, 50, 90, 90]]))], SPACE)
    (note,) = only(large, "box_tiny")
    assert note.value == 1 and "640" in note.message


def test_boxes_that_are_the_picture():
    whole = [sample(f"whole{i}", [[0, 0, WIDTH, HEIGHT]], [i % 2]) for i in range(4)]
    (note,) = only(street(*whole), "box_covers_all")
    assert note.value == 4 and note.severity == "note"
    assert only(street(*whole[:2]), "box_covers_all") == []


def test_missing_label_is_not_an_empty_one():
    data = street(Sample("none", {"image": picture(1001)}), sample("empty", []))
    examination = examine(data)
    assert [(finding.sample, finding.action) for finding in found(examination, "missing_label")] == [("none", "drop")]
    (empty,) = found(examination, "empty_label")
    assert empty.related == ("empty",) and empty.severity == "note"


def test_classes_are_counted_by_box():
    data = Dataset(sound(20), Space("Detections", ("car", "bike", "bus", "tram")))
    data.samples.append(sample("bus", [[10, 10, 30, 30]], [2]))
    data.samples += [sample(f"cars{i}", [[2 + 9 * k, 3, 10 + 9 * k, 40] for k in range(8)], [0] * 8) for i in range(30)]
    examination = examine(data)
    (absent,) = found(examination, "absent_class")
    assert absent.at == "class tram" and "no box" in absent.message
    (rare,) = found(examination, "rare_class")
    assert rare.severity == "warning" and "only 1 pictures (1 boxes)" in rare.message and rare.action is None
    (uneven,) = found(examination, "imbalance")
    assert "260 boxes" in uneven.message and uneven.value == 260.0 and "accuracy" not in uneven.fix
    assert examination.facts["boxes"]["pictures"]["all"] == {"car": 50, "bike": 20, "bus": 1, "tram": 0}


def copies(flip, boxes):
    pixels = picture(4242)
    pixels = np.ascontiguousarray(pixels[:, ::-1]) if flip else pixels
    near = np.asarray(Image.fromarray(pixels).resize((160, 120), Image.Resampling.BICUBIC))
    first = Sample("first", {"image": picture(4242)}, Detections([[5, 5, 25, 30], [50, 10, 70, 40]], None, [0, 1]))
    return street(first, Sample("copy", {"image": near}, Detections(np.array(boxes, np.float32), None, np.arange(len(boxes)) % 2)), count=40)


@pytest.mark.parametrize("flip", [False, True])
def test_boxes_of_near_duplicates_are_compared(flip):
    agreeing = [[110, 10, 150, 60], [20, 20, 60, 80]] if flip else [[10, 10, 50, 60], [100, 20, 140, 80]]
    assert len(only(copies(flip, agreeing), "near_duplicates")) == 1 and only(copies(flip, agreeing), "box_disagreement") == []
    (finding,) = only(copies(flip, agreeing[:1]), "box_disagreement")
    assert finding.sample == "copy" and finding.related == ("first",) and finding.value == pytest.approx(2 / 3, abs=1e-4)
    mirrored = [[160 - x2, y1, 160 - x1, y2] for x1, y1, x2, y2 in agreeing]
    assert only(copies(flip, mirrored), "box_disagreement")[0].value < 0.1


def test_same_pixels_with_other_boxes():
    boxes = [[5, 5, 25, 30], [50, 10, 70, 40]]
    same = sample("a", boxes, [0, 1], seed=909), sample("b", boxes[::-1], [1, 0], seed=909)
    assert only(street(*same), "label_conflicts") == [] and len(only(street(*same), "exact_duplicates")) == 1
    other = same[0], sample("b", boxes[:1], [0], seed=909)
    assert [finding.sample for finding in only(street(*other), "label_conflicts")] == ["a", "b"]
    broken = sample("a", [[np.nan, 5, 25, 30]], [0], seed=909), sample("b", [[5, 5, 25, 30]], [0], seed=909)
    assert len(only(street(*broken), "label_conflicts")) == 2


def test_outlines():
    bow, plain = np.array([[5, 5], [25, 25], [25, 5], [5, 25]], float), np.array([[5, 5], [25, 5], [25, 25], [5, 25]], float)
    outlines = tuple(Polygons((ring,)) for ring in (bow, plain, plain + 30, plain[:1]))
    label = Detections([[5, 5, 25, 25], [5, 5, 25, 25.5], [5, 35, 25, 55], [40, 5, 60, 25]], None, [0, 1, 0, 1], outlines=outlines)
    faults = only(street(Sample("drawn", {"image": picture(808)}, label)), "box_outline")
    assert [(finding.box, finding.message.split()[-1]) for finding in faults] == [(0, "itself"), (2, "box"), (3, "nothing")]
    assert {finding.severity for finding in faults} == {"warning"}


def test_pictures_of_another_size_than_stated():
    data = street(sample("turned", [[5, 5, 20, 20]], [0], extra={"size": [WIDTH, HEIGHT]}), sample("same", [], extra={"size": [HEIGHT, WIDTH, 3]}))
    (finding,) = only(data, "size_mismatch")
    assert finding.sample == "turned" and "EXIF" in finding.message


def test_masks_of_another_size():
    label = Detections([[1, 1, 5, 5]], None, [0], np.ones((1, 10, 10), bool))
    (finding,) = only(street(Sample("mask", {"image": picture(808)}, label)), "wrong_label")
    assert finding.value == "10x10" and finding.severity == "error"


def test_without_pictures_their_edges_are_not_known():
    data = Dataset([Sample(str(i), {}, Detections([[5, 5, 2000, 20], [1, 1, 1, 1]], None, [0, 1])) for i in range(3)], SPACE)
    assert {finding.rule for finding in examine(data).errors} == {"box_no_area"}


def test_pages_show_the_boxes(tmp_path):
    data = street(faulty(), sample("twice", [[5, 5, 25, 20], [5, 5, 25, 20]], [0, 0]))
    for i, each in enumerate(data):
        each.split = "train" if i % 3 else "val"
    examination = examine(data)
    parts = list(_box_pages.sections(examination))
    titles = [part["title"] for part in parts]
    assert {"Boxes that leave their picture", "Boxes there twice", "Pictures with each class", "Boxes per picture", "Sizes of the boxes",
            "Width and height of the boxes", "Where the middles of the boxes are", "Samples with their boxes"} <= set(titles)  # fmt: skip
    by_title = dict(zip(titles, parts))
    sizes = by_title["Sizes of the boxes"]["series"]
    assert [one["name"] for one in sizes] == ["train", "val"] and sum(map(sum, (one["values"] for one in sizes))) == examination.facts["boxes"]["sound"]
    places = np.array(by_title["Where the middles of the boxes are"]["values"])
    assert places.shape == (20, 20) and places.sum() == examination.facts["boxes"]["sound"] - 2
    assert numbers(examination)["boxes"] == 52 and numbers(examination)["faulty_boxes"] == 10
    page = Report("doctor", numbers(examination), {}, sections=sections(examination)).html(tmp_path / "page.html").read_text()
    assert "could not be drawn" not in page and page.count("data:image/") >= 16


def test_verb_refuses_wrong_words(tmp_path):
    data = street(faulty())
    with quiet():
        with pytest.raises(ChoiceError):
            doctor(data, fix=str(tmp_path / "clean.json"), boxes="mend")
        with pytest.raises(ChoiceError):
            doctor(data, fix="clip", boxes="mend", out=str(tmp_path))
        for wrong in ({"limit": 0}, {"show": -1}):
            with pytest.raises(InputError, match=next(iter(wrong))):
                doctor(data, **wrong)
        with pytest.raises(InputError, match=".json"):
            doctor(data, fix=str(tmp_path / "clean.csv"))
        assert doctor(data).about["refused"] is True


def test_verb_writes_a_clean_listing(tmp_path):
    from vidi.data import read

    files = tmp_path / "pictures"
    files.mkdir()
    data = street(faulty())
    for i, each in enumerate(data):
        Image.fromarray(each.inputs["image"]).save(files / f"{i}.png")
        each.inputs["image"], each.id = files / f"{i}.png", f"{i}.png"
    with quiet():
        report = doctor(data, fix=str(tmp_path / "clean.json"))
        assert report.numbers["boxes_clipped"] == 2 and report.numbers["boxes_dropped"] == 7 and report.about["refused"] is False
        assert report.about["boxes_dropped"]["box_no_area"] == 2 and report.sections[1]["title"] == "Cleaned listing"
        clean = read(report.about["fixed"])
        assert sum(len(label) for label in clean.labels) == 43 and examine(clean).errors == []
        report = doctor(data, fix="drop", out=str(tmp_path / "out"))
        assert report.numbers["boxes_dropped"] == 9 and (tmp_path / "out" / "data-drop.json").is_file()


def test_a_hundred_thousand_boxes_in_seconds():
    from vidi.data import rules
    from vidi.data._look import Looks
    from vidi.data.doctor import rules as names

    random = np.random.default_rng(0)
    low = random.uniform(0, 500, (2000, 50, 2))
    boxes = np.concatenate([low, low + random.lognormal(3, 0.5, (2000, 50, 2))], 2)
    samples = [Sample(str(i), {}, Detections(boxes[i], None, random.integers(0, 20, 50))) for i in range(2000)]
    data = Dataset(samples, Space("Detections", tuple(map(str, range(20)))))
    looks = Looks(data, np.ones(2000, bool), np.ones(2000, bool))
    looks.size[:] = 640
    start = time.process_time()
    for name in names():
        if name.startswith("box_"):
            list(__import__(f"{rules.__name__}.{name}", fromlist=["check"]).check(data, looks))
    assert time.process_time() - start < 6
