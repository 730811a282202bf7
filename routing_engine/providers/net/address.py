"""Where a server is, its TLS, and the files that an integration names: keys that several providers have."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

from routing_engine.settings.yaml_reader import Section

_PRINTABLE = re.compile(r"[\x21-\x7e]+\Z")
_EXAMPLE = "https://middleware.example.com/routing/customer"


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server is, how TLS is spoken from the first byte (None: it is not), and how long connecting may take."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    timeout_s: float


def read_address(section: Section, key: str) -> str:
    """Take an http or https address that is sent as it is written: ASCII, no user in it, no fragment."""
    section.require(key, f"{key}: {_EXAMPLE}")
    text = section.plain(key)
    fault = _fault(text) if text else ""
    if fault:
        section.note(key, f"'{key}' {fault}", f"write an address such as {_EXAMPLE}")
    return text if not fault else ""


def _fault(text: str) -> str:
    """Tell what is wrong with an address; the address itself is not repeated, a secret may stand in it."""
    if not _PRINTABLE.match(text):
        return "holds a space or a character that is not ASCII (percent-encode it, write the host in punycode)"
    try:
        url = URL(text, encoded=True)
        known = url.scheme in ("http", "https") and url.host and (url.port or 0) < 65536
    except ValueError:
        known = False
    if not known:
        return "is no http or https address"
    if url.user is not None or url.password is not None:
        return "holds a user or a password: they belong to auth: {basic: {user, password}}"
    return "ends in a fragment (#), which is never sent" if "#" in text else ""


def read_tls(section: Section, folder: Path) -> tuple[bool, Path | None]:
    """Take `tls`: whether the server's certificate is checked, and against which authority (None: the system's)."""
    tls = section.section("tls")
    if tls is None:
        return True, None
    verify, ca = tls.flag("verify", True), config_file(tls, "ca", folder)
    tls.close("'tls'")
    return verify, ca


def tls_context(section: Section, verify: bool, ca: Path | None, own: tuple[Path, Path] | None) -> ssl.SSLContext:
    """Build the TLS context once, when the configuration is read; files that are no certificates are noted."""
    try:
        context = ssl.create_default_context(cafile=ca)
        if own is not None:
            context.load_cert_chain(*own, password=_no_password)
    except (OSError, ValueError, TypeError):
        section.note("tls", "a certificate or key cannot be used", "give PEM files, the key without a password")
        return ssl.create_default_context()
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _no_password() -> str:
    """Without this OpenSSL would ask on the terminal for the password of an encrypted key."""
    return ""


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


def folder_of(section: Section, folder: Path | None) -> Path:
    """Return the configuration folder: the one that is told, else the one above the folder of the YAML file."""
    return folder if folder is not None else Path(section.notes.file).parent.parent


def config_file(section: Section, key: str, folder: Path) -> Path | None:
    """Take the path of a file, relative to `folder`; None when left out or, as a problem, not there."""
    text = section.text(key)
    if not text:
        return None
    path = folder / text
    if not path.is_file():
        section.note(key, f"the file '{text}' of '{key}' is not there", f"it is looked for at {path.absolute()}")
        return None
    return path
