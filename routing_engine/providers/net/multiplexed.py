"""One kept connection for many questions: opened when it is needed, shared by all, opened anew when it has broken.

For protocols whose questions and answers carry an id, such as LDAP: a look-up that is cancelled leaves the connection
to the others, and its late answer is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from routing_engine.errors import ProviderError, ProviderMisread, ProviderRefused, ProviderUnreachable
from routing_engine.providers.net.address import ServerAddress
from routing_engine.providers.net.credential import REFUSED_S
from routing_engine.storage.single_flight import SingleFlight

Message = TypeVar("Message")
#: A connection that has said nothing for so long when a look-up gives it up is not trusted with the next one.
_SILENT_S = 0.5
_GOODBYE_S = 0.2
#: How long the other side's kernel may leave what we have sent unconfirmed.
_UNCONFIRMED_MS = 10_000


@dataclass(frozen=True, slots=True)
class IncomingMessage(Generic[Message]):
    """A message of the other side: the id of its question, and whether it is the last one of the answer."""

    id: str
    message: Message
    last: bool


#: Ten times what a search may find: an answer of more messages would only fill the memory.
MOST_MESSAGES = 1000


class OpenLink(Generic[Message]):
    """An open connection.

    `read` reads the next message from it, `give_up` tells the other side that nobody waits for an answer any more, and
    `goodbye` is said before it is closed.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        read: Callable[[asyncio.StreamReader], Awaitable[IncomingMessage[Message]]],
        give_up: Callable[[str], bytes] = lambda _: b"",
        goodbye: bytes = b"",
    ) -> None:
        self._reader, self._writer = reader, writer
        self._read, self._give_up, self._goodbye = read, give_up, goodbye
        self._asked: dict[str, tuple[list[Message], asyncio.Future[list[Message]]]] = {}
        self._heard = 0
        self._broken: Exception | None = None
        self._listening = asyncio.get_running_loop().create_task(self._listen())

    @property
    def usable(self) -> bool:
        """Whether a question may be asked on it."""
        return self._broken is None and not self._writer.is_closing()

    async def ask(self, number: str, question: bytes) -> list[Message]:
        """Send a question and return the messages of its answer.

        Raises `OSError` or `EOFError` when the connection broke, `ValueError` when the other side speaks otherwise.
        """
        if not self.usable:
            raise ConnectionResetError("the connection is closed")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Message]] = loop.create_future()
        # Before it is sent: an answer may come before the next line runs.
        self._asked[number] = ([], answer)
        heard, began = self._heard, loop.time()
        self._writer.write(question)
        try:
            return await answer
        except asyncio.CancelledError:
            # A firewall that forgot us swallows everything: the next look-up must not wait on it too.
            # Silence of the whole connection, not of this answer: a slow search with others answering is no fault.
            if heard == self._heard and loop.time() - began >= _SILENT_S:
                self.drop(ConnectionResetError("the connection has fallen silent"))
            elif self.usable:
                self._writer.write(self._give_up(number))
            raise
        finally:
            self._asked.pop(number, None)

    async def _listen(self) -> None:
        try:
            while True:
                self._take(await self._read(self._reader))
        except (OSError, EOFError, ValueError) as error:
            self.drop(error)

    def _take(self, heard: IncomingMessage[Message]) -> None:
        self._heard += 1
        # Late answers of look-ups that were given up, and messages that nobody asked for.
        if heard.id not in self._asked:
            return
        messages, answer = self._asked[heard.id]
        if len(messages) >= MOST_MESSAGES:
            self.drop(ValueError("one answer has no end: the server does not keep to the limit of a search"))
            return
        messages.append(heard.message)
        if heard.last and not answer.done():
            answer.set_result(messages)

    def drop(self, why: Exception) -> None:
        """Close it now; all who wait on it hear `why`."""
        # The first reason is the true one; what follows comes of the closing.
        self._broken = self._broken or why
        self._listening.cancel()
        # Not `close`: it would wait for a peer that may be gone.
        self._writer.transport.abort()
        for _, answer in self._asked.values():
            if not answer.done():
                answer.set_exception(why)

    async def close(self) -> None:
        """Say goodbye and close it."""
        with contextlib.suppress(OSError, TimeoutError):
            if self.usable:
                self._writer.write(self._goodbye)
            self._writer.close()
            async with asyncio.timeout(_GOODBYE_S):
                await self._writer.wait_closed()
        self.drop(ConnectionResetError("the connection is closed"))
        await asyncio.gather(self._listening, return_exceptions=True)


class MultiplexedConnection(Generic[Message]):
    """The link in use. `open_link` opens another one: once for all who ask meanwhile."""

    def __init__(self, name: str, open_link: Callable[[], Awaitable[OpenLink[Message]]]) -> None:
        self._name, self._open_link = name, open_link
        self._link: OpenLink[Message] | None = None
        self._opening = SingleFlight[OpenLink[Message]]()
        self._refused: ProviderRefused | None = None
        self._again_at = float("-inf")
        self._numbers = itertools.count(1)

    def number(self) -> int:
        """Return a number that no question has had."""
        return next(self._numbers)

    async def ask(self, number: str, question: bytes) -> list[Message]:
        """Ask on the link. Raises `ProviderError`s only."""
        link = await self._usable()
        try:
            return await link.ask(number, question)
        except (OSError, EOFError):
            raise ProviderUnreachable(f"{self._name}: the connection broke before the answer", again=True) from None
        except ValueError as error:
            raise ProviderMisread(f"{self._name}: {error}") from None

    async def _usable(self) -> OpenLink[Message]:
        if self._link is not None and self._link.usable:
            return self._link
        if self._refused is not None and asyncio.get_running_loop().time() < self._again_at:
            raise ProviderRefused(str(self._refused), self._refused.theirs)
        return await self._opening.run(self._log_in)

    async def _open(self) -> OpenLink[Message]:
        if self._link is not None:
            await self._link.close()
        try:
            self._link = await self._open_link()
        except (OSError, EOFError, ValueError) as error:
            raise why_not_open(self._name, error) from None
        return self._link

    async def _log_in(self) -> OpenLink[Message]:
        try:
            return await self._open()
        except ProviderRefused as error:
            self._refused, self._again_at = error, asyncio.get_running_loop().time() + REFUSED_S
            raise

    async def close(self) -> None:
        """Close the link, also one that is just being opened."""
        await self._opening.close()
        if self._link is not None:
            await self._link.close()


def why_not_open(name: str, error: Exception) -> ProviderError:
    """Say in words why there is no connection. The text of a foreign error is not used: it may hold a secret."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ProviderRefused(f"{name}: the server's certificate is not trusted; look at 'tls'")
    if isinstance(error, ssl.SSLError):
        return ProviderUnreachable(f"{name}: the TLS connection cannot be made")
    if isinstance(error, socket.gaierror):
        return ProviderUnreachable(f"{name}: the host name of the address is not known")
    if isinstance(error, TimeoutError):
        return ProviderUnreachable(f"{name}: no connection in time")
    if isinstance(error, ValueError):
        return ProviderMisread(f"{name}: {error}")
    if isinstance(error, EOFError):
        return ProviderUnreachable(f"{name}: the connection was closed while it was opened")
    return ProviderUnreachable(f"{name}: nobody accepts connections at the address")


async def _open_stream(address: ServerAddress) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect, within TLS where the address says so."""
    reader, writer = await asyncio.open_connection(address.host, address.port, ssl=address.tls)
    end = writer.get_extra_info("socket")
    if end is not None:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        with contextlib.suppress(OSError, AttributeError):  # not every system has it
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNCONFIRMED_MS)
    return reader, writer


async def open_link(
    address: ServerAddress,
    greet: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[OpenLink[Message]]],
) -> OpenLink[Message]:
    """Connect and let `greet` log in and return the link, within the address's time. A failure leaves nothing open."""
    async with asyncio.timeout(address.timeout_s):
        reader, writer = await _open_stream(address)
        try:
            return await greet(reader, writer)
        except BaseException:
            writer.transport.abort()
            raise
