"""Who has a key and does not keep to what was agreed: a clear word, an end, and nothing of anybody else is touched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from routing_engine.calls.as_json import stored_json
from routing_engine.calls.call import Call, CallContact, CallDelivery, CallRecording, Leg, Note
from routing_engine.calls.changes import ChangeKind
from routing_engine.calls.tracker import TrackedCall
from routing_engine.edges.hub import EdgeRules
from routing_engine.edges.messages import (
    MOST_BYTES,
    SPEAKS,
    Changes,
    Health,
    Message,
    Piece,
    Refused,
    Taken,
    ToldChange,
    Welcome,
    written_piece,
)

from .both import BRANCH, KEYS, OFFICE, RULES, HubSite, Stranger, call, edge_at, hello, hub_at, stranger

pytestmark = pytest.mark.io
NUMBER = 1_764_500_000_000_000


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubSite]:
    async with hub_at(tmp_path / "hub") as found:
        yield found


def told(call: Call, *kinds: ChangeKind, number: int = NUMBER) -> Changes:
    return Changes((ToldChange(number, kinds or ("call.started",), stored_json(call)),))


async def welcomed(hub: HubSite, line: Stranger) -> None:
    await line.say(hello())
    assert isinstance(await line.hears(), Welcome)


async def refused(hub: HubSite, *said: Message | str | bytes, key: str = OFFICE) -> str:
    """What is said at the end of a line on which this was said."""
    async with stranger(hub, key) as line:
        await line.say(*said)
        found = ""
        while (message := await line.hears()) is not None:
            if isinstance(message, Refused):
                found = message.code
        return found


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (["no JSON"], "no_message"),
        (["[" * 50_000], "no_message"),
        ([Health(0.0, 0)], "no_hello"),
        ([b"\0" * 100], "no_hello"),
        ([hello("main", "second")], "not_its_pbx"),
        ([hello("second")], "not_its_pbx"),
        ([hello(speaks=SPEAKS + 1)], "edge_newer"),
        ([hello(speaks=0)], "edge_older"),
        ([hello(), hello()], "no_edge"),
        ([hello(), Welcome("office")], "no_edge"),
        ([hello(), Changes(())], "too_fast"),
        ([hello(), b"\0\0\0\1"], "no_piece"),
        (
            [hello(), '{"type": "changes", "changes": [{"number": 1, "kinds": ["call.stolen"], "call": ""}]}'],
            "no_message",
        ),
    ],
)
async def test_what_was_not_agreed_ends_the_line_with_a_word(
    hub: HubSite, said: list[Message | str | bytes], code: str
) -> None:
    assert await refused(hub, *said) == code
    assert hub.told.changes == []


async def test_a_flood_of_changes_ends_the_line_and_others_are_heard(hub: HubSite, tmp_path: Path) -> None:
    flood = [told(call(number), number=NUMBER + number) for number in range(200)]
    async with edge_at(tmp_path / "branch", hub.url, BRANCH, ("second",)) as edge:
        assert await refused(hub, hello(), *flood) == "too_fast"
        one = call(500, "second")
        await edge.happens(one, "call.started")
        await hub.told.until(lambda change: change.call.id == one.id)


async def test_a_message_without_end_is_not_read_to_its_end(hub: HubSite) -> None:
    async with stranger(hub) as line:
        await welcomed(hub, line)
        with suppress(ConnectionError):
            await line.say("x" * (MOST_BYTES + 1))
        assert await line.hears() is None
    assert hub.told.changes == []


async def test_pieces_that_nobody_asked_for_are_dropped(hub: HubSite) -> None:
    async with stranger(hub) as line:
        await welcomed(hub, line)
        await line.say(written_piece(Piece(7, b"sound")), told(call(1)))
        assert await line.hears() == Taken(NUMBER)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"pbx": "second"}, "no PBX of this edge"),
        ({"id": "1"}, "no id of ours"),
        ({"id": "x" * 36}, "no id of ours"),
        ({"merged_into": "../calls"}, "no id of ours"),
        ({"started_at": 9e9}, "begins after tomorrow"),
        ({"started_at": -1.0}, "begins after tomorrow"),
    ],
)
async def test_a_call_that_is_not_the_edges_to_tell_is_put_aside_and_the_next_is_taken(
    hub: HubSite, change: dict[str, object], why: str
) -> None:
    async with stranger(hub) as line:
        await welcomed(hub, line)
        await line.say(told(replace(call(1), **change)), told(call(2), number=NUMBER + 1))  # type: ignore[arg-type]
        first = await line.hears()
        assert isinstance(first, Taken)
        assert why in first.but[0].why
        assert await line.hears() == Taken(NUMBER + 1)
    assert [one.call.id for one in hub.told.changes] == [call(2).id]


async def test_a_call_of_another_edge_is_neither_changed_nor_made_a_part_of_one(hub: HubSite) -> None:
    theirs = call(1, "second")
    await hub.book.take([TrackedCall(theirs, ("call.started",))])
    stolen = replace(call(1), state="ended")
    joined = replace(call(2), state="ended", merged_into=theirs.id, notes=(Note(1.0, "x", "lies"),))
    async with stranger(hub) as line:
        await welcomed(hub, line)
        await line.say(told(stolen), told(joined, number=NUMBER + 1))
        for _ in range(2):
            answer = await line.hears()
            assert isinstance(answer, Taken)
            assert answer.but[0].why == "the call is another PBX's"
    known = await hub.book.call(theirs.id)
    assert known is not None
    assert (known.pbx, known.state, known.notes) == ("second", "ringing", ())


async def test_what_is_not_the_edges_to_say_is_left_out(hub: HubSite) -> None:
    lies = replace(
        call(1),
        version=99,
        user="bert",
        legs=(Leg("main/201", "bert"), Leg("second/301", "anna")),
        contact=CallContact("routed", "crm", "contact", "7", url="javascript:alert(1)"),
        recording=CallRecording("attached", 60.0, "https://evil.example.com", "x.wav"),
        notes=(Note(1.0, "bert", "lies"),),
        tags=("vip",),
        deliveries={"crm": CallDelivery("done", id="7")},
    )
    async with stranger(hub) as line:
        await welcomed(hub, line)
        await line.say(told(lies))
        assert isinstance(await line.hears(), Taken)
    known = await hub.book.call(lies.id)
    assert known is not None
    assert (known.user, [leg.user for leg in known.legs]) == (None, ["anna", "anna"])
    assert (known.notes, known.tags, known.deliveries, known.version) == ((), (), {}, 1)
    assert known.recording == CallRecording("pending", name="x.wav")
    assert known.contact is not None
    assert known.contact.url is None


async def test_two_engines_with_one_key_are_told_apart_and_the_first_goes_on(hub: HubSite) -> None:
    async with stranger(hub) as first:
        await welcomed(hub, first)
        assert await refused(hub, hello(run="another")) == "edge_twice"
        await first.say(told(call(1)))
        assert await first.hears() == Taken(NUMBER)


async def test_the_same_engine_again_takes_the_place_of_its_line_that_broke(hub: HubSite) -> None:
    async with stranger(hub) as first, stranger(hub) as second:
        await welcomed(hub, first)
        await welcomed(hub, second)
        await second.say(told(call(1)))
        assert await second.hears() == Taken(NUMBER)


async def test_a_key_that_is_taken_away_ends_its_line(hub: HubSite) -> None:
    async with stranger(hub) as line:
        await welcomed(hub, line)
        hub.hub.change(EdgeRules(RULES.edges, RULES.phones, {"branch": KEYS["branch"]}))
        answer = await line.hears()
        assert isinstance(answer, Refused)
        assert answer.code == "changed"
        assert await line.hears() is None


async def test_connections_that_say_nothing_are_few(hub: HubSite) -> None:
    async with stranger(hub), stranger(hub), stranger(hub), stranger(hub):
        async with asyncio.timeout(60):
            while await refused(hub) != "too_many":
                pass


@pytest.mark.parametrize(("key", "status"), [("x" * 20, 401), ("", 401)])
async def test_without_the_key_of_an_edge_there_is_no_line(hub: HubSite, key: str, status: int) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as found:
        async with stranger(hub, key):
            pass
    assert found.value.status == status


async def test_whoever_asks_with_the_key_learns_whether_the_edge_is_connected(hub: HubSite) -> None:
    who = {"Authorization": f"Bearer {OFFICE}"}
    async with aiohttp.ClientSession(headers=who) as session, session.get(f"{hub.url}/v1/edges") as answer:
        said = await answer.json()
    assert said == {"edge": "office", "speaks": SPEAKS, "connected": False, "pbxs": ["main"]}


async def test_a_clock_that_is_wrong_is_told_and_calls_keep_the_times_of_their_pbx(hub: HubSite) -> None:
    async with stranger(hub) as line:
        await line.say(hello())
        assert isinstance(await line.hears(), Welcome)
        await line.say(told(call(1)))
        assert await line.hears() == Taken(NUMBER)
        ahead = {one.metric: one.value for one in hub.hub.readings() if one.labels == ("office",)}
    assert ahead["edge_clock_ahead_seconds"] < -1e9
    known = await hub.book.call(call(1).id)
    assert known is not None
    assert known.started_at == call(1).started_at
