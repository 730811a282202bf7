"""`routing-engine calendar`: what every calendar is now, until when and why; and the night switch."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from pathlib import Path

from routing_engine.cli.common import Commands, add_command, misuse, paint, print_json
from routing_engine.config.calendars.overrides import OVERRIDES, write_override
from routing_engine.config.calendars.read import Calendars
from routing_engine.config.engine_yaml import calendars_of
from routing_engine.config.folder import read_folder
from routing_engine.core.calendar import Override, in_utc
from routing_engine.engine import open_store
from routing_engine.errors import ConfigError
from routing_engine.settings.yaml_reader import suggest

_TIMES = "'18:00', 'tomorrow 08:00' or '2026-12-24 12:00'"
_NONE = "engine.yaml names no calendar: write 'calendars: {office: {hours: ...}}'"
_WRITABLE = "run this as the owner of that folder, or let its group write there"
_NOT_TAKEN = "the service goes on without this until they are gone; 'routing-engine check' names them"
_FARTHEST = datetime(9000, 1, 1, tzinfo=UTC)
_CLOCK = re.compile(r"(tomorrow\s+)?([0-9]{1,2}):([0-9]{2})\Z", re.ASCII)
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command, and its own: close, open, clear."""
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=show, configures=True)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    for state in ("close", "open"):
        action = _add_action(actions, state, f"{state} a calendar until a time")
        action.add_argument("until", choices=["until"])
        action.add_argument("time", nargs="+", metavar="TIME", help=f"{_TIMES}, in the calendar's time zone")
        action.set_defaults(run=switch, state="closed" if state == "close" else "open")
    _add_action(actions, "clear", "end what close or open has set").set_defaults(run=switch, state=None)


def _add_action(actions: Commands, name: str, gives: str) -> argparse.ArgumentParser:
    action = add_command(actions, name, gives)
    action.add_argument("name", metavar="NAME", help="the calendar")
    action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="for programs")
    return action


def show(options: argparse.Namespace) -> int:
    """Print every calendar."""
    now = datetime.now(UTC)
    found = calendars_of(read_folder(options.config), now)
    states = [_state(name, found, now) for name in found.by_name if name]
    if options.json:
        print_json({"calendars": [*map(asdict, states)], "remarks": [asdict(one) for one in found.remarks]})
        return 0
    for one in states:
        print(_line(one))
    for remark in found.remarks:
        print(paint(f"{remark} (a remark)", "dim"))
    if not states:
        print(_NONE)
    return 0


def switch(options: argparse.Namespace) -> int:
    """Write an override, or remove it; 2 for a calendar or a time that there is not, 1 when it cannot be written."""
    now = datetime.now(UTC)
    calendars = calendars_of(read_folder(options.config), now).by_name
    names = [name for name in calendars if name]
    if options.name not in names:
        return misuse(f"there is no calendar '{options.name}'; {suggest(options.name, names) if names else _NONE}")
    override = None
    if options.state is not None:
        until = read_until(" ".join(options.time), calendars[options.name].zone, now)
        if until is None:
            return misuse(f"'{' '.join(options.time)}' is not a time to come; write {_TIMES}")
        override = Override(options.state, now.replace(microsecond=0), until)
    try:
        write_override(options.config, options.name, override, now)
    except OSError as error:
        place = options.config / OVERRIDES
        print(f"{place} cannot be written: {error.strerror or error}; {_WRITABLE}", file=sys.stderr)
        return 1
    _warn_if_not_taken(options.config)
    return show(options)


def read_until(text: str, zone: tzinfo | None, now: datetime) -> datetime | None:
    """Read a time to come, in UTC; None when it is none. A time of day is the next one, `tomorrow` that of tomorrow."""
    text = " ".join(text.split())
    clock = _CLOCK.match(text)
    try:
        if clock:
            day = now.astimezone(zone).date() + timedelta(days=bool(clock[1]))
            days = [day] if clock[1] else [day, day + timedelta(days=1)]
            wall = [datetime.combine(one, time(int(clock[2]), int(clock[3]))) for one in days]
        else:
            wall = [datetime.fromisoformat(text)] if _MOMENT.match(text) else []
        moments = (in_utc(one.replace(fold=fold), zone) for one in wall for fold in (0, 1))
        return next((moment for moment in moments if now < moment < _FARTHEST), None)
    except (ValueError, OverflowError):
        return None


def _warn_if_not_taken(folder: Path) -> None:
    """A running service takes a folder whole or not at all."""
    try:
        open_store(folder).load()
    except ConfigError as error:
        print(f"the configuration has problems ({len(error.problems)}): {_NOT_TAKEN}", file=sys.stderr)


@dataclass(frozen=True, slots=True)
class CalendarState:
    """A calendar as `--json` prints it; `until` None is longer than anybody looks ahead."""

    name: str
    state: str
    until: str | None
    why: str
    default: bool


def _state(name: str, found: Calendars, now: datetime) -> CalendarState:
    calendar = found.by_name[name]
    until = calendar.next_change(now)
    return CalendarState(
        name,
        calendar.state(now),
        None if until is None else until.isoformat(timespec="seconds"),
        calendar.why(now),
        found.by_name.get("") is calendar,
    )


def _line(one: CalendarState) -> str:
    state = paint(f"{one.state:<8}", "good" if one.state == "open" else "bad")
    until = f"until {datetime.fromisoformat(one.until):%a %Y-%m-%d %H:%M}" if one.until else "for over a year"
    return f"{one.name:<16}  {state}  {until}  {one.why}"
