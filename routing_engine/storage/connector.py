"""One thread's way into the engine's database: a file of SQLite, or a PostgreSQL; opened anew after whatever failed.

What is known of the two databases is here, and nowhere else: how they are opened, how they begin, which of their errors
are an outage. Everything in this file waits for the disk or the network and belongs into a thread.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.pool import NullPool

from routing_engine.errors import StorageError
from routing_engine.storage import sqlite
from routing_engine.storage.files import SHARED_FOLDER, make_folder
from routing_engine.storage.migrations import MIGRATIONS, lock, migrate, schema_of
from routing_engine.storage.place import DatabasePlace
from routing_engine.storage.take_over import TAKEN_OVER, copy_rows, take_file, to_copy

if TYPE_CHECKING:
    import psycopg

#: Who called is nobody else's business. The folder is open: it may be that of other files, too.
_FILE_MODE = 0o640
#: What the address of a PostgreSQL may say otherwise. A server that has vanished without a word is given up after 15 s.
_POSTGRESQL = {
    "connect_timeout": "5",
    "application_name": "routing-engine",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "2",
    "tcp_user_timeout": "15000",
}
#: No right to a table, a server that only reads: an administrator mends them, and the same work is done then.
#: No table, no schema: the database was put back or emptied, and the next connection makes them again.
_TO_BE_MENDED = {"42501", "25006", "42P01", "3F000"}
# It warns of what comes behind an error, as text between our lines; the error itself is said once, by who works here.
logging.getLogger("psycopg").setLevel(logging.CRITICAL)
_NO_PSYCOPG = "a PostgreSQL needs the package psycopg: install routing-engine[postgresql]"
_NOT_YET = "what an older version kept is taken over at the start of the service ('routing-engine serve')"
_UPDATED = "the start of the service brings it up to date, and so does 'routing-engine database --update'"
_NOT_THERE = "there is no database yet: the service makes it ('routing-engine serve')"


def open_engine(place: DatabasePlace, write: bool = True, wait_s: float = sqlite.WAIT_S) -> Engine:
    """Return the way to a database; nothing is opened yet. `wait_s` is how long SQLite waits for another's lock.

    A commit is on the disk when it returns (`synchronous=FULL`, which PostgreSQL has by itself): it survives the end of
    the process in any way, and of the machine. What is deleted from a file is overwritten.
    """
    if place.path is None:
        return create_engine(
            "postgresql+psycopg://", creator=partial(_connect_postgresql, place.url), poolclass=NullPool
        )
    opened = partial(sqlite.connect, place.path, write=write, wait_s=wait_s)
    engine = create_engine("sqlite://", creator=opened, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _connect_postgresql(url: str) -> psycopg.Connection[tuple[object, ...]]:
    # late: psycopg, an extra
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    return psycopg.connect(make_conninfo("", **{**_POSTGRESQL, **conninfo_to_dict(url)}))


class Connector:
    """One connection, opened when it is needed, with the schema of this version; a new one after each failure."""

    def __init__(self, place: DatabasePlace, write: bool = True, wait_s: float = sqlite.WAIT_S) -> None:
        self.place, self._write, self._wait_s = place, write, wait_s
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._file: tuple[int, int] = 0, 0

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Hand out the connection, outside of any transaction. After an error within the block it is closed.

        Raises `StorageError` for what an administrator or time may mend; of the data, what the database says.
        """
        try:
            with translate_errors():
                yield self._opened()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run the block as one transaction: all of it happens, or none. Raises as `connected`."""
        with self.connected() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Let go of the database."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it may be broken already
                connection.close()

    def _opened(self) -> Connection:
        # A file that was moved away or removed is made anew: what goes into one without a name is lost.
        if self._connection is not None and self._file == self._sign():
            return self._connection
        self.close()
        if self._engine is None:
            self._engine = open_engine(self.place, self._write, self._wait_s)
        path = self.place.path
        if path is not None and self._write:
            take_file(self.place)
            make_folder(path.parent, SHARED_FOLDER)
            sqlite.make_file(path, _FILE_MODE)
        elif path is not None and not path.exists():
            older = any(one.exists() for one in self.place.older)
            raise StorageError(_NOT_YET if older else _NOT_THERE)
        self._connection = self._engine.connect()
        try:
            _prepare(self._connection, self._write)
        except DBAPIError as error:  # a form that this database cannot have: what waits is kept until it is mended
            raise StorageError(str(error.orig).partition("\n")[0]) from None
        if self._write:
            _copy_older(self.place, self._connection)
        self._file = self._sign()
        return self._connection

    def _sign(self) -> tuple[int, int]:
        """Return what tells one file from another of the same name."""
        if self.place.path is None:
            return 0, 0
        try:
            found = self.place.path.stat()
        except FileNotFoundError:
            return 0, 0
        return found.st_dev, found.st_ino


def _prepare(connection: Connection, write: bool) -> None:
    if write:
        migrate(connection)
        if connection.dialect.name == "sqlite":  # only once the file is known to be ours
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            sqlite.use_log(driver)
        return
    with connection.begin():
        found = schema_of(connection)
    if not found:
        raise StorageError(_NOT_THERE)
    if found < len(MIGRATIONS):
        raise StorageError(f"an older version of the engine wrote this (schema {found}); {_UPDATED}")


def _copy_older(place: DatabasePlace, server: Connection) -> None:
    """Copy what files of before have into a server, and give each another name once that is on the server's disk."""
    for path in to_copy(place):
        older = Connector(DatabasePlace(path))
        try:
            with older.transaction() as from_file, server.begin():
                lock(server)
                copy_rows(from_file, server, path)
        finally:
            older.close()
        path.rename(f"{path}{TAKEN_OVER}")


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn what keeps a database from working into a `StorageError`, without the values that were on their way."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{error.filename}: {error.strerror or type(error).__name__}") from None
    except ModuleNotFoundError:
        raise StorageError(_NO_PSYCOPG) from None
    except sqlite3.Error as error:
        raise StorageError(str(error)) from None
    except DBAPIError as error:
        if not is_outage(error):
            raise  # of the data: trying again would not help
        # The first line alone: the next ones repeat statements and values.
        raise StorageError(str(error.orig).partition("\n")[0]) from None


def is_outage(error: Exception) -> bool:
    """Return whether the database did not work, so that the same may be done later; False for a fault of the work."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, StorageError | OSError | sqlite3.Error)
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_ERROR:  # SQL that this file does not understand
        return False
    known = isinstance(error, OperationalError | InterfaceError | InternalError) or type(error) is DatabaseError
    return known or getattr(error.orig, "sqlstate", None) in _TO_BE_MENDED


def bytes_used(connection: Connection, table: str) -> int:
    """Return what a table takes on the disk; in a file all tables together, without the space of what was deleted."""
    if connection.dialect.name != "sqlite":
        return int(connection.exec_driver_sql("SELECT pg_total_relation_size(%s)", (table,)).scalar_one())
    size, pages, free = (
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("page_size", "page_count", "freelist_count")
    )
    return int(size * (pages - free))
