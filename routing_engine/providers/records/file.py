"""A table of records in a file: CSV, YAML, JSON or a spreadsheet in, rows out."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from routing_engine.core.model import Json
from routing_engine.providers.answers.values import read_json
from routing_engine.providers.records import sheet as table_sheet
from routing_engine.providers.records.table import Row, Table, TableFault, with_headings
from routing_engine.settings.yaml_reader import Problems, YamlValue, read_yaml
from routing_engine.storage.texts import NotText, text_of

FORMATS = ("csv", "json", "yaml", *table_sheet.FORMATS)
#: A table is held in memory, some ten times as large as its file.
LARGEST = 64 << 20
_ENDINGS = {".csv": "csv", ".json": "json", ".yaml": "yaml", ".yml": "yaml", ".xlsx": "xlsx", ".ods": "ods"}
_SEPARATORS = ",;\t|"
#: What Excel writes and reads above the headings, so that a file says its separator itself.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[\s,;]*\Z', re.I)
_IN_QUOTES = re.compile(r'"[^"]*"')
_SAVE = "save it as 'CSV UTF-8', which spreadsheets offer beside CSV"
_LIST = "write a list of records: [{...}, {...}]"


def format_of(path: Path) -> str:
    """Return the format that a file's ending names; "" for an unknown one."""
    return _ENDINGS.get(path.suffix.lower(), "")


def read_table(path: Path, form: str, sheet: str = "") -> Table:
    """Read a file of `FORMATS`: the rows of a CSV with a header line, or of a spreadsheet (its first sheet, or the one
    that is named); a list of objects, alone or as the one key of a mapping, in YAML and JSON.

    Raises `OSError`, or `TableFault` with a sentence that holds no value of the table.
    """
    if path.stat().st_size > LARGEST:
        raise TableFault(f"it is larger than {LARGEST >> 20} MiB", "put so many records into a database")
    if form in table_sheet.FORMATS:
        return table_sheet.read_sheet(path, form, sheet)
    try:
        text = text_of(path.read_bytes(), _SAVE if form == "csv" else "save it as UTF-8")
    except NotText as fault:
        raise TableFault(str(fault), fault.remedy, fault.line) from None
    if form == "csv":
        return _read_csv(text)
    rows = _read_json(text) if form == "json" else _read_yaml(text)
    return Table(rows, frozenset(name for row in rows for name in row))


def _read_csv(text: str) -> Table:
    """Read a CSV whose separator is the one of `,`, `;`, tab and `|` that its header line has most often."""
    all_lines = text.splitlines()
    first = next((number for number, line in enumerate(all_lines) if line.strip()), 0)
    named = _SEPARATOR_LINE.match(all_lines[first]) if all_lines else None
    skipped = first + (1 if named else 0)
    header = _IN_QUOTES.sub("", all_lines[skipped]) if skipped < len(all_lines) else ""
    # The header is the one line that has no numbers with commas in them.
    if header.lstrip().startswith("<"):
        raise TableFault("it is a page (HTML) or XML, not CSV", _SAVE, skipped + 1)
    separator = named[1] if named else max(_SEPARATORS, key=header.count)
    rest = io.StringIO(text, newline="")
    for _ in range(skipped):
        rest.readline()
    rows = _csv_rows(rest, separator, skipped)
    line, names = next(rows, (0, []))
    return with_headings(names, rows, line)


def _csv_rows(text: io.StringIO, separator: str, skipped: int) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the rows, each with the line that it begins on. Raises `TableFault`."""
    rows = csv.reader(text, delimiter=separator, strict=True)
    begun = skipped + 1
    try:
        for cells in rows:
            if any(cells):
                yield begun, cells
            begun = skipped + rows.line_num + 1
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise TableFault("a quote opens in this row and is never closed", "close it, or remove it", begun) from None
        remedy = 'a text that holds a quote stands in quotes, and each quote in it twice: "the ""big"" one"'
        raise TableFault(f"line {begun} is not CSV", remedy, begun) from None


def _read_json(text: str) -> list[Row]:
    if not text.strip():
        raise TableFault("it is empty", _LIST)
    try:
        found = read_json(text.encode("utf-8", "surrogatepass"))
    except ValueError:
        raise TableFault("it is not a JSON list of objects", _LIST) from None
    return _rows(found)


def _rows(found: Json) -> list[Row]:
    # `{"customers": [...]}` is how many exports begin.
    if isinstance(found, dict) and len(found) == 1:
        (found,) = found.values()
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise TableFault("it does not hold a list of records", "write a list: one mapping for each record")
    return found


def _read_yaml(text: str) -> list[Row]:
    notes, text = Problems(""), text.removeprefix("---\n")
    section = read_yaml(f"records:\n{text}" if _starts_a_list(text) else text, notes)
    if section is None:
        fault = notes.problems[0] if notes.problems else None
        # The key that was put in front is a line of its own.
        added = 1 if _starts_a_list(text) else 0
        if fault is None or not fault.line or not text.strip():
            raise TableFault("it is not a YAML list of records", "write a list: '- {name: ..., phone: ...}' lines")
        raise TableFault(fault.sentence, fault.remedy, max(1, fault.line - added))
    rows = _rows({name: _plain(section.value(name)) for name in section.names()})
    if any("stands here twice" in problem.sentence for problem in notes.problems):
        raise TableFault("a record has the same key twice", "keep one of them")
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
