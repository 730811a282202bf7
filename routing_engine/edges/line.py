"""One end of a line: what is said goes out in order, sound one piece at a time behind all that is to be said."""

from __future__ import annotations

import asyncio
import socket as sockets
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from contextlib import suppress
from typing import Protocol

import aiohttp

from routing_engine.edges.messages import Message, Piece, Refused, read, read_piece, written, written_piece

#: What the kernel takes of sound before it is on its way: more would stand before the next event.
_AHEAD = 64 << 10


class Socket(Protocol):
    """A WebSocket of aiohttp, of either end."""

    async def send_str(self, data: str, compress: int | None = None) -> None:
        """Send a text; wait while the other side does not read."""

    async def send_bytes(self, data: bytes, compress: int | None = None) -> None:
        """Send bytes; wait while the other side does not read."""

    async def receive(self) -> aiohttp.WSMessage:
        """Return what comes next."""


class Line:
    """Writes while `write` runs; `heard` gives what the other side says until the line ends."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._words: deque[Message] = deque()
        self._sound: deque[Piece] = deque()
        self._wake = asyncio.Event()

    def say(self, message: Message) -> None:
        """Have something said, before any sound that waits."""
        self._words.append(message)
        self._wake.set()

    def play(self, piece: Piece) -> None:
        """Have a piece of sound sent, when there is nothing to say. Who plays asks for no more than is wanted."""
        self._sound.append(piece)
        self._wake.set()

    def hush(self, ask_id: int) -> None:
        """Drop the pieces of one recording that wait."""
        self._sound = deque(one for one in self._sound if one.id != ask_id)

    async def write(self) -> None:
        """Send what is said, for ever. Raises `OSError` when the line is gone."""
        while True:
            if self._words:
                await self._socket.send_str(written(self._words.popleft()))
            elif self._sound:
                await self._socket.send_bytes(written_piece(self._sound.popleft()))
            else:
                self._wake.clear()
                await self._wake.wait()

    async def refuse(self, why: Refused, patience_s: float = 2.0) -> None:
        """Say at once why the line ends, if the other side still listens."""
        with suppress(OSError, TimeoutError, RuntimeError):
            async with asyncio.timeout(patience_s):
                await self._socket.send_str(written(why))

    async def heard(self) -> AsyncGenerator[Message | Piece, None]:
        """Yield what comes; end with the line. Raises `LineFault` for what is no message."""
        while True:
            came = await self._socket.receive()
            if came.type is aiohttp.WSMsgType.TEXT:
                if (message := read(came.data)) is not None:
                    yield message
            elif came.type is aiohttp.WSMsgType.BINARY:
                yield read_piece(came.data)
            else:
                return


async def together(*works: Coroutine[object, object, None]) -> None:
    """Do all of these until the first has ended, and end the others; raise what one of them raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


def keep_little_ahead(transport: asyncio.BaseTransport | None) -> None:
    """Let the kernel hold back little of what is sent: an event would stand behind it."""
    socket = transport.get_extra_info("socket") if transport is not None else None
    option = getattr(sockets, "TCP_NOTSENT_LOWAT", None)  # Linux and macOS
    if socket is not None and option is not None:
        with suppress(OSError):
            socket.setsockopt(sockets.IPPROTO_TCP, option, _AHEAD)
