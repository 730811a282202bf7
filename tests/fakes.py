"""The other side of every plug: an Asterisk that speaks FastAGI from a script, a channel and a look-up."""

from __future__ import annotations

import asyncio
import re
import shlex
import socket
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from routing_engine.channels.agi.watchdog import MEASURE
from routing_engine.core.asks import Collect, Find, Found, Play, SourceDown, Typed
from routing_engine.core.model import Caller, Decision, Filler, Operand, Record, Value
from routing_engine.errors import CallerHungUp, ChannelError

#: What takes longer never ends: a failure instead of a hanging test, and no judgement of how long something took.
FOREVER_S = 60.0
#: Instead of a reply: Asterisk closes the connection, or resets it, or says nothing more.
CLOSE, RESET, SILENCE = "<close>", "<reset>", "<silence>"
DEAD = "511 Command Not Permitted on a dead channel or intercept routine"
ENVIRONMENT = {
    "network": "yes",
    "network_script": "support",
    "request": "agi://127.0.0.1:4573/support",
    "channel": "PJSIP/trunk-00000001",
    "language": "en",
    "type": "PJSIP",
    "uniqueid": "1795198986.2",
    "version": "22.10.1",
    "callerid": "+436641234567",
    "calleridname": "Anna",
    "callingpres": "0",
    "callingani2": "0",
    "callington": "0",
    "callingtns": "0",
    "dnid": "217",
    "rdnis": "unknown",
    "context": "from-trunk",
    "extension": "217",
    "priority": "2",
    "enhanced": "0.0",
    "accountcode": "",
    "threadid": "140",
}


def environment(**changed: str) -> bytes:
    """Return the bytes that open a session, as Asterisk 22 sends them."""
    lines = [f"agi_{name}: {value}" for name, value in {**ENVIRONMENT, **changed}.items()]
    return "\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


@dataclass
class Asterisk:
    """Asterisk's side of one session.

    `typed` are the results of GET DATA in order, `keys` those of STREAM FILE and SAY; `tries` are instead the keys that
    the caller presses at each try, and `missing` the sounds that are not installed. `known` are variables and what
    dialplan functions give, percent-encoded. `on` gives the whole text that follows a command that begins so, instead
    of its reply. `commands` are the command lines that came, in words. `arrived` is set by each, and `silent` by one
    that gets no reply.
    """

    typed: Sequence[str] = ()
    keys: Sequence[str] = ()
    tries: Sequence[str] = ()
    missing: Sequence[str] = ()
    samples: int = 24000
    on: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)
    commands: list[list[str]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    silent: asyncio.Event = field(default_factory=asyncio.Event)
    reader: asyncio.StreamReader = field(init=False)
    writer: asyncio.StreamWriter = field(init=False)

    async def call(self, port: int, **changed: str) -> None:
        """Play one call from the first byte to the end of the connection."""
        await self.connect(port)
        self.send(environment(**changed))
        await self.serve()

    async def connect(self, port: int) -> None:
        self._typed, self._keys, self._tries = iter(self.typed), iter(self.keys), iter(self.tries)
        self._pressed: str | None = None
        self._socket = socket.socket()
        self._socket.setblocking(False)
        await asyncio.get_running_loop().sock_connect(self._socket, ("127.0.0.1", port))
        self.reader, self.writer = await asyncio.open_connection(sock=self._socket)

    def send(self, data: bytes | str) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)

    async def serve(self) -> None:
        """Answer commands until the engine closes."""
        try:
            while line := await self.reader.readline():
                words = shlex.split(line.decode())
                self.commands.append(words)
                self.arrived.set()
                if not self._react(self._text(words)):
                    break
        except ConnectionError:
            pass
        finally:
            self.writer.close()

    async def ended(self) -> bytes:
        """Return what the engine still sends until it closes."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""
        finally:
            self.writer.close()

    @property
    def variables(self) -> dict[str, str]:
        """The channel variables that were set, without the watchdog's."""
        set_ones = (words[2:] for words in self.commands if words[:2] == ["SET", "VARIABLE"])
        return {name: value for name, value in set_ones if name != "TIMEOUT(absolute)"}

    @property
    def lines(self) -> list[str]:
        """The commands as one text each, without those that move the watchdog or learn for that how long a sound is."""
        told = (words for words in self.commands if "TIMEOUT(absolute)" not in words and MEASURE not in words)
        return [" ".join(words) for words in told]

    def reset(self) -> None:
        """End the connection with RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def _react(self, text: str) -> bool:
        if text == RESET:
            self.reset()
        elif text == SILENCE:
            self.silent.set()
        elif text != CLOSE:
            self.send(text + "\n")
        return text not in (CLOSE, RESET)

    def _text(self, words: list[str]) -> str:
        line = " ".join(words)
        said = next((text for begin, text in self.on.items() if line.startswith(begin)), None)
        return self._reply(words, line) if said is None else said

    def _reply(self, words: list[str], line: str) -> str:
        if line.startswith("GET DATA"):
            return f"200 result={self._data(words[2], int(words[4]))}"
        if line.startswith(("STREAM FILE", "SAY ")) and MEASURE not in words:
            self._pressed = None  # something is played: another try begins
        if line.startswith("STREAM FILE"):
            if words[2] in self.missing:
                return f"200 result=-1 endpos={words[4] if words[4:] else 0}"
            if words[4:] == [MEASURE]:
                return f"200 result=0 endpos={self.samples}"
            return f"200 result={'0 endpos=7290' if words[4:] else next(self._keys, '0 endpos=24000')}"
        if line.startswith("SAY "):
            return f"200 result={next(self._keys, '0').split()[0]}"
        if line.startswith("GET FULL VARIABLE ${URIENCODE(${"):
            names = re.findall(r"\$\{([^{}]*)\}", words[3])
            return f"200 result=1 ({'%2C'.join(self.known.get(name, '') for name in names)})"
        if line.startswith("GET FULL VARIABLE"):
            return f"200 result=1 ({words[3]})"
        return "200 result=1" if line.startswith("SET VARIABLE") else "200 result=0"

    def _data(self, sound: str, most: int) -> str:
        """Return what GET DATA gives: the next of `typed`, else what is pressed of the current try."""
        if sound in self.missing:
            return "-1"
        if not self.tries:
            return next(self._typed, " (timeout)")
        if self._pressed is None or sound:
            self._pressed = next(self._tries, "")
        before, ended, _ = self._pressed[:most].partition("#")
        self._pressed = self._pressed[len(before + ended) :]
        if ended or len(before) == most:
            return before
        self._pressed = None
        return f"{before} (timeout)"


Method = Literal["begin", "answer", "play", "collect", "switch", "observe", "fill", "hand_back"]


class FakeChannel:
    """Keeps the port `core.ports.Channel`: writes down what is asked, raises what a method is told to raise."""

    def __init__(
        self,
        caller: Caller,
        typed: Iterable[str] = (),
        key: str = "",
        raises: Mapping[Method, Exception] | None = None,
        missing: Sequence[str] = (),
        states: Mapping[Operand, Value] | None = None,
    ) -> None:
        self.caller = caller
        self.lost: ChannelError | None = None
        self.said: list[tuple[str, object]] = []
        self.expected: list[float] = []
        self.filling = asyncio.Event()
        self._typed, self._key, self._raises, self._missing = iter(typed), key, raises or {}, set(missing)
        self._states = states or {}
        #: Whether the caller hears us: once we have answered, or, put here by a test, because the dialplan has.
        self.up = False

    def _note(self, method: Method, what: object) -> None:
        self.said.append((method, what))
        if method in self._raises:
            raise self._raises[method]

    def of(self, method: Method) -> list[object]:
        """Return what a method was asked, in order."""
        return [what for name, what in self.said if name == method]

    @property
    def variables(self) -> dict[str, str]:
        """The variables that were handed back."""
        handed = self.of("hand_back")
        assert len(handed) == 1, "handed back once"
        return dict(handed[0])  # type: ignore[call-overload, no-any-return]

    def hang_up(self, call: asyncio.Task[Decision]) -> None:
        """The caller goes: as in the real channel, whatever the call waits for is cancelled."""
        self.lost = CallerHungUp("the caller hung up")
        call.cancel()

    async def begin(self, longest_s: float, language: str, variables: Sequence[str]) -> Caller:
        self._note("begin", (longest_s, language, tuple(variables)))
        self.caller = replace(self.caller, variables={name: name.lower() for name in variables})
        return self.caller

    async def expect(self, longest_s: float) -> None:
        self.expected.append(longest_s)

    async def answer(self, how: Literal["before_prompts", "early_media", "never"]) -> None:
        self.up = how != "never"
        self._note("answer", how)

    async def play(self, ask: Play) -> Typed:
        self._note("play", ask.sounds)
        key, self._key = (self._key, "") if ask.barge_in else ("", self._key)
        return Typed(key, tuple(str(sound) for sound in ask.sounds if str(sound) in self._missing))

    async def collect(self, ask: Collect) -> Typed:
        self._note("collect", ask.prompt)
        return Typed(ask.typed + next(self._typed, ""))

    async def switch(self, language: str) -> None:
        self._note("switch", language)
        self.caller = replace(self.caller, language=language)

    async def observe(self, lefts: Sequence[Operand]) -> Mapping[Operand, Value]:
        self._note("observe", tuple(lefts))
        return {left: self._states[left] for left in lefts if left in self._states}

    async def fill(self, filler: Filler | None) -> bool:
        self.filling.set()
        self._note("fill", filler)
        return self.up

    async def hand_back(self, variables: Sequence[tuple[str, str]]) -> None:
        self._note("hand_back", tuple(variables))


class FakeLookup:
    """Keeps the port `core.ports.Lookup`: an answer per source; `before` is awaited first, `spends` moves a clock."""

    def __init__(
        self,
        answers: Mapping[str, Record | Found | SourceDown | Exception] | None = None,
        before: Callable[[], object] | None = None,
        clock: FakeClock | None = None,
        spends_s: float = 0.0,
    ) -> None:
        self._answers, self._before, self._clock, self._spends_s = answers or {}, before, clock, spends_s
        self.asked: list[tuple[str, float]] = []
        self.begun = asyncio.Event()
        self.cancelled = False

    async def find(self, ask: Find, left_s: float) -> Found | SourceDown:
        if left_s <= 0:
            return SourceDown("no time was left to ask it", asked=False)
        self.asked.append((ask.source.name, left_s))
        self.begun.set()
        await self._wait()
        if self._clock is not None:
            self._clock.now_s += self._spends_s
        answer = self._answers.get(ask.source.name, Found())
        if isinstance(answer, Exception):
            raise answer
        return Found((answer,)) if isinstance(answer, Record) else answer

    async def _wait(self) -> None:
        waiting = self._before() if self._before is not None else None
        try:
            if asyncio.iscoroutine(waiting):
                await waiting
        except asyncio.CancelledError:
            self.cancelled = True
            raise


@dataclass
class FakeSpeech:
    """Keeps the port `core.ports.Speech`: gives the sounds it is told, notes what it was asked in which language."""

    sounds: Mapping[str, str]
    asked: list[tuple[str, str]] = field(default_factory=list)
    patience_s: float = 3.0

    async def sound(self, text: str, language: str) -> str | None:
        self.asked.append((text, language))
        return self.sounds.get(text)


@dataclass
class FakeClock:
    """Seconds that pass when the test says so."""

    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s
