"""What an operator says about OAuth2 in `auth: {oauth2: ...}`: the app's credentials, and the grant in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from yarl import URL

from routing_engine.providers.oauth.plan import OAuthPlan
from routing_engine.settings.yaml_reader import Section

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
    if not pem:
        return
    from routing_engine.providers.oauth.assertion import load_key  # late: few sites sign anything

    if load_key(pem) is None:
        section.note(
            "private_key", "'private_key' is no RSA key of at least 2048 bits", "give a PEM file without a password"
        )
