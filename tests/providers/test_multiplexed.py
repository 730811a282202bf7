"""One kept connection for many questions."""

from __future__ import annotations

import asyncio

import pytest

from routing_engine.errors import ProviderMisread, ProviderRefused, ProviderUnreachable
from routing_engine.providers.net.multiplexed import MOST_MESSAGES, IncomingMessage, MultiplexedConnection, OpenLink

from .conftest import raw_server


class Server:
    """Fails each time it is opened, in the way that comes next."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.opened = list(failures), 0

    async def open(self) -> OpenLink[str]:
        self.opened += 1
        raise self.failures.pop(0)


async def test_a_refused_log_in_is_not_repeated_with_every_call() -> None:
    server = Server(ProviderRefused("crm: it refused the password", theirs=True))
    kept = MultiplexedConnection("crm", server.open)
    for _ in range(3):
        with pytest.raises(ProviderRefused, match="it refused the password") as caught:
            await kept.ask("1", b"")
        assert caught.value.theirs
    assert server.opened == 1
    await kept.close()


async def test_a_server_that_was_down_is_tried_with_the_next_call() -> None:
    server = Server(ConnectionRefusedError(), ConnectionRefusedError())
    kept = MultiplexedConnection("crm", server.open)
    for _ in range(2):
        with pytest.raises(ProviderUnreachable):
            await kept.ask("1", b"")
    assert server.opened == 2
    await kept.close()


@pytest.mark.io
async def test_an_answer_that_never_ends_ends_the_connection() -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 100)
            await writer.drain()

    async def read(reader: asyncio.StreamReader) -> IncomingMessage[str]:
        return IncomingMessage("1", (await reader.readexactly(1)).decode(), last=False)

    async with raw_server(endless) as address:
        port = int(address.split(":")[2].partition("/")[0])

        async def open_it() -> OpenLink[str]:
            return OpenLink(*await asyncio.open_connection("127.0.0.1", port), read)

        kept = MultiplexedConnection("crm", open_it)
        with pytest.raises(ProviderMisread, match="crm: one answer has no end"):
            await kept.ask("1", b"GET\r\n\r\n")
        await kept.close()
    assert MOST_MESSAGES == 1000
