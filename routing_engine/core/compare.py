"""Two values held against each other by meaning: numbers as numbers, dates as dates, truth as people write it."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import cast

from routing_engine.core.model import Scalar, Value
from routing_engine.core.templates import as_text

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0", ""})
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?\Z", re.ASCII)
_LONGEST_NUMBER = 40
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z|today\Z", re.ASCII)
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z", re.ASCII)


def as_number(value: object) -> Decimal | None:
    """Return a number: of `2500`, of `"2500.50"`; None for anything else, truth values and infinities included."""
    if isinstance(value, str):
        text = value.strip()
        return Decimal(text) if len(text) <= _LONGEST_NUMBER and _NUMBER.match(text) else None
    if isinstance(value, int):
        return None if isinstance(value, bool) else Decimal(value)
    if not isinstance(value, float):
        return None
    number = Decimal(repr(value))  # as people write it: 0.1 is 0.1
    return number if number.is_finite() else None  # `nan` and `inf`, which JSON readers let through


def as_truth(value: object) -> bool | None:
    """Return true or false as people and CRMs write it: true, yes, on, 1; None when it is neither."""
    text = as_text(cast(Value, value)).strip().lower()
    return True if text in _TRUE else False if text in _FALSE else None


def as_moment(value: object, now: datetime) -> datetime | None:
    """Return the moment of an ISO 8601 date or date and time, of `today` or `now`; None for anything else.

    A moment without a zone is in the zone of `now`, which is the site's.
    """
    text = value.strip() if isinstance(value, str) else ""
    if text in ("today", "now"):
        return now if text == "now" else now.replace(hour=0, minute=0, second=0, microsecond=0)
    if len(text) < 8:  # Python would take 2026 and 2026-W1 for dates
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None or now.tzinfo is None else moment.replace(tzinfo=now.tzinfo)


def is_day(value: object) -> bool:
    """Return whether a value is written as a whole day: `2026-11-18`, or `today`."""
    return isinstance(value, str) and _DAY.match(value.strip()) is not None


def is_time(value: object) -> bool:
    """Return whether a value is written as a time of day, `HH:MM`."""
    return isinstance(value, str) and _TIME.match(value) is not None


def equal(actual: Value, expected: object, now: datetime) -> bool:
    """Return whether a value, or one entry of a list, is what is expected."""
    if isinstance(actual, tuple):
        return any(_same(item, expected) for item in actual)
    if _same(actual, expected):
        return True
    one = as_moment(actual, now) if isinstance(expected, str) and isinstance(actual, str) else None
    return one is not None and one == as_moment(expected, now)


def _same(actual: Scalar, expected: object) -> bool:
    if isinstance(actual, bool) or isinstance(expected, bool):
        return as_truth(actual) is as_truth(expected) and actual is not None
    # Two texts stay texts: customer 0123 is not customer 123.
    if isinstance(actual, str) and isinstance(expected, str):
        return actual == expected
    one = as_number(actual)
    return one == as_number(expected) if one is not None else actual == expected


def order(actual: Value, expected: object, now: datetime) -> int | None:
    """Return -1, 0 or 1 for less, equal, more: of numbers, times of day, moments. None when they cannot be compared."""
    one, other = as_number(actual), as_number(expected)
    if one is not None and other is not None:
        return (one > other) - (one < other)
    if is_time(actual) and is_time(expected):
        return (str(actual) > str(expected)) - (str(actual) < str(expected))
    first, second = as_moment(actual, now), as_moment(expected, now)
    if first is None or second is None or (first.tzinfo is None) != (second.tzinfo is None):
        return None
    if is_day(expected):
        day, wanted = _day_of(first, now), _day_of(second, now)
        return (day > wanted) - (day < wanted)
    return (first > second) - (first < second)


def _day_of(moment: datetime, now: datetime) -> date:
    """Return the day of a moment at the site: a day that a rule names lasts until midnight."""
    try:
        return (moment.astimezone(now.tzinfo) if now.tzinfo is not None else moment).date()
    except OverflowError:  # the first or last day of the calendar, in another zone
        return moment.date()


def age(actual: Value, now: datetime) -> timedelta | None:
    """Return how long ago a moment was, negative for the future; None when it is not a date that can be compared."""
    moment = as_moment(actual, now)
    if moment is None or (moment.tzinfo is None) != (now.tzinfo is None):
        return None
    return now - moment
