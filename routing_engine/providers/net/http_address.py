"""Addresses and TLS of the `http` provider, as written in YAML."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

from yarl import URL

from routing_engine.providers.files import config_file
from routing_engine.settings.yaml_reader import Section

_PRINTABLE = re.compile(r"[\x21-\x7e]+\Z")
_EXAMPLE = "https://middleware.example.com/routing/customer"


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
