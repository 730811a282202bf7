"""The listener `metrics`: GET /metrics, /ready and /live over HTTP, on the loop that carries the calls.

Whoever reaches it can do no harm: one request a connection, a few connections at a time, each over after some seconds;
headers are small, no body is read, one scrape is made at a time and gives way to the calls.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from routing_engine.connections import EVERYBODY, AccessList, RefusedConnections
from routing_engine.errors import traceback_frames
from routing_engine.logger import Logger
from routing_engine.metrics.meter import Meter

#: A connection is over after so long, whatever the other side does or leaves undone.
LONGEST_S = 10.0
#: More than a few scrapers and health checks at a time are no scrapers.
MOST_CONNECTIONS = 32
_LONGEST_LINE, _MOST_HEADERS = 4096, 64
_PATHS = "/metrics, /ready and /live are here\n"

_log = Logger()


def _warn_of_refused(count: int, addresses: Sequence[str], why: Sequence[str]) -> None:
    _log.warning("metrics.refused", count=count, addresses=addresses, why=why)


class _Door:
    """Who comes in: at most `most` at a time. The oldest that has not sent its request makes room for the next."""

    def __init__(self, most: int, access: AccessList) -> None:
        self._most, self.access = most, access
        self._inside: dict[asyncio.BaseTransport, str] = {}
        self._silent: dict[asyncio.BaseTransport, None] = {}
        self.refused = RefusedConnections(_warn_of_refused)

    def admit(self, transport: asyncio.Transport) -> bool:
        """Return whether this connection may stay."""
        peer = transport.get_extra_info("peername")
        host = peer[0] if isinstance(peer, tuple) else ""
        if not self.access.admits(host):
            self.refused.note(host, "not in 'allow'")
            return False
        if len(self._inside) >= self._most:
            silent = next(iter(self._silent), None)
            self.refused.note(self._inside[silent] if silent else host, "too many connections")
            if silent is None:
                return False
            self.left(silent)
            cast(asyncio.Transport, silent).abort()
        self._inside[transport] = host
        self._silent[transport] = None
        return True

    def heard(self, transport: asyncio.BaseTransport) -> None:
        """Note that it has sent its request: it keeps the place."""
        self._silent.pop(transport, None)

    def left(self, transport: asyncio.BaseTransport) -> None:
        """Strike it off the books."""
        self._inside.pop(transport, None)
        self._silent.pop(transport, None)


class _MetricsConnection(RequestHandler):
    """One connection, for at most `longest_s`."""

    __slots__ = ("_door", "_end", "_longest_s")

    def __init__(self, server: web.Server, quiet: logging.Logger, longest_s: float, door: _Door) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            logger=quiet,
            access_log=quiet,
            keepalive_timeout=longest_s,
            lingering_time=0,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
            max_headers=_MOST_HEADERS,
        )
        self._door, self._longest_s = door, longest_s
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or end it at once when it may not connect or there is no room."""
        found = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        if not self._door.admit(found):
            found.abort()
            return
        # Not close(): that waits for a reader who does not read.
        self._end = asyncio.get_running_loop().call_later(self._longest_s, found.abort)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Strike it off the books."""
        if self._end is not None:
            self._end.cancel()
            if self.transport is not None:
                self._door.left(self.transport)
            super().connection_lost(exc)


class MetricsListener:
    """Answers scrapers and health checks. `listen`, and `stop` at the end.

    `not_ready` says why no call would be taken now, "" when it would; `remark` what is wrong although they are.
    """

    def __init__(
        self,
        meter: Meter,
        not_ready: Callable[[], str] = str,
        remark: Callable[[], str] = str,
        longest_s: float = LONGEST_S,
        most: int = MOST_CONNECTIONS,
        access: AccessList = EVERYBODY,
    ) -> None:
        self._meter, self._not_ready, self._remark = meter, not_ready, remark
        self._longest_s, self._door = longest_s, _Door(most, access)
        self._one_at_a_time = asyncio.Lock()
        self._quiet = logging.Logger("metrics")  # what strangers send must not become lines of ours
        self._quiet.disabled = True
        self._http: web.Server | None = None
        self._server: asyncio.Server | None = None

    def change(self, access: AccessList) -> None:
        """Take what a reload brings: who may connect from now on."""
        self._door.access = access

    async def listen(self, host: str, port: int) -> None:
        """Open the listener. Raises `OSError` when the address is taken or not ours."""
        loop = asyncio.get_running_loop()
        http = self._http = web.Server(self._answer, handler_cancellation=True)
        self._server = await loop.create_server(
            lambda: _MetricsConnection(http, self._quiet, self._longest_s, self._door), host, port
        )

    @property
    def addresses(self) -> list[str]:
        """Where we listen, as `host:port`."""
        sockets = self._server.sockets if self._server is not None else ()
        return ["{}:{}".format(*socket.getsockname()[:2]) for socket in sockets]

    @property
    def connections(self) -> int:
        """How many connections there are now."""
        return len(self._http.connections) if self._http is not None else 0

    async def stop(self) -> None:
        """Close the listener and every connection."""
        if self._server is not None and self._http is not None:
            self._server.close()
            for connection in self._http.connections:
                if connection.transport is not None:
                    connection.transport.abort()
            await self._http.shutdown(0.1)  # 0 would be no limit
        self._door.refused.close()

    # ------------------------------------------------------------------------------------- inside

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.transport is not None:
            self._door.heard(request.transport)
        try:
            answer = await self._found(request)
        except Exception as error:
            _log.error("metrics.failed", error=type(error).__name__, traceback=traceback_frames(error))
            answer = web.Response(status=500, text="a fault of the engine; its log says which\n")
        answer.headers["Server"] = "routing-engine"  # instead of aiohttp's version and Python's
        answer.force_close()
        return answer

    async def _found(self, request: web.BaseRequest) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, text="GET and nothing else\n", headers={"Allow": "GET, HEAD"})
        if request.path == "/metrics":
            return await self._scraped(request.headers.get("Accept", ""))
        if request.path == "/ready":
            why = self._not_ready()
            ready = f"ready; {remark}" if (remark := self._remark()) else "ready"
            return web.Response(status=503 if why else 200, text=f"{why or ready}\n")
        if request.path == "/live":
            return web.Response(text="alive\n")
        return web.Response(status=404, text=_PATHS)

    async def _scraped(self, accept: str) -> web.Response:
        # A scrape costs the calls some time: many scrapers wait for one another instead.
        async with self._one_at_a_time:
            body, content_type = await self._meter.scrape(accept)
        return web.Response(body=body, headers={"Content-Type": content_type})
