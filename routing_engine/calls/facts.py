"""The facts of a call, as the events of its channels brought them: moments and who, nothing concluded.

Each fact is kept with its moment, so that events which come twice, late or in another order leave the same facts.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple, TypeAlias, TypeVar

from routing_engine.calls.call import Call, Leg
from routing_engine.calls.pbx_events import BridgeKind, PbxChannel, PbxEvent
from routing_engine.calls.site import ChannelKind

_Value = TypeVar("_Value")
_Moment = TypeVar("_Moment", float, "Named", "Sent")
_PEOPLE = ("phone", "trunk")
#: Extensions that say nothing of what somebody dialled.
_NO_PLACE = frozenset({"s", "h", "i", "t", "T", "o", "a", "e", "fax", "failed"})
#: Where our own dialplan, and FreePBX's, take a message or have nobody left to ask.
STRANDED_CONTEXT = "routing-engine-emergency"
_MAILBOX_CONTEXTS = frozenset({"routing-engine-voicemail", "macro-vm", "sub-vm"})


class Known(NamedTuple):
    """What was said, and when: of two that disagree the earlier or the later one counts."""

    at: float
    value: str


class Named(NamedTuple):
    """Something with a name (a bridge, a queue, a status) at a moment."""

    at: float
    name: str


class Sent(NamedTuple):
    """A channel was parked or fetched, by another one."""

    at: float
    by: str


class Stay(NamedTuple):
    """A channel was in a bridge; `end` is infinite while it is still there."""

    bridge: str
    start: float
    end: float


Span: TypeAlias = tuple[float, float]


@dataclass(slots=True, eq=False)
class ChannelFacts:
    """What is known of one channel. `name_at` is when it was called so: a channel can be renamed."""

    uniqueid: str
    name: str
    kind: ChannelKind
    phone: str | None = None
    user: str | None = None
    name_at: float = inf
    first_at: float = inf
    last_at: float = -inf
    began_at: float | None = None
    # Whether an event says that it really was there: a hang-up alone is no beginning.
    proved: bool = False
    incoming: bool | None = None
    caller: Known | None = None
    shows: Known | None = None
    connected: Known | None = None
    exten: Known | None = None
    linkedid: Known | None = None
    did: Known | None = None
    route_call_id: Known | None = None
    recording: Known | None = None
    withheld: bool = False
    mailbox_at: float | None = None
    stranded: str | None = None
    rang_at: float | None = None
    dialled_at: float | None = None
    dialled: str | None = None
    dialled_by: str | None = None
    shown: str | None = None
    forwarded_to: Known | None = None
    dial_ends: list[Named] = field(default_factory=list)
    enters: list[Named] = field(default_factory=list)
    leaves: list[Named] = field(default_factory=list)
    holds: list[float] = field(default_factory=list)
    unholds: list[float] = field(default_factory=list)
    joins: list[Named] = field(default_factory=list)
    quits: list[Named] = field(default_factory=list)
    abandons: list[Named] = field(default_factory=list)
    parks: list[Sent] = field(default_factory=list)
    fetches: list[Sent] = field(default_factory=list)
    park_ends: list[float] = field(default_factory=list)
    requested_at: float | None = None
    hung_at: float | None = None
    cause: int | None = None
    sip_status: int | None = None
    gone_at: float | None = None
    from_history: bool = False
    # Whether a fact is new since the call was last derived; and what follows from bridges alone.
    changed: bool = True
    kept_stays: list[Stay] | None = None

    @property
    def start(self) -> float:
        """When it began, or when it was first heard of."""
        return self.first_at if self.began_at is None else self.began_at

    @property
    def over_at(self) -> float | None:
        """When it ended: its hang-up, or the last sign of life of one that was gone."""
        return self.gone_at if self.hung_at is None else self.hung_at

    @property
    def real(self) -> bool:
        """Whether somebody is behind it: a telephone, or the outside."""
        return self.kind in _PEOPLE

    @property
    def calls_us(self) -> bool:
        """Whether the PBX was called, rather than calling, on this channel."""
        return self.dialled_at is None if self.incoming is None else self.incoming

    def see(self, at: float, shown: PbxChannel) -> None:
        """Learn what an event shows of the channel, beside what it says itself."""
        self.first_at, self.last_at = min(self.first_at, at), max(self.last_at, at)
        before = self.changed
        self.caller = self._earlier(self.caller, at, shown.caller)
        self.shows = self._later(self.shows, at, shown.caller)
        self.connected = self._earlier(self.connected, at, shown.connected)
        self.exten = self._earlier(self.exten, at, None if shown.exten in _NO_PLACE else shown.exten)
        if self.incoming is False:
            # What a telephone that is called shows changes some times, and is no reason to look at the call again.
            self.changed = before
        self.did = self._earlier(self.did, at, shown.did)
        self.linkedid = self._earlier(self.linkedid, at, shown.linkedid)
        self.route_call_id = self._later(self.route_call_id, at, shown.route_call_id)
        self.recording = self._later(self.recording, at, shown.recording)
        if shown.withheld and not self.withheld:
            self.withheld = self.changed = True
        if shown.context == STRANDED_CONTEXT:
            self.strand(None)
        if shown.context in _MAILBOX_CONTEXTS:
            self.mailbox_at = self.first(self.mailbox_at, at)

    def strand(self, status: str | None) -> None:
        """Learn that the dialplan gave up, and with which status if that is known."""
        if self.stranded is None or (status and not self.stranded):
            self.stranded, self.changed = status or "", True

    def first(self, known: float | None, at: float) -> float:
        """Return the earlier one of two moments of the same thing."""
        if known is None or at < known:
            self.changed = True
            return at
        return known

    def add(self, known: list[_Moment], one: _Moment) -> None:
        """Put a moment among others of its kind, in their order, once."""
        if one not in known:
            insort(known, one)
            self.changed, self.kept_stays = True, None

    def gone(self, at: float | None) -> None:
        """Learn that the PBX does not know the channel any more, or (None) that it is there after all."""
        if self.gone_at != at:
            self.gone_at, self.changed, self.kept_stays = at, True, None

    def hang_up(self, at: float, cause: int | None, sip_status: int | None) -> None:
        """Learn of the hang-up: the first one counts, the second is a repetition."""
        if self.hung_at is None or at < self.hung_at:
            self.hung_at, self.cause, self.sip_status = at, cause, sip_status
            self.changed, self.kept_stays = True, None

    def stays(self) -> list[Stay]:
        """Return the times in bridges, in their order. Whoever enters another bridge has left the one before."""
        if self.kept_stays is None:
            self.kept_stays = list(self._stays())
        return self.kept_stays

    def _stays(self) -> Iterator[Stay]:
        until = -inf
        for number, (at, bridge) in enumerate(self.enters):
            following = next((other.at for other in self.enters[number + 1 :] if other.name != bridge), inf)
            left = next((one.at for one in self.leaves if one.name == bridge and one.at >= at), inf)
            end = min(following, left, inf if self.over_at is None else self.over_at)
            if end > max(at, until):
                yield Stay(bridge, max(at, until), end)
                until = end

    def _earlier(self, known: Known | None, at: float, value: str | None) -> Known | None:
        if not value or (known is not None and known.at <= at):
            return known
        self.changed = self.changed or known is None or known.value != value
        return Known(at, value)

    def _later(self, known: Known | None, at: float, value: str | None) -> Known | None:
        if not value or (known is not None and known.at > at):
            return known
        self.changed = self.changed or known is None or known.value != value
        return Known(at, value)


@dataclass(slots=True, eq=False)
class Bridge:
    """Who was ever in a bridge. A conference has channels of several calls."""

    kind: BridgeKind = "call"
    members: dict[str, ChannelFacts] = field(default_factory=dict)


@dataclass(slots=True)
class Told:
    """What others have been told of a call: each of it once, whatever comes late."""

    start: bool = False
    rings: set[str] = field(default_factory=set)
    answer: bool = False
    transfers: int = 0
    end: bool = False
    missed: bool = False


@dataclass(slots=True, eq=False)
class CallFacts:
    """One call: the set of its channels and ids, and what passed it on.

    `id` is ours once others have heard of the call. `known` is what the store knew of it when the engine started.
    `last` is the record as it was last told.
    """

    ids: dict[str, None] = field(default_factory=dict)
    channels: dict[str, ChannelFacts] = field(default_factory=dict)
    passings: dict[PbxEvent, None] = field(default_factory=dict)
    id: str | None = None
    known: Call | None = None
    # When it was noticed that the PBX does not know it any more; the history may still say what became of it.
    missing_at: float | None = None
    closed: bool = False
    # Taken up from the store: until the PBX has said which channels it has, nobody knows who is in it.
    unsure: bool = False
    # It has become a part of another call, or is long over.
    let_go: bool = False
    ended_at: float | None = None
    last: Call | None = None
    # Legs whose channels are not kept any more, and when the next ones are looked for.
    settled: tuple[Leg, ...] = ()
    settle_at: float = -inf
    told: Told = field(default_factory=Told)

    @property
    def start(self) -> float:
        """When its first channel began."""
        starts = [one.start for one in self.channels.values() if one.real]
        return min([*starts, self.known.started_at] if self.known else starts, default=inf)

    def real(self) -> list[ChannelFacts]:
        """Return the channels with somebody behind them, first things first."""
        return sorted((one for one in self.channels.values() if one.kind in _PEOPLE), key=_began)


def _began(channel: ChannelFacts) -> tuple[float, str]:
    # Of each channel at every event, so without a look through `start`.
    return channel.first_at if channel.began_at is None else channel.began_at, channel.uniqueid
