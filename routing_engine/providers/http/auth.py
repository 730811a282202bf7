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

from routing_engine.providers.net.address import SAFE_ADDRESS
from routing_engine.providers.oauth.plan import OAuthPlan
from routing_engine.providers.oauth.settings import OAuthSettings
from routing_engine.settings.integration import FILE, config_file
from routing_engine.settings.spec import nested, required, setting
from routing_engine.settings.value_types import ValueType, choice, filled, secret, text
from routing_engine.settings.yaml_reader import Section, YamlValue

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
        # The dot keeps digits of the time from being moved into the payload.
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


# -------------------------------------------------------------------------------------------------- keys


@dataclass(frozen=True, slots=True)
class BasicKeys:
    """User and password (RFC 7617)."""

    user: str = required(filled(), "", "without a colon", example="routing")
    password: str = required(secret(), "", "of that user", example="'${ERP_PASSWORD}'")

    def check(self, section: Section, what: str) -> None:
        """Note a user with a colon: the server would take what follows for the password."""
        if ":" in self.user:
            sentence = "the user of basic authentication holds a colon"
            section.note("user", sentence, "RFC 7617 does not allow one")


@dataclass(frozen=True, slots=True)
class OAuthKeys:
    """Client credentials (RFC 6749, 4.4). The token stays in memory: a new one costs one request."""

    token_url: str = required(
        SAFE_ADDRESS, "", "where tokens are given out", example="https://login.example.com/oauth2/token"
    )
    client_id: str = required(filled(), "", "who the engine is there", example="routing-engine")
    client_secret: str = required(secret(), "", "what proves it", example="'${ERP_CLIENT_SECRET}'")
    scope: str = setting(text(), "", "what the token is to be good for")
    credentials_in: str = setting(choice("header", "body"), "header", "where id and secret are sent")


@dataclass(frozen=True, slots=True)
class ApiKeyKeys:
    """A key in a header or in the query."""

    name: str = required(text(), "", "the header or the parameter", example="X-Api-Key")
    value: str = required(secret(), "", "the key", example="'${ERP_KEY}'")
    in_: str = setting(choice("header", "query"), "header", "a key in a query ends up in other people's logs")

    def check(self, section: Section, what: str) -> None:
        """Note a header that cannot be sent."""
        if self.in_ == "header" and self.name:
            _check_header(section.key("name"), self.name, self.value)


@dataclass(frozen=True, slots=True)
class HmacKeys:
    """A signature for each request."""

    secret: str = required(secret(), "", "what only the two sides know", example="'${ERP_HMAC}'")
    header: str = setting(text(), "X-Signature", "the header of the signature: lower-case hexadecimal digits")
    timestamp_header: str = setting(text(), "X-Timestamp", "the header of the time: seconds since 1970")
    algorithm: str = setting(choice("sha256", "sha384", "sha512"), "sha256", "how it is made")

    def check(self, section: Section, what: str) -> None:
        """Note headers that cannot be sent."""
        _check_header(section.key("header"), self.header, "")
        _check_header(section.key("timestamp_header"), self.timestamp_header, "")


@dataclass(frozen=True, slots=True)
class MtlsKeys:
    """A certificate of ours."""

    certificate: YamlValue | None = required(FILE, None, "ours", example="tls/engine.pem")
    key: YamlValue | None = required(FILE, None, "without a password", example="tls/engine.key")
    ca: YamlValue | None = setting(FILE, None, "who signed the server's", usual="`tls.ca`, else the system's")


def _read_headers(value: YamlValue, _: str) -> Pairs | None:
    section = value.section()
    if section is None:
        return None
    pairs = []
    for name in section.names():
        content = section.value(name)
        # By its name: a plain text in YAML that is a key would end up in a repository.
        is_secret = _SECRET_NAME.search(name) or (content is not None and content.is_mapping)
        header = "" if content is None else (content.secret() if is_secret else content.filled()) or ""
        _check_header(section.key(name), name, header)
        pairs.append((name, header))
    return tuple(pairs)


_HEADERS = ValueType(_read_headers, lambda _: {"type": "object"}, "mapping, name to value", hidden=True)


@dataclass(frozen=True, slots=True)
class AuthKeys:
    """How the engine proves who it is: one of `basic`, `bearer` and `oauth2` at most; the others go with each."""

    basic: BasicKeys | None = setting(
        nested(BasicKeys).called("[mapping](#auth-basic)"), None, "user and password (RFC 7617)"
    )
    bearer: str = setting(secret(), "", "`Authorization: Bearer ...`")
    oauth2: OAuthKeys | None = setting(
        nested(OAuthKeys).called("[mapping](#auth-oauth2)"),
        None,
        "client credentials (RFC 6749, 4.4). The token is fetched once and renewed before it ends",
    )
    api_key: ApiKeyKeys | None = setting(
        nested(ApiKeyKeys).called("[mapping](#auth-api_key)"), None, "a key in a header or in the query"
    )
    headers: Pairs = setting(
        _HEADERS,
        (),
        "free headers. Those whose name says key, token, secret, password, cookie, signature or authorization take a "
        "secret",
    )
    hmac: HmacKeys | None = setting(
        nested(HmacKeys).called("[mapping](#auth-hmac)"), None, "a signature for each request"
    )
    mtls: MtlsKeys | None = setting(nested(MtlsKeys).called("[mapping](#auth-mtls)"), None, "a certificate of ours")

    def check(self, section: Section, what: str) -> None:
        """Note two proofs at once, and a header that would be sent twice."""
        if self.bearer:
            _check_header(section.key("bearer"), "Authorization", self.bearer)
        chosen = [name for name in _EXCLUSIVE if section.has(name)]
        if len(chosen) > 1:
            section.note(chosen[1], f"'auth' has {' and '.join(chosen)} at once", "keep one of them")
        names = [name.lower() for name, _ in self.fixed_headers] + ["authorization"] * (self.oauth2 is not None)
        for name in sorted({name for name in names if names.count(name) > 1}):
            section.notes.note(section.line, f"'auth' sets the header '{name}' twice", "keep one of them")

    @property
    def fixed_headers(self) -> Pairs:
        """Headers that go with every request as they are."""
        basic, bearer, key = self.basic, self.bearer, self.api_key
        return (
            *((("Authorization", basic_credentials(basic.user, basic.password)),) if basic is not None else ()),
            *((("Authorization", "Bearer " + bearer),) if bearer else ()),
            *(((key.name, key.value),) if key is not None and key.in_ == "header" else ()),
            *self.headers,
        )

    @property
    def way(self) -> str:
        """The names of what is used, for people."""
        # For people only, so in the order of the reference and not of the file.
        used = (self.basic, self.bearer, self.oauth2, self.api_key, self.headers, self.hmac, self.mtls)
        names = ("basic", "bearer", "oauth2", "api_key", "headers", "hmac", "mtls")
        return " and ".join(name for name, value in zip(names, used, strict=True) if value) or "none"


def _check_header(place: YamlValue, name: str, value: str) -> None:
    """Note a header with line breaks, or whatever else would end it; the value is never shown."""
    if not _HEADER_NAME.match(name) or name.lower() in _OURS:
        place.note(f"the header '{name}' cannot be set", "choose another name")
    elif value and not _HEADER_VALUE.match(value):
        place.note(f"the value of the header '{name}' cannot be sent", "remove line breaks and non-ASCII")


# ------------------------------------------------------------------------------------- what comes of them


def auth_of(keys: AuthKeys, folder: Path) -> HttpAuth:
    """Return what goes on requests. Certificates are looked for below `folder`; a missing one is noted."""
    key, signer = keys.api_key, keys.hmac
    return HttpAuth(
        keys.fixed_headers,
        ((key.name, key.value),) if key is not None and key.in_ == "query" else (),
        None
        if signer is None
        else RequestSigner(signer.secret.encode(), signer.header, signer.timestamp_header, signer.algorithm),
        None if keys.oauth2 is None else _oauth_of(keys.oauth2),
        None if keys.mtls is None else _certificate_of(keys.mtls, folder),
        keys.way,
    )


def basic_credentials(user: str, password: str) -> str:
    """Return the value of an `Authorization` header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _oauth_of(keys: OAuthKeys) -> OAuthSettings:
    grant = "client_credentials"
    plan = OAuthPlan(
        keys.token_url,
        scopes={grant: (keys.scope,)} if keys.scope else {},
        client_in=keys.credentials_in,
        grants=(grant,),
        # Without it a token would be used until it is refused: a caller would wait for that.
        lifetime_s=_LIFETIME_S,
    )
    return OAuthSettings(plan, keys.client_id, keys.client_secret, grant)


def _certificate_of(keys: MtlsKeys, folder: Path) -> ClientCertificate | None:
    certificate, key = config_file(keys.certificate, folder), config_file(keys.key, folder)
    ca = config_file(keys.ca, folder)
    return ClientCertificate(certificate, key, ca) if certificate and key else None
