"""The journal of a running service: calls go in without waiting, a thread of its own writes them to the disk.

A thread, and not the event loop: what the disk does, and what turning calls into rows costs, never stands between two
bytes of a call, and a commit does not wait for a loop that is busy.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from routing_engine.core.events import CallEnded
from routing_engine.errors import StorageError, traceback_frames
from routing_engine.journal.entry import JournalEntry, Row, journal_entry, row_of
from routing_engine.journal.privacy import Privacy
from routing_engine.logger import Logger
from routing_engine.settings.stores import JournalSettings
from routing_engine.storage.doubt import ClockDoubt
from routing_engine.storage.place import DatabasePlace

#: Calls gather so long before they are committed together: one wait for the disk for all of them.
GATHER_S = 0.2
#: A start waits no longer for a database that does not answer, or has much to bring up to date: callers come first.
OPEN_S = 3.0
#: How many calls may wait while the disk does not take them: some 30 MB, a quarter of an hour at ten calls a second.
MOST_WAITING = 10_000
RETRY_S = 2.0
_BATCH = 500
#: As many calls may wait as they are, with all that their records hold; those behind them wait as short entries.
_WHOLE = 500
#: After so many calls the thread that turns them into rows gives way to the event loop: that waits for no more.
_GIVE_WAY = 8
_PATIENCE_S = 0.001
_UPKEEP_S, _UPKEEP_AGAIN_S = 3600.0, 60.0
#: After so many calls it is looked whether there are too many.
_UPKEEP_CALLS = 5000
_DAY_MS = 86_400_000

_log = Logger()


class RowStore(Protocol):
    """What the writer needs of a database; `store.JournalStore` keeps it. Only the writer's thread calls it.

    All but `close` raise `StorageError` when trying again may help, and other errors when it will not.
    """

    def open(self) -> None:
        """Have the database open; one that was moved away or removed is made anew."""

    def save(self, rows: Sequence[Row]) -> None:
        """Write calls, all or none."""

    def newest_s(self) -> float | None:
        """Return the moment of the newest call, in seconds since 1970; None when there is none."""

    def expire(self, before_ms: int, most_bytes: int) -> int:
        """Delete some calls that are older, or the oldest while there is too much; return how many. Again until 0."""

    def close(self) -> None:
        """Let go of the database."""


class Journal:
    """`open` it, `record` every call, `close` it. Whatever the disk does, none of these raises.

    `keeps_up`: it deletes what is too old; of several processes with one journal one does.
    """

    def __init__(
        self,
        place: DatabasePlace,
        settings: JournalSettings,
        region: str = "",
        *,
        keeps_up: bool = True,
        most_waiting: int = MOST_WAITING,
        retry_s: float = RETRY_S,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._place, self._keeps_up = place, keeps_up
        self._most_waiting, self._retry_s, self._now = most_waiting, retry_s, now
        self._doubt = ClockDoubt(monotonic)
        self.change(settings, region)
        self._waiting: deque[CallEnded | JournalEntry] = deque()
        self._rows: deque[Row] = deque()  # what the thread holds in its hands
        self._wake, self._hurry, self._ready = threading.Event(), threading.Event(), threading.Event()
        self._turned = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._closing = self._full = False
        self._taken = self._settled = self._failures = 0
        self._refused = self._misfits = 0  # two counters: each has one thread that writes it
        self._down = ""
        self._upkeep_at, self._upkeep_after = 0.0, 0
        self._expired = 0

    def change(self, settings: JournalSettings, region: str) -> None:
        """Take other settings, for what is written from now on. The database stays what it was."""
        self._settings = settings
        self._privacy = Privacy(settings.numbers, settings.key, region)

    @property
    def waiting(self) -> int:
        """How many calls are not on the disk yet."""
        return self._taken - self._settled

    @property
    def lost(self) -> int:
        """How many calls will never be there."""
        return self._refused + self._misfits

    @property
    def down(self) -> str:
        """Why the database does not work; "" while it does."""
        return self._down

    def record(self, event: CallEnded) -> None:
        """Take a call, in a microsecond; a health check is not one. When too many wait, the new one is lost."""
        if event.health_check:
            return  # thousands of these a day would push out the calls
        waiting = len(self._waiting)
        if waiting >= self._most_waiting:
            self._refuse()
            return
        try:
            # As it is: what is kept of it is found out behind the calls.
            self._waiting.append(event if waiting < _WHOLE else journal_entry(event))
        except Exception as error:
            self._misfit(error)
            return
        self._taken += 1
        if not self._wake.is_set():
            self._wake.set()

    async def open(self) -> None:
        """Begin to write; wait until the database is open, or has said that it cannot be."""
        self._thread.start()
        await asyncio.to_thread(self._ready.wait, OPEN_S)

    async def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until every call so far is settled; False when the database does not take them now."""
        return await asyncio.to_thread(self._flush, timeout_s)

    async def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits, and let go of the file. A disk that hangs is not waited for longer than `timeout_s`."""
        self._closing = True
        self._hurry.set()
        self._wake.set()
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join, timeout_s)
        if self.waiting:
            _log.error("journal.cut", database=self._place.name, lost=self.waiting)

    # ------------------------------------------------------------------------- on the event loop's side

    def _refuse(self) -> None:
        self._refused += 1
        if not self._full:
            self._full = True
            _log.error("journal.full", database=self._place.name, waiting=self._most_waiting)

    def _flush(self, timeout_s: float) -> bool:
        with self._turned:
            wanted, failures = self._taken, self._failures
            self._hurry.set()
            self._wake.set()
            self._turned.wait_for(lambda: self._settled >= wanted or self._failures > failures, timeout_s)
            return self._settled >= wanted

    # ------------------------------------------------------------------------------- on the thread's side

    def _work(self) -> None:
        from routing_engine.journal.store import JournalStore  # late: SQLAlchemy

        store = JournalStore(self._place)
        self._try_open(store)
        self._ready.set()
        closing = False
        while not closing:
            if not (self._rows or self._waiting):
                self._wake.wait(self._rest_s())
            self._wake.clear()
            closing = self._closing
            if self._rows or self._waiting:
                self._hurry.wait(self._retry_s if self._down else GATHER_S)
            self._hurry.clear()
            self._drain(store)
            if self._down and not self._rows:
                self._try_open(store)
            self._keep_up(store)
        store.close()

    def _rest_s(self) -> float:
        if not self._keeps_up:
            return self._retry_s if self._down else _UPKEEP_S
        return self._retry_s if self._down else min(max(0.0, self._upkeep_at - self._now()), _UPKEEP_S)

    def _try_open(self, store: RowStore) -> None:
        try:
            store.open()
            self._settle(0)
        except Exception as error:
            self._fail(error)

    def _drain(self, store: RowStore) -> None:
        """Write all that waits; stop at the first failure of the disk."""
        working = True
        while working and (self._rows or self._waiting):
            self._take_rows()
            working = self._save(store)
            with self._turned:
                self._turned.notify_all()

    def _take_rows(self) -> None:
        """Turn some calls into rows, giving way to the event loop after a few: it waits for no more than those.

        To a loop that takes its time with that, we give way no more: its calls must get to the disk, too.
        """
        patient = True
        while self._waiting and len(self._rows) < _BATCH:
            waiting = self._waiting.popleft()
            try:
                entry = journal_entry(waiting, small=False) if isinstance(waiting, CallEnded) else waiting
                self._rows.append(row_of(entry, self._privacy))
            except Exception as error:
                self._misfit(error)
                self._settled += 1
            if patient and not len(self._rows) % _GIVE_WAY:
                began = time.perf_counter()
                time.sleep(0)
                patient = time.perf_counter() - began < _PATIENCE_S

    def _save(self, store: RowStore) -> bool:
        """Write the rows in hand; False when the disk did not take them all."""
        if not self._rows:
            return True
        try:
            store.save(list(self._rows))
        except StorageError as error:
            self._fail(error)
            return False
        except Exception:
            return self._save_singly(store)
        self._settle(len(self._rows))
        self._rows.clear()
        return True

    def _save_singly(self, store: RowStore) -> bool:
        """Write row by row, and leave out the one that no database takes: it must not hold up all others."""
        while self._rows:
            try:
                store.save([self._rows[0]])
                self._settle(1)
            except StorageError as error:
                self._fail(error)
                return False
            except Exception as error:
                self._misfit(error)
                self._settled += 1
            self._rows.popleft()
        return True

    def _settle(self, count: int) -> None:
        self._settled += count
        self._upkeep_after -= count
        if (self._down or self._full) and len(self._waiting) <= self._most_waiting // 2:
            self._down, self._full = "", False
            _log.info("journal.up", database=self._place.name, lost=self.lost)

    def _misfit(self, error: Exception) -> None:
        """Lose one call by a fault of ours."""
        self._misfits += 1
        if self._misfits == 1:
            _log.error("journal.failed", error=type(error).__name__, traceback=traceback_frames(error))

    def _fail(self, error: Exception) -> None:
        why = str(error) if isinstance(error, StorageError) else type(error).__name__
        if not self._down:
            _log.error("journal.down", database=self._place.name, why=why)
        self._down = why
        self._failures += 1

    def _keep_up(self, store: RowStore) -> None:
        """Delete what is older than it may be, or too much: some calls at a time, so that new ones do not wait."""
        now = self._now()
        if not self._keeps_up or self._down or (now < self._upkeep_at and self._upkeep_after > 0):
            return
        keep_ms = self._settings.keep_days * _DAY_MS
        try:
            believed = self._doubt.believes(now, store.newest_s(), keep_ms / 1000)
            gone = store.expire(round(now * 1000) - keep_ms if believed else 0, self._settings.max_mb << 20)
        except Exception:  # the next call that is written, or not, tells of it
            self._upkeep_at, self._upkeep_after = now + _UPKEEP_AGAIN_S, _UPKEEP_CALLS
            return
        self._expired += gone
        self._upkeep_at, self._upkeep_after = (now, 0) if gone else (now + _UPKEEP_S, _UPKEEP_CALLS)
        if self._expired and not gone:
            _log.info("journal.expired", database=self._place.name, calls=self._expired)
            self._expired = 0


__all__ = ["GATHER_S", "MOST_WAITING", "Journal"]
