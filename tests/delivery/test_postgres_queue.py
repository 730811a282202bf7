"""The queue on procrastinate, over a real PostgreSQL; and engines that are killed while they deliver together."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
import pytest_asyncio

from rig.databases import USER, Database, postgresql
from routing_engine.delivery import outbox_table, queue_tables
from routing_engine.delivery.jobs import NewJob
from routing_engine.delivery.postgres_queue import PostgresQueue, make_tables
from routing_engine.errors import StorageError
from routing_engine.storage import database as storage
from routing_engine.storage.connector import DatabasePlace

from .contract import QueueContract, Queued
from .fakes import FakeClock, hook
from .killed import CALLS, EVENTS, KILLS, in_order, killed_at_random

_PUT = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args) SELECT 'hook', 'webhook', 'hook ' || call,"
    " jsonb_build_object('call_id', call, 'body', body, 'target', 'hook', 'error', '')"
    " FROM (VALUES (%s, %s)) v(body, call)"
)
_END_SESSION = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s::int::oid"
)
pytestmark = [pytest.mark.databases, pytest.mark.io]
names = map("deliveries{}".format, itertools.count())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with postgresql(tmp_path_factory.mktemp("postgresql")) as server:
        yield server


@pytest.fixture
def url(server: Database) -> str:
    """A database of its own for each test."""
    name = next(names)
    with psycopg.connect(f"postgresql://{USER}@{server.address}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://{USER}@{server.address}/{name}"


@pytest_asyncio.fixture
async def queued(url: str) -> AsyncIterator[Queued]:
    queue = PostgresQueue(url)
    calls = storage.Database(DatabasePlace(url=url), gather_s=0)
    await calls.open()

    async def put(job: NewJob) -> None:
        await calls.write(lambda connection: queue.put(connection, [job], time.time()))

    async def forsake() -> float:
        other = PostgresQueue(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
        await other.keep([], time.time())
        await other.close()
        return time.time()

    async def forget(call_id: str) -> None:
        await calls.write(lambda connection: queue.forget(connection, [call_id]))

    yield Queued(queue, put, time.time(), forsake, forget)
    await queue.close()
    await calls.close()


class TestPostgresQueue(QueueContract):
    """It keeps the contract."""


async def test_what_is_put_in_a_transaction_that_fails_is_not_there(queued: Queued, url: str) -> None:
    calls = storage.Database(DatabasePlace(url=url), gather_s=0)
    await calls.open()
    with pytest.raises(ZeroDivisionError):
        await calls.write(lambda connection: (queued.queue.put(connection, [hook("one", "a")], 0.0), 1 // 0))
    await calls.close()
    assert await queued.queue.counts() == {}


async def test_a_server_that_is_away_is_an_outage_and_no_crash() -> None:
    queue = PostgresQueue("postgresql://nobody@127.0.0.1:1/nowhere")
    with pytest.raises(StorageError, match="the queue in PostgreSQL"):
        await queue.claim("hook", time.time())
    await queue.close()


async def test_engines_that_start_at_once_make_the_tables_once(url: str) -> None:
    engines = [PostgresQueue(url) for _ in range(4)]
    counts = [await engine.counts() for engine in engines]
    await make_tables(url)
    assert counts == [{}] * 4
    for engine in engines:
        await engine.close()


async def test_the_first_job_and_an_engine_that_opens_make_the_tables_at_once(url: str) -> None:
    calls = storage.Database(DatabasePlace(url=url), gather_s=0)
    await calls.open()
    queues = [PostgresQueue(url) for _ in range(3)]
    put = [calls.write(lambda connection, one=one: one.put(connection, [hook("one", "a")], 0.0)) for one in queues]
    await asyncio.gather(*put, *(queue.counts() for queue in queues))
    assert await queues[0].counts() == {("hook", "waiting"): 3}
    for queue in queues:
        await queue.close()
    await calls.close()


async def test_tables_that_vanish_under_a_running_engine_are_made_again_and_nothing_is_lost(
    queued: Queued, url: str
) -> None:
    await queued.put(hook("a", ""))
    assert (await queued.take()).call_id == "a"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    await queued.put(hook("b", ""))
    assert (await queued.take()).call_id == "b"


async def test_a_queue_that_finds_its_tables_gone_has_them_again_when_it_is_asked_next(
    queued: Queued, url: str
) -> None:
    await queued.queue.counts()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    with pytest.raises(StorageError):
        await queued.queue.counts()
    assert await queued.queue.claim("hook", time.time()) is None
    assert await queued.queue.counts() == {}


async def test_a_number_is_forgotten_where_nothing_was_ever_delivered(url: str) -> None:
    calls = storage.Database(DatabasePlace(url=url), gather_s=0)
    await calls.open()
    await calls.write(lambda connection: PostgresQueue(url).forget(connection, ["one"]))
    await calls.close()


async def test_what_waited_in_the_file_before_is_delivered_too(url: str) -> None:
    calls = storage.Database(DatabasePlace(url=url), gather_s=0)
    await calls.open()
    jobs = [hook("one", "a"), hook("one", "b"), hook("two", "c")]
    await calls.write(lambda connection: outbox_table.put(connection, jobs, 0.0))
    queue = PostgresQueue(url)
    first, second = await queue.claim("hook", 0.0), await queue.claim("hook", 0.0)
    assert [first and first.body, second and second.body] == ["a", "c"]
    assert await calls.read(outbox_table.counts) == {}
    await queue.close()
    await calls.close()


async def test_what_was_dead_in_the_file_before_is_listed_and_can_be_sent_again(url: str) -> None:
    calls = storage.Database(DatabasePlace(url=url), gather_s=0)
    await calls.open()
    await calls.write(lambda connection: outbox_table.put(connection, [hook("one", "a")], 0.0))
    job = await calls.write(lambda connection: outbox_table.claim(connection, "hook", 1.0, "token", 30.0))
    assert job is not None
    await calls.write(lambda connection: outbox_table.bury(connection, job, "no right", 1.0))
    queue = PostgresQueue(url)
    (dead,) = await queue.listed("dead")
    assert (dead.call_id, dead.body, dead.error) == ("one", "a", "no right")
    await queue.retry(dead.id, time.time())
    again = await queue.claim("hook", time.time())
    assert again is not None
    assert await queue.finish(again, time.time()) is False
    assert await calls.read(outbox_table.counts) == {}
    await queue.close()
    await calls.close()


async def test_tables_of_an_older_procrastinate_are_brought_up_to_date(url: str) -> None:
    await make_tables(url)
    with psycopg.connect(url) as connection:
        # What 3.4 has brought is not there, and a job of then waits.
        connection.execute("DROP FUNCTION procrastinate_retry_job_v2")
        connection.execute("ALTER TYPE procrastinate_job_event_type RENAME VALUE 'retried' TO 'not_yet'")
        connection.execute("COMMENT ON TABLE procrastinate_jobs IS 'routing-engine: procrastinate 3.3.0'")
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args) VALUES"
            """ ('hook', 'webhook', 'hook one', '{"call_id": "one", "body": "a", "target": "hook", "error": ""}')"""
        )
    older, newer = PostgresQueue(url), PostgresQueue(url)
    await asyncio.gather(older.counts(), newer.counts())
    job = await older.claim("hook", time.time())
    assert job is not None
    await older.put_off(job, time.time() - 1, "no answer")
    again = await newer.claim("hook", time.time())
    assert again is not None
    assert (again.call_id, again.body, again.error) == ("one", "a", "no answer")
    for queue in (older, newer):
        await queue.close()


def test_the_steps_between_two_versions_are_those_of_procrastinate() -> None:
    names = [step.name for step in queue_tables.steps_between("3.3.0", "3.10.0")]
    assert names[:1] == ["03.04.00_01_pre_add_retry_failed_job_procedure.sql"]
    assert queue_tables.steps_between("3.10.0", "3.10.0") == []


async def test_what_an_engine_had_whose_session_is_gone_is_taken_over_after_three_seconds(url: str) -> None:
    clock = FakeClock()
    gone, living, other = (PostgresQueue(url, clock=clock) for _ in range(3))
    with psycopg.connect(url, autocommit=True) as connection:
        await gone.counts()
        with connection.transaction():
            for body, call in (("a", "one"), ("b", "two")):
                connection.execute(_PUT, [body, call])
        assert (await gone.claim("hook", 0.0), await living.claim("hook", 0.0)) != (None, None)
        for queue in (gone, living, other):
            assert not await queue.take_back(0.0)
        connection.execute(_END_SESSION, [1])
    clock.at += 1
    assert not await other.take_back(0.0)
    clock.at += 2.9
    assert not await other.take_back(0.0)
    clock.at += 0.2
    assert await other.take_back(0.0)
    again = await other.claim("hook", 0.0)
    assert again is not None
    assert (again.body, again.tries) == ("a", 2)
    assert await other.claim("hook", 0.0) is None
    for queue in (gone, living, other):
        await queue.close()


async def test_an_engine_whose_session_was_cut_holds_its_jobs_by_the_next_one(url: str) -> None:
    clock = FakeClock()
    cut, other = (PostgresQueue(url, clock=clock) for _ in range(2))
    with psycopg.connect(url, autocommit=True) as connection:
        await cut.counts()
        connection.execute(_PUT, ["a", "one"])
        assert await cut.claim("hook", 0.0) is not None
        for queue in (cut, other):
            await queue.take_back(0.0)
        connection.execute(_END_SESSION, [1])
    assert not await other.take_back(0.0)
    for _ in range(2):  # finds that it is cut, and comes again
        await cut.take_back(0.0)
    clock.at += 3600
    assert not await other.take_back(0.0)
    for queue in (cut, other):
        await queue.close()


async def test_two_engines_of_one_number_part_at_their_first_look(url: str) -> None:
    first, second = PostgresQueue(url), PostgresQueue(url)
    await first.take_back(0.0)
    with psycopg.connect(url, autocommit=True) as connection:
        # The database was put back to what it was before either had a number.
        connection.execute("ALTER SEQUENCE procrastinate_workers_id_seq RESTART")
        connection.execute("DELETE FROM procrastinate_workers")
        await second.take_back(0.0)
        await second.take_back(0.0)
        workers = connection.execute("SELECT id FROM procrastinate_workers ORDER BY id").fetchall()
        locks = connection.execute("SELECT objid::int FROM pg_locks WHERE locktype = 'advisory' ORDER BY 1").fetchall()
    assert (workers, locks) == ([(1,), (2,)], [(1,), (2,)])
    for queue in (first, second):
        await queue.close()


async def test_engines_that_are_killed_lose_nothing_and_keep_the_order(queued: Queued, url: str) -> None:
    arrivals = await killed_at_random(url, 3, queued.put, random.Random(7))
    assert in_order(arrivals)
    assert all(len(messages) == 1 for messages in arrivals.ids.values())
    assert arrivals.count < CALLS * EVENTS + KILLS * 16  # what was under way may come twice, and nothing else
