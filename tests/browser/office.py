"""An office on the real engine: a real Asterisk, a CRM that takes its time, and people with desk phones and a page."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import web

from rig.asterisk import Asterisk
from rig.conf import MANAGER_USER
from rig.sip import Call, Phone
from tests.acceptance.engine import PROGRAM, Engine
from tests.acceptance.scenery import DIALPLAN

INSIDE = """
[from-phones]
exten => _X.,1,Dial(PJSIP/${EXTEN},60)
same => n,Hangup()
"""
PASSWORD = "a horse of the correct staple"
ROUTES = {
    "known": (
        "sources: [{integration: kontor, model: contact, search: {by: caller}, rules: [{to: {queue: all}}]}]\n"
        "default: {to: {queue: all}}\n"
    ),
    "unknown": "default: {to: {queue: all}}\n",
}
DESCRIPTION = """
title: Kontor
settings: {server: {example: 'https://crm.example.com', pattern: 'https?://[^/]+'}}
address: '{settings.server}'
auth: {key: {needs: {key: secret}, headers: {X-Token: '{auth.key}'}}}
models: {contact: {fields: {id: id, name: name, phone: phone, city: city}, numbers: [phone]}}
records: items
find_by_phone: [{get: /contacts, query: {phone: '{number.e164}'}}]
check: {get: /contacts, query: {phone: '0'}}
"""


@dataclass
class Office:
    """`url` is the page's, `people` are keys of users.yaml; the phones of the first `ring` of them ring together."""

    asterisk: Asterisk
    engine: Engine
    url: str
    desks: Phone
    outside: Phone
    people: Sequence[str]
    ring: int

    async def call(self, route: str, caller: str) -> Call:
        """Let somebody outside call: `known` to a route that asks the CRM, `unknown` to one that does not."""
        headers = {"X-Engine-1": self.engine.address, "X-Engine-2": self.engine.address}
        return await self.outside.dial(self.asterisk.sip_address, route, caller=caller, headers=headers)

    async def rings(self) -> list[Call]:
        """Return the calls that now ring at the desks."""
        return [await self.desks.next_call() for _ in range(self.ring)]


def extension(at: int) -> str:
    """Return the extension of a person."""
    return str(1001 + at)


@asynccontextmanager
async def office(people: Sequence[str] = ("anna", "berta"), crm_s: float = 0.0, ring: int = 2) -> AsyncIterator[Office]:
    """Run it: the phones of the first people ring. The CRM knows every number, and takes so many seconds."""
    numbers = [extension(at) for at, _ in enumerate(people)]
    queues = {"all": [f"PJSIP/{number}" for number in numbers[:ring]]}
    async with (
        Asterisk(DIALPLAN + INSIDE, phones=numbers, queues=queues, web_phones=("1001-web",)) as asterisk,
        Phone.open() as desks,
        Phone.open() as outside,
        _crm(crm_s) as address,
    ):
        for number in numbers:
            await desks.register(asterisk.sip_address, number)
        desks.answer_with(status=None)
        with TemporaryDirectory(prefix="office-") as made:
            folder = Path(made)
            _write(folder, asterisk, people, address)
            async with Engine.serving(folder) as engine:
                await engine.logged("pbx.up")
                ready = await engine.logged("service.ready")
                listening = ready["http"]
                assert isinstance(listening, list)
                yield Office(asterisk, engine, f"http://{listening[0]}", desks, outside, people, ring)


@asynccontextmanager
async def _crm(takes_s: float) -> AsyncIterator[str]:
    async def contacts(request: web.Request) -> web.Response:
        number = request.query["phone"]
        await asyncio.sleep(takes_s)
        found = {"id": f"c{number[-4:]}", "name": f"Maria Huber {number[-4:]}", "phone": number, "city": "Klagenfurt"}
        return web.json_response({"items": [] if number == "0" else [found]})

    app = web.Application()
    app.router.add_get("/contacts", contacts)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "http://{}:{}".format(*runner.addresses[0])
    finally:
        await runner.cleanup()


def _write(folder: Path, asterisk: Asterisk, people: Sequence[str], crm: str) -> None:
    ami = "{}:{}".format(*asterisk.manager_address)
    ari = "http://{}:{}".format(*asterisk.http_address)
    secret = "secret: '${ASTERISK}'"
    users = {
        name: {
            "name": name.capitalize(),
            "phones": [f"main/{extension(at)}", *(["main/1001-web"] if at == 0 else [])],
        }
        for at, name in enumerate(people)
    }
    files = {
        "engine.yaml": (
            "region: AT\nlisteners: {fastagi: 127.0.0.1:0, http: 127.0.0.1:0}\nmatch_order: [kontor]\njournal: none\n"
        ),
        "environment": f"ASTERISK={asterisk.secret}\nTOKEN=t0ken\n",
        "pbxs/main.yaml": (
            f"ami: {{address: '{ami}', user: {MANAGER_USER}, {secret}}}\n"
            f"ari: {{address: '{ari}', user: {MANAGER_USER}, {secret}}}\n"
            f"sip: {{server: '{asterisk.wss_address}'}}\n"
            "trunks: [PJSIP/trunk*]\ndial: {context: from-phones}\n"
        ),
        "users.yaml": json.dumps(users),
        "providers/ours.yaml": DESCRIPTION,
        "integrations/kontor.yaml": (
            f"provider: ours\nserver: {crm}\nauth: {{key: '${{TOKEN}}'}}\nmodels: {{contact: {{}}}}\n"
        ),
        **{f"routes/{name}.yaml": text for name, text in ROUTES.items()},
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "environment").chmod(0o600)


async def give_password(engine: Engine, name: str) -> None:
    """Set the password of a person, as an administrator does."""
    command = [str(PROGRAM), "--config", str(engine.folder), "users", "password", name, "--stdin"]
    await asyncio.to_thread(subprocess.run, command, input=PASSWORD.encode(), check=True, capture_output=True)
