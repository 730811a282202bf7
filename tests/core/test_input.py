"""What makes typed digits valid."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing_engine.core.check_digits import is_luhn, is_mod11, why_invalid
from routing_engine.core.model import Input

from .build import GOLD, SALES, converse, pattern, route, source

SIX = Input(min=6, max=10)

VALID = [
    (SIX, "123456"),
    (SIX, "1234567890"),
    (Input(min=1, max=1), "0"),
    (replace(SIX, pattern=pattern(r"\d{6,10}")), "123456"),
    (replace(SIX, pattern=pattern(r"[\d*]+")), "12*456"),
    (replace(SIX, pattern=pattern(r"\*\d+")), "*12345"),
    (replace(SIX, max=16, check="luhn"), "4539148803436467"),
    (replace(SIX, check="mod11"), "0707614285"),
]
INVALID = [
    (SIX, "", "nothing typed"),
    (SIX, "12345", "5 digits, fewer than 6"),
    (SIX, "12345678901", "11 digits, more than 10"),
    (SIX, "12*456", "a key among the digits is not a digit"),
    (SIX, "#12345", "a key among the digits is not a digit"),
    (SIX, "١٢٣٤٥٦", "a key among the digits is not a digit"),
    (replace(SIX, pattern=pattern(r"\d{6}")), "1234567", "the digits do not fit the pattern"),
    (replace(SIX, pattern=pattern("9")), "123956", "the digits do not fit the pattern"),
    (replace(SIX, max=16, check="luhn"), "4539148803436468", "the check digit (luhn) is wrong"),
    (replace(SIX, check="mod11"), "0707614286", "the check digit (mod11) is wrong"),
    (
        replace(SIX, pattern=pattern(".*"), check="luhn"),
        "²²²²²²",
        "a key among the digits is not a digit",
    ),
]


@pytest.mark.parametrize(("one", "digits"), VALID)
def test_valid(one: Input, digits: str) -> None:
    assert why_invalid(one, digits) == ""


@pytest.mark.parametrize(("one", "digits", "why"), INVALID)
def test_invalid(one: Input, digits: str, why: str) -> None:
    assert why_invalid(one, digits) == why


@pytest.mark.parametrize(
    ("digits", "right"), [("79927398713", True), ("79927398710", False), ("0", True), ("1*", False)]
)
def test_luhn(digits: str, right: bool) -> None:
    assert is_luhn(digits) is right


@pytest.mark.parametrize(
    ("digits", "right"), [("0707614285", True), ("0306406125", False), ("5", False), ("1²", False), ("*1", False)]
)
def test_mod11(digits: str, right: bool) -> None:
    assert is_mod11(digits) is right


@pytest.mark.parametrize("check", [is_luhn, is_mod11])
@pytest.mark.parametrize("number", ["30640615", "7992739871", "11111111"])
def test_one_wrong_digit_is_always_found(check: object, number: str) -> None:
    assert callable(check)
    valid = next((number + last for last in "0123456789" if check(number + last)), None)
    wrong = [] if valid is None else [valid[:i] + str((int(c) + 1) % 10) + valid[i + 1 :] for i, c in enumerate(valid)]
    assert not any(check(one) for one in wrong)


def test_a_try_with_a_star_is_a_failed_one() -> None:
    told = converse(
        route(source("customers", SALES, by="{input}"), inputs=(SIX,)),
        typed=["12*456", "123456"],
        found={"customers": GOLD},
    )
    assert told.outcomes[:2] == ["a key among the digits is not a digit", "typed 123456"]


def test_no_more_than_max_digits_are_taken() -> None:
    told = converse(route(source("c", SALES, by="{input}"), inputs=(SIX,)), typed=["123456789012"], found={"c": GOLD})
    assert told.outcomes[0] == "typed 1234567890"


def test_two_inputs_are_asked_one_after_the_other() -> None:
    number, pin = Input("number", min=4, max=4), Input("pin", min=2, max=2)
    told = converse(
        route(source("c", SALES, by="{input.number}-{input.pin}"), inputs=(number, pin)), typed=["4711", "42"]
    )
    assert getattr(told.asks[2], "value", None) == "4711-42"
