"""One FastAGI connection: its socket, its time limit, the task that carries its call, and the reply that task awaits.

The socket is read and written here, and not by a transport of asyncio, which is made for connections that last: each
call is one connection.
"""

from __future__ import annotations

import asyncio
import math
import socket
from contextlib import suppress
from typing import Protocol

from routing_engine.channels.agi.wire import AgiWire, Environment, Hangup, Reply
from routing_engine.errors import CallerHungUp, ChannelBroken

#: A loop's timer may fire a moment early.
_A_MOMENT_S = 0.01
#: More replies than any closing burst has commands: nobody asked for them.
MAX_UNREAD_REPLIES = 1000
_CLOSED = "Asterisk closed the connection"


class AgiBooks(Protocol):
    """What the server is for one of its connections."""

    buffer: memoryview

    @property
    def reply_timeout_s(self) -> float:
        """How long Asterisk may take for a command beyond what the route needs."""

    def begin(self, session: AgiConnection, environment: Environment) -> None:
        """Carry the call that an environment opened. Raises `ChannelBroken` where that is not allowed."""

    def forget(self, session: AgiConnection) -> None:
        """Strike a closed connection off the books."""


class AgiConnection:
    """One connection. Keeps the port `channel.AgiSession`."""

    __slots__ = (
        "_books",
        "_closes",
        "_closing",
        "_file",
        "_loop",
        "_replies",
        "_socket",
        "_timer",
        "_unsent",
        "_until",
        "_waiter",
        "_wanted",
        "_wire",
        "host",
        "lost",
        "task",
    )

    def __init__(self, books: AgiBooks, connected: socket.socket, host: str) -> None:
        self._books, self._socket, self.host = books, connected, host
        self._file = connected.fileno()  # a loop that is given the socket itself asks it for its text each time
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._file, self.readable)
        self._wire = AgiWire()
        self._replies: list[Reply] = []
        self._wanted = 1
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._until = math.inf
        self._unsent = b""
        self._closing = self._closes = False
        self.lost: CallerHungUp | ChannelBroken | None = None
        self.task: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------------- what the channel calls

    @property
    def reply_timeout_s(self) -> float:
        """How long Asterisk may take beyond what the route needs."""
        return self._books.reply_timeout_s

    def send(self, lines: bytes) -> None:
        """Send whole command lines. Raises when the caller has gone."""
        if self.lost is not None:
            raise self.lost
        if self._unsent:
            self._unsent += lines
            return
        try:
            sent = self._socket.send(lines)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:  # told when we wait for the reply, as if it had come a moment later
            self._loop.call_soon(self._end, f"the connection broke: {error}")
            return
        if sent < len(lines):
            self._unsent = lines[sent:]
            self._loop.add_writer(self._file, self._writable)

    async def ask(self, line: bytes) -> Reply:
        """Send one command and wait for its reply."""
        self.send(line)
        return await self.reply()

    async def reply(self) -> Reply:
        """Return the next reply."""
        if not self._replies:
            await self._arrival(1)
        return self._replies.pop(0)

    async def _arrival(self, wanted: int) -> None:
        """Wait until there are so many replies. Raises when the caller has gone."""
        self._wanted = wanted
        while len(self._replies) < wanted:
            if self.lost is not None:
                raise self.lost
            self._waiter = self._loop.create_future()
            await self._waiter

    async def burst(self, lines: bytes, count: int) -> list[Reply]:
        """Send the last commands, so many, and close our half; give the replies that came, in order."""
        self._closing = True
        self.send(lines)
        self._half_close()
        self.give_up_after(self.reply_timeout_s)
        with suppress(ChannelBroken):  # the caller of this counts the replies
            await self._arrival(count)
        return self._replies

    def hurry(self) -> None:
        """Acknowledge at once what comes: Asterisk sends a second reply only when the first is (40 ms, by Nagle)."""
        if self.lost is None and hasattr(socket, "TCP_QUICKACK"):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def give_up_after(self, seconds: float) -> None:
        """Set the session's time limit anew. A timer that comes too early is wound up again: most never come."""
        self._until = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > self._until:
            self._stop_timer()
            self._timer = self._loop.call_at(self._until, self._time_is_up)

    # ------------------------------------------------------------------------- what the loop calls

    def readable(self) -> None:
        """Take what came; end the session when no Asterisk would send it."""
        try:
            size = self._socket.recv_into(self._books.buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(f"the connection broke: {error}")
            return
        if not size:
            self._end(_CLOSED)
            return
        try:
            for event in self._wire.feed(self._books.buffer[:size]):
                self._take(event)
        except ChannelBroken as error:
            self._lose(error)
            self.abort()
            return
        self._tell()

    def _take(self, event: Environment | Reply | Hangup) -> None:
        if isinstance(event, Reply):
            if len(self._replies) >= MAX_UNREAD_REPLIES:
                raise ChannelBroken("replies without a command: the other side is not Asterisk")
            self._replies.append(event)
        elif isinstance(event, Environment):
            self._until = math.inf  # from here on the steps of the call set it
            self._books.begin(self, event)
        elif not self._closing:
            self._lose(CallerHungUp("the caller hung up"))

    def _tell(self) -> None:
        """Let the task that waits for replies go on when they are there."""
        if self._replies and self._waiter is not None and not self._waiter.done():
            # Whoever answers what was asked is there: a machine that has too much to do must lose no call by its many
            # small steps. Replies that nobody waits for keep no session alive.
            self._until = max(self._until, self._loop.time() + self.reply_timeout_s)
            if len(self._replies) >= self._wanted:
                self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _writable(self) -> None:
        """Send on what the socket did not take at once."""
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(f"the connection broke: {error}")
            return
        if not self._unsent:
            self._loop.remove_writer(self._file)
            if self._closes:
                self._end(_CLOSED)
            elif self._closing:
                self._half_close()

    def _time_is_up(self) -> None:
        self._timer = None
        if (left_s := self._until - self._loop.time()) > _A_MOMENT_S:
            if self._until < math.inf:
                self.give_up_after(left_s)
            return
        self._lose(ChannelBroken("Asterisk did not answer in time"))
        self.abort()

    # ------------------------------------------------------------------------------------ its end

    def close(self) -> None:
        """Close the connection once everything is sent."""
        if not self._unsent:
            self._end(_CLOSED)
        elif not self._closes:
            self._closes = True
            self.give_up_after(self.reply_timeout_s)

    def abort(self) -> None:
        """Close the connection now."""
        self._end(_CLOSED)

    def _half_close(self) -> None:
        if not self._unsent:
            with suppress(OSError):  # the other side has gone already; we are told so in a moment
                self._socket.shutdown(socket.SHUT_WR)

    def _lose(self, error: CallerHungUp | ChannelBroken) -> None:
        """Note why this session is over, once; whatever the call waits for elsewhere (a look-up) is cancelled."""
        if self.lost is not None:
            return
        self.lost = error
        self._wake()
        if self.task is not None and not self._closing:
            self.task.cancel()

    def _end(self, why: str) -> None:
        """Let go of the socket."""
        if self._file < 0:
            return
        self._lose(ChannelBroken(why))
        self._stop_timer()
        self._loop.remove_reader(self._file)
        if self._unsent:
            self._loop.remove_writer(self._file)
        self._file = -1
        self._socket.close()
        self._books.forget(self)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
