"""The limiter of one integration: breaker, places, rate, and being asked to wait."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

import pytest
from fakes import FOREVER_S, FakeClock

from routing_engine.errors import (
    ProviderMisread,
    ProviderRefused,
    ProviderSkipped,
    ProviderThrottled,
    ProviderUnreachable,
)
from routing_engine.lookup.limiter import Limiter
from routing_engine.settings.integration import RateLimits


def limiter(clock: FakeClock | None = None, **limits: float) -> tuple[Limiter, FakeClock]:
    clock = clock or FakeClock()
    return Limiter("crm", RateLimits(**limits), clock), clock  # type: ignore[arg-type]


async def fail(one: Limiter, times: int = 1, retry_after_s: float | None = None) -> None:
    for _ in range(times):
        await one.enter()
        one.failed(retry_after_s)


async def test_the_breaker_opens_after_failures_in_a_row() -> None:
    one, _ = limiter(failures=3)
    await fail(one, 3)
    with pytest.raises(ProviderSkipped, match="crm: not asked, it failed 3 times in a row; next try in 5 s"):
        await one.enter()


async def test_a_success_in_between_keeps_the_breaker_closed() -> None:
    one, _ = limiter(failures=3)
    await fail(one, 2)
    await one.enter()
    one.succeeded()
    await fail(one, 2)
    await one.enter()
    assert not one.open


async def test_after_the_pause_one_look_up_tries_and_the_others_are_held() -> None:
    one, clock = limiter(failures=1, pause_s=10)
    await fail(one)
    clock.now_s += 10
    await one.enter()
    with pytest.raises(ProviderSkipped, match="is being tried"):
        await one.enter()
    one.succeeded()
    await one.enter()
    assert not one.open


async def test_a_try_that_fails_begins_the_pause_anew() -> None:
    one, clock = limiter(failures=1, pause_s=10)
    await fail(one)
    clock.now_s += 10
    await fail(one)
    clock.now_s += 9
    with pytest.raises(ProviderSkipped, match="next try in 1 s"):
        await one.enter()


async def test_a_try_whose_caller_hangs_up_lets_the_next_one_try() -> None:
    one, clock = limiter(failures=1, pause_s=10)
    await fail(one)
    clock.now_s += 10
    await one.enter()
    one.leave()
    await one.enter()


async def test_being_asked_to_wait_is_no_failure() -> None:
    one, clock = limiter(failures=1)
    await fail(one, retry_after_s=30)
    assert not one.open
    with pytest.raises(ProviderSkipped, match="asked for a pause of 30 s"):
        await one.enter()
    clock.now_s += 30
    await one.enter()


async def test_who_comes_when_all_places_are_taken_waits_for_one() -> None:
    one, _ = limiter(at_a_time=1)
    await one.enter()
    second = asyncio.create_task(one.enter())
    await asyncio.sleep(0)
    assert not second.done()
    one.succeeded()
    await second


async def test_places_go_in_the_order_of_coming_and_past_those_who_left() -> None:
    one, _ = limiter(at_a_time=1)
    await one.enter()
    second, third = asyncio.create_task(one.enter()), asyncio.create_task(one.enter())
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    one.succeeded()
    await asyncio.wait_for(third, FOREVER_S)
    one.leave()
    await asyncio.wait_for(one.enter(), FOREVER_S)


async def test_a_place_given_to_one_who_is_cancelled_in_that_moment_is_not_lost() -> None:
    one, _ = limiter(at_a_time=1)
    await one.enter()
    second = asyncio.create_task(one.enter())
    await asyncio.sleep(0)
    one.succeeded()
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    await asyncio.wait_for(one.enter(), FOREVER_S)


async def test_the_rate_lets_a_burst_through_and_then_makes_wait() -> None:
    one, _ = limiter(per_second=100)
    for _ in range(100):
        await one.enter()
        one.succeeded()
    late = asyncio.create_task(one.enter())
    await asyncio.sleep(0)
    assert not late.done()
    await asyncio.wait_for(late, FOREVER_S)


@pytest.mark.parametrize(("at_a_time", "running", "asked"), [(1, 0, True), (2, 1, False), (5, 2, True), (5, 3, False)])
async def test_early_look_ups_take_half_of_the_places(at_a_time: int, running: int, asked: bool) -> None:
    one, _ = limiter(at_a_time=at_a_time)
    for _ in range(running):
        await one.enter()
    with nullcontext() if asked else pytest.raises(ProviderSkipped, match="not asked early"):
        await one.enter(early=True)


@pytest.mark.parametrize(("used", "asked"), [(2, True), (3, False)])
async def test_early_look_ups_leave_half_of_the_rate(used: int, asked: bool) -> None:
    one, _ = limiter(per_second=4)
    for _ in range(used):
        await one.enter()
        one.succeeded()
    with nullcontext() if asked else pytest.raises(ProviderSkipped, match="not asked early"):
        await one.enter(early=True)


async def test_a_rate_below_one_a_second_still_lets_one_through() -> None:
    one, clock = limiter(per_second=0.5)
    for _ in range(3):
        await one.enter(early=True)
        one.succeeded()
        with pytest.raises(ProviderSkipped, match="not asked early"):
            await one.enter(early=True)
        clock.now_s += 2


async def test_who_leaves_while_waiting_for_the_rate_gives_the_place_back() -> None:
    one, clock = limiter(at_a_time=1, per_second=1)
    await one.run(lambda: asyncio.sleep(0))
    waiting = asyncio.ensure_future(one.run(lambda: asyncio.sleep(0)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    clock.now_s += 1
    assert await one.run(lambda: asyncio.sleep(0, "found")) == "found"


@pytest.mark.parametrize("came", [ProviderUnreachable("crm: gone"), ProviderRefused("crm: no"), ZeroDivisionError()])
async def test_a_request_that_failed_gives_its_place_back(came: Exception) -> None:
    one, _ = limiter(at_a_time=1, failures=5)
    for _ in range(2):
        with pytest.raises(type(came)):
            await one.run(lambda: raising(came))


async def test_an_early_look_up_never_waits_for_its_moment() -> None:
    one, clock = limiter(per_second=1)
    await one.enter()
    clock.now_s += 0.6  # more than half of a request's worth, but not a whole one
    with pytest.raises(ProviderSkipped, match="not asked early"):
        await one.enter(early=True)


async def raising(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("came", "then"),
    [
        (ProviderUnreachable("crm: gone"), "it failed 1 times in a row"),
        (ProviderThrottled("crm: too many", 30.0), "it asked for a pause of 30 s"),
        (ProviderRefused("crm: wrong key"), ""),
        (ProviderMisread("crm: no JSON"), ""),
        (ZeroDivisionError(), ""),
        (asyncio.CancelledError(), ""),
    ],
)
async def test_what_came_of_a_request_decides_whether_the_next_is_made(came: BaseException, then: str) -> None:
    one, _ = limiter(failures=1, at_a_time=1)
    with pytest.raises(type(came)):
        await one.run(lambda: raising(came))
    with pytest.raises(ProviderSkipped, match=then) if then else nullcontext():
        await one.run(lambda: asyncio.sleep(0))


async def test_an_answer_ends_the_row_of_failures() -> None:
    one, _ = limiter(failures=2)
    for _ in range(3):
        with pytest.raises(ProviderUnreachable):
            await one.run(lambda: raising(ProviderUnreachable("crm: gone")))
        assert await one.run(lambda: asyncio.sleep(0, "found")) == "found"
    assert not one.open


async def test_all_who_hang_up_leave_all_places_free() -> None:
    one, _ = limiter(at_a_time=2)
    tasks = [asyncio.create_task(one.run(asyncio.Event().wait)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not one.take()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [one.take() for _ in range(3)] == [True, True, False]
