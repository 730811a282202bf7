"""Where a server is: keys that several providers have."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

from routing_engine.settings.tls import TlsKeys, is_this_machine, tls_context
from routing_engine.settings.value_types import ValueType, whole
from routing_engine.settings.yaml_reader import Section, YamlValue

_PRINTABLE = re.compile(r"[\x21-\x7e]+\Z")
_SERVER = re.compile(r"([a-z]+)://([A-Za-z0-9.\-_]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?/?\Z", re.ASCII)
WEB_EXAMPLE = "https://middleware.example.com/routing/customer"
MIB = 1024 * 1024
#: The key `max_answer_bytes`, which every integration over HTTP has.
MAX_ANSWER = whole(1024, 64 * MIB)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is, as an address says it."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server is, how TLS is spoken from the first byte (None: it is not), and how long connecting may take."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    timeout_s: float


# --------------------------------------------------------------------------------------------- addresses


def _read_web(value: YamlValue, _: str) -> str | None:
    text = value.filled()
    fault = _fault(text) if text else ""
    if fault:
        value.note(f"{value.what} {fault}", f"write an address such as {WEB_EXAMPLE}")
    return None if fault else text


#: An http or https address that is sent as it is written: ASCII, no user in it, no fragment.
WEB_ADDRESS = ValueType(
    _read_web, lambda _: {"type": "string", "pattern": "^(https?://|[$][{])"}, "http or https address"
)


#: This machine: what is sent there crosses no network, and needs no TLS.
HERE = frozenset({"127.0.0.1", "::1", "localhost"})


def _read_safe(value: YamlValue, usual: str) -> str | None:
    found = WEB_ADDRESS.read(value, usual)
    if found and URL(found, encoded=True).scheme != "https" and URL(found, encoded=True).host not in HERE:
        value.note(f"{value.what} would send secrets in the clear", "write https://; http only to 127.0.0.1")
        return None
    return found


#: The same for addresses that secrets are sent to: https, or this machine.
SAFE_ADDRESS = ValueType(_read_safe, WEB_ADDRESS.schema, "https address, or http on this machine")


def _fault(text: str) -> str:
    """Say what is wrong with an address; the address itself is not repeated, a secret may stand in it."""
    if not _PRINTABLE.match(text):
        return "holds a space or a character that is not ASCII (percent-encode it, write the host in punycode)"
    try:
        url = URL(text, encoded=True)
        known = url.scheme in ("http", "https") and url.host and (url.port or 0) < 65536
    except ValueError:
        known = False
    if not known:
        return "is not an http or https address"
    if url.user is not None or url.password is not None:
        return "holds a user or a password: they belong to auth: {basic: {user, password}}"
    return "ends in a fragment (#), which is never sent" if "#" in text else ""


def server_address(plain: tuple[str, int], secure: tuple[str, int]) -> ValueType[Place]:
    """Return the type of `SCHEME://HOST:PORT`. `plain` and `secure` are a scheme and its usual port each."""
    schemes = dict((plain, secure))

    def read_place(value: YamlValue, _: str) -> Place | None:
        text = value.filled()
        found = _place_of(text or "", schemes)
        if text and found is None:
            example = f"{secure[0]}://{plain[0]}.example.com:{secure[1]}"
            value.note(f"{value.what} is not an address such as {example}", "write scheme, host, port")
        if found is not None and found.scheme == plain[0] and not is_this_machine(found.host):
            remark_clear(value, secure[0])
        return found

    schema = {"type": "string", "pattern": f"^({plain[0]}|{secure[0]})://|[$][{{]"}
    return ValueType(read_place, lambda _: schema, f"`{plain[0]}://HOST:PORT` or `{secure[0]}://HOST:PORT`")


def remark_clear(value: YamlValue, secure: str) -> None:
    """Remark that what goes to another machine can be read on the way."""
    sentence = f"{value.what} speaks in the clear to another machine: secrets and numbers can be read on the way"
    value.notes.remark(value.line, sentence, f"write {secure}:// where the other side can")


def remark_clear_web(section: Section, key: str, address: str) -> None:
    """Remark an http address of another machine that secrets are sent to."""
    value = section.value(key)
    if value is not None and address.startswith("http://") and not is_this_machine(URL(address).host or ""):
        remark_clear(value, "https")


def _place_of(text: str, schemes: Mapping[str, int]) -> Place | None:
    found = _SERVER.match(text)
    if found is None or found[1] not in schemes:
        return None
    port = int(found[3]) if found[3] else schemes[found[1]]
    return Place(found[1], found[2].strip("[]"), port) if 0 < port < 65536 else None


def server_at(
    section: Section, place: Place | None, secure: str, tls: TlsKeys | None, timeout_s: float, folder: Path
) -> ServerAddress:
    """Return where to connect, with a TLS context where the scheme of the place is `secure`.

    `place` is None where the address could not be read: then nobody connects, because the problem was noted.
    """
    if place is None:
        return ServerAddress("", 0, None, timeout_s)
    context = tls_context(section, tls, folder) if place.scheme == secure else None
    return ServerAddress(place.host, place.port, context, timeout_s)
