"""The line of a call: what it tells, and what it never does."""

from __future__ import annotations

import io
import json
from datetime import datetime
from typing import Any

import pytest
import structlog

from routing_engine.core.events import CallAbandoned, CallEnded, CallRouted
from routing_engine.core.model import Caller, Decision, Destination
from routing_engine.core.phone import read_number
from routing_engine.log import log_call
from routing_engine.logger import set_up_log

ANNA = Caller(read_number("+436641234567", "AT"), call_id="1795198986.2")
QUEUE = Decision("support", "9bc5", "matched", Destination("queue", "vip", 10), rule="gold", source="crm")
OUTSIDE = Decision("support", "9bc5", "matched", Destination("external", "+4319876543"))
NOWHERE = Decision("healthcheck-x", "", "error", None, failed=True)


def routed(caller: Caller, decision: Decision, **more: Any) -> CallRouted:
    return CallRouted(caller, decision.route, decision, **more)


def line(event: CallEnded, plain: bool = False, level: str = "info") -> dict[str, Any]:
    """What is written of a call; nothing is {}."""
    stream = io.StringIO()
    set_up_log(level, "json", stream)
    log_call(event, plain)
    return dict(json.loads(stream.getvalue() or "{}"))


def test_a_call_tells_what_its_caller_waited_and_the_longest_silence():
    said = line(routed(ANNA, QUEUE, took_ms=2311.44, waited_s=1.2504, silence_s=0.7))
    assert (said["took_ms"], said["waited_ms"], said["silence_ms"]) == (2311.4, 1250, 700)


def test_a_caller_who_gave_up_is_told_with_the_silence_before():
    said = line(CallAbandoned(ANNA, "support", "the caller hung up", took_ms=4000.0, waited_s=3.9, silence_s=3.1))
    assert (said["event"], said["waited_ms"], said["silence_ms"]) == ("call.abandoned", 3900, 3100)


@pytest.mark.parametrize(("plain", "shown"), [(False, "...567"), (True, "+436641234567")])
def test_the_caller_is_masked_unless_the_site_wants_numbers_plain(plain, shown):
    assert line(routed(ANNA, QUEUE, took_ms=1.0), plain)["caller"] == shown


@pytest.mark.parametrize(("plain", "shown"), [(False, "external ...543"), (True, "external +4319876543")])
def test_a_number_outside_is_masked_like_a_caller(plain, shown):
    assert line(routed(ANNA, OUTSIDE, took_ms=1.0), plain)["destination"] == shown


def test_a_destination_is_told_with_its_priority():
    assert line(routed(ANNA, QUEUE, took_ms=1.0))["destination"] == "queue vip, priority 10"


@pytest.mark.parametrize(("level", "written"), [("info", False), ("debug", True)])
def test_a_health_check_is_written_only_when_debugging(level, written):
    assert bool(line(routed(Caller(None), NOWHERE, took_ms=1.0), level=level)) is written


def test_people_read_local_time_and_programs_utc() -> None:
    text, lines = io.StringIO(), io.StringIO()
    for form, stream in (("text", text), ("json", lines)):
        set_up_log("info", form, stream)  # type: ignore[arg-type]  # the two of the tuple
        structlog.get_logger().info("thing.happened")
    shown = datetime.strptime(text.getvalue()[:19], "%Y-%m-%d %H:%M:%S").astimezone()
    written = datetime.fromisoformat(json.loads(lines.getvalue())["timestamp"])
    assert abs((shown - written).total_seconds()) < 60
