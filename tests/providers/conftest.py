"""A middleware in the loop that writes down what reaches it, and the integrations that ask it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from routing_engine.core.ports import Clock
from routing_engine.providers.http.provider import HttpProvider
from routing_engine.providers.http.settings import HttpSettings, read_settings
from routing_engine.settings.integration import read_models
from routing_engine.settings.yaml_reader import Problems, read_yaml

SECRETS = {"TOKEN": "s3cret-t0ken", "PASSWORD": "pa:ss wörd"}
FIELDS = "{fields: {id: id, name: full_name, tier: tier}}"


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: tuple[tuple[str, str], ...]


@dataclass
class Middleware:
    """Answers every request with `status`, `body` and `headers`, unless `answer` is set."""

    address: str = ""
    status: int = 200
    body: bytes = b'{"id": 7, "full_name": "Anna", "tier": "gold"}'
    headers: dict[str, str] = field(default_factory=dict)
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
    seen: list[Seen] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        query = tuple(request.query.items())
        self.seen.append(Seen(request.method, request.raw_path, request.headers, body, query))
        self.connections.add(request.transport)
        if self.answer is not None:
            return await self.answer(request)
        return web.Response(status=self.status, body=self.body, headers=self.headers)


@pytest.fixture
async def middleware() -> AsyncIterator[Middleware]:
    found = Middleware()
    async with serving(found.handle) as found.address:
        yield found


class serving:
    """A real HTTP server on a free port of this machine for as long as the block lasts; gives its address."""

    def __init__(self, handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
        # With 0, aiohttp waits for ever for a handler that never ends, as one does after a test that has failed.
        self.runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)

    async def __aenter__(self) -> str:
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}/customer"

    async def __aexit__(self, *_: object) -> None:
        await self.runner.cleanup()


class raw_server:
    """A server of bytes: reads one request head, then does what `answer` does; gives its address."""

    def __init__(self, answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
        self.answer = answer
        self.writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> str:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/customer"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await self.answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    async def __aexit__(self, *_: object) -> None:
        for writer in self.writers:
            writer.transport.abort()
        self.server.close()
        await self.server.wait_closed()
        await asyncio.sleep(0)


def settings_of(text: str, folder: Path = Path()) -> tuple[HttpSettings, list[str]]:
    """Read an integration's YAML; give its settings and the sentences of its problems."""
    models = "" if "models:" in text else "models: {contact: {}}\n"
    settings, _, notes = _read(f"provider: http\n{models}{text}", folder)
    return settings, [problem.sentence for problem in notes.problems]


def erp(
    address: str,
    text: str = "",
    model: str = FIELDS,
    clock: Clock = time.monotonic,
    folder: Path = Path(),
    unix_time: Callable[[], float] = time.time,
) -> HttpProvider:
    """Return the provider of an integration `erp` with these further lines of YAML."""
    # Where the time to connect is not what a test is about, a busy machine may take it.
    patience = "" if "connect_timeout_s" in text else "connect_timeout_s: 30\n"
    whole = f"provider: http\naddress: {address}\nmodels:\n  contact: {model}\n{patience}{text}"
    settings, section_models, notes = _read(whole, folder)
    assert notes.problems == []
    return HttpProvider("erp", settings, section_models, clock, unix_time)


def _read(text: str, folder: Path):  # type: ignore[no-untyped-def]
    notes = Problems("integrations/erp.yaml", SECRETS.get)
    section = read_yaml(text, notes)
    assert section is not None
    section.value("provider")
    models = read_models(section) if section.has("models") else {}
    return read_settings(section, "erp", folder), models, notes
