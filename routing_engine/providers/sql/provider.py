"""What asks a database: which query for which search, and which of the rows are meant."""

from __future__ import annotations

import asyncio
import datetime
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

from routing_engine.core.bounds import number_texts
from routing_engine.core.model import Json, Record, Value
from routing_engine.core.phone import Number, holds_line, last_digits, phone_format
from routing_engine.core.ports import Clock, Provider, Query
from routing_engine.core.templates import as_text
from routing_engine.errors import ProviderError, ProviderMisread, ProviderRefused
from routing_engine.providers.answers.records import record_of
from routing_engine.providers.answers.values import read_value
from routing_engine.providers.sql.settings import SqlModel, SqlSettings
from routing_engine.settings.integration import Model
from routing_engine.sql.drivers import QueryLimits, driver_of
from routing_engine.sql.pool import SqlPool
from routing_engine.sql.statement import SqlStatement, TableQuery, digit_spellings, spellings
from routing_engine.sql.unknown import NoSuchName, every_table, listed, nothing_of, tables_of

#: So much text all rows of an answer may hold: it is made clean while calls wait.
_MOST_BYTES = 4 * 1024 * 1024
#: What there is instead of a wrong name is told where it can be known so soon: a caller waits.
_LIST_S = 0.5
#: What a text cannot hold that goes to a database: NUL, and half a surrogate pair.
_CANNOT_BE_SENT = re.compile(r"[\x00\ud800-\udfff]")


def open_sql(name: str, settings: SqlSettings, models: Mapping[str, Model], region: str, clock: Clock) -> Provider:
    """Return the provider of a database. It connects at the first look-up."""
    limits = QueryLimits(settings.connections, settings.at_most + 1, settings.time_limit_s)
    driver = driver_of(settings.kind, settings.place, settings.password, limits)
    pool = SqlPool(name, driver, settings.connections, clock)
    return SqlProvider(name, settings, models, pool, region)


class SqlProvider:
    """Looks rows up in a database."""

    def __init__(
        self, name: str, settings: SqlSettings, models: Mapping[str, Model], pool: SqlPool, region: str
    ) -> None:
        self._name, self._settings, self._models = name, settings, models
        self._pool, self._region = pool, region
        self._explanations: dict[tuple[SqlStatement, str, str], str] = {}
        self._statements: dict[tuple[str, tuple[str, ...], str, int], SqlStatement] = {}

    async def find(self, query: Query) -> Sequence[Record]:
        """Look for the rows of a caller, or with this value in a column."""
        where = self._settings.models.get(query.model, SqlModel())
        text = query.number if query.by_caller else query.value
        if not text:
            raise ProviderRefused(f"{self._name}: there is nothing to search by")
        # No column holds it, and PostgreSQL raises for a NUL where others find somebody.
        if not text.strip() or _CANNOT_BE_SENT.search(text):
            return ()
        rows = await self._rows(query, where)
        if query.by_caller and len(rows) > self._settings.at_most:
            raise ProviderMisread(f"{self._name}: more rows fit the caller's number than at_most allows")
        model = self._models[query.model]
        return [_record(row, model, self._name) for row in rows[: self._settings.at_most]]

    async def check(self) -> str:
        """Let the database read every query, so that a missing table, column or right shows before a call does."""
        every = [(name, statement) for name in self._models for statement in self._every(name)]
        for name, statement in every:
            try:
                await self._pool.prove([statement])
            except NoSuchName as error:
                raise await self._explained(error, name, statement) from None
        return f"the database knows all that {len(every)} queries name"

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def _explained(self, error: NoSuchName, model: str, statement: SqlStatement) -> ProviderRefused:
        """Return the error that names what is not there, lists what is, and says which key to correct."""
        key = (statement, error.fault, error.named)
        if key not in self._explanations:
            try:
                async with asyncio.timeout(_LIST_S):
                    there = await self._there(error, model, statement)
            except (ProviderError, TimeoutError):
                return error  # not kept: the next one may learn more
            self._explanations[key] = f"{str(error).partition(';')[0]}{there}" if there else str(error)
        return ProviderRefused(self._explanations[key], remedy=self._remedy(error, model, statement))

    async def _there(self, error: NoSuchName, model: str, statement: SqlStatement) -> str:
        """Return what there is instead, as the end of a sentence; "" for what has no list."""
        table = self._settings.models.get(model, SqlModel()).table
        if error.fault == "table":
            _, rows = await self._pool.ask(every_table(self._settings.kind), ())
            return f"; there are {listed([as_text(column_value(row[0])) for row in rows])}"
        if error.fault != "column":
            return ""
        if self._is_own(model, statement):
            columns = [(one, await self._columns_of(one)) for one in tables_of(statement, error.named)]
            return "".join(f"; '{one}' has {listed(names)}" for one, names in columns if names)
        there, _ = await self._pool.ask(TableQuery(self._settings.kind, table, (), 0).nothing(), ())
        fold = str if self._settings.kind == "postgresql" else str.casefold  # PostgreSQL alone tells `Name` from `name`
        known = set(map(fold, there))
        # All that the field map lacks, where the database names the first one only.
        lacks = [one for one in dict.fromkeys(self._models[model].fields.values()) if fold(one) not in known]
        others = [f"'{one}'" for one in lacks if one != error.named]
        return f"{', ' if others else ''}{', '.join(others)}; '{table}' has {listed(there)}"

    async def _columns_of(self, table: str) -> Sequence[str]:
        """Return the columns of a table; none of what only looks like one, such as a name that WITH gives."""
        try:
            return (await self._pool.ask(nothing_of(table), ())).names
        except ProviderRefused:
            return ()

    def _is_own(self, model: str, statement: SqlStatement) -> bool:
        where = self._settings.models.get(model, SqlModel())
        return statement is where.by_phone or any(statement is one for one in where.by_field.values())

    def _remedy(self, error: NoSuchName, model: str, statement: SqlStatement) -> str:
        where = self._settings.models.get(model, SqlModel())
        if not self._is_own(model, statement):
            return f"correct '{'table' if error.fault == 'table' else 'fields'}' of the model '{model}'"
        by_field = next((name for name, one in where.by_field.items() if one is statement), "")
        query = f"the query '{by_field}' of 'find_by_field'" if by_field else "'find_by_phone'"
        return f"correct {query} of the model '{model}'"

    async def _rows(self, query: Query, where: SqlModel) -> Sequence[Row]:
        own = where.by_phone if query.by_caller else where.by_field.get(query.field)
        if own is not None:
            return await self._by_query(query, own)
        if not where.table:
            missing = "find_by_phone" if query.by_caller else f"find_by_field: {{{query.field or 'FIELD'}: ...}}"
            raise ProviderRefused(f"{self._name}: the model '{query.model}' has no table and no {missing}")
        return await (self._by_caller(query) if query.by_caller else self._by_value(query))

    async def _by_query(self, query: Query, statement: SqlStatement) -> Sequence[Row]:
        model = self._models[query.model]
        if query.by_caller and "number" not in statement.names and query.form != model.forms[0]:
            return ()  # it does not depend on the spelling, and was asked with the first one
        found = await self._ask(query.model, statement, [parameter(query, name) for name in statement.names])
        column = model.fields.get(query.field, query.field)
        return [row for row in found if query.by_caller or same_number(row.get(column), query.value)]

    async def _by_value(self, query: Query) -> Sequence[Row]:
        """Compare exactly, whatever the database takes for equal: case, accents, `42` and `0042`."""
        wanted, columns = query.value.strip(), self._columns(query)
        # Asked loosely, compared exactly: MySQL finds `0042` by 42, and `é` by e.
        found = await self._ask(query.model, self._made(query.model, columns, "equal", 1), [wanted])
        return [row for row in found if wanted in texts_in(row.get(columns[0]))]

    async def _by_caller(self, query: Query) -> Sequence[Row]:
        number, columns = query.caller, self._columns(query)
        assert number is not None, "it is asked for by its number"
        if last_digits(query.form):
            return await self._look(query.model, columns, "holds_digits", [query.number])
        if self._settings.number_match == "exact":
            return await self._look(query.model, columns, "equal", [query.number])
        if query.form != next(form for form in self._models[query.model].forms if not last_digits(form)):
            return ()  # every spelling was asked for with the first one
        # An index answers the first question; the second reads the whole table.
        if self._settings.number_match == "exact_then_digits":
            found = await self._look(query.model, columns, "equal", spellings(number, query.number))
            if any(self._is_of(row, number, columns, query.form) for row in found):
                return found
        return await self._look(query.model, columns, "same_digits", digit_spellings(number))

    async def _look(
        self, model: str, columns: tuple[str, ...], how: str, values: Sequence[str | None]
    ) -> Sequence[Row]:
        statement = self._made(model, columns, how, len(values))
        return await self._ask(model, statement, [*values] * len(columns))

    async def _ask(self, model: str, statement: SqlStatement, values: Sequence[str | None]) -> Sequence[Row]:
        try:
            names, rows = await self._pool.ask(statement, values)
        except NoSuchName as error:
            raise await self._explained(error, model, statement) from None
        if sum(len(cell) for row in rows for cell in row if isinstance(cell, (str, bytes))) > _MOST_BYTES:
            raise ProviderMisread(f"{self._name}: the rows hold more than 4 MiB; ask for fewer columns")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _is_of(self, row: Row, number: Number, columns: Sequence[str], form: str) -> bool:
        texts = (text for column in columns for text in texts_in(number_texts(column_value(row.get(column)))))
        return any(holds_line(text, number, self._region) for text in texts)

    def _columns(self, query: Query) -> tuple[str, ...]:
        """Return the columns to look in: that of the route's field, else those of numbers, else that of the id."""
        model = self._models[query.model]
        names = [query.field] if query.field else model.numbers if query.by_caller else ["id"]
        if not names:
            raise ProviderRefused(f"{self._name}: nothing says where to look: the model '{model.name}' lacks 'numbers'")
        return tuple(model.fields.get(name, name) for name in names)

    def _made(self, model: str, columns: tuple[str, ...], how: str, values: int) -> SqlStatement:
        """Return the query for such a search; made once."""
        key = (model, columns, how, values)
        found = self._statements.get(key)
        if found is None:
            fields = self._models[model].fields.values()
            read = tuple(dict.fromkeys((*fields, *columns))) if fields else ()
            simple = TableQuery(
                self._settings.kind, self._settings.models[model].table, read, self._settings.at_most + 1
            )
            make = {"equal": simple.equal, "same_digits": simple.same_digits, "holds_digits": simple.holds_digits}[how]
            found = self._statements[key] = make(columns, values)
        return found

    def _every(self, name: str) -> list[SqlStatement]:
        """Return the queries of a model that need no route to be known."""
        where, model = self._settings.models.get(name, SqlModel()), self._models[name]
        found = [*where.by_field.values(), *([where.by_phone] if where.by_phone is not None else [])]
        if where.table:
            numbers = tuple(model.fields.get(field, field) for field in model.numbers)
            found += [self._made(name, numbers, how, 1) for how in ("equal", "same_digits") if numbers]
            columns = numbers or tuple(model.fields.values())[:1]
            found += [self._made(name, columns, "equal", 1)] if columns and not numbers else []
        return found


def parameter(query: Query, name: str) -> str | None:
    """Return what an operator's own query calls by a name; None (NULL) for what is hidden, or has too few digits."""
    if name == "value":
        return query.value
    if query.caller is None:
        return None
    if name == "number":
        return query.number or None
    return query.caller.form(phone_format(name)) or None


_NUMBER = re.compile(r"[-+]?[0-9]{1,40}(\.[0-9]{1,40})?\Z", re.ASCII)
#: Column -> value, as the driver gives it.
Row: TypeAlias = Mapping[str, object]


def _record(row: Row, model: Model, integration: str) -> Record:
    """Return the record of a row. Raises `ProviderMisread` when a column of the field map is not among its columns."""
    names = model.fields or {name: name for name in row}
    missing = next((theirs for theirs in names.values() if theirs not in row), None)
    if missing is not None:
        has = listed(list(row))
        raise ProviderMisread(f"{integration}: the answer of the query has no column '{missing}'; it has {has}")
    return record_of({ours: column_value(row[theirs]) for ours, theirs in names.items()}, model.record_url)


def column_value(raw: object) -> Value:
    """Return what stands in a column as a field's value: dates and times as ISO 8601 writes them, decimals as they are
    written (`2500.00`), arrays as tuples, bytes as the text they are, else as hexadecimal digits.
    """
    if isinstance(raw, (list, tuple, set, frozenset)):
        return read_value([_plain(item) for item in raw])
    return read_value(_plain(raw))


def _plain(raw: object) -> Json:
    if isinstance(raw, (datetime.datetime, datetime.date, datetime.time)):
        return raw.isoformat()
    if isinstance(raw, (bytes, bytearray, memoryview)):
        return _text_of(bytes(raw))
    if isinstance(raw, Decimal):
        return format(raw, "f") if raw.is_finite() else None
    if isinstance(raw, float) and not math.isfinite(raw):
        return None  # no number that a rule could compare with
    return raw if raw is None or isinstance(raw, (bool, int, float, str)) else str(raw)


def _text_of(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.hex()


def texts_in(raw: object) -> tuple[str, ...]:
    """Return the texts of a column, without spaces around them: one, or those of an array."""
    value = column_value(raw)
    return tuple(as_text(item).strip() for item in (value if isinstance(value, tuple) else (value,)))


def same_number(raw: object, text: str) -> bool:
    """Return whether a column may have been compared with a text: MySQL finds the number 5 by `5' OR 1=1`, too."""
    if isinstance(raw, bool) or not isinstance(raw, (int, float, Decimal)):
        return True
    written = text.strip()
    return bool(_NUMBER.match(written)) and Decimal(written) == Decimal(str(raw))
