"""Facts that others may hear: the log, metrics, traces, the journal, and whatever else subscribes (`event_bus`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from routing_engine.core.model import Caller, Decision, Origin
from routing_engine.errors import Who

#: Health checks ask for a route that begins so and does not exist; nobody needs to read of them, or count them.
HEALTH_CHECK = "healthcheck-"

#: A look-up that was begun before its turn: its turn came, or it never did.
EarlyFate: TypeAlias = Literal["used", "wasted"]
#: Why a call was over before its decision: the caller, the connection to Asterisk, our own stop, a fault of ours.
Cause: TypeAlias = Literal["hung_up", "broken", "stopped", "error"]


class Event:
    """Something that happened. Who subscribes to a class hears of its subclasses too."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class CallEnded(Event):
    """Our part of a call is over: `CallRouted` or `CallAbandoned`.

    `route` is the route it was on at the end. `took_ms` runs from the first byte of the call to that moment,
    `waited_s` is what the caller waited for look-ups, `silence_s` the longest time without any sound. `sounds_missing`
    and `texts_unsaid` count prompts that were not heard. `early` has integration and fate of every early look-up.
    `revision` is the one that it was decided with.
    """

    caller: Caller
    route: str
    took_ms: float = field(default=0.0, kw_only=True)
    waited_s: float = field(default=0.0, kw_only=True)
    silence_s: float = field(default=0.0, kw_only=True)
    sounds_missing: int = field(default=0, kw_only=True)
    texts_unsaid: int = field(default=0, kw_only=True)
    early: tuple[tuple[str, EarlyFate], ...] = field(default=(), kw_only=True)
    revision: str = field(default="", kw_only=True)

    @property
    def health_check(self) -> bool:
        """Whether nobody called: something asked whether the engine is well."""
        return self.route.startswith(HEALTH_CHECK)


@dataclass(frozen=True, slots=True)
class CallRouted(CallEnded):
    """A decision was handed back to the dialplan."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class CallAbandoned(CallEnded):
    """The caller hung up, or the channel broke, before a decision could be handed back. `why` is a sentence."""

    why: str
    cause: Cause = "hung_up"


#: What came of a look-up. `skipped`: nothing was sent, to spare the system; `throttled`: it said that it is asked too
#: much; `dropped`: nobody needed the answer any more.
LookupOutcome: TypeAlias = Literal["found", "none", "down", "skipped", "throttled", "dropped"]
#: Who wants it: a call whose turn it is, a call whose turn is still to come, or the cache behind an answer it gave.
LookupPurpose: TypeAlias = Literal["call", "early", "refresh"]


@dataclass(frozen=True, slots=True)
class LookedUp(Event):
    """A look-up ended. `source` is the route's name for it; `age_s` is the age of an answer that is not live.

    `who` must act where it failed.
    """

    integration: str
    source: str
    model: str
    outcome: LookupOutcome
    took_s: float
    origin: Origin = "live"
    purpose: LookupPurpose = "call"
    age_s: float = 0.0
    who: Who = field(default="nobody", compare=False)


@dataclass(frozen=True, slots=True)
class TextSpoken(Event):
    """A call wanted a text spoken. `said` is False when the synthesiser had no sound in time."""

    said: bool
    took_s: float


@dataclass(frozen=True, slots=True)
class ConfigurationTaken(Event):
    """A configuration is in force from now on, the first one of a start too. The names are those it holds."""

    revision: str
    routes: tuple[str, ...]
    integrations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfigurationRefused(Event):
    """The folder holds a configuration that cannot be used; the one before stays in force."""


@dataclass(frozen=True, slots=True)
class EngineFault(Event):
    """A fault of the engine itself met a call; the call went on with its route's default where it could."""


@dataclass(frozen=True, slots=True)
class PersonDid(Event):
    """Somebody did something at the listener `http`: `who` is "" for somebody who is not known."""

    who: str
    what: str
    about: str = ""
    address: str = ""


#: Tells everybody who hears of an event. Never raises.
Publish: TypeAlias = Callable[[Event], None]


class Reading(NamedTuple):
    """A state that is read instead of being counted: the metric without its prefix, its value now, its labels."""

    metric: str
    value: float
    labels: tuple[str, ...] = ()
