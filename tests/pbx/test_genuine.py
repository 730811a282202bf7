"""Events that a caller wrote into the number: they are not believed, and no call ends by them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rig.office import MARIA, OTTO, Office, office
from routing_engine.asterisk.ami import AmiClient, AmiServer
from routing_engine.asterisk.ami_wire import AmiMessage
from routing_engine.calls.pbx_events import ChannelBegan, HistoryRead, HungUp, PbxEvent, Snapshot
from routing_engine.pbx.ami_events import MARK
from routing_engine.pbx.genuine import GenuineEvents
from routing_engine.pbx.watcher import PbxWatcher
from routing_engine.settings.listeners import HostPort
from routing_engine.settings.pbx import AmiKeys, Pbx, PbxKeys
from tests.asterisk.manager import managing
from tests.calls.recorded import NAMES as NAMES_OF_STREAMS
from tests.calls.recorded import connections

NAMES = (
    *("Channel", "ChannelState", "ChannelStateDesc", "CallerIDNum", "CallerIDName", "ConnectedLineNum"),
    *("ConnectedLineName", "Language", "AccountCode", "Context", "Exten", "Priority", "Uniqueid", "Linkedid"),
)


def channel(of: str = "", uniqueid: str = "7.1", mark: str = "", number: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Return the lines of a channel; `number` are lines that somebody wrote behind its number."""
    lines = [(of + name, uniqueid if name.endswith("id") else "1") for name in NAMES]
    forged = [(line.partition(": ")[0], line.partition(": ")[2]) for line in number]
    return [*lines[:4], *forged, *lines[4:], (f"{of}ChanVariable", f"{MARK}={mark}"), (f"{of}ChanVariable", "A=")]


def event(*lines: tuple[str, str]) -> AmiMessage:
    return AmiMessage([("Event", "BridgeEnter"), *lines])


async def agreed() -> GenuineEvents:
    """Return the events of a PBX that has the mark `m`."""
    genuine = GenuineEvents()
    async with managing() as manager:
        client = AmiClient(manager.server())
        asked = asyncio.create_task(genuine.agree(client))
        manager.answer(await manager.waiting.get(), f"Response: Success\nVariable: {MARK}\nValue: m")
        assert await asked
        await client.close()
    return genuine


@pytest.mark.io
async def test_without_a_marked_event_everything_is_believed() -> None:
    genuine = await agreed()
    assert genuine.read(event(*channel())) is not None
    assert genuine.read(event(*channel(mark="m"))) is not None
    assert genuine.read(event(*channel())) is None


@pytest.mark.io
async def test_an_event_of_two_channels_has_two_marks() -> None:
    genuine = await agreed()
    assert genuine.read(event(*channel(mark="m"), *channel("Dest", mark="m"))) is not None
    assert genuine.read(event(*channel(mark="m"), *channel("Dest"))) is None


@pytest.mark.io
async def test_what_is_written_into_a_number_is_taken_out_again() -> None:
    genuine = await agreed()
    forged = ("Uniqueid: 9.9", "SwapUniqueid: 9.9", "DestUniqueid: 9.9", f"ChanVariable: {MARK}=x")
    read = genuine.read(event(*channel(mark="m", number=forged), *channel("Dest", "8.1", "m")))
    assert read == event(*channel(mark="m"), *channel("Dest", "8.1", "m"))


def closed(did: str, of: str = "", further: tuple[tuple[str, str], ...] = ()) -> list[tuple[str, str]]:
    """Return the lines of a channel whose `channelvars` end in the mark; the DID may have lines of somebody in it."""
    first, *more = did.split("\n")
    forged = [(line.partition(": ")[0], line.partition(": ")[2]) for line in more]
    variable = f"{of}ChanVariable"
    return [*channel(of, mark="m")[:-1], (variable, f"FROM_DID={first}"), *forged, (variable, f"{MARK}=m"), *further]


@pytest.mark.io
async def test_what_is_written_into_a_variable_is_taken_out_again() -> None:
    genuine = await agreed()
    swapped = ("SwapUniqueid", "7.2")
    read = genuine.read(event(*closed("1\nSwapUniqueid: 9.9\nDestUniqueid: 9.9", further=(swapped,))))
    assert read == event(*closed("1", further=(swapped,)))


@pytest.mark.io
async def test_an_event_that_is_cut_off_within_a_variable_is_not_believed() -> None:
    genuine = await agreed()
    assert genuine.read(event(*closed("1"))) is not None
    assert genuine.read(event(*channel(mark="m"), ("SwapUniqueid", "9.9"))) is None


@pytest.mark.io
async def test_an_entry_of_a_list_that_somebody_wrote_into_is_not_believed() -> None:
    genuine = await agreed()
    whole = AmiMessage([("Event", "CoreShowChannel"), *channel(mark="m"), ("Duration", "00:00:01")])
    forged = AmiMessage(
        [("Event", "CoreShowChannel"), ("Channel", "PJSIP/1"), ("Uniqueid", "9.9"), ("Linkedid", "9.9")]
    )
    assert genuine.entry(whole, listed_anew=False) is whole
    assert genuine.entry(forged, listed_anew=False) is None
    assert genuine.entry(forged, listed_anew=True) is forged, "of before the mark there are some without it"
    into = AmiMessage([("Event", "Status"), *channel(mark="m", number=("Uniqueid: 9.9",)), ("Seconds", "1")])
    read = genuine.entry(into, listed_anew=False)
    assert read is not None
    assert read["Uniqueid"] == "7.1"


@pytest.mark.io
async def test_a_channel_of_before_the_mark_is_believed() -> None:
    genuine = await agreed()
    genuine.read(event(*channel(mark="m")))
    genuine.older = frozenset({"5.5"})
    assert genuine.read(event(*channel(uniqueid="5.5"))) is not None


@pytest.mark.io
async def test_whatever_asterisk_writes_itself_is_believed_as_it_stands() -> None:
    genuine = await agreed()
    genuine.read(event(*channel(mark="m")))
    for name in NAMES_OF_STREAMS:
        for message in (one for connection in connections(name) for one in connection):
            marked = _marked(message)
            assert genuine.read(marked) is marked


def _marked(message: AmiMessage) -> AmiMessage:
    """Return an event of a stream as it would be with a mark."""
    lines = [line for line in message.lines if not line[1].startswith(f"{MARK}=")]
    written = list[tuple[str, str]]()
    for before, line in zip([("", ""), *lines], lines, strict=False):
        if line[0].endswith("ChanVariable") and before[0] != line[0]:
            written.append((line[0], f"{MARK}=m"))
        written.append(line)
    return AmiMessage(written)


class Listening:
    """What a watcher tells of the firm's PBX."""

    def __init__(self, firm: Office, folder: Path) -> None:
        server = AmiServer(*firm.asterisk.manager_address, "rig", firm.asterisk.secret)
        keys = AmiKeys(HostPort(server.host, server.port), server.user, server.secret)
        self.told, self._came = list[PbxEvent](), asyncio.Event()
        self.watcher = PbxWatcher(Pbx("main", PbxKeys(keys, trunks=("PJSIP/trunk*",))), folder, self._hear)

    def _hear(self, event: PbxEvent) -> None:
        self.told.append(event)
        self._came.set()

    async def until(self, true: Callable[[list[PbxEvent]], bool]) -> None:
        async with asyncio.timeout(30):
            while not true(self.told):
                self._came.clear()
                await self._came.wait()

    def ended(self, uniqueid: str) -> int:
        return sum(isinstance(one, HungUp) and one.channel.uniqueid == uniqueid for one in self.told)


@asynccontextmanager
async def listening_to(firm: Office, folder: Path) -> AsyncIterator[Listening]:
    """Follow the firm's PBX, from its list of channels on."""
    listening = Listening(firm, folder)
    listening.watcher.start()
    await listening.until(lambda told: any(isinstance(one, HistoryRead) for one in told))
    yield listening
    await listening.watcher.close()


@pytest.mark.asterisk
async def test_a_caller_who_writes_a_hangup_into_the_number_ends_nobody_elses_call(tmp_path: Path) -> None:
    async with office() as firm, listening_to(firm, tmp_path) as listening:
        maria = await firm.outside("01")
        anna = await firm.answered("201")
        await firm.talk(maria, anna)
        victim = next(one.channel.uniqueid for one in listening.told if isinstance(one, ChannelBegan))
        eve = await firm.outside("04", caller=f"1\r\n\r\nEvent: Hangup\r\nUniqueid: {victim}\r\n\r\nEvent: x")
        await eve.answered()
        await eve.hang_up()
        # Behind all that Eve's call has made come the events of the next one.
        otto = await firm.outside("04", caller=OTTO)
        await otto.answered()
        await otto.hang_up()
        await listening.until(lambda told: any(isinstance(one, HungUp) and one.channel.caller == OTTO for one in told))
        assert listening.ended(victim) == 0
        await maria.hang_up()
        await listening.until(lambda told: listening.ended(victim) == 1)


@pytest.mark.asterisk
async def test_a_call_of_before_the_mark_and_one_after_it_was_wiped_are_followed_to_their_end(tmp_path: Path) -> None:
    async with office() as firm:
        early = await firm.outside("04", caller=OTTO)
        await early.answered()
        async with listening_to(firm, tmp_path) as listening:
            await _speaks(firm)
            await early.hang_up()
            await listening.until(lambda told: _over(told, OTTO))
            # As a reload of the dialplan with `clearglobalvars` does.
            await firm.asterisk.ami.action("Setvar", Variable=MARK, Value="")
            maria = await firm.outside("04")
            await maria.answered()
            await listening.until(lambda told: any(isinstance(one, Snapshot) and _has(one, MARIA) for one in told))
            await maria.hang_up()
            await listening.until(lambda told: _over(told, MARIA))


async def _speaks(firm: Office) -> None:
    """Let somebody call, so that a marked event comes."""
    call = await firm.outside("04", caller="+431")
    await call.answered()
    await call.hang_up()


def _over(told: Sequence[PbxEvent], caller: str) -> bool:
    return any(isinstance(one, HungUp) and one.channel.caller == caller for one in told)


def _has(snapshot: Snapshot, caller: str) -> bool:
    return any(live.channel.caller == caller for live in snapshot.channels)
