"""A PBX is told what to do: what it answers, a phone that rings or cannot, and nobody there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from routing_engine.asterisk.ami import AmiClient
from routing_engine.asterisk.ami_wire import AmiMessage
from routing_engine.errors import AmiRefused, PbxDown
from routing_engine.pbx.commands import HeardContacts, LocalCommands
from routing_engine.settings.pbx import AriKeys
from tests.asterisk.manager import Manager, managing

pytestmark = pytest.mark.io


@pytest_asyncio.fixture
async def manager() -> AsyncIterator[Manager]:
    async with managing() as manager:
        yield manager


@pytest_asyncio.fixture
async def client(manager: Manager) -> AsyncIterator[AmiClient]:
    client = AmiClient(manager.server())
    await client.connect()
    yield client
    await client.close()


async def told(manager: Manager, commands: LocalCommands, *events: str) -> bool:
    """Whether a phone rings, by what the PBX tells once it has queued the action."""
    ringing = asyncio.create_task(commands.originate("re-1", {"Channel": "PJSIP/201"}))
    action = await manager.waiting.get()
    assert (action["Action"], action["ChannelId"], action["Async"]) == ("Originate", "re-1", "true")
    manager.answer(action, "Response: Success\nMessage: Originate successfully queued")
    for event in events:
        commands.hear(AmiMessage([*(line.split(": ", 1) for line in event.split("\n"))]))  # type: ignore[misc]
    return await ringing


async def test_a_phone_rings_once_there_is_its_channel(manager: Manager, client: AmiClient) -> None:
    other, own = "Event: Newchannel\nUniqueid: 7.1", "Event: Newchannel\nUniqueid: re-1"
    assert await told(manager, LocalCommands(client, None), other, own)


async def test_a_phone_that_is_not_there_is_told_by_an_event_alone(manager: Manager, client: AmiClient) -> None:
    failed = "Event: OriginateResponse\nResponse: Failure\nReason: 0\nUniqueid: re-1"
    assert not await told(manager, LocalCommands(client, None), failed)


async def test_a_phone_that_refuses_at_once_has_rung_though_its_channel_is_told_last(
    manager: Manager, client: AmiClient
) -> None:
    failed = "Event: OriginateResponse\nResponse: Failure\nReason: 5\nUniqueid: re-1"
    assert await told(manager, LocalCommands(client, None), failed, "Event: Newchannel\nUniqueid: re-1")


async def test_what_asterisk_refuses_is_refused_in_its_words(manager: Manager, client: AmiClient) -> None:
    asked = asyncio.create_task(LocalCommands(client, None).action("Hangup", {"Channel": "x"}))
    manager.answer(await manager.waiting.get(), "Response: Error\nMessage: No such channel")
    with pytest.raises(AmiRefused, match="No such channel"):
        await asked


async def test_a_connection_that_breaks_leaves_in_doubt_what_was_done(manager: Manager, client: AmiClient) -> None:
    asked = asyncio.create_task(LocalCommands(client, None).action("Hangup", {"Channel": "x"}))
    await manager.waiting.get()
    manager.break_off()
    with pytest.raises(PbxDown):
        await asked


async def test_a_line_break_is_sent_to_no_pbx(client: AmiClient) -> None:
    with pytest.raises(ValueError, match="control character"):
        await LocalCommands(client, None).action("Hangup", {"Channel": "x\r\nAction: Originate"})


async def test_the_rest_interface_gets_the_account_and_what_is_to_be_set(client: AmiClient) -> None:
    asked = list[tuple[str, str, object]]()

    async def take(request: web.Request) -> web.Response:
        asked.append((request.path, request.headers["Authorization"], await request.json()))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_put("/ari/{place:.*}", take)
    async with TestServer(app) as server:
        ari = AriKeys(str(server.make_url("")).rstrip("/"), "engine", "shh")
        commands = LocalCommands(client, ari)
        assert await commands.rest("PUT", "/asterisk/x", {"fields": [{"attribute": "a", "value": "b"}]}) == 204
        await commands.close()
    assert asked == [("/ari/asterisk/x", "Basic ZW5naW5lOnNoaA==", {"fields": [{"attribute": "a", "value": "b"}]})]


async def test_a_pbx_without_a_rest_interface_is_down_for_it(client: AmiClient) -> None:
    with pytest.raises(PbxDown, match="no 'ari'"):
        await LocalCommands(client, None).rest("PUT", "/asterisk/x")


def test_a_contact_is_known_until_it_is_removed_itself() -> None:
    contacts = HeardContacts()

    def heard(uri: str, status: str) -> None:
        about = {"Event": "ContactStatus", "EndpointName": "201-web", "AOR": "201-web"}
        contacts.hear(AmiMessage([*about.items(), ("URI", uri), ("ContactStatus", status)]))

    heard("sip:201-web@127.0.0.1:57127", "NonQualified")
    first = contacts.of("201-web")
    heard("sip:201-web@127.0.0.1:39608", "NonQualified")
    second = contacts.of("201-web")
    heard("sip:201-web@127.0.0.1:57127", "Removed")
    assert (first is not None, first != second, contacts.of("201-web")) == (True, True, second)
    heard("sip:201-web@127.0.0.1:39608", "Removed")
    assert contacts.of("201-web") is None
