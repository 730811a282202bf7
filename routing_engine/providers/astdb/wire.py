"""Asterisk's manager interface on the wire: the three actions that a look-up needs, and the blocks that come back."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import TypeAlias

from routing_engine.providers.net.multiplexed import IncomingMessage

Block: TypeAlias = Mapping[str, str]


def action(name: str, number: str, **fields: str) -> bytes:
    """Return an action. Raises `ValueError` for a text that would begin another line."""
    lines = {"Action": name, "ActionID": number, **fields}
    if not all(value.isprintable() for value in lines.values()):
        raise ValueError("a control character was to be sent to Asterisk")
    return "".join(f"{key}: {value}\r\n" for key, value in lines.items()).encode() + b"\r\n"


def key_for(challenge: str, secret: str) -> str:
    """Return the proof that we know the secret, without the secret itself."""
    return hashlib.md5(f"{challenge}{secret}".encode(), usedforsecurity=False).hexdigest()


async def read_banner(reader: asyncio.StreamReader) -> None:
    """Read the line that Asterisk begins with."""
    line = await reader.readline()
    if not line:
        raise EOFError
    if not line.startswith(b"Asterisk Call Manager/"):
        raise ValueError("what answers is no manager interface of Asterisk")


async def read_block(reader: asyncio.StreamReader) -> IncomingMessage[Block]:
    """Read the next block: a response, or an event."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise ValueError("Asterisk's answer is too large") from None
    block = _fields(raw.decode("utf-8", "replace"))
    listed = block.get("EventList", "")
    last = listed == "Complete" or ("Response" in block and listed != "start")
    return IncomingMessage(block.get("ActionID", ""), block, last)


def _fields(text: str) -> Block:
    fields = dict[str, str]()
    for line in text.split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name, value.removeprefix(" "))
    return fields
