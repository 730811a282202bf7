"""Conditions taken apart: a tree of yes and no over single questions, each about one left side.

`is_not`, `none_of` and `none` turn into the opposite of what they deny, lists into their entries, and `between` into
its two ends. What each question means is left to the operators of the engine themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from routing_engine.core.compare import is_time
from routing_engine.core.model import Comparison, Condition, Operand, Pattern, Scalar, Template, Value
from routing_engine.core.operators import OPERATORS, loose

#: The operators that conditions are taken apart into. Of any other one nothing is known but its name.
KINDS = frozenset({
    "is", "starts_with", "ends_with", "contains", "matches", "more_than", "at_least", "less_than", "at_most",
    "within_days", "older_than_days", "is_empty", "is_true",
})  # fmt: skip
_SAME = {"before": "less_than", "after": "more_than"}
_NEGATED = {"is_not": "is", "none_of": "one_of"}


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one left side. A pattern is kept as its text, so that two of the same text are one."""

    left: Operand
    kind: str
    expected: Scalar | Template
    loosely: bool = False
    #: Tells 1 from true and from "1".
    sort: str = ""
    #: Only one that is about a number dialled, and written as a line (`+43...`).
    as_line: bool = False


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds; none at all always does."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One part holds; none at all never does."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Opposite:
    """The part does not hold."""

    part: Formula


Formula: TypeAlias = "Question | AllOf | AnyOf | Opposite"
ALWAYS: Formula = AllOf(())


def formula_of(condition: Condition | None, first_input: str) -> Formula:
    """Return a condition taken apart. `first_input` is what `input` without a name means."""
    if condition is None:
        return ALWAYS
    if isinstance(condition, Comparison):
        return _of_comparison(condition, first_input)
    parts = tuple(formula_of(part, first_input) for part in condition.conditions)
    if condition.join == "all":
        return AllOf(parts)
    return AnyOf(parts) if condition.join == "any" else Opposite(AnyOf(parts))


def _of_comparison(test: Comparison, first_input: str) -> Formula:
    left = Operand("input", first_input) if test.left == Operand("input", "") else test.left
    kind = _NEGATED.get(test.operator, test.operator)
    found = _of_kind(left, kind, test)
    return Opposite(found) if test.operator in _NEGATED else found


def _of_kind(left: Operand, kind: str, test: Comparison) -> Formula:
    expected, loosely = test.expected, test.loosely
    if kind == "one_of" and isinstance(expected, tuple):
        return AnyOf(tuple(_question(left, "is", one, loosely, expected) for one in expected))
    if kind == "between" and isinstance(expected, tuple):
        low, high = expected
        # What cannot be compared with one end fails there, as it does in the engine.
        ends = (_question(left, "at_least", low, False, expected), _question(left, "at_most", high, False, expected))
        over = is_time(low) and is_time(high) and str(low) > str(high)
        return AnyOf(ends) if over else AllOf(ends)
    if kind in ("is_empty", "is_true"):
        asked = _question(left, kind, True, False, True)
        return asked if expected is True else Opposite(asked)
    if isinstance(expected, (Template, tuple)) or expected is None or isinstance(expected, (str, int, float)):
        single = repr(expected) if isinstance(expected, tuple) else expected  # an operator that is not known here
        return _question(left, _SAME.get(kind, kind), single, loosely, expected)
    return _question(left, kind, expected.pattern, False, expected.pattern)


def _question(
    left: Operand, kind: str, expected: Scalar | Template, loosely: bool, written: Value | Template
) -> Question:
    every = written if isinstance(written, tuple) else (written,)
    as_line = left == Operand("call", "called") and any(isinstance(one, str) and one.startswith("+") for one in every)
    return Question(left, kind, expected, loosely, type(expected).__name__, as_line)


def holds(question: Question, actual: Value, pattern: Pattern | None, now: datetime) -> bool:
    """Return the answer to a question that compares with a fixed value, by the engine's own operator."""
    if isinstance(question.expected, Template):
        raise ValueError("it depends on the call")
    operator, expected = OPERATORS[question.kind], question.expected
    if pattern is not None:
        return operator.holds(actual, pattern, now)
    if question.loosely:
        return operator.holds(loose(actual), loose(expected), now)
    return operator.holds(actual, expected, now)


def questions_in(formula: Formula) -> dict[Question, None]:
    """Return every question of a formula, in the order in which they are written."""
    if isinstance(formula, Question):
        return {formula: None}
    parts = (formula.part,) if isinstance(formula, Opposite) else formula.parts
    return {question: None for part in parts for question in questions_in(part)}
