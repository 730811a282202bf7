"""Calls followed on a real Asterisk, from the first ring to the entry in a CRM, and to a webhook's receiver."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from rig.stage import desk

from .engine import PROGRAM, Engine
from .outside import ANNA, Outside, outside, write
from .stage import House, Stage, engine_of

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

NOBODY_KNOWN = "+436649998887"
ROUTES = {
    "to_anna": "default: {to: {extension: '1001'}}\n",
    "recorded": ("rules: [{to: {extension: '1001'}, set: {record: 'yes'}}]\ndefault: {to: {extension: '1001'}}\n"),
    "nowhere": "default: {to: {queue: slaes}}\n",
    "by_record": (
        "sources: [{integration: kontor, model: contact, search: {by: caller}, rules: [{to: {extension: '1001'}}]}]\n"
        "default: {to: {hangup: busy}}\n"
    ),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def crm() -> AsyncIterator[Outside]:
    async with outside() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(house: House, crm: Outside, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    folder = tmp_path_factory.mktemp("followed")
    write(folder, house.asterisk, crm)
    settings = "match_order: [kontor]\npages: {address: 'https://calls.example.com'}\n"
    async with engine_of(house.middleware, ROUTES, settings, folder) as engine:
        await engine.logged("pbx.up")
        yield engine
        assert engine.complaints == []


async def test_an_answered_call_is_told_and_written_into_the_crm_once(stage: Stage, crm: Outside) -> None:
    async with desk(stage.asterisk, "1001") as phone:
        call = await stage.call("by_record", caller=ANNA)
        taken = await phone.next_call()
        await taken.answered()
        await call.hang_up()
    told = await crm.ended(ANNA)
    assert (told["direction"], told["outcome"], told["user"], told["hangup_by"]) == (
        "inbound",
        "answered",
        "anna",
        "other",
    )
    assert [(leg["phone"], leg["result"]) for leg in told["legs"]] == [("main/1001", "answered")]
    assert (told["contact"]["matched"], told["contact"]["name"]) == ("routed", "Anna Gruber")
    assert (told["route"]["name"], told["route"]["reason"]) == ("by_record", "matched")
    entry = await crm.entries.first(lambda one: one.get("key") == told["id"])
    assert (entry["who"], entry["outcome"]) == ("c7", "answered")
    assert entry["page"] == f"https://calls.example.com/calls/{told['id']}"
    assert len([one for one in crm.entries if one.get("key") == told["id"]]) == 1
    kinds = [one["type"] for one in crm.events if one["data"]["id"] == told["id"]]
    assert [one for one in kinds if one != "call.ringing"] == ["call.started", "call.answered", "call.ended"]


async def test_a_call_that_nobody_took_is_missed_and_its_caller_is_found_by_number(stage: Stage, crm: Outside) -> None:
    number = "+436641112299"
    crm.people[number] = "Bernd Maier"
    async with desk(stage.asterisk, "1001") as phone:
        phone.answer_with(status=486)
        assert (await (await stage.dial("to_anna", caller=number)).ended()).status == 486
    missed = await crm.events.first(lambda one: one["type"] == "call.missed" and one["data"]["from"] == number)
    assert missed["data"]["outcome"] == "missed"
    entry = await crm.entries.first(lambda one: one.get("key") == missed["data"]["id"])
    assert (entry["who"], "Missed" in entry["subject"]) == ("c7", True)


async def test_a_recording_is_ready_and_attached_to_the_entry(stage: Stage, crm: Outside) -> None:
    number = "+436641112233"
    crm.people[number] = "Clara Winter"
    async with desk(stage.asterisk, "1001") as phone:
        phone.answer_with(0.4, speaks_hz=440, hangs_up_after_s=1.2)
        await (await stage.call("recorded", caller=number)).ended()
    ready = await crm.events.first(lambda one: one["type"] == "recording.ready" and one["data"]["from"] == number)
    assert (ready["data"]["recording"]["state"], ready["data"]["recording"]["seconds"] > 0.3) == ("pending", True)
    _, sound = await crm.sounds.first(lambda one: True)
    with wave.open(io.BytesIO(sound)) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(ready["data"]["recording"]["seconds"], abs=0.01)


async def test_a_call_of_nobody_who_is_known_is_not_written(stage: Stage, crm: Outside) -> None:
    async with desk(stage.asterisk, "1001") as phone:
        call = await stage.call("to_anna", caller=NOBODY_KNOWN)
        await (await phone.next_call()).answered()
        await call.hang_up()
    told = await crm.ended(NOBODY_KNOWN)
    assert told["contact"] is None
    assert all(one.get("key") != told["id"] for one in crm.entries)


async def test_a_call_that_ended_in_the_emergency_prompt_is_told_so(stage: Stage, crm: Outside, engine: Engine) -> None:
    number = "+436641112277"
    await (await stage.dial("nowhere", caller=number)).ended()
    told = await crm.ended(number)
    lines = (await asked(engine, "explain", told["pbx_call_id"])).splitlines()
    assert "to slaes" in lines[0] or "queue slaes" in lines[0]
    assert any("the dialplan's emergency prompt ended it" in line for line in lines)
    listed = await asked(engine, "calls", "--caller", number)
    assert "missed, emergency" in listed


async def test_what_became_of_a_call_is_listed_and_told(stage: Stage, crm: Outside, engine: Engine) -> None:
    number = "+436641112278"
    async with desk(stage.asterisk, "1001") as phone:
        call = await stage.call("to_anna", caller=number)
        await (await phone.next_call()).answered()
        await call.hang_up()
    told = await crm.ended(number)
    (listed,) = [json.loads(line) for line in (await asked(engine, "calls", "--caller", number, "--json")).splitlines()]
    assert (listed["id"], listed["outcome"], listed["user"]) == (told["id"], "answered", "anna")
    said = await asked(engine, "explain", told["id"])
    assert "extension 1001" in said
    assert "answered by anna (inbound)" in said
    assert "main/1001 (anna): answered" in said


async def asked(engine: Engine, *words: str) -> str:
    """What a command says of the folder of a running engine."""
    command = [str(PROGRAM), "--config", str(engine.folder), *words]
    return (await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)).stdout


async def test_a_pbx_that_a_reload_brings_is_followed(house: House, crm: Outside, tmp_path: Path) -> None:
    write(tmp_path, house.asterisk, crm)
    pbx, users = tmp_path / "pbxs" / "main.yaml", tmp_path / "users.yaml"
    kept = pbx.read_text()
    pbx.unlink()
    users.unlink()
    async with engine_of(house.middleware, ROUTES, "match_order: [kontor]\n", tmp_path) as engine:
        pbx.write_text(kept)
        await engine.logged("pbx.up")
        call = await Stage(house, engine).dial("by_record", caller=NOBODY_KNOWN)
        await call.ended()
        followed = await engine.logged("call.followed")
        assert (followed["direction"], followed["outcome"]) == ("inbound", "missed")
        assert engine.complaints == []
