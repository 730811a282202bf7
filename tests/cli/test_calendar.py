"""`routing-engine calendar`: what every calendar is, and the night switch."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from routing_engine.cli.calendar import read_until
from routing_engine.config.folder import read_folder
from routing_engine.engine import open_store
from tests.cli.conftest import Run, as_json

VIENNA = ZoneInfo("Europe/Vienna")
#: Open at every moment, so that what a test sees does not depend on the time of day.
CALENDARS = "timezone: Europe/Vienna\ncalendars:\n  office: {hours: {daily: 24h}}\n  shop: {hours: {daily: closed}}\n"
OVERRIDES = "state/calendars.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "engine.yaml").write_text(CALENDARS)
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "support.yaml").write_text("default: {to: {queue: sales}}\n")
    return tmp_path


def state_of(run: Run, folder: Path, name: str = "office") -> dict[str, str]:
    code, out, _ = run("calendar", "--json", "--config", str(folder))
    assert code == 0
    (found,) = [one for one in as_json(out)["calendars"] if one["name"] == name]
    return {key: found[key] for key in ("state", "until", "why", "default")}


def test_every_calendar_is_told_with_its_state_and_why(run: Run, folder: Path) -> None:
    code, out, _ = run("calendar", "--config", str(folder))
    assert (code, out.splitlines()) == (
        0,
        [
            "office            open      for over a year  hours",
            "shop              closed    for over a year  outside the hours",
        ],
    )
    assert state_of(run, folder) == {"state": "open", "until": None, "why": "hours", "default": False}


def test_without_calendars_the_remedy_is_told(run: Run, config: Path) -> None:
    code, out, _ = run("calendar", "--config", str(config))
    assert (code, out.startswith("engine.yaml names no calendar")) == (0, True)


def test_close_lasts_until_the_time_and_names_it(run: Run, folder: Path) -> None:
    code, out, _ = run("calendar", "close", "office", "until", "2030-12-24", "12:00", "--config", str(folder))
    assert (code, out.splitlines()[0]) == (
        0, "office            closed    until Tue 2030-12-24 12:00  override until 2030-12-24 12:00",
    )  # fmt: skip
    assert state_of(run, folder)["until"] == "2030-12-24T12:00:00+01:00"


def test_open_and_clear(run: Run, folder: Path) -> None:
    run("calendar", "open", "shop", "until", "tomorrow", "8:00", "--config", str(folder))
    assert state_of(run, folder, "shop")["state"] == "open"
    run("calendar", "clear", "shop", "--config", str(folder))
    assert state_of(run, folder, "shop")["state"] == "closed"


def test_a_new_override_replaces_the_one_before_and_leaves_those_of_others(run: Run, folder: Path) -> None:
    where = ("--config", str(folder))
    run("calendar", "open", "shop", "until", "2030-01-01 08:00", *where)
    run("calendar", "close", "office", "until", "2030-01-01 08:00", *where)
    run("calendar", "open", "office", "until", "2031-01-01 08:00", *where)
    text = (folder / OVERRIDES).read_text()
    assert (text.count("name: office"), text.count("name: shop")) == (1, 1)
    assert state_of(run, folder)["why"] == "override until 2031-01-01 08:00"


def test_what_has_run_out_or_is_broken_goes_with_the_next_writing(run: Run, folder: Path) -> None:
    old = "{name: office, state: closed, since: 2020-01-01T00:00:00+00:00, until: 2020-01-02T00:00:00+00:00}"
    (folder / "state").mkdir()
    (folder / OVERRIDES).write_text(f"overrides:\n- {old}\n- nonsense\n")
    run("calendar", "open", "shop", "until", "2030-01-01 08:00", "--config", str(folder))
    text = (folder / OVERRIDES).read_text()
    assert ("2020" in text, "nonsense" in text, text.count("name:")) == (False, False, 1)


def test_an_override_changes_the_content_and_not_the_revision(run: Run, folder: Path) -> None:
    before = read_folder(folder)
    run("calendar", "close", "office", "until", "2030-01-01 08:00", "--config", str(folder))
    after = read_folder(folder)
    assert after.revision == before.revision
    assert after.content != before.content


def test_the_file_is_for_the_services_user_too_and_nothing_else_is_left(run: Run, folder: Path) -> None:
    usual = os.umask(0o077)
    try:
        run("calendar", "close", "office", "until", "2030-01-01 08:00", "--config", str(folder))
    finally:
        os.umask(usual)
    assert [path.name for path in (folder / "state").iterdir()] == ["calendars.yaml"]
    assert stat.S_IMODE((folder / OVERRIDES).stat().st_mode) == 0o644
    assert stat.S_IMODE((folder / "state").stat().st_mode) & 0o055 == 0o055


def test_a_folder_that_cannot_be_written_is_told(run: Run, folder: Path) -> None:
    (folder / "state").write_text("a file stands where the folder should be")
    code, _, err = run("calendar", "close", "office", "until", "2030-01-01 08:00", "--config", str(folder))
    assert (code, f"{folder / OVERRIDES} cannot be written" in err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("close", "offic", "until", "18:00"), "there is no calendar 'offic'; did you mean 'office'?"),
        (("clear", "offic"), "there is no calendar 'offic'"),
        (("close", "office", "until", "noon"), "'noon' is not a time to come; write '18:00'"),
        (("close", "office", "until", "2020-01-01 08:00"), "'2020-01-01 08:00' is not a time to come"),
        (("close", "office", "until", "2030-01-01"), "'2030-01-01' is not a time to come"),
        (("close", "office", "for", "18:00"), "invalid choice: 'for'"),
        (("close", "office"), "the following arguments are required"),
        (("shut", "office"), "invalid choice: 'shut'"),
    ],
)
def test_misuse_gives_2_and_writes_nothing(run: Run, folder: Path, arguments: tuple[str, ...], part: str) -> None:
    code, _, err = run("calendar", *arguments, "--config", str(folder))
    assert (code, part in err) == (2, True), err
    assert not (folder / OVERRIDES).exists()


def test_a_route_with_a_problem_does_not_stop_the_switch_but_is_told(run: Run, folder: Path) -> None:
    (folder / "routes" / "support.yaml").write_text("")
    code, out, err = run("calendar", "close", "office", "until", "2030-01-01 08:00", "--config", str(folder))
    assert (code, out.split()[:2]) == (0, ["office", "closed"])
    assert "the service goes on without this until they are gone" in err


def test_a_calendar_with_a_problem_is_told(run: Run, folder: Path) -> None:
    (folder / "engine.yaml").write_text("calendars: {office: {}}\n")
    code, _, err = run("calendar", "--config", str(folder))
    assert (code, "engine.yaml:1: 'hours' is missing" in err) == (1, True)


# --------------------------------------------------------------------------------------------------- the time


NOW = datetime(2026, 11, 18, 17, 30, tzinfo=VIENNA)


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("18:00", "2026-11-18 18:00"),
        ("8:00", "2026-11-19 08:00"),
        ("17:30", "2026-11-19 17:30"),
        ("tomorrow 18:00", "2026-11-19 18:00"),
        ("2026-12-24 12:00", "2026-12-24 12:00"),
        ("2026-12-24T12:00:30", "2026-12-24 12:00:30"),
        ("2026-12-24T12:00Z", "2026-12-24 13:00"),
    ],
)
def test_a_time_is_read_by_the_calendars_clock(text: str, until: str) -> None:
    found = read_until(text, VIENNA, NOW.astimezone(UTC))
    assert found == datetime.fromisoformat(until).replace(tzinfo=VIENNA)


@pytest.mark.parametrize(
    "text", ["", "25:00", "8", "tomorrow", "2026-11-18 17:30", "2026-13-01 08:00", "9999-12-31 23:59"]
)
def test_what_is_no_time_to_come_is_none(text: str) -> None:
    assert read_until(text, VIENNA, NOW.astimezone(UTC)) is None


def test_a_time_that_the_clocks_repeat_is_the_next_of_the_two() -> None:
    first = datetime(2026, 10, 25, 2, 10, tzinfo=VIENNA).astimezone(UTC)
    second = first + timedelta(hours=1)
    assert read_until("02:30", VIENNA, first) == first + timedelta(minutes=20)
    assert read_until("02:30", VIENNA, second) == second + timedelta(minutes=20)


# ---------------------------------------------------------------------------------------- the running service


def test_the_switch_is_a_change_that_the_running_service_takes(run: Run, folder: Path) -> None:
    store = open_store(folder)
    before = store.load()
    now = datetime.now(UTC)
    assert before.settings.site.calendars["office"].state(now) == "open"
    run("calendar", "close", "office", "until", "2030-01-01 08:00", "--config", str(folder))
    assert store.changed()
    after = store.reload()
    assert after.settings.site.calendars["office"].state(now + timedelta(seconds=1)) == "closed"
    assert after.revision == before.revision


def test_a_broken_file_of_overrides_is_a_remark_of_the_configuration(folder: Path) -> None:
    (folder / "state").mkdir()
    (folder / OVERRIDES).write_text("nonsense")
    found = open_store(folder).load()
    assert OVERRIDES in [remark.file for remark in found.remarks]


def test_run_test_sees_the_calendar(run: Run, folder: Path) -> None:
    rule = "rules: [{name: shut, when: {call.calendar.office: closed}, to: {queue: night}}]\n"
    (folder / "routes" / "support.yaml").write_text(rule + "default: {to: {queue: sales}}\n")
    where = ("--config", str(folder))
    assert run("run-test", "support", *where)[0] == 1
    run("calendar", "close", "office", "until", "2030-01-01 08:00", *where)
    code, out, _ = run("run-test", "support", *where)
    assert (code, out.splitlines()[0]) == (0, "queue night, by rule 'shut' of the route (matched)")
