"""One kept connection to a web server: a plain answer is read here, everything else by aiohttp's own reader.

aiohttp makes the connection (names, TLS, time-outs) and stays behind it. What it does for each answer beside that, a
parser, a stream and a wait for each of its chunks, is most of what a short answer costs. So an answer that is HTTP
without any doubt, complete and short, is taken as it lies there; at the first doubt aiohttp gets every byte of it, as
if nobody had looked. Measured: 12 % of a served call's CPU time, together with the pool in `lean_request`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import NamedTuple

import aiohttp
from aiohttp.client_proto import ResponseHandler
from multidict import CIMultiDict

#: What is read at once, and the largest answer that is plain, with its head.
BUFFER_BYTES = 65_536
#: A head as nearly all servers write it; what is stranger, aiohttp judges. Each sign has one place only, so that no
#: head can make this go back and forth.
_HEAD = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) [ -~]*\r\n((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~]*\r\n)+)\r\n")
#: aiohttp's bounds: a line, and how many. Beyond them it says what is wrong.
_LONGEST_HEAD, _MOST_HEADERS = 8000, 100
#: Where one of these stands, the body is not the bytes that follow.
_OTHER_BODY = ("Transfer-Encoding", "Content-Encoding", "Upgrade")
#: The answers that have no body, whatever their length says.
_BODILESS = (204, 304)
_KEEPS_OPEN: tuple[list[str], ...] = ([], ["keep-alive"], ["Keep-Alive"])


class WholeAnswer(NamedTuple):
    """An answer that was read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _PlainHead(NamedTuple):
    status: int
    headers: Mapping[str, str]
    #: Where the body begins, and where it ends.
    begins: int
    ends: int


class KeptConnection(asyncio.BufferedProtocol):
    """A connection of aiohttp's pool, whose protocol this is while nobody but us reads from it.

    `ask` sends a request; `close` it, or ask again once the answer is there. `buffer` is where bytes arrive: one for
    all connections of a loop, because each lot is taken away before the next can come.
    """

    def __init__(
        self,
        held: aiohttp.connector.Connection,
        handler: ResponseHandler,
        transport: asyncio.Transport,
        buffer: memoryview,
    ) -> None:
        self.held, self.handler, self._transport, self._buffer = held, handler, transport, buffer
        self._came = b""
        self._head: _PlainHead | None = None
        self._asked: asyncio.Future[WholeAnswer | None] | None = None
        self.idle_since = 0.0
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent."""
        return not self._transport.is_closing()

    def ask(self, request: bytes, loop: asyncio.AbstractEventLoop) -> asyncio.Future[WholeAnswer | None]:
        """Send a request, and return the answer to come; None says that aiohttp reads it: `handler` has it."""
        asked = self._asked = loop.create_future()
        self._transport.write(request)
        return asked

    def close(self) -> None:
        """End the connection."""
        self._transport.close()
        self.held.close()

    # ------------------------------------------------------------------------------------- from the loop

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what has come."""
        asked = self._asked
        if asked is None or asked.done():
            self._transport.close()  # nobody has asked, or nobody waits any more: what comes now is no answer
            return
        self._came = came = self._came + self._buffer[:nbytes] if self._came else bytes(self._buffer[:nbytes])
        head = self._head = self._head or _plain_head(came)
        if head is None or len(came) > head.ends:
            self._hand_over(asked)
        elif len(came) == head.ends:
            self._asked, self._came, self._head = None, b"", None
            asked.set_result(WholeAnswer(head.status, head.headers, came[head.begins :]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Let aiohttp say what that means for whoever waits."""
        asked = self._asked
        if asked is not None and not asked.done():
            self._hand_over(asked)
            self.handler.connection_lost(exc)
            return
        self.handler.connection_lost(exc)
        self.held.close()

    def _hand_over(self, asked: asyncio.Future[WholeAnswer | None]) -> None:
        self.handler.set_response_params(read_until_eof=True)
        self._transport.set_protocol(self.handler)
        if self._came:
            self.handler.data_received(self._came)
        self._asked, self._came = None, b""
        asked.set_result(None)


def _plain_head(came: bytes) -> _PlainHead | None:
    """Return the head of a plain answer; None for every other one, and one that has not come whole."""
    found = _HEAD.match(came)
    if found is None or found.end() > _LONGEST_HEAD:
        return None
    lines = found[2].decode("ascii").split("\r\n")
    pairs = [(name, value.strip(" \t")) for name, _, value in [line.partition(":") for line in lines[:-1]]]
    headers, status = CIMultiDict(pairs), int(found[1])
    length = headers.get("Content-Length", "")
    if not length.isdigit() or len(length) > 5 or len(headers.getall("Content-Length")) > 1:
        return None
    if headers.getall("Connection", []) not in _KEEPS_OPEN or len(pairs) > _MOST_HEADERS or status in _BODILESS:
        return None
    ends = found.end() + int(length)
    if ends > BUFFER_BYTES or any(name in headers for name in _OTHER_BODY):
        return None
    return _PlainHead(status, headers, found.end(), ends)
