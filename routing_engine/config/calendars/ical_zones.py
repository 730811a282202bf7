"""Time zones of iCalendar files: each file by its own VTIMEZONE, whatever other files call theirs.

The library keeps a zone by its name for the life of the process, and lets names that it knows go before what a file
says. Outlook calls every odd zone `Customized Time Zone`.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from datetime import tzinfo

from icalendar import Calendar
from icalendar.cal import Component, Timezone
from icalendar.timezone import tzp
from icalendar.timezone.zoneinfo import ZONEINFO

from routing_engine.settings.yaml_reader import Problems

#: The library's zones belong to the process: one reading at a time.
_ONE_READER = threading.Lock()
_CALENDAR = re.compile(r"^BEGIN:VCALENDAR\s*$", re.I | re.M)
_ZONE = re.compile(r"^BEGIN:VTIMEZONE\s*$.*?^END:VTIMEZONE\s*$\n?", re.I | re.M | re.S)
_NAMED = re.compile(r"^(?:DTSTART|DTEND|RECURRENCE-ID|RDATE|EXDATE)[^:\n]*?;TZID=(?:\"([^\"\n]+)\"|([^\";:\n]+))", re.I)


class _FileZones(ZONEINFO):
    """Zones for one calendar: what it describes goes before what the machine knows by the same name."""

    def knows_timezone_id(self, tzid: str) -> bool:
        """Return whether a description can be passed over: never."""
        return False

    def create_timezone(self, tz: Timezone) -> tzinfo:  # type: ignore[override]  # as the library's own does
        """Return the zone that is described; where the description cannot be read, the one of that name."""
        try:
            return super().create_timezone(tz)
        except Exception:
            known = self.timezone(str(tz.get("TZID", "")).strip("/"))
            if known is None:
                raise
            return known


def read_with_own_zones(text: str, notes: Problems) -> list[Component]:
    """Return the calendars of a file. A zone that nobody knows is remarked. Raises whatever the library raises."""
    with _ONE_READER, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a zone that is guessed from `/vendor/Europe/Vienna` is the right one
        try:
            return [calendar for part in _calendars(text) for calendar in _read(part, notes)]
        finally:
            tzp.use_default()


def _read(text: str, notes: Problems) -> list[Component]:
    tzp.use(_FileZones())
    found = list[Component](Calendar.from_ical(text, multiple=True))
    for name in dict.fromkeys(_zones_named(text)):
        if tzp.timezone(name) is None:
            sentence = f"nobody knows the time zone '{name[:80]}', and the file does not describe it"
            notes.remark(0, sentence, "its events are read in the calendar's own zone; export it with its time zones")
    return found


def _calendars(text: str) -> Iterator[str]:
    """Return each calendar of a file, its zones first: a name means nothing to the library before it is described."""
    plain = text.replace("\r\n", "\n")
    starts = [found.start() for found in _CALENDAR.finditer(plain)][1:]
    for start, end in zip([0, *starts], [*starts, len(plain)], strict=True):
        part = plain[start:end]
        zones, rest = "".join(_ZONE.findall(part)), _ZONE.sub("", part)
        head, line, body = rest.partition("\n")
        yield f"{head}{line}{zones}{body}"


def _zones_named(text: str) -> Iterator[str]:
    for line in text.replace("\n ", "").replace("\n\t", "").split("\n"):
        if found := _NAMED.match(line):
            yield found[1] or found[2]
