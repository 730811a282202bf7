"""A middleware that is away, slow or confused: an error is never "no record", and never holds the caller."""

from __future__ import annotations

import asyncio

import pytest

from rig.asterisk import MUSIC_HZ
from rig.sip import sound

from .stage import Stage, hears, told

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

BROKEN = ("nobody", "error", "garbage", "cut", "huge", "endless", "redirect", "slow")


def source(integration: str, queue: str, more: str = "") -> str:
    """A source that is searched by the caller, and whose every record goes to this queue."""
    search = "search: {field: phone, by: caller}"
    return f"  - {{integration: {integration}, {search}, timeout_s: 0.4{more}, rules: [{{to: {{queue: {queue}}}}}]}}\n"


MENU = "default: {play: sorry, to: {ivr: main}}\n"
OWN = ", when_down: {play: gold, to: {dialplan: 'office,down,1'}}"
ROUTES = {
    **{f"{name}_next": f"sources:\n{source(name, 'vip')}{source('erp', 'sales')}{MENU}" for name in BROKEN},
    **{f"{name}_alone": f"sources:\n{source(name, 'vip')}{MENU}" for name in BROKEN},
    "to_default": f"sources:\n{source('error', 'vip', ', when_down: default')}{source('erp', 'sales')}{MENU}",
    "to_its_own": f"sources:\n{source('nobody', 'vip', OWN)}{source('erp', 'sales')}{MENU}",
    "deadline": f"deadline_s: 0.6\nsources:\n{source('slow', 'vip').replace('timeout_s: 0.4, ', '')}{MENU}",
    "two_slow": f"deadline_s: 0.6\nsources:\n{source('slow', 'vip')}{source('slow', 'sales', ', name: other')}{MENU}",
    "out_of_time": "deadline_s: 0.3\nsources:\n"
    f"{source('slow', 'vip')}{source('erp', 'sales', ', when_down: default')}{MENU}",
    "flapping": f"sources:\n{source('crm', 'vip')}{MENU}",
    "music": "instruction: welcome\nfiller: {after_s: 0.3, music: default}\ndeadline_s: 1\nsources:\n"
    f"{source('slow', 'vip').replace('timeout_s: 0.4, ', '')}{MENU}",
}


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_broken_source_sends_the_search_on(stage: Stage, broken: str) -> None:
    both = await asyncio.gather(stage.dial(f"{broken}_next"), stage.dial(f"{broken}_alone"))
    stage.middleware.knows("erp", both[0].caller, id="7")
    found, alone = await asyncio.gather(stage.lands(both[0], "queue"), stage.lands(both[1], "ivr"))
    assert (found.exten, *told(found, "STATUS", "REASON")) == ("sales", "OK", "matched")
    assert (alone.exten, *told(alone, "STATUS", "REASON")) == ("main", "OK", "source_down")


async def test_no_record_after_a_broken_source_is_told_as_source_down(stage: Stage) -> None:
    landing = await stage.lands(await stage.dial("error_next"), "ivr")
    assert told(landing, "REASON") == ("source_down",)


async def test_a_broken_source_may_lead_to_the_default_at_once(stage: Stage) -> None:
    call = await stage.call("to_default")
    await hears(call, "sorry")
    assert told(await stage.lands(call, "ivr"), "REASON", "RULE") == ("source_down", "")
    assert stage.middleware.paths_asked_by(call.caller) == ["error"]


async def test_a_broken_source_may_have_a_destination_of_its_own(stage: Stage) -> None:
    call = await stage.call("to_its_own")
    await hears(call, "gold")
    landing = await stage.asterisk.landed(call, "office")
    assert (landing.exten, *told(landing, "STATUS", "REASON")) == ("down", "OK", "source_down")
    assert stage.middleware.asked_by(call.caller) == []


@pytest.mark.parametrize(("route", "asked"), [("deadline", ["slow"]), ("two_slow", ["slow", "slow"])])
async def test_the_deadline_holds_for_all_look_ups_together(stage: Stage, route: str, asked: list[str]) -> None:
    call = await stage.dial(route)
    question = await stage.middleware.question(call.caller)
    landing = await stage.lands(call, "ivr")
    took_s = asyncio.get_running_loop().time() - question.at
    assert 0.9 < took_s < 15, "one look-up alone would take 30 s"
    assert told(landing, "STATUS", "REASON") == ("OK", "source_down")
    assert stage.middleware.paths_asked_by(call.caller) == asked
    assert await stage.middleware.was_dropped(question)


async def test_a_source_is_not_asked_when_no_time_is_left(stage: Stage) -> None:
    calls = [await stage.dial("out_of_time") for _ in range(20)]
    landings = await asyncio.gather(*(stage.lands(call, "ivr") for call in calls))
    assert {told(landing, "REASON") for landing in landings} == {("source_down",)}
    assert [stage.middleware.paths_asked_by(call.caller) for call in calls] == [["slow"]] * 20


async def test_the_caller_hears_music_during_a_long_look_up_and_then_the_sound(stage: Stage) -> None:
    call = await stage.call("music")
    await call.hears(sound(0.4, hz=MUSIC_HZ))
    await hears(call, "sorry")
    assert told(await stage.lands(call, "ivr"), "REASON") == ("source_down",)


async def test_a_source_that_is_down_is_logged_once_and_once_when_it_is_back(stage: Stage) -> None:
    stage.middleware.behaviours["crm"] = stage.middleware.behaviours["error"]
    for _ in range(3):
        assert told(await stage.lands(await stage.dial("flapping"), "ivr"), "REASON") == ("source_down",)
    del stage.middleware.behaviours["crm"]
    back = await stage.dial("flapping")
    stage.middleware.knows("crm", back.caller, id="1")
    assert (await stage.lands(back, "queue")).exten == "vip"
    await stage.engine.logged("source.up", integration="crm")
    assert len(stage.engine.lines("source.down", integration="crm")) == 1
