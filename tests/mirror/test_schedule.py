"""When a model is pulled next, whether what is there may be used, and when nobody believes what came."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from routing_engine.mirror.index import IndexState
from routing_engine.mirror.schedule import Fingerprints, Kind, PullSchedule, pause_s, print_of, suspicious
from routing_engine.settings.mirror import Listing, MirrorSettings

DAY_S = 86_400.0
PRINTS = Fingerprints("shape", "system")
NOW = 1_800_000_000.0
THERE = IndexState(1, "shape", "system", 40, as_of=NOW, full_at=NOW)


def schedule(listing: Listing = "changes", **settings: float) -> PullSchedule:
    return PullSchedule("crm contact", MirrorSettings(**settings), listing, PRINTS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("failures", "doubt", "seconds"),
    [
        (1, False, 15),
        (2, False, 30),
        (3, False, 60),
        (6, False, 480),
        (7, False, 900),
        (8, False, 900),
        (5000, False, 900),
        (1, True, 3600),
        (9, True, 3600),
    ],
)
def test_the_pause_after_a_failure_doubles_up_to_a_quarter_of_an_hour(
    failures: int, doubt: bool, seconds: float
) -> None:
    assert pause_s(failures, doubt) == seconds


@pytest.mark.parametrize("there", [None, replace(THERE, shape="other"), replace(THERE, system="other")])
def test_what_is_not_there_or_was_read_otherwise_is_pulled_whole_at_once(there: IndexState | None) -> None:
    assert schedule().next(there, NOW) == ("full", NOW)


@pytest.mark.parametrize(
    ("listing", "changes_every_s", "kind", "after_s"),
    [("changes", 300, "changes", 300), ("changes", 0, "full", DAY_S), ("all", 300, "full", DAY_S)],
)
def test_the_next_pull_is_due_up_to_a_tenth_before_its_time(
    listing: Listing, changes_every_s: float, kind: Kind, after_s: float
) -> None:
    found, at = schedule(listing, changes_every_s=changes_every_s).next(THERE, NOW)
    assert (found, NOW + after_s * 0.9 <= at <= NOW + after_s) == (kind, True)


def test_a_full_pull_that_is_due_goes_before_the_changes() -> None:
    late = replace(THERE, full_at=NOW - 2 * DAY_S)
    assert schedule().next(late, NOW)[0] == "full"


@pytest.mark.parametrize(("ahead_s", "due"), [(0.5, False), (1.0, False), (1.5, True)])
def test_a_clock_that_was_set_back_makes_everything_due(ahead_s: float, due: bool) -> None:
    ahead = replace(THERE, as_of=NOW + ahead_s, full_at=NOW + ahead_s)
    assert (schedule().next(ahead, NOW)[1] == NOW) is due


@pytest.mark.parametrize(
    ("there", "why"),
    [
        (None, "its records are being pulled for the first time"),
        (replace(THERE, shape="other"), "its records are being pulled anew, for another field map or region"),
        (replace(THERE, system="other"), ""),
        (replace(THERE, as_of=NOW - 60), ""),
        (replace(THERE, as_of=NOW - 61), "its records were last pulled too long ago"),
    ],
)
def test_what_is_there_may_be_used_or_says_why_not(there: IndexState | None, why: str) -> None:
    assert schedule(usable_for_s=60).why_unusable(there, NOW) == why


@pytest.mark.parametrize(
    ("before", "after", "most_lost_percent", "believed"),
    [
        (40, 40, 50, True),
        (40, 41, 50, True),
        (40, 20, 50, True),
        (40, 19, 50, False),
        (10, 4, 50, False),
        (9, 1, 50, True),
        (9, 0, 50, False),
        (40, 0, 99, False),
        (40, 0, 100, True),
        (0, 0, 50, True),
    ],
)
def test_so_many_records_cannot_have_gone(before: int, after: int, most_lost_percent: float, believed: bool) -> None:
    assert suspicious(before, after, most_lost_percent) is not believed


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": (1, "x")}, {"a": [1, "x"]}, True),
        ({"a": 1}, {"a": 2}, False),
        (None, "", False),
        (Path("/a"), Path("/b"), False),
        (object(), object(), True),
        (MirrorSettings(), MirrorSettings(key="number"), False),
    ],
)
def test_a_print_tells_settings_apart_and_is_the_same_after_a_restart(one: object, other: object, same: bool) -> None:
    assert (print_of(one) == print_of(other)) is same
