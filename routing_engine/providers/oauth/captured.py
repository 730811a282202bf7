"""Values that come with a token, such as the address of the customer's own server: taken only where they may lead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from yarl import URL

from routing_engine.errors import ProviderMisread, ProviderRefused
from routing_engine.providers.oauth.plan import OAuthPlan

#: What may be, or may be used as, an address: a scheme, a path, or a name with a dot in it.
_LIKE_AN_ADDRESS = re.compile(r"[^\s@]*(://|[/\\]|\.)")
_BARE_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+\Z")
#: This machine, for tests and tunnels: the one place where an address needs no TLS.
_HERE = frozenset({"127.0.0.1", "localhost"})
_LONGEST = 4096


def read_captured(
    name: str, plan: OAuthPlan, answer: Mapping[str, object], known: Mapping[str, str]
) -> Mapping[str, str]:
    """Return the captured values of a token answer; one that it leaves out stays as it is `known`.

    Raises `ProviderRefused` for an address that is not on the plan's hosts: our credentials would be sent there.
    """
    found = {}
    for ours, theirs in plan.capture:
        raw = answer.get(theirs)
        text = str(raw) if isinstance(raw, str | int) and not isinstance(raw, bool) else known.get(ours, "")
        if not text or len(text) > _LONGEST or not (text.isascii() and text.isprintable()):
            raise ProviderMisread(f"{name}: the token address answered without '{theirs}'")
        if _LIKE_AN_ADDRESS.match(text) and not may_lead_to(text, plan.hosts):
            raise ProviderRefused(f"{name}: '{theirs}' of the token address leads to a host that is not allowed")
        found[ours] = text
    return found


def still_fits(plan: OAuthPlan, values: Mapping[str, str]) -> bool:
    """Return whether values that were captured before are those of this plan, and may still be used."""
    if set(values) != {ours for ours, _ in plan.capture}:
        return False
    return all(not _LIKE_AN_ADDRESS.match(text) or may_lead_to(text, plan.hosts) for text in values.values())


def looks_like_address(text: str) -> bool:
    """Return whether a value may be, or may be used as, an address: it needs a look at the hosts."""
    return _LIKE_AN_ADDRESS.match(text) is not None


def may_lead_to(address: str, hosts: Iterable[str]) -> bool:
    """Return whether an address, or the bare name of a host, is on one of `hosts` (`*.example.com`) and uses TLS."""
    if _BARE_HOST.match(address):
        return _on(address.lower(), hosts)
    try:
        url = URL(address)
        host, port = (url.host or "").lower(), url.port
    except ValueError:
        return False
    if url.user is not None or url.password is not None or "\\" in address or not _on(host, hosts):
        return False
    return (url.scheme == "https" and port == 443) or (host in _HERE and url.scheme in ("http", "https"))


def _on(host: str, hosts: Iterable[str]) -> bool:
    return any(host == one.lower() or (one.startswith("*.") and host.endswith(one[1:].lower())) for one in hosts)
