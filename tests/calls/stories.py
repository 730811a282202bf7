"""Calls told by hand: the events of a PBX as the facts say that they come, at seconds of a story."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from routing_engine.calls.call import Call
from routing_engine.calls.changes import ChangeKind
from routing_engine.calls.pbx_events import (
    Bridged,
    BridgeKind,
    ChannelBegan,
    ChannelRang,
    DialBegan,
    DialEnded,
    HangupRequested,
    HungUp,
    PbxChannel,
    PbxEvent,
    Unbridged,
)
from routing_engine.calls.site import PbxSite
from routing_engine.calls.tracker import CallTracker, TrackedCall

#: When stories begin.
T = 1_764_500_000.0
SITE = PbxSite(
    "main",
    trunks=("PJSIP/trunk*",),
    region="AT",
    users={"main/201": "anna", "main/202": "bernd", "main/203": "carla"},
)
CUSTOMER, DID = "+436641234567", "+4312345601"


def outside(uniqueid: str = "1.1", linkedid: str = "", caller: str | None = "06641234567") -> PbxChannel:
    """A call that comes in over the trunk."""
    name = f"PJSIP/trunk-{abs(hash(uniqueid)) % 2**32:08x}"
    return PbxChannel(name, uniqueid, linkedid or uniqueid, caller, exten="+4312345601", context="from-trunk")


def trunk(uniqueid: str, linkedid: str, name: str = "trunk") -> PbxChannel:
    """A call that goes out over the trunk."""
    return PbxChannel(f"PJSIP/{name}-{abs(hash(uniqueid)) % 2**32:08x}", uniqueid, linkedid)


def phone(extension: str, uniqueid: str, linkedid: str = "", exten: str | None = None) -> PbxChannel:
    """A telephone of ours."""
    name = f"PJSIP/{extension}-{abs(hash(uniqueid)) % 2**32:08x}"
    return PbxChannel(name, uniqueid, linkedid or uniqueid, extension, exten=exten, context="from-internal")


def local(name: str, half: int, uniqueid: str, linkedid: str) -> PbxChannel:
    """A half of a Local channel."""
    return PbxChannel(f"Local/{name}-0000000a;{half}", uniqueid, linkedid)


def comes(at: float, channel: PbxChannel) -> list[PbxEvent]:
    """Somebody calls the PBX."""
    return [ChannelBegan(T + at, channel, incoming=True)]


def dials(at: float, caller: PbxChannel | None, called: PbxChannel, dialled: str | None = None) -> list[PbxEvent]:
    """The PBX calls somebody."""
    return [ChannelBegan(T + at, called, incoming=False), DialBegan(T + at + 0.001, caller, called, dialled)]


def rings(at: float, caller: PbxChannel | None, called: PbxChannel, dialled: str | None = None) -> list[PbxEvent]:
    """The PBX calls somebody, whose telephone rings."""
    return [*dials(at, caller, called, dialled), ChannelRang(T + at + 0.1, called)]


def enters(at: float, bridge: str, *channels: PbxChannel, kind: BridgeKind = "call") -> list[PbxEvent]:
    """Channels enter a bridge, one after the other."""
    return [Bridged(T + at + number / 1000, one, bridge, kind) for number, one in enumerate(channels)]


def answers(at: float, caller: PbxChannel | None, called: PbxChannel, bridge: str = "b1") -> list[PbxEvent]:
    """A dialled party answers, and both are in a bridge."""
    both = [called] if caller is None else [called, caller]
    return [DialEnded(T + at, caller, called, "ANSWER"), *enters(at + 0.002, bridge, *both)]


def stops(
    at: float, caller: PbxChannel | None, called: PbxChannel, status: str, cause: int = 16, sip: int | None = None
) -> list[PbxEvent]:
    """A dialled party does not answer."""
    return [DialEnded(T + at, caller, called, status), HungUp(T + at + 0.01, called, cause, sip)]


def asks(at: float, channel: PbxChannel) -> list[PbxEvent]:
    """A party hangs up."""
    return [HangupRequested(T + at, channel)]


def ends(at: float, *channels: PbxChannel, cause: int = 16) -> list[PbxEvent]:
    """Channels hang up."""
    return [HungUp(T + at + number / 1000, one, cause) for number, one in enumerate(channels)]


def parts(at: float, bridge: str, *channels: PbxChannel) -> list[PbxEvent]:
    """Those in a bridge part: the first one hung up."""
    left = [Unbridged(T + at + 0.001 + number / 1000, one, bridge) for number, one in enumerate(channels)]
    return [*asks(at, channels[0]), *left, *ends(at + 0.01, *channels)]


class Follower:
    """A tracker, and what it told."""

    def __init__(self, site: PbxSite = SITE, keep: int = 10_000) -> None:
        numbers = count(1)
        self.tracker = CallTracker(site, lambda at: f"call-{next(numbers)}", keep=keep)
        self.told: list[TrackedCall] = []

    def take(self, *events: PbxEvent | Iterable[PbxEvent]) -> Follower:
        """Hand in events, in the order given."""
        for event in _flat(events):
            self.told += self.tracker.take(event)
        return self

    @property
    def calls(self) -> dict[str, Call]:
        """The last record of every call."""
        return {one.call.id: one.call for one in self.told}

    @property
    def call(self) -> Call:
        """The only call that is no part of another one."""
        (call,) = (one for one in self.calls.values() if one.merged_into is None)
        return call

    def kinds(self, number: str = "") -> list[ChangeKind]:
        """What was told, in order, of all calls or of one."""
        return [kind for one in self.told if number in ("", one.call.id) for kind in one.kinds]


def story(*events: PbxEvent | Sequence[PbxEvent]) -> Call:
    """Return the only call of a story."""
    return Follower().take(*events).call


def _flat(events: Iterable[PbxEvent | Iterable[PbxEvent]]) -> Iterator[PbxEvent]:
    for event in events:
        if isinstance(event, PbxEvent):
            yield event
        else:
            yield from event
