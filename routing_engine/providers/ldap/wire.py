"""LDAP version 3 on the wire (RFC 4511): the few messages that a look-up needs, and what the results mean."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from routing_engine.errors import ProviderError, ProviderMisread, ProviderRefused, ProviderUnreachable
from routing_engine.providers.net.multiplexed import IncomingMessage

_BIND, _UNBIND, _SEARCH, _ABANDON, _EXTENDED = 0x60, 0x42, 0x63, 0x50, 0x77
_BOUND, _ENTRY, _DONE, _EXTENDED_DONE = 0x61, 0x64, 0x65, 0x78
_START_TLS = "1.3.6.1.4.1.1466.20037"
SUCCESS, TOO_LATE, TOO_MANY = 0, 3, 4
#: Asks for no attribute at all (RFC 4511, 4.5.1.8).
NO_ATTRIBUTES = "1.1"
SCOPES = {"base": 0, "one": 1, "subtree": 2}

#: Result codes (RFC 4511, appendix A) that an administrator can do something about.
_REFUSED = {
    1: "it refused the search; Active Directory answers so to who is not logged in",
    7: "it does not know this kind of log-in",
    8: "it wants a stronger log-in: use ldaps:// or start_tls",
    10: "the base lies on another server, and referrals are not followed",
    11: "its administrative limits are exceeded",
    13: "it wants an encrypted connection: use ldaps:// or start_tls",
    18: "it cannot compare an attribute in this way",
    32: "there is no entry at the base, or we may not see it",
    34: "the base or the user is not a DN",
    48: "it refuses this kind of log-in",
    49: "it refused the user or the password",
    50: "the user may not search there",
    53: "it is not willing to answer this search",
}
#: What only the directory's own administrator can change.
_THEIRS = frozenset({11, 50, 53})
_DOWN = {TOO_LATE: "its time for the search was up", 51: "it is busy", 52: "it is not available", 80: "it failed"}
#: What Active Directory adds to a refused log-in: `... comment: AcceptSecurityContext error, data 775, v4563`.
_DATA = re.compile(r"\bdata ([0-9a-f]{3,4})\b")
_ACCOUNT = {
    "52e": "the password is wrong",
    "525": "there is no such user",
    "530": "the user may not log in at this time",
    "532": "the password has expired",
    "533": "the account is disabled",
    "701": "the account has expired",
    "773": "the password must be changed first",
    "775": "the account is locked",
}


@dataclass(frozen=True, slots=True)
class LdapEntry:
    """An entry: its name, and its values by attribute in small letters."""

    dn: str
    values: dict[str, list[bytes]]


@dataclass(frozen=True, slots=True)
class LdapResult:
    """How an operation ended."""

    code: int
    diagnostic: str = ""

    def error(self, name: str) -> ProviderError:
        """Say what that means. The server's own text is not repeated: it may hold names and numbers."""
        if self.code in _DOWN:
            return ProviderUnreachable(f"{name}: the directory did not answer: {_DOWN[self.code]}")
        if self.code not in _REFUSED:
            return ProviderMisread(f"{name}: the directory answered with result code {self.code}")
        data = _DATA.search(self.diagnostic)
        why = _ACCOUNT.get(data[1]) if data and self.code == 49 else None
        return ProviderRefused(f"{name}: the directory refused us: {why or _REFUSED[self.code]}", self.code in _THEIRS)


def bind(number: int, user: str, password: str) -> bytes:
    """Return a simple log-in."""
    return _message(number, tlv(_BIND, whole(3), octets(user), octets(password, 0x80)))


def start_tls(number: int) -> bytes:
    """Ask to go on within TLS."""
    return _message(number, tlv(_EXTENDED, octets(_START_TLS, 0x80)))


def abandon(number: int, which: str) -> bytes:
    """Say that nobody waits for the answer to an earlier message."""
    return _message(number, whole(int(which), _ABANDON))


def unbind(number: int) -> bytes:
    """Say goodbye."""
    return _message(number, tlv(_UNBIND))


def search(
    number: int, base: str, scope: str, wanted: bytes, attributes: Sequence[str], at_most: int, limit_s: int
) -> bytes:
    """Return a search that never follows an alias."""
    limits = whole(at_most) + whole(limit_s) + tlv(BOOLEAN, b"\0")
    names = tlv(SEQUENCE, *map(octets, attributes))
    return _message(
        number,
        tlv(_SEARCH, octets(base), whole(SCOPES[scope], ENUMERATED), whole(0, ENUMERATED), limits, wanted, names),
    )


def _message(number: int, operation: bytes) -> bytes:
    return tlv(SEQUENCE, whole(number), operation)


async def read_message(reader: asyncio.StreamReader) -> IncomingMessage[LdapEntry | LdapResult | None]:
    """Read the next message; None stands for a kind that a look-up passes over, such as a referral."""
    parts = elements(await read_sequence(reader))
    if len(parts) < 2 or parts[0][0] != INTEGER:
        raise ValueError("what answers is not an LDAP server")
    number, (kind, body) = str(int.from_bytes(parts[0][1], "big")), parts[1]
    if kind == _ENTRY:
        return IncomingMessage(number, _entry(body), last=False)
    if kind in (_BOUND, _DONE, _EXTENDED_DONE):
        return IncomingMessage(number, _result(body), last=True)
    return IncomingMessage(number, None, last=False)


def _result(body: bytes) -> LdapResult:
    parts = elements(body)
    if len(parts) < 3 or parts[0][0] != ENUMERATED:
        raise ValueError("the directory's answer has no result")
    return LdapResult(int.from_bytes(parts[0][1], "big"), parts[2][1].decode("utf-8", "replace"))


def _entry(body: bytes) -> LdapEntry:
    parts = elements(body)
    if len(parts) != 2 or parts[0][0] != OCTETS:
        raise ValueError("the directory's answer holds an entry of another shape")
    values = dict[str, list[bytes]]()
    for _, attribute in elements(parts[1][1]):
        found = elements(attribute)
        if len(found) != 2:
            raise ValueError("the directory's answer holds an attribute of another shape")
        # Attributes compare without case (RFC 4512, 2.5), and servers answer in the case of their schema.
        values[found[0][1].decode("utf-8", "replace").lower()] = [value for _, value in elements(found[1][1])]
    return LdapEntry(parts[0][1].decode("utf-8", "replace"), values)


SEQUENCE, SET, OCTETS, INTEGER, BOOLEAN, ENUMERATED = 0x30, 0x31, 0x04, 0x02, 0x01, 0x0A
#: A directory that sends more in one message is not believed: taking it to pieces would hold up every call.
_LONGEST = 1024 * 1024


def tlv(tag: int, *parts: bytes) -> bytes:
    """Return one element: the tag, the length of all parts together, and the parts."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def whole(value: int, tag: int = INTEGER) -> bytes:
    """Return a whole number from 0 up."""
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(value: bytes | str, tag: int = OCTETS) -> bytes:
    """Return bytes, or a text in UTF-8."""
    return tlv(tag, value.encode() if isinstance(value, str) else value)


def elements(content: bytes) -> list[tuple[int, bytes]]:
    """Return tag and content of every element in a row. Raises `ValueError`."""
    found, at = list[tuple[int, bytes]](), 0
    while at < len(content):
        size, start = _length(content, at + 1)
        if start + size > len(content):
            raise ValueError("the directory's answer is cut short")
        found.append((content[at], content[start : start + size]))
        at = start + size
    return found


def _length(content: bytes, at: int) -> tuple[int, int]:
    """Return a length, and where its content begins."""
    first = content[at] if at < len(content) else 0x80
    # Short form: the length itself. Long form: the low bits say how many bytes of length follow (X.690, 8.1.3).
    if first < 0x80:
        return first, at + 1
    end = at + 1 + (first & 0x7F)
    if first == 0x80 or end > len(content):
        raise ValueError("the directory's answer is cut short")
    return int.from_bytes(content[at + 1 : end], "big"), end


async def read_sequence(reader: asyncio.StreamReader) -> bytes:
    """Read the next message, which is a sequence, from a connection. Raises `EOFError`, `OSError` or `ValueError`."""
    tag, first = await reader.readexactly(2)
    if tag != SEQUENCE or not (first < 0x80 or 0x81 <= first <= 0x84):
        raise ValueError(
            "what answers is not an LDAP server"
        )  # at once: it may never send as much as we would wait for
    if first < 0x80:
        return await reader.readexactly(first)
    size = int.from_bytes(await reader.readexactly(first & 0x7F), "big")
    if size > _LONGEST:
        raise ValueError("the directory's answer is too large, or not LDAP")
    return await reader.readexactly(size)
