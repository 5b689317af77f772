"""The matrix: columns found by their files, no verb without one, rows by outside files, verdicts, the page; the whole behind -m slow."""

import json
from pathlib import Path

import pytest

import vidi.testing
from vidi.core import discovery
from vidi.errors import ChoiceError, InputError, StoppedEarly
from vidi.testing.matrix import __main__ as command
from vidi.testing.matrix import _run
from vidi.testing.matrix._cell import BUG, FAIL, NO, PASS, VERDICTS, Cell, Found, NoModel, verdict_of
from vidi.testing.matrix._exempt import EXEMPT
from vidi.testing.matrix._table import Column, Matrix
from vidi.testing.matrix._toys import net_of

HOME = Path(__file__).parent.parent
REFUSES = {"classify": {"crops", "anchors", "track"}, "multilabel": {"crops", "anchors", "track"}, "regress": {"crops", "anchors", "track"},
           "embed": {"crops", "anchors", "track"}, "semantic": {"crops", "anchors", "track"}, "detect": set(), "instance": set(), "track": set()}  # fmt: skip
"""By task, the verbs that have nothing to do there."""

TASK = '''
"""How bright a picture is."""
import numpy as np
from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.core.task import Task
from vidi.labels import Regression

def toy(count=200, seed=0):
    random = np.random.default_rng(seed)
    levels = random.uniform(20, 230, count)
    parts = ["train", "train", "val", "test"]
    pixels = [np.clip(random.normal(level, 9, (16, 16, 3)), 0, 255).astype(np.uint8) for level in levels]
    samples = [Sample(f"b{i}", {"image": pixels[i]}, Regression(np.array([levels[i]], np.float32)), parts[i % 4]) for i in range(count)]
    return Dataset(samples, Space("Regression", ("level",)), name="levels", format="toy")

task = Task(family="Regression", head="regression", net=lambda size: "small", metrics=("mae",), primary="mae", higher_is_better=False,
            columns="numbers", toy=toy, meaning="how bright a picture is")
'''


def test_every_verb_has_a_column_or_a_reason():
    assert _run.holes() == []
    assert not [name for name in EXEMPT if name not in discovery.names("verbs")], "an exemption of a verb that is gone"
    for column in _run.columns():
        assert column.check is not None and len(column.behavior) > 20, column.name
    assert all(name in discovery.names(_run.ROOM) for name in _run.ORDER)


def test_a_verb_without_a_column_is_a_hole(monkeypatch):
    names = discovery.names
    monkeypatch.setattr(discovery, "names", lambda room: [*names(room), "zap"] if room == "verbs" else names(room))
    assert _run.holes() == ["zap"]
    hole = _run.columns()[-1]
    assert (hole.name, hole.check) == ("zap", None)
    cell = _run._try(type("Row", (), {"name": "classify"})(), hole)
    assert cell.verdict == FAIL and "testing/matrix/zap.py" in cell.words


def test_what_an_error_makes_of_a_cell():
    assert verdict_of(InputError("not here", value="x", fix="try there")) == (NO, "not here (x); try there")
    assert verdict_of(InputError("not here", value="/home/me", fix="there")) == (NO, "not here; there")
    assert verdict_of(InputError("not here")) == (FAIL, "refuses without an alternative: not here")
    assert verdict_of(StoppedEarly("stopped"))[0] == FAIL and verdict_of(NoModel("none"))[0] == FAIL
    try:
        discovery.load("tasks", 3)
    except Exception as error:
        verdict, words = verdict_of(error)
    assert verdict == BUG and "AttributeError at core/discovery.py:" in words


def test_the_page_has_a_place_for_every_cell():
    table = Matrix([Column("train", ("train",), "It learns", lambda row: Found(True, "1")), Column("track", ("track",), "It follows", None)])
    assert "0 pass" in table.text() and table.markdown() and table.counts == dict.fromkeys(VERDICTS, 0)
    table.rows = {name: {"net": "small"} for name in ("a", "b", "c")}
    table.cells = [
        Cell("a", "train", PASS, "score 1 | 2", {"score": 1.0}), Cell("a", "track", NO, "only things; detect"), Cell("b", "train", BUG, "KeyError at x.py:1"),
        Cell("b", "track", NO, "only things; detect"), Cell("c", "train", FAIL, "0 < 1"), Cell("c", "track", PASS, "ok", {}, "a part refuses"),
    ]  # fmt: skip
    page = table.markdown()
    assert "| **train** | score 1 \\| 2 | **bug** (1) | **fail** (2) |\n| **track** | no (3) | no (3) | ok (4) |" in page
    assert page.count("only things; detect") == 1 and "0 &lt; 1" in page and "a part refuses" in page
    assert "2 pass, 2 no, 1 fail, 1 bug" in page and all(f"* `{verb}`" in page for verb in EXEMPT)
    assert [cell.row for cell in table.faults] == ["b", "c"] and table["c", "track"].words == "ok"
    told = json.loads(json.dumps(table.to_dict()))
    assert told["kind"] == "matrix" and told["numbers"]["a.train.score"] == 1.0 and told["numbers"]["pass"] == 2 and len(told["about"]["cells"]) == 6
    assert "FAIL 0 < 1" in table.text() and "only things" in table.text()


def test_rows_and_columns_are_found_by_name_or_path(tmp_path):
    with pytest.raises(ChoiceError, match="clasify"):
        vidi.testing.matrix(["clasify"])
    with pytest.raises(ChoiceError, match="trian"):
        vidi.testing.matrix(["classify"], ["trian"])
    with pytest.raises(InputError, match="none of the tasks"):
        vidi.testing.matrix(["regress"], ["augment"], nets="unet")
    column = tmp_path / "bright.py"
    column.write_text('"""Pictures are not black."""\nfrom vidi.testing.matrix._cell import Found\ndef check(row):\n    return Found(row.data[0].inputs["image"].max() > 0, "bright")\n')
    table = vidi.testing.matrix(["regress", "classify"], [str(column)], nets=["small", "resnet(stem=small, width=4)"])
    assert list(table.rows) == ["regress · small", "regress · resnet", "classify · small", "classify · resnet"]
    assert {cell.verdict for cell in table.cells} == {PASS} and table.columns[0].behavior == "Pictures are not black"
    late = vidi.testing.matrix(["regress"], [str(column)], seconds=0)
    assert late.cells[0].verdict == FAIL and "not begun" in late.cells[0].words
    assert net_of("small", "softmax") == ("small", {"widths": [16, 32]}) and net_of("small(depth=3)", "softmax")[1] == {"depth": 3}


def test_a_few_columns_of_two_tasks(tmp_path, capsys):
    page, values = tmp_path / "page.md", tmp_path / "values.json"
    columns = "augment,train,save,val,predict,crops,track,attack"
    code = command.main(["--tasks", "classify,regress", "--verbs", columns, "--out", str(page), "--out", str(values)])
    told = json.loads(values.read_text())
    verdicts = {(cell["row"], cell["column"]): (cell["verdict"], cell["words"]) for cell in told["about"]["cells"]}
    for row in ("classify", "regress"):
        refused = {column for column in columns.split(",") if verdicts[row, column][0] == NO}
        assert refused <= REFUSES[row] and code == bool(told["numbers"]["fail"])
        assert all(verdicts[row, column][0] == PASS for column in columns.split(",") if column not in REFUSES[row]), verdicts
    assert told["numbers"]["classify.train.accuracy"] > 0.8 > told["numbers"]["classify.train.untrained_accuracy"]
    assert "classify" in capsys.readouterr().out and "**attack**" in page.read_text()


def test_a_task_and_a_net_from_outside_add_their_rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = Path("./level.py")
    task.write_text(TASK)
    columns = ["doctor", "convert", "train", "val", "benchmark", "track"]
    table = vidi.testing.matrix(["./level.py"], columns, nets=[str(HOME / "examples/nets/tiny.py") + "(width=4)"])
    assert list(table.rows) == ["level · tiny"] and {cell.column: cell.verdict for cell in table.cells} == {**dict.fromkeys(columns, PASS), "track": NO}, table.text()
    assert vidi.testing.matrix(["./level.py"], ["augment"])["level", "augment"].verdict == PASS


@pytest.mark.slow
def test_the_whole_matrix_has_no_hole_and_its_page_is_the_one_in_the_docs(tmp_path):
    table = vidi.testing.matrix()
    assert not table.faults, table.text()
    assert len(table.cells) == len(discovery.names("tasks")) * len(_run.columns())
    for row in table.rows:
        assert {cell.column for cell in table.cells if cell.row == row and cell.verdict == NO} == REFUSES.get(row, set()), row
    page = (HOME / "docs/matrix.md").read_text()
    for column in table.columns:
        assert f"| **{column.name}** |" in page and f"* **{column.name}**: {column.behavior}." in page, "run `make matrix`"
