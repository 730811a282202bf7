"""The section `listeners` of engine.yaml: where the engine listens, and who may connect there."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network
from typing import TypeAlias

from routing_engine.settings.spec import nested, not_yet, required, setting
from routing_engine.settings.value_types import (
    Definitions,
    Schema,
    ValueType,
    WrongValue,
    one_or_more,
    parsed,
    secret,
    text,
)
from routing_engine.settings.yaml_reader import YamlValue

Network: TypeAlias = IPv4Network | IPv6Network

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-_]+):([0-9]{1,5})\Z", re.ASCII)
_MEANWHILE = "let the dialplan call the engine over fastagi"
_NOBODY = ("'allow': nobody may connect", "name the address of your Asterisk, such as 192.0.2.5, or remove 'allow'")


@dataclass(frozen=True, slots=True)
class HostPort:
    """An address, as it is written in one word."""

    host: str
    port: int


def _host_port(text: str) -> HostPort:
    found = _ADDRESS.match(text)
    # Port 0 is allowed: tests take any free one.
    if not found or int(found[2]) > 65535:
        raise ValueError(f"'{text[:80]}' is not an address")
    return HostPort(found[1].strip("[]"), int(found[2]))


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        network = ip_interface(text).network
    except ValueError:
        raise ValueError(f"'{text[:80]}' is neither an address nor a network") from None
    raise WrongValue(f"'{text[:80]}' is an address within a network", f"write {network}, or the address alone")


def host_port_like(example: str) -> ValueType[HostPort]:
    """Return the type of an address of a server; a remedy shows `example`."""
    return parsed(_host_port, "`HOST:PORT`", f"write HOST:PORT, such as {example}", {"type": "string"})


_HOST_PORT = host_port_like("127.0.0.1:4573")
#: An address, or a network.
NETWORK = parsed(_network, "address or network", "write an address, such as 192.0.2.5, or a network: 192.0.2.0/24")
_ALLOW = one_or_more(NETWORK, _NOBODY)
_ALLOW_MEANS = (
    "who may connect, and nobody else: add `127.0.0.1` for tools of this machine. Without it: this machine, or, where "
    "`address` is not one of loopback, everybody"
)
_NOTHING = HostPort("", 0)


@dataclass(frozen=True, slots=True)
class ListenerKeys:
    """A listener as a mapping."""

    address: HostPort = required(_HOST_PORT, _NOTHING, "where it listens", example="0.0.0.0:4573")
    allow: tuple[Network, ...] = setting(
        _ALLOW, (), _ALLOW_MEANS, usual="see there", in_force="reload", example="[192.0.2.5, 198.51.100.0/24]"
    )


@dataclass(frozen=True, slots=True)
class FastagiKeys(ListenerKeys):
    """The FastAGI listener as a mapping."""

    secret: str = setting(
        secret(shortest=1, remedy="make one with: openssl rand -hex 32"),
        "",
        "a word that Asterisk must send: `agi://HOST:4573/ROUTE?key=...`. The dialplan takes it from its global "
        "variable `ROUTING_ENGINE_SECRET`",
        in_force="reload",
        example="'${AGI_SECRET}'",
    )


@dataclass(frozen=True, slots=True)
class CertificateKeys:
    """What a listener proves itself with. The files are looked at every half minute, and taken when they are others."""

    certificate: str = required(
        text(),
        "",
        "PEM, relative to the configuration folder: the certificate, then those that signed it",
        example="/etc/letsencrypt/live/calls.example.com/fullchain.pem",
    )
    key: str = required(
        text(),
        "",
        "PEM: its key, without a password. The engine's user must be able to read it",
        example="/etc/letsencrypt/live/calls.example.com/privkey.pem",
    )


@dataclass(frozen=True, slots=True)
class HttpListenerKeys(ListenerKeys):
    """The listener `http` as a mapping."""

    tls: CertificateKeys | None = setting(
        nested(CertificateKeys).called("[mapping](#tls)"),
        None,
        "speak TLS, with this certificate",
        usual="plain HTTP",
        in_force="restart; the files within half a minute",
    )

    proxies: tuple[Network, ...] = setting(
        one_or_more(NETWORK),
        (),
        "proxies before this listener: what they say of where a request comes from (`X-Forwarded-For`, "
        "`X-Forwarded-Proto`) is believed. One on this machine needs not be named",
        in_force="reload",
        example="[10.0.0.5]",
    )


@dataclass(frozen=True, slots=True)
class ListenerAddress:
    """Where a listener listens, and who may connect. Port 0 takes any free one.

    `allow` None leaves it to the address: one of loopback is for this machine, another one for everybody. `secret` ""
    asks for none. `proxies` are believed. `tls` None is plain.
    """

    host: str
    port: int
    allow: tuple[Network, ...] | None = None
    secret: str = ""
    proxies: tuple[Network, ...] = ()
    tls: CertificateKeys | None = None

    def __repr__(self) -> str:
        """Return all but the secret."""
        return f"ListenerAddress({self.host!r}, {self.port}, allow={self.allow})"


def _listener(keys: ValueType[ListenerKeys], example: str) -> ValueType[ListenerAddress]:
    """Return the type of an address alone, or of a mapping with these keys."""

    alone = host_port_like(example)

    def read(value: YamlValue, usual: str) -> ListenerAddress | None:
        if value.is_mapping:
            found = keys.read(value, usual)
            return None if found is None else _address_of(found)
        place = alone.read(value, usual)
        return None if place is None else ListenerAddress(place.host, place.port)

    def schema(definitions: Definitions) -> Schema:
        return {"anyOf": [alone.schema(definitions), keys.schema(definitions)]}

    return ValueType(read, schema, "`HOST:PORT`, or [mapping](#who-may-connect)")


def _address_of(keys: ListenerKeys) -> ListenerAddress:
    word = keys.secret if isinstance(keys, FastagiKeys) else ""
    place = ListenerAddress(keys.address.host, keys.address.port, keys.allow or None, word)
    return replace(place, proxies=keys.proxies, tls=keys.tls) if isinstance(keys, HttpListenerKeys) else place


FASTAGI = ListenerAddress("127.0.0.1", 4573)
#: Port 4573 is that of FreePBX's own FastAGI server, which its ring groups, follow-me and queue log-ins ask.
FREEPBX_FASTAGI = ListenerAddress("127.0.0.1", 4583)
TAKEN_BY_FREEPBX = (
    "port 4573 belongs to FreePBX's own FastAGI server: with the engine there FreePBX's ring groups ring nobody",
    "write listeners: {fastagi: 127.0.0.1:4583}, and ROUTING_ENGINE_1=127.0.0.1:4583 in globals_custom.conf",
)

#: Remarks on a listener that others reach.
IN_THE_CLEAR = (
    "whoever is in between reads the keys and the calls: this listener speaks no TLS",
    "write tls: {certificate: FILE, key: FILE}, or let it listen on 127.0.0.1 behind a proxy that speaks TLS",
)
OPEN_TO_ALL = (
    "everybody who reaches this FastAGI listener reads records: what the rules set for any caller he names",
    "write fastagi: {address: HOST:PORT, allow: [the address of your Asterisk]}, or a secret",
)
SEEN_BY_ALL = (
    "everybody who reaches this listener reads the engine's figures",
    "write metrics: {address: HOST:PORT, allow: [the address of your Prometheus]}",
)


@dataclass(frozen=True, slots=True)
class Listeners:
    """Where the engine listens; None is not opened."""

    fastagi: ListenerAddress | None = setting(
        _listener(nested(FastagiKeys), "127.0.0.1:4573"),
        None,
        "where FastAGI listens. `0.0.0.0` and `[::]` are every address: say [who may connect](#who-may-connect), "
        "because whoever does reads what your rules tell of any caller",
        usual="not opened when the section is there",
        example="127.0.0.1:4573",
    )
    metrics: ListenerAddress | None = setting(
        _listener(nested(ListenerKeys), "127.0.0.1:9473"),
        None,
        "where Prometheus finds the engine's figures. Say [who may connect](#who-may-connect) where it is not "
        "loopback. [What it tells](metrics.md)",
        usual="not opened",
        example="127.0.0.1:9473",
    )
    http: ListenerAddress | None = setting(
        _listener(nested(HttpListenerKeys), "127.0.0.1:8473"),
        None,
        "where programs find the [API](api.md), and people the pages. Let it [speak TLS](#tls), or a proxy before it",
        usual="not opened",
        example="127.0.0.1:8473",
    )
    ari: str = not_yet(_MEANWHILE)

    @property
    def take_calls(self) -> bool:
        """Whether calls come here to be routed: a hub without a PBX of its own has programs, people and edges only."""
        return self.fastagi is not None or self.http is None

    @property
    def places(self) -> tuple[tuple[str, int, bool] | None, ...]:
        """What of them only a restart changes."""
        every = (self.fastagi, self.metrics, self.http)
        return tuple(None if one is None else (one.host, one.port, one.tls is not None) for one in every)
