"""A table in memory, and where in it a value stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from routing_engine.core.phone import lines_in
from routing_engine.core.templates import as_text
from routing_engine.providers.records.file import Row, columns_of
from routing_engine.providers.values import read_value

#: Value -> places of the rows it stands in.
Index: TypeAlias = Mapping[str, Sequence[int]]


class TableIndex:
    """Rows, and for each column that is searched a map from value to rows. Phone columns are indexed at once."""

    def __init__(self, rows: Sequence[Row], region: str, phone_columns: Iterable[str]) -> None:
        self.rows = rows
        self.columns = columns_of(rows)
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
            for key in dict.fromkeys(self._keys(row.get(column), phones)):
                found.setdefault(key, []).append(place)
        self._indexes[column, phones] = found
        return found

    def rows_at(self, places: Iterable[Sequence[int]]) -> list[Row]:
        """Return the rows at some places, each once, in the table's order."""
        return [self.rows[place] for place in sorted({place for some in places for place in some})]

    def _keys(self, cell: object, phones: bool) -> Iterator[str]:
        value = read_value(cell)
        for item in value if isinstance(value, tuple) else (value,):
            text = as_text(item).strip()
            if not phones:
                yield from [text] if text else []
            else:
                yield from lines_in(text, self._region)
