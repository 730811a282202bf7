"""The queue in the calls' own database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from routing_engine.delivery import outbox_table
from routing_engine.delivery.jobs import LEASE_S, NewJob
from routing_engine.delivery.outbox_queue import OutboxQueue

from .contract import QueueContract, Queued
from .fakes import NOON, InlineDatabase, hook


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

    return Queued(queue, put, NOON, forsake)


class TestOutboxQueue(QueueContract):
    """It keeps the contract."""


async def test_an_id_is_never_given_again(queued: Queued) -> None:
    await queued.put(hook("one", "a"))
    first = await queued.take()
    await queued.queue.finish(first, NOON)
    await queued.put(hook("two", "b"))
    assert (await queued.take()).id > first.id


async def test_a_call_that_is_forgotten_takes_its_jobs_along(queued: Queued, database: InlineDatabase) -> None:
    await queued.put_all(hook("one", "a"), hook("one", "b"), hook("two", "c"))
    assert database.now(lambda connection: outbox_table.forget_call(connection, "one")) == 2
    assert await queued.queue.counts() == {("hook", "waiting"): 1}
