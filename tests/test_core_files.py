"""Files written whole or not at all, strict JSON and YAML, and paths that stay where they belong."""

import errno
import json
import os
import stat

import pytest

from vidi.core import files
from vidi.core.files import (
    atomic_write,
    csv_plain,
    csv_safe,
    parse_json,
    parse_yaml,
    read_text,
    read_yaml,
    remove_orphans,
    safe_path,
    write_json,
)
from vidi.errors import InputError, ResourceError


def test_write_is_whole_or_nothing(tmp_path):
    path = tmp_path / "sub" / "a.txt"
    with atomic_write(path, "w") as file:
        file.write("one")
    with pytest.raises(RuntimeError), atomic_write(path, "w") as file:
        file.write("two")
        raise RuntimeError
    assert path.read_text() == "one" and [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_written_files_have_ordinary_permissions(tmp_path):
    write_json(tmp_path / "a.json", {"x": 1})
    (tmp_path / "b").touch()
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == stat.S_IMODE((tmp_path / "b").stat().st_mode)


def test_full_disk_is_a_resource_error_and_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, 1)

    def full(handle):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match="disk full"):
        write_json(path, 2)
    assert json.loads(path.read_text()) == 1 and len(list(tmp_path.iterdir())) == 1


def test_orphans_are_removed(tmp_path):
    (tmp_path / ".a.json.x.tmp").touch()
    (tmp_path / "a.json").touch()
    assert remove_orphans(tmp_path) == 1 and [p.name for p in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    "text",
    ['{"a": 1, "a": 2}', "[NaN]", "[Infinity]", "[1e999]", "[" * 100000, "{", "", b"\xff\xfe", "[" + "9" * 5000 + "]", '{"a": {"b": 1, "b": 1}}'],
)
def test_loose_json_is_refused(text):
    with pytest.raises(InputError) as caught:
        parse_json(text, "x.json")
    assert caught.value.file == "x.json"


def test_ordinary_json_is_read():
    assert parse_json('{"a": [1, 2.5, -1e-3, null, true, "ü"]}') == {"a": [1, 2.5, -0.001, None, True, "ü"]}


@pytest.mark.parametrize(
    "text",
    ["a: !!python/object:os.system x", "a: &x [1]\nb: *x", "a: 1\na: 2", "a: [", "!!binary aGk=: 1", "? [1]\n: 2", "a:\n  b: 1\n  b: 2", "\0"],
)
def test_loose_yaml_is_refused(text):
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "x.yaml")
    assert caught.value.file == "x.yaml"


def test_alias_bomb_is_refused_at_once():
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    with pytest.raises(InputError, match="aliases"):
        parse_yaml("\n".join(lines))


def test_yaml_values_are_what_they_look_like():
    text = "[no, yes, on, 007, 1:30, 1_000, 2024-01-01, =, 1.10.1, 1e-3, 1E5, .5, 5., -3, 0x1f, true, null, 12]"
    assert parse_yaml(text) == ["no", "yes", "on", "007", "1:30", "1_000", "2024-01-01", "=", "1.10.1", 0.001, 1e5, 0.5, 5.0, -3, 31, True, None, 12]


def test_yaml_as_text_keeps_the_spelling():
    assert parse_yaml("[no, 1.10, true, null, 0x1f, '5']", as_text=True) == ["no", "1.10", "true", "null", "0x1f", "5"]


def test_yaml_error_tells_the_line(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\nb: 2\na: 3\n")
    with pytest.raises(InputError) as caught:
        read_yaml(path)
    assert caught.value.file == path and caught.value.at.startswith("line 3")


def test_text_files(tmp_path):
    (tmp_path / "bom.txt").write_bytes(b"\xef\xbb\xbfhi")
    assert read_text(tmp_path / "bom.txt") == "hi"
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    os.mkfifo(tmp_path / "pipe.txt")
    for name in ("latin.txt", "pipe.txt", "absent.txt", "nul\0.txt"):
        with pytest.raises(InputError):
            read_text(tmp_path / name)
    with pytest.raises(ResourceError):
        read_text(tmp_path / "bom.txt", limit=2)


@pytest.fixture
def house(tmp_path):
    (tmp_path / "secret.jpg").write_text("secret")
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (data / "a.jpg").write_text("a")
    (data / "sub" / "b.jpg").write_text("b")
    os.symlink(tmp_path / "secret.jpg", data / "out.jpg")
    os.symlink("a.jpg", data / "in.jpg")
    os.symlink(tmp_path, data / "up")
    os.symlink("loop", data / "loop")
    os.mkfifo(data / "pipe.jpg")
    return data


@pytest.mark.parametrize("name", ["a.jpg", "sub/b.jpg", "./a.jpg", "sub/../a.jpg", "in.jpg"])
def test_paths_inside(house, name):
    assert safe_path(house, name).read_text() in "ab"


@pytest.mark.parametrize(
    "name",
    ["", "../secret.jpg", "/etc/passwd", "out.jpg", "up/secret.jpg", "loop", "pipe.jpg", "sub", "a\0.jpg", "http://x/a.jpg", "file:///etc/passwd", "A.JPG", "C:\\a.jpg", "x" * 5000, "\ud800.jpg", "sub/../../secret.jpg", "a.jpg/b"],
)  # fmt: skip
def test_paths_outside_are_refused(house, name):
    with pytest.raises(InputError) as caught:
        safe_path(house, name, "list.csv", "line 3")
    assert caught.value.file == "list.csv" and caught.value.at == "line 3"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["=cmd|calc!A1", "+1+2", "-x", "@SUM(A1)", "\tx", "\rx", "\nx", "\0x", "＝1+1", "'=x", "''=x"])
def test_formulas_are_guarded(text):
    safe = csv_safe(text)
    assert safe.startswith("'") and safe != text and csv_plain(safe) == text


@pytest.mark.parametrize("text", ["", "cat", "-5", "-1.5e3", "+3", "'", "'quoted'", "a=b", "it's"])
def test_plain_text_stays(text):
    assert csv_safe(text) == text == csv_plain(text)


def test_umask_is_not_touched_while_writing(tmp_path, monkeypatch):
    def refuse(mask):
        raise AssertionError("umask set")

    monkeypatch.setattr(files.os, "umask", refuse)
    write_json(tmp_path / "a.json", 1)
