"""`calendars:` of engine.yaml: opening hours, holidays, closed and open days, and what commands have switched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from typing import TypeAlias
from zoneinfo import ZoneInfo

from routing_engine.config.calendars.overrides import OVERRIDES, read_overrides
from routing_engine.config.calendars.times import (
    DATES_REMEDY,
    DAYS,
    DAYS_REMEDY,
    HOURS_REMEDY,
    YearDay,
    minute_left_out,
    read_dates,
    read_days,
    read_hours,
)
from routing_engine.config.folder import CALENDARS, UnreadableFile
from routing_engine.core.calendar import (
    CalendarEvent,
    DateTable,
    DayPart,
    Holidays,
    OpeningHours,
    Override,
    in_order,
    no_holidays,
)
from routing_engine.errors import Problem
from routing_engine.settings.spec import nested, required, setting
from routing_engine.settings.value_types import TEXT, ZONE, mapping_of, matching, one_or_more, parsed, raw
from routing_engine.settings.yaml_reader import Problems, Section, YamlValue, suggest

#: The calendar that `call.calendar` without a name means, where there are several.
DEFAULT = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}\Z", re.ASCII)
_HOURS_EXAMPLE = "{weekdays: '08:00-17:00'}"

Texts: TypeAlias = Mapping[str, str | UnreadableFile]
#: One entry of `closed` or `open`: its days, and its parts of each.
_Dated: TypeAlias = tuple[list[date | YearDay], tuple[DayPart, ...]]


# ------------------------------------------------------------------------------------------- keys


def _public(written: str) -> Holidays:
    from routing_engine.config.calendars.public_holidays import read_public  # its library takes a while to load

    return read_public(written)


_HOURS = mapping_of(
    one_or_more(parsed(read_hours, "[hours](#hours)", HOURS_REMEDY)),
    name=parsed(read_days, "days", DAYS_REMEDY),
    empty=("has no hours", HOURS_REMEDY),
).called("mapping, days to [hours](#hours)")
_DATES = one_or_more(parsed(read_dates, "a date", DATES_REMEDY)).called("one or a list of [dates](#dates)")


@dataclass(frozen=True, slots=True)
class CalendarKeys:
    """One calendar as it is written."""

    hours: Mapping[str, tuple[tuple[DayPart, ...], ...]] = required(
        _HOURS, {}, "when it is open in an ordinary week. What it does not name is closed", example=_HOURS_EXAMPLE
    )
    timezone: ZoneInfo | None = setting(
        ZONE, None, "whose wall clock counts", usual="the site's", example="America/New_York"
    )
    holidays: tuple[Holidays, ...] = setting(
        one_or_more(parsed(_public, "a country", "write AT, or AT-9")).called(
            "one or a list of [countries](#holidays)"
        ),
        (),
        "public holidays: `holiday` from midnight to midnight",
        example="AT-9",
    )
    closed: tuple[_Dated, ...] = setting(_DATES, (), "days, or parts of them: `closed`", example="'12-24'")
    open: tuple[_Dated, ...] = setting(
        _DATES,
        (),
        "days, or parts of them, that are `open` whatever the keys above say",
        example="'2026-12-08 09:00-12:00'",
    )
    ical: tuple[YamlValue, ...] = setting(
        one_or_more(raw("a file", TEXT)).called("one or a list of [files](#icalendar-files)"),
        (),
        "`calendars/NAME.ics`",
        example="calendars/company.ics",
    )

    def check(self, section: Section, what: str) -> None:
        """Note a day that is named twice: which of the two would hold? Remark what is hardly meant."""
        _remark_minutes(section)
        _remark_regions(section)
        hours, seen = section.section("hours"), set[int]()
        # Asked after reading, when every key is known to be days.
        for key, day, _ in self.days():
            if day in seen and hours is not None:
                hours.note(key, f"{DAYS[day]} stands in 'hours' twice", "name each day once; several hours: '..., ...'")
            seen.add(day)

    def days(self) -> Iterator[tuple[str, int, tuple[DayPart, ...]]]:
        """Yield key, day (Monday is 0) and parts of every entry of `hours`."""
        for key, written in self.hours.items():
            parts = tuple(part for one in written for part in one)
            yield from ((key, day, parts) for day in read_days(key))


def _remark_minutes(section: Section) -> None:
    """Remark hours that stop a minute before midnight, or begin one after it."""
    hours = section.section("hours")
    days = [hours.value(key) for key in hours.names()] if hours is not None else []
    for value in (one for day in days if day is not None for one in day.entries()):
        if part := minute_left_out(value.word() or ""):
            whole = part.replace(" ", "") in ("00:00-23:59", "0:00-23:59", "00:01-24:00", "00:01-23:59")
            remedy = "write 24h" if whole else "write 24:00 for the end of a day, 00:00 for its beginning"
            value.notes.remark(value.line, f"'{part}' closes for a minute at midnight", remedy)
    dated = [section.value(key) for key in ("closed", "open")]
    for value in (one for days_ in dated if days_ is not None for one in days_.entries()):
        if part := minute_left_out((value.word() or "").partition(" ")[2]):
            value.notes.remark(
                value.line, f"'{part}' leaves out a minute at midnight", "write 00:00-24:00, or no hours"
            )


def _remark_regions(section: Section) -> None:
    """Remark a country without a region, where days belong to regions and none of its regions is named either."""
    written = section.value("holidays")
    values = [] if written is None else written.entries()
    with_region = {
        (value.word() or "").partition("-")[0].strip().upper() for value in values if "-" in (value.word() or "")
    }
    for value in values:
        country = (value.word() or "").strip().upper()
        names = _regions(country) if country and "-" not in country and country not in with_region else ""
        if names:
            sentence = (
                f"{country} has regions with holidays of their own, and '{country}' counts only those of them all"
            )
            value.notes.remark(value.line, sentence, f"write the region: {names}")


def _regions(country: str) -> str:
    from routing_engine.config.calendars.public_holidays import regions_of  # its library takes a while to load

    return regions_of(country)


#: `calendars`, by name.
NAMED_CALENDARS = mapping_of(
    nested(CalendarKeys),
    "the calendar '{}'",
    matching(_NAME, "a calendar cannot be called '{}'", "use a-z A-Z 0-9 - and _"),
    ("has no hours", f"write hours: {_HOURS_EXAMPLE} below it"),
)


# ------------------------------------------------------------------------------------------- calendars


@dataclass(frozen=True, slots=True)
class Calendars:
    """The calendars by name; "" is the one that `call.calendar` without a name means. `remarks` are no faults."""

    by_name: Mapping[str, OpeningHours] = field(default_factory=dict)
    remarks: tuple[Problem, ...] = ()


def make_calendars(
    written: Mapping[str, CalendarKeys], texts: Texts, zone: tzinfo | None, now: datetime, notes: Problems
) -> Calendars:
    """Return the calendars of engine.yaml, with the files that they name; problems of these are noted.

    `texts` are the folder's by relative name, `zone` is the site's (None: the system's). `now` says which years of
    the .ics files are worked out.
    """
    if not written:
        return Calendars()
    # Read with the calendars: one that names a calendar which is gone is a remark, no fault.
    overrides, remarks = read_overrides(texts.get(OVERRIDES), [*written])
    reading = _CalendarReader(texts, zone, now, overrides, notes)
    found = {name: reading.calendar(name, keys) for name, keys in written.items()}
    return Calendars(_with_unnamed(found), remarks)


def _with_unnamed(found: Mapping[str, OpeningHours]) -> dict[str, OpeningHours]:
    usual = found.get(DEFAULT) or (next(iter(found.values())) if len(found) == 1 else None)
    return {**found, **({} if usual is None else {"": usual})}


@dataclass(frozen=True, slots=True)
class _CalendarReader:
    """What all calendars of a folder share while they are made."""

    texts: Texts
    zone: tzinfo | None
    now: datetime
    overrides: Mapping[str, tuple[Override, ...]]
    notes: Problems

    def calendar(self, name: str, keys: CalendarKeys) -> OpeningHours:
        zone = keys.timezone or self.zone
        days, events = self._agenda(keys, zone)
        week = {day: parts for _, day, parts in keys.days()}
        return OpeningHours(
            week=tuple(week.get(day, ()) for day in range(7)),
            zone=zone,
            holidays=_holidays(keys.holidays, days),
            closed=_dates(keys.closed),
            open=_dates(keys.open),
            events=events,
            overrides=self.overrides.get(name, ()),
        )

    def _agenda(self, keys: CalendarKeys, zone: tzinfo | None) -> tuple[Mapping[date, str], tuple[CalendarEvent, ...]]:
        """Read the .ics files that a calendar names: its whole days, and its events with times."""
        days: dict[date, str] = {}
        events: list[CalendarEvent] = []
        for value, file in ((value, value.text()) for value in keys.ical):
            text = self.texts.get(file) if file is not None and file.startswith(f"{CALENDARS}/") else None
            if file is None or text is None:
                self._note_missing(value, file)
                continue
            notes = Problems(file)
            if isinstance(text, UnreadableFile):
                notes.note(0, text.why, text.remedy)
            else:
                from routing_engine.config.calendars.ical import (
                    read_ical,  # its libraries take a while to load; few need them
                )

                agenda = read_ical(text, notes, zone, self.now)
                # The file that is named first wins a day that two of them name.
                days, events = {**agenda.days, **days}, [*events, *agenda.events]
            self.notes.problems += (problem for problem in notes.problems if problem not in self.notes.problems)
            self.notes.remarks += (remark for remark in notes.remarks if remark not in self.notes.remarks)
        return days, in_order(events)

    def _note_missing(self, value: YamlValue, file: str | None) -> None:
        known = [name for name in self.texts if name.startswith(f"{CALENDARS}/")]
        if file is not None:
            remedy = suggest(file, known) if known else "put it there, and write calendars/NAME.ics"
            value.note(f"there is no file '{file[:80]}'", remedy)


def _dates(written: tuple[_Dated, ...]) -> DateTable:
    """Return every date that `closed` or `open` names, with its parts."""
    dated: dict[date, tuple[DayPart, ...]] = {}
    yearly: dict[YearDay, tuple[DayPart, ...]] = {}
    for days, parts in written:
        for day in days:
            if isinstance(day, date):
                dated[day] = dated.get(day, ()) + parts
            else:
                yearly[day] = yearly.get(day, ()) + parts
    return DateTable(dated, yearly)


def _holidays(public: tuple[Holidays, ...], days: Mapping[date, str]) -> Holidays:
    """Return the public holidays of countries and regions, and the whole days of the .ics files."""
    sources = [*public, *([_among(days)] if days else [])]
    if len(sources) < 2:
        return sources[0] if sources else no_holidays
    return lambda day: next((name for name in (source(day) for source in sources) if name), "")


def _among(days: Mapping[date, str]) -> Holidays:
    return lambda day: days.get(day, "")
