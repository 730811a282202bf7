"""The index on disk: which records are in force, and where a number or a value stands in them.

One SQLite file an integration. A full pull fills a new generation beside the one in force and takes its place in one
transaction, so what a call finds is always whole; whatever ends the process, the last good one stays. Every function
takes a connection of `open_index` and runs in a thread; they raise `sqlite3.Error` or `OSError`. `index_writer.py`
writes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from routing_engine.core.bounds import MOST_RECORDS
from routing_engine.core.model import Record, Value
from routing_engine.core.phone import lines_in
from routing_engine.core.templates import as_text
from routing_engine.storage import sqlite
from routing_engine.storage.files import make_folder
from routing_engine.storage.sqlite import transaction

#: Another layout is another file: nothing has to be converted, and two versions do not read each other's.
LAYOUT = 1
#: A search by a value that half of all records have is no search. One more than may be: the look-up says so.
MOST_FOUND = MOST_RECORDS + 1
_PATIENCE_S = 30.0
_TABLES = """
CREATE TABLE IF NOT EXISTS models (model TEXT PRIMARY KEY, generation INTEGER NOT NULL, shape TEXT NOT NULL,
  system TEXT NOT NULL, records INTEGER NOT NULL, as_of REAL NOT NULL, full_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS generations (generation INTEGER PRIMARY KEY AUTOINCREMENT, model TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS records (record INTEGER PRIMARY KEY, generation INTEGER NOT NULL, id TEXT NOT NULL,
  url TEXT NOT NULL, fields TEXT NOT NULL, UNIQUE (generation, id));
CREATE TABLE IF NOT EXISTS indexes (number INTEGER PRIMARY KEY AUTOINCREMENT, generation INTEGER NOT NULL,
  field TEXT NOT NULL, phones INTEGER NOT NULL, UNIQUE (generation, field, phones));
CREATE TABLE IF NOT EXISTS keys (number INTEGER NOT NULL, key TEXT NOT NULL, record INTEGER NOT NULL,
  PRIMARY KEY (number, key, record)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pulls (model TEXT PRIMARY KEY, kind TEXT NOT NULL, so_far INTEGER NOT NULL,
  why TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class SearchColumn:
    """What is searched: a field by our name, and whether by the numbers in it (E.164) or by its text."""

    field: str
    phones: bool


@dataclass(frozen=True, slots=True)
class IndexState:
    """What is in force of a model. `as_of` and `full_at` are when its last pull, and its last full one, began.

    `shape` tells under which field map it was read, `system` from which other side; moments in seconds since 1970.
    """

    generation: int
    shape: str
    system: str
    records: int
    as_of: float
    full_at: float


@dataclass(frozen=True, slots=True)
class PullState:
    """A pull under way, or the last one that failed: `why` it did, "" for none. `so_far` counts records."""

    kind: str = ""
    so_far: int = 0
    why: str = ""


def index_path(folder: Path, integration: str) -> Path:
    """Return the file of an integration's index; its lock lies beside it, with the ending `.lock`."""
    return folder / f"{integration}.v{LAYOUT}.db"


def open_index(path: Path) -> sqlite3.Connection:
    """Open the file, for its owner alone: it is a copy of customers' records."""
    make_folder(path.parent)
    # Not durable: what a power cut takes is pulled again.
    return sqlite.open_or_make(path, _TABLES, wait_s=_PATIENCE_S, durable=False)


def index_state(connection: sqlite3.Connection, model: str) -> IndexState | None:
    """Return what is in force of a model; None before its first pull was complete."""
    found = connection.execute(
        "SELECT generation, shape, system, records, as_of, full_at FROM models WHERE model = ?", (model,)
    ).fetchone()
    return None if found is None else IndexState(*found)


def bytes_per_model(connection: sqlite3.Connection) -> float:
    """Return how large the file is, shared out among the models in force."""
    ((pages,), (size,)) = (connection.execute(f"PRAGMA {one}").fetchone() for one in ("page_count", "page_size"))
    (models,) = connection.execute("SELECT count(*) FROM models").fetchone()
    return float(pages * size / max(1, models))


def pull_state(connection: sqlite3.Connection, model: str) -> PullState:
    """Return how the pull of a model goes; an empty one before the first."""
    found = connection.execute("SELECT kind, so_far, why FROM pulls WHERE model = ?", (model,)).fetchone()
    return PullState() if found is None else PullState(*found)


def find(
    connection: sqlite3.Connection, model: str, columns: Sequence[SearchColumn], keys: Sequence[str]
) -> tuple[IndexState | None, list[Record], list[SearchColumn]]:
    """Return what is in force, the records in whose columns one of the keys stands, and the columns without an index.

    One view of the file: a generation that another process replaces meanwhile is still there to its end.
    """
    with transaction(connection, write=False):
        now = index_state(connection, model)
        if now is None:
            return None, [], []
        numbers = indexes_of(connection, now.generation)
        wanted = [numbers[column] for column in columns if column in numbers]
        # DISTINCT: a record with the number in two fields is one record.
        rows = connection.execute(
            f"SELECT DISTINCT r.record, r.id, r.url, r.fields FROM keys k JOIN records r ON r.record = k.record "  # noqa: S608  marks only
            f"WHERE k.number IN ({_marks(wanted)}) AND k.key IN ({_marks(keys)}) ORDER BY r.record LIMIT {MOST_FOUND}",
            (*wanted, *keys),
        ).fetchall()
        missing = [column for column in columns if column not in numbers]
    return now, [Record(fields_of(fields), id_, url, "snapshot") for _, id_, url, fields in rows], missing


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def indexes_of(connection: sqlite3.Connection, generation: int) -> dict[SearchColumn, int]:
    """Return the numbers of a generation's indexes, by what each searches."""
    rows = connection.execute("SELECT field, phones, number FROM indexes WHERE generation = ?", (generation,))
    return {SearchColumn(field, bool(phones)): number for field, phones, number in rows}


def fields_of(text: str) -> dict[str, Value]:
    """Return fields as they were: JSON has lists where records have tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(text).items()}


def keys_of(column: SearchColumn, region: str, value: Value) -> Iterator[str]:
    """Return the keys of a value: the lines in it, or its text without spaces at its ends. A list has those of each."""
    for item in value if isinstance(value, tuple) else (value,):
        text = as_text(item).strip()
        if column.phones:
            yield from lines_in(text, region)
        elif text:
            yield text
