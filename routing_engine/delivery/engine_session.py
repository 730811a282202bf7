"""A session with PostgreSQL that says which engines are there: each holds a lock, and the server lets go of it when a
process ends in whatever way. So what a killed engine had is taken over within seconds.

A server that is restarted, or a line that is cut, ends the sessions of living engines too: those hold their lock again
at their next look. So a lock must be missing for a while, in the eyes of one session. A machine that vanishes without a
word keeps its session for longer; for that there is the lease.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import LiteralString

import psycopg

from routing_engine.core.ports import Clock

#: How long a lock must be missing: a living engine looks once a second.
GONE_S = 3.0
#: Any number that nobody else takes for locks of his own.
_KIND = 0x64656C69
_HOLD: LiteralString = "SELECT pg_try_advisory_lock(%s, (%s %% 2147483648)::int)"
_WITHOUT_LOCK: LiteralString = (
    "SELECT DISTINCT worker_id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted"
    " AND classid = %s::bigint::oid AND objid = (worker_id %% 2147483648)::oid"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
)


class EngineSession:
    """Holds the lock of one worker, and looks for those whose lock nobody holds. `clock` is monotonic, in seconds."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url, self._clock = url, clock
        self._connection: psycopg.AsyncConnection[tuple[int]] | None = None
        self._held: int | None = None
        #: Since when the lock of each worker is missing.
        self._missing: dict[int, float] = {}

    async def hold(self, worker: int) -> bool:
        """Hold the lock of a worker; False when somebody else has it, and so the number. Raises psycopg's errors."""
        if self._connection is not None and self._held == worker:
            return True
        await self.close()
        connection = self._connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=5, keepalives_idle=10, tcp_user_timeout=15_000
        )
        got = await (await connection.execute(_HOLD, [_KIND, worker])).fetchone()
        self._held = worker if got == (True,) else None
        return self._held is not None

    async def gone(self) -> Collection[int]:
        """Return the workers with jobs whose engine is gone; none once this session ended. Raises psycopg's errors."""
        if self._connection is None:
            return ()
        try:
            rows = await (await self._connection.execute(_WITHOUT_LOCK, [_KIND])).fetchall()
        except psycopg.OperationalError:  # whether the server is away is said with the next look
            await self.close()
            return ()
        now, without = self._clock(), {row[0] for row in rows}
        if self._held in without:  # whoever stands between has ended the session, and not told
            await self.close()
            return ()
        self._missing = {worker: self._missing.get(worker, now) for worker in without}
        return [worker for worker, since in self._missing.items() if now - since >= GONE_S]

    async def close(self) -> None:
        """Let go of the lock; what was seen by this session counts no more."""
        connection, self._connection, self._held, self._missing = self._connection, None, None, {}
        if connection is not None:
            with suppress(psycopg.Error):
                await connection.close()
