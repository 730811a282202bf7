"""A server on raw sockets that breaks HTTP in every way there is, on request."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from .middleware import Journal

GOOD = {"id": "1", "tier": "gold"}


@dataclass(frozen=True)
class Asked:
    """One request: its path without the slash, who calls, when (the loop's clock), and over which connection."""

    path: str
    caller: str
    at: float
    connection: int


class Connection:
    """One connection as a behaviour sees it. `number` counts from 1, `asked` the requests that came over it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.reader, self.writer, self.number, self.asked = reader, writer, number, 0

    async def send(self, *parts: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(b"".join(parts))
        await self.writer.drain()

    async def answers(self, body: bytes, status: str = "200 OK", *headers: str) -> None:
        """Send a whole answer, as a good server would."""
        await self.send(head(status, f"Content-Length: {len(body)}", *headers), body)

    def reset(self) -> None:
        """Let the connection end with RST."""
        found = self.writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def closed_by_them(self) -> None:
        """Wait until the engine has closed it."""
        while await self.reader.read(4096):
            pass


Behaviour = Callable[[Connection], Awaitable[None]]


def head(status: str = "200 OK", *headers: str) -> bytes:
    """The head of an answer."""
    lines = (f"HTTP/1.1 {status}", *headers)
    if not any(line.lower().startswith("content-type") for line in headers):
        lines += ("Content-Type: application/json",)
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


async def good(connection: Connection) -> None:
    """Answer with a record."""
    await connection.answers(json.dumps(GOOD).encode())


class Faulty:
    """Serves `behaviours` by path; a path without one is good."""

    def __init__(self) -> None:
        self.behaviours: dict[str, Behaviour] = {}
        self.asked: Journal[Asked] = Journal()
        self.port = 0
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def serving(
        cls, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, port: int = 0
    ) -> AsyncIterator[Faulty]:
        """One on a port of this address."""
        found = cls()
        server = await asyncio.start_server(found._serve, host, port, ssl=tls)
        found.port = server.sockets[0].getsockname()[1]
        try:
            yield found
        finally:
            server.close()
            for task in found._tasks:
                task.cancel()
            await asyncio.gather(*found._tasks, return_exceptions=True)

    def paths(self, caller: str) -> list[str]:
        """What was asked about a caller, in order."""
        return [one.path for one in self.asked if one.caller == caller]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        connection = Connection(reader, writer, self.connections)
        try:
            while not writer.transport.is_closing():
                await self._answer(connection)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def _answer(self, connection: Connection) -> None:
        lines = (await connection.reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        body = await connection.reader.readexactly(int(headers.get("content-length", 0)))
        parts = urlsplit(lines[0].split()[1])
        asked = json.loads(body) if body else dict(parse_qsl(parts.query))
        connection.asked += 1
        path = parts.path.strip("/")
        now = asyncio.get_running_loop().time()
        self.asked.note(Asked(path, asked.get("customer_id", ""), now, connection.number))
        await self.behaviours.get(path, good)(connection)
