"""One connection to a manager interface: bytes, who waits for an answer, and why it is over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

from routing_engine.asterisk.ami_wire import AmiMessage, AmiWire

T = TypeVar("T")
#: A connection that has said nothing for so long when an action is given up is not trusted with the next one.
SILENT_S = 0.5
_GOODBYE_S = 0.2


class AmiLink(asyncio.Protocol):
    """An open connection. `hear` takes the events that answer no action; it must not wait."""

    def __init__(self, hear: Callable[[AmiMessage], None]) -> None:
        self._hear = hear
        self._wire = AmiWire()
        self._asked: dict[str, tuple[list[AmiMessage], asyncio.Future[list[AmiMessage]]]] = {}
        self._heard = 0
        self._broken: Exception | None = None
        self._transport: asyncio.Transport | None = None
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.gone = asyncio.Event()

    # ---------------------------------------------------------------------------- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = transport  # type: ignore[assignment]  # uvloop's is an asyncio.Transport without saying so

    def data_received(self, data: bytes) -> None:
        """Take what came; end the connection when no Asterisk would send it."""
        try:
            messages = self._wire.feed(data)
        except ValueError as error:
            self.drop(error)
            return
        if self._wire.banner and not self.greeted.done():
            self.greeted.set_result(None)
        for message in messages:
            self._take(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let everybody know who waits."""
        self.drop(exc or ConnectionResetError("Asterisk closed the connection"))

    # ------------------------------------------------------------------------- what the client calls

    @property
    def usable(self) -> bool:
        """Whether an action may be sent."""
        return self._broken is None

    async def ask(self, number: str, action: bytes, timeout_s: float) -> list[AmiMessage]:
        """Send an action and return all of its answer. Raises `OSError`, or `ValueError` for what no Asterisk sends."""
        if self._broken is not None or self._transport is None:
            raise self._broken or ConnectionResetError("the connection is closed")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[AmiMessage]] = loop.create_future()
        self._asked[number] = ([], answer)
        heard, began = self._heard, loop.time()
        self._transport.write(action)
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except (asyncio.CancelledError, TimeoutError):
            # A frozen Asterisk, or a firewall that forgot us, swallows everything: the next must not wait on it too.
            if heard == self._heard and loop.time() - began >= SILENT_S:
                self.drop(ConnectionResetError("the connection has fallen silent"))
            raise
        finally:
            self._asked.pop(number, None)

    def drop(self, why: Exception) -> None:
        """Close it now; all who wait on it hear `why`."""
        if self._broken is not None:
            return
        self._broken = why
        self.gone.set()
        if self._transport is not None:
            self._transport.abort()
        _tell(self.greeted, why)
        for _, answer in self._asked.values():
            _tell(answer, why)

    async def close(self, goodbye: bytes) -> None:
        """Say goodbye and close it."""
        if self._transport is not None and self.usable:
            self._transport.write(goodbye)
            self._transport.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    await self.gone.wait()
        self.drop(ConnectionResetError("the connection is closed"))

    def _take(self, message: AmiMessage) -> None:
        self._heard += 1
        messages, answer = self._asked.get(message.number, ([], None))
        if answer is None:
            if "Event" in message:  # a response that nobody waits for any more is dropped
                self._hear(message)
            return
        messages.append(message)
        if message.is_last:
            # Taken off at once: an `OriginateResponse` with the same number may lie right behind it.
            del self._asked[message.number]
            if not answer.done():
                answer.set_result(messages)


def _tell(waiting: asyncio.Future[T], why: Exception) -> None:
    if not waiting.done():
        waiting.set_exception(why)
        waiting.exception()  # looked at: else asyncio complains when nobody waits any more
