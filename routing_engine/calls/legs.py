"""The legs of a call: one for each telephone that rang or talked in it, and what came of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from routing_engine.calls.call import Leg, LegResult
from routing_engine.calls.facts import ChannelFacts
from routing_engine.calls.together import Meeting

#: Events of one moment may be told by different threads of the PBX, and in another order.
_MOMENT_S = 1.0
_BUSY, _NO_ANSWER, _REJECTED, _ELSEWHERE = 17, 19, 21, 26
_SIP_BUSY, _SIP_DECLINED = (486, 600), (603, 607, 608)
#: How good a result is, when two legs of one telephone are one.
_RANK: dict[LegResult | None, int] = {"transferred": 2, "answered": 1}


@dataclass(slots=True)
class Ring:
    """One channel as a leg: whom it met, and who has it now.

    `answered_at` is when somebody there could be heard, `picked_up_at` when the receiver was lifted, also if nobody was
    connected in the end, `start` when it began to ring, was dialled, or called.
    """

    channel: ChannelFacts
    phone: str
    met: Sequence[Meeting]
    # Somebody of another call, who was in this one until then: in a conference.
    until: float = inf
    # Worked out once: each ring is compared with the others, again at every event.
    answered_at: float | None = field(init=False)
    picked_up_at: float | None = field(init=False)
    start: float = field(init=False)

    def __post_init__(self) -> None:
        channel = self.channel
        self.answered_at = self.met[0].start if self.met else None
        # In their order, so the first one is the earliest.
        answers = (one.at for one in channel.dial_ends if one.name == "ANSWER")
        self.picked_up_at = next(answers, self.answered_at) if channel.dial_ends else self.answered_at
        start = channel.dialled_at if channel.rang_at is None else channel.rang_at
        if start is not None and channel.dialled_at is not None and channel.dialled_at < start:
            start = channel.dialled_at
        if self.answered_at is not None and (start is None or self.answered_at < start):
            start = self.answered_at
        self.start = channel.start if start is None else start


@dataclass(frozen=True, slots=True)
class Around:
    """What else happened in the call that a leg's result depends on.

    `passed_on` are channels that passed the call on, `robbed` those whose ringing somebody else picked up, `gave_up_at`
    is when the party that called gave up or ended, `ended_at` the end of the call.
    """

    passed_on: frozenset[str]
    robbed: frozenset[str]
    gave_up_at: float | None
    ended_at: float | None


def legs(rings: Iterable[Ring], around: Around, settled: Iterable[Leg] = ()) -> tuple[Leg, ...]:
    """Return the legs of a call in their order, one for each telephone that rang once or again until it answered.

    `settled` are legs of rings before these, whose channels are not kept any more.
    """
    in_order = sorted(rings, key=lambda one: (one.start, one.channel.uniqueid))
    takers = [one for one in in_order if one.channel.dialled_at is not None and one.picked_up_at is not None]
    whole = list(settled)
    last = {leg.phone: number for number, leg in enumerate(whole)}
    for ring in in_order:
        if _took_part(ring):
            _fold(whole, last, _leg(ring, takers, around), ring)
    return tuple(sorted(whole, key=_began) if settled else whole)


def _began(leg: Leg) -> float:
    return min((at for at in (leg.ringing_at, leg.answered_at) if at is not None), default=inf)


def _took_part(ring: Ring) -> bool:
    """Return whether a telephone rang, talked, or refused the call; one that was not reached did none of it."""
    if ring.channel.rang_at is not None or ring.met:
        return True
    return bool(ring.channel.dialled_at is not None and _refused(ring.channel) and not ring.channel.forwarded_to)


def _leg(ring: Ring, takers: Sequence[Ring], around: Around) -> Leg:
    channel, left = ring.channel, _left_at(ring)
    if left is None:
        left = around.ended_at
    result = _result(ring, takers, around, left)
    return Leg(ring.phone, channel.user, channel.rang_at, ring.answered_at, left, result)


def _left_at(ring: Ring) -> float | None:
    if ring.until < inf:
        return ring.until
    if not ring.channel.dial_ends:
        return ring.channel.over_at
    if ring.answered_at is not None or ring.channel.over_at is not None:
        ended = [] if ring.answered_at is not None else _unanswered_ends(ring.channel)
        return min([*ended, *([] if ring.channel.over_at is None else [ring.channel.over_at])], default=None)
    return min(_unanswered_ends(ring.channel), default=None)


def _unanswered_ends(channel: ChannelFacts) -> list[float]:
    return [one.at for one in channel.dial_ends if one.name != "ANSWER"]


def _result(ring: Ring, takers: Sequence[Ring], around: Around, left: float | None) -> LegResult | None:
    channel = ring.channel
    if (channel.uniqueid in around.passed_on and ring.met) or channel.forwarded_to:
        return "transferred"
    if ring.met:
        return "answered"
    # Until the channel is gone, its own hang-up may still say more than the end of its dialling did.
    if left is None or (channel.over_at is None and around.ended_at is None):
        return None
    if channel.dialled_at is None and channel.rang_at is None:
        return None
    if ring.picked_up_at is not None and channel.dialled_by is None:
        return None  # a click that was picked up: what came of it is the other party's
    refused = None if ring.picked_up_at is not None else _refused(channel)
    return refused or _unanswered(ring, takers, around, left)


def _refused(channel: ChannelFacts) -> LegResult | None:
    """Return what the telephone itself said; a queue tells a busy one as NOANSWER, so the hang-up counts.

    Not where the PBX took the call away: to that telephone it gives the cause of another one that was busy before.
    """
    if channel.requested_at is None and channel.dial_ends and all(one.name == "CANCEL" for one in channel.dial_ends):
        return None
    if channel.sip_status in _SIP_DECLINED or channel.cause == _REJECTED:
        return "declined"
    if channel.cause == _BUSY or channel.sip_status in _SIP_BUSY:
        return "busy"
    return "busy" if channel.dial_ends and any(one.name == "BUSY" for one in channel.dial_ends) else None


def _unanswered(ring: Ring, takers: Sequence[Ring], around: Around, left: float) -> LegResult:
    if ring.channel.uniqueid in around.robbed or ring.channel.cause == _ELSEWHERE:
        return "elsewhere"
    if any(_took(other, ring, left) for other in takers):
        return "elsewhere"
    gave_up = around.gave_up_at is not None and around.gave_up_at <= left + _MOMENT_S
    rang_out = ring.channel.cause == _NO_ANSWER or any(one.name == "NOANSWER" for one in ring.channel.dial_ends)
    return "cancelled" if gave_up and not rang_out else "no_answer"


def _took(other: Ring, ring: Ring, left: float) -> bool:
    """Return whether another telephone took the call while this one rang. Only one that was rung, or picked it up."""
    at = other.picked_up_at
    return (
        other.channel is not ring.channel
        and at is not None
        and other.start <= left
        and ring.start <= at <= left + _MOMENT_S
    )


def _fold(whole: list[Leg], last: dict[str, int], leg: Leg, ring: Ring) -> None:
    """Put a leg behind the others, or into the one before of its telephone; `last` says where that is."""
    number = last.get(leg.phone)
    before = None if number is None else whole[number]
    if number is not None and before is not None and before.answered_at is None:
        whole[number] = replace(leg, ringing_at=before.ringing_at or leg.ringing_at, user=before.user or leg.user)
    elif number is not None and before is not None and _beside(before, ring):
        whole[number] = _both(before, leg)
    else:
        last[leg.phone] = len(whole)
        whole.append(leg)


def _beside(before: Leg, ring: Ring) -> bool:
    """Return whether a telephone called on while its leg before went on."""
    return ring.channel.dialled_at is None and ring.start < (inf if before.left_at is None else before.left_at)


def _both(before: Leg, leg: Leg) -> Leg:
    # Somebody who consults a colleague has two channels; that is one person, and what the first one did counts.
    left = None if before.left_at is None or leg.left_at is None else max(before.left_at, leg.left_at)
    result = max(before.result, leg.result, key=lambda one: _RANK.get(one, 0))
    return replace(before, left_at=left, result=result)
