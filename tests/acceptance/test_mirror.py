"""A slow CRM, mirrored: callers are found while it is dead, after a restart too. Described in YAML by the operator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from rig.conf import PATIENCE_S

from .engine import Engine, write_configuration
from .stage import House, Stage
from .test_outages import Came, lands_once

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

PAGE = 100
KNOWN, CHANGED, NOBODY = "+436641200042", "+436641999999", "+436641300000"
DESCRIPTION = """
title: Slow CRM
address: http://127.0.0.1
models:
  contact: {fields: {id: id, name: name, phone: phone}, numbers: [phone]}
find_by_phone:
  - {get: /search, query: {phone: '{number.e164}'}, records: results}
list:
  - get: /contacts
    query: {from: '{cursor | default 0}', since: "{since | default '1970-01-01T00:00:00' | format '%Y-%m-%dT%H:%M:%S'}"}
    records: results
    next: {cursor: next}
"""
ROUTE = """
    deadline_s: 1
    filler: none
    sources:
      - integration: crm
        model: contact
        search: {by: caller}
        rules:
          - when: {data.origin: snapshot, data.age_s: {less_than: 60}}
            to: {dialplan: 'office,snapshot,1'}
          - to: {dialplan: 'office,live,1'}
    default: {to: {dialplan: 'office,default,1'}}
"""


class SlowCrm:
    """Lists people, page after page; answers a search only when it must."""

    def __init__(self) -> None:
        self.people = [{"id": n, "name": f"Person {n}", "phone": f"0664 12{n:05}"} for n in range(250)]
        self.changed: list[dict[str, object]] = []
        self.searches: list[str] = []
        self.gate = asyncio.Event()
        self.address = ""

    @classmethod
    @asynccontextmanager
    async def serving(cls) -> AsyncIterator[SlowCrm]:
        crm = cls()
        crm.gate.set()
        application = web.Application()
        application.router.add_get("/contacts", crm._contacts)
        application.router.add_get("/search", crm._search)
        runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        crm.address = "http://{}:{}".format(*runner.addresses[0])
        try:
            yield crm
        finally:
            await runner.cleanup()

    async def _contacts(self, request: web.Request) -> web.Response:
        await self.gate.wait()
        first = int(request.query["from"])
        people = self.people if request.query["since"].startswith("1970") else self.changed
        found = {"results": people[first : first + PAGE]}
        return web.json_response(found | ({"next": first + PAGE} if first + PAGE < len(people) else {}))

    async def _search(self, request: web.Request) -> web.Response:
        self.searches.append(request.query["phone"])
        return web.json_response({"results": self.people[42:43]})


def write(folder: Path, house: House, address: str, mirror: str) -> Path:
    """A configuration with the CRM's description in the operator's own folder."""
    settings = "logging: {level: debug}\ndefaults: {look_ahead: certain}\n"
    write_configuration(folder, {"mirrored": ROUTE}, house.middleware.address, settings)
    (folder / "providers").mkdir()
    (folder / "providers" / "slow.yaml").write_text(DESCRIPTION)
    crm = f"provider: slow\naddress: {address}\nmirror: {{{mirror}}}\n"
    (folder / "integrations" / "crm.yaml").write_text(crm)
    return folder


async def comes(house: House, engine: Engine, caller: str) -> Came:
    stage = Stage(house, engine)
    return await lands_once(engine, stage, await stage.dial("mirrored", caller=caller))


async def test_a_caller_is_found_while_the_crm_is_dead_and_after_a_crash(house: House, tmp_path: Path) -> None:
    async with SlowCrm.serving() as crm:
        folder = write(tmp_path, house, crm.address, "")
        async with Engine.serving(folder) as engine:
            pulled = await engine.logged("mirror.pulled")
            assert (pulled["kind"], pulled["records"]) == ("full", 250)
    async with Engine.serving(folder) as engine:  # the first one was killed, and the CRM is gone
        came, stranger = await comes(house, engine, KNOWN), await comes(house, engine, NOBODY)
        assert (came.landing.exten, stranger.landing.exten) == ("snapshot", "default")
        assert (came.source[:20], came.source[-5:], crm.searches) == ("1 record (snapshot, ", " old)", [])
        assert stranger.source.startswith("no record (snapshot, ")
        assert engine.complaints == []


async def test_changes_reach_the_callers_by_themselves(house: House, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        crm = await stack.enter_async_context(SlowCrm.serving())
        folder = write(tmp_path, house, crm.address, "changes_every_s: 5")
        engine = await stack.enter_async_context(Engine.serving(folder))
        await engine.logged("mirror.pulled", kind="full")
        assert (await comes(house, engine, CHANGED)).landing.exten == "default"
        crm.changed = [{"id": 42, "name": "Person 42", "phone": CHANGED}]
        async with asyncio.timeout(PATIENCE_S):
            while (await comes(house, engine, CHANGED)).landing.exten != "snapshot":
                pass  # a pull that is under way has missed it
        assert (await comes(house, engine, KNOWN)).landing.exten == "default"


@pytest.mark.parametrize(("until_ready", "lands_at"), [("down", "default"), ("live", "live")])
async def test_before_the_first_pull_is_complete_it_is_down_or_asked_by_choice(
    house: House, tmp_path: Path, until_ready: str, lands_at: str
) -> None:
    async with SlowCrm.serving() as crm:
        crm.gate.clear()
        async with Engine.serving(write(tmp_path, house, crm.address, f"until_ready: {until_ready}")) as engine:
            came = await comes(house, engine, KNOWN)
            assert came.landing.exten == lands_at
            assert ("being pulled for the first time" in came.source) == (until_ready == "down")
            crm.gate.set()
            await engine.logged("mirror.pulled")
            assert (await comes(house, engine, KNOWN)).landing.exten == "snapshot"
