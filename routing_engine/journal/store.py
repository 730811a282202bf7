"""The disk's side of the journal: one connection that is opened when it is needed, and again after a failure.

Everything here waits for the disk: it belongs into the journal's own thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, delete, func, select

from routing_engine.journal.entry import Row
from routing_engine.journal.tables import CALLS, bytes_of, open_engine, prepare, translate_errors, use_log, write_rows
from routing_engine.storage import sqlite
from routing_engine.storage.files import SHARED_FOLDER, make_folder

#: Who called is nobody else's business. The folder is open: it may be that of other files, too.
_FILE_MODE = 0o640
#: How many calls are deleted in one step, so that new ones wait for some milliseconds only.
_STEP = 500


class JournalStore:
    """A journal's file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine = open_engine(path, write=True)
        self._connection: Connection | None = None
        self._file: tuple[int, int] = 0, 0

    def open(self) -> None:
        """Have the file open. One that was moved away or removed is made anew. Raises `StorageError`."""
        self._opened()

    def _opened(self) -> Connection:
        with translate_errors():
            if self._connection is not None and self._file == self._sign():
                return self._connection
            self.close()
            self._make_file()
            self._connection = self._engine.connect()
            prepare(self._connection)
            use_log(self._connection)
            self._file = self._sign()
            return self._connection

    def save(self, rows: Sequence[Row]) -> None:
        """Write calls, all or none. Raises `StorageError` when trying again may help, and others when it will not."""
        with self._connected() as connection, connection.begin():
            write_rows(connection, rows)

    def newest_s(self) -> float | None:
        """Return the moment of the newest call, in seconds since 1970; None when there is none."""
        with self._connected() as connection, connection.begin():
            newest = connection.execute(select(func.max(CALLS.c.at_ms))).scalar()
            return None if newest is None else newest / 1000

    def expire(self, before_ms: int, most_bytes: int) -> int:
        """Delete some calls that are older, or the oldest while there is too much; return how many. Again until 0.

        Moments in milliseconds since 1970.
        """
        with self._connected() as connection, connection.begin():
            oldest = select(CALLS.c.id).order_by(CALLS.c.at_ms).limit(_STEP)
            if bytes_of(connection) <= most_bytes:
                oldest = oldest.where(CALLS.c.at_ms < before_ms)
            return connection.execute(delete(CALLS).where(CALLS.c.id.in_(oldest))).rowcount

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """Hand out the connection; after a failure the next one is a new one."""
        try:
            with translate_errors():
                yield self._opened()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it may be broken already
                connection.close()

    def _make_file(self) -> None:
        make_folder(self._path.parent, SHARED_FOLDER)
        sqlite.make_file(self._path, _FILE_MODE)

    def _sign(self) -> tuple[int, int]:
        """Return what tells one file from another of the same name."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return 0, 0
        return found.st_dev, found.st_ino
