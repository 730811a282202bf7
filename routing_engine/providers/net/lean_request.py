"""A plain request over aiohttp's connections: its pool, TLS, DNS and parser, without what `ClientSession` does around.

Cookies, redirects, proxies, middlewares and traces are looked at by a session for each request, and none of ours has
any. Measured: 6 % of a served call's CPU time, 160,000 of its 4.5 million instructions.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

from routing_engine.providers.net.kept_connection import BUFFER_BYTES, KeptConnection, WholeAnswer

#: What is sent: bytes, or a file that is read meanwhile.
Body: TypeAlias = bytes | aiohttp.Payload | None
#: A body up to this size goes out with the headers, in one write; a larger one may have to wait for the socket.
_ONE_WRITE = 32 * 1024
#: Headers of one integration are the same for all its look-ups, unless it signs each of them.
_MOST_KEPT = 32
#: What of an address and of the headers makes two requests look alike but for path and body.
_Likeness: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]


class RequestTarget(NamedTuple):
    """What is asked: scheme and host with all that an address says of them, and the path with its query."""

    place: str
    path_qs: str

    @property
    def url(self) -> URL:
        """The whole address, for whom a plain request does not do. Made where it is needed: it costs 5 us."""
        return URL(self.place + self.path_qs, encoded=True)


def target_of(url: URL) -> RequestTarget:
    """Return an address in its two parts; a fragment is never sent."""
    return RequestTarget(f"{url.scheme}://{url.raw_authority}", url.raw_path_qs)


class _RequestHead(NamedTuple):
    """What requests of one origin and one set of headers share: how the pool knows them, and their header lines."""

    origin: aiohttp.ClientRequest
    lines: bytes


class LeanResponse:
    """An answer whose body is still to be read. `close` it, or `release` it when the body was read whole."""

    def __init__(
        self,
        connection: aiohttp.connector.Connection,
        status: int,
        headers: Mapping[str, str],
        content: aiohttp.StreamReader,
    ) -> None:
        self._connection, self.status, self.headers, self.content = connection, status, headers, content
        #: Give the connection to the next request; one whose answer was not read to its end is closed.
        self.release = connection.release
        #: End the connection.
        self.close = connection.close


class LeanRequests:
    """Sends plain requests with the connections and the usual headers of a session. `close` it before the session.

    Connections whose answers were plain wait here for the next request, the one used last first: they need not be asked
    for from aiohttp's pool again.
    """

    def __init__(self, session: aiohttp.ClientSession, keep_alive_s: float = 60.0) -> None:
        self._session, self._keep_alive_s = session, keep_alive_s
        self._heads: dict[_Likeness, _RequestHead] = {}
        self._idle = defaultdict[str, list[KeptConnection]](list)
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._loop = asyncio.get_running_loop()

    def takes(self, method: str, target: RequestTarget, headers: Mapping[str, str], body: Body) -> bool:
        """Return whether a request is plain: a GET without a body, or a short body whose type is said."""
        if not (target.path_qs.isascii() and target.path_qs.isprintable()):
            return False  # a line break would begin a header
        if body is None:
            return method == "GET"
        return isinstance(body, bytes) and 0 < len(body) <= _ONE_WRITE and method != "GET" and "Content-Type" in headers

    async def send(
        self, method: str, target: RequestTarget, headers: Mapping[str, str], body: Body
    ) -> WholeAnswer | LeanResponse:
        """Send a request that `takes` took. Raises what a session raises, `aiohttp.ClientError` and `OSError`."""
        head = self._head(target, headers)
        line = f"{method} {target.path_qs} HTTP/1.1\r\n".encode()
        if isinstance(body, bytes) and body:
            request = b"%b%bContent-Length: %d\r\n\r\n%b" % (line, head.lines, len(body), body)
        else:
            request = b"%b%b\r\n" % (line, head.lines)
        try:
            return await self._exchange(target.place, head.origin, request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            # A kept connection that has died meanwhile: a GET may go out again, as a session does it.
            if method != "GET":
                raise
            return await self._exchange(target.place, head.origin, request)

    def close(self) -> None:
        """Keep no connection any more. The session is closed next: it ends those that there are, and waits for that."""
        self._closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        self._idle.clear()

    async def _exchange(self, place: str, origin: aiohttp.ClientRequest, request: bytes) -> WholeAnswer | LeanResponse:
        connection = self._take_idle(place) or await self._connect(origin)
        try:
            answer = await connection.ask(request, self._loop)
            if answer is None:
                return await self._read_on(connection)
        except HttpProcessingError as error:
            connection.close()
            raise aiohttp.ClientResponseError(origin.request_info, (), status=error.code) from error
        except BaseException:
            connection.close()  # also when the caller has hung up: the answer to come is nobody's
            raise
        self._keep(place, connection)
        return answer

    async def _read_on(self, connection: KeptConnection) -> LeanResponse:
        """Return the answer that aiohttp reads, once its head is there."""
        message, content = await connection.handler.read()
        while 100 <= message.code < 200 and message.code != 101:  # "early hints": the answer is still to come
            message, content = await connection.handler.read()
        return LeanResponse(connection.held, message.code, message.headers, content)

    # ------------------------------------------------------------------------------------- connections

    async def _connect(self, origin: aiohttp.ClientRequest) -> KeptConnection:
        """Return a connection of aiohttp's pool, or a new one."""
        connector = self._session.connector
        if connector is None:
            raise aiohttp.ClientConnectionError("the session is closed")
        try:
            held = await connector.connect(origin, [], self._session.timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError("no connection in time") from error
        handler = held.protocol
        if handler is None or handler.transport is None or handler.transport.is_closing():
            held.close()
            raise aiohttp.ClientConnectionResetError("the connection is closing")
        return KeptConnection(held, handler, handler.transport, self._buffer)

    def _take_idle(self, place: str) -> KeptConnection | None:
        idle = self._idle[place]
        oldest = self._loop.time() - self._keep_alive_s
        while idle:
            connection = idle.pop()
            if connection.is_open and connection.idle_since >= oldest:
                return connection
            connection.close()
        return None

    def _keep(self, place: str, connection: KeptConnection) -> None:
        if self._closed:
            connection.close()
            return
        connection.idle_since = self._loop.time()
        self._idle[place].append(connection)
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(self._keep_alive_s, self._sweep)

    def _sweep(self) -> None:
        """Close what nobody has used for long, though nobody asks: a middleware counts its connections too."""
        oldest = self._loop.time() - self._keep_alive_s
        for place, idle in list(self._idle.items()):
            for connection in idle:
                if not connection.is_open or connection.idle_since <= oldest:
                    connection.close()
            self._idle[place] = [one for one in idle if one.is_open]
        waits = any(self._idle.values())
        self._sweeping = self._loop.call_later(self._keep_alive_s, self._sweep) if waits else None

    # ------------------------------------------------------------------------------------- what is sent

    def _head(self, target: RequestTarget, headers: Mapping[str, str]) -> _RequestHead:
        likeness = target.place, tuple(headers.items())
        found = self._heads.get(likeness)
        if found is None:
            if len(self._heads) >= _MOST_KEPT:
                self._heads.clear()
            found = self._heads[likeness] = self._prepare(target, headers)
        return found

    def _prepare(self, target: RequestTarget, headers: Mapping[str, str]) -> _RequestHead:
        """Let aiohttp say what it would send: Host, log-in of the address, what it can decompress."""
        merged = CIMultiDict(self._session.headers)
        merged.update(headers)
        url = RequestTarget(target.place, "/").url
        origin = aiohttp.ClientRequest("GET", url, headers=merged, session=self._session)
        lines = "".join(f"{name}: {value}\r\n" for name, value in origin.headers.items())
        if lines.count("\r") != len(origin.headers) or lines.count("\n") != len(origin.headers) or "\0" in lines:
            raise ValueError("a header holds a line break")  # its text may be a secret
        return _RequestHead(origin, lines.encode())
