"""The form of the database, in steps: number 1, 2, ... each with its way back. The engine takes them by itself.

To change a table, add a `Migration` at the end, the same statements for SQLite and PostgreSQL: `{id}` stands for a key
that numbers itself, `{key}` for one that gives no number twice, `{real}` for a number with a fraction. What has been
released is never changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, inspect, text

from routing_engine.errors import StorageError


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: the statements that take it, and those that take it back. `loses` says what the way back deletes."""

    up: tuple[str, ...]
    down: tuple[str, ...]
    loses: str = ""


def _each(columns: str, kind: str) -> str:
    return ", ".join(f"{name} {kind} NOT NULL" for name in columns.split())


_TEXTS_OF_A_DECISION = "call_id ended route revision reason rule source kind target chain played sets"
_MORE_TEXTS = "caller token numbers key_id called language record_id record_url record_origin record_fields why trail"
_DECISION_INDEXES = (
    ("at", "at_ms"),
    ("call_id", "call_id"),
    *((name, f"{name}, at_ms") for name in ("route", "reason", "caller", "token")),
)
#: The journal of every version before there were calls.
_JOURNAL = Migration(
    up=(
        f"CREATE TABLE calls (id {{id}}, at_ms BIGINT NOT NULL, offset_s INTEGER NOT NULL, "
        f"{_each('took_ms waited_ms silence_ms', '{real}')}, priority BIGINT, ring_s BIGINT, "
        f"{_each(_TEXTS_OF_A_DECISION, 'TEXT')}, {_each(_MORE_TEXTS, 'TEXT')})",
        *(f"CREATE INDEX calls_{name} ON calls ({columns})" for name, columns in _DECISION_INDEXES),
    ),
    down=("DROP TABLE calls",),
    loses="the journal",
)


def _renamed(before: str, after: str) -> tuple[str, ...]:
    # SQLite renames a table and leaves its indexes their names; those would meet the other table's.
    return (
        *(f"DROP INDEX {before}_{name}" for name, _ in _DECISION_INDEXES),
        f"ALTER TABLE {before} RENAME TO {after}",
        *(f"CREATE INDEX {after}_{name} ON {after} ({columns})" for name, columns in _DECISION_INDEXES),
    )


#: A call is its JSON; the columns beside it are what is searched by. `call_parties` has everybody who took part:
#: `what` is user, number or id (of Asterisk).
_CALLS = Migration(
    up=(
        *_renamed("calls", "decisions"),
        "CREATE TABLE calls (id TEXT NOT NULL PRIMARY KEY, version BIGINT NOT NULL, pbx TEXT NOT NULL,"
        " pbx_call_id TEXT NOT NULL, started_ms BIGINT NOT NULL, direction TEXT NOT NULL, state TEXT NOT NULL,"
        " outcome TEXT, merged_into TEXT, call TEXT NOT NULL)",
        "CREATE INDEX calls_started ON calls (started_ms, id)",
        "CREATE INDEX calls_pbx ON calls (pbx_call_id, pbx)",
        "CREATE INDEX calls_open ON calls (pbx) WHERE state <> 'ended'",
        "CREATE TABLE call_parties (what TEXT NOT NULL, name TEXT NOT NULL, started_ms BIGINT NOT NULL,"
        " call_id TEXT NOT NULL, PRIMARY KEY (what, name, started_ms, call_id))",
        "CREATE INDEX call_parties_call ON call_parties (call_id)",
    ),
    down=("DROP TABLE call_parties", "DROP TABLE calls", *_renamed("decisions", "calls")),
    loses="every call, with its notes and tags",
)

#: What is to be written elsewhere (`delivery/`). With PostgreSQL it stands in the queue of procrastinate instead.
_OUTBOX = Migration(
    up=(
        "CREATE TABLE outbox (id {key}, target TEXT NOT NULL, lane TEXT NOT NULL, call_id TEXT NOT NULL,"
        " kind TEXT NOT NULL, body TEXT NOT NULL, made_at {real} NOT NULL, due {real} NOT NULL,"
        " tries INTEGER NOT NULL, state TEXT NOT NULL, error TEXT NOT NULL, taken TEXT NOT NULL)",
        "CREATE INDEX outbox_due ON outbox (lane, state, due, id)",
        "CREATE INDEX outbox_call ON outbox (call_id, lane, id)",
    ),
    down=("DROP TABLE outbox",),
    loses="what waits to be written elsewhere",
)

#: What other telephone systems have told of their calls (`web/`).
_REPORTS = Migration(
    up=(
        "CREATE TABLE reported_events (source TEXT NOT NULL, id TEXT NOT NULL, call TEXT NOT NULL, at {real} NOT NULL,"
        " event TEXT NOT NULL, taken INTEGER NOT NULL, call_id TEXT NOT NULL, PRIMARY KEY (source, id))",
        "CREATE INDEX reported_events_call ON reported_events (source, call, at)",
        "CREATE INDEX reported_events_waiting ON reported_events (at) WHERE taken = 0",
    ),
    down=("DROP TABLE reported_events",),
    loses="events of other telephone systems that wait to be taken",
)

#: What an edge has to tell its hub (`edges/`).
_SPOOL = Migration(
    up=(
        "CREATE TABLE spool (number BIGINT NOT NULL PRIMARY KEY, call_id TEXT NOT NULL, kinds TEXT NOT NULL,"
        " call TEXT NOT NULL, since {real} NOT NULL, state TEXT NOT NULL, error TEXT NOT NULL)",
        "CREATE INDEX spool_call ON spool (call_id, state)",
        "CREATE INDEX spool_state ON spool (state)",
    ),
    down=("DROP TABLE spool",),
    loses="what waits to be told to the hub",
)

#: Records that were created for callers (`desk/`).
_CREATED = Migration(
    up=(
        "CREATE TABLE created_records (what TEXT NOT NULL PRIMARY KEY, number TEXT NOT NULL, call_id TEXT NOT NULL,"
        " at {real} NOT NULL, record TEXT NOT NULL)",
        "CREATE INDEX created_records_number ON created_records (number)",
    ),
    down=("DROP TABLE created_records",),
    loses="which records were created for callers a moment ago",
)

#: Passwords, who has logged in, and who did what (`web/`). Secrets are there as hashes only.
_PEOPLE = Migration(
    up=(
        "CREATE TABLE passwords (user_key TEXT NOT NULL PRIMARY KEY, hash TEXT NOT NULL, set_at {real} NOT NULL,"
        " known_at {real} NOT NULL)",
        "CREATE TABLE sessions (token TEXT NOT NULL PRIMARY KEY, user_key TEXT NOT NULL, stamp TEXT NOT NULL,"
        " began {real} NOT NULL, seen {real} NOT NULL)",
        "CREATE INDEX sessions_user ON sessions (user_key)",
        "CREATE TABLE devices (token TEXT NOT NULL PRIMARY KEY, user_key TEXT NOT NULL, seen {real} NOT NULL)",
        "CREATE TABLE audit (id {key}, at {real} NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, about TEXT NOT NULL,"
        " address TEXT NOT NULL)",
        "CREATE INDEX audit_at ON audit (at)",
    ),
    down=("DROP TABLE audit", "DROP TABLE devices", "DROP TABLE sessions", "DROP TABLE passwords"),
    loses="passwords, and who did what; everybody must log in again",
)

#: Answers to requests that may be sent again (`web/`).
_REPEATS = Migration(
    up=(
        "CREATE TABLE kept_answers (who TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, at {real} NOT NULL,"
        " status INTEGER NOT NULL, headers TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (who, name))",
        "CREATE INDEX kept_answers_at ON kept_answers (at)",
    ),
    down=("DROP TABLE kept_answers",),
    loses="which requests have come before: one that is sent again is done again",
)

#: In order: the first is number 1.
MIGRATIONS: tuple[Migration, ...] = (_JOURNAL, _CALLS, _OUTBOX, _REPORTS, _SPOOL, _CREATED, _PEOPLE, _REPEATS)

#: One row, `schema`: the number of the form that the database has.
_ABOUT = "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
_READ_SCHEMA = text("SELECT value FROM about WHERE name = 'schema'")
#: Any number that nobody else takes for his own lock.
_LOCK = 0x726F7574696E67
_KINDS = {
    "sqlite": {
        "{id}": "INTEGER PRIMARY KEY",
        "{key}": "INTEGER PRIMARY KEY AUTOINCREMENT",
        "{real}": "REAL",
    },
    "postgresql": {
        "{id}": "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
        "{key}": "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
        "{real}": "DOUBLE PRECISION",
    },
}


def migrate(connection: Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring a database to the newest form, all or nothing; engines at once take turns. Raises `StorageError`."""
    with connection.begin():
        if schema_of(connection, migrations) == len(migrations):
            return  # every start but the first after an update: nobody has to wait for a lock
    with connection.begin():
        lock(connection)
        found = schema_of(connection, migrations)
        if found is None:
            _run(connection, (_ABOUT, "INSERT INTO about (name, value) VALUES ('schema', '0')"))
        for migration in migrations[found or 0 :]:
            _run(connection, migration.up)
        _write_schema(connection, len(migrations))


def take_back(connection: Connection, schema: int, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring a database back to an older form, all or nothing. Raises `StorageError`."""
    with connection.begin():
        lock(connection)
        found = schema_of(connection, migrations) or 0
        for migration in reversed(migrations[schema:found]):
            _run(connection, migration.down)
        _write_schema(connection, min(schema, found))


def schema_of(connection: Connection, migrations: Sequence[Migration] = MIGRATIONS) -> int | None:
    """Return the form of a database; None for a new one. Raises `StorageError` for one that we must not touch."""
    tables = set(inspect(connection).get_table_names())
    found = connection.execute(_READ_SCHEMA).scalar() if "about" in tables else None
    if found is None:
        # A PostgreSQL may have tables of others beside ours, a file of SQLite is ours alone.
        if tables and (connection.dialect.name == "sqlite" or tables & {"about", "calls", "decisions"}):
            raise StorageError("this is a database of something else; name another one in engine.yaml")
        return None
    if not found.isdecimal():
        raise StorageError("this is a database of something else; name another one in engine.yaml")
    if int(found) > len(migrations):
        raise StorageError(
            f"a newer version of the engine wrote this (schema {found}, this one knows {len(migrations)}); "
            f"install that version, or let that one take it back: routing-engine database --back {len(migrations)}"
        )
    return int(found)


def lock(connection: Connection) -> None:
    """Let no other engine change the form of the database, or fill it, until the end of this transaction."""
    # SQLite has locked the whole file with the beginning.
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _run(connection: Connection, statements: Sequence[str]) -> None:
    for statement in statements:
        for word, kind in _KINDS[connection.dialect.name].items():
            statement = statement.replace(word, kind)
        connection.exec_driver_sql(statement)


def _write_schema(connection: Connection, schema: int) -> None:
    connection.execute(text("UPDATE about SET value = :schema WHERE name = 'schema'"), {"schema": str(schema)})
