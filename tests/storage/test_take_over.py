"""What an older version has kept is there after the first start of this one: nothing is lost, nothing twice."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from routing_engine.errors import StorageError
from routing_engine.storage.connector import Connector
from routing_engine.storage.migrations import take_back
from routing_engine.storage.place import DatabasePlace
from tests.journal.calls import kept_call, kept_ids, routed, write

pytestmark = pytest.mark.io

#: As version 0.1.0 made it, type for type.
VERSION_1 = """
CREATE TABLE about (name VARCHAR(40) NOT NULL, value VARCHAR(200), PRIMARY KEY (name));
CREATE TABLE calls (
 id INTEGER NOT NULL, call_id VARCHAR(2000) NOT NULL, at_ms BIGINT NOT NULL, offset_s INTEGER NOT NULL,
 took_ms FLOAT NOT NULL, waited_ms FLOAT NOT NULL, silence_ms FLOAT NOT NULL, ended VARCHAR(20) NOT NULL,
 route VARCHAR(2000) NOT NULL, revision VARCHAR(2000) NOT NULL, reason VARCHAR(20) NOT NULL,
 rule VARCHAR(2000) NOT NULL, source VARCHAR(2000) NOT NULL, kind VARCHAR(40) NOT NULL,
 target VARCHAR(2000) NOT NULL, priority BIGINT, ring_s BIGINT, chain TEXT NOT NULL, played TEXT NOT NULL,
 sets TEXT NOT NULL, caller VARCHAR(40) NOT NULL, token VARCHAR(40) NOT NULL, numbers VARCHAR(10) NOT NULL,
 key_id VARCHAR(20) NOT NULL, called VARCHAR(2000) NOT NULL, language VARCHAR(2000) NOT NULL,
 record_id VARCHAR(2000) NOT NULL, record_url VARCHAR(2000) NOT NULL, record_origin VARCHAR(20) NOT NULL,
 record_fields TEXT NOT NULL, why VARCHAR(2000) NOT NULL, trail TEXT NOT NULL, PRIMARY KEY (id)
);
CREATE INDEX calls_at ON calls (at_ms);
CREATE INDEX calls_call_id ON calls (call_id);
CREATE INDEX calls_caller ON calls (caller, at_ms);
CREATE INDEX calls_reason ON calls (reason, at_ms);
CREATE INDEX calls_route ON calls (route, at_ms);
CREATE INDEX calls_token ON calls (token, at_ms);
INSERT INTO about VALUES ('schema', '1');
"""


def make_version_1(path: Path, *call_ids: str) -> None:
    """A journal of version 0.1.0, its last rows in the log of an engine that was killed."""
    path.parent.mkdir(exist_ok=True)
    file = sqlite3.connect(path, isolation_level=None)
    file.execute("PRAGMA journal_mode = WAL")
    file.executescript(VERSION_1)
    for call_id in call_ids:
        file.execute(
            "INSERT INTO calls VALUES (NULL, ?, 1795196415250, 3600, 1.5, 0, 0, 'routed', 'support', 'r', 'matched',"
            " 'silver', 'crm', 'queue', 'vip', 10, NULL, '[]', '[]', '[]', '...567', '', 'masked', '', '217', 'de',"
            " '7', '', 'live', '[]', '', '[[\"rule silver\", \"matched\", null]]')",
            (call_id,),
        )
    killed = {ending: Path(f"{path}{ending}").read_bytes() for ending in ("", "-wal")}
    file.close()
    for ending, content in killed.items():
        Path(f"{path}{ending}").write_bytes(content)


def place_of(folder: Path) -> DatabasePlace:
    return DatabasePlace(folder / "calls.db", older=(folder / "journal.db",))


def start(place: DatabasePlace) -> None:
    connector = Connector(place)
    with connector.connected():
        pass
    connector.close()


async def test_a_journal_of_an_older_version_is_taken_over_with_every_call(tmp_path: Path) -> None:
    make_version_1(tmp_path / "journal.db", "a", "b")
    start(place_of(tmp_path))
    await write(tmp_path / "calls.db", routed(call_id="c"))
    assert set(kept_ids(tmp_path / "calls.db")) == {"a", "b", "c"}
    assert kept_call(tmp_path / "calls.db", "a").trail[0].outcome == "matched"
    assert not (tmp_path / "journal.db").exists()


async def test_a_journal_with_a_path_of_its_own_is_brought_up_to_date_where_it_is(tmp_path: Path) -> None:
    make_version_1(tmp_path / "own.db", "a")
    await write(tmp_path / "own.db", routed(call_id="b"))
    assert set(kept_ids(tmp_path / "own.db")) == {"a", "b"}


def test_engines_that_start_at_once_take_it_over_once(tmp_path: Path) -> None:
    make_version_1(tmp_path / "journal.db", *map(str, range(100)))
    threads = [threading.Thread(target=start, args=(place_of(tmp_path),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept_ids(tmp_path / "calls.db")) == 100


def test_what_is_no_database_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"no database at all" * 100)
    start(place_of(tmp_path))
    assert (tmp_path / "journal.db").read_bytes() == b"no database at all" * 100
    assert kept_ids(tmp_path / "calls.db") == []


def test_what_a_newer_engine_has_made_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    start(place_of(tmp_path))
    make_version_1(tmp_path / "journal.db", "a")
    start(place_of(tmp_path))
    assert kept_ids(tmp_path / "calls.db") == []
    assert (tmp_path / "journal.db").exists()


def test_a_command_before_the_first_start_says_what_is_to_be_done(tmp_path: Path) -> None:
    make_version_1(tmp_path / "journal.db", "a")
    new, old = (Connector(one, write=False) for one in (place_of(tmp_path), DatabasePlace(tmp_path / "journal.db")))
    with pytest.raises(StorageError, match="is taken over at the start of the service"), new.connected():
        pass
    with pytest.raises(StorageError, match=r"an older version .* \(schema 1\)"), old.connected():
        pass


def test_the_way_back_leaves_a_journal_that_the_older_version_can_read(tmp_path: Path) -> None:
    make_version_1(tmp_path / "journal.db", "a")
    with closing(sqlite3.connect(tmp_path / "journal.db")) as file:
        before = shape(file)
    start(place_of(tmp_path))
    connector = Connector(place_of(tmp_path))
    with connector.connected() as connection:
        take_back(connection, 1)
    connector.close()
    with closing(sqlite3.connect(tmp_path / "calls.db")) as file:
        assert shape(file) == before
        assert file.execute("SELECT value FROM about").fetchall() == [("1",)]
        assert file.execute("SELECT call_id FROM calls").fetchall() == [("a",)]


def shape(file: sqlite3.Connection) -> set[str]:
    return {name for (name,) in file.execute("SELECT name FROM sqlite_schema") if not name.startswith("sqlite_")}
