"""Filling the index on disk: generations are begun, filled, put in force or swept away.

Every function takes a connection of `index.open_index` and runs in a thread; they raise `sqlite3.Error` or `OSError`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from routing_engine.core.model import Record, Value
from routing_engine.mirror.index import (
    LAYOUT,
    IndexState,
    PullState,
    SearchColumn,
    fields_of,
    index_state,
    indexes_of,
    keys_of,
    open_index,
)
from routing_engine.storage import sqlite
from routing_engine.storage.sqlite import transaction

#: So many rows go in one step: a call that wants to read, or the pull of another model, waits for no more.
_AT_ONCE = 2000
_BY_NUMBER = "SELECT DISTINCT record FROM keys WHERE key = ?"
_BY_TEXT = "SELECT record FROM records WHERE instr(replace(fields, ' ', ''), ?)"


def begin(connection: sqlite3.Connection, model: str, columns: Iterable[SearchColumn]) -> int:
    """Begin a new generation of a model; what an earlier one has left half done is removed first."""
    sweep(connection, model)
    with transaction(connection):
        generation = connection.execute("INSERT INTO generations (model) VALUES (?)", (model,)).lastrowid
        assert generation is not None
        for column in columns:
            _add_index(connection, generation, column)
    return generation


def sweep(connection: sqlite3.Connection, model: str) -> None:
    """Remove every generation of a model that is not in force, in steps that keep nobody waiting."""
    now = index_state(connection, model)
    kept = now.generation if now is not None else -1
    rows = connection.execute("SELECT generation FROM generations WHERE model = ? AND generation != ?", (model, kept))
    for (old,) in rows.fetchall():
        for number in indexes_of(connection, old).values():
            _remove(connection, "keys", "(number, key, record)", "number", number)
        _remove(connection, "records", "record", "generation", old)
        # Last: a sweep that is interrupted finds the generation again.
        with transaction(connection):
            connection.execute("DELETE FROM indexes WHERE generation = ?", (old,))
            connection.execute("DELETE FROM generations WHERE generation = ?", (old,))


def _remove(connection: sqlite3.Connection, table: str, row: str, where: str, value: int) -> None:
    count = 1
    while count:
        some = f"SELECT {row.strip('()')} FROM {table} WHERE {where} = ? LIMIT {_AT_ONCE}"  # noqa: S608  our words only
        count = connection.execute(f"DELETE FROM {table} WHERE {row} IN ({some})", (value,)).rowcount  # noqa: S608


def put(connection: sqlite3.Connection, generation: int, region: str, records: Iterable[Record]) -> int:
    """Put records into a generation, each in place of the one with its id; return how many bytes their texts have."""
    size = 0
    with transaction(connection):
        if not connection.execute("SELECT 1 FROM generations WHERE generation = ?", (generation,)).fetchone():
            # The file was replaced under us, or another engine without our lock pulls into it.
            raise sqlite3.IntegrityError("the generation was swept away")
        numbers = indexes_of(connection, generation)
        for record in records:
            text = json.dumps(dict(record.fields), ensure_ascii=True)
            size += len(text) + len(record.id) + len(record.url)
            row_id = _clear(connection, generation, numbers, region, record.id)
            row = (row_id, generation, record.id, record.url, text)
            row_id = connection.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)", row).lastrowid
            added = [(number, key, row_id) for number, key in _keys(numbers, region, record.id, record.fields)]
            connection.executemany("INSERT INTO keys VALUES (?, ?, ?)", added)
    return size


def remove(connection: sqlite3.Connection, generation: int, region: str, ids: Iterable[str]) -> int:
    """Remove records by their ids; return how many there were."""
    with transaction(connection):
        numbers = indexes_of(connection, generation)
        row_ids = [_clear(connection, generation, numbers, region, one) for one in ids]
        there = [(row_id,) for row_id in row_ids if row_id is not None]
        connection.executemany("DELETE FROM records WHERE record = ?", there)
    return len(there)


def _clear(
    connection: sqlite3.Connection, generation: int, numbers: Mapping[SearchColumn, int], region: str, id_: str
) -> int | None:
    """Remove the keys of the record with this id; return its row's number; None when there is no such record."""
    found = connection.execute(
        "SELECT record, fields FROM records WHERE generation = ? AND id = ?", (generation, id_)
    ).fetchone()
    if found is None:
        return None
    row_id, text = found
    gone = [(number, key, row_id) for number, key in _keys(numbers, region, id_, fields_of(text))]
    connection.executemany("DELETE FROM keys WHERE number = ? AND key = ? AND record = ?", gone)
    return int(row_id)


def _keys(
    numbers: Mapping[SearchColumn, int], region: str, id_: str, fields: Mapping[str, Value]
) -> Iterator[tuple[int, str]]:
    """Return under which keys a record stands, each once. Its id is searched as `id`, also where that is no field."""
    for column, number in numbers.items():
        value = fields.get(column.field, id_ if column.field == "id" else None)
        yield from ((number, key) for key in dict.fromkeys(keys_of(column, region, value)))


def _add_index(connection: sqlite3.Connection, generation: int, column: SearchColumn) -> int:
    row = (generation, column.field, column.phones)
    number = connection.execute("INSERT INTO indexes (generation, field, phones) VALUES (?, ?, ?)", row).lastrowid
    assert number is not None
    return number


def add_column(connection: sqlite3.Connection, model: str, region: str, column: SearchColumn) -> None:
    """Index one more column of what is in force. It may take seconds: calls read meanwhile, pulls wait."""
    with transaction(connection):
        now = index_state(connection, model)
        if now is None or column in indexes_of(connection, now.generation):
            return
        number = _add_index(connection, now.generation, column)
        rows = connection.execute("SELECT record, id, fields FROM records WHERE generation = ?", (now.generation,))
        for row_id, id_, text in rows.fetchall():
            added = [(one, key, row_id) for one, key in _keys({column: number}, region, id_, fields_of(text))]
            connection.executemany("INSERT INTO keys VALUES (?, ?, ?)", added)


def count(connection: sqlite3.Connection, generation: int) -> int:
    """Return how many records a generation has."""
    (found,) = connection.execute("SELECT count(*) FROM records WHERE generation = ?", (generation,)).fetchone()
    return int(found)


def publish_generation(connection: sqlite3.Connection, model: str, now: IndexState) -> None:
    """Let a generation answer from now on, or say how far the one in force has come."""
    row = (model, now.generation, now.shape, now.system, now.records, now.as_of, now.full_at)
    with transaction(connection):
        connection.execute("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def write_pull_state(connection: sqlite3.Connection, model: str, how: PullState) -> None:
    """Write down how the pull of a model goes, for whoever looks from another process."""
    row = (model, how.kind, how.so_far, how.why)
    with transaction(connection):
        connection.execute("INSERT OR REPLACE INTO pulls VALUES (?, ?, ?, ?)", row)


def known(connection: sqlite3.Connection, generation: int, ids: Iterable[str]) -> list[str]:
    """Return those of the ids that a generation has."""
    # One by one: a list in one statement would be too long for SQLite.
    ask = "SELECT 1 FROM records WHERE generation = ? AND id = ?"
    return [one for one in ids if connection.execute(ask, (generation, one)).fetchone()]


def forget_in_mirrors(folder: Path, e164: str, dry_run: bool) -> int:
    """Remove the records of a number (E.164) from every index of a folder, or only count them; return how many.

    Raises `sqlite3.Error` or `OSError`. A pull under way may bring them again, as the next one will where the system
    still has them.
    """
    return sum(_forget(path, e164, dry_run) for path in sorted(folder.glob(f"*.v{LAYOUT}.db")))


def _forget(path: Path, e164: str, dry_run: bool) -> int:
    with closing(open_index(path)) as connection:
        with transaction(connection, write=not dry_run):
            # By key is quick and knows spellings; by text finds it in fields that nobody searches.
            rows = connection.execute(f"{_BY_NUMBER} UNION {_BY_TEXT}", (e164, e164.lstrip("+"))).fetchall()
            if not dry_run:
                for row in rows:
                    _remove_record(connection, row)
        if rows and not dry_run:
            sqlite.empty_log(connection)
    return len(rows)


def _remove_record(connection: sqlite3.Connection, row: tuple[int]) -> None:
    generation = "SELECT generation FROM records WHERE record = ?"
    connection.execute(f"UPDATE models SET records = records - 1 WHERE generation = ({generation})", row)  # noqa: S608
    connection.execute("DELETE FROM keys WHERE record = ?", row)
    connection.execute("DELETE FROM records WHERE record = ?", row)
