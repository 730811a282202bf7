"""A PBX is followed: what comes is told in order, a gap is filled, and nothing that comes ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from routing_engine.calls.pbx_events import (
    ChannelBegan,
    HistoryRead,
    HungUp,
    PbxEvent,
    PbxRestarted,
    Snapshot,
)
from routing_engine.pbx.ami_events import MARK
from routing_engine.pbx.watcher import PbxWatcher
from routing_engine.settings.listeners import HostPort
from routing_engine.settings.pbx import AmiKeys, HistoryKeys, Pbx, PbxKeys
from tests.asterisk.manager import SECRET, Manager, managing
from tests.pbx.test_history import ENDED, ROW

pytestmark = pytest.mark.io

BEGAN = "Event: Newchannel\nTimestamp: {at}\nChannel: PJSIP/trunk-1\nChannelState: 4\nUniqueid: {id}\nLinkedid: {id}"
OVER = "Event: Hangup\nTimestamp: {at}\nChannel: PJSIP/trunk-1\nUniqueid: {id}\nLinkedid: {id}\nCause: 16"


class Followed:
    """A watcher in front of a manager of ours, and what it told."""

    def __init__(self, manager: Manager, folder: Path, history: HistoryKeys | None = None) -> None:
        server = manager.server()
        ami = AmiKeys(HostPort(server.host, server.port), "engine", SECRET)
        self.manager, self.told = manager, list[PbxEvent]()
        self._told = asyncio.Event()
        self.pbx = Pbx("main", PbxKeys(ami, trunks=("PJSIP/trunk*",), history=history))
        self.watcher = PbxWatcher(self.pbx, folder, self._hear)

    def _hear(self, event: PbxEvent) -> None:
        self.told.append(event)
        self._told.set()

    async def until(self, true: Callable[[list[PbxEvent]], bool]) -> None:
        async with asyncio.timeout(30):
            while not true(self.told):
                self._told.clear()
                await self._told.wait()

    async def answer_list(self, *channels: str, mark: str = "") -> None:
        """Answer what is asked after a new connection: the channels, and when they began."""
        while True:
            action = await self.manager.waiting.get()
            if action["Action"] in ("Getvar", "Setvar"):
                self.manager.answer(action, f"Response: Success\nValue: {mark}")
                continue
            self.manager.answer(action, "Response: Success\nEventList: start")
            for channel in channels if action["Action"] == "CoreShowChannels" else ():
                self.manager.send(f"Event: CoreShowChannel\nActionID: {action.number}\n{channel}")
            self.manager.send(f"Event: Complete\nEventList: Complete\nActionID: {action.number}")
            if action["Action"] == "Status":
                return


@pytest.fixture
async def followed(tmp_path: Path) -> AsyncIterator[Followed]:
    async with managing() as manager:
        one = Followed(manager, tmp_path)
        one.watcher.start()
        await one.answer_list()
        await one.until(lambda told: any(isinstance(event, HistoryRead) for event in told))
        yield one
        await one.watcher.close()


def kinds(told: list[PbxEvent]) -> list[str]:
    return [type(event).__name__ for event in told if type(event).__name__ != "Tick"]


async def test_a_new_connection_begins_with_all_channels(followed: Followed) -> None:
    assert kinds(followed.told) == ["Snapshot", "HistoryRead"]
    assert followed.watcher.connected


async def test_events_are_told_in_their_order(followed: Followed) -> None:
    followed.manager.send(BEGAN.format(at=1796063301.25, id="1796063301.7"))
    followed.manager.send(OVER.format(at=1796063302.5, id="1796063301.7"))
    await followed.until(lambda told: isinstance(told[-1], HungUp))
    began, over = (event for event in followed.told if isinstance(event, ChannelBegan | HungUp))
    assert (began.at, over.at) == (1796063301.25, 1796063302.5)


async def test_an_event_that_nobody_understands_ends_nothing(followed: Followed) -> None:
    followed.manager.send("Event: Newchannel\nTimestamp: soon\nChannel:\nUniqueid: \x1b[31m")
    followed.manager.send("Event: Hangup")
    followed.manager.send(BEGAN.format(at=1796063301.25, id="1796063301.7"))
    await followed.until(lambda told: isinstance(told[-1], ChannelBegan))


async def test_who_hears_and_breaks_does_not_end_the_following(tmp_path: Path) -> None:
    async with managing() as manager:
        one = Followed(manager, tmp_path)
        one.watcher = PbxWatcher(one.pbx, tmp_path, lambda event: one._hear(event) or broken(event))
        one.watcher.start()
        with capture_logs() as logs:
            await one.answer_list()
            await one.until(lambda told: any(isinstance(event, HistoryRead) for event in told))
            manager.send(BEGAN.format(at=1796063301.25, id="1796063301.7"))
            manager.send(OVER.format(at=1796063302.5, id="1796063301.7"))
            await one.until(lambda told: isinstance(told[-1], HungUp))
        await one.watcher.close()
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["pbx.event_failed"]


def broken(event: PbxEvent) -> None:
    if isinstance(event, ChannelBegan | HungUp):
        raise RuntimeError("a fault of ours")


async def test_after_a_broken_connection_the_channels_are_asked_for_anew(followed: Followed) -> None:
    followed.manager.break_off()
    channel = (
        "Channel: PJSIP/trunk-1\nUniqueid: 1796063290.7\nLinkedid: 1796063290.7\nChannelState: 6\nDuration: 00:00:11"
    )
    await followed.answer_list(channel)
    await followed.until(lambda told: kinds(told).count("HistoryRead") == 2)
    (*_, snapshot) = (event for event in followed.told if isinstance(event, Snapshot))
    assert [live.channel.uniqueid for live in snapshot.channels] == ["1796063290.7"]
    assert not any(isinstance(event, PbxRestarted) for event in followed.told)


async def test_another_start_of_asterisk_is_told(followed: Followed) -> None:
    followed.manager.send(BEGAN.format(at=1796063301.25, id="1796063301.7"))
    await followed.until(lambda told: isinstance(told[-1], ChannelBegan))
    followed.manager.break_off()
    await followed.answer_list()
    await followed.until(lambda told: kinds(told).count("HistoryRead") == 2)
    assert not any(isinstance(event, PbxRestarted) for event in followed.told)
    followed.manager.send("Event: FullyBooted\nUptime: 20")
    followed.manager.break_off()
    await followed.answer_list()
    await followed.until(lambda told: kinds(told).count("HistoryRead") == 3)
    (restarted,) = (event for event in followed.told if isinstance(event, PbxRestarted))
    assert restarted.at == 1796063300.5 - 20 - 1


async def test_what_ended_meanwhile_comes_from_the_history(tmp_path: Path) -> None:
    (tmp_path / "Master.csv").write_text(ROW)
    async with managing() as manager:
        one = Followed(manager, tmp_path, HistoryKeys("Master.csv"))
        one.watcher.start()
        await one.answer_list()
        await one.until(lambda told: any(isinstance(event, HistoryRead) for event in told))
        await one.watcher.close()
    assert kinds(one.told) == ["Snapshot", "HistoryRow", "HistoryRead"]


async def test_what_ended_hours_ago_while_the_engine_was_away_comes_from_the_history_too(tmp_path: Path) -> None:
    (tmp_path / "Master.csv").write_text(ROW.replace("18:27", "15:27"))

    async def heard() -> float:
        return ENDED - 3 * 3600 - 60

    async with managing() as manager:
        one = Followed(manager, tmp_path, HistoryKeys("Master.csv"))
        one.watcher = PbxWatcher(one.pbx, tmp_path, one._hear, heard_until=heard)
        one.watcher.start()
        await one.answer_list()
        await one.until(lambda told: any(isinstance(event, HistoryRead) for event in told))
        await one.watcher.close()
    assert kinds(one.told) == ["Snapshot", "HistoryRow", "HistoryRead"]


async def test_a_history_that_is_not_there_is_said_and_ends_nothing(tmp_path: Path) -> None:
    async with managing() as manager:
        one = Followed(manager, tmp_path, HistoryKeys("Master.csv"))
        with capture_logs() as logs:
            one.watcher.start()
            await one.answer_list()
            await one.until(lambda told: any(isinstance(event, HistoryRead) for event in told))
        await one.watcher.close()
    assert [log["event"] for log in logs if log["event"].startswith("pbx.")] == ["pbx.no_history", "pbx.up"]


async def test_a_mark_that_was_wiped_is_no_forged_event(tmp_path: Path) -> None:
    async with managing() as manager:
        one = Followed(manager, tmp_path)
        one.watcher = PbxWatcher(one.pbx, tmp_path, one._hear, list_s=1.0)
        one.watcher.start()
        with capture_logs() as logs:
            await one.answer_list()
            manager.send(marked(manager))
            await one.until(lambda told: any(isinstance(event, ChannelBegan) for event in told))
            manager.send(BEGAN.format(at=1796063302.0, id="1796063302.8"))  # its mark is gone: Asterisk was reloaded
            await one.answer_list()
            manager.send(marked(manager, "1796063303.9"))
            await one.until(lambda told: kinds(told).count("ChannelBegan") == 2)
            lists = kinds(one.told).count("Snapshot")
            await one.answer_list(mark=mark_of(manager))  # the next one in its turn
            await one.until(lambda told: kinds(told).count("Snapshot") > lists)
        await one.watcher.close()
    assert [log["event"] for log in logs if log["event"] == "pbx.forged"] == []


def mark_of(manager: Manager) -> str:
    return [action["Value"] for action in manager.actions if action["Action"] == "Setvar"][-1]


def marked(manager: Manager, uniqueid: str = "1796063301.7") -> str:
    return f"{BEGAN.format(at=1796063301.25, id=uniqueid)}\nChanVariable: {MARK}={mark_of(manager)}"


async def test_how_late_events_come_is_measured_against_the_quickest(tmp_path: Path) -> None:
    now = [1000.0]
    async with managing() as manager:
        one = Followed(manager, tmp_path)
        one.watcher = PbxWatcher(one.pbx, tmp_path, one._hear, wall=lambda: now[0])
        one.watcher.start()
        await one.answer_list()
        await one.until(lambda told: any(isinstance(event, HistoryRead) for event in told))
        manager.send(BEGAN.format(at=500.0, id="500.7"))  # a clock of its own: 500 s behind ours
        await one.until(lambda told: isinstance(told[-1], ChannelBegan))
        now[0] = 1002.5
        manager.send(OVER.format(at=501.0, id="500.7"))
        await one.until(lambda told: isinstance(told[-1], HungUp))
        lag = {reading.metric: reading.value for reading in one.watcher.readings()}
        await one.watcher.close()
    assert lag == {"pbx_up": 1.0, "pbx_lag_seconds": 1.5}
