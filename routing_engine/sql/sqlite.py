"""SQLite: a file, read in threads so that a slow query never holds the event loop."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from routing_engine.sql.pool import Fault, QueryResult
from routing_engine.sql.statement import SqlStatement
from routing_engine.sql.unknown import named_by_sqlite
from routing_engine.storage.sqlite import open_only

T = TypeVar("T")
#: How long a look-up waits for somebody who is writing.
_BUSY_S = 1.0
_LOOK_AGAIN_S = 0.05
_FAULTS: dict[str, Fault] = {
    "SQLITE_BUSY": "locked",
    "SQLITE_LOCKED": "locked",
    "SQLITE_CANTOPEN": "no_file",
    "SQLITE_PERM": "no_file",
    "SQLITE_NOTADB": "no_database",
    "SQLITE_READONLY": "writes",
    "SQLITE_INTERRUPT": "slow",
    "SQLITE_TOOBIG": "value",
}
_SAID: dict[str, Fault] = {
    "no such table": "table",
    "no such column": "column",
    "no such function": "function",
    "syntax error": "syntax",
    "incomplete input": "syntax",
    "": "other",
}


class Sqlite:
    """What opens the file; `time_limit_s` is for each query."""

    def __init__(self, file: Path, size: int, most: int, time_limit_s: float) -> None:
        self._file, self._most, self._time_limit_s = file, most, time_limit_s
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="sqlite")

    async def connect(self) -> SqliteConnection:
        """Open the file: it must be there, and is never written."""
        # Opening may wait for a slow disk: it is no reason to hold up every call.
        opening = self._run(self._connect)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_late)
            raise

    def judge(self, error: BaseException) -> Fault:
        """Return what an error means."""
        if isinstance(error, TimeoutError):
            return "slow"
        if isinstance(error, OSError):
            return "no_file"
        if isinstance(error, (OverflowError, UnicodeEncodeError, sqlite3.InterfaceError)):
            return "value"
        name = str(getattr(error, "sqlite_errorname", ""))
        known = [fault for start, fault in _FAULTS.items() if name.startswith(start)]
        return [*known, *(fault for part, fault in _SAID.items() if part in str(error))][0]

    def named(self, error: BaseException) -> str:
        """Return the table, column or function that an error says is not there."""
        return named_by_sqlite(str(error))

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False)

    def _connect(self) -> SqliteConnection:
        stamp = _stamp(self._file)
        opened = open_only(self._file.absolute(), "ro", _BUSY_S)
        opened.execute("PRAGMA query_only = ON")
        return SqliteConnection(opened, self._file, stamp, self._run, self._most, self._time_limit_s)

    def _run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)


class SqliteConnection:
    """The open file; one thread at a time works with it."""

    def __init__(
        self,
        opened: sqlite3.Connection,
        file: Path,
        stamp: tuple[int, int],
        run: Callable[[Callable[[], QueryResult]], asyncio.Future[QueryResult]],
        most: int,
        time_limit_s: float,
    ) -> None:
        self._opened, self._file, self._stamp = opened, file, stamp
        self._run, self._most, self._time_limit_s = run, most, time_limit_s
        self._running: asyncio.Future[QueryResult] | None = None

    @property
    def is_closed(self) -> bool:
        """Return whether another file lies there by now: who replaces it wants the new one to be read."""
        try:
            # Device and inode, not the time: `mv new.db customers.db` brings another file, writing does not.
            return _stamp(self._file) != self._stamp
        except OSError:
            return True

    async def ask(self, statement: SqlStatement, values: Sequence[str | None]) -> QueryResult:
        """Return the rows of a query."""
        text = statement.text()
        return await self._work(lambda: self._ask(text, values))

    async def end(self, running: bool) -> None:
        """Close the file, once nobody reads it any more."""
        await self._stop()
        self.close()

    def close(self) -> None:
        """Close the file that nobody reads."""
        self._opened.close()

    async def _work(self, work: Callable[[], QueryResult]) -> QueryResult:
        self._running = self._run(work)
        self._running.add_done_callback(_look_at)
        try:
            # The thread goes on until SQLite notices the interrupt: the connection is not given back before.
            async with asyncio.timeout(self._time_limit_s):
                return await asyncio.shield(self._running)
        except TimeoutError:
            await self._stop()
            raise

    async def _stop(self) -> None:
        """Let a query end. A thread cannot be cancelled: SQLite is told to stop, again if it had not begun yet."""
        while self._running is not None and not self._running.done():
            self._opened.interrupt()
            await asyncio.wait({self._running}, timeout=_LOOK_AGAIN_S)

    def _ask(self, text: str, values: Sequence[str | None]) -> QueryResult:
        cursor = self._opened.execute(text, values)
        rows = cursor.fetchmany(self._most)
        names = [column[0] for column in cursor.description or ()]
        cursor.close()
        return QueryResult(names, rows)


def _close_late(done: asyncio.Future[SqliteConnection]) -> None:
    """Close a file that was opened for somebody who has gone."""
    if not done.cancelled() and done.exception() is None:
        done.result().close()


def _look_at(done: asyncio.Future[QueryResult]) -> None:
    """Look at how a query ended that nobody waits for any more: asyncio would complain about an error unseen."""
    if not done.cancelled():
        done.exception()


def _stamp(file: Path) -> tuple[int, int]:
    found = os.stat(file)
    return found.st_dev, found.st_ino
