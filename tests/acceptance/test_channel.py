"""How a call is treated before it is answered, and in which language it is spoken to."""

from __future__ import annotations

import pytest

from rig.sip import sound
from rig.stage import desk

from .scenery import GERMAN_HZ, HZ
from .stage import Stage, hears, told

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

INPUT = "input: {prompt: prompt, digits: {min: 4, max: 6}, attempts: 1}"
BY_CALLER = "{integration: crm, search: {field: phone, by: caller}, rules: [{to: {extension: '1001'}}]}"
BUSY = "default: {to: {hangup: busy}}\n"
ROUTES = {
    "never": f"answer: never\nsources: [{BY_CALLER}]\n{BUSY}",
    "never_sounds": f"answer: never\ninstruction: welcome\n{BUSY}",
    "no_sounds": f"sources: [{BY_CALLER}]\n{BUSY}",
    "early": f"answer: early_media\ninstruction: welcome\n{INPUT}\n"
    "default: {to: {dialplan: 'early,x{input},1'}}\n",
    "early_music": "answer: early_media\ninstruction: welcome\nfiller: {after_s: 0.3, ringing: true}\ndeadline_s: 1\n"
    f"sources: [{BY_CALLER.replace('crm', 'slow')}]\n{BUSY}",
    "spoken": f"{INPUT}\ndefault: {{play: sorry, to: {{dialplan: 'office,x{{input}},1'}}}}\n",
    "german": f"language: de\n{INPUT}\ndefault: {{play: sorry, to: {{dialplan: 'office,x{{input}},1'}}}}\n",
    "to_german": "default: {to: {route: german}}\n",
}


async def test_a_call_may_be_routed_before_anybody_answers(stage: Stage) -> None:
    for route in ("never", "no_sounds"):
        call = await stage.dial(route)
        assert (await call.ended()).status == 486
        assert (call.answered_at, call.sound_heard_s) == (None, 0)


async def test_sounds_that_nobody_hears_do_not_keep_a_call(stage: Stage) -> None:
    call = await stage.dial("never_sounds")
    assert (await call.ended()).status == 486
    assert call.sound_heard_s == 0


async def test_the_desk_is_the_first_to_answer(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as callee:
        callee.answer_with(status=None)
        call = await stage.dial("never")
        stage.middleware.knows("crm", call.caller, id="1")
        taken = await callee.next_call()
        assert await call.rings() in (180, 183)
        assert call.answered_at is None
        taken.answer()
        await call.answered()


async def test_early_media_is_heard_and_takes_digits_without_an_answer(stage: Stage) -> None:
    call = await stage.dial("early")
    assert await call.rings() == 183
    await hears(call, "welcome")
    await hears(call, "prompt")
    await call.press("1234#")
    assert (await call.ended()).status == 486
    assert call.answered_at is None
    assert (await stage.asterisk.landed(call, "early")).exten == "x1234"


async def test_ringing_is_heard_during_a_long_look_up(stage: Stage) -> None:
    call = await stage.dial("early_music")
    await hears(call, "welcome")
    await call.hears(lambda heard: sound(0.5)(heard) and 400 < heard.hz < 500)
    assert (await call.ended()).status == 486


@pytest.mark.parametrize("route", ["spoken?language=de", "german", "to_german", "own_words"])
async def test_prompts_are_spoken_in_the_language_asked_for(stage: Stage, route: str) -> None:
    call = await stage.call(route)
    await call.hears(sound(hz=GERMAN_HZ["prompt"]))
    await call.press("1234#")
    await call.hears(sound(hz=GERMAN_HZ["sorry"]))
    landing = await stage.asterisk.landed(call, "office")
    assert (landing.exten, *told(landing, "STATUS")) == ("x1234", "OK")
    assert await stage.asterisk.variable("CHANNEL(language)", await stage.channel(call)) == "de"


async def test_the_dialplans_language_wins_over_the_routes(stage: Stage) -> None:
    call = await stage.call("german?language=en")
    await call.hears(sound(hz=HZ["prompt"]))
