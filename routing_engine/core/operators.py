"""Condition operators: one row says all about each of them, near misses included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias, TypeVar, cast

from routing_engine.core.compare import age, as_moment, as_number, as_truth, equal, is_day, is_time, order
from routing_engine.core.model import Pattern, Scalar, Value
from routing_engine.core.templates import as_text

#: What stands right of the operator, after reading: a value, a list of them, a compiled pattern.
Expected: TypeAlias = Value | Pattern
V = TypeVar("V", Value, Expected)
#: `holds(actual, expected, now)`.
Holds: TypeAlias = Callable[[Value, Expected, datetime], bool]

#: As much of a text is held against an expression. RE2 takes time in proportion to the text and to the expression; a
#: field of 64 KiB and the largest expression that is accepted would hold up all calls for seconds.
LONGEST_MATCHED = 8192
#: Longer texts are not searched a second time only to name a near miss.
_LONGEST_NEAR = 200


@dataclass(frozen=True, slots=True)
class ComparisonKind:
    """How an operator compares: which keys may stand beside it, what its right side must be, what is a near miss.

    `near(holds, actual, expected, now)` returns what a person overlooks, in brackets and with a space in front, when
    the operator does not hold; "" when there is nothing to say.
    """

    near: Callable[[Holds, Value, Expected, datetime], str]
    #: Texts are compared, so that `loosely: true` means something.
    loosely: bool = False
    #: The right side is one of the values that the left side can have (a weekday, a device state).
    equality: bool = False
    #: The right side is a number, a date or a time of day.
    ordered: bool = False
    #: It holds for what is *not* so: the near miss is told when it holds.
    negative: bool = False


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator, whole: reading, trail, `loosely` and the remedy for a wrong name follow from its row alone.

    `fails` is the sentence when it does not hold; `{}` stands for the right side. A flag has two of them, for true and
    for false. `symbol` is accepted in its place, `also` are other languages' names for it, for "did you mean".
    """

    holds: Holds
    takes: Literal["value", "list", "pair", "number", "flag", "pattern"]
    compares: ComparisonKind
    fails: str | tuple[str, str]
    doc: str
    symbol: str = ""
    also: tuple[str, ...] = ()


# ------------------------------------------------------------------------------------------------- near misses


def differs(holds: Holds, actual: Value, expected: Expected, now: datetime) -> str:
    """Return what nobody sees and two texts differ in, when `loosely` they would not; "" when they differ in more.

    Entries of lists count like texts.
    """
    if not holds(loose(actual), loose(expected), now):
        return ""
    if holds(_each(actual, str.strip), _each(expected, str.strip), now):
        return "white space differs"
    if holds(_each(actual, str.casefold), _each(expected, str.casefold), now):
        return "upper or lower case differs"
    return "white space and upper or lower case differ"


def loose(value: V) -> V:
    """Return a value as `loosely: true` compares it: texts without white space around them and without case."""
    if isinstance(value, str):
        return cast(V, value.strip().casefold())
    return _each(value, lambda text: text.strip().casefold()) if isinstance(value, tuple) else value


def _each(value: V, change: Callable[[str], str]) -> V:
    if isinstance(value, tuple):
        return cast(V, tuple(change(item) if isinstance(item, str) else item for item in value))
    return cast(V, change(value)) if isinstance(value, str) else value


def _text_near(holds: Holds, actual: Value, expected: Expected, now: datetime) -> str:
    what = differs(holds, actual, expected, now)
    return f" (nearly: only {what}; 'loosely: true' would match)" if what else ""


def _equality_near(holds: Holds, actual: Value, expected: Expected, now: datetime) -> str:
    """Return how a text is nearly the one that is expected, or that it cannot be read as what is expected."""
    near = _text_near(holds, actual, expected, now)
    if near or not isinstance(actual, str):
        return near
    wanted = expected if isinstance(expected, tuple) else (cast(Scalar, expected),)
    kind = wanted[0] if wanted else None  # the first of a list says what the list is made of
    if isinstance(kind, bool):
        return NEITHER if as_truth(actual) is None else ""
    if isinstance(kind, str):
        number = as_number(actual)
        if number is not None and any(number == as_number(one) for one in wanted):
            return " (nearly: equal as numbers; write the number without quotes)"
        return NO_DATE if is_day(kind) and actual.strip() and as_moment(actual, now) is None else ""
    digits = as_number(actual) is None and any(map(str.isdigit, actual))
    return " (it is not a number that can be read)" if digits else ""


def _pattern_near(holds: Holds, actual: Value, expected: Expected, now: datetime) -> str:
    text = as_text(actual)
    if len(text) > _LONGEST_NEAR:
        return ""
    if holds(text.strip(), expected, now):
        return " (nearly: only white space around it differs)"
    if any(holds(change(text), expected, now) for change in (str.lower, str.upper, str.title)):
        return " (nearly: only upper or lower case differs; '(?i)' before the expression would match)"
    return ""


def _order_near(holds: Holds, actual: Value, expected: Expected, now: datetime) -> str:
    wanted = expected if isinstance(expected, tuple) else (expected,)
    if any(order(actual, one, now) is None for one in wanted):
        return " (the two cannot be compared as numbers or dates)"
    return ""


def _age_near(holds: Holds, actual: Value, expected: Expected, now: datetime) -> str:
    if as_moment(actual, now) is None:
        return NO_DATE
    return " (the two cannot be compared as dates)" if age(actual, now) is None else ""


def _truth_near(holds: Holds, actual: Value, expected: Expected, now: datetime) -> str:
    return NEITHER if as_truth(actual) is None else ""


def _presence_near(holds: Holds, actual: Value, expected: Expected, now: datetime) -> str:
    return " (it is nothing but white space)" if not expected and actual else ""


NO_DATE = " (it is not a date that can be read: dates are written YYYY-MM-DD)"
NEITHER = " (it is neither true nor false: true are 'true', 'yes', 'on' and '1')"

TEXT = ComparisonKind(_text_near, loosely=True)
EQUALITY = ComparisonKind(_equality_near, loosely=True, equality=True)
DIFFERENCE = ComparisonKind(_text_near, loosely=True, equality=True, negative=True)
PATTERN = ComparisonKind(_pattern_near)
ORDER = ComparisonKind(_order_near, ordered=True)
AGE = ComparisonKind(_age_near)
TRUTH = ComparisonKind(_truth_near)
PRESENCE = ComparisonKind(_presence_near)


# --------------------------------------------------------------------------------------------------- operators


def _one_of(actual: Value, expected: Expected, now: datetime) -> bool:
    return any(equal(actual, item, now) for item in cast(tuple[Scalar, ...], expected))


def _contains(actual: Value, expected: Expected, now: datetime) -> bool:
    if isinstance(actual, tuple):
        return equal(actual, expected, now)
    return actual is not None and as_text(cast(Value, expected)) in as_text(actual)


def _ordered(*accepted: int) -> Holds:
    return lambda actual, expected, now: order(actual, expected, now) in accepted


def _between(actual: Value, expected: Expected, now: datetime) -> bool:
    low, high = cast(tuple[Scalar, ...], expected)
    above, below = order(actual, low, now) in (0, 1), order(actual, high, now) in (0, -1)
    if is_time(low) and is_time(high) and str(low) > str(high):  # over midnight
        return above or below
    return above and below


def _within_days(actual: Value, expected: Expected, now: datetime) -> bool:
    ago, days = age(actual, now), as_number(expected)
    return ago is not None and days is not None and abs(ago) <= timedelta(days=float(days))


def _older_than_days(actual: Value, expected: Expected, now: datetime) -> bool:
    ago, days = age(actual, now), as_number(expected)
    return ago is not None and days is not None and ago > timedelta(days=float(days))


def _matches(actual: Value, expected: Expected, now: datetime) -> bool:
    if actual is None:
        return False
    # RE2 works on UTF-8, and a JSON answer may hold half of a surrogate pair, which has none.
    text = as_text(actual)[:LONGEST_MATCHED].encode("utf-8", "replace").decode()
    return cast(Pattern, expected).search(text) is not None


#: Every operator of the route language. The reference in docs/ is checked against this table.
OPERATORS: Mapping[str, Operator] = {
    "is": Operator(
        equal,
        "value",
        EQUALITY,
        "is not {}",
        "equal by meaning; for a list: one of its entries is",
        symbol="=",
        also=("equal", "equals", "eq", "=="),
    ),
    "is_not": Operator(
        lambda actual, expected, now: not equal(actual, expected, now),
        "value",
        DIFFERENCE,
        "is {}",
        "not equal, or missing",
        symbol="!=",
        also=("not", "ne", "<>"),
    ),
    "one_of": Operator(_one_of, "list", EQUALITY, "is none of {}", "equal to one of a list", also=("in", "any_of")),
    "none_of": Operator(
        lambda actual, expected, now: not _one_of(actual, expected, now),
        "list",
        DIFFERENCE,
        "is one of {}",
        "equal to none of a list",
        also=("not_in",),
    ),
    "contains": Operator(
        _contains,
        "value",
        TEXT,
        "does not contain {}",
        "a text within the text, or an entry of the list",
        also=("like", "has"),
    ),
    "starts_with": Operator(
        lambda actual, expected, now: as_text(actual).startswith(as_text(cast(Value, expected))),
        "value",
        TEXT,
        "does not start with {}",
        "text at the start",
    ),
    "ends_with": Operator(
        lambda actual, expected, now: as_text(actual).endswith(as_text(cast(Value, expected))),
        "value",
        TEXT,
        "does not end with {}",
        "text at the end",
    ),
    "matches": Operator(
        _matches,
        "pattern",
        PATTERN,
        "does not match {}",
        "a regular expression (RE2) is found in the first 8,192 characters of the text; ^ and $ anchor it",
        also=("regex",),
    ),
    "more_than": Operator(
        _ordered(1),
        "value",
        ORDER,
        "is not more than {}",
        "greater: numbers, dates, times",
        symbol=">",
        also=("gt", "greater_than"),
    ),
    "at_least": Operator(
        _ordered(0, 1), "value", ORDER, "is not at least {}", "greater or equal", symbol=">=", also=("gte", "min")
    ),
    "less_than": Operator(
        _ordered(-1), "value", ORDER, "is not less than {}", "less", symbol="<", also=("below", "lt")
    ),
    "at_most": Operator(
        _ordered(-1, 0), "value", ORDER, "is not at most {}", "less or equal", symbol="<=", also=("lte", "max")
    ),
    "between": Operator(_between, "pair", ORDER, "is not between {}", "from the first to the second, both included"),
    "before": Operator(_ordered(-1), "value", ORDER, "is not before {}", "an earlier date or time"),
    "after": Operator(_ordered(1), "value", ORDER, "is not after {}", "a later date or time"),
    "within_days": Operator(
        _within_days, "number", AGE, "is not within {} days of now", "a date at most N days from now, past or future"
    ),
    "older_than_days": Operator(
        _older_than_days, "number", AGE, "is not older than {} days", "a date more than N days in the past"
    ),
    "is_empty": Operator(
        lambda actual, expected, now: (as_text(actual).strip() == "") is bool(expected),
        "flag",
        PRESENCE,
        ("is not empty", "is empty"),
        "missing or blank (true), or not (false)",
        also=("exists", "empty"),
    ),
    "is_true": Operator(
        lambda actual, expected, now: (as_truth(actual) is True) is bool(expected),
        "flag",
        TRUTH,
        ("is not true", "is true"),
        "true, yes, on or 1 (true), or not (false)",
    ),
}

#: Symbols that are accepted for the words.
SYMBOLS: Mapping[str, str] = {row.symbol: name for name, row in OPERATORS.items() if row.symbol}
