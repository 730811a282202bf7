"""Rules about the call itself: when they run, when they sleep, and what they may look at."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from routing_engine.core.asks import Collect, Find, Play
from routing_engine.core.model import Caller, Destination, Input, Record, Site, Value
from routing_engine.core.phone import read_number
from routing_engine.core.templates import share_of

from .build import ANNA, GOLD, HIDDEN, NOW, NUMBER, SALES, converse, go, group, route, rule, source, when

BOSS = rule("boss", go("extension", "1"), when("call.called", "is", "217"))
NOBODY = rule("nobody", go("extension", "2"), when("call.called", "is", "999"))
TYPED = rule("typed", go("extension", "3"), when("input", "is", "123456"))
CUSTOMERS = source("customers", SALES)


# Early rules run when the call arrives, the others after the input, and then the sources.


def test_an_early_rule_comes_before_the_instruction_and_the_input() -> None:
    told = converse(route(CUSTOMERS, rules=(BOSS,), early=1, instruction=("welcome",), inputs=(NUMBER,)))
    assert (told.asks, told.decision.rule, told.decision.reason) == ([], "boss", "matched")


def test_an_early_rule_comes_before_anonymous() -> None:
    told = converse(route(rules=(BOSS,), early=1, anonymous=go("hangup", "busy")), HIDDEN)
    assert told.decision.rule == "boss"


def test_anonymous_comes_before_the_rules_that_wait_for_the_input() -> None:
    told = converse(route(rules=(BOSS,), early=0, anonymous=go("hangup", "busy"), inputs=(NUMBER,)), HIDDEN)
    assert (told.decision.reason, told.asks) == ("anonymous", [])


def test_the_other_rules_run_after_the_input_and_before_the_sources() -> None:
    told = converse(route(CUSTOMERS, rules=(NOBODY, TYPED), early=1, inputs=(NUMBER,)), typed=["123456"])
    assert [type(ask) for ask in told.asks] == [Collect]
    assert (told.decision.rule, told.decision.source, told.searched) == ("typed", "", [])


def test_when_none_matches_the_sources_are_asked() -> None:
    told = converse(
        route(CUSTOMERS, rules=(NOBODY, TYPED), early=1, inputs=(NUMBER,)),
        typed=["999999"],
        found={"customers": GOLD},
    )
    assert (told.searched, told.decision.rule) == (["customers"], "everybody")


def test_rules_keep_their_order() -> None:
    everybody = rule("everybody", go("queue", "b"))
    told = converse(route(rules=(NOBODY, BOSS, everybody), early=3))
    assert [step.step for step in told.decision.trail] == ["rule nobody", "rule boss"]


def test_a_failed_input_keeps_the_rules_behind_it_from_running() -> None:
    told = converse(route(rules=(rule("all", go("queue", "q")),), early=0, inputs=(NUMBER,)))
    assert (told.decision.reason, told.decision.rule) == ("no_input", "")


def test_a_rule_about_the_call_plays_and_sets() -> None:
    act = rule("boss", go("extension", "1", "hello"), None, CALLED="{call.called}")
    told = converse(route(rules=(act,), early=1))
    assert told.asks == [Play(("hello",), barge_in=False)]
    assert told.decision.sets == (("CALLED", "217"),)


# A rule that sleeps.


def test_a_disabled_rule_does_not_count_and_the_trail_says_so() -> None:
    told = converse(route(rules=(replace(BOSS, disabled=True),), early=1))
    assert (told.decision.rule, told.steps[0]) == ("", "rule boss: disabled")


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        (datetime(2026, 12, 31, 0, 0), True),
        (datetime(2026, 12, 31, 23, 59, 59, 999_999), True),
        (datetime(2027, 1, 1, 0, 0), False),
    ],
)
def test_until_a_day_includes_it_to_its_last_moment(at: datetime, holds: bool) -> None:
    last = datetime(2027, 1, 1) - timedelta(microseconds=1)
    told = converse(
        route(rules=(replace(BOSS, until=last),), early=1), replace(ANNA, at=at.replace(tzinfo=ANNA.at.tzinfo))
    )
    assert bool(told.decision.rule) is holds
    assert told.steps[0] == f"rule boss: {'matched' if holds else 'expired: it held until 2026-12-31 23:59'}"


def test_until_is_the_time_of_the_site_whatever_its_zone() -> None:
    dawn = datetime(2027, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=14)))  # still December in UTC
    ended = replace(BOSS, until=datetime(2026, 12, 31, 23, 59))
    assert converse(route(rules=(ended,), early=1), replace(ANNA, at=dawn)).decision.rule == ""


def test_a_sleeping_rule_looks_at_nothing() -> None:
    busy = rule("busy", go("queue", "q"), when("device.200", "is", "busy"))
    for asleep in (replace(busy, disabled=True), replace(busy, until=datetime(2020, 1, 1))):
        assert converse(route(rules=(asleep,), early=1)).observed == []


def test_a_sleeping_rule_of_a_source_leaves_the_next_one() -> None:
    asleep = replace(rule("was", go("queue", "x")), disabled=True)
    assert converse(route(source("customers", asleep, SALES)), found={"customers": GOLD}).decision.rule == "everybody"


# What a rule may look at: lists, calendars, the data's age.


class Blocked:
    """A list in which one number is blocked."""

    def verdict(self, number: object) -> str:
        return "unlisted" if number is None else "blocked" if number == ANNA.number else "allowed"


class Office:
    """Hours in which it is open."""

    def state(self, at: datetime) -> str:
        return "open" if 9 <= at.hour < 17 else "holiday" if at.hour == 18 else "closed"


SITE = Site({"": Office(), "hotline": Office()}, {"spam": Blocked()})  # type: ignore[dict-item]
OTHER = replace(ANNA, number=read_number("+43 1 58858", "AT"))


@pytest.mark.parametrize(("caller", "verdict"), [(ANNA, "blocked"), (OTHER, "allowed"), (HIDDEN, "unlisted")])
def test_a_list_tells_who_calls(caller: Caller, verdict: str) -> None:
    listed = rule("listed", go("hangup", "rejected"), when("list.spam", "is", verdict))
    assert converse(route(rules=(listed,), early=1, site=SITE), caller).decision.rule == "listed"


def test_a_list_that_is_not_there_is_not_known() -> None:
    told = converse(route(rules=(rule("listed", go("queue", "q"), when("list.x", "is", "blocked")),), early=1))
    assert told.outcomes[0] == "list.x is not known"


@pytest.mark.parametrize("left", ["call.calendar", "call.calendar.hotline"])
@pytest.mark.parametrize(("hour", "state"), [(9, "open"), (17, "closed"), (18, "holiday")])
def test_a_calendar_tells_what_the_moment_is(left: str, hour: int, state: str) -> None:
    hours = rule("hours", go("queue", "q"), when(left, "is", state))
    told = converse(route(rules=(hours,), early=1, site=SITE), replace(ANNA, at=NOW.replace(hour=hour)))
    assert told.decision.rule == "hours"


@pytest.mark.parametrize("caller", [ANNA, HIDDEN])
def test_the_country_is_that_of_the_number(caller: Caller) -> None:
    country = rule("at", go("queue", "q"), when("call.country", "is", "AT"))
    assert bool(converse(route(rules=(country,), early=1), caller).decision.rule) is (caller is ANNA)


@pytest.mark.parametrize(
    ("left", "operator", "expected", "holds"),
    [
        ("data.origin", "is", "cache", True),
        ("data.origin", "is", "live", False),
        ("data.age_s", "more_than", 60, True),
        ("data.age_s", "more_than", 90, False),
    ],
)
def test_a_rule_may_look_at_where_the_record_came_from(left: str, operator: str, expected: object, holds: bool) -> None:
    aged = rule("aged", go("queue", "q"), when(left, operator, expected))  # type: ignore[arg-type]
    told = converse(route(source("c", aged)), found={"c": Record({}, origin="cache", age_s=90)})
    assert bool(told.decision.rule) is holds


def test_without_a_record_nothing_is_known_of_its_data() -> None:
    aged = rule("aged", go("queue", "q"), when("data.age_s", "at_least", 0))
    assert converse(route(rules=(aged,), early=1)).outcomes[0] == "data.age_s is not known"


# The percentage split.


def caller_of(number: int) -> Caller:
    return replace(ANNA, number=read_number(f"+43664{number:07}", "AT"))


def test_a_share_is_the_same_at_every_call_and_at_every_time() -> None:
    later = replace(ANNA, at=NOW + timedelta(days=9), call_id="other", name="", called="1")
    assert share_of(ANNA, "support") == share_of(later, "support")


def test_a_share_differs_from_route_to_route() -> None:
    shares = {share_of(ANNA, f"route {place}") for place in range(50)}
    assert len(shares) > 40


def test_a_share_is_spread_evenly_over_ten_thousand_numbers() -> None:
    shares = [share_of(caller_of(number), "support") for number in range(10_000)]
    tenths = [sum(low <= share < low + 10 for share in shares) for low in range(0, 100, 10)]
    assert all(0 <= share < 100 for share in shares)
    # A tenth of 10,000 is 1,000 with a standard deviation of 30: five of them are one in a million.
    assert all(abs(count - 1000) < 150 for count in tenths)


def test_hidden_callers_are_split_by_the_call() -> None:
    shares = {share_of(replace(HIDDEN, call_id=str(place)), "support") for place in range(50)}
    assert len(shares) > 40


def test_ranges_of_a_share_add_up_without_overlap() -> None:
    low = rule("low", go("queue", "a"), when("share", "less_than", 20))
    middle = rule("middle", go("queue", "b"), when("share", "less_than", 50))
    high = rule("high", go("queue", "c"), when("share", "at_least", 50))
    split = route(rules=(low, middle, high), early=3)
    rules = [converse(split, caller_of(number)).decision.rule for number in range(500)]
    expected = [(share_of(caller_of(number), "support")) for number in range(500)]
    assert rules == ["low" if one < 20 else "middle" if one < 50 else "high" for one in expected]
    assert len(set(rules)) == 3


def test_a_share_of_nothing_and_of_everything() -> None:
    for number in range(50):
        nobody = rule("nobody", go("queue", "a"), when("share", "less_than", 0))
        everybody = rule("everybody", go("queue", "a"), when("share", "less_than", 100))
        told = converse(route(rules=(nobody, everybody), early=2), caller_of(number))
        assert told.decision.rule == "everybody"


def test_a_share_is_told_for_any_call_id() -> None:
    assert 0 <= share_of(replace(HIDDEN, call_id="\udcff\x00"), "support") < 100


# Together


def test_a_rule_of_a_tree_over_the_call_and_the_input() -> None:
    tree = group("any", when("call.called", "is", "1"), group("none", when("input.code", "is", "42")))
    one = Input(name="code", min=2, max=2)
    asked = route(CUSTOMERS, rules=(rule("tree", go("queue", "t"), tree),), inputs=(one,))
    assert converse(asked, typed=["42"]).decision.rule == ""
    assert converse(asked, typed=["43"]).decision.destination == Destination("queue", "t")


def test_the_search_after_the_rules_is_the_usual_one() -> None:
    told = converse(route(CUSTOMERS, rules=(NOBODY,), early=1), found={"customers": GOLD})
    assert [ask.value for ask in told.asks if isinstance(ask, Find)] == ["+436641234567"]


def test_each_rule_is_tried_once() -> None:
    told = converse(route(rules=(NOBODY, TYPED), early=1, inputs=(NUMBER,)), typed=["999999"])
    assert [step.step for step in told.decision.trail if step.step.startswith("rule")] == ["rule nobody", "rule typed"]


CARRIERS = replace(ANNA, called="12155550100", called_line="+12155550100")


@pytest.mark.parametrize(
    ("operator", "expected", "holds"),
    [
        ("is", "+12155550100", True),
        ("is", "12155550100", True),
        ("is", "+12155550199", False),
        ("one_of", ("100", "+12155550100"), True),
        ("one_of", (100, "12155550100"), True),
        ("starts_with", "1215", True),
        ("starts_with", "+1215", True),
        ("is_not", "+12155550100", False),
    ],
)
def test_a_dialled_number_is_a_line_where_one_is_written(operator: str, expected: Value, holds: bool) -> None:
    told = converse(route(rules=(rule("on", go("queue", "q"), when("call.called", operator, expected)),)), CARRIERS)
    assert (told.decision.rule == "on") is holds


def test_a_number_that_cannot_be_read_is_told_with_its_digits_masked() -> None:
    strange = replace(HIDDEN, unread="+43 664 12x4567")
    told = converse(route(source("customers", SALES)), strange)
    said = "skipped: what arrived as the caller's number is not one: '+## ### ##x#567'"
    assert told.outcomes[0] == said
