"""A right side that is a value of the record or the call: `input.pin: '{pin}'`."""

from __future__ import annotations

import pytest

from routing_engine.core import model
from routing_engine.core.conditions import describe, why_not
from routing_engine.core.model import Record, Template, Value
from routing_engine.core.templates import Facts, read_operand, read_template

from .build import ANNA


def why(left: str, operator: str, right: str, fields: dict[str, Value], typed: str = "4711", hide: bool = False) -> str:
    test = model.Comparison(read_operand(left), operator, read_template(right))
    return why_not(test, Facts(ANNA, {"pin": typed}, Record(fields)), lambda left: hide and left.scope == "input")


@pytest.mark.parametrize(
    ("left", "operator", "right", "fields"),
    [
        ("input.pin", "is", "{pin}", {"pin": "4711"}),
        ("input.pin", "is", "{pin}", {"pin": 4711}),
        ("pin", "is", "{input.pin}", {"pin": "4711"}),
        ("balance", "more_than", "{limit}", {"balance": "1000", "limit": 900}),
        ("balance", "is", "{limit}", {"balance": 0, "limit": 0}),
        ("number", "is", "AT-{input.pin}", {"number": "AT-4711"}),
        ("due", "before", "{paid}", {"due": "2026-01-01", "paid": "2026-01-02"}),
        ("input.pin", "is_not", "{pin}", {"pin": "0815"}),
    ],
)
def test_two_values_are_compared_by_meaning(left: str, operator: str, right: str, fields: dict[str, Value]) -> None:
    assert why(left, operator, right, fields) == ""


@pytest.mark.parametrize("operator", ["is", "is_not", "contains", "starts_with", "at_least"])
def test_what_is_empty_on_the_right_holds_for_nobody(operator: str) -> None:
    assert why("input.pin", operator, "{pin}", {}) == "input.pin is compared with '{pin}', which is empty"


def test_a_comparison_that_fails_names_both_values() -> None:
    said = why("balance", "more_than", "{limit}", {"balance": 900, "limit": 1000})
    assert said == "balance is 900: it is not more than 1000"


@pytest.mark.parametrize(("left", "right"), [("input.pin", "{pin}"), ("pin", "{input.pin}")])
def test_neither_side_of_a_secret_is_named(left: str, right: str) -> None:
    assert why(left, "is", right, {"pin": "0815"}, hide=True) == f"{left} is not what the rule asks"


def test_a_condition_with_a_value_on_the_right_is_said_as_it_is_written() -> None:
    test = model.Comparison(read_operand("balance"), "more_than", Template((read_operand("limit"),)))
    assert describe(test) == "balance more than '{limit}'"
