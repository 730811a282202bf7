"""Answers used again: for as long as the route says, once per question, and in an outage."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from fakes import FakeClock, FakeLookup

from routing_engine.core.asks import Find, Found, SourceDown
from routing_engine.core.model import CachePolicy, Record, Source
from routing_engine.core.phone import read_number
from routing_engine.core.ports import TOO_LATE
from routing_engine.core.templates import read_template
from routing_engine.lookup.cache import Cache
from routing_engine.lookup.caching import CachingLookup, age_in_words, time_is_up

KEEP = CachePolicy(ttl_s=60, negative_ttl_s=10, refresh_s=30, stale_for_s=3600)
SOURCE = Source("customers", "crm", "contact", read_template("{call.caller}"), keep=KEEP)
ASK = Find(SOURCE, "+436641234567", read_number("+436641234567", ""))
ANNA, BERTA = Record({"name": "Anna"}, id="7"), Record({"name": "Berta"}, id="8")
DOWN = SourceDown("crm: nobody accepts connections")


class Changing(FakeLookup):
    """Answers what is put into it."""

    def __init__(self, answer: Found | SourceDown) -> None:
        super().__init__({"customers": answer})

    def now_answers(self, answer: Found | SourceDown) -> None:
        self._answers = {"customers": answer}


def remember(lookup: FakeLookup) -> tuple[CachingLookup, FakeClock]:
    clock = FakeClock()
    return CachingLookup(lookup, Cache(100), {"crm": "p"}, clock), clock


async def test_a_source_without_cache_is_always_asked() -> None:
    lookup = Changing(Found((ANNA,)))
    one, _ = remember(lookup)
    for _ in range(2):
        await one.find(replace(ASK, source=replace(SOURCE, keep=None)), 5)
    assert len(lookup.asked) == 2


async def test_an_answer_counts_for_its_time_and_says_how_old_it_is() -> None:
    lookup = Changing(Found((ANNA,)))
    one, clock = remember(lookup)
    await one.find(ASK, 5)
    clock.now_s += 59
    found = await one.find(ASK, 5)
    assert isinstance(found, Found)
    assert (found.records[0].origin, found.records[0].age_s, found.note) == ("cache", 59, "from the cache, 59 s old")
    assert len(lookup.asked) == 1


async def test_no_record_counts_for_a_shorter_time() -> None:
    lookup = Changing(Found())
    one, clock = remember(lookup)
    await one.find(replace(ASK, source=replace(SOURCE, keep=replace(KEEP, refresh_s=0))), 5)
    clock.now_s += 11
    await one.find(replace(ASK, source=replace(SOURCE, keep=replace(KEEP, refresh_s=0))), 5)
    assert len(lookup.asked) == 2


@pytest.mark.parametrize(
    ("age_s", "asked"),
    [(59, 1), (60, 2), (89, 2), (90, 2)],
)
async def test_an_answer_is_asked_for_anew_from_the_end_of_its_time(age_s: float, asked: int) -> None:
    lookup = Changing(Found((ANNA,)))
    one, clock = remember(lookup)
    await one.find(ASK, 5)
    clock.now_s += age_s
    found = await one.find(ASK, 5)
    while one.asking:
        await asyncio.sleep(0)
    assert isinstance(found, Found)
    assert (len(lookup.asked), found.origin) == (asked, "cache" if age_s < 90 else "live")


@pytest.mark.parametrize(
    ("age_s", "words"),
    [
        (0, "0 s"),
        (119.4, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2 h"),
        (172_799, "48 h"),
        (172_800, "2 d"),
    ],
)
def test_an_age_is_said_as_people_say_it(age_s: float, words: str) -> None:
    assert age_in_words(age_s) == words


async def test_a_stale_answer_is_used_and_asked_for_anew_in_the_background() -> None:
    lookup = Changing(Found((ANNA,)))
    one, clock = remember(lookup)
    await one.find(ASK, 5)
    clock.now_s += 70
    lookup.now_answers(Found((BERTA,)))
    old = await one.find(ASK, 5)
    while one.asking:
        await asyncio.sleep(0)
    new = await one.find(ASK, 5)
    assert isinstance(old, Found)
    assert isinstance(new, Found)
    assert [old.records[0].id, new.records[0].id, len(lookup.asked)] == ["7", "8", 2]


async def test_callers_who_ask_the_same_at_once_share_one_look_up() -> None:
    gate = asyncio.Event()
    lookup = FakeLookup({"customers": ANNA}, before=lambda: gate.wait())
    one, _ = remember(lookup)
    tasks = [asyncio.create_task(one.find(ASK, 5)) for _ in range(50)]
    await lookup.begun.wait()
    gate.set()
    found = await asyncio.gather(*tasks)
    assert all(isinstance(one, Found) and one.records == (ANNA,) for one in found)
    assert len(lookup.asked) == 1


async def test_one_who_hangs_up_does_not_end_the_look_up_of_the_others() -> None:
    gate = asyncio.Event()
    lookup = FakeLookup({"customers": ANNA}, before=lambda: gate.wait())
    one, _ = remember(lookup)
    first, second = asyncio.create_task(one.find(ASK, 5)), asyncio.create_task(one.find(ASK, 5))
    await lookup.begun.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    gate.set()
    assert isinstance(await second, Found)


async def test_a_look_up_that_nobody_waits_for_any_more_is_cancelled() -> None:
    gate = asyncio.Event()
    lookup = FakeLookup({"customers": ANNA}, before=lambda: gate.wait())
    one, _ = remember(lookup)
    task = asyncio.create_task(one.find(ASK, 5))
    await lookup.begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0)
    assert lookup.cancelled


async def test_closing_ends_the_look_ups_under_way_and_answers_who_waits() -> None:
    never = asyncio.Event()
    lookup = FakeLookup(before=lambda: never.wait())
    one, _ = remember(lookup)
    waiting = asyncio.create_task(one.find(ASK, 5))
    await lookup.begun.wait()
    await one.close()
    assert (lookup.cancelled, one.asking) == (True, 0)
    assert await waiting == SourceDown("crm: no answer in time", 5000)


async def test_who_comes_while_a_look_up_that_nobody_wants_ends_is_answered_all_the_same() -> None:
    gate = asyncio.Event()
    lookup = FakeLookup({"customers": ANNA}, before=lambda: gate.wait())
    one, _ = remember(lookup)
    first = asyncio.create_task(one.find(ASK, 5))
    await lookup.begun.wait()
    first.cancel()
    second = asyncio.create_task(one.find(ASK, 5))
    await asyncio.gather(first, return_exceptions=True)
    gate.set()
    assert isinstance(await second, Found)


async def test_callers_who_wait_for_an_early_look_up_that_is_held_back_share_the_next_one() -> None:
    gate, asked = asyncio.Event(), list[bool]()

    class Held(FakeLookup):
        async def find(self, ask: Find, left_s: float) -> Found | SourceDown:
            asked.append(ask.early)
            await gate.wait()
            return SourceDown("crm: not asked early", asked=False) if ask.early else Found((ANNA,))

    one, _ = remember(Held())
    early = asyncio.create_task(one.find(replace(ASK, early=True), 5))
    others = [asyncio.create_task(one.find(ASK, 5)) for _ in range(50)]
    await asyncio.sleep(0)
    gate.set()
    assert all(isinstance(found, Found) for found in await asyncio.gather(*others))
    assert isinstance(await early, SourceDown)
    assert asked == [True, False]


async def test_a_look_up_that_was_held_back_is_not_begun_again_for_who_waited_for_it() -> None:
    lookup = Changing(SourceDown("crm: not asked, it failed 5 times in a row", asked=False))
    one, _ = remember(lookup)
    await asyncio.gather(one.find(ASK, 5), one.find(ASK, 5))
    assert len(lookup.asked) == 1


async def test_the_deadline_of_each_who_waits_holds() -> None:
    never = asyncio.Event()
    lookup = FakeLookup(before=lambda: never.wait())
    one, _ = remember(lookup)
    found = await one.find(ASK, 0.02)
    assert found == SourceDown("crm: no answer in time", 20)


async def test_in_an_outage_the_last_answer_counts_as_long_as_the_route_says() -> None:
    lookup = Changing(Found((ANNA,)))
    one, clock = remember(lookup)
    await one.find(ASK, 5)
    lookup.now_answers(DOWN)
    clock.now_s += 3000
    found = await one.find(ASK, 5)
    assert isinstance(found, Found)
    assert (found.records[0].origin, found.records[0].age_s) == ("snapshot", 3000)
    assert found.note == "crm: nobody accepts connections; its last answer, 50 min old"
    clock.now_s += 600
    assert await one.find(ASK, 5) == DOWN


async def test_an_outage_is_not_kept_as_an_answer() -> None:
    lookup = Changing(DOWN)
    one, _ = remember(lookup)
    await one.find(ASK, 5)
    lookup.now_answers(Found((ANNA,)))
    assert isinstance(await one.find(ASK, 5), Found)


async def test_an_answer_to_another_question_is_not_used() -> None:
    lookup = Changing(Found((ANNA,)))
    one, _ = remember(lookup)
    await one.find(ASK, 5)
    await one.find(replace(ASK, source=replace(SOURCE, by=read_template("{call.called}"))), 5)
    assert len(lookup.asked) == 2, "a search by the same text that is not by the caller is not checked against it"


async def test_who_joins_late_has_all_of_his_own_time() -> None:
    gate = asyncio.Event()
    lookup = FakeLookup({"customers": ANNA}, before=lambda: gate.wait())
    one, _ = remember(lookup)
    hurried, patient = asyncio.create_task(one.find(ASK, 0.02)), asyncio.create_task(one.find(ASK, 5))
    assert isinstance(await hurried, SourceDown)
    gate.set()
    assert isinstance(await patient, Found)
    assert len(lookup.asked) == 1


async def test_a_look_up_begun_early_gives_the_last_answer_when_its_time_is_up() -> None:
    gate = asyncio.Event()
    gate.set()
    lookup = FakeLookup({"customers": ANNA}, before=lambda: gate.wait())
    one, clock = remember(lookup)
    await one.find(ASK, 5)
    gate.clear()
    lookup.begun.clear()
    clock.now_s += 100
    task = asyncio.create_task(one.find(replace(ASK, early=True), 60))
    await lookup.begun.wait()
    task.cancel(TOO_LATE)
    found = await task
    assert isinstance(found, Found)
    assert (found.records[0].origin, found.note) == ("snapshot", "crm: no answer in time; its last answer, 100 s old")
    await asyncio.sleep(0)
    assert lookup.cancelled


async def test_what_is_kept_counts_when_no_time_is_left_and_nothing_is_asked() -> None:
    lookup = Changing(Found((ANNA,)))
    one, clock = remember(lookup)
    assert isinstance(await one.find(ASK, 0), SourceDown)
    await one.find(ASK, 5)
    assert isinstance(await one.find(ASK, 0), Found)
    clock.now_s += 3000
    found = await one.find(ASK, 0)
    assert isinstance(found, Found)
    assert (found.records[0].origin, len(lookup.asked)) == ("snapshot", 1)


@pytest.mark.parametrize(("word", "up", "cancelling"), [(TOO_LATE, True, 0), ("hung up", False, 1), ("", False, 1)])
async def test_only_when_its_time_is_up_a_look_up_is_not_cancelled_any_more(
    word: str, up: bool, cancelling: int
) -> None:
    seen: list[tuple[bool, int]] = []

    async def look_up() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            seen.append((time_is_up(error), task.cancelling()))

    task = asyncio.create_task(look_up())
    await asyncio.sleep(0)
    task.cancel(word)
    await task
    assert seen == [(up, cancelling)]


async def test_who_waits_longer_is_not_down_because_another_was_in_a_hurry() -> None:
    answered = asyncio.Event()
    lookup = FakeLookup({"customers": Found((ANNA,))}, before=answered.wait)
    one, _ = remember(lookup)
    hurried = replace(ASK, source=replace(SOURCE, timeout_s=0.01))
    first = asyncio.create_task(one.find(hurried, 5))
    second = asyncio.create_task(one.find(replace(ASK, source=replace(SOURCE, timeout_s=5)), 5))
    assert await first == SourceDown("crm: no answer in time", 10)
    answered.set()
    assert (await second).records == (ANNA,)  # type: ignore[union-attr]
    assert len(lookup.asked) == 1
