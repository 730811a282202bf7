"""An edge and its hub over a real WebSocket: each change once and in order, whatever is cut, ended or begun anew."""

from __future__ import annotations

import asyncio
import sqlite3
import ssl
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from routing_engine.calls.as_json import stored_json
from routing_engine.calls.call import Call, CallContact, CallRoute, Leg
from routing_engine.calls.changes import ChangeKind, PbxReached
from routing_engine.edges.messages import ToldChange
from routing_engine.edges.taking import EdgeRights, EdgeTaker
from tests.wire import Wire

from .both import AT, PATIENCE_S, Told, both, call, edge_at, hub_at

pytestmark = pytest.mark.io

STEPS: tuple[tuple[ChangeKind, ...], ...] = (("call.started",), ("call.ringing",), ("call.answered",), ("call.ended",))


def after(call: Call, step: int) -> Call:
    if step == 1:
        return replace(call, ringing_at=call.started_at + 1)
    if step == 2:
        return replace(call, state="talking", answered_at=call.started_at + 5)
    if step == 3:
        return replace(after(call, 2), state="ended", outcome="answered", ended_at=call.started_at + 60)
    return call


async def test_a_call_at_an_edge_is_told_by_the_hub_with_its_route_and_its_user(tmp_path: Path) -> None:
    async with both(tmp_path) as (hub, edge, _):
        route = CallRoute("support", "vip", "matched", "r1", "1.1")
        contact = CallContact("routed", "crm", "contact", "7", "Anna Huber", "https://crm.example.com/7")
        one = call(1, from_="+436641234567", legs=(Leg("main/201"),), route=route, contact=contact)
        await edge.happens(one, "call.started")
        told = await hub.told.until(lambda change: change.call.id == one.id)
        assert (told.route, told.contact, told.from_) == (route, contact, "+436641234567")
        assert [leg.user for leg in told.legs] == ["anna"]
        await edge.all_taken()
        assert edge.phones == {"main/201": "anna"}


async def test_every_change_is_told_once_and_in_order_however_often_the_line_is_cut(tmp_path: Path) -> None:
    async with both(tmp_path) as (hub, edge, wire):
        # Everywhere within messages, of both directions.
        wire.cuts_after = [*range(700, 60_000, 2900)]
        calls = [call(number) for number in range(12)]
        for step, kinds in enumerate(STEPS):
            for one in calls:
                await edge.happens(after(one, step), *kinds)
        await hub.told.ended(*calls)
        await edge.all_taken()
        assert [hub.told.of(one) for one in calls] == [[kind for kinds in STEPS for kind in kinds]] * len(calls)
        assert len(wire.cuts_after) < 20


async def test_what_happens_while_the_line_is_down_is_told_when_it_is_back(tmp_path: Path) -> None:
    async with both(tmp_path) as (hub, edge, wire):
        wire.down = True
        wire.cut()
        one = call(1)
        for step, kinds in enumerate(STEPS):
            await edge.happens(after(one, step), *kinds)
        assert (await edge.spool.state()).waiting > 0
        wire.down = False
        await hub.told.ended(one)
        assert hub.told.of(one) == [kind for kinds in STEPS for kind in kinds]


async def test_a_hub_that_begins_anew_takes_up_where_its_disk_was(tmp_path: Path) -> None:
    ports = [0]
    told = Told()
    async with Wire(lambda: ports[0]).open() as wire, edge_at(tmp_path / "e", f"http://127.0.0.1:{wire.port}") as edge:
        one, other = call(1), call(2)
        for step, kinds in enumerate(STEPS):
            async with hub_at(tmp_path / "hub", told=told) as hub:
                ports[0] = hub.port
                await edge.happens(after(one, step), *kinds)
                await edge.happens(after(other, step), *kinds)
                await told.until(lambda change, wanted=kinds: wanted == change.kinds and change.call.id == other.id)  # type: ignore[misc]
            wire.cut()
        assert told.of(one) == told.of(other) == [kind for kinds in STEPS for kind in kinds]


async def test_an_edge_that_begins_anew_tells_what_it_had_not_told(tmp_path: Path) -> None:
    async with hub_at(tmp_path / "hub") as hub:
        one = call(1)
        async with edge_at(tmp_path / "edge", "http://127.0.0.1:1") as edge:
            await edge.happens(one, "call.started")
        async with edge_at(tmp_path / "edge", hub.url) as edge:
            await edge.happens(after(one, 3), "call.ended")
            await hub.told.ended(one)
        assert hub.told.of(one) == ["call.started", "call.ended"]


async def test_an_edge_that_has_lost_its_disk_goes_on_with_the_same_call(tmp_path: Path) -> None:
    async with hub_at(tmp_path / "hub") as hub:
        one = call(1)
        async with edge_at(tmp_path / "edge", hub.url) as edge:
            await edge.happens(one, "call.started")
            await edge.all_taken()
        async with edge_at(tmp_path / "new", hub.url, run="run-2") as edge:
            anew = replace(after(one, 3), id=call(77).id)
            await edge.happens(anew, "call.started", "call.ended")
            await hub.told.ended(one)
        assert hub.told.of(one) == ["call.started", "call.ended"]


async def test_the_same_changes_again_change_nothing(tmp_path: Path) -> None:
    async with both(tmp_path) as (hub, edge, _):
        one = call(1)
        await edge.happens(one, "call.started")
        await edge.all_taken()
        known = await hub.book.call(one.id)
        assert known is not None
        again = ToldChange(known.told, ("call.started",), stored_json(replace(one, queue="other")))
        await EdgeTaker(hub.book, lambda: AT).take([again], EdgeRights(frozenset({"main"}), {}))
        assert hub.told.of(one) == ["call.started"]


async def test_what_people_have_written_at_the_hub_stays(tmp_path: Path) -> None:
    async with both(tmp_path) as (hub, edge, _):
        contact = CallContact("routed", "crm", "contact", "7")
        one = call(1, route=CallRoute("support", None, "matched", "r1", "1.1"), contact=contact)
        await edge.happens(one, "call.started")
        await edge.all_taken()
        await hub.book.set_contact(one.id, None)
        await edge.happens(after(one, 3), "call.ended")
        await hub.told.ended(one)
        known = await hub.book.call(one.id)
        assert known is not None
        assert known.contact is None


async def test_the_line_says_how_it_is(tmp_path: Path) -> None:
    async with both(tmp_path) as (hub, edge, wire):
        await edge.happens(call(1), "call.started")
        await edge.all_taken()
        assert ("edge_up", 1, ("office",)) in [(one.metric, one.value, one.labels) for one in hub.hub.readings()]
        assert ("edge_up", 0, ("branch",)) in [(one.metric, one.value, one.labels) for one in hub.hub.readings()]
        assert ("hub_up", True) in [(one.metric, one.value) for one in edge.line.readings()]
        wire.down = True
        wire.cut()
        async with asyncio.timeout(60):
            while next(edge.line.readings()).value:
                await edge.database.flush()


async def test_a_pbx_that_an_edge_hears_is_published_once(tmp_path: Path) -> None:
    async with both(tmp_path) as (hub, edge, _):
        await edge.happens(call(1), "call.started")
        await edge.all_taken()
        assert hub.published == [PbxReached("main")]


async def test_nothing_is_let_go_of_while_the_hub_s_database_is_away_and_all_is_told_when_it_is_back(
    tmp_path: Path,
) -> None:
    async with both(tmp_path) as (hub, edge, _):
        one = call(1)
        await edge.happens(one, "call.started")
        await edge.all_taken()
        with closing(sqlite3.connect(tmp_path / "hub" / "calls.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            await edge.happens(after(one, 3), "call.ended")
            async with asyncio.timeout(PATIENCE_S):
                while not hub.database.down:
                    await hub.database.flush()
            assert (await edge.spool.state()).waiting == 1
            other.execute("ROLLBACK")
        await hub.told.ended(one)
        await edge.all_taken()
        assert hub.told.of(one) == ["call.started", "call.ended"]


async def test_a_hub_whose_certificate_nobody_signed_gets_neither_key_nor_calls(tmp_path: Path) -> None:
    asked: list[str] = []

    async def hear(request: web.BaseRequest) -> web.Response:
        asked.append(request.path)
        return web.Response()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    runner = web.ServerRunner(web.Server(hear), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    async with (
        Wire(lambda: int(runner.addresses[0][1])).open() as wire,
        edge_at(tmp_path / "edge", f"https://127.0.0.1:{wire.port}") as edge,
        asyncio.timeout(PATIENCE_S),
    ):
        # It has tried, was not content, and tried again.
        while wire.connections < 2:
            await edge.database.flush()
        assert wire.carried > 0
    await runner.cleanup()
    assert asked == []
