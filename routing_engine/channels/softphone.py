"""Asterisk's side of FastAGI, for people without one: a client that calls the running service.

It answers commands as Asterisk 22 does. Sounds are told to `say` instead of played, and so is what Asterisk would say
(`[says digits 1 2 3]`); keys come from `keys`, which is asked once a try, when the service waits for its first digit,
and gives all that is typed then (`123456#`), "" for silence or None to hang up.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from routing_engine.core.caller import USUAL_LANGUAGE
from routing_engine.core.check_digits import keys_of
from routing_engine.core.phone import WITHHELD_WORDS

Say = Callable[[str], None]
Keys = Callable[[], Awaitable[str | None]]

_REPLY_S = 120.0
_EXPRESSION = re.compile(r"\$\{([^${}]*)\}")
_LINE_BREAKS = re.compile(r"[\r\n]+")


@dataclass(frozen=True, slots=True)
class SoftphoneCaller:
    """Who calls: a number or `anonymous`, name, number dialled, and the channel's language; "" is what is not known."""

    number: str = "anonymous"
    name: str = ""
    called: str = ""
    language: str = ""


@dataclass
class Softphone:
    """One call. `variables` holds what the service set, in the end the `ROUTE_...` of the decision.

    `known` are variables that the channel has, and what dialplan functions tell: `DEVICE_STATE(PJSIP/201)` and its
    state in capital letters.
    """

    say: Say
    keys: Keys
    variables: dict[str, str] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)
    _try: _Try | None = None
    _prompted: bool = False
    _gone: bool = False

    async def call(self, host: str, port: int, route: str, caller: SoftphoneCaller, key: str = "") -> None:
        """Call a route and stay until the service or `keys` ends it. Raises `OSError` when nobody listens there.

        `key` is the listener's secret, "" for none.
        """
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(_environment(host, port, route, caller, key))
            while line := await _next_line(reader):
                reply = await self._obey(shlex.split(line.decode("utf-8", "replace")))
                writer.write(reply.encode() + b"\n")
                if self._gone:
                    writer.write(b"HANGUP\n")
                await writer.drain()
        except ConnectionError:
            pass  # the service closes its side first; what it set is here already
        finally:
            writer.close()

    async def _obey(self, words: list[str]) -> str:
        verb = " ".join(words[:2]).upper()
        if verb == "GET DATA":
            return await self._get_data(words[2], words[3], int(words[4]))
        self._try = None  # whatever else comes, the service has taken what it wanted of the last one
        if verb == "STREAM FILE":
            return self._stream(words[2], heard=not words[4:])
        if words[0].upper() == "SAY":
            self._play(f"[says {_said(*words[1:])}]")
            return "200 result=0"
        if verb == "SET VARIABLE":
            return self._set(words[2], words[3])
        if verb == "GET FULL":
            return f"200 result=1 ({self._evaluated(words[3])})"
        if verb == "GET VARIABLE":
            return "200 result=1 ()"
        return (
            "200 result=0"
            if words[:1] in (["ANSWER"], ["EXEC"], ["SET"], ["NOOP"])
            else "510 Invalid or unknown command"
        )

    def _play(self, sound: str) -> None:
        self.say(sound)
        self._prompted = True

    def _stream(self, sound: str, heard: bool) -> str:
        if heard:
            self._play(sound)
        return "200 result=0 endpos=8000"

    def _set(self, name: str, value: str) -> str:
        if name == "CHANNEL(language)":
            self.say(f"[language {value}]")
        self.variables[name] = value
        return "200 result=1"

    def _evaluated(self, text: str) -> str:
        """Return what Asterisk makes of `${URIENCODE(...)}`, or of a text that it takes as it is."""
        inner = text.removeprefix("${URIENCODE(")
        if inner == text:
            return text
        return quote(_EXPRESSION.sub(self._value, inner.removesuffix(")}")), safe="")

    def _value(self, found: re.Match[str]) -> str:
        return self.variables.get(found[1], self.known.get(found[1], ""))

    async def _get_data(self, sound: str, wait_ms: str, most: int) -> str:
        """Return keys as GET DATA does: `#` ends them, and so does the end of what was typed, as a timeout."""
        if sound:
            self._play(sound)
        current = self._try
        if sound or current is None or current.is_over(wait_ms, most):
            typed = await self.keys()
            self._gone = typed is None
            current = self._try = _Try(keys_of(typed or ""), wait_ms, self._prompted)
            self._prompted = False
        if self._gone:
            return "200 result=-1"
        digits, ended = current.take(wait_ms, most)
        if not ended and len(digits) < most:
            self._try = None  # `#` ends a command, and the try only where it is the route's terminator
        return f"200 result={digits}" + ("" if ended or len(digits) == most else " (timeout)")


@dataclass
class _Try:
    """The keys of one try that are left, and how long (ms) the service waited for the first and for the next."""

    left: str
    first_ms: str
    prompted: bool
    next_ms: str = ""

    def take(self, wait_ms: str, most: int) -> tuple[str, bool]:
        """Return the next keys, at most so many, and whether `#` ended them."""
        if wait_ms != self.first_ms or most > 1:
            self.next_ms = wait_ms
        digits, hash_, _ = self.left[:most].partition("#")
        self.left = self.left[len(digits + hash_) :]
        return digits, bool(hash_)

    def is_over(self, wait_ms: str, most: int) -> bool:
        """Whether the service waits for the first key of another try, to which nothing was played.

        Only its patience tells: it has one for first keys, and one for those behind. Where both are the same, a try
        that was asked for with a prompt goes on.
        """
        if most > 1 or wait_ms != self.first_ms:
            return False
        return self.next_ms != wait_ms if self.next_ms else not self.prompted


def _said(kind: str, text: str, _keys: str = "", form: str = "", *_: str) -> str:
    if kind.upper() != "DATETIME":
        shown = text if kind.upper() == "NUMBER" else " ".join(text)
        return f"{'letters' if kind.upper() == 'ALPHA' else kind.lower()} {shown}"
    moment = datetime.fromtimestamp(int(text), UTC)
    return f"date {moment:%Y-%m-%d}" if "Y" in form else f"time {moment:%H:%M}"


async def _next_line(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(_REPLY_S):
        return await reader.readline()


def _environment(host: str, port: int, route: str, caller: SoftphoneCaller, key: str) -> bytes:
    script = f"{route}?key={quote(key, safe='')}" if key else route
    withheld = caller.number.strip().lower() in WITHHELD_WORDS
    lines = {
        "network": "yes",
        "network_script": script,
        "request": f"agi://{host}:{port}/{script}",
        "channel": "Telephone/1",
        "language": caller.language or USUAL_LANGUAGE,
        "type": "Telephone",
        "uniqueid": f"telephone-{time.time():.3f}",
        "version": "routing-engine",
        "callerid": "unknown" if withheld else caller.number,
        "calleridname": caller.name or "unknown",
        "callingpres": "32" if withheld else "0",
        # Without a dialled number the engine takes the extension: here that would be the route's name.
        "dnid": caller.called or "unknown",
        "extension": "",
        "priority": "1",
    }
    text = "".join(f"agi_{name}: {_LINE_BREAKS.sub(' ', value)}\n" for name, value in lines.items())
    return (text + "\n").encode()
