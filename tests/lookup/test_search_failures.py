"""How a look-up treats a system that fails: once more, not at all, or later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from fakes import FakeClock
from structlog.testing import capture_logs

from routing_engine.core.asks import Find, Found, SourceDown
from routing_engine.core.model import Record, Source
from routing_engine.core.phone import read_number
from routing_engine.core.ports import TOO_LATE, Query
from routing_engine.core.templates import read_template
from routing_engine.errors import ProviderMisread, ProviderRefused, ProviderThrottled, ProviderUnreachable
from routing_engine.lookup.limiter import Limiter
from routing_engine.lookup.search import Search
from routing_engine.settings.integration import Model, RateLimits

ASK = Find(
    Source("customers", "crm", "contact", read_template("{call.caller}")),
    "+436641234567",
    read_number("+436641234567", ""),
)
ANNA = Record({"name": "Anna"}, id="7")
BROKEN = ProviderUnreachable("crm: the connection broke", again=True)


class Answers:
    """A provider that gives one answer after the other, then the last one for ever."""

    def __init__(self, *answers: Exception | Sequence[Record] | float) -> None:
        self.answers, self.asked = list(answers), 0

    async def find(self, query: Query) -> Sequence[Record]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return ()
        return answer

    async def close(self) -> None:
        """Nothing is open."""


def search(provider: Answers, clock: FakeClock | None = None, **limits: float) -> Search:
    clock = clock or FakeClock()
    guard = Limiter("crm", RateLimits(**limits), clock)  # type: ignore[arg-type]
    return Search({"crm": provider}, {"crm": {"contact": Model("contact", {})}}, "AT", 5, clock, {"crm": guard})


async def test_a_connection_that_broke_is_tried_once_more() -> None:
    provider = Answers(BROKEN, [ANNA])
    found = await search(provider).find(ASK, 5)
    assert (isinstance(found, Found), provider.asked) == (True, 2)


async def test_it_is_not_tried_a_third_time() -> None:
    provider = Answers(BROKEN)
    assert isinstance(await search(provider).find(ASK, 5), SourceDown)
    assert provider.asked == 2


async def test_it_is_not_tried_again_without_time() -> None:
    provider = Answers(BROKEN)
    found = await search(provider).find(ASK, 0.02)
    assert (isinstance(found, SourceDown), provider.asked) == (True, 1)


@pytest.mark.parametrize(
    "error",
    [
        ProviderUnreachable("crm: status 500"),
        ProviderRefused("crm: no rights"),
        ProviderMisread("crm: no JSON"),
        ProviderThrottled("crm: status 429", 30),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_would_not_be_answered_otherwise_is_asked_once(error: Exception) -> None:
    provider = Answers(error)
    await search(provider).find(ASK, 5)
    assert provider.asked == 1


async def test_a_system_that_keeps_failing_is_not_asked_for_a_while_and_then_once() -> None:
    provider, clock = Answers(ProviderUnreachable("crm: status 500")), FakeClock()
    one = search(provider, clock, failures=3, pause_s=10)
    for _ in range(5):
        found = await one.find(ASK, 5)
    assert provider.asked == 3
    assert isinstance(found, SourceDown)
    assert (found.asked, found.why) == (False, "crm: not asked, it failed 3 times in a row; next try in 10 s")
    clock.now_s += 10
    provider.answers = [[ANNA]]
    assert isinstance(await one.find(ASK, 5), Found)


async def test_refusals_are_answers_and_open_no_breaker() -> None:
    provider = Answers(ProviderRefused("crm: no rights"))
    one = search(provider, failures=2)
    for _ in range(5):
        await one.find(ASK, 5)
    assert provider.asked == 5


async def test_look_ups_that_come_late_open_the_breaker() -> None:
    provider = Answers(60.0)
    one = search(provider, failures=2)
    late = replace(ASK, source=replace(ASK.source, timeout_s=0.01))
    for _ in range(4):
        await one.find(late, 5)
    assert provider.asked == 2


async def test_a_look_up_without_time_says_nothing_about_the_system() -> None:
    provider = Answers(60.0)
    one = search(provider, failures=1)
    for _ in range(3):
        await one.find(ASK, 0.01)
    assert provider.asked == 3


async def test_a_system_that_asked_to_wait_is_left_alone_until_then() -> None:
    provider, clock = Answers(ProviderThrottled("crm: status 429", 30), [ANNA]), FakeClock()
    one = search(provider, clock)
    first, second = await one.find(ASK, 5), await one.find(ASK, 5)
    assert [isinstance(found, SourceDown) and found.asked for found in (first, second)] == [True, False]
    clock.now_s += 30
    assert isinstance(await one.find(ASK, 5), Found)


async def test_a_system_that_asked_to_wait_keeps_nobody_from_another_one() -> None:
    models, clock = {"crm": {"contact": Model("contact", {})}}, FakeClock()
    throttled = Search({"crm": Answers(ProviderThrottled("crm: status 429", 30))}, models, "AT", 5, clock)
    await throttled.find(ASK, 5)
    other = Search({"crm": Answers([ANNA])}, models, "AT", 5, clock)
    assert isinstance(await other.find(ASK, 5), Found)


async def test_a_caller_who_hangs_up_gives_the_place_back() -> None:
    one = search(Answers(60.0), at_a_time=1)
    for _ in range(3):
        task = asyncio.create_task(one.find(ASK, 60))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert isinstance(await one.find(replace(ASK, source=replace(ASK.source, timeout_s=0.01)), 5), SourceDown)


async def test_a_try_that_breaks_is_told_as_broken_though_the_breaker_forbids_another() -> None:
    provider = Answers(BROKEN)
    found = await search(provider, failures=1).find(ASK, 5)
    assert isinstance(found, SourceDown)
    assert (found.asked, found.why, provider.asked) == (True, "crm: the connection broke", 1)


async def test_a_look_up_that_was_given_up_as_too_late_opens_the_breaker_and_is_logged() -> None:
    provider, clock = Answers(60.0), FakeClock()
    one = search(provider, clock, failures=2)
    with capture_logs() as lines:
        for _ in range(4):
            task = asyncio.create_task(one.find(replace(ASK, early=True), 60))
            await asyncio.sleep(0)
            clock.now_s += 2
            task.cancel(TOO_LATE)
            await asyncio.gather(task, return_exceptions=True)
    assert provider.asked == 2
    assert [line["event"] for line in lines] == ["source.down"]


async def test_a_look_up_that_nobody_needs_any_more_says_nothing_about_the_system() -> None:
    provider, clock = Answers(60.0), FakeClock()
    one = search(provider, clock, failures=1)
    for _ in range(3):
        task = asyncio.create_task(one.find(ASK, 60))
        await asyncio.sleep(0)
        clock.now_s += 2
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert provider.asked == 3


@pytest.mark.parametrize("limits", [{"per_second": 1}, {"at_a_time": 1}])
async def test_waiting_for_our_own_limits_is_not_held_against_the_system(limits: dict[str, float]) -> None:
    provider = Answers(0.05)
    one = search(provider, failures=1, **limits)
    hurried = replace(ASK, source=replace(ASK.source, timeout_s=0.02))
    with capture_logs() as lines:
        first = asyncio.create_task(one.find(ASK, 5))
        await asyncio.sleep(0)
        found = await one.find(hurried, 5)
        assert isinstance(await first, Found)
    assert isinstance(found, SourceDown)
    assert (found.asked, found.why) == (False, "crm: not asked, its limits left no place in time")
    assert (provider.asked, lines) == (1, [])
