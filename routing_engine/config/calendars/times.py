"""Hours and dates as they stand in a calendar: text in, values out. What cannot be read raises `ValueError`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import TypeAlias

from routing_engine.core.calendar import DayPart

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
GROUPS = {"weekdays": DAYS[:5], "weekend": DAYS[5:], "daily": DAYS}
HOURS_REMEDY = "write '08:00-12:00, 13:00-17:00', '22:00-06:00' (over midnight), '24h' or 'closed'"
DAYS_REMEDY = "write a day, 'monday-thursday', 'monday,wednesday', weekdays, weekend or daily"
DATES_REMEDY = (
    "write '2026-12-24', '12-24' (every year), '2026-12-27..2026-12-31' or '12-24..01-06', and hours after it if it is "
    "not the whole day: '2026-12-24 12:00-24:00'"
)

#: Month and day, of every year.
YearDay: TypeAlias = tuple[int, int]

_HOURS = re.compile(r"([0-9]{1,2}):([0-9]{2})\s*-\s*([0-9]{1,2}):([0-9]{2})\Z", re.ASCII)
_DATE = re.compile(r"(?:([0-9]{4})-)?([0-9]{2})-([0-9]{2})\Z", re.ASCII)
_MIDNIGHT = 24 * 60
#: A range of more days than this is a typing error, and would only fill the memory.
_LONGEST = 3660
_LEAP_YEAR = 2000


def read_hours(text: str, why: str = "") -> tuple[DayPart, ...]:
    """Read `08:00-12:00, 13:00-17:00`, `24h` or `closed`; each part is named `why`."""
    if text.strip() == "closed":
        return ()
    if text.strip() == "24h":
        return (DayPart(0, _MIDNIGHT, why),)
    return tuple(_read_part(part.strip(), why) for part in text.split(","))


def _read_part(text: str, why: str) -> DayPart:
    found = _HOURS.match(text)
    if not found:
        raise ValueError(f"'{text[:40]}' are not hours")
    start, end = _minutes(found[1], found[2]), _minutes(found[3], found[4])
    if start in (end, _MIDNIGHT):
        raise ValueError(f"'{text[:40]}' is not a time")
    return DayPart(start, end if end > start else end + _MIDNIGHT, why)


def minute_left_out(text: str) -> str:
    """Return the first part of hours that ends at 23:59 or begins at 00:01, `00:00-23:59`; "" where none does.

    That minute is hardly meant: at midnight the caller would hear that nobody is there.
    """
    for part in (part.strip() for part in text.split(",")):
        found = _HOURS.match(part)
        if found and (f"{found[3]}:{found[4]}" == "23:59" or int(found[1] + found[2]) == 1):
            return part
    return ""


def _minutes(hour: str, minute: str) -> int:
    if int(minute) > 59 or int(hour) * 60 + int(minute) > _MIDNIGHT:
        raise ValueError(f"there is no time {hour}:{minute}")
    return int(hour) * 60 + int(minute)


def read_days(text: str) -> tuple[int, ...]:
    """Read the days of the week that a key of `hours` names, Monday is 0: `monday-thursday`, `weekend`, ..."""
    return tuple(day for part in text.lower().split(",") for day in _read_days(part.strip()))


def _read_days(text: str) -> Iterator[int]:
    if text in GROUPS:
        return iter([DAYS.index(day) for day in GROUPS[text]])
    first, _, last = (part.strip() for part in text.partition("-"))
    for name in (first, last or first):
        if name not in DAYS:
            raise ValueError(f"'{name[:40]}' is not a day of the week")
    start, end = DAYS.index(first), DAYS.index(last or first)
    return (day % 7 for day in range(start, end + 1 if end >= start else end + 8))


def read_dates(text: str) -> tuple[list[date | YearDay], tuple[DayPart, ...]]:
    """Read one entry of `closed` or `open`: its dates, or what it names of every year, and its parts of the day."""
    days, _, hours = text.strip().partition(" ")
    parts = read_hours(hours.strip() or "24h", text.strip())
    if not parts:
        raise ValueError(f"'{text[:60]}' has no hours")
    first, dots, last = days.partition("..")
    start, end = _read_date(first), _read_date(last if dots else first)
    if isinstance(start, date) and isinstance(end, date):
        return [*_between(start, end, days)], parts
    if isinstance(start, date) or isinstance(end, date):
        raise ValueError(f"'{days[:40]}' has one date with a year and one without")
    return [*_of_every_year(start, end)], parts


def _read_date(text: str) -> date | YearDay:
    found = _DATE.match(text)
    if not found:
        raise ValueError(f"'{text[:40]}' is not a date")
    try:
        day = date(int(found[1] or _LEAP_YEAR), int(found[2]), int(found[3]))
    except ValueError:
        raise ValueError(f"there is no date {text[:40]}") from None
    return day if found[1] else (day.month, day.day)


def _between(start: date, end: date, written: str) -> list[date]:
    if not 0 <= (end - start).days <= _LONGEST:
        raise ValueError(f"'{written[:40]}' ends before it begins, or lasts more than ten years")
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def _of_every_year(start: YearDay, end: YearDay) -> list[YearDay]:
    """Return the days from one to the other, over the end of the year too; 29 February is one of them."""
    leap = [date(_LEAP_YEAR, 1, 1) + timedelta(days=n) for n in range(366)]
    days = [(day.month, day.day) for day in leap]
    first, last = days.index(start), days.index(end)
    return days[first : last + 1] if first <= last else days[first:] + days[: last + 1]
