"""MySQL and MariaDB, through asyncmy: queries are prepared by the server, their parameters bound there."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, cast

from routing_engine.settings.sql import SqlServer
from routing_engine.sql.pool import Fault, QueryResult
from routing_engine.sql.statement import SqlStatement
from routing_engine.sql.unknown import named_by_mysql

_ENDING_S = 2.0
#: By the number of an error: the server's own, and from 2000 on those of the protocol's client side.
_FAULTS: Mapping[int, Fault] = {
    **dict.fromkeys((1045, 1251, 1698, 1862, 1873, 2049, 2054, 2059, 2061), "login"),
    **dict.fromkeys((1044, 1049), "database"),
    **dict.fromkeys((1142, 1143, 1227, 1370), "rights"),
    **dict.fromkeys((1146, 1109), "table"),
    1054: "column",
    **dict.fromkeys((1128, 1305, 1630), "function"),
    **dict.fromkeys((1064, 1149), "syntax"),
    **dict.fromkeys((1267, 1270, 1271, 3995), "types"),
    **dict.fromkeys((1792, 1290, 1836), "writes"),
    **dict.fromkeys((1317, 1969, 3024), "slow"),
    **dict.fromkeys((1040, 1203, 1226), "full"),
    **dict.fromkeys((1053, 1079, 1080), "starting"),
    **dict.fromkeys((1205, 1213), "locked"),
    **dict.fromkeys((1243, 1615), "changed"),
    **dict.fromkeys((1264, 1292, 1366, 1406, 3854), "value"),
    **dict.fromkeys((1158, 1159, 1160, 1161, 1927, 2006, 2013, 2014, 2027, 2055), "broken"),
    **dict.fromkeys((1129, 1130, 2001, 2002, 2003, 2005), "unreachable"),
}


class _MysqlResult(Protocol):
    description: Sequence[Sequence[str]]
    rows: Sequence[Sequence[object]]


class _MysqlStatement(Protocol):
    """What we use of asyncmy's."""

    async def execute(self, values: Sequence[str | None]) -> _MysqlResult: ...


class _MysqlDriverConnection(Protocol):
    """What we use of asyncmy's."""

    connected: bool

    async def connect(self) -> None: ...

    async def query(self, text: str) -> int: ...

    async def prepare(self, query: str) -> _MysqlStatement: ...

    def get_server_info(self) -> str: ...

    def thread_id(self) -> int: ...

    def close(self) -> None: ...


class Mysql:
    """What opens connections to a MySQL or a MariaDB."""

    def __init__(self, server: SqlServer, password: str, most: int, time_limit_s: float) -> None:
        self._server, self._password = server, password
        self._most, self._time_limit_s = most, time_limit_s

    async def connect(self) -> MysqlConnection:
        """Open a connection whose transactions can only read, and whose queries the server ends by itself."""
        async with asyncio.timeout(self._server.timeout_s):
            opened = await self._open()
            try:
                await self._limit(opened)
            except BaseException:
                opened.close()
                raise
        return MysqlConnection(opened, self._open, self._most)

    def judge(self, error: BaseException) -> Fault:
        """Return what an error means."""
        from asyncmy.errors import InterfaceError, MySQLError

        wrong = error.__cause__ if isinstance(error, MySQLError) else error
        if isinstance(wrong, ssl.SSLError):
            return "tls" if isinstance(wrong, ssl.SSLCertVerificationError) else "no_tls"
        if isinstance(error, MySQLError):
            number = error.args[0] if error.args else 0
            fault = _FAULTS.get(number) if isinstance(number, int) else None
            return fault or ("broken" if isinstance(error, InterfaceError) else "other")
        if isinstance(error, (OverflowError, UnicodeEncodeError)):
            return "value"
        return "unreachable" if isinstance(error, OSError) else "other"

    def named(self, error: BaseException) -> str:
        """Return the table, column or function that an error says is not there."""
        return named_by_mysql(str(error.args[-1]) if error.args else "")

    def close(self) -> None:
        """Nothing is shared."""

    async def _open(self) -> _MysqlDriverConnection:
        import asyncmy.connection

        server = self._server
        make = cast("Callable[..., _MysqlDriverConnection]", cast(Any, asyncmy.connection).Connection)
        opened = make(
            host=server.host,
            port=server.port,
            user=server.user,
            password=self._password.encode(),
            database=server.database,
            ssl=server.tls,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=server.timeout_s,
            program_name="routing-engine",
        )
        try:
            await opened.connect()
        except BaseException:
            opened.close()
            raise
        return opened

    async def _limit(self, opened: _MysqlDriverConnection) -> None:
        """Let the session only read, and end what takes too long: MariaDB counts seconds, MySQL milliseconds."""
        limit = f"max_execution_time = {round(self._time_limit_s * 1000)}"
        if "MariaDB" in opened.get_server_info():
            # MariaDB knows no max_execution_time, and MySQL no max_statement_time: each refuses the other's.
            limit = f"max_statement_time = {self._time_limit_s:g}"
        await opened.query("SET SESSION TRANSACTION READ ONLY")
        await opened.query(f"SET SESSION {limit}")


class MysqlConnection:
    """A connection, and what it has prepared."""

    def __init__(
        self, opened: _MysqlDriverConnection, open_another: Callable[[], Awaitable[_MysqlDriverConnection]], most: int
    ) -> None:
        self._opened, self._open_another, self._most = opened, open_another, most
        self._thread = opened.thread_id()
        self._prepared: dict[SqlStatement, _MysqlStatement] = {}

    @property
    def is_closed(self) -> bool:
        """Return whether it is closed on our side; that the server has hung up shows at the next query."""
        return not self._opened.connected

    async def ask(self, statement: SqlStatement, values: Sequence[str | None]) -> QueryResult:
        """Return the rows of a query."""
        prepared = self._prepared.get(statement) or await self._prepare(statement)
        result = await prepared.execute(values)
        return QueryResult([column[0] for column in result.description], result.rows[: self._most])

    async def end(self, running: bool) -> None:
        """Say goodbye. The server does not notice that nobody waits any more: it is told over another connection."""
        self._opened.close()
        if not running:
            return
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_ENDING_S):
                other = await self._open_another()
                try:
                    # The server goes on with a query whose client has gone.
                    await other.query(f"KILL {self._thread:d}")
                finally:
                    other.close()

    async def _prepare(self, statement: SqlStatement) -> _MysqlStatement:
        found = await self._opened.prepare(statement.text())
        self._prepared[statement] = found
        return found
