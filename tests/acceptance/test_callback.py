"""A queue that is too full: the caller is offered a call back, and either takes it or waits."""

from __future__ import annotations

import pytest

from rig.sip import Call
from rig.stage import desk

from .stage import Stage, hears

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

ROUTES = {
    "support": """
rules:
  - {name: too full, when: {queue.vip.waiting: {at_least: 1}}, to: {route: callback_offer}}
default: {to: {queue: vip}}
""",
    "callback_offer": """
input: {prompt: prompt, attempts: 1, digits: {min: 1, max: 1}, first_digit_timeout_s: 0.6}
rules:
  - {name: wants a call back, when: {input: '1'}, to: callback}
default: {to: {queue: vip}}
""",
}


async def offered(stage: Stage, key: str) -> Call:
    """A caller behind another one, who presses a key (or none) once the offer is heard."""
    await stage.joins_queue(await stage.call("support"), "vip", 1)
    call = await stage.call("support")
    await hears(call, "prompt")
    await call.press(key)
    return call


async def test_who_presses_1_is_called_back(stage: Stage) -> None:
    async with desk(stage.asterisk, "1002") as agent:
        agent.answer_with(status=None)
        call = await offered(stage, "1")
        await hears(call, "crm_routing-callback")
        uniqueid = (await stage.lands(call, "callback")).uniqueid
        event = await stage.asterisk.wait_event("UserEvent", UserEvent="RoutingEngineCallback", Uniqueid=uniqueid)
        assert (event["Number"], event["Route"]) == (call.caller, "callback_offer")


@pytest.mark.parametrize("key", ["2", ""])
async def test_who_does_not_waits_in_the_queue(stage: Stage, key: str) -> None:
    async with desk(stage.asterisk, "1002") as agent:
        agent.answer_with(status=None)
        await stage.joins_queue(await offered(stage, key), "vip", 2)


async def test_nothing_is_offered_while_nobody_waits(stage: Stage) -> None:
    async with desk(stage.asterisk, "1002") as agent:
        agent.answer_with(status=None)
        await stage.joins_queue(await stage.call("support"), "vip", 1)
