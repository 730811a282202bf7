"""A small HTTP listener on the loop that carries the calls: what those for figures and for programs share.

Whoever reaches it can do no harm: a bounded number of connections, each over when it is silent for too long; headers
are small, and what strangers send becomes no line of the log.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from routing_engine.connections import EVERYBODY, AccessList, RefusedConnections
from routing_engine.errors import traceback_frames
from routing_engine.logger import Logger

_log = Logger()

#: How long a connection may take to agree on TLS.
_HANDSHAKE_S = 10.0
#: What we call ourselves, instead of aiohttp's version and Python's.
SERVER = "routing-engine"
#: What cannot be answered, in a sentence, by the status of HTTP.
FAULTS = {
    400: "this is no HTTP that can be read",
    408: "the request came too slowly",
    431: "the address, a header or the number of headers is too large",
    500: "a fault of the engine; its log says which",
}
#: Answers one request. An exception of it becomes a 500 and a line of the log.
Answer: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
#: Says what is wrong with a request that cannot be read, or with us, by the status of HTTP.
Refusal: TypeAlias = Callable[[int], web.Response]
#: aiohttp's own words for a limit of headers, which is no line that is too long.
_TOO_MANY = "Too many headers"


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What a listener bears.

    `silent_s` is how long a connection may say nothing before its request, and between two. `longest_s` ends it
    whatever it does, None lets it go on. `kept`: several requests may use one connection.
    """

    most: int
    silent_s: float
    longest_s: float | None = None
    kept: bool = False
    longest_line: int = 4096
    most_headers: int = 64


class _Door:
    """Who comes in: at most so many at a time. The oldest that has not sent its request makes room for the next."""

    def __init__(self, most: int, access: AccessList, refused: RefusedConnections) -> None:
        self._most, self.access, self.refused = most, access, refused
        self._inside: dict[asyncio.BaseTransport, str] = {}
        self._silent: dict[asyncio.BaseTransport, None] = {}

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


class _Connection(RequestHandler):
    """One connection."""

    __slots__ = ("_door", "_end", "_limits", "_quiet_end", "_refusal")

    def __init__(
        self, server: web.Server, quiet: logging.Logger, limits: HttpLimits, door: _Door, refusal: Refusal
    ) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            logger=quiet,
            access_log=quiet,
            keepalive_timeout=limits.silent_s,
            lingering_time=0,
            max_line_size=limits.longest_line,
            max_field_size=limits.longest_line,
            max_headers=limits.most_headers,
        )
        self._door, self._limits, self._refusal = door, limits, refusal
        self._end: asyncio.TimerHandle | None = None
        self._quiet_end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or end it at once when it may not connect or there is no room."""
        found = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        if not self._door.admit(found):
            found.abort()
            return
        loop = asyncio.get_running_loop()
        # Not close(): that waits for a reader who does not read.
        if self._limits.longest_s is not None:
            self._end = loop.call_later(self._limits.longest_s, found.abort)
        # aiohttp waits for ever for a first request that comes byte by byte.
        self._quiet_end = loop.call_later(self._limits.silent_s, found.abort)
        super().connection_made(transport)

    def heard(self) -> None:
        """Note that the whole head of a request is there."""
        if self._quiet_end is not None:
            self._quiet_end.cancel()
            self._quiet_end = None
        if self.transport is not None:
            self._door.heard(self.transport)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to what cannot be read as HTTP, in the listener's own words; the connection ends."""
        if request.writer.output_size > 0:
            raise ConnectionError("half of an answer is sent already")
        too_long = isinstance(exc, LineTooLong) or _TOO_MANY in (message or "")
        answer = self._refusal(431 if too_long else status)
        answer.headers["Server"] = SERVER
        answer.force_close()
        return answer

    def connection_lost(self, exc: BaseException | None) -> None:
        """Strike it off the books."""
        for timer in (self._end, self._quiet_end):
            if timer is not None:
                timer.cancel()
        if self.transport is not None:
            self._door.left(self.transport)
            super().connection_lost(exc)


class HttpListener:
    """Answers requests at one address. `listen`, and `stop` at the end. `name` is the listener's in engine.yaml."""

    def __init__(self, name: str, answer: Answer, limits: HttpLimits, access: AccessList = EVERYBODY) -> None:
        self._name, self._answer, self._limits = name, answer, limits
        self._door = _Door(limits.most, access, RefusedConnections(self._warn_of_refused))
        self._quiet = logging.Logger(name)  # what strangers send must not become lines of ours
        self._quiet.disabled = True
        self._http: web.Server | None = None
        self._server: asyncio.Server | None = None

    def change(self, access: AccessList) -> None:
        """Take what a reload brings: who may connect from now on."""
        self._door.access = access

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Open the listener. Raises `OSError` when the address is taken or not ours."""
        http = self._http = web.Server(self._answer_one, handler_cancellation=True)
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(http, self._quiet, self._limits, self._door, self.refusal),
            host,
            port,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else _HANDSHAKE_S,
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

    def refusal(self, status: int) -> web.Response:
        """Return what is said of a request that cannot be read, or of a fault of ours."""
        return web.Response(status=status, text=FAULTS.get(status, FAULTS[400]) + "\n")

    # ------------------------------------------------------------------------------------- inside

    async def _answer_one(self, request: web.BaseRequest) -> web.StreamResponse:
        if isinstance(request.protocol, _Connection):
            request.protocol.heard()
        try:
            answer = await self._answer(request)
        except Exception as error:
            _log.error(
                "listener.failed", listener=self._name, error=type(error).__name__, traceback=traceback_frames(error)
            )
            answer = self.refusal(500)
        if not answer.prepared:
            answer.headers["Server"] = SERVER
        if not self._limits.kept:
            answer.force_close()
        return answer

    def _warn_of_refused(self, count: int, addresses: Sequence[str], why: Sequence[str]) -> None:
        _log.warning("listener.refused", listener=self._name, count=count, addresses=addresses, why=why)
