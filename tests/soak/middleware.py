"""A middleware that fails at random, in a process of its own: `python -m tests.soak.middleware SEED`.

Its first line on standard output is its port. What it does to a request is drawn by weight. After `/rest` it answers
all and keeps no connection; after `/work` it does as before.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import sys
from collections.abc import Callable, Coroutine
from urllib.parse import parse_qs, urlsplit

#: What becomes of a hundred requests, more or less.
WEIGHTS = {
    "answer": 60.0,
    "slow": 12.0,
    "fail": 6.0,
    "gateway": 4.0,
    "reset": 5.0,
    "cut": 4.0,
    "hang": 4.0,
    "garbage": 2.5,
    "close": 2.0,
    "wait": 0.03,
    "too_many": 0.03,
}


class Middleware:
    """Answers who a caller is, when it feels like it."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._writers = set[asyncio.StreamWriter]()
        self._rests = False

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it."""
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                while (await reader.readline()).strip():
                    pass
                target = line.split()[1].decode()
                if target in ("/rest", "/work"):
                    self._be_told(target)
                    break
                if not await self._react(reader, writer, target):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _be_told(self, what: str) -> None:
        self._rests = what == "/rest"
        for one in self._writers if self._rests else ():
            one.close()

    async def _react(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str) -> bool:
        """Do to a request what is drawn; False ends the connection."""
        act = "close" if self._rests else self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if act in ("answer", "slow", "close"):
            await asyncio.sleep(self._random.uniform(0.05, 0.25) if act == "slow" else 0)
            self._send(writer, 200, self._record(target), "Connection: close\r\n" if act == "close" else "")
        elif act == "hang":
            await reader.read(1)  # until the engine gives up
        elif act == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        elif act == "cut":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
        else:
            self._fail(writer, act)
        return act not in ("close", "hang", "reset", "cut")

    def _fail(self, writer: asyncio.StreamWriter, act: str) -> None:
        statuses = {"fail": 500, "gateway": self._random.choice((502, 503, 504)), "wait": 429, "too_many": 429}
        body = b"<html>it works</html>" if act == "garbage" else b"{}"
        self._send(writer, statuses.get(act, 200), body, "Retry-After: 1\r\n" if act == "wait" else "")

    def _send(self, writer: asyncio.StreamWriter, status: int, body: bytes, headers: str = "") -> None:
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)

    def _record(self, target: str) -> bytes:
        """Know three callers of four, and every fourth typed number."""
        asked = parse_qs(urlsplit(target).query)
        known = asked.get("customer_input", asked.get("customer_id", ["0"]))[0]
        if known.endswith(("3", "7") if "customer_input" not in asked else ("1", "3", "5", "7", "9")):
            return b'{"found": false}'
        return json.dumps(
            {"id": known, "name": "Anna " * 20, "tier": "gold" if known.endswith("4") else "none"}
        ).encode()


async def main(seed: int, say: Callable[[int], None]) -> None:
    """Serve until standard input ends: with whoever started us."""
    server = await asyncio.start_server(Middleware(seed).talk, "127.0.0.1", 0, backlog=1024)
    say(server.sockets[0].getsockname()[1])
    ended: Coroutine[None, None, bytes] = asyncio.to_thread(sys.stdin.buffer.read)
    await ended


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), lambda port: print(port, flush=True)))
