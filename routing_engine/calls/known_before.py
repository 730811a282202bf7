"""A call that the store knew when the engine started: what was known goes on, what is new is added."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from routing_engine.calls.call import Call, Leg
from routing_engine.calls.facts import CallFacts, Told
from routing_engine.calls.transfers import at_most_once


def taken_up(call: Call) -> CallFacts:
    """Return the facts that a stored record leaves: its ids, and what has been told of it."""
    ids = dict.fromkeys([call.pbx_call_id, *call.linkedids])
    rung = {leg.phone for leg in call.legs if leg.ringing_at is not None}
    told = Told(True, rung, call.answered_at is not None, len(call.transfers))
    return CallFacts(ids, id=call.id, known=call, unsure=True, told=told)


def gone_on(known: Call, now: Call) -> Call:
    """Return the record of a call with what was known of it before the engine was started."""
    answered = _first(known.answered_at, now.answered_at)
    waits = now.state == "ringing" and answered is not None
    return replace(
        now,
        state="talking" if waits else now.state,
        pbx_call_id=known.pbx_call_id,
        started_at=known.started_at,
        direction=known.direction,
        from_=known.from_ or now.from_,
        to=known.to or now.to,
        did=known.did or now.did,
        outcome="answered" if answered is not None and now.outcome not in (None, "unknown") else now.outcome,
        ringing_at=_first(known.ringing_at, now.ringing_at),
        answered_at=answered,
        duration_s=None if now.ended_at is None else now.ended_at - known.started_at,
        wait_s=known.wait_s if known.answered_at is not None else now.wait_s,
        user=now.user or known.user,
        queue=now.queue or known.queue,
        legs=_legs(known.legs, now.legs, now.ended_at),
        transfers=at_most_once(now.transfers, known.transfers),
        recording=now.recording if now.recording.name else known.recording,
        linkedids=tuple(sorted({*known.linkedids, *now.linkedids})),
        route_call_id=now.route_call_id or known.route_call_id,
        stranded=now.stranded or known.stranded,
    )


def last_moment(call: Call) -> float:
    """Return the last moment at which anything is known to have happened in a call."""
    legs = (at for leg in call.legs for at in (leg.ringing_at, leg.answered_at, leg.left_at))
    moments = (call.ringing_at, call.answered_at, *(one.at for one in call.transfers), *legs)
    return max((at for at in moments if at is not None), default=call.started_at)


def _legs(known: Iterable[Leg], now: Iterable[Leg], ended_at: float | None) -> tuple[Leg, ...]:
    new = {leg.phone: leg for leg in now}
    legs = [_leg(leg, new.pop(leg.phone, None), ended_at) for leg in known]
    return (*legs, *new.values())


def _leg(known: Leg, now: Leg | None, ended_at: float | None) -> Leg:
    if known.left_at is not None:
        return known
    # It was there when the engine stopped, and no channel of it is known now: it left while nobody looked.
    now = now or replace(known, left_at=ended_at, result="answered" if known.answered_at is not None else "no_answer")
    return replace(
        now,
        user=known.user or now.user,
        ringing_at=_first(known.ringing_at, now.ringing_at),
        answered_at=_first(known.answered_at, now.answered_at),
        result=now.result if ended_at is not None or now.left_at is not None else known.result,
    )


def _first(*moments: float | None) -> float | None:
    return min((one for one in moments if one is not None), default=None)
