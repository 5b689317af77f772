"""The house rules: who may import whom, and what never appears in the package."""

import ast
import sys
from pathlib import Path

import pytest

from vidi.core import discovery

HOME = Path(__file__).parent.parent / "src" / "vidi"
LEVELS = [
    {"ops"}, {"labels"}, {"core"}, {"augmentations", "metrics", "nets", "report"}, {"data", "tasks"}, {"model"}, {"engine"}, {"methods"},
    {"verbs"}, {"serve", "cli"}, {"testing"},
]  # fmt: skip
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
FILES = sorted(HOME.rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(HOME).parts
    return parts[0] if len(parts) > 1 else ""


def imports(tree: ast.AST):
    """(line, module) of every import, also those inside functions and those only for type checkers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "vidi":
                yield from ((node.lineno, f"vidi.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, "." * node.level + (node.module or "")


def allowed(room: str, target: str) -> bool:
    """Whether a room may import `target`, a room's or top module's name; "" is the package itself."""
    if target in ("errors", "", "__version__") or room in ("", target):
        return True
    return target in LEVEL and room in LEVEL and LEVEL[target] < LEVEL[room]


def faults(path: Path, tree: ast.AST) -> list[str]:
    room, found = room_of(path), []
    for line, module in imports(tree):
        if module.startswith("."):
            found.append(f"{path.name}:{line} relative import")
        if module == "vidi" or module.startswith("vidi."):
            target = module.split(".")[1] if "." in module else ""
            if not allowed(room, target):
                found.append(f"{path.relative_to(HOME)}:{line} {room} imports {target}")
        elif room == "ops" and module.split(".")[0] not in {"torch", "numpy", "scipy", *sys.stdlib_module_names}:
            found.append(f"{path.relative_to(HOME)}:{line} ops imports {module}")
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            found.append(f"{path.relative_to(HOME)}:{node.lineno} star import")
        if isinstance(node, ast.Assert):
            found.append(f"{path.relative_to(HOME)}:{node.lineno} bare assert")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            found.append(f"{path.relative_to(HOME)}:{node.lineno} print")
    if room == "verbs":
        tasks = set(discovery.names("tasks"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare):
                for part in (node.left, *node.comparators):
                    if isinstance(part, ast.Constant) and part.value in tasks:
                        found.append(f"{path.relative_to(HOME)}:{node.lineno} a verb asks for task {part.value!r}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOME)))
def test_rules_of_the_house(path):
    assert faults(path, ast.parse(path.read_text())) == []


def test_the_rules_can_fail():
    sample = "from vidi.engine import loop\nfrom vidi.core import *\nassert 1\nprint(2)\nif task == 'classify': pass\n"
    found = faults(HOME / "verbs" / "x.py", ast.parse(sample))
    assert len(found) == 4
    assert "imports engine" in faults(HOME / "nets" / "x.py", ast.parse("def f():\n    from vidi.engine import loop\n"))[0]
    assert "imports nets" in faults(HOME / "metrics" / "x.py", ast.parse("import vidi.nets.small"))[0]


def test_methods_do_not_import_their_siblings():
    for path in (HOME / "methods").rglob("*.py"):
        own = path.relative_to(HOME / "methods").parts[0]
        for line, module in imports(ast.parse(path.read_text())):
            parts = module.split(".")
            if parts[:2] == ["vidi", "methods"] and len(parts) > 2:
                assert parts[2] == own, f"{path}:{line}"


def test_every_room_has_a_level():
    rooms = {path.name for path in HOME.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert rooms <= set(LEVEL)
