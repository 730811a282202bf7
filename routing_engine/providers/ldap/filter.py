"""LDAP filters as bytes (RFC 4511, 4.5.1.7): those of the operator read from text, those for a value built around it.

A value is never written into the text of a filter: it is an element with a length, so no sign in it means anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from routing_engine.providers.ldap.wire import SEQUENCE, octets, tlv

_AND, _OR, _NOT, _EQUAL, _PIECES, _PRESENT, _EXTENDED = 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0x87, 0xA9
_COMPARED = {"=": _EQUAL, ">=": 0xA5, "<=": 0xA6, "~=": 0xA8}
_INITIAL, _ANY, _FINAL = 0x80, 0x81, 0x82

#: RFC 4512, 2.5: a name or an OID, with options such as `;lang-de`.
ATTRIBUTE = re.compile(r"(?:[A-Za-z][A-Za-z0-9\-]*|\d+(?:\.\d+)+)(?:;[A-Za-z0-9\-]+)*\Z", re.ASCII)
_ITEM = re.compile(r"([A-Za-z0-9.;\-]*)(?:(:dn)?(?::([A-Za-z0-9.\-]+))?(:=)|([<>~]?=))([^()\0]*)", re.ASCII)
_ESCAPE = re.compile(r"\\([0-9A-Fa-f]{2})|(\\)")
_DEEPEST = 20

#: `(objectClass=*)`: what every entry has.
ANYTHING = octets("objectClass", _PRESENT)


def equal(attribute: str, value: str) -> bytes:
    """Match entries with this value, as the attribute compares values."""
    return tlv(_EQUAL, octets(attribute), octets(value))


def holds_in_order(attribute: str, pieces: Iterable[str]) -> bytes:
    """Match values with these pieces in their order, whatever stands before, between and behind: `*4*3*6*`."""
    return tlv(_PIECES, octets(attribute), tlv(SEQUENCE, *(octets(piece, _ANY) for piece in pieces)))


def every(*filters: bytes) -> bytes:
    """Match what all filters match."""
    return tlv(_AND, *filters)


def one_of(filters: Iterable[bytes]) -> bytes:
    """Match what any of the filters matches."""
    return tlv(_OR, *filters)


def read_filter(text: str) -> bytes:
    """Read a filter as RFC 4515 writes it: `(&(objectClass=person)(!(l=Graz)))`. Raises `ValueError`, a sentence."""
    found, end = _read(text, 0, 0)
    if end != len(text):
        raise ValueError("there is something behind its last bracket")
    return found


def _read(text: str, at: int, depth: int) -> tuple[bytes, int]:
    # Filters are the operator's, and recursion is ours: a slip must not end the process.
    if depth > _DEEPEST:
        raise ValueError("its brackets are nested too deeply")
    if text[at : at + 1] != "(":
        raise ValueError("a part of it does not begin with a bracket")
    sign = text[at + 1 : at + 2]
    found, at = _read_list(text, at + 2, sign, depth) if sign in ("&", "|", "!") else _read_item(text, at + 1)
    if text[at : at + 1] != ")":
        raise ValueError("a bracket is not closed")
    return found, at + 1


def _read_list(text: str, at: int, sign: str, depth: int) -> tuple[bytes, int]:
    parts = list[bytes]()
    while text[at : at + 1] == "(":
        part, at = _read(text, at, depth + 1)
        parts.append(part)
    if not parts or (sign == "!" and len(parts) > 1):
        raise ValueError(f"'{sign}' has {'more than one part' if parts else 'nothing'} behind it")
    return tlv({"&": _AND, "|": _OR, "!": _NOT}[sign], *parts), at


def _read_item(text: str, at: int) -> tuple[bytes, int]:
    found = _ITEM.match(text, at)
    if found is None or not (found[1] or found[3]) or (found[1] and not ATTRIBUTE.match(found[1])):
        raise ValueError("a part of it is not a comparison such as (objectClass=person)")
    attribute, within_dn, rule, extended, sign, value = found.groups()
    if extended:
        return _extended(attribute, rule, _plain(value), bool(within_dn)), found.end()
    # Before the escapes are undone: a star that is meant as a star is written \2a.
    if sign == "=" and "*" in value:
        return _pieces(attribute, value), found.end()
    return tlv(_COMPARED[sign], octets(attribute), octets(_plain(value))), found.end()


def _extended(attribute: str, rule: str | None, value: bytes, within_dn: bool) -> bytes:
    """Active Directory's bits and chains: `(userAccountControl:1.2.840.113556.1.4.803:=2)`."""
    parts = [octets(rule, 0x81)] if rule else []
    parts += [octets(attribute, 0x82)] if attribute else []
    return tlv(_EXTENDED, *parts, octets(value, 0x83), *([octets(b"\xff", 0x84)] if within_dn else []))


def _pieces(attribute: str, value: str) -> bytes:
    if value == "*":
        return octets(attribute, _PRESENT)
    first, *between, last = map(_plain, value.split("*"))
    pieces = [octets(first, _INITIAL)] if first else []
    pieces += [octets(piece, _ANY) for piece in between if piece]
    pieces += [octets(last, _FINAL)] if last else []
    if not pieces:
        raise ValueError("it has several asterisks and nothing else")
    return tlv(_PIECES, octets(attribute), tlv(SEQUENCE, *pieces))


def _plain(value: str) -> bytes:
    """Undo the escapes: a backslash and two hexadecimal digits are one byte."""
    parts, at = list[bytes](), 0
    for found in _ESCAPE.finditer(value):
        if found[2]:
            raise ValueError("a backslash needs two hexadecimal digits behind it")
        parts += [value[at : found.start()].encode(), bytes.fromhex(found[1])]
        at = found.end()
    return b"".join([*parts, value[at:].encode()])
