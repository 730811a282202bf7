"""The journal's table in the engine's database, and how calls get into it.

Its columns are made by `storage/migrations.py`: to keep one thing more of a call, add it there and here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
)

from routing_engine.journal.entry import Row

METADATA = MetaData()
#: One row a call. Asterisk's call id may stand here more than once: a call may ask several routes, and after a restart
#: ids may come again. Lists are JSON: nobody searches by a step, and one row a call is written ten times faster.
DECISIONS = Table(
    "decisions",
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
)

_WRITTEN = [column.name for column in DECISIONS.columns if column.name != "id"]
_INSERT = " ".join(("INSERT INTO", DECISIONS.name, "(" + ", ".join(_WRITTEN) + ")", "VALUES "))
_ROW = f"({', '.join('?' * len(_WRITTEN))})"


def write_rows(connection: Connection, rows: Sequence[Row]) -> None:
    """Write calls within a transaction. Raises whatever the database says.

    SQLite gets them in one statement. Row by row (`executemany`) Python gives up its lock for each, and beside a busy
    event loop every one of them may wait 5 ms for it. A row takes 10 us so; as one JSON text, which SQLite takes apart
    again, it took 38.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(insert(DECISIONS), rows)
        return
    for some in _within_limit(connection, rows):
        values = tuple(row[name] for row in some for name in _WRITTEN)
        connection.exec_driver_sql(_INSERT + ", ".join([_ROW] * len(some)), values)


def _within_limit(connection: Connection, rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Yield as many rows as fit one statement here: an old SQLite takes 999 values, a newer one 32,766."""
    most = _most_values(connection) // len(_WRITTEN)
    for start in range(0, len(rows), most):
        yield rows[start : start + most]


def _most_values(connection: Connection) -> int:
    opened = connection.connection.driver_connection
    return opened.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) if isinstance(opened, sqlite3.Connection) else 999
