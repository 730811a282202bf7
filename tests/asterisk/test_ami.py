"""The client of the manager interface in front of one that answers late, wrongly, in pieces, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from routing_engine.asterisk.ami import AmiClient, AmiEvent, AmiGap
from routing_engine.asterisk.ami_link import SILENT_S
from routing_engine.asterisk.ami_wire import AmiMessage
from routing_engine.errors import AmiRefused

from .manager import SECRET, Manager, managing

pytestmark = pytest.mark.io


@pytest.fixture
async def manager() -> AsyncIterator[Manager]:
    async with managing() as manager:
        yield manager


class Pauses:
    """Stands for the clock: a pause is over at once, and its length kept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


def names(events: list[AmiEvent]) -> list[str]:
    return [event["Event"] if isinstance(event, AmiMessage) else f"gap of {event.lost}" for event in events]


async def take(events: AsyncIterator[AmiEvent], count: int) -> list[AmiEvent]:
    return [await anext(events) for _ in range(count)]


# Log-in


async def test_the_secret_never_crosses_the_network(manager: Manager) -> None:
    client = AmiClient(manager.server())
    await client.connect()
    await client.close()
    assert [action["Action"] for action in manager.actions[:2]] == ["Challenge", "Login"]
    assert SECRET not in str(manager.actions)
    assert SECRET not in repr(manager.server())


async def test_a_refused_secret_is_told_apart_and_not_tried_with_every_action(manager: Manager) -> None:
    client = AmiClient(manager.server(secret="wr0ng"))
    for _ in range(3):
        with pytest.raises(AmiRefused, match="refused the manager's user or password"):
            await client.action("CoreStatus")
    assert manager.log_ins == 1
    await client.close()


async def test_what_is_not_an_asterisk_is_told(unused_tcp_port: int) -> None:
    async def shell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_10.0\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(shell, "127.0.0.1", unused_tcp_port), managing() as manager:
        with pytest.raises(ValueError, match="is not Asterisk's manager interface"):
            await AmiClient(manager.server(port=unused_tcp_port)).connect()


async def test_where_nobody_listens_it_is_an_os_error(manager: Manager, unused_tcp_port: int) -> None:
    with pytest.raises(OSError, match=str(unused_tcp_port)):
        await AmiClient(manager.server(port=unused_tcp_port)).connect()


async def test_one_that_says_nothing_is_given_up(manager: Manager) -> None:
    manager.silent = True
    with pytest.raises(TimeoutError):
        await AmiClient(manager.server(connect_timeout_s=0.05)).connect()


async def test_many_who_ask_at_once_log_in_once(manager: Manager) -> None:
    client = AmiClient(manager.server())
    await asyncio.gather(*(client.connect() for _ in range(5)))
    await client.connect()
    assert manager.log_ins == 1
    await client.close()


# Actions


async def test_answers_find_their_actions_whatever_their_order(manager: Manager) -> None:
    client = AmiClient(manager.server())
    first = asyncio.create_task(client.action("Getvar", Variable="A"))
    one = await manager.waiting.get()
    second = asyncio.create_task(client.action("Getvar", Variable="B"))
    other = await manager.waiting.get()
    manager.answer(other, "Response: Success\nValue: b")
    manager.answer(one, "Response: Success\nValue: a")
    assert [(await task)[0]["Value"] for task in (first, second)] == ["a", "b"]
    await client.close()


async def test_a_list_is_one_answer(manager: Manager) -> None:
    client = AmiClient(manager.server())
    asked = asyncio.create_task(client.action("CoreShowChannels"))
    action = await manager.waiting.get()
    manager.answer(action, "Response: Success\nEventList: start")
    manager.answer(action, "Event: CoreShowChannel\nChannel: PJSIP/100")
    manager.answer(action, "Event: CoreShowChannelsComplete\nEventList: Complete")
    assert [message.get("Channel") for message in await asked] == [None, "PJSIP/100", None]
    await client.close()


async def test_an_action_that_asterisk_refuses_says_why(manager: Manager) -> None:
    client = AmiClient(manager.server())
    asked = asyncio.create_task(client.action("Originate"))
    manager.answer(await manager.waiting.get(), "Response: Error\nMessage: Permission denied")
    with pytest.raises(AmiRefused, match="Permission denied"):
        await asked
    await client.close()


async def test_an_action_has_its_time_and_its_late_answer_is_nobody_elses(manager: Manager) -> None:
    client = AmiClient(manager.server(hears="on"))
    with pytest.raises(TimeoutError):
        await client.action("Originate", timeout_s=0.01)
    late = await manager.waiting.get()
    manager.answer(late, "Response: Success\nValue: late")
    asked = asyncio.create_task(client.action("Getvar"))
    manager.answer(await manager.waiting.get(), "Response: Success\nValue: mine")
    assert (await asked)[0]["Value"] == "mine"
    assert manager.log_ins == 1
    await client.close()


async def test_an_action_whose_connection_broke_is_never_sent_again(manager: Manager) -> None:
    client = AmiClient(manager.server())
    dialled = asyncio.create_task(client.action("Originate"))
    await manager.waiting.get()
    manager.break_off()
    with pytest.raises(ConnectionError):
        await dialled
    after = asyncio.create_task(client.action("CoreStatus"))
    manager.answer(await manager.waiting.get())
    await after
    assert [action["Action"] for action in manager.actions].count("Originate") == 1
    assert manager.log_ins == 2
    await client.close()


async def test_a_frozen_asterisk_does_not_hold_the_next_action(manager: Manager) -> None:
    client = AmiClient(manager.server())
    with pytest.raises(TimeoutError):
        await client.action("Getvar", timeout_s=SILENT_S + 0.05)
    after = asyncio.create_task(client.action("CoreStatus"))
    while (action := await manager.waiting.get())["Action"] == "Getvar":
        pass
    manager.answer(action)
    await after
    assert manager.log_ins == 2
    await client.close()


async def test_no_value_becomes_a_second_header() -> None:
    async with managing() as manager:
        client = AmiClient(manager.server())
        with pytest.raises(ValueError, match="control character"):
            await client.action("Setvar", Value="x\r\nAction: Originate")
        assert [action["Action"] for action in manager.actions] == ["Challenge", "Login"]
        await client.close()


# Events


async def test_events_come_behind_a_gap_and_are_not_mistaken_for_answers(manager: Manager) -> None:
    client = AmiClient(manager.server(hears="call"))
    asked = asyncio.create_task(client.action("Originate"))
    action = await manager.waiting.get()
    manager.send("Event: Newchannel\nUniqueid: 7.1")
    manager.answer(action)
    manager.answer(action, "Event: OriginateResponse\nResponse: Failure")
    await asked
    assert names(await take(client.events(), 3)) == ["gap of 0", "Newchannel", "OriginateResponse"]
    assert manager.actions[1]["Events"] == "call"
    await client.close()


async def test_a_character_across_two_segments_arrives_whole(manager: Manager) -> None:
    client = AmiClient(manager.server(hears="on"))
    await client.connect()
    raw = "Event: Newchannel\r\nCallerIDName: Jörg Åse\r\n\r\n".encode()
    for byte in raw:
        manager.send_raw(bytes((byte,)))
        await manager.drained()
        await asyncio.sleep(0)
    _, event = await take(client.events(), 2)
    assert isinstance(event, AmiMessage)
    assert event["CallerIDName"] == "Jörg Åse"
    await client.close()


async def test_a_reader_who_does_not_read_loses_events_and_is_told_where(manager: Manager) -> None:
    client = AmiClient(manager.server(hears="on"), most_events=3)
    await client.connect()
    for number in range(5):
        manager.send(f"Event: E{number}")
    asked = asyncio.create_task(client.action("CoreStatus"))
    manager.answer(await manager.waiting.get())
    await asked  # the reader of the connection was never held up
    events = client.events()
    assert names(await take(events, 4)) == ["gap of 0", "E0", "E1", "gap of 3"]
    manager.send("Event: E5")
    assert names(await take(events, 1)) == ["E5"]
    await client.close()


async def test_a_broken_connection_is_made_anew_and_the_gap_is_told(manager: Manager) -> None:
    client = AmiClient(manager.server(hears="on"), sleep=Pauses().sleep)
    events = client.events()
    with capture_logs() as logs:
        await anext(events)
        manager.break_off()
        assert names(await take(events, 1)) == ["gap of 0"]
        manager.send("Event: FullyBooted")
        assert names(await take(events, 1)) == ["FullyBooted"]
    assert [(one["event"], one["host"]) for one in logs] == [("ami.down", "127.0.0.1"), ("ami.up", "127.0.0.1")]
    await client.close()


async def test_the_pause_between_tries_grows_and_has_an_end(manager: Manager, unused_tcp_port: int) -> None:
    pauses = Pauses()
    client = AmiClient(manager.server(port=unused_tcp_port, hears="on"), sleep=pauses.sleep)
    reading = asyncio.ensure_future(anext(client.events()))
    while len(pauses.slept) < 12:
        await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert 0.8 <= pauses.slept[0] <= 1.2
    assert pauses.slept[0] < pauses.slept[2] < pauses.slept[4]
    assert 24 <= max(pauses.slept[8:]) <= 36
    await client.close()


async def test_one_that_lets_us_in_and_closes_at_once_is_asked_with_growing_pauses(manager: Manager) -> None:
    pauses = Pauses()
    client = AmiClient(manager.server(hears="on"), sleep=pauses.sleep)
    events = client.events()
    for _ in range(6):
        await anext(events)
        manager.break_off()
    await anext(events)
    assert pauses.slept[0] < pauses.slept[2] < pauses.slept[4]
    await client.close()


async def test_a_refused_secret_is_tried_once_a_minute(manager: Manager) -> None:
    pauses = Pauses()
    client = AmiClient(manager.server(secret="wr0ng", hears="on"), sleep=pauses.sleep)
    reading = asyncio.ensure_future(anext(client.events()))
    with capture_logs() as logs:
        while len(pauses.slept) < 3:
            await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert (manager.log_ins, min(pauses.slept) > 45) == (1, True)
    assert [one["why"] for one in logs] == ["Asterisk refused the manager's user or password"]
    await client.close()


async def test_an_idle_connection_is_asked_for_a_sign_of_life(manager: Manager) -> None:
    client = AmiClient(manager.server(hears="on", ping_s=0.01))
    events = client.events()
    await anext(events)
    while manager.actions[-1]["Action"] != "Ping":
        await asyncio.sleep(0.001)
    manager.send("Event: Newchannel")
    assert names(await take(events, 1)) == ["Newchannel"]
    await client.close()


async def test_without_again_the_end_of_the_connection_is_the_end(manager: Manager) -> None:
    client = AmiClient(manager.server(hears="on"))
    await client.connect()
    manager.send("Event: Shutdown")
    heard: list[AmiEvent] = []
    async for event in client.events(again=False):
        heard.append(event)
        if isinstance(event, AmiMessage):
            manager.break_off()
    assert names(heard) == ["gap of 0", "Shutdown"]
    assert isinstance(heard[0], AmiGap)
    await client.close()


async def test_closing_ends_the_reader_and_nothing_is_made_anew(manager: Manager) -> None:
    client = AmiClient(manager.server(hears="on"), sleep=Pauses().sleep)
    reading = asyncio.create_task(_all(client.events()))
    await client.connect()
    await client.close()
    assert names(await reading) == ["gap of 0"]
    assert manager.log_ins == 1


async def test_closing_ends_a_pause_before_the_next_try(manager: Manager, unused_tcp_port: int) -> None:
    paused = asyncio.Event()

    async def pause(_: float) -> None:
        paused.set()
        await asyncio.Event().wait()

    client = AmiClient(manager.server(port=unused_tcp_port, hears="on"), sleep=pause)
    reading = asyncio.create_task(_all(client.events()))
    await paused.wait()
    await client.close()
    assert await reading == []


async def _all(events: AsyncIterator[AmiEvent]) -> list[AmiEvent]:
    return [event async for event in events]
