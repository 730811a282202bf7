"""A table of records in a file: CSV, YAML, JSON or a spreadsheet in, rows out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from routing_engine.core.model import Json
from routing_engine.providers.answers.values import read_json
from routing_engine.providers.records import sheet as table_sheet
from routing_engine.settings.yaml_reader import Problems, YamlValue, read_yaml

#: A row: column name -> what stands there. Cells of a CSV are texts, whatever they look like.
Row: TypeAlias = Mapping[str, Json]

FORMATS = ("csv", "json", "yaml", *table_sheet.FORMATS)
#: A table is held in memory, some ten times as large as its file.
LARGEST = 64 << 20
_ENDINGS = {".csv": "csv", ".json": "json", ".yaml": "yaml", ".yml": "yaml", ".xlsx": "xlsx", ".ods": "ods"}
_SEPARATORS = ",;\t"


def format_of(path: Path) -> str:
    """Return the format that a file's ending names; "" for an unknown one."""
    return _ENDINGS.get(path.suffix.lower(), "")


def read_table(path: Path, form: str, sheet: str = "") -> Sequence[Row]:
    """Read a file of `FORMATS`: the rows of a CSV with a header line, or of a spreadsheet (its first sheet, or the one
    that is named); a list of objects, alone or as the one key of a mapping, in YAML and JSON.

    Raises `OSError`, or `ValueError` with a sentence that holds no value of the table.
    """
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it is larger than {LARGEST >> 20} MiB; put so many records into a database")
    if form in table_sheet.FORMATS:
        return table_sheet.read_sheet(path, form, sheet)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not text in UTF-8") from None
    readers = {"csv": _read_csv, "json": _read_json, "yaml": _read_yaml}
    return readers[form](text)


def _read_csv(text: str) -> list[Row]:
    """Read a CSV whose separator is the one of `,`, `;` and tab that its header line has most often."""
    first = text.partition("\n")[0]
    # The header is the one line that has no numbers with commas in them.
    separator = max(_SEPARATORS, key=first.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        header = [name.strip() for name in next(lines, [])]
        _check_header(header)
        return [_row(header, cells, lines.line_num) for cells in lines if any(cells)]
    except csv.Error:
        raise ValueError(f"line {lines.line_num} is not CSV; look at its quotes") from None


def _check_header(header: Sequence[str]) -> None:
    if not header:
        raise ValueError("it is empty; its first line must name the columns")
    if "" in header or len(set(header)) < len(header):
        raise ValueError("its first line has a column without a name, or two of the same name")


def _row(header: Sequence[str], cells: Sequence[str], line: int) -> Row:
    if len(cells) > len(header):
        raise ValueError(f"line {line} has more cells than the first line has columns")
    return dict(zip(header, [*cells, *[""] * (len(header) - len(cells))], strict=True))


def _read_json(text: str) -> list[Row]:
    try:
        return _rows(read_json(text.encode("utf-8", "surrogatepass")))
    except ValueError:
        raise ValueError("it is not a JSON list of objects") from None


def _rows(found: Json) -> list[Row]:
    # `{"customers": [...]}` is how many exports begin.
    if isinstance(found, dict) and len(found) == 1:
        (found,) = found.values()
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ValueError("it must hold a list of records")
    return found


def _read_yaml(text: str) -> list[Row]:
    notes, text = Problems(""), text.removeprefix("---\n")
    section = read_yaml(f"records:\n{text}" if _starts_a_list(text) else text, notes)
    if section is None:
        raise ValueError("it is not a YAML list of records")
    rows = _rows({name: _plain(section.value(name)) for name in section.names()})
    if any("stands here twice" in problem.sentence for problem in notes.problems):
        raise ValueError("a record has the same key twice")
    return rows


def _starts_a_list(text: str) -> bool:
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "").startswith("-")


def _plain(value: YamlValue | None) -> Json:
    """Return a value of YAML as plain ones; its traps (`+43...`, `0664...`, `no`) as the texts they look like."""
    if value is None:
        return None
    if value.is_list:
        return [_plain(item) for item in value.entries()]
    section = value.section() if value.is_mapping else None
    if section is not None:
        return {name: _plain(section.value(name)) for name in section.names()}
    return value.scalar()


def columns_of(rows: Iterable[Row]) -> frozenset[str]:
    """Return every column that some row has."""
    return frozenset(name for row in rows for name in row)
