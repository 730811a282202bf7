"""What an older version, or another `database` of engine.yaml, has left is taken over at the first start, without loss.

A file becomes the new file by its name; into a PostgreSQL its rows are copied. What was copied keeps its file, under
the name `NAME.taken-over`: the way back.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import BigInteger, Connection, Integer, MetaData, Table, insert, select, text

from routing_engine.storage import sqlite
from routing_engine.storage.files import SHARED_FOLDER, locked, make_folder
from routing_engine.storage.place import DatabasePlace

TAKEN_OVER = ".taken-over"
#: What is no database cannot be taken over; it stays where it is.
_BROKEN = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_STEP = 500


def take_file(place: DatabasePlace) -> None:
    """Make the file of a database, where it is not there yet, of an older one. Raises `OSError`, `sqlite3.Error`."""
    path = place.path
    if path is None or path.exists() or not any(one.exists() for one in place.older):
        return
    make_folder(path.parent, SHARED_FOLDER)
    with locked(path.parent):  # engines that start at once
        for older in place.older:
            if not path.exists() and older.exists() and _closed(older):
                _move(older, path)


def _closed(path: Path) -> bool:
    """Bring a file's log into it; False for one that is no database."""
    try:
        with closing(sqlite.connect(path)) as file:
            sqlite.empty_log(file)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode in _BROKEN:
            return False
        raise
    return True


def _move(older: Path, path: Path) -> None:
    try:
        older.rename(path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # Another disk: the whole copy gets the name at once, so that no engine finds half of it.
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        sqlite.make_file(draft, older.stat().st_mode & 0o777)
        shutil.copyfile(older, draft)
        draft.rename(path)
        older.rename(f"{older}{TAKEN_OVER}")


def to_copy(place: DatabasePlace) -> list[Path]:
    """Return the files whose rows a server does not have yet."""
    return [one for one in place.older if place.path is None and one.exists() and _closed(one)]


def copy_rows(older: Connection, server: Connection, path: Path) -> None:
    """Copy every row of a file of the newest form into a server, within its transaction; once for each file."""
    known = {"name": f"taken over: {path}"}
    # Without that, an engine that dies before the file has its new name would copy all again.
    if server.execute(text("SELECT 1 FROM about WHERE name = :name"), known).scalar():
        return
    server.execute(text("INSERT INTO about (name, value) VALUES (:name, '')"), known)
    tables = MetaData()
    tables.reflect(older)
    for table in tables.sorted_tables:
        if table.name != "about":
            _copy_table(older, server, table)


def _copy_table(older: Connection, server: Connection, table: Table) -> None:
    # A key that numbers itself goes on where the server's is.
    kept = [one for one in table.columns if not (one.name == "id" and isinstance(one.type, Integer | BigInteger))]
    rows = older.execution_options(yield_per=_STEP).execute(select(*kept))
    for some in rows.mappings().partitions(_STEP):
        server.execute(insert(table), [dict(row) for row in some])
