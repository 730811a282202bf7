"""The lines of calls in the log: one a call, with numbers masked."""

from __future__ import annotations

from routing_engine.core.destinations import say_destination
from routing_engine.core.events import CallAbandoned, CallEnded, CallRouted
from routing_engine.core.redact import hide_number, shown_caller
from routing_engine.logger import Field, Logger

_log = Logger()


def log_call(event: CallEnded, plain_numbers: bool) -> None:
    """Write the one line of a call."""
    if isinstance(event, CallRouted):
        _log_routed(event, plain_numbers)
    elif isinstance(event, CallAbandoned):
        _log_abandoned(event, plain_numbers)


def _log_abandoned(event: CallAbandoned, plain: bool) -> None:
    _log.info(
        "call.abandoned",
        call_id=event.caller.call_id,
        route=event.route,
        caller=shown_caller(event.caller, plain),
        why=hide_number(event.why, event.caller, plain),
        took_ms=round(event.took_ms, 1),
        waited_ms=round(event.waited_s * 1000),
        silence_ms=round(event.silence_s * 1000),
    )


def _log_routed(event: CallRouted, plain: bool) -> None:
    decision = event.decision
    say = _log.warning if decision.failed else _log.info
    if decision.failed and event.health_check:
        say = _log.debug  # it asks for a route that does not exist, a few times a minute
    say(
        "call.routed",
        call_id=event.caller.call_id,
        route=event.route,
        caller=shown_caller(event.caller, plain),
        reason=decision.reason,
        source=decision.source,
        rule=decision.rule,
        destination=hide_number(say_destination(decision.destination, plain), event.caller, plain),
        revision=decision.revision,
        took_ms=round(event.took_ms, 1),
        waited_ms=round(event.waited_s * 1000),
        silence_ms=round(event.silence_s * 1000),
        **_why(event, plain, _log.debugs()),
    )


def _why(event: CallRouted, plain: bool, whole: bool) -> dict[str, Field]:
    """Return what helps when a call did not go as its route's author meant: the last step, or all when debugging."""
    decision = event.decision
    if whole:
        trail = [(one.step, one.outcome) for one in decision.trail]
        hidden = [[hide_number(text, event.caller, plain) for text in step] for step in trail]
        return {"trail": [{"step": step, "outcome": outcome} for step, outcome in hidden]}
    if decision.reason in ("source_down", "error") and decision.trail:
        faults = [one for one in decision.trail if one.outcome.startswith(("down", "refused", "there is no"))]
        why = "; ".join(f"{one.step}: {one.outcome}" for one in faults or decision.trail[-1:])
        return {"why": hide_number(why, event.caller, plain)}
    return {}
