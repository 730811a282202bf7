"""`/v1/users`, `/v1/pbxs` and `/v1/deliveries` over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from routing_engine.delivery import outbox_table
from routing_engine.delivery.jobs import DROPPED, NewJob
from routing_engine.delivery.outbox_queue import OutboxQueue
from routing_engine.settings.people import User
from routing_engine.storage.database import Database
from routing_engine.web.requests import Actor, ApiError, ApiRequest
from routing_engine.web.site_api import SiteApi

from .site import NOW, READS, Site, site

pytestmark = pytest.mark.io

ANNA = User("anna", "Anna Gruber", "anna@example.com", ("main/201",), {"crm": "7"}, caller_ids={"else": "+4312345600"})


class Around:
    """What is in force; `looked` are the lanes that were told to look."""

    def __init__(self) -> None:
        self.looked: list[str] = []

    def users(self) -> Mapping[str, User]:
        return {"anna": ANNA}

    def pbxs(self) -> Mapping[str, tuple[bool, int]]:
        return {"main": (True, 2), "branch": (False, 0)}

    def look(self, lane: str) -> None:
        self.looked.append(lane)


@pytest.fixture
def around() -> Around:
    return Around()


def offered(around: Around, database: Database) -> SiteApi:
    return SiteApi(around, OutboxQueue(database), lambda: NOW)


@pytest.fixture
async def web(tmp_path: Path, around: Around) -> AsyncIterator[Site]:
    async with site(tmp_path, lambda _, database: (offered(around, database),)) as found:
        jobs = [NewJob("crm", "c1", "log"), NewJob("crm", "c2", "log"), NewJob("hook", "c1", "webhook", "{}")]
        await found.database.write(partial(outbox_table.put, jobs=jobs, now=NOW))
        yield found


async def test_people_are_listed_without_what_is_not_for_others(web: Site) -> None:
    _, body = await web.ask("GET", "/v1/users")
    assert body["users"] == [
        {
            "key": "anna",
            "name": "Anna Gruber",
            "email": "anna@example.com",
            "phones": ["main/201"],
            "group": "default",
            "role": "agent",
        }
    ]


async def test_each_pbx_says_whether_it_is_connected(web: Site) -> None:
    _, body = await web.ask("GET", "/v1/pbxs")
    assert body["pbxs"] == [
        {"name": "main", "connected": True, "calls": 2},
        {"name": "branch", "connected": False, "calls": 0},
    ]


async def test_deliveries_come_in_pages(web: Site) -> None:
    _, first = await web.ask("GET", "/v1/deliveries?limit=2")
    _, second = await web.ask("GET", f"/v1/deliveries?limit=2&cursor={first['next']}")
    told = [(one["target"], one["call"]) for page in (first, second) for one in page["deliveries"]]
    assert (told, second["next"]) == ([("crm", "c1"), ("crm", "c2"), ("hook", "c1")], None)


async def test_a_dead_one_is_sent_again_at_once(web: Site, around: Around) -> None:
    queue = OutboxQueue(web.database)
    job = await queue.claim("crm", NOW)
    assert job is not None
    await queue.bury(job, "400 Bad Request", NOW)
    _, dead = await web.ask("GET", "/v1/deliveries?state=dead")
    assert [(one["id"], one["error"], one["next_try_at"]) for one in dead["deliveries"]] == [
        (job.id, "400 Bad Request", None)
    ]
    status, _ = await web.ask("POST", f"/v1/deliveries/{job.id}/retry")
    assert (status, around.looked) == (200, ["crm"])
    assert (await web.ask("GET", "/v1/deliveries?state=dead"))[1]["deliveries"] == []


async def test_one_that_is_given_up_says_so(web: Site) -> None:
    _, body = await web.ask("GET", "/v1/deliveries")
    first = body["deliveries"][0]["id"]
    assert (await web.ask("POST", f"/v1/deliveries/{first}/drop"))[0] == 200
    _, body = await web.ask("GET", "/v1/deliveries")
    assert body["deliveries"][0]["error"] == DROPPED


@pytest.mark.parametrize("asked", ["x", "0", "-1", "9" * 19, "9" * 30, "²"])
async def test_what_is_no_id_is_refused(web: Site, asked: str) -> None:
    status, body = await web.ask("POST", f"/v1/deliveries/{asked}/retry")
    assert (status, body["error"]["code"]) == (400, "bad_value")


async def test_one_that_is_not_there_and_a_key_without_the_right_are_told(web: Site) -> None:
    assert (await web.ask("POST", "/v1/deliveries/999/retry"))[1]["error"]["code"] == "unknown_delivery"
    assert (await web.ask("POST", "/v1/deliveries/1/drop", READS))[0] == 403


@pytest.mark.parametrize("row", range(2, 5))
async def test_deliveries_are_not_for_agents(web: Site, around: Around, row: int) -> None:
    agent = Actor("anna", frozenset({"calls.read", "calls.write"}), ANNA)
    answer = offered(around, web.database).endpoints()[row].answer
    with pytest.raises(ApiError) as refused:
        await answer(ApiRequest(agent, {"id": "1"}))
    assert refused.value.status == 403
