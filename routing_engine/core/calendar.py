"""Calendars: what a moment is by weekly hours, holidays, closed and open days, events and overrides.

Hours, dates and holidays are wall-clock times in the calendar's zone, so "08:00" is 08:00 in summer and in winter.
Overrides and events are moments in UTC: they last as long as they last, whatever the clocks do meanwhile.

Several may say something about one moment. The first of these that does decides: an override, an open day, a closed
day or an event with times, a holiday, the weekly hours.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import chain
from typing import Literal, Protocol, TypeAlias

State: TypeAlias = Literal["open", "closed", "holiday"]

_DAY = timedelta(days=1)
_MIDNIGHT = 24 * 60
#: How far ahead `next_change` looks, in days: a year, a leap day, and some.
_FARTHEST = 400
_QUARTERS = frozenset(range(0, _MIDNIGHT, 15))


class Holidays(Protocol):
    """Which days are holidays. It is asked on a live call: it must not read a file, nor wait."""

    def __call__(self, day: date) -> str:
        """Return the holiday's name; "" for any other day."""


def no_holidays(day: date) -> str:
    """Return "" for every day: none of them is a holiday."""
    return ""


@dataclass(frozen=True, slots=True)
class DayPart:
    """A part of a day in minutes from its midnight, without the last; beyond 1440 it reaches into the day after.

    `why` is how it is written, for the dates that have it.
    """

    start: int
    end: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class DateTable:
    """Parts of single days: by date, and by (month, day) for what holds in every year."""

    dated: Mapping[date, tuple[DayPart, ...]] = field(default_factory=dict)
    yearly: Mapping[tuple[int, int], tuple[DayPart, ...]] = field(default_factory=dict)

    def on(self, day: date) -> tuple[DayPart, ...]:
        """Return the parts that begin on a day."""
        return self.dated.get(day, ()) + self.yearly.get((day.month, day.day), ())

    def covering(self, day: date, minute: int) -> DayPart | None:
        """Return what covers a minute of a day, also what began the evening before."""
        if not self.dated and not self.yearly:
            return None
        late = self.on(_before(day))
        today = (part for part in self.on(day) if part.start <= minute < part.end)
        return next(today, None) or next((part for part in late if minute + _MIDNIGHT < part.end), None)


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """What closes from one moment to another, such as a meeting of an iCalendar file; UTC, the end excluded."""

    start: datetime
    end: datetime
    name: str


@dataclass(frozen=True, slots=True)
class Override:
    """The night switch: a state from one moment to another, both in UTC, the last one excluded."""

    state: Literal["open", "closed"]
    since: datetime
    until: datetime


Week: TypeAlias = tuple[tuple[DayPart, ...], ...]


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """A calendar. `week` has the hours from Monday to Sunday; `zone` None is the system's.

    `events` are in order and do not overlap (`in_order` makes them so). Of several overrides the last one decides.
    """

    week: Week
    zone: tzinfo | None = None
    holidays: Holidays = no_holidays
    closed: DateTable = DateTable()
    open: DateTable = DateTable()
    events: tuple[CalendarEvent, ...] = ()
    overrides: tuple[Override, ...] = ()

    def state(self, at: datetime) -> State:
        """Return what a moment is. A moment without a zone is taken as the calendar's wall clock."""
        return self._look(at)[0]

    def why(self, at: datetime) -> str:
        """Return what made the state: `hours`, `outside the hours`, `holiday: NAME`, `override until ...`, ..."""
        return self._look(at)[1]

    def next_change(self, at: datetime) -> datetime | None:
        """Return the next moment with another state, in the calendar's zone; None when there is none for 400 days.

        Later than that it looks where events and overrides begin and end, and nowhere else.
        """
        try:
            now, start, first = self.state(at), self._moment(at), self._wall(at).date()
            fixed = sorted(self._fixed())
            near = (edge for n in range(_FARTHEST) for edge in self._edges(first + n * _DAY, fixed))
            found = next((edge for edge in chain(near, fixed) if edge > start and self.state(edge) != now), None)
        except (OverflowError, ValueError):  # the first or last days that a date can be
            return None
        return None if found is None else found.astimezone(self.zone)

    # ------------------------------------------------------------------------------------------ one moment

    def _look(self, at: datetime) -> tuple[State, str]:
        override = self._override(at)
        if override is not None:
            return override.state, f"override until {override.until.astimezone(self.zone):%Y-%m-%d %H:%M}"
        wall = self._wall(at)
        day, minute = wall.date(), wall.hour * 60 + wall.minute
        part = self.open.covering(day, minute)
        if part is not None:
            return "open", f"open: {part.why}"
        return self._shut(day, minute, at) or self._by_hours(day, minute)

    def _override(self, at: datetime) -> Override | None:
        if not self.overrides:
            return None
        moment = self._moment(at)
        return next((one for one in reversed(self.overrides) if one.since <= moment < one.until), None)

    def _shut(self, day: date, minute: int, at: datetime) -> tuple[State, str] | None:
        """Return why a moment is shut although the weekly hours might be open; None when nothing says so."""
        part = self.closed.covering(day, minute)
        if part is not None:
            return "closed", f"closed: {part.why}"
        event = self._event(at)
        if event is not None:
            return "closed", f"event: {event.name}"
        holiday = self.holidays(day)
        return ("holiday", f"holiday: {holiday}") if holiday else None

    def _event(self, at: datetime) -> CalendarEvent | None:
        if not self.events:
            return None
        moment = self._moment(at)
        place = bisect_right(self.events, moment, key=_start) - 1
        return self.events[place] if place >= 0 and moment < self.events[place].end else None

    def _by_hours(self, day: date, minute: int) -> tuple[State, str]:
        for part in self.week[day.weekday()]:
            if part.start <= minute < part.end:
                return "open", "hours"
        for part in self.week[day.weekday() - 1]:
            if minute + _MIDNIGHT < part.end:
                return self._after_midnight(_before(day), part)
        return "closed", "outside the hours"

    def _after_midnight(self, evening: date, part: DayPart) -> tuple[State, str]:
        """Hours over midnight belong to the evening on which they begin: what shut that, shuts the morning after."""
        shut = self._shut(evening, part.start, _at(evening, part.start))
        return ("open", "hours") if shut is None else ("closed", f"the evening before was shut ({shut[1]})")

    def _wall(self, at: datetime) -> datetime:
        """Return the calendar's wall clock at a moment."""
        try:
            return at if at.tzinfo is None or at.tzinfo is self.zone else at.astimezone(self.zone)
        except (OverflowError, ValueError):  # the first or last day that a date can be, in another zone
            return at

    def _moment(self, at: datetime) -> datetime:
        try:
            return in_utc(at, self.zone)
        except (OverflowError, ValueError):  # the first or last day that a date can be
            return at.replace(tzinfo=UTC)

    # ------------------------------------------------------------------------------------- the next change

    def _edges(self, day: date, fixed: Sequence[datetime]) -> list[datetime]:
        """Return every moment of a day, in UTC and in order, at which the state may change."""
        start, end = self._moment(_at(day, 0)), self._moment(_at(day + _DAY, 0))
        minutes = {0, *self._minutes(day)}
        if end - start != _DAY:  # the clocks change, at some quarter of an hour: that may lead into hours, or out
            minutes |= _QUARTERS
        wall = (_at(day, minute).replace(fold=fold) for minute in minutes for fold in (0, 1))
        moments = {moment for one in wall if start <= (moment := self._moment(one)) < end}
        return sorted(moments.union(fixed[bisect_left(fixed, start) : bisect_left(fixed, end)]))

    def _minutes(self, day: date) -> Iterator[int]:
        for one in (day, _before(day)):
            for part in (*self.week[one.weekday()], *self.closed.on(one), *self.open.on(one)):
                yield part.start % _MIDNIGHT
                yield part.end % _MIDNIGHT

    def _fixed(self) -> Iterator[datetime]:
        for event in self.events:
            yield from (event.start, event.end)
        for override in self.overrides:
            yield from (override.since, override.until)


def _start(event: CalendarEvent) -> datetime:
    return event.start


def _before(day: date) -> date:
    """Return the day before; the first day that a date can be has none but itself."""
    return day - _DAY if day > date.min else day


def _at(day: date, minute: int) -> datetime:
    return datetime.combine(day, time(minute // 60, minute % 60))


def in_utc(at: datetime, zone: tzinfo | None) -> datetime:
    """Return a moment in UTC; one without a zone is a wall clock's in `zone` (None: the system's).

    Two moments of one zone must not be compared: Python compares their wall clocks, which now and then jump.
    """
    return (at.replace(tzinfo=zone) if at.tzinfo is None and zone is not None else at).astimezone(UTC)


def in_order(events: Iterable[CalendarEvent]) -> tuple[CalendarEvent, ...]:
    """Return events in their order; those that overlap become one, with the first one's name.

    `OpeningHours` finds the event of a moment by bisection, which needs them so.
    """
    found: list[CalendarEvent] = []
    for event in sorted(events, key=_start):
        last = found[-1] if found else None
        if last is not None and event.start <= last.end:
            found[-1] = CalendarEvent(last.start, max(last.end, event.end), last.name)
        else:
            found.append(event)
    return tuple(found)
