"""The FastAGI server: a protocol class around `agi_wire`, and the conversation with one call.

Asterisk takes one command at a time and answers each with one reply; only the closing burst, behind which we close
our half of the connection, may hold several (a line that lies in Asterisk's buffer is not seen until more bytes come).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, cast
from urllib.parse import unquote

from routing_engine.channels.agi_wire import AgiWire, Arrival, Environment, Hangup, Reply, command, read_call
from routing_engine.core.model import Caller, Collect, Filler, Left, Play, Sound, Spoken, Typed, Value
from routing_engine.core.ports import Now
from routing_engine.errors import CallerHungUp, ChannelBroken, ChannelError

KEYS = "0123456789*#"
#: The dialplan's limit for an engine that accepts a call and stays silent.
WATCHDOG = "TIMEOUT(absolute)"
#: How long Asterisk may take for a command that does nothing but answer.
PROMPT_REPLY_S = 10.0
_RECEIVE = 64 * 1024
#: More replies than any closing burst has commands: nobody asked for them.
MAX_UNREAD_REPLIES = 1000


class AgiChannel:
    """One call over FastAGI. Keeps the port `core.ports.Channel`."""

    def __init__(self, session: _Session, arrival: Arrival) -> None:
        self._session = session
        self.route = arrival.route
        self.caller: Caller = arrival.caller
        self._language = arrival.language
        self._filling: Filler | None = None
        self._audible = False

    @property
    def lost(self) -> CallerHungUp | ChannelBroken | None:
        """Why the conversation is over before its end; None while it goes on."""
        return self._session.lost

    async def begin(self, longest_s: float, language: str, variables: Sequence[str]) -> Caller:
        """Move the dialplan's watchdog to `longest_s`, set the language, read channel variables."""
        self._session.give_up_after(longest_s + self._session.reply_timeout_s)
        await self._command("SET VARIABLE", WATCHDOG, f"{longest_s:.0f}")
        language = self._language or language
        if language and language != self.caller.language:
            await self._command("SET VARIABLE", "CHANNEL(language)", language)
        found = {name: await self._variable(name) for name in variables}
        if language or found:
            self.caller = replace(self.caller, language=language or self.caller.language, variables=found)
        return self.caller

    async def answer(self, how: Literal["before_prompts", "early_media", "never"]) -> None:
        """Make prompts audible. ANSWER on a call that is up changes nothing."""
        self._audible = how != "never"
        if how == "before_prompts":
            await self._command("ANSWER")
        elif how == "early_media":
            await self._command("EXEC", "Progress", "")

    async def play(self, ask: Play) -> Typed:
        """Play sounds; with `barge_in` any key ends them. The `#` that ends a prompt is no digit."""
        key, missing = await self._stream(ask.sounds, KEYS if ask.barge_in else "")
        return Typed("" if key == "#" else key, missing)

    async def collect(self, ask: Collect) -> Typed:
        """Read digits. The first key has its own timeout, so it is asked for alone; then Asterisk gathers the rest.

        Asterisk loses keys that are pressed while no command runs: the fewer commands, the fewer such moments.
        """
        one, digits = ask.input, ask.typed
        missing: tuple[str, ...] = ()
        if not digits:
            key, missing = await self._first_key(ask)
            if key == one.terminator:
                return Typed("", missing)
            digits = key
        while digits and len(digits) < one.max:
            want = one.max - len(digits) if one.terminator == "#" else 1
            more, ended = await self._get_data("", one.inter_digit_timeout_s, want)
            if not ended and len(more) < want and one.terminator != "#":
                more = "#"
            if more == one.terminator:
                break
            digits += more
            if ended or one.terminator == "#":
                break
        return Typed(digits[: one.max], missing)

    async def switch(self, language: str) -> None:
        """Set the channel's language."""
        await self._command("SET VARIABLE", "CHANNEL(language)", language)
        self.caller = replace(self.caller, language=language)

    async def observe(self, lefts: Sequence[Left]) -> Mapping[Left, Value]:
        """Tell what live left sides are now."""
        return {}

    async def fill(self, filler: Filler | None) -> None:
        """Start or end what the caller hears during a look-up. A call that we did not answer just rings."""
        if filler is not None:
            self._filling = filler if self._audible or filler.kind == "none" else replace(filler, kind="ringing")
            await self._fill(self._filling)
        elif self._filling is not None:
            ending, self._filling = self._filling, None
            await self._end_filler(ending)

    async def hand_back(self, variables: Sequence[tuple[str, str]]) -> None:
        """Set all variables in one burst, close our half, and see that every one was taken.

        The watchdog's limit goes first: a dialplan that does not clear it itself would cut a long conversation.
        """
        variables = [(WATCHDOG, "0"), *variables]
        lines = [command("SET VARIABLE", name, value) for name, value in variables]
        replies = await self._session.burst(lines)
        refused = [name for (name, _), reply in zip(variables, replies, strict=False) if reply.code != 200]
        if refused or len(replies) < len(lines):
            raise ChannelBroken(f"{len(lines) - len(replies)} variables were not answered, refused: {refused}")

    async def _first_key(self, ask: Collect) -> tuple[str, tuple[str, ...]]:
        """Play the prompt and wait for one key; "" is silence. The last sound and the wait are one command."""
        last = ask.prompt[-1] if ask.prompt else ""
        before = ask.prompt[:-1] if isinstance(last, str) else ask.prompt
        last = last if isinstance(last, str) else ""
        key, missing = await self._stream(before, KEYS)
        if key:
            return key, missing
        digits, ended = await self._get_data(last, ask.input.first_digit_timeout_s, 1)
        if digits == "-1" and last:
            missing = (*missing, last)
            digits, ended = await self._get_data("", ask.input.first_digit_timeout_s, 1)
        return digits or ("" if ended else "#"), missing

    async def _get_data(self, sound: str, timeout_s: float, most: int) -> tuple[str, bool]:
        """Give the digits and whether time ended them; `#` ends them too, "-1" is a missing sound or a hang-up."""
        reply = await self._command("GET DATA", sound, str(max(1, round(timeout_s * 1000))), str(most))
        if reply.result == "-1" and not sound:
            raise CallerHungUp("GET DATA ended with -1")
        return reply.result, reply.rest == "(timeout)"

    async def _stream(self, sounds: Sequence[Sound], keys: str) -> tuple[str, tuple[str, ...]]:
        """Play sounds until one of `keys`; give the key and the sounds that are missing."""
        missing: list[str] = []
        for sound in sounds:
            if isinstance(sound, Spoken):
                missing.append(str(sound))
                continue
            reply = await self._command("STREAM FILE", sound, keys)
            if reply.result == "-1":
                if reply.rest not in ("", "endpos=0"):
                    raise CallerHungUp("STREAM FILE broke off")  # with AGISIGHUP=no nothing else tells
                missing.append(sound)
            elif reply.result not in ("0", ""):
                return _key(reply.result), tuple(missing)
        return "", tuple(missing)

    async def _fill(self, filler: Filler) -> None:
        if filler.kind == "music":
            await self._command("SET MUSIC", "ON", filler.name)
        elif filler.kind == "ringing":
            # On a call that is not up this is the signalling's own ringing, otherwise a tone like Playtones'.
            await self._command("EXEC", *(("Playtones", "ring") if self._audible else ("Ringing", "")))
        elif filler.kind == "sound":
            self._session.send(command("STREAM FILE", filler.name, ""))

    async def _end_filler(self, filler: Filler) -> None:
        if filler.kind == "music":
            await self._command("SET MUSIC", "OFF")
        elif filler.kind == "ringing":
            await self._command("EXEC", "StopPlaytones", "")
        elif filler.kind == "sound":
            await self._synchronise()

    async def _synchronise(self) -> None:
        """Cut a running STREAM FILE. It may or may not answer, so read on to the answer of a command we know."""
        self._session.send(command("GET FULL VARIABLE", "SYNCHRONISED"))
        while (await self._session.reply()).value != "SYNCHRONISED":
            pass

    async def _variable(self, name: str) -> str:
        """Read a channel variable percent-encoded: whatever is in it, the reply stays one line."""
        reply = await self._command("GET FULL VARIABLE", f"${{URIENCODE(${{{name}}})}}")
        return unquote(reply.value)

    async def _command(self, verb: str, *values: str) -> Reply:
        """Send a command and give its reply. 510, 511 and 520 end the call's work in an error of their own."""
        reply = await self._session.ask(command(verb, *values))
        if reply.code == 511:
            raise CallerHungUp(f"{verb} on a dead channel")
        if reply.code != 200:
            raise ChannelBroken(f"{verb} was answered {reply.code} {reply.rest}"[:200])
        return reply


def _key(result: str) -> str:
    """Give the key of an ASCII code, as STREAM FILE answers it."""
    code = int(result) if result.isascii() and result.isdigit() and len(result) < 4 else 0
    return chr(code) if chr(code) in KEYS else ""


Handler = Callable[[AgiChannel], Awaitable[None]]


class _Session(asyncio.BufferedProtocol):
    """One connection: its bytes, its one waiting reader, its time limit and the task that carries the call."""

    def __init__(self, server: AgiServer) -> None:
        self._server = server
        self._wire = AgiWire()
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self.lost: CallerHungUp | ChannelBroken | None = None
        self.task: asyncio.Task[None] | None = None

    # ---------------------------------------------------------------------------- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, or close it at once when there are too many."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        if not self._server.admit(self):
            self._transport.abort()
            return
        self.give_up_after(self._server.environment_timeout_s)

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Give the server's one buffer: it is emptied before the next connection is read."""
        return self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what came; end the session when no Asterisk would send it."""
        try:
            for event in self._wire.feed(self._server.buffer[:nbytes]):
                self._take(event)
        except ChannelBroken as error:
            self._lose(error)
            self._abort()

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
        return self._server.reply_timeout_s

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
        """Give the next reply."""
        while not self._replies:
            if self.lost is not None:
                raise self.lost
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._replies.popleft()

    async def burst(self, lines: Sequence[bytes]) -> list[Reply]:
        """Send the last commands at once and close our half; give the replies that came, in order."""
        self.send(b"".join(lines))
        self._closing = True
        assert self._transport is not None
        self._transport.write_eof()
        self.give_up_after(self.reply_timeout_s)
        replies: list[Reply] = []
        try:
            while len(replies) < len(lines):
                replies.append(await self.reply())
        except ChannelBroken:
            pass  # the caller of this counts the replies
        return replies

    def give_up_after(self, seconds: float) -> None:
        """Set the session's time limit anew."""
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._time_is_up)

    # ------------------------------------------------------------------------------------- inside

    def _take(self, event: Environment | Reply | Hangup) -> None:
        if isinstance(event, Reply):
            if len(self._replies) >= MAX_UNREAD_REPLIES:
                raise ChannelBroken("replies without a command: the other side is no Asterisk")
            self._replies.append(event)
            self._wake()
        elif isinstance(event, Environment):
            self._stop_timer()
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
        self._lose(ChannelBroken("Asterisk did not answer in time"))
        self._abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Close the connection once everything is sent."""
        if self._transport is not None:
            self._transport.close()


class AgiServer:
    """Listens for FastAGI and carries each call with `handler`, at most `sessions` at a time."""

    def __init__(
        self,
        handler: Handler,
        region: str,
        now: Now,
        sessions: int = 2000,
        environment_timeout_s: float = 5.0,
        reply_timeout_s: float = PROMPT_REPLY_S,
    ) -> None:
        self._handler = handler
        self._region = region
        self._now = now
        self._most = sessions
        self.environment_timeout_s = environment_timeout_s
        self.reply_timeout_s = reply_timeout_s
        self.buffer = memoryview(bytearray(_RECEIVE))
        self._sessions: set[_Session] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._stopping = False
        self.refused = 0

    def change(self, region: str, now: Now, sessions: int, environment_timeout_s: float) -> None:
        """Take what a reload brings: it counts from the next call on."""
        self._region, self._now, self._most = region, now, sessions
        self.environment_timeout_s = environment_timeout_s

    @property
    def calls(self) -> int:
        """How many calls are being carried now."""
        return len(self._tasks)

    async def listen(self, host: str, port: int) -> None:
        """Open the listener. Raises `OSError` when the address is taken or not ours."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Session(self), host, port, backlog=1024)

    @property
    def addresses(self) -> list[str]:
        """Where we listen, as `host:port`."""
        sockets = self._server.sockets if self._server is not None else ()
        return ["{}:{}".format(*socket.getsockname()[:2]) for socket in sockets]

    async def stop(self, drain_s: float) -> int:
        """Take no new calls, let those under way finish for `drain_s`, then end the rest; give how many those were."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
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
        return len(late)

    def end_now(self) -> None:
        """End every call under way: whoever waits for `stop` waits no longer."""
        for task in self._tasks:
            task.cancel()

    # ------------------------------------------------------------------------- what sessions call

    def admit(self, session: _Session) -> bool:
        """Take a connection into the books; False when there are as many as there may be, or the server stops."""
        if self._stopping or len(self._sessions) >= self._most:
            self.refused += 1
            return False
        self._sessions.add(session)
        return True

    def begin(self, session: _Session, environment: Environment) -> None:
        """Carry the call that an environment opened, in a task of its own."""
        task = asyncio.get_running_loop().create_task(self._carry(session, environment))
        session.task = task
        # In books of its own: a task may outlast its connection by a moment, and who stops waits for it.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Not a `finally` in the task: one that is cancelled before its first step never gets there.
        task.add_done_callback(lambda _: session.close())

    def forget(self, session: _Session) -> None:
        """Strike a closed connection off the books."""
        self._sessions.discard(session)

    async def _carry(self, session: _Session, environment: Environment) -> None:
        try:
            await self._handler(AgiChannel(session, read_call(environment, self._region, self._now)))
        except asyncio.CancelledError:
            if session.lost is None:
                raise
        except ChannelError:
            pass  # the handler has said so; there is nobody left to tell
