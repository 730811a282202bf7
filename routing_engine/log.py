"""The log: one event a line with fields, numbers masked, nothing from a caller or a CRM able to forge a line.

Event names are `thing.happened`; the reference in docs/ lists them. JSON where a program reads, text on a terminal.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

from routing_engine.core.events import CallAbandoned, CallRouted
from routing_engine.core.model import Caller, Decision
from routing_engine.core.numbers import mask_number

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


#: Health checks ask for a route that begins so and does not exist; nobody needs to read of them.
HEALTH_CHECK = "healthcheck-"


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
            structlog.processors.TimeStamper(fmt="iso", utc=True),
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
    return first | {key: _CONTROL.sub(" ", value) if isinstance(value, str) else value for key, value in event.items()}


def log_call(event: CallRouted | CallAbandoned, plain_numbers: bool) -> None:
    """Write the one line of a call."""
    log = structlog.get_logger()
    caller = _shown(event.caller, plain_numbers)
    if isinstance(event, CallAbandoned):
        log.info(
            "call.abandoned",
            call_id=event.caller.call_id,
            route=event.route,
            caller=caller,
            why=event.why,
            took_ms=round(event.took_ms, 1),
        )
        return
    decision = event.decision
    say = log.warning if decision.failed else log.info
    if decision.failed and decision.route.startswith(HEALTH_CHECK):
        say = log.debug
    say(
        "call.routed",
        call_id=event.caller.call_id,
        route=decision.route,
        caller=caller,
        reason=decision.reason,
        source=decision.source,
        rule=decision.rule,
        destination=_destination(event, plain_numbers),
        revision=decision.revision,
        took_ms=round(event.took_ms, 1),
        **_why(decision),
    )


def _why(decision: Decision) -> dict[str, object]:
    """Give what helps when a call did not go as the route's author meant: the last step, or all when debugging."""
    if structlog.get_logger().is_enabled_for(logging.DEBUG):
        return {"trail": [{"step": one.step, "outcome": one.outcome} for one in decision.trail]}
    if decision.reason in ("source_down", "error") and decision.trail:
        faults = [one for one in decision.trail if one.outcome.startswith(("down", "refused", "there is no"))]
        return {"why": "; ".join(f"{one.step}: {one.outcome}" for one in faults or decision.trail[-1:])}
    return {}


def _shown(caller: Caller, plain: bool) -> str:
    if caller.number is None:
        return "anonymous"
    return caller.number.e164 if plain else mask_number(caller.number.e164)


def _destination(event: CallRouted, plain: bool) -> str:
    found = event.decision.destination
    if found is None:
        return ""
    outside = found.kind in ("external", "callback") and not plain
    priority = f", priority {found.priority}" if found.priority is not None else ""
    return f"{found.kind} {mask_number(found.target) if outside else found.target}{priority}"
