"""`Idempotency-Key`: a request that is sent again is done once, also by who went away and after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from routing_engine.calls.tracker import TrackedCall
from routing_engine.storage import repeats_table
from routing_engine.storage.database import Database
from routing_engine.web.endpoints import WHOLE, Endpoint, takes
from routing_engine.web.repeats import KEPT_S
from routing_engine.web.requests import ApiAnswer, ApiError, ApiRequest

from .site import CALL, NOW, READS, Site, site

pytestmark = pytest.mark.io

KEY = {"Idempotency-Key": "click-17"}


class Counting:
    """An address that counts how often it is asked; it waits while `gate` is shut, and fails as often as told."""

    def __init__(self) -> None:
        self.asked, self.failures = 0, 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()

    def endpoints(self) -> Sequence[Endpoint]:
        return (Endpoint("POST", "/v1/counts", "calls.write", self._count, body=takes({"n": WHOLE})),)

    async def _count(self, _: ApiRequest) -> ApiAnswer:
        self.asked += 1
        self.begun.set()
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise ApiError(503, "down", "it is down", "try again")
        return ApiAnswer({"count": self.asked}, 201, {"ETag": '"7"'})


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
async def web(tmp_path: Path, counting: Counting) -> AsyncIterator[Site]:
    async with site(tmp_path, lambda _, __: (counting,)) as found:
        await found.book.take([TrackedCall(CALL, ("call.started",))])
        yield found


async def test_a_note_that_is_sent_again_is_there_once(web: Site) -> None:
    for _ in range(2):
        status, body = await web.ask("PATCH", "/v1/calls/c1", json={"notes": "once"}, headers=KEY)
        assert (status, len(body["notes"])) == (200, 1)


async def test_the_same_answer_comes_again_and_says_so(web: Site, counting: Counting) -> None:
    first = await web.session.post(f"{web.url}/v1/counts", json={"n": 1}, headers={**KEY, **bearer()})
    again = await web.session.post(f"{web.url}/v1/counts", json={"n": 1}, headers={**KEY, **bearer()})
    assert (await first.json(), first.status, first.headers["ETag"]) == (await again.json(), again.status, '"7"')
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert counting.asked == 1


def bearer() -> dict[str, str]:
    return {"Authorization": "Bearer " + "w" * 20}


async def test_a_key_with_another_request_is_refused(web: Site, counting: Counting) -> None:
    await web.ask("POST", "/v1/counts", json={"n": 1}, headers=KEY)
    status, body = await web.ask("POST", "/v1/counts", json={"n": 2}, headers=KEY)
    assert (status, body["error"]["code"], counting.asked) == (422, "key_used", 1)
    assert (await web.ask("PATCH", "/v1/calls/c1", json={"tags": []}, headers=KEY))[0] == 422


async def test_a_double_click_is_one(web: Site, counting: Counting) -> None:
    counting.gate.clear()
    both = [asyncio.create_task(web.ask("POST", "/v1/counts", json={}, headers=KEY)) for _ in range(2)]
    await counting.begun.wait()
    counting.gate.set()
    assert [await one for one in both] == [(201, {"count": 1})] * 2


async def test_what_somebody_did_not_wait_for_is_done_and_kept(web: Site, counting: Counting) -> None:
    counting.gate.clear()
    asking = asyncio.create_task(web.ask("POST", "/v1/counts", json={}, headers=KEY))
    await counting.begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    counting.gate.set()
    assert await web.ask("POST", "/v1/counts", json={}, headers=KEY) == (201, {"count": 1})


async def test_what_failed_is_tried_again(web: Site, counting: Counting) -> None:
    counting.failures = 1
    assert (await web.ask("POST", "/v1/counts", json={}, headers=KEY))[0] == 503
    assert await web.ask("POST", "/v1/counts", json={}, headers=KEY) == (201, {"count": 2})


async def test_it_holds_over_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        counting = Counting()
        async with site(tmp_path, lambda _, __, rows=counting: (rows,)) as web:  # type: ignore[misc]
            assert await web.ask("POST", "/v1/counts", json={}, headers=KEY) == (201, {"count": 1})
    assert counting.asked == 0


async def test_a_wrong_key_and_one_of_somebody_else(web: Site, counting: Counting) -> None:
    assert (await web.ask("POST", "/v1/counts", json={}, headers={"Idempotency-Key": "x" * 201}))[0] == 400
    await web.ask("POST", "/v1/counts", json={}, headers=KEY)
    assert (await web.ask("POST", "/v1/counts", READS, json={}, headers=KEY))[0] == 403


async def test_answers_are_bounded_in_time_and_number(web: Site) -> None:
    def kept(at: float) -> repeats_table.KeptAnswer:
        return repeats_table.KeptAnswer("d", at, 200, "{}", "{}")

    for second in range(5):
        keep = partial(repeats_table.keep_answer, who="key:a", name=str(second), answer=kept(NOW - second))
        await web.database.write(keep)
    await web.database.write(partial(repeats_table.bound_answers, before=NOW - KEPT_S, most=3))
    assert [await is_there(web.database, second) for second in range(5)] == [True, True, True, False, False]


async def is_there(database: Database, second: int) -> bool:
    find = partial(repeats_table.find_answer, who="key:a", name=str(second), since=0.0)
    return await database.read(find) is not None
