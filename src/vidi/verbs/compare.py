"""Compare two reports, and let the second pass or fail a release."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vidi.errors import InputError
from vidi.report import Report
from vidi.report.compare import compare as compare_reports
from vidi.report.gate import gate as check_gate

_PLACES = ("report.json", "reports/report.json", "reports/val.json")


def compare(a: str, b: str, *, gate: list[str] | None = None, out: str | None = None) -> Report:
    """Compare two reports number by number, with intervals.

    Args:
        a: a report (JSON) or a run's folder, the one to compare with.
        b: the other report or folder, the candidate.
        gate: rules that must hold, such as accuracy>=0.94, accuracy.low>=0.9 or accuracy.difference>=-0.005; a plain name
            means b.
        out: where to write the comparison: a .json file, an .html page, or a folder that gets both.

    Returns:
        the comparison, a report itself.

    Raises:
        InputError: a report that cannot be read, or a rule that is not met (after `out` is written).
    """
    first, second = (Report.load(find_report(Path(path))) for path in (a, b))
    result = compare_reports(first, second)
    failures: list[str] = []
    if gate:
        both = replace(
            second,
            numbers=second.numbers | result.numbers,
            intervals=second.intervals | result.intervals,
            n=second.n | result.n,
        )
        failures = check_gate(both, gate)
        result.about |= {"gate": list(gate), "gate_failures": failures}
        text = "\n".join(failures) if failures else "Every rule is met."
        result.sections.insert(0, {"kind": "text", "title": "Gate: not passed" if failures else "Gate: passed", "text": text})
    if out is not None:
        _write(result, Path(out))
    if failures:
        raise InputError("gate not passed: " + "; ".join(failures), file=b)
    return result


def find_report(path: Path) -> Path:
    """The report meant by a path: the file itself, or the one inside a run's folder.

    Raises:
        InputError: a folder without a report.
    """
    if not path.is_dir():
        return path
    for place in _PLACES:
        if (path / place).is_file():
            return path / place
    raise InputError(
        "no report in this folder", file=path, value=" ".join(_PLACES), fix="run vidi val, or give a report's JSON file"
    )


def _write(report: Report, out: Path) -> None:
    if out.suffix == ".html":
        report.html(out)
    elif out.suffix == ".json":
        report.save(out)
    else:
        report.save(out / "report.json")
        report.html(out / "report.html")
