"""The doctor: looks at a data set once, applies every rule of ``data/rules``, and repairs by leaving out samples, and clipping
or leaving out boxes. Training runs it by itself; `vidi doctor` runs it by hand. It never changes what it looks at."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from vidi.core import discovery
from vidi.core.console import progress as progress_bar
from vidi.core.dataset import Dataset
from vidi.data._box_facts import box_facts
from vidi.data._look import Looks, Progress, look
from vidi.data._map_facts import map_facts
from vidi.data._near import find_near
from vidi.data._repair import mend
from vidi.data._workers import cores
from vidi.data.readers._ask import Fault
from vidi.data.rules import Finding
from vidi.data.rules._base import class_table, value_table
from vidi.data.rules.imbalance import ratio
from vidi.errors import DataError

ROOM = "data/rules"
SEVERITIES = ("error", "warning", "note")
_FIRST = ("leaks", "group_leak", "label_conflicts")


@dataclass(eq=False)
class Examination:
    """What the doctor found.

    Args:
        findings: errors first, then warnings, then notes; among warnings, leaks first.
        facts: counts and distributions, in plain JSON values.
        looks: what was measured of each picture.
    """

    findings: list[Finding]
    facts: dict[str, Any]
    looks: Looks = field(repr=False)

    @property
    def errors(self) -> list[Finding]:
        """The findings that refuse training."""
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def counts(self) -> dict[str, int]:
        """Number of findings by rule, in order of appearance."""
        return dict(Counter(finding.rule for finding in self.findings))

    def summary(self) -> str:
        """One line: how much was looked at and what was found."""
        by = Counter(finding.severity for finding in self.findings)
        found = ", ".join(f"{rule} {count}" for rule, count in self.counts.items())
        totals = " · ".join(f"{by[name]} {name}{'' if by[name] == 1 else 's'}" for name in SEVERITIES)
        leaks = f" · {self.facts['leaks']} leaks between splits" if self.facts["leaks"] else ""
        return f"doctor: {self.facts['samples']} samples · {totals}{leaks}" + (f" ({found})" if found else "")

    def lines(self, each: int = 3) -> list[str]:
        """The findings in words, at most `each` per rule and a line that says how many more there are."""
        shown: list[str] = []
        for rule, count in self.counts.items():
            group = [finding for finding in self.findings if finding.rule == rule]
            shown += [f"{finding.severity}: {str(finding.error()).removeprefix('error: DATA ')}" for finding in group[:each]]
            if count > each:
                shown.append(f"{group[0].severity}: … and {count - each} more of {rule}")
        return shown

    def refuse(self) -> None:
        """Raise if there are errors.

        Raises:
            DataError: the first error, with the number of all.
        """
        if self.errors:
            first = self.errors[0].error()
            more = f" ({len(self.errors)} errors in all)" if len(self.errors) > 1 else ""
            raise DataError(first.rule + more, file=first.file, at=first.at, value=first.value, fix=first.fix)

    def clusters(self) -> list[list[int]]:
        """Rows that show the same or nearly the same picture, in groups of two or more: they belong into one split."""
        parent = list(range(len(self.looks.dataset)))

        def top(row: int) -> int:
            while parent[row] != row:
                parent[row] = parent[parent[row]]
                row = parent[row]
            return row

        pairs = [(group[0], row) for group in self.looks.identical for row in group[1:]]
        if self.looks.near is not None:
            pairs += zip(self.looks.near.first.tolist(), self.looks.near.second.tolist())
        for first, second in pairs:
            low, high = sorted((top(first), top(second)))
            parent[high] = low
        groups: dict[int, list[int]] = {}
        for row in sorted({row for pair in pairs for row in pair}):
            groups.setdefault(top(row), []).append(row)
        return list(groups.values())


def rules() -> list[str]:
    """The names of all rules."""
    return discovery.names(ROOM)


def examine(
    dataset: Dataset,
    *,
    near_duplicates: bool = True,
    progress: Progress | None = None,
    workers: int | None = None,
    sample_limit: int | None = None,
    faults: Sequence[Fault] = (),
) -> Examination:
    """Look at every picture once and apply every rule.

    Args:
        dataset: what to examine; neither it nor its files are changed.
        near_duplicates: also search for re-encoded, resized and flipped copies.
        progress: told how many pictures are done; None: a progress bar on the terminal.
        workers: threads; None: one per core.
        sample_limit: look at so many pictures at most, evenly spread; the findings then say so.
        faults: what the reader could not use, to be listed too.
    """
    start = time.monotonic()
    with threadpool_limits(1, user_api="blas"):  # our own threads share the cores; more of them would only wait for each other
        if progress is not None:
            looks = look(dataset, workers=workers, progress=progress, limit=sample_limit)
        else:
            with progress_bar("looking at the pictures", min(len(dataset), sample_limit or len(dataset))) as bar:
                looks = look(dataset, workers=workers, progress=lambda done, total: bar.update(done), limit=sample_limit)
        looks.faults = faults
        if near_duplicates:
            looks.near = find_near(looks, workers or cores())
    findings = [finding for name in rules() for finding in _apply(name, dataset, looks)]
    findings.sort(key=_order)
    return Examination(findings, _facts(dataset, looks, findings) | {"seconds": round(time.monotonic() - start, 3)}, looks)


def _apply(name: str, dataset: Dataset, looks: Looks) -> Iterable[Finding]:
    module = discovery.load(ROOM, name)
    check, severity, fix = (discovery.member(module, part, ROOM) for part in ("check", "SEVERITY", "FIX"))
    for finding in check(dataset, looks):
        yield replace(finding, rule=name, severity=finding.severity or severity, fix=finding.fix or fix)


def _order(finding: Finding) -> tuple:
    """Errors, warnings, notes; then what spoils scores; rules together, each in its own order (the sort is stable)."""
    place = _FIRST.index(finding.rule) if finding.rule in _FIRST else len(_FIRST)
    return SEVERITIES.index(finding.severity), place, finding.rule


def repair(dataset: Dataset, findings: Iterable[Finding], boxes: str = "clip") -> tuple[Dataset, dict[str, int]]:
    """Leave out every sample that one of the findings says to drop, and put boxes right; see `vidi.data._repair.mend`, which tells more.

    Args:
        findings: of `examine` on this very data set; pass a part of them to repair only that.
        boxes: ``clip`` or ``drop``, what is done with boxes that leave their picture.

    Returns:
        the rest, and how many samples were dropped, and boxes clipped or dropped, by rule; each counts for the first rule that names it.
    """
    done = mend(dataset, findings, boxes)
    return done.dataset, done.counts


def _facts(dataset: Dataset, looks: Looks, findings: list[Finding]) -> dict[str, Any]:
    counts = Counter(finding.rule for finding in findings)
    size = looks.size[looks.seen]
    facts: dict[str, Any] = {
        "samples": len(dataset),
        "looked_at": int(looks.asked.sum()),
        "readable": int(looks.seen.sum()),
        "splits": dataset.splits,
        "formats": _tally(looks.format, looks.seen),
        "modes": _tally(looks.mode, looks.seen),
        "duplicates": counts["exact_duplicates"],
        "near_duplicates": counts["near_duplicates"],
        "leaks": counts["leaks"],
        "conflicts": counts["label_conflicts"],
        "rules": dict(counts),
    }
    if len(size):
        names = ("min", "median", "max")
        parts = np.stack([size.min(0), np.median(size, axis=0), size.max(0)]).astype(int)
        facts["size"] = {name: {"height": int(height), "width": int(width)} for name, (height, width) in zip(names, parts)}
    return facts | _label_facts(dataset, looks)


def _tally(names: Sequence[str], seen: np.ndarray) -> dict[str, int]:
    return dict(Counter(name for name, good in zip(names, seen) if good and name).most_common())


def _label_facts(dataset: Dataset, looks: Looks) -> dict[str, Any]:
    space = dataset.space
    if space is None:
        return {}
    facts: dict[str, Any] = {"family": space.family, "labeled": sum(sample.label is not None for sample in dataset)}
    table = class_table(dataset, looks)
    if table is not None:
        splits = np.array(looks.splits)
        for split in dict.fromkeys(["all", *sorted(set(looks.splits) - {""})]):
            rows = np.ones(len(dataset), bool) if split == "all" else splits == split
            counts = np.nansum(table[rows], axis=0).astype(int).tolist()
            facts.setdefault("classes", {})[split] = dict(zip(space.names, counts))
        facts["imbalance_ratio"] = ratio(dataset, looks)
    if space.family == "Detections":
        facts["boxes"] = box_facts(looks)
    if space.family == "Segmentation":
        facts["maps"] = map_facts(looks)
    values = value_table(dataset)
    if values is not None:
        facts["values"] = {name: _spread(values[:, index]) for index, name in enumerate(space.names)}
    return facts


def _spread(column: np.ndarray) -> dict[str, float | int]:
    known = column[np.isfinite(column)].astype(np.float64)
    if not len(known):
        return {"count": 0}
    quantiles = dict(zip(("min", "q25", "median", "q75", "max"), np.quantile(known, [0, 0.25, 0.5, 0.75, 1]).tolist()))
    return {"count": len(known), "mean": float(known.mean()), "std": float(known.std())} | quantiles
