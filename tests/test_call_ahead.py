"""Look-ups that begin before their turn, and what the caller hears meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from core.build import ANNA, GOLD, SALES, route, source
from fakes import FOREVER_S, FakeChannel, FakeClock, FakeLookup

from routing_engine.call import CallRun
from routing_engine.core.asks import Find, Found, Play, SourceDown, Typed
from routing_engine.core.destinations import PROFILES
from routing_engine.core.model import Decision, Filler, Route
from routing_engine.core.ports import TOO_LATE

GREETED = route(source("customers", SALES), source("leads", SALES, model="lead"), instruction=("welcome",))
HELD = SourceDown("crm: not asked early", asked=False)


class Greeting(FakeChannel):
    """A channel whose greeting lasts until something has happened."""

    def __init__(self, until: Callable[[], object]) -> None:
        super().__init__(ANNA)
        self._until = until

    async def play(self, ask: Play) -> Typed:
        found = self._until()
        if asyncio.iscoroutine(found):
            await found
        return await super().play(ask)


def a_call(one: Route, channel: FakeChannel, lookup: FakeLookup, clock: FakeClock | None = None) -> CallRun:
    def report(error: Exception) -> None:
        raise AssertionError from error

    return CallRun(channel, lookup, {"support": one}.get, PROFILES["plain"], clock or FakeClock(), report)


async def carry(one: Route, channel: FakeChannel, lookup: FakeLookup) -> Decision:
    async with asyncio.timeout(FOREVER_S):
        return await a_call(one, channel, lookup).run("support")


class Early(FakeLookup):
    """Answers early look-ups by what is said, others as ever; remembers which were early."""

    def __init__(self, early: Found | SourceDown, later: Found | None = None) -> None:
        super().__init__({"customers": later or Found()})
        self._early = early
        self.early: list[bool] = []

    async def find(self, ask: Find, left_s: float) -> Found | SourceDown:
        self.early.append(ask.early)
        answer = await super().find(ask, left_s)
        return self._early if ask.early else answer


async def test_a_look_up_is_over_when_the_greeting_ends_and_is_asked_once() -> None:
    lookup = FakeLookup({"customers": GOLD})
    decision = await carry(GREETED, Greeting(lambda: lookup.begun.wait()), lookup)
    assert decision.rule == "everybody"
    assert [name for name, _ in lookup.asked] == ["customers"]
    assert [one.outcome for one in decision.trail if one.step == "source customers"] == ["1 record (asked ahead)"]


async def test_an_early_look_up_that_was_held_back_is_asked_in_its_turn() -> None:
    lookup = Early(HELD, Found((GOLD,)))
    decision = await carry(GREETED, FakeChannel(ANNA), lookup)
    assert (decision.reason, lookup.early) == ("matched", [True, False])


async def test_an_early_look_up_that_failed_is_not_asked_again() -> None:
    lookup = Early(SourceDown("crm: no answer in time"))
    decision = await carry(replace(GREETED, sources=GREETED.sources[:1]), FakeChannel(ANNA), lookup)
    assert (decision.reason, lookup.early) == ("source_down", [True])


async def test_what_began_early_and_is_not_needed_is_cancelled() -> None:
    never = asyncio.Event()
    lookup = FakeLookup({"customers": GOLD}, before=lambda: never.wait() if len(lookup.asked) == 2 else None)
    one = replace(GREETED, look_ahead="all")
    decision = await carry(one, Greeting(lambda: lookup.begun.wait()), lookup)
    await asyncio.sleep(0)
    assert (decision.source, [name for name, _ in lookup.asked]) == ("customers", ["customers", "leads"])
    assert lookup.cancelled


async def test_a_hang_up_during_the_greeting_cancels_the_early_look_up() -> None:
    never = asyncio.Event()
    lookup = FakeLookup(before=lambda: never.wait())
    channel = Greeting(lambda: never.wait())
    call = asyncio.create_task(a_call(GREETED, channel, lookup).run("support"))
    await lookup.begun.wait()
    channel.hang_up(call)
    await asyncio.gather(call, return_exceptions=True)
    await asyncio.sleep(0)
    assert lookup.cancelled


async def test_the_deadline_counts_what_the_caller_waits_not_the_greeting() -> None:
    clock = FakeClock()
    never = asyncio.Event()
    lookup = FakeLookup(before=lambda: never.wait())

    async def greeting() -> None:
        await lookup.begun.wait()
        clock.now_s += 30

    one = replace(GREETED, sources=GREETED.sources[:1], deadline_s=0.05, filler=Filler(after_s=9))
    call = a_call(one, Greeting(greeting), lookup, clock)
    async with asyncio.timeout(FOREVER_S):
        decision = await call.run("support")
    await asyncio.sleep(0)
    assert decision.reason == "source_down"
    assert lookup.cancelled


class LastWord(FakeLookup):
    """Answers only when it is told that time is up."""

    async def find(self, ask: Find, left_s: float) -> Found | SourceDown:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            if error.args != (TOO_LATE,):
                raise
        return Found((GOLD,), note="its last answer, 2 h old")


async def test_a_look_up_whose_time_is_up_may_give_the_last_known_record() -> None:
    lookup = LastWord()
    one = replace(GREETED, deadline_s=0.05, filler=Filler(after_s=9))
    decision = await carry(one, Greeting(lambda: lookup.begun.wait()), lookup)
    assert decision.reason == "matched"
    assert "1 record (its last answer, 2 h old, asked ahead)" in [step.outcome for step in decision.trail]


async def test_silence_and_waiting_are_measured() -> None:
    clock = FakeClock()
    lookup = FakeLookup({"customers": GOLD}, clock=clock, spends_s=0.4)
    call = a_call(route(source("customers", SALES), answer="never"), FakeChannel(ANNA), lookup, clock)
    await call.run("support")
    assert (round(call.heard.waited_s, 3), call.heard.silence_s) == (0.4, 0.0)


async def test_the_time_between_two_prompts_is_silence() -> None:
    clock = FakeClock()
    lookup = FakeLookup({"customers": GOLD}, clock=clock, spends_s=0.4)
    one = replace(GREETED, rules=(replace(SALES, disabled=True),))  # not sure to be asked: it waits for its turn
    call = a_call(one, FakeChannel(ANNA), lookup, clock)
    decision = await call.run("support")
    assert (round(call.heard.waited_s, 3), round(call.heard.silence_s, 3)) == (0.4, 0.4)
    assert decision.trail[-1].outcome == "waited 0.40 s for look-ups; the longest silence was 0.40 s"


async def test_a_wait_that_nobody_notices_is_not_said() -> None:
    clock = FakeClock()
    lookup = FakeLookup({"customers": GOLD}, clock=clock, spends_s=0.001)
    call = a_call(route(source("customers", SALES)), FakeChannel(ANNA), lookup, clock)
    decision = await call.run("support")
    assert [one.step for one in decision.trail] == ["source customers", "rule everybody"]
    assert call.heard.waited_s > 0
