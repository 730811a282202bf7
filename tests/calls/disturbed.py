"""Streams as a bad line gives them: repeated, in another order, cut, and many at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from itertools import chain
from random import Random

from routing_engine.calls.pbx_events import (
    Bridged,
    BridgeKind,
    ChannelBegan,
    ChannelRang,
    DialBegan,
    HistoryRead,
    HistoryRow,
    HungUp,
    LiveChannel,
    PbxChannel,
    PbxEvent,
    Snapshot,
    Unbridged,
)
from routing_engine.pbx.ami_events import events_of

from .recorded import connections

#: How long after its last event everything of a stream must be over.
AFTER_S = 60.0


@cache
def recorded(name: str) -> tuple[PbxEvent, ...]:
    """Return the events of a recorded stream, the snapshots of a reconnect aside."""
    messages = (message for one in connections(name) for message in one)
    return tuple(event for message in messages for event in events_of(message))


def renamed(events: Iterable[PbxEvent], suffix: str, later_s: float = 0.0) -> list[PbxEvent]:
    """Return the same story of other channels, at another time."""
    return [_renamed(event, suffix, later_s) for event in events]


def reordered(events: Sequence[PbxEvent], random: Random, window: int = 6) -> list[PbxEvent]:
    """Return events of which each comes up to `window` places too late or too early."""
    return _by_place(((number + random.uniform(0, window), event) for number, event in enumerate(events)))


def repeated(events: Sequence[PbxEvent], random: Random, share: float = 0.3) -> list[PbxEvent]:
    """Return events of which some come a second time, at once or some places later."""
    again = (one for one in enumerate(events) if not isinstance(one[1], Snapshot) and random.random() < share)
    return _by_place(chain(enumerate(events), ((number + random.uniform(0, 20), event) for number, event in again)))


def interleaved(streams: Iterable[Sequence[PbxEvent]]) -> list[PbxEvent]:
    """Return several streams as one, by their moments."""
    return sorted(chain.from_iterable(streams), key=lambda event: event.at)


def cut(events: Sequence[PbxEvent], random: Random) -> list[PbxEvent]:
    """Return a stream with a lost connection in it: a snapshot instead, and what the history has of the gap."""
    start, end = sorted(random.sample(range(len(events) + 1), 2))
    before, gap = events[:start], events[start:end]
    at = (gap or before)[-1].at + 0.0001
    truth = Pbx().follow([*before, *gap])
    return [*before, truth.snapshot(at), *truth.rows(gap), HistoryRead(at), *events[end:]]


@dataclass
class Pbx:
    """What the PBX itself knows: its channels, and the pairs that it writes into its call records."""

    began: dict[str, ChannelBegan] = field(default_factory=dict)
    rang: set[str] = field(default_factory=set)
    within: dict[str, tuple[str, BridgeKind, float]] = field(default_factory=dict)
    ever: dict[str, float] = field(default_factory=dict)
    over: dict[str, float] = field(default_factory=dict)
    dials: list[DialBegan] = field(default_factory=list)

    def follow(self, events: Iterable[PbxEvent]) -> Pbx:
        """Learn from a whole stream."""
        for event in events:
            match event:
                case ChannelBegan(channel=channel):
                    self.began[channel.uniqueid] = event
                case ChannelRang(channel=channel):
                    self.rang.add(channel.uniqueid)
                case Bridged(at=at, channel=channel, bridge=bridge, kind=kind):
                    self.within[channel.uniqueid] = bridge, kind, at
                    self.ever.setdefault(channel.uniqueid, at)
                case Unbridged(channel=channel, bridge=bridge):
                    if self.within.get(channel.uniqueid, ("",))[0] == bridge:
                        del self.within[channel.uniqueid]
                case HungUp(at=at, channel=channel):
                    self.over[channel.uniqueid] = at
                case DialBegan():
                    self.dials.append(event)
        return self

    def snapshot(self, at: float) -> Snapshot:
        """Return all channels that live."""
        return Snapshot(at, tuple(self._live(one) for uniqueid, one in self.began.items() if uniqueid not in self.over))

    def rows(self, gap: Iterable[PbxEvent]) -> list[HistoryRow]:
        """Return the records of the channels that ended in a gap: a row for each that they dialled."""
        ended = {event.channel.uniqueid for event in gap if isinstance(event, HungUp)}
        clicked = {one.called.uniqueid for one in self.dials if one.caller is None}
        callers = [one for one in self.began.values() if one.incoming or one.channel.uniqueid in clicked]
        return [row for caller in callers if caller.channel.uniqueid in ended for row in self._rows(caller)]

    def _rows(self, caller: ChannelBegan) -> Iterator[HistoryRow]:
        own = caller.channel
        called = [one.called for one in self.dials if one.caller and one.caller.uniqueid == own.uniqueid]
        for one in called or [None]:
            met = self.ever.get(one.uniqueid) if one and own.uniqueid in self.ever else None
            disposition = "NO ANSWER" if met is None else "ANSWERED"
            name = one.name if one else None
            yield HistoryRow(self.over[own.uniqueid], own, name, caller.at, met, disposition)

    def _live(self, began: ChannelBegan) -> LiveChannel:
        one = began.channel.uniqueid
        bridge, kind, _ = self.within.get(one, (None, "call", 0.0))
        ringing = one in self.rang and one not in self.ever
        application = None if began.incoming else "AppDial"
        return LiveChannel(began.channel, began.at, ringing, self.ever.get(one), bridge, kind, application)


def _renamed(event: PbxEvent, suffix: str, later_s: float) -> PbxEvent:
    changed: dict[str, object] = {"at": event.at + later_s}
    for one in fields(event):
        value = getattr(event, one.name)
        if isinstance(value, PbxChannel):
            changed[one.name] = replace(value, uniqueid=value.uniqueid + suffix, linkedid=value.linkedid + suffix)
        elif one.name in ("bridge", "instead_of") and value:
            changed[one.name] = value + suffix
    return replace(event, **changed)  # type: ignore[arg-type]


def _by_place(placed: Iterable[tuple[float, PbxEvent]]) -> list[PbxEvent]:
    return [event for _, event in sorted(placed, key=lambda one: one[0])]
