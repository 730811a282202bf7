"""The engine's database while it runs: what is written stands in a line, and a thread commits it in groups.

One wait for the disk serves all that came within some milliseconds. Nobody waits for it who does not want to: what is
`put` stays in memory, in order, through every outage, and is written when the database is back.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from sqlalchemy import Connection

from routing_engine.errors import StorageError, traceback_frames
from routing_engine.logger import Logger
from routing_engine.storage.connector import Connector, is_outage
from routing_engine.storage.place import DatabasePlace

T = TypeVar("T")
#: What is to be done within a transaction. It may be done again after that was rolled back, and keeps no connection.
Work: TypeAlias = Callable[[Connection], T]

#: Work gathers so long before it is committed together.
GATHER_S = 0.004
#: How much may wait while the database does not take it: half an hour at ten calls a second, some 100 MB.
MOST_WAITING = 20_000
RETRY_S = 2.0
#: A start waits no longer for a database that does not answer, or has much to bring up to date.
OPEN_S = 3.0
_GROUP = 500
_CLOSING = "the engine is stopping"

_log = Logger()


@dataclass(eq=False, slots=True)
class _Task(Generic[T]):
    """Work in the line. Whoever wrote it waits for `done`; what was `put` has nobody who waits, and is kept."""

    work: Work[T]
    kept: bool
    done: Future[T] = field(default_factory=Future)

    def run(self, connection: Connection) -> Callable[[], None]:
        """Do the work in a savepoint of its own; return what tells of it once it is committed."""
        try:
            with connection.begin_nested():
                found = self.work(connection)
        except Exception as error:
            if is_outage(error):
                raise
            fault = error
            return lambda: self.fail(fault)
        return lambda: self._tell(found)

    def fail(self, error: Exception) -> None:
        """Tell that the work was not done."""
        with suppress(InvalidStateError):  # nobody waits any more
            self.done.set_exception(error)

    def _tell(self, found: T) -> None:
        with suppress(InvalidStateError):
            self.done.set_result(found)


class Database:
    """`open` it, `put`, `write` and `read`, `close` it. `down` says why it does not work now, "" while it does."""

    def __init__(
        self,
        place: DatabasePlace,
        *,
        most_waiting: int = MOST_WAITING,
        retry_s: float = RETRY_S,
        gather_s: float = GATHER_S,
    ) -> None:
        self._place = place
        self._most_waiting, self._retry_s, self._gather_s = most_waiting, retry_s, gather_s
        self._line: deque[_Task[object]] = deque()
        self._wake, self._hurry, self._ready = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="database", daemon=True)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="database-reader")
        self._to_read = Connector(place, write=False)
        self._closing = self._full = False
        self._most_at_once = _GROUP
        self._refused = self._misfits = 0  # two counters: each has one thread that writes it
        self.down = ""

    @property
    def waiting(self) -> int:
        """How much is not in the database yet."""
        return len(self._line)

    @property
    def lost(self) -> int:
        """How much will never be there."""
        return self._refused + self._misfits

    # ------------------------------------------------------------------------- on the event loop's side

    async def open(self) -> None:
        """Begin to work; wait until the database is open and of this version's form, or has said that it cannot be."""
        self._thread.start()
        await asyncio.to_thread(self._ready.wait, OPEN_S)

    def put(self, work: Work[None], then: Callable[[], None] | None = None) -> bool:
        """Have work done, in order, when the database takes it; then call `then` in this event loop.

        Never raises. Returns False where too much waits already: this is lost.
        """
        if len(self._line) >= self._most_waiting:
            self._refuse()
            return False
        task = _Task(work, kept=True)
        if then is not None:
            told, loop = then, asyncio.get_running_loop()
            task.done.add_done_callback(lambda _: _call_in(loop, told))
        self._append(task)
        return True

    async def write(self, work: Work[T]) -> T:
        """Do work behind all that was put before, and return what it returned, once it is on the disk.

        Raises `StorageError` while the database is down: then nothing was done. Else what the work raised.
        """
        if self.down or self._closing:
            raise StorageError(self.down or _CLOSING)
        task = _Task(work, kept=False)
        self._append(task)
        return await asyncio.wrap_future(task.done)

    async def read(self, work: Work[T]) -> T:
        """Return what `work` finds, beside what is being written. Raises `StorageError`, at once while it is down."""
        if self.down:
            raise StorageError(self.down)
        return await asyncio.get_running_loop().run_in_executor(self._reader, self._read, work)

    async def flush(self) -> bool:
        """Wait until all that was put so far is done; False when the database does not take it now."""
        try:
            await self.write(lambda _: None)
        except StorageError:
            return False
        return True

    async def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits and let go of the database. One that hangs is not waited for longer than `timeout_s`."""
        self._closing = True
        self._hurry.set()
        self._wake.set()
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join, timeout_s)
        self._reader.submit(self._to_read.close)
        self._reader.shutdown(wait=False)
        kept = sum(task.kept for task in self._line)
        if kept:
            _log.error("database.cut", database=self._place.name, lost=kept)

    def _append(self, task: _Task[T]) -> None:
        self._line.append(task)  # type: ignore[arg-type]  # whoever waits for it knows what it gives
        if not self._wake.is_set():
            self._wake.set()

    def _refuse(self) -> None:
        self._refused += 1
        if not self._full:
            self._full = True
            _log.error("database.full", database=self._place.name, waiting=self._most_waiting)

    # --------------------------------------------------------------------------------- on the threads' side

    def _read(self, work: Work[T]) -> T:
        with self._to_read.transaction() as connection:
            return work(connection)

    def _work(self) -> None:
        connector = Connector(self._place)
        self._try_open(connector)
        self._ready.set()
        closing = False
        while not closing:
            if not self._line:
                self._wake.wait(self._retry_s if self.down else None)
            self._wake.clear()
            closing = self._closing
            if self._line:
                self._hurry.wait(self._retry_s if self.down else self._gather_s)
            working = True
            while working and self._line:
                working = self._commit_some(connector)
            if self.down and not self._line:
                self._try_open(connector)
        connector.close()

    def _try_open(self, connector: Connector) -> None:
        try:
            with connector.connected():
                self._up()
        except Exception as error:
            self._fail(error)

    def _commit_some(self, connector: Connector) -> bool:
        """Do some of the work that waits, in one transaction; False when the database did not take it."""
        group = [self._line.popleft() for _ in range(min(self._most_at_once, len(self._line)))]
        try:
            told = self._commit(connector, group)
        except StorageError as error:
            self._fail(error)
            self._put_back(group)
            return False
        except Exception as error:
            self._part(group, error)
            return True
        for task, tell in zip(group, told, strict=True):
            tell()
            if task.kept and (fault := task.done.exception()) is not None:
                self._misfit(fault)
        self._most_at_once = _GROUP
        self._up()
        return True

    def _part(self, group: Sequence[_Task[object]], error: Exception) -> None:
        """Have work done one by one, because one of the group spoils its transaction; leave out the one that does."""
        if len(group) == 1:
            group[0].fail(error)
            self._misfit(error)
        else:
            self._line.extendleft(reversed(group))
        self._most_at_once = 1 if len(group) > 1 else _GROUP

    def _commit(self, connector: Connector, group: Sequence[_Task[object]]) -> list[Callable[[], None]]:
        try:
            with connector.transaction() as connection:
                return [task.run(connection) for task in group]
        except StorageError:
            if self.down:
                raise
        # A connection may have died while nobody used it: that is no outage yet.
        with connector.transaction() as connection:
            return [task.run(connection) for task in group]

    def _put_back(self, group: Sequence[_Task[object]]) -> None:
        """Keep what was put, in its order; who waits hears at once that it was not done."""
        self._line.extendleft(reversed([task for task in group if task.kept]))
        for task in group:
            if not task.kept:
                task.fail(StorageError(self.down))

    def _up(self) -> None:
        if (self.down or self._full) and len(self._line) <= self._most_waiting // 2:
            self.down, self._full = "", False
            _log.info("database.up", database=self._place.name, lost=self.lost)

    def _fail(self, error: Exception) -> None:
        why = str(error) if isinstance(error, StorageError) else type(error).__name__
        if not self.down:
            _log.error("database.down", database=self._place.name, why=why)
        self.down = why

    def _misfit(self, error: BaseException) -> None:
        """Lose one piece of work by a fault of ours."""
        self._misfits += 1
        if self._misfits == 1:
            _log.error("database.failed", error=type(error).__name__, traceback=traceback_frames(error))


def _call_in(loop: asyncio.AbstractEventLoop, told: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop has ended before the database
        loop.call_soon_threadsafe(told)
