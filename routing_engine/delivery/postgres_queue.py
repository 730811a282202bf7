"""The queue in PostgreSQL, made of procrastinate: for several engines that deliver together.

procrastinate keeps the jobs, gives each to one worker, and those of one lock (here: a call and its lane) in their
order; a worker whose session is gone, or whose heart stands still, loses its jobs. What it has no word for, the reason
of a failure and moments that are moved, are statements here. Every settling names who took the job and at which try:
whoever comes too late, because his lease ran out, changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import LiteralString, TypeAlias, get_args

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate import exceptions as faults
from procrastinate.jobs import Job as StoredJob
from procrastinate.manager import JobManager
from procrastinate.types import JSONValue
from sqlalchemy import Connection

from routing_engine.core.ports import Clock
from routing_engine.delivery.engine_session import EngineSession
from routing_engine.delivery.jobs import DROPPED, LEASE_S, Job, JobKind, JobState, NewJob
from routing_engine.delivery.queue_tables import THERE, QueueDriver, make_once, make_tables_within
from routing_engine.errors import StorageError

_Row: TypeAlias = Mapping[str, JSONValue]
_POOL_S = 5.0
_LONGEST_ERROR = 1000

_JOBS: LiteralString = (
    "SELECT id, queue_name, task_name, status::text AS status, attempts, args,"
    " extract(epoch FROM coalesce(scheduled_at, now()))::float8 AS due FROM procrastinate_jobs"
)
_HELD: LiteralString = "WHERE id = %(id)s AND status = 'doing' AND worker_id = %(worker)s AND attempts = %(attempts)s"
_FINISH: LiteralString = "SELECT procrastinate_finish_job_v1(id, 'succeeded', true) FROM procrastinate_jobs"
_BURY: LiteralString = "SELECT procrastinate_finish_job_v1(id, 'failed', false) FROM procrastinate_jobs"
_PUT_OFF: LiteralString = (
    "SELECT procrastinate_retry_job_v2(id, to_timestamp(%(due)s), NULL, NULL, NULL) FROM procrastinate_jobs"
)
_NOTE: LiteralString = "UPDATE procrastinate_jobs SET args = args || jsonb_build_object('error', %(error)s::text)"
_SAY: LiteralString = (
    "UPDATE procrastinate_jobs SET args = args || jsonb_build_object('error', %(error)s::text)"
    " WHERE id = %(id)s AND status IN ('todo', 'failed')"
)
_OF_CALL: LiteralString = (
    "SELECT 1 FROM procrastinate_jobs WHERE lock = %(lock)s AND status IN ('todo', 'doing') LIMIT 1"
)
_RELEASE: LiteralString = (
    "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE queue_name = %(lane)s AND status = 'todo'"
    " AND scheduled_at > now()"
)
# Of each call the first one alone: the others wait for it, whenever they would be due.
_NEXT_DUE: LiteralString = (
    "SELECT extract(epoch FROM min(coalesce(scheduled_at, now())))::float8 AS due FROM procrastinate_jobs job"
    " WHERE queue_name = %(lane)s AND status = 'todo' AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs earlier"
    " WHERE earlier.lock = job.lock AND earlier.id < job.id AND earlier.status IN ('todo', 'doing'))"
)
_COUNTS: LiteralString = (
    "SELECT queue_name, (status = 'failed') AS dead, count(*) AS jobs FROM procrastinate_jobs"
    " WHERE status IN ('todo', 'doing', 'failed') GROUP BY 1, 2"
)
_LISTED: LiteralString = "WHERE status::text = ANY(%(states)s) AND id > %(after)s ORDER BY id LIMIT %(limit)s"
_FOUND: LiteralString = "WHERE id = %(id)s AND status IN ('todo', 'doing', 'failed')"
_RETRY_DEAD: LiteralString = (
    "SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM procrastinate_jobs"
    " WHERE id = %(id)s AND status = 'failed'"
)
_RETRY_WAITING: LiteralString = (
    "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE id = %(id)s AND status = 'todo'"
)
_FORGET: LiteralString = "DELETE FROM procrastinate_jobs WHERE args->>'call_id' = ANY(%s)"
_BEAT: LiteralString = "UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = %(worker)s RETURNING id"
_STALLED: LiteralString = (
    "SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM procrastinate_jobs WHERE status = 'doing'"
    " AND (worker_id IS NULL OR worker_id IN (SELECT id FROM procrastinate_workers"
    " WHERE last_heartbeat < now() - %(lease)s * interval '1 second')) FOR UPDATE SKIP LOCKED"
)
_OF_GONE: LiteralString = (
    "WITH left_by AS MATERIALIZED (SELECT id FROM procrastinate_jobs WHERE status = 'doing'"
    " AND worker_id = ANY(%(gone)s) FOR UPDATE SKIP LOCKED)"
    " SELECT id, procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM left_by"
)
_MINE: LiteralString = (
    "SELECT id, attempts FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = %(worker)s"
    " AND NOT id = ANY(%(under_way)s)"
)
_GIVE_BACK: LiteralString = "SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM procrastinate_jobs"


# What the server's absence means is said once, by the database and its lanes; the pool says it at every connection.
for _name in ("psycopg.pool", "procrastinate"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class _GivenUp(StorageError):
    """The worker is not known any more."""


class _TablesGone(StorageError):
    """The tables are not there any more: somebody has put back or emptied the database."""


class PostgresQueue:
    """A `Queue` in a PostgreSQL. Opened with the first question, and again after an outage; `close` it at the end."""

    def __init__(self, url: str, lease_s: float = LEASE_S, clock: Clock = time.monotonic) -> None:
        self._session = EngineSession(url, clock)
        self._connector = PsycopgConnector(
            conninfo=url, min_size=1, max_size=4, timeout=_POOL_S, kwargs={"connect_timeout": 5}
        )
        self._jobs = App(connector=self._connector).job_manager
        # It never connects: what is put goes over the connection of the transaction that saves the call.
        self._putting = JobManager(SyncPsycopgConnector())
        self._worker: int | None = None
        #: What was ours at the last `keep` though nobody was at it: number and try of each.
        self._left: set[tuple[int, int]] = set()
        self._opening = asyncio.Lock()
        self._url, self._lease_s, self._made = url, lease_s, False

    async def close(self) -> None:
        """Leave what is under way to the others, and let go of the server."""
        await self._session.close()
        with self._asking():
            if self._worker is not None:
                await self._jobs.unregister_worker(self._worker)
            await self._connector.close_async()

    def put(self, connection: Connection, jobs: Sequence[NewJob], now: float) -> None:
        """Add jobs within the transaction that saves their call."""
        driver = _driver(connection)
        with self._asking():
            if not self._made:
                # The first call of all may end before anybody has asked what is to be delivered.
                make_tables_within(driver)
            for job in jobs:
                if not (job.joins and _is_there(driver, job)):
                    self._putting.batch_defer_jobs([_stored(job, now)], connection=driver)

    def forget(self, connection: Connection, call_ids: Sequence[str]) -> None:
        """Remove all jobs of calls."""
        driver = _driver(connection)
        if driver.execute(THERE).fetchone() != (None,):
            driver.execute(_FORGET, [[*call_ids]])

    async def claim(self, lane: str, now: float) -> Job | None:
        """Take the job that is due the longest; PostgreSQL's own clock says what is due."""
        worker = await self._ready()
        try:
            with self._asking():
                found = await self._jobs.fetch_job([lane], worker)
        except faults.UniqueViolation:
            return None  # another engine took one of the same call at the same moment
        except _GivenUp:
            # The others took us for dead, and what we had is theirs: come back under a new number.
            self._worker = None
            return await self.claim(lane, now)
        return None if found is None else _taken(found, worker)

    async def keep(self, jobs: Sequence[Job], now: float) -> None:
        """Say that this engine is alive, and take away what those that are not had, and what it is not at itself."""
        worker = await self._ready()
        if not await self._all(_BEAT, worker=worker):
            self._worker = None
        await self._give_back(worker, [job.id for job in jobs])
        await self._all(_STALLED, lease=self._lease_s)
        with self._asking():
            await self._jobs.prune_stalled_workers(self._lease_s)

    async def take_back(self, now: float) -> bool:
        """Let be due what engines had whose session is gone. The first look says that this one is there."""
        worker = await self._ready()
        with self._asking():
            if not await self._session.hold(worker):
                self._worker = None  # of a database that was put back: another engine has this number, too
            gone = await self._session.gone()
        return bool(gone) and bool(await self._all(_OF_GONE, gone=[*gone]))

    async def finish(self, job: Job, now: float) -> bool:
        """Remove a job that is done."""
        await self._all(_of_mine(_FINISH), **_held(job))
        return bool(await self._all(_OF_CALL, lock=_lock(job)))

    async def put_off(self, job: Job, due: float, error: str) -> None:
        """Let a job wait until `due`."""
        await self._do(_of_mine(_NOTE), error=error[:_LONGEST_ERROR], **_held(job))
        await self._all(_of_mine(_PUT_OFF), due=due, **_held(job))

    async def bury(self, job: Job, error: str, now: float) -> None:
        """Keep a job as dead."""
        await self._do(_of_mine(_NOTE), error=error[:_LONGEST_ERROR], **_held(job))
        await self._all(_of_mine(_BURY), **_held(job))

    async def release(self, lane: str, now: float) -> None:
        """Make everything that waits in a lane due now."""
        await self._do(_RELEASE, lane=lane)

    async def next_due(self, lane: str) -> float | None:
        """Return when the next job of a lane is due."""
        [row] = await self._all(_NEXT_DUE, lane=lane)
        due = row["due"]
        return float(due) if isinstance(due, float) else None

    async def listed(self, state: JobState | None = None, limit: int = 1000, after: int = 0) -> Sequence[Job]:
        """Return the jobs that wait and those that are dead, the oldest first."""
        states = {"waiting": ["todo", "doing"], "dead": ["failed"], None: ["todo", "doing", "failed"]}[state]
        found = await self._all(" ".join((_JOBS, _LISTED)), states=states, limit=limit, after=after)
        return [_job(row) for row in found]

    async def retry(self, job_id: int, now: float) -> Job | None:
        """Make a job due now, also a dead one."""
        return await self._again(job_id, "")

    async def drop(self, job_id: int, now: float) -> Job | None:
        """Drop a job by hand."""
        return await self._again(job_id, DROPPED)

    async def _again(self, job_id: int, error: str) -> Job | None:
        found = await self._find(job_id)
        await self._do(_SAY, id=job_id, error=error)
        await self._all(_RETRY_DEAD, id=job_id)
        await self._do(_RETRY_WAITING, id=job_id)
        return found

    async def counts(self) -> Mapping[tuple[str, JobState], int]:
        """Return how many jobs there are, by lane and state."""
        rows = await self._all(_COUNTS)
        return {(str(row["queue_name"]), "dead" if row["dead"] else "waiting"): _whole(row["jobs"]) for row in rows}

    # ------------------------------------------------------------------------------------------- inside

    async def _ready(self) -> int:
        """Return the number under which this engine works."""
        await self._opened()
        async with self._opening:
            if self._worker is None:
                with self._asking():
                    self._worker = await self._jobs.register_worker()
            return self._worker

    async def _opened(self) -> None:
        # Late, and not at the start: a server that is away must not keep the engine from routing.
        async with self._opening:
            if not self._made:
                await make_tables(self._url)
                with _translated():
                    await self._connector.open_async()
                self._made = True

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            with _translated():
                yield
        except _TablesGone:
            self._made = False  # made again with the next question, or as the same call is saved again
            raise

    async def _give_back(self, worker: int, under_way: list[int]) -> None:
        """Let go of what this engine took and is not at: what came of it was told while the server was away."""
        rows = await self._all(_MINE, worker=worker, under_way=under_way)
        left = {(_whole(row["id"]), _whole(row["attempts"])) for row in rows}
        # The second time only: what is being claimed at this moment is not under way yet.
        for number, attempts in left & self._left:
            await self._all(_of_mine(_GIVE_BACK), id=number, worker=worker, attempts=attempts)
        self._left = left

    async def _find(self, job_id: int) -> Job | None:
        rows = await self._all(" ".join((_JOBS, _FOUND)), id=job_id)
        return _job(rows[0]) if rows else None

    async def _all(self, query: LiteralString, **values: int | float | str | list[str] | list[int]) -> Sequence[_Row]:
        await self._opened()
        with self._asking():
            found: Sequence[_Row] = await self._connector.execute_query_all_async(query, **values)
        return found

    async def _do(self, query: LiteralString, **values: int | float | str) -> None:
        await self._opened()
        with self._asking():
            await self._connector.execute_query_async(query, **values)


_KINDS: Mapping[type[BaseException], type[StorageError]] = {
    psycopg.errors.ForeignKeyViolation: _GivenUp,
    psycopg.errors.UndefinedTable: _TablesGone,
    psycopg.errors.UndefinedFunction: _TablesGone,
    psycopg.errors.UndefinedObject: _TablesGone,
    psycopg.errors.InvalidSchemaName: _TablesGone,
}


def _driver(connection: Connection) -> QueueDriver:
    found = connection.connection.driver_connection
    if not isinstance(found, psycopg.Connection):
        raise TypeError("the calls are not in a PostgreSQL")
    return found


async def make_tables(url: str) -> None:
    """Make procrastinate's tables where they are missing; engines at once take turns. Raises `StorageError`."""
    await asyncio.to_thread(_make_once, url)


def _make_once(url: str) -> None:
    with _translated():
        make_once(url)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what keeps the queue from working into a `StorageError`, without the values that were on their way."""
    try:
        yield
    except faults.UniqueViolation:
        raise
    except (faults.ProcrastinateException, psycopg.Error, OSError) as error:
        cause = error.__cause__ or error
        # The first line alone: what follows quotes the values of the statement.
        why = f"the queue in PostgreSQL: {str(cause).partition(chr(10))[0] or type(cause).__name__}"
        raise _KINDS.get(type(cause), StorageError)(why) from None


def _of_mine(statement: LiteralString) -> LiteralString:
    """Return a statement for the job that this engine has taken, at the try at which it took it."""
    return " ".join((statement, _HELD))


def _stored(job: NewJob, now: float) -> StoredJob:
    kept: dict[str, JSONValue] = {
        "target": job.target,
        "call_id": job.call_id,
        "body": job.body,
        "made_at": now,
        "error": "",
    }
    return StoredJob(
        id=None, queue=job.lane, lock=_lock(job), queueing_lock=None, task_name=job.kind, task_kwargs=kept, priority=0
    )


def _is_there(connection: QueueDriver, job: NewJob) -> bool:
    # Only one that nobody has taken: who has it may have read the call already.
    waits = "SELECT 1 FROM procrastinate_jobs WHERE lock = %s AND status = 'todo' AND args->>'body' = '' LIMIT 1"
    return connection.execute(waits, [_lock(job)]).fetchone() is not None


def _lock(job: NewJob) -> str:
    return f"{job.lane} {job.call_id}"


def _held(job: Job) -> dict[str, int]:
    worker, _, attempts = job.taken.partition(":")
    return {"id": job.id, "worker": int(worker or 0), "attempts": int(attempts or 0)}


def _taken(found: StoredJob, worker: int) -> Job:
    job = _made(_whole(found.id), found.task_name, found.task_kwargs)
    due = time.time() if found.scheduled_at is None else found.scheduled_at.timestamp()
    # Counted when it begins, as nobody knows after a kill what came of it.
    return replace(job, due=due, tries=found.attempts + 1, taken=f"{worker}:{found.attempts}")


def _job(row: _Row) -> Job:
    kept = row["args"]
    job = _made(_whole(row["id"]), str(row["task_name"]), kept if isinstance(kept, dict) else {})
    state: JobState = "dead" if row["status"] == "failed" else "waiting"
    due = row["due"]
    return replace(job, due=float(due) if isinstance(due, float) else 0.0, tries=_whole(row["attempts"]), state=state)


def _made(job_id: int, kind: str, kept: Mapping[str, JSONValue]) -> Job:
    made_at = kept.get("made_at")
    return Job(
        target=str(kept.get("target", "")),
        call_id=str(kept.get("call_id", "")),
        kind=next(one for one in get_args(JobKind) if one == kind),
        body=str(kept.get("body", "")),
        id=job_id,
        made_at=float(made_at) if isinstance(made_at, int | float) else 0.0,
        error=str(kept.get("error", "")),
    )


def _whole(value: JSONValue) -> int:
    return value if isinstance(value, int) else 0
