"""The linter's proofs, held against brute force: rules that are made up, and every record that could matter to them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import product

import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from routing_engine.config.lint.atoms import formula_of
from routing_engine.config.lint.coverage import Ladder, hidden_rules
from routing_engine.config.lint.spaces import KnownValues, Space
from routing_engine.core.conditions import why_not
from routing_engine.core.model import (
    Action,
    Caller,
    Comparison,
    Condition,
    ConditionGroup,
    DestinationSpec,
    Input,
    Operand,
    Record,
    Rule,
    Site,
    Template,
    Value,
)
from routing_engine.core.phone import Number
from routing_engine.core.templates import Facts

ACT = Action(DestinationSpec("hangup", Template(("normal",))))
TIER, BALANCE = Operand("record", "tier"), Operand("record", "balance")
CALLER, TIME, TYPED = Operand("call", "caller"), Operand("call", "time"), Operand("input", "code")
#: Every value of a field that some test below tells from another.
FIELDS: tuple[Value, ...] = (
    None, True, False, "", " ", "gold", "Gold", " gold ", "go", "goldfish", "marigold", "silver", "old", "x", "goxold",
    0, 1, 9, 10, 15, 20, 25, 10.5, "10", "010", " 15", "+20", "25", "yes", "no", "2026-01-01", "2026-02-01",
    "2026-02-01T10:00", "2026-03-01", "2027-01-01", "1990-01-01", "gld", "g", "goldgold",
)  # fmt: skip
LISTS: tuple[Value, ...] = ((), ("gold",), ("gold", "silver"), (10,), (10, 20), ("x",), ("10", "yes"), ("gold", 20))
CALLERS = ("", "+436641234567", "+43664", "+4366", "+4915112345678", "+431", "100", "0664", "+43", "+44")
TIMES = ("00:00", "07:59", "08:00", "08:01", "11:59", "12:00", "12:01", "17:59", "18:00", "18:01", "23:59")
CODES = ("12", "13", "99", "123", "120", "199", "200", "1234", "1999", "5555", "019", "00", "02", "20", "21")
_WORDS = ("gold", "silver", "go", "old", "10")


def _test(left: Operand, parts: bool) -> st.SearchStrategy[Condition]:
    """Tests of a field: of parts of its text, or of its size. How a number may be spelled is not told by its size."""
    texts = st.sampled_from(_WORDS)
    numbers = st.sampled_from((10, 20))
    dates = st.sampled_from(("2026-02-01", "2026-03-01"))
    pattern = st.sampled_from(("^go", "old$", "^gold$", "[0-9]", "^g.*d$", "(?i)gold")).map(re2.compile)
    ordered = st.sampled_from(("more_than", "at_least", "less_than", "at_most"))
    both = (
        st.builds(Comparison, st.just(left), st.sampled_from(("is", "is_not")), texts),
        st.builds(Comparison, st.just(left), st.just("is"), texts, st.just(True)),
        st.builds(Comparison, st.just(left), st.sampled_from(("one_of", "none_of")), st.tuples(texts, texts)),
        st.builds(Comparison, st.just(left), st.just("is_empty"), st.booleans()),
    )
    if parts:
        return st.one_of(
            *both,
            st.builds(Comparison, st.just(left), st.sampled_from(("starts_with", "ends_with")), texts),
            st.builds(Comparison, st.just(left), st.just("matches"), pattern),
        )
    return st.one_of(
        *both,
        st.builds(Comparison, st.just(left), st.sampled_from(("is", "is_not")), numbers | dates),
        st.builds(Comparison, st.just(left), ordered, numbers | dates),
        st.builds(Comparison, st.just(left), st.just("between"), st.just((10, 20))),
        st.builds(Comparison, st.just(left), st.sampled_from(("is_true", "is")), st.booleans()),
    )


def _of_calls() -> st.SearchStrategy[Condition]:
    numbers = st.sampled_from(("+43664", "+43", "+49", "+436641234567", "100"))
    times = st.sampled_from(("08:00", "12:00", "18:00"))
    codes = st.sampled_from(("12", "1", "9", "199"))
    return st.one_of(
        st.builds(Comparison, st.just(CALLER), st.sampled_from(("is", "is_not", "starts_with")), numbers),
        st.builds(Comparison, st.just(TIME), st.sampled_from(("before", "at_least")), times),
        st.builds(Comparison, st.just(TIME), st.just("between"), st.tuples(times, times)),
        st.builds(Comparison, st.just(TYPED), st.sampled_from(("is", "starts_with", "ends_with")), codes),
        st.builds(Comparison, st.just(TYPED), st.sampled_from(("at_least", "less_than")), st.sampled_from((20, 200))),
    )


def _trees(leaves: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    groups = st.sampled_from(("all", "any", "none"))
    return st.recursive(
        leaves,
        lambda inner: st.builds(ConditionGroup, groups, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        max_leaves=4,
    )


def _rules(leaves: st.SearchStrategy[Condition]) -> st.SearchStrategy[tuple[Rule, ...]]:
    whens = st.lists(_trees(leaves), min_size=1, max_size=4)
    return whens.map(lambda found: tuple(Rule(f"{n}", ACT, when, line=n) for n, when in enumerate(found)))


def first_of(rules: tuple[Rule, ...], facts: Facts) -> str:
    return next((rule.name for rule in rules if not why_not(rule.when, facts)), "")


def named(rules: tuple[Rule, ...], inputs: tuple[Input, ...] = ()) -> dict[str, bool]:
    """Return the rules that the linter calls unreachable, and whether it says so of lists as well."""
    found = hidden_rules(Ladder("f", rules, KnownValues(Site(), inputs)))
    return {one.sentence.split("'")[1]: "is a list)" not in one.sentence for one in found}


def tried(rules: tuple[Rule, ...], left: Operand, inputs: tuple[Input, ...] = ()) -> list[Value]:
    """Return the values with which the linter has tried a left side: each shows one way of answering."""
    space = Space([formula_of(rule.when, "") for rule in rules], KnownValues(Site(), inputs))
    return [way.value for one in space.dimensions if one.questions[0].left == left for way in one.ways]


def must(condition: Condition | None) -> list[Condition]:
    """Return the comparisons of which each must hold."""
    if isinstance(condition, ConditionGroup) and condition.join == "all":
        return [part for one in condition.conditions for part in must(one)]
    return [condition] if isinstance(condition, Comparison) else []


NOBODY = Caller(None, at=datetime(2026, 6, 15, 12))


@settings(max_examples=100, deadline=None)
@given(_rules(_test(TIER, parts=True)) | _rules(_test(TIER, parts=False)))
def test_rules_about_a_field_are_unreachable_just_when_no_record_reaches_them(rules: tuple[Rule, ...]) -> None:
    def reached(values: Iterable[Value]) -> set[str]:
        return {first_of(rules, Facts(NOBODY, {}, Record({"tier": one}))) for one in values}

    found, scalars, lists = named(rules), reached([*FIELDS, *tried(rules, TIER)]), reached(LISTS)
    assert not found.keys() & scalars
    assert not {name for name, even_lists in found.items() if even_lists} & lists
    assert {rule.name for rule in rules} - scalars <= found.keys()


@settings(max_examples=30, deadline=None)
@given(_rules(st.one_of(_test(TIER, parts=True), _test(BALANCE, parts=False))))
def test_rules_about_two_fields_are_unreachable_just_when_no_record_reaches_them(rules: tuple[Rule, ...]) -> None:
    every = product([*FIELDS, *tried(rules, TIER)], [*FIELDS, *tried(rules, BALANCE)])
    records = (Record({"tier": one, "balance": other}) for one, other in every)
    reached = {first_of(rules, Facts(NOBODY, {}, one)) for one in records}
    assert {rule.name for rule in rules} - reached == named(rules).keys()


@settings(max_examples=30, deadline=None)
@given(_rules(_of_calls()))
def test_rules_about_calls_are_unreachable_just_when_no_call_reaches_them(rules: tuple[Rule, ...]) -> None:
    inputs = (Input("code", min=2, max=4),)
    every = product(
        [*CALLERS, *map(str, tried(rules, CALLER))], TIMES, [*CODES, *map(str, tried(rules, TYPED, inputs))]
    )
    calls = list[Facts]()
    for number, time, code in every:
        at = datetime.fromisoformat(f"2026-06-15T{time}")
        caller = Caller(Number(number, number, number, number) if number else None, at=at)
        calls.append(Facts(caller, {"code": code}))
    unreached = {rule.name for rule in rules} - {first_of(rules, one) for one in calls}
    # A comparison that no call fulfils, whatever stands beside it, is told by `lint/fits.py`, with what would.
    told = {rule.name for rule in rules if any(all(why_not(one, call) for call in calls) for one in must(rule.when))}
    assert unreached - told <= named(rules, inputs).keys() <= unreached
