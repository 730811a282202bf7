"""A CRM that is down for an hour, a target that hangs, a full disk: what becomes of deliveries. The clock is ours."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterator

import pytest

from routing_engine.calls.call import Call, CallDelivery
from routing_engine.delivery.jobs import LEASE_S, Delivered, Job, SendOutcome, TryAgain
from routing_engine.delivery.lane import Lane
from routing_engine.delivery.outbox_queue import OutboxQueue
from routing_engine.delivery.pauses import MOST_AT_ONCE
from routing_engine.errors import StorageError

from .fakes import NOON, FakeBook, FakeClock, FakeTarget, InlineDatabase, a_call, hook, log_of, workplace

HOUR_S = 3600
#: An event of the beginning and one of the end, for each call.
EVENTS = 2


class EveryCall(FakeBook):
    """Has whatever call it is asked for, and keeps none."""

    async def call(self, call_id: str) -> Call | None:
        return a_call(call_id)

    async def set_delivery(self, call_id: str, target: str, delivery: CallDelivery) -> Call:
        return a_call(call_id)


class DownForAnHour:
    """A target that does not answer before one o'clock; counts what it has got, by call, and what came out of order."""

    def __init__(self, clock: FakeClock, calls: int) -> None:
        self._clock = clock
        self.got = array("b", bytes(calls))
        self.disordered = self.tried = 0
        self.last_at = 0.0

    async def send(self, job: Job, call: Call) -> SendOutcome:
        if self._clock() < NOON + HOUR_S:
            self.tried += 1
            return TryAgain("no answer")
        number = int(job.call_id)
        self.disordered += int(job.body) != self.got[number]
        self.got[number] += 1
        self.last_at = self._clock()
        return Delivered()


class Hangs:
    """A target that takes what it gets, and never answers."""

    async def send(self, job: Job, call: Call) -> SendOutcome:
        await asyncio.Event().wait()
        return Delivered()


@pytest.fixture
def database() -> Iterator[InlineDatabase]:
    database = InlineDatabase()
    yield database
    database.close()


@pytest.mark.parametrize("calls", [120, pytest.param(3_600, marks=pytest.mark.soak)])
async def test_after_an_hour_without_the_crm_everything_arrives_once_and_in_order(
    database: InlineDatabase, calls: int
) -> None:
    clock, queue = FakeClock(), OutboxQueue(database)
    target = DownForAnHour(clock, calls)
    lane = Lane("hook", target, workplace(queue, EveryCall(), clock))
    for number in range(calls):
        jobs = [hook(str(number), str(event)) for event in range(EVENTS)]
        database.now(lambda connection, jobs=jobs: queue.put(connection, jobs, clock()))  # type: ignore[misc]
        clock.at += HOUR_S / calls
        await lane.turn()
        await lane.settle()
    while (due := await lane.turn()) is not None or lane.under_way:
        assert len(lane.under_way) <= MOST_AT_ONCE  # what waits is in the database, and not in memory
        await lane.settle()
        clock.at = max(clock.at, due or 0.0)
    assert set(target.got) == {EVENTS}
    assert (target.disordered, target.tried < 100) == (0, True)
    assert target.last_at < NOON + HOUR_S + 5 * 60


async def test_a_target_that_hangs_holds_up_no_other(database: InlineDatabase) -> None:
    clock, queue, book, well = FakeClock(), OutboxQueue(database), FakeBook(), FakeTarget()
    book.add(*(a_call(f"call-{number}") for number in range(20)))
    work = workplace(queue, book, clock)
    hanging, other = Lane("hangs", Hangs(), work), Lane("crm", well, work)
    jobs = [log_of(f"call-{number}", lane) for number in range(20) for lane in ("hangs", "crm")]
    database.now(lambda connection: queue.put(connection, jobs, clock()))
    await hanging.turn()
    while await other.turn() is not None or other.under_way:
        await other.settle()
    assert len(well.sent) == 20
    assert len(hanging.under_way) == 1
    await hanging.close(0)


async def test_a_target_that_hangs_is_given_up_and_asked_again(database: InlineDatabase) -> None:
    clock, queue, book = FakeClock(), OutboxQueue(database), FakeBook()
    book.add(a_call("one"))
    lane = Lane("crm", Hangs(), workplace(queue, book, clock), send_s=0.01)
    database.now(lambda connection: queue.put(connection, [log_of("one")], clock()))
    await lane.turn()
    await lane.settle()
    told = book.calls["one"].deliveries["crm"]
    assert (told.state, told.error, told.next_try_at) == ("waiting", "no answer within 0.01 s", NOON + 1)


async def test_a_full_disk_loses_nothing_and_sends_nothing_that_it_could_not_write_down(
    database: InlineDatabase,
) -> None:
    clock, queue, book, target = FakeClock(), OutboxQueue(database), FakeBook(), FakeTarget()
    book.add(a_call("one"), a_call("two"))
    lane = Lane("crm", target, workplace(queue, book, clock))
    database.now(lambda connection: queue.put(connection, [log_of("one"), log_of("two")], clock()))
    await lane.turn()
    database.full = StorageError("the disk is full")
    await lane.settle()
    for _ in range(5):
        with pytest.raises(StorageError):
            await lane.turn()
    assert [job.call_id for job in target.sent] == ["one"]
    database.full = None
    clock.at += LEASE_S + 1
    while await lane.turn() is not None or lane.under_way:
        await lane.settle()
    # The first one is sent again, as a second try: nobody knows what came of the one before.
    assert sorted((job.call_id, job.tries) for job in target.sent) == [("one", 1), ("one", 2), ("two", 1)]
    assert database.jobs() == []
