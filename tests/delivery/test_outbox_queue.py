"""The queue in the calls' own database."""

from __future__ import annotations

import os
import random
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect

from routing_engine.delivery import outbox_table
from routing_engine.delivery.jobs import LEASE_S, NewJob
from routing_engine.delivery.outbox_queue import OutboxQueue
from routing_engine.storage.connector import Connector, DatabasePlace
from routing_engine.storage.database import Database

from .contract import QueueContract, Queued
from .fakes import NOON, InlineDatabase, hook
from .killed import CALLS, EVENTS, KILLS, in_order, killed_at_random


@pytest.fixture
def database() -> Iterator[InlineDatabase]:
    database = InlineDatabase()
    yield database
    database.close()


@pytest.fixture
def queued(database: InlineDatabase) -> Queued:
    queue = OutboxQueue(database)

    async def put(job: NewJob) -> None:
        database.now(lambda connection: queue.put(connection, [job], NOON))

    async def forsake() -> float:
        return NOON + LEASE_S + 1

    async def forget(call_id: str) -> None:
        database.now(lambda connection: queue.forget(connection, [call_id]))

    return Queued(queue, put, NOON, forsake, forget)


class TestOutboxQueue(QueueContract):
    """It keeps the contract."""


async def test_an_id_is_never_given_again(queued: Queued) -> None:
    await queued.put(hook("one", "a"))
    first = await queued.take()
    await queued.queue.finish(first, NOON)
    await queued.put(hook("two", "b"))
    assert (await queued.take()).id > first.id


async def test_what_a_process_that_is_gone_had_taken_is_due_at_once(queued: Queued, database: InlineDatabase) -> None:
    await queued.put(hook("one", "a"))
    before = await queued.take()
    # The next process of a container has the number of the one before.
    queued.queue = OutboxQueue(database)
    assert await queued.queue.take_back(NOON)
    again = await queued.take()
    assert (again.id, again.tries) == (before.id, 2)
    assert await queued.queue.finish(before, NOON), "whoever had it comes too late"


async def test_what_a_process_that_lives_has_taken_is_left_alone(queued: Queued, database: InlineDatabase) -> None:
    await queued.put(hook("one", "a"))
    await queued.put(hook("two", "b"))
    database.now(lambda connection: outbox_table.claim(connection, "hook", NOON, f"{os.getppid()}.x", LEASE_S))
    database.now(lambda connection: outbox_table.claim(connection, "hook", NOON, "4194305.x", LEASE_S))
    assert await queued.queue.take_back(NOON)
    assert (await queued.take()).call_id == "two"
    assert not await queued.queue.take_back(NOON)
    assert await queued.queue.claim("hook", NOON) is None


@pytest.fixture
async def on_disk(tmp_path: Path) -> AsyncIterator[Queued]:
    """The same on a file, through the database's own threads, and with the real time."""
    database = Database(DatabasePlace(tmp_path / "calls.db"), gather_s=0)
    await database.open()
    queue, now = OutboxQueue(database), time.time()

    async def put(job: NewJob) -> None:
        await database.write(lambda connection: queue.put(connection, [job], now))

    async def forsake() -> float:
        return now + LEASE_S + 1

    async def forget(call_id: str) -> None:
        await database.write(lambda connection: queue.forget(connection, [call_id]))

    yield Queued(queue, put, now, forsake, forget)
    await database.close()


@pytest.mark.io
class TestOutboxOnDisk(QueueContract):
    """It keeps the contract there, too."""

    @pytest.fixture
    def queued(self, on_disk: Queued) -> Queued:
        return on_disk


@pytest.mark.io
def test_the_table_is_the_one_that_the_migrations_make(tmp_path: Path) -> None:
    with Connector(DatabasePlace(tmp_path / "calls.db")).connected() as connection, connection.begin():
        made = inspect(connection)
        columns = [column["name"] for column in made.get_columns("outbox")]
        indexes = {one["name"]: one["column_names"] for one in made.get_indexes("outbox")}
    assert columns == [column.name for column in outbox_table.OUTBOX.columns]
    assert indexes == {one.name: [column.name for column in one.columns] for one in outbox_table.OUTBOX.indexes}


@pytest.mark.io
async def test_an_engine_that_is_killed_loses_nothing_and_keeps_the_order(on_disk: Queued, tmp_path: Path) -> None:
    arrivals = await killed_at_random(str(tmp_path / "calls.db"), 1, on_disk.put, random.Random(7))
    assert in_order(arrivals)
    assert all(len(messages) == 1 for messages in arrivals.ids.values())
    assert arrivals.count < CALLS * EVENTS + KILLS * 16  # what was under way may come twice, and nothing else
