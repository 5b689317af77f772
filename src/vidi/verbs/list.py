"""List what there is to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidi.report import Report

ROOMS = {
    "tasks": "tasks", "nets": "nets", "heads": "nets/heads", "necks": "nets/necks", "dense": "nets/dense", "losses": "nets/losses", "metric_losses": "nets/metric_losses", "enhancements": "nets/enhance", "augmentations": "augmentations", "metrics": "metrics", "formats": "data/readers", "writers": "data/writers",
    "samples": "data/sets", "rules": "data/rules", "loggers": "engine/loggers", "trackers": "methods/track", "attacks": "methods/attack", "stresses": "methods/stress",
    "defenses": "methods/defend", "adapters": "methods/adapt", "explainers": "methods/explain",
}  # fmt: skip


def list(what: str | None = None) -> Report:
    """List what there is to choose from: names, and what each is in one line.

    Args:
        what: tasks, nets, heads, necks, dense, losses, metric_losses, enhancements, augmentations, metrics, formats, writers, samples, rules, loggers, trackers,
            attacks, stresses, defenses, adapters, explainers, recipes or recipe; left out: all names.

    Returns:
        A report with one table.
    """
    import ast

    from vidi.core import discovery
    from vidi.errors import ChoiceError, nearest
    from vidi.report import Report

    def line(path) -> str:
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        return text.split("\n\n")[0].replace("\n", " ")

    if what is None:
        rows = [[kind, ", ".join(discovery.names(room))] for kind, room in ROOMS.items()]
        rows.append(["recipes", ", ".join(sorted(path.stem for path in discovery.room_path("recipes").glob("*.yaml")))])
        sections = [{"kind": "table", "title": "Choices", "columns": ["kind", "names"], "rows": rows}]
    elif what == "recipe":
        from vidi.core.recipe import Recipe

        sections = [{"kind": "table", "title": "Recipe", "columns": ["key", "type", "default", "meaning"], "rows": [[*row] for row in Recipe.describe()]}]
    elif what == "recipes":
        rows = [[path.stem, path.read_text().splitlines()[0].lstrip("# ")] for path in sorted(discovery.room_path("recipes").glob("*.yaml"))]
        sections = [{"kind": "table", "title": "Recipes", "columns": ["recipe", "what it is for"], "rows": rows}]
    elif what in ROOMS:
        own = {path.stem: line(path) for path in discovery.room_path(ROOMS[what]).glob("[a-z]*.py")}
        rows = [[name, own.get(name, "from another package")] for name in discovery.names(ROOMS[what])]
        sections = [{"kind": "table", "title": what.capitalize(), "columns": ["name", "what it is"], "rows": rows}]
    else:
        known = [*ROOMS, "recipes", "recipe"]
        raise ChoiceError("nothing by that name to list", value=what, fix=f"one of: {', '.join(nearest(what, known) or known)}")
    return Report("list", {"choices": len(sections[0]["rows"])}, {"what": what or "all"}, {}, {}, sections)
