"""BER as LDAP uses it (ITU-T X.690, RFC 4511 section 5.1): definite lengths, tags of one byte."""

from __future__ import annotations

import asyncio

SEQUENCE, SET, OCTETS, INTEGER, BOOLEAN, ENUMERATED = 0x30, 0x31, 0x04, 0x02, 0x01, 0x0A
#: A directory that sends more in one message is not believed.
_LONGEST = 16 * 1024 * 1024


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
        raise ValueError("what answers is no LDAP server")  # at once: it may never send as much as we would wait for
    if first < 0x80:
        return await reader.readexactly(first)
    size = int.from_bytes(await reader.readexactly(first & 0x7F), "big")
    if size > _LONGEST:
        raise ValueError("the directory's answer is too large, or no LDAP")
    return await reader.readexactly(size)
