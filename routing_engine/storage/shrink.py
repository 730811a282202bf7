"""Nothing is left of what was deleted: a file of SQLite is written anew and its log emptied, a PostgreSQL cleaned."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from routing_engine.errors import StorageError
from routing_engine.storage import sqlite
from routing_engine.storage.connector import open_engine, translate_errors
from routing_engine.storage.place import DatabasePlace

#: How long the service's own commit is waited for.
FORGET_WAIT_S = 30.0
_AGAIN = "what was deleted is overwritten: run this again for the rest"


def shrink(place: DatabasePlace) -> Iterator[str]:
    """Leave no byte of what was deleted; yield in sentences what did not work."""
    if place.path is None:
        yield from _clean_server(place)
        return
    try:
        with closing(sqlite.connect(place.path, wait_s=FORGET_WAIT_S)) as file:
            file.execute("VACUUM")
            emptied = sqlite.empty_log(file)
    except sqlite3.Error as error:
        yield f"the file was not written anew ({error}); {_AGAIN}"
        return
    if not emptied:
        yield "the file's log could not be emptied while another program reads it: run this again"


def _clean_server(place: DatabasePlace) -> Iterator[str]:
    # Not FULL: that would keep everybody out for as long as it takes.
    try:
        with translate_errors(), open_engine(place).connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM")
    except StorageError as error:
        yield f"the rows are deleted, and not cleaned away ({error}): PostgreSQL does that by itself later"
