"""What a moment is: order of precedence, nights, both changes of the clocks, year ends and leap days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.core.calendar import CalendarEvent, DateTable, DayPart, OpeningHours, Override, in_order
from tests.examples import examples

VIENNA = ZoneInfo("Europe/Vienna")
MORNING, AFTERNOON, NIGHT = DayPart(480, 720), DayPart(780, 1020), DayPart(1320, 1800)
OFFICE = OpeningHours(week=((MORNING, AFTERNOON),) * 5 + ((),) * 2, zone=VIENNA)
NIGHTS = OpeningHours(week=((NIGHT,),) * 7, zone=VIENNA)
ALWAYS = OpeningHours(week=((DayPart(0, 1440),),) * 7, zone=VIENNA)


def at(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=VIENNA, fold=fold)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def holidays(*days: str) -> Mapping[date, str]:
    return {date.fromisoformat(day): "a holiday" for day in days}


def shut(calendar: OpeningHours, *days: str) -> OpeningHours:
    """The calendar with these holidays."""
    found = holidays(*days)
    return replace(calendar, holidays=lambda day: found.get(day, ""))


def dated(day: str, start: int = 0, end: int = 1440) -> DateTable:
    return DateTable({date.fromisoformat(day): (DayPart(start, end, day),)})


@pytest.mark.parametrize(
    ("moment", "state"),
    [
        ("2026-11-18 07:59:59", "closed"),
        ("2026-11-18 08:00", "open"),
        ("2026-11-18 11:59:59", "open"),
        ("2026-11-18 12:00", "closed"),
        ("2026-11-18 13:00", "open"),
        ("2026-11-18 17:00", "closed"),
        ("2026-11-21 09:00", "closed"),
    ],
)
def test_hours_begin_with_their_first_minute_and_end_before_their_last(moment: str, state: str) -> None:
    assert OFFICE.state(at(moment)) == state


def test_a_moment_of_another_zone_counts_by_the_calendars_clock() -> None:
    assert OFFICE.state(utc("2026-11-18 07:00")) == "open"
    assert OFFICE.state(utc("2026-07-15 06:00")) == "open"
    assert OFFICE.state(utc("2026-07-15 05:59")) == "closed"


def test_a_moment_without_a_zone_is_the_calendars_clock() -> None:
    assert OFFICE.state(datetime(2026, 11, 18, 8)) == "open"
    events = (CalendarEvent(utc("2026-11-18 07:00"), utc("2026-11-18 08:00"), "meeting"),)
    assert replace(OFFICE, events=events).state(datetime(2026, 11, 18, 8, 30)) == "closed"


# ---------------------------------------------------------------------------------------- who decides first


def test_the_first_of_the_order_that_says_something_decides() -> None:
    noon = at("2026-12-08 09:30")
    calendar = OFFICE
    assert calendar.state(noon) == "open"
    calendar = shut(calendar, "2026-12-08")
    assert calendar.state(noon) == "holiday"
    calendar = replace(calendar, closed=dated("2026-12-08"))
    assert calendar.state(noon) == "closed"
    calendar = replace(calendar, open=dated("2026-12-08", 540, 720))
    assert calendar.state(noon) == "open"
    calendar = replace(calendar, overrides=(Override("closed", utc("2026-12-08 08:00"), utc("2026-12-08 09:00")),))
    assert calendar.state(noon) == "closed"


def test_an_event_closes_and_beats_a_holiday() -> None:
    event = CalendarEvent(utc("2026-12-08 08:00"), utc("2026-12-08 09:00"), "inventory")
    calendar = replace(shut(OFFICE, "2026-12-08"), events=(event,))
    states = [calendar.state(at(f"2026-12-08 {hour}")) for hour in ("08:59", "09:00", "09:59", "10:00")]
    assert states == ["holiday", "closed", "closed", "holiday"]


def test_open_hours_of_a_holiday_leave_the_rest_of_it_a_holiday() -> None:
    calendar = replace(shut(OFFICE, "2026-12-08"), open=dated("2026-12-08", 540, 720))
    assert [calendar.state(at(f"2026-12-08 {hour}")) for hour in ("08:30", "09:00", "12:00")] == [
        "holiday", "open", "holiday",
    ]  # fmt: skip


def test_a_part_of_a_day_is_closed_and_the_rest_keeps_its_hours() -> None:
    calendar = replace(OFFICE, closed=dated("2026-12-24", 720, 1440))
    assert [calendar.state(at(f"2026-12-24 {hour}")) for hour in ("09:00", "14:00")] == ["open", "closed"]


def test_an_override_counts_only_from_its_beginning_to_its_end() -> None:
    calendar = replace(OFFICE, overrides=(Override("closed", utc("2026-11-18 09:00"), utc("2026-11-18 10:00")),))
    states = [calendar.state(at(f"2026-11-18 {hour}")) for hour in ("09:59", "10:00", "10:59", "11:00")]
    assert states == ["open", "closed", "closed", "open"]


def test_of_several_overrides_the_last_one_decides() -> None:
    both = [Override(state, utc("2026-11-18 09:00"), utc("2026-11-18 10:00")) for state in ("closed", "open")]
    assert replace(OFFICE, overrides=tuple(both)).state(at("2026-11-18 10:30")) == "open"


def test_why_names_what_decided() -> None:
    calendar = shut(replace(OFFICE, closed=dated("2026-12-24"), open=dated("2026-12-27", 540, 600)), "2026-12-08")
    calendar = replace(
        calendar,
        events=(CalendarEvent(utc("2026-11-18 10:00"), utc("2026-11-18 11:00"), "inventory"),),
        overrides=(Override("open", utc("2026-11-21 08:00"), utc("2026-11-21 09:00")),),
    )
    assert [
        calendar.why(at(one))
        for one in (
            "2026-11-18 09:00", "2026-11-18 07:00", "2026-12-08 09:00", "2026-12-24 09:00", "2026-12-27 09:00",
            "2026-11-18 11:30", "2026-11-21 09:30",
        )
    ] == [
        "hours", "outside the hours", "holiday: a holiday", "closed: 2026-12-24", "open: 2026-12-27",
        "event: inventory", "override until 2026-11-21 10:00",
    ]  # fmt: skip


# --------------------------------------------------------------------------------------------- over midnight


def test_hours_over_midnight_belong_to_the_evening_on_which_they_begin() -> None:
    saturday = OpeningHours(week=((),) * 5 + ((NIGHT,), ()), zone=VIENNA)
    states = [
        saturday.state(at(f"2026-11-{text}")) for text in ("21 05:00", "21 23:00", "22 05:59", "22 06:00", "22 23:00")
    ]
    assert states == ["closed", "open", "open", "closed", "closed"]


def test_a_holiday_ends_the_night_before_it_at_midnight() -> None:
    calendar = shut(NIGHTS, "2026-12-08")
    assert [calendar.state(at(f"2026-12-{text}")) for text in ("07 23:59", "08 00:00", "08 05:00")] == [
        "open", "holiday", "holiday",
    ]  # fmt: skip


def test_the_night_of_a_holiday_does_not_begin_and_is_closed_in_the_morning_too() -> None:
    calendar = shut(NIGHTS, "2026-12-08")
    assert [calendar.state(at(f"2026-12-{text}")) for text in ("08 23:00", "09 00:00", "09 05:00", "09 23:00")] == [
        "holiday", "closed", "closed", "open",
    ]  # fmt: skip
    assert calendar.why(at("2026-12-09 05:00")) == "the evening before was shut (holiday: a holiday)"


def test_a_day_closed_until_the_evening_does_not_stop_its_night() -> None:
    calendar = replace(NIGHTS, closed=dated("2026-12-24", 0, 1080))
    assert calendar.state(at("2026-12-25 05:00")) == "open"


def test_dates_may_go_over_midnight_too() -> None:
    calendar = replace(OFFICE, open=dated("2026-12-31", 1320, 1560), closed=dated("2026-11-22", 1320, 1920))
    assert [calendar.state(at(text)) for text in ("2026-12-31 23:00", "2027-01-01 01:59", "2027-01-01 02:00")] == [
        "open", "open", "closed",
    ]  # fmt: skip
    assert calendar.why(at("2026-11-23 07:59")) == "closed: 2026-11-22"
    assert calendar.state(at("2026-11-23 08:00")) == "open"


# --------------------------------------------------------------------------------------- the clocks change


def test_hours_keep_the_wall_clock_when_the_clocks_go_forward() -> None:
    # 29 March 2026, 02:00 becomes 03:00.
    early = OpeningHours(week=((DayPart(150, 300),),) * 7, zone=VIENNA)
    states = [early.state(utc(f"2026-03-29 {hour}")) for hour in ("00:59", "01:00", "02:59", "03:00")]
    assert states == ["closed", "open", "open", "closed"]
    assert NIGHTS.state(utc("2026-03-29 03:59")) == "open"
    assert NIGHTS.state(utc("2026-03-29 04:00")) == "closed"


def test_hours_hold_in_both_hours_when_the_clocks_go_back() -> None:
    # 25 October 2026, 03:00 becomes 02:00.
    early = OpeningHours(week=((DayPart(60, 150),),) * 7, zone=VIENNA)
    moments = [at("2026-10-25 02:15"), at("2026-10-25 02:45"), at("2026-10-25 02:15", 1), at("2026-10-25 02:45", 1)]
    assert [early.state(moment) for moment in moments] == ["open", "closed", "open", "closed"]


def test_overrides_and_events_last_as_long_as_they_last_when_the_clocks_go_back() -> None:
    start, end = utc("2026-10-25 00:15"), utc("2026-10-25 01:15")  # 02:15 to 02:15, an hour
    for calendar in (
        replace(ALWAYS, events=(CalendarEvent(start, end, "work"),)),
        replace(ALWAYS, overrides=(Override("closed", start, end),)),
    ):
        moments = [at("2026-10-25 02:14"), at("2026-10-25 02:15"), at("2026-10-25 02:14", 1), at("2026-10-25 02:15", 1)]
        assert [calendar.state(moment) for moment in moments] == ["open", "closed", "closed", "open"]


@pytest.mark.parametrize(
    ("calendar", "moment", "change"),
    [
        (OpeningHours(week=((DayPart(150, 300),),) * 7, zone=VIENNA), "2026-03-29 00:00", "2026-03-29 01:00"),
        (OpeningHours(week=((DayPart(60, 150),),) * 7, zone=VIENNA), "2026-10-25 00:40", "2026-10-25 01:00"),
        (OpeningHours(week=((DayPart(60, 150),),) * 7, zone=VIENNA), "2026-10-25 01:00", "2026-10-25 01:30"),
        (NIGHTS, "2026-03-28 22:00", "2026-03-29 04:00"),
        (NIGHTS, "2026-10-24 22:00", "2026-10-25 05:00"),
    ],
)
def test_the_next_change_is_right_where_the_clocks_change(calendar: OpeningHours, moment: str, change: str) -> None:
    found = calendar.next_change(utc(moment))
    assert found is not None
    assert found.astimezone(UTC) == utc(change)  # a repeated hour equals no moment of another zone


# ----------------------------------------------------------------------------------- year ends and leap days


def test_what_holds_every_year_holds_in_every_year() -> None:
    calendar = replace(
        ALWAYS, closed=DateTable(yearly={(12, 31): (DayPart(720, 1440, "12-31"),), (1, 1): (DayPart(0, 1440),)})
    )
    for year in (2025, 2026, 2099):
        days = (f"{year}-12-31 11:59", f"{year}-12-31 12:00", f"{year + 1}-01-01 23:59", f"{year + 1}-01-02 00:00")
        assert [calendar.state(at(day)) for day in days] == ["open", "closed", "closed", "open"]


def test_a_leap_day_of_every_year_is_there_in_leap_years_only() -> None:
    calendar = replace(ALWAYS, closed=DateTable(yearly={(2, 29): (DayPart(0, 1440),)}))
    days = ("2027-02-28", "2027-03-01", "2028-02-28", "2028-02-29", "2028-03-01")
    assert [calendar.state(at(f"{day} 12:00")) for day in days] == ["open", "open", "open", "closed", "open"]


def test_the_first_and_the_last_moment_there_are_have_a_state() -> None:
    calendar = replace(NIGHTS, overrides=(Override("open", utc("2026-01-01 00:00"), utc("2026-01-02 00:00")),))
    for moment in (datetime.min, datetime.max, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        assert calendar.state(moment) in ("open", "closed")
        assert calendar.why(moment)
    assert calendar.next_change(datetime.max.replace(tzinfo=UTC)) is None


# ---------------------------------------------------------------------------------------------- next change


@pytest.mark.parametrize(
    ("moment", "change"),
    [
        ("2026-11-18 07:00", "2026-11-18 08:00"),
        ("2026-11-18 08:00", "2026-11-18 12:00"),
        ("2026-11-20 17:00", "2026-11-23 08:00"),
        ("2026-12-07 17:00", "2026-12-08 00:00"),
        ("2026-12-08 10:00", "2026-12-09 00:00"),
    ],
)
def test_the_next_change_is_the_first_moment_with_another_state(moment: str, change: str) -> None:
    assert shut(OFFICE, "2026-12-08").next_change(at(moment)) == at(change)


def test_the_next_change_may_be_the_end_of_an_event_or_of_an_override() -> None:
    event = CalendarEvent(utc("2026-11-18 08:03"), utc("2026-11-18 08:07"), "alarm")
    calendar = replace(OFFICE, events=(event,))
    assert calendar.next_change(at("2026-11-18 08:30")) == event.start
    assert calendar.next_change(event.start) == event.end


def test_what_never_changes_has_no_next_change() -> None:
    assert ALWAYS.next_change(at("2026-11-18 08:00")) is None


@examples(60)
@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    st.lists(st.tuples(st.integers(0, 95), st.integers(1, 150)), max_size=3),
)
def test_nothing_changes_before_the_next_change(moment: datetime, quarters: list[tuple[int, int]]) -> None:
    parts = tuple(DayPart(15 * start, 15 * min(start + length, 191)) for start, length in quarters)
    calendar = shut(OpeningHours(week=(parts,) * 7, zone=VIENNA), "2026-03-29", "2026-10-25", "2027-01-01")
    start = moment.replace(tzinfo=VIENNA).astimezone(UTC)
    change = calendar.next_change(start)
    end = start + timedelta(days=20) if change is None else change.astimezone(UTC)
    steps = range(0, min(int((end - start).total_seconds()), 20 * 86400), 900)
    assert {calendar.state(start + timedelta(seconds=step)) for step in steps} <= {calendar.state(start)}
    assert change is None or calendar.state(change) != calendar.state(start)


# ----------------------------------------------------------------------------------------------- events, speed


def test_events_that_overlap_become_one() -> None:
    one, two = (
        CalendarEvent(utc("2026-01-01 08:00"), utc("2026-01-01 12:00"), "a"),
        CalendarEvent(utc("2026-01-01 09:00"), utc("2026-01-01 10:00"), "b"),
    )
    three = CalendarEvent(utc("2026-01-01 12:00"), utc("2026-01-01 13:00"), "c")
    four = CalendarEvent(utc("2026-01-02 12:00"), utc("2026-01-02 13:00"), "d")
    assert in_order([four, two, one, three]) == (CalendarEvent(one.start, three.end, "a"), four)


class Watched(tuple[CalendarEvent, ...]):
    """Events that count how often one of them is looked at."""

    looks = 0

    def __getitem__(self, place: object) -> CalendarEvent:  # type: ignore[override]
        self.looks += 1
        return super().__getitem__(place)  # type: ignore[call-overload, no-any-return]


class Dates(dict[date, tuple[DayPart, ...]]):
    """Dates that nobody may walk through."""

    def __iter__(self) -> Iterator[date]:
        raise AssertionError("every date was looked at")


def test_a_state_looks_at_few_of_many_dates_and_events() -> None:
    days = Dates({date(2020, 1, 1) + timedelta(days=n): (DayPart(0, 60),) for n in range(3000)})
    start = utc("2020-01-01 03:00")
    events = Watched(
        CalendarEvent(start + timedelta(days=n), start + timedelta(days=n, hours=1), "") for n in range(3000)
    )
    calendar = replace(OFFICE, closed=DateTable(days), events=events)
    assert calendar.state(at("2026-11-18 10:00")) == OFFICE.state(at("2026-11-18 10:00"))
    assert 0 < events.looks <= 14  # 2 ** 12 are more than 3000
