"""What a rule sets beside the destination: SIP headers and ring tones at the telephone, recordings, announcements."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from rig.sip import Call, sound
from rig.stage import desk

from .scenery import HZ
from .stage import Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

SET = "set: {header.X-CRM: '{note}', header.X-Empty: '{company}', header.Subject: 'gold: {name}', alert_info: '{tier}'}"
RULE = f"name: it, to: {{extension: '1001'}}, {SET}"
FOUND = "sources: [{integration: crm, search: {by: caller}, rules: [{" + RULE + "}]}]\n"
OTHER = "default: {to: {extension: '1001'}}"
SETS = {
    "queued": ("queue: vip", "header.X-CRM: '7', header.X-Two: 'a, b', alert_info: '<http://127.0.0.1>;info=ring2'"),
    "outside": ("external: '+4315550000'", "header.X-CRM: '7'"),
    "recorded": ("extension: '1001'", "record: 'yes'"),
    "recorded_queue": ("queue: vip", "record: 'TRUE'"),
    "not_recorded": ("extension: '1001'", "record: 'no'"),
    "announced": ("extension: '1001'", "announce: news"),
    "announced_queue": ("queue: vip", "announce: news"),
    "music": ("queue: vip", "music: lounge"),
}
ROUTES = {name: f"rules: [{{to: {{{to}}}, set: {{{sets}}}}}]\n{OTHER}" for name, (to, sets) in SETS.items()}
ROUTES["found"] = FOUND + OTHER
ROUTES["by_record"] = ROUTES["found"].replace(SET, "set: {record: '{note}', announce: '{note}'}")

#: What a record may hold and a dialplan, an expression or a list of arguments would stumble over.
HOSTILE = "a,b;c\"d${SHELL(id)} ):2 (x) {y} [z] \\ e&f|g'h: i^j)U(k"
SEEN = HOSTILE.replace("${", "{")


def headers(call: Call, *names: str) -> list[str]:
    return [call.invite.header(name) for name in names]


async def recording(stage: Stage, call: Call) -> Path:
    return stage.asterisk.directory / "spool" / "recording" / f"{await stage.asterisk.uniqueid(call)}.wav"


async def test_headers_and_the_ring_tone_reach_the_telephone(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as callee:
        call = await stage.dial("found", caller="+43664500")
        assert headers(await callee.next_call(), "x-crm", "alert-info") == ["", ""]
        await call.hang_up()
        stage.middleware.knows("crm", "+43664500", id="1", note="7", name="Anna", tier="ring-2")
        await stage.dial("found", caller="+43664500")
        told = headers(await callee.next_call(), "x-crm", "subject", "alert-info", "x-empty")
        assert told == ["7", "gold: Anna", "ring-2", ""]


async def test_headers_and_the_ring_tone_reach_the_agent_of_a_queue(stage: Stage) -> None:
    async with desk(stage.asterisk, "1002") as agent:
        await stage.dial("queued")
        told = headers(await agent.next_call(), "x-crm", "x-two", "alert-info")
        assert told == ["7", "a, b", "<http://127.0.0.1>;info=ring2"]


async def test_headers_reach_a_number_outside(stage: Stage) -> None:
    async with desk(stage.asterisk, "1003") as provider:
        await stage.dial("outside")
        assert headers(await provider.next_call(), "x-crm") == ["7"]


@pytest.mark.parametrize("value", [HOSTILE, f"){HOSTILE}", '"', ":", "x" * 900])
async def test_a_hostile_value_arrives_as_it_is_and_does_nothing(stage: Stage, value: str) -> None:
    async with desk(stage.asterisk, "1001") as callee:
        stage.middleware.knows("crm", "+43664501", id="1", note=value, name=value, tier=value)
        call = await stage.dial("found", caller="+43664501")
        seen = value.replace(HOSTILE, SEEN)
        told = headers(await callee.next_call(), "x-crm", "subject", "alert-info")
        assert told == [seen, f"gold: {seen}", seen]
        await call.answered()


async def test_hostile_values_neither_record_nor_announce(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as callee:
        callee.answer_with(hangs_up_after_s=0.3)
        stage.middleware.knows("crm", "+43664502", id="1", note=f"news):0{HOSTILE}")
        call = await stage.call("by_record", caller="+43664502")
        await call.ended()
        landing = await stage.lands(call, "extension")
        assert landing.data == "PJSIP/1001,2,b(routing-engine-headers^s^1)U(routing-engine-connected)"
        assert not (await recording(stage, call)).exists()


@pytest.mark.parametrize(("route", "number"), [("recorded", "1001"), ("recorded_queue", "1002")])
async def test_a_talk_is_recorded(stage: Stage, route: str, number: str) -> None:
    async with desk(stage.asterisk, number) as callee:
        callee.answer_with(0.4, speaks_hz=440, hangs_up_after_s=1.2)
        call = await stage.call(route)
        await call.ended()
        uniqueid = await stage.asterisk.uniqueid(call)
        await stage.asterisk.wait_event("Hangup", Uniqueid=uniqueid)
        with wave.open(str(await recording(stage, call))) as file:
            assert 0.5 < file.getnframes() / file.getframerate() < 2
            assert max(file.readframes(8000)) > 0


async def test_nothing_is_recorded_unless_a_rule_says_so(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as callee:
        callee.answer_with(hangs_up_after_s=0.3)
        call = await stage.call("not_recorded")
        await call.ended()
        assert not (await recording(stage, call)).exists()


@pytest.mark.parametrize(("route", "number"), [("announced", "1001"), ("announced_queue", "1002")])
async def test_the_agent_is_told_before_the_caller_is_heard(stage: Stage, route: str, number: str) -> None:
    async with desk(stage.asterisk, number) as agent:
        call = await stage.call(route)
        await (await agent.next_call()).hears(sound(0.1, hz=HZ["news"]))
        assert not any(sound(0.1, hz=HZ["news"])(segment) for segment in call.heard)


async def test_the_music_of_a_rule_is_heard_in_the_queue(stage: Stage) -> None:
    async with desk(stage.asterisk, "1002") as agent:
        agent.answer_with(status=None)
        call = await stage.call("music")
        uniqueid = await stage.asterisk.uniqueid(call)
        await stage.asterisk.wait_event("MusicOnHoldStart", Uniqueid=uniqueid, Class="lounge")
