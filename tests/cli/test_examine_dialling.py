"""What `pbx check` says where people dial: rights, the context, keys of transfers, and passwords of telephones."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from routing_engine.asterisk.ami import AmiClient
from routing_engine.cli.examine_dialling import check_dialling, check_passwords, look_at_keys, look_at_lines
from routing_engine.settings.dialling import DialKeys, SipKeys, read_range
from routing_engine.settings.pbx import AriKeys, Pbx, PbxKeys
from tests.asterisk.manager import Manager, managing

pytestmark = pytest.mark.io

NUMBERS = (read_range("+4312345600..+4312345699"),)
SHIPPED = Pbx("main", PbxKeys(dial=DialKeys(context="routing-engine-dial"), numbers=NUMBERS))
OWN = Pbx("main", PbxKeys(dial=DialKeys(context="out")))
STEP = "Event: ListDialplan\nContext: out\nAppData: {data}\nActionID: {number}"


async def answer_steps(manager: Manager, data: str | None) -> None:
    """Answer what is asked about a context; None: there is no such one."""
    action = await manager.waiting.get()
    if data is None:
        manager.answer(action, f"Response: Error\nMessage: Did not find context {action['Context']}")
        return
    manager.answer(action, "Response: Success\nEventList: start")
    manager.send(STEP.format(data=data, number=action.number))
    manager.send(f"Event: ShowDialPlanComplete\nEventList: Complete\nActionID: {action.number}")


async def found(pbx: Pbx, data: str | None, commands: Mapping[str, str]) -> dict[str, str]:
    async with managing() as manager:
        client = AmiClient(manager.server())
        answering = asyncio.create_task(answer_steps(manager, data))
        try:
            return {one.about: one.state async for one in check_dialling(client, pbx, commands)}
        finally:
            await client.close()
            await answering


async def test_a_context_that_shows_the_caller_id_is_fine() -> None:
    can = {"PJSIPNotify": ""}
    assert await found(SHIPPED, "x", can) == {"context": "fine"}
    own = await found(OWN, "CALLERID(all)=<${ROUTING_ENGINE_CALLER_ID}>", can)
    assert own["context"] == "fine"


async def test_what_could_go_wrong_is_named() -> None:
    assert await found(OWN, "Dial", {}) == {"context": "unknown", "hold": "unknown", "caller ID": "unknown"}
    assert (await found(OWN, None, {}))["context"] == "act"


@pytest.mark.parametrize(("line", "state"), [("Attended Transfer                 *2     ", "fine"), ("", "act")])
def test_a_key_for_consultations_is_looked_for(line: str, state: str) -> None:
    text = f"Blind Transfer            #       #      \n{line or 'Attended Transfer                        '}\n"
    assert [one.state for one in look_at_keys(OWN, lambda _: text)] == [state]
    assert list(look_at_keys(Pbx("main", PbxKeys()), lambda _: text)) == []


@pytest.mark.parametrize(
    ("status", "state", "said"),
    [(200, "fine", ""), (403, "act", "take read_only = yes out"), (404, "act", "auth = memory"), (401, "act", "401")],
)
async def test_a_password_is_tried(status: int, state: str, said: str) -> None:
    asked = list[str]()

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.method)
        return web.Response(status=status)

    app = web.Application()
    app.router.add_route("*", "/ari/{place:.*}", answer)
    async with managing() as manager, TestServer(app) as server:
        ari = AriKeys(str(server.make_url("")).rstrip("/"), "engine", "shh")
        pbx = Pbx("main", PbxKeys(ari=ari, sip=SipKeys("wss://x/ws")))
        finding = await check_passwords(AmiClient(manager.server()), pbx, ari)
    assert finding.state == state
    assert said in f"{finding.sentence} {finding.remedy}"
    assert asked == (["PUT", "DELETE"] if status == 200 else ["PUT"])


ENDPOINTS = """
 Endpoint:  201/201                                              Not in use    0 of inf
 Endpoint:  201-web/Anna <201>                                   Unavailable   0 of inf
 Endpoint:  x;core stop-web                                      Unavailable   0 of inf
"""


@pytest.mark.parametrize(("timeout", "state"), [("5", "fine"), ("15", "fine"), ("0", "act"), ("60", "act")])
def test_a_line_that_a_dead_browser_would_keep_is_named(timeout: str, state: str) -> None:
    asked: list[str] = []

    def ask(command: str) -> str:
        asked.append(command)
        return (
            ENDPOINTS
            if command.endswith("endpoints")
            else f" rtp_timeout       : 5\n rtp_timeout_hold    : {timeout}\n"
        )

    pbx = Pbx("main", PbxKeys(sip=SipKeys(server="wss://pbx.example.com:8089/ws")))
    (found,) = look_at_lines(pbx, ask)
    assert (found.state, "201-web" in found.sentence) == (state, state == "act")
    assert asked == ["pjsip show endpoints", "pjsip show endpoint 201-web"]
    assert list(look_at_lines(Pbx("main", PbxKeys()), ask)) == []
