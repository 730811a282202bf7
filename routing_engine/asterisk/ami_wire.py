"""Asterisk's manager interface on the wire, without a socket: bytes in, messages out; actions to bytes.

Source: Asterisk's main/manager.c as it behaves (version 22): a line `Asterisk Call Manager/VERSION` opens the
connection, then every message is `Name: value` lines and an empty one. A response has `Response`, an event `Event`;
both carry the `ActionID` of the action they answer. A list is a response with `EventList: start`, its events, and one
with `EventList: Complete`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

#: The output of a command of Asterisk's own command line may be long; nothing that we ask for is longer.
MAX_MESSAGE = 1024 * 1024
#: The value of a field; several make a line each, as `Variable` of `Originate` needs them.
FieldValue: TypeAlias = str | Sequence[str]

_BANNER = b"Asterisk Call Manager/"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class AmiMessage(dict[str, str]):
    """The fields of a response or an event; of one that stands there several times, the first.

    The first, because who may write a value of a channel could otherwise write other fields behind it.
    """

    def __init__(self, lines: Sequence[tuple[str, str]]) -> None:
        super().__init__(reversed(lines))
        self._lines = lines

    def every(self, name: str) -> list[str]:
        """Return all values of a field in their order, such as the lines of `Output` or of `ChanVariable`."""
        return [value for field, value in self._lines if field == name]

    @property
    def lines(self) -> Sequence[tuple[str, str]]:
        """All fields with their values, as they came."""
        return self._lines

    @property
    def number(self) -> str:
        """The `ActionID` of the action that this answers; "" for none."""
        return self.get("ActionID", "")

    @property
    def is_last(self) -> bool:
        """Whether nothing more belongs to the answer of an action."""
        listed = self.get("EventList", "").lower()
        return listed in ("complete", "cancelled") or ("Response" in self and listed != "start")


class AmiWire:
    """The receiving half of one connection. `feed` it bytes as they come, split anywhere."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        #: The line that Asterisk begins with; "" until it is there.
        self.banner = ""

    def feed(self, data: bytes) -> list[AmiMessage]:
        """Take bytes, return the messages that they complete. Raises `ValueError` for what no Asterisk sends."""
        searched = max(0, len(self._buffer) - 3)  # the end of a message may lie across two pieces
        self._buffer += data
        if not self.banner:
            if not self._read_banner():
                return []
            searched = 0
        messages, start = [], 0
        while (end := self._buffer.find(b"\r\n\r\n", max(start, searched))) >= 0:
            messages.append(_read_message(self._buffer[start:end]))
            start = end + 4
        del self._buffer[:start]
        if len(self._buffer) > MAX_MESSAGE:
            raise ValueError("Asterisk's answer is too large")
        return messages

    def _read_banner(self) -> bool:
        line, newline, rest = self._buffer.partition(b"\n")
        if not line.startswith(_BANNER[: len(line)]) or len(line) > 200:
            raise ValueError("what answers is not Asterisk's manager interface")
        if newline:
            self.banner, self._buffer = line.decode("utf-8", "replace").rstrip(), rest
        return bool(newline)


def _read_message(raw: bytearray) -> AmiMessage:
    # Decoded as a whole: a character of several bytes may lie across two pieces of the network.
    lines = [line.partition(":") for line in raw.decode("utf-8", "replace").split("\r\n")]
    return AmiMessage([(name, value.removeprefix(" ")) for name, colon, value in lines if colon])


def write_action(name: str, number: str, fields: Mapping[str, FieldValue]) -> bytes:
    """Return an action. Raises `ValueError` for a text that would begin another line."""
    lines = [("Action", name), ("ActionID", number)]
    for field, value in fields.items():
        lines += [(field, one) for one in ((value,) if isinstance(value, str) else value)]
    if any(_CONTROL.search(value) for _, value in lines):
        raise ValueError("a control character was to be sent to Asterisk")
    return "".join(f"{field}: {value}\r\n" for field, value in lines).encode() + b"\r\n"


def log_in_key(challenge: str, secret: str) -> str:
    """Return the proof that we know the secret, without the secret itself (`AuthType: MD5`)."""
    return hashlib.md5(f"{challenge}{secret}".encode(), usedforsecurity=False).hexdigest()


def unescape_value(escaped: str) -> str:
    """Return the value of a variable out of a `VarSet` event, where Asterisk writes it with C's escapes."""
    plain = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))
    return re.sub(r"\\(.)", lambda found: plain.get(found[1], found[1]), escaped)
