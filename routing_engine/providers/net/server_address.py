"""Where a server is that speaks no HTTP: `SCHEME://HOST:PORT`, and its TLS."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Mapping
from pathlib import Path

from routing_engine.providers.net.http_address import read_tls, tls_context
from routing_engine.providers.net.multiplexed import ServerAddress
from routing_engine.settings.yaml_reader import Section

_ADDRESS = re.compile(r"([a-z]+)://([A-Za-z0-9.\-_]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?/?\Z", re.ASCII)


def read_server(section: Section, folder: Path, plain: tuple[str, int], secure: tuple[str, int]) -> ServerAddress:
    """Take `address`, `connect_timeout_s` and, where the address is one within TLS, `tls`.

    `plain` and `secure` are a scheme and its usual port each.
    """
    example = f"{secure[0]}://{plain[0]}.example.com"
    section.require("address", f"address: {example}")
    text = section.plain("address")
    timeout_s = section.number("connect_timeout_s", 1.5, 0.05, 60)
    found = _parts(text, dict((plain, secure)))
    if found is None:
        if text:
            section.note(
                "address", f"'address' is no address such as {example}:{secure[1]}", "write scheme, host, port"
            )
        return ServerAddress("", 0, None, timeout_s)
    scheme, host, port = found
    return ServerAddress(host, port, read_context(section, folder) if scheme == secure[0] else None, timeout_s)


def _parts(text: str, schemes: Mapping[str, int]) -> tuple[str, str, int] | None:
    found = _ADDRESS.match(text)
    if found is None or found[1] not in schemes:
        return None
    port = int(found[3]) if found[3] else schemes[found[1]]
    return (found[1], found[2].strip("[]"), port) if 0 < port < 65536 else None


def read_context(section: Section, folder: Path) -> ssl.SSLContext:
    """Take `tls`: whether and against which authority the server's certificate is checked."""
    verify, ca = read_tls(section, folder)
    return tls_context(section, verify, ca, None)


def refuse_tls(section: Section, plain: str, secure: str) -> None:
    """Note a `tls` that would do nothing."""
    if section.has("tls"):
        section.take("tls")
        section.note("tls", f"'tls' does nothing with {plain}", f"use {secure}, or remove it")


def is_this_machine(host: str) -> bool:
    """Return whether what is sent to a host never leaves this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
