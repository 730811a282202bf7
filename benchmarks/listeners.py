"""What the pages of many people ask of the engine: each hears the stream, and fetches the card of each call.

`python -m benchmarks.listeners HOST PORT` reads a cookie a line, ended by an empty one, prints `ready` once every
stream has told its first event, and ends with its standard input. It looks at bytes, parses nothing, and is a process
of its own: whoever measures the engine must not measure forty clients.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from typing import Any

_CALL = re.compile(rb'data: \{"id": "([0-9a-f-]{36})"')
_LONGEST = len(b'data: {"id": "') + 36 + 2


class _Cards(asyncio.Protocol):
    """The connection that fetches cards, and looks at none."""

    transport: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport


class _Stream(asyncio.Protocol):
    """One page: hears the stream, and asks for the card of each call that is new."""

    def __init__(self, ask: Callable[[str], bytes], cards: _Cards, began: Callable[[], None]) -> None:
        self._ask, self._cards, self._began = ask, cards, began
        self._rest, self._known = b"", set[bytes]()
        self._first = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._ask("/v1/stream"))  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        text = self._rest + data
        self._rest = text[-_LONGEST:]
        if self._first and b"event: snapshot" in text:
            self._first = False
            self._began()
        for call in _CALL.findall(text):
            if call not in self._known:
                self._known.add(call)
                self._cards.transport.write(self._ask(f"/v1/calls/{call.decode()}/card"))


async def main(host: str, port: int) -> None:
    """Listen for every cookie."""
    loop, input_ = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(input_), sys.stdin)
    cookies = []
    while cookie := (await input_.readline()).decode().strip():
        cookies.append(cookie)
    ready = asyncio.Semaphore(0)
    for cookie in cookies:

        def ask(path: str, cookie: str = cookie) -> bytes:
            return f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {cookie}\r\n\r\n".encode()

        _, cards = await loop.create_connection(_Cards, host, port)
        await loop.create_connection(lambda ask=ask, cards=cards: _Stream(ask, cards, ready.release), host, port)  # type: ignore[misc]
    for _ in cookies:
        await ready.acquire()
    print("ready", flush=True)
    await input_.read()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
