"""Asterisk's side of FastAGI, for people without one: a client that calls the running service.

It answers commands as Asterisk 22 does. Sounds are told to `say` instead of played, and so is what Asterisk would say
(`[says digits 1 2 3]`); keys come from `keys`, which is asked when the service waits for a first digit, and gives all
that is typed then (`123456#`), "" for silence or None to hang up.
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

Say = Callable[[str], None]
Keys = Callable[[], Awaitable[str | None]]

_REPLY_S = 120.0
_EXPRESSION = re.compile(r"\$\{([^${}]*)\}")


@dataclass
class Softphone:
    """One call. `variables` holds what the service set, in the end the `ROUTE_...` of the decision.

    `states` are what dialplan functions tell: `DEVICE_STATE(PJSIP/201)` and its state in capital letters.
    """

    say: Say
    keys: Keys
    variables: dict[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    _typed: str = ""
    _gone: bool = False

    async def call(self, host: str, port: int, route: str, caller: str, called: str, language: str) -> None:
        """Call a route and stay until the service or `keys` ends it. Raises `OSError` when nobody listens there."""
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(_environment(host, port, route, caller, called, language))
            while line := await asyncio.wait_for(reader.readline(), _REPLY_S):
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
            return await self._get_data(words[2], int(words[4]))
        if verb == "STREAM FILE":
            return self._stream(words[2], heard=not words[4:])
        if words[0].upper() == "SAY":
            self.say(f"[says {_said(*words[1:])}]")
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

    def _stream(self, sound: str, heard: bool) -> str:
        if heard:
            self.say(sound)
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
        return self.states.get(found[1]) or self.variables.get(found[1], "")

    async def _get_data(self, sound: str, most: int) -> str:
        """Return keys as GET DATA does: `#` ends them, and so does the end of what was typed, as a timeout."""
        if sound:
            self.say(sound)
        if not self._typed and (sound or most == 1):
            typed = await self.keys()
            self._gone = typed is None
            self._typed = typed or ""
        if self._gone:
            return "200 result=-1"
        digits, self._typed = self._typed[:most], self._typed[most:]
        if "#" in digits:
            digits, _, unused = digits.partition("#")
            self._typed = unused + self._typed
            return f"200 result={digits}"
        return f"200 result={digits}" + ("" if len(digits) == most else " (timeout)")


def _said(kind: str, text: str, _keys: str = "", form: str = "", *_: str) -> str:
    if kind.upper() != "DATETIME":
        shown = text if kind.upper() == "NUMBER" else " ".join(text)
        return f"{'letters' if kind.upper() == 'ALPHA' else kind.lower()} {shown}"
    moment = datetime.fromtimestamp(int(text), UTC)
    return f"date {moment:%Y-%m-%d}" if "Y" in form else f"time {moment:%H:%M}"


def _environment(host: str, port: int, route: str, caller: str, called: str, language: str) -> bytes:
    hidden = caller.lower() == "anonymous"
    lines = {
        "network": "yes",
        "network_script": route,
        "request": f"agi://{host}:{port}/{route}",
        "channel": "Telephone/1",
        "language": language or "en",
        "type": "Telephone",
        "uniqueid": f"telephone-{time.time():.3f}",
        "version": "routing-engine",
        "callerid": "unknown" if hidden else caller,
        "calleridname": "unknown",
        "callingpres": "32" if hidden else "0",
        "dnid": called or "unknown",
        "extension": route,
        "priority": "1",
    }
    text = "".join(f"agi_{name}: {' '.join(value.split())}\n" for name, value in lines.items())
    return (text + "\n").encode()
