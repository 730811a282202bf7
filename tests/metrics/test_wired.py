"""The whole service with its listener: what real calls, look-ups, reloads and the stop make of the metrics."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from fakes import CLOSE, SILENCE, Asterisk

from routing_engine.engine import open_store
from routing_engine.service import Service

from .scene import get, samples

pytestmark = pytest.mark.io

ENGINE = "region: AT\nlisteners: {fastagi: '127.0.0.1:0', metrics: '127.0.0.1:PORT'}\n"
INTEGRATION = "provider: http\naddress: ADDRESS\nmodels: {contact: {fields: {id: id, name: name}}}\n"
ROUTE = """
instruction: welcome
sources:
  - {name: broken, integration: gone, model: contact, search: {by: caller}, rules: [{name: x, to: {queue: vip}}]}
  - name: customers
    integration: erp
    model: contact
    search: {by: caller}
    cache: {ttl_s: 300}
    rules: [{name: any, to: {queue: vip}}]
default: {to: {ivr: main}}
"""


@dataclass
class Running:
    """A service in front of one system that answers and one that is gone, and its listener."""

    service: Service
    addresses: list[str]

    async def call(self, asterisk: Asterisk | None = None, **changed: str) -> None:
        port = int(self.service.addresses[0].rpartition(":")[2])
        await (asterisk or Asterisk()).call(port, **changed)

    async def settled(self) -> None:
        """Wait until no call is carried any more."""
        while (await self.scrape())("calls_in_progress"):
            pass

    async def scrape(self):
        read = samples((await get(self, "/metrics"))[2])
        return lambda name, **labels: read.get((f"routing_engine_{name}", tuple(sorted(labels.items()))))


@asynccontextmanager
async def serving(folder, port):
    """A running service; it is ended at once."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"id": 7, "name": "Anna"})

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app) as server:
        for name, text in {
            "engine.yaml": ENGINE.replace("PORT", str(port)),
            "routes/support.yaml": ROUTE,
            "integrations/erp.yaml": INTEGRATION.replace("ADDRESS", str(server.make_url("/"))),
            "integrations/gone.yaml": INTEGRATION.replace("ADDRESS", "http://127.0.0.1:9/"),
        }.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        service = Service(open_store(folder))
        await service.start()
        running = asyncio.create_task(service.run())
        try:
            yield Running(service, [f"127.0.0.1:{port}"])
        finally:
            service.stop()
            service.stop()
            await running


def looked_up(value, integration, outcome, origin="live", purpose="call"):
    return value("lookups_total", integration=integration, outcome=outcome, origin=origin, purpose=purpose)


async def test_calls_and_their_look_ups_are_counted(tmp_path, unused_tcp_port):
    async with serving(tmp_path, unused_tcp_port) as engine:
        for _ in range(3):
            await engine.call()
        await engine.call(network_script="nope")
        value = await engine.scrape()
    assert value("calls_total", route="support", reason="matched") == 3
    assert value("calls_total", route="(unknown)", reason="error") == 1
    assert looked_up(value, "erp", "found") == 1
    assert looked_up(value, "erp", "found", "cache") == 2
    assert value("cache_entries") == 1
    assert value("source_down", integration="gone", model="contact") == 1
    assert value("source_down", integration="erp", model="contact") == 0


async def test_a_source_that_is_down_early_or_in_turn_is_counted_once_a_call(tmp_path, unused_tcp_port):
    async with serving(tmp_path, unused_tcp_port) as engine:
        await engine.call()
        value = await engine.scrape()
    assert looked_up(value, "gone", "down", purpose="early") == 1
    assert value("early_lookups_total", integration="gone", fate="used") == 1
    assert looked_up(value, "gone", "down") == 0


async def test_a_caller_who_hangs_up_is_told_apart_from_a_connection_that_breaks(tmp_path, unused_tcp_port):
    async with serving(tmp_path, unused_tcp_port) as engine:
        await engine.call(Asterisk(on={"STREAM FILE": "HANGUP"}))
        await engine.call(Asterisk(on={"STREAM FILE": CLOSE}))
        await engine.settled()
        value = await engine.scrape()
    assert value("calls_abandoned_total", route="support", cause="hung_up") == 1
    assert value("calls_abandoned_total", route="support", cause="broken") == 1


async def test_a_prompt_that_asterisk_does_not_have_is_counted(tmp_path, unused_tcp_port):
    async with serving(tmp_path, unused_tcp_port) as engine:
        await engine.call(Asterisk(missing=["welcome"]))
        value = await engine.scrape()
    assert value("prompts_missing_total", route="support", kind="sound") == 1


async def test_a_change_that_cannot_be_used_raises_a_flag(tmp_path, unused_tcp_port):
    async with serving(tmp_path, unused_tcp_port) as engine:
        (tmp_path / "routes" / "bad.yaml").write_text("x: [")
        await engine.service.reload()
        refused = await engine.scrape()
        (tmp_path / "routes" / "bad.yaml").unlink()
        await engine.service.reload()
        mended = await engine.scrape()
    assert (refused("configuration_refused"), mended("configuration_refused")) == (1, 0)
    assert mended("configuration_loads_total", accepted="no") == 1


async def test_ready_says_that_the_service_drains_while_a_call_goes_on(tmp_path, unused_tcp_port):
    async with serving(tmp_path, unused_tcp_port) as engine:
        assert (await get(engine, "/ready"))[0] == 200
        asterisk = Asterisk(on={"STREAM FILE": SILENCE})
        call = asyncio.create_task(engine.call(asterisk))
        while not asterisk.lines:
            await asterisk.arrived.wait()
            asterisk.arrived.clear()
        engine.service.stop()
        assert (await get(engine, "/ready"))[::2] == (503, "the engine is stopping: it takes no new calls\n")
        assert (await engine.scrape())("calls_in_progress") == 1
    await call
