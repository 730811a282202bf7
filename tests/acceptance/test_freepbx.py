"""Inside FreePBX, played by a stand-in of its entry points (`freepbx.conf`): what a rule sets counts there too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from rig.asterisk import Asterisk
from rig.sip import Call, Phone, sound
from rig.stage import desk

from .conftest import PHONES
from .engine import Engine
from .middleware import Middleware
from .scenery import HZ, SHIPPED, save_sounds
from .stage import House, Stage, engine_of, hears

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

DIALPLAN = f'#include "{SHIPPED}"\n' + Path(__file__).with_name("freepbx.conf").read_text()
SETTINGS = "dialplan: {profile: freepbx}"
SET = "set: {header.X-CRM: '7, a', alert_info: ring2}"
DEFAULT = "default: {to: {hangup: rejected}}\n"
CHAINS = {
    "owner": "{extension: '1001', ring_s: 1}, {extension: '1002', ring_s: 5}",
    "asleep": "{extension: '1001', ring_s: 5}, {extension: '1002', ring_s: 5}",
    "team": "{queue: '600', ring_s: 1}, {extension: '1002', ring_s: 5}",
    "lonely": "{queue: '601', ring_s: 9}, {extension: '1002', ring_s: 5}",
    "agents": "{queue: '602'}",
    "outside": "{external: '06641234567'}",
}
ROUTES = {name: f"rules: [{{to: [{to}], {SET}}}]\n{DEFAULT}" for name, to in CHAINS.items()}
ROUTES["direct"] = f"rules: [{{to: {{extension: '1001'}}, {SET}}}]\n{DEFAULT}"
ROUTES["recorded"] = f"rules: [{{to: {{extension: '1001'}}, set: {{record: yes}}}}]\n{DEFAULT}"
ROUTES["announced"] = f"rules: [{{to: {{queue: '600'}}, set: {{announce: news, alert_info: ring2}}}}]\n{DEFAULT}"
FOUND = "sources: [{integration: crm, search: {by: caller}, rules: [{to: {extension: '1001'}}]}]\n"
ROUTES["hidden"] = f"anonymous: {{to: {{extension: '1002'}}}}\n{FOUND}{DEFAULT}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def freepbx(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house of its own: an Asterisk with FreePBX's entry points behaves otherwise from the first step."""
    sounds = tmp_path_factory.mktemp("sounds")
    save_sounds(sounds)
    queues = {"600": ["PJSIP/1001"], "601": [], "602": ["Local/1001@from-queue/n"]}
    async with (
        Asterisk(DIALPLAN, sounds=sounds, phones=PHONES, queues=queues) as asterisk,
        Phone.open() as phone,
        Middleware.serving() as middleware,
    ):
        yield House(asterisk, phone, middleware)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(freepbx: House) -> AsyncIterator[Engine]:
    async with engine_of(freepbx.middleware, ROUTES, SETTINGS) as engine:
        yield engine
        assert engine.complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def stage(freepbx: House, engine: Engine) -> AsyncIterator[Stage]:
    yield Stage(freepbx, engine)
    for call in freepbx.phone.calls:
        await call.hang_up()


def headers(call: Call) -> tuple[str, str]:
    return call.invite.header("x-crm"), call.invite.header("alert-info")


async def variables(stage: Stage, call: Call) -> dict[str, str]:
    return stage.asterisk.variables(await stage.asterisk.uniqueid(call))


async def test_the_deputy_rings_when_the_owner_does_not_answer(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as owner, desk(stage.asterisk, "1002") as deputy:
        owner.answer_with(status=None)
        call = await stage.dial("owner")
        missed, taken = await owner.next_call(), await deputy.next_call()
        assert (await missed.ended()).status == 487
        assert headers(missed) == headers(taken) == ("7, a", "<http://127.0.0.1>;info=ring2")
        await call.answered()
        assert (await variables(stage, call))["ROUTE_TARGET"] == "1002"


async def test_do_not_disturb_counts_within_a_chain(stage: Stage) -> None:
    await stage.asterisk.command("database put DND 1001 YES")
    try:
        async with desk(stage.asterisk, "1001"), desk(stage.asterisk, "1002") as deputy:
            call = await stage.dial("asleep")
            await deputy.next_call()
            await call.answered()
    finally:
        await stage.asterisk.command("database del DND 1001")


async def test_a_queue_is_left_after_its_time_and_the_chain_goes_on(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as agent, desk(stage.asterisk, "1002") as deputy:
        agent.answer_with(status=None)
        call = await stage.call("team")
        await agent.next_call()
        await deputy.next_call()
        told = await variables(stage, call)
        assert [told[name] for name in ("QUEUESTATUS", "ROUTE_TARGET", "VQ_DEST")] == ["TIMEOUT", "1002", ""]


async def test_a_queue_that_nobody_is_logged_in_to_is_passed_over(stage: Stage) -> None:
    async with desk(stage.asterisk, "1002") as deputy:
        call = await stage.dial("lonely")
        await deputy.next_call()
        assert "QUEUESTATUS" not in await variables(stage, call)


async def test_the_agent_hears_the_announcement_first(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as agent:
        await stage.call("announced")
        taken = await agent.next_call()
        await taken.hears(sound(0.1, hz=HZ["news"]))


async def test_the_leg_to_an_agent_is_never_answered_by_us(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as agent:
        agent.answer_with(status=None)
        call = await stage.call("agents", emergency="ext-queues,602,1")
        missed, again = await agent.next_call(), await agent.next_call()
        assert (await missed.ended()).status == 487
        assert headers(again)[0] == "7, a"  # the queue itself rings once more: the caller still waits in it
        told = await variables(stage, call)
        assert "QUEUESTATUS" not in told
        legs = [event for event in stage.asterisk.events if event.get("Event") == "Hangup" and event["Cause"] == "19"]
        assert any(event["Channel"].startswith("Local/1001@from-queue") for event in legs)
        assert call.heard == [] or all(abs(heard.hz - HZ["crm_routing-emergency"]) > 20 for heard in call.heard)


async def test_an_extension_alone_keeps_all_that_freepbx_does(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as owner:
        call = await stage.dial("direct")
        taken = await owner.next_call()
        await call.answered()
        assert headers(taken) == ("7, a", "<http://127.0.0.1>;info=ring2")
        way = await stage.asterisk.landed(call, "macro-exten-vm", application="Dial")
        assert any("from-did-direct" in step for step in way.way)


async def test_the_call_id_is_inherited_by_the_telephones(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as owner:
        call = await stage.dial("direct")
        await owner.next_call()
        await call.answered()
        listed = await stage.asterisk.command("core show channels concise")
        [leg] = [line.partition("!")[0] for line in listed.splitlines() if line.startswith("PJSIP/1001")]
        assert await stage.asterisk.variable("ROUTE_CALL_ID", leg) == (await variables(stage, call))["ROUTE_CALL_ID"]


async def test_recording_is_freepbxs_own(stage: Stage) -> None:
    async with desk(stage.asterisk, "1001") as owner:
        call = await stage.dial("recorded")
        await owner.next_call()
        assert (await variables(stage, call))["__REC_STATUS"] == "RECORDING"


async def test_a_call_outside_shows_our_number_and_not_the_customers(stage: Stage) -> None:
    async with desk(stage.asterisk, "1003") as provider:
        await stage.dial("outside", caller="+436649999", name="Anna")
        taken = await provider.next_call()
        assert (taken.caller, taken.caller_name) == ("43123456", "43123456")


async def test_a_withheld_number_is_withheld_whatever_an_inbound_route_allows(stage: Stage) -> None:
    async with desk(stage.asterisk, "1002") as deputy:
        call = await stage.dial("hidden", caller="+436648888", withheld=True)
        taken = await deputy.next_call()
        assert "6648888" not in str(taken.invite)
        assert (await variables(stage, call))["ROUTE_REASON"] == "anonymous"


async def test_without_an_engine_the_caller_of_freepbx_hears_the_emergency(stage: Stage) -> None:
    call = await stage.call("direct", engines=[])
    await hears(call, "crm_routing-emergency")
