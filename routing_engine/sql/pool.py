"""Connections to a database: opened when they are needed, kept, never shared, thrown away when in doubt.

A look-up that is cancelled leaves its connection in the middle of something. Nobody gets that one again: it is closed
behind the call's back, and the database told to stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias

from routing_engine.core.ports import Clock
from routing_engine.errors import ProviderError, ProviderMisread, ProviderRefused, ProviderUnreachable
from routing_engine.sql.statement import SqlStatement
from routing_engine.sql.unknown import NoSuchName

#: A connection that nobody used for so long is closed: what lies between may have forgotten it without a word.
_IDLE_S = 240.0


class QueryResult(NamedTuple):
    """What a query gave: the names of its columns, and the rows."""

    names: Sequence[str]
    rows: Sequence[Sequence[object]]


class SqlConnection(Protocol):
    """An open connection that can only read."""

    @property
    def is_closed(self) -> bool:
        """Return whether it is known to be of no more use."""

    async def ask(self, statement: SqlStatement, values: Sequence[str | None]) -> QueryResult:
        """Return the rows of a query. May raise anything: the driver knows what it means."""

    async def end(self, running: bool) -> None:
        """Close it, and stop what it may be `running`. Raises nothing."""


class SqlDriver(Protocol):
    """What speaks to one kind of database."""

    async def connect(self) -> SqlConnection:
        """Open a connection that can only read."""

    def judge(self, error: BaseException) -> Fault:
        """Return what an error of `connect` or of a connection means."""

    def named(self, error: BaseException) -> str:
        """Return the table, column or function that an error says is not there; "" when it does not say."""

    def close(self) -> None:
        """Release what all connections share."""


class SqlPool:
    """At most `size` connections at a time; who finds none free waits. The one used last is taken first."""

    def __init__(self, name: str, driver: SqlDriver, size: int, clock: Clock) -> None:
        self._name, self._driver, self._clock = name, driver, clock
        self._places = asyncio.Semaphore(size)
        self._free: list[tuple[SqlConnection, float]] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def ask(self, statement: SqlStatement, values: Sequence[str | None]) -> QueryResult:
        """Return the rows of a query; none for values that no row can have. Raises `ProviderError`s only."""
        # Waited for within the source's own time: no queue grows behind a slow database.
        async with self._places:
            connection = await self._take()
            try:
                rows = await connection.ask(statement, values)
            except BaseException as error:
                self._failed(connection, error)
                return QueryResult((), ())
            self._give_back(connection)
            return rows

    async def prove(self, statements: Sequence[SqlStatement]) -> None:
        """Let the database read queries without running them. Raises `ProviderError`s only."""
        async with self._places:
            connection = await self._take()
            try:
                for one in statements:
                    await connection.ask(one.explained(), [None] * len(one.names))
            except BaseException as error:
                self._failed(connection, error)
                return
            self._give_back(connection)

    async def close(self) -> None:
        """Close every connection, and wait until those that are ending have ended."""
        self._closed = True
        self._drop_free()
        await asyncio.gather(*self._ending)
        self._driver.close()

    async def _take(self) -> SqlConnection:
        while self._free:
            # The last one used is the warmest, and lets the others grow idle and be closed.
            connection, since = self._free.pop()
            if not connection.is_closed and self._clock() - since < _IDLE_S:
                return connection
            self._behind(connection.end(running=False))
        if self._closed:
            raise ProviderUnreachable(f"{self._name}: the connection is closed")
        try:
            return await self._driver.connect()
        except Exception as error:
            found = error_of(self._name, self._driver.judge(error))
            raise found or ProviderUnreachable(f"{self._name}: no connection can be made") from None

    def _give_back(self, connection: SqlConnection) -> None:
        if self._closed:
            self._behind(connection.end(running=False))
        else:
            self._free.append((connection, self._clock()))

    def _failed(self, connection: SqlConnection, error: BaseException) -> None:
        """Put the connection where it belongs after an error, and raise what the error means."""
        # What the server is still doing for nobody must be stopped there too.
        if not isinstance(error, Exception):  # cancelled
            self._behind(connection.end(running=True))
            raise error
        fault = self._driver.judge(error)
        if fault in HARMLESS and not connection.is_closed:
            self._give_back(connection)
        else:
            self._behind(connection.end(running=False))
        if fault in ("broken", "starting"):
            self._drop_free()  # the server has gone, and the other connections with it
        found = error_of(self._name, fault, self._driver.named(error) if fault in _NAMES else "")
        if found is not None:
            raise found from None  # the driver's own error may hold what was searched

    def _drop_free(self) -> None:
        while self._free:
            self._behind(self._free.pop()[0].end(running=False))

    def _behind(self, ending: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(ending)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


#: `value`: nothing is wrong, no row can have such a value. The drivers know which of their errors is which.
Fault: TypeAlias = Literal[
    "value",
    "login",
    "database",
    "rights",
    "table",
    "column",
    "function",
    "syntax",
    "types",
    "writes",
    "tls",
    "no_tls",
    "slow",
    "unreachable",
    "full",
    "starting",
    "broken",
    "changed",
    "locked",
    "no_file",
    "no_database",
    "other",
]
#: After these the connection is as good as before; all else may have left it in the middle of something.
HARMLESS = frozenset(
    {"value", "rights", "table", "column", "function", "syntax", "types", "writes", "locked", "other", "slow"}
)
_REFUSED = {
    "login": "the server refused the user or the password",
    "database": "the server has no database of this name, or the user may not use it",
    "syntax": "the database does not understand the query",
    "types": "the query compares what cannot be compared; a CAST in it may help",
    "writes": "the query would write, and may only read",
    "tls": "the server's certificate is not trusted; look at 'tls'",
    "no_tls": "the server speaks no TLS; tls: none asks it in the clear",
    "no_file": "the file of the database is not there, or the engine may not read it",
    "no_database": "the file is not a SQLite database",
}
_NAMES = {
    "table": ("there is no such table", "look at 'table' or at the query"),
    "column": ("there is no such column", "look at 'fields' or at the query"),
    "function": ("the database has no such function, or not for columns of this type", "look at the query"),
}
_UNREACHABLE = {
    "slow": "the query took longer than time_limit_s, and was ended",
    "unreachable": "no connection can be made",
    "full": "the server has no place for another connection",
    "starting": "the server is starting or stopping",
    "locked": "somebody else is writing to the database",
}
_AGAIN = {
    "broken": "the connection broke before the answer",
    "changed": "the table was changed since the last look-up",
}


def error_of(name: str, fault: Fault, named: str = "") -> ProviderError | None:
    """Return the error for a fault in the name of an integration; None when nothing is wrong. `named` is not there."""
    if fault == "value":
        return None
    if fault == "rights":
        return ProviderRefused(f"{name}: the user may not read this table, or a column of it", theirs=True)
    if fault in _NAMES:
        what, remedy = _NAMES[fault]
        which = f": '{named}'" if named else ""
        return NoSuchName(f"{name}: {what}{which}; {remedy}", fault, named)
    if fault in _REFUSED:
        return ProviderRefused(f"{name}: {_REFUSED[fault]}")
    if fault in _UNREACHABLE:
        return ProviderUnreachable(f"{name}: {_UNREACHABLE[fault]}")
    if fault in _AGAIN:
        return ProviderUnreachable(f"{name}: {_AGAIN[fault]}", again=True)
    return ProviderMisread(f"{name}: the database answered with an error")
