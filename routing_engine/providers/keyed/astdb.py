"""Asterisk's own database: what `database put` and the dialplan's DB() keep, asked for through the manager interface.

FastAGI has `DATABASE GET`, but only on the channel of a call, and a look-up has none. One manager connection is kept;
the log-in proves the secret without sending it, and events are switched off.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from routing_engine.core.ports import Clock, Provider
from routing_engine.errors import ProviderMisread, ProviderRefused
from routing_engine.providers.answers.records import check_paths
from routing_engine.providers.answers.values import read_json
from routing_engine.providers.keyed.provider import KeyedProvider, Keys, read_keys
from routing_engine.providers.net.address import ServerAddress, folder_of, read_server, refuse_tls
from routing_engine.providers.net.multiplexed import (
    IncomingMessage,
    MultiplexedConnection,
    OpenLink,
    open_link,
)
from routing_engine.settings.integration import Model
from routing_engine.settings.yaml_reader import Section

Block: TypeAlias = Mapping[str, str]

_NOT_THERE = "Database entry not found"


@dataclass(frozen=True, slots=True)
class AstdbSettings:
    """What an administrator wrote about an Asterisk. In `keys` the part before the first slash is the family."""

    address: ServerAddress
    user: str
    password: str = field(repr=False)
    keys: Mapping[str, Keys]


def read_settings(section: Section, name: str, folder: Path | None = None) -> AstdbSettings:
    """Take and close all keys of an Asterisk's integration; those of every integration were taken before."""
    check_paths(section)
    address = read_server(section, folder_of(section, folder), ("ami", 5038), ("amis", 5039))
    if address.tls is None:
        refuse_tls(section, "ami://", "amis://")
    section.require("user", "user: engine")
    section.require("password", "password: '${AMI_PASSWORD}'")
    keys = read_keys(section, "vip/")
    settings = AstdbSettings(address, section.text("user"), section.secret("password"), keys)
    section.close(f"the integration '{name}'")
    return settings


def open_astdb(name: str, settings: AstdbSettings, models: Mapping[str, Model], region: str, clock: Clock) -> Provider:
    """Return the provider of an Asterisk's database. It connects at the first look-up."""
    return KeyedProvider(name, settings.keys, models, AstdbStore(name, settings))


class AstdbStore:
    """Looks values up by family and key."""

    def __init__(self, name: str, settings: AstdbSettings) -> None:
        self._name, self._settings = name, settings
        self._connection: MultiplexedConnection[Block] = MultiplexedConnection(name, self._open)
        self._mark = secrets.token_hex(8)  # nobody who writes a value can write the answer to another question

    async def read(self, key: str) -> object:
        """Return the one row under `FAMILY/KEY`; None when there is none."""
        family, _, rest = key.partition("/")
        number = self._number()
        blocks = await self._connection.ask(number, action("DBGet", number, Family=family, Key=rest))
        value = self._value(blocks)
        return None if value is None else [_row(value)]

    async def close(self) -> None:
        """Log off."""
        await self._connection.close()

    def _number(self) -> str:
        return f"{self._mark}-{self._connection.number()}"

    def _value(self, blocks: Sequence[Block]) -> str | None:
        """Return the value; None when there is no such key."""
        for block in blocks:
            if block.get("Event") == "DBGetResponse":
                return block.get("Val", "")
            if block.get("Message") == _NOT_THERE:
                return None
            if block.get("Message") == "Permission denied":
                raise ProviderRefused(f"{self._name}: the manager's user may not read: it needs write = reporting")
        raise ProviderMisread(f"{self._name}: Asterisk refused to look into its database")

    async def _open(self) -> OpenLink[Block]:
        return await open_link(self._settings.address, self._greet)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> OpenLink[Block]:
        await read_banner(reader)
        settings, number = self._settings, self._number()
        writer.write(action("Challenge", number, AuthType="MD5"))
        challenge = (await _answer(reader, number)).get("Challenge", "")
        number, proof = self._number(), key_for(challenge, settings.password)
        writer.write(action("Login", number, AuthType="MD5", Username=settings.user, Key=proof, Events="off"))
        if not challenge or (await _answer(reader, number)).get("Response") != "Success":
            raise ProviderRefused(f"{self._name}: Asterisk refused the manager's user or password")
        return OpenLink(reader, writer, read_block, goodbye=action("Logoff", self._number()))


async def _answer(reader: asyncio.StreamReader, number: str) -> Block:
    """Return the response to an action, past the events before it."""
    while (found := await read_block(reader)).id != number:
        pass
    return found.message


def _row(value: str) -> dict[str, object]:
    """Return the fields of a value: itself, and the members of a JSON object."""
    try:
        found = read_json(value.encode()) if value.startswith("{") else None
    except ValueError:
        found = None
    return {"value": value, **(found if isinstance(found, dict) else {})}


# ---------------------------------------------------------------------------------------------- the wire


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
