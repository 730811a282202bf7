"""What others hear of look-ups."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from fakes import FakeClock, FakeLookup

from routing_engine.core.asks import Find, Found, SourceDown
from routing_engine.core.events import LookedUp
from routing_engine.core.model import CachePolicy, Record, Source
from routing_engine.core.phone import read_number
from routing_engine.core.templates import read_template
from routing_engine.lookup.cache import Cache
from routing_engine.lookup.caching import CachingLookup
from routing_engine.lookup.observed import ObservedLookup

SOURCE = Source("customers", "crm", "contact", read_template("{call.caller}"), keep=CachePolicy(60, 0, 30))
ASK = Find(SOURCE, "+436641234567", read_number("+436641234567", ""))
ANNA = Record({"name": "Anna"}, id="7")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Found((ANNA,)), "found"),
        (Found(), "none"),
        (SourceDown("no"), "down"),
        (SourceDown("no", asked=False), "skipped"),
        (SourceDown("no", throttled=True), "throttled"),
    ],
)
async def test_every_outcome_has_its_word(answer: Found | SourceDown, outcome: str) -> None:
    heard: list[LookedUp] = []
    clock = FakeClock()
    lookup = ObservedLookup(FakeLookup({"customers": answer}, clock=clock, spends_s=0.5), heard.append, clock)
    assert await lookup.find(ASK, 5) == answer
    assert heard == [LookedUp("crm", "customers", "contact", outcome, 0.5)]  # type: ignore[arg-type]


async def test_an_early_one_and_one_that_nobody_needs_any_more_are_told() -> None:
    heard: list[LookedUp] = []
    never = asyncio.Event()
    inner = FakeLookup(before=lambda: never.wait())
    task = asyncio.create_task(ObservedLookup(inner, heard.append, FakeClock()).find(replace(ASK, early=True), 5))
    await inner.begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [(one.outcome, one.purpose) for one in heard] == [("dropped", "early")]


async def test_an_answer_that_was_kept_is_told_once_with_its_age() -> None:
    heard: list[LookedUp] = []
    clock = FakeClock()
    asking = FakeLookup({"customers": ANNA})
    live, again = (
        ObservedLookup(asking, heard.append, clock),
        ObservedLookup(asking, heard.append, clock, purpose="refresh"),
    )
    remember = CachingLookup(live, Cache(9), {}, clock, again)
    lookup = ObservedLookup(remember, heard.append, clock, hears="kept")
    await lookup.find(ASK, 5)
    clock.now_s += 70
    await lookup.find(ASK, 5)
    while remember.asking:
        await asyncio.sleep(0)
    told = [(one.origin, one.purpose, one.age_s) for one in heard]
    assert told == [("live", "call", 0), ("cache", "call", 70), ("live", "refresh", 0)]
