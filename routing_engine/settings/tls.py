"""How a server proves who it is, and how long connecting may take: keys of whatever connects to one."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from routing_engine.settings.integration import FILE, config_file
from routing_engine.settings.spec import setting
from routing_engine.settings.value_types import flag, number
from routing_engine.settings.yaml_reader import Section, YamlValue

#: How long connecting may take, and what it is until somebody says otherwise.
CONNECT_TIMEOUT, CONNECT_TIMEOUT_S = number(0.05, 60, "seconds"), 1.5


def is_this_machine(host: str) -> bool:
    """Return whether what is sent to a host never leaves this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@dataclass(frozen=True, slots=True)
class TlsKeys:
    """How a server proves who it is."""

    verify: bool = setting(flag(), True, "false accepts any certificate: for a test, not for customers' data")
    ca: YamlValue | None = setting(
        FILE,
        None,
        "PEM, relative to the configuration folder: who signed the server's certificate",
        usual="the system's",
    )


def tls_context(
    section: Section, tls: TlsKeys | None, folder: Path, own: tuple[Path, Path] | None = None, ca: Path | None = None
) -> ssl.SSLContext:
    """Build the TLS context once, when the configuration is read; files that are no certificates are noted.

    `own` are our certificate and its key; `ca` goes before that of `tls`. Problems stand at `tls` of the section.
    """
    try:
        context = ssl.create_default_context(cafile=ca or authority_of(tls, folder))
        if own is not None:
            context.load_cert_chain(*own, password=_no_password)
    except (OSError, ValueError, TypeError):
        section.note("tls", "a certificate or key cannot be used", "give PEM files, the key without a password")
        return ssl.create_default_context()
    if tls is not None and not tls.verify:
        sentence = "'verify: false' takes any certificate: whoever is in between reads all, secrets too"
        section.notes.remark(section.line_of("tls"), sentence, "write ca: FILE, who signed the server's certificate")
        # In this order: Python refuses to drop the check of certificates while it checks names.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def authority_of(tls: TlsKeys | None, folder: Path) -> Path | None:
    """Return the file of who signed the server's certificate; None for the system's authorities."""
    return None if tls is None else config_file(tls.ca, folder)


def context_or_usual(section: Section, tls: TlsKeys | None, folder: Path) -> ssl.SSLContext | None:
    """Return a TLS context of our own; None where the system's usual one is as good."""
    own = tls is not None and (not tls.verify or authority_of(tls, folder) is not None)
    return tls_context(section, tls, folder) if own else None


def _no_password() -> str:
    """Without this OpenSSL would ask on the terminal for the password of an encrypted key."""
    return ""


def refuse_tls(section: Section, plain: str, secure: str) -> None:
    """Note a `tls` that would do nothing."""
    if section.has("tls"):
        section.note("tls", f"'tls' does nothing with {plain}", f"use {secure}, or remove it")
