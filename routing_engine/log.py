"""The log: one event a line with fields, numbers masked, nothing from a caller or a CRM able to forge a line.

Event names are `thing.happened`; the reference in docs/ lists them. JSON where a program reads, text on a terminal.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

from routing_engine.core.destinations import say_destination
from routing_engine.core.events import CallAbandoned, CallEnded, CallRouted
from routing_engine.core.redact import hide_number, shown_caller, visible

#: No text of an event is longer: a line is for people.
_LONGEST = 2000


def set_up_log(level: str, form: Literal["auto", "json", "text"], stream: TextIO | None = None) -> None:
    """Send every event of at least `level` to `stream`, standard error by default.

    `auto` is text on a terminal and JSON elsewhere.
    """
    stream = stream or sys.stderr
    text = form == "text" or (form == "auto" and stream.isatty())
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if text:
        renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty(), sort_keys=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            # Who looks at a terminal looks at the clock on the wall; programs get UTC, which no summer shifts.
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S" if text else "iso", utc=not text),
            _one_line,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


def _one_line(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put time, level and event first, and take control characters out of every text: no value begins a line."""
    first = {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event}
    return first | {key: _plain(value) for key, value in event.items()}


def _plain(value: Any) -> Any:
    """Return a value without what a terminal would obey or cannot show, in every text, however deep it lies."""
    if isinstance(value, str):
        return visible(value, _LONGEST)
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    # What an event may hold is JSON: nothing else has a text inside.
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def log_call(event: CallEnded, plain_numbers: bool) -> None:
    """Write the one line of a call."""
    if isinstance(event, CallRouted):
        _log_routed(event, plain_numbers)
    elif isinstance(event, CallAbandoned):
        _log_abandoned(event, plain_numbers)


def _log_abandoned(event: CallAbandoned, plain: bool) -> None:
    structlog.get_logger().info(
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
    log = structlog.get_logger()
    decision = event.decision
    say = log.warning if decision.failed else log.info
    if decision.failed and event.health_check:
        say = log.debug  # it asks for a route that does not exist, a few times a minute
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
        **_why(event, plain),
    )


def _why(event: CallRouted, plain: bool) -> dict[str, object]:
    """Return what helps when a call did not go as its route's author meant: the last step, or all when debugging."""
    decision = event.decision
    if structlog.get_logger().is_enabled_for(logging.DEBUG):
        trail = [(one.step, one.outcome) for one in decision.trail]
        hidden = [[hide_number(text, event.caller, plain) for text in step] for step in trail]
        return {"trail": [{"step": step, "outcome": outcome} for step, outcome in hidden]}
    if decision.reason in ("source_down", "error") and decision.trail:
        faults = [one for one in decision.trail if one.outcome.startswith(("down", "refused", "there is no"))]
        why = "; ".join(f"{one.step}: {one.outcome}" for one in faults or decision.trail[-1:])
        return {"why": hide_number(why, event.caller, plain)}
    return {}
