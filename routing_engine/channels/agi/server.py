"""The FastAGI server: a protocol class around `agi_wire`. The conversation with one call is `agi_call.AgiChannel`.

Asterisk takes one command at a time and answers each with one reply; only the closing burst, behind which we close
our half of the connection, may hold several (a line that lies in Asterisk's buffer is not seen until more bytes come).
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, cast

from routing_engine.channels.agi.channel import AgiChannel, SharedFacts
from routing_engine.channels.agi.live_state import EXTENSION_STATE
from routing_engine.channels.agi.wire import AgiWire, Environment, Hangup, Reply, keys_sent, read_call
from routing_engine.connections import AccessList, RefusedConnections
from routing_engine.core.phone import Plus
from routing_engine.core.ports import Now
from routing_engine.errors import CallerHungUp, ChannelBroken, ChannelError
from routing_engine.logger import Logger

__all__ = ["AgiChannel", "AgiServer", "AgiSettings"]

#: How long Asterisk may take for a command that does nothing but answer.
PROMPT_REPLY_S = 10.0
_RECEIVE = 64 * 1024
#: A loop's timer may fire a moment early.
_A_MOMENT_S = 0.01
#: More replies than any closing burst has commands: nobody asked for them.
MAX_UNREAD_REPLIES = 1000

_log = Logger()
_FULL = "all places are taken by calls"

Handler = Callable[[AgiChannel], Awaitable[None]]


class _AgiConnection(asyncio.BufferedProtocol):
    """One connection: its bytes, its one waiting reader, its time limit and the task that carries the call."""

    def __init__(self, server: AgiServer) -> None:
        self._server = server
        self._wire = AgiWire()
        # A list: an empty deque takes 600 bytes of each call, and there are seldom two replies.
        self._replies: list[Reply] = []
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._until = math.inf
        self._closing = False
        self.host = ""
        self.lost: CallerHungUp | ChannelBroken | None = None
        self.task: asyncio.Task[None] | None = None

    # ---------------------------------------------------------------------------- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, or close it at once when there are too many."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        peer = transport.get_extra_info("peername")
        self.host = peer[0] if isinstance(peer, tuple) else ""
        if not self._server.admit(self):
            self.abort()
            return
        self.give_up_after(self._server.settings.environment_timeout_s)

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Return the server's one buffer: it is emptied before the next connection is read."""
        return self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what came; end the session when no Asterisk would send it."""
        try:
            for event in self._wire.feed(self._server.buffer[:nbytes]):
                self._take(event)
            if self._replies and self._waiter is not None and not self._waiter.done():
                # Whoever answers what was asked is there: a machine that has too much to do must lose no call
                # by its many small steps. Replies that nobody waits for keep no session alive.
                self._until = max(self._until, asyncio.get_running_loop().time() + self.reply_timeout_s)
                self._wake()
        except ChannelBroken as error:
            self._lose(error)
            self.abort()

    def eof_received(self) -> bool:
        """Close our half too."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits, and let the server forget us."""
        self._lose(ChannelBroken("Asterisk closed the connection" if exc is None else f"the connection broke: {exc}"))
        self._stop_timer()
        self._server.forget(self)

    # ------------------------------------------------------------------------- what the channel calls

    @property
    def reply_timeout_s(self) -> float:
        """How long Asterisk may take beyond what the route needs."""
        return self._server.settings.reply_timeout_s

    def send(self, line: bytes) -> None:
        """Send one command line, whole. Raises when the caller has gone."""
        if self.lost is not None:
            raise self.lost
        assert self._transport is not None
        self._transport.write(line)

    async def ask(self, line: bytes) -> Reply:
        """Send one command and wait for its reply."""
        self.send(line)
        return await self.reply()

    async def reply(self) -> Reply:
        """Return the next reply."""
        if not self._replies:
            await self._arrival()
        return self._replies.pop(0)

    async def _arrival(self) -> None:
        """Wait until there is a reply. Raises when the caller has gone."""
        while not self._replies:
            if self.lost is not None:
                raise self.lost
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    async def burst(self, lines: Sequence[bytes]) -> list[Reply]:
        """Send the last commands at once and close our half; give the replies that came, in order."""
        self.send(b"".join(lines))
        self._closing = True
        assert self._transport is not None
        with suppress(OSError):  # the other side has gone already; we are told so in a moment
            self._transport.write_eof()
        self.give_up_after(self.reply_timeout_s)
        replies: list[Reply] = []
        try:
            while len(replies) < len(lines):
                if not self._replies:
                    await self._arrival()
                replies.append(self._replies.pop(0))
        except ChannelBroken:
            pass  # the caller of this counts the replies
        return replies

    def hurry(self) -> None:
        """Acknowledge at once what comes: Asterisk sends a second reply only when the first is (40 ms, by Nagle)."""
        if self._transport is not None and self.lost is None and hasattr(socket, "TCP_QUICKACK"):
            self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def give_up_after(self, seconds: float) -> None:
        """Set the session's time limit anew. A timer that comes too early is wound up again: most never come."""
        loop = asyncio.get_running_loop()
        self._until = loop.time() + seconds
        if self._timer is None or self._timer.when() > self._until:
            self._stop_timer()
            self._timer = loop.call_at(self._until, self._time_is_up)

    # ------------------------------------------------------------------------------------- inside

    def _take(self, event: Environment | Reply | Hangup) -> None:
        if isinstance(event, Reply):
            if len(self._replies) >= MAX_UNREAD_REPLIES:
                raise ChannelBroken("replies without a command: the other side is not Asterisk")
            self._replies.append(event)
        elif isinstance(event, Environment):
            self._until = math.inf  # from here on the steps of the call set it
            self._server.begin(self, event)
        elif not self._closing:
            self._lose(CallerHungUp("the caller hung up"))

    def _lose(self, error: CallerHungUp | ChannelBroken) -> None:
        """Note why this session is over, once; whatever the call waits for elsewhere (a look-up) is cancelled."""
        if self.lost is not None:
            return
        self.lost = error
        self._wake()
        if self.task is not None and not self._closing:
            self.task.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _time_is_up(self) -> None:
        self._timer, loop = None, asyncio.get_running_loop()
        if (left_s := self._until - loop.time()) > _A_MOMENT_S:
            if self._until < math.inf:
                self.give_up_after(left_s)
            return
        self._lose(ChannelBroken("Asterisk did not answer in time"))
        self.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Close the connection once everything is sent."""
        if self._transport is not None:
            self._transport.close()


@dataclass(frozen=True, slots=True)
class AgiSettings:
    """What a FastAGI server takes from the settings. `region` (ISO 3166) says how national numbers are read.

    `now` tells the moment in the site's zone. At most `sessions` connections are served at a time. An Asterisk has
    `environment_timeout_s` for its first lines, and `reply_timeout_s` for a command beyond what the route needs.
    `fallback_language`, `extension_state` and `kept_presentation` are those of `channel.SharedFacts`; `access` says who
    may connect.
    """

    region: str
    now: Now
    sessions: int = 2000
    environment_timeout_s: float = 5.0
    fallback_language: str = "en"
    extension_state: str = EXTENSION_STATE
    kept_presentation: str = ""
    plus: Plus = ""
    access: AccessList = field(default_factory=AccessList)
    reply_timeout_s: float = PROMPT_REPLY_S


def _warn_of_refused(count: int, addresses: Sequence[str], why: Sequence[str]) -> None:
    _log.warning("agi.refused", count=count, addresses=addresses, why=why)


class SessionPlaces(Protocol):
    """Counts the sessions of several processes, whose limit holds for all of them together."""

    def others(self) -> int:
        """Return how many the others have."""

    def tell(self, taken: int) -> None:
        """Let the others know how many this one has."""


class _OwnPlaces:
    """Keeps `SessionPlaces` where there is one process."""

    def others(self) -> int:
        return 0

    def tell(self, taken: int) -> None:
        pass


#: So many connections are taken at a time where others listen on the same socket: the rest is for who is free.
_TAKEN_AT_ONCE = 2


class AgiServer:
    """Listens for FastAGI and hands each call to `handler`. `places` counts the sessions of other processes."""

    def __init__(self, handler: Handler, settings: AgiSettings, places: SessionPlaces | None = None) -> None:
        self._handler, self._places = handler, places or _OwnPlaces()
        self.buffer = memoryview(bytearray(_RECEIVE))
        self._sessions: set[_AgiConnection] = set()
        #: Those whose call has not begun, the oldest first.
        self._waiting: dict[_AgiConnection, None] = {}
        self._refusals = RefusedConnections(_warn_of_refused)
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        self._stopping = False
        self.change(settings)

    def change(self, settings: AgiSettings) -> None:
        """Take what a reload brings: it counts from the next call on. What was found out of Asterisk is forgotten."""
        self.settings = settings
        self._site = SharedFacts(settings.fallback_language, settings.extension_state, settings.kept_presentation)

    @property
    def calls(self) -> int:
        """How many calls are being carried now."""
        return len(self._tasks)

    @property
    def refused(self) -> int:
        """How many connections were refused since the start."""
        return self._refusals.count

    async def listen(self, host: str, port: int) -> None:
        """Open the listener. Raises `OSError` when the address is taken or not ours."""
        loop = asyncio.get_running_loop()
        self._servers = [await loop.create_server(lambda: _AgiConnection(self), host, port, backlog=1024)]

    async def listen_on(self, sockets: Sequence[socket.socket], backlog: int) -> None:
        """Take connections from sockets that other processes have, too. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        for one in sockets:
            # The loop takes as many connections at once as may wait: one process would have them all.
            server = await loop.create_server(lambda: _AgiConnection(self), sock=one, backlog=_TAKEN_AT_ONCE)
            self._servers.append(server)
            one.listen(backlog)

    @property
    def addresses(self) -> list[str]:
        """Where we listen, as `host:port`."""
        sockets = (one for server in self._servers for one in server.sockets)
        return ["{}:{}".format(*one.getsockname()[:2]) for one in sockets]

    async def stop(self, drain_s: float) -> int:
        """Take no new calls, let those under way finish for `drain_s`, then end the rest; give how many those were."""
        self._stopping = True
        for server in self._servers:
            server.close()
        for session in tuple(self._sessions):
            if session.task is None:
                session.close()  # its call has not begun: the dialplan asks the next engine
        late: set[asyncio.Task[None]] = set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=drain_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for session in tuple(self._sessions):
            session.close()
        self._refusals.close()
        return len(late)

    def end_now(self) -> None:
        """End every call under way: whoever waits for `stop` waits no longer."""
        for task in self._tasks:
            task.cancel()

    # ------------------------------------------------------------------------- what sessions call

    def admit(self, session: _AgiConnection) -> bool:
        """Take a connection into the books; False when it may not connect, there is no room, or the server stops.

        When all places are taken, the oldest connection whose call has not begun makes room: Asterisk sends its first
        lines at once, so that one is not Asterisk.
        """
        if self._stopping or not self.settings.access.admits(session.host):
            self._refusals.note(session.host, "the engine stops" if self._stopping else "not in 'allow'")
            return False
        if len(self._sessions) + self._places.others() >= self.settings.sessions:
            silent = next(iter(self._waiting), None)
            self._refusals.note((silent or session).host, "silent while all places were taken" if silent else _FULL)
            if silent is None:
                return False
            self.forget(silent)
            silent.abort()
        self._sessions.add(session)
        self._places.tell(len(self._sessions))
        self._waiting[session] = None
        return True

    def begin(self, session: _AgiConnection, environment: Environment) -> None:
        """Carry the call that an environment opened, in a task of its own. Raises `ChannelBroken` without secret."""
        self._waiting.pop(session, None)
        if not self.settings.access.knows(keys_sent(environment)):
            self._refusals.note(session.host, "without the listener's secret")
            raise ChannelBroken("the secret of the listener was not sent")
        task = asyncio.get_running_loop().create_task(self._carry(session, environment))
        session.task = task
        # In books of its own: a task may outlast its connection by a moment, and who stops waits for it.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Not a `finally` in the task: one that is cancelled before its first step never gets there.
        task.add_done_callback(lambda _: session.close())

    def forget(self, session: _AgiConnection) -> None:
        """Strike a closed connection off the books."""
        self._sessions.discard(session)
        self._places.tell(len(self._sessions))
        self._waiting.pop(session, None)

    async def _carry(self, session: _AgiConnection, environment: Environment) -> None:
        try:
            arrival = read_call(environment, self.settings.region, self.settings.now, self.settings.plus)
            del environment  # 3 KB that a call would hold to its end
            await self._handler(AgiChannel(session, arrival, self._site))
        except asyncio.CancelledError:
            if session.lost is None:
                raise
        except ChannelError:
            pass  # the handler has said so; there is nobody left to tell
