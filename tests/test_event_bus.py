"""Who hears of what happens: the right ones, in order, and none who is slow, broken or stuck holds up another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from routing_engine.core.events import CallAbandoned, CallEnded, CallRouted, EngineFault, Event
from routing_engine.core.model import Caller, Decision
from routing_engine.event_bus import EventBus

ROUTED = CallRouted(Caller(None), "support", Decision("support", "r1", "matched", None))
ABANDONED = CallAbandoned(Caller(None), "support", "the caller hung up")


@pytest.fixture
async def bus() -> AsyncIterator[EventBus]:
    bus = EventBus(most_waiting=3)
    yield bus
    await bus.close(within_s=0)


class Ears:
    """Keeps what it hears; `enough` is set with the event of that number."""

    def __init__(self, enough: int = 1) -> None:
        self.heard: list[Event] = []
        self.enough = asyncio.Event()
        self._number = enough
        self._loop = asyncio.get_running_loop()

    def at_once(self, event: Event) -> None:
        self.heard.append(event)
        if len(self.heard) >= self._number:
            self._loop.call_soon_threadsafe(self.enough.set)

    async def later(self, event: Event) -> None:
        self.at_once(event)


async def test_who_subscribes_to_a_class_hears_of_its_subclasses_and_of_nothing_else(bus: EventBus) -> None:
    every, some = Ears(), Ears()
    bus.subscribe_at_once(CallEnded, every.at_once)
    bus.subscribe_at_once(CallRouted, some.at_once)
    for event in (ROUTED, ABANDONED, EngineFault()):
        bus.publish(event)
    assert (every.heard, some.heard) == ([ROUTED, ABANDONED], [ROUTED])


@pytest.mark.parametrize("way", ["at_once", "later"])
@pytest.mark.io
async def test_both_kinds_of_function_hear_in_order(bus: EventBus, way: str) -> None:
    ears = Ears(enough=3)
    bus.subscribe(Event, getattr(ears, way))
    events = [ROUTED, ABANDONED, EngineFault()]
    for event in events:
        bus.publish(event)
    await ears.enough.wait()
    assert ears.heard == events


async def test_one_that_breaks_is_logged_once_and_the_others_hear_all_the_same(bus: EventBus) -> None:
    def broken(event: CallEnded) -> None:
        raise ZeroDivisionError("+436641234567")

    ears = Ears()
    bus.subscribe_at_once(CallEnded, broken)
    bus.subscribe_at_once(CallEnded, ears.at_once)
    with capture_logs() as logs:
        bus.publish(ROUTED)
        bus.publish(ROUTED)
    assert ears.heard == [ROUTED, ROUTED]
    assert [(one["event"], one["error"]) for one in logs] == [("subscriber.failed", "ZeroDivisionError")]
    assert "664" not in str(logs)


@pytest.mark.parametrize("way", ["at_once", "later"])
@pytest.mark.io
async def test_one_that_breaks_behind_its_queue_hears_the_next_event(bus: EventBus, way: str) -> None:
    ears = Ears(enough=2)

    def broken(event: Event) -> None:
        ears.at_once(event)
        raise ZeroDivisionError

    async def broken_later(event: Event) -> None:
        broken(event)

    bus.subscribe(Event, broken if way == "at_once" else broken_later)
    bus.publish(ROUTED)
    bus.publish(ABANDONED)
    await ears.enough.wait()
    assert ears.heard == [ROUTED, ABANDONED]


async def test_one_that_waits_for_ever_keeps_nobody_waiting_and_loses_only_its_own(bus: EventBus) -> None:
    ears, go = Ears(enough=10), asyncio.Event()

    async def slow(event: Event) -> None:
        await go.wait()

    bus.subscribe(Event, slow)
    bus.subscribe_at_once(Event, ears.at_once)
    with capture_logs() as logs:
        for _ in range(10):
            bus.publish(ROUTED)
    assert len(ears.heard) == 10
    assert [(one["event"], one["waiting"]) for one in logs] == [("subscriber.behind", 3)]


async def test_one_that_caught_up_says_what_it_missed(bus: EventBus) -> None:
    ears, go = Ears(enough=3), asyncio.Event()

    async def slow(event: Event) -> None:
        await go.wait()
        await ears.later(event)

    bus.subscribe(Event, slow)
    for _ in range(5):
        bus.publish(ROUTED)
    go.set()
    await ears.enough.wait()
    with capture_logs() as logs:
        bus.publish(ABANDONED)
    assert [(one["event"], one["lost"]) for one in logs] == [("subscriber.caught_up", 2)]


@pytest.mark.io
async def test_one_that_blocks_its_thread_keeps_neither_the_loop_nor_the_end_waiting(bus: EventBus) -> None:
    go, begun = threading.Event(), Ears()

    def stuck(event: Event) -> None:
        begun.at_once(event)
        go.wait()

    bus.subscribe(Event, stuck)
    bus.publish(ROUTED)
    await begun.enough.wait()
    await bus.close(within_s=0.01)
    go.set()


@pytest.mark.parametrize("way", ["at_once", "later"])
@pytest.mark.io
async def test_the_end_lets_subscribers_finish(bus: EventBus, way: str) -> None:
    ears = Ears()
    bus.subscribe(Event, getattr(ears, way))
    bus.publish(ROUTED)
    bus.publish(ABANDONED)
    await bus.close()
    assert ears.heard == [ROUTED, ABANDONED]


async def test_what_nobody_hears_of_is_known(bus: EventBus) -> None:
    bus.subscribe_at_once(CallEnded, Ears().at_once)
    assert bus.is_heard(CallRouted)
    assert not bus.is_heard(EngineFault)
