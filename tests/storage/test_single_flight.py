"""One does the work, all wait for it; who hangs up leaves it to the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from routing_engine.storage.single_flight import SingleFlight


class Works:
    """Work that ends when it is told to, and remembers how often it began and with which word it was ended."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended: list[str] = []
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def do(self) -> str:
        self.begun += 1
        try:
            return await asyncio.shield(self.answer)
        except asyncio.CancelledError as error:
            self.ended.append(str(error.args[0]) if error.args else "")
            raise


@pytest.fixture
async def works() -> Works:
    return Works()


def called(wait: Callable[[], Coroutine[None, None, object]], times: int) -> list[asyncio.Task[object]]:
    return [asyncio.get_running_loop().create_task(wait()) for _ in range(times)]


async def turn() -> None:
    """Let every task that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_all_who_ask_meanwhile_get_the_one_answer(works: Works) -> None:
    flights = SingleFlight[str]()
    waiting = called(lambda: flights.run(works.do), 3)
    await turn()
    works.answer.set_result("done")
    assert await asyncio.gather(*waiting) == ["done"] * 3
    assert works.begun == 1


async def test_who_asks_afterwards_begins_anew(works: Works) -> None:
    flights = SingleFlight[str]()
    works.answer.set_result("done")
    await flights.run(works.do)
    await flights.run(works.do)
    assert works.begun == 2


async def test_each_key_has_work_of_its_own(works: Works) -> None:
    flights = SingleFlight[str]()
    waiting = [asyncio.ensure_future(flights.run(works.do, key)) for key in ("a", "b", "a")]
    await turn()
    assert works.begun == 2
    await flights.close()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_failure_is_everybodys(works: Works) -> None:
    flights = SingleFlight[str]()
    waiting = called(lambda: flights.run(works.do), 2)
    await turn()
    works.answer.set_exception(OSError("full"))
    assert [type(one) for one in await asyncio.gather(*waiting, return_exceptions=True)] == [OSError, OSError]


async def test_who_hangs_up_leaves_it_to_the_others(works: Works) -> None:
    flights = SingleFlight[str](goes_on=False)
    first, second = called(lambda: flights.run(works.do), 2)
    await turn()
    first.cancel()
    await turn()
    works.answer.set_result("done")
    assert (await second, works.ended) == ("done", [])


async def test_what_goes_on_ends_though_all_have_left(works: Works) -> None:
    flights = SingleFlight[str]()
    (only,) = called(lambda: flights.run(works.do), 1)
    await turn()
    only.cancel()
    await turn()
    assert flights.under_way()
    assert works.ended == []
    works.answer.set_result("done")
    await turn()
    assert not flights.under_way()


async def test_a_failure_that_nobody_waits_for_is_looked_at(works: Works) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    flights = SingleFlight[str]()
    flights.begin(works.do)
    await turn()
    works.answer.set_exception(OSError("full"))
    await flights.close(finish=True)
    del flights
    assert complaints == []


async def test_what_nobody_waits_for_any_more_ends_with_the_word_of_the_last_who_left(works: Works) -> None:
    flights = SingleFlight[str](goes_on=False)
    first, last = called(lambda: flights.run(works.do), 2)
    await turn()
    first.cancel("hung up")
    await turn()
    last.cancel("no time left")
    await turn()
    assert works.ended == ["no time left"]


async def test_each_waits_for_his_own_time_only(works: Works) -> None:
    flights = SingleFlight[str](goes_on=False, too_late="too late")
    patient = asyncio.ensure_future(flights.join(works.do, timeout_s=60))
    await turn()
    assert await flights.join(works.do, timeout_s=0) is None
    works.answer.set_result("done")
    done = await patient
    assert done is not None
    assert done.result() == "done"


async def test_when_the_last_ones_time_is_up_the_work_hears_why(works: Works) -> None:
    flights = SingleFlight[str](goes_on=False, too_late="too late")
    assert await flights.join(works.do, timeout_s=0.001) is None
    await flights.close(finish=True)
    assert works.ended == ["too late"]


async def test_nobody_joins_what_is_being_ended(works: Works) -> None:
    flights = SingleFlight[str](goes_on=False)
    (only,) = called(lambda: flights.run(works.do), 1)
    await turn()
    only.cancel()
    await asyncio.sleep(0)
    next_ = asyncio.ensure_future(flights.run(works.do))
    await turn()
    works.answer.set_result("done")
    assert (await next_, works.begun) == ("done", 2)


async def test_what_has_come_far_goes_on(works: Works) -> None:
    flights = SingleFlight[str](goes_on=False)
    (only,) = called(lambda: flights.run(works.do), 1)
    await turn()
    flights.let_go_on()
    only.cancel()
    await turn()
    assert flights.under_way()
    assert works.ended == []
    await flights.close()


async def test_closing_ends_what_is_under_way(works: Works) -> None:
    flights = SingleFlight[str]()
    waiting = asyncio.get_running_loop().create_task(flights.join(works.do))
    await turn()
    await flights.close()
    task = await waiting
    assert task is not None
    assert (task.cancelled(), flights.under_way()) == (True, False)


async def test_closing_can_wait_for_the_end(works: Works) -> None:
    flights = SingleFlight[str]()
    flights.begin(works.do)
    await turn()
    asyncio.get_running_loop().call_soon(works.answer.set_result, "done")
    await flights.close(finish=True)
    assert (works.ended, flights.under_way()) == ([], False)
