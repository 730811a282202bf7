"""Engines that die, freeze, stop or were never there: the next one takes the caller, else the emergency does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from rig.asterisk import Landing
from rig.conf import PATIENCE_S
from rig.sip import Call

from .engine import Engine, write_configuration
from .scenery import NOBODY
from .stage import House, Stage, engine_of, hears, told

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

SOURCE = "{integration: crm, search: {field: number, by: input}, rules: [{to: {queue: sales}}]}"
SLOW = "{integration: slow, search: {field: phone, by: caller}, rules: [{to: {queue: sales}}]}"
INPUT = "input: {prompt: prompt, retry_prompt: retry, digits: {min: 4, max: 6}, first_digit_timeout_s: 4}"
#: Prompt, first digit, two digits and ten seconds: 15 s. The prompts of the stage last about a second.
SHORT = "input: {prompt: prompt, digits: {min: 1, max: 2}, first_digit_timeout_s: 2, inter_digit_timeout_s: 1}"
ROUTES = {
    "typing": f"{SHORT}\ndefault: {{to: {{ivr: main}}}}\n",
    "speaking": "instruction: [welcome, welcome]\ndefault: {to: {ivr: main}}\n",
    "support": f"instruction: welcome\n{INPUT}\nsources: [{SOURCE}]\ndefault: {{to: {{ivr: main}}}}\n",
    "slow": f"deadline_s: 1.5\nsources: [{SLOW}]\ndefault: {{to: {{ivr: main}}}}\n",
    "at_once": "default: {to: {queue: vip}}\n",
}
HELP = "office,help,1"


@pytest_asyncio.fixture(loop_scope="session")
async def doomed(house: House) -> AsyncIterator[Engine]:
    """An engine of one test, to be ended in it."""
    async with engine_of(house.middleware, ROUTES) as engine:
        yield engine


async def is_helped(stage: Stage, call: Call, timeout_s: float = PATIENCE_S) -> Landing:
    """The caller has heard the emergency prompt and is where the operator wants such callers."""
    landing = await stage.asterisk.landed(call, "office", timeout_s)
    await hears(call, "crm_routing-emergency")
    assert landing.exten == "help"
    return landing


async def test_no_engine_at_all_is_an_emergency(stage: Stage) -> None:
    call = await stage.call("support", engines=[], emergency=HELP)
    assert told(await is_helped(stage, call), "STATUS", "KIND") == ("", "")


async def test_an_emergency_that_nobody_configured_is_heard_and_ends(stage: Stage) -> None:
    call = await stage.call("support", engines=[])
    await hears(call, "crm_routing-emergency")
    assert (await call.ended()).by == "them"
    assert (await stage.asterisk.landed(call)).context == "routing-engine-emergency"


async def test_the_second_engine_takes_what_the_first_does_not(stage: Stage) -> None:
    call = await stage.dial("at_once", engines=[NOBODY, stage.engine.address])
    landing = await stage.lands(call, "queue")
    assert (landing.exten, *told(landing, "STATUS")) == ("vip", "OK")


@pytest.mark.parametrize("typed", ["", "98"])
async def test_an_engine_that_dies_leaves_its_callers_to_the_second(stage: Stage, doomed: Engine, typed: str) -> None:
    stage.middleware.knows("crm", "123456", id="1")
    call = await stage.typed("support", typed, engines=[doomed.address, stage.engine.address])
    doomed.kill()
    await hears(call, "prompt", times=2)
    await call.press("123456", 60, 40)
    landing = await stage.lands(call, "queue")
    assert (landing.exten, *told(landing, "STATUS", "REASON")) == ("sales", "OK", "matched")


async def test_an_engine_that_dies_during_the_look_up_leaves_its_caller_to_the_second(
    stage: Stage, doomed: Engine
) -> None:
    call = await stage.dial("slow", engines=[doomed.address, stage.engine.address])
    assert await stage.middleware.question(call.caller)
    doomed.kill()
    assert told(await stage.lands(call, "ivr"), "STATUS", "REASON") == ("OK", "source_down")
    assert stage.middleware.paths_asked_by(call.caller) == ["slow", "slow"]


async def test_an_engine_that_dies_with_no_second_is_an_emergency(stage: Stage, doomed: Engine) -> None:
    waiting = await stage.call("support", engines=[doomed.address], emergency=HELP)
    looking = await stage.dial("slow", engines=[doomed.address], emergency=HELP)
    await asyncio.gather(hears(waiting, "prompt"), stage.middleware.question(looking.caller))
    doomed.kill()
    await asyncio.gather(is_helped(stage, waiting), is_helped(stage, looking))


async def test_a_frozen_engine_is_abandoned(stage: Stage, doomed: Engine) -> None:
    doomed.freeze()
    alone = await stage.dial("at_once", engines=[doomed.address], emergency=HELP)
    helped = await stage.dial("at_once", engines=[doomed.address, stage.engine.address])
    landing, _ = await asyncio.gather(stage.lands(helped, "queue"), stage.lands(alone, "emergency"))
    assert (landing.exten, *told(landing, "STATUS")) == ("vip", "OK")
    await is_helped(stage, alone)
    # Neither is cut later by the time limit that was the engine's.
    for call in (alone, helped):
        assert await stage.asterisk.variable("TIMEOUT(absolute)", await stage.channel(call)) in ("0", "0.000")


async def test_an_engine_that_freezes_in_mid_call_is_left_soon(stage: Stage, doomed: Engine) -> None:
    """Within the longest time of the step that it froze in and ten seconds: never the time of a whole route."""
    typing = await stage.call("typing", engines=[doomed.address], emergency=HELP)
    speaking = await stage.call("speaking", engines=[doomed.address], emergency=HELP)
    looking = await stage.dial("slow", engines=[doomed.address], emergency=HELP)
    await asyncio.gather(hears(typing, "prompt"), hears(speaking, "welcome"), stage.middleware.question(looking.caller))
    doomed.freeze()
    await asyncio.gather(*(is_helped(stage, call, 40) for call in (typing, speaking, looking)))


async def test_an_input_has_the_time_that_it_needs_and_no_more(stage: Stage) -> None:
    call = await stage.call("support", engines=[stage.engine.address])
    await hears(call, "prompt")
    name = await stage.channel(call)
    left_s = float(await stage.asterisk.variable("TIMEOUT(absolute)", name) or 0)
    await call.hang_up()
    assert 10 < left_s < 40


async def test_the_dialplan_sends_the_secret_of_the_listener(stage: Stage, tmp_path: Path) -> None:
    secret = "a+b/c,d&e=f"  # whatever it holds, it is encoded on the way
    write_configuration(tmp_path, ROUTES, stage.middleware.address)
    (tmp_path / "environment").write_text(f"AGI_SECRET='{secret}'\n")
    listener = "{address: 127.0.0.1:0, allow: [127.0.0.1], secret: '${AGI_SECRET}'}"
    (tmp_path / "engine.yaml").write_text(f"listeners: {{fastagi: {listener}}}\n")
    async with Engine.serving(tmp_path) as engine:
        without = await stage.dial("at_once", engines=[engine.address], emergency=HELP)
        await is_helped(stage, without)
        await stage.asterisk.command(f"dialplan set global ROUTING_ENGINE_SECRET {secret}")
        try:
            landing = await stage.lands(await stage.dial("at_once", engines=[engine.address]), "queue")
        finally:
            await stage.asterisk.command('dialplan set global ROUTING_ENGINE_SECRET ""')
        assert (landing.exten, *told(landing, "STATUS")) == ("vip", "OK")
        assert "a+b" not in str(engine.log)


async def test_a_caller_may_leave_a_frozen_engine(stage: Stage, doomed: Engine) -> None:
    call = await stage.call("support", engines=[doomed.address])
    await hears(call, "prompt")
    doomed.freeze()
    await call.hang_up()
    await stage.gone(call)


async def test_an_engine_that_is_told_to_stop_finishes_its_calls(stage: Stage, doomed: Engine) -> None:
    stage.middleware.knows("crm", "123456", id="1")
    call = await stage.call("support", engines=[doomed.address])
    await hears(call, "prompt")
    doomed.terminate()
    await doomed.logged("service.draining", calls=1)
    late = await stage.dial("at_once", engines=[doomed.address, stage.engine.address])
    assert (await stage.lands(late, "queue")).exten == "vip"
    await call.press("123456")
    landing = await stage.lands(call, "queue")
    assert (landing.exten, *told(landing, "STATUS", "REASON")) == ("sales", "OK", "matched")
    assert await doomed.ended() == 0
    assert doomed.complaints == []


async def test_an_engine_that_is_told_twice_ends_at_once(stage: Stage, doomed: Engine) -> None:
    call = await stage.call("support", engines=[doomed.address], emergency=HELP)
    await hears(call, "prompt")
    doomed.terminate()
    await doomed.logged("service.draining", calls=1)
    doomed.terminate()
    assert await doomed.ended() == 0
    await is_helped(stage, call)


async def test_a_call_that_outlasts_the_drain_is_left_to_the_second(stage: Stage) -> None:
    async with engine_of(stage.middleware, ROUTES, "drain_s: 0.5") as brief:
        call = await stage.typed("support", "", engines=[brief.address, stage.engine.address])
        brief.terminate()
        assert await brief.ended() == 0
        await hears(call, "prompt", times=2)


async def test_an_engine_that_is_full_leaves_callers_to_the_second(stage: Stage) -> None:
    async with engine_of(stage.middleware, ROUTES, "limits: {sessions: 1}") as full:
        await stage.typed("support", "", engines=[full.address])
        call = await stage.dial("at_once", engines=[full.address, stage.engine.address])
        assert (await stage.lands(call, "queue")).exten == "vip"
        assert full.lines("call.routed") == []
