"""Calls of another telephone system, or of a trunk, as it tells of them: events in, a call record out.

Such a system says what happened and not how: its calls have no legs of ours, and end as their last event says. The same
events in any order give the same call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from routing_engine.calls.call import Call, CallOutcome, CallState, Direction
from routing_engine.calls.changes import ChangeKind

ReportedType: TypeAlias = Literal["call.started", "call.ringing", "call.answered", "call.ended"]
REPORTED_TYPES: tuple[ReportedType, ...] = get_args(ReportedType)


@dataclass(frozen=True, slots=True)
class ReportedEvent:
    """One event as `POST /v1/events/{source}` takes it. `id` is the sender's: the same one again changes nothing."""

    source: str
    id: str
    call: str
    type: ReportedType
    at: float
    direction: Direction
    from_: str | None = None
    to: str | None = None


def reported_call(events: Sequence[ReportedEvent], call_id: str, number: Callable[[str], str]) -> Call:
    """Return the call that some events of one call tell of; there must be one at least.

    `number` brings a number into E.164 where it reads as one. Nobody says who answered: `user` is not known.
    """
    first = min(events, key=lambda one: one.at)
    answered, ended = _earliest(events, "call.answered"), _last_end(events)
    ringing = _earliest(events, "call.ringing")
    state: CallState = "ended" if ended is not None else "talking" if answered is not None else "ringing"
    until = None if ended is None else ended - first.at
    return Call(
        id=call_id,
        pbx=first.source,
        pbx_call_id=first.call,
        direction=first.direction,
        started_at=first.at,
        from_=_number(events, "from_", number),
        to=_number(events, "to", number),
        did=_number(events, "to" if first.direction == "inbound" else "", number),
        state=state,
        outcome=None if ended is None else _outcome(first.direction, answered is not None),
        ringing_at=ringing,
        answered_at=answered,
        ended_at=ended,
        duration_s=until,
        wait_s=until if answered is None else answered - first.at,
        talk_s=None if ended is None else 0.0 if answered is None else max(0.0, ended - answered),
        hold_s=None if ended is None else 0.0,
        linkedids=(first.call,),
    )


def _earliest(events: Sequence[ReportedEvent], wanted: ReportedType) -> float | None:
    return min((one.at for one in events if one.type == wanted), default=None)


def _last_end(events: Sequence[ReportedEvent]) -> float | None:
    ends = [one.at for one in events if one.type == "call.ended"]
    # An end that is told before the start (clocks of two machines) is one all the same, but lasts no negative time.
    return max(*ends, *(one.at for one in events), 0.0) if ends else None


def _number(events: Sequence[ReportedEvent], name: str, number: Callable[[str], str]) -> str | None:
    # The first that says it: a forward tells another target later, and the call was to the first.
    said = [one.from_ if name == "from_" else one.to for one in sorted(events, key=lambda one: one.at)] if name else []
    found = next((one for one in said if one), None)
    return None if found is None else number(found)


def _outcome(direction: Direction, answered: bool) -> CallOutcome:
    if answered:
        return "answered"
    return "missed" if direction == "inbound" else "unanswered"


def kinds_between(before: Call | None, now: Call) -> Iterator[ChangeKind]:
    """Yield what happened to a call between two states of it; None before it was known."""
    if before is None:
        yield "call.started"
    if now.ringing_at is not None and (before is None or before.ringing_at is None):
        yield "call.ringing"
    if now.answered_at is not None and (before is None or before.answered_at is None):
        yield "call.answered"
    if now.state == "ended" and (before is None or before.state != "ended"):
        yield "call.ended"
        if now.outcome in ("missed", "abandoned"):
            yield "call.missed"
