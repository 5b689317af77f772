"""Show what is inside a model file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidi.report import Report


def inspect(model: str, *, code: list[str] | None = None) -> Report:
    """Show what is inside a model file: task, net, labels, numbers, recipe, lineage. The file is checked on the way.

    Args:
        model: a .vidi file or a run folder.
        code: Python files of the model's own net, head, backbone, neck or steps, which may be run.

    Returns:
        A report.
    """
    from vidi.model import load
    from vidi.report import Report

    loaded = load(model, code=code or [])
    card, facts = loaded.card, loaded.describe()
    numbers: dict[str, float | None] = {"parameters": facts["parameters"]}
    numbers |= {f"{split}.{key}": value for split, row in card.numbers.items() for key, value in row.items() if isinstance(value, (int, float))}
    tables = [
        ("Labels", ["index", "name"], list(enumerate(card.label_space.names))),
        ("Stages", ["stage", "parameters"], list(facts["stages"].items())),
        ("Raw outputs", ["key", "kind", "shape"], [(key, row["kind"], str(row["shape"])) for key, row in card.raw.items()]),
        ("Recipe", ["key", "value"], [(key, str(value)) for key, value in card.recipe.items()]),
        ("Lineage", ["from", "how"], [(str(row.get("from", "")), str(row)) for row in card.lineage]),
        ("Versions", ["package", "version"], list(card.versions.items())),
    ]
    sections = [{"kind": "table", "title": title, "columns": columns, "rows": [list(row) for row in rows]} for title, columns, rows in tables if rows]
    about = {
        "file": str(model), "task": card.task, "net": card.net, "head": card.head, "net_options": card.net_options, "enhance": card.enhance, "alarm": card.alarm and card.alarm.model_dump(), "input": card.preprocess,
        "labels": list(card.label_space.names), "data": card.data.get("name"), "trained_on": card.data, "thresholds": card.thresholds, "created": card.created, "weights_sha256": card.weights_sha256,
        "layers": loaded.layers(),
    }  # fmt: skip
    return Report("model", numbers, about, {}, {}, sections)
