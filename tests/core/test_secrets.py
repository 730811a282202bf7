"""Digits marked sensitive stand nowhere in a trail or a record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing_engine.core.asks import SourceDown
from routing_engine.core.model import Condition, Input, Record, Spoken

from .build import SALES, Answers, converse, go, group, route, rule, say, source, to, when

PIN = Input("input", prompt=("enter",), min=4, max=64, sensitive=True)
SECRET = "48151623"


def shown(*rules: object, found: Answers, typed: str = SECRET, **more: object) -> str:
    """All that is shown of a call in which the secret was typed."""
    asked = source("customers", *rules, by="{input}", **more)  # type: ignore[arg-type]
    told = converse(route(asked, inputs=(PIN,)), typed=["12*", "7" * 3, typed], found=found)
    return repr(replace(told.decision, sets=(), destination=None))


@pytest.mark.parametrize(
    "condition",
    [
        when("input", "is", "other"),
        when("call.input", "starts_with", "9"),
        when("pin", "is", "other"),
        group("any", when("input", "is", "a"), when("pin", "is", "b")),
        group("none", when("input", "is_not", "a")),
        group("none", when("pin", "is_not", "a")),
    ],
)
def test_a_near_miss_never_shows_what_was_typed(condition: Condition) -> None:
    found = {"customers": Record({"pin": SECRET, "number": int(SECRET), "both": (SECRET, "x")}, SECRET, f"/{SECRET}")}
    assert SECRET not in shown(rule("other", go("queue", "a"), condition), found=found)


@pytest.mark.parametrize("otherwise", [None, to("queue", "sales")], ids=["no else", "else"])
@pytest.mark.parametrize("digits", [SECRET, SECRET * 8])
def test_a_refused_target_never_shows_what_was_typed(otherwise: object, digits: str) -> None:
    act = go("route", "x/{input}", otherwise=otherwise)  # type: ignore[arg-type]
    assert digits[:8] not in shown(rule("on", act), found={"customers": Record({})}, typed=digits)


def test_a_reason_that_repeats_the_digits_is_masked() -> None:
    assert SECRET not in shown(SALES, found={"customers": SourceDown(f"404 for /customers/{SECRET}")})


def test_tries_are_shown_as_stars() -> None:
    told = converse(route(inputs=(PIN,)), typed=["123", SECRET])
    assert told.outcomes[:2] == ["3 digits, fewer than 4", "typed ********"]


def test_digits_that_are_not_sensitive_are_shown() -> None:
    told = converse(route(inputs=(replace(PIN, sensitive=False),)), typed=[SECRET])
    assert told.outcomes[0] == f"typed {SECRET}"


def test_the_search_itself_gets_the_digits() -> None:
    told = converse(route(source("customers", by="{input}"), inputs=(PIN,)), typed=[SECRET])
    assert [getattr(ask, "value", None) for ask in told.asks][1] == SECRET


def test_digits_stay_hidden_when_the_call_goes_on_to_another_route() -> None:
    other = route(source("again", rule("pin", go("queue", "a"), when("pin", "is", "x"))))
    first = route(inputs=(PIN,), default=go("route", "other"))
    told = converse(first, typed=[SECRET], routes={"other": other}, found={"again": Record({"pin": SECRET})})
    assert SECRET not in repr(told.decision)


# Several inputs


NUMBER = Input("number", min=4, max=20, sensitive=True)
CODE = Input("code", min=4, max=20)
PAN = "48151623"
SHOWN = source("c", rule("miss", go("queue", "q"), when("a", "is", "other")), SALES)


def test_each_sensitive_input_is_hidden_and_no_other() -> None:
    told = converse(route(SHOWN, inputs=(NUMBER, CODE)), typed=["123456", "9876"], found={"c": Record({"a": "9876"})})
    assert "123456" not in repr(told.decision)
    assert told.steps[:2] == ["number, try 1 of 3: typed ******", "code, try 1 of 3: typed 9876"]


def test_a_secret_within_a_longer_one_leaves_nothing_of_it() -> None:
    record = Record({"a": "123456", "b": "1234"}, "123456", "https://crm/1234")
    both = (NUMBER, replace(NUMBER, name="pin"))
    for typed in (["1234", "123456"], ["123456", "1234"]):
        decision = converse(route(SHOWN, inputs=both), typed=typed, found={"c": record}).decision
        assert decision.record == Record({"a": "***", "b": "***"}, "***", "")
        assert "56" not in repr(decision.trail)


@pytest.mark.parametrize("name", ["number", ""])
def test_a_named_secret_is_hidden_in_a_near_miss(name: str) -> None:
    left = f"input.{name}" if name else "input"
    told = converse(route(rules=(rule("x", go("queue", "q"), when(left, "is", "1")),), inputs=(NUMBER,)), typed=[PAN])
    assert told.steps[1] == f"rule x: {left} is not what the rule asks"


def test_only_the_input_that_is_sensitive_is_hidden_in_a_near_miss() -> None:
    miss = rule("x", go("queue", "q"), when("input.code", "is", "1"))
    told = converse(route(rules=(miss,), inputs=(NUMBER, CODE)), typed=[PAN, "9876"])
    assert told.steps[2] == "rule x: input.code is '9876': it is not '1'"


def test_what_was_played_of_a_record_is_masked_where_it_is_shown() -> None:
    act = rule("say", go("queue", "q", say("digits", "{pan}"), say("sound", "acme/{pan}")))
    told = converse(route(source("c", act), inputs=(NUMBER,)), typed=[PAN], found={"c": Record({"pan": PAN})})
    assert told.played == [Spoken("digits", PAN), f"acme/{PAN}"]
    assert told.decision.play == (Spoken("digits", "***"), "acme/***")
    assert PAN not in repr(told.decision)


@pytest.mark.parametrize("before", range(60, 80))
def test_a_secret_where_a_long_text_is_cut_is_masked_too(before: int) -> None:
    long = "x" * before + PAN + "y" * 50
    told = converse(route(SHOWN, inputs=(NUMBER,)), typed=[PAN], found={"c": Record({"a": long})})
    assert PAN[:3] not in repr(told.decision)


def test_very_short_digits_are_not_masked_everywhere() -> None:
    short = replace(NUMBER, min=1)
    told = converse(route(SHOWN, inputs=(short,)), typed=["12"], found={"c": Record({"a": "2026-12"})})
    assert told.decision.record == Record({"a": "2026-12"})
    assert told.steps[0] == "number, try 1 of 3: typed **"


def test_an_input_beside_a_sensitive_one_is_shown_under_the_short_name() -> None:
    miss = rule("x", go("queue", "q"), when("input", "is", "1"))
    told = converse(route(rules=(miss,), inputs=(CODE, NUMBER)), typed=["9876", PAN])
    assert told.steps[2] == "rule x: input is '9876': it is not '1'"


def test_two_sensitive_digits_in_a_refused_target_are_not_shown() -> None:
    asked = route(rules=(rule("on", go("route", "x y{input}")),), inputs=(replace(NUMBER, min=2),))
    told = converse(asked, typed=["42"])
    assert "destination route: refused: it is not what was allowed" in told.steps
