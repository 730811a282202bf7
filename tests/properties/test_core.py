"""Whatever a record, a condition or a caller holds: a decision, and never an exception."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from routing_engine.core.asks import SourceDown
from routing_engine.core.destinations import KINDS, PROFILES, check_target, variables
from routing_engine.core.model import Comparison as Comparison
from routing_engine.core.model import Condition, ConditionGroup, Input, Record, Value
from routing_engine.core.operators import OPERATORS
from routing_engine.core.templates import read_operand
from tests.core.build import ANNA, DOWN, HIDDEN, NOW, converse, go, pattern, route, rule, source
from tests.examples import examples

TEXTS = st.text(st.characters(), max_size=12) | st.sampled_from(
    ["2026-11-18", "0001-01-01", "9999-12-31T23:59:59-14:00", "today", "10:30", "1e9", "12,5", "+436641234567", "yes"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES: st.SearchStrategy[Value] = SCALARS | st.lists(SCALARS, max_size=3).map(tuple)
LEFTS = st.sampled_from(["a", "b", "call.caller", "call.time", "call.date", "call.variable.X", "input"]).map(
    read_operand
)
PATTERNS = st.sampled_from(["", ".", "^a*$", r"\d+", r"\p{L}"]).map(pattern)
RIGHT = {
    "value": SCALARS.filter(lambda value: value is not None),
    "list": st.lists(SCALARS, max_size=3).map(tuple),
    "pair": st.tuples(SCALARS, SCALARS),
    "number": st.integers(0, 100_000) | st.floats(0, 100_000),
    "flag": st.booleans(),
    "pattern": PATTERNS,
}
TESTS = st.sampled_from(sorted(OPERATORS)).flatmap(
    lambda name: st.builds(Comparison, LEFTS, st.just(name), RIGHT[OPERATORS[name].takes], st.booleans())
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    TESTS,
    lambda inner: st.builds(
        ConditionGroup, st.sampled_from(["all", "any", "none"]), st.lists(inner, max_size=3).map(tuple)
    ),
    max_leaves=5,
)
RECORDS = st.builds(
    Record, st.dictionaries(st.sampled_from(["a", "b", "changed"]), VALUES), st.text(max_size=5), st.text(max_size=9)
)
FOUND = st.lists(RECORDS, max_size=3).map(tuple) | st.just(DOWN)
CALLERS = st.sampled_from(
    [ANNA, HIDDEN, replace(ANNA, at=NOW.replace(tzinfo=None)), replace(ANNA, variables={"X": "1"})]
)
INPUT = Input("input", min=2, max=4, sensitive=True, pattern=pattern("(?s).*"), check="luhn")


@given(CONDITIONS, FOUND, CALLERS, st.lists(TEXTS, max_size=3), TEXTS, st.sampled_from(sorted(KINDS)))
@examples(150)
def test_any_call_comes_to_a_decision(
    condition: Condition,
    found: tuple[Record, ...] | SourceDown,
    caller: object,
    typed: list[str],
    ahead: str,
    kind: str,
) -> None:
    act = rule("on", go(kind, "{a}"), condition, caller_name="{b}", X="{a}")
    asked = route(
        source("one", act, by="{input}", newest_by="changed"), source("two", act), inputs=(INPUT,), instruction=("hi",)
    )
    told = converse(asked, caller, typed, ahead, {"one": found, "two": found})  # type: ignore[arg-type]
    set_to = variables(told.decision, "1", PROFILES["plain"])
    assert set_to[-1][0] == "ROUTE_STATUS"
    assert not any(re.search(r"[\x00-\x1f]|\$[{\[]", value) for _, value in set_to)


@given(st.sampled_from(sorted(KINDS)), st.text(max_size=100))
@examples(300)
def test_any_text_is_an_allowed_target_or_refused(kind: str, text: str) -> None:
    try:
        target = check_target(kind, text)
    except ValueError:
        return
    assert re.fullmatch(r"[A-Za-z0-9_.+*#@/\-]+" if kind != "dialplan" else r"[A-Za-z0-9_.+*#@\-,]+", target)
    assert check_target(kind, target) == target
