"""What a refusal says that we lack: a scope's name in its body or headers, or that it wants a person to log in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from routing_engine.core.model import Json

#: A scope as vendors write them: `crm.objects.contacts.read`, `https://www.example.com/auth/contacts`.
_SCOPE = re.compile(r"(?!\+?[0-9]{5})[A-Za-z][A-Za-z0-9_.:/\-]{2,80}\Z")
#: RFC 6750, 3: `WWW-Authenticate: Bearer error="insufficient_scope", scope="contacts.read contacts.write"`.
_LACKS = re.compile(r"error\s*=\s*\"?insufficient_scope\b", re.I)
_CHALLENGED = re.compile(r"\bscope\s*=\s*\"([^\"]*)\"", re.I)
_LOG_IN = re.compile(r"log-?_?in|sign-?_?in|/auth(?![a-z])|/sso(?![a-z])|/session", re.I)
_MOST = 5


def lacking(tree: Json, headers: Mapping[str, str]) -> list[str]:
    """Return the scopes that a refusal names, in its headers or else in its body."""
    return _in_headers(headers) or scopes_in(tree)


def _in_headers(headers: Mapping[str, str]) -> list[str]:
    # A header may come more than once, each time with another way to log in.
    told = {name.lower(): value for name, value in headers.items()}
    challenges = ", ".join(value for name, value in headers.items() if name.lower() == "www-authenticate")
    if _LACKS.search(challenges):
        return _scopes(" ".join(_CHALLENGED.findall(challenges)).split())
    # As GitHub and Gitea do it: any of those that are accepted will do.
    accepted = told.get("x-accepted-oauth-scopes", "").replace(",", " ").split()
    have = set(told.get("x-oauth-scopes", "").replace(",", " ").split())
    return _scopes(accepted) if have.isdisjoint(accepted) else []


def scopes_in(tree: Json, deep: int = 6) -> list[str]:
    """Return the scopes that a body names: vendors put them below a member with that word in its name."""
    if deep and isinstance(tree, list):
        return list(dict.fromkeys(scope for one in tree for scope in scopes_in(one, deep - 1)))
    if not deep or not isinstance(tree, dict):
        return []
    named = [value for name, value in tree.items() if "scope" in name.lower()]
    texts = [text for value in named for text in (value if isinstance(value, list) else [value])]
    # RFC 6749, 3.3: several in one text have spaces between them.
    found = [word for text in texts if isinstance(text, str) for word in text.replace(",", " ").split()]
    return _scopes([*_scopes(found), *scopes_in(list(tree.values()), deep - 1)])


def _scopes(words: Iterable[str]) -> list[str]:
    return [word for word in dict.fromkeys(words) if _SCOPE.match(word)][:_MOST]


def to_a_log_in(status: int, headers: Mapping[str, str]) -> str:
    """Return "to a log-in" for a redirect that leads a person there; "" for every other answer."""
    place = next((value for name, value in headers.items() if name.lower() == "location"), "")
    return "to a log-in" if 300 <= status < 400 and _LOG_IN.search(place.partition("?")[0]) else ""
