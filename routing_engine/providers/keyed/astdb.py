"""Asterisk's own database: what `database put` and the dialplan's DB() keep, asked for through the manager interface.

FastAGI has `DATABASE GET`, but only on the channel of a call, and a look-up has none. One manager connection is kept;
the log-in proves the secret without sending it, and events are switched off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from routing_engine.asterisk.ami import AmiClient, AmiServer
from routing_engine.core.model import Json
from routing_engine.core.ports import Clock, Provider
from routing_engine.errors import AmiRefused, ProviderMisread, ProviderRefused, ProviderUnreachable
from routing_engine.providers.answers.records import check_paths
from routing_engine.providers.answers.values import read_json
from routing_engine.providers.keyed.provider import (
    BY_CALLER,
    BY_FIELD,
    KeyedProvider,
    Keys,
    KeyTemplate,
    caller_key,
    check_keys,
    check_model,
    keys_of,
    value_keys,
)
from routing_engine.providers.kind import ProviderKind
from routing_engine.providers.net.address import Place, ServerAddress, server_address, server_at
from routing_engine.providers.net.multiplexed import why_not_open
from routing_engine.settings.integration import IntegrationKeys, Model, folder_of
from routing_engine.settings.spec import nested, read, required, setting
from routing_engine.settings.tls import CONNECT_TIMEOUT, CONNECT_TIMEOUT_S, TlsKeys, refuse_tls
from routing_engine.settings.value_types import mapping_of, secret, text
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


@dataclass(frozen=True, slots=True)
class AstdbModelKeys:
    """The keys of a model."""

    by_caller: KeyTemplate | None = setting(caller_key("vip/"), None, BY_CALLER)
    by_field: Mapping[str, KeyTemplate] = setting(value_keys("vip/"), {}, BY_FIELD)

    def check(self, section: Section, what: str) -> None:
        """Note a model without a key."""
        check_model(section, what, "vip/")


@dataclass(frozen=True, slots=True)
class AstdbKeys(IntegrationKeys):
    """An integration with `provider: astdb`."""

    address: Place | None = required(
        server_address(("ami", 5038), ("amis", 5039)),
        None,
        "`amis` is TLS. Without a port: 5038 and 5039",
        example="amis://ami.example.com",
    )
    user: str = required(text(), "", "a section of `manager.conf`", example="engine")
    password: str = required(secret(), "", "its `secret`", example="'${AMI_PASSWORD}'")
    keys: Mapping[str, AstdbModelKeys] = required(
        mapping_of(nested(AstdbModelKeys), "'{}' of 'keys'").called("mapping, model to [keys](#keys-of-a-model)"),
        {},
        "the family and key of each model",
        example="{contact: {by_caller: 'vip/{number}'}}",
    )
    connect_timeout_s: float = setting(
        CONNECT_TIMEOUT,
        CONNECT_TIMEOUT_S,
        "how long connecting may take, TLS and log-in included. What bounds the whole is the source's `timeout_s`",
    )
    tls: TlsKeys | None = setting(
        nested(TlsKeys).called("[mapping](integrations.md#tls)"),
        None,
        "how Asterisk proves who it is, with `amis://`",
        usual="the system's authorities",
    )

    def check(self, section: Section, what: str) -> None:
        """Note what cannot work together."""
        IntegrationKeys.check(self, section, what)
        check_paths(section, self.models)
        check_keys(section, self.models)
        if self.address is None or self.address.scheme == "ami":
            refuse_tls(section, "ami://", "amis://")


def read_settings(section: Section, name: str, folder: Path | None = None) -> AstdbSettings:
    """Read an integration's file whole."""
    keys = read(section, AstdbKeys, f"the integration '{name}'")
    place = folder_of(section, folder)
    address = server_at(section, keys.address, "amis", keys.tls, keys.connect_timeout_s, place)
    return AstdbSettings(address, keys.user, keys.password, keys_of(keys.keys))


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

    async def read(self, key: str) -> Json:
        """Return the one row under `FAMILY/KEY`; None when there is none."""
        await self._connect()
        value = await self._value(key)
        return None if value is None else [_row(value)]

    async def close(self) -> None:
        """Log off."""
        await self._ami.close()

    # Before the question, so that a refused log-in is told from a refused question.
    async def _connect(self) -> None:
        try:
            await self._ami.connect()
        except AmiRefused as error:
            raise ProviderRefused(f"{self._name}: {error}") from None
        except (OSError, ValueError) as error:
            raise why_not_open(self._name, error) from None

    async def _value(self, path: str) -> str | None:
        """Return the value; None when there is no such key."""
        # The family ends at the first slash; whatever follows is the key.
        family, _, key = path.partition("/")
        try:
            messages = await self._ami.action("DBGet", Family=family, Key=key)
        except AmiRefused as error:
            # Asterisk answers "Error" for a key that is not there: only the text tells it from a refusal.
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
        # A value may be empty, and is one: only a message without it is not an answer.
        values = [message["Val"] for message in messages if "Val" in message]
        if not values:
            raise ProviderMisread(f"{self._name}: Asterisk's answer holds no value")
        return values[0]


def _row(value: str) -> dict[str, Json]:
    """Return the fields of a value: itself, and the members of a JSON object."""
    try:
        # Most values are plain; JSON is tried where it can be, and never refused.
        found = read_json(value.encode()) if value.startswith("{") else None
    except ValueError:
        found = None
    return {"value": value, **(found if isinstance(found, dict) else {})}


KIND = ProviderKind(read_settings, open_astdb, keys=AstdbKeys)
