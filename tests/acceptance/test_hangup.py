"""Callers who hang up: the work stops, the look-up with it, and nothing is left behind."""

from __future__ import annotations

import pytest

from rig.asterisk import MUSIC_HZ
from rig.sip import Call, sound

from .stage import Stage, hears

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

INPUT = "input: {prompt: long, digits: {min: 4, max: 6}}"
SLOW = "{integration: slow, search: {field: phone, by: caller}, rules: [{to: {queue: vip}}]}"
REST = f"deadline_s: 20\nsources: [{SLOW}]\ndefault: {{to: {{queue: sales}}}}\n"
ROUTES = {
    "typing": f"instruction: welcome\n{INPUT}\n{REST}",
    "music": f"instruction: welcome\nfiller: {{after_s: 0.3, music: default}}\n{REST}",
    "moment": f"instruction: welcome\nfiller: {{after_s: 0.3, sound: moment}}\n{REST}",
    "ringing": f"answer: never\n{REST}",
}


async def leaves_nothing(stage: Stage, call: Call) -> None:
    """Hang up; the engine and Asterisk must both notice, and the call must have got nowhere."""
    await call.hang_up()
    await stage.gone(call)
    uniqueid = await stage.asterisk.uniqueid(call)
    await stage.engine.logged("call.abandoned", call_id=uniqueid)
    assert "routing-engine-arrive" not in str((await stage.asterisk.landed(call)).way)


async def test_a_caller_may_leave_during_the_instruction(stage: Stage) -> None:
    call = await stage.call("typing")
    await hears(call, "welcome")
    await leaves_nothing(stage, call)


async def test_a_caller_may_leave_during_the_prompt(stage: Stage) -> None:
    call = await stage.call("typing")
    await hears(call, "long")
    await leaves_nothing(stage, call)


async def test_a_caller_may_leave_between_two_digits(stage: Stage) -> None:
    call = await stage.call("typing")
    await hears(call, "long")
    await call.press("123")
    await leaves_nothing(stage, call)
    assert stage.middleware.asked_by(call.caller) == []


@pytest.mark.parametrize(("route", "hz"), [("music", MUSIC_HZ), ("moment", 1700)])
async def test_a_caller_who_leaves_during_the_look_up_ends_it(stage: Stage, route: str, hz: float) -> None:
    call = await stage.call(route)
    question = await stage.middleware.question(call.caller)
    await call.hears(sound(0.2, hz=hz))
    await leaves_nothing(stage, call)
    assert await stage.middleware.was_dropped(question)


async def test_a_caller_who_gives_up_before_the_answer_ends_the_look_up(stage: Stage) -> None:
    call = await stage.dial("ringing")
    question = await stage.middleware.question(call.caller)
    await leaves_nothing(stage, call)
    assert call.ending
    assert call.ending.status == 487
    assert await stage.middleware.was_dropped(question)
