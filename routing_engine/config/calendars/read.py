"""`calendars:` of engine.yaml: opening hours, holidays, closed and open days, and what commands have switched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from typing import TypeAlias, TypeVar
from zoneinfo import ZoneInfo

import yaml

from routing_engine.config.calendars.overrides import OVERRIDES, read_overrides
from routing_engine.config.calendars.times import (
    DATES_REMEDY,
    DAYS,
    DAYS_REMEDY,
    HOURS_REMEDY,
    YearDay,
    read_dates,
    read_days,
    read_hours,
)
from routing_engine.config.folder import CALENDARS, FolderTexts, UnreadableFile
from routing_engine.core.calendar import (
    DateTable,
    DayPart,
    Event,
    Holidays,
    OpeningHours,
    Override,
    in_order,
    no_holidays,
)
from routing_engine.errors import ConfigError, Problem
from routing_engine.settings.yaml_reader import Problems, Section, read_yaml, section_of, suggest, text_of

#: The calendar that `call.calendar` without a name means, where there are several.
DEFAULT = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}\Z", re.ASCII)
_HOURS_EXAMPLE = "hours: {weekdays: '08:00-17:00'}"
_Read = TypeVar("_Read")

Texts: TypeAlias = Mapping[str, str | UnreadableFile]


@dataclass(frozen=True, slots=True)
class Calendars:
    """The calendars by name; "" is the one that `call.calendar` without a name means. `remarks` are no faults."""

    by_name: Mapping[str, OpeningHours] = field(default_factory=dict)
    remarks: tuple[Problem, ...] = ()


def read_calendars(section: Section, texts: Texts, zone: tzinfo | None, now: datetime) -> Calendars:
    """Read the key `calendars` of engine.yaml; problems, those of the .ics files too, are noted at the section.

    `texts` are the folder's by relative name, `zone` is the site's (None: the system's). `now` says which years of
    the .ics files are worked out.
    """
    calendars = section.section("calendars")
    if calendars is None:
        return Calendars()
    overrides, remarks = read_overrides(texts.get(OVERRIDES), calendars.names())
    reading = _CalendarReader(texts, zone, now, overrides)
    found = {name: reading.calendar(calendars, name) for name in calendars.names()}
    return Calendars(_with_unnamed(found), remarks)


def calendars_of(snapshot: FolderTexts, now: datetime) -> Calendars:
    """Read only the calendars of a folder, whatever else is wrong there. Raises `ConfigError` with their problems."""
    if snapshot.missing:
        raise ConfigError([Problem(snapshot.missing, 0, "there is no such folder", "name another with --config")])
    if snapshot.engine is None or isinstance(snapshot.engine[1], UnreadableFile):
        return Calendars()
    notes = Problems(snapshot.engine[0])
    section = read_yaml(snapshot.engine[1], notes)
    found = Calendars() if section is None else read_calendars(section, snapshot.texts, read_zone(section), now)
    if notes.problems:
        raise ConfigError(notes.problems)
    return found


def _with_unnamed(found: Mapping[str, OpeningHours]) -> dict[str, OpeningHours]:
    usual = found.get(DEFAULT) or (next(iter(found.values())) if len(found) == 1 else None)
    return {**found, **({} if usual is None else {"": usual})}


def read_zone(section: Section) -> ZoneInfo | None:
    """Read `timezone`; None when it is not there or not known."""
    name = section.text("timezone")
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        section.note("timezone", f"there is no time zone '{name[:80]}'", "write a name such as Europe/Vienna")
        return None


@dataclass(frozen=True, slots=True)
class _CalendarReader:
    """What all calendars of a folder share while they are read."""

    texts: Texts
    zone: tzinfo | None
    now: datetime
    overrides: Mapping[str, tuple[Override, ...]]

    def calendar(self, calendars: Section, name: str) -> OpeningHours:
        one = calendars.section(name)
        if not _NAME.match(name):
            calendars.note(name, f"a calendar cannot be called '{name[:80]}'", "use a-z A-Z 0-9 - and _")
        if one is None:
            if not calendars.has(name):
                calendars.note(name, f"the calendar '{name[:80]}' has no hours", f"write {_HOURS_EXAMPLE} below it")
            return OpeningHours(((),) * 7, self.zone)  # a route that names it has no problem of its own
        zone = read_zone(one) or self.zone
        days, events = self._agenda(one, zone)
        found = OpeningHours(
            week=_read_week(one),
            zone=zone,
            holidays=_read_holidays(one, days),
            closed=_read_dates(one, "closed"),
            open=_read_dates(one, "open"),
            events=events,
            overrides=self.overrides.get(name, ()),
        )
        one.close(f"the calendar '{name}'")
        return found

    def _agenda(self, one: Section, zone: tzinfo | None) -> tuple[Mapping[date, str], tuple[Event, ...]]:
        """Read the .ics files that a calendar names: its whole days, and its events with times."""
        days: dict[date, str] = {}
        events: list[Event] = []
        for node, file in _written(one, "ical"):
            text = self.texts.get(file) if file.startswith(f"{CALENDARS}/") else None
            if text is None:
                known = [name for name in self.texts if name.startswith(f"{CALENDARS}/")]
                remedy = suggest(file, known) if known else "put it there, and write calendars/NAME.ics"
                one.notes.note(node, f"there is no file '{file[:80]}'", remedy)
                continue
            notes = Problems(file)
            if isinstance(text, UnreadableFile):
                notes.note(0, text.why, text.remedy)
            else:
                from routing_engine.config.calendars.ical import (
                    read_ical,  # its libraries take a while to load; few need them
                )

                agenda = read_ical(text, notes, zone, self.now)
                days, events = {**agenda.days, **days}, [*events, *agenda.events]
            one.notes.problems += (problem for problem in notes.problems if problem not in one.notes.problems)
        return days, in_order(events)


def _written(section: Section, key: str) -> list[tuple[yaml.Node, str]]:
    """Take one text or a list of texts, each with its node, for its line."""
    node = section.take(key)
    if node is None:
        return []
    nodes: Sequence[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else [node]
    found = ((item, text_of(item, section.notes, f"'{key}'")) for item in nodes)
    return [(item, text) for item, text in found if text is not None]


def _read_or_note(
    read: Callable[[str], _Read], text: str, section: Section, node: yaml.Node, remedy: str
) -> _Read | None:
    try:
        return read(text)
    except ValueError as error:
        section.notes.note(node, str(error), remedy)
        return None


def _read_week(one: Section) -> tuple[tuple[DayPart, ...], ...]:
    """Read `hours`: parts of each day, from Monday. A day may be named once only: which of two would hold?"""
    week: dict[int, tuple[DayPart, ...]] = {}
    node = one.require("hours", _HOURS_EXAMPLE)
    hours = None if node is None else section_of(node, one.notes, "'hours'")
    if hours is None:
        return ((),) * 7
    for key, day, parts in _hours(hours):
        if day in week:
            hours.note(key, f"{DAYS[day]} stands in 'hours' twice", "name each day once; several hours: '..., ...'")
        week[day] = parts
    return tuple(week.get(day, ()) for day in range(7))


def _hours(hours: Section) -> Iterator[tuple[str, int, tuple[DayPart, ...]]]:
    """Return key, day and parts of every entry of `hours`."""
    for key in hours.names():
        parts = _read_parts(hours, key)
        for day in _read_or_note(read_days, key, hours, hours.key_node(key), DAYS_REMEDY) or ():
            yield key, day, parts


def _read_parts(hours: Section, key: str) -> tuple[DayPart, ...]:
    if not hours.has(key):
        hours.note(key, f"'{key[:40]}' has no hours", HOURS_REMEDY)
    read = (_read_or_note(read_hours, text, hours, node, HOURS_REMEDY) for node, text in _written(hours, key))
    return tuple(part for parts in read for part in parts or ())


def _read_dates(one: Section, key: str) -> DateTable:
    """Read `closed` or `open`: every date that they name, with its parts."""
    dated: dict[date, tuple[DayPart, ...]] = {}
    yearly: dict[YearDay, tuple[DayPart, ...]] = {}
    for node, text in _written(one, key):
        days, parts = _read_or_note(read_dates, text, one, node, DATES_REMEDY) or ([], ())
        for day in days:
            if isinstance(day, date):
                dated[day] = dated.get(day, ()) + parts
            else:
                yearly[day] = yearly.get(day, ()) + parts
    return DateTable(dated, yearly)


def _read_holidays(one: Section, days: Mapping[date, str]) -> Holidays:
    """Read `holidays`: the public ones of countries and regions, and the whole days of the .ics files."""
    found = [_read_public(text, one, node) for node, text in _written(one, "holidays")]
    sources = [*(public for public in found if public is not None), *([_among(days)] if days else [])]
    if len(sources) < 2:
        return sources[0] if sources else no_holidays
    return lambda day: next((name for name in (source(day) for source in sources) if name), "")


def _read_public(text: str, one: Section, node: yaml.Node) -> Holidays | None:
    from routing_engine.config.calendars.public_holidays import read_public  # its library takes a while to load

    return read_public(text, one, node)


def _among(days: Mapping[date, str]) -> Holidays:
    return lambda day: days.get(day, "")
