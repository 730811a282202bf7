"""One look-up: in time, whatever the provider does, and every failure a value."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from routing_engine.core.asks import Find, Found, SourceDown
from routing_engine.core.model import Operand, Record, Source, Template
from routing_engine.core.phone import read_number
from routing_engine.core.ports import Query
from routing_engine.errors import ProviderError, ProviderMisread, ProviderRefused, ProviderUnreachable
from routing_engine.lookup.limiter import Limiter
from routing_engine.lookup.search import Search
from routing_engine.settings.integration import Model, RateLimits
from tests.fakes import FOREVER_S

CALLER = read_number("+43 664 1234567", "AT")
ANNA = Record({"name": "Anna"}, id="7")
MODELS = {"contact": Model("contact", {})}


class Fake:
    """A provider that does what `answer` does."""

    def __init__(self, answer: Callable[[Query], Awaitable[Sequence[Record]]]) -> None:
        self.answer = answer
        self.asked: list[Query] = []

    async def find(self, query: Query) -> Sequence[Record]:
        self.asked.append(query)
        return await self.answer(query)

    async def close(self) -> None:
        """Nothing is open."""


def giving(*records: Record) -> Fake:
    async def answer(_: Query) -> Sequence[Record]:
        return list(records)

    return Fake(answer)


def raising(error: BaseException) -> Fake:
    async def answer(_: Query) -> Sequence[Record]:
        raise error

    return Fake(answer)


def silent(cancelled: list[bool]) -> Fake:
    async def answer(_: Query) -> Sequence[Record]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return ()

    return Fake(answer)


def search(fake: Fake, ticks: Sequence[float] = (), timeout_s: float = 5) -> Search:
    times = iter(ticks)
    guards = {"erp": Limiter("erp", RateLimits(), lambda: 0.0)}  # the ticks are for what is measured
    return Search({"erp": fake}, {"erp": MODELS}, "AT", timeout_s, lambda: next(times, 0.0), guards)


def ask(timeout_s: float | None = None, by: str = "caller", model: str = "contact") -> Find:
    left = Operand("call", "caller") if by == "caller" else Operand("input", "")
    source = Source("customers", "erp", model, Template((left,)), "number", timeout_s)
    return Find(source, "0042", CALLER)


async def test_records_come_back_in_their_order_with_the_time_it_took() -> None:
    other = Record({}, id="8")
    found = await search(giving(ANNA, other), ticks=[10.0, 10.25]).find(ask(), 3)
    assert found == Found((ANNA, other), 250.0)


async def test_nobody_is_found_and_not_down() -> None:
    assert await search(giving()).find(ask(), 3) == Found((), 0.0)


@pytest.mark.parametrize(("by", "by_caller"), [("caller", True), ("input", False)])
async def test_the_provider_is_asked_what_the_source_says(by: str, by_caller: bool) -> None:
    fake = giving()
    await search(fake).find(ask(by=by), 3)
    assert fake.asked == [Query("contact", "number", "0042", by_caller, CALLER)]


@pytest.mark.parametrize(
    "error",
    [ProviderUnreachable("erp: a"), ProviderRefused("erp: b"), ProviderMisread("erp: c"), ProviderError("erp: d")],
)
async def test_a_provider_that_fails_is_down_with_its_sentence(error: ProviderError) -> None:
    assert await search(raising(error)).find(ask(), 3) == SourceDown(str(error), 0.0)


async def test_a_sentence_without_end_is_cut() -> None:
    found = await search(raising(ProviderMisread("x" * 10_000))).find(ask(), 3)
    assert isinstance(found, SourceDown)
    assert len(found.why) == 200


@pytest.mark.parametrize(("timeout_s", "default_s", "left_s"), [(0.01, 9, 9), (None, 0.01, 9), (9, 9, 0.01)])
async def test_the_shortest_limit_ends_a_look_up(timeout_s: float | None, default_s: float, left_s: float) -> None:
    cancelled: list[bool] = []
    async with asyncio.timeout(FOREVER_S):
        found = await search(silent(cancelled), timeout_s=default_s).find(ask(timeout_s), left_s)
    assert (found, cancelled) == (SourceDown("erp: no answer in time", 0.0), [True])


async def test_a_look_up_that_others_share_is_not_ended_by_the_timeout_of_the_first() -> None:
    cancelled: list[bool] = []
    shared = replace(ask(0.001), shared=True)
    asking = asyncio.create_task(search(silent(cancelled)).find(shared, 9))
    await asyncio.wait({asking}, timeout=0.02)
    assert (asking.done(), cancelled) == (False, [])
    asking.cancel()
    await asyncio.wait({asking})


async def test_without_time_left_nobody_is_asked_or_thought_to_be_down() -> None:
    fake = giving(ANNA)
    with capture_logs() as logs:
        assert await search(fake).find(ask(), 0) == SourceDown("no time was left to ask it", asked=False)
    assert (fake.asked, logs) == ([], [])


async def test_being_cancelled_passes_through() -> None:
    cancelled: list[bool] = []
    fake = silent(cancelled)
    with capture_logs() as logs:
        looking = asyncio.create_task(search(fake).find(ask(), 9))
        while not fake.asked:
            await asyncio.sleep(0)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
    assert (cancelled, logs) == ([True], [])


async def test_the_timeout_of_the_caller_is_not_taken_for_ours() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await search(silent([])).find(ask(), 9)


@pytest.mark.parametrize("error", [KeyError("+436641234567"), TimeoutError("0042"), asyncio.CancelledError("0042")])
async def test_an_unexpected_error_is_a_source_that_is_down(error: BaseException) -> None:
    found = await search(raising(error)).find(ask(), 3)
    assert isinstance(found, SourceDown)
    assert "0042" not in found.why
    assert "6641234567" not in found.why


async def test_an_unexpected_error_is_logged_once_with_its_place_and_without_its_values() -> None:
    it = search(raising(KeyError("+436641234567")))
    with capture_logs() as logs:
        await it.find(ask(), 3)
        await it.find(ask(), 3)
    assert [log["event"] for log in logs] == ["source.failed", "source.down"]
    assert "test_search.py" in logs[0]["traceback"][-1]
    assert "1234567" not in str(logs)


async def test_down_and_up_are_logged_once_each() -> None:
    fake = raising(ProviderUnreachable("erp: the connection broke"))
    it = search(fake)
    with capture_logs() as logs:
        await it.find(ask(), 3)
        await it.find(ask(), 3)
        fake.answer = giving(ANNA).answer
        await it.find(ask(), 3)
        await it.find(ask(), 3)
    place = {"integration": "erp", "source": "customers"}
    assert logs == [
        {"event": "source.down", "log_level": "warning", "why": "erp: the connection broke", "who": "network", **place},
        {"event": "source.up", "log_level": "info", **place},
    ]


async def test_a_model_that_fails_does_not_speak_for_another() -> None:
    async def answer(query: Query) -> Sequence[Record]:
        if query.model == "lead":
            raise ProviderRefused("erp: the server refused the request")
        return [ANNA]

    it = search(Fake(answer))
    with capture_logs() as logs:
        for model in ("contact", "lead", "contact", "lead"):
            await it.find(ask(model=model), 3)
    assert [log["event"] for log in logs] == ["source.down"]


async def test_an_integration_that_is_not_there_is_down() -> None:
    assert await Search({}, {}, "AT", 3, lambda: 0.0).find(ask(), 3) == SourceDown("there is no integration 'erp'", 0.0)
