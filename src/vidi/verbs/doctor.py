"""Find what is wrong with a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from vidi.core.dataset import Dataset
    from vidi.data.doctor import Examination
    from vidi.report import Report


def doctor(
    data: str | Dataset,
    *,
    task: str | None = None,
    fix: str | None = None,
    out: str | None = None,
    near: bool = True,
    limit: int | None = None,
    show: int = 3,
) -> Report:
    """Find what is wrong with a data set: file, line, rule and fix for every fault; leaks between splits; duplicates.

    The data is never changed. Training does the same by itself.

    Args:
        data: a folder, table, listing or data.yaml.
        task: what the data is for, where its labels can be read in several ways.
        fix: write a listing of what is left when all bad samples are left out to this .csv file, outside of the data.
        out: folder for report.json and report.html.
        near: also search for re-encoded, resized and flipped copies.
        limit: look at so many pictures at most, evenly spread.
        show: findings printed per rule; the report has all.

    Returns:
        A report; `--json` prints its numbers and all findings. The exit code is 2 while errors remain.
    """
    from dataclasses import replace
    from pathlib import Path

    from vidi.core.console import say
    from vidi.data import read
    from vidi.data._pages import numbers, sections
    from vidi.data.doctor import examine
    from vidi.report import Report

    faults: list = []
    dataset = read(data, task=task, faults=faults)
    target = _outside(Path(fix), dataset) if fix else None
    found = examine(dataset, near_duplicates=near, sample_limit=limit, faults=faults)
    for line in found.lines(show):
        say(line)
    about = {
        "title": f"Data: {dataset.name}", "data": str(dataset.root or dataset.name), "format": dataset.format, "task": task,
        "fingerprint": dataset.fingerprint(), "refused": bool(found.errors), "facts": found.facts,
        "findings": [finding.to_dict() for finding in found.findings],
        "key_numbers": ["samples", "errors", "warnings", "unreadable", "duplicates", "near_duplicates", "leaks", "conflicts"],
    }  # fmt: skip
    report = Report("doctor", numbers(found), about, sections=sections(found))
    if target is not None:
        _fix(report, found, target)
    if out:
        report.save(Path(out) / "report.json")
        short = {key: value for key, value in report.about.items() if key not in ("findings", "facts")}
        replace(report, about=short).html(Path(out) / "report.html")
    return report


def _outside(target: Path, dataset: Dataset) -> Path:
    """The file to write, refused where it would touch the data."""
    import os
    from pathlib import Path

    from vidi.errors import InputError

    full = Path(os.path.realpath(target))
    if full.suffix.lower() != ".csv":
        raise InputError("the cleaned listing is a .csv file", file=target, fix=f"fix={target.with_suffix('.csv')}")
    if dataset.root is not None:
        root = Path(os.path.realpath(dataset.root))
        if full == root or (root.is_dir() and full.is_relative_to(root)):
            raise InputError("the data is never changed", file=target, fix="write the cleaned listing outside of the data's folder")
    if any(sample.file is not None and Path(os.path.realpath(sample.file)) == full for sample in dataset):
        raise InputError("this file is part of the data", file=target, fix="choose another name")
    return target


def _fix(report: Report, found: Examination, target: Path) -> None:
    """Write the listing of what is left, and say in the report what was left out."""
    from vidi.core.console import say
    from vidi.data.doctor import repair
    from vidi.data.write import write

    dataset = found.looks.dataset
    rest, dropped = repair(dataset, found.findings)
    path = write(rest, target)
    remain = [finding for finding in found.errors if finding.action != "drop" and finding.rule != "unusable_rows"]
    report.numbers |= {"kept": len(rest), "dropped": len(dataset) - len(rest)}
    report.about |= {"fixed": str(path), "dropped": dropped, "refused": bool(remain)}
    left = ", ".join(f"{rule} {count}" for rule, count in dropped.items()) or "nothing"
    report.sections.insert(1, {"kind": "text", "title": "Cleaned listing", "text": f"{path}: {len(rest)} samples kept; left out: {left}."})
    say(f"wrote {path}: {len(rest)} samples kept; left out: {left}")
