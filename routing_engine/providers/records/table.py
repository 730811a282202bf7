"""A table as it was read: rows, the line of each, the headings; and what is wrong with one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from routing_engine.core.model import Json
from routing_engine.settings.yaml_reader import suggest

#: A row: column name -> what stands there. Cells of a CSV are texts, whatever they look like.
Row: TypeAlias = Mapping[str, Json]

_MOST_LISTED = 12
_UNSEEN = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")


class TableFault(ValueError):
    """Why a table cannot be read; its text is a sentence that holds no value. `line` 0 is the whole file."""

    def __init__(self, sentence: str, remedy: str, line: int = 0) -> None:
        super().__init__(sentence)
        self.remedy, self.line = remedy, line


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in their order. `lines` says where each begins (none: nobody knows), `headings` where the columns stand.

    `twice` are headings that more than one column has, and where they stand: those columns are left out.
    """

    rows: Sequence[Row]
    columns: frozenset[str]
    lines: Sequence[int] = ()
    headings: int = 0
    twice: Mapping[str, str] = field(default_factory=dict)

    def line_of(self, place: int) -> int:
        """Return the line of a row; 0 where nobody knows it."""
        return self.lines[place] if self.lines else 0

    def where(self, place: int) -> str:
        """Return how people find a row: `line 3`, or `record 2` where there are no lines."""
        return f"line {self.lines[place]}" if self.lines else f"record {place + 1}"


def with_headings(written: Sequence[str], rows: Iterable[tuple[int, Sequence[Json]]], headings: int) -> Table:
    """Return the table of cells below headings. Raises `TableFault`.

    A column without a heading and without a value is what spreadsheets leave behind: it is passed over.
    """
    # Exports leave signs there that nobody sees; whoever writes the field map cannot know of them.
    header = [_UNSEEN.sub("", name).strip() for name in written]
    twice = _find_twice(header, headings)
    found: list[Row] = []
    lines: list[int] = []
    for line, cells in rows:
        if not any(cell != "" for cell in cells):
            continue
        _check_named(header, cells, line)
        filled = [*cells, *[""] * (len(header) - len(cells))]
        found.append({name: cell for name, cell in zip(header, filled, strict=False) if name and name not in twice})
        lines.append(line)
    return Table(found, frozenset(filter(None, header)) - frozenset(twice), lines, headings, twice)


def check_used(table: Table, used: Collection[str]) -> None:
    """Raise `TableFault` where a heading that is used stands there twice: which column is meant, nobody knows."""
    for name, places in table.twice.items():
        if name in used:
            raise TableFault(*said_twice(name, places), table.headings)


def said_twice(name: str, places: str) -> tuple[str, str]:
    """Return sentence and remedy for a heading that more than one column has."""
    return f"the heading '{name[:40]}' stands there twice ({places})", "rename or delete one of them"


def _find_twice(header: Sequence[str], line: int) -> Mapping[str, str]:
    """Return the headings that stand there twice, and where. Raises `TableFault` where there are none at all."""
    if not any(header):
        raise TableFault(
            "it is empty; its first line must name the columns", "write the headings, then the records", line
        )
    found: dict[str, str] = {}
    for column, name in enumerate(header):
        if name and name in header[:column]:
            found.setdefault(name, f"column {header.index(name) + 1} and column {column + 1}")
    return found


def _check_named(header: Sequence[str], cells: Sequence[Json], line: int) -> None:
    for column, cell in enumerate(cells):
        if cell == "" or (isinstance(cell, str) and not cell.strip()):
            continue
        if column >= len(header):
            raise TableFault(
                f"line {line} has more cells than the first line has headings",
                "look at its quotes and separators: a text that holds the separator stands in quotes",
                line,
            )
        if not header[column]:
            raise TableFault(
                f"column {column + 1} has no heading, and a value on line {line}", "write its heading", line
            )


def no_column(wanted: str, columns: Collection[str], what_for: str = "") -> tuple[str, str]:
    """Return sentence and remedy for a column that is not there: the near one is named."""
    sentence = f"it has no column '{wanted[:80]}'{what_for}"
    alike = [name for name in sorted(columns) if _bare(name) == _bare(wanted)]
    if alike:
        return f"{sentence}, but '{alike[0][:80]}'", "write it as it stands there: upper case and spaces count"
    return sentence, suggest(wanted, sorted(columns)[:_MOST_LISTED]) if columns else "write the heading"


def _bare(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())
