"""A process that is killed in the middle of a pull, and a real database on the other side."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest

from routing_engine.core.model import Record
from routing_engine.core.ports import Batch, Query
from routing_engine.mirror.index import index_path, open_index
from tests.fakes import FOREVER_S

from .crm import Clock, a_mirror, by_caller

pytestmark = pytest.mark.io

TESTS = Path(__file__).parents[1]
PULLS = """
    import asyncio, sys
    from pathlib import Path
    from mirror.crm import Clock
    from mirror.test_killed import Table, mirror_of

    async def pull():
        table = Table(Path(sys.argv[1]))
        page = table.page
        async def stuck(model, since, cursor):
            if cursor == sys.argv[3]:
                print("half way", flush=True)
                await asyncio.Event().wait()
            return await page(model, since, cursor)
        table.page = stuck
        await mirror_of(Path(sys.argv[2]), table).pull("contact", "full")

    asyncio.run(pull())
"""


class Table:
    """A real SQLite table of customers, listed by its key, as a provider for SQL does it."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path)
        self._connection.execute("CREATE TABLE IF NOT EXISTS people (id INTEGER PRIMARY KEY, phone TEXT, at REAL)")

    def fill(self, first: int, last: int, prefix: str, at: float) -> None:
        with self._connection:
            rows = [(n, f"{prefix}{n:05}", at) for n in range(first, last)]
            self._connection.executemany("INSERT OR REPLACE INTO people VALUES (?, ?, ?)", rows)

    async def page(self, model: str, since: datetime | None, cursor: str) -> Batch:
        after = since.astimezone(UTC).timestamp() if since is not None else 0.0
        sql = "SELECT id, phone FROM people WHERE id > ? AND at >= ? ORDER BY id LIMIT 100"
        rows = self._connection.execute(sql, (int(cursor or -1), after)).fetchall()
        records = [Record({"id": id_, "phone": phone}, str(id_)) for id_, phone in rows]
        return Batch(records, (), str(rows[-1][0]) if len(rows) == 100 else "")

    async def find(self, query: Query) -> Sequence[Record]:
        raise AssertionError("no call asks the system itself")

    async def close(self) -> None:
        self._connection.close()


def mirror_of(folder: Path, table: Table):  # type: ignore[no-untyped-def]
    clock = Clock()
    return a_mirror(folder, table, clock)  # type: ignore[arg-type]


async def test_a_real_table_is_mirrored_and_its_changes_follow(tmp_path: Path) -> None:
    table, clock = Table(tmp_path / "people.db"), Clock()
    table.fill(0, 1000, "+43 1 99", clock.now)
    mirror = a_mirror(tmp_path / "mirror", table, clock)  # type: ignore[arg-type]
    await mirror.pull_due()
    clock.now += 300
    table.fill(17, 18, "+43 1 77", clock.now - 1)
    await mirror.pull_due()
    assert [record.id for record in await mirror.find(by_caller("+43 1 7700017"))] == ["17"]
    assert await mirror.find(by_caller("+43 1 9900017")) == []
    assert [record.id for record in await mirror.find(by_caller("+43 1 9900999"))] == ["999"]
    await mirror.close()


@pytest.mark.parametrize("cursor", ["99", "499", "899"])
async def test_killed_in_mid_pull_the_last_good_one_stays(tmp_path: Path, cursor: str) -> None:
    table = Table(tmp_path / "people.db")
    table.fill(0, 1000, "+43 1 99", 0.0)
    first = mirror_of(tmp_path / "mirror", table)
    await first.pull_due()
    table.fill(0, 1000, "+43 1 77", 0.0)
    await kill_half_way(tmp_path, cursor)
    assert [one.id for one in await first.find(by_caller("+43 1 9900017"))] == ["17"]
    await first.close()
    await whole_again(tmp_path)


async def kill_half_way(tmp_path: Path, cursor: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", dedent(PULLS), tmp_path / "people.db", tmp_path / "mirror", cursor),
        cwd=TESTS,
        env={"PYTHONPATH": f"{TESTS}:{TESTS.parent}"},
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    assert await asyncio.wait_for(process.stdout.readline(), FOREVER_S) == b"half way\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def whole_again(tmp_path: Path) -> None:
    """The next engine finds the old records, pulls, and leaves nothing of the half pull behind."""
    second = mirror_of(tmp_path / "mirror", Table(tmp_path / "people.db"))
    assert [one.id for one in await second.find(by_caller("+43 1 9900017"))] == ["17"]
    assert (await second.pull("contact", "full")).records == 1000
    assert [one.id for one in await second.find(by_caller("+43 1 7700017"))] == ["17"]
    await second.close()
    connection = open_index(index_path(tmp_path / "mirror", "crm"))
    assert connection.execute("SELECT count(*) FROM records").fetchone() == (1000,)
    assert connection.execute("SELECT count(*) FROM generations").fetchone() == (1,)
    connection.close()
