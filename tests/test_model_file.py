"""Model files: what goes in comes out, and hostile files are refused before anything happens."""

import io
import json
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch

from vidi.core.container import Container, write_container
from vidi.core.preprocess import Preprocess
from vidi.core.space import Space
from vidi.core.tensors import dump, parse
from vidi.errors import ModelError, ResourceError, VidiError
from vidi.model import Model, build_net, code_of, load, make_card


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    options = {"widths": [8, 8]}
    net = build_net("small", "softmax", Space("Classification", ("a", "b", "c")), options)
    card = make_card(net, task="classify", name="small", options=options, head="softmax", preprocess=Preprocess((16, 16)))
    return Model(net, card)


@pytest.fixture
def file(model, tmp_path):
    return model.save(tmp_path / "m.vidi")


def members(path):
    with Container(path) as container:
        return {name: container.read(name) for name in container.names}


def rewritten(path, **changes):
    write_container(path, {**members(path), **changes})
    return path


def test_a_saved_model_answers_as_before(model, file):
    picture = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    again = load(file)
    assert again.card.label_space.names == ("a", "b", "c")
    assert again([picture])[0].to_dict() == model([picture])[0].to_dict()
    assert again([]) == []


def test_saving_twice_gives_the_same_weights(model, tmp_path):
    one, two = members(model.save(tmp_path / "1.vidi")), members(model.save(tmp_path / "2.vidi"))
    assert one == two


class Evil:
    def __reduce__(self):
        import os

        return os.mkdir, ("EXECUTED",)


@pytest.mark.parametrize("name", ["evil.vidi", "evil.safetensors", "evil.pt"])
def test_a_pickle_is_refused_unread(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ModelError, match="not a vidi file") as caught:
        load(path)
    assert caught.value.value == "pickle" and caught.value.exit_code == 2
    assert not (tmp_path / "EXECUTED").exists()


def test_a_torch_pickle_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"x": Evil()}, tmp_path / "m.vidi")
    with pytest.raises(ModelError, match="pickled"):
        load(tmp_path / "m.vidi")
    assert not (tmp_path / "EXECUTED").exists()


def test_the_type_is_told_by_content(tmp_path):
    path = tmp_path / "m.vidi"
    path.write_bytes(dump({"a": torch.zeros(2)}))
    with pytest.raises(ModelError) as caught:
        load(path)
    assert caught.value.value == "safetensors"
    path.write_bytes(b"")
    with pytest.raises(ModelError) as caught:
        load(path)
    assert caught.value.value == "empty file"


def test_deflated_members_are_refused_before_inflating(file):
    data = members(file)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in data.items():
            archive.writestr(name, content)
        archive.writestr("reports/bomb", b"\0" * 100_000_000)
    with pytest.raises(ResourceError, match="compressed"):
        load(file)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a\\..\\b", "c:x"])
def test_members_that_lead_outside_are_refused(file, name):
    with pytest.raises(ModelError, match="outside"):
        load(rewritten(file, **{name: b"x"}))


def test_a_flipped_byte_is_noticed(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(ModelError, match="damaged|not those"):
        load(file)


def test_a_cut_file_is_noticed(file):
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelError, match="not a vidi file"):
        load(file)


def header(entries, body=b"", length=None):
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


FLOATS = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "data",
    [
        header({}, length=2**40),
        header({"a": FLOATS}, b"\0" * 7),
        header({"a": FLOATS, "b": FLOATS}, b"\0" * 8),
        header({"a": {**FLOATS, "data_offsets": [4, 12]}}, b"\0" * 12),
        header({"a": FLOATS}, b"\0" * 8 + b"PK\3\4trailing"),
        header(b'{"a":' + json.dumps(FLOATS).encode() + b',"a":' + json.dumps(FLOATS).encode() + b"}", b"\0" * 8),
        header({"a": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 8]}}, b"\0" * 8),
        header({"a": {"dtype": "F32", "shape": [2**40, 0], "data_offsets": [0, 0]}}),
        header({"../../a": FLOATS}, b"\0" * 8),
        b"short",
    ],
    ids=["header", "truncated", "overlap", "hole", "trailing", "duplicate", "overflow", "huge-zero", "name", "short"],
)
def test_broken_safetensors_are_refused(data):
    with pytest.raises(ModelError):
        parse(data, "x.safetensors")


def test_good_safetensors_pass():
    tensors = {"a": torch.randn(3, 2), "b": torch.zeros(0), "c": torch.tensor(3), "d": torch.randn(2).bfloat16()}
    again = parse(dump(tensors))
    assert all(torch.equal(tensors[key], again[key]) for key in tensors)
    assert parse(dump({})) == {}


def test_weights_that_do_not_fit_are_listed(model, file):
    state = model.net.state_dict()
    state.pop("head.linear.weight")
    state["extra"] = torch.zeros(1)
    card = json.loads(members(file)["model.json"])
    rewritten(file, **{"weights.safetensors": dump(state), "model.json": json.dumps({**card, "weights_sha256": ""}).encode()})
    with pytest.raises(ModelError, match="do not fit") as caught:
        load(file)
    assert "head.linear.weight: expected (3, 8), missing" in caught.value.at and "extra" in caught.value.at


def test_changed_weights_are_noticed(model, file):
    state = {key: value + 0 for key, value in model.net.state_dict().items()}
    state["head.linear.weight"] = state["head.linear.weight"] + 1
    with pytest.raises(ModelError, match="not those"):
        load(rewritten(file, **{"weights.safetensors": dump(state)}))


def test_nan_weights_are_refused_unless_wanted(model, file, tmp_path):
    state = model.net.state_dict()
    state["head.linear.weight"] = torch.full_like(state["head.linear.weight"], float("nan"))
    card = json.loads(members(file)["model.json"])
    rewritten(file, **{"weights.safetensors": dump(state), "model.json": json.dumps({**card, "weights_sha256": ""}).encode()})
    with pytest.raises(ModelError, match="NaN"):
        load(file)
    broken = load(file, allow_nonfinite=True)
    with pytest.raises(ModelError, match="not saved"):
        broken.save(tmp_path / "n.vidi")
    assert not (tmp_path / "n.vidi").exists()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format": 99}, "format version"),
        ({"surprise": 1}, "Extra inputs"),
        ({"net": "../../evil.py"}, "not run unless named"),
        ({"net": "no_such_net"}, "no 'no_such_net' in nets"),
        ({"preprocess": {"size": [10**6, 4], "fit": "crop", "fill": 0}}, "preprocess"),
        ({"thresholds": [0.5]}, "threshold"),
        ({"space": {"family": "Evil", "names": [], "exclusive": True}}, "family"),
        ({"net_options": {"no_option": 3}}, "refuses"),
        ({"net_options": {"in_channels": -1}}, "refuses"),
    ],
)
def test_a_wrong_card_is_refused(file, change, match):
    card = json.loads(members(file)["model.json"])
    with pytest.raises(VidiError, match=match) as caught:
        load(rewritten(file, **{"model.json": json.dumps({**card, **change}).encode()}))
    assert caught.value.exit_code == 2


EVIL = "evil.py"
SPELLINGS = [
    {"net": f"./{EVIL}"},
    {"net": f" ./{EVIL} "},
    {"net": f"x(/../{EVIL}"},
    {"head": f"x(/../{EVIL}"},
    {"task": f"./{EVIL}"},
    {"task": f"x(/../{EVIL}"},
    {"net_options": {"widths": [8, 8], "head_options": {"head": f"./{EVIL}"}}},
    {"net": "fcos", "head": f"./{EVIL} (width=8)"},
    {"net": "fcos", "head": "boxes", "net_options": {"backbone": f"./{EVIL} (width=8)"}},
    {"net": "fcos", "head": "boxes", "net_options": {"backbone": [f"./{EVIL}"]}},
    {"net": "fcos", "head": "boxes", "net_options": {"neck": {"name": f"./{EVIL}"}}},
]


@pytest.mark.parametrize("change", SPELLINGS, ids=str)
def test_a_card_never_runs_a_file_however_it_is_spelled(file, change, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / EVIL).write_text("open('EXECUTED', 'w').close()\n")
    card = json.loads(members(file)["model.json"])
    rewritten(file, **{"model.json": json.dumps({**card, **change}).encode()})
    for code in ((), ("other.py",)):
        with pytest.raises(VidiError) as caught:
            load(file, code=code)
        assert caught.value.exit_code == 2
    assert not (tmp_path / "EXECUTED").exists()


def test_a_task_that_is_a_file_is_run_where_it_is_named(file, tmp_path):
    card = json.loads(members(file)["model.json"])
    rewritten(file, **{"model.json": json.dumps({**card, "task": "./mine.py"}).encode()})
    (tmp_path / "mine.py").write_text("task = None\n")
    assert load(file, code=[tmp_path / "mine.py"]).card.task == str(tmp_path / "mine.py")


def test_files_of_one_name_are_told_apart_by_their_path(tmp_path):
    part = "from vidi.nets.{0} import {1}\n"
    for folder, what in (("a (1)", part.format("fcos", "net")), ("b", part.format("small", "backbone")), ("c", part.format("necks.fpn", "neck"))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(what)
    name, options = str(tmp_path / "a (1)" / "mine.py"), {"backbone": f"{tmp_path}/b/mine.py(widths=[8,16,32])", "neck": f"{tmp_path}/c/mine.py", "width": 16}
    net = build_net(name, "boxes", Space("Detections", ("a",)), options)
    card = make_card(net, task="detect", name=name, options=options, head="boxes", preprocess=Preprocess((32, 32)))
    file = Model(net, card).save(tmp_path / "m.vidi")
    assert len(code_of(card)) == 3 and load(file, code=code_of(card)).names == ("a",)
    with pytest.raises(ModelError, match="not run unless named"):
        load(file)


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"a":1,"a":2}', b"\xff\xfe", b"[" * 100_000, b'{"format": NaN}'])
def test_a_broken_card_is_refused(file, text):
    with pytest.raises(VidiError) as caught:
        load(rewritten(file, **{"model.json": text}))
    assert caught.value.exit_code == 2


def test_a_full_disk_leaves_the_old_file(model, file, monkeypatch):
    before = file.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ResourceError, match="disk full") as caught:
        model.save(file)
    assert caught.value.exit_code == 3 and file.read_bytes() == before
    assert list(file.parent.glob(".*.tmp")) == []


def test_features_of_any_layer(model):
    picture = np.zeros((16, 16, 3), np.uint8)
    found = model.features([picture, picture], layers=["features", "block1", "backbone.blocks.1"])
    assert found["features"].shape == (2, 8) and found["block1"].shape[:2] == (2, 8)
    with pytest.raises(VidiError, match="no such layer"):
        model.features([picture], layers=["blok1"])
    assert not any(module._forward_hooks for module in model.net.modules())


def test_everything_in_a_model_file_is_plain(file):
    with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {"model.json", "weights.safetensors", "README.md"} <= set(archive.namelist())
