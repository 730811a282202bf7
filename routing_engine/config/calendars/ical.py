"""iCalendar files (RFC 5545): what they close, as values. Their text is somebody else's and is not trusted.

Two libraries read them and work out what repeats. Some rules would keep these busy for ever ("every second", "every
30 February"), so rules are looked at before, and what takes too long or is too much is refused.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, TypeAlias

import recurring_ical_events
from icalendar import Calendar
from icalendar.cal import Component

from routing_engine.config.calendars.ical_zones import read_with_own_zones
from routing_engine.core.calendar import CalendarEvent, in_order, in_utc
from routing_engine.settings.yaml_reader import Problems

Clock: TypeAlias = Callable[[], float]

#: How many years before and after that of the reload are read.
YEARS_BACK, YEARS_AHEAD = 1, 5
MOST_EVENTS = 5_000
MOST_OCCURRENCES = 20_000
#: Of the processor.
LONGEST_S = 5.0
_MOST_ZONE_RULES = 40
_LONGEST_RULE = 300
_AGAIN = "export it again, as .ics"
_REMEDY = "export only what closes you, or leave the file out of 'ical'"

_FREQUENCIES = {"VEVENT": {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}, "VTIMEZONE": {"YEARLY"}}
_NEEDED = {"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"}
_RULE = re.compile(r"RRULE(;[^:]*)?:(.*)\Z", re.I)


@dataclass(frozen=True, slots=True)
class Agenda:
    """What iCalendar files say: whole days with their names, which are holidays, and events with times, which close."""

    days: Mapping[date, str] = field(default_factory=dict)
    events: tuple[CalendarEvent, ...] = ()


def read_ical(
    text: str, notes: Problems, zone: tzinfo | None, now: datetime, clock: Clock = time.thread_time
) -> Agenda:
    """Read an iCalendar file; its problems are noted. `zone` is for events without one, None is the system's.

    `clock` tells the time that this thread has worked: a file is not refused because the machine has other work.
    """
    _look_at_lines(text, notes)
    if notes.problems:
        return Agenda()
    first, last = date(now.year - YEARS_BACK, 1, 1), date(now.year + YEARS_AHEAD + 1, 1, 1)
    days: dict[date, str] = {}
    events: list[CalendarEvent] = []
    try:
        for one in _occurrences(_parse(text, notes, last, clock), first, last, clock):
            start, end, name = _time(one, "DTSTART"), _time(one, "DTEND"), _name(one)
            if str(one.get("STATUS", "")).upper() == "CANCELLED":
                continue
            if isinstance(start, datetime):
                events.append(CalendarEvent(in_utc(start, zone), in_utc(end, zone), name))
            else:
                days |= {day: name for day in _days(max(start, first), min(end, last)) if day not in days}
    except _TooMuch as refusal:
        notes.note(0, str(refusal), _REMEDY)
    except Exception as error:  # the libraries raise whatever a strange file makes them stumble over
        notes.note(0, f"this is not an iCalendar file that can be read: {_short(error)}", _AGAIN)
    return Agenda() if notes.problems else Agenda(days, in_order(events))


class _TooMuch(Exception):
    """The file is too large, or takes too long."""


def _short(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:120]


# ----------------------------------------------------------------------------------- before the libraries see it


def _look_at_lines(text: str, notes: Problems) -> None:
    """Note, with its line, what the libraries let pass (a file that is cut off) and what would keep them busy."""
    inside: list[str] = []
    events = rules = zone_rules = 0
    for line, content in _unfolded(text):
        begun, _, what = content.upper().strip().partition(":")
        if begun == "BEGIN":
            inside.append(what)
            events, rules = events + (what == "VEVENT"), 0
        elif begun == "END":
            if not inside or inside.pop() != what:
                return notes.note(line, f"'{content[:40]}' ends what has not begun", _AGAIN)
        elif found := _RULE.match(content):
            rules, zone_rules = rules + 1, zone_rules + ("VTIMEZONE" in inside)
            why = _why_refused(found[2], "VTIMEZONE" if "VTIMEZONE" in inside else "VEVENT")
            if why or (rules > 1 and inside[-1:] == ["VEVENT"]):
                notes.note(line, why or "an event has two rules", _REMEDY)
    if inside or "BEGIN:VCALENDAR" not in text.upper():
        notes.note(0, "this is not a whole iCalendar file: it is empty or cut off", _AGAIN)
    if events > MOST_EVENTS or zone_rules > _MOST_ZONE_RULES:
        notes.note(0, f"there are more than {MOST_EVENTS} events or {_MOST_ZONE_RULES} rules of time zones", _REMEDY)
    return None


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Return the content lines, each with the number of the line where it begins (RFC 5545, 3.1)."""
    begun, parts = 1, list[str]()
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if line[:1] in (" ", "\t") and parts:
            parts.append(line[1:])
            continue
        if parts:
            yield begun, "".join(parts)
        begun, parts = number, [line]
    yield begun, "".join(parts)


def _why_refused(rule: str, kind: str) -> str:
    """Say why a repetition is not worked out; "" when it is."""
    parts = dict(part.upper().strip().partition("=")[::2] for part in rule.split(";"))
    frequency, interval = parts.get("FREQ", ""), parts.get("INTERVAL", "1")
    if len(rule) > _LONGEST_RULE:
        return "a repetition is too long to be read"
    if frequency not in _FREQUENCIES[kind]:
        return f"a repetition is {frequency[:20] or 'without FREQ'}, which no opening hours need"
    if not re.fullmatch("[1-9][0-9]{0,3}", interval):
        return f"a repetition has the interval '{interval[:20]}'"
    if any("," in parts.get(part, "") for part in ("BYHOUR", "BYMINUTE", "BYSECOND")):
        return "a repetition comes several times a day"
    return ""


# --------------------------------------------------------------------------------------------------- what it says


def _occurrences(calendars: Iterable[Component], first: date, last: date, clock: Clock) -> Iterator[Component]:
    """Return every occurrence of every event that takes place, with its own start and end."""
    end_s, count = clock() + LONGEST_S, 0
    for series in (series for calendar in calendars for series in recurring_ical_events.of(calendar).series):
        for found in series.between(_midnight(first), _midnight(last)):
            count += 1
            if count > MOST_OCCURRENCES:
                raise _TooMuch(f"more than {MOST_OCCURRENCES} events take place within {last.year - first.year} years")
            yield found.as_component(False)
        if clock() > end_s:
            raise _TooMuch(f"working out what repeats takes more than {LONGEST_S:g} seconds")


def _time(event: Component, name: str) -> Any:
    """Return a moment or a date, whichever it is."""
    found: Any = event[name]
    return found.dt


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time())


def _parse(text: str, notes: Problems, last: date, clock: Clock) -> list[Component]:
    """Return the calendars of a file; none when there is a problem.

    What the library cannot read it leaves out, and an event without its rule would close on one day only.
    """
    calendars = read_with_own_zones(text, notes)
    for event in (event for calendar in calendars for event in calendar.walk("VEVENT")):
        for name, why in event.errors:
            if name in _NEEDED:
                notes.note(0, f"{name} of the event '{_name(event)}' cannot be read: {why[:80]}", _AGAIN)
    for calendar in calendars:
        _tell_apart(calendar.walk("VEVENT"), last, clock)
    return [] if notes.problems else calendars


def _tell_apart(events: Iterable[Component], last: date, clock: Clock) -> None:
    """Set a UID for each event that shares one: the library takes them for versions of one, and keeps the last.

    Versions they are where each has another SEQUENCE (RFC 5545, 3.8.7.4). What has a RECURRENCE-ID is one date of a
    series: it goes with the event that takes place then.
    """
    groups: dict[str, list[Component]] = {}
    for event in events:
        groups.setdefault(str(event.get("UID", "")), []).append(event)
    for uid, group in groups.items():
        series = [event for event in group if "RECURRENCE-ID" not in event]
        versions = {str(event.get("SEQUENCE", 0)) for event in series}
        if len(series) < 2 or (uid and len(versions) == len(series)):
            continue
        for number, event in enumerate(series):
            event["UID"] = f"{uid}#{number}"
        _join(series, [event for event in group if "RECURRENCE-ID" in event], last, clock)


def _join(series: list[Component], moved: list[Component], last: date, clock: Clock) -> None:
    """Set for each moved date the UID of the event that it is a date of."""
    end_s = clock() + LONGEST_S if moved else 0.0
    for one in moved:
        if clock() > end_s:
            raise _TooMuch(f"working out what repeats takes more than {LONGEST_S:g} seconds")
        found = (event for event in series if _takes_place(event, _time(one, "RECURRENCE-ID"), last))
        one["UID"] = next(found, series[0])["UID"]


def _takes_place(event: Component, when: date, last: date) -> bool:
    """Return whether an event has a date; one beyond the years that are read does not matter."""
    if when.year > last.year:
        return False
    alone = Calendar()
    alone.add_component(event)
    return any(_time(one, "DTSTART") == when for one in recurring_ical_events.of(alone).at(when))


def _name(event: Component) -> str:
    """Return what a person calls the event, in one line."""
    title: Any = event.get("SUMMARY", "")
    return " ".join(str(title[0] if isinstance(title, list) else title).split())[:80] or "without a name"


def _days(start: date, end: date) -> list[date]:
    """Return the days of an event; one that ends when it begins has its day nevertheless."""
    return [start + timedelta(days=n) for n in range(max((end - start).days, 1))]
