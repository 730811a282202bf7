"""Thousands of calls, a system that fails at random, callers who hang up at any moment."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from routing_engine.journal.reader import open_to_read
from routing_engine.journal.tables import DECISIONS
from routing_engine.logger import set_up_log
from routing_engine.storage.place import DatabasePlace

from .crowd import ROUTES, Books, Person, Told, books, crowd, empty_the_pools, engine, open_files, settle, write

pytestmark = pytest.mark.io

ROOT = Path(__file__).parents[2]
SEED = 20261121


@pytest.fixture
def faulty() -> Iterator[int]:
    """The port of a middleware that fails at random."""
    command = [sys.executable, "-m", "tests.soak.middleware", str(SEED)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        yield int(process.stdout.readline())
        process.kill()


@pytest.mark.parametrize("calls", [1_000, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_nothing_is_lost_and_nothing_is_left(tmp_path: Path, faulty: int, calls: int) -> None:
    log, faults = io.StringIO(), list[str]()
    set_up_log("warning", "json", log)
    asyncio.get_running_loop().set_exception_handler(lambda _, said: faults.append(str(said)))
    outside = books()
    async with engine(write(tmp_path, faulty)) as (service, port):
        opened = open_files()
        warm = await crowd(port, 1_000 + calls // 5, SEED, "warm")  # fills caches and pools
        assert await settle(service) == []
        strangers = await empty_the_pools(service, port, faulty, opened)
        before = books()
        told = await crowd(port, calls, SEED + 1)
        assert await settle(service) == []
        others = await empty_the_pools(service, port, faulty, opened)
        after = books()
        assert len(service.calls.cache) <= 200
    everybody_landed(told, calls)
    the_books_agree(before, after, calls)
    gone = books()
    assert (gone.tasks, gone.files) == (outside.tasks, outside.files)
    assert faults == []  # such as tasks that were destroyed, errors that nobody heard of
    assert events(log) <= {"source.down", "source.up", "configuration.remarks"}
    assert "+4366410" not in log.getvalue()
    the_journal_is_complete(tmp_path / "journal.db", warm, strangers, told, others)


async def test_five_hundred_calls_of_one_number_at_once_ask_once(tmp_path: Path) -> None:
    asked, go = list[str](), asyncio.Event()
    set_up_log("warning", "json", io.StringIO())

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        await go.wait()
        return web.json_response({"id": 1, "tier": "gold"})

    app = web.Application()
    app.router.add_get("/{what}", answer)
    async with TestServer(app) as server, engine(write(tmp_path, server.port or 0, deadline_s=20)) as (service, port):
        people = [Person(typed=["1234"]) for _ in range(500)]
        routes = itertools.cycle(ROUTES)
        calls = [asyncio.ensure_future(one.call(port, network_script=next(routes))) for one in people]
        while service.calls.newest.calls < 500 or not asked:
            await asyncio.sleep(0.01)
        go.set()
        await asyncio.gather(*calls)
    assert asked.count("/crm") == 1
    assert asked.count("/shop") <= 30  # early, in the routes that say `look_ahead: all`: half of its 60 places
    assert {one.variables["ROUTE_TARGET"] for one in people} == {"vip"}


def everybody_landed(told: Told, calls: int) -> None:
    assert told.nothing == []
    assert len(told.answered) + len(told.left) == calls
    assert set(told.status) == {"OK"}
    assert {"matched", "no_record", "source_down"} <= set(told.reasons)  # the system did fail, and did answer
    assert len(told.left) > calls / 50


def the_books_agree(before: Books, after: Books, calls: int) -> None:
    """Nothing is left of a call: of no class are there half as many objects more as there were calls."""
    assert abs(after.tasks - before.tasks) <= 1  # now and then, the look whether the configuration changed
    assert {name: more for name, more in after.grown(before).items() if more > calls / 2} == {}
    # Of which one is the call's id in what the crowd told; and the numbers that are remembered, as read, are not all
    # there before: some four hundred blocks more of a thousand calls, and no more of ten thousand.
    assert after.blocks - before.blocks < 3 * calls


def events(log: io.StringIO) -> set[str]:
    return {json.loads(line)["event"] for line in log.getvalue().splitlines()}


def the_journal_is_complete(path: Path, *crowds: Told) -> None:
    """Every call that was answered stands there once, and no call that there was not."""
    with open_to_read(DatabasePlace(path)) as journal:
        rows = journal.execute(DECISIONS.select().with_only_columns(DECISIONS.c.call_id)).all()
    kept: Counter[Any] = Counter(call_id for (call_id,) in rows)
    answered = set[str]().union(*(one.answered for one in crowds))
    left = set[str]().union(*(one.left for one in crowds))
    assert answered - set(kept) == set()
    assert set(kept) - answered - left == set()
    assert max(kept.values()) == 1
