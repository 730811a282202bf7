"""A list of destinations: who rings when somebody does not answer, who does not, and where it ends."""

from __future__ import annotations

import asyncio

import pytest

from rig.sip import Phone, sound
from rig.stage import desk

from .stage import Stage, hears, told

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

#: A WAV file that holds no sound.
EMPTY_WAV = 44
DEFAULT = "default: {to: {hangup: rejected}}\n"
PLACES = "{dialplan: 'nowhere,7,1'}, {ivr: nowhere}, {voicemail: '4711'}, {ring_group: nobody}, {queue: deserted}"
CHAINS = {
    "owner": "{extension: '1001', ring_s: 1}, {extension: '1002', ring_s: 5}",
    "away": "{extension: '1004', ring_s: 9}, {extension: '1002', ring_s: 5}",
    "nobody": "{extension: '1001', ring_s: 1}, {external: '+4315550000', ring_s: 1}",
    "team": "{queue: vip, ring_s: 2}, {extension: '1001'}",
    "group": "{ring_group: sales, ring_s: 1}, {queue: vip, priority: 5}",
    "trunk": "{external: '+4315550000', ring_s: 1}, {announcement: news}",
    "nowhere": f"{PLACES}, {{announcement: news}}",
    "menu": "{extension: '1004'}, {ivr: main}",
    "mailbox": "{extension: '1004'}, {voicemail: '1001'}",
    "refusal": "{extension: '1004'}, {hangup: busy}",
    "office": "{extension: '1004'}, {dialplan: 'office,77,1'}",
    "on": "{queue: deserted, priority: 3}, {extension: '1001', ring_s: 1}, {route: plain}",
    "round": "{ring_group: nobody}, {route: round}",
}
SET = "set: {header.X-CRM: '7', alert_info: ring-2, record: yes, announce: news}"
ROUTES = {
    name: f"rules: [{{to: [{to}], {SET if name == 'on' else 'name: it'}}}]\n{DEFAULT}" for name, to in CHAINS.items()
}
ROUTES["plain"] = "default: {to: {extension: '1002'}}"


async def rings_nobody(phone: Phone) -> bool:
    """Whether a telephone has not rung, and does not within half a second."""
    try:
        await phone.next_call(0.5)
    except TimeoutError:
        return True
    return False


async def test_the_deputy_rings_when_the_owner_does_not_answer_in_time(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as owner, desk(stage.asterisk, "1002") as deputy:
        owner.answer_with(status=None)
        deputy.answer_with(0.2, speaks_hz=440)
        call = await stage.call("owner")
        missed, taken = await owner.next_call(), await deputy.next_call()
        assert (await missed.ended()).status == 487
        assert taken.began_at - missed.began_at > 0.9
        call.speak(880)
        await taken.hears(sound(0.2, hz=880))
        variables = await stage.asterisk.when_dialled(call, "1002")
        assert [variables[f"ROUTE_{name}"] for name in ("KIND", "TARGET", "RING_S")] == ["extension", "1002", "5"]


async def test_the_deputy_rings_at_once_when_the_owner_is_busy(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as owner, desk(stage.asterisk, "1002") as deputy:
        owner.answer_with(status=486)
        call = await stage.dial("owner")
        await deputy.next_call()
        await call.answered()
        called = await stage.asterisk.uniqueid(call)
        await stage.asterisk.wait_event("DialEnd", Uniqueid=called, DialStatus="BUSY")


async def test_a_telephone_that_is_not_there_costs_no_time(stage: Stage) -> None:
    async with desk(stage.asterisk, "1002") as deputy:
        call = await stage.dial("away")
        assert (await deputy.next_call()).began_at - call.began_at < 8, "it would ring for 9 s"


async def test_a_talk_that_is_over_rings_nobody_else(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as owner, desk(stage.asterisk, "1002") as deputy:
        owner.answer_with(hangs_up_after_s=0.3)
        call = await stage.call("owner")
        assert (await call.ended()).by == "them"
        assert await rings_nobody(deputy)


async def test_a_talk_in_a_queue_that_is_over_rings_nobody_else(stage: Stage) -> None:
    async with desk(stage.asterisk, "1002") as agent, desk(stage.asterisk, "1001") as other:
        agent.answer_with(hangs_up_after_s=0.3)
        call = await stage.call("team")
        assert (await call.ended()).by == "them"
        assert await rings_nobody(other)


async def test_a_caller_who_hangs_up_rings_nobody_else(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as owner, desk(stage.asterisk, "1002") as deputy:
        owner.answer_with(status=None)
        call = await stage.dial("owner")
        ringing = await owner.next_call()
        await call.hang_up()
        assert (await ringing.ended()).status == 487
        await stage.gone(call)
        assert await rings_nobody(deputy)
        assert (await stage.asterisk.landed(call)).way[-1] == "routing-engine-extension,h,1 Hangup()"


async def test_the_last_one_is_the_default_of_the_route(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as owner, desk(stage.asterisk, "1003") as provider:
        owner.answer_with(status=None)
        provider.answer_with(status=None)
        call = await stage.dial("nobody")
        assert (await call.ended()).status == 403
        assert (await stage.lands(call, "hangup")).exten == "21"


async def test_a_caller_leaves_a_queue_for_the_next_one(stage: Stage) -> None:
    async with desk(stage.asterisk, "1002") as agent, desk(stage.asterisk, "1001") as other:
        agent.answer_with(status=None)
        call = await stage.call("team")
        await agent.next_call()
        assert await other.next_call()
        landing = await stage.asterisk.landed(call, "routing-engine-extension", application="Dial")
        assert landing.variables["QUEUESTATUS"] == "TIMEOUT"


async def test_a_group_rings_as_long_as_its_entry_says_and_the_queue_has_its_priority(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as one, desk(stage.asterisk, "1002") as other:
        one.answer_with(status=None)
        other.answer_with(status=None)
        call = await stage.dial("group")
        first = await one.next_call()
        assert (await first.ended()).status == 487
        landing = await stage.lands(call, "queue")
        assert (landing.exten, landing.variables["QUEUE_PRIO"]) == ("vip", "5")


async def test_a_number_outside_rings_as_long_as_its_entry_says(stage: Stage) -> None:
    async with desk(stage.asterisk, "1003") as provider:
        provider.answer_with(status=None)
        call = await stage.call("trunk")
        await hears(call, "news")
        assert (await (await provider.next_call()).ended()).status == 487


async def test_what_is_not_there_is_passed_over(stage: Stage) -> None:
    call = await stage.call("nowhere")
    await hears(call, "news")
    assert told(await stage.lands(call, "announcement"), "KIND", "TARGET", "CHAIN")[:2] == ("announcement", "news")


@pytest.mark.parametrize(
    ("route", "context"),
    [("menu", "ivr-main"), ("mailbox", "routing-engine-voicemail"), ("office", "office")],
)
async def test_a_chain_may_end_at_any_kind_of_destination(stage: Stage, route: str, context: str) -> None:
    assert await stage.asterisk.landed(await stage.dial(route), context)


async def test_a_chain_may_end_with_a_refusal(stage: Stage) -> None:
    assert (await (await stage.dial("refusal")).ended()).status == 486


async def test_a_route_in_a_chain_begins_anew_and_keeps_nothing(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as owner, desk(stage.asterisk, "1002") as desk_of_other:
        owner.answer_with(status=None)
        call = await stage.dial("on")
        assert (await owner.next_call()).invite.header("x-crm") == "7"
        taken = await desk_of_other.next_call()
        assert (taken.invite.header("x-crm"), taken.invite.header("alert-info")) == ("", "")
        variables = await stage.asterisk.when_dialled(call, "1002")
        kept = {f"ROUTE_{name}": variables[f"ROUTE_{name}"] for name in ("CHAIN", "RING_S", "RECORD", "ANNOUNCE")}
        assert set(kept.values()) == {""}
        assert (variables["ROUTE_NAME"], variables["QUEUE_PRIO"]) == ("plain", "0")
        await call.hang_up()
        await stage.gone(call)
        recording = stage.asterisk.directory / "spool" / "recording" / f"{variables['ROUTE_CALL_ID']}.wav"
        assert recording.stat().st_size == EMPTY_WAV


async def test_routes_that_lead_to_one_another_are_an_emergency(stage: Stage) -> None:
    call = await stage.call("round", emergency="office,help,1")
    assert (await stage.asterisk.landed(call, "office")).exten == "help"
    assert len(stage.engine.lines("call.routed", route="round")) <= 9


async def half_an_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An engine that dies once it has set a chain."""
    await reader.readuntil(b"\n\n")
    for name, value in (
        ("__ROUTE_HEADER_1", "X-CRM: 7"),
        ("ROUTE_KIND", "queue"),
        ("QUEUE_PRIO", "9"),
        ("ROUTE_CHAIN", "x"),
    ):
        writer.write(f'SET VARIABLE {name} "{value}"\n'.encode())
        await reader.readline()
    writer.close()


async def test_nothing_is_kept_of_an_engine_that_died_in_the_middle_of_its_answer(stage: Stage) -> None:
    async with (
        desk(stage.asterisk, "1002") as callee,
        await asyncio.start_server(half_an_answer, "127.0.0.1", 0) as dying,
    ):
        host, port = dying.sockets[0].getsockname()
        call = await stage.call("plain", engines=[f"{host}:{port}", stage.engine.address])
        assert (await callee.next_call()).invite.header("x-crm") == ""
        variables = await stage.asterisk.when_dialled(call, "1002")
        assert [variables[name] for name in ("ROUTE_STATUS", "ROUTE_CHAIN", "QUEUE_PRIO")] == ["OK", "", "0"]
