"""Asterisk's own database: what `database put` and the dialplan's DB() keep, asked for through the manager interface.

FastAGI has `DATABASE GET`, but only on the channel of a call, and a look-up has none. One manager connection is kept;
the log-in proves the secret without sending it, and events are switched off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from routing_engine.asterisk.ami import AmiClient, AmiServer
from routing_engine.core.ports import Clock, Provider
from routing_engine.errors import AmiRefused, ProviderMisread, ProviderRefused, ProviderUnreachable
from routing_engine.providers.answers.records import check_paths
from routing_engine.providers.answers.values import read_json
from routing_engine.providers.keyed.provider import KeyedProvider, Keys, read_keys
from routing_engine.providers.net.address import ServerAddress, folder_of, read_server, refuse_tls
from routing_engine.providers.net.multiplexed import why_not_open
from routing_engine.settings.integration import Model
from routing_engine.settings.yaml_reader import Section

_NOT_THERE, _NO_RIGHT = "Database entry not found", "Permission denied"
#: Whoever asks gives the look-up up long before that.
_LONGEST_S = 60.0


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
        self._name = name
        address = settings.address
        self._ami = AmiClient(
            AmiServer(
                address.host,
                address.port,
                settings.user,
                settings.password,
                address.tls,
                connect_timeout_s=address.timeout_s,
                action_timeout_s=_LONGEST_S,
            )
        )

    async def read(self, key: str) -> object:
        """Return the one row under `FAMILY/KEY`; None when there is none."""
        await self._connect()
        value = await self._value(key)
        return None if value is None else [_row(value)]

    async def close(self) -> None:
        """Log off."""
        await self._ami.close()

    async def _connect(self) -> None:
        try:
            await self._ami.connect()
        except AmiRefused as error:
            raise ProviderRefused(f"{self._name}: {error}") from None
        except (OSError, ValueError) as error:
            raise why_not_open(self._name, error) from None

    async def _value(self, path: str) -> str | None:
        """Return the value; None when there is no such key."""
        family, _, key = path.partition("/")
        try:
            messages = await self._ami.action("DBGet", Family=family, Key=key)
        except AmiRefused as error:
            if str(error) == _NOT_THERE:
                return None
            if str(error) == _NO_RIGHT:
                text = f"{self._name}: the manager's user may not read: it needs write = reporting"
                raise ProviderRefused(text) from None
            raise ProviderMisread(f"{self._name}: Asterisk refused to look into its database") from None
        except OSError:
            raise ProviderUnreachable(f"{self._name}: the connection broke before the answer", again=True) from None
        except ValueError as error:
            raise ProviderMisread(f"{self._name}: {error}") from None
        values = [message["Val"] for message in messages if "Val" in message]
        if not values:
            raise ProviderMisread(f"{self._name}: Asterisk's answer holds no value")
        return values[0]


def _row(value: str) -> dict[str, object]:
    """Return the fields of a value: itself, and the members of a JSON object."""
    try:
        found = read_json(value.encode()) if value.startswith("{") else None
    except ValueError:
        found = None
    return {"value": value, **(found if isinstance(found, dict) else {})}
