"""What came of a call once it is over: outcome, who hung up, the cause."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from routing_engine.calls.call import CallOutcome, HangupBy
from routing_engine.calls.facts import CallFacts, ChannelFacts
from routing_engine.calls.parties import Parties
from routing_engine.calls.together import Meeting

#: A caller who hangs up in a queue leaves it first; this much later at most comes the hang-up.
_LEFT_S = 1.0
#: Who asked for the end does so just before it; whoever asked earlier has left the others talking.
_END_S = 2.0
#: Those who part at the end leave their bridge one after the other.
_TOGETHER_S = 0.1
_BUSY, _REJECTED = 17, 21
#: Causes that the network or the provider gives, not a person: no such number, no circuit, out of order, ...
_FAILED = frozenset(
    {1, 2, 3, 6, 20, 22, 25, 27, 28, 29, 34, 38, 41, 42, 43, 44, 47, 50, 52, 54, 55, 57, 58, 63, 65, 66}
)
_FAILED_DIALS = frozenset({"CONGESTION", "CHANUNAVAIL", "INVALIDARGS"})
_SIP_PEOPLE = frozenset({480, 486, 487, 600, 603, 607, 608})


def outcome(call: CallFacts, parties: Parties, answered: bool) -> CallOutcome:
    """Return what came of a call that is over."""
    if lost(parties):
        return "unknown"
    if answered:
        return "answered"
    if parties.direction == "outbound":
        return _not_reached(parties)
    if any(one.mailbox_at is not None for one in call.channels.values()):
        return "voicemail"
    if any(map(_gave_up_in_queue, call.channels.values())):
        return "abandoned"
    # Among us somebody must have been called: a telephone that listened to its mailbox was not missed by anybody.
    called = call.settled or any(one.dialled_at is not None for one in call.real())
    return "missed" if called or parties.direction == "inbound" else "unanswered"


def lost(parties: Parties) -> bool:
    """Return whether nobody saw the end: the channel is gone, and no hang-up was told."""
    main = parties.main
    return main is None or (main.hung_at is None and main.gone_at is not None)


def hangup_by(call: CallFacts, parties: Parties, met: Sequence[Meeting]) -> HangupBy | None:
    """Return who ended the call: the first of those who were in it at the end that asked for it.

    Nobody asked: the PBX did. A telephone that refused the call, or talked earlier, did not end it.
    """
    main = parties.main
    if main is None or main.over_at is None or lost(parties):
        return None
    # Who leaves a conference, where the others are calls of their own, ends nobody else's call.
    met = [one for one in met if one.who.uniqueid in call.channels]
    parted = max((one.end for one in met), default=0.0)
    last = [one.who for one in met if one.end >= max(parted - _TOGETHER_S, main.over_at - _END_S)]
    present = {one.uniqueid: one for one in (main, *last, *(_own_caller(parties) if not last else ()))}
    asked = [(one.requested_at, one) for one in present.values() if one.requested_at is not None]
    if not asked:
        # A call record does not say who hung up.
        return None if main.from_history else "system"
    first = min(asked, key=lambda one: one[0])[1]
    return "user" if first.kind == "phone" and first is not parties.other else "other"


def _own_caller(parties: Parties) -> tuple[ChannelFacts, ...]:
    return (parties.initiator,) if parties.direction == "outbound" and parties.initiator else ()


def gave_up_at(parties: Parties) -> float | None:
    """Return when the party that called gave up or ended, by its own key or by its hang-up."""
    caller = parties.other if parties.direction == "inbound" else parties.initiator
    if caller is None:
        return None
    return caller.over_at if caller.requested_at is None else caller.requested_at


def _gave_up_in_queue(channel: ChannelFacts) -> bool:
    """Return whether the caller hung up while it waited. A queue whose time is up says `abandoned` as well."""
    if not (channel.joins or channel.abandons) or channel.over_at is None:
        return False
    joined = channel.joins[-1].at if channel.joins else channel.first_at
    left = min((one.at for one in channel.quits + channel.abandons if one.at >= joined), default=None)
    if left is None:
        return True
    asked = channel.over_at if channel.requested_at is None else channel.requested_at
    return asked <= left + _LEFT_S and channel.over_at <= left + _LEFT_S


def _not_reached(parties: Parties) -> CallOutcome:
    tried = parties.outside
    if any(map(_said_busy, tried)):
        return "busy"
    if any(not _failed(one) for one in tried) or _cancelled(parties):
        return "unanswered"
    return "failed"


def _cancelled(parties: Parties) -> bool:
    # The user hung up, or a click-to-dial was never picked up: nothing has failed.
    own = parties.initiator
    if own is None or own.requested_at is not None:
        return own is not None
    return own.dialled_at is not None and not _dial_said(own, {"ANSWER"})


def _said_busy(channel: ChannelFacts) -> bool:
    return _dial_said(channel, {"BUSY"}) or channel.cause == _BUSY


def _failed(channel: ChannelFacts) -> bool:
    # A provider's refusal (403) and a person's (603) have one cause; the status tells them apart.
    if channel.cause == _REJECTED and channel.sip_status is not None:
        return channel.sip_status not in _SIP_PEOPLE
    return channel.cause in _FAILED or _dial_said(channel, _FAILED_DIALS)


def _dial_said(channel: ChannelFacts, statuses: Iterable[str]) -> bool:
    return any(one.name in statuses for one in channel.dial_ends)
