"""What a description says about a vendor's OAuth2: addresses, scopes, grants, and what comes with a token."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

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
