"""The journal's tables, how a file becomes a journal, and how one of an older version is brought up to date."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import NullPool

from routing_engine.errors import StorageError
from routing_engine.journal.entry import Row
from routing_engine.storage import sqlite

METADATA = MetaData()
#: One row, `schema`: the number of the shape that the file has.
ABOUT = Table("about", METADATA, Column("name", String(40), primary_key=True), Column("value", String(200)))
#: One row a call. Asterisk's call id may stand here more than once: a call may ask several routes, and after a restart
#: ids may come again. Lists are JSON: nobody searches by a step, and one row a call is written ten times faster.
CALLS = Table(
    "calls",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("call_id", String(2000), nullable=False),
    Column("at_ms", BigInteger, nullable=False),  # when the call arrived, milliseconds since 1970
    Column("offset_s", Integer, nullable=False),  # what its time zone adds to that
    Column("took_ms", Float, nullable=False),
    Column("waited_ms", Float, nullable=False),  # for look-ups
    Column("silence_ms", Float, nullable=False),  # the longest
    Column("ended", String(20), nullable=False),  # routed, fallback (the engine decided, not the route), abandoned
    Column("route", String(2000), nullable=False),
    Column("revision", String(2000), nullable=False),
    Column("reason", String(20), nullable=False),
    Column("rule", String(2000), nullable=False),
    Column("source", String(2000), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("target", String(2000), nullable=False),
    Column("priority", BigInteger),
    Column("ring_s", BigInteger),
    Column("chain", Text, nullable=False),  # [{kind, target, priority, ring_s}]
    Column("played", Text, nullable=False),  # [sound]
    Column("sets", Text, nullable=False),  # [name of a side effect]
    Column("caller", String(40), nullable=False),  # as `numbers` says
    Column("token", String(40), nullable=False),  # the keyed hash; "" without a key
    Column("numbers", String(10), nullable=False),  # plain, masked, hashed: what held when this was written
    Column("key_id", String(20), nullable=False),
    Column("called", String(2000), nullable=False),
    Column("language", String(2000), nullable=False),
    Column("record_id", String(2000), nullable=False),
    Column("record_url", String(2000), nullable=False),
    Column("record_origin", String(20), nullable=False),
    Column("record_fields", Text, nullable=False),  # [name]
    Column("why", String(2000), nullable=False),  # why it was abandoned
    Column("trail", Text, nullable=False),  # [[step, outcome, milliseconds or null]]
    Index("calls_at", "at_ms"),
    Index("calls_call_id", "call_id"),
    Index("calls_route", "route", "at_ms"),
    Index("calls_reason", "reason", "at_ms"),
    Index("calls_caller", "caller", "at_ms"),
    Index("calls_token", "token", "at_ms"),
)

_WRITTEN = [column.name for column in CALLS.columns if column.name != "id"]
_EACH = func.json_each(bindparam("rows", type_=Text)).table_valued("value")
_FROM_JSON = insert(CALLS).from_select(
    _WRITTEN, select(*(func.json_extract(_EACH.c.value, f"$[{position}]") for position in range(len(_WRITTEN))))
)

#: The shape that this version writes, and the statements from each older one to the next.
SCHEMA = 1
UPGRADES: Mapping[int, Sequence[str]] = {}


def open_engine(path: Path, write: bool, wait_s: float = sqlite.WAIT_S) -> Engine:
    """Return the way to a journal's file; nothing is opened yet. `wait_s` is how long another's lock is waited for.

    A commit is on the disk when it returns (`synchronous=FULL`): it survives the end of the process in any way, and
    of the machine. With one commit for a quarter of a second that costs nothing. What is deleted is overwritten.
    """
    opened = partial(sqlite.connect, path, write=write, wait_s=wait_s)
    engine = create_engine("sqlite://", creator=opened, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def prepare(connection: Connection, schema: int = SCHEMA, upgrades: Mapping[int, Sequence[str]] = UPGRADES) -> None:
    """Make the tables where the file is new, and upgrade an older journal. Raises `StorageError`."""
    with connection.begin():
        found = schema_of(connection, schema)
        if found is None:
            METADATA.create_all(connection)
            connection.execute(ABOUT.insert(), {"name": "schema", "value": str(schema)})
            return
        for number in range(found, schema):
            for statement in upgrades[number]:
                connection.exec_driver_sql(statement)
        if found < schema:
            connection.execute(ABOUT.update().where(ABOUT.c.name == "schema"), {"value": str(schema)})


def schema_of(connection: Connection, schema: int = SCHEMA) -> int | None:
    """Return the schema of a file; None for a new one. Raises `StorageError` for one that we must not touch."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    value = None
    if "about" in tables and "calls" in tables:
        value = connection.execute(select(ABOUT.c.value).where(ABOUT.c.name == "schema")).scalar()
    if value is None or not value.isdecimal():
        raise StorageError("this is a database of something else; name another file in journal.path")
    if int(value) > schema:
        raise StorageError(
            f"a newer version of the engine wrote this (schema {value}, this one knows {schema}); "
            "install that version, or name another file in journal.path"
        )
    return int(value)


def write_rows(connection: Connection, rows: Sequence[Row]) -> None:
    """Write calls within a transaction. Raises whatever the database says, and `ValueError` for what is no value.

    SQLite gets them as one JSON text in one statement. Row by row (`executemany`) Python gives up its lock for each,
    and beside a busy event loop every one of them may wait 5 ms for it: 500 rows take 9 ms when nothing else runs and
    1.8 s beside a busy thread; as JSON 16 and 31 ms. A machine whose cores are taken hides that: use a quiet one.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(insert(CALLS), rows)
        return
    lists = [[row[name] for name in _WRITTEN] for row in rows]
    connection.execute(_FROM_JSON, {"rows": json.dumps(lists, ensure_ascii=False, allow_nan=False)})


def use_log(connection: Connection) -> None:
    """Let others read while we write. Outside of any transaction, and only once the file is known to be ours."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    sqlite.use_log(driver)


def bytes_of(connection: Connection) -> int:
    """Return what the calls take on the disk, without the space that deleted ones have left."""
    size, pages, free = (
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("page_size", "page_count", "freelist_count")
    )
    return int(size * (pages - free))


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn what keeps a database from working into a `StorageError`, without the values that were on their way."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{error.filename}: {error.strerror or type(error).__name__}") from None
    except sqlite3.Error as error:
        raise StorageError(str(error)) from None
    except DatabaseError as error:
        if type(error) not in (OperationalError, DatabaseError):
            raise  # of the data: trying again would not help
        raise StorageError(str(error.orig)) from None
