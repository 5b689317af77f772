"""The figures of the card: curves, a heat table, the classes that suffer most, the first failures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vidi.engine.map_pictures import beside
from vidi.engine.stress import Bench, Cell, Outcome
from vidi.methods.stress._advice import Advice, step_line, step_trial
from vidi.methods.stress._kept import Shares
from vidi.methods.stress._levels import SEVERITIES
from vidi.report.pictures import encode

PICTURES = 6
PER_CELL = 2
SIDE = 480
WORST = 3
LEAST_PICTURES = 5
PASTE = (
    "A line of a recipe; for the command line write --augment '…' without the square brackets. It has the augmentations of the model's own recipe, "
    "and those that the losses call for, seldom enough to leave something of the picture. Train again, for more epochs, and compare the cards."
)

TRY = (
    "Steps that undo some of the stresses before the net looks. Whether they help is for a measurement to say: the net was not trained behind them, and "
    "clean pictures may lose. This measures each alone and all together, and keeps the best if it is better; a line of a recipe trains with them:"
)


def advice_sections(advice: Sequence[Advice], line: Sequence[str], bound: float, own_steps: Sequence[str] = ()) -> list[dict[str, Any]]:
    """What to paste, and why; then what is worth a try in front of the model, whose own steps are `own_steps`."""
    if not advice:
        text = f"Every family keeps {bound:.0%} of the clean score or more."
        return [{"kind": "text", "title": "What to do next", "text": text}]
    rows = [
        [one.family, round(one.kept, 3), ", ".join(f"{name} {kept:.2f}" for name, kept in one.worst), ", ".join(one.entries)] for one in advice
    ]
    text = f"augment: [{', '.join(line)}]"
    return [
        {"kind": "text", "title": "What to do next: train with this", "text": text,
         "note": PASTE},
        {"kind": "table", "title": "Advice, greatest loss first", "columns": ["family", "kept", "worst", "augment"], "rows": rows,
         "note": f"Families that keep less than {bound:.0%} of the clean score."},
        *_steps_to_try(advice, own_steps),
    ]  # fmt: skip


def _steps_to_try(advice: Sequence[Advice], own: Sequence[str]) -> list[dict[str, Any]]:
    """A recipe line of steps in front of the model, and the command that measures them."""
    line = step_line(own, advice)
    if not line:
        return []
    text = f"enhance: [{', '.join(line)}]"
    note = f"{TRY} {step_trial(own, advice)}"
    return [{"kind": "text", "title": "What to do next: try this in front of the model", "text": text, "note": note}]


def curve_sections(clean: Outcome, outcomes: Sequence[Outcome], shares: Shares, primary: str) -> list[dict[str, Any]]:
    """All families' shares over severities, then a chart of the scores for each family with a line for each stress."""
    families = list(shares.families)
    series = []
    for family in families:
        points = [(0, 1.0)]
        for severity in sorted({outcome.cell.severity for outcome in outcomes}):
            mine = [kept.value for kept, outcome in zip(shares.cells, outcomes) if (outcome.cell.family, outcome.cell.severity) == (family, severity)]
            known = [value for value in mine if value is not None]
            points += [(severity, float(np.mean(known)))] if known else []
        series.append({"name": family, "x": [x for x, _ in points], "y": [y for _, y in points]})
    found: list[dict[str, Any]] = [
        {"kind": "lines", "title": "Kept of the clean score, by family", "series": series, "xlabel": "severity", "ylabel": "share", "wide": True}
    ]
    for family in families:
        lines = []
        for stress in dict.fromkeys(outcome.cell.stress for outcome in outcomes if outcome.cell.family == family):
            own = [outcome for outcome in outcomes if outcome.cell.stress == stress]
            lines.append({"name": stress, "x": [0, *(one.cell.severity for one in own)], "y": [clean.score, *(one.score for one in own)]})
        found.append({"kind": "lines", "title": f"{family}: {primary}", "series": lines, "xlabel": "severity", "ylabel": primary})
    return found


def heat_section(outcomes: Sequence[Outcome], shares: Shares) -> dict[str, Any]:
    """A row for each stress, a column for each severity."""
    table = {(outcome.cell.stress, outcome.cell.severity): kept.value for outcome, kept in zip(outcomes, shares.cells)}
    rows = list(shares.stresses)
    columns = [severity for severity in SEVERITIES if any(place == severity for _, place in table)]
    values = [[table.get((stress, severity)) for severity in columns] for stress in rows]
    return {
        "kind": "matrix", "title": "Kept of the clean score", "rows": rows, "columns": [str(column) for column in columns], "values": values,
        "confusion": False, "xlabel": "severity",
    }  # fmt: skip


def class_section(bench: Bench, clean: Outcome, outcomes: Sequence[Outcome], bound: float) -> list[dict[str, Any]]:
    """The classes that lose most in each family, by what is right of the pictures that show them."""
    names = bench.space.names
    shown = np.array([np.zeros(len(names), bool) if label is None else label.presence(len(names)) for label in bench.dataset.labels])
    decided = all(label is None or label.decision() is not None for label in bench.dataset.labels)
    base = _right(clean, decided)
    rows = []
    for family in dict.fromkeys(outcome.cell.family for outcome in outcomes):
        stressed = np.stack([_right(outcome, decided) for outcome in outcomes if outcome.cell.family == family]).mean(0)
        ranked = []
        for place, name in enumerate(names):
            pictures = shown[:, place] & np.isfinite(base) & np.isfinite(stressed)
            if pictures.sum() >= LEAST_PICTURES and (before := float(base[pictures].mean())) > 0:
                after = float(stressed[pictures].mean())
                ranked.append((after / before, [family, name, int(pictures.sum()), round(before, 3), round(after, 3), round(after / before, 3)]))
        rows += [row for kept, row in sorted(ranked, key=lambda one: one[0])[:WORST] if kept < bound]
    if not rows:
        return []
    what = "the share of right predictions" if decided else "the mean agreement of truth and prediction, 0..1,"
    columns = ["family", "class", "pictures", "clean", "stressed", "kept"]
    return [{"kind": "table", "title": "Classes that lose most", "columns": columns, "rows": rows, "note": f"By {what} on pictures that show the class."}]


def _right(outcome: Outcome, decided: bool) -> np.ndarray:
    """How right each picture's prediction is, (N,) in 0..1: whether it does not contradict the truth where labels only decide about classes,
    else how far it agrees; NaN without truth."""
    return np.where(np.isfinite(outcome.agreement), ~outcome.failed, np.nan) if decided else outcome.agreement


def failure_sections(bench: Bench, clean: Outcome, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """For each family, pictures that are judged right when clean and wrong at the lowest severity: clean and stressed, predictions drawn."""
    found = []
    for family in dict.fromkeys(outcome.cell.family for outcome in outcomes):
        mine = sorted((outcome for outcome in outcomes if outcome.cell.family == family), key=lambda one: one.cell.severity)
        chosen: list[tuple[Cell, int]] = []
        for outcome in mine:
            taken = {index for _, index in chosen}
            first = [index for index in np.flatnonzero(outcome.failed & ~clean.failed).tolist() if index not in taken]
            chosen += [(outcome.cell, index) for index in first[:PER_CELL]]
        items = [_pair(bench, clean.cell, cell, index) for cell, index in chosen[:PICTURES]]
        if items:
            found.append({"kind": "gallery", "title": f"First failures: {family}", "items": items, "note": "Clean, then stressed; predictions are drawn."})
    return found


def _pair(bench: Bench, clean: Cell, cell: Cell, index: int) -> dict[str, Any]:
    names = bench.net.predicts.names or bench.space.names
    drawn = [guess.draw(pixels, names) for pixels, guess, _ in (bench.picture(one, index) for one in (clean, cell))]
    label = bench.dataset[index].label
    return {
        "image": encode(beside(drawn), SIDE), "caption": f"{cell.stress} {cell.severity}", "mark": "bad",
        "note": f"{bench.dataset[index].id} · {'?' if label is None else label.words(names)}",
    }  # fmt: skip
