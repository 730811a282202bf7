"""Who was in a bridge with whom, and when: what talking, holding and answering are concluded from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from routing_engine.calls.facts import Bridge, CallFacts, ChannelFacts, Span
from routing_engine.calls.site import halves

#: Alone in a bridge for longer than this is waiting for somebody to come back; less is the order of two events.
_ALONE_S = 1.0


class Meeting(NamedTuple):
    """Two people could hear each other; `end` is infinite while they still can."""

    start: float
    end: float
    who: ChannelFacts


@dataclass(frozen=True, slots=True)
class Meetings:
    """Looks up meetings of the channels of one call, over all bridges of its PBX."""

    call: CallFacts
    bridges: Mapping[str, Bridge]
    _found: dict[str, list[Meeting]] = field(default_factory=dict)

    def of(self, channel: ChannelFacts) -> list[Meeting]:
        """Return all meetings of a channel in their order, also those over Local channels."""
        if not channel.enters:
            return []
        if channel.uniqueid not in self._found:
            found = (
                meeting
                for stay in channel.stays()
                for meeting in self._in(stay.bridge, stay.start, stay.end, {channel.uniqueid})
            )
            self._found[channel.uniqueid] = sorted(found, key=lambda one: (one.start, one.who.uniqueid))
        return self._found[channel.uniqueid]

    def _in(self, bridge: str, start: float, end: float, passed: set[str]) -> Iterator[Meeting]:
        members = self.bridges[bridge].members.values() if bridge in self.bridges else ()
        for other in members:
            if other.uniqueid in passed or other.kind == "other":
                continue
            for stay in other.stays():
                common = max(start, stay.start), min(end, stay.end)
                if stay.bridge == bridge and common[0] < common[1]:
                    yield from self._met(other, common, passed)

    def _met(self, other: ChannelFacts, common: Span, passed: set[str]) -> Iterator[Meeting]:
        if other.real:
            yield Meeting(*common, other)
            return
        # A Local channel is nobody: who talks is behind its other half.
        behind = self._other_half(other)
        for stay in behind.stays() if behind else ():
            start, end = max(common[0], stay.start), min(common[1], stay.end)
            if behind and start < end:
                yield from self._in(stay.bridge, start, end, passed | {other.uniqueid, behind.uniqueid})

    def _other_half(self, channel: ChannelFacts) -> ChannelFacts | None:
        own = halves(channel.name)
        same = (
            one
            for one in self.call.channels.values()
            if own and one is not channel and one.kind == "local" and (halves(one.name) or ("",))[0] == own[0]
        )
        return next(same, None)


def united(spans: Iterable[Span]) -> list[Span]:
    """Return spans of time without overlaps, in their order."""
    whole: list[Span] = []
    for start, end in sorted(spans):
        if whole and start <= whole[-1][1]:
            whole[-1] = whole[-1][0], max(end, whole[-1][1])
        elif end > start:
            whole.append((start, end))
    return whole


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """Return what is left of spans when others are taken out of them."""
    left = united(spans)
    for start, end in united(taken):
        parts = [((one[0], min(one[1], start)), (max(one[0], end), one[1])) for one in left]
        left = [part for pair in parts for part in pair if part[0] < part[1]]
    return left


def length(spans: Iterable[Span]) -> float:
    """Return the seconds of spans that do not overlap; an open one counts nothing yet."""
    return sum(end - start for start, end in spans if end < inf)


def holds(channel: ChannelFacts) -> list[Span]:
    """Return when a party held the others: from its key to the next one, at most to its end."""
    end = inf if channel.over_at is None else channel.over_at
    return united((at, min(next((one for one in channel.unholds if one >= at), inf), end)) for at in channel.holds)


def waits(channel: ChannelFacts, met: Iterable[Meeting], bridges: Mapping[str, Bridge]) -> list[Span]:
    """Return when somebody who had talked waited for the others to come back: parked, or alone in a bridge."""
    if not channel.enters and not channel.parks:
        return []
    met = list(met)
    over = inf if channel.over_at is None else channel.over_at
    back = sorted([*channel.park_ends, *(one.at for one in channel.fetches), *(one.start for one in met), over])
    parked = [(one.at, next((end for end in back if end > one.at), inf)) for one in channel.parks]
    first = min((one.start for one in met), default=inf)
    talks = [
        (stay.start, stay.end)
        for stay in channel.stays()
        if stay.bridge in bridges and bridges[stay.bridge].kind == "call" and first < stay.end < inf
    ]
    alone = without(talks, [(-inf, first), *((one.start, one.end) for one in met)])
    return united([*parked, *(one for one in alone if one[1] - one[0] >= _ALONE_S)])
