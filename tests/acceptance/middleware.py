"""The customer's own middleware: an HTTP server that notes who asks what, and misbehaves on request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from aiohttp import web

from rig.conf import PATIENCE_S

Entry = TypeVar("Entry")


class Journal(list[Entry]):
    """What happened so far; one can wait for what is still to happen."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def note(self, entry: Entry) -> None:
        """Append an entry and tell those who wait."""
        self.append(entry)
        self._more.set()

    async def first(self, wanted: Callable[[Entry], bool], timeout_s: float = PATIENCE_S) -> Entry:
        """The first entry, past or to come, that is as wanted. Raises `TimeoutError` when there is none in time."""
        async with asyncio.timeout(timeout_s):
            while (found := next(filter(wanted, self), None)) is None:
                self._more.clear()
                await self._more.wait()
        return found


@dataclass(frozen=True, eq=False)
class Request:
    """One question of the engine: at which path, with which parameters, when (the loop's clock), and all its bytes."""

    path: str
    asked: Mapping[str, str]
    at: float
    text: str
    dropped: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def caller(self) -> str:
        """Who calls."""
        return self.asked.get("customer_id", "")

    @property
    def digits(self) -> str:
        """What was typed."""
        return self.asked.get("customer_input", "")


class Middleware:
    """`records` holds what is found, by path and what is searched; `behaviours` may give a path another one.

    `delays` are the seconds that an answer takes, by path.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], object] = {}
        self.delays: dict[str, float] = {}
        self.requests: Journal[Request] = Journal()
        self.address = ""
        self.behaviours: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
            "slow": self._slow, "error": self._error, "garbage": self._garbage, "cut": self._cut,
            "huge": self._huge, "endless": self._endless, "redirect": self._redirect,
        }  # fmt: skip

    @classmethod
    @asynccontextmanager
    async def serving(cls) -> AsyncIterator[Middleware]:
        """A middleware on a free port of the loopback address."""
        found = cls()
        application = web.Application()
        application.router.add_route("*", "/{path}", found._answer)
        runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.address = "http://{}:{}".format(*runner.addresses[0])
        try:
            yield found
        finally:
            await runner.cleanup()

    def knows(self, path: str, searched: str, **record: object) -> None:
        """Let a record be found from now on."""
        self.records[path, searched] = record

    def asked_by(self, caller: str) -> list[Request]:
        """The questions about this caller so far."""
        return [request for request in self.requests if request.caller == caller]

    def paths_asked_by(self, caller: str) -> list[str]:
        """Where was asked about this caller, in order."""
        return [request.path for request in self.asked_by(caller)]

    async def question(self, caller: str, timeout_s: float = PATIENCE_S) -> Request:
        """The first question about this caller, waiting for it."""
        return await self.requests.first(lambda request: request.caller == caller, timeout_s)

    async def was_dropped(self, request: Request, timeout_s: float = PATIENCE_S) -> bool:
        """True as soon as the engine has given up waiting for the answer. Raises `TimeoutError` when it goes on."""
        return await asyncio.wait_for(request.dropped.wait(), timeout_s)

    async def _answer(self, web_request: web.Request) -> web.StreamResponse:
        body = await web_request.text()
        asked = await web_request.json() if web_request.method == "POST" else web_request.query
        text = f"{web_request.method} {web_request.raw_path}\n{web_request.raw_headers!r}\n{body}"
        now = asyncio.get_running_loop().time()
        request = Request(web_request.match_info["path"], dict(asked), now, text)
        self.requests.note(request)
        try:
            return await self._behave(request, web_request)
        except (asyncio.CancelledError, ConnectionError):
            request.dropped.set()
            raise

    async def _behave(self, request: Request, web_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(self.delays.get(request.path, 0))
        behaviour = self.behaviours.get(request.path)
        if behaviour is not None:
            return await behaviour(web_request)
        found = self.records.get((request.path, request.digits or request.caller))
        return web.json_response({"found": False}, status=404) if found is None else web.json_response(found)

    async def _slow(self, _: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.json_response({"id": "late", "tier": "gold"})

    async def _error(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"id": "1", "tier": "gold"}, status=500)

    async def _garbage(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text="<html><body>tier: gold</body></html>", content_type="text/html")

    async def _cut(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text='{"id": "1", "tier": "gold"', content_type="application/json")

    async def _huge(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"id": "1", "tier": "gold", "note": "x" * 1_200_000})

    async def _endless(self, web_request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(web_request)
        await response.write(b'{"id": "1", "tier": "gold", "note": "')
        while True:
            await response.write(b"x" * 65536)

    async def _redirect(self, web_request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(f"/crm?{web_request.query_string}")
