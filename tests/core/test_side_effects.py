"""Side effects of a rule: those that are the name of something are checked before the dialplan gets them."""

from __future__ import annotations

import pytest

from routing_engine.core.model import Record

from .build import converse, go, route, rule, source


@pytest.mark.parametrize("name", ["announce", "music", "record"])
@pytest.mark.parametrize("value", ["vip", "acme/vip-1.2", ""])
def test_a_name_that_is_set_is_one_of_a_sound(name: str, value: str) -> None:
    act = rule("on", go("queue", "q"), None, **{name: "{a}", "X": "1"})
    told = converse(route(source("c", act)), found={"c": Record({"a": value})})
    assert told.decision.sets == ((name, value), ("X", "1"))


@pytest.mark.parametrize("name", ["announce", "music", "record"])
@pytest.mark.parametrize("value", ["x)U(evil", "a,b", "a&b", "/etc/passwd", "../x", "a|b", "x" * 130, "a b"])
def test_a_name_that_is_none_is_left_out_and_nothing_else(name: str, value: str) -> None:
    act = rule("on", go("queue", "q"), None, **{name: "{a}", "X": "1"})
    told = converse(route(source("c", act)), found={"c": Record({"a": value})})
    assert (told.decision.sets, told.decision.reason) == ((("X", "1"),), "matched")
    assert any(step.startswith(f"{name}: left as it is: ") for step in told.steps)


@pytest.mark.parametrize(("value", "shown"), [("+43 664/123 45-67", "+436641234567"), ("*43#", "*43#"), ("", "")])
def test_a_number_that_is_shown_is_one_of_a_telephone(value: str, shown: str) -> None:
    act = rule("on", go("queue", "q"), None, caller_number="{a}")
    assert converse(route(source("c", act)), found={"c": Record({"a": value})}).decision.sets == (
        ("caller_number", shown),
    )


@pytest.mark.parametrize("value", ['"; {X} 0900,()', "a;b,c", "+43<sip:x@y>", "1 & 2", "0" * 40, "\u0661\u0662", "abc"])
def test_what_is_no_number_is_not_shown_as_one(value: str) -> None:
    act = rule("on", go("queue", "q"), None, caller_number="{a}")
    told = converse(route(source("c", act)), found={"c": Record({"a": value})})
    assert (told.decision.sets, told.decision.reason) == ((), "matched")
    assert any(step.startswith("caller_number: left as it is: ") for step in told.steps)


def test_a_wrong_number_is_quoted_up_to_forty_characters() -> None:
    act = rule("on", go("queue", "q"), None, caller_number="{a}")
    told = converse(route(source("c", act)), found={"c": Record({"a": "x" * 50})})
    assert f"caller_number: left as it is: '{'x' * 40}' is not a number" in told.steps
