"""The journal's table in the engine's database, and how calls get into it.

Its columns are made by `storage/migrations.py`: to keep one thing more of a call, add it there and here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

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
    bindparam,
    func,
    insert,
    select,
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
_EACH = func.json_each(bindparam("rows", type_=Text)).table_valued("value")
_FROM_JSON = insert(DECISIONS).from_select(
    _WRITTEN, select(*(func.json_extract(_EACH.c.value, f"$[{position}]") for position in range(len(_WRITTEN))))
)


def write_rows(connection: Connection, rows: Sequence[Row]) -> None:
    """Write calls within a transaction. Raises whatever the database says, and `ValueError` for what is no value.

    SQLite gets them as one JSON text in one statement. Row by row (`executemany`) Python gives up its lock for each,
    and beside a busy event loop every one of them may wait 5 ms for it: 500 rows take 9 ms when nothing else runs and
    1.8 s beside a busy thread; as JSON 16 and 31 ms. A machine whose cores are taken hides that: use a quiet one.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(insert(DECISIONS), rows)
        return
    lists = [[row[name] for name in _WRITTEN] for row in rows]
    connection.execute(_FROM_JSON, {"rows": json.dumps(lists, ensure_ascii=False, allow_nan=False)})
