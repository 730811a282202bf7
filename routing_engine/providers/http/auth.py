"""How the `http` provider proves who it is: read from YAML, and put on requests.

All that is the same for every request is built when the configuration is read: `HttpAuth.headers` and `HttpAuth.query`.
Only a signature, and a token that runs out, are work for each request.
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from routing_engine.providers.net.address import config_file, read_address
from routing_engine.providers.oauth.settings import OAuthPlan, OAuthSettings
from routing_engine.settings.yaml_reader import Section, section_of

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]+\Z")
_SECRET_NAME = re.compile(r"authorization|cookie|key|token|secret|password|signature", re.I)
#: Headers that carry the protocol itself; the contract settles them.
_OURS = frozenset(
    {"accept", "content-type", "content-length", "transfer-encoding", "connection", "host", "expect", "upgrade", "te"}
)
#: RFC 6749 leaves the lifetime to the server's documentation when the answer has none.
_LIFETIME_S = 300.0
_EXCLUSIVE = ("basic", "bearer", "oauth2")

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """Mutual TLS: our certificate and its key (PEM); `ca` signed the server's (None: the system's)."""

    certificate: Path
    key: Path
    ca: Path | None


@dataclass(frozen=True, slots=True)
class RequestSigner:
    """An HMAC signature over `TIMESTAMP.PAYLOAD`, in lower-case hexadecimal digits.

    `TIMESTAMP` is the time in whole seconds since 1970, sent in `timestamp_header`. `PAYLOAD` is, byte for byte,
    the body of a POST, or of a GET all that stands behind the `?` in the request line.
    """

    secret: bytes = field(repr=False)
    header: str = "X-Signature"
    timestamp_header: str = "X-Timestamp"
    algorithm: str = "sha256"

    def sign(self, payload: bytes, at: float) -> dict[str, str]:
        """Return the two headers for a payload sent at the Unix time `at`."""
        stamp = str(int(at))
        signature = hmac.new(self.secret, stamp.encode() + b"." + payload, self.algorithm)
        return {self.timestamp_header: stamp, self.header: signature.hexdigest()}


@dataclass(frozen=True, slots=True)
class HttpAuth:
    """All that `auth:` says. `headers` and `query` go with every request as they are."""

    headers: Pairs = field(default=(), repr=False)
    query: Pairs = field(default=(), repr=False)
    signer: RequestSigner | None = None
    oauth: OAuthSettings | None = None
    certificate: ClientCertificate | None = None
    way: str = "none"


def read_auth(settings: Section, folder: Path) -> HttpAuth:
    """Take `auth`: one of basic, bearer and oauth2 at most; api_key, headers, hmac and mtls go with each of them."""
    node = settings.take("auth")
    if node is None or (isinstance(node, yaml.ScalarNode) and node.value == "none"):
        return HttpAuth()
    section = section_of(node, settings.notes, "'auth'")
    if section is None:
        return HttpAuth()
    key, in_query = _read_api_key(section)
    headers = (*_read_basic(section), *_read_bearer(section), *(() if in_query else key), *_read_headers(section))
    auth = HttpAuth(
        headers,
        key if in_query else (),
        _read_signer(section),
        _read_oauth(section),
        _read_certificate(section, folder),
        " and ".join(section.names()),
    )
    _close(section, headers)
    return auth


def _close(section: Section, headers: Pairs) -> None:
    section.close("'auth'")
    chosen = [name for name in _EXCLUSIVE if section.has(name)]
    if len(chosen) > 1:
        section.note(chosen[1], f"'auth' has {' and '.join(chosen)} at once", "keep one of them")
    names = [name.lower() for name, _ in headers] + ["authorization"] * section.has("oauth2")
    for name in sorted({name for name in names if names.count(name) > 1}):
        section.notes.note(section.line, f"'auth' sets the header '{name}' twice", "keep one of them")


def _read_basic(section: Section) -> Pairs:
    basic = section.section("basic")
    if basic is None:
        return ()
    basic.require("user", "user: routing")
    basic.require("password", "password: '${ERP_PASSWORD}'")
    user, password = basic.plain("user"), basic.secret("password")
    if ":" in user:
        basic.note("user", "the user of basic authentication holds a colon", "RFC 7617 does not allow one")
    basic.close("'basic'")
    return (("Authorization", basic_credentials(user, password)),)


def basic_credentials(user: str, password: str) -> str:
    """Return the value of an `Authorization` header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _read_bearer(section: Section) -> Pairs:
    if not section.has("bearer"):
        section.take("bearer")
        return ()
    return _header(section, "bearer", "Authorization", section.secret("bearer"), "Bearer ")


def _header(section: Section, key: str, name: str, value: str, before: str = "") -> Pairs:
    """Return one header, checked against line breaks and whatever else would end it; the value is never shown."""
    if not _HEADER_NAME.match(name) or name.lower() in _OURS:
        section.note(key, f"the header '{name}' cannot be set", "choose another name")
    elif value and not _HEADER_VALUE.match(value):
        section.note(key, f"the value of the header '{name}' cannot be sent", "remove line breaks and non-ASCII")
    return ((name, before + value),)


def _read_api_key(section: Section) -> tuple[Pairs, bool]:
    api_key = section.section("api_key")
    if api_key is None:
        return (), False
    api_key.require("name", "name: X-Api-Key")
    api_key.require("value", "value: '${ERP_KEY}'")
    name, value = api_key.text("name"), api_key.secret("value")
    in_query = api_key.choice("in", ("header", "query"), "header") == "query"
    api_key.close("'api_key'")
    if in_query or not name:
        return ((name, value),), in_query
    return _header(api_key, "name", name, value), False


def _read_headers(section: Section) -> Pairs:
    headers = section.section("headers")
    if headers is None:
        return ()
    pairs: Pairs = ()
    for name in headers.names():
        node = headers.take(name)
        secret = _SECRET_NAME.search(name) or isinstance(node, yaml.MappingNode)
        pairs += _header(headers, name, name, headers.secret(name) if secret else headers.plain(name))
    return pairs


def _read_signer(section: Section) -> RequestSigner | None:
    signer = section.section("hmac")
    if signer is None:
        return None
    signer.require("secret", "secret: '${ERP_HMAC}'")
    header, stamp = signer.text("header", "X-Signature"), signer.text("timestamp_header", "X-Timestamp")
    _header(signer, "header", header, "")
    _header(signer, "timestamp_header", stamp, "")
    algorithm = signer.choice("algorithm", ("sha256", "sha384", "sha512"), "sha256")
    found = RequestSigner(signer.secret("secret").encode(), header, stamp, algorithm)
    signer.close("'hmac'")
    return found


def _read_oauth(section: Section) -> OAuthSettings | None:
    """Take `oauth2`: client credentials (RFC 6749, 4.4), in the form instead of by Basic where that is wanted (2.3.1).

    Without a folder, so the token stays in memory: a new one costs one request.
    """
    oauth = section.section("oauth2")
    if oauth is None:
        return None
    oauth.require("token_url", "token_url: https://login.example.com/oauth2/token")
    oauth.require("client_id", "client_id: routing-engine")
    oauth.require("client_secret", "client_secret: '${ERP_CLIENT_SECRET}'")
    grant, scope = "client_credentials", oauth.text("scope")
    plan = OAuthPlan(
        read_address(oauth, "token_url"),
        scopes={grant: (scope,)} if scope else {},
        client_in=oauth.choice("credentials_in", ("header", "body"), "header"),
        grants=(grant,),
        lifetime_s=_LIFETIME_S,
    )
    found = OAuthSettings(plan, oauth.plain("client_id"), oauth.secret("client_secret"), grant)
    oauth.close("'oauth2'")
    return found


def _read_certificate(section: Section, folder: Path) -> ClientCertificate | None:
    mtls = section.section("mtls")
    if mtls is None:
        return None
    mtls.require("certificate", "certificate: tls/engine.pem")
    mtls.require("key", "key: tls/engine.key")
    certificate, key = config_file(mtls, "certificate", folder), config_file(mtls, "key", folder)
    ca = config_file(mtls, "ca", folder)
    mtls.close("'mtls'")
    return ClientCertificate(certificate, key, ca) if certificate and key else None
