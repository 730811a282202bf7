"""Which driver speaks to which kind of database."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from routing_engine.settings.sql import Kind, SqlServer
from routing_engine.sql.pool import SqlDriver


class QueryLimits(NamedTuple):
    """What bounds the queries of one reader: connections at a time, rows of an answer, seconds of a query."""

    connections: int
    rows: int
    time_limit_s: float


def driver_of(kind: Kind, place: Path | SqlServer, password: str, limits: QueryLimits) -> SqlDriver:
    """Return what speaks to this kind of database; its package is imported only where it is used."""
    if isinstance(place, Path):
        from routing_engine.sql.sqlite import Sqlite

        return Sqlite(place, *limits)
    # A server's connections are counted by the pool.
    if kind == "postgresql":
        from routing_engine.sql.postgresql import Postgresql

        return Postgresql(place, password, limits.rows, limits.time_limit_s)
    from routing_engine.sql.mysql import Mysql

    return Mysql(place, password, limits.rows, limits.time_limit_s)
