"""What an event teaches: it is put among the facts of its channels, whenever it comes."""

from __future__ import annotations

from collections.abc import Iterator

from routing_engine.calls.facts import CallFacts, ChannelFacts, Known, Named, Sent
from routing_engine.calls.pbx_events import (
    ApplicationBegan,
    AttendedTransferred,
    BlindTransferred,
    Bridged,
    CallParked,
    CallStranded,
    CallUnparked,
    ChannelBegan,
    ChannelEvent,
    ChannelRang,
    DialBegan,
    DialEnded,
    HangupRequested,
    HoldBegan,
    HoldEnded,
    HungUp,
    ParkTimedOut,
    PbxChannel,
    PbxEvent,
    PickedUp,
    QueueAbandoned,
    QueueJoined,
    QueueLeft,
    Unbridged,
)
from routing_engine.calls.sets import CallSets

_MAILBOX = "voicemail"
#: Events that can come only of a channel that is, or was, really there for somebody.
_PROOFS = (ChannelBegan, ChannelRang, Bridged, QueueJoined, HoldBegan)


def shown(event: PbxEvent) -> Iterator[PbxChannel]:
    """Return the channels that an event shows, the one that it is about first."""
    match event:
        case ChannelEvent(channel=channel):
            found: tuple[PbxChannel | None, ...] = (channel,)
        case DialBegan(called=called, caller=caller) | DialEnded(called=called, caller=caller):
            found = (called, caller)
        case BlindTransferred(by=by, transferee=transferee):
            found = (by, transferee)
        case AttendedTransferred(by=by, second=second, transferee=transferee, target=target):
            found = (by, second, transferee, target)
        case PickedUp(picker=picker, target=rang):
            found = (picker, rang)
        case CallParked(parkee=parkee, parker=parker):
            found = (parkee, parker)
        case CallUnparked(parkee=parkee, retriever=retriever):
            found = (parkee, retriever)
        case ParkTimedOut(parkee=parkee):
            found = (parkee,)
        case _:
            found = ()
    return (one for one in found if one is not None)


def learn(sets: CallSets, event: PbxEvent) -> list[CallFacts]:
    """Put an event among the facts; return the calls that it says something new about."""
    seen = [sets.see(event.at, one) for one in shown(event)]
    channels = [one for one in seen if one is not None]
    if not seen or seen[0] is None:
        return []  # it is about a channel that was let go
    _join(sets, event, channels)
    _one_channel(sets, event, channels[0])
    new = [call for one in channels if one.changed and (call := sets.call_of(one))]
    for one in channels:
        one.changed = False
    return new + (sets.beside(channels[0]) if new else [])


def _join(sets: CallSets, event: PbxEvent, channels: list[ChannelFacts]) -> None:
    """Make one call of all that an event shows together, and note what passed it on."""
    for other in channels[1:]:
        sets.join(channels[0].uniqueid, other.uniqueid)
    call = sets.call_of(channels[0])
    passes = isinstance(event, BlindTransferred | AttendedTransferred | PickedUp | CallParked)
    if call and passes and event not in call.passings:
        call.passings[event] = None
        channels[0].changed = True


def _one_channel(sets: CallSets, event: PbxEvent, facts: ChannelFacts) -> None:
    if isinstance(event, _PROOFS) and not facts.proved:
        facts.proved = facts.changed = True
    match event:
        case ChannelBegan(at=at, incoming=incoming):
            facts.began_at, facts.incoming = facts.first(facts.began_at, at), incoming
        case ChannelRang(at=at):
            facts.rang_at = facts.first(facts.rang_at, at)
        case DialBegan() | DialEnded():
            _dial(event, facts)
        case Bridged() | Unbridged():
            _bridge(sets, event, facts)
        case HangupRequested(at=at):
            facts.requested_at = facts.first(facts.requested_at, at)
        case HungUp(at=at, cause=cause, sip_status=status):
            facts.hang_up(at, cause, status)
        case CallStranded(status=status):
            facts.strand(status)
        case ApplicationBegan(at=at, application=application) if application.lower() == _MAILBOX:
            facts.mailbox_at = facts.first(facts.mailbox_at, at)
        case _:
            _waiting(sets, event, facts)


def _dial(event: DialBegan | DialEnded, facts: ChannelFacts) -> None:
    caller = event.caller
    if isinstance(event, DialEnded):
        facts.add(facts.dial_ends, Named(event.at, event.status))
        if event.forwarded_to and facts.forwarded_to is None:
            facts.forwarded_to, facts.changed = Known(event.at, event.forwarded_to), True
    elif facts.dialled_at is None or event.at < facts.dialled_at:
        facts.dialled_at, facts.dialled, facts.changed, facts.proved = event.at, event.dialled, True, True
        # What the party called is shown: the caller's number as it was at that moment.
        facts.shown = event.called.connected or (caller.caller if caller else None)
    if caller is not None and facts.dialled_by is None:
        facts.dialled_by, facts.changed = caller.uniqueid, True


def _bridge(sets: CallSets, event: Bridged | Unbridged, facts: ChannelFacts) -> None:
    if isinstance(event, Unbridged):
        facts.add(facts.leaves, Named(event.at, event.bridge))
        return
    facts.add(facts.enters, Named(event.at, event.bridge))
    sets.enter(event.bridge, event.kind, facts)
    instead_of = sets.channels.get(event.instead_of or "")
    if instead_of is not None:
        instead_of.add(instead_of.leaves, Named(event.at, event.bridge))


def _waiting(sets: CallSets, event: PbxEvent, facts: ChannelFacts) -> None:
    match event:
        case HoldBegan(at=at):
            facts.add(facts.holds, at)
        case HoldEnded(at=at):
            facts.add(facts.unholds, at)
        case QueueJoined(at=at, queue=queue):
            facts.add(facts.joins, Named(at, queue))
        case QueueAbandoned(at=at, queue=queue):
            facts.add(facts.abandons, Named(at, queue))
        case QueueLeft(at=at, queue=queue):
            facts.add(facts.quits, Named(at, queue))
        case CallParked(at=at, parker=parker):
            facts.add(facts.parks, Sent(at, parker.uniqueid if parker else ""))
        case CallUnparked(at=at, retriever=retriever):
            facts.add(facts.fetches, Sent(at, retriever.uniqueid))
        case ParkTimedOut(at=at):
            facts.add(facts.park_ends, at)
        case _:
            pass
