"""The FastAGI server: who may connect, and the tasks that carry calls. One connection is `connection.AgiConnection`.

Asterisk takes one command at a time and answers each with one reply; only the closing burst, behind which we close
our half of the connection, may hold several (a line that lies in Asterisk's buffer is not seen until more bytes come).
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from routing_engine.channels.agi.channel import AgiChannel, SharedFacts
from routing_engine.channels.agi.connection import AgiConnection
from routing_engine.channels.agi.live_state import EXTENSION_STATE
from routing_engine.channels.agi.wire import Environment, keys_sent, read_call
from routing_engine.connections import AccessList, RefusedConnections
from routing_engine.core.phone import Plus
from routing_engine.core.ports import Now
from routing_engine.errors import ChannelBroken, ChannelError
from routing_engine.logger import Logger

__all__ = ["AgiChannel", "AgiServer", "AgiSettings"]

#: How long Asterisk may take for a command that does nothing but answer.
PROMPT_REPLY_S = 10.0
_RECEIVE = 64 * 1024
#: Connections that may wait to be taken, and how many of them are taken before those that are open are read again.
_BACKLOG, _AT_ONCE = 1024, 64
#: The machine has no file or no memory for another connection: it may have in a moment.
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE_S = 0.1

_log = Logger()
_FULL = "all places are taken by calls"

Handler = Callable[[AgiChannel], Awaitable[None]]


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
_AT_ONCE_SHARED = 2


class AgiServer:
    """Listens for FastAGI and hands each call to `handler`. `places` counts the sessions of other processes."""

    def __init__(self, handler: Handler, settings: AgiSettings, places: SessionPlaces | None = None) -> None:
        self._handler, self._places = handler, places or _OwnPlaces()
        self.buffer = memoryview(bytearray(_RECEIVE))
        self._sessions: set[AgiConnection] = set()
        #: Those whose call has not begun, the oldest first.
        self._waiting: dict[AgiConnection, None] = {}
        self._refusals = RefusedConnections(_warn_of_refused)
        self._tasks: dict[asyncio.Task[None], AgiConnection] = {}
        self._listening: list[socket.socket] = []
        self._at_once = _AT_ONCE
        self._stopping = self._has_no_room = False
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
    def reply_timeout_s(self) -> float:
        """How long Asterisk may take for a command beyond what the route needs."""
        return self.settings.reply_timeout_s

    @property
    def refused(self) -> int:
        """How many connections were refused since the start."""
        return self._refusals.count

    async def listen(self, host: str, port: int) -> None:
        """Open the listener. Raises `OSError` when the address is taken or not ours."""
        self._listen(await listening_sockets(host, port))

    async def listen_on(self, sockets: Sequence[socket.socket], backlog: int) -> None:
        """Take connections from sockets that other processes have, too. Raises `OSError`."""
        self._at_once = _AT_ONCE_SHARED
        for listening in sockets:
            listening.setblocking(False)
            listening.listen(backlog)
        self._listen(sockets)

    def _listen(self, sockets: Iterable[socket.socket]) -> None:
        for listening in sockets:
            # Whom it takes has it from here: every command is one write, and goes out at once.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._listening.append(listening)
            self._begin_accepting(listening)

    @property
    def addresses(self) -> list[str]:
        """Where we listen, as `host:port`."""
        return ["{}:{}".format(*listening.getsockname()[:2]) for listening in self._listening]

    async def stop(self, drain_s: float) -> int:
        """Take no new calls, let those under way finish for `drain_s`, then end the rest; give how many those were."""
        self._stopping = True
        for listening in self._listening:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        self._listening.clear()
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

    def admit(self, session: AgiConnection) -> bool:
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

    def begin(self, session: AgiConnection, environment: Environment) -> None:
        """Carry the call that an environment opened, in a task of its own. Raises `ChannelBroken` without secret."""
        self._waiting.pop(session, None)
        if not self.settings.access.knows(keys_sent(environment)):
            self._refusals.note(session.host, "without the listener's secret")
            raise ChannelBroken("the secret of the listener was not sent")
        task = asyncio.get_running_loop().create_task(self._carry(session, environment))
        session.task = task
        # In books of its own: a task may outlast its connection by a moment, and who stops waits for it.
        self._tasks[task] = session
        # Not a `finally` in the task: one that is cancelled before its first step never gets there.
        task.add_done_callback(self._carried)

    def forget(self, session: AgiConnection) -> None:
        """Strike a closed connection off the books."""
        self._sessions.discard(session)
        self._places.tell(len(self._sessions))
        self._waiting.pop(session, None)

    # ------------------------------------------------------------------------------------- inside

    def _begin_accepting(self, listening: socket.socket) -> None:
        if listening in self._listening:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        """Take the connections that wait, as asyncio's server does, which makes a task and a future for each."""
        loop = asyncio.get_running_loop()
        try:
            for _ in range(self._at_once):
                self._take(*listening.accept())
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            pass
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            if not self._has_no_room:
                _log.error("agi.no_room", why=error.strerror or type(error).__name__)
            self._has_no_room = True
            loop.remove_reader(listening)
            loop.call_later(_PAUSE_S, self._begin_accepting, listening)

    def _take(self, connected: socket.socket, peer: Sequence[str]) -> None:
        self._has_no_room = False
        connected.setblocking(False)
        session = AgiConnection(self, connected, peer[0])
        if self.admit(session):
            session.give_up_after(self.settings.environment_timeout_s)
        else:
            session.abort()

    def _carried(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task).close()

    async def _carry(self, session: AgiConnection, environment: Environment) -> None:
        try:
            arrival = read_call(environment, self.settings.region, self.settings.now, self.settings.plus)
            del environment  # 3 KB that a call would hold to its end
            await self._handler(AgiChannel(session, arrival, self._site))
        except asyncio.CancelledError:
            if session.lost is None:
                raise
        except ChannelError:
            pass  # the handler has said so; there is nobody left to tell


async def listening_sockets(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen at an address, one for each of those that its name has. Raises `OSError`."""
    flags, opened = socket.AI_PASSIVE, list[socket.socket]()
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    try:
        for family, address in dict.fromkeys((family, address[:2]) for family, _, _, _, address in found):
            one = socket.create_server(address, family=family, backlog=_BACKLOG)
            opened.append(one)
            one.setblocking(False)
    except OSError:
        for one in opened:
            one.close()
        raise
    return opened
