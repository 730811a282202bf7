"""Conditions: why one does not hold, what a person overlooks of one that does, and how one reads in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from routing_engine.core.model import Comparison, Condition, ConditionGroup, Operand, Template, Value
from routing_engine.core.operators import OPERATORS, Expected, Operator, differs, loose
from routing_engine.core.templates import Facts, as_text, render

_LONGEST_QUOTE = 80
#: Which left sides must not be quoted: digits marked sensitive.
Hide: TypeAlias = Callable[[Operand], bool]


def _hide_nothing(operand: Operand) -> bool:
    return False


def why_not(condition: Condition | None, facts: Facts, hide: Hide = _hide_nothing) -> str:
    """Return why a condition does not hold, as a sentence that names the value; "" when it holds."""
    if condition is None:
        return ""
    if isinstance(condition, Comparison):
        return _test_why_not(condition, facts, hide)
    if condition.join == "all":
        return next((why for part in condition.conditions if (why := why_not(part, facts, hide))), "")
    if condition.join == "none":
        return _none_why_not(condition, facts, hide)
    whys = [why_not(part, facts, hide) for part in condition.conditions]
    return "" if "" in whys else "none of these holds: " + "; ".join(whys)


def _none_why_not(group: ConditionGroup, facts: Facts, hide: Hide) -> str:
    held = [part for part in group.conditions if not why_not(part, facts, hide)]
    return f"what must not hold does: {describe(held[0], hide)}" if held else ""


def _test_why_not(test: Comparison, facts: Facts, hide: Hide) -> str:
    expected, now = _expected(test, facts), facts.caller.at
    if expected == "" and isinstance(test.expected, Template):
        return f"{test.left} is compared with '{test.expected}', which is empty"
    actual = _actual(test, facts, expected)
    operator = OPERATORS[test.operator]
    holds = (
        operator.holds(loose(actual), loose(expected), now) if test.loosely else operator.holds(actual, expected, now)
    )
    if holds:
        return ""
    if _is_hidden(test, hide):
        return f"{test.left} {_fails(operator, expected, 'what the rule asks')}"
    if actual is None:
        return f"the record has no '{test.left}'" if test.left.scope == "record" else f"{test.left} is not known"
    near = "" if test.loosely else operator.compares.near(operator.holds, actual, expected, now)
    return f"{test.left} is {_quoted(actual)}: it {_fails(operator, expected)}{near}"


def _is_hidden(test: Comparison, hide: Hide) -> bool:
    return hide(test.left) or (isinstance(test.expected, Template) and any(map(hide, test.expected.operands)))


def _actual(test: Comparison, facts: Facts, expected: Expected) -> Value:
    """Return the left side. A number dialled is compared as a line with what is written as one, with its +.

    Carriers send `12155550100` or `2155550100` for +12155550100; as it arrived it can be compared, too.
    """
    value, line = facts.value_of(test.left), facts.caller.called_line
    if not line or test.left.name != "called" or test.left.scope != "call":
        return value
    every = expected if isinstance(expected, tuple) else (expected,)
    written_as_line = any(isinstance(item, str) and item.startswith("+") for item in every)
    return line if written_as_line and value not in every else value


def _fails(operator: Operator, expected: Expected, shown: str = "") -> str:
    if not isinstance(operator.fails, tuple):
        return operator.fails.replace("{}", shown or _quoted(expected))
    return f"is not {shown}" if shown else operator.fails[0 if expected else 1]


def nearly_not(condition: Condition | None, facts: Facts, hide: Hide = _hide_nothing) -> str:
    """Return what a person overlooks of a condition that holds: a text that is nearly what it must not be.

    "" when there is nothing to say, or nothing that may be said.
    """
    if condition is None:
        return ""
    if isinstance(condition, Comparison):
        return _overlooked(condition, facts, hide) if OPERATORS[condition.operator].compares.negative else ""
    if condition.join != "none":
        for part in condition.conditions:
            if near := nearly_not(part, facts, hide):
                return near
        return ""
    tests = (part for part in condition.conditions if isinstance(part, Comparison))
    return next((near for test in tests if (near := _overlooked(test, facts, hide))), "")


def _overlooked(test: Comparison, facts: Facts, hide: Hide) -> str:
    operator, now = OPERATORS[test.operator], facts.caller.at
    if test.loosely or not operator.compares.loosely or _is_hidden(test, hide):
        return ""
    expected = _expected(test, facts)
    actual = _actual(test, facts, expected)
    held = operator.holds(actual, expected, now)
    if held is not operator.compares.negative:
        return ""
    what = differs(lambda *compared: operator.holds(*compared) is not held, actual, expected, now)
    near = f"{test.left} is {_quoted(actual)}, nearly {_quoted(expected)}: only {what}"
    return f" ({near}; 'loosely: true' would not match)" if what else ""


def _expected(test: Comparison, facts: Facts) -> Expected:
    """Return the right side; a number that stands alone in a template stays one, and is compared as a number."""
    template = test.expected
    if not isinstance(template, Template):
        return template
    alone = facts.value_of(template.operands[0]) if len(template.parts) == 1 else None
    is_number = isinstance(alone, (int, float)) and not isinstance(alone, bool)
    return alone if is_number else render(template, facts.value_of)


def _operands_of(test: Comparison) -> tuple[Operand, ...]:
    return (test.left, *test.expected.operands) if isinstance(test.expected, Template) else (test.left,)


def answers_to(condition: Condition | None, hide: Hide) -> set[str]:
    """Return the record's fields that are compared with what must not be quoted: they hold the right answer."""
    if isinstance(condition, Comparison):
        operands = _operands_of(condition)
        return {one.name for one in operands if one.scope == "record"} if any(map(hide, operands)) else set()
    parts = condition.conditions if condition is not None else ()
    return {name for part in parts for name in answers_to(part, hide)}


def _quoted(value: Expected | Template) -> str:
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= _LONGEST_QUOTE else f"'{value[: _LONGEST_QUOTE - 3]}...'"
    if value is None or isinstance(value, (int, float)):
        return as_text(value) or "empty"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_quoted, value)) + "]"
    return f"'{value}'" if isinstance(value, Template) else f"/{value.pattern}/"


def describe(condition: Condition, hide: Hide = _hide_nothing) -> str:
    """Return a condition as a person would say it: `tier is 'gold' and balance at least 1000`."""
    if isinstance(condition, Comparison):
        expected = "***" if _is_hidden(condition, hide) else _quoted(condition.expected)
        return f"{condition.left} {condition.operator.replace('_', ' ')} {expected}"
    word = {"all": " and ", "any": " or ", "none": " nor "}[condition.join]
    text = word.join(describe(part, hide) for part in condition.conditions)
    return f"neither {text}" if condition.join == "none" else text
