"""What an engine that follows calls speaks to: a CRM and a webhook's receiver of our own, and the folder for them."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from rig.asterisk import Asterisk
from rig.conf import FOLLOWER, READER

from .middleware import Journal

ANNA = "+436641112223"
KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
#: A CRM of one's own, described as an integrator would.
DESCRIPTION = """
title: Ours
settings: {server: {example: 'https://crm.example.com', pattern: 'https?://[^/]+'}}
address: '{settings.server}'
auth: {key: {needs: {key: secret}, headers: {X-Token: '{auth.key}'}}}
models: {contact: {fields: {id: id, name: name, phone: phone}, numbers: [phone]}}
records: items
find_by_phone: [{get: /contacts, query: {phone: '{number.e164}'}}]
check: {get: /contacts, query: {phone: '0'}}
log_call:
  - post: /calls
    json:
      subject: '{call.subject}'
      who: '{record.id}'
      key: '{call.id}'
      outcome: '{call.outcome}'
      page: '{call.link}'
    capture: {crm_id: id}
find_call:
  - {get: /calls, query: {key: '{call.id}'}, records: items, id: id}
attach_recording:
  - {post: '/calls/{call.crm_id}/sound', multipart: {name: '{call.recording_name}', sound: '{call.recording}'}}
update_call: [{patch: '/calls/{call.crm_id}', json: {subject: '{call.subject}', text: '{call.body}'}}]
create: [{post: /contacts, json: {name: '{new.name}', phone: '{new.phone}', owner: '{user.id}'}, capture: {id: id}}]
pop: [{post: /pops, json: {call: '{call.id}', user: '{user.id}', who: '{record.name}'}}]
close_pop: [{post: /pops, json: {call: '{call.id}', user: '{user.id}', closed: 'yes'}}]
"""


@dataclass
class Outside:
    """A CRM and a webhook's receiver of our own."""

    address: str
    people: dict[str, str]
    entries: Journal[Mapping[str, Any]] = field(default_factory=Journal)
    events: Journal[Mapping[str, Any]] = field(default_factory=Journal)
    sounds: Journal[tuple[str, bytes]] = field(default_factory=Journal)
    #: Records that were created, and what was shown on screens.
    made: Journal[Mapping[str, Any]] = field(default_factory=Journal)
    pops: Journal[Mapping[str, Any]] = field(default_factory=Journal)
    #: Whether the CRM answers 503, and what it has refused so.
    down: bool = False
    refused: Journal[str] = field(default_factory=Journal)
    #: By the id of each message of the webhook, how often it came: a receiver knows a repetition by that.
    heard: Counter[str] = field(default_factory=Counter)

    def knows(self, number: str, name: str) -> str:
        """Let the CRM know somebody; return the number."""
        self.people[number] = name
        return number

    def kinds(self, call: str) -> list[str]:
        """What the receiver was told of a call, in its order; a repetition counts once, as the specification says."""
        return [one["type"] for one in self.events if one["data"]["id"] == call]

    async def told(self, kind: str, number: str) -> Mapping[str, Any]:
        """The record of the call from this number in the first event of a kind, past or to come."""
        event = await self.events.first(lambda one: one["type"] == kind and one["data"]["from"] == number)
        return event["data"]  # type: ignore[no-any-return]

    async def ended(self, number: str) -> Mapping[str, Any]:
        """The record of the call from this number, once it is told to be over."""
        return await self.told("call.ended", number)

    def written(self, call: str) -> list[Mapping[str, Any]]:
        """The entries that the CRM has of a call."""
        return [one for one in self.entries if one.get("key") == call]


@asynccontextmanager
async def outside() -> AsyncIterator[Outside]:
    found = Outside("", {ANNA: "Anna Gruber"})

    async def contacts(request: web.Request) -> web.Response:
        number = request.query["phone"]
        items = [{"id": "c7", "name": found.people[number], "phone": number}] if number in found.people else []
        return web.json_response({"items": items})

    async def make(request: web.Request) -> web.Response:
        found.made.note(await request.json())
        return web.json_response({"id": f"n{len(found.made)}"})

    async def show(request: web.Request) -> web.Response:
        found.pops.note(await request.json())
        return web.json_response({})

    async def log(request: web.Request) -> web.Response:
        if found.down:
            found.refused.note(request.method)
            return web.Response(status=503)
        found.entries.note(await request.json())
        return web.json_response({"id": f"e{len(found.entries)}"})

    async def entries(request: web.Request) -> web.Response:
        keys = [one.get("key") for one in found.entries]
        wanted = request.query["key"]
        return web.json_response({"items": [{"id": f"e{keys.index(wanted) + 1}"}] if wanted in keys else []})

    async def hear(request: web.Request) -> web.Response:
        found.heard[request.headers["webhook-id"]] += 1
        if found.heard[request.headers["webhook-id"]] == 1:
            found.events.note({**await request.json(), "webhook_id": request.headers["webhook-id"]})
        return web.Response(status=204)

    async def keep(request: web.Request) -> web.Response:
        form = await request.post()
        sound = form["sound"]
        assert isinstance(sound, web.FileField)
        found.sounds.note((request.match_info["id"], sound.file.read()))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/calls/{id}/sound", keep)
    app.router.add_get("/contacts", contacts)
    app.router.add_post("/contacts", make)
    app.router.add_post("/pops", show)
    app.router.add_get("/calls", entries)
    app.router.add_post("/calls", log)
    app.router.add_patch("/calls/{id}", log)
    app.router.add_post("/hook", hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.address = "http://{}:{}".format(*runner.addresses[0])
    try:
        yield found
    finally:
        await runner.cleanup()


def write(
    folder: Path, asterisk: Asterisk, crm: Outside, manager: tuple[str, int] | None = None, further: str = ""
) -> None:
    """What a folder needs beyond routes, so that calls are followed; `further` are more keys of the PBX.

    `manager` is where the manager interface is reached, where that is not Asterisk itself.
    """
    host, port = manager or asterisk.manager_address
    web_host, web_port = asterisk.http_address
    files = {
        "environment": f"AMI_SECRET={asterisk.secret}\nTOKEN=t0ken\nHOOK=whsec_{KEY}\n",
        "pbxs/main.yaml": (
            f"ami: {{address: '{host}:{port}', user: {FOLLOWER}, secret: '${{AMI_SECRET}}'}}\n"
            f"ari: {{address: 'http://{web_host}:{web_port}', user: {READER}, secret: '${{AMI_SECRET}}'}}\n"
            f"recordings: ari\ntrunks: [PJSIP/trunk*]\n{further}"
        ),
        "users.yaml": "anna: {name: Anna Berger, email: anna@example.com, phones: [main/1001]}\n",
        "providers/ours.yaml": DESCRIPTION,
        "integrations/kontor.yaml": (
            f"provider: ours\nserver: {crm.address}\nauth: {{key: '${{TOKEN}}'}}\nmodels: {{contact: {{}}}}\n"
        ),
        "webhooks/hook.yaml": (
            f"url: {crm.address}/hook\nsecret: '${{HOOK}}'\nprivate: [127.0.0.0/8]\n"
            "events: [call.started, call.ringing, call.answered, call.ended, call.missed, recording.ready]\n"
        ),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "environment").chmod(0o600)
