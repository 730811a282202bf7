"""Left sides, templates, and how values are written."""

from __future__ import annotations

import pytest

from routing_engine.core.model import Operand, Record, Value
from routing_engine.core.templates import Facts, as_text, read_operand, read_template, render

from .build import ANNA, HIDDEN

FACTS = Facts(ANNA, {"number": "4711"}, Record({"company": "Müller & Co", "id": 7.0, "tags": ("a", "b"), "x": None}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vip", "vip"),
        ("", ""),
        ("{company} - {id}", "Müller & Co - 7"),
        ("{ company }", "Müller & Co"),
        ("{missing}{x}", ""),
        ("{tags}", "a, b"),
        ("{input}/{input.number}/{call.input}", "4711/4711/4711"),
        ("{call.caller} {call.called}", "+436641234567 217"),
        ("{call.variable.NONE}", ""),
        ("{{id}}", "{id}"),
        ("{{{id}}}", "{7}"),
        ("${id}", "$7"),
    ],
)
def test_a_template_is_filled(text: str, expected: str) -> None:
    assert render(read_template(text), FACTS.value_of) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{id", "a brace in '{id' has no partner"),
        ("id}", "a brace in 'id}' has no partner"),
        ("{}", "'' is not the name of a field"),
        ("{a{b}}", "a brace in '{a{b}}' has no partner"),
        ("{1st}", "'1st' is not the name of a field"),
        ("{a;b}", "'a;b' is not the name of a field"),
    ],
)
def test_a_broken_template_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match="^" + sentence.replace("{", r"\{").replace("}", r"\}")):
        read_template(text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("tier", Operand("record", "tier")),
        ("Customer No.", Operand("record", "Customer No.")),
        ("address.city", Operand("record", "address.city")),
        ("queue", Operand("record", "queue")),
        ("data", Operand("record", "data")),
        ("input", Operand("input", "")),
        ("call.input", Operand("input", "")),
        ("input.pin", Operand("input", "pin")),
        ("call.variable.TRUNK", Operand("call", "variable.TRUNK")),
    ],
)
def test_a_left_side_is_read(text: str, left: Operand) -> None:
    assert read_operand(text) == left


def test_whoever_names_no_value_of_the_call_is_told_all_of_them() -> None:
    known = "caller, country, called, name, input, language, time, weekday, date, id, attestation, calendar.NAME"
    with pytest.raises(ValueError, match=f"^'call.no' is not known; after 'call.' there is {known} or variable.NAME$"):
        read_operand("call.no")


@pytest.mark.parametrize("text", ["queue.a b.waiting", "queue.sales.length", "queue.sales", "queue..free"])
def test_a_queue_is_asked_for_what_it_can_tell_alone(text: str) -> None:
    with pytest.raises(ValueError, match=f"^'{text}' is not known; write queue.NAME. with members, free, waiting$"):
        read_operand(text)


@pytest.mark.parametrize("text", ["call.callr", "call.variable.", "call.variable.A}B", "", " ", "a\nb", "a" * 65])
def test_an_unknown_left_side_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_operand(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (7.0, "7"),
        (7.5, "7.5"),
        (1e300, "1e+300"),
        (float("inf"), "inf"),
        ((), ""),
        ((1, None, True), "1, , true"),
    ],
)
def test_values_are_written_as_people_do(value: Value, text: str) -> None:
    assert as_text(value) == text


def test_a_hidden_number_is_empty() -> None:
    assert render(read_template("{call.caller}{call.name}"), Facts(HIDDEN, {}).value_of) == ""


def test_without_a_record_its_fields_are_empty() -> None:
    assert render(read_template("{tier}"), Facts(ANNA, {}).value_of) == ""
