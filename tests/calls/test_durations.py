"""How long a call took: whole, waited, spoken, held."""

from __future__ import annotations

import pytest

from routing_engine.calls.pbx_events import HoldBegan, HoldEnded
from routing_engine.calls.together import length, united, without

from .stories import Follower, T, answers, asks, comes, ends, outside, parts, phone, rings, story

CALLER, ANNA = outside(), phone("201", "1.2", "1.1")
TALKING = [*comes(0, CALLER), *rings(1, CALLER, ANNA), *answers(5, CALLER, ANNA)]


def test_every_duration_of_a_call_is_there() -> None:
    """33: the duration is missing though the call took six minutes."""
    call = story(TALKING, parts(365, "b1", CALLER, ANNA))
    assert call.duration_s == pytest.approx(365, abs=0.02)
    assert call.wait_s == pytest.approx(5, abs=0.01)
    assert call.talk_s == pytest.approx(360, abs=0.01)
    assert call.hold_s == 0


def test_hold_is_no_talk_and_two_presses_of_the_key_count_once() -> None:
    keys = [HoldBegan(T + 10, ANNA), HoldBegan(T + 11, ANNA), HoldEnded(T + 20, ANNA)]
    follower = Follower().take(TALKING, keys[:2])
    assert follower.call.state == "held"
    call = follower.take(keys[2:], parts(35, "b1", CALLER, ANNA)).call
    assert (call.hold_s, call.talk_s) == (pytest.approx(10, abs=0.01), pytest.approx(20, abs=0.01))


def test_a_caller_who_hangs_up_while_held_was_held_to_the_end() -> None:
    call = story(TALKING, HoldBegan(T + 10, ANNA), parts(40, "b1", CALLER, ANNA))
    assert (call.hold_s, call.talk_s) == (pytest.approx(30, abs=0.01), pytest.approx(5, abs=0.01))


def test_both_may_hold_at_once() -> None:
    keys = [HoldBegan(T + 10, ANNA), HoldBegan(T + 12, CALLER), HoldEnded(T + 14, ANNA), HoldEnded(T + 20, CALLER)]
    assert story(TALKING, keys, parts(30, "b1", CALLER, ANNA)).hold_s == pytest.approx(10, abs=0.01)


def test_what_is_not_over_has_no_duration_yet() -> None:
    call = story(TALKING)
    assert (call.state, call.duration_s, call.talk_s, call.hold_s, call.outcome) == ("talking", None, None, None, None)
    assert (call.hangup_by, call.cause) == (None, None)


def test_a_call_of_more_than_a_day_is_one_call() -> None:
    assert story(TALKING, parts(100_000, "b1", CALLER, ANNA)).talk_s == pytest.approx(99_995, abs=0.01)


def test_who_hung_up_is_who_asked_for_it_first() -> None:
    both = [*asks(64.9, ANNA), *parts(65, "b1", CALLER, ANNA)]
    assert story(TALKING, both).hangup_by == "user"
    assert story(TALKING, ends(65, ANNA, CALLER)).hangup_by == "system"


def test_spans_are_united_cut_and_measured() -> None:
    assert united([(3, 4), (0, 2), (1, 3)]) == [(0, 4)]
    assert without([(0, 10)], [(2, 3), (9, 12)]) == [(0, 2), (3, 9)]
    assert length([(0, 2), (3, float("inf"))]) == 2
