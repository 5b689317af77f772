"""Tables as columns of text: CSV, TSV and Parquet, with the line of every row."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidi.core.files import csv_plain, read_text
from vidi.core.images import SUFFIXES
from vidi.data.readers._ask import Ask
from vidi.errors import DataError

TEXT_SUFFIXES = (".csv", ".tsv")
SUFFIXES_READ = (*TEXT_SUFFIXES, ".parquet", ".pq")
_DELIMITERS = ",;\t|"


@dataclass(slots=True)
class Table:
    """A table's cells, by column.

    Args:
        files: the files it was read from, in order.
        columns: cells by column name; text, except for lists and encoded pictures out of Parquet.
        lines: the line (Parquet: row) that each row starts on.
        parts: index into `files` per row.
        decimal: the decimal mark of its numbers.
        unit: ``line`` or ``row``.
        splits: the split of each row, where its file tells; else None.
        names: class names by column, where the file has them.
    """

    files: list[Path]
    columns: dict[str, list[Any]]
    lines: list[int]
    parts: list[int]
    decimal: str = "."
    unit: str = "line"
    splits: list[str | None] | None = None
    names: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)

    def file(self, row: int) -> Path:
        return self.files[self.parts[row]]

    def at(self, row: int, column: str | None = None) -> str:
        return f"{self.unit} {self.lines[row]}" + (f" {column}" if column else "")


def load(path: Path, ask: Ask, *, rows: int | None = None) -> Table:
    """A table's cells; at most the first `rows` of them.

    Raises:
        DataError: empty, no proper header, broken quoting, or not readable.
    """
    if path.suffix.lower() in TEXT_SUFFIXES:
        return _load_text(path, ask, rows)
    return _load_parquet(path, rows)


def _load_text(path: Path, ask: Ask, limit: int | None) -> Table:
    text = _head(path) if limit is not None else read_text(path, 8 << 30)
    if not text.strip():
        raise DataError("the table is empty", file=path)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else sniff(text[:65536])
    first = text.lstrip("\r\n").partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=f"{delimiter} " in first)
    rows: list[list[str]] = []
    lines: list[int] = []
    header: list[str] | None = None
    start = 1
    try:
        for row in reader:
            line, start = start, reader.line_num + 1
            if not any(row):
                continue
            if header is None:
                header, has_header = _header(row, path)
                if has_header:
                    continue
            if len(row) != len(header):
                ask.faults.add(
                    f"{len(row)} cells where the header has {len(header)}", file=path, at=f"line {line}",
                    value=delimiter.join(row), fix="quote cells that hold the delimiter",
                )  # fmt: skip
                continue
            rows.append(row)
            lines.append(line)
            if limit is not None and len(rows) >= limit:
                break
    except csv.Error as error:
        if limit is None or not rows:
            raise DataError(f"broken quoting: {error}", file=path, at=f"line {start}", fix='write a quote inside quotes as ""') from None
    columns = _columns(header or [], list(zip(*rows)) if rows else [])
    return Table([path], columns, lines, [0] * len(lines), "," if delimiter == ";" else ".")


def _head(path: Path, size: int = 1 << 18) -> str:
    """The first whole lines of a text file."""
    with open(path, "rb") as file:
        data = file.read(size)
        more = bool(file.read(1))
    text = data.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    return text.rpartition("\n")[0] if more else text


def sniff(text: str) -> str:
    """The delimiter of a CSV file: the one that cuts its first lines into the most equal rows of more than one cell."""
    lines = [line for line in text.split("\n")[:50] if line.strip()]
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        except csv.Error:
            continue
        if not widths or widths[0] < 2:
            continue
        score = sum(width == widths[0] for width in widths) / len(widths)
        if score > best_score + 1e-9:
            best, best_score = delimiter, score
    return best


def _header(row: list[str], path: Path) -> tuple[list[str], bool]:
    """Column names, and whether the first row holds them (a row that names a picture does not)."""
    if any(Path(cell.strip()).suffix.lower() in SUFFIXES for cell in row):
        return [f"column {i}" for i in range(1, len(row) + 1)], False
    names = [csv_plain(cell.strip()) for cell in row]
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            raise DataError("two columns have one name", file=path, at="line 1", value=name, fix="rename one of the two")
        seen.add(name)
    return names, True


def _columns(header: list[str], cells: list[tuple[str, ...]]) -> dict[str, list[Any]]:
    """Cells by name; columns without a name (a data frame's index, a trailing delimiter) are left out."""
    cells = cells or [() for _ in header]
    return {name: list(column) for name, column in zip(header, cells) if name and not name.startswith("Unnamed: ")}


def _load_parquet(path: Path, limit: int | None) -> Table:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise DataError("reading Parquet needs the package pyarrow", file=path, fix='pip install "vidi[table]"') from None
    try:
        source = parquet.ParquetFile(path)
        if limit is not None:
            batch = next(source.iter_batches(limit), None)
            table = arrow.Table.from_batches([batch] if batch is not None else [], source.schema_arrow)
        else:
            table = source.read()
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"not a readable Parquet file: {str(error).splitlines()[0]}", file=path) from None
    columns = {name: [_plain(cell) for cell in table.column(name).to_pylist()] for name in table.column_names if not name.startswith("__")}
    count = table.num_rows
    return Table([path], columns, list(range(1, count + 1)), [0] * count, unit="row", names=_class_names(table.schema.metadata))


def _plain(cell: Any) -> Any:
    """A Parquet cell as a CSV would have it; lists, encoded pictures and picture structs stay."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, list):
        return [str(_plain(item)) for item in cell]
    if isinstance(cell, (bytes, dict)):
        return cell
    return repr(cell) if isinstance(cell, float) else str(cell)


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """Class names that the `datasets` library keeps in a Parquet file's schema."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {
            name: [str(item) for item in feature["names"]]
            for name, feature in features.items()
            if isinstance(feature, dict) and isinstance(feature.get("names"), list)
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def join(tables: list[tuple[str | None, Table]]) -> Table:
    """Several tables of the same columns, each one split, as one.

    Raises:
        DataError: the columns differ.
    """
    first = tables[0][1]
    names = set(first.columns)
    whole = Table([], {name: [] for name in first.columns}, [], [], first.decimal, first.unit, [], dict(first.names))
    for split, table in tables:
        if set(table.columns) != names:
            odd = sorted(names ^ set(table.columns))
            raise DataError(f"columns differ from {first.files[0].name}'s", file=table.files[0], value=", ".join(odd))
        for name, cells in whole.columns.items():
            cells += table.columns[name]
        whole.parts += [part + len(whole.files) for part in table.parts]
        whole.files += table.files
        whole.lines += table.lines
        whole.splits = (whole.splits or []) + [split] * len(table)
    return whole
