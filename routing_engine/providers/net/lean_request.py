"""A plain request over aiohttp's connections: its pool, TLS, DNS and parser, without what `ClientSession` does around.

Cookies, redirects, proxies, middlewares and traces are looked at by a session for each request, and none of ours has
any. Measured: 6 % of a served call's CPU time, 160,000 of its 4.5 million instructions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

#: What is sent: bytes, or a file that is read meanwhile.
Body: TypeAlias = bytes | aiohttp.Payload | None
#: A body up to this size goes out with the headers, in one write; a larger one may have to wait for the socket.
_ONE_WRITE = 32 * 1024
#: Headers of one integration are the same for all its look-ups, unless it signs each of them.
_MOST_KEPT = 32
#: What of an address and of the headers makes two requests look alike but for path and body.
_Likeness: TypeAlias = tuple[str, str, tuple[tuple[str, str], ...]]


class _RequestHead(NamedTuple):
    """What requests of one origin and one set of headers share: how the pool knows them, and their header lines."""

    origin: aiohttp.ClientRequest
    lines: str


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
    """Sends plain requests with the connections and the usual headers of a session."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._kept: dict[_Likeness, _RequestHead] = {}

    def takes(self, method: str, url: URL, headers: Mapping[str, str], body: Body) -> bool:
        """Return whether a request is plain: a GET without a body, or a short body whose type is said."""
        if not (url.raw_path_qs.isascii() and url.raw_path_qs.isprintable()):
            return False  # a line break would begin a header
        if body is None:
            return method == "GET"
        return isinstance(body, bytes) and 0 < len(body) <= _ONE_WRITE and method != "GET" and "Content-Type" in headers

    async def send(self, method: str, url: URL, headers: Mapping[str, str], body: Body) -> LeanResponse:
        """Send a request that `takes` took. Raises what a session raises, `aiohttp.ClientError` and `OSError`."""
        prepared = self._prepared(url, headers)
        sent = body if isinstance(body, bytes) else b""
        length = f"Content-Length: {len(sent)}\r\n" if sent else ""
        request = f"{method} {url.raw_path_qs} HTTP/1.1\r\n{prepared.lines}{length}\r\n".encode() + sent
        try:
            return await self._exchange(prepared.origin, request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            # A kept connection that has died meanwhile: a GET may go out again, as a session does it.
            if method != "GET":
                raise
            return await self._exchange(prepared.origin, request)

    async def _exchange(self, origin: aiohttp.ClientRequest, request: bytes) -> LeanResponse:
        connector = self._session.connector
        if connector is None:
            raise aiohttp.ClientConnectionError("the session is closed")
        try:
            connection = await connector.connect(origin, [], self._session.timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError("no connection in time") from error
        protocol = connection.protocol
        try:
            if protocol is None or protocol.transport is None or protocol.transport.is_closing():
                raise aiohttp.ClientConnectionResetError("the connection is closing")
            protocol.set_response_params(read_until_eof=True)
            protocol.transport.write(request)
            message, content = await protocol.read()
            while 100 <= message.code < 200 and message.code != 101:  # "early hints": the answer is still to come
                message, content = await protocol.read()
        except HttpProcessingError as error:
            connection.close()
            raise aiohttp.ClientResponseError(origin.request_info, (), status=error.code) from error
        except BaseException:
            connection.close()  # also when the caller has hung up: the answer to come is nobody's
            raise
        return LeanResponse(connection, message.code, message.headers, content)

    def _prepared(self, url: URL, headers: Mapping[str, str]) -> _RequestHead:
        likeness = url.scheme, url.raw_authority, tuple(headers.items())
        found = self._kept.get(likeness)
        if found is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            found = self._kept[likeness] = self._prepare(url, headers)
        return found

    def _prepare(self, url: URL, headers: Mapping[str, str]) -> _RequestHead:
        """Let aiohttp say what it would send: Host, log-in of the address, what it can decompress."""
        merged = CIMultiDict(self._session.headers)
        merged.update(headers)
        origin = aiohttp.ClientRequest("GET", url.with_path("/"), headers=merged, session=self._session)
        lines = "".join(f"{name}: {value}\r\n" for name, value in origin.headers.items())
        if lines.count("\r") != len(origin.headers) or lines.count("\n") != len(origin.headers) or "\0" in lines:
            raise ValueError("a header holds a line break")  # its text may be a secret
        return _RequestHead(origin, lines)
