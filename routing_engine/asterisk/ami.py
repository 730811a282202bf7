"""The client of Asterisk's manager interface: actions with their answers, and events.

It connects when it is first needed, and anew when the connection has broken. An action is sent once: one whose
connection broke, or whose time was up, may have been done or not, and only who asked knows whether to ask again.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from routing_engine.asterisk.ami_link import AmiLink
from routing_engine.asterisk.ami_wire import AmiMessage, FieldValue, log_in_key, write_action
from routing_engine.errors import AmiRefused
from routing_engine.logger import Logger
from routing_engine.storage.single_flight import SingleFlight

#: After a refused log-in nobody tries again for so long: one try a call more would soon lock the account.
REFUSED_S = 60.0
#: The pause before a connection is made anew: so long at first, twice as long each time, and never longer.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
#: Events that wait for their reader, some minutes of a busy Asterisk. What comes then is dropped, and said (`AmiGap`).
MOST_EVENTS = 20_000

_log = Logger()


@dataclass(frozen=True, slots=True)
class AmiServer:
    """Where a manager interface is and who logs in. `tls` None speaks none.

    `hears` are the classes of events that are wanted, as `Events` of the log-in takes them: `off`, `on`, `call,agent`.
    An idle connection is asked for a sign of life every `ping_s`.
    """

    host: str
    port: int
    user: str
    secret: str = field(repr=False)
    tls: ssl.SSLContext | None = None
    hears: str = "off"
    connect_timeout_s: float = 1.5
    action_timeout_s: float = 10.0
    ping_s: float = 15.0


@dataclass(frozen=True, slots=True)
class AmiGap:
    """Here events are missing: `lost` were dropped, or with 0 the connection is new. Ask for the state anew."""

    lost: int = 0


AmiEvent: TypeAlias = AmiMessage | AmiGap


class AmiClient:
    """A manager connection. `action` and `events` as you need them, `close` at the end."""

    def __init__(
        self,
        server: AmiServer,
        most_events: int = MOST_EVENTS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._server, self._sleep = server, sleep
        self._events = _EventQueue(most_events)
        self._link: AmiLink | None = None
        self._opening: SingleFlight[AmiLink] = SingleFlight()
        # Nobody who writes a value into Asterisk can write the answer to another one's action.
        self._mark, self._numbers = secrets.token_hex(8), itertools.count(1)
        self._refused: AmiRefused | None = None
        self._again_at = 0.0
        self._keeping: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection now; it may be broken without that we know."""
        return self._link is not None and self._link.usable

    async def connect(self) -> None:
        """Connect and log in, unless that is done.

        Raises `AmiRefused` for the user or the secret, `OSError` (also `TimeoutError` and `ssl.SSLError`) when there
        is no connection, and `ValueError` when what answers is not an Asterisk.
        """
        await self._connected()

    async def action(self, name: str, timeout_s: float | None = None, **fields: FieldValue) -> list[AmiMessage]:
        """Ask for an action; return its response and the events of a list.

        Raises what `connect` raises, and `AmiRefused` when Asterisk answers with an error. With `OSError` nobody knows
        whether the action was done. It is given up after `timeout_s`, by default that of the server.
        """
        link = await self._connected()
        return await self._ask(link, name, timeout_s or self._server.action_timeout_s, fields)

    async def events(self, again: bool = True) -> AsyncIterator[AmiEvent]:
        """Yield the events that the server's `hears` names, for one reader. An `AmiGap` comes first.

        With `again` a broken connection is made anew, whatever it takes; without, it is the end.
        """
        keeping = asyncio.create_task(self._keep_connected() if again else self._hold_connection())
        self._keeping = keeping
        keeping.add_done_callback(lambda _: self._events.end())
        try:
            while (event := await self._events.get()) is not None:
                yield event
            if not keeping.cancelled():  # as `close` does
                await keeping  # says why it is over, when it did not end by itself
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def close(self) -> None:
        """Log off and close the connection, also one that is just being made; who reads events comes to the end."""
        if self._keeping is not None:
            self._keeping.cancel()  # first: it would make the connection anew
        await self._opening.close()
        if self._link is not None:
            await self._link.close(write_action("Logoff", self._number(), {}))

    # ------------------------------------------------------------------------------------- inside

    def _number(self) -> str:
        return f"{self._mark}-{next(self._numbers)}"

    async def _ask(self, link: AmiLink, name: str, timeout_s: float, fields: dict[str, FieldValue]) -> list[AmiMessage]:
        number = self._number()
        messages = await link.ask(number, write_action(name, number, fields), timeout_s)
        if messages[0].get("Response") == "Error":
            raise AmiRefused(messages[0].get("Message", ""))
        return messages

    async def _connected(self) -> AmiLink:
        if self._link is not None and self._link.usable:
            return self._link
        if self._refused is not None and asyncio.get_running_loop().time() < self._again_at:
            raise AmiRefused(str(self._refused))
        return await self._opening.run(self._open)  # who hangs up leaves it to the next

    async def _open(self) -> AmiLink:
        server, loop = self._server, asyncio.get_running_loop()
        self._refused = None
        async with asyncio.timeout(server.connect_timeout_s):
            transport, link = await loop.create_connection(
                lambda: AmiLink(self._hear), server.host, server.port, ssl=server.tls
            )
            try:
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                await link.greeted
                await self._log_in(link)
            except BaseException:
                transport.abort()
                raise
        self._link = link
        self._hear(AmiGap())
        return link

    def _hear(self, event: AmiEvent) -> None:
        if self._server.hears != "off":  # else nobody would ever empty the queue
            self._events.put(event)

    async def _log_in(self, link: AmiLink) -> None:
        server, timeout_s = self._server, self._server.connect_timeout_s
        try:
            (asked,) = await self._ask(link, "Challenge", timeout_s, {"AuthType": "MD5"})
            key = log_in_key(asked.get("Challenge", ""), server.secret)
            about: dict[str, FieldValue] = {"AuthType": "MD5", "Username": server.user, "Key": key}
            await self._ask(link, "Login", timeout_s, {**about, "Events": server.hears})
        except AmiRefused:
            self._refused = AmiRefused("Asterisk refused the manager's user or password")
            self._again_at = asyncio.get_running_loop().time() + REFUSED_S
            raise self._refused from None

    async def _hold_connection(self) -> None:
        """Stay on the connection until it breaks; an idle one is asked whether it still lives."""
        link = await self._connected()
        while link.usable:
            try:
                async with asyncio.timeout(self._server.ping_s):
                    await link.gone.wait()
            except TimeoutError:
                await self._ask(link, "Ping", self._server.action_timeout_s, {})

    async def _keep_connected(self) -> None:
        loop, pause_s, down = asyncio.get_running_loop(), FIRST_PAUSE_S, False
        while True:
            began = loop.time()
            try:
                await self._connected()
                if down:
                    _log.info("ami.up", host=self._server.host)
                down = False
                await self._hold_connection()
            except (AmiRefused, OSError, ValueError) as error:
                why = str(error) if isinstance(error, AmiRefused) else type(error).__name__
            else:
                why = "the connection broke"
            if not down:
                _log.warning("ami.down", host=self._server.host, why=why)
            down = True
            # One that lets us in and closes at once must not be asked without a pause either.
            pause_s = FIRST_PAUSE_S if loop.time() - began > LONGEST_PAUSE_S else min(2 * pause_s, LONGEST_PAUSE_S)
            wait_s = max(pause_s, self._again_at - loop.time()) if self._refused is not None else pause_s
            # Not all at once after a restart of Asterisk.
            await self._sleep(wait_s * random.uniform(0.8, 1.2))


class _EventQueue:
    """Events on their way to their reader. Taking one in never waits: who does not read is thrown out by Asterisk."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[AmiEvent | None] = deque()
        self._lost = 0
        self._ready = asyncio.Event()

    def put(self, event: AmiEvent) -> None:
        """Take an event in; when there are too many it is dropped, and the reader told where."""
        if len(self._waiting) >= self._most:
            self._lost += 1
            return
        self._tell_lost()
        self._waiting.append(event)
        self._ready.set()

    def end(self) -> None:
        """Let the reader come to the end of what there is."""
        self._waiting.append(None)
        self._ready.set()

    async def get(self) -> AmiEvent | None:
        """Return the next event, when there is one; None is the end."""
        while not self._waiting:
            self._ready.clear()
            await self._ready.wait()
        event = self._waiting.popleft()
        if not self._waiting:
            self._tell_lost()
        return event

    def _tell_lost(self) -> None:
        if self._lost:
            self._waiting.append(AmiGap(self._lost))
            self._lost = 0
