"""Redis, and what speaks its protocol (Valkey, KeyDB): a record under a key, as a hash or as JSON.

It is only ever read: `HGETALL` or `GET`. A key is bytes with a length, so nothing in it can become another command.
"""

from __future__ import annotations

import importlib.util
import ssl
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from routing_engine.core.model import Json
from routing_engine.core.ports import Clock, Provider
from routing_engine.errors import ProviderError, ProviderMisread, ProviderRefused, ProviderUnreachable
from routing_engine.providers.answers.not_json import read_declared_json
from routing_engine.providers.answers.records import check_paths
from routing_engine.providers.answers.values import aside
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
from routing_engine.settings.integration import IntegrationKeys, Model, folder_of
from routing_engine.settings.spec import nested, read, required, setting
from routing_engine.settings.tls import CONNECT_TIMEOUT, CONNECT_TIMEOUT_S, TlsKeys, refuse_tls
from routing_engine.settings.value_types import choice, mapping_of, secret, text, whole
from routing_engine.settings.yaml_reader import Section

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.connection import AbstractConnection
    from redis.exceptions import RedisError

T = TypeVar("T")
_INSTALL = "install it: pip install 'routing-engine[redis]'"


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """What an administrator wrote about a Redis. `value` says how a record is kept under its key."""

    address: ServerAddress
    user: str
    password: str = field(repr=False)
    database: int
    value: Literal["hash", "json"]
    keys: Mapping[str, Keys]


@dataclass(frozen=True, slots=True)
class RedisModelKeys:
    """The keys of a model."""

    by_caller: KeyTemplate | None = setting(caller_key("phone:"), None, BY_CALLER)
    by_field: Mapping[str, KeyTemplate] = setting(value_keys("phone:"), {}, BY_FIELD)

    def check(self, section: Section, what: str) -> None:
        """Note a model without a key."""
        check_model(section, what, "phone:")


@dataclass(frozen=True, slots=True)
class RedisKeys(IntegrationKeys):
    """An integration with `provider: redis`."""

    address: Place | None = required(
        server_address(("redis", 6379), ("rediss", 6379)),
        None,
        "`rediss` is TLS. Without a port: 6379",
        example="rediss://redis.example.com",
    )
    user: str = setting(
        text(), "", "a user of Redis' access lists. Without one the password is that of the server (`requirepass`)"
    )
    password: str = setting(secret(), "", "of the user, or of the server")
    database: int = setting(whole(0, 1_000_000), 0, "its number")
    value: Literal["hash", "json"] = setting(choice("hash", "json"), "hash", "how a record is kept under its key")
    keys: Mapping[str, RedisModelKeys] = required(
        mapping_of(nested(RedisModelKeys), "'{}' of 'keys'").called("mapping, model to [keys](#keys-of-a-model)"),
        {},
        "the keys of each model",
        example="{contact: {by_caller: 'phone:{number}'}}",
    )
    connect_timeout_s: float = setting(
        CONNECT_TIMEOUT,
        CONNECT_TIMEOUT_S,
        "how long connecting may take, TLS included. What bounds the whole is the source's `timeout_s`",
    )
    tls: TlsKeys | None = setting(
        nested(TlsKeys).called("[mapping](integrations.md#tls)"),
        None,
        "how the server proves who it is, with `rediss://`",
        usual="the system's authorities",
    )

    def check(self, section: Section, what: str) -> None:
        """Note what cannot work together."""
        IntegrationKeys.check(self, section, what)
        check_paths(section, self.models)
        check_keys(section, self.models)
        if importlib.util.find_spec("redis") is None:
            section.note("provider", "'provider: redis' needs the Python package redis", _INSTALL)
        if self.address is None or self.address.scheme == "redis":
            refuse_tls(section, "redis://", "rediss://")
        if self.user and not section.has("password"):
            section.note("user", "'user' has no 'password'", "add password: '${REDIS_PASSWORD}'")


def read_settings(section: Section, name: str, folder: Path | None = None) -> RedisSettings:
    """Read an integration's file whole."""
    keys = read(section, RedisKeys, f"the integration '{name}'")
    place = folder_of(section, folder)
    address = server_at(section, keys.address, "rediss", keys.tls, keys.connect_timeout_s, place)
    return RedisSettings(address, keys.user, keys.password, keys.database, keys.value, keys_of(keys.keys))


def open_redis(name: str, settings: RedisSettings, models: Mapping[str, Model], region: str, clock: Clock) -> Provider:
    """Return the provider of a Redis. It connects at the first look-up."""
    return KeyedProvider(name, settings.keys, models, RedisStore(name, settings))


class RedisStore:
    """Reads hashes, or JSON; under one key of JSON there may be several records."""

    def __init__(self, name: str, settings: RedisSettings) -> None:
        self._name, self._settings = name, settings
        self._client = _client(settings)

    async def read(self, key: str) -> Json:
        """Return the fields of a hash, or what the JSON under the key holds; None when there is no such key."""
        if self._settings.value == "hash":
            found = await self._ask(self._client.hgetall(key))
            return {_text(name): _text(value) for name, value in found.items()} or None
        text = await self._ask(self._client.get(key))
        try:
            body = text.encode() if isinstance(text, str) else text
            return None if body is None else await aside(len(body), partial(read_declared_json, body))
        except ValueError as error:
            raise ProviderMisread(f"{self._name}: {error}") from None

    async def _ask(self, answer: Awaitable[T]) -> T:
        from redis.exceptions import RedisError

        try:
            return await answer
        except (RedisError, OSError) as error:
            found = _translated(self._name, error)
            if isinstance(found, ProviderUnreachable):  # the server has gone, and every kept connection with it
                await self._client.connection_pool.disconnect(inuse_connections=False)
            raise found from None

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose(close_connection_pool=True)


def _client(settings: RedisSettings) -> Redis:
    """Return a client that tries once: what is tried again, and when, is decided above."""
    from redis.asyncio import Connection, ConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    address = settings.address
    kind: type[AbstractConnection] = Connection if address.tls is None else _within(address.tls)
    # A pool of our own: the client's would build TLS contexts, and try again behind our back.
    pool = ConnectionPool(
        connection_class=kind,
        host=address.host,
        port=address.port,
        db=settings.database,
        username=settings.user or None,
        password=settings.password or None,
        protocol=2,  # HELLO is not allowed to a user who may only read
        driver_info=None,  # and neither is CLIENT
        retry=Retry(NoBackoff(), 0),
        socket_timeout=None,  # a look-up is cancelled by its source's own time
        socket_connect_timeout=address.timeout_s,
        socket_keepalive=True,
    )
    return Redis(connection_pool=pool)


def _within(context: ssl.SSLContext) -> type[AbstractConnection]:
    """Return the kind of connection that speaks TLS with our context; the library would build one of its own."""
    from redis.asyncio import SSLConnection

    class HashField(SSLConnection):
        def __init__(self, **words: Any) -> None:
            super().__init__(**words)
            self.ssl_context.context = context

    return HashField


def _translated(name: str, error: RedisError | OSError) -> ProviderError:
    """Say in words what went wrong. The server's own text is not repeated: it may hold the key."""
    from redis import exceptions as redis

    # A refused log-in is a ConnectionError as well: the narrow kinds are asked for first.
    if isinstance(error, (redis.AuthenticationError, redis.AuthorizationError)):
        return ProviderRefused(f"{name}: the server refused the user or the password")
    if isinstance(error, redis.AuthenticationWrongNumberOfArgsError):
        return ProviderRefused(f"{name}: the server knows no users: remove 'user'")
    if isinstance(error, redis.NoPermissionError):
        return ProviderRefused(f"{name}: the user may not read this key", theirs=True)
    # A server that has just been started: it is worth waiting for, unlike the rest.
    if isinstance(error, redis.BusyLoadingError):
        return ProviderUnreachable(f"{name}: the server is still reading its data")
    if isinstance(error.__cause__ or error.__context__, ssl.SSLCertVerificationError):
        return ProviderRefused(f"{name}: the server's certificate is not trusted; look at 'tls'")
    if isinstance(error, (redis.ConnectionError, redis.TimeoutError, OSError)):
        return ProviderUnreachable(f"{name}: the connection cannot be made, or broke before the answer", again=True)
    # The one message that is told apart by its text, which the protocol fixes (RESP, error prefixes).
    if str(error).startswith("WRONGTYPE"):
        return ProviderMisread(f"{name}: what lies under the key is of another kind than 'value' says")
    return ProviderMisread(f"{name}: the server answered with an error")


def _text(raw: bytes | str) -> str:
    return raw if isinstance(raw, str) else raw.decode("utf-8", "replace")


KIND = ProviderKind(read_settings, open_redis, keys=RedisKeys)
