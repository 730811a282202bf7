"""Rules that look at the telephones, the queues and Asterisk's database at the moment of the call."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from rig.asterisk import Asterisk
from rig.sip import Phone
from rig.stage import desk

from .engine import Engine
from .middleware import Middleware
from .scenery import DIALPLAN
from .stage import House, Stage, engine_of

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]


def tells(left: str, *values: str, otherwise: str = "none") -> str:
    """A route that leads to the office, to the extension that the state's value says."""
    rules = [f"{{when: {{{left}: {value}}}, to: {{dialplan: 'office,x{value},1'}}}}" for value in values]
    return f"rules: [{', '.join(rules)}]\ndefault: {{to: {{dialplan: 'office,x{otherwise},1'}}}}\n"


STATES = ("not_inuse", "inuse", "ringing", "unavailable", "invalid", "busy", "unknown")
COUNTS = ("0", "1", "2")
SITE = "\n[my-hints]\nexten => 1001,hint,PJSIP/1001\n\n[from-trunk]\nexten => wait_in_line,1,Queue(team)\n"
ROUTES = {
    "device": tells("device.1001", *STATES),
    "nobody": tells("device.4711", *STATES),
    "members": tells("queue.team.members", *COUNTS),
    "free": tells("queue.team.free", *COUNTS),
    "waiting": tells("queue.team.waiting", *COUNTS),
    "deserted": tells("queue.deserted.members", *COUNTS),
    "no_queue": tells("queue.nosuch.members", *COUNTS),
    "attested": tells("call.attestation", "A", "B", "C", "failed", "none", otherwise="unknown"),
    "agent": "rules: [{to: {last_agent: 14 days, else: {dialplan: 'office,xnobody,1'}}}]\n"
    "default: {to: {hangup: rejected}}\n",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house() -> AsyncIterator[House]:
    """A house of its own: nobody else's calls change what its telephones and queues do."""
    queues = {"team": ["PJSIP/1002", "PJSIP/1003"], "deserted": []}
    async with (
        Asterisk(DIALPLAN + SITE, queues=queues) as asterisk,
        Phone.open() as phone,
        Middleware.serving() as middleware,
    ):
        await asterisk.ami.action("ModuleLoad", Module="func_extstate.so", LoadType="load")
        yield House(asterisk, phone, middleware)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hinted(house: House) -> AsyncIterator[Engine]:
    """An engine that looks at hints, as in FreePBX."""
    settings = "dialplan: {extension_state: 'EXTENSION_STATE({target}@my-hints)'}\n"
    async with engine_of(house.middleware, ROUTES, settings) as engine:
        yield engine


async def state(stage: Stage, route: str, engine: Engine | None = None, caller: str | None = None) -> str:
    """What a route makes of the state now."""
    call = await stage.dial(route, engines=[(engine or stage.engine).address], caller=caller)
    landing = await stage.asterisk.landed(call, "office")
    await call.hang_up()
    return landing.exten.removeprefix("x")


async def test_a_telephone_is_unavailable_then_free_then_rings_then_talks(stage: Stage, hinted: Engine) -> None:
    async def states(hint: str) -> list[str]:
        await stage.asterisk.wait_event("ExtensionStatus", Exten="1001", StatusText=hint)
        return [await state(stage, "device"), await state(stage, "device", hinted)]

    assert await state(stage, "device") == "unavailable"
    async with desk(stage.asterisk, "1001") as callee:
        callee.answer_with(status=None)
        assert await states("Idle") == ["not_inuse"] * 2
        await ring(stage, "1001")
        taken = await callee.next_call()
        assert await states("Ringing") == ["ringing"] * 2
        taken.answer()
        assert await states("InUse") == ["inuse"] * 2


async def ring(stage: Stage, extension: str) -> None:
    """Let Asterisk itself call a telephone."""
    channel = f"PJSIP/{extension}"
    await stage.asterisk.ami.action("Originate", Channel=channel, Application="Wait", Data="20", Async="true")


async def test_a_telephone_that_nobody_has_is_invalid_or_unknown(stage: Stage, hinted: Engine) -> None:
    assert [await state(stage, "nobody"), await state(stage, "nobody", hinted)] == ["invalid", "unknown"]


async def test_a_queues_members_come_pause_and_talk(stage: Stage) -> None:
    async def counts() -> list[str]:
        return [await state(stage, "members"), await state(stage, "free")]

    assert await counts() == ["0", "0"]
    async with desk(stage.asterisk, "1002"), desk(stage.asterisk, "1003") as second:
        assert await counts() == ["2", "2"]
        await stage.asterisk.ami.action("QueuePause", Interface="PJSIP/1002", Paused="true")
        assert await counts() == ["2", "1"]
        await ring(stage, "1003")
        await second.next_call()
        busy = {"MemberName": "PJSIP/1003", "Status": "2"}
        await stage.asterisk.wait_event("QueueMemberStatus", **busy)
        assert await counts() == ["2", "0"]
    await stage.asterisk.ami.action("QueuePause", Interface="PJSIP/1002", Paused="false")


async def test_callers_who_wait_are_counted(stage: Stage) -> None:
    assert await state(stage, "waiting") == "0"
    call = await stage.house.phone.dial(stage.asterisk.sip_address, "wait_in_line", caller="+431")
    await stage.asterisk.wait_event("QueueCallerJoin", Queue="team")
    assert await state(stage, "waiting") == "1"
    await call.hang_up()


async def test_a_queue_without_members_is_told_from_one_that_does_not_exist(stage: Stage) -> None:
    assert [await state(stage, "deserted"), await state(stage, "no_queue")] == ["0", "none"]


async def test_without_app_queue_nothing_is_known_and_the_call_goes_on(stage: Stage) -> None:
    await stage.asterisk.ami.action("ModuleLoad", Module="app_queue.so", LoadType="unload")
    assert [await state(stage, "members"), await state(stage, "waiting")] == ["none", "none"]
    await stage.asterisk.ami.action("ModuleLoad", Module="app_queue.so", LoadType="load")
    assert await state(stage, "deserted") == "0"


async def test_without_stir_shaken_it_is_asked_for_once(stage: Stage) -> None:
    assert [await state(stage, "attested"), await state(stage, "attested")] == ["unknown", "unknown"]
    assert stage.asterisk.log_text().count("Function STIR_SHAKEN not registered") == 1


#: What stands in Asterisk's database for a caller, how many days old it is, and where the call goes.
AGENTS = [
    ("1003,{then}", 0, "1003"),
    ("1003,{then}", 13.9, "1003"),
    ("1003,{then}", 14.1, "nobody"),
    ("", 0, "nobody"),
    ("1003", 0, "nobody"),
    ("1003,yesterday", 0, "nobody"),
    ("$[1+1],{then}", 0, "nobody"),
    ("10&03,{then}", 0, "nobody"),
]


@pytest.mark.parametrize(("noted", "days", "to"), AGENTS)
async def test_the_agent_whom_the_caller_spoke_to_last(stage: Stage, noted: str, days: float, to: str) -> None:
    caller, then = "+436649001234", int(time.time() - days * 86400)
    await stage.asterisk.ami.action("DBPut", Family="routing-engine-agent", Key=caller, Val=noted.format(then=then))
    call = await stage.dial("agent", caller=caller)
    landing = await stage.asterisk.landed(call, ["office", "routing-engine-extension"])
    assert landing.exten.removeprefix("x") == to
