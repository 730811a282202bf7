"""Whose calls a revision on trial has: who is named, and a share that sticks to the caller."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.config.in_force import TrialRevision
from routing_engine.config.trial_callers import TrialCallers, callers_of, read_callers, said_callers
from routing_engine.core.caller import arrived
from routing_engine.core.model import Caller
from routing_engine.core.number_lists import CallerList, NumberSet
from routing_engine.errors import RevisionError
from tests.examples import examples

NOW = datetime(2026, 12, 1, tzinfo=UTC)
TESTERS = {"testers": CallerList(NumberSet.of(["+436641112223"]))}
TRIAL = TrialRevision("c0ffee000000", NOW, "trying")
LINES = st.integers(100_000, 9_999_999).map(lambda number: f"+43664{number}")


def caller(number: str, call_id: str = "1") -> Caller:
    return arrived(number, NOW, "AT", call_id=call_id)


def share(percent: float, revision: str = "c0ffee000000") -> TrialCallers:
    return callers_of(replace(TRIAL, revision=revision, share=percent), {})


@examples(200)
@given(LINES, st.floats(0, 100), st.floats(0, 100))
def test_who_has_it_at_a_small_share_has_it_at_a_larger_one(number: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    if share(small).why(caller(number)):
        assert share(large).why(caller(number)) == "share"


@examples(200)
@given(LINES, st.floats(0.01, 100), st.text(max_size=10))
def test_a_caller_has_it_at_every_call_or_at_none(number: str, percent: float, call_id: str) -> None:
    assert share(percent).why(caller(number, call_id)) == share(percent).why(caller(f"00{number[1:]}", "another"))


def test_nobody_has_it_at_none_and_everybody_at_a_hundred() -> None:
    every = [caller(f"+43664{number}") for number in range(100_000, 100_500)]
    assert {share(0).why(one) for one in every} == {None}
    assert {share(100).why(one) for one in every} == {"share"}


def test_a_tenth_is_about_a_tenth_and_another_one_for_another_revision() -> None:
    every = [caller(f"+43664{number}") for number in range(100_000, 110_000)]
    first = {one.number for one in every if share(10).why(one)}
    second = {one.number for one in every if share(10, "decade000000").why(one)}
    assert 900 < len(first) < 1100
    assert 60 < len(first & second) < 140


def test_callers_without_a_number_are_split_by_call() -> None:
    found = [share(50).why(caller("anonymous", str(number))) for number in range(1000)]
    assert 400 < found.count("share") < 600


def test_who_is_named_has_it_whatever_the_share() -> None:
    found = callers_of(replace(TRIAL, callers=("testers", "+436769*", "201")), TESTERS)
    asked = ("0664 1112223", "+43 676 912345", "201", "+43 664 9999999", "anonymous")
    assert [found.why(caller(one)) for one in asked] == ["named", "named", "named", None, None]


def test_a_list_that_is_gone_names_nobody() -> None:
    assert callers_of(replace(TRIAL, callers=("testers",)), {}).why(caller("+436641112223")) is None


def test_callers_are_read_as_people_write_them() -> None:
    assert read_callers(["0664 1112223, testers", "201"], TESTERS, "AT") == ("+436641112223", "testers", "201")
    with pytest.raises(RevisionError, match="'tester' is neither a list nor a caller"):
        read_callers(["tester"], TESTERS, "AT")


def test_no_number_is_said() -> None:
    assert (
        said_callers(("testers", "+436641112223", "201"), 10)
        == "the callers of testers and 2 callers and 10 % of all others"
    )
    assert said_callers((), 2.5) == "2.5 % of the callers"
    assert said_callers((), 0) == "nobody"
