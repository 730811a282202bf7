"""What a description says of a vendor's OAuth2: addresses, scopes, grants, and what comes with a token."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from routing_engine.settings.spec import required, setting
from routing_engine.settings.value_types import (
    ValueType,
    choice,
    flag,
    listed,
    mapping_of,
    matching,
    number,
    one_or_more,
    text,
)
from routing_engine.settings.yaml_reader import Section, YamlValue

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


_SCOPES_OF = one_or_more(text())
_HOSTS_WORDS = "list of hosts; `*.example.com` is all below"
#: The only hosts that a captured address may lead to.
HOSTS = one_or_more(
    matching(_HOST, "'{}' is not a host", "write hosts: ['*.example.com'], without https:// and paths")
).called(_HOSTS_WORDS)


def _read_scopes(value: YamlValue, _: str) -> Mapping[str, tuple[str, ...]] | None:
    """Read one list for all grants, or a mapping of grants to lists."""
    # One list is for every grant that sends scopes.
    if not value.is_mapping:
        scopes = _SCOPES_OF.read(value, "")
        return dict.fromkeys(_SCOPED, scopes) if scopes else {}
    by_grant = value.section()
    if by_grant is None:
        return None
    values = {grant: by_grant.value(grant) for grant in GRANTS}
    found = {grant: () if one is None else _SCOPES_OF.read(one, "") or () for grant, one in values.items()}
    by_grant.close(value.what)
    return found


def _pairs_without(ours: frozenset[str], words: str) -> ValueType[Mapping[str, str]]:
    """Return the type of further parameters of a request; those that the log-in sends itself cannot be among them."""
    of_texts = mapping_of(text())

    def read_pairs(value: YamlValue, usual: str) -> Mapping[str, str] | None:
        section = value.section()
        for name in section.names() if section is not None else ():
            if section is not None and name in ours:
                section.note(name, f"{value.what} cannot set '{name}'", "the log-in sends it itself; remove it here")
        return of_texts.read(value, usual)

    return ValueType(read_pairs, of_texts.schema, words)


_CAPTURED = matching(
    re.compile(rf"(?!({'|'.join(_NEVER_CAPTURED)})\Z){_NAME.pattern}"),
    "a captured value cannot be called '{}'",
    "write for example instance_url",
)


@dataclass(frozen=True, slots=True)
class PlanKeys:
    """A vendor's OAuth2 as a description writes it."""

    token_url: str = required(
        text("address"), "", "where tokens are given out", example="https://login.example.com/oauth2/token"
    )
    authorize_url: str = setting(
        text("address"),
        "",
        "the page on which a person logs in",
        usual="**must be there** with `authorization_code`",
    )
    grants: tuple[str, ...] = setting(
        one_or_more(choice(*GRANTS)).called(f"list of [grants](#grants): {listed(GRANTS)}"),
        GRANTS[:1],
        "those that the vendor has; the first is the default",
        usual="`authorization_code`",
    )
    scopes: Mapping[str, tuple[str, ...]] = setting(
        ValueType(_read_scopes, lambda _: {}, "list, or mapping of grant to list"),
        {},
        "what the app asks for. One list is not sent with `jwt_bearer`, whose scopes are in the app",
    )
    scope_separator: str = setting(text(), " ", "what stands between scopes", usual="a space")
    authorize: Mapping[str, str] = setting(
        _pairs_without(_OURS, "mapping"),
        {},
        "further parameters of the page: `{access_type: offline, prompt: consent}`",
    )
    token: Mapping[str, str] = setting(
        _pairs_without(_OURS_TOKEN, "mapping"), {}, "further parameters of each request to the token address"
    )
    pkce: bool = setting(flag(), True, "whether the log-in is protected with PKCE, S256 (RFC 7636)")
    client_in: str = setting(
        choice("header", "body"),
        "header",
        "where id and secret are sent. An app without a secret says its id in the body",
    )
    body: str = setting(choice("form", "json"), "form", "how requests to the token address are written")
    capture: Mapping[str, str] = setting(
        mapping_of(text(), "'{}'", _CAPTURED).called("mapping, our name to a member of the token's answer"),
        {},
        "values that come with a token, such as the address of the customer's own server; `{auth.NAME}` in the rest of "
        "the description",
    )
    hosts: tuple[str, ...] = setting(HOSTS, (), "the only hosts that a captured address may lead to")
    lifetime_s: float | None = setting(
        number(1, 10**9, "seconds"),
        None,
        "how long a token holds where the answer does not tell",
        usual="none: a token is used until it is refused",
    )
    revoked: tuple[str, ...] = setting(
        one_or_more(text()).called("list of error codes"),
        ("invalid_grant",),
        "those after which a person must log in again",
        usual="`invalid_grant`",
    )
    throttled: tuple[str, ...] = setting(
        one_or_more(text()).called("list of error codes"), ("slow_down",), "those that ask to wait", usual="`slow_down`"
    )

    def check(self, section: Section, what: str) -> None:
        """Note a log-in by a person without a page for it."""
        if GRANTS[0] in (self.grants or GRANTS[:1]) and not section.has("authorize_url"):
            remedy = "add for example: authorize_url: https://login.example.com/oauth2/authorize"
            section.note("authorize_url", "'authorize_url' is missing", remedy)

    @property
    def plan(self) -> OAuthPlan:
        """What it says."""
        usual = OAuthPlan("")
        return OAuthPlan(
            self.token_url,
            self.authorize_url,
            self.scopes,
            self.scope_separator,
            tuple(self.authorize.items()),
            tuple(self.token.items()),
            self.pkce,
            self.client_in,
            self.body,
            # The order counts: the first is the default of every integration.
            tuple(dict.fromkeys(self.grants)) or usual.grants,
            tuple(self.capture.items()),
            self.hosts,
            self.lifetime_s,
            self.revoked or usual.revoked,
            self.throttled or usual.throttled,
        )
