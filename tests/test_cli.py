"""The command line: words to arguments, errors to one line and an exit code, nothing heavy before it is needed."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from vidi.cli import main
from vidi.cli.parse import parse
from vidi.cli.signature import load_verb, verb_names
from vidi.core import discovery
from vidi.data.save import write_dataset
from vidi.errors import InputError


def run(capsys, *words):
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


def test_spellings_of_an_argument_are_the_same():
    verb = load_verb("val")
    expected = {"model": "m.vidi", "data": "d", "batch": 8, "split": "test", "gate": ["accuracy>=0.9", "ece<0.1"]}
    assert parse(verb, ["m.vidi", "d", "--batch", "8", "--split=test", "gate=accuracy>=0.9", "--gate", "ece<0.1"]) == expected
    assert parse(verb, ["m.vidi", "batch=8", "d", "split=test", "--gate", "accuracy>=0.9, ece<0.1"]) == expected


def test_flags_take_no_value_or_one():
    verb = load_verb("train")
    assert parse(verb, ["d", "--resume"]) == {"data": "d", "resume": True}
    assert parse(verb, ["d", "--resume", "false"]) == {"data": "d", "resume": False}
    assert parse(verb, ["d", "doctor=no", "--lr", "0.1", "freeze=2"]) == {"data": "d", "doctor": False, "lr": "0.1", "freeze": "2"}


@pytest.mark.parametrize(
    ("words", "match"),
    [(["m"], "needs data"), (["m", "d", "x"], "too many"), (["m", "d", "--bach", "3"], "unknown"), (["m", "d", "batch=x"], "type"), (["m", "d", "batch=1", "batch=2"], "twice"), (["m", "d", "--batch"], "without its value")],
)
def test_wrong_words_are_refused(words, match):
    with pytest.raises(InputError, match=match):
        parse(load_verb("val"), words)


def test_every_verb_explains_itself_and_names_no_torch(capsys):
    for name in verb_names():
        code, out, _ = run(capsys, name, "--help")
        assert code == 0 and out.startswith(f"vidi {name}") and "--json" in out
        for argument in load_verb(name).arguments.values():
            assert argument.words, f"{name} {argument.name}"
    code, out, _ = run(capsys, "--help")
    assert code == 0 and all(name in out for name in verb_names())


def test_help_and_import_do_not_load_torch():
    code = "import sys, vidi; from vidi.cli import main; main(['--help']); main(['train', '--help']); heavy = {'torch', 'numpy', 'PIL'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_errors_are_one_line_with_the_right_code(capsys, tmp_path):
    code, out, err = run(capsys, "trian")
    assert code == 2 and out == "" and err.startswith("error: CHOICE") and "train" in err and err.count("\n") == 1
    code, out, err = run(capsys, "inspect", tmp_path / "none.vidi")
    assert code == 2 and err.startswith("error: MODEL file=")
    code, out, err = run(capsys, "inspect", tmp_path / "none.vidi", "--json")
    assert code == 2 and json.loads(out)["about"]["code"] == "MODEL" and err == ""


def test_a_bug_is_called_a_bug(capsys, monkeypatch):
    monkeypatch.setattr("vidi.cli.signature.load_verb", lambda name: 1 / 0)
    code, _, err = run(capsys, "list")
    assert code == 1 and err.startswith("error: BUG rule=ZeroDivisionError") and "Traceback" not in err


def test_what_the_system_refuses_is_no_bug(capsys, monkeypatch):
    def refuse(name):
        raise PermissionError(13, "Permission denied", "/locked/file")

    monkeypatch.setattr("vidi.cli.signature.load_verb", refuse)
    code, _, err = run(capsys, "list")
    assert code == 3 and err.startswith("error: RESOURCE file=/locked/file rule=the system refuses: Permission denied") and err.count("\n") == 1


def test_list_shows_the_choices(capsys):
    code, out, _ = run(capsys, "list", "--json")
    assert code == 0 and json.loads(out)["numbers"]["choices"] > 5
    for what in ("tasks", "nets", "augmentations", "recipe", "recipes", "formats"):
        assert run(capsys, "list", what)[0] == 0
    assert run(capsys, "list", "nts")[0] == 2


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    data = write_dataset(discovery.load("tasks", "classify").task.toy(160, 0), folder / "data")
    words = ["train", data, f"project={folder / 'runs'}", "name=a", "net=small", "widths=[16,32]", "epochs=8", "lr=5e-3", "threads=1", "--json"]
    done = subprocess.run([sys.executable, "-m", "vidi", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder, data, json.loads(done.stdout)


def test_train_prints_one_object(trained):
    folder, _, printed = trained
    assert set(printed) == {"kind", "numbers", "about"} and 0.5 < printed["numbers"]["test.accuracy"] <= 1
    assert (folder / "runs/classify/a/weights/last.vidi").exists()


def test_val_predict_inspect_features_benchmark_compare(trained, capsys, tmp_path):
    folder, data, printed = trained
    model = folder / "runs/classify/a/weights/last.vidi"
    code, out, _ = run(capsys, "val", model, data, "--json", "--out", tmp_path / "val")
    numbers = json.loads(out)["numbers"]
    assert code == 0 and numbers["accuracy"] == pytest.approx(printed["numbers"]["test.accuracy"])
    low, high = json.loads(out)["about"]["intervals"]["accuracy"]
    assert low <= numbers["accuracy"] <= high and (tmp_path / "val/report.html").stat().st_size > 5000
    assert run(capsys, "val", model, data, "--gate", "accuracy>=1.01")[0] == 2

    Image.fromarray(np.full((30, 40, 3), 90, np.uint8)).save(tmp_path / "gray.png")
    code, out, _ = run(capsys, "predict", model, tmp_path / "gray.png", "--out", tmp_path / "out")
    assert code == 0 and "gray.png" in out
    assert (tmp_path / "out/predictions.csv").read_text().startswith("path,class1,probability1")
    assert len(json.loads((tmp_path / "out/predictions.json").read_text())["predictions"]) == 1

    code, out, _ = run(capsys, "inspect", model)
    assert code == 0 and "disc" in out
    code, out, _ = run(capsys, "features", model, tmp_path / "gray.png", "--layer", "block1,features", "--out", tmp_path / "f")
    assert code == 0
    arrays = np.load(tmp_path / "f/features.npz")
    assert arrays["block1"].shape[:2] == (1, 16) and arrays["features"].shape == (1, 32)
    code, out, _ = run(capsys, "benchmark", model, "runs=3", "--json")
    measured = json.loads(out)["numbers"]
    assert code == 0 and measured["latency_p50_ms"] > 0 and measured["multiply_adds"] > 1000
    code, out, _ = run(capsys, "compare", tmp_path / "val", folder / "runs/classify/a", "--json")
    assert code == 0 and json.loads(out)["kind"] == "compare"


def test_a_broken_picture_is_named(trained, capsys, tmp_path):
    folder, _, _ = trained
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnope")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "good.png")
    model = folder / "runs/classify/a"
    code, _, err = run(capsys, "predict", model, tmp_path)
    assert code == 2 and "bad.png" in err and err.count("\n") == 1
    for words in (("predict", model, tmp_path / "good.png"), ("features", model, tmp_path / "good.png"), ("benchmark", model)):
        code, _, err = run(capsys, *words, "batch=0")
        assert code == 2 and "at=batch" in err and err.count("\n") == 1
    code, _, err = run(capsys, "predict", model, tmp_path / "good.png", "--out", tmp_path / "good.png")
    assert code == 2 and "not a folder" in err and err.count("\n") == 1
    code, _, err = run(capsys, "val", model, folder, "split=trian")
    assert code == 2 and err.count("\n") == 1
    code, out, _ = run(capsys, "predict", model, tmp_path, "bad_samples=skip")
    assert code == 0 and "left out" in out and "good.png" in out
