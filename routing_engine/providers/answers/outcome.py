"""What an answer means, and the error that follows: one table of statuses for every provider that speaks HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from routing_engine.errors import (
    ProviderError,
    ProviderMisread,
    ProviderRefused,
    ProviderThrottled,
    ProviderUnreachable,
)

#: What an answer can mean, and what follows from it.
OUTCOMES: Mapping[str, str] = MappingProxyType(
    {
        "fine": "a good answer after all",
        "no_record": "nobody was found",
        "login": "what proves who we are has run out: it is fetched anew, and the question asked once more",
        "again": "something passed by: asked once more, at once",
        "throttled": "too many requests: nobody asks for `wait_s`, or as long as the answer says",
        "quota": "the day's or the month's share is used up: nobody asks for five minutes",
        "refused": "an administrator must look: a right, an address, a field that is not there",
        "forbidden": "a right is missing: the administrator of the other system must act",
        "down": "the system does not work now",
        "misread": "the answer has an unexpected shape",
    }
)
#: What gateways answer while the system behind them is restarted.
_GATEWAY = frozenset({502, 503, 504})
#: How long a system is left alone that says "too many requests", or that its quota is used up, and not for how long.
_THROTTLED_S, _QUOTA_S = 1.0, 300.0
#: A server that wants longer is asked again after this: it may have been restarted with other limits.
LONGEST_WAIT_S = 300.0


def outcome_of_status(status: int, asks_to_wait: bool) -> str:
    """Return what a status of HTTP means, one of `OUTCOMES`. `asks_to_wait` says that it came with `Retry-After`."""
    if 200 <= status < 300:
        return "no_record" if status == 204 else "fine"
    if status == 401:
        return "login"
    # 503 alone is an outage and feeds the breaker; with a time to wait it is a polite refusal, and does not.
    if status == 429 or (status == 503 and asks_to_wait):
        return "throttled"
    if status in _GATEWAY:
        return "again"
    return "down" if status >= 500 else "refused"


def error_of(outcome: str, who: str, status: int, code: str = "", wait_s: float | None = None) -> ProviderError:
    """Return the error that an outcome is, when it is not a good answer.

    `who` is the integration and what answered, `crm: HubSpot`. `code` is the system's own short word for it; "" when
    it has none, or none that can be shown. `wait_s` is how long it wants to be left alone, None where it does not say.
    """
    said = f"{who} answered with status {status}{f' ({code})' if code else ''}"
    if outcome == "throttled":
        return ProviderThrottled(said, min(_THROTTLED_S if wait_s is None else wait_s, LONGEST_WAIT_S))
    if outcome == "quota":
        return ProviderThrottled(f"{said}: its quota is used up", _QUOTA_S if wait_s is None else wait_s)
    if outcome in ("again", "down"):
        return ProviderUnreachable(said, again=outcome == "again", answered=True)
    if outcome == "misread":
        return ProviderMisread(said)
    if outcome == "forbidden":
        return ProviderRefused(f"{said}: it refused our credentials, a right is missing there", theirs=True)
    if 300 <= status < 400:
        # It would carry the caller's number and our credentials to an address that nobody configured.
        return ProviderRefused(f"{said}: a redirect, which is never followed")
    # 407 comes from a proxy that wants a log-in: that is credentials too.
    ours = outcome == "login" or status in (401, 403, 407)
    # 403: it knows us, and does not let us. Only who administers it can change that.
    return ProviderRefused(f"{said}: it refused {'our credentials' if ours else 'the request'}", theirs=status == 403)
