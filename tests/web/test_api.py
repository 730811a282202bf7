"""The listener `http` over real HTTP: keys, rights, calls, edits and events of other systems, and who misuses it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from routing_engine.call_book import CallBook
from routing_engine.calls.tracker import TrackedCall
from routing_engine.settings.people import People
from routing_engine.storage.connector import DatabasePlace
from routing_engine.storage.database import Database
from routing_engine.web.access import Access
from routing_engine.web.api import ApiListener
from routing_engine.web.keys import MOST_WRONG
from routing_engine.web.reports import ReportsApi

from .site import CALL, KEYS, NOW, READS, TELLS, Site, site

pytestmark = pytest.mark.io


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as found:
        await found.book.take([TrackedCall(CALL, ("call.started",))])
        await found.database.flush()  # lists are read from there
        yield found


def event(type_: str = "call.started", **more: object) -> dict[str, object]:
    base = {"id": f"{type_}-1", "call": "x1", "type": type_, "at": "2026-11-29T12:00:00Z", "direction": "inbound"}
    return {**base, "from": "0664 1112223", "to": "+4312345601", **more}


# Keys and rights


async def test_without_a_key_or_with_a_wrong_one_nothing_is_told(web: Site) -> None:
    for key in ("", "wrong", READS + "x"):
        status, body = await web.ask("GET", "/v1/calls", key)
        assert (status, body["error"]["code"]) == (401, "no_key")
        assert set(body["error"]) == {"code", "message", "remedy"}


async def test_a_key_does_what_it_may_and_no_more(web: Site) -> None:
    assert (await web.ask("GET", "/v1/calls", READS))[0] == 200
    assert (await web.ask("PATCH", "/v1/calls/c1", READS, json={"tags": ["x"]}))[0] == 403
    assert (await web.ask("GET", "/v1/calls", TELLS))[0] == 403


async def test_who_guesses_is_not_listened_to_any_more(web: Site) -> None:
    for _ in range(MOST_WRONG):
        await web.ask("GET", "/v1/calls", "wrong")
    assert (await web.ask("GET", "/v1/calls", READS))[0] == 429


# Calls


async def test_a_call_is_listed_and_read_as_the_contract_has_it(web: Site) -> None:
    status, body = await web.ask("GET", "/v1/calls?number=06641112223&direction=inbound")
    assert (status, [one["id"] for one in body["calls"]], body["next"]) == (200, ["c1"], None)
    status, one = await web.ask("GET", "/v1/calls/c1")
    assert (one["from"], one["state"], one["contact"], one["recording"]["state"]) == (
        "+436641112223",
        "ringing",
        None,
        "none",
    )


@pytest.mark.parametrize(
    "query", ["numbr=1", "outcome=lost", "direction=in", "limit=0", "limit=1000", "limit=x", "since=soon", "cursor=x"]
)
async def test_a_wrong_parameter_is_refused_and_named(web: Site, query: str) -> None:
    status, body = await web.ask("GET", f"/v1/calls?{query}")
    assert (status, body["error"]["code"]) == (400, "bad_value")
    assert query.partition("=")[0] in body["error"]["message"]


async def test_notes_are_added_with_author_and_time_and_tags_merge(web: Site) -> None:
    await web.ask("PATCH", "/v1/calls/c1", json={"notes": "wants a quote", "tags": {"add": ["quote", "vip"]}})
    status, body = await web.ask("PATCH", "/v1/calls/c1", json={"notes": "sent", "tags": {"remove": ["vip"]}})
    assert status == 200
    assert [(one["by"], one["text"]) for one in body["notes"]] == [("writer", "wants a quote"), ("writer", "sent")]
    assert (body["tags"], body["version"]) == (["quote"], 3)


async def test_a_stale_version_is_refused_and_null_takes_away(web: Site) -> None:
    status, body = await web.ask("PATCH", "/v1/calls/c1", json={"sentiment": "positive"}, headers={"If-Match": '"1"'})
    assert (status, body["sentiment"]) == (200, "positive")
    assert (await web.ask("PATCH", "/v1/calls/c1", json={}, headers={"If-Match": '"1"'}))[0] == 412
    assert (await web.ask("PATCH", "/v1/calls/c1", json={"sentiment": None}))[1]["sentiment"] is None


async def test_a_contact_can_be_linked(web: Site) -> None:
    contact = {"integration": "crm", "model": "contact", "id": "7", "name": "Anna"}
    status, body = await web.ask("PATCH", "/v1/calls/c1", json={"contact": contact})
    assert (status, body["contact"]["matched"], body["contact"]["id"]) == (200, "linked", "7")


@pytest.mark.parametrize(
    "body",
    [
        {"note": "x"},
        {"notes": 5},
        {"tags": "x"},
        {"tags": [5]},
        {"tags": {"plus": []}},
        {"sentiment": "angry"},
        {"contact": {"id": "7"}},
        {"contact": "7"},
        {"contact": {"integration": "crm", "model": "contact", "id": "7", "url": "h" * 2001}},
        {"contact": {"integration": "crm", "model": "contact", "id": "7", "url": "javascript:alert(1)"}},
        {"notes": "x" * 20_001},
    ],
)
async def test_a_wrong_edit_changes_nothing(web: Site, body: object) -> None:
    status, answer = await web.ask("PATCH", "/v1/calls/c1", json=body)
    assert (status, "remedy" in answer["error"]) == (400, True)
    assert (await web.ask("GET", "/v1/calls/c1"))[1]["version"] == 1


async def test_what_is_not_json_or_too_large_is_refused(web: Site) -> None:
    assert (await web.ask("PATCH", "/v1/calls/c1", data=b"{"))[0] == 400
    assert (await web.ask("PATCH", "/v1/calls/c1", data=b"[]"))[0] == 400
    assert (await web.ask("PATCH", "/v1/calls/c1", data=b'{"notes": NaN}'))[0] == 400
    assert (await web.ask("PATCH", "/v1/calls/c1", data=b"x" * 300_000))[0] == 413


async def test_unknown_calls_addresses_and_methods_are_told(web: Site) -> None:
    assert (await web.ask("GET", "/v1/calls/none"))[0] == 404
    assert (await web.ask("GET", "/v1/call"))[0] == 404
    assert (await web.ask("DELETE", "/v1/calls/c1"))[0] == 405


# Events of other systems


async def test_events_of_another_system_become_a_call(web: Site) -> None:
    for kind, second in (("call.started", 0), ("call.ringing", 2), ("call.answered", 7), ("call.ended", 67)):
        body = event(kind, at=f"2026-11-29T12:0{second // 60}:{second % 60:02}Z")
        assert (await web.ask("POST", "/v1/events/cloud", TELLS, json=body))[0] == 202
    call = await web.until("call.ended")
    assert (call.pbx, call.from_, call.to, call.outcome) == ("cloud", "+436641112223", "+4312345601", "answered")
    assert (call.wait_s, call.talk_s, call.duration_s) == (7.0, 60.0, 67.0)


async def test_the_same_event_again_and_another_order_change_nothing(web: Site) -> None:
    end, start = event("call.ended", at="2026-11-29T12:00:09Z"), event()
    for body in (end, start, end, start):
        assert (await web.ask("POST", "/v1/events/cloud", TELLS, json=body))[0] == 202
    await web.first(lambda one: one.call.duration_s == 9.0)  # the end may have been worked out before the start
    await web.database.flush()
    _, found = await web.ask("GET", "/v1/calls?outcome=missed")
    assert [(one["pbx"], one["duration_s"]) for one in found["calls"]] == [("cloud", 9.0)]
    assert sum("call.missed" in one.kinds for one in web.told) == 1


async def test_what_waits_is_taken_after_a_restart(tmp_path: Path) -> None:
    database = Database(DatabasePlace(tmp_path / "calls.db"))
    await database.open()
    book = CallBook(database, lambda _: None)
    reports = ReportsApi(database, book, lambda _: False, str, lambda: NOW)
    api = ApiListener((reports,), Access(KEYS, People(), lambda: 0.0))
    await api.listen("127.0.0.1", 0)
    async with aiohttp.ClientSession() as session:  # nobody works it out: the engine is killed at once
        headers = {"Authorization": f"Bearer {TELLS}"}
        async with session.post(f"http://{api.addresses[0]}/v1/events/cloud", json=event(), headers=headers) as answer:
            assert (answer.status, await answer.json()) == (202, {"accepted": True, "new": True})
    await api.stop()
    await database.close()
    async with site(tmp_path) as again:
        assert (await again.until("call.started")).pbx_call_id == "x1"


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"type": "call.lost"}, "type"),
        ({"direction": "in"}, "direction"),
        ({"at": None}, "at"),
        ({"at": "2999-01-01T00:00:00Z"}, "at"),
        ({"id": ""}, "id"),
        ({"call": None}, "call"),
        ({"from": 5}, "from"),
        ({"fron": "1"}, "fron"),
    ],
)
async def test_an_event_that_says_too_little_is_refused(web: Site, more: dict[str, object], named: str) -> None:
    status, body = await web.ask("POST", "/v1/events/cloud", TELLS, json=event(**more))
    assert (status, named in body["error"]["message"]) == (400, True)


async def test_a_pbx_that_is_followed_has_no_events_of_others(web: Site) -> None:
    assert (await web.ask("POST", "/v1/events/main", TELLS, json=event()))[0] == 409


async def test_a_flood_of_events_is_answered_and_nothing_is_lost(web: Site) -> None:
    bodies = [event(id=f"e{n}", call=f"x{n}") for n in range(300)]
    answers = await asyncio.gather(*(web.ask("POST", "/v1/events/cloud", TELLS, json=body) for body in bodies))
    assert {status for status, _ in answers} == {202}
    async with asyncio.timeout(60):
        while len({one.call.pbx_call_id for one in web.told if one.call.pbx == "cloud"}) < 300:
            web.heard.clear()
            await web.heard.wait()


async def test_a_record_of_a_caller_is_escaped_in_what_is_sent(web: Site) -> None:
    _, body = await web.ask("PATCH", "/v1/calls/c1", json={"notes": "\x1b[31m<script>\u202e"})
    async with web.session.get(web.url + "/v1/calls/c1", headers={"Authorization": f"Bearer {READS}"}) as answer:
        raw = await answer.read()
    assert raw.isascii()
    assert json.loads(raw)["notes"] == body["notes"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
