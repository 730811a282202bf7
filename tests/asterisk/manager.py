"""A manager interface of Asterisk that does what a test says, on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from routing_engine.asterisk.ami import AmiServer
from routing_engine.asterisk.ami_wire import AmiMessage, AmiWire, log_in_key

SECRET = "s3cret"


class Manager:
    """Lets user `engine` in with `SECRET`, answers `Ping`, and keeps every action until the test answers it."""

    def __init__(self) -> None:
        self.actions: list[AmiMessage] = []
        self.waiting = asyncio.Queue[AmiMessage]()
        self.log_ins = 0
        self.silent = self.closes = False
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    def server(self, **changed: object) -> AmiServer:
        """Where it is, for a client."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return AmiServer(**{"host": "127.0.0.1", "port": port, "user": "engine", "secret": SECRET} | changed)  # type: ignore[arg-type]

    def send(self, text: str, *pieces: int) -> None:
        """Send lines to the newest connection; an empty line ends them."""
        self._writers[-1].write("".join(f"{line}\r\n" for line in text.split("\n")).encode() + b"\r\n")

    def send_raw(self, raw: bytes) -> None:
        self._writers[-1].write(raw)

    def answer(self, action: AmiMessage, text: str = "Response: Success") -> None:
        self.send(f"{text}\nActionID: {action.number}")

    def break_off(self) -> None:
        """Break the newest connection."""
        self._writers[-1].transport.abort()

    async def drained(self) -> None:
        await self._writers[-1].drain()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        if self.closes:
            writer.close()
            return
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        while raw := await reader.read(4096):
            for action in _read(raw):
                self._take(action)

    def _take(self, action: AmiMessage) -> None:
        self.actions.append(action)
        if self.silent or action["Action"] == "Logoff":
            return
        if action["Action"] == "Challenge":
            self.answer(action, "Response: Success\nChallenge: 123456")
        elif action["Action"] == "Login":
            self.log_ins += 1
            right = action["Key"] == log_in_key("123456", SECRET)
            self.answer(action, "Response: Success" if right else "Response: Error\nMessage: Authentication failed")
        elif action["Action"] == "Ping":
            self.answer(action, "Response: Success\nPing: Pong\nTimestamp: 1796063300.5")
        else:
            self.waiting.put_nowait(action)


def _read(raw: bytes) -> list[AmiMessage]:
    return AmiWire().feed(b"Asterisk Call Manager/0\r\n" + raw)


@asynccontextmanager
async def managing() -> AsyncIterator[Manager]:
    manager = Manager()
    manager._server = server = await asyncio.start_server(manager._serve, "127.0.0.1", 0)
    try:
        yield manager
    finally:
        server.close()
        for writer in manager._writers:
            writer.transport.abort()
