"""The doctor as a whole: one run finds all faults, changes nothing, and repairs by leaving out."""

import hashlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vidi.core.console import quiet
from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.data import read
from vidi.data.doctor import Examination, examine, repair, rules
from vidi.errors import DataError, InputError
from vidi.labels import Classification
from vidi.verbs.doctor import doctor

HOME = Path(__file__).parent.parent


def texture(seed, height=40, width=48):
    """A distinct colored picture, (height, width, 3) uint8."""
    random = np.random.default_rng(seed)
    rough = Image.fromarray(random.integers(0, 256, (6, 7, 3), dtype=np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(rough) + random.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path):
    """Class folders with splits: 12 pictures per class in train and 6 in val, all sound."""
    root, seed = tmp_path / "data", 0
    for split, count in (("train", 12), ("val", 6)):
        for name in ("cat", "dog"):
            for i in range(count):
                save(root / split / name / f"{i:02}.png", texture(seed := seed + 1))
    return root


def state(root):
    """A digest of every name, size, time and byte under a folder."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        digest.update(f"{path}{path.stat().st_mtime_ns}{path.stat().st_size}".encode())
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def found_by(found: Examination | list, rule):
    return [finding for finding in (found.findings if isinstance(found, Examination) else found) if finding.rule == rule]


def test_sound_data_has_no_findings(folder):
    found = examine(read(folder))
    assert found.findings == [] and found.errors == []
    assert found.facts["classes"]["val"] == {"cat": 6, "dog": 6}
    assert found.facts["imbalance_ratio"] == 1.0 and found.facts["formats"] == {"PNG": 36}
    assert found.summary().startswith("doctor: 36 samples · 0 errors · 0 warnings · 0 notes")
    found.refuse()


def test_every_bad_file_in_one_run_and_nothing_is_changed(folder):
    cat, dog = folder / "train" / "cat", folder / "train" / "dog"
    jpeg = io.BytesIO()
    Image.fromarray(texture(900, 200, 300)).save(jpeg, "JPEG", quality=90)
    (cat / "half.jpg").write_bytes(jpeg.getvalue()[: len(jpeg.getvalue()) // 2])
    (cat / "empty.png").write_bytes(b"")
    (cat / "page.jpg").write_text("<html>not found</html>")
    (cat / "drawing.png").write_text("%!PS-Adobe-3.0 EPSF-3.0")
    (dog / "huge.png").write_bytes(_header_only_png(30_000, 30_000))
    save(dog / "disguised.jpg", texture(901), format="PNG")
    before = state(folder)
    found = examine(read(folder))
    assert state(folder) == before
    bad = {Path(finding.file).name: finding for finding in found.errors}
    assert set(bad) == {"half.jpg", "empty.png", "page.jpg", "drawing.png", "huge.png"}
    assert bad["page.jpg"].value == "HTML" and bad["drawing.png"].value == "PostScript" and bad["empty.png"].value == "empty file"
    assert bad["huge.png"].rule == "huge" and "pixels" in bad["huge.png"].message
    assert "truncated" in bad["half.jpg"].message
    assert [Path(finding.file).name for finding in found_by(found, "disguised")] == ["disguised.jpg"]
    with pytest.raises(DataError, match="5 errors in all"):
        found.refuse()
    rest, dropped = repair(read(folder), found.findings)
    assert dropped == {"huge": 1, "unreadable": 4} and len(rest) == 37
    assert examine(rest).errors == []


def _header_only_png(width, height):
    """A PNG that claims a size and holds almost nothing."""
    import struct
    import zlib

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


def test_table_faults_bear_file_and_line(tmp_path):
    for i in range(12):
        save(tmp_path / f"{i}.png", texture(i))
    rows = ["path,label"] + [f"{i}.png,{'ab'[i % 2]}" for i in range(12)] + ["missing.png,a", "../outside.png,b"]
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    faults = []
    found = examine(read(tmp_path / "labels.csv", faults=faults), faults=faults)
    unusable = found_by(found, "unusable_rows")
    assert len(unusable) == 2 and {finding.severity for finding in unusable} == {"error"}
    assert all("labels.csv" in finding.file for finding in unusable)
    assert {re.search(r"\d+", finding.at)[0] for finding in unusable} == {"14", "15"}


def test_contradiction_duplicate_and_repair(folder):
    source = (folder / "train" / "cat" / "03.png").read_bytes()
    (folder / "train" / "cat" / "copy.png").write_bytes(source)
    (folder / "train" / "dog" / "liar.png").write_bytes((folder / "train" / "cat" / "05.png").read_bytes())
    dataset = read(folder)
    found = examine(dataset)
    (copy,) = found_by(found, "exact_duplicates")
    assert copy.sample.endswith("copy.png") and copy.related[0].endswith("03.png") and "the same file" in copy.message
    assert {Path(finding.sample).name for finding in found_by(found, "label_conflicts")} == {"liar.png", "05.png"}
    rest, dropped = repair(dataset, found.findings)
    assert dropped == {"label_conflicts": 2, "exact_duplicates": 1} and len(rest) == len(dataset) - 3
    assert repair(dataset, []) == (dataset, {})


def test_pixels_count_not_bytes(folder):
    pixels = np.asarray(Image.open(folder / "train" / "cat" / "00.png"))
    save(folder / "train" / "cat" / "other.bmp", pixels)
    (finding,) = found_by(examine(read(folder)), "exact_duplicates")
    assert "the same pixels" in finding.message


def test_leaks_drop_the_training_copy(folder):
    (folder / "train" / "cat" / "leak.png").write_bytes((folder / "val" / "cat" / "02.png").read_bytes())
    dataset = read(folder)
    found = examine(dataset)
    (leak,) = found_by(found, "leaks")
    assert leak.sample == "train/cat/leak.png" and leak.related == ("val/cat/02.png",)
    assert found.facts["leaks"] == 1 and "1 leaks between splits" in found.summary()
    assert found.findings[0].rule == "leaks"
    rest, _ = repair(dataset, found.findings)
    assert "val/cat/02.png" in {sample.id for sample in rest} and "train/cat/leak.png" not in {sample.id for sample in rest}


def test_degenerate_pictures_do_not_break_anything(tmp_path):
    for i, (height, width) in enumerate([(1, 1), (1, 20000), (37, 1), (2, 2), (8, 8), (3, 3)]):
        save(tmp_path / "a" / f"{i}.png", texture(i, height, width))
        save(tmp_path / "b" / f"{i}.png", np.full((height, width), 30 * i, np.uint8))
    found = examine(read(tmp_path))
    assert found.errors == [] and found.facts["readable"] == 12
    assert {Path(finding.file).name for finding in found_by(found, "tiny")} == {"0.png", "1.png", "2.png", "3.png", "5.png"}


def test_nothing_at_all():
    assert examine(Dataset([])).findings == []
    words = Dataset([Sample(str(i), {"tokens": np.arange(3)}, Classification.one_hot(i % 2, 2)) for i in range(30)], Space("Classification", ("x", "y")))
    found = examine(words)
    assert found.findings == [] and found.facts["readable"] == 0


def test_missing_picture_among_pictures():
    samples = [Sample(str(i), {"image": texture(i)}) for i in range(5)] + [Sample("none", {}), Sample("odd", {"image": np.zeros((4, 4, 7), np.uint8)})]
    assert {finding.sample for finding in examine(Dataset(samples)).errors} == {"none", "odd"}


def test_files_and_arrays_look_the_same(tmp_path):
    pixels = [texture(i, 32, 32) for i in range(6)]
    files = Dataset([Sample(str(i), {"image": save(tmp_path / f"{i}.png", one)}) for i, one in enumerate(pixels)])
    encoded = Dataset([Sample(str(i), {"image": (tmp_path / f"{i}.png").read_bytes()}) for i in range(6)])
    first = examine(files).looks
    for other in (examine(encoded).looks, examine(Dataset([Sample(str(i), {"image": one}) for i, one in enumerate(pixels)])).looks):
        assert other.pixels == first.pixels and np.array_equal(other.size, first.size)
        for name in ("mean", "spread", "low", "high", "sharpness"):
            assert np.allclose(getattr(other, name), getattr(first, name), atol=0.02), name
        assert np.allclose(other.color, first.color, atol=1) and np.abs(other.thumb.astype(int) - first.thumb).max() <= 1


def test_workers_and_order_do_not_matter(folder):
    (folder / "train" / "cat" / "copy.png").write_bytes((folder / "train" / "cat" / "01.png").read_bytes())
    runs = [[finding.to_dict() for finding in examine(read(folder), workers=workers).findings] for workers in (1, 4)]
    assert runs[0] == runs[1]


def test_limit_is_said(folder):
    found = examine(read(folder), sample_limit=10)
    assert found.facts["looked_at"] == 10 and "looked at 10 of 36" in found_by(found, "partial_look")[0].message
    assert "not searched" in found_by(examine(read(folder), near_duplicates=False), "partial_look")[0].message


def test_progress_is_told(folder):
    told = []
    examine(read(folder), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (36, 36) and [done for done, _ in told] == sorted(done for done, _ in told)


def test_clusters_keep_copies_together(folder):
    pixels = np.asarray(Image.open(folder / "train" / "cat" / "00.png"))
    save(folder / "train" / "cat" / "copy.png", pixels)
    save(folder / "val" / "cat" / "flipped.png", pixels[:, ::-1])
    dataset = read(folder)
    (group,) = examine(dataset).clusters()
    assert {dataset[row].id for row in group} == {"train/cat/00.png", "train/cat/copy.png", "val/cat/flipped.png"}


def test_hostile_names_stay_on_one_line(folder, tmp_path, capsys):
    name = "evil\n\u202e<img onerror=x>.png"
    (folder / "train" / "cat" / name).write_bytes(b"junk")
    report = doctor(str(folder), out=str(tmp_path / "out"))
    lines = [line for line in capsys.readouterr().err.splitlines() if "evil" in line]
    assert len(lines) == 1 and "\u202e" not in lines[0] and "\\n" in lines[0]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<img onerror" not in page and "\u202e" not in page
    assert json.loads((tmp_path / "out" / "report.json").read_text())["about"]["findings"][0]["sample"] == f"train/cat/{name}"
    assert report.numbers["unreadable"] == 1


def test_verb_reports_and_refuses(folder, tmp_path):
    (folder / "train" / "cat" / "bad.png").write_bytes(b"junk")
    (folder / "train" / "dog" / "leak.png").write_bytes((folder / "val" / "dog" / "02.png").read_bytes())
    before = state(folder)
    with quiet():
        report = doctor(str(folder), out=str(tmp_path / "out"), fix=str(tmp_path / "clean.csv"))
        again = doctor(str(folder))
        clean = doctor(str(tmp_path / "clean.csv"))
    assert state(folder) == before
    assert report.kind == "doctor" and report.numbers["leaks"] == 1 and report.numbers["errors"] == 1
    assert (report.numbers["kept"], report.numbers["dropped"]) == (36, 2)
    assert report.about["refused"] is False and again.about["refused"] is True
    assert clean.numbers["samples"] == 36 and clean.numbers["errors"] == clean.numbers["leaks"] == 0
    assert {"table", "bars", "gallery", "text"} <= {section["kind"] for section in report.sections}
    assert "data:image/" in (tmp_path / "out" / "report.html").read_text()
    json.dumps(again.summary(), allow_nan=False)


@pytest.mark.parametrize("name", ["data/clean.csv", "clean.txt"])
def test_fix_never_touches_the_data(folder, tmp_path, name):
    before = state(folder)
    with pytest.raises(InputError):
        doctor(str(folder), fix=str(tmp_path / name))
    assert state(folder) == before


def test_fix_never_overwrites_the_listing(tmp_path):
    for i in range(4):
        save(tmp_path / f"{i}.png", texture(i))
    table = tmp_path / "labels.csv"
    table.write_text("path,label\n" + "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(4)))
    with pytest.raises(InputError):
        doctor(str(table), fix=str(table))
    assert len(table.read_text().splitlines()) == 5


def test_docs_list_every_rule_as_it_is():
    from vidi.core import discovery

    text = (HOME / "docs" / "doctor.md").read_text()
    listed = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.M))
    assert sorted(listed) == rules()
    for name in rules():
        module = discovery.load("data/rules", name)
        assert listed[name] == f"{module.SEVERITY} | {module.MEANING} | {module.FIX}"
        assert module.SEVERITY in ("error", "warning", "note")


def test_a_finding_prints_as_one_line(folder):
    (folder / "train" / "cat" / "bad.png").write_bytes(b"junk")
    found = examine(read(folder))
    line = str(found.findings[0].error())
    assert line.startswith("error: DATA file=") and "bad.png" in line and "rule=unreadable: not a picture" in line and "\n" not in line
    assert len(found.lines()) == 1
