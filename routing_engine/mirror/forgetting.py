"""Removing a number from the indexes on the disk: every record that has it, whatever the field."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from routing_engine.mirror.index import LAYOUT, connect, whole

_BY_NUMBER = "SELECT DISTINCT record FROM keys WHERE key = ?"
_BY_TEXT = "SELECT record FROM records WHERE instr(replace(fields, ' ', ''), ?)"


def forget_in_mirrors(folder: Path, e164: str, dry_run: bool) -> int:
    """Remove the records of a number from every index of a folder; give how many those were.

    Raises `sqlite3.Error` or `OSError`. A pull under way may bring them again, as the next one will where the system
    still has them.
    """
    return sum(_forget(path, e164, dry_run) for path in sorted(folder.glob(f"*.v{LAYOUT}.db")))


def _forget(path: Path, e164: str, dry_run: bool) -> int:
    with closing(connect(path)) as connection:
        with whole(connection, write=not dry_run):
            rows = connection.execute(f"{_BY_NUMBER} UNION {_BY_TEXT}", (e164, e164.lstrip("+"))).fetchall()
            if not dry_run:
                for row in rows:
                    _remove(connection, row)
        if rows and not dry_run:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # what was forgotten is gone from the file too
    return len(rows)


def _remove(connection: sqlite3.Connection, row: tuple[int]) -> None:
    generation = "SELECT generation FROM records WHERE record = ?"
    connection.execute(f"UPDATE models SET records = records - 1 WHERE generation = ({generation})", row)  # noqa: S608
    connection.execute("DELETE FROM keys WHERE record = ?", row)
    connection.execute("DELETE FROM records WHERE record = ?", row)
