# ruff: noqa: F403, F405  the tests of the contract are these, too
"""The engine's database as a file of SQLite: its contract, and what only a disk can do to it."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from routing_engine.errors import StorageError
from routing_engine.storage.connector import Connector
from tests.journal.calls import Log

from .database_contract import *
from .database_contract import noted, noting, opened

pytestmark = pytest.mark.io

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "calls.db"


@pytest.fixture
def place(path: Path) -> DatabasePlace:
    return DatabasePlace(path)


async def test_the_file_is_of_the_engines_user_and_group_alone(place: DatabasePlace, path: Path) -> None:
    before = os.umask(0)
    try:
        async with opened(place):
            pass
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """No file of this process grows beyond the database's present size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_is_told_once_and_loses_nothing_that_was_put(place: DatabasePlace, path: Path) -> None:
    log = Log()
    names = [f"{number:04}{'x' * 500}" for number in range(1000)]
    async with opened(place) as database:
        with full_disk(path):
            for name in names:
                database.put(noting(name))
            await log.wait_for("database.down")
            with pytest.raises(StorageError):
                await database.write(noted)
        await log.wait_for("database.up")
        assert await database.flush()
        assert await database.read(noted) == names
    assert log.events == ["database.down", "database.up"]
    assert log.said[1]["lost"] == 0


async def test_a_folder_that_cannot_be_made_is_told_and_the_database_comes_back_by_itself(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, where the folder should be")
    log = Log()
    async with opened(DatabasePlace(tmp_path / "state" / "calls.db")) as database:
        assert database.down == f"{tmp_path}/state: Not a directory"
        assert database.put(noting("a"))
        assert not await database.flush()
        with pytest.raises(StorageError, match="Not a directory"):
            await database.read(noted)
        (tmp_path / "state").unlink()
        await log.wait_for("database.up")
        assert await database.write(noted) == ["a"]


async def test_a_file_that_is_moved_away_is_made_anew(place: DatabasePlace, path: Path) -> None:
    async with opened(place) as database:
        await database.write(noting("a"))
        shutil.move(path.parent, path.parent.with_name("old"))
        await database.write(noting("b"))
        assert await database.read(noted) == ["b"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"no database at all" * 100, "file is not a database"), (None, "a database of something else")],
)
async def test_the_file_of_another_program_is_never_touched(
    place: DatabasePlace, path: Path, content: bytes | None, sentence: str
) -> None:
    path.parent.mkdir()
    if content is None:
        with closing(sqlite3.connect(path)) as file:
            file.execute("CREATE TABLE astdb (key TEXT)")
    path.write_bytes(content or path.read_bytes())
    before = path.read_bytes()
    async with opened(place) as database:
        assert sentence in database.down
    assert path.read_bytes() == before


def test_a_reader_makes_no_file(place: DatabasePlace, path: Path) -> None:
    with pytest.raises(StorageError, match="there is no database yet"), Connector(place, write=False).connected():
        pass
    assert not path.exists()


def test_a_reader_cannot_change_anything(place: DatabasePlace) -> None:
    with Connector(place).connected():
        pass
    with pytest.raises(StorageError, match="readonly"), Connector(place, write=False).transaction() as connection:
        noting("a")(connection)


WRITE_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from routing_engine.storage.place import DatabasePlace
from tests.storage.database_contract import noting, opened

async def main():
    async with opened(DatabasePlace(Path(sys.argv[1]))) as database:
        for number in range(1_000_000):
            await database.write(noting(f"{number:07}"))
            print(number, flush=True)

asyncio.run(main())
"""


async def test_kill_9_loses_nothing_that_was_written(place: DatabasePlace, path: Path) -> None:
    words = [sys.executable, "-c", WRITE_UNTIL_KILLED, str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        written = [process.stdout.readline() for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        written += [line for line in process.stdout if line.endswith("\n")]
    async with opened(place) as database:
        kept = await database.read(noted)
    assert kept[: len(written)] == [f"{number:07}" for number in range(len(written))]


def test_a_password_is_shown_nowhere() -> None:
    place = DatabasePlace(url="postgresql://routing:se@cr:et@db.example.com/calls?password=more")
    assert place.name == "postgresql://routing:***@db.example.com/calls"
    assert "cr:et" not in repr(place)


async def test_a_server_that_is_not_there_is_told_without_its_password() -> None:
    place = DatabasePlace(url="postgresql://routing:secret@127.0.0.1:1/calls?connect_timeout=2")
    log = Log()
    async with opened(place) as database:
        assert "refused" in database.down
    await asyncio.sleep(0)
    assert "secret" not in str(log.said)
