"""Condition operators: name -> a pure function, and the sentence that a near miss gets."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Literal, TypeAlias, cast

from routing_engine.core.model import Condition, Group, Left, Pattern, Scalar, Template, Test, Value
from routing_engine.core.templates import Facts, as_text, render

#: What stands right of the operator, after reading: a value, a list of them, a compiled pattern.
Expected: TypeAlias = Value | Pattern


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator: `holds(actual, expected, now)`, what its right side must be, and how a sentence says it."""

    holds: Callable[[Value, Expected, datetime], bool]
    takes: Literal["value", "list", "pair", "number", "flag", "pattern"]
    says: str
    doc: str


#: As much of a text is held against an expression. RE2 takes time in proportion to the text and to the expression; a
#: field of 64 KiB and the largest expression that is accepted would hold up all calls for seconds.
LONGEST_MATCHED = 8192

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0", ""})
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?\Z", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z|today\Z", re.ASCII)
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z", re.ASCII)


def as_number(value: object) -> Decimal | None:
    """Read a number: `2500`, `"2500.50"`; None for anything else, truth values and infinities included."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = value.strip() if isinstance(value, str) else repr(value)
    if isinstance(value, str) and (len(text) > 40 or not _NUMBER.match(text)):
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def as_truth(value: object) -> bool | None:
    """Read true or false as people and CRMs write it: true, yes, on, 1; None when it is neither."""
    text = as_text(cast(Value, value)).strip().lower()
    return True if text in _TRUE else False if text in _FALSE else None


def as_moment(value: object, now: datetime) -> datetime | None:
    """Read an ISO 8601 date or date and time, `today` or `now`; without a zone it is the site's."""
    text = value.strip() if isinstance(value, str) else ""
    if text in ("today", "now"):
        return now if text == "now" else now.replace(hour=0, minute=0, second=0, microsecond=0)
    if len(text) < 8:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None or now.tzinfo is None else moment.replace(tzinfo=now.tzinfo)


def _same(actual: Scalar, expected: object) -> bool:
    if isinstance(actual, bool) or isinstance(expected, bool):
        return as_truth(actual) is as_truth(expected) and actual is not None
    if isinstance(actual, str) and isinstance(expected, str):
        return actual == expected
    one, other = as_number(actual), as_number(expected)
    return one == other if one is not None and other is not None else actual == expected


def _is(actual: Value, expected: Expected, now: datetime) -> bool:
    if isinstance(actual, tuple):
        return any(_same(item, expected) for item in actual)
    if _same(actual, expected):
        return True
    one = as_moment(actual, now) if isinstance(expected, str) and isinstance(actual, str) else None
    return one is not None and one == as_moment(expected, now)


def _one_of(actual: Value, expected: Expected, now: datetime) -> bool:
    return any(_is(actual, item, now) for item in cast(tuple[Scalar, ...], expected))


def _contains(actual: Value, expected: Expected, now: datetime) -> bool:
    if isinstance(actual, tuple):
        return _is(actual, expected, now)
    return actual is not None and as_text(cast(Value, expected)) in as_text(actual)


def _compare(actual: Value, expected: Expected, now: datetime) -> int | None:
    """Order by meaning: numbers, times of day, moments. None when the two cannot be compared."""
    one, other = as_number(actual), as_number(expected)
    if one is not None and other is not None:
        return (one > other) - (one < other)
    if isinstance(actual, str) and isinstance(expected, str) and _TIME.match(actual) and _TIME.match(expected):
        return (actual > expected) - (actual < expected)
    first, second = as_moment(actual, now), as_moment(expected, now)
    if first is None or second is None or (first.tzinfo is None) != (second.tzinfo is None):
        return None
    if _DAY.match(str(expected).strip()):
        first, second = _day_of(first, now), _day_of(second, now)
    return (first > second) - (first < second)


def _day_of(moment: datetime, now: datetime) -> datetime:
    """Give the day of a moment at the site: a day that a rule names lasts until midnight."""
    try:
        local = moment.astimezone(now.tzinfo) if now.tzinfo is not None else moment
    except OverflowError:  # the first or last day of the calendar, in another zone
        local = moment
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def _ordered(accept: tuple[int, ...]) -> Callable[[Value, Expected, datetime], bool]:
    return lambda actual, expected, now: _compare(actual, expected, now) in accept


def _between(actual: Value, expected: Expected, now: datetime) -> bool:
    low, high = cast(tuple[Scalar, ...], expected)
    if isinstance(low, str) and isinstance(high, str) and _TIME.match(low) and _TIME.match(high) and low > high:
        return _compare(actual, low, now) in (0, 1) or _compare(actual, high, now) in (0, -1)  # over midnight
    return _compare(actual, low, now) in (0, 1) and _compare(actual, high, now) in (0, -1)


def _age(actual: Value, now: datetime) -> timedelta | None:
    moment = as_moment(actual, now)
    if moment is None or (moment.tzinfo is None) != (now.tzinfo is None):
        return None
    return now - moment


def _within_days(actual: Value, expected: Expected, now: datetime) -> bool:
    age, days = _age(actual, now), as_number(expected)
    return age is not None and days is not None and abs(age) <= timedelta(days=float(days))


def _older_than_days(actual: Value, expected: Expected, now: datetime) -> bool:
    age, days = _age(actual, now), as_number(expected)
    return age is not None and days is not None and age > timedelta(days=float(days))


def _encodable(text: str) -> str:
    """RE2 works on UTF-8, and a JSON answer may hold half of a surrogate pair, which has none."""
    text = text[:LONGEST_MATCHED]
    return text.encode("utf-8", "replace").decode()


def _is_empty(actual: Value, expected: Expected, now: datetime) -> bool:
    return (as_text(actual).strip() == "") is bool(expected)


#: Every operator of the route language. The reference in docs/ is checked against this table.
OPERATORS: Mapping[str, Operator] = {
    "is": Operator(_is, "value", "is not", "equal by meaning; for a list: one of its entries is"),
    "is_not": Operator(lambda a, e, n: not _is(a, e, n), "value", "is", "not equal, or missing"),
    "one_of": Operator(_one_of, "list", "is none of", "equal to one of a list"),
    "none_of": Operator(lambda a, e, n: not _one_of(a, e, n), "list", "is one of", "equal to none of a list"),
    "contains": Operator(_contains, "value", "does not contain", "a text within the text, or an entry of the list"),
    "starts_with": Operator(
        lambda a, e, n: as_text(a).startswith(as_text(cast(Value, e))),
        "value",
        "does not start with",
        "text at the start",
    ),
    "ends_with": Operator(
        lambda a, e, n: as_text(a).endswith(as_text(cast(Value, e))), "value", "does not end with", "text at the end"
    ),
    "matches": Operator(
        lambda a, e, n: a is not None and cast(Pattern, e).search(_encodable(as_text(a))) is not None,
        "pattern",
        "does not match",
        "a regular expression (RE2) is found in the first 8,192 characters of the text; ^ and $ anchor it",
    ),
    "more_than": Operator(_ordered((1,)), "value", "is not more than", "greater: numbers, dates, times"),
    "at_least": Operator(_ordered((0, 1)), "value", "is not at least", "greater or equal"),
    "less_than": Operator(_ordered((-1,)), "value", "is not less than", "less"),
    "at_most": Operator(_ordered((-1, 0)), "value", "is not at most", "less or equal"),
    "between": Operator(_between, "pair", "is not between", "from the first to the second, both included"),
    "before": Operator(_ordered((-1,)), "value", "is not before", "an earlier date or time"),
    "after": Operator(_ordered((1,)), "value", "is not after", "a later date or time"),
    "within_days": Operator(
        _within_days, "number", "is not within days of now:", "a date at most N days from now, past or future"
    ),
    "older_than_days": Operator(
        _older_than_days, "number", "is not older in days than", "a date more than N days in the past"
    ),
    "is_empty": Operator(_is_empty, "flag", "emptiness is not", "missing or blank (true), or not (false)"),
    "is_true": Operator(
        lambda a, e, n: (as_truth(a) is True) is bool(e),
        "flag",
        "truth is not",
        "true, yes, on or 1 (true), or not (false)",
    ),
}

#: Symbols that are accepted for the words.
SYMBOLS: Mapping[str, str] = {
    "=": "is",
    "!=": "is_not",
    "<": "less_than",
    ">": "more_than",
    "<=": "at_most",
    ">=": "at_least",
}


def why_not(condition: Condition | None, facts: Facts, hide: Callable[[Left], bool] = lambda _: False) -> str:
    """Say why a condition does not hold, in a sentence that names the value; "" when it holds.

    `hide` tells which left sides must not be quoted (digits marked sensitive).
    """
    if condition is None:
        return ""
    if isinstance(condition, Test):
        return _test_why_not(condition, facts, hide)
    if condition.join == "all":
        return next((why for part in condition.conditions if (why := why_not(part, facts, hide))), "")
    if condition.join == "none":
        return _none_why_not(condition, facts, hide)
    whys = [why_not(part, facts, hide) for part in condition.conditions]
    return "" if "" in whys else "none of these holds: " + "; ".join(whys)


def _none_why_not(group: Group, facts: Facts, hide: Callable[[Left], bool]) -> str:
    held = [part for part in group.conditions if not why_not(part, facts, hide)]
    return f"what must not hold does: {describe(held[0], hide)}" if held else ""


def _test_why_not(test: Test, facts: Facts, hide: Callable[[Left], bool]) -> str:
    hidden = any(map(hide, _lefts_of(test)))
    if isinstance(test.expected, Template):
        filled = _fill(test.expected, facts)
        if filled == "":
            return f"{test.left} is compared with '{test.expected}', which is empty"
        test = replace(test, expected=filled)
    actual, expected, now = facts.look(test.left), cast(Expected, test.expected), facts.caller.at
    if test.loosely:
        actual, expected = _loose(actual), cast(Expected, _loose(cast(Value, expected)))
    operator = OPERATORS[test.operator]
    if operator.holds(actual, expected, now):
        return ""
    if hidden:
        return f"{test.left} {operator.says} what the rule asks"
    if actual is None and test.left.room == "record":
        return f"the record has no '{test.left}'"
    if actual is None:
        return f"{test.left} is not known"
    return f"{test.left} is {_quoted(actual)}: it {operator.says} {_quoted(test.expected)}{_near(test, actual, now)}"


def _lefts_of(test: Test) -> tuple[Left, ...]:
    return (test.left, *test.expected.lefts) if isinstance(test.expected, Template) else (test.left,)


def _fill(template: Template, facts: Facts) -> Scalar:
    """Fill a right side; a number that stands there alone stays one, so that it is compared as a number."""
    alone = facts.look(template.lefts[0]) if len(template.parts) == 1 else None
    return alone if isinstance(alone, int | float) and not isinstance(alone, bool) else render(template, facts.look)


def _near(test: Test, actual: Value, now: datetime) -> str:
    """The near miss that a person overlooks: white space, upper case, a number or date that is none."""
    expected = cast(Expected, test.expected)
    if isinstance(actual, str) and not test.loosely and test.operator in ("is", "one_of", "contains", "starts_with"):
        if OPERATORS[test.operator].holds(_loose(actual), cast(Expected, _loose(cast(Value, expected))), now):
            return f" (nearly: only {_difference(test, actual, now)}; 'loosely: true' would match)"
        if as_number(actual) is not None and as_number(actual) == as_number(expected):
            return " (nearly: equal as numbers; write the number without quotes)"
    if test.operator in _ORDERING and _compare(actual, _first(expected), now) is None:
        return " (the two cannot be compared as numbers or dates)"
    return ""


def _difference(test: Test, actual: str, now: datetime) -> str:
    if OPERATORS[test.operator].holds(actual.strip(), cast(Expected, test.expected), now):
        return "white space differs"
    if OPERATORS[test.operator].holds(actual.casefold(), _folded(cast(Expected, test.expected)), now):
        return "upper or lower case differs"
    return "white space and upper or lower case differ"


def _folded(expected: Expected) -> Expected:
    if isinstance(expected, tuple):
        return tuple(item.casefold() if isinstance(item, str) else item for item in expected)
    return expected.casefold() if isinstance(expected, str) else expected


_ORDERING = frozenset({"more_than", "at_least", "less_than", "at_most", "between", "before", "after"})


def _first(expected: Expected) -> Expected:
    return expected[0] if isinstance(expected, tuple) and expected else expected


def _loose(value: Value) -> Value:
    if isinstance(value, str):
        return value.strip().casefold()
    if isinstance(value, tuple):
        return tuple(item.strip().casefold() if isinstance(item, str) else item for item in value)
    return value


def _quoted(value: Expected | Template) -> str:
    if isinstance(value, Template):
        return f"'{value}'"
    if isinstance(value, tuple):
        return "[" + ", ".join(_quoted(item) for item in value) + "]"
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 80 else f"'{value[:77]}...'"
    if value is None or isinstance(value, bool | int | float):
        return as_text(value) or "empty"
    return f"/{value.pattern}/"


def describe(condition: Condition, hide: Callable[[Left], bool] = lambda _: False) -> str:
    """Say a condition as a person would: `tier is 'gold' and balance at least 1000`."""
    if isinstance(condition, Test):
        expected = "***" if any(map(hide, _lefts_of(condition))) else _quoted(condition.expected)
        return f"{condition.left} {condition.operator.replace('_', ' ')} {expected}"
    word = {"all": " and ", "any": " or ", "none": " nor "}[condition.join]
    text = word.join(describe(part, hide) for part in condition.conditions)
    return f"neither {text}" if condition.join == "none" else text
