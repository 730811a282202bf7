"""People dial over the API on a real Asterisk: their telephone rings first, and what is told is what happened."""

from __future__ import annotations

import asyncio
import base64
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from rig.asterisk import Asterisk
from rig.conf import MANAGER_USER
from rig.sip import Call, Phone

from .engine import PROGRAM, Engine, write_configuration
from .middleware import Journal
from .scenery import SHIPPED

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

KEY, READER = "d" * 20, "r" * 20
OTTO, BERLIN = "+436765556667", "+4930123456"
FIRM, FIRM_DE = "+4312345601", "+493012345601"
DIALPLAN = (
    f"""
[globals]
ROUTING_ENGINE_DIAL=from-phones
#include "{SHIPPED}"
"""
    + """
[from-phones]
exten => _2XX,1,Dial(PJSIP/${EXTEN},20,tT)
exten => 112,1,Goto(+112,1)
exten => _[+0]X.,1,MixMonitor(${UNIQUEID}.wav)
 same => n,Dial(PJSIP/${EXTEN}@trunk,20,tT)
 same => n,Hangup(${HANGUPCAUSE})
exten => _+112,1,Dial(PJSIP/112@trunk,20)
"""
)
FILES = {
    "features.conf": "[general]\ntransferdigittimeout=1\n[featuremap]\natxfer=*2\n",
}


@dataclass
class Firm:
    """An Asterisk with Anna's and Bernd's telephones, the provider outside, and an engine that can be told to dial."""

    asterisk: Asterisk
    provider: Phone
    anna: Phone
    bernd: Phone
    engine: Engine
    url: str
    session: aiohttp.ClientSession
    told: Journal[dict[str, Any]]

    async def ask(self, method: str, path: str, key: str = KEY, **more: Any) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
        async with self.session.request(method, self.url + path, headers=headers, **more) as answer:
            return answer.status, await answer.json()

    async def dial(self, to: str = OTTO, user: str = "anna", **more: Any) -> tuple[int, dict[str, Any]]:
        headers = more.pop("headers", {})
        return await self.ask("POST", "/v1/calls", json={"user": user, "to": to, **more}, headers=headers)

    async def code(self, to: str = OTTO, **more: Any) -> tuple[int, str]:
        """What a request to dial is refused with."""
        status, body = await self.dial(to, **more)
        return status, body["error"]["code"]

    async def do(self, call: dict[str, Any], what: str, **body: Any) -> tuple[int, dict[str, Any]]:
        return await self.ask("POST", f"/v1/calls/{call['id']}/{what}", json=body)

    async def until(
        self, call: dict[str, Any], holds: Callable[[dict[str, Any]], bool], after: int = 0
    ) -> dict[str, Any]:
        """The call once it is told so, in a version later than this."""
        return await self.told.first(lambda now: now["id"] == call["id"] and now["version"] > after and holds(now))

    async def ended(self, call: dict[str, Any]) -> dict[str, Any]:
        return await self.until(call, lambda now: now["state"] == "ended")

    async def talking(self, **more: Any) -> tuple[dict[str, Any], Call, Call]:
        """A dialled call in which both speak: the call, Anna's telephone and Otto's."""
        _, call = await self.dial(**more)
        anna = await ringing(self.anna)
        anna.answer()
        otto = await ringing(self.provider)
        otto.answer()
        return await self.until(call, lambda now: now["state"] == "talking"), anna, otto


async def ringing(phone: Phone) -> Call:
    """The next call at a telephone, passing over those that ended before anybody looked."""
    while (call := await phone.next_call()).ending is not None:
        pass
    return call


PBX = """
ami: {{address: '{ami[0]}:{ami[1]}', user: {user}, secret: '${{AMI_SECRET}}'}}
ari: {{address: 'http://{http[0]}:{http[1]}', user: {user}, secret: '${{AMI_SECRET}}'}}
sip: {{server: '{wss}', phones: ['*-soft']}}
trunks: [PJSIP/trunk*]
dial: {{context: routing-engine-dial, ring_s: 5, auto_answer: {{snom: '202'}}}}
numbers: ['+4312345600..+4312345699', '+493012345601']
"""
USERS = """
anna: {name: Anna, phones: [main/201], caller_ids: {DE: '+493012345601', else: '+4312345601'}}
bernd: {name: Bernd, phones: [main/202]}
dora: {name: Dora, phones: [main/204-soft]}
clara: {name: Clara, phones: [main/203], caller_ids: {else: '+431999999'}}
"""


HOOK = """
url: {address}
secret: '${{HOOK}}'
private: [127.0.0.0/8]
events: [call.started, call.ringing, call.answered, call.transferred, call.ended, call.updated]
"""
SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


@asynccontextmanager
async def hearing() -> AsyncIterator[tuple[str, Journal[dict[str, Any]]]]:
    """A receiver of webhooks: its address, and every call as it was told."""
    told: Journal[dict[str, Any]] = Journal()

    async def hear(request: web.Request) -> web.Response:
        told.note((await request.json())["data"])
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/", hear)
    async with TestServer(app) as server:
        yield str(server.make_url("/")), told


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Firm]:
    async with hearing() as (address, told), Phone.open() as provider, Phone.open() as anna, Phone.open() as bernd:
        phones = {"201": anna, "202": bernd}
        async with Asterisk(
            DIALPLAN, phones=("201", "202", "203"), guarded_phones=("204-soft",), provider=provider.address, extra=FILES
        ) as asterisk:
            for number, phone in phones.items():
                await phone.register(asterisk.sip_address, number)
            may = "[dial, sip, calls.read]"
            keys = f"{{site: {{key: '${{SITE}}', may: {may}}}, reader: {{key: '${{READER}}', may: [calls.read]}}}}"
            # Known beforehand: the command line reads it out of the folder.
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            settings = f"listeners: {{fastagi: 127.0.0.1:0, http: 127.0.0.1:{port}}}\napi_keys: {keys}\n"
            write_configuration(folder, {"any": "default: {to: {extension: '201'}}\n"}, "http://127.0.0.1:1")
            (folder / "engine.yaml").write_text(f"region: AT\n{settings}")
            (folder / "pbxs").mkdir()
            (folder / "pbxs" / "main.yaml").write_text(
                PBX.format(
                    ami=asterisk.manager_address,
                    http=asterisk.http_address,
                    wss=asterisk.wss_address,
                    user=MANAGER_USER,
                )
            )
            (folder / "users.yaml").write_text(USERS)
            (folder / "environment").write_text(
                f"AMI_SECRET={asterisk.secret}\nHOOK=whsec_{SECRET}\nSITE={KEY}\nREADER={READER}\n"
            )
            (folder / "environment").chmod(0o600)
            (folder / "webhooks").mkdir()
            (folder / "webhooks" / "told.yaml").write_text(HOOK.format(address=address))
            async with Engine.serving(folder) as engine, aiohttp.ClientSession() as session:
                ready = await engine.logged("service.ready")
                await engine.logged("pbx.up")
                url = f"http://{ready['http'][0]}"  # type: ignore[index]
                yield Firm(asterisk, provider, anna, bernd, engine, url, session, told)
                assert engine.complaints == []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firm]:
    async with opened(tmp_path_factory.mktemp("dialling")) as firm:
        yield firm


@pytest_asyncio.fixture(loop_scope="session")
async def firm(house: Firm) -> AsyncIterator[Firm]:
    """The firm, nobody on the telephone; who is called lets it ring."""
    for phone in (house.provider, house.anna, house.bernd):
        phone.answer_with(status=None)
    yield house
    calls = [call for phone in (house.provider, house.anna, house.bernd) for call in phone.calls]
    await asyncio.gather(*(call.hang_up() for call in calls))
    begun = {one["id"] for one in house.told}
    for call_id in begun:
        await house.ended({"id": call_id})


async def test_the_user_s_telephone_rings_first_and_then_the_number_is_called(firm: Firm) -> None:
    status, call = await firm.dial("0676 555 66 67")
    assert (status, call["state"], call["direction"], call["from"], call["to"]) == (
        202,
        "ringing",
        "outbound",
        "201",
        OTTO,
    )
    anna = await ringing(firm.anna)
    assert anna.caller == OTTO  # who will be called, on the telephone's screen
    anna.answer()
    otto = await ringing(firm.provider)
    assert (otto.called, otto.caller) == (OTTO, FIRM)
    otto.answer()
    await firm.until(call, lambda now: now["state"] == "talking")
    await otto.hang_up()
    over = await firm.ended(call)
    assert (over["outcome"], over["user"], over["did"], over["hangup_by"]) == ("answered", "anna", FIRM, "other")


async def test_the_caller_id_goes_by_the_country_that_is_dialled(firm: Firm) -> None:
    _, call = await firm.dial(BERLIN)
    (await ringing(firm.anna)).answer()
    assert (await ringing(firm.provider)).caller == FIRM_DE
    await firm.do(call, "hangup")
    assert (await firm.ended(call))["did"] == FIRM_DE


async def test_a_program_may_choose_any_number_of_the_trunk_and_no_other(firm: Firm) -> None:
    assert await firm.code(caller_id="+4319999999") == (409, "caller_id_refused")
    assert await firm.code(user="clara") == (409, "caller_id_refused")
    status, call = await firm.dial(caller_id="+4312345677")
    assert status == 202
    (await ringing(firm.anna)).answer()
    assert (await ringing(firm.provider)).caller == "+4312345677"
    await firm.do(call, "hangup")


@pytest.mark.parametrize(
    ("to", "more", "refused"),
    [
        ("*21*+49301234567#", {}, (400, "bad_number")),
        ("+43676\r\nAction: Hangup", {}, (400, "bad_number")),
        ("nobody", {}, (400, "bad_number")),
        (OTTO, {"user": "nobody"}, (404, "unknown_user")),
        (OTTO, {"phone": "main/202"}, (409, "no_phone")),
        ("201", {"user": "clara"}, (409, "no_phone")),
    ],
)
async def test_what_cannot_be_dialled_is_refused_before_anything_rings(
    firm: Firm, to: str, more: dict[str, str], refused: tuple[int, str]
) -> None:
    assert await firm.code(to, **more) == refused
    assert firm.anna.calls == []


async def test_clicks_that_come_again_are_one_call(firm: Firm) -> None:
    answers = await asyncio.gather(*(firm.dial() for _ in range(4)))
    (call_id,) = {call["id"] for _, call in answers}
    anna = await ringing(firm.anna)
    assert len(firm.anna.calls) == 1
    assert await firm.code(BERLIN) == (409, "under_way")
    anna.answer()
    (await ringing(firm.provider)).answer()
    await firm.until({"id": call_id}, lambda now: now["state"] == "talking")
    assert (await firm.dial())[1]["id"] == call_id
    await firm.do({"id": call_id}, "hangup")
    await firm.ended({"id": call_id})


async def test_a_request_that_is_sent_again_is_the_same_call(firm: Firm) -> None:
    key = {"Idempotency-Key": "k-1"}
    _, first = await firm.dial(headers=key)
    await firm.do(first, "hangup")
    await firm.ended(first)
    _, again = await firm.dial(headers=key)
    assert again["id"] == first["id"]
    assert await firm.code(BERLIN, headers=key) == (422, "key_used")


@pytest.mark.parametrize(("status", "result"), [(486, "busy"), (603, "declined"), (None, "no_answer")])
async def test_what_the_user_s_own_telephone_says_is_told_apart(firm: Firm, status: int | None, result: str) -> None:
    firm.anna.answer_with(status=status)
    _, call = await firm.dial()
    over = await firm.ended(call)
    assert (over["outcome"], [leg["result"] for leg in over["legs"]]) == ("unanswered", [result])


@pytest.mark.parametrize(
    ("status", "outcome", "cause"),
    [(486, "busy", 17), (603, "unanswered", 21), (480, "unanswered", 19), (404, "failed", 1)],
)
async def test_what_the_other_end_says_is_told_apart(firm: Firm, status: int, outcome: str, cause: int) -> None:
    firm.provider.answer_with(status=status)
    _, call = await firm.dial()
    (await ringing(firm.anna)).answer()
    over = await firm.ended(call)
    assert (over["outcome"], over["cause"]) == (outcome, cause)


async def test_a_click_is_taken_back_while_the_telephone_rings(firm: Firm) -> None:
    _, call = await firm.dial()
    anna = await ringing(firm.anna)
    assert (await firm.do(call, "hangup"))[0] == 200
    await anna.ended()
    assert (await firm.ended(call))["outcome"] == "unanswered"
    assert (await firm.do(call, "hangup"))[1]["error"]["code"] == "call_ended"


async def test_a_call_is_passed_on_blind_with_a_number_of_ours_shown(firm: Firm) -> None:
    call, _, _ = await firm.talking()
    assert (await firm.do(call, "transfer", to=BERLIN, how="blind"))[0] == 200
    target = await ringing(firm.provider)
    assert (target.called, target.caller) == (BERLIN, FIRM_DE)
    target.answer()
    passed = await firm.until(call, lambda now: bool(now["transfers"]))
    [transfer] = passed["transfers"]
    assert (transfer["by"], transfer["to"], transfer["how"]) == ("main/201", BERLIN, "blind")
    await firm.do(call, "hangup")
    await firm.ended(call)


async def test_a_call_is_passed_on_after_a_consultation(firm: Firm) -> None:
    call, anna, _ = await firm.talking()
    assert (await firm.do(call, "transfer", to="202", how="attended"))[0] == 200
    bernd = await ringing(firm.bernd)
    bernd.answer()
    await bernd.answered()
    await firm.until(call, lambda now: {"main/202"} <= {leg["phone"] for leg in now["legs"] if leg["answered_at"]})
    await anna.hang_up()
    passed = await firm.until(call, lambda now: bool(now["transfers"]))
    [transfer] = passed["transfers"]
    assert (transfer["by"], transfer["to"], transfer["how"]) == ("main/201", "main/202", "attended")
    assert passed["state"] == "talking"
    await firm.do(call, "hangup")
    await firm.ended(call)


async def test_a_consultation_is_broken_off_and_the_call_goes_on(firm: Firm) -> None:
    call, _, otto = await firm.talking()
    await firm.do(call, "transfer", to="202", how="attended")
    bernd = await ringing(firm.bernd)
    _, before = await firm.ask("GET", f"/v1/calls/{call['id']}", READER)
    assert (await firm.do(call, "transfer", how="cancel"))[0] == 200
    await bernd.ended()
    now = await firm.until(call, lambda now: now["state"] == "talking", before["version"])
    assert (otto.ending, now["transfers"]) == (None, [])
    await firm.do(call, "hangup")
    await firm.ended(call)


async def test_the_recording_of_a_call_is_paused_and_goes_on(firm: Firm) -> None:
    call, _, _ = await firm.talking()
    since = len(firm.asterisk.events)
    assert (await firm.do(call, "mute_recording"))[0] == 200
    await firm.asterisk.wait_event("MixMonitorMute", since=since, State="1")
    assert (await firm.do(call, "mute_recording", muted=False))[0] == 200
    await firm.asterisk.wait_event("MixMonitorMute", since=since, State="0")
    await firm.do(call, "hangup")
    await firm.ended(call)


async def test_a_recording_that_is_not_there_cannot_be_paused(firm: Firm) -> None:
    _, call = await firm.dial("202")
    (await ringing(firm.anna)).answer()
    (await ringing(firm.bernd)).answer()
    await firm.until(call, lambda now: now["state"] == "talking")
    status, body = await firm.do(call, "mute_recording")
    assert (status, body["error"]["code"]) == (409, "not_recorded")
    await firm.do(call, "hangup")
    await firm.ended(call)


async def test_hold_is_refused_where_asterisk_cannot_ask_for_it(firm: Firm) -> None:
    call, _, _ = await firm.talking()
    status, body = await firm.do(call, "hold")
    assert (status, body["error"]["code"]) == (409, "no_hold")
    await firm.do(call, "hangup")
    await firm.ended(call)


async def test_whoever_calls_for_help_is_put_through_whatever_is_configured(firm: Firm) -> None:
    status, call = await firm.dial("112")
    assert (status, call["to"]) == (202, "112")
    (await ringing(firm.anna)).answer()
    help_ = await ringing(firm.provider)
    assert help_.called == "112"
    await firm.do(call, "hangup")
    await firm.ended(call)


async def test_a_telephone_answers_by_itself_where_the_folder_says_so(firm: Firm) -> None:
    _, call = await firm.dial(user="bernd")
    bernd = await ringing(firm.bernd)
    assert bernd.header("Call-Info").endswith(";answer-after=0")
    assert bernd.header("X-Routing-Engine-Call") == call["id"]
    await firm.do(call, "hangup")
    _, call = await firm.dial()
    assert (await ringing(firm.anna)).header("Call-Info") == ""
    await firm.do(call, "hangup")


async def test_a_key_without_the_right_dials_nothing(firm: Firm) -> None:
    status, body = await firm.ask("POST", "/v1/calls", READER, json={"user": "anna", "to": OTTO})
    assert (status, body["error"]["code"]) == (403, "no_right")
    status, body = await firm.ask("POST", "/v1/calls/x/hangup", KEY, json={})
    assert (status, body["error"]["code"]) == (404, "unknown_call")


async def command(firm: Firm, *words: str) -> tuple[int, str]:
    """What a command says of the folder of the running engine, and its exit code."""
    asked = [str(PROGRAM), "--config", str(firm.engine.folder), *words]
    done = await asyncio.to_thread(subprocess.run, asked, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


async def test_the_command_dials_and_tells_how_it_came_out(firm: Firm) -> None:
    firm.anna.answer_with()
    firm.provider.answer_with(hangs_up_after_s=0.8)
    code, said = await command(firm, "dial", "anna", OTTO)
    assert code == 0, said
    assert said.splitlines()[0].startswith(f"the phone of anna rings, then {OTTO} is called (")
    assert said.splitlines()[-1].startswith("answered, ")


async def test_the_command_tells_what_is_refused(firm: Firm) -> None:
    code, said = await command(firm, "dial", "clara", "201")
    assert code == 1
    assert said.startswith("routing-engine: the phone 'main/203' is not registered; ")


async def test_the_check_looks_at_what_dialling_needs(firm: Firm) -> None:
    code, said = await command(firm, "pbx", "check", "main")
    assert code == 0, said
    assert "'routing-engine-dial' is there, and shows the caller ID" in said
    assert "passwords of telephones in the page can be put into Asterisk" in said


async def registers(firm: Firm, phone: Phone, made: dict[str, Any], **other: str) -> bool:
    """Whether a telephone registers with what was made, or with something else in its place."""
    log_in = (other.get("username", made["username"]), other.get("password", made["password"]))
    try:
        await phone.register(firm.asterisk.sip_address, "204-soft", log_in=log_in)
    except ConnectionError:
        return False
    return True


async def test_a_telephone_registers_with_the_password_of_its_session_and_no_other(firm: Firm) -> None:
    async with Phone.open() as dora:
        dora.answer_with(status=None)
        status, made = await firm.ask("POST", "/v1/sip-credentials", json={"user": "dora"})
        assert (status, made["phone"], made["server"]) == (201, "main/204-soft", firm.asterisk.wss_address)
        assert not await registers(firm, dora, made, password="wrong")
        assert not await registers(firm, dora, made, username="204-soft")
        assert await registers(firm, dora, made)
        _, call = await firm.dial(user="dora")
        (await ringing(dora)).answer()
        (await ringing(firm.provider)).answer()
        await firm.until(call, lambda now: now["state"] == "talking")
        await firm.do(call, "hangup")
        await firm.ended(call)


async def test_a_session_that_is_over_leaves_no_telephone(firm: Firm) -> None:
    async with Phone.open() as dora:
        _, made = await firm.ask("POST", "/v1/sip-credentials", json={"user": "dora"})
        assert await registers(firm, dora, made)
        since = len(firm.asterisk.events)
        headers = {"Authorization": f"Bearer {KEY}"}
        async with firm.session.delete(f"{firm.url}/v1/sip-credentials/{made['id']}", headers=headers) as answer:
            assert answer.status == 204
        await firm.asterisk.wait_event("ContactStatus", since=since, ContactStatus="Removed", AOR="204-soft")
        assert not await registers(firm, dora, made)
        assert await firm.code(user="dora") == (409, "no_phone")


async def test_a_newer_session_ends_the_one_before(firm: Firm) -> None:
    async with Phone.open() as dora:
        _, first = await firm.ask("POST", "/v1/sip-credentials", json={"user": "dora"})
        _, second = await firm.ask("POST", "/v1/sip-credentials", json={"user": "dora"})
        assert not await registers(firm, dora, first)
        assert await registers(firm, dora, second)


async def test_no_password_stands_in_a_log_or_a_file(firm: Firm) -> None:
    _, made = await firm.ask("POST", "/v1/sip-credentials", json={"user": "dora"})
    written = [path.read_bytes() for path in firm.engine.folder.rglob("*") if path.is_file()]
    assert not any(made["password"].encode() in one for one in written)
    assert made["password"] not in str(firm.engine.log) + firm.asterisk.log_text()


async def test_a_restarted_asterisk_gets_the_passwords_of_its_sessions_again(firm: Firm) -> None:
    """The last one of the file: the calls of before are over with that Asterisk."""
    async with Phone.open() as dora:
        _, made = await firm.ask("POST", "/v1/sip-credentials", json={"user": "dora"})
        before = len(firm.engine.lines("sip.passwords_put"))
        await firm.asterisk.stop()
        await firm.asterisk.start_again()
        await firm.engine.log.first(lambda _: len(firm.engine.lines("sip.passwords_put")) > before)
        assert await registers(firm, dora, made)
        for number, phone in (("201", firm.anna), ("202", firm.bernd)):
            await phone.register(firm.asterisk.sip_address, number)
