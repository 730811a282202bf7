"""What an answer means, and the error that follows: one table of statuses for every provider that speaks HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from routing_engine.errors import (
    ProviderError,
    ProviderMisread,
    ProviderRefused,
    ProviderThrottled,
    ProviderUnreachable,
    Who,
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
#: How long a system is left alone that says "too many requests", or that its quota is used up, and not for how long.
_THROTTLED_S, _QUOTA_S = 1.0, 300.0
#: A server that wants longer is asked again after this: it may have been restarted with other limits.
LONGEST_WAIT_S = 300.0


class StatusMeaning(NamedTuple):
    """What a status of HTTP means: one of `OUTCOMES`, who must act, and what people read behind the status."""

    outcome: str
    who: Who
    says: str = ""


_OK = StatusMeaning("fine", "nobody")
_MOVED = StatusMeaning("refused", "administrator", "a redirect, which is never followed")
_ASKED_WRONG = StatusMeaning("refused", "administrator", "it refused the request")
_BROKEN = StatusMeaning("down", "vendor")
_PASSING = StatusMeaning("again", "vendor")
#: What Cloudflare answers in the place of a system that it stands in front of.
_BEHIND = "Cloudflare stands in front of it, and gets no good answer from behind"

#: The rule, once: what each status means and who must act. What is not here has the meaning of its hundred, below.
STATUSES: Mapping[int, StatusMeaning] = MappingProxyType(
    {
        204: StatusMeaning("no_record", "nobody"),
        400: _ASKED_WRONG,
        401: StatusMeaning("login", "administrator", "it refused our credentials"),
        402: StatusMeaning("refused", "vendor", "it wants to be paid: the subscription there has ended, or lacks this"),
        403: StatusMeaning("refused", "vendor", "it refused our credentials"),
        404: StatusMeaning("refused", "administrator", "it refused the request: there is nothing at this address"),
        405: StatusMeaning("refused", "administrator", "it refused the request: the address takes no such question"),
        407: StatusMeaning("refused", "network", "a proxy on the way wants a log-in: it refused our credentials"),
        408: _PASSING,
        409: StatusMeaning("down", "vendor", "something else has changed it meanwhile"),
        410: StatusMeaning("refused", "administrator", "it refused the request: what was at this address is gone"),
        413: StatusMeaning("refused", "developer", "it refused the request, which is too large for it"),
        414: StatusMeaning("refused", "developer", "it refused the request, whose address is too long for it"),
        415: StatusMeaning("refused", "developer", "it refused the request, whose form it does not know"),
        421: _PASSING,
        422: StatusMeaning("refused", "administrator", "it refused the request: it understood it, and cannot do it"),
        423: StatusMeaning("down", "vendor", "it is locked"),
        425: _PASSING,
        429: StatusMeaning("throttled", "nobody"),
        431: StatusMeaning("refused", "developer", "it refused the request, whose headers are too large for it"),
        451: StatusMeaning("refused", "vendor", "it refused the request for legal reasons"),
        **dict.fromkeys((502, 503, 504), _PASSING),
        511: StatusMeaning("refused", "network", "the network wants a log-in before it lets anybody through"),
        **dict.fromkeys((520, 522, 524), StatusMeaning("again", "vendor", _BEHIND)),
        **dict.fromkeys((521, 523, 525, 526, 527, 530), StatusMeaning("down", "vendor", _BEHIND)),
        529: StatusMeaning("down", "vendor", "it has too much to do"),
    }
)
_BY_HUNDRED: Mapping[int, StatusMeaning] = MappingProxyType(
    {1: _ASKED_WRONG, 2: _OK, 3: _MOVED, 4: _ASKED_WRONG, 5: _BROKEN}
)


def meaning_of(status: int) -> StatusMeaning:
    """Return what a status means; one that HTTP does not know is a refusal below 500, and an outage above."""
    return STATUSES.get(status) or _BY_HUNDRED.get(status // 100, _BROKEN if status >= 500 else _ASKED_WRONG)


def outcome_of_status(status: int, asks_to_wait: bool) -> str:
    """Return what a status of HTTP means, one of `OUTCOMES`. `asks_to_wait` says that it came with `Retry-After`."""
    # 503 alone is an outage and feeds the breaker; with a time to wait it is a polite refusal, and does not.
    return "throttled" if status == 503 and asks_to_wait else meaning_of(status).outcome


def error_of(
    outcome: str, who: str, status: int, code: str = "", wait_s: float | None = None, scopes: Sequence[str] = ()
) -> ProviderError:
    """Return the error that an outcome is, when it is not a good answer.

    `who` is the integration and what answered, `crm: HubSpot`. `code` is the system's own short word for it; "" when
    it has none, or none that can be shown. `wait_s` is how long it wants to be left alone, None where it does not say.
    `scopes` are what the answer says that we lack: then who administers the other system must act.
    """
    shown = f"{code or 'missing'}: {', '.join(scopes)}" if scopes else code
    said, meaning = f"{who} answered with status {status}{f' ({shown})' if shown else ''}", meaning_of(status)
    if outcome == "throttled":
        return ProviderThrottled(said, min(_THROTTLED_S if wait_s is None else wait_s, LONGEST_WAIT_S))
    if outcome == "quota":
        return ProviderThrottled(f"{said}: its quota is used up", _QUOTA_S if wait_s is None else wait_s)
    if outcome in ("again", "down"):
        why = f": {meaning.says}" if meaning.says and meaning.outcome == outcome else ""
        return ProviderUnreachable(f"{said}{why}", again=outcome == "again", who="vendor")
    if outcome == "misread":
        return ProviderMisread(said)
    if outcome == "forbidden":
        return ProviderRefused(f"{said}: it refused our credentials, a right is missing there", theirs=True)
    if outcome == "login":
        meaning = STATUSES[401]
    elif meaning.outcome not in ("refused", "login"):
        meaning = _ASKED_WRONG
    return ProviderRefused(f"{said}: {meaning.says}", who="vendor" if scopes else meaning.who)
