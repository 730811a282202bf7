"""Facts that others may hear: the log, metrics, traces, the journal, later the CRM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from routing_engine.core.model import Caller, Decision, Origin

#: Health checks ask for a route that begins so and does not exist; nobody needs to read of them, or count them.
HEALTH_CHECK = "healthcheck-"

#: A look-up that was begun before its turn: its turn came, or it never did.
EarlyFate: TypeAlias = Literal["used", "wasted"]
#: Why a call was over before its decision: the caller, the connection to Asterisk, our own stop, a fault of ours.
Cause: TypeAlias = Literal["hung_up", "broken", "stopped", "error"]


@dataclass(frozen=True, slots=True)
class CallRouted:
    """A decision was handed back to the dialplan. `took_ms` runs from the first byte of the call to that moment.

    `waited_s` is what the caller waited for look-ups, `silence_s` the longest time without any sound. `sounds_missing`
    and `texts_unsaid` count prompts that were not heard. `early` has integration and fate of every early look-up.
    """

    caller: Caller
    decision: Decision
    took_ms: float
    waited_s: float = 0.0
    silence_s: float = 0.0
    sounds_missing: int = 0
    texts_unsaid: int = 0
    early: tuple[tuple[str, EarlyFate], ...] = ()


@dataclass(frozen=True, slots=True)
class CallAbandoned:
    """The caller hung up, or the channel broke, before a decision could be handed back. `why` says which.

    The other fields are those of `CallRouted`, up to that moment.
    """

    caller: Caller
    route: str
    why: str
    took_ms: float
    cause: Cause = "hung_up"
    waited_s: float = 0.0
    silence_s: float = 0.0
    sounds_missing: int = 0
    texts_unsaid: int = 0
    early: tuple[tuple[str, EarlyFate], ...] = ()


#: What came of a look-up. `held`: nothing was sent, to spare the system; `throttled`: it said that it is asked too
#: much; `dropped`: nobody needed the answer any more.
LookupOutcome: TypeAlias = Literal["found", "none", "down", "held", "throttled", "dropped"]
#: Who wants it: a call whose turn it is, a call whose turn is still to come, or the cache behind an answer it gave.
LookupPurpose: TypeAlias = Literal["call", "early", "refresh"]


@dataclass(frozen=True, slots=True)
class LookedUp:
    """A look-up ended. `source` is the route's name for it; `age_s` is the age of an answer that is not live."""

    integration: str
    source: str
    model: str
    outcome: LookupOutcome
    took_s: float
    origin: Origin = "live"
    purpose: LookupPurpose = "call"
    age_s: float = 0.0


Publish = Callable[[CallRouted | CallAbandoned], None]
PublishLookup = Callable[[LookedUp], None]
