"""A firm whose people dial: an Asterisk, their telephones, the provider outside, and an engine with its API."""

from __future__ import annotations

import base64
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from rig.asterisk import Asterisk
from rig.conf import MANAGER_USER
from rig.sip import Call, Phone

from .engine import Engine, write_configuration
from .middleware import Journal
from .scenery import SHIPPED

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
    "pjsip_notify.conf": "[hello]\nEvent=>hello\n",
}


class Told(Journal[dict[str, Any]]):
    """Every call as webhooks told it; `told` is the event. `ends` are ids of webhooks that told an end, by call.

    The end of a call in `refused` is not taken the first time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ends: defaultdict[str, list[str]] = defaultdict(list)
        self.refused: set[str] = set()

    async def hear(self, request: web.Request) -> web.Response:
        event = await request.json()
        call = event["data"]
        if event["type"] == "call.ended":
            self.ends[call["id"]].append(request.headers["webhook-id"])
            if call["id"] in self.refused:
                self.refused.remove(call["id"])
                return web.Response(status=500)
        self.note({**call, "told": event["type"]})
        return web.Response(status=204)


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
    told: Told

    async def ask(self, method: str, path: str, key: str = KEY, **more: Any) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
        async with self.session.request(method, self.url + path, headers=headers, **more) as answer:
            return answer.status, await answer.json()

    async def dial(self, to: str = OTTO, user: str = "anna", **more: Any) -> tuple[int, dict[str, Any]]:
        headers = more.pop("headers", {})
        return await self.ask("POST", "/v1/calls", json={"user": user, "to": to, **more}, headers=headers)

    async def called(self, to: str = OTTO, user: str = "anna", **more: Any) -> dict[str, Any]:
        """The call that a request to dial has made."""
        status, call = await self.dial(to, user, **more)
        assert status == 202, call
        return call

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
        # Not by its state alone: what happened before may be told late, with the call as it is by then.
        return await self.until(call, lambda now: now["told"] == "call.ended")

    async def talking(self, **more: Any) -> tuple[dict[str, Any], Call, Call]:
        """A dialled call in which both speak: the call, Anna's telephone and Otto's."""
        call = await self.called(**more)
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
async def hearing() -> AsyncIterator[tuple[str, Told]]:
    """A receiver of webhooks: its address, and what it was told."""
    told = Told()
    app = web.Application()
    app.router.add_post("/", told.hear)
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
