"""Whatever breaks while calls are followed: nothing is lost, nothing is told twice, and calls are routed on."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from rig.sip import Call, Phone
from rig.stage import desk
from tests.wire import Wire

from .engine import Engine, write_configuration
from .outside import Outside, outside, write
from .stage import House, Stage, callers

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

ROUTES = {"to_anna": "default: {to: {extension: '1001'}}\n"}


@dataclass
class Scene:
    """A firm whose calls are followed over a line that can be cut."""

    house: House
    crm: Outside
    wire: Wire
    folder: Path

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[Stage]:
        """An engine of this folder that follows the PBX; each one takes up what the one before has left."""
        async with Engine.serving(self.folder) as engine:
            await engine.logged("pbx.up")
            yield Stage(self.house, engine)
            assert engine.complaints == []

    def caller(self) -> str:
        """A number that the CRM knows, and that nobody has called from before."""
        number = f"+43664{next(callers)}"
        self.crm.people[number] = "Anna Gruber"
        return number

    async def in_the_history(self, number: str) -> None:
        """Wait until Asterisk has written the record of a call: nothing tells when a file has grown."""
        file = self.house.asterisk.directory / "log" / "cdr-csv" / "Master.csv"
        while not file.exists() or number not in file.read_text(errors="replace"):
            await asyncio.sleep(0.02)

    async def told_once(self, number: str, outcome: str = "answered") -> Mapping[str, Any]:
        """The record of a call, once it is in the CRM; nothing of it was told or written twice."""
        told = await self.crm.ended(number)
        entry = await self.crm.entries.first(lambda one: one.get("key") == told["id"])
        kinds = [one for one in self.crm.kinds(told["id"]) if one != "call.ringing"]
        assert kinds == ["call.started", *(["call.answered"] if outcome == "answered" else []), "call.ended"]
        assert (told["outcome"], entry["outcome"]) == (outcome, outcome)
        assert len(self.crm.written(told["id"])) == 1
        assert len({one["data"]["id"] for one in self.crm.events if one["data"]["from"] == number}) == 1
        return told


def write_scene(folder: Path, house: House, crm: Outside, wire: Wire) -> None:
    """The folder of an engine that follows the house's Asterisk over a line, and reads its call records."""
    write_configuration(folder, ROUTES, house.middleware.address, "match_order: [kontor]\n")
    history = house.asterisk.directory / "log" / "cdr-csv" / "Master.csv"
    write(folder, house.asterisk, crm, ("127.0.0.1", wire.port), f"history: {{csv: {history}}}\n")


@pytest_asyncio.fixture(loop_scope="session")
async def scene(house: House, tmp_path: Path) -> AsyncIterator[Scene]:
    async with outside() as crm, Wire(lambda: house.asterisk.manager_address[1]).open() as wire:
        write_scene(tmp_path, house, crm, wire)
        yield Scene(house, crm, wire, tmp_path)


async def talking(stage: Stage, phone: Phone, number: str) -> tuple[Call, Call]:
    """A call from outside that is answered, and its other end."""
    call = await stage.call("to_anna", caller=number)
    taken = await phone.next_call()
    await taken.answered()
    return call, taken


async def test_a_line_that_is_cut_in_mid_call_costs_nothing(scene: Scene) -> None:
    through, over, late = (scene.caller() for _ in range(3))
    async with scene.engine() as stage, desk(scene.house.asterisk, "1001") as phone:
        goes_on, _ = await talking(stage, phone, through)
        ends, _ = await talking(stage, phone, over)
        await scene.crm.told("call.answered", over)
        scene.wire.down = True
        scene.wire.cut()
        await stage.engine.logged("ami.down")
        await ends.hang_up()
        begins, _ = await talking(stage, phone, late)
        await scene.in_the_history(over)
        scene.wire.down = False
        await scene.crm.told("call.answered", late)
        await asyncio.gather(goes_on.hang_up(), begins.hang_up())
        for number in (through, over, late):
            told = await scene.told_once(number)
            # What the call records say of a call is not who hung up.
            assert (told["user"], told["hangup_by"]) == ("anna", None if number == over else "other")


async def test_an_engine_that_is_killed_in_mid_call_takes_it_up_again(scene: Scene) -> None:
    through, over = scene.caller(), scene.caller()
    async with desk(scene.house.asterisk, "1001") as phone:
        async with scene.engine() as stage:
            goes_on, _ = await talking(stage, phone, through)
            ends, _ = await talking(stage, phone, over)
            await scene.crm.told("call.answered", over)
            await scene.crm.told("call.answered", through)
            stage.engine.kill()
            await stage.engine.ended()
        await ends.hang_up()
        await scene.in_the_history(over)
        async with scene.engine() as stage:
            await scene.told_once(over)
            await goes_on.hang_up()
            await scene.told_once(through)
            await scene.in_the_history(through)
        # The next one reads the same call records, and knows their calls.
        async with scene.engine() as stage:
            number = scene.caller()
            last, _ = await talking(stage, phone, number)
            await last.hang_up()
            await scene.told_once(number)
            await asyncio.gather(*map(scene.told_once, (over, through)))


async def test_a_crm_that_is_down_gets_everything_when_it_is_back(scene: Scene) -> None:
    number = scene.caller()
    async with scene.engine() as stage, desk(scene.house.asterisk, "1001") as phone:
        scene.crm.down = True
        call, _ = await talking(stage, phone, number)
        await call.hang_up()
        await scene.crm.refused.first(lambda _: True)
        scene.crm.down = False
        await scene.told_once(number)


async def test_a_full_disk_holds_up_no_call_and_loses_none(scene: Scene) -> None:
    number = scene.caller()
    async with scene.engine() as stage, desk(scene.house.asterisk, "1001") as phone:
        # No file of this process may grow or change: what a full disk says is said by the kernel.
        resource.prlimit(stage.engine.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        call, _ = await talking(stage, phone, number)
        await stage.engine.logged("database.down")
        await call.hang_up()
        busy, _ = await talking(stage, phone, scene.caller())
        await busy.hang_up()
        # Of other tests' calls the PBX's history may tell.
        assert [one for one in scene.crm.events if one["data"]["from"] == number] == []
        resource.prlimit(stage.engine.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        await stage.engine.logged("database.up")
        await scene.told_once(number)


async def test_a_flood_of_events_of_another_system_is_told_once_though_the_engine_is_killed(scene: Scene) -> None:
    engine_yaml = scene.folder / "engine.yaml"
    keys = "api_keys: {cloud: {key: '${CLOUD_KEY}', may: [events]}}\n"
    text = engine_yaml.read_text().replace("fastagi: 127.0.0.1:0", "fastagi: 127.0.0.1:0, http: 127.0.0.1:0")
    engine_yaml.write_text(text + keys)
    with (scene.folder / "environment").open("a") as file:
        file.write("CLOUD_KEY=0123456789abcdef0123456789abcdef\n")
    async with scene.engine() as stage, desk(scene.house.asterisk, "1001") as phone:
        flood = asyncio.create_task(_flood(await _listener(stage), FLOODED[: len(FLOODED) // 2]))
        # A call that is routed in the midst of it is taken as ever.
        number = scene.caller()
        call, _ = await talking(stage, phone, number)
        taken = await flood
        await call.hang_up()
        await scene.told_once(number)
        stage.engine.kill()
        await stage.engine.ended()
    async with scene.engine() as stage:
        # Whoever got no answer says it again, and so does one who is not sure.
        taken |= await _flood(await _listener(stage), FLOODED)
        assert taken == set(FLOODED)
        for one in FLOODED:
            await scene.crm.events.first(
                lambda event, one=one: event["type"] == "call.ended" and event["data"]["pbx_call_id"] == one  # type: ignore[misc]
            )
        ends = [one["data"]["pbx_call_id"] for one in scene.crm.events if one["type"] == "call.ended"]
        assert sorted(one for one in ends if one in FLOODED) == sorted(FLOODED)


FLOODED = [f"cloud-{count}" for count in range(100)]


async def _listener(stage: Stage) -> str:
    ready = await stage.engine.logged("service.ready")
    [address] = ready["http"]  # type: ignore[misc]
    return str(address)


async def _flood(address: str, calls: Sequence[str]) -> set[str]:
    """Tell each call's end three times, all at once; return the calls of which all was taken."""
    headers = {"Authorization": "Bearer 0123456789abcdef0123456789abcdef"}
    async with aiohttp.ClientSession(f"http://{address}", headers=headers) as session:
        done = await asyncio.gather(*(_tell(session, call) for call in calls for _ in range(3)))
    return {call for call in done if call}


async def _tell(session: aiohttp.ClientSession, call: str) -> str:
    event = {"id": f"{call}-end", "call": call, "type": "call.ended", "at": "2026-11-30T12:00:00.000Z"}
    parties = {"direction": "inbound", "from": "+436641234567", "to": "+4312345601"}
    async with session.post("/v1/events/cloud", json={**event, **parties}) as answer:
        return call if answer.status == 202 else ""
