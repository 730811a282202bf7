"""The queue in the calls' own database: what a single machine needs, and no server beside."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from routing_engine.delivery import outbox_table
from routing_engine.delivery.jobs import LEASE_S, Job, JobState, NewJob

T = TypeVar("T")


def _is_gone(token: str, ours: str) -> bool:
    """Return whether the process that took a job has ended. Another one of our own number has."""
    if token.startswith(ours):
        return False
    process = token.partition(".")[0]
    if not process.isdecimal() or int(process) == os.getpid():
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False  # somebody's, perhaps: the lease tells
    return False


class Transactions(Protocol):
    """The database: runs a work in a transaction. Raises `StorageError` while it is down."""

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Return what the work returns, once it is on the disk."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Return what a work that changes nothing returns."""


class OutboxQueue:
    """A `Queue` whose jobs stand beside the calls. One process works on it; others may list, retry and drop."""

    def __init__(self, database: Transactions, lease_s: float = LEASE_S) -> None:
        self._database, self._lease_s = database, lease_s
        self._ours, self._looked = f"{os.getpid()}.{uuid.uuid4().hex[:12]}", False

    def put(self, connection: Connection, jobs: Sequence[NewJob], now: float) -> None:
        """Add jobs within the transaction that saves their call."""
        outbox_table.put(connection, jobs, now)

    def forget(self, connection: Connection, call_ids: Sequence[str]) -> None:
        """Remove all jobs of calls."""
        outbox_table.forget_calls(connection, call_ids)

    async def claim(self, lane: str, now: float) -> Job | None:
        """Take the job that is due the longest."""
        # Read first: an idle lane must not write, and a write waits for the disk.
        due = await self.next_due(lane)
        if due is None or due > now:
            return None
        token = f"{self._ours}{uuid.uuid4().hex[:20]}"
        work = partial(outbox_table.claim, lane=lane, now=now, token=token, lease_s=self._lease_s)
        return await self._database.write(work)

    async def take_back(self, now: float) -> bool:
        """Let jobs be due that a process has taken which is not there any more; one look is enough."""
        if self._looked:
            return False
        gone = partial(_is_gone, ours=self._ours)
        found = await self._database.write(partial(outbox_table.take_back, gone=gone, now=now))
        self._looked = True
        return found

    async def keep(self, jobs: Sequence[Job], now: float) -> None:
        """Say that these jobs are still under way."""
        if jobs:
            await self._database.write(partial(outbox_table.keep, jobs=jobs, until=now + self._lease_s))

    async def finish(self, job: Job, now: float) -> bool:
        """Remove a job that is done."""
        return await self._database.write(partial(outbox_table.finish, job=job, now=now))

    async def put_off(self, job: Job, due: float, error: str) -> None:
        """Let a job wait until `due`."""
        await self._database.write(partial(outbox_table.put_off, job=job, due=due, error=error))

    async def bury(self, job: Job, error: str, now: float) -> None:
        """Keep a job as dead."""
        await self._database.write(partial(outbox_table.bury, job=job, error=error, now=now))

    async def release(self, lane: str, now: float) -> None:
        """Make everything that waits in a lane due now."""
        await self._database.write(partial(outbox_table.release, lane=lane, now=now))

    async def next_due(self, lane: str) -> float | None:
        """Return when the next job of a lane is due."""
        return await self._database.read(partial(outbox_table.next_due, lane=lane))

    async def listed(self, state: JobState | None = None, limit: int = 1000, after: int = 0) -> Sequence[Job]:
        """Return the jobs that wait and those that are dead."""
        return await self._database.read(partial(outbox_table.listed, state=state, limit=limit, after=after))

    async def retry(self, job_id: int, now: float) -> Job | None:
        """Make a job due now, also a dead one."""
        return await self._database.write(partial(outbox_table.retry, job_id=job_id, now=now))

    async def drop(self, job_id: int, now: float) -> Job | None:
        """Drop a job by hand."""
        return await self._database.write(partial(outbox_table.drop, job_id=job_id, now=now))

    async def counts(self) -> Mapping[tuple[str, JobState], int]:
        """Return how many jobs there are, by lane and state."""
        return await self._database.read(outbox_table.counts)

    async def close(self) -> None:
        """Nothing of its own is open."""
