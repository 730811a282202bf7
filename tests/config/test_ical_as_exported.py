"""iCalendar files as programs write them: zones of the same name in two files, one UID for all events."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from routing_engine.config.calendars import ical
from routing_engine.config.folder import UnreadableFile
from routing_engine.settings.yaml_reader import Problems

from .test_calendars import COMPANY, NOW, VIENNA, company, event, read, states, with_ical

OTHER = "calendars/other.ics"


def zone(offset: str, name: str = "Customized Time Zone") -> str:
    """A zone of a file, without summer time."""
    rule = f"BEGIN:STANDARD\nDTSTART:16010101T000000\nTZOFFSETFROM:{offset}\nTZOFFSETTO:{offset}\nEND:STANDARD\n"
    return f"BEGIN:VTIMEZONE\nTZID:{name}\n{rule}END:VTIMEZONE\n"


def at_nine(name: str = "Customized Time Zone", uid: str = "1") -> str:
    return event("DURATION:PT1H", begin=f"DTSTART;TZID={name}:20261118T090000", uid=uid)


def closed_at(texts: Mapping[str, str | UnreadableFile], file: str = COMPANY) -> list[int]:
    """The hours in UTC at which 18 November is closed by the only file of a calendar."""
    notes = Problems(file)
    found = ical.read_ical(str(texts[file]), notes, VIENNA, NOW)
    assert notes.problems == []
    return [one.start.hour for one in found.events]


def remarks_of(texts: Mapping[str, str | UnreadableFile]) -> list[str]:
    notes = Problems(COMPANY)
    ical.read_ical(str(texts[COMPANY]), notes, VIENNA, NOW)
    return [one.sentence for one in notes.remarks]


# ------------------------------------------------------------------------------------------------------- zones


@pytest.mark.parametrize("order", [(COMPANY, OTHER), (OTHER, COMPANY)])
def test_each_file_is_read_by_its_own_zones_in_any_order(order: tuple[str, str]) -> None:
    texts = {
        COMPANY: company(at_nine(), head=zone("+0100"))[COMPANY],
        OTHER: company(at_nine(), head=zone("-0500"))[COMPANY],
    }
    hours = {file: closed_at(texts, file) for file in order}
    assert hours == {COMPANY: [8], OTHER: [14]}


def test_a_file_that_is_corrected_is_read_anew() -> None:
    assert closed_at(company(at_nine(), head=zone("+0100"))) == [8]
    assert closed_at(company(at_nine(), head=zone("+0200"))) == [7]


def test_a_zone_that_a_file_does_not_describe_is_not_taken_from_another_file() -> None:
    closed_at(company(at_nine("Our own"), head=zone("-0500", "Our own")))
    assert closed_at(company(at_nine("Our own"))) == [8]
    assert remarks_of(company(at_nine("Our own"))) == [
        "nobody knows the time zone 'Our own', and the file does not describe it"
    ]


@pytest.mark.parametrize(
    ("head", "name", "hour"),
    [
        ("", "America/New_York", 14),
        ("", '"America/New_York"', 14),
        ("", "/America/New_York", 14),
        ("", "/example.org/America/New_York", 14),
        ("", "Eastern Standard Time", 14),
        ("", '"(UTC+01:00) Nowhere: really"', 8),
        (zone("+0300", "America/New_York"), "America/New_York", 6),
        (zone("+0300", "Eastern Standard Time"), "Eastern Standard Time", 6),
        (zone("+0300", "Büro, Wien"), '"Büro, Wien"', 6),
        ("BEGIN:VTIMEZONE\nTZID:America/New_York\nEND:VTIMEZONE\n", "America/New_York", 14),
    ],
)
def test_a_zone_is_the_one_that_the_file_describes_else_the_one_of_that_name(head: str, name: str, hour: int) -> None:
    assert closed_at(company(at_nine(name), head=head)) == [hour]


def test_a_zone_may_be_described_behind_the_events() -> None:
    assert closed_at(company(at_nine(), zone("-0500"))) == [14]
    assert closed_at(company(at_nine("Europe/London"), zone("-0500", "Europe/London"))) == [14]


def test_two_calendars_in_one_file_have_zones_of_their_own() -> None:
    one, other = company(at_nine(), head=zone("+0100")), company(at_nine(), head=zone("-0500"))
    assert closed_at({COMPANY: f"{one[COMPANY]}{other[COMPANY]}"}) == [8, 14]


def test_exceptions_and_further_dates_are_read_by_the_zone_of_the_file() -> None:
    rule = (
        "DURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\n"
        "EXDATE;TZID=Customized Time Zone:20261119T090000\nRDATE;TZID=Customized Time Zone:20261125T110000"
    )
    series = event(rule, begin="DTSTART;TZID=Customized Time Zone:20261118T090000")
    moved = event(
        "DURATION:PT1H\nRECURRENCE-ID;TZID=Customized Time Zone:20261120T090000",
        begin="DTSTART;TZID=Customized Time Zone:20261120T120000",
    )
    closed_at(company(at_nine(), head=zone("+0100")))
    assert closed_at(company(series, moved, head=zone("-0500"))) == [14, 17, 16]


def test_a_time_without_a_zone_is_the_calendars_own() -> None:
    texts = company(event("DURATION:PT1H", begin="DTSTART:20261118T090000"), head=zone("-0500"))
    assert closed_at(texts) == [8]
    assert remarks_of(texts) == []


# --------------------------------------------------------------------------------------------------------- UID


@pytest.mark.parametrize("uid", ["", "1", "event@example.com"])
def test_whole_days_of_one_uid_all_count(uid: str) -> None:
    days = (event("SUMMARY:Shut", begin=f"DTSTART;VALUE=DATE:202611{day}", uid=uid) for day in (17, 18, 19))
    moments = ("2026-11-16 09:00", "2026-11-17 09:00", "2026-11-18 09:00", "2026-11-19 09:00", "2026-11-20 09:00")
    assert states(with_ical(company(*days)), *moments) == ["open", "holiday", "holiday", "holiday", "open"]


@pytest.mark.parametrize("uid", ["", "1"])
def test_events_with_times_of_one_uid_all_count(uid: str) -> None:
    events = (event("DURATION:PT1H", begin=f"DTSTART:202611{day}T090000", uid=uid) for day in (17, 18))
    calendar = with_ical(company(*events))
    assert states(calendar, "2026-11-17 09:30", "2026-11-18 09:30", "2026-11-19 09:30") == ["closed", "closed", "open"]


def test_two_series_of_one_uid_keep_their_own_moved_dates() -> None:
    begins = ("DTSTART:20261116T090000", "DTSTART:20261117T130000")
    series = [event("DURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=3", begin=begin, uid="") for begin in begins]
    moved = event("DURATION:PT1H\nRECURRENCE-ID:20261124T130000", begin="DTSTART:20261124T150000", uid="")
    calendar = with_ical(company(*series, moved))
    assert states(calendar, "2026-11-23 09:30", "2026-11-30 09:30", "2026-12-01 13:30") == ["closed"] * 3
    assert states(calendar, "2026-11-24 13:30", "2026-11-24 15:30") == ["open", "closed"]


def test_of_versions_of_one_event_the_last_counts() -> None:
    versions = (
        event(f"DURATION:PT1H\nSEQUENCE:{number}", begin=f"DTSTART:2026111{day}T090000")
        for number, day in ((0, 7), (1, 8))
    )
    assert states(with_ical(company(*versions)), "2026-11-17 09:30", "2026-11-18 09:30") == ["open", "closed"]


def test_many_moved_dates_of_many_series_of_one_uid_do_not_keep_the_engine_busy() -> None:
    series = (event("DURATION:PT1H\nRRULE:FREQ=DAILY", begin="DTSTART:19000101T090000", uid="") for _ in range(2))
    moved = event("DURATION:PT1H\nRECURRENCE-ID:20261124T130000", begin="DTSTART:20261124T150000", uid="")
    ticks = iter([0.0, 1.0, 6.0])
    notes = Problems(COMPANY)
    ical.read_ical(str(company(*series, moved, moved)[COMPANY]), notes, VIENNA, NOW, lambda: next(ticks))
    assert [one.sentence for one in notes.problems] == ["working out what repeats takes more than 5 seconds"]


# ----------------------------------------------------------------------------------------------------- remarks


def remarks(keys: str) -> list[str]:
    """What is remarked on a calendar of these keys; the keys begin on line 3."""
    notes = Problems("engine.yaml")
    _, problems = read(f"calendars:\n  office:\n    {keys}\n", notes=notes)
    assert problems == []
    return [f"{one.line}: {one.sentence}; {one.remedy}" for one in notes.remarks]


@pytest.mark.parametrize(
    ("hours", "remedy"),
    [
        ("{daily: '00:00-23:59'}", "'00:00-23:59' closes for a minute at midnight; write 24h"),
        ("{sunday: '00:00 - 23:59'}", "'00:00 - 23:59' closes for a minute at midnight; write 24h"),
        ("{weekend: 0:00-23:59}", "'0:00-23:59' closes for a minute at midnight; write 24h"),
        (
            "{monday-friday: ['08:00-12:00', '13:00-23:59']}",
            "write 24:00 for the end of a day, 00:00 for its beginning",
        ),
        ("{daily: '08:00-12:00, 13:00-23:59'}", "'13:00-23:59' closes for a minute at midnight"),
        ("{daily: '00:01-24:00'}", "'00:01-24:00' closes for a minute at midnight; write 24h"),
        ("{daily: '22:00-23:59, 00:00-06:00'}", "'22:00-23:59' closes for a minute at midnight"),
    ],
)
def test_a_minute_that_hours_leave_out_at_midnight_is_remarked(hours: str, remedy: str) -> None:
    (remark,) = remarks(f"hours: {hours}")
    assert remark.startswith("3: ")
    assert remedy in remark


def test_a_minute_that_dates_leave_out_at_midnight_is_remarked() -> None:
    (remark,) = remarks("hours: {daily: 24h}\n    closed: ['12-24', '2026-12-31 00:00-23:59']")
    assert remark == "4: '00:00-23:59' leaves out a minute at midnight; write 00:00-24:00, or no hours"


@pytest.mark.parametrize("hours", ["24h", "'00:00-24:00'", "'22:00-06:00'", "'08:00-23:45'", "closed", "'18:00-00:00'"])
def test_hours_without_a_gap_are_nothing_to_remark(hours: str) -> None:
    assert remarks(f"hours: {{daily: {hours}}}") == []


@pytest.mark.parametrize(
    ("country", "region"),
    [("GB", "GB-SCT (Scotland)"), ("CH", "CH-ZH"), ("AU", "AU-NSW"), ("CA", "CA-QC"), ("ES", "ES-CT"), ("de", "DE-BY")],
)
def test_a_country_whose_days_belong_to_regions_is_remarked(country: str, region: str) -> None:
    (remark,) = remarks(f"hours: {{daily: 24h}}\n    holidays: {country}")
    assert remark.startswith(f"4: {country.upper()} has regions with holidays of their own")
    assert region in remark


@pytest.mark.parametrize("holidays", ["GB-ENG", "AT", "NL", "SE", "JP", "BE", "[GB, GB-SCT]", "[CH-ZH, AT-9]"])
def test_a_region_and_a_country_without_regions_are_nothing_to_remark(holidays: str) -> None:
    assert remarks(f"hours: {{daily: 24h}}\n    holidays: {holidays}") == []
