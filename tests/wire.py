"""A TCP proxy of the tests: a line that can be cut, everywhere, and held down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress


class Wire:
    """A TCP proxy; `cut` ends what is on it, `down` lets nobody through."""

    def __init__(self, target: Callable[[], int]) -> None:
        self._target, self._server, self.port = target, None, 0
        self._ends: set[asyncio.StreamWriter] = set()
        self.down = False
        self.cuts_after: list[int] = []
        self.carried = self.connections = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Wire]:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()

    def cut(self) -> None:
        for one in self._ends:
            one.transport.abort()
        self._ends.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        self.connections += 1
        if self.down:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target())
        except OSError:
            writer.transport.abort()
            return
        self._ends.add(far_writer)
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while some := await reader.read(4096):
                self.carried += len(some)
                if self.cuts_after and self.carried > self.cuts_after[0]:
                    del self.cuts_after[0]
                    self.cut()
                writer.write(some)
                await writer.drain()
        writer.transport.abort()
