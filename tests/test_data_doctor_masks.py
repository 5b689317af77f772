"""The doctor on masks: planted faults are found where they stand, sound maps have none, and no map is kept unpacked."""

import json
import tracemalloc

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from vidi.core.console import quiet
from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.data import read
from vidi.data._map_pages import drawn
from vidi.data._maps import ground_of, maps_of, parts_of
from vidi.data._pages import numbers, sections
from vidi.data._repair import mend
from vidi.data.doctor import examine
from vidi.data.readers._mask_values import UNKNOWN
from vidi.labels import Detections, Outline, Segmentation
from vidi.report import Report
from vidi.verbs.doctor import doctor

SPACE = Space("Segmentation", ("background", "cell", "gap"))
H, W = 40, 60


def picture(seed, size=(H, W)):
    rough = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(rough).resize(size[::-1], Image.Resampling.BICUBIC))


def sound(seed=0, size=(H, W)):
    """A map of two blobs."""
    random = np.random.default_rng(seed)
    values = np.zeros(size, np.int64)
    for kind in (1, 2):
        y, x = random.integers(0, size[0] - 15), random.integers(0, size[1] - 20)
        values[y : y + 12, x : x + 15] = kind
    return values


def sample(name, values, seed, **more):
    return Sample(name, {"image": picture(seed)}, values if not isinstance(values, np.ndarray) else Segmentation(values).packed(), **more)


def cells(*samples, count=20, space=SPACE):
    return Dataset([*(sample(f"sound{i}", sound(i), i) for i in range(count)), *samples], space)


def only(dataset, rule):
    return [finding for finding in examine(dataset).findings if finding.rule == rule]


def test_no_maps_at_all():
    nothing = Dataset([Sample(str(i), {"image": picture(i)}) for i in range(3)], SPACE)
    found = examine(nothing)
    assert {finding.rule for finding in found.findings} == {"absent_class"} and found.facts["maps"]["count"] == 0
    assert len(maps_of(Dataset([]))) == 0 and [part.tolist() for part in parts_of(np.zeros((0, 5), int))] == [[], []]
    assert {section["kind"] for section in sections(found)} <= {"table", "bars", "text"} and numbers(found)["maps"] == 0


def test_sound_maps_have_no_findings():
    found = examine(cells())
    assert found.findings == [] and found.facts["imbalance_ratio"] == 1
    assert found.facts["maps"]["pixels"]["all"]["cell"] == sum(int((sound(i) == 1).sum()) for i in range(20))


def test_parts_are_those_of_scipy():
    random = np.random.default_rng(0)
    for _ in range(60):
        values = random.integers(0, 3, random.integers(1, 12, 2))
        found = sorted(zip(*(part.tolist() for part in parts_of(values))))
        labeled = [(kind, ndimage.label(values == kind, np.ones((3, 3)))[0]) for kind in range(3)]
        assert found == sorted((kind, int(size)) for kind, parts in labeled for size in np.bincount(parts.ravel())[1:])


def test_another_size_than_the_picture():
    data = cells(sample("small", sound(1, (20, 30)), 90), sample("turned", sound(2, (W, H)), 91, extra={"file": "masks/turned.png"}))
    found = only(data, "mask_size")
    assert [(finding.sample, finding.severity, finding.value, finding.action) for finding in found] == [("small", "error", "30x20", "drop"), ("turned", "error", "40x60", "drop")]
    assert "turned" in found[1].message and found[1].at == "masks/turned.png"
    runs = Outline.of(np.ones((4, 4), bool))
    things = Dataset([Sample("a", {"image": picture(0)}, Detections([[0, 0, 4, 4]], outlines=(runs,)))], Space("Detections", ("cell",)))
    assert [finding.sample for finding in only(things, "mask_size")] == ["a"]


def test_values_of_no_class_are_named_and_taken_for_unknown():
    values = sound(3)
    values[0, :3], values[1, :2] = 7, UNKNOWN + 1
    data = cells(sample("odd", values, 90))
    found = only(data, "mask_value")
    assert len(found) == 1 and found[0].severity == "error" and found[0].message == "no class has the value 1 (2 pixels), 7 (3 pixels); the classes are 0 to 2"
    done = mend(data, found)
    assert done.counts == {"mask_value": 1} and "masks cleared of values of no class: mask_value 1" in done.words()
    np.testing.assert_array_equal(done.dataset[20].label.classes, np.where(values > 2, 255, values))
    assert data[20].label.classes.max() == UNKNOWN + 1 and examine(done.dataset).errors == []
    gaps = Dataset(data.samples, Space("Segmentation", SPACE.names, ids=(0, 4, 9)))
    assert only(gaps, "mask_value")[0].message.endswith("the classes are 0, 4, 9")


def test_nothing_but_background_is_a_note_and_nothing_known_a_warning():
    half = np.zeros((H, W), int)
    half[:9] = 255
    empty = [sample("empty", np.zeros((H, W), int), 90), sample("unknown", np.full((H, W), 255), 91), sample("half", half, 92)]
    found = only(cells(*empty), "mask_empty")
    assert [(finding.severity, finding.sample, finding.related) for finding in found] == [("warning", "unknown", ()), ("note", None, ("empty", "half"))]
    assert found[1].message == "2 of 23 masks hold nothing but background"
    assert only(cells(*empty[:1], space=Space("Segmentation", ("sky", "cell", "gap"))), "mask_empty") == []
    assert ground_of(Space("Segmentation", ("1", "0"))) == 1 and ground_of(Space("Segmentation", ())) is None


def test_speckled_maps():
    values = sound(4)
    values[1::4, 1::4] = 1
    found = only(cells(sample("noise", values, 90)), "mask_speckled")
    kinds, sizes = parts_of(values)
    assert len(found) == 1 and found[0].sample == "noise" and found[0].value == int((sizes < 10).sum()) > 50
    assert "open and close" in found[0].fix and f"of {len(kinds)} connected parts" in found[0].message


def test_classes_are_counted_by_pictures_and_pixels():
    rare = sound(5)
    rare[rare == 1] = 3
    space = Space("Segmentation", ("background", "cell", "gap", "scar", "never"))
    data = cells(sample("rare", rare, 90, split="val"), count=30, space=space)
    for i in range(30):
        data[i].split = "train"
    found = examine(data)
    by_rule = {finding.rule: finding for finding in found.findings}
    assert "class never has no picture" in [finding.message for finding in found.findings] and found.facts["imbalance_ratio"] == 31
    assert by_rule["rare_class"].message == "class scar is on only 1 pictures" and by_rule["rare_class"].severity == "warning"
    assert by_rule["imbalance"].message == "class background has 31 pictures, class scar has 1" and "Dice" in by_rule["imbalance"].fix
    assert found.errors == [] and found.facts["classes"]["val"]["scar"] == 1 and "empty_label" not in by_rule
    thin = Dataset([sample(str(i), np.where(np.arange(H * W).reshape(H, W) < 5, 1, 0), i) for i in range(20)], Space("Segmentation", ("background", "wire")))
    assert [(finding.severity, finding.message) for finding in only(thin, "imbalance")] == [("note", "class wire has 0.21 % of the pixels, class background 100 %")]


def test_missing_labels_and_conflicts():
    nearly, other = sound(0), sound(0)
    nearly[0, 0] = 2
    other[other == 1] = 2
    alone = Sample("alone", {"image": picture(99)})
    data = cells(sample("same", nearly, 0), alone)
    assert [finding.sample for finding in only(data, "missing_label")] == ["alone"] and only(data, "label_conflicts") == []
    conflict = only(cells(sample("differs", other, 0)), "label_conflicts")
    assert {finding.sample for finding in conflict} == {"sound0", "differs"} and "cell" in conflict[0].message
    assert len(only(cells(sample("size", sound(0, (20, 30)), 0)), "label_conflicts")) == 2


def test_the_page_shows_masks_and_shares(tmp_path):
    noise = sound(4)
    noise[1::4, 1::4] = 1
    bad = sound(3)
    bad[0, 0] = 9
    data = cells(sample("noise", noise, 90), sample("bad", bad, 91), sample("small", sound(1, (20, 30)), 92))
    for i, one in enumerate(data):
        one.split = "val" if i < 6 else "train"
    found = examine(data)
    titles = {section["title"]: section for section in sections(found)}
    assert {"Share of the pixels of each class", "Pictures per class", "Samples with their masks", "Speckled masks", "Masks with values that no class has", "Masks of another size than their picture"} <= set(titles)
    shares = titles["Share of the pixels of each class"]
    assert [row["name"] for row in shares["series"]] == ["train", "val"] and shares["labels"][0] == "background"
    assert all(abs(sum(row["values"]) - 100) < 0.1 for row in shares["series"])
    picture_of = drawn(found, 0)
    assert picture_of.shape[1] > 600 and drawn(found, 22) is not None
    values = numbers(found)
    assert (values["maps"], values["faulty_maps"], values["empty_maps"]) == (23, 3, 0)
    Report("doctor", values, {"title": "masks"}, sections=sections(found)).html(tmp_path / "report.html")
    json.dumps(found.facts)


def test_things_with_run_lengths_are_drawn():
    runs = Outline.of(sound(0) == 1)
    data = Dataset([Sample(str(i), {"image": picture(i)}, Detections(runs.box()[None], outlines=(runs,))) for i in range(3)], Space("Detections", ("cell",)))
    from vidi.data._box_pages import drawn as drawn_boxes

    found = examine(data)
    plain = Dataset([Sample(str(i), {"image": picture(i)}, Detections(runs.box()[None])) for i in range(3)], data.space)
    assert found.findings == [] or {finding.rule for finding in found.findings} <= {"rare_class"}
    assert (drawn_boxes(found, 0) != drawn_boxes(examine(plain), 0)).any(-1).sum() > 1000


def test_maps_stay_packed():
    data = Dataset([Sample(str(i), {}, Segmentation(np.kron(sound(i), np.ones((10, 10), int))).packed()) for i in range(60)], SPACE)
    tracemalloc.start()
    maps_of(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 * 400 * 600 * 4 / 3


@pytest.mark.parametrize("fix", [False, True])
def test_from_files_to_report(tmp_path, fix):
    with quiet():
        for i in range(12):
            for folder, pixels in (("images", picture(i)), ("masks", sound(i).astype(np.uint8))):
                (tmp_path / "data" / folder).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(tmp_path / "data" / folder / f"{i}.png")
        (tmp_path / "data" / "data.yaml").write_text("names: [background, cell]\n")
        report = doctor(str(tmp_path / "data"), task="semantic", out=str(tmp_path / "out"))
        assert report.about["refused"] and report.numbers["faulty_maps"] == 12 and (tmp_path / "out" / "report.html").is_file()
        (tmp_path / "data" / "data.yaml").write_text("names: [background, cell, gap]\n")
        assert not doctor(str(tmp_path / "data")).about["refused"]
        if fix:
            (tmp_path / "data" / "images" / "bad.png").write_bytes(b"junk")
            report = doctor(str(tmp_path / "data"), fix=str(tmp_path / "clean.csv"))
            clean = read(report.about["fixed"])
            assert len(clean) == 12 and clean.space == read(tmp_path / "data").space and (clean[0].label.classes == sound(0)).all()
