"""What a lost connection leaves: which channels live, which are gone, and what the history says of those."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import inf, nextafter

from routing_engine.calls.facts import CallFacts, ChannelFacts
from routing_engine.calls.learn import learn
from routing_engine.calls.pbx_events import (
    ApplicationBegan,
    Bridged,
    ChannelBegan,
    ChannelRang,
    ChannelSeen,
    DialBegan,
    DialEnded,
    HistoryRow,
    HungUp,
    LiveChannel,
    PbxChannel,
    PbxEvent,
    QueueJoined,
    Snapshot,
    Unbridged,
)
from routing_engine.calls.sets import CallSets

#: The list of channels is made while calls go on: what happened this close to it is newer than the list.
_WHILE_ASKED_S = 1.0
_SHORTEST_S = 0.001
#: The list has whole seconds, and is some time on its way.
_ROUNDED_S = 5.0
_DIALLED_BY = ("AppDial", "AppQueue")
_STATUS = {"NO ANSWER": "NOANSWER", "BUSY": "BUSY", "FAILED": "CONGESTION", "CONGESTION": "CONGESTION"}
_NORMAL = 16


def live_events(sets: CallSets, snapshot: Snapshot) -> Iterator[PbxEvent]:
    """Return what a snapshot says as events: what lives, who rings, who is in a bridge."""
    # Two talk since the second of them answered: the first one may have been answered by a menu.
    answered: dict[str, float] = {}
    for live in snapshot.channels:
        if live.bridge and live.answered_at is not None:
            answered[live.bridge] = max(live.answered_at, answered.get(live.bridge, 0.0))
    for live in snapshot.channels:
        since = answered.get(live.bridge or "", snapshot.at)
        yield from _live(sets.channels.get(live.channel.uniqueid), live, since, snapshot.at)


def back(sets: CallSets, present: Iterable[str]) -> list[CallFacts]:
    """Note which channels are there after all; return their calls."""
    channels = [one for uniqueid in present if (one := sets.channels.get(uniqueid)) and one.gone_at is not None]
    for channel in channels:
        channel.gone(None)
    return [call for one in channels if (call := sets.call_of(one))]


def missing(sets: CallSets, present: Iterable[str], asked_at: float, sign_at: float) -> list[CallFacts]:
    """Note which channels the PBX does not have any more, at the last sign of life; return their calls."""
    there = set(present)
    gone = (one for one in sets.channels.values() if one.uniqueid not in there)
    calls = _gone(sets, (one for one in gone if one.last_at < asked_at - _WHILE_ASKED_S), min(sign_at, asked_at))
    calls.update(dict.fromkeys(_stored(sets, asked_at)))
    return list(calls)


def restarted(sets: CallSets, before: float, sign_at: float) -> list[CallFacts]:
    """Note that all channels which began before a restart of the PBX are gone; return their calls."""
    calls = _gone(sets, (one for one in sets.channels.values() if one.start < before), sign_at)
    calls.update(dict.fromkeys(_stored(sets, before)))
    return list(calls)


def _stored(sets: CallSets, at: float) -> list[CallFacts]:
    """Note which calls of the store the PBX does not have; return all that were not sure until now."""
    stored = [call for call in sets.calls.values() if call.unsure and call.known and call.known.started_at < at]
    for call in stored:
        call.unsure = False
        if not call.channels:
            call.missing_at = at
    return stored


def _gone(sets: CallSets, channels: Iterable[ChannelFacts], sign_at: float) -> dict[CallFacts, None]:
    calls: dict[CallFacts, None] = {}
    for channel in channels:
        if channel.over_at is None and (call := sets.call_of(channel)):
            # A moment behind it, so that what was told last (an answer, perhaps) has been.
            channel.gone(nextafter(max(channel.last_at, sign_at), inf))
            calls[call] = None
    return calls


def fill(sets: CallSets, rows: Sequence[HistoryRow]) -> list[CallFacts]:
    """Learn what the history says of calls that are gone, or that nobody has seen; return those calls."""
    calls: dict[CallFacts, None] = {}
    for row in sorted((_read(sets, row) for row in rows), key=lambda one: (one.began_at, one.at)):
        for event in _row_events(sets, row):
            calls.update(dict.fromkeys(learn(sets, event)))
        call = sets.calls.get(row.channel.uniqueid)
        if call is not None:
            _ended(call, row)
            calls[call] = None
    return list(calls)


def _live(known: ChannelFacts | None, live: LiveChannel, since: float, at: float) -> Iterator[PbxEvent]:
    channel = live.channel
    if known is not None and (known.hung_at is not None or known.last_at > at):
        return  # newer than the list
    began = live.began_at
    if known is not None and known.began_at is not None and abs(began - known.began_at) < _ROUNDED_S:
        began = known.began_at
    yield ChannelBegan(began, channel, live.application not in _DIALLED_BY)
    if live.ringing:
        yield ChannelRang(at if known is None or known.rang_at is None else known.rang_at, channel)
    if live.application:
        yield ApplicationBegan(at, channel, live.application)
    within = known.stays()[-1] if known is not None and known.stays() else None
    if within is not None and within.end == inf and within.bridge != live.bridge:
        yield Unbridged(at, channel, within.bridge)
    if live.bridge and (within is None or within.bridge != live.bridge or within.end != inf):
        yield Bridged(at if within is not None else since, channel, live.bridge, live.kind)
    yield ChannelSeen(at, channel)


def _read(sets: CallSets, row: HistoryRow) -> HistoryRow:
    """Return a row as it is meant."""
    answered = row.began_at if row.answered_at is None else row.answered_at
    channel = row.channel
    if sets.site.kind(channel.name) == "trunk" and not sets.site.outside(channel.exten):
        # After a transfer it is where the call went, not what was called.
        channel = replace(channel, exten=None)
    # It has whole seconds; a short talk would be none.
    return replace(row, channel=channel, at=max(row.at, answered + _SHORTEST_S))


def _row_events(sets: CallSets, row: HistoryRow) -> Iterator[PbxEvent]:
    channel, called = row.channel, _called(sets, row)
    known = sets.channels.get(channel.uniqueid)
    if known is not None and known.gone_at is None and not known.from_history:
        return  # it lives, or its own hang-up was seen
    if known is None:
        yield ChannelBegan(row.began_at, channel, row.application not in _DIALLED_BY)
    if row.application:
        yield ApplicationBegan(row.began_at, channel, row.application)
        if row.application == "Queue" and (known is None or not known.joins):
            yield QueueJoined(row.began_at, channel, (row.application_data or "").partition(",")[0])
    if called is not None:
        yield from _pair(sets, row, called)


def _pair(sets: CallSets, row: HistoryRow, called: PbxChannel) -> Iterator[PbxEvent]:
    before = sets.channels.get(called.uniqueid)
    if before is None:
        yield ChannelBegan(row.began_at, called, incoming=False)
        yield DialBegan(row.began_at, row.channel, called, _dialled(row))
    if row.answered_at is not None and row.disposition == "ANSWERED":
        if before is None or not before.enters:
            bridge = f"history {called.uniqueid}"
            yield from (Bridged(row.answered_at, one, bridge) for one in (row.channel, called))
    elif before is None or not before.dial_ends:
        if row.disposition == "NO ANSWER":
            yield ChannelRang(row.began_at, called)
        yield DialEnded(row.at, row.channel, called, _STATUS.get(row.disposition, "NOANSWER"))
    if before is None or before.gone_at is not None:
        yield HungUp(row.at if before is None else _behind(row.at, before), called, _NORMAL)


def _behind(at: float, channel: ChannelFacts) -> float:
    """Return the end of a channel: rows have whole seconds, and what is known to have happened was before the end."""
    seen = at if channel.gone_at is None else min(channel.gone_at, at + 1)
    return max(at, seen, nextafter(channel.last_at, inf))


def _dialled(row: HistoryRow) -> str | None:
    """Return what was dialled: `PJSIP/+43123@trunk,30` of Dial says it, the extension may have a code in front."""
    said = (row.application_data or "").partition(",")[0].partition("&")[0]
    return said if row.application == "Dial" and said else row.channel.exten


def _called(sets: CallSets, row: HistoryRow) -> PbxChannel | None:
    """Return the channel that was called: a row has its name only, which is its own until the PBX starts again."""
    if not row.called_name:
        return None
    call = sets.calls.get(row.channel.uniqueid) or sets.calls.get(row.channel.linkedid)
    same = (one.uniqueid for one in (call.channels.values() if call else ()) if one.name == row.called_name)
    uniqueid = next(same, f"{row.channel.uniqueid} {row.called_name}")
    return PbxChannel(row.called_name, uniqueid, row.channel.linkedid)


def _ended(call: CallFacts, row: HistoryRow) -> None:
    """Note the end of the row's channel: of several rows of one channel the last one counts."""
    channel = call.channels.get(row.channel.uniqueid)
    if channel is None or (channel.hung_at is not None and not channel.from_history):
        return
    at = _behind(row.at, channel)
    if channel.hung_at is None or channel.hung_at < at:
        channel.gone(None)
        channel.hung_at = None
        channel.hang_up(at, None, None)
        channel.from_history = True
