"""The outbox: the table of what is to be written elsewhere, in the database of the calls, and its statements.

Every function takes a connection within a transaction. The migrations of `storage/` make the table. A job that is not
the first one of its call and lane is `behind` and becomes `waiting` when it is: so taking the next job is one look into
an index, whatever stands in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    RowMapping,
    String,
    Text,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import Column as C
from sqlalchemy import Table as SqlTable

from routing_engine.delivery.jobs import DROPPED, Job, JobState, NewJob

METADATA = MetaData()
OUTBOX = SqlTable(
    "outbox",
    METADATA,
    # In the order of putting, and never used again: the ids of webhooks are made of it.
    C("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    C("target", String(200), nullable=False),
    C("lane", String(200), nullable=False),
    C("call_id", String(40), nullable=False),
    C("kind", String(20), nullable=False),
    C("body", Text, nullable=False),
    C("made_at", Float, nullable=False),
    C("due", Float, nullable=False),  # of a job that is taken: when it may be taken by another one
    C("tries", Integer, nullable=False),
    C("state", String(10), nullable=False),  # waiting, behind, dead
    C("error", String(1000), nullable=False),
    C("taken", String(40), nullable=False),
    Index("outbox_due", "lane", "state", "due", "id"),
    Index("outbox_call", "call_id", "lane", "id"),
    sqlite_autoincrement=True,
)
_Stored: TypeAlias = Literal["waiting", "behind", "dead"]
_OPEN = OUTBOX.c.state.in_(("waiting", "behind"))
_LONGEST_ERROR = 1000


def put(connection: Connection, jobs: Iterable[NewJob], now: float) -> None:
    """Add jobs. One that writes the newest state is left out where such a one waits already."""
    for job in jobs:
        of_call = and_(OUTBOX.c.call_id == job.call_id, OUTBOX.c.lane == job.lane, _OPEN)
        # One that is under way may have read its call already: it does not do for this one.
        joined = and_(of_call, OUTBOX.c.body == "", or_(OUTBOX.c.taken == "", OUTBOX.c.due <= now))
        if job.joins and _is_there(connection, joined):
            continue
        state: _Stored = "behind" if _is_there(connection, of_call) else "waiting"
        connection.execute(insert(OUTBOX), [_row(job, state, now)])


def claim(connection: Connection, lane: str, now: float, token: str, lease_s: float) -> Job | None:
    """Take the job of a lane that is due the longest."""
    due = select(OUTBOX).where(OUTBOX.c.lane == lane, OUTBOX.c.state == "waiting", OUTBOX.c.due <= now)
    found = connection.execute(due.order_by(OUTBOX.c.due, OUTBOX.c.id).limit(1)).mappings().first()
    if found is None:
        return None
    # Counted when it begins: after a kill nobody knows what came of it, and the next one must know that there was one.
    taken = {"taken": token, "due": now + lease_s, "tries": found["tries"] + 1}
    connection.execute(update(OUTBOX).where(OUTBOX.c.id == found["id"]).values(**taken))
    return _job({**found, **taken})


def take_back(connection: Connection, gone: Callable[[str], bool], now: float) -> bool:
    """Let jobs be due whose token is that of somebody who is gone; return whether there were any."""
    taken = connection.execute(select(OUTBOX.c.id, OUTBOX.c.taken).where(OUTBOX.c.taken != "")).all()
    left = [number for number, token in taken if gone(token)]
    for number in left:
        connection.execute(update(OUTBOX).where(OUTBOX.c.id == number).values(taken="", due=now))
    return bool(left)


def keep(connection: Connection, jobs: Iterable[Job], until: float) -> None:
    """Let jobs belong to who has them until then."""
    for job in jobs:
        connection.execute(update(OUTBOX).where(_held(job)).values(due=until))


def finish(connection: Connection, job: Job, now: float) -> bool:
    """Remove a job that is done; return whether another one of its call and lane is left."""
    # Where the lease ran out somebody else has it by now, and will say what came of it.
    if connection.execute(delete(OUTBOX).where(_held(job))).rowcount:
        _advance(connection, job, now)
    return _is_there(connection, and_(OUTBOX.c.call_id == job.call_id, OUTBOX.c.lane == job.lane, _OPEN))


def put_off(connection: Connection, job: Job, due: float, error: str) -> None:
    """Let a job wait until `due`."""
    values = {"due": due, "taken": "", "error": error[:_LONGEST_ERROR]}
    connection.execute(update(OUTBOX).where(_held(job)).values(**values))


def bury(connection: Connection, job: Job, error: str, now: float) -> None:
    """Keep a job as dead, and let the next one of its call have its turn."""
    values = {"state": "dead", "taken": "", "error": error[:_LONGEST_ERROR]}
    if connection.execute(update(OUTBOX).where(_held(job)).values(**values)).rowcount:
        _advance(connection, job, now)


def release(connection: Connection, lane: str, now: float) -> None:
    """Make everything that waits in a lane due."""
    waits = and_(OUTBOX.c.lane == lane, OUTBOX.c.state == "waiting", OUTBOX.c.due > now, OUTBOX.c.taken == "")
    connection.execute(update(OUTBOX).where(waits).values(due=now))


def next_due(connection: Connection, lane: str) -> float | None:
    """Return when the next job of a lane is due."""
    due = select(func.min(OUTBOX.c.due)).where(OUTBOX.c.lane == lane, OUTBOX.c.state == "waiting")
    found = connection.execute(due).scalar()
    return None if found is None else float(found)


def listed(connection: Connection, state: JobState | None, limit: int, after: int = 0) -> Sequence[Job]:
    """Return jobs, the oldest first, behind the id `after`."""
    wanted = select(OUTBOX).where(OUTBOX.c.id > after).order_by(OUTBOX.c.id).limit(limit)
    if state is not None:
        wanted = wanted.where(OUTBOX.c.state == "dead" if state == "dead" else _OPEN)
    return [_job(row) for row in connection.execute(wanted).mappings()]


def retry(connection: Connection, job_id: int, now: float, error: str = "") -> Job | None:
    """Make a job due, also a dead one; one that is under way, or behind another one, stands where it is."""
    found = _find(connection, job_id)
    if found is None:
        return None
    if found.state == "dead":
        of_call = and_(OUTBOX.c.call_id == found.call_id, OUTBOX.c.lane == found.lane, _OPEN)
        state: _Stored = "behind" if _is_there(connection, of_call) else "waiting"
        connection.execute(update(OUTBOX).where(OUTBOX.c.id == job_id).values(state=state))
    waits = and_(OUTBOX.c.id == job_id, OUTBOX.c.taken == "")
    connection.execute(update(OUTBOX).where(waits).values(due=now, error=error))
    return found


def drop(connection: Connection, job_id: int, now: float) -> Job | None:
    """Drop a job: it is due, and whoever takes it finishes it."""
    return retry(connection, job_id, now, DROPPED)


def counts(connection: Connection) -> Mapping[tuple[str, JobState], int]:
    """Return how many jobs there are, by lane and state."""
    grouped = select(OUTBOX.c.lane, OUTBOX.c.state, func.count()).group_by(OUTBOX.c.lane, OUTBOX.c.state)
    found: dict[tuple[str, JobState], int] = {}
    for lane, state, count in connection.execute(grouped):
        key: tuple[str, JobState] = (lane, _told(state))
        found[key] = found.get(key, 0) + count
    return found


def forget_calls(connection: Connection, call_ids: Sequence[str]) -> None:
    """Remove all jobs of calls."""
    connection.execute(delete(OUTBOX).where(OUTBOX.c.call_id.in_(call_ids)))


def _row(job: NewJob, state: _Stored, now: float) -> dict[str, str | int | float]:
    return {
        "target": job.target,
        "lane": job.lane,
        "call_id": job.call_id,
        "kind": job.kind,
        "body": job.body,
        "made_at": now,
        "due": now,
        "tries": 0,
        "state": state,
        "error": "",
        "taken": "",
    }


def _job(row: Mapping[str, object] | RowMapping) -> Job:
    values = {name: value for name, value in row.items() if name not in ("lane", "state")}
    return Job(**values, state=_told(str(row["state"])))  # type: ignore[arg-type]


def _told(state: str) -> JobState:
    """Return the state as others see it: that one job stands behind another is ours alone."""
    return "dead" if state == "dead" else "waiting"


def _held(job: Job) -> ColumnElement[bool]:
    return and_(OUTBOX.c.id == job.id, OUTBOX.c.taken == job.taken)


def _find(connection: Connection, job_id: int) -> Job | None:
    found = connection.execute(select(OUTBOX).where(OUTBOX.c.id == job_id)).mappings().first()
    return None if found is None else _job(found)


def _is_there(connection: Connection, condition: ColumnElement[bool]) -> bool:
    return connection.execute(select(OUTBOX.c.id).where(condition).limit(1)).first() is not None


def _advance(connection: Connection, job: Job, now: float) -> None:
    """Let the first job behind this one wait for its turn, unless another one of the call stands there already."""
    of_call = and_(OUTBOX.c.call_id == job.call_id, OUTBOX.c.lane == job.lane)
    if _is_there(connection, and_(of_call, OUTBOX.c.state == "waiting")):
        return
    first = select(func.min(OUTBOX.c.id)).where(of_call, OUTBOX.c.state == "behind").scalar_subquery()
    connection.execute(update(OUTBOX).where(OUTBOX.c.id == first).values(state="waiting", due=now))
