"""Every kind of destination, as far as the application that Asterisk really runs, and what is heard there."""

from __future__ import annotations

import pytest

from rig.sip import sound
from rig.stage import desk

from .stage import Stage, hears, told

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

ROUTES = {
    name: f"instruction: {sounds}\ndefault: {{to: {{{to}}}}}\n"
    for name, sounds, to in [
        ("desk", "[]", "extension: '1001'"),
        ("no_desk", "[]", "extension: '1009'"),
        ("ring_group", "[]", "ring_group: sales"),
        ("no_group", "[]", "ring_group: nobody"),
        ("menu", "[]", "ivr: main"),
        ("no_menu", "[]", "ivr: nowhere"),
        ("mailbox", "[]", "voicemail: '1001'"),
        ("no_mailbox", "[]", "voicemail: '4711'"),
        ("meeting", "[]", "conference: board"),
        ("outside", "[]", "external: '+4315550000'"),
        ("announce", "[]", "announcement: news"),
        ("busy", "[]", "hangup: busy"),
        ("rejected", "[]", "hangup: rejected"),
        ("busy_after_sound", "welcome", "hangup: busy"),
        ("call_back", "[]", "callback: '+43664{call.called}'"),
        ("place", "[]", "dialplan: 'office,77,1'"),
        ("no_place", "[]", "dialplan: 'nowhere,77,1'"),
        ("on", "welcome", "route: menu"),
        ("round", "[]", "route: round_again"),
        ("round_again", "[]", "route: round"),
    ]
}
ROUTES["call_back"] = "default: {to: callback}\n"


async def test_an_extension_rings_and_talks(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as callee:
        callee.answer_with(0.2, speaks_hz=440)
        call = await stage.call("desk")
        taken = await callee.next_call()
        call.speak(880)
        await taken.hears(sound(0.2, hz=880))
        await call.hears(sound(0.2, hz=440))
        landing = await stage.lands(call, "extension")
        assert (landing.exten, landing.data[:12], taken.caller) == ("1001", "PJSIP/1001,2", call.caller)


async def test_a_desk_that_is_busy_is_told_to_the_caller(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as callee:
        callee.answer_with(status=486)
        assert (await (await stage.dial("desk")).ended()).status == 486


async def test_the_console_has_a_line_for_the_decision_and_one_for_the_emergency(stage: Stage) -> None:
    await (await stage.dial("no_mailbox")).ended()
    lines = stage.asterisk.log_text()
    assert "Routing Engine: no_mailbox -> voicemail 4711 (" in lines
    assert "Routing Engine: emergency for call" in lines


@pytest.mark.parametrize("route", ["no_desk", "no_group", "no_menu", "no_mailbox", "no_place", "round"])
async def test_a_destination_that_is_not_there_is_an_emergency(stage: Stage, route: str) -> None:
    call = await stage.call(route, emergency="office,help,1")
    await hears(call, "crm_routing-emergency")
    assert (await stage.asterisk.landed(call, "office")).exten == "help"


async def test_a_desk_that_nobody_answers_is_an_emergency(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as callee:
        callee.answer_with(status=None)
        call = await stage.call("desk", emergency="office,help,1")
        assert (await stage.asterisk.landed(call, "office")).exten == "help"
        assert (await (await callee.next_call()).ended()).status == 487


async def test_a_ring_group_rings_all_and_one_answers(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as silent, desk(stage.asterisk, "1002") as quick:
        silent.answer_with(status=None)
        call = await stage.call("ring_group")
        assert await quick.next_call()
        assert (await (await silent.next_call()).ended()).status == 487
        assert (await stage.lands(call, "ring_group")).data.startswith("PJSIP/1001&PJSIP/1002,2,")


async def test_a_menu_is_heard(stage: Stage) -> None:
    call = await stage.call("menu")
    await hears(call, "menu")
    landing = await stage.asterisk.landed(call, "ivr-main")
    assert told(landing, "KIND", "TARGET", "CONTEXT", "EXTEN") == ("ivr", "main", "routing-engine-ivr", "main")


async def test_a_mailbox_takes_a_message(stage: Stage) -> None:
    call = await stage.call("mailbox")
    assert (await stage.lands(call, "voicemail")).data == "1001,u"
    await call.hears(sound(0.5))


async def test_a_conference_brings_two_callers_together(stage: Stage) -> None:
    one, other = await stage.call("meeting"), await stage.call("meeting")
    assert (await stage.lands(one, "conference")).data == "board"
    for call in (one, other):
        uniqueid = await stage.asterisk.uniqueid(call)
        await stage.asterisk.wait_event("ConfbridgeJoin", Conference="board", Uniqueid=uniqueid)


async def test_a_number_outside_is_dialled_over_the_trunk(stage: Stage) -> None:
    async with desk(stage.asterisk, "1003") as provider:
        call = await stage.call("outside")
        taken = await provider.next_call()
        assert (taken.called, taken.caller) == ("+4315550000", call.caller)
        assert (await stage.lands(call, "external")).exten == "+4315550000"


async def test_an_announcement_is_heard_and_the_call_is_over(stage: Stage) -> None:
    call = await stage.call("announce")
    await hears(call, "news")
    assert (await call.ended()).by == "them"
    assert (await stage.lands(call, "announcement")).exten == "news"


@pytest.mark.parametrize(("route", "cause", "status"), [("busy", "17", 486), ("rejected", "21", 403)])
async def test_a_call_that_nobody_answered_is_refused_with_its_cause(
    stage: Stage, route: str, cause: str, status: int
) -> None:
    call = await stage.dial(route)
    assert (await call.ended()).status == status
    assert call.answered_at is None
    assert (await stage.lands(call, "hangup")).exten == cause


async def test_a_call_that_was_answered_is_hung_up_with_its_cause(stage: Stage) -> None:
    call = await stage.call("busy_after_sound")
    assert (await call.ended()).cause == 17


async def test_a_wish_to_be_called_back_is_kept(stage: Stage) -> None:
    call = await stage.call("call_back")
    await hears(call, "crm_routing-callback")
    uniqueid = (await stage.lands(call, "callback")).uniqueid
    event = await stage.asterisk.wait_event("UserEvent", UserEvent="RoutingEngineCallback", Uniqueid=uniqueid)
    assert (event["Number"], event["Route"]) == (call.caller, "call_back")
    assert call.caller in await stage.asterisk.command(f"database get routing-engine callback/{uniqueid}")


async def test_any_place_of_the_dialplan_can_be_gone_to(stage: Stage) -> None:
    landing = await stage.asterisk.landed(await stage.dial("place"), "office")
    assert told(landing, "KIND", "TARGET", "CONTEXT") == ("dialplan", "office,77,1", "office")
    assert (landing.exten, landing.priority) == ("77", 1)


async def test_another_route_takes_over_where_it_begins(stage: Stage) -> None:
    call = await stage.call("on")
    await hears(call, "welcome")
    await hears(call, "menu")
    assert told(await stage.lands(call, "ivr"), "NAME", "REASON") == ("menu", "no_record")


async def test_a_route_that_does_not_exist_is_an_emergency(stage: Stage) -> None:
    call = await stage.call("nosuch", emergency="office,help,1")
    landing = await stage.asterisk.landed(call, "office")
    assert (landing.exten, *told(landing, "STATUS", "REASON", "KIND")) == ("help", "FALLBACK", "error", "")
    await stage.engine.logged("call.routed", route="nosuch", reason="error")
