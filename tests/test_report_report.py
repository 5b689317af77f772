"""The Report noun: its JSON, summary, terminal text, comparison and gate."""

import json
import math

import numpy as np
import pytest

from vidi.errors import InputError
from vidi.report import Report
from vidi.report._plain import number, plain, shorten, visible
from vidi.report.compare import compare
from vidi.report.gate import gate
from vidi.verbs.compare import compare as compare_verb


def example():
    return Report(
        "val",
        {"accuracy": 0.91, "ece": np.float32(0.25), "mae": None},
        {"model": "a.vidi", "data": "digits", "higher_is_better": {"accuracy": True, "ece": False}},
        {"accuracy": (0.88, np.float64(0.94))},
        {"accuracy": 400, "ece": np.int64(400)},
        [{"kind": "table", "title": "t", "columns": ["a"], "rows": [[1]]}],
    )


def test_json_schema_snapshot():
    """What is on disk. Change it only with a new version number."""
    assert json.loads(json.dumps(example().to_dict())) == {
        "format": "vidi-report",
        "version": 1,
        "kind": "val",
        "numbers": {"accuracy": 0.91, "ece": 0.25, "mae": None},
        "intervals": {"accuracy": [0.88, 0.94]},
        "n": {"accuracy": 400, "ece": 400},
        "about": {"model": "a.vidi", "data": "digits", "higher_is_better": {"accuracy": True, "ece": False}},
        "sections": [{"kind": "table", "title": "t", "columns": ["a"], "rows": [[1]]}],
    }
    assert list(example().to_dict()) == ["format", "version", "kind", "numbers", "intervals", "n", "about", "sections"]


def test_empty_report_survives_everything(tmp_path):
    empty = Report("val")
    assert Report.load(empty.save(tmp_path / "r.json")).to_dict() == empty.to_dict()
    assert empty.text() == "val\nno numbers" and empty.summary() == {
        "kind": "val",
        "numbers": {},
        "about": {"n": {}, "intervals": {}},
    }
    assert gate(empty, []) == [] and compare(empty, empty).numbers == {}
    assert empty.html(tmp_path / "r.html").read_text().startswith("<!doctype html>")


def test_save_and_load_are_inverse(tmp_path):
    report = example()
    again = Report.load(report.save(tmp_path / "deep" / "r.json"))
    assert again.to_dict() == report.to_dict() and again.intervals == {"accuracy": (0.88, 0.94)}
    assert again.summary() == {
        "kind": "val",
        "numbers": {"accuracy": 0.91, "ece": 0.25, "mae": None},
        "about": report.about | {"n": {"accuracy": 400, "ece": 400}, "intervals": {"accuracy": [0.88, 0.94]}},
    }


def test_what_json_cannot_hold_becomes_plain(tmp_path):
    report = Report(
        "val", {"a": math.nan, "b": np.inf}, {"path": tmp_path, "set": {2, 1}, "name": "bad\udcff"}, {"a": (math.nan, 1)}
    )
    values = Report.load(report.save(tmp_path / "r.json"))
    assert values.numbers == {"a": None, "b": None} and values.intervals == {}
    assert values.about == {"path": str(tmp_path), "set": [1, 2], "name": "bad\\udcff"}
    assert plain(np.array([[1.0, np.nan]])) == [[1.0, None]] and plain({1: (True, np.bool_(False))}) == {"1": [True, False]}


@pytest.mark.parametrize(
    "change, at",
    [
        (lambda v: v.update(format="x"), "/format"),
        (lambda v: v.update(version=2), "/version"),
        (lambda v: v.update(version=True), "/version"),
        (lambda v: v.update(kind=3), "/kind"),
        (lambda v: v.update(number={}), "/number"),
        (lambda v: v.pop("about"), "/about"),
        (lambda v: v["numbers"].update(a="x"), "/numbers/a"),
        (lambda v: v["numbers"].update(a=True), "/numbers/a"),
        (lambda v: v["intervals"].update(a=[2, 1]), "/intervals/a"),
        (lambda v: v["intervals"].update(a=[1]), "/intervals/a"),
        (lambda v: v["n"].update(a=-1), "/n/a"),
        (lambda v: v["sections"].append([]), "/sections/1"),
    ],
)
def test_damaged_reports_are_refused_with_their_place(tmp_path, change, at):
    values = example().to_dict()
    change(values)
    (tmp_path / "r.json").write_text(json.dumps(values))
    with pytest.raises(InputError) as caught:
        Report.load(tmp_path / "r.json")
    assert caught.value.at == at and caught.value.file == tmp_path / "r.json"


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"format": "vidi-report", "format": "x"}', '{"format": NaN}'])
def test_what_is_no_report_is_refused(tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(InputError):
        Report.load(tmp_path / "r.json")
    with pytest.raises(InputError, match="no such file"):
        Report.load(tmp_path / "none.json")


def test_terminal_text_is_aligned_and_on_its_lines():
    report = example()
    report.numbers["name\nwith\u202eodd"] = 12345.6
    numbers, *tables = report.text().split("\n\n")
    lines = numbers.splitlines()
    assert lines[0] == "val  a.vidi  digits" and len(lines) == 5
    assert lines[1].split("  ")[0] == "accuracy" and "0.8800 … 0.9400" in lines[1] and lines[1].endswith("n 400")
    ends = [line.index(value) + len(value) for line, value in zip(lines[1:], ["0.9100", "0.2500", "–", "12\u2009346"])]
    assert len(set(ends)) == 1 and "\\n" in lines[4] and "\\u202e" in lines[4]


@pytest.mark.parametrize(
    "value, text",
    [(None, "–"), (0.0, "0.0000"), (-0.0, "0.0000"), (1.0, "1.0000"), (0.94234, "0.9423"), (12.345, "12.35"), (1234.5, "1234"), (3, "3"),
     (11181642, "11\u2009181\u2009642"), (1.5e-7, "1.50e−07"), (-0.5, "−0.5000"), (True, "yes"), (2e20, "2.00e+20"), (0.00052, "0.000520"),
     (400.0, "400")],
)  # fmt: skip
def test_numbers_for_people(value, text):
    assert number(value) == text


def test_text_helpers():
    assert number(0.01, signed=True) == "+0.0100" and number(0.0, signed=True) == "0.0000"
    assert shorten("abcdefghij", 5) == "ab…ij" and shorten("abc", 5) == "abc"
    assert visible("a\tb\u200fc\u2028d") == "a\\tb\\u200fc\\u2028d"


def later(accuracy=0.97, interval=(0.95, 0.99), ece=0.3):
    return Report(
        "val",
        {"accuracy": accuracy, "ece": ece, "loss": 1.0},
        {"model": "b.vidi", "data": "digits"},
        {"accuracy": interval},
        {"accuracy": 400},
    )


def test_compare_tells_better_worse_and_noise():
    result = compare(example(), later())
    assert result.numbers["accuracy.difference"] == pytest.approx(0.06) and result.numbers["mae.difference"] is None
    assert result.about["overlap"] == {"accuracy": False, "ece": None, "mae": None, "loss": None}
    assert result.about["verdict"] == {"accuracy": "better", "ece": "worse", "mae": "only in a", "loss": "only in b"}
    noisy = compare(example(), later(0.92, (0.89, 0.95), 0.25))
    assert noisy.about["verdict"]["accuracy"] == "within noise" and noisy.about["verdict"]["ece"] == "equal"
    unknown = compare(Report("val", {"x": 1.0, "y": None}), Report("val", {"x": 2.0, "y": 1.0}))
    assert unknown.about["verdict"] == {"x": "changed", "y": "not computable"}
    assert compare(later(), example()).numbers["accuracy.difference"] == pytest.approx(-0.06)


def test_interval_of_the_difference_has_its_coverage():
    """MOVER on two independent means: the 95 % interval covers the true difference about 95 times in 100."""
    rng, covered = np.random.default_rng(0), 0
    for _ in range(2000):
        a, b = rng.normal(0.5, 0.03), rng.normal(0.6, 0.01)
        first = Report("val", {"x": a}, intervals={"x": (a - 1.96 * 0.03, a + 1.96 * 0.03)})
        second = Report("val", {"x": b}, intervals={"x": (b - 1.96 * 0.01, b + 1.96 * 0.01)})
        low, high = compare(first, second).intervals["x.difference"]
        covered += low <= 0.1 <= high
    assert 0.935 < covered / 2000 < 0.965


def test_compare_warns_of_other_data(tmp_path):
    other = later()
    other.about["data"] = "mnist"
    result = compare(example(), other)
    assert result.sections[0]["kind"] == "text" and "digits and mnist" in result.sections[0]["text"]
    assert compare(example(), later()).sections[0]["kind"] == "table"
    assert "could not be drawn" not in result.html(tmp_path / "c.html").read_text()


@pytest.mark.parametrize(
    "rule, failure",
    [
        ("accuracy>=0.91", None),
        ("accuracy >= .9", None),
        ("accuracy>0.91", "accuracy>0.91: accuracy is 0.91"),
        ("ece<5e-2", "ece<5e-2: ece is 0.25"),
        ("ece<=0.25", None),
        ("accuracy.low>=0.9", "accuracy.low>=0.9: accuracy.low is 0.88"),
        ("accuracy.high<1", None),
        ("accuracy.n>=400", None),
        ("accuracy.n==399", "accuracy.n==399: accuracy.n is 400"),
        ("accuracy!=0.5", None),
        ("mae<10", "mae<10: mae could not be computed"),
        ("ece.low<1", "ece.low<1: ece has no interval"),
        ("mae.n>1", "mae.n>1: the n of mae is not known"),
        ("acuracy>=0.5", "acuracy>=0.5: the report has no number acuracy; did you mean accuracy?"),
        ("zzz>=0.5", "zzz>=0.5: the report has no number zzz; there are accuracy, ece, mae"),
    ],
)
def test_gate(rule, failure):
    assert gate(example(), [rule]) == ([] if failure is None else [failure])


@pytest.mark.parametrize(
    "rule", ["", "accuracy", "accuracy>=", ">=0.5", "accuracy=0.9", "accuracy>=ninety", "accuracy>=1e999", "a>=1 b"]
)
def test_gate_refuses_what_is_no_rule(rule):
    with pytest.raises(InputError, match="not a rule"):
        gate(example(), [rule])


def test_compare_verb_reads_files_and_run_folders_writes_and_gates(tmp_path):
    example().save(tmp_path / "run" / "report.json")
    later().save(tmp_path / "b.json")
    rules = ["accuracy>=0.95", "accuracy.low>=0.94", "accuracy.difference>0", "accuracy.a<0.92"]
    result = compare_verb(str(tmp_path / "run"), str(tmp_path / "b.json"), gate=rules, out=str(tmp_path / "out"))
    assert result.about["gate_failures"] == [] and Report.load(tmp_path / "out" / "report.json").to_dict() == result.to_dict()
    assert (tmp_path / "out" / "report.html").exists()
    with pytest.raises(InputError, match=r"gate not passed: ece<0.1: ece is 0.3; accuracy.difference>0.2"):
        compare_verb(
            str(tmp_path / "run"),
            str(tmp_path / "b.json"),
            gate=["ece<0.1", "accuracy.difference>0.2"],
            out=str(tmp_path / "c.html"),
        )
    assert "Gate: not passed" in (tmp_path / "c.html").read_text()
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="no report in this folder"):
        compare_verb(str(tmp_path / "bare"), str(tmp_path / "b.json"))
