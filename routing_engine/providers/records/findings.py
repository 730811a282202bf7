"""What is wrong with a table, without a call: what a look-up would stumble over, and the numbers that are lost."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from routing_engine.core.model import Json
from routing_engine.core.phone import is_rounded
from routing_engine.core.ports import FileFindings
from routing_engine.core.templates import as_text
from routing_engine.errors import Problem
from routing_engine.providers.records.file import read_table
from routing_engine.providers.records.index import TableIndex
from routing_engine.providers.records.table import Table, TableFault, check_used, no_column, said_twice

_AS_TEXT = "make the column a text there, and enter again what it has rounded"
_ONE_NUMBER = "write one number, or several with ; between them"


@dataclass(frozen=True, slots=True)
class TableSearches:
    """Which columns calls search: `phones` has those of one search by the caller, of which one is enough."""

    phones: tuple[tuple[str, ...], ...] = ()
    texts: tuple[str, ...] = ()


def look_at(
    path: Path, file: str, form: str, sheet: str, region: str, searches: TableSearches, mapped: Collection[str]
) -> FileFindings:
    """Read a table as a call would, and return what is wrong with it. `file` is what the problems call it."""
    try:
        table = read_table(path, form, sheet)
        check_used(table, {*mapped, *(column for columns in searches.phones for column in columns), *searches.texts})
    except OSError as error:
        sentence = f"it cannot be read: {error.strerror or 'it is not there'}"
        return FileFindings((Problem(file, 0, sentence, "make it readable for the engine's user"),))
    except TableFault as fault:
        return FileFindings((Problem(file, fault.line, str(fault), fault.remedy),))
    faults, remarks = _missing_columns(file, table, searches, mapped)
    for name, places in table.twice.items():
        sentence, remedy = said_twice(name, places)
        remarks.append(Problem(file, table.headings, f"{sentence}: neither column is read", remedy))
    if not table.rows:
        remarks.append(Problem(file, 0, "it has no records", "write one below its headings"))
    phones = frozenset(column for columns in searches.phones for column in columns if column in table.columns)
    remarks += number_faults(file, TableIndex(table, region, phones))
    remarks += [one for column in searches.texts for one in _rounded(file, table, column)]
    return FileFindings(tuple(dict.fromkeys(faults)), tuple(dict.fromkeys(one for one in remarks if one not in faults)))


def _missing_columns(
    file: str, table: Table, searches: TableSearches, mapped: Collection[str]
) -> tuple[list[Problem], list[Problem]]:
    """Return faults and remarks: a search without any of its columns finds nobody, a field without one has no value."""
    faults, remarks, missing = list[Problem](), list[Problem](), dict[str, None]()
    # A list of nothing, in JSON or YAML, has no columns that could be missing.
    if not table.columns:
        return faults, remarks
    for columns in (*searches.phones, *((column,) for column in searches.texts)):
        gone = [column for column in columns if column not in table.columns]
        found = faults if len(gone) == len(columns) else remarks
        found += [Problem(file, table.headings, *no_column(column, table.columns)) for column in gone]
        missing |= dict.fromkeys(gone)
    for theirs in sorted({*mapped} - table.columns - {*missing}):
        what = no_column(theirs, table.columns, ", which a field is mapped to")
        remarks.append(Problem(file, table.headings, *what))
    return faults, remarks


def number_faults(file: str, index: TableIndex) -> list[Problem]:
    """Return a remark on each column with numbers that cannot be read: how many, and where the first one stands."""
    found = []
    for column, lost in index.lost.items():
        line = index.table.line_of(lost.first)
        many = f"{lost.count} numbers" if lost.count > 1 else "1 number"
        first = f"{'the first ' if lost.count > 1 else ''}{'on' if line else 'in'} {index.table.where(lost.first)}"
        who = "" if not lost.rounded else ": a spreadsheet has rounded it"
        if lost.count > 1 and lost.rounded:
            who = f": a spreadsheet has rounded {'them' if lost.rounded == lost.count else lost.rounded}"
        sentence = f"{many} of the column '{column}' cannot be read, {first}{who}"
        found.append(Problem(file, line, sentence, _AS_TEXT if lost.rounded else _ONE_NUMBER))
    return found


def _rounded(file: str, table: Table, column: str) -> Iterator[Problem]:
    """Yield the remark on a column whose values are searched, and were rounded by a spreadsheet."""
    places = [place for place, row in enumerate(table.rows) if is_rounded(as_text(_plain(row.get(column))).strip())]
    if places:
        sentence = (
            f"a spreadsheet has rounded {len(places)} of the column '{column}', the first in {table.where(places[0])}"
        )
        yield Problem(file, table.line_of(places[0]), sentence, _AS_TEXT)


def _plain(cell: Json) -> str:
    return cell if isinstance(cell, str) else ""


def searches_of(
    wanted: Sequence[tuple[Mapping[str, str], str, bool]], phone_fields: Sequence[str], key: str
) -> TableSearches:
    """Return the columns of searches: each is a field map, the field that the route names, whether by the caller."""
    phones, texts = list[tuple[str, ...]](), list[str]()
    for fields, field, by_caller in wanted:
        names = ([field] if field else [*phone_fields]) if by_caller else [field or key]
        columns = tuple(_their_name(fields, name) for name in names)
        if by_caller:
            phones.append(columns)
        else:
            texts += columns
    return TableSearches(tuple(dict.fromkeys(phones)), tuple(dict.fromkeys(texts)))


def _their_name(fields: Mapping[str, str], ours: str) -> str:
    theirs = fields.get(ours, ours)
    return ours if theirs.startswith("$") else theirs
