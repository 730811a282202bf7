"""A table with its indexes: what a look-up is a dictionary access in, and which numbers nobody can be found by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from routing_engine.core.model import Json
from routing_engine.core.phone import is_placeholder, is_rounded, lines_in, plain_text
from routing_engine.core.templates import as_text
from routing_engine.providers.answers.values import read_value
from routing_engine.providers.records.table import Row, Table

_BETWEEN = re.compile(r"[;|\r\n]")

#: Value -> places of the rows it stands in.
Index: TypeAlias = Mapping[str, Sequence[int]]


@dataclass(slots=True)
class LostNumbers:
    """Cells of a column that should hold a number, and hold none that can be read. `first` is the place of a row."""

    count: int = 0
    first: int = 0
    rounded: int = 0

    def add(self, place: int, is_rounded: bool) -> None:
        """Count one more."""
        self.first = self.first if self.count else place
        self.count, self.rounded = self.count + 1, self.rounded + is_rounded


class TableIndex:
    """Rows, and for each column that is searched a map from value to rows. Phone columns are indexed at once."""

    def __init__(self, table: Table, region: str, phone_columns: Iterable[str]) -> None:
        self.table = table
        self.rows = table.rows
        self.columns = table.columns
        #: By column, for those that are indexed as numbers and have some.
        self.lost: dict[str, LostNumbers] = {}
        self._region = region
        self._indexes: dict[tuple[str, bool], Index] = {}
        for column in phone_columns:
            self.index(column, phones=True)

    def known_index(self, column: str, phones: bool) -> Index | None:
        """Return the index of a column if there is one already."""
        return self._indexes.get((column, phones))

    def index(self, column: str, phones: bool) -> Index:
        """Build the index of a column: trimmed text -> rows, or with `phones` E.164 -> rows. It may take a while."""
        found: dict[str, list[int]] = {}
        for place, row in enumerate(self.rows):
            keys = self._lines(column, place) if phones else _texts(row.get(column))
            for key in dict.fromkeys(keys):
                found.setdefault(key, []).append(place)
        self._indexes[column, phones] = found
        return found

    def rows_at(self, places: Iterable[Sequence[int]]) -> list[Row]:
        """Return the rows at some places, each once, in the table's order."""
        return [self.rows[place] for place in sorted({place for some in places for place in some})]

    def _lines(self, column: str, place: int) -> Iterator[str]:
        """Yield the lines of a cell, and note the numbers in it that cannot be read."""
        for text in _texts(self.rows[place].get(column)):
            lines = lines_in(text, self._region)
            yield from lines
            rounded = "E" in text.upper() and any(is_rounded(piece.strip()) for piece in _BETWEEN.split(text))
            if rounded or (not lines and is_lost(text)):
                self.lost.setdefault(column, LostNumbers()).add(place, rounded)


def is_lost(text: str) -> bool:
    """Return whether a text that is not read as a number should be one: `unknown`, `-` and `0000` are nobody's."""
    return any(char.isdigit() for char in text) and not is_placeholder(plain_text(text))


def _texts(cell: Json) -> Iterator[str]:
    value = read_value(cell)
    for item in value if isinstance(value, tuple) else (value,):
        text = as_text(item).strip()
        if text:
            yield text
