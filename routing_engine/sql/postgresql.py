"""PostgreSQL, through asyncpg: a query is prepared once for a connection, its parameters are bound by the server."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Protocol, cast
from uuid import UUID

from routing_engine.settings.sql import SqlServer
from routing_engine.sql.pool import Fault, QueryResult
from routing_engine.sql.statement import SqlStatement
from routing_engine.sql.unknown import named_by_postgresql

_ENDING_S = 2.0
#: By SQLSTATE, the longest that fits: five characters, or the two of the class.
_FAULTS: Mapping[str, Fault] = {
    "28": "login",
    "3D": "database",
    "42501": "rights",
    "42P01": "table",
    "3F": "table",
    "42703": "column",
    "42883": "function",
    "42804": "types",
    "42P18": "types",
    "42": "syntax",
    "25006": "writes",
    "57014": "slow",
    "53": "full",
    "57": "starting",
    "08": "broken",
    "0A000": "changed",  # a prepared query whose columns have changed
    "26": "changed",
    "22P02": "value",
    "22P03": "value",
    "22003": "value",
    "22007": "value",
    "22008": "value",
    "22021": "value",
}


def _whole(text: str) -> int:
    if not text.lstrip("+-").isdecimal() or not text.isascii():
        raise ValueError("no whole number")
    return int(text)


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


#: What a text must become for a parameter of another type. What cannot become it is NULL, which equals nothing.
_OF_TYPE: Mapping[str, Callable[[str], object]] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), _whole),
    **dict.fromkeys(("float4", "float8"), float),
    "numeric": Decimal,
    "uuid": UUID,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
    "bool": _truth,
}
_WIDEST = {"int2": 15, "int4": 31, "int8": 63, "oid": 32}


def bound(value: str | None, kind: str) -> object:
    """Return a text as a parameter of a type of PostgreSQL's; None when it cannot be one."""
    if value is None or kind not in _OF_TYPE:
        return value
    try:
        # asyncpg binds by type and raises for a text where a number is wanted: nobody has such a value.
        found = _OF_TYPE[kind](value)
    except (ValueError, KeyError, InvalidOperation):
        return None
    if isinstance(found, int) and not -(2 ** _WIDEST.get(kind, 63)) <= found < 2 ** _WIDEST.get(kind, 63):
        return None
    if isinstance(found, datetime) and (found.tzinfo is None) != (kind == "timestamp"):
        return None
    return found


class _Named(Protocol):
    name: str


class _PostgresqlStatement(Protocol):
    """What we use of asyncpg's."""

    async def fetch(self, *arguments: object) -> Sequence[Sequence[object]]: ...

    def get_attributes(self) -> Sequence[_Named]: ...

    def get_parameters(self) -> Sequence[_Named]: ...


class _AsyncpgConnection(Protocol):
    """What we use of asyncpg's."""

    async def prepare(self, query: str) -> _PostgresqlStatement: ...

    async def close(self) -> None: ...

    def terminate(self) -> None: ...

    def is_closed(self) -> bool: ...


class Postgresql:
    """What opens connections to a PostgreSQL."""

    def __init__(self, server: SqlServer, password: str, most: int, time_limit_s: float) -> None:
        self._server, self._password = server, password
        self._most, self._time_limit_s = most, time_limit_s

    async def connect(self) -> PostgresqlConnection:
        """Open a connection whose transactions can only read, and whose queries the server ends by itself."""
        import asyncpg

        server = self._server
        opened = await asyncpg.connect(
            host=server.host,
            port=server.port,
            user=server.user,
            password=self._password,
            database=server.database,
            ssl=server.tls or False,
            timeout=server.timeout_s,
            statement_cache_size=0,  # ours is by the query, and its types are looked at once
            server_settings={
                "default_transaction_read_only": "on",
                "statement_timeout": str(round(self._time_limit_s * 1000)),
                "application_name": "routing-engine",
            },
        )
        return PostgresqlConnection(cast(_AsyncpgConnection, opened), self._most)

    def judge(self, error: BaseException) -> Fault:
        """Return what an error means."""
        import asyncpg

        if isinstance(error, asyncpg.PostgresError):
            state = error.sqlstate or ""
            return next((_FAULTS[key] for key in (state, state[:2]) if key in _FAULTS), "other")
        if isinstance(error, ssl.SSLError):
            return "tls"
        if isinstance(error, ConnectionError) and "SSL upgrade" in str(error):
            return "no_tls"
        if isinstance(error, (asyncpg.DataError, OverflowError, UnicodeEncodeError)):
            return "value"
        if isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError, EOFError)):
            return "broken"
        return "unreachable" if isinstance(error, OSError) else "other"

    def named(self, error: BaseException) -> str:
        """Return the table, column or function that an error says is not there."""
        query, place = (str(getattr(error, name, None) or "") for name in ("query", "position"))
        return named_by_postgresql(str(error), query, place)

    def close(self) -> None:
        """Nothing is shared."""


class PostgresqlConnection:
    """A connection, and what it has prepared."""

    def __init__(self, opened: _AsyncpgConnection, most: int) -> None:
        self._opened, self._most = opened, most
        self._prepared: dict[SqlStatement, _PreparedStatement] = {}

    @property
    def is_closed(self) -> bool:
        """Return whether the server has hung up."""
        return self._opened.is_closed()

    async def ask(self, statement: SqlStatement, values: Sequence[str | None]) -> QueryResult:
        """Return the rows of a query."""
        prepared = self._prepared.get(statement) or await self._prepare(statement)
        arguments = map(bound, values, prepared.types)
        return QueryResult(prepared.names, (await prepared.statement.fetch(*arguments))[: self._most])

    async def end(self, running: bool) -> None:
        """Say goodbye; asyncpg tells the server to stop what was cancelled, and waits for that."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_ENDING_S):
                await self._opened.close()
                return
        self._opened.terminate()

    async def _prepare(self, statement: SqlStatement) -> _PreparedStatement:
        found = _PreparedStatement(await self._opened.prepare(statement.text(lambda count: f"${count}")))
        self._prepared[statement] = found
        return found


class _PreparedStatement:
    """A query that the server knows: its columns, and the types of its parameters."""

    def __init__(self, statement: _PostgresqlStatement) -> None:
        self.statement = statement
        self.names = [column.name for column in statement.get_attributes()]
        self.types = [kind.name for kind in statement.get_parameters()]
