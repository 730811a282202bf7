"""The Asterisk that is followed dies, or comes back with ids that were there before: an own one for these tests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
import pytest_asyncio

from rig.asterisk import Asterisk
from rig.sip import Phone
from rig.stage import desk, stage

from .engine import Engine, write_configuration
from .outside import Outside, outside, write
from .stage import House

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

DIALPLAN = """
[from-trunk]
exten => anna,1,Dial(PJSIP/1001)

[from-phones]
exten => 1001,1,Dial(PJSIP/1001)
"""
#: Further apart than two tellings of one start.
APART_S = 3.0
CALLER = "+436641112290"


@pytest_asyncio.fixture(loop_scope="session")
async def own() -> AsyncIterator[tuple[Asterisk, Phone]]:
    async with stage(DIALPLAN) as both:
        yield both


@pytest_asyncio.fixture(loop_scope="session")
async def followed(own: tuple[Asterisk, Phone], house: House, tmp_path: Path) -> AsyncIterator[tuple[Engine, Outside]]:
    async with outside() as crm:
        crm.people[CALLER] = "Anna Gruber"
        write_configuration(tmp_path, {"to_anna": "default: {to: {extension: '1001'}}\n"}, house.middleware.address)
        write(tmp_path, own[0], crm)
        async with Engine.serving(tmp_path) as engine:
            await engine.logged("pbx.up")
            yield engine, crm
            assert engine.complaints == []


async def test_calls_of_an_asterisk_that_died_end_as_unknown_and_new_ones_are_followed(
    own: tuple[Asterisk, Phone], followed: tuple[Engine, Outside]
) -> None:
    asterisk, caller = own
    _, crm = followed
    async with desk(asterisk, "1001") as phone:
        await (await caller.dial(asterisk.sip_address, "anna", caller=CALLER)).answered()
        await (await phone.next_call()).answered()
        first = await crm.events.first(lambda one: one["type"] == "call.answered")
        await asterisk.kill()
        await asyncio.gather(*(one.hang_up(timeout_s=0.1) for one in (*caller.calls, *phone.calls)))
        await asterisk.start_again()
        await phone.register(asterisk.sip_address, "1001")
        ended = await crm.events.first(lambda one: one["type"] == "call.ended")
        assert (ended["data"]["id"], ended["data"]["outcome"]) == (first["data"]["id"], "unknown")
        again = await caller.dial(asterisk.sip_address, "anna", caller=CALLER)
        await again.answered()
        await again.hang_up()
    told = await crm.events.first(lambda one: one["type"] == "call.ended" and one is not ended)
    assert (told["data"]["outcome"], told["data"]["id"] != first["data"]["id"]) == ("answered", True)
    entry = await crm.entries.first(lambda one: one.get("key") == told["data"]["id"])
    assert entry["outcome"] == "answered"
    assert len([one for one in crm.events if one["type"] == "call.ended"]) == 2


async def test_the_same_id_after_a_restart_is_another_call(
    own: tuple[Asterisk, Phone], followed: tuple[Engine, Outside]
) -> None:
    asterisk, _ = own
    engine, crm = followed
    ended = [await _dialled(asterisk, crm, 1)]
    await asterisk.kill()
    await asterisk.start_again()
    await engine.log.first(lambda _: len(engine.lines("pbx.up")) == 2)
    # A channel whose start differs by less is the same one, told twice: the other must begin later by its own clock.
    while time.time() < datetime.fromisoformat(str(ended[0]["started_at"])).timestamp() + APART_S:
        await asyncio.sleep(0.05)
    ended.append(await _dialled(asterisk, crm, 2))
    assert {one["pbx_call_id"] for one in ended} == {"1790000000.7"}
    assert len({one["id"] for one in ended}) == 2
    assert [one["type"] for one in crm.events].count("call.started") == 2


async def _dialled(asterisk: Asterisk, crm: Outside, count: int) -> dict[str, object]:
    """A call from one telephone to another with an id that we choose, as a PBX gives it that was restored."""

    def over() -> list[dict[str, object]]:
        return [one["data"] for one in crm.events if one["type"] == "call.ended"]

    async with desk(asterisk, "1002", "1001") as phone:
        await asterisk.ami.action(
            "Originate",
            Channel="PJSIP/1002",
            Context="from-phones",
            Exten="1001",
            Priority="1",
            CallerID="1001",
            ChannelId="1790000000.7",
            Async="true",
        )
        first, second = await phone.next_call(), await phone.next_call()
        await asyncio.gather(first.answered(), second.answered())
        await first.hang_up()
        await crm.events.first(lambda _: len(over()) == count)
    return over()[-1]
