"""`GET /v1/stream`: a snapshot, then every change; who comes back goes on; who may not any more hears nothing more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from routing_engine.calls.call import Call, CallContact, Leg
from routing_engine.calls.changes import CallChanged
from routing_engine.calls.tracker import TrackedCall
from routing_engine.settings.people import People, User
from routing_engine.web.requests import Actor, ApiError, ApiRequest
from routing_engine.web.stream import MOST_STREAMS, CallStream

from .site import CALL, KEYS, READS, WRITES, Site, site

pytestmark = pytest.mark.io


@dataclass
class Event:
    id: str
    kind: str
    data: dict[str, Any]


class Listening:
    """A reader of the stream, as a browser reads it."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def next(self) -> Event | None:
        """The next event; None where the stream has ended."""
        async with asyncio.timeout(60):
            found: dict[str, str] = {}
            while line := (await self._answer.content.readline()).decode():
                name, _, value = line.rstrip("\n").partition(": ")
                if line == "\n" and "data" in found:
                    return Event(found["id"], found["event"], json.loads(found["data"]))
                found[name] = value
        return None


@asynccontextmanager
async def listening(web: Site, key: str = READS, last: str = "") -> AsyncIterator[Listening]:
    headers = {"Authorization": f"Bearer {key}", **({"Last-Event-ID": last} if last else {})}
    async with web.session.get(f"{web.url}/v1/stream", headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        yield Listening(answer)


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as found:
        await found.book.take([TrackedCall(CALL, ("call.started",))])
        yield found


async def test_it_begins_with_the_calls_under_way_and_goes_on_with_changes(web: Site) -> None:
    async with listening(web) as stream:
        first = await stream.next()
        assert first is not None
        assert (first.kind, [one["id"] for one in first.data["calls"]]) == ("snapshot", ["c1"])
        await web.book.take([TrackedCall(replace(CALL, state="ended"), ("call.ended", "call.missed"))])
        told = [await stream.next(), await stream.next()]
    assert [(one.kind, one.data["state"]) for one in told if one] == [("call.ended", "ended"), ("call.missed", "ended")]


async def test_who_comes_back_goes_on_where_it_broke(web: Site) -> None:
    async with listening(web) as stream:
        first = await stream.next()
    assert first is not None
    await web.ask("PATCH", "/v1/calls/c1", json={"tags": ["a"]})
    await web.ask("PATCH", "/v1/calls/c1", json={"tags": ["b"]})
    async with listening(web, last=first.id) as stream:
        told = [await stream.next(), await stream.next()]
    assert [(one.kind, one.data["tags"]) for one in told if one] == [("call.updated", ["a"]), ("call.updated", ["b"])]


@pytest.mark.parametrize("last", ["1-1", "x", "1796000000000-999", "1796000000000--1"])
async def test_an_id_that_nobody_can_go_on_from_gets_a_snapshot(web: Site, last: str) -> None:
    async with listening(web, last=last) as stream:
        first = await stream.next()
    assert first is not None
    assert first.kind == "snapshot"


async def test_a_key_that_is_taken_away_ends_its_stream(web: Site) -> None:
    async with listening(web) as stream, listening(web, WRITES) as other:
        await stream.next()
        await other.next()
        web.access.change([one for one in KEYS if one.key != READS], People())
        web.stream.review()
        await web.ask("PATCH", "/v1/calls/c1", json={"tags": ["secret"]})
        assert await stream.next() is None
        goes_on = await other.next()
    assert goes_on is not None


async def test_who_opens_too_many_is_told_to_close_some(web: Site) -> None:
    opened = [await web.session.get(f"{web.url}/v1/stream", headers=bearer(READS)) for _ in range(MOST_STREAMS)]
    for answer in opened:
        await Listening(answer).next()
    status, body = await web.ask("GET", "/v1/stream", READS)
    assert (status, body["error"]["code"]) == (429, "too_many_streams")
    for answer in opened:
        answer.close()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


# Without a listener: who hears what


READS_CONTACTS = {"crm.contact": frozenset({"read"})}
ANNA = Actor("anna", frozenset({"calls.read"}), User("anna", "Anna"), READS_CONTACTS)
OTTO = Actor("otto", frozenset({"calls.read"}), User("otto", "Otto"), {})
BOSS = Actor("boss", frozenset({"calls.read"}), User("boss", "Boss", role="supervisor"), READS_CONTACTS)
PROGRAM = Actor("program", frozenset({"calls.read"}))
KNOWN = CallContact("found", "crm", "contact", "7", "Anna")
LEGS = (Leg("main/201", "anna"), Leg("main/202", "otto"))
RINGS = Call("c9", "main", "9.9", "inbound", 1.0, legs=LEGS, contact=KNOWN)


class Book:
    def __init__(self, *calls: Call) -> None:
        self._calls = calls

    def open_calls(self) -> list[Call]:
        return [*self._calls]


def events(piece: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The events of a piece: what each is called, and its call."""
    lines = [one.split("\n") for one in piece.decode().split("\n\n") if one]
    return [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for _, kind, data in lines]


def still(actor: Actor) -> Callable[[], Awaitable[Actor]]:
    """Nobody has changed the rights."""

    async def again() -> Actor:
        return actor

    return again


async def heard(stream: CallStream, actor: Actor, *changes: CallChanged) -> list[bytes]:
    """What is sent to somebody after the snapshot, in the pieces in which it comes."""
    pieces = stream._pieces(ApiRequest(actor, again=still(actor)))
    await anext(pieces)
    for change in changes:
        stream.hear(change)
    stream.hear(CallChanged(Call("last", "main", "0", "inbound", 1.0, user=actor.name), ("call.ended",)))
    found: list[bytes] = []
    async for piece in pieces:
        found.append(piece)
        if b"last" in piece:
            break
    await pieces.aclose()
    return found


async def test_people_hear_of_their_own_calls_and_supervisors_of_all() -> None:
    mine = CallChanged(RINGS, ("call.ringing",))
    others = CallChanged(replace(RINGS, id="c8", legs=(Leg("main/209", "somebody"),)), ("call.ringing",))
    for actor, ids in ((ANNA, ["c9"]), (BOSS, ["c9", "c8"]), (PROGRAM, ["c9", "c8"])):
        told = b"".join(await heard(CallStream(Book()), actor, mine, others)).decode()
        assert [one for one in ("c9", "c8") if f'"id": "{one}"' in told] == ids


async def test_a_record_that_a_group_may_not_read_is_in_no_event() -> None:
    stream = CallStream(Book(RINGS))
    ring = CallChanged(RINGS, ("call.ringing",))
    assert b'"crm"' in b"".join(await heard(stream, ANNA, ring))
    assert b'"crm"' not in b"".join(await heard(stream, OTTO, ring))
    assert b'"crm"' not in await anext(stream._pieces(ApiRequest(OTTO)))


async def test_what_people_may_read_alike_is_written_once() -> None:
    stream = CallStream(Book())
    for actor in (ANNA, BOSS, ANNA):
        await heard(stream, actor, CallChanged(RINGS, ("call.ringing",)))
    assert {len(one.written) for one in stream._ring if one.call.id == "c9"} == {1}


async def test_a_page_gets_the_versions_that_wait_as_one_with_every_kind_once() -> None:
    changes = [CallChanged(replace(RINGS, version=1), ("call.started", "call.ringing"))]
    changes += [CallChanged(replace(RINGS, version=at), ("call.ringing",)) for at in (2, 3)]
    changes.append(CallChanged(replace(RINGS, version=4, user="anna"), ("call.answered",)))
    (piece,) = await heard(CallStream(Book()), ANNA, *changes)
    told = [(kind, data["version"]) for kind, data in events(piece) if data["id"] == "c9"]
    assert told == [("call.started", 4), ("call.ringing", 4), ("call.answered", 4)]
    numbers = [int(line.rpartition(b"-")[2]) for line in piece.splitlines() if line.startswith(b"id: ")]
    assert numbers == sorted(numbers)


async def test_a_program_gets_every_change_as_it_was() -> None:
    changes = [CallChanged(replace(RINGS, version=at), ("call.ringing",)) for at in (1, 2, 3)]
    told = events(b"".join(await heard(CallStream(Book()), PROGRAM, *changes)))
    assert [data["version"] for _, data in told if data["id"] == "c9"] == [1, 2, 3]


async def test_a_page_hears_of_no_version_in_which_the_call_was_not_its_persons() -> None:
    others = CallChanged(replace(RINGS, legs=LEGS[1:]), ("call.started",))
    told = events(b"".join(await heard(CallStream(Book()), ANNA, others, CallChanged(RINGS, ("call.ringing",)))))
    assert [kind for kind, data in told if data["id"] == "c9"] == ["call.ringing"]


async def test_a_page_that_was_told_of_a_change_lets_the_next_ones_gather_and_a_program_does_not() -> None:
    stream = CallStream(Book(), gather_s=3600.0)
    waits = []
    for actor in (ANNA, PROGRAM):
        pieces = stream._pieces(ApiRequest(actor, again=still(actor)))
        await anext(pieces)
        stream.hear(CallChanged(RINGS, ("call.started",)))
        assert [kind for kind, _ in events(await anext(pieces))] == ["call.started"]
        following = asyncio.ensure_future(anext(pieces))
        stream.hear(CallChanged(replace(RINGS, version=2), ("call.ringing",)))
        waits.append(following not in (await asyncio.wait([following], timeout=0.01 if actor is ANNA else 60))[0])
        following.cancel()
    assert waits == [True, False]


async def test_silence_is_filled_and_the_right_looked_at() -> None:
    stream = CallStream(Book(), heartbeat_s=0.01)
    looked = iter([ANNA, ANNA])

    async def again() -> Actor:
        try:
            return next(looked)
        except StopIteration:
            raise ApiError(401, "no_session", "it is over", "log in") from None

    pieces = [piece async for piece in stream._pieces(ApiRequest(ANNA, again=again))]
    assert pieces[1:] == [b": still here\n\n"] * 2
    assert stream.readers == 0


async def test_one_who_is_too_slow_for_the_ring_is_ended() -> None:
    stream = CallStream(Book(), most_kept=10)
    pieces = stream._pieces(ApiRequest(PROGRAM))
    await anext(pieces)
    for _ in range(11):
        stream.hear(CallChanged(RINGS, ("call.updated",)))
    assert [piece async for piece in pieces] == []
