"""Records in a file: a spreadsheet, CSV, YAML or JSON table for small shops, demonstrations and tests.

A look-up is a dictionary access. The file is read again when it has changed; while it is broken the last good table
stays in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import structlog

from routing_engine.core.bounds import MOST_RECORDS
from routing_engine.core.model import Json, Record
from routing_engine.core.phone import lines_in
from routing_engine.core.ports import Clock, Provider, Query
from routing_engine.core.templates import as_text
from routing_engine.errors import ProviderMisread
from routing_engine.providers.answers.records import RecordShape, check_paths, read_records, shape_of
from routing_engine.providers.answers.values import read_value
from routing_engine.providers.net.address import FILE, config_file, folder_of
from routing_engine.providers.records import sheet as table_sheet
from routing_engine.providers.records.file import FORMATS, Row, columns_of, format_of, read_table
from routing_engine.settings.integration import IntegrationKeys, Model
from routing_engine.settings.spec import read, required, setting
from routing_engine.settings.value_types import choice, one_or_more, text
from routing_engine.settings.yaml_reader import Section, YamlValue
from routing_engine.storage.single_flight import SingleFlight

_log = structlog.get_logger(__name__)
_LOOK_AGAIN_S = 1.0
_PATIENCE_S = 0.2

#: What tells one content of a file from the next without reading it: a rename brings another inode.
_Stamp: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class RecordsSettings:
    """What an administrator wrote about a file. `key` is searched where a route names no field; `sheet` "" is the first
    one of a spreadsheet.
    """

    file: Path
    format: str
    phone_fields: tuple[str, ...] = ("phone",)
    key: str = "id"
    sheet: str = ""


@dataclass(frozen=True, slots=True)
class RecordsKeys(IntegrationKeys):
    """An integration with `provider: records`."""

    file: YamlValue | None = required(
        FILE.called("path"), None, "relative to the configuration folder", example="customers.csv"
    )
    format: str = setting(choice(*FORMATS), "", "see below", usual="by the file's ending")
    sheet: str = setting(text(), "", "which sheet of a spreadsheet", usual="the first one")
    phone_fields: tuple[str, ...] = setting(
        one_or_more(text()).called("a text or a list"),
        ("phone",),
        "where a search by the caller looks when the route names no `field`",
        usual="`phone`",
    )
    key: str = setting(text(), "id", "where any other search looks when the route names no `field`")

    def check(self, section: Section, what: str) -> None:
        """Note paths that cannot be compiled."""
        IntegrationKeys.check(self, section, what)
        check_paths(section, self.models)


def read_settings(section: Section, name: str, folder: Path | None = None) -> RecordsSettings:
    """Read an integration's file whole."""
    keys = read(section, RecordsKeys, f"the integration '{name}'")
    file = config_file(keys.file, folder_of(section, folder)) or Path()
    guess = format_of(file)
    if file.name and not guess and not section.has("format"):
        section.note("file", f"the ending of '{file.name}' names no format", "add format: csv, json, yaml, xlsx or ods")
    form = keys.format or guess or "csv"
    _check_sheet(section, form)
    return RecordsSettings(file, form, keys.phone_fields or ("phone",), keys.key, keys.sheet)


def _check_sheet(section: Section, form: str) -> None:
    """Note a `sheet` of what has none, and a spreadsheet that nothing here can read."""
    if section.has("sheet") and form not in table_sheet.FORMATS:
        section.note("sheet", "only a spreadsheet has sheets", "remove 'sheet'")
    if form in table_sheet.FORMATS and not table_sheet.can_read():
        section.note("file", f"nothing here can read .{form} files", table_sheet.REMEDY)


def open_records(
    name: str, settings: RecordsSettings, models: Mapping[str, Model], region: str, clock: Clock
) -> Provider:
    """Return the provider of a file. It reads in a thread: at once where a loop runs, else at the first look-up."""
    provider = RecordsProvider(name, settings, models, region, clock)
    with contextlib.suppress(RuntimeError):
        provider.look()
    return provider


class RecordsProvider:
    """Looks records up in a file. Phone numbers compare as lines (E.164 by the region), all else exactly."""

    def __init__(
        self, name: str, settings: RecordsSettings, models: Mapping[str, Model], region: str, clock: Clock
    ) -> None:
        self._name = name
        self._settings = settings
        self._shapes = {model: shape_of(name, models[model]) for model in models}
        self._region = region
        self._clock = clock
        self._table: TableIndex | None = None
        self._stamp: _Stamp | None = None
        self._looked_at = float("-inf")
        self._looking = SingleFlight[None]()
        self._complained = ""

    async def find(self, query: Query) -> Sequence[Record]:
        """Look for the records of a caller, or with this value in a field."""
        table = await self._fresh_table()
        shape = self._shapes[query.model]
        rows = await self._rows(table, query, shape)
        # Of a value the first ones are as good as any; of a caller they are too many, which the look-up says.
        most = MOST_RECORDS + (1 if query.by_caller else 0)
        return [record for row in rows[:most] for record in read_records([row], shape)]

    async def close(self) -> None:
        """Wait for a reading under way; a thread cannot be stopped."""
        await self._looking.close(finish=True)

    async def _rows(self, table: TableIndex, query: Query, shape: RecordShape) -> Sequence[Row]:
        if not query.by_caller:
            (index,) = await self._indexes(table, [query.field or self._settings.key], shape, phones=False)
            return table.rows_at([index.get(query.value.strip(), ())])
        number = query.caller.line if query.caller is not None else ""
        fields = [query.field] if query.field else self._settings.phone_fields
        return table.rows_at(index.get(number, ()) for index in await self._indexes(table, fields, shape, phones=True))

    async def _indexes(self, table: TableIndex, fields: Sequence[str], shape: RecordShape, phones: bool) -> list[Index]:
        """Return the indexes of fields, by our names or the columns' own. A new one is built once, in a thread."""
        columns = [shape.their_name(name) for name in fields]
        if table.rows and table.columns.isdisjoint(columns):
            raise ProviderMisread(f"{self._name}: the file has no column '{columns[0]}'")
        known = {column: table.known_index(column, phones) for column in columns}
        return [
            index if index is not None else await asyncio.to_thread(table.index, column, phones)
            for column, index in known.items()
        ]

    async def _fresh_table(self) -> TableIndex:
        """Return the table in force, after a look at the file when the last one is a second old.

        A large file that has changed is not waited for: it comes into force for the calls after this one.
        """
        if self._table is None:
            await self._looking.run(self._look)
        # One look a second for all calls: a file is not polled by each of them.
        elif not self._looking.under_way() and self._clock() - self._looked_at >= _LOOK_AGAIN_S:
            await self._looking.join(self._look, timeout_s=_PATIENCE_S)
        assert self._table is not None
        return self._table

    def look(self) -> None:
        """Begin to look at the file, for all who will wait for it. Raises `RuntimeError` where no event loop runs."""
        self._looking.begin(self._look)

    async def _look(self) -> None:
        self._looked_at = self._clock()
        try:
            stamp = await asyncio.to_thread(_stamp, self._settings.file)
            if stamp != self._stamp:
                self._table = await asyncio.to_thread(self._read)
                self._stamp = stamp
        except (OSError, ValueError) as error:
            self._broken(_why(error))
        else:
            self._complained = ""

    def _read(self) -> TableIndex:
        rows = read_table(self._settings.file, self._settings.format, self._settings.sheet)
        return TableIndex(rows, self._region, self._phone_columns())

    def _phone_columns(self) -> frozenset[str]:
        shapes = self._shapes.values()
        return frozenset(shape.their_name(name) for shape in shapes for name in self._settings.phone_fields)

    def _broken(self, why: str) -> None:
        # Nothing was ever read: nobody can be found, and the route must hear that the source is down.
        if self._table is None:
            raise ProviderMisread(f"{self._name}: the file of records cannot be read: {why}")
        # Once for each fault: a file that stays broken would fill the log.
        if why != self._complained:
            self._complained = why
            _log.warning("records.broken", integration=self._name, why=why, in_force="the last good table")


def _stamp(path: Path) -> _Stamp:
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size, found.st_ino


def _why(error: Exception) -> str:
    return (error.strerror or "it is not there") if isinstance(error, OSError) else str(error)


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

    def _keys(self, cell: Json, phones: bool) -> Iterator[str]:
        value = read_value(cell)
        for item in value if isinstance(value, tuple) else (value,):
            text = as_text(item).strip()
            if not phones:
                yield from [text] if text else []
            else:
                yield from lines_in(text, self._region)
