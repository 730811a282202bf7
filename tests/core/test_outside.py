"""What a value may dial: no codes of the telephone system, and outside only what the operator allows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing_engine.core.model import Record, Site

from .build import converse, go, route, rule, source

ALLOWED = Site(outside=("+43664", "+49"), region="AT")


@pytest.mark.parametrize("kind", ["external", "extension", "callback"])
@pytest.mark.parametrize("value", ["*72900123456", "*97", "#1", "06641234567#"])
def test_a_code_never_comes_out_of_a_value(kind: str, value: str) -> None:
    act = rule("on", go(kind, "{a}"))
    told = converse(route(source("c", act)), found={"c": Record({"a": value})})
    assert told.decision.destination is not None
    assert told.decision.destination.kind != kind
    assert any("holds a code" in step or "it must be" in step for step in told.steps)


def test_a_place_in_the_dialplan_may_hold_the_keys_that_were_pressed() -> None:
    act = rule("on", go("dialplan", "office,x{a},1"))
    decision = converse(route(source("c", act)), found={"c": Record({"a": "12*45"})}).decision
    assert decision.destination is not None
    assert decision.destination.target == "office,x12*45,1"


def test_a_code_that_stands_in_the_route_is_dialled() -> None:
    act = rule("on", go("external", "*21*{a}#"))
    decision = converse(route(source("c", act)), found={"c": Record({"a": "06641234567"})}).decision
    assert decision.destination is not None
    assert decision.destination.target == "*21*06641234567#"


@pytest.mark.parametrize("value", ["+436641234567", "0664 1234567", "00436641234567", "+49 30 123456"])
def test_what_is_allowed_outside_is_dialled_however_it_is_written(value: str) -> None:
    assert outside(value) == "external"


@pytest.mark.parametrize("value", ["0900 123456", "+881612345678", "+43 1 5550199", "112", "664", "+4"])
def test_what_is_not_allowed_outside_goes_elsewhere(value: str) -> None:
    assert outside(value) != "external"


@pytest.mark.parametrize("target", ["{call.caller}", "00{a}", "+{a}"])
def test_values_of_the_call_and_parts_of_a_number_are_values_too(target: str) -> None:
    assert outside("8816123456", target) == ("external" if target == "{call.caller}" else "ivr")


def test_what_a_route_writes_itself_is_not_narrowed() -> None:
    assert outside("x", "0900123456") == "external"


def outside(value: str, target: str = "{a}") -> str:
    """Where a call ends whose record holds this value."""
    one = replace(route(source("c", rule("on", go("external", target)))), site=ALLOWED)
    destination = converse(one, found={"c": Record({"a": value})}).decision.destination
    assert destination is not None
    return destination.kind
