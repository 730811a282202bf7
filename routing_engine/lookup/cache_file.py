"""The cache over a restart: one SQLite file, written behind the calls' backs, read whole at the start.

A file that cannot be used costs nothing but the answers: it is said once in the log, and the cache works in memory.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from routing_engine.core.model import Record, Value
from routing_engine.logger import Logger
from routing_engine.lookup.cache import Cache, CacheEntry, Key
from routing_engine.storage import sqlite
from routing_engine.storage.files import SHARED_FOLDER, make_folder

_log = Logger()

#: How long a change may be in memory alone.
WRITE_EVERY_S = 1.0
#: Answers about a number: it was asked for, or stands in a record, however it is spaced there.
_ABOUT = "FROM answers WHERE instr(question, ?) OR instr(replace(answer, ' ', ''), ?)"
_TABLE = "CREATE TABLE IF NOT EXISTS answers (question TEXT PRIMARY KEY, at REAL NOT NULL, answer TEXT NOT NULL)"


class CacheFile:
    """The file of a cache. `open` fills the cache and begins to follow it; `close` writes what is left.

    Whatever the disk does, none of these raises.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changes: dict[Key, CacheEntry | None] = {}  # by key: of many changes of one answer the last is written
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failing = False

    def changed(self, key: Key, entry: CacheEntry | None) -> None:
        """Take a change of the cache, to be written within `WRITE_EVERY_S`; None is an answer that was dropped."""
        self._changes[key] = entry
        self._wake.set()

    async def open(self, cache: Cache) -> None:
        """Fill the cache with what is on disk, the oldest first."""
        try:
            entries = await asyncio.to_thread(_read_all, self._path)
        except (sqlite3.Error, OSError, ValueError) as error:
            self._report(error)
            entries = []
        for key, entry in entries:
            cache.put(key, entry)
        self._changes.clear()  # the cache has told us of what we have just given it
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def close(self) -> None:
        """Write what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._write()

    async def flush(self) -> None:
        """Write now what has changed, dropped answers above all."""
        await self._write()

    async def _follow(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(WRITE_EVERY_S)
            self._wake.clear()
            await self._write()

    async def _write(self) -> None:
        changes, self._changes = self._changes, {}  # what the disk refuses is lost: it must not pile up
        if not changes:
            return
        try:
            # A thread cannot be stopped: `close` comes here while it writes, and begins another behind it.
            await asyncio.shield(asyncio.to_thread(_write_all, self._path, changes))
            self._failing = False
        except (sqlite3.Error, OSError, ValueError) as error:
            self._report(error)

    def _report(self, error: Exception) -> None:
        if not self._failing:  # once, not every second
            self._failing = True
            _log.warning("cache.unwritable", path=str(self._path), error=str(error)[:200])


def _open(path: Path) -> sqlite3.Connection:
    """Open the file, for its owner alone: it holds what the CRM knows of callers."""
    make_folder(path.parent, SHARED_FOLDER)
    # Not durable: what a power cut takes is asked for again.
    return sqlite.open_or_make(path, _TABLE, durable=False)


def _read_all(path: Path) -> list[tuple[Key, CacheEntry]]:
    with closing(_open(path)) as connection:
        rows = connection.execute("SELECT question, at, answer FROM answers ORDER BY at").fetchall()
    return [_read(question, at, answer) for question, at, answer in rows]


def _write_all(path: Path, changes: dict[Key, CacheEntry | None]) -> None:
    gone = [(_text(key),) for key, entry in changes.items() if entry is None]
    kept = [(_text(key), entry.at, _answer(entry)) for key, entry in changes.items() if entry is not None]
    with closing(_open(path)) as connection:
        with sqlite.transaction(connection):
            connection.executemany("DELETE FROM answers WHERE question = ?", gone)
            connection.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", kept)
        if gone:
            sqlite.empty_log(connection)


def forget_on_disk(path: Path, e164: str, dry_run: bool) -> int:
    """Remove every answer about a number from the file of a cache, or only count them; return how many those are.

    A file that is not there holds nothing. Raises `sqlite3.Error` or `OSError`.
    """
    if not path.exists():
        return 0
    digits = e164.lstrip("+")
    with closing(sqlite.connect(path)) as connection:
        (count,) = connection.execute(f"SELECT count(*) {_ABOUT}", (digits, digits)).fetchone()
        if count and not dry_run:
            connection.execute(f"DELETE {_ABOUT}", (digits, digits))
            sqlite.empty_log(connection)
    return int(count)


def _text(key: Key) -> str:
    return json.dumps(key)


def _answer(entry: CacheEntry) -> str:
    records = [[dict(record.fields), record.id, record.url] for record in entry.records]
    return json.dumps([records, entry.mismatches, entry.unreadable])


def _read(question: str, at: float, answer: str) -> tuple[Key, CacheEntry]:
    integration, model, field, value, caller, by = json.loads(question)
    records, *left_out = json.loads(answer)  # files of an older version have one count, later ones two
    found = tuple(Record(dict(_fields(fields.items())), record_id, url) for fields, record_id, url in records)
    return (integration, model, field, value, caller, by), CacheEntry(found, at, *left_out)


def _fields(items: Iterable[tuple[str, object]]) -> Iterable[tuple[str, Value]]:
    """Return fields as they were: JSON has lists where records have tuples."""
    for name, value in items:
        yield name, tuple(value) if isinstance(value, list) else value  # type: ignore[misc]
