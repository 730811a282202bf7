"""The service as a whole, on a real socket: what is in force, reload, connections, drain, the log line of a call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer

from routing_engine.config.store import ConfigStore
from routing_engine.engine import open_store
from routing_engine.errors import ConfigError, traceback_frames
from routing_engine.logger import set_up_log
from routing_engine.service import Service
from tests.fakes import FOREVER_S, Asterisk

pytestmark = pytest.mark.io

ROUTE = """
sources:
  - name: crm
    integration: erp
    model: contact
    search: {by: caller}
    rules: [{name: any, to: {queue: QUEUE}}]
default: {to: {ivr: main}}
"""


class Middleware:
    """A middleware whose answer waits for `go`; remembers the numbers it was asked for."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()
        self.numbers: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.numbers.append(request.query["customer_id"])
        self.asked.set()
        await self.go.wait()
        return web.json_response({"id": 7, "name": "Anna"})


@asynccontextmanager
async def middleware() -> AsyncIterator[tuple[Middleware, str]]:
    one = Middleware()
    app = web.Application()
    app.router.add_get("/", one.answer)
    server = TestServer(app)
    await server.start_server()
    try:
        yield one, str(server.make_url("/"))
    finally:
        one.go.set()
        await server.close()


def write(folder: Path, address: str, queue: str = "vip", engine: str = "") -> Path:
    for room in ("routes", "integrations"):
        (folder / room).mkdir(exist_ok=True)
    (folder / "engine.yaml").write_text(f"region: AT\nlisteners: {{fastagi: '127.0.0.1:0'}}\n{engine}")
    (folder / "routes" / "support.yaml").write_text(ROUTE.replace("QUEUE", queue))
    (folder / "integrations" / "erp.yaml").write_text(
        f"provider: http\naddress: {address}\nmodels: {{contact: {{fields: {{id: id, name: name}}}}}}\n"
    )
    return folder


@asynccontextmanager
async def serving(folder: Path, stops: bool = True) -> AsyncIterator[tuple[Service, int]]:
    """Run the service until it has ended; where this one does not stop it, somebody else does."""
    service = Service(open_store(folder))
    await service.start()
    running = asyncio.create_task(service.run())
    try:
        yield service, int(service.addresses[0].rpartition(":")[2])
    finally:
        if stops:
            service.stop()
        await running


async def call(port: int, **environment: str) -> dict[str, str]:
    asterisk = Asterisk()
    await asterisk.call(port, **environment)
    return asterisk.variables


async def test_a_call_is_routed_by_what_the_middleware_knows(tmp_path: Path) -> None:
    async with middleware() as (_, address), serving(write(tmp_path, address)) as (_, port):
        found = await call(port)
    assert (found["ROUTE_STATUS"], found["ROUTE_KIND"], found["ROUTE_TARGET"]) == ("OK", "queue", "vip")


async def test_a_call_under_way_keeps_its_revision_and_its_connections(tmp_path: Path) -> None:
    async with middleware() as (crm, address), serving(write(tmp_path, address)) as (service, port):
        crm.go.clear()
        first = asyncio.create_task(call(port))
        await crm.asked.wait()
        write(tmp_path, address + "?moved=1", queue="gold")  # the integration is another one now
        assert await service.reload()
        crm.go.set()
        before, after = await first, await call(port)
    assert (before["ROUTE_TARGET"], after["ROUTE_TARGET"]) == ("vip", "gold")
    assert before["ROUTE_REVISION"] != after["ROUTE_REVISION"]


async def test_an_integration_that_did_not_change_keeps_its_connections(tmp_path: Path) -> None:
    async with middleware() as (_, address), serving(write(tmp_path, address)) as (service, port):
        before = service.providers
        write(tmp_path, address, queue="gold")
        await service.reload()
        assert service.providers["erp"] is before["erp"]
        assert (await call(port))["ROUTE_TARGET"] == "gold"


async def test_a_broken_folder_leaves_the_last_good_one_in_force(tmp_path: Path) -> None:
    async with middleware() as (_, address), serving(write(tmp_path, address)) as (service, port):
        (tmp_path / "routes" / "support.yaml").write_text("")
        assert not await service.reload()
        assert (await call(port))["ROUTE_TARGET"] == "vip"


async def test_the_region_of_a_reload_counts_for_the_next_call(tmp_path: Path) -> None:
    async with middleware() as (crm, address), serving(write(tmp_path, address)) as (service, port):
        await call(port, callerid="0664 1234567")
        text = (tmp_path / "engine.yaml").read_text()
        (tmp_path / "engine.yaml").write_text(text.replace("AT", "DE"))
        await service.reload()
        await call(port, callerid="0664 1234567")
    assert crm.numbers == ["+436641234567", "+496641234567"]


async def test_stop_lets_a_call_under_way_land(tmp_path: Path) -> None:
    async with middleware() as (crm, address):
        async with serving(write(tmp_path, address), stops=False) as (service, port):
            crm.go.clear()
            last = asyncio.create_task(call(port))
            await crm.asked.wait()
            service.stop()
            crm.go.set()
        assert (await last)["ROUTE_STATUS"] == "OK"


async def test_a_second_stop_ends_a_call_at_once(tmp_path: Path) -> None:
    async with middleware() as (crm, address):
        async with serving(write(tmp_path, address), stops=False) as (service, port):
            crm.go.clear()
            last = asyncio.create_task(call(port))
            await crm.asked.wait()
            service.stop()
            service.stop()
        assert "ROUTE_STATUS" not in await last


async def test_a_table_that_cannot_be_read_is_told_at_the_start_and_once(tmp_path: Path) -> None:
    async with middleware() as (_, address):
        write(tmp_path, address)
        (tmp_path / "integrations" / "shop.yaml").write_text("provider: records\nfile: c.csv\nmodels: {contact: {}}\n")
        (tmp_path / "c.csv").write_bytes("phone,name\n1,Müller\n".encode("cp1252"))
        with structlog.testing.capture_logs() as logs:
            async with serving(tmp_path) as (service, _):
                assert await service.reload()
    assert [log["why"] for log in logs if log["event"] == "records.broken"] == [
        "c.csv:2: this is not UTF-8; save it as 'CSV UTF-8', which spreadsheets offer beside CSV"
    ]


async def test_without_a_listener_it_does_not_start(tmp_path: Path) -> None:
    write(tmp_path, "http://127.0.0.1:1/")
    (tmp_path / "engine.yaml").write_text("listeners: {}\n")
    service = Service(open_store(tmp_path))
    with pytest.raises(ConfigError, match="no listener is named"):
        await service.start()
    await service.close()


async def test_the_log_line_of_a_call_masks_the_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_log("info", "json", None)
    try:
        async with middleware() as (_, address), serving(write(tmp_path, address)) as (_, port):
            await call(port, calleridname="Eve\x1b[2J")
    finally:
        structlog.reset_defaults()
    out = capsys.readouterr().err
    event = next(json.loads(line) for line in out.splitlines() if "call.routed" in line)
    assert (event["caller"], event["destination"], event["rule"]) == ("...567", "queue vip", "any")
    assert "6641234567" not in out


async def test_an_unknown_route_is_warned_of_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_log("info", "json", None)
    try:
        async with middleware() as (_, address), serving(write(tmp_path, address)) as (_, port):
            found = await call(port, network_script="suport")
    finally:
        structlog.reset_defaults()
    event = next(json.loads(line) for line in capsys.readouterr().err.splitlines() if "call.routed" in line)
    assert (found["ROUTE_STATUS"], "ROUTE_KIND" in found) == ("FALLBACK", False)
    assert (event["level"], event["why"]) == ("warning", "route: there is no route 'suport'")


async def test_a_request_for_a_script_is_told_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_log("info", "json", None)
    try:
        async with middleware() as (_, address), serving(write(tmp_path, address)) as (_, port):
            found = await call(port, network_script="dialparties.agi")
    finally:
        structlog.reset_defaults()
    event = next(json.loads(line) for line in capsys.readouterr().err.splitlines() if "agi.foreign_script" in line)
    assert (event["level"], event["script"], found["ROUTE_STATUS"]) == ("error", "dialparties.agi", "FALLBACK")


class UnreadableStore(ConfigStore):
    """A store whose folder cannot be looked at once it is loaded: a file system that has gone."""

    def __init__(self, folder: Path) -> None:
        store = open_store(folder)
        super().__init__(folder, store._providers, store._environment)
        self.looked = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def changed(self) -> bool:
        self._loop.call_soon_threadsafe(self.looked.set)
        raise OSError("the file system has gone")


async def test_a_folder_that_cannot_be_looked_at_ends_no_service(tmp_path: Path) -> None:
    async with middleware() as (_, address):
        store = UnreadableStore(write(tmp_path, address))
        service = Service(store)
        await service.start()
        running = asyncio.create_task(service.run())
        await asyncio.wait_for(store.looked.wait(), FOREVER_S)
        found = await call(int(service.addresses[0].rpartition(":")[2]))
        service.stop()
        await running
    assert found["ROUTE_TARGET"] == "vip"


async def test_an_error_of_ours_is_logged_with_its_place_and_without_its_text() -> None:
    def fails() -> None:
        raise ValueError("the secret is 4711")

    try:
        fails()
    except ValueError as error:
        found = traceback_frames(error)
    assert found[-1].endswith("in fails")
    assert not any("4711" in place for place in found)
