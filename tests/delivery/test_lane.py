"""One lane: what is tried again and when, and whom a failure holds up. The clock is the test's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from routing_engine.delivery.jobs import DROPPED, Dead, Delivered, Job, NewJob, SendOutcome, Skipped, TryAgain
from routing_engine.delivery.lane import Lane
from routing_engine.delivery.outbox_queue import OutboxQueue
from routing_engine.errors import ProviderUnreachable

from .fakes import NOON, FakeBook, FakeClock, FakeTarget, InlineDatabase, a_call, hook, log_of, states, workplace


@dataclass
class Site:
    """A lane to `crm` (and what is put there), with a clock to move."""

    database: InlineDatabase
    clock: FakeClock
    book: FakeBook
    target: FakeTarget
    lane: Lane

    def put(self, *jobs: NewJob) -> None:
        for job in jobs:
            self.book.calls.setdefault(job.call_id, a_call(job.call_id))
        self.database.now(lambda connection: OutboxQueue(self.database).put(connection, jobs, self.clock()))

    async def work(self) -> float | None:
        """Work off what is due now; return when to look again."""
        while True:
            at = await self.lane.turn()
            before = len(self.target.sent)
            await self.lane.settle()
            if at is not None and at > self.clock():
                return at
            if len(self.target.sent) == before and at is None:
                return None

    @property
    def calls(self) -> list[str]:
        return [job.call_id for job in self.target.sent]


@pytest.fixture
def site() -> Iterator[Site]:
    database, clock, book, target = InlineDatabase(), FakeClock(), FakeBook(), FakeTarget()
    yield Site(database, clock, book, target, Lane("crm", target, workplace(OutboxQueue(database), book, clock)))
    database.close()


async def test_what_was_put_is_sent_and_told(site: Site) -> None:
    site.target.answer = Delivered("0051", "https://crm.example.com/0051")
    site.put(log_of("one"))
    await site.work()
    told = site.book.calls["one"].deliveries["crm"]
    assert (told.state, told.tries, told.id, told.url) == ("done", 1, "0051", "https://crm.example.com/0051")


async def test_a_crm_that_fails_is_asked_again_in_a_second_then_later_and_later(site: Site) -> None:
    site.target.answer = TryAgain("503", alone=True)
    site.put(log_of("one"))
    tried: list[float] = []
    while site.clock.at < NOON + 2 * 86400:
        tried.append(round(site.clock.at - NOON))
        site.clock.at = await site.work() or NOON
    assert tried == [0, 1, 3, 8, 18, 38, 78, 378, 2178, 9378, 27378, 63378, 113778]
    assert len(site.target.sent) == len(tried)


async def test_a_webhook_is_tried_for_days_and_then_once_a_day(site: Site) -> None:
    site.target.answer = TryAgain("500", alone=True)
    site.put(hook("one", "a", "crm"))
    pauses: list[float] = []
    for _ in range(12):
        due = await site.work()
        assert due is not None
        pauses.append(round(due - site.clock.at))
        site.clock.at = due
    hours = [3600 * hours for hours in (2, 5, 10, 14, 20, 24, 24, 24, 24)]
    assert pauses == [5, 300, 1800, *hours]


async def test_the_call_says_when_it_is_tried_again_and_why(site: Site) -> None:
    site.target.answer = TryAgain("the CRM answered 503")
    site.put(log_of("one"))
    await site.work()
    told = site.book.calls["one"].deliveries["crm"]
    assert (told.state, told.tries, told.next_try_at, told.error) == ("waiting", 1, NOON + 1, "the CRM answered 503")


async def test_what_the_target_asks_for_counts(site: Site) -> None:
    site.target.answer = TryAgain("429", after_s=120)
    site.put(log_of("one"), log_of("two"))
    assert await site.work() == NOON + 120
    assert site.calls == ["one"]


async def test_what_can_never_be_delivered_is_dead_and_holds_up_no_other(site: Site) -> None:
    site.target.answer = lambda job: Dead("400: no such field") if job.call_id == "one" else Delivered("x")
    site.put(log_of("one"), log_of("two"))
    await site.work()
    assert states(site.book) == {"one": "dead", "two": "done"}


async def test_a_target_that_is_down_is_tried_with_single_jobs(site: Site) -> None:
    site.target.answer = TryAgain("no answer")
    site.put(*(log_of(f"call-{number}") for number in range(500)))
    while site.clock.at < NOON + 3600:
        site.clock.at = await site.work() or NOON
    assert 50 < len(site.target.sent) < 100  # once a minute, not five hundred times


async def test_what_waits_for_a_target_goes_there_when_it_is_back(site: Site) -> None:
    site.target.answer = TryAgain("no answer")
    site.put(*(log_of(f"call-{number}") for number in range(50)))
    while site.clock.at < NOON + 3600:
        site.clock.at = await site.work() or NOON
    site.target.answer = Delivered("x")
    site.clock.at += 60
    await site.work()
    assert set(states(site.book).values()) == {"done"}


async def test_one_call_that_fails_does_not_make_the_target_a_bad_one(site: Site) -> None:
    site.target.answer = lambda job: TryAgain("500") if job.call_id == "one" else Delivered("x")
    for number in range(50):
        site.put(log_of("one" if number == 0 else f"call-{number}"))
        await site.work()
        site.clock.at += 30
    assert not site.lane.down
    assert site.calls.count("one") < 12


async def test_a_call_that_ended_before_the_first_write_is_written_once(site: Site) -> None:
    site.put(log_of("one"), NewJob("crm", "one", "update"), NewJob("crm", "one", "update"))
    await site.work()
    assert site.calls == ["one"]


async def test_what_nobody_wants_there_is_skipped(site: Site) -> None:
    site.target.answer = Skipped("nobody knows the number")
    site.put(log_of("one"))
    await site.work()
    told = site.book.calls["one"].deliveries["crm"]
    assert (told.state, told.error) == ("skipped", "nobody knows the number")


async def test_a_call_that_was_forgotten_is_sent_nowhere(site: Site) -> None:
    site.put(log_of("one"))
    del site.book.calls["one"]
    assert await site.work() is None
    assert site.calls == []


async def test_an_entry_keeps_its_id_whatever_becomes_of_later_writes(site: Site) -> None:
    site.put(log_of("one"))
    await site.work()
    site.target.answer = Dead("403: no right to change it")
    site.put(NewJob("crm", "one", "update"))
    await site.work()
    told = site.book.calls["one"].deliveries["crm"]
    assert (told.state, told.id) == ("dead", "entry")


async def test_what_is_dropped_by_hand_is_not_sent_and_the_call_says_so(site: Site) -> None:
    site.target.answer = TryAgain("503")
    site.put(log_of("one"))
    await site.work()
    [waits] = site.database.jobs()
    await OutboxQueue(site.database).drop(waits.id, site.clock())
    await site.work()
    told = site.book.calls["one"].deliveries["crm"]
    assert (told.state, told.error, len(site.target.sent)) == ("skipped", DROPPED, 1)
    assert site.database.jobs() == []


async def test_a_fault_of_ours_loses_nothing(site: Site) -> None:
    def fail(job: Job) -> SendOutcome:
        raise KeyError("a fault of ours") if job.tries == 1 else ProviderUnreachable("no answer")

    site.target.answer = fail
    site.put(log_of("one"))
    site.clock.at = await site.work() or NOON
    assert "KeyError" in (site.book.calls["one"].deliveries["crm"].error or "")
    await site.work()
    assert site.book.calls["one"].deliveries["crm"].error == "no answer"


async def test_a_target_that_is_gone_is_asked_no_more_unless_by_hand(site: Site) -> None:
    site.target.answer = Dead("410 Gone", gone=True)
    site.put(hook("one", "a", "crm"), hook("two", "b", "crm"))
    await site.work()
    assert (site.lane.stopped, site.calls) == ("410 Gone", ["one"])
    site.target.answer = Delivered()
    [_, second] = await OutboxQueue(site.database).listed("dead")
    await OutboxQueue(site.database).retry(second.id, NOON)
    await site.work()
    assert (site.lane.stopped, site.calls) == ("", ["one", "two"])
