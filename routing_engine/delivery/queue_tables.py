"""The tables of the queue in PostgreSQL: procrastinate's own, made, brought up to date, and filled with what waited.

procrastinate writes down no version of its tables: what they are of stands in a comment on them. Engines at once take
turns. Everything here runs in a transaction and belongs into a thread.
"""

from __future__ import annotations

import re
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import LiteralString, TypeAlias

import psycopg
from procrastinate import App, SyncPsycopgConnector
from procrastinate.types import JSONValue
from psycopg import sql

QueueDriver: TypeAlias = "psycopg.Connection[tuple[JSONValue, ...]]"
#: Any number that nobody else takes for a lock of his own: two engines must not make the tables at once.
_LOCK = 0x64656C6976657279
#: The first one that was ever used here wrote no comment.
_FIRST = "3.10.0"
_MARK = "routing-engine: procrastinate "
_FILE = re.compile(r"([0-9]+)\.([0-9]+)\.([0-9]+)_[0-9]+_.*\.sql\Z")

# From the table of tables itself: `to_regclass` may answer from before another session's commit.
THERE: LiteralString = (
    "SELECT (SELECT relname::text FROM pg_class"
    " WHERE relname = 'procrastinate_jobs' AND relnamespace = current_schema()::regnamespace)"
)
_COMMENT: LiteralString = "SELECT obj_description('procrastinate_jobs'::regclass, 'pg_class')"
_TAKE_OVER: LiteralString = (
    "SELECT unnest(procrastinate_defer_jobs_v1(array_agg(ROW(lane, kind, 0, lane || ' ' || call_id, NULL,"
    " jsonb_build_object('target', target, 'call_id', call_id, 'made_at', made_at, 'error', error, 'body', body), NULL)"
    "::procrastinate_job_to_defer_v1 ORDER BY id))) FROM outbox WHERE (state = 'dead') = %s HAVING count(*) > 0"
)
_BURY: LiteralString = "SELECT procrastinate_finish_job_v1(%s, 'failed', false)"


def make_once(url: str) -> None:
    """Make the tables where they are missing, bring them up to date, take over what a file left. Raises psycopg's."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        make_tables_within(connection)
        take_over(connection)


def make_tables_within(connection: QueueDriver) -> None:
    """Do so within a transaction that others have begun."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    if connection.execute(THERE).fetchone() != (None,):
        _update(connection)
        return
    # Within a savepoint: a call must not be lost because another engine was quicker with the tables.
    with suppress(psycopg.errors.DuplicateObject, psycopg.errors.DuplicateTable), connection.transaction():
        connection.execute(App(connector=SyncPsycopgConnector()).schema_manager.get_schema())
        _write_version(connection, version("procrastinate"))


def _update(connection: QueueDriver) -> None:
    """Take the steps of procrastinate that lie between the version of the tables and the one that is installed."""
    comment = connection.execute(_COMMENT).fetchone()
    written = str(comment[0]) if comment is not None and comment[0] else _MARK + _FIRST
    there, installed = written.removeprefix(_MARK), version("procrastinate")
    if not written.startswith(_MARK) or _parts(there) >= _parts(installed):
        return  # somebody else's comment, or an older engine beside a newer one
    for step in steps_between(there, installed):
        # A file of an installed package, whole: no word of it is ours or anybody's else.
        connection.execute(step.read_bytes())
    _write_version(connection, installed)


def steps_between(older: str, newer: str) -> list[Path]:
    """Return procrastinate's steps after one version and up to another, in their order."""
    folder = Path(App(connector=SyncPsycopgConnector()).schema_manager.get_migrations_path())
    found = [(file.name, match) for file in folder.iterdir() if (match := _FILE.match(file.name)) is not None]
    within = [name for name, match in found if _parts(older) < tuple(map(int, match.groups())) <= _parts(newer)]
    return [folder / name for name in sorted(within)]


def take_over(connection: QueueDriver) -> None:
    """Take what waited in a file of SQLite before the calls moved into this database; it came along as `outbox`.

    What was dead stays dead: it is listed, and can be sent again.
    """
    if connection.execute("SELECT to_regclass('outbox')").fetchone() == (None,):
        return
    connection.execute(_TAKE_OVER, [False])
    for dead in connection.execute(_TAKE_OVER, [True]).fetchall():
        connection.execute(_BURY, dead)
    connection.execute("DELETE FROM outbox")


def _write_version(connection: QueueDriver, number: str) -> None:
    comment = sql.SQL("COMMENT ON TABLE procrastinate_jobs IS {}").format(sql.Literal(_MARK + number))
    connection.execute(comment)


def _parts(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", number)[:3])
