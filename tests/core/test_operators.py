"""Every operator of the route language: both outcomes, comparison by meaning, and the sentences of near misses."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from routing_engine.core.compare import as_moment, as_number, as_truth
from routing_engine.core.conditions import describe, nearly_not, why_not
from routing_engine.core.model import Condition, Pattern, Record, Value
from routing_engine.core.operators import OPERATORS, SYMBOLS
from routing_engine.core.templates import Facts

from .build import ANNA, NOW, converse, go, group, pattern, route, rule, source, when

#: operator, what the record has, what the rule says, whether it holds. None on the left: the field is missing.
ROWS: list[tuple[str, Value, Value | Pattern, bool]] = [
    ("is", "gold", "gold", True),
    ("is", "Gold", "gold", False),
    ("is", "gold ", "gold", False),
    ("is", None, "gold", False),
    ("is", "", "", True),
    ("is", None, "", False),
    ("is", 7, 7.0, True),
    ("is", "7", 7, True),
    ("is", "7.00", 7, True),
    ("is", "7", "7.0", False),
    ("is", "0123", "123", False),
    ("is", "seven", 7, False),
    ("is", "yes", True, True),
    ("is", 1, True, True),
    ("is", "no", False, True),
    ("is", False, False, True),
    ("is", None, False, False),
    ("is", "maybe", True, False),
    ("is", "2026-11-18", "2026-11-18", True),
    ("is", "2026-11-18T00:00:00+01:00", "2026-11-18", True),
    ("is", "2026-11-17T23:00:00Z", "2026-11-18", True),
    ("is", "2026-11-18", "today", True),
    ("is", ("silver", "gold"), "gold", True),
    ("is", ("silver", 7), "7", True),
    ("is", (), "gold", False),
    ("is", "é", "e\u0301", False),
    ("is", float("nan"), 7, False),
    ("is", float("inf"), 7, False),
    ("is_not", "silver", "gold", True),
    ("is_not", None, "gold", True),
    ("is_not", "gold", "gold", False),
    ("is_not", ("silver", "gold"), "gold", False),
    ("is_not", "7", 7, False),
    ("one_of", "gold", ("gold", "silver"), True),
    ("one_of", "7", (6, 7), True),
    ("one_of", "bronze", ("gold", "silver"), False),
    ("one_of", None, ("gold",), False),
    ("one_of", ("a", "b"), ("b", "c"), True),
    ("none_of", "bronze", ("gold", "silver"), True),
    ("none_of", None, ("gold",), True),
    ("none_of", "gold", ("gold", "silver"), False),
    ("contains", "a gold customer", "gold", True),
    ("contains", "Gold", "gold", False),
    ("contains", ("gold", "vip"), "vip", True),
    ("contains", ("golden",), "gold", False),
    ("contains", 12345, 234, True),
    ("contains", None, "", False),
    ("starts_with", "+43664", "+43", True),
    ("starts_with", "0043", "+43", False),
    ("starts_with", 4711, 47, True),
    ("starts_with", None, "a", False),
    ("ends_with", "x@example.com", "example.com", True),
    ("ends_with", "x@example.org", "example.com", False),
    ("ends_with", None, "a", False),
    ("matches", "AB-17", pattern("^[A-Z]+-\\d+$"), True),
    ("matches", "xx AB-17", pattern("\\d+"), True),
    ("matches", "AB", pattern("^\\d+$"), False),
    ("matches", None, pattern(".*"), False),
    ("matches", 4711, pattern("^47"), True),
    ("matches", "half \ud800 a pair", pattern("pair$"), True),
    ("matches", "a" * 8191 + "!", pattern("^(a+)+$"), False),
    ("matches", "a" * 8191 + "!", pattern("!"), True),
    ("matches", "a" * 8192 + "!", pattern("!"), False),
    ("more_than", 1001, 1000, True),
    ("more_than", 1000, 1000, False),
    ("more_than", "1000.5", 1000, True),
    ("more_than", "9", "10", False),
    ("more_than", "many", 1000, False),
    ("more_than", True, 0, False),
    ("more_than", None, 0, False),
    ("at_least", 1000, 1000, True),
    ("at_least", 999.99, 1000, False),
    ("at_least", "1e9", 1000, False),
    ("less_than", -1, 0, True),
    ("less_than", 0, 0, False),
    ("less_than", None, 0, False),
    ("at_most", 0.1 + 0.2, 0.3, False),
    ("at_most", "0.3", 0.3, True),
    ("at_most", "2026-06-30T15:00:00+02:00", "2026-06-30", True),
    ("between", 5, (1, 5), True),
    ("between", 1, (1, 5), True),
    ("between", 6, (1, 5), False),
    ("between", "2026-12-31T23:30:00+01:00", ("2026-01-01", "2026-12-31"), True),
    ("between", "2026-12-31T23:30:00Z", ("2026-01-01", "2026-12-31"), False),
    ("between", "2027-01-01", ("2026-01-01", "2026-12-31"), False),
    ("between", "09:00", ("08:00", "17:00"), True),
    ("between", "17:01", ("08:00", "17:00"), False),
    ("between", "23:15", ("22:00", "06:00"), True),
    ("between", "05:59", ("22:00", "06:00"), True),
    ("between", "22:00", ("22:00", "06:00"), True),
    ("between", "12:00", ("22:00", "06:00"), False),
    ("between", "08:00", ("08:00", "08:00"), True),
    ("between", "09:00", ("08:00", "08:00"), False),
    ("between", None, (1, 5), False),
    ("before", "2026-11-17", "today", True),
    ("before", "2026-11-18T10:00:00+01:00", "today", False),
    ("before", "2026-11-18T10:29:00+01:00", "now", True),
    ("before", "09:59", "10:00", True),
    ("before", "soon", "2026-01-01", False),
    ("before", "0001-01-01T00:00:00+14:00", "2026-01-01", True),
    ("after", "2026-11-19", "today", True),
    ("after", "2026-11-18T23:59:00+01:00", "2026-11-18", False),
    ("after", "2026-11-18T23:30:00Z", "2026-11-18", True),
    ("after", "9999-12-31T23:59:59-14:00", "2026-01-01", True),
    ("after", None, "2026-01-01", False),
    ("after", "10:00", "10:00", False),
    ("before", "2026-11-17T23:30:00Z", "2026-11-18", False),
    ("within_days", "2026-11-16", 3, True),
    ("within_days", "2026-11-20", 3, True),
    ("within_days", "2026-11-10", 3, False),
    ("within_days", "2026-11-18T09:30:00Z", 0, True),
    ("within_days", None, 3, False),
    ("older_than_days", "2026-11-10", 3, True),
    ("older_than_days", "2026-11-16", 3, False),
    ("older_than_days", "2026-12-24", 3, False),
    ("older_than_days", "0001-01-01", 100_000, True),
    ("older_than_days", "never", 3, False),
    ("is_empty", None, True, True),
    ("is_empty", " \t", True, True),
    ("is_empty", (), True, True),
    ("is_empty", 0, True, False),
    ("is_empty", "x", False, True),
    ("is_empty", "", False, False),
    ("is_true", "Yes ", True, True),
    ("is_true", "on", True, True),
    ("is_true", 1, True, True),
    ("is_true", "maybe", True, False),
    ("is_true", None, True, False),
    ("is_true", "no", False, True),
    ("is_true", "maybe", False, True),
    ("is_true", True, False, False),
]


def facts(**fields: Value) -> Facts:
    return Facts(ANNA, {}, Record({name: value for name, value in fields.items() if value is not None}))


def why(actual: Value, operator: str, expected: Value | Pattern, loosely: bool = False) -> str:
    return why_not(when("tier", operator, expected, loosely), facts(tier=actual))


@pytest.mark.parametrize(("operator", "actual", "expected", "holds"), ROWS)
def test_operator(operator: str, actual: Value, expected: Value | Pattern, holds: bool) -> None:
    assert (why(actual, operator, expected) == "") is holds


@pytest.mark.parametrize("operator", OPERATORS)
def test_both_outcomes_of_every_operator_stand_in_the_table(operator: str) -> None:
    assert {row[3] for row in ROWS if row[0] == operator} == {True, False}


def test_every_symbol_stands_for_an_operator() -> None:
    assert set(SYMBOLS.values()) <= set(OPERATORS)
    assert set(SYMBOLS) == {"=", "!=", "<", ">", "<=", ">="}


@pytest.mark.parametrize(
    ("operator", "actual", "expected"),
    [
        ("is", " Gold", "gold"),
        ("one_of", "GOLD ", ("gold", "silver")),
        ("contains", "A Gold one", "gold"),
        ("starts_with", "Gold", "go"),
        ("ends_with", "MARIGOLD ", "gold"),
        ("is", ("Silver", "Gold "), "gold"),
        ("is", "STRASSE", "straße"),
    ],
)
def test_loosely_overlooks_white_space_and_case(operator: str, actual: Value, expected: Value) -> None:
    assert why(actual, operator, expected, loosely=True) == ""
    assert why(actual, operator, expected) != ""


def test_loosely_does_not_make_different_words_equal() -> None:
    assert why("golden", "is", "gold", loosely=True) == "tier is 'golden': it is not 'gold'"


SPACE = "(nearly: only white space differs; 'loosely: true' would match)"
CASE = "(nearly: only upper or lower case differs; 'loosely: true' would match)"
NUMBERS = "(nearly: equal as numbers; write the number without quotes)"
NO_DATE = "(it is not a date that can be read: dates are written YYYY-MM-DD)"
NO_TRUTH = "(it is neither true nor false: true are 'true', 'yes', 'on' and '1')"

NEAR = [
    ("is", "gold ", "gold", "it is not 'gold' (nearly: only white space differs; 'loosely: true' would match)"),
    ("is", "GOLD", "gold", "it is not 'gold' (nearly: only upper or lower case differs; 'loosely: true' would match)"),
    (
        "is",
        "Gold ",
        "gold",
        "it is not 'gold' (nearly: only white space and upper or lower case differ; 'loosely: true' would match)",
    ),
    (
        "one_of",
        "Gold",
        ("gold", "vip"),
        "it is none of ['gold', 'vip'] (nearly: only upper or lower case differs; 'loosely: true' would match)",
    ),
    ("is", "1000.0", "1000", "it is not '1000' (nearly: equal as numbers; write the number without quotes)"),
    ("at_least", "1.000,50", 1000, "it is not at least 1000 (the two cannot be compared as numbers or dates)"),
    ("at_least", "999", 1000, "it is not at least 1000"),
    ("is", "silver", "gold", "it is not 'gold'"),
    ("matches", "x", pattern("^a$"), "it does not match /^a$/"),
    ("is", True, "no", "it is not 'no'"),
    ("is", "x" * 100, "y", "it is not 'y'"),
    ("is", "gold", "gold ", f"it is not 'gold ' {SPACE}"),
    ("is", ("Silver", "Gold"), "gold", f"it is not 'gold' {CASE}"),
    ("one_of", ("vip ",), ("gold", "vip"), f"it is none of ['gold', 'vip'] {SPACE}"),
    (
        "one_of",
        "7.0",
        ("6", "7"),
        "it is none of ['6', '7'] (nearly: equal as numbers; write the number without quotes)",
    ),
    ("contains", "a GOLD one", "gold", f"it does not contain 'gold' {CASE}"),
    ("starts_with", " gold", "gold", f"it does not start with 'gold' {SPACE}"),
    ("ends_with", "MARIGOLD", "gold", f"it does not end with 'gold' {CASE}"),
    ("ends_with", "marigold ", "gold", f"it does not end with 'gold' {SPACE}"),
    (
        "matches",
        "GOLD",
        pattern("^gold$"),
        "it does not match /^gold$/ (nearly: only upper or lower case differs; "
        "'(?i)' before the expression would match)",
    ),
    ("matches", "gold ", pattern("^gold$"), "it does not match /^gold$/ (nearly: only white space around it differs)"),
    ("matches", "GOLD" * 100, pattern("^(gold)+$"), "it does not match /^(gold)+$/"),
    ("is", "16.07.2026", "today", f"it is not 'today' {NO_DATE}"),
    ("one_of", "soon", ("2026-07-16", "2026-07-17"), f"it is none of ['2026-07-16', '2026-07-17'] {NO_DATE}"),
    ("is", "1.000,00", 1000, "it is not 1000 (it is not a number that can be read)"),
    ("is", "gold", 1000, "it is not 1000"),
    ("is", "ja", True, f"it is not true {NO_TRUTH}"),
    ("is_true", "ja", True, f"it is not true {NO_TRUTH}"),
    ("is_true", "no", True, "it is not true"),
    ("is_true", "yes", False, "it is true"),
    ("is_empty", "x", True, "it is not empty"),
    ("is_empty", "  ", False, "it is empty (it is nothing but white space)"),
    ("is_not", "gold", "gold", "it is 'gold'"),
    ("is_not", "7", 7, "it is 7"),
    ("none_of", "7", ("7", "8"), "it is one of ['7', '8']"),
    ("within_days", "16.07.2026", 7, f"it is not within 7 days of now {NO_DATE}"),
    ("within_days", 1784188800000, 7, f"it is not within 7 days of now {NO_DATE}"),
    ("within_days", "2026-11-01", 7, "it is not within 7 days of now"),
    ("older_than_days", "16.07.2026", 365, f"it is not older than 365 days {NO_DATE}"),
    ("older_than_days", "2026-11-01", 365, "it is not older than 365 days"),
    ("before", "16.07.2026", "today", "it is not before 'today' (the two cannot be compared as numbers or dates)"),
    (
        "between",
        "12:00",
        ("2026-01-01", "2026-12-31"),
        "it is not between ['2026-01-01', '2026-12-31'] (the two cannot be compared as numbers or dates)",
    ),
]


@pytest.mark.parametrize(("operator", "actual", "expected", "sentence"), NEAR)
def test_a_near_miss_is_named(operator: str, actual: Value, expected: Value | Pattern, sentence: str) -> None:
    assert why(actual, operator, expected).endswith(": " + sentence)


@pytest.mark.parametrize(
    ("condition", "tier", "sentence"),
    [
        (when("tier", "is_not", "gold"), "Gold", " (tier is 'Gold', nearly 'gold': only upper or lower case differs; "),
        (when("tier", "none_of", ("vip", "gold")), "gold ", " (tier is 'gold ', nearly ['vip', 'gold']: only white "),
        (group("none", when("tier", "is", "gold")), " gold", " (tier is ' gold', nearly 'gold': only white space "),
        (group("all", when("tier", "is_not", "gold")), "GOLD", " (tier is 'GOLD', nearly 'gold': only upper or "),
    ],
)
def test_what_holds_only_nearly_not_is_named(condition: Condition, tier: str, sentence: str) -> None:
    near = nearly_not(condition, facts(tier=tier))
    assert near.startswith(sentence)
    assert near.endswith("; 'loosely: true' would not match)")


@pytest.mark.parametrize(
    "condition",
    [
        None,
        when("tier", "is", "gold"),
        when("tier", "is_not", "silver"),
        when("tier", "is_not", "GOLD", loosely=True),
        group("any", when("tier", "is_not", "gold"), when("tier", "is", "gold")),
        group("none", when("tier", "is", "silver"), when("tier", "more_than", 5)),
    ],
)
def test_what_holds_for_good_needs_no_word(condition: Condition | None) -> None:
    assert nearly_not(condition, facts(tier="gold")) == ""


def test_a_near_miss_of_sensitive_digits_is_not_quoted() -> None:
    assert nearly_not(when("tier", "is_not", "gold"), facts(tier="Gold"), hide=lambda _: True) == ""


def test_the_trail_names_what_a_rule_holds_for_only_nearly_not() -> None:
    others = rule("others", go("queue", "sales"), when("tier", "is_not", "gold"))
    told = converse(route(source("customers", others)), found={"customers": Record({"tier": "Gold "})})
    assert told.steps[-1].startswith("rule others: matched (tier is 'Gold ', nearly 'gold': only white space and upper")


@pytest.mark.parametrize(("length", "is_told"), [(200, True), (201, False)])
def test_a_long_text_is_not_searched_a_second_time_for_a_near_miss(length: int, is_told: bool) -> None:
    assert ("upper or lower case" in why("GOLD".ljust(length, "."), "matches", pattern("^gold"))) is is_told


def test_a_missing_field_is_named() -> None:
    assert why(None, "is", "gold") == "the record has no 'tier'"


def test_a_long_value_is_cut_in_the_sentence() -> None:
    assert why("x" * 81, "is", "gold") == f"tier is '{'x' * 77}...': it is not 'gold'"
    assert why("x" * 80, "is", "gold") == f"tier is '{'x' * 80}': it is not 'gold'"


BOTH = [when("a", "is", "1"), when("b", "is", "2")]


@pytest.mark.parametrize(
    ("condition", "a", "b", "holds"),
    [
        (group("all", *BOTH), "1", "2", True),
        (group("all", *BOTH), "1", "3", False),
        (group("any", *BOTH), "0", "2", True),
        (group("any", *BOTH), "0", "0", False),
        (group("none", *BOTH), "0", "0", True),
        (group("none", *BOTH), "0", "2", False),
        (group("none", group("all", *BOTH)), "1", "3", True),
        (group("any", group("none", BOTH[0]), BOTH[1]), "1", "2", True),
        (group("all", group("any", *BOTH), group("none", BOTH[1])), "1", "0", True),
    ],
)
def test_groups_join_their_conditions(condition: Condition, a: str, b: str, holds: bool) -> None:
    assert (why_not(condition, facts(a=a, b=b)) == "") is holds


def test_all_names_the_first_condition_that_fails() -> None:
    assert why_not(group("all", *BOTH), facts(a="1", b="3")) == "b is '3': it is not '2'"


def test_any_names_every_condition() -> None:
    sentence = "none of these holds: a is '0': it is not '1'; b is '3': it is not '2'"
    assert why_not(group("any", *BOTH), facts(a="0", b="3")) == sentence


def test_none_names_the_condition_that_holds() -> None:
    assert why_not(group("none", *BOTH), facts(a="0", b="2")) == "what must not hold does: b is '2'"


def test_no_condition_always_holds() -> None:
    assert why_not(None, facts()) == ""


def test_a_condition_is_described_as_a_person_would() -> None:
    condition = group("any", when("tier", "is", "gold"), group("none", when("balance", "less_than", 0)))
    assert describe(condition) == "tier is 'gold' or neither balance less than 0"


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        ("call.caller", "+436641234567"),
        ("call.called", "217"),
        ("call.name", "Anna"),
        ("call.language", "en"),
        ("call.time", "10:30"),
        ("call.weekday", "wednesday"),
        ("call.date", "2026-11-18"),
        ("call.id", "1795198986.2"),
        ("call.variable.TRUNK", "a1"),
        ("call.input", "4711"),
        ("input", "4711"),
        ("input.number", "4711"),
        ("tier", "gold"),
    ],
)
def test_left_sides(left: str, expected: str) -> None:
    known = Facts(replace(ANNA, variables={"TRUNK": "a1"}), {"number": "4711"}, Record({"tier": "gold"}))
    assert why_not(when(left, "is", expected), known) == ""


def test_dates_without_a_zone_are_compared_where_the_site_has_none() -> None:
    naive = Facts(replace(ANNA, at=datetime(2026, 11, 18, 10, 30)), {}, Record({"since": "2026-11-17T10:00:00"}))
    assert why_not(when("since", "within_days", 1.5), naive) == ""
    assert why_not(when("since", "before", "today"), naive) == ""


def test_a_date_with_a_zone_cannot_be_compared_with_a_site_that_has_none() -> None:
    naive = Facts(replace(ANNA, at=datetime(2026, 11, 18)), {}, Record({"since": "2026-11-17T10:00:00Z"}))
    assert why_not(when("since", "before", "today"), naive).endswith("cannot be compared as numbers or dates)")


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("7", 7),
        (" -7.5 ", -7.5),
        ("+3", 3),
        (7, 7),
        (0.5, 0.5),
        (True, None),
        ("", None),
        ("1,5", None),
        ("1e5", None),
        ("٣", None),
        ("0x10", None),
        ("9" * 41, None),
        (float("nan"), None),
        (None, None),
        ((1,), None),
    ],
)
def test_numbers_are_read_strictly(value: object, number: float | None) -> None:
    assert as_number(value) == number


@pytest.mark.parametrize(
    ("value", "truth"),
    [("TRUE", True), ("on", True), (1, True), ("off", False), ("", False), (0.0, False), ("2", None), ("ja", None)],
)
def test_truth_is_read_as_people_write_it(value: object, truth: bool | None) -> None:
    assert as_truth(value) is truth


@pytest.mark.parametrize("text", ["2026-02-30", "18.11.2026", "11/18/2026", "12:00", "1763458200", "", "x" * 20, 5])
def test_what_is_no_iso_date_is_no_moment(text: object) -> None:
    assert as_moment(text, NOW) is None


def test_a_moment_without_a_zone_is_the_sites() -> None:
    assert as_moment("2026-11-18T10:30", NOW) == NOW
