"""Records in a file: a spreadsheet, CSV, YAML or JSON table for small shops, demonstrations and tests.

A look-up is a dictionary access. The file is read again when it has changed; while it is broken the last good table
stays in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from routing_engine.core.bounds import MOST_RECORDS
from routing_engine.core.model import Record
from routing_engine.core.ports import Clock, Provider, Query
from routing_engine.errors import Problem, ProviderRefused
from routing_engine.logger import Logger
from routing_engine.providers.answers.records import RecordShape, read_records, shape_of
from routing_engine.providers.records.file import read_table
from routing_engine.providers.records.findings import number_faults
from routing_engine.providers.records.index import Index, TableIndex
from routing_engine.providers.records.settings import RecordsSettings
from routing_engine.providers.records.table import Row, TableFault, check_used, no_column
from routing_engine.settings.integration import Model
from routing_engine.storage.single_flight import SingleFlight

_log = Logger()
_LOOK_AGAIN_S = 1.0
_PATIENCE_S = 0.2

#: What tells one content of a file from the next without reading it: a rename brings another inode.
_Stamp: TypeAlias = tuple[int, int, int]


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
        if table.columns and table.columns.isdisjoint(columns):
            sentence, remedy = no_column(columns[0], table.columns)
            raise ProviderRefused(f"{self._name}: {self._settings.file.name}: {sentence}", remedy=remedy)
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
                first, self._table = self._table is None, await asyncio.to_thread(self._read)
                self._stamp = stamp
                # What the first table has is told at the start, with its other faults.
                for remark in () if first else number_faults(self._settings.file.name, self._table):
                    _log.warning("records.unreadable", integration=self._name, why=str(remark))
        except OSError as error:
            self._broken(
                TableFault(f"it cannot be read: {error.strerror or 'it is not there'}", "make it readable here")
            )
        except TableFault as fault:
            self._broken(fault)
        else:
            self._complained = ""

    async def remarks(self) -> Sequence[Problem]:
        """Return what hinders nobody but those it is about: numbers that cannot be read. Raises what `find` raises."""
        return number_faults(self._settings.file.name, await self._fresh_table())

    def _read(self) -> TableIndex:
        table = read_table(self._settings.file, self._settings.format, self._settings.sheet)
        theirs = {column for shape in self._shapes.values() for column in shape.theirs}
        check_used(table, {*theirs, *self._phone_columns(), self._settings.key})
        return TableIndex(table, self._region, self._phone_columns())

    def _phone_columns(self) -> frozenset[str]:
        shapes = self._shapes.values()
        return frozenset(shape.their_name(name) for shape in shapes for name in self._settings.phone_fields)

    def _broken(self, fault: TableFault) -> None:
        place = f"{self._settings.file.name}:{fault.line}" if fault.line else self._settings.file.name
        why = f"{place}: {fault}"
        # Nothing was ever read: nobody can be found, and the route must hear that the source is down.
        if self._table is None:
            raise ProviderRefused(f"{self._name}: the file of records cannot be read: {why}", remedy=fault.remedy)
        # Once for each fault: a file that stays broken would fill the log.
        if why != self._complained:
            self._complained = why
            _log.warning(
                "records.broken", integration=self._name, why=f"{why}; {fault.remedy}", in_force="the last good table"
            )


def _stamp(path: Path) -> _Stamp:
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size, found.st_ino
