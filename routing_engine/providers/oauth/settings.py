"""What an operator says about OAuth2 in `auth: {oauth2: ...}`: the app's credentials, and the grant in use."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from yarl import URL

from routing_engine.providers.net.address import HERE, SAFE_ADDRESS
from routing_engine.providers.oauth.plan import GRANTS, OAuthPlan
from routing_engine.settings.spec import read, required, setting
from routing_engine.settings.value_types import ValueType, filled, secret
from routing_engine.settings.yaml_reader import Section, suggest

_FEWEST_BITS = 2048
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
    "client_secret": "'${CRM_CLIENT_SECRET}'",
    "private_key": "{file: /run/secrets/crm.pem}",
    "user": "routing@example.com",
    "username": "routing",
    "password": "'${CRM_PASSWORD}'",
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


_GRANT: ValueType[str] = ValueType(
    lambda value, _: value.text(),
    lambda _: {"enum": [*GRANTS]},
    "one of the description's [grants](#grants), such as `authorization_code`",
)
_WITH_JWT, _WITH_PASSWORD = "**must be there** with `jwt_bearer`", "**must be there** with `password`"


@dataclass(frozen=True, slots=True)
class OAuthAppKeys:
    """One integration's OAuth2 as an operator writes it."""

    client_id: str = required(
        filled(),
        "",
        "the app's id, from the vendor's console",
        example="the id that the vendor's console shows for your app",
    )
    client_secret: str = setting(
        secret(),
        "",
        "the app's secret. Must be there with `client_credentials`; an app without one is a public app, which PKCE "
        "protects",
    )
    grant: str = setting(_GRANT, "", "how the engine proves who it is", usual="its first")
    redirect_url: str = setting(
        filled("address"),
        REDIRECT_URL,
        "where the vendor sends the browser back to; the same as in the vendor's console. One that is not on this "
        "machine makes `login` ask for a paste. Only with `authorization_code`",
    )
    refresh_token: str = setting(
        secret(),
        "",
        "one that you have already; the log-in is then not needed. A changed one counts from then on. Only with "
        "`authorization_code`",
    )
    private_key: str = setting(
        secret(),
        "",
        "an RSA key of 2048 bits or more, PEM, without a password: `{file: /run/secrets/crm.pem}`",
        usual=_WITH_JWT,
    )
    user: str = setting(filled(), "", "for whom the engine acts", usual=_WITH_JWT)
    audience: str = setting(
        filled(), "", "whom the assertion is for. Only with `jwt_bearer`", usual="the token address"
    )
    username: str = setting(filled(), "", "who logs in", usual=_WITH_PASSWORD)
    password: str = setting(secret(), "", "of that user", usual=_WITH_PASSWORD)

    def check(self, section: Section, what: str) -> None:
        """Note an address that no browser can go back to, and a key that cannot sign."""
        if not is_web(self.redirect_url):
            sentence = "'redirect_url' is not an http or https address"
            section.note("redirect_url", sentence, f"the default is {REDIRECT_URL}")
        if self.private_key and not is_signing_key(self.private_key):
            remedy = "give a PEM file without a password"
            section.note("private_key", "'private_key' is not an RSA key of at least 2048 bits", remedy)


@dataclass(frozen=True, slots=True)
class OwnAddressKeys:
    """Addresses of a vendor that an operator may replace, for a sandbox or a test."""

    token_url: str = setting(SAFE_ADDRESS.called("address"), "", "another token address", usual="the description's")
    authorize_url: str = setting(
        SAFE_ADDRESS.called("address"), "", "another page to log in on", usual="the description's"
    )


def filled_plan(plan: OAuthPlan, fill: Callable[[str], str]) -> OAuthPlan:
    """Return a description's plan with its `{settings.NAME}` filled by `fill`."""
    return replace(
        plan,
        token_url=fill(plan.token_url),
        authorize_url=fill(plan.authorize_url),
        scopes={one: tuple(map(fill, scopes)) for one, scopes in plan.scopes.items()},
        authorize=tuple((key, fill(text)) for key, text in plan.authorize),
        token=tuple((key, fill(text)) for key, text in plan.token),
        hosts=tuple(map(fill, plan.hosts)),
    )


def read_oauth(section: Section, plan: OAuthPlan, folder: Path, name: str) -> OAuthSettings:
    """Read `auth: {oauth2: ...}` whole, for a plan whose texts are filled."""
    keys = read(section, OAuthAppKeys, "'oauth2'")
    # Checked against the vendor's grants, which the type does not know.
    grant = keys.grant if keys.grant in plan.grants else plan.grants[0]
    # Empty is "not written": the vendor's first grant.
    if keys.grant not in ("", *plan.grants):
        section.note("grant", f"'grant' cannot be '{keys.grant}'", suggest(keys.grant, plan.grants))
    _check_grant(section, grant)
    _check_addresses(section, plan, grant)
    return OAuthSettings(
        plan,
        keys.client_id,
        keys.client_secret,
        grant,
        keys.redirect_url,
        keys.refresh_token,
        keys.private_key,
        keys.user,
        keys.audience,
        keys.username,
        keys.password,
        folder,
        section.notes.environment(KEY_VARIABLE) or "",
    )


def _check_grant(section: Section, grant: str) -> None:
    for key in _NEEDED.get(grant, ()):
        if not section.has(key):
            section.note(key, f"'{key}' is missing", f"add for example: {key}: {_EXAMPLES[key]}")
    for key, only in _OF_GRANT.items():
        if section.has(key) and only != grant:
            section.note(key, f"'{key}' has no meaning with grant: {grant}", f"remove it, or write grant: {only}")


def _check_addresses(section: Section, plan: OAuthPlan, grant: str) -> None:
    """Note an address to which nobody's secret or browser may be sent."""
    # A setting that is wrong makes both addresses wrong: it has been named itself.
    known = len(section.notes.problems)
    addresses = {"token": plan.token_url, "authorize": plan.authorize_url if grant == "authorization_code" else ""}
    for what, address in addresses.items():
        if address and not is_safe(address) and len(section.notes.problems) == known:
            section.notes.note(
                section.line, f"the {what} address that comes out is no https address", "look at 'settings'"
            )


def is_safe(address: str) -> bool:
    """Return whether a secret may be sent to an address: it has TLS, or leads to this machine."""
    return is_web(address) and (URL(address).scheme == "https" or URL(address).host in HERE)


def is_web(address: str) -> bool:
    """Return whether this is an http or https address with a host and without a user or a fragment."""
    try:
        url = URL(address)
        return url.scheme in ("http", "https") and bool(url.host) and url.user is None and not url.fragment
    except ValueError:
        return False


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
