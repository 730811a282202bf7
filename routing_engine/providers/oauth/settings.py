"""OAuth2 as it is written in YAML: what a description says of a vendor, and what an operator adds.

`OAuthPlan` is the vendor's part: addresses, scopes, grants, and what comes with a token. `OAuthSettings` is one
integration's: the plan with every text filled, the app's credentials, and the grant in use.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import yaml
from yarl import URL

from routing_engine.settings.yaml_reader import Section, section_of, suggest, text_of

#: What proves who we are; only the first needs a person (RFC 6749 4.1, 4.4, RFC 7523, RFC 6749 4.3).
GRANTS = ("authorization_code", "client_credentials", "jwt_bearer", "password")
#: Grants that send scopes when `scopes` is one list for all. A signed assertion has them in the app's own settings.
_SCOPED = ("authorization_code", "client_credentials", "password")
#: What the log-in itself sends to the vendor's page and to the token address.
_OURS = frozenset(
    {"response_type", "client_id", "redirect_uri", "state", "scope", "code_challenge", "code_challenge_method"}
)
_OURS_TOKEN = frozenset({"grant_type", "client_id", "code", "redirect_uri", "code_verifier", "refresh_token", "scope"})
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_HOST = re.compile(r"(\*\.)?[A-Za-z0-9{][A-Za-z0-9.{}_-]*\Z")
_FEWEST_BITS = 2048
_NEVER_CAPTURED = ("access_token", "refresh_token")

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class OAuthPlan:
    """A vendor's OAuth2. Texts may hold `{settings.NAME}` until `read_oauth` has filled them.

    `scopes` are by grant. `capture` maps our value's name to the member of the token answer, and `hosts` are the only
    ones that a captured address may lead to. `lifetime_s` holds where the answer tells none (None: until a 401).
    `revoked` are the error codes after which a person must log in again, `throttled` those that ask to wait.
    """

    token_url: str
    authorize_url: str = ""
    scopes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scope_separator: str = " "
    authorize: Pairs = ()
    token: Pairs = ()
    pkce: bool = True
    client_in: str = "header"
    body: str = "form"
    grants: tuple[str, ...] = GRANTS[:1]
    capture: Pairs = ()
    hosts: tuple[str, ...] = ()
    lifetime_s: float | None = None
    revoked: tuple[str, ...] = ("invalid_grant",)
    throttled: tuple[str, ...] = ("slow_down",)


def read_plan(section: Section) -> OAuthPlan:
    """Take and close the keys of a description's `oauth2`; every problem is noted."""
    section.require("token_url", "token_url: https://login.example.com/oauth2/token")
    grants = _read_grants(section)
    lifetime_s = section.number("lifetime_s", 0, 1, 10**9, "none: a token is used until it is refused")
    usual = OAuthPlan("")
    plan = OAuthPlan(
        token_url=section.text("token_url"),
        authorize_url=section.text("authorize_url"),
        scopes=_read_scopes(section),
        scope_separator=section.text("scope_separator", usual.scope_separator),
        authorize=_read_pairs(section, "authorize", _OURS),
        token=_read_pairs(section, "token", _OURS_TOKEN),
        pkce=section.flag("pkce", usual.pkce),
        client_in=section.choice("client_in", ("header", "body"), usual.client_in),
        body=section.choice("body", ("form", "json"), usual.body),
        grants=grants,
        capture=_read_capture(section),
        hosts=read_hosts(section),
        lifetime_s=lifetime_s or None,
        revoked=section.texts("revoked") or usual.revoked,
        throttled=section.texts("throttled") or usual.throttled,
    )
    if GRANTS[0] in grants and not section.has("authorize_url"):
        section.require("authorize_url", "authorize_url: https://login.example.com/oauth2/authorize")
    section.close("'oauth2'")
    return plan


def _read_grants(section: Section) -> tuple[str, ...]:
    found = section.texts("grants")
    for grant in found:
        if grant not in GRANTS:
            section.note("grants", f"'grants' cannot be '{grant}'", suggest(grant, GRANTS))
    return tuple(grant for grant in dict.fromkeys(found) if grant in GRANTS) or GRANTS[:1]


def _read_scopes(section: Section) -> Mapping[str, tuple[str, ...]]:
    """Take one list for all grants, or a mapping of grants to lists."""
    node = section.take("scopes")
    if not isinstance(node, yaml.MappingNode):
        scopes = section.texts("scopes")
        return dict.fromkeys(_SCOPED, scopes) if scopes else {}
    by_grant = section_of(node, section.notes, "'scopes'")
    if by_grant is None:
        return {}
    found = {grant: by_grant.texts(grant) for grant in GRANTS}
    by_grant.close("'scopes'")
    return found


def _read_pairs(section: Section, key: str, ours: frozenset[str]) -> Pairs:
    """Take further parameters of a request; those that the log-in sends itself cannot be among them."""
    given = section.section(key)
    if given is None:
        return ()
    for name in given.names():
        if name in ours:
            given.note(name, f"'{key}' cannot set '{name}'", "the log-in sends it itself; remove it here")
    return tuple((name, given.text(name)) for name in given.names())


def _read_capture(section: Section) -> Pairs:
    capture = section.section("capture")
    if capture is None:
        return ()
    pairs = []
    for name in capture.names():
        node = capture.take(name)
        member = None if node is None else text_of(node, capture.notes, f"'{name}'")
        if not _NAME.match(name) or name in _NEVER_CAPTURED:
            capture.note(name, f"a captured value cannot be called '{name}'", "write for example instance_url")
        elif member is not None:
            pairs.append((name, member))
    return tuple(pairs)


def read_hosts(section: Section) -> tuple[str, ...]:
    """Take `hosts`: the only ones that a captured address may lead to."""
    hosts = section.texts("hosts")
    for host in hosts:
        if not _HOST.match(host):
            section.note("hosts", f"'{host}' is no host", "write hosts: ['*.example.com'], without https:// and paths")
    return hosts


#: Where the vendor sends the person's browser back to. Vendors' consoles accept `localhost` more often than 127.0.0.1.
PORT = 8573
REDIRECT_URL = f"http://localhost:{PORT}/callback"
#: The environment variable with the key that tokens are encrypted with.
KEY_VARIABLE = "ROUTING_ENGINE_KEY"
#: Keys that mean something with one grant only.
_OF_GRANT = {
    "redirect_url": "authorization_code",
    "refresh_token": "authorization_code",
    "private_key": "jwt_bearer",
    "user": "jwt_bearer",
    "audience": "jwt_bearer",
    "username": "password",
    "password": "password",
}
_EXAMPLES = {
    "client_secret": "client_secret: '${CRM_CLIENT_SECRET}'",
    "private_key": "private_key: {file: /run/secrets/crm.pem}",
    "user": "user: routing@example.com",
    "username": "username: routing",
    "password": "password: '${CRM_PASSWORD}'",
}
_NEEDED = {
    "client_credentials": ("client_secret",),
    "jwt_bearer": ("private_key", "user"),
    "password": ("username", "password"),
}


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """One integration's OAuth2: the vendor's plan with every text filled, and the operator's credentials.

    `folder` is the configuration folder, which tells where tokens are kept; None keeps them in memory only.
    `key` is what `ROUTING_ENGINE_KEY` held, "" when it is not set.
    """

    plan: OAuthPlan
    client_id: str
    client_secret: str = field(default="", repr=False)
    grant: str = "authorization_code"
    redirect_url: str = REDIRECT_URL
    refresh_token: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    user: str = field(default="", repr=False)
    audience: str = ""
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    folder: Path | None = None
    key: str = field(default="", repr=False)

    @property
    def by_person(self) -> bool:
        """Whether only a person can log in (again)."""
        return self.grant == "authorization_code"


@runtime_checkable
class MayLogIn(Protocol):
    """What a provider's settings keep when an integration of it may log in with OAuth2."""

    @property
    def oauth(self) -> OAuthSettings | None:
        """The OAuth2 in use; None when there is none."""

    @property
    def tls(self) -> ssl.SSLContext | None:
        """How the servers' certificates are checked; None is against the system's authorities."""


def read_oauth(section: Section, plan: OAuthPlan, fill: Callable[[str], str], folder: Path, name: str) -> OAuthSettings:
    """Take and close the keys of `auth: {oauth2: ...}`; `fill` fills `{settings.NAME}` in the plan's texts."""
    grant = section.choice("grant", plan.grants, plan.grants[0])
    _check_grant(section, grant)
    section.require("client_id", "client_id: the id that the vendor's console shows for your app")
    found = OAuthSettings(
        plan=_filled(section, plan, fill, grant),
        client_id=section.plain("client_id"),
        client_secret=section.secret("client_secret"),
        grant=grant,
        redirect_url=section.plain("redirect_url", REDIRECT_URL),
        refresh_token=section.secret("refresh_token"),
        private_key=section.secret("private_key"),
        user=section.plain("user"),
        audience=section.plain("audience"),
        username=section.plain("username"),
        password=section.secret("password"),
        folder=folder,
        key=section.notes.environment(KEY_VARIABLE) or "",
    )
    _check_redirect(section, found.redirect_url)
    _check_key(section, found.private_key)
    section.close("'oauth2'")
    return found


def _check_grant(section: Section, grant: str) -> None:
    for key in _NEEDED.get(grant, ()):
        section.require(key, _EXAMPLES[key])
    for key, only in _OF_GRANT.items():
        if section.has(key) and only != grant:
            section.note(key, f"'{key}' has no meaning with grant: {grant}", f"remove it, or write grant: {only}")


def _filled(section: Section, plan: OAuthPlan, fill: Callable[[str], str], grant: str) -> OAuthPlan:
    found = replace(
        plan,
        token_url=fill(plan.token_url),
        authorize_url=fill(plan.authorize_url),
        scopes={one: tuple(map(fill, scopes)) for one, scopes in plan.scopes.items()},
        authorize=tuple((key, fill(text)) for key, text in plan.authorize),
        token=tuple((key, fill(text)) for key, text in plan.token),
        hosts=tuple(map(fill, plan.hosts)),
    )
    known = len(section.notes.problems)
    addresses: Mapping[str, str] = {"token": found.token_url} | (
        {"authorize": found.authorize_url} if grant == "authorization_code" else {}
    )
    for what, address in addresses.items():
        if address and not is_web(address) and len(section.notes.problems) == known:
            section.notes.note(
                section.line, f"the {what} address that comes out is no https address", "look at 'settings'"
            )
    return found


def is_web(address: str) -> bool:
    """Return whether this is an http or https address with a host and without a user or a fragment."""
    try:
        url = URL(address)
        return url.scheme in ("http", "https") and bool(url.host) and url.user is None and not url.fragment
    except ValueError:
        return False


def _check_redirect(section: Section, address: str) -> None:
    if not is_web(address):
        section.note("redirect_url", "'redirect_url' is no http or https address", f"the default is {REDIRECT_URL}")


def _check_key(section: Section, pem: str) -> None:
    if pem and not is_signing_key(pem):
        remedy = "give a PEM file without a password"
        section.note("private_key", "'private_key' is no RSA key of at least 2048 bits", remedy)


def is_signing_key(pem: str) -> bool:
    """Return whether a PEM text is an RSA key that can sign: without a password, and of 2048 bits at least."""
    # late: few sites sign anything, and the import takes as long as the rest of a command
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return isinstance(key, RSAPrivateKey) and key.key_size >= _FEWEST_BITS
