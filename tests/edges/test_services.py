"""Recordings and commands over the line: bounded, in turns with events, and nothing but what is agreed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from routing_engine.calls.ports import PbxCommands, SoundFile
from routing_engine.edges.messages import PIECE, PIECES, RECORDINGS
from routing_engine.errors import AmiRefused, PbxDown, ProviderUnreachable

from .both import EdgeSite, HubSite, both, call

pytestmark = pytest.mark.io
SOUND = bytes(range(256)) * 1200


async def connected(hub: HubSite, edge: EdgeSite) -> None:
    """Wait for the line."""
    await edge.happens(call(99), "call.started")
    await hub.told.until(lambda change: change.call.id == call(99).id)


async def found(hub: HubSite, name: str) -> SoundFile:
    sound = await hub.hub.recordings("main").find(name)
    assert sound is not None
    return sound


async def test_a_recording_comes_whole_over_the_line_and_again(tmp_path: Path) -> None:
    async with both(tmp_path) as (hub, edge, _):
        edge.pbx.sounds["a.wav"] = SOUND
        await connected(hub, edge)
        sound = await found(hub, "a.wav")
        assert (sound.name, sound.seconds, sound.size, sound.media_type) == ("a.wav", 2.5, len(SOUND), "audio/wav")
        for _ in range(2):
            assert b"".join([piece async for piece in sound.open()]) == SOUND
        assert await hub.hub.recordings("main").find("b.wav") is None


async def test_many_recordings_that_nobody_takes_hold_no_event_up(tmp_path: Path) -> None:
    async with both(tmp_path) as (hub, edge, wire):
        edge.pbx.sounds["a.wav"] = SOUND
        await connected(hub, edge)
        sound = await found(hub, "a.wav")
        opened = [sound.open() for _ in range(RECORDINGS + 3)]
        for one in opened[:RECORDINGS]:
            assert len(await anext(one)) == PIECE
        before = wire.carried
        await edge.happens(call(1), "call.started")
        await hub.told.until(lambda change: change.call.id == call(1).id)
        # No more than was asked for is on its way, or in anybody's memory.
        assert wire.carried - before < RECORDINGS * PIECES * PIECE
        for one in opened:
            await one.aclose()  # type: ignore[attr-defined]
        assert b"".join([piece async for piece in sound.open()]) == SOUND


async def test_a_recording_whose_line_breaks_is_tried_again_later(tmp_path: Path) -> None:
    async with both(tmp_path) as (hub, edge, wire):
        edge.pbx.sounds["a.wav"] = SOUND
        await connected(hub, edge)
        pieces = (await found(hub, "a.wav")).open()
        await anext(pieces)
        wire.cut()
        with pytest.raises(ProviderUnreachable):
            async for _ in pieces:
                pass


async def test_without_a_line_a_recording_waits_and_a_command_fails_at_once(tmp_path: Path) -> None:
    async with both(tmp_path) as (hub, _, __):
        with pytest.raises(ProviderUnreachable, match="not connected"):
            await hub.hub.recordings("second").find("a.wav")
        commands = hub.hub.commands("second")
        assert not commands.reachable
        with pytest.raises(PbxDown, match="not connected"):
            await commands.action("Hangup", {"Channel": "PJSIP/201-1"})


async def test_a_command_reaches_the_pbx_and_its_answer_comes_back(tmp_path: Path) -> None:
    async with both(tmp_path) as (hub, edge, _):
        await connected(hub, edge)
        commands: PbxCommands = hub.hub.commands("main")
        fields = {"Channel": "PJSIP/201-1", "Context": "from-internal", "Exten": "202"}
        assert await commands.action("Redirect", fields) == [{"Response": "Success"}]
        path = "/asterisk/config/dynamic/res_pjsip/auth/201-web"
        assert await commands.rest("PUT", path, {"fields": [{"attribute": "password", "value": "x"}]}) == 204
        assert edge.pbx.told == [
            ("Redirect", fields),
            (f"PUT {path}", {}),
        ]


async def test_a_phone_rings_through_the_dialplan_and_through_no_application(tmp_path: Path) -> None:
    async with both(tmp_path) as (hub, edge, _):
        await connected(hub, edge)
        commands = hub.hub.commands("main")
        assert await commands.originate("re-1", {"Channel": "PJSIP/201", "Context": "from-internal"})
        assert edge.pbx.told == [("originate re-1", {"Channel": "PJSIP/201", "Context": "from-internal"})]
        with pytest.raises(AmiRefused, match="into the dialplan only"):
            await commands.originate("re-2", {"Channel": "PJSIP/201", "application": "System", "data": "reboot"})


async def test_an_edge_lets_a_hub_do_nothing_that_was_not_agreed(tmp_path: Path) -> None:
    async with both(tmp_path) as (hub, edge, _):
        await connected(hub, edge)
        with pytest.raises(AmiRefused, match="does not let"):
            await hub.hub.commands("main").action("Command", {"Command": "core stop now"})
        with pytest.raises(AmiRefused, match="only"):
            await hub.hub.commands("main").rest("GET", "/asterisk/config/dynamic/res_pjsip/auth/201")
        assert edge.pbx.told == []


async def test_a_recording_that_is_left_frees_its_place(tmp_path: Path) -> None:
    async with both(tmp_path) as (hub, edge, _):
        edge.pbx.sounds["a.wav"] = SOUND
        await connected(hub, edge)
        sound = await found(hub, "a.wav")
        for _ in range(RECORDINGS * 3):
            async with asyncio.timeout(60), aclosing(sound.open()) as pieces:  # type: ignore[type-var]
                await anext(pieces)
