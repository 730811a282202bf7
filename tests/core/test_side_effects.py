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
