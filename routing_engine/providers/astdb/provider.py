"""Asterisk's own database: what `database put` and the dialplan's DB() keep, asked for through the manager interface.

FastAGI has `DATABASE GET`, but only on the channel of a call, and a look-up has none. One manager connection is kept;
the log-in proves the secret without sending it, and events are switched off.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from routing_engine.core.model import Record
from routing_engine.core.ports import Clock, Provider, Query
from routing_engine.errors import ProviderMisread, ProviderRefused
from routing_engine.providers.answers import check_paths, read_json, read_records, shape_of
from routing_engine.providers.astdb.wire import Block, action, key_for, read_banner, read_block
from routing_engine.providers.files import folder_of
from routing_engine.providers.key_templates import Keys, read_keys
from routing_engine.providers.net.multiplexed import MultiplexedConnection, OpenLink, ServerAddress, open_link
from routing_engine.providers.net.server_address import read_server, refuse_tls
from routing_engine.settings.integration import Model
from routing_engine.settings.yaml_reader import Section

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


def open_astdb(name: str, settings: object, models: Mapping[str, Model], region: str, clock: Clock) -> Provider:
    """Return the provider of an Asterisk's database. It connects at the first look-up."""
    assert isinstance(settings, AstdbSettings)
    return AstdbProvider(name, settings, models)


class AstdbProvider:
    """Looks values up by family and key."""

    def __init__(self, name: str, settings: AstdbSettings, models: Mapping[str, Model]) -> None:
        self._name, self._settings = name, settings
        self._shapes = {model: shape_of(name, models[model]) for model in models}
        self._kept: MultiplexedConnection[Block] = MultiplexedConnection(name, self._open)
        self._mark = secrets.token_hex(8)  # nobody who writes a value can write the answer to another question

    async def find(self, query: Query) -> Sequence[Record]:
        """Return the one record under the key of a caller or of a value."""
        parts = self._settings.keys.get(query.model, Keys(None, {})).key(self._name, query)
        if parts is None:
            return ()
        value = await self._read("".join(parts))
        return read_records([_row(value)], self._shapes[query.model]) if value is not None else ()

    async def check(self) -> str:
        """Read one key of each kind: it need not be there, but the user must be allowed to."""
        samples = [key for keys in self._settings.keys.values() for key in keys.samples]
        for key in samples:
            await self._read(key)
        return f"it answered for each of the {len(samples)} kinds of key"

    async def _read(self, path: str) -> str | None:
        family, _, key = path.partition("/")
        number = self._number()
        return self._value(await self._kept.ask(number, action("DBGet", number, Family=family, Key=key)))

    async def close(self) -> None:
        """Log off."""
        await self._kept.close()

    def _number(self) -> str:
        return f"{self._mark}-{self._kept.number()}"

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
    while (heard := await read_block(reader)).id != number:
        pass
    return heard.message


def _row(value: str) -> dict[str, object]:
    """Return the fields of a value: itself, and the members of a JSON object."""
    try:
        found = read_json(value.encode()) if value.startswith("{") else None
    except ValueError:
        found = None
    return {"value": value, **(found if isinstance(found, dict) else {})}
