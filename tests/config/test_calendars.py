"""`calendars:` of engine.yaml: what may be written, every fault with its line, and files that are not trusted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from routing_engine.config.calendars import ical
from routing_engine.config.calendars.overrides import OVERRIDES
from routing_engine.config.calendars.read import Calendars, make_calendars
from routing_engine.config.engine_yaml import calendars_of, read_part
from routing_engine.config.folder import UnreadableFile
from routing_engine.core.calendar import OpeningHours
from routing_engine.errors import ConfigError
from routing_engine.settings.yaml_reader import Problems

from .folders import snapshot

VIENNA = ZoneInfo("Europe/Vienna")
NOW = datetime(2026, 11, 18, 10, 30, tzinfo=VIENNA)
BAD = sorted((Path(__file__).parent / "bad" / "calendars").glob("*.yaml"))
COMPANY = "calendars/company.ics"
HOURS = "{weekdays: '08:00-17:00'}"


def read(
    text: str, texts: Mapping[str, str | UnreadableFile] | None = None, notes: Problems | None = None
) -> tuple[Calendars, list[str]]:
    notes = notes or Problems("engine.yaml")
    written = read_part(text, notes, ("calendars",))
    assert written is not None
    found = make_calendars(written.calendars, texts or {}, VIENNA, NOW, notes)
    problems = [f"{one.file}:{one.line}: {one.sentence}; {one.remedy}" for one in notes.problems]
    return found, problems


def office(text: str = "", hours: str = HOURS, texts: Mapping[str, str | UnreadableFile] | None = None) -> OpeningHours:
    """A calendar of these keys, which has no problem."""
    found, problems = read(f"calendars:\n  office:\n    hours: {hours}\n    {text}\n", texts)
    assert problems == []
    return found.by_name["office"]


def states(calendar: OpeningHours, *moments: str) -> list[str]:
    return [calendar.state(datetime.fromisoformat(one).replace(tzinfo=VIENNA)) for one in moments]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_each_fault_of_a_calendar_is_named_with_its_line_and_nothing_else(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    line, _, part = text.splitlines()[0].removeprefix("# expect: ").partition(": ")
    _, problems = read(text, {COMPANY: ""})
    assert len(problems) == 1, problems
    assert problems[0].startswith(f"engine.yaml:{line}: ")
    assert part in problems[0]


# ------------------------------------------------------------------------------------------------------- hours


@pytest.mark.parametrize(
    ("hours", "moment", "state"),
    [
        ("{monday: 8:00-9:00}", "2026-11-16 08:00", "open"),
        ("{monday: '08:00-12:00, 13:00-17:00'}", "2026-11-16 12:30", "closed"),
        ("{monday: ['08:00-12:00', '13:00-17:00']}", "2026-11-16 13:30", "open"),
        ("{monday-thursday: '08:00-17:00'}", "2026-11-19 08:00", "open"),
        ("{monday-thursday: '08:00-17:00'}", "2026-11-20 08:00", "closed"),
        ("{saturday-monday: 24h}", "2026-11-15 00:00", "open"),
        ("{saturday-monday: 24h}", "2026-11-17 00:00", "closed"),
        ("{'monday,wednesday': 24h}", "2026-11-18 23:59", "open"),
        ("{'monday-tuesday, Friday': 24h}", "2026-11-20 12:00", "open"),
        ("{weekend: '10:00-24:00'}", "2026-11-15 23:59", "open"),
        ("{weekdays: '22:00-06:00'}", "2026-11-21 05:59", "open"),
        ("{daily: '18:00-00:00'}", "2026-11-21 00:00", "closed"),
        ("{weekdays: 24h, weekend: closed}", "2026-11-21 12:00", "closed"),
    ],
)
def test_hours_may_be_written_so(hours: str, moment: str, state: str) -> None:
    assert states(office(hours=hours), moment) == [state]


def test_a_calendar_may_have_a_time_zone_of_its_own() -> None:
    calendar = office("timezone: America/New_York")
    assert calendar.state(datetime(2026, 11, 18, 13, tzinfo=UTC)) == "open"
    assert calendar.state(datetime(2026, 11, 18, 12, tzinfo=UTC)) == "closed"


def test_a_name_is_not_needed_for_the_only_calendar_or_for_default() -> None:
    one = f"  office: {{hours: {HOURS}}}\n"
    other = f"  default: {{hours: {HOURS}}}\n"
    third = f"  night: {{hours: {HOURS}}}\n"
    by_name = read("calendars:\n" + one)[0].by_name
    assert by_name[""] is by_name["office"]
    by_name = read("calendars:\n" + one + other)[0].by_name
    assert by_name[""] is by_name["default"]
    assert "" not in read("calendars:\n" + one + third)[0].by_name


def test_without_calendars_there_are_none() -> None:
    assert read("region: AT\n") == (Calendars(), [])
    assert read("calendars: {}\n") == (Calendars(), [])


# ---------------------------------------------------------------------------------------- holidays and dates


def test_public_holidays_are_those_of_the_country_in_its_own_language() -> None:
    calendar = office("holidays: AT")
    assert states(calendar, "2026-12-08 09:00", "2026-12-09 09:00", "2031-01-06 09:00") == [
        "holiday",
        "open",
        "holiday",
    ]
    assert calendar.why(datetime(2026, 12, 8)) == "holiday: Mariä Empfängnis"


def test_public_holidays_may_be_those_of_a_region_and_of_several() -> None:
    assert states(office("holidays: us-ca"), "2026-03-31 09:00") == ["holiday"]  # Cesar Chavez Day
    assert states(office("holidays: US"), "2026-03-31 09:00") == ["open"]
    both = office("holidays: [AT, DE-BY]")
    assert states(both, "2026-10-26 09:00", "2026-10-03 09:00", "2026-10-05 09:00") == ["holiday", "holiday", "open"]


def test_norway_is_a_country_and_not_a_no() -> None:
    assert states(office("holidays: NO"), "2027-05-17 09:00") == ["holiday"]


@pytest.mark.parametrize(
    ("written", "closed", "open_"),
    [
        ("2026-12-24", "2026-12-24 09:00", "2027-12-24 09:00"),
        ("12-24", "2029-12-24 09:00", "2029-12-26 09:00"),
        ("2026-12-28..2026-12-31", "2026-12-31 16:59", "2026-12-25 09:00"),
        ("12-24..01-06", "2027-01-06 09:00", "2027-01-07 09:00"),
        ("02-28..03-01", "2028-02-29 09:00", "2028-03-02 09:00"),
        ("02-29", "2028-02-29 09:00", "2027-03-01 09:00"),
        ("2026-12-24 12:00-24:00", "2026-12-24 12:00", "2026-12-24 11:59"),
        ("12-24 08:00-10:00, 12:00-24:00", "2026-12-24 13:00", "2026-12-24 11:00"),
        ("['2026-12-22', 2026-12-23]", "2026-12-23 09:00", "2026-12-24 09:00"),
    ],
)
def test_closed_days_may_be_written_so(written: str, closed: str, open_: str) -> None:
    assert states(office(f"closed: {written}"), closed, open_) == ["closed", "open"]


def test_open_hours_beat_the_holiday_and_the_closed_day() -> None:
    calendar = office(
        "{holidays: AT, closed: 2026-12-08, open: '2026-12-08 09:00-12:00'}".strip("{}").replace(", ", "\n    ")
    )
    assert states(calendar, "2026-12-08 08:59", "2026-12-08 09:00", "2026-12-08 12:00") == ["closed", "open", "closed"]


# ------------------------------------------------------------------------------------------------- .ics files


def event(lines: str, begin: str = "DTSTART;TZID=Europe/Vienna:20261118T090000", uid: str = "1") -> str:
    return f"BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20260101T000000Z\n{begin}\n{lines}\nEND:VEVENT\n"


def whole(events: str) -> str:
    return "BEGIN:VCALENDAR\n" + events + "END:VCALENDAR\n"


def company(*events: str, head: str = "") -> dict[str, str | UnreadableFile]:
    text = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test\n" + head + "".join(events) + "END:VCALENDAR\n"
    return {COMPANY: text.replace("\n", "\r\n")}


def with_ical(texts: Mapping[str, str | UnreadableFile]) -> OpeningHours:
    return office(f"ical: [{COMPANY}]", texts=texts)


def problem_of(texts: Mapping[str, str | UnreadableFile]) -> str:
    """The only problem of a file, which is named."""
    _, problems = read(f"calendars:\n  office: {{hours: {HOURS}, ical: {COMPANY}}}\n", texts)
    assert len(problems) == 1, problems
    assert problems[0].startswith(COMPANY)
    return problems[0]


def test_an_event_with_times_closes_and_a_whole_day_is_a_holiday() -> None:
    texts = company(
        event("DTEND;TZID=Europe/Vienna:20261118T100000\nSUMMARY:Inventory"),
        event("SUMMARY:Company outing", begin="DTSTART;VALUE=DATE:20261119", uid="2"),
    )
    calendar = with_ical(texts)
    assert states(calendar, "2026-11-18 08:59", "2026-11-18 09:00", "2026-11-18 10:00") == ["open", "closed", "open"]
    assert states(calendar, "2026-11-19 09:00", "2026-11-20 09:00") == ["holiday", "open"]
    assert calendar.why(datetime(2026, 11, 18, 9)) == "event: Inventory"
    assert calendar.why(datetime(2026, 11, 19, 9)) == "holiday: Company outing"


def test_an_event_repeats_with_its_exceptions_and_moved_dates() -> None:
    rule = (
        "DTEND;TZID=Europe/Vienna:20261118T100000\nRRULE:FREQ=WEEKLY;COUNT=4\nEXDATE;TZID=Europe/Vienna:20261125T090000"
    )
    moved = event(
        "DTEND;TZID=Europe/Vienna:20261202T150000\nRECURRENCE-ID;TZID=Europe/Vienna:20261202T090000",
        begin="DTSTART;TZID=Europe/Vienna:20261202T140000",
    )
    calendar = with_ical(company(event(rule), moved))
    days = ("11-18 09:30", "11-25 09:30", "12-02 09:30", "12-02 14:30", "12-09 09:30", "12-16 09:30")
    assert states(calendar, *(f"2026-{day}" for day in days)) == ["closed", "open", "open", "closed", "closed", "open"]


def test_an_event_keeps_its_wall_clock_when_the_clocks_change() -> None:
    rule = "DTEND;TZID=Europe/Vienna:20261118T100000\nRRULE:FREQ=WEEKLY"
    assert states(with_ical(company(event(rule))), "2027-06-16 09:00", "2027-06-16 10:00") == ["closed", "open"]


def test_an_event_in_utc_or_without_a_zone_is_understood() -> None:
    calendar = with_ical(
        company(
            event("DTEND:20261118T100000Z", begin="DTSTART:20261118T090000Z"),
            event("DURATION:PT1H", begin="DTSTART:20261119T090000", uid="2"),
        )
    )
    assert states(calendar, "2026-11-18 09:59", "2026-11-18 10:00", "2026-11-18 11:00") == ["open", "closed", "open"]
    assert states(calendar, "2026-11-19 08:59", "2026-11-19 09:00", "2026-11-19 10:00") == ["open", "closed", "open"]


def odd_zone(rule: str) -> str:
    """A time zone that only the file knows; Outlook writes such ones, from the year 1601."""
    winter = "BEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:{0};BYMONTH=10\n"
    summer = "BEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:{0};BYMONTH=3\n"
    zone = winter + "END:STANDARD\n" + summer + "END:DAYLIGHT\n"
    return "BEGIN:VTIMEZONE\nTZID:Our own time\n" + zone.format(rule) + "END:VTIMEZONE\n"


def test_an_event_may_use_a_time_zone_that_the_file_describes() -> None:
    rule = "DTEND;TZID=Our own time:20261118T100000\nRRULE:FREQ=WEEKLY"
    weekly = event(rule, begin="DTSTART;TZID=Our own time:20261118T090000")
    calendar = with_ical(company(weekly, head=odd_zone("FREQ=YEARLY;BYDAY=-1SU")))
    assert states(calendar, "2026-11-18 09:00", "2027-06-16 09:00", "2027-06-16 10:00") == ["closed", "closed", "open"]


def test_a_cancelled_event_closes_nothing() -> None:
    calendar = with_ical(company(event("DURATION:PT1H\nSTATUS:CANCELLED")))
    assert states(calendar, "2026-11-18 09:30") == ["open"]


def test_a_whole_day_repeats_every_year_and_may_last_several_days() -> None:
    begin = "DTSTART;VALUE=DATE:20201224"
    calendar = with_ical(company(event("DTEND;VALUE=DATE:20201227\nRRULE:FREQ=YEARLY", begin=begin)))
    days = ("2026-12-23", "2026-12-24", "2027-12-24", "2029-12-24", "2029-12-27")
    assert states(calendar, *(f"{day} 09:00" for day in days)) == ["open", "holiday", "holiday", "holiday", "open"]


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        ("FREQ=SECONDLY", "a repetition is SECONDLY, which no opening hours need"),
        ("FREQ=MINUTELY;INTERVAL=1", "a repetition is MINUTELY"),
        ("freq=hourly", "a repetition is HOURLY"),
        ("BYDAY=MO", "a repetition is without FREQ"),
        ("FREQ=DAILY;INTERVAL=0", "a repetition has the interval '0'"),
        ("FREQ=DAILY;INTERVAL=-1", "a repetition has the interval '-1'"),
        ("FREQ=DAILY;BYHOUR=1,2,3", "a repetition comes several times a day"),
        ("FREQ=YEARLY;BYMONTHDAY=" + ",".join(["1"] * 400), "a repetition is too long to be read"),
    ],
)
def test_a_rule_that_would_keep_the_engine_busy_is_refused_with_its_line(rule: str, part: str) -> None:
    folded = f"DURATION:PT1H\nRRULE:{rule[:8]}\n {rule[8:]}"
    assert problem_of(company(event(folded))).startswith(f"{COMPANY}:9: {part}")


def test_a_zone_whose_rule_would_keep_the_engine_busy_is_refused() -> None:
    texts = company(event("DURATION:PT1H"), head=odd_zone("FREQ=DAILY"))
    _, problems = read(f"calendars:\n  office: {{hours: {HOURS}, ical: {COMPANY}}}\n", texts)
    assert [": a repetition is DAILY" in one for one in problems] == [True, True]


def test_two_rules_of_one_event_are_refused() -> None:
    rules = "DURATION:PT1H\nRRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY"
    assert problem_of(company(event(rules))).startswith(f"{COMPANY}:10: an event has two rules")


def test_too_many_events_are_refused() -> None:
    many = company(*(event("DURATION:PT1H", uid=str(n)) for n in range(ical.MOST_EVENTS + 1)))
    assert "there are more than 5000 events" in problem_of(many)
    often = company(*(event("DURATION:PT1H\nRRULE:FREQ=DAILY", uid=str(n)) for n in range(15)))
    assert "more than 20000 events take place within 7 years" in problem_of(often)


def test_what_takes_too_long_is_refused() -> None:
    ticks = iter([0.0, 1.0, 6.0])
    notes = Problems(COMPANY)
    texts = company(*(event("DURATION:PT1H", uid=str(n)) for n in range(3)))
    assert ical.read_ical(str(texts[COMPANY]), notes, VIENNA, NOW, lambda: next(ticks)) == ical.Agenda()
    assert [one.sentence for one in notes.problems] == ["working out what repeats takes more than 5 seconds"]


def test_an_event_that_lasts_for_ever_is_cut_to_the_years_that_are_read() -> None:
    forever = event("DTEND;VALUE=DATE:21000101", begin="DTSTART;VALUE=DATE:19000101")
    calendar = with_ical(company(forever))
    assert states(calendar, "2025-01-01 09:00", "2026-11-18 09:00", "2031-12-31 09:00") == ["holiday"] * 3
    assert states(calendar, "2032-01-01 09:00") == ["open"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "it is empty or cut off"),
        ("hello", "it is empty or cut off"),
        ("BEGIN:VCALENDAR\n" + event("DURATION:PT1H"), "it is empty or cut off"),
        ("BEGIN:VCALENDAR\n" * 3000, "it is empty or cut off"),
        ("\x00\x01", "it is empty or cut off"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n", ":3: 'END:VCALENDAR' ends what has not begun"),
        ("BEGIN:VCALENDAR\nBEGIN:X\nno content line\nEND:X\nEND:VCALENDAR\n", "not an iCalendar file that can be read"),
        (whole(event("DURATION:PT1H", begin="X-NO:start")), "not an iCalendar file that can be read"),
        (whole(event("DTEND:tomorrow")), "DTEND of the event 'without a name' cannot be read"),
        (whole(event("SUMMARY:Party\nRRULE:FREQ=DAILY;COUNT=x")), "RRULE of the event 'Party' cannot be read"),
    ],
)
def test_a_file_that_is_none_is_a_problem_with_its_name(text: str, part: str) -> None:
    assert part in problem_of({COMPANY: text})


def test_a_file_that_cannot_be_read_is_a_problem_with_its_name() -> None:
    assert "not UTF-8; save it" in problem_of({COMPANY: UnreadableFile("not UTF-8", "save it")})


def test_a_file_that_two_calendars_name_is_told_once() -> None:
    one = f"{{hours: {HOURS}, ical: {COMPANY}}}"
    _, problems = read(f"calendars:\n  office: {one}\n  shop: {one}\n", {COMPANY: "hello"})
    assert len(problems) == 1


# ------------------------------------------------------------------------------------------ the night switch


def overridden(*entries: str) -> tuple[Calendars, list[str]]:
    text = "overrides:\n" + "".join(f"- {{{entry}}}\n" for entry in entries)
    found, problems = read(f"calendars:\n  office: {{hours: {HOURS}}}\n", {OVERRIDES: text})
    assert problems == []
    return found, [f"{one.file}:{one.line}: {one.sentence}" for one in found.remarks]


GOOD = "name: office, state: closed, since: '2026-11-18T10:00:00+01:00', until: 2026-11-18T11:00:00+01:00"


def test_an_override_is_read_with_its_times() -> None:
    found, remarks = overridden(GOOD)
    assert states(found.by_name["office"], "2026-11-18 09:59", "2026-11-18 10:00", "2026-11-18 11:00") == [
        "open", "closed", "open",
    ]  # fmt: skip
    assert remarks == []


@pytest.mark.parametrize(
    "entry",
    [
        GOOD.replace("closed", "holiday"),
        GOOD.replace("T10:00:00+01:00", "T10:00:00"),
        GOOD.replace("T10:00:00+01:00", "T12:00:00+01:00"),
        GOOD.replace("2026-11-18T11:00:00+01:00", "9999-12-31T23:59:59-10:00"),
        GOOD.replace("name: office, ", ""),
        "state: closed",
        "x: [1, 2]",
    ],
)
def test_an_entry_that_cannot_be_read_is_left_out_with_a_remark(entry: str) -> None:
    found, remarks = overridden(entry, GOOD)
    assert states(found.by_name["office"], "2026-11-18 10:30") == ["closed"]
    assert remarks == ["state/calendars.yaml:2: this override cannot be read and is left out"]


def test_an_override_of_a_calendar_that_is_gone_is_left_out_with_a_remark() -> None:
    _, remarks = overridden(GOOD.replace("office", "shop"))
    assert remarks == ["state/calendars.yaml:2: there is no calendar 'shop': its override is left out"]


@pytest.mark.parametrize("text", ["", "hello", "overrides: 7", "[", "overrides: [7]", "*a", "\x00"])
def test_a_broken_file_of_overrides_makes_nothing_unusable(text: str) -> None:
    found, problems = read(f"calendars:\n  office: {{hours: {HOURS}}}\n", {OVERRIDES: text})
    assert (problems, len(found.remarks)) == ([], 1)
    assert states(found.by_name["office"], "2026-11-18 10:30") == ["open"]


# -------------------------------------------------------------------------------- the calendars of a folder alone


def test_the_calendars_of_a_folder_are_read_whatever_else_is_wrong_there() -> None:
    texts = {"engine.yaml": f"regin: AT\ntimezone: Asia/Tokyo\ncalendars: {{office: {{hours: {HOURS}}}}}\n"}
    found = calendars_of(snapshot({**texts, "routes/support.yaml": "["}), NOW)
    assert found.by_name["office"].state(datetime(2026, 11, 18, 0, tzinfo=UTC)) == "open"
    assert calendars_of(snapshot({}), NOW) == Calendars()


def test_problems_of_the_calendars_of_a_folder_are_raised() -> None:
    with pytest.raises(ConfigError, match=r"engine.yaml:1: 'hours' is missing"):
        calendars_of(snapshot({"engine.yaml": "calendars: {office: {}}\n"}), NOW)
