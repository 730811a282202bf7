"""The database's side of the journal: a connection of its own, so that neither the calls nor it wait for the other.

Everything here waits for the disk: it belongs into the journal's own thread.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select

from routing_engine.journal.entry import Row
from routing_engine.journal.tables import DECISIONS, write_rows
from routing_engine.storage.connector import Connector, bytes_used
from routing_engine.storage.place import DatabasePlace

#: How many calls are deleted in one step, so that new ones wait for some milliseconds only.
_STEP = 500


class JournalStore:
    """A journal in a database. All but `close` raise `StorageError` when trying again may help, else something else."""

    def __init__(self, place: DatabasePlace) -> None:
        self._connector = Connector(place)

    def open(self) -> None:
        """Have the database open. A file that was moved away or removed is made anew."""
        with self._connector.connected():
            pass

    def save(self, rows: Sequence[Row]) -> None:
        """Write calls, all or none."""
        with self._connector.transaction() as connection:
            write_rows(connection, rows)

    def newest_s(self) -> float | None:
        """Return the moment of the newest call, in seconds since 1970; None when there is none."""
        with self._connector.transaction() as connection:
            newest = connection.execute(select(func.max(DECISIONS.c.at_ms))).scalar()
            return None if newest is None else newest / 1000

    def expire(self, before_ms: int, most_bytes: int) -> int:
        """Delete some calls that are older, or the oldest while there is too much; return how many. Again until 0.

        Moments in milliseconds since 1970.
        """
        with self._connector.transaction() as connection:
            oldest = select(DECISIONS.c.id).order_by(DECISIONS.c.at_ms).limit(_STEP)
            if bytes_used(connection, DECISIONS.name) <= most_bytes:
                oldest = oldest.where(DECISIONS.c.at_ms < before_ms)
            return connection.execute(delete(DECISIONS).where(DECISIONS.c.id.in_(oldest))).rowcount

    def close(self) -> None:
        """Let go of the database."""
        self._connector.close()
