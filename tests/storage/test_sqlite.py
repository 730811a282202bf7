"""SQLite files of our own: opened in one way, all or nothing, and worked with in a thread."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from routing_engine.storage import sqlite
from routing_engine.storage.sqlite import DbThread, transaction


def opened(path: Path) -> sqlite3.Connection:
    sqlite.make_file(path)
    return sqlite.connect(path)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(opened(tmp_path / "one.db")) as connection:
        sqlite.use_log(connection)
        connection.execute("CREATE TABLE words (word TEXT)")
        yield connection


def words(connection: sqlite3.Connection) -> list[str]:
    return [word for (word,) in connection.execute("SELECT word FROM words")]


def add(connection: sqlite3.Connection, word: str) -> None:
    connection.execute("INSERT INTO words VALUES (?)", (word,))


def add_and_fail(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        add(connection, "gone")
        connection.execute("nonsense")


def asked(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_what_is_deleted_is_overwritten_and_commits_last_as_they_must(
    durable: bool, level: int, tmp_path: Path
) -> None:
    sqlite.make_file(tmp_path / "one.db")
    with closing(sqlite.connect(tmp_path / "one.db", durable=durable)) as connection:
        assert (asked(connection, "secure_delete"), asked(connection, "synchronous")) == (1, level)


def test_a_file_and_its_log_are_for_the_owner_alone(file: sqlite3.Connection, tmp_path: Path) -> None:
    assert {stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()} == {0o600}


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        sqlite.connect(tmp_path / "one.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [b"a?mode=ro#b%20", "kündbar".encode(), b"\xff"])
def test_whatever_its_name_a_file_is_opened(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    with closing(opened(path)) as connection:
        connection.execute("CREATE TABLE words (word TEXT)")
    assert os.listdir(os.fsencode(tmp_path)) == [name]


def test_who_reads_changes_nothing(file: sqlite3.Connection, tmp_path: Path) -> None:
    reading = sqlite.connect(tmp_path / "one.db", write=False)
    with closing(reading), pytest.raises(sqlite3.OperationalError, match="readonly"):
        add(reading, "no")


def test_a_transaction_happens_whole_or_not_at_all(file: sqlite3.Connection) -> None:
    with transaction(file):
        add(file, "kept")
    with pytest.raises(sqlite3.OperationalError):
        add_and_fail(file)
    assert words(file) == ["kept"]


def test_what_was_deleted_is_in_no_byte_of_file_and_log(file: sqlite3.Connection, tmp_path: Path) -> None:
    add(file, "+436641234567")
    file.execute("DELETE FROM words")
    assert sqlite.empty_log(file)
    assert not [one for one in tmp_path.iterdir() if b"436641234567" in one.read_bytes()]


def test_a_log_that_another_reads_cannot_be_emptied(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "one.db")) as file, closing(sqlite.connect(tmp_path / "one.db", wait_s=0)) as other:
        sqlite.use_log(file)
        file.execute("PRAGMA busy_timeout = 0")
        file.execute("CREATE TABLE words (word TEXT)")
        with transaction(other, write=False):
            words(other)
            add(file, "one")
            assert not sqlite.empty_log(file)


def test_a_file_that_another_writes_to_gets_its_log_when_that_is_done(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "one.db")) as other, closing(sqlite.connect(tmp_path / "one.db")) as file:
        other.execute("BEGIN IMMEDIATE")
        # What the change itself did not wait for is waited for by this lock.
        file.set_trace_callback(lambda said: other.execute("COMMIT") if said == "BEGIN EXCLUSIVE" else None)
        sqlite.use_log(file)
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_that_another_never_lets_go_of_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "one.db"
    with closing(opened(path)) as other, closing(sqlite.connect(path, wait_s=0)) as file:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            sqlite.use_log(file)


@pytest.mark.io
async def test_a_thread_opens_the_file_when_it_is_needed_and_anew_after_an_error(
    file: sqlite3.Connection, tmp_path: Path
) -> None:
    times: list[Path] = []

    def open_counted(path: Path) -> sqlite3.Connection:
        times.append(path)
        return sqlite.connect(path)

    thread = DbThread(tmp_path / "one.db", open_counted)
    assert times == []
    await thread.do(add, "one")
    with pytest.raises(sqlite3.OperationalError):
        await thread.do(lambda connection: connection.execute("nonsense"))
    assert (await thread.do(words), len(times)) == (["one"], 2)
    await thread.close()
    await thread.close()


@pytest.mark.io
async def test_a_broken_copy_is_removed_with_its_log(file: sqlite3.Connection, tmp_path: Path) -> None:
    thread = DbThread(tmp_path / "one.db", opened)
    await thread.renew()
    assert list(tmp_path.iterdir()) == []
    await thread.close()
