"""Masks and run lengths: layouts, kinds of masks, what their values mean, and writing them so that they are read back the same."""

import shutil

import numpy as np
import pytest
from PIL import ExifTags, Image

from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.data import read
from vidi.data.readers._mask_values import UNKNOWN
from vidi.data.readers._runs import counts_of, things_of, united
from vidi.data.readers.rle import parse
from vidi.data.writers.rle import pairs
from vidi.errors import DataError
from vidi.labels import Detections, Outline, Polygons, Runs, Segmentation
from vidi.ops.runs import mask_to_counts
from vidi.verbs.convert import convert

H, W = 12, 16


def picture(path, size=(W, H), seed=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)


def mask(path, values, palette=False, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.asarray(values)
    image = Image.fromarray(values.astype(np.uint16 if values.max(initial=0) > 255 or options.pop("deep", False) else np.uint8))
    if palette:
        image.putpalette(np.random.default_rng(1).integers(0, 256, 768).tolist())
    image.save(path, **options)


def map_of(*spots, size=(H, W)):
    """A map of zeros with (value, y1, x1, y2, x2) painted in."""
    values = np.zeros(size, np.int64)
    for value, y1, x1, y2, x2 in spots:
        values[y1:y2, x1:x2] = value
    return values


LITTLE = map_of((1, 2, 2, 5, 6), (2, 6, 8, 10, 14))


def pair(root, values, name="a", **options):
    picture(root / "images" / f"{name}.png", np.shape(values)[1::-1])
    mask(root / "masks" / f"{name}.png", values, **options)


def test_a_picture_without_a_mask_has_no_label_and_an_empty_map_of_things_an_empty_one(tmp_path):
    pair(tmp_path, np.zeros((H, W)), deep=True)
    picture(tmp_path / "images" / "b.png")
    data = read(tmp_path)
    assert data.format == "masks" and data.space == Space("Detections", ("object",)) and [label is None for label in data.labels] == [False, True]
    assert len(data[0].label) == 0 and "1 pictures have no mask: they are unlabeled" in data.notes
    assert list(things_of(np.zeros((0, 0), np.int64))) == [] and counts_of(np.zeros(0), np.zeros(0), 6).tolist() == [6]


LAYOUTS = {
    "images/a.jpg": "masks/a.png",
    "images/b.jpg": "labels/b.png",
    "img/c.jpg": "annotations/c_mask.png",
    "JPEGImages/d.jpg": "SegmentationClass/d.png",
    "train/images/e.jpg": "train/masks/e.png",
    "images/train/f.jpg": "masks/train/f.png",
    "train/g.jpg": "train_masks/g_mask.gif",
    "h.jpg": "masks/h.tif",
    "deep/patient 1/i.tif": "deep/patient 1/i_mask.tif",
    "leftImg8bit/train/aachen/j_leftImg8bit.png": "gtFine/train/aachen/j_gtFine_labelIds.png",
    "images/k_sat.jpg": "gt/k_mask.bmp",
    "VOC/JPEGImages/l.jpg": "VOC/SegmentationClass/l.png",
}


@pytest.mark.parametrize("image", LAYOUTS)
def test_layouts(tmp_path, image):
    picture(tmp_path / image)
    mask(tmp_path / LAYOUTS[image], LITTLE)
    data = read(tmp_path)
    assert (data.format, [sample.id for sample in data], data.space.names) == ("masks", [image], ("0", "1", "2"))
    np.testing.assert_array_equal(data[0].label.classes, LITTLE)
    assert data[0].split == ("train" if "train" in image else None) and data[0].extra["file"] == str(tmp_path / LAYOUTS[image])
    folder = (tmp_path / image).parent
    if folder != tmp_path and "mask" not in LAYOUTS[image].rpartition("/")[2] and "gtFine" not in LAYOUTS[image]:
        inner = read(folder)
        assert inner.format == "masks" and [sample.id for sample in inner] == [image.rpartition("/")[2]] and inner[0].label is not None


def test_class_folders_and_yolo_stay_what_they_are(tmp_path):
    for name in ("mask/1.png", "no_mask/1.png", "target/2.png", "source/2.png"):
        picture(tmp_path / "faces" / name)
    assert read(tmp_path / "faces").format == "folders"
    picture(tmp_path / "boxes" / "images" / "a.png")
    (tmp_path / "boxes" / "labels").mkdir()
    (tmp_path / "boxes" / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    picture(tmp_path / "boxes" / "labels" / "plot.png")
    (tmp_path / "boxes" / "labels" / "b.txt").write_text("")
    assert read(tmp_path / "boxes").format == "yolo" and read(tmp_path / "boxes", task="instance").format == "yolo"


def test_a_table_of_classes_beside_masks(tmp_path):
    pair(tmp_path, LITTLE)
    (tmp_path / "labels.csv").write_text("path,label\nimages/a.png,cat\n")
    assert [read(tmp_path, task=task).format for task in (None, "classify", "semantic")] == ["masks", "table", "masks"]


def test_masks_beside_voc_boxes_are_read_where_a_task_wants_them(tmp_path):
    picture(tmp_path / "JPEGImages" / "a.png")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "a.xml").write_text("<annotation><filename>a.png</filename></annotation>")
    mask(tmp_path / "SegmentationClass" / "a.png", LITTLE, palette=True)
    assert [read(tmp_path, task=task).format for task in (None, "detect", "semantic", "instance")] == ["voc", "voc", "masks", "masks"]


def test_voc_with_objects_classes_and_sets(tmp_path):
    border = map_of((255, 1, 1, 6, 7), (15, 2, 2, 5, 6), (7, 6, 8, 10, 14))
    things = map_of((255, 1, 1, 6, 7), (1, 2, 2, 5, 6), (2, 6, 8, 10, 11), (3, 6, 11, 10, 14))
    for name in ("a", "b", "c"):
        picture(tmp_path / "JPEGImages" / f"{name}.jpg")
    for name in ("a", "b"):
        mask(tmp_path / "SegmentationClass" / f"{name}.png", border, palette=True)
        mask(tmp_path / "SegmentationObject" / f"{name}.png", things, palette=True)
    sets = tmp_path / "ImageSets" / "Segmentation"
    sets.mkdir(parents=True)
    (sets / "train.txt").write_text("a\n")
    (sets / "val.txt").write_text("b\n")
    data = read(tmp_path, task="semantic")
    assert data.splits == {"train": 1, "val": 1} and data.space == Space("Segmentation", ("0", "7", "15"), ids=(0, 7, 15))
    np.testing.assert_array_equal(data[0].label.classes, np.select([border == 255, border == 15, border == 7], [255, 2, 1], 0))
    assert "1 pictures without a mask stand in none of the sets and were not read" in data.notes
    found = read(tmp_path, task="instance")
    assert found.space == Space("Detections", ("7", "15"), ids=(7, 15)) and found[0].label.classes.tolist() == [1, 0, 0]
    assert found[0].label.boxes.tolist() == [[2, 2, 6, 5], [8, 6, 11, 10], [11, 6, 14, 10]]


@pytest.mark.parametrize("values,names,ids", [((0, 255), ("background", "foreground"), (0, 255)), ((0, 1), ("background", "foreground"), ())])
def test_two_values(tmp_path, values, names, ids):
    pair(tmp_path, np.array(values)[(LITTLE > 0).astype(int)])
    data = read(tmp_path)
    assert data.space == Space("Segmentation", names, ids=ids)
    np.testing.assert_array_equal(data[0].label.classes, LITTLE > 0)
    things = read(tmp_path, task="instance")
    assert things.space.names == ("foreground",) and [outline.area() for outline in things[0].label.outlines] == [12, 24]


def test_bits_are_two_classes(tmp_path):
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "masks").mkdir()
    Image.fromarray(LITTLE > 0).save(tmp_path / "masks" / "a.png")
    data = read(tmp_path)
    assert data.space == Space("Segmentation", ("background", "foreground")) and (data[0].label.classes == (LITTLE > 0)).all()


def test_values_with_gaps_and_what_is_ignored(tmp_path):
    pair(tmp_path, map_of((7, 0, 0, 4, 4), (255, 4, 4, 8, 8), (100, 8, 8, 12, 12)))
    data = read(tmp_path)
    assert data.space == Space("Segmentation", ("0", "7", "100"), ids=(0, 7, 100)) and data[0].label.ignore == 255
    assert [int((data[0].label.classes == value).sum()) for value in (0, 1, 2, 255)] == [H * W - 48, 16, 16, 16]
    (tmp_path / "data.yaml").write_text("names: [ground, cell]\nids: [0, 100]\nignore: [7, 255]\n")
    again = read(tmp_path)
    assert again.space == Space("Segmentation", ("ground", "cell"), ids=(0, 100))
    assert [int((again[0].label.classes == value).sum()) for value in (0, 1, 255)] == [H * W - 48, 16, 32]


def test_values_that_no_class_has_are_kept(tmp_path):
    pair(tmp_path, map_of((1, 0, 0, 4, 4), (9, 4, 4, 8, 8)))
    (tmp_path / "data.yaml").write_text("names: [ground, cell]\n")
    assert np.unique(read(tmp_path)[0].label.classes).tolist() == [0, 1, 9]
    (tmp_path / "data.yaml").write_text("names: [cell, other]\nids: [1, 9]\n")
    assert np.unique(read(tmp_path)[0].label.classes).tolist() == [0, 1, UNKNOWN]


def test_palette_masks_are_indices_and_255_is_ignored(tmp_path):
    pair(tmp_path, map_of((1, 0, 0, 4, 4), (255, 4, 4, 8, 8)), palette=True)
    data = read(tmp_path)
    assert data.space == Space("Segmentation", ("0", "1")) and np.unique(data[0].label.classes).tolist() == [0, 1, 255]


def test_palettes_that_differ_are_read_by_their_colors(tmp_path):
    for name, colors in (("a", [0, 0, 0, 200, 0, 0, 0, 0, 100]), ("b", [0, 0, 0, 0, 0, 100, 200, 0, 0])):
        picture(tmp_path / "images" / f"{name}.png")
        (tmp_path / "masks").mkdir(exist_ok=True)
        image = Image.fromarray((LITTLE if name == "a" else np.array([0, 2, 1])[LITTLE]).astype(np.uint8))
        image.putpalette(colors)
        image.save(tmp_path / "masks" / f"{name}.png")
    data = read(tmp_path)
    assert data.space.names == ("#000000", "#000064", "#c80000") and (data[0].label.classes == data[1].label.classes).all()
    assert "one index has different colors in different files" in " ".join(data.notes)
    (tmp_path / "data.yaml").write_text("names: [red, blue, black]\ncolors: [c80000, '#000064', [0, 0, 0]]\n")
    assert (read(tmp_path)[1].label.classes == np.array([2, 0, 1])[LITTLE]).all()


def test_black_and_white_palettes_and_masks_in_the_transparency(tmp_path):
    for name in "ab":
        picture(tmp_path / "images" / f"{name}.png")
    (tmp_path / "masks").mkdir()
    image = Image.fromarray((LITTLE > 0).astype(np.uint8))
    image.putpalette([0, 0, 0, 255, 255, 255])
    image.save(tmp_path / "masks" / "a.gif")
    Image.fromarray(np.dstack([np.zeros((H, W, 3), np.uint8), np.where(LITTLE > 0, 1, 0).astype(np.uint8)])).save(tmp_path / "masks" / "b.png")
    data = read(tmp_path)
    assert data.space == Space("Segmentation", ("background", "foreground")) and all((label.classes == (LITTLE > 0)).all() for label in data.labels)


RED, BLUE = (200, 0, 0), (0, 0, 100)


def colored(root, name="a", more=()):
    picture(root / "images" / f"{name}.png")
    values = np.zeros((H, W, 3), np.uint8)
    values[2:5, 2:6], values[6:10, 8:14] = RED, BLUE
    for (y, x), color in more:
        values[y, x] = color
    (root / "masks").mkdir(exist_ok=True)
    Image.fromarray(values).save(root / "masks" / f"{name}.png")
    return values


def test_colors_are_classes_in_an_order_that_never_changes(tmp_path):
    colored(tmp_path)
    colored(tmp_path, "b", [((0, 0), (224, 224, 192))])
    data = read(tmp_path)
    assert data.space == Space("Segmentation", ("#000000", "#000064", "#c80000"))
    np.testing.assert_array_equal(data[0].label.classes, np.select([LITTLE == 1, LITTLE == 2], [2, 1], 0))
    assert data[1].label.classes[0, 0] == 255
    (tmp_path / "data.yaml").write_text("names: [cell, ground, '3']\n")
    with pytest.raises(DataError, match="nothing says which color is which class"):
        read(tmp_path)
    (tmp_path / "data.yaml").write_text("names: [cell, ground, water]\ncolors: ['#c80000', [0, 0, 0], '000064']\n")
    again = read(tmp_path)
    assert again.space.names == ("cell", "ground", "water") and again[0].label.words(again.space.names) == "ground 81%, water 12%, cell 6%"
    (tmp_path / "data.yaml").unlink()
    (tmp_path / "labelmap.txt").write_text("# label:color_rgb:parts:actions\nbackground:0,0,0::\ncell:200,0,0::\nwater:0,0,100::\n")
    assert read(tmp_path)[0].label.words(read(tmp_path).space.names) == "background 81%, water 12%, cell 6%"
    things = read(tmp_path, task="instance")
    assert things.space.names == ("cell", "water") and things[0].label.classes.tolist() == [0, 1]


def test_too_many_colors_are_refused_as_classes_and_mixed_kinds_too(tmp_path):
    picture(tmp_path / "images" / "a.png", (40, 40))
    picture(tmp_path / "masks" / "a.png", (40, 40))
    with pytest.raises(DataError, match="different colors: no map of classes"):
        read(tmp_path)
    shutil.rmtree(tmp_path / "masks")
    colored(tmp_path)
    pair(tmp_path, LITTLE, "b")
    with pytest.raises(DataError, match="some masks are colored, others are not"):
        read(tmp_path)


def test_a_gray_map_stored_as_color_is_gray_until_another_is_colored(tmp_path):
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.repeat(LITTLE[..., None], 3, 2).astype(np.uint8)).save(tmp_path / "masks" / "a.png")
    assert read(tmp_path).space.names == ("0", "1", "2")
    colored(tmp_path, "b")
    assert read(tmp_path).space.names == ("#000000", "#000064", "#010101", "#020202", "#c80000")


def test_sixteen_bits_are_things_unless_said_otherwise(tmp_path):
    values = map_of((3, 0, 0, 2, 2), (700, 4, 4, 8, 8), (701, 8, 8, 12, 12))
    values[0, 10] = 700
    pair(tmp_path, values)
    data = read(tmp_path)
    label = data[0].label
    assert data.space == Space("Detections", ("object",)) and label.boxes.tolist() == [[0, 0, 2, 2], [4, 0, 11, 8], [8, 8, 12, 12]]
    assert all((outline.mask((H, W)) == (values == value)).all() for outline, value in zip(label.outlines, (3, 700, 701)))
    assert data[0].extra["places"] == ["value 3", "value 700", "value 701"]
    for text, task in (("values: classes\n", None), ("path: .\n", "semantic")):
        (tmp_path / "data.yaml").write_text(text)
        assert read(tmp_path, task=task).space == Space("Segmentation", ("0", "3", "700", "701"), ids=(0, 3, 700, 701))
    (tmp_path / "data.yaml").write_text("values: instances\nnames: [cell]\n")
    painted = read(tmp_path, task="semantic")
    assert painted.space == Space("Segmentation", ("background", "cell")) and (painted[0].label.classes == (values > 0)).all()


def test_many_gray_values_without_gaps_are_things(tmp_path):
    many = np.zeros((30, 30), np.int64)
    many[::3, ::3] = np.arange(1, 101).reshape(10, 10)
    pair(tmp_path, many)
    assert read(tmp_path).space.family == "Detections" and len(read(tmp_path)[0].label) == 100
    assert read(tmp_path, task="semantic").space == Space("Segmentation", ("background", "object"))
    pair(tmp_path, np.where(many > 0, 2 * many, 0))
    assert read(tmp_path).space.family == "Segmentation"


def test_things_of_several_classes(tmp_path):
    values = map_of((2001, 0, 0, 2, 2), (5001, 4, 4, 8, 8), (5002, 8, 8, 12, 12))
    pair(tmp_path, values)
    (tmp_path / "data.yaml").write_text("divisor: 1000\n")
    assert read(tmp_path).space == Space("Detections", ("2", "5"), ids=(2, 5)) and read(tmp_path)[0].label.classes.tolist() == [0, 1, 1]
    (tmp_path / "data.yaml").write_text("divisor: 1000\nnames: [man, car]\nids: [5, 2]\n")
    assert read(tmp_path).space.names == ("man", "car") and read(tmp_path)[0].label.classes.tolist() == [1, 0, 0]
    painted = read(tmp_path, task="semantic")
    assert painted.space.names == ("background", "man", "car") and np.unique(painted[0].label.classes).tolist() == [0, 1, 2]
    (tmp_path / "data.yaml").write_text("divisor: 1000\nnames: [man, car]\n")
    with pytest.raises(DataError, match="a thing of no class"):
        read(tmp_path)
    (tmp_path / "data.yaml").write_text("values: instances\nnames: [man, car]\n")
    with pytest.raises(DataError, match="tell things but not their classes"):
        read(tmp_path)


def test_a_file_for_each_thing(tmp_path):
    for name, spots in (("one", [(255, 0, 0, 4, 4), (255, 2, 2, 6, 6), (255, 9, 9, 12, 12)]), ("two", [(255, 3, 3, 4, 9)])):
        picture(tmp_path / "stage1_train" / name / "images" / f"{name}.png")
        for i, spot in enumerate(spots):
            mask(tmp_path / "stage1_train" / name / "masks" / f"{'zyx'[i]}{name}.png", map_of(spot))
    data = read(tmp_path)
    assert data.format == "masks" and data.space == Space("Detections", ("object",)) and [len(label) for label in data.labels] == [3, 1]
    assert data[0].extra["places"] == ["xone.png", "yone.png", "zone.png"] and "1 things are partly hidden by others" in " ".join(data.notes)
    assert [outline.area() for outline in data[0].label.outlines] == [9, 12, 16] and data[1].label.boxes.tolist() == [[3, 3, 9, 4]]
    assert [int(label.classes.sum()) for label in read(tmp_path, task="semantic").labels] == [37, 6]
    mask(tmp_path / "stage1_train" / "two" / "masks" / "many.png", LITTLE)
    with pytest.raises(DataError, match="more than two values"):
        read(tmp_path)


def test_jpeg_masks_are_refused_unless_they_are_black_and_white(tmp_path):
    size = (64, 64)
    for name in "ab":
        picture(tmp_path / "images" / f"{name}.png", size)
    (tmp_path / "masks").mkdir()
    steps = np.kron(np.arange(16).reshape(4, 4) * 16, np.ones((16, 16))).astype(np.uint8)
    Image.fromarray(steps).save(tmp_path / "masks" / "a.jpg", quality=80)
    truth = np.zeros(size, np.uint8)
    truth[10:50, 7:41] = 255
    Image.fromarray(truth).save(tmp_path / "masks" / "b.jpg", quality=80)
    faults = []
    data = read(tmp_path, faults=faults)
    assert [sample.id for sample in data] == ["images/b.png"] and (data[0].label.classes == (truth > 0)).all()
    assert "blurs values (JPEG)" in faults[0].rule and "PNG" in faults[0].fix and "1 masks are in a format that blurs values" in " ".join(data.notes)
    with pytest.raises(DataError, match="blurs values"):
        read(tmp_path)
    Image.fromarray(steps // 4).save(tmp_path / "masks" / "a.jpg")
    with pytest.raises(DataError, match="blurs values"):
        read(tmp_path)


def test_black_and_white_that_was_scaled(tmp_path):
    big = np.zeros((100, 100), np.uint8)
    big[20:70, 30:80] = 255
    soft = np.asarray(Image.fromarray(big).resize((133, 133), Image.Resampling.BILINEAR))
    assert len(np.unique(soft)) > 6
    pair(tmp_path, soft)
    data = read(tmp_path)
    assert data.space.names == ("background", "foreground") and (data[0].label.classes == (soft >= 128)).all()
    assert "few gray pixels between black and white" in " ".join(data.notes)


def test_masks_are_upright_as_their_pictures_are(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    upright = np.rot90(LITTLE, -1)
    for name in "abc":
        picture(tmp_path / "images" / f"{name}.jpg", exif=exif)
    mask(tmp_path / "masks" / "a.png", LITTLE, exif=exif)
    mask(tmp_path / "masks" / "b.png", LITTLE)
    mask(tmp_path / "masks" / "c.png", upright)
    data = read(tmp_path)
    for sample in data:
        np.testing.assert_array_equal(sample.label.classes, upright)
    assert "1 masks have the size of their picture before its EXIF orientation" in " ".join(data.notes)


def test_faulty_files_are_named_all_together(tmp_path):
    pair(tmp_path, LITTLE)
    picture(tmp_path / "images" / "b.png")
    picture(tmp_path / "images" / "c.png")
    (tmp_path / "masks" / "b.png").write_bytes(b"junk")
    Image.fromarray(np.full((H, W), 0.5, np.float32)).save(tmp_path / "masks" / "c.tif")
    faults = []
    assert [sample.id for sample in read(tmp_path, faults=faults)] == ["images/a.png"]
    assert [fault.file.name for fault in faults] == ["b.png", "c.tif"]
    with pytest.raises(DataError, match="2 faults"):
        read(tmp_path)
    shutil.rmtree(tmp_path / "masks")
    mask(tmp_path / "masks" / "z.png", LITTLE)
    with pytest.raises(DataError, match="no mask is called like a picture"):
        read(tmp_path)


@pytest.mark.parametrize("key,value", [
    ("values", "things"), ("ignore", "[a]"), ("ignore", "-1"), ("divisor", "1"), ("colors", "['#000000']"), ("masks", "../up"), ("run_order", "down"), ("run_start", "true"),
])  # fmt: skip
def test_data_yaml_is_checked(tmp_path, key, value):
    pair(tmp_path, LITTLE)
    (tmp_path / "data.yaml").write_text(f"names: [a, b, c]\n{key}: {value}\n")
    with pytest.raises(DataError) as error:
        read(tmp_path)
    assert error.value.at == key


def test_data_yaml_names_folders_and_splits(tmp_path):
    for split in ("train", "val"):
        picture(tmp_path / "shots" / split / "a.png")
        mask(tmp_path / "truth" / split / "a.png", LITTLE)
    (tmp_path / "data.yaml").write_text("images: shots\nmasks: truth\nnames: [ground, cell, gap]\n")
    data = read(tmp_path)
    assert data.splits == {"train": 1, "val": 1} and data.space.names == ("ground", "cell", "gap") and [s.id for s in data] == ["shots/train/a.png", "shots/val/a.png"]
    (tmp_path / "data.yaml").write_text("train: shots/train\nval: shots/val\nmasks: truth\nnames: [ground, cell, gap]\n")
    assert read(tmp_path).splits == {"train": 1, "val": 1} and all((label.classes == LITTLE).all() for label in read(tmp_path).labels)
    for split in ("train", "valid"):
        picture(tmp_path / "other" / split / "images" / "b.png")
        mask(tmp_path / "other" / split / "masks" / "b.png", LITTLE if split == "train" else np.minimum(LITTLE, 1))
    (tmp_path / "other" / "data.yaml").write_text("train: train/images\nval: valid/images\n")
    merged = read(tmp_path / "other")
    assert merged.splits == {"train": 1, "val": 1} and set(merged.space.names) == {"0", "1", "2", "background", "foreground"}


def test_many_maps_are_held_compressed(tmp_path):
    pair(tmp_path, np.kron(LITTLE, np.ones((64, 64))))
    label = read(tmp_path)[0].label
    assert len(label._map.data) < 5000 and label.classes.shape == (768, 1024)


# Run lengths


def csv(root, text, name="train.csv"):
    (root / name).write_text(text)
    return root


def test_runs_in_any_order_become_counts():
    random = np.random.default_rng(0)
    assert united(np.zeros(0, int), np.zeros(0, int))[0].tolist() == []
    for _ in range(50):
        starts, lengths = random.integers(0, 90, 8), random.integers(0, 9, 8)
        flat = np.zeros(100, bool)
        for start, length in zip(starts, lengths):
            flat[start : start + length] = True
        assert counts_of(*united(starts, lengths), 100).tolist() == mask_to_counts(flat.reshape(10, 10).T)
        values = random.integers(0, 4, (7, 9))
        found = dict(things_of(values))
        assert sorted(found) == sorted(set(values.ravel().tolist()) - {0})
        assert all((runs.mask((7, 9)) == (values == value)).all() and pairs(runs) is not None for value, runs in found.items())


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("by_rows", [False, True])
def test_pairs_are_read_pixel_by_pixel(by_rows, start):
    oracle = pytest.importorskip("pycocotools.mask")
    random = np.random.default_rng(start)
    for _ in range(20):
        pixels = random.random((H, W)) < 0.4
        flat = pixels.ravel("C" if by_rows else "F")
        edges = np.flatnonzero(np.diff(np.concatenate([[0], flat.astype(int), [0]]))).reshape(-1, 2)
        text = " ".join(f"{low + start} {high - low}" for low, high in edges.tolist())
        found = parse(text, (H, W), by_rows=by_rows, start=start)
        packed = oracle.frPyObjects({"size": [H, W], "counts": found.counts.tolist()}, H, W)
        assert (found.mask((H, W)) == pixels).all() and (oracle.decode(packed) == pixels).all()
        assert by_rows or start == 0 or pairs(found) == text


def test_one_row_per_thing(tmp_path):
    for name in ("a", "b", "c"):
        picture(tmp_path / "train_images" / f"{name}.jpg")
    data = read(csv(tmp_path, "ImageId,EncodedPixels\na.jpg,1 2 14 2\na.jpg,192 1\nb.jpg,\nc.jpg, -1\n"))
    assert data.format == "rle" and data.space == Space("Detections", ("object",)) and [len(label) for label in data.labels] == [2, 0, 0]
    assert data[0].label.boxes.tolist() == [[0, 0, 2, 3], [15, 11, 16, 12]] and data[0].extra["places"] == ["line 2", "line 3"]
    assert data[0].label.outlines[0].mask((H, W))[[0, 1, 1, 2], [0, 0, 1, 1]].all() and data[0].label.outlines[0].area() == 4
    maps = read(tmp_path, task="semantic")
    assert maps.space == Space("Segmentation", ("background", "object")) and [int(label.classes.sum()) for label in maps.labels] == [5, 0, 0]
    (tmp_path / "data.yaml").write_text("table: train.csv\nnames: [ship]\n")
    assert read(tmp_path, task="semantic").space.names == ("background", "ship") and read(tmp_path, task="semantic")[0].label.classes.sum() == 5
    (tmp_path / "data.yaml").unlink()
    with pytest.raises(DataError, match="one picture in several splits"):
        read(csv(tmp_path, "ImageId,EncodedPixels,split\na.jpg,1 2,train\na.jpg,9 2,val\n"))
    with pytest.raises(DataError, match="said to be unlabeled"):
        read(csv(tmp_path, "ImageId,EncodedPixels,labeled\na.jpg,1 2,0\n"))


def test_rows_by_class_and_how_pixels_are_counted(tmp_path):
    picture(tmp_path / "a.png")
    text = "ImageId,ClassId,EncodedPixels\na.png,1,0 3\na.png,4,2 2\na.png,3,\n"
    (tmp_path / "data.yaml").write_text("table: train.csv\nrun_order: rows\nrun_start: 0\n")
    data = read(csv(tmp_path, text))
    assert data.space == Space("Detections", ("1", "3", "4")) and data[0].label.classes.tolist() == [0, 2] and data[0].label.boxes.tolist() == [[0, 0, 3, 1], [2, 0, 4, 1]]
    (tmp_path / "data.yaml").write_text("table: train.csv\nrun_order: rows\nrun_start: 0\nvalues: classes\n")
    maps = read(tmp_path)
    assert maps.space.names == ("background", "1", "3", "4") and maps[0].label.classes[0, :5].tolist() == [1, 1, 3, 3, 0]
    assert "1 pixels are of several classes" in " ".join(maps.notes)
    (tmp_path / "data.yaml").write_text("table: train.csv\nrun_order: rows\nrun_start: 0\nnames: [pit, scratch, patch]\nids: [1, 3, 4]\n")
    assert read(tmp_path).space == Space("Detections", ("pit", "scratch", "patch"), ids=(1, 3, 4)) and read(tmp_path)[0].label.classes.tolist() == [0, 2]


def test_picture_and_class_in_one_cell_and_other_names_of_columns(tmp_path):
    for name in ("a_1", "b"):
        picture(tmp_path / "train_images" / f"{name}.png")
    csv(tmp_path, "ImageId_ClassId,EncodedPixels\na_1.png_2,1 5\na_1.png_3,\nb.png_2,\n")
    data = read(tmp_path)
    assert [sample.id for sample in data] == ["train_images/a_1.png", "train_images/b.png"] and data[0].label.boxes.tolist() == [[0, 0, 1, 5]]
    csv(tmp_path, f"id,annotation,width,height,cell_type\na_1,1 5 13 5,{W},{H},astro\nb,3 1,{W},{H},cort\n")
    data = read(tmp_path)
    assert data.space.names == ("astro", "cort") and [sample.id for sample in data] == ["train_images/a_1.png", "train_images/b.png"]
    csv(tmp_path, f"id,annotation,width,height\na_1,1 5,{H},{W}\n")
    with pytest.raises(DataError, match="another size"):
        read(tmp_path)


@pytest.mark.parametrize("runs,what", [("1 2 3", "3 numbers"), ("1 x", "whole numbers"), ("0 2", "leaves the picture"), ("192 2", "leaves the picture"), ("5 -1", "leaves"), ("5 99999999999999999999", "whole")])
def test_faulty_run_lengths(tmp_path, runs, what):
    with pytest.raises(DataError, match=what):
        parse(runs, (H, W))
    picture(tmp_path / "a.png")
    faults = []
    read(csv(tmp_path, f"ImageId,EncodedPixels\na.png,1 2\na.png,{runs}\n"), faults=faults)
    assert len(faults) == 1 and faults[0].at == "line 3 EncodedPixels" and what in faults[0].rule


def test_tables_of_something_else_are_left_alone(tmp_path):
    picture(tmp_path / "a.png")
    assert read(csv(tmp_path, "path,label\na.png,1\n")).format == "table"
    assert read(csv(tmp_path, "path,annotation\na.png,cat\n"), task="classify").format == "table"


# Writing


def sets(family, classes=3, ids=(), count=4, seed=0, **options):
    """Random labels on pictures in memory, one of them without a label."""
    random = np.random.default_rng(seed)
    samples = []
    for i in range(count):
        size = (int(random.integers(9, 20)), int(random.integers(9, 20)))
        pixels = random.integers(0, 256, (*size, 3), dtype=np.uint8)
        values = np.kron(random.integers(0, classes + 1, (5, 5)), np.ones((4, 4), np.int64))[: size[0], : size[1]]
        if family == "Segmentation":
            label = Segmentation(np.where(values == classes, options.get("ignore", 255), values), None, options.get("ignore", 255))
        else:
            parts = [Outline.of(values == value) for value in range(1, classes + 1) if (values == value).any()]
            kinds = random.integers(0, classes, len(parts))
            label = Detections(np.array([part.box() for part in parts]), None, kinds, outlines=tuple(parts))
        samples.append(Sample(f"{i}.png", {"image": pixels}, label if i else None, options.get("splits", [None] * count)[i]))
    return Dataset(samples, Space(family, tuple(f"class {i}" for i in range(classes)), ids=ids))


@pytest.mark.parametrize("ids", [(), (0, 7, 90), (0, 128, 255), (5, 2, 1000)])
@pytest.mark.parametrize("to", ["masks", "rle", "csv"])
def test_class_maps_are_read_back(tmp_path, to, ids):
    data = sets("Segmentation", ids=ids, splits=["train", "train", "val", "test"])
    again = convert(data, tmp_path / "out", to=to)
    assert again.space == data.space and again.splits == {"train": 2, "val": 1, "test": 1}
    by_name = {sample.id.rpartition("/")[2]: sample for sample in again}
    for before in data:
        after = by_name[before.id]
        assert (before.label is None) == (after.label is None) and (before.label is None or before.label.to_dict() == after.label.to_dict())
    if to == "masks":
        with Image.open(tmp_path / "out" / "masks" / "test" / "3.png") as image:
            assert image.mode == ("I;16" if 1000 in ids else "P")


def test_more_than_255_classes(tmp_path):
    values = np.arange(300).reshape(15, 20)
    data = Dataset([Sample("a.png", {"image": np.zeros((15, 20), np.uint8)}, Segmentation(values, None, 65535))], Space("Segmentation", tuple(map(str, range(300)))))
    again = convert(data, tmp_path / "out", to="masks")
    assert (again[0].label.classes == values).all() and again[0].label.ignore == 65535


@pytest.mark.parametrize("to", ["masks", "rle"])
@pytest.mark.parametrize("classes,ids", [(1, ()), (1, (4,)), (3, ()), (3, (9, 2, 4)), (3, (1, 2, 90000))])
def test_things_are_read_back(tmp_path, to, classes, ids):
    data = sets("Detections", classes, ids)
    again = convert(data, tmp_path / "out", to=to)
    assert again.space.names == data.space.names and (again.space.ids == ids or 90000 in ids)
    for before, after in zip(data, again):
        assert (before.label is None) == (after.label is None)
        if before.label is not None:
            known = [[(int(kind), outline.to_dict()["counts"]) for kind, outline in zip(x.classes, x.outlines or ())] for x in (before.label, after.label)]
            assert sorted(known[0]) == sorted(known[1])


def test_what_cannot_be_held_is_named(tmp_path):
    two = tuple(Outline.of(map_of((1, 0, 0, 4, last)) > 0) for last in (6, 3))
    label = Detections(np.array([[0, 0, 6, 4], [0, 0, 3, 4]]), np.array([0.5, 1]), None, outlines=two)
    data = Dataset([Sample("a.png", {"image": np.zeros((H, W), np.uint8)}, label, group="g")], Space("Detections", ("cell",)))
    with pytest.raises(DataError, match=r"masks cannot hold scores \(1\), things that others overlap \(1\), groups \(1\)"):
        convert(data, tmp_path / "a", to="masks")
    again = convert(data, tmp_path / "b", to="masks", lossy=True)
    assert again[0].label.boxes.tolist() == [[3, 0, 6, 4], [0, 0, 3, 4]] and "left out: 1 things that others overlap" in again.notes
    with pytest.raises(DataError, match=r"rle cannot hold scores \(1\) fix"):
        convert(data, tmp_path / "c", to="rle")
    again = convert(data, tmp_path / "d", to="rle", lossy=True)
    assert again[0].group == "g" and [outline.area() for outline in again[0].label.outlines] == [24, 12]
    boxes = Dataset([Sample("a.png", {"image": np.zeros((H, W), np.uint8)}, Detections([[0, 0, 6, 4], [1, 1, 4, 4]], outlines=(Polygons((np.array([[0, 0], [6, 0], [0, 4]]),)), None)))], data.space)
    with pytest.raises(DataError, match=r"corners of polygons \(1\)") as error:
        convert(boxes, tmp_path / "e", to="masks")
    assert "things without an outline (1)" in str(error.value)
    soft = Dataset([Sample("a.png", {"image": np.zeros((2, 2), np.uint8)}, Segmentation(np.array([[0, 255], [1, 1]]), np.zeros((2, 2, 2))))], Space("Segmentation", ("background", "b")))
    with pytest.raises(DataError, match=r"rle cannot hold probabilities \(1\)"):
        convert(soft, tmp_path / "f", to="rle")
    again = convert(soft, tmp_path / "f", to="rle", lossy=True)
    assert again[0].label.classes.tolist() == [[0, 255], [1, 1]] and (tmp_path / "f" / "runs.csv").read_text().endswith("images/a.png,2 1 4 1,b\nimages/a.png,3 1,255\n")
    soft[0].label = Segmentation(np.full((2, 2), 7))
    with pytest.raises(DataError, match="a pixel of a class without a name"):
        convert(soft, tmp_path / "g", to="masks")
    with pytest.raises(DataError, match="family Classification do not fit"):
        convert(Dataset([], Space("Classification", ("a",))), tmp_path / "h", to="masks")


def test_from_coco_run_lengths_to_masks_and_back(tmp_path):
    data = sets("Detections", 2, (1, 2))
    convert(data, tmp_path / "coco", to="coco")
    convert(tmp_path / "coco", tmp_path / "masks", to="masks")
    back = convert(tmp_path / "masks", tmp_path / "again", to="coco")
    assert sum(len(label) for label in back.labels if label is not None) == sum(len(label) for label in data.labels if label is not None)
    assert all(isinstance(outline, Runs) for label in back.labels if label is not None for outline in label.outlines or ())
