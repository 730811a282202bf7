"""Calls of a FreePBX, followed without a change of its dialplan, which `freepbx_calls.conf` plays.

Of Asterisk's files only what the how-to names is written, to the letter: `manager_custom.conf`, `ari.conf`, the link.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
import subprocess
import wave
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from rig.asterisk import Asterisk, find_asterisk
from rig.conf import FOLLOWER
from rig.office import hears
from rig.sip import Call, Phone
from rig.sip_features import transfer
from tests.docs.pages import blocks

from .engine import PROGRAM, Engine, write_configuration
from .outside import Outside, outside, write
from .stage import callers

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

HERE = Path(__file__)
DIALPLAN = HERE.with_name("freepbx_calls.conf").read_text()
DOCS = HERE.parents[2] / "docs"
USERS = """
anna: {name: Anna, phones: [main/201]}
bernd: {name: Bernd, phones: [main/202]}
dora: {name: Dora, phones: [main/203]}
"""
MOBILE = "+436641112299"
tones = cycle((440.0, 620.0, 800.0, 980.0, 1160.0, 1340.0))


@dataclass
class FreePbx:
    """A FreePBX, the telephones on its desks, the world outside, an engine that follows, and what it tells."""

    asterisk: Asterisk
    engine: Engine
    crm: Outside
    world: Phone
    desks: Mapping[str, Phone]

    async def called(self, ending: str, **how: Any) -> tuple[Call, str]:
        """A call of a customer to one of the firm's numbers, and the customer's own number."""
        number = f"+43664{next(callers)}"
        self.crm.people[number] = "Clara Winter"
        call = await self.world.dial(self.asterisk.sip_address, f"43123456{ending}", caller=number, **how)
        return call, number

    async def rings(self, extension: str) -> Call:
        """The call that rings at a telephone now, passing over those that ended before anybody looked."""
        while (call := await self.desks[extension].next_call()).ending is not None:
            pass
        return call

    async def put(self, family: str, key: str, value: str) -> None:
        """What an administrator has clicked stands in Asterisk's own database."""
        await self.asterisk.command(f"database put {family} {key} {value}")


def written(page: str, begins: str) -> str:
    """A block of the documentation that begins so."""
    return next(one.text for one in blocks(DOCS / page) if one.text.startswith(begins))


async def follow_the_how_to(asterisk: Asterisk) -> None:
    """Write into Asterisk's files what the how-to says, and nothing else."""
    etc = asterisk.directory / "etc"
    generated = re.sub(r"(?m)^(timestampevents|channelvars)=.*\n", "", (etc / "manager.conf").read_text())
    generated = re.sub(rf"\[{FOLLOWER}\]\n(?:.+\n)*?(?=\[)", "", generated)
    (etc / "manager.conf").write_text(f"{generated}\n#include manager_custom.conf\n")
    own = written("how-to/follow-calls.md", "; /etc/asterisk/manager_custom.conf")
    (etc / "manager_custom.conf").write_text(own.replace("a-long-secret", asterisk.secret))
    await asterisk.command("manager reload")
    spool = asterisk.directory / "spool"
    for folder in ("monitor", "recording"):
        (spool / folder).mkdir(exist_ok=True)
    found = re.search(r"`(mv monitor [^`]*)`", (DOCS / "reference/pbxs.md").read_text())
    assert found
    subprocess.run(found[1], shell=True, cwd=spool, check=True)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[FreePbx]:
    queues = {"600": ["Local/201@from-queue/n,0,Anna", "Local/202@from-queue/n,0,Bernd"]}
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(Phone.open())
        asterisk = await stack.enter_async_context(
            Asterisk(DIALPLAN, phones=("201", "202", "203"), queues=queues, provider=world.address)
        )
        desks = {one: await stack.enter_async_context(Phone.open()) for one in ("201", "202", "203")}
        for extension, phone in desks.items():
            await phone.register(asterisk.sip_address, extension)
        await follow_the_how_to(asterisk)
        crm = await stack.enter_async_context(outside())
        write_configuration(folder, {"any": "default: {to: {extension: '201'}}\n"}, "http://127.0.0.1:1")
        write(folder, asterisk, crm)
        pbx = folder / "pbxs" / "main.yaml"
        pbx.write_text(pbx.read_text().replace(FOLLOWER, "routing-engine"))
        (folder / "users.yaml").write_text(USERS)
        engine = await stack.enter_async_context(Engine.serving(folder))
        await engine.logged("pbx.up")
        yield FreePbx(asterisk, engine, crm, world, desks)
        assert engine.complaints == []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FreePbx]:
    async with opened(tmp_path_factory.mktemp("freepbx")) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def pbx(whole: FreePbx) -> AsyncIterator[FreePbx]:
    """The FreePBX, nobody on the telephone; who is called lets it ring."""
    phones = (whole.world, *whole.desks.values())
    for phone in phones:
        phone.answer_with(status=None)
    yield whole
    await asyncio.gather(*(call.hang_up() for phone in phones for call in phone.calls))
    for family in ("AMPUSER", "QUEUE", "CF", "DID", "OUT"):
        await whole.asterisk.command(f"database deltree {family}")


def legs(told: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return sorted((one["phone"], one["user"], one["result"]) for one in told["legs"])


def about(told: Mapping[str, Any], *members: str) -> tuple[Any, ...]:
    return tuple(told[one] for one in members)


WHO = ("direction", "outcome", "user", "did", "to")


async def one_call(pbx: FreePbx, number: str) -> Mapping[str, Any]:
    """The record of a customer's call once it is over: the only one."""
    told = await pbx.crm.ended(number)
    assert len({one["data"]["id"] for one in pbx.crm.events if one["data"]["from"] == number}) == 1
    return told


async def recorded(pbx: FreePbx, told: Mapping[str, Any]) -> float:
    """The seconds of sound that were attached to the entry of a call."""
    entry = await pbx.crm.entries.first(lambda one: one.get("key") == told["id"])
    place = f"e{list(pbx.crm.entries).index(entry) + 1}"
    _, sound = await pbx.crm.sounds.first(lambda one: one[0] == place)
    with wave.open(io.BytesIO(sound)) as file:
        return float(file.getnframes() / file.getframerate())


async def talk(one: Call, other: Call) -> None:
    """Let both speak until each has heard the other; never in the same tones again."""
    first, second = next(tones), next(tones)
    one.speak(first)
    other.speak(second)
    await asyncio.gather(hears(one, second), hears(other, first))
    one.speak(None)
    other.speak(None)


async def test_what_the_how_to_writes_is_all_that_the_check_asks_for(pbx: FreePbx, tmp_path: Path) -> None:
    console = tmp_path / "asterisk"
    conf = pbx.asterisk.directory / "etc" / "asterisk.conf"
    console.write_text(f'#!/bin/sh\nexec {find_asterisk().executable} -C {conf} "$@"\n')
    console.chmod(0o755)
    command = [PROGRAM, "--config", pbx.engine.folder, "pbx", "check", "main", "--asterisk", console, "--json"]
    said = await asyncio.to_thread(subprocess.check_output, list(map(str, command)))
    assert {one["state"] for one in json.loads(said)["findings"]} == {"fine"}


@pytest.mark.parametrize("group", ["01", "05"], ids=["at once", "over Local channels"])
async def test_a_call_to_a_ring_group_is_one_call_of_who_took_it(pbx: FreePbx, group: str) -> None:
    call, number = await pbx.called(group)
    anna, bernd = await pbx.rings("201"), await pbx.rings("202")
    bernd.answer()
    await call.answered()
    await anna.ended()
    await call.hang_up()
    told = await one_call(pbx, number)
    assert about(told, *WHO) == ("inbound", "answered", "bernd", f"+43123456{group}", f"+43123456{group}")
    assert legs(told) == [("main/201", "anna", "elsewhere"), ("main/202", "bernd", "answered")]
    # FreePBX has named a file for it, and recorded nothing.
    assert about(told, "transfers", "hangup_by") == ([], "other")
    assert told["recording"]["state"] == "none"


@pytest.mark.parametrize("group", ["01", "05"], ids=["at once", "over Local channels"])
async def test_a_ring_group_that_nobody_takes_is_missed_once(pbx: FreePbx, group: str) -> None:
    call, number = await pbx.called(group)
    anna, bernd = await pbx.rings("201"), await pbx.rings("202")
    anna.refuse(486)
    await pbx.asterisk.wait_event("Hangup", Cause="17")
    await call.rings()
    await call.hang_up()
    await bernd.ended()
    told = await one_call(pbx, number)
    assert about(told, *WHO) == ("inbound", "missed", None, f"+43123456{group}", f"+43123456{group}")
    assert legs(told) == [("main/201", "anna", "busy"), ("main/202", "bernd", "cancelled")]
    assert (await pbx.crm.told("call.missed", number))["id"] == told["id"]


async def test_a_queue_says_who_took_the_call_and_its_recording_is_fetched(pbx: FreePbx) -> None:
    await pbx.put("QUEUE", "600/recording", "force")
    call, number = await pbx.called("02")
    anna, bernd = await pbx.rings("201"), await pbx.rings("202")
    anna.answer()
    await anna.answered()
    await bernd.ended()
    await talk(call, anna)
    await anna.hang_up()
    await call.ended()
    told = await one_call(pbx, number)
    assert about(told, *WHO) == ("inbound", "answered", "anna", "+4312345602", "+4312345602")
    assert about(told, "queue", "hangup_by", "transfers") == ("600", "user", [])
    assert legs(told) == [("main/201", "anna", "answered"), ("main/202", "bernd", "elsewhere")]
    assert await recorded(pbx, told) > 0.1


async def test_who_gives_up_in_a_queue_has_abandoned_it(pbx: FreePbx) -> None:
    call, number = await pbx.called("02")
    anna, bernd = await pbx.rings("201"), await pbx.rings("202")
    await call.answered()
    await call.hang_up()
    await asyncio.gather(anna.ended(), bernd.ended())
    told = await one_call(pbx, number)
    assert about(told, *WHO, "queue") == ("inbound", "abandoned", None, "+4312345602", "+4312345602", "600")
    assert legs(told) == [("main/201", "anna", "cancelled"), ("main/202", "bernd", "cancelled")]


async def test_a_recording_that_the_rule_of_an_agent_began_is_the_calls(pbx: FreePbx) -> None:
    await pbx.put("AMPUSER", "201/recording", "force")
    call, number = await pbx.called("02")
    anna = await pbx.rings("201")
    anna.answer()
    await anna.answered()
    await talk(call, anna)
    await call.hang_up()
    await anna.ended()
    told = await one_call(pbx, number)
    assert about(told, "outcome", "user") == ("answered", "anna")
    assert await recorded(pbx, told) > 0.1


async def test_an_agent_passes_a_call_on_and_it_stays_one(pbx: FreePbx) -> None:
    call, number = await pbx.called("02")
    anna = await pbx.rings("201")
    anna.answer()
    await anna.answered()
    await talk(call, anna)
    passing = asyncio.create_task(transfer(anna, "203"))
    dora = await pbx.rings("203")
    dora.answer()
    await passing
    await talk(call, dora)
    await dora.hang_up()
    await call.ended()
    told = await one_call(pbx, number)
    assert about(told, *WHO) == ("inbound", "answered", "dora", "+4312345602", "+4312345602")
    assert [about(one, "by", "to", "how") for one in told["transfers"]] == [("main/201", "main/203", "blind")]
    assert ("main/201", "anna", "transferred") in legs(told)
    assert ("main/203", "dora", "answered") in legs(told)


async def test_follow_me_is_one_call_and_the_mobile_telephone_a_leg(pbx: FreePbx) -> None:
    await pbx.put("AMPUSER", "203/followme/ddial", "DIRECT")
    await pbx.put("AMPUSER", "203/followme/grplist", "06641112299")
    call, number = await pbx.called("03")
    dora, mobile = await pbx.rings("203"), await pbx.world.next_call()
    mobile.answer()
    await call.answered()
    await dora.ended()
    await call.hang_up()
    told = await one_call(pbx, number)
    assert about(told, "direction", "outcome", "from", "did") == ("inbound", "answered", number, "+4312345603")
    assert {one["phone"]: one["result"] for one in told["legs"]} == {"main/203": "elsewhere", MOBILE: "answered"}


async def test_a_call_that_an_extension_forwards_is_one_call_of_who_took_it(pbx: FreePbx) -> None:
    await pbx.put("CF", "201", "202")
    call, number = await pbx.called("04")
    bernd = await pbx.rings("202")
    bernd.answer()
    await call.answered()
    await call.hang_up()
    told = await one_call(pbx, number)
    assert about(told, *WHO) == ("inbound", "answered", "bernd", "+4312345604", "+4312345604")
    assert legs(told) == [("main/202", "bernd", "answered")]


async def test_a_call_that_ends_in_the_mailbox_is_no_answered_one(pbx: FreePbx) -> None:
    call, number = await pbx.called("04")
    (await pbx.rings("201")).refuse(486)
    await call.answered()
    await call.hang_up()
    told = await one_call(pbx, number)
    assert about(told, "outcome", "user") == ("voicemail", None)
    assert legs(told) == [("main/201", "anna", "busy")]


async def test_a_withheld_number_stays_so_though_freepbx_lets_it_be_shown(pbx: FreePbx) -> None:
    heard = len(pbx.crm.events)
    call, number = await pbx.called("04", withheld=True)
    anna = await pbx.rings("201")
    anna.answer()
    await call.answered()
    await call.hang_up()
    ended = lambda one: one["type"] == "call.ended" and one in list(pbx.crm.events)[heard:]  # noqa: E731
    told = (await pbx.crm.events.first(ended))["data"]
    assert about(told, "from", "outcome", "did") == (None, "answered", "+4312345604")
    assert number not in json.dumps(told)


async def test_a_call_outwards_has_the_number_dialled_and_its_recording(pbx: FreePbx) -> None:
    await pbx.put("OUT", "recording", "force")
    anna = await pbx.desks["201"].dial(pbx.asterisk.sip_address, "06641112299", caller="201")
    mobile = await pbx.world.next_call()
    mobile.answer()
    await anna.answered()
    await talk(anna, mobile)
    await mobile.hang_up()
    await anna.ended()
    told = await pbx.crm.ended("201")
    assert about(told, *WHO) == ("outbound", "answered", "anna", "+4312345600", MOBILE)
    assert told["hangup_by"] == "other"
    ready = await pbx.crm.told("recording.ready", "201")
    assert ready["recording"]["seconds"] > 0.1
