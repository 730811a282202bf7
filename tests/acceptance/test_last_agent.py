"""Whom a caller spoke to last: kept when somebody has answered, and found again by `last_agent`."""

from __future__ import annotations

import time
from itertools import count

import pytest

from rig.sip import Phone
from rig.stage import desk

from .stage import Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

AGENTS = "routing-engine-agent"
ROUTES = {
    "desk": "default: {to: {extension: '1001'}}",
    "group": "default: {to: {ring_group: sales}}",
    "queue": "default: {to: {queue: vip}}",
    "outside": "default: {to: {external: '+4315550000'}}",
    "renamed": "rules: [{to: {extension: '1001'}, set: {caller_number: '+4319999999'}}]\ndefault: {to: {ivr: main}}",
    "again": "rules: [{to: {last_agent: 14 days, else: {ivr: main}}}]\ndefault: {to: {hangup: busy}}",
}
numbers = count(5_000_000)


def somebody() -> str:
    return f"+43660{next(numbers)}"


async def noted(stage: Stage, since: int) -> None:
    """Wait until the agent's channel has been through the part of the dialplan that keeps the agent."""
    await stage.asterisk.wait_event("Newexten", since=since, Context="routing-engine-connected", Application="Return")


async def kept(stage: Stage, caller: str) -> tuple[str, str]:
    """Whom a caller spoke to and when, as the database has it."""
    found = await stage.asterisk.command(f"database get {AGENTS} {caller}")
    extension, _, epoch = found.removeprefix("Value: ").strip().partition(",")
    return extension, epoch


@pytest.mark.parametrize(("route", "number"), [("desk", "1001"), ("group", "1001"), ("queue", "1002")])
async def test_whom_a_caller_spoke_to_is_kept(stage: Stage, route: str, number: str) -> None:
    async with desk(stage.asterisk, number) as agent:
        caller, since = somebody(), len(stage.asterisk.events)
        await stage.call(route, caller=caller)
        await agent.next_call()
        await noted(stage, since)
        extension, epoch = await kept(stage, caller)
        assert (extension, abs(int(epoch) - time.time()) < 30) == (number, True)


async def test_a_caller_is_known_by_the_number_the_call_came_with(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as agent:
        caller, since = somebody(), len(stage.asterisk.events)
        await stage.call("renamed", caller=caller)
        assert (await agent.next_call()).caller == "+4319999999"
        await noted(stage, since)
        assert (await kept(stage, caller))[0] == "1001"


@pytest.mark.parametrize("how", [{"withheld": True}, {"caller": ""}, {"caller": "anna"}])
async def test_a_caller_without_a_number_that_may_be_shown_is_not_kept(stage: Stage, how: dict[str, object]) -> None:
    async with desk(stage.asterisk, "1001") as agent:
        before, since = await stage.asterisk.command(f"database show {AGENTS}"), len(stage.asterisk.events)
        await stage.call("desk", **how)
        await agent.next_call()
        await noted(stage, since)
        assert await stage.asterisk.command(f"database show {AGENTS}") == before


async def test_nobody_is_kept_where_the_site_says_so(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as agent:
        caller, since = somebody(), len(stage.asterisk.events)
        await stage.asterisk.command("dialplan set global ROUTING_ENGINE_LAST_AGENT no")
        try:
            await stage.call("desk", caller=caller)
            await agent.next_call()
            await noted(stage, since)
        finally:
            await stage.asterisk.command("dialplan set global ROUTING_ENGINE_LAST_AGENT yes")
        assert (await kept(stage, caller))[0] == "Database entry not found."


async def not_answered(stage: Stage, phone: Phone, route: str, caller: str) -> None:
    phone.answer_with(status=486)
    call = await stage.dial(route, caller=caller)
    await phone.next_call()
    await call.hang_up()
    await stage.gone(call)


async def test_an_agent_who_did_not_answer_is_not_kept(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001", "1002") as agent:
        caller = somebody()
        for route in ("desk", "queue"):
            await not_answered(stage, agent, route, caller)
        assert (await kept(stage, caller))[0] == "Database entry not found."


async def test_a_number_outside_is_no_agent(stage: Stage) -> None:
    async with desk(stage.asterisk, "1003") as provider:
        caller = somebody()
        await stage.call("outside", caller=caller)
        await provider.next_call()
        assert (await kept(stage, caller))[0] == "Database entry not found."


async def test_the_next_call_rings_the_one_who_answered_the_last(stage: Stage) -> None:
    async with desk(stage.asterisk, "1002") as agent:
        caller, since = somebody(), len(stage.asterisk.events)
        first = await stage.call("queue", caller=caller)
        await agent.next_call()
        await noted(stage, since)
        await first.hang_up()
        await stage.gone(first)
        landing = await stage.lands(await stage.dial("again", caller=caller), "extension")
        assert landing.exten == "1002"


async def test_a_caller_who_is_not_known_goes_elsewhere(stage: Stage) -> None:
    assert (await stage.lands(await stage.dial("again", caller=somebody()), "ivr")).exten == "main"
