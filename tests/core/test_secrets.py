"""Digits marked sensitive stand nowhere in a trail or a record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing_engine.core.model import Condition, Input, Record, SourceDown

from .build import SALES, Answers, converse, go, group, route, rule, source, to, when

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
