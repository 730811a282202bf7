"""The same event twice, late, in another order, or of a PBX that was restored: the contract, section 3, meaning 3."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from routing_engine.calls.pbx_events import (
    ChannelSeen,
    HoldBegan,
    HungUp,
    PbxEvent,
    QueueAbandoned,
    QueueJoined,
    QueueLeft,
    Snapshot,
    Tick,
)

from .stories import Follower, T, answers, asks, comes, ends, outside, parts, phone, rings, stops

CALLER, ANNA, BERND = outside(), phone("201", "1.2", "1.1"), phone("202", "1.3", "1.1")
WHOLE: list[PbxEvent] = [
    *comes(0, CALLER),
    *rings(1, CALLER, ANNA),
    *rings(1, CALLER, BERND),
    *stops(5, CALLER, BERND, "CANCEL", 26),
    *answers(5, CALLER, ANNA),
    *parts(65, "b1", CALLER, ANNA),
]


def test_the_same_events_twice_tell_nothing_twice() -> None:
    once = Follower().take(WHOLE)
    twice = Follower().take([event for event in WHOLE for _ in range(2)], WHOLE)
    assert twice.told == once.told


def test_an_end_that_overtakes_its_start_leaves_nobody_ringing() -> None:
    """27: the end overtakes the start, and it rings for ever."""
    follower = Follower().take([*ends(9, ANNA), *comes(0, CALLER), *rings(1, CALLER, ANNA), *ends(9, CALLER)])
    assert follower.kinds() == ["call.started", "call.updated", "call.ended", "call.missed"]
    assert follower.call.state == "ended"


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_the_last_events_may_come_in_any_order(order: tuple[int, ...]) -> None:
    last = WHOLE[-4:]
    follower = Follower().take(WHOLE[:-4], [last[number] for number in order])
    assert follower.call == Follower().take(WHOLE).call
    assert follower.kinds().count("call.ended") == 1


def test_what_comes_late_still_counts_and_ends_nothing_twice() -> None:
    """15: the call is closed before the hang-up, later updates are lost."""
    late = HoldBegan(T + 10, ANNA)
    follower = Follower().take(WHOLE, Tick(T + 100), late)
    assert follower.kinds()[-1] == "call.updated"
    assert follower.call.hold_s == pytest.approx(55, abs=0.01)
    assert follower.kinds().count("call.ended") == 1


def test_a_telephone_heard_of_after_the_end_does_not_open_the_call_again() -> None:
    late = phone("203", "1.4", "1.1")
    follower = Follower().take(WHOLE, rings(2, CALLER, late))
    assert follower.call.state == "ended"
    follower.take(stops(5, CALLER, late, "CANCEL", 26), Tick(T + 100))
    assert (follower.call.state, len(follower.call.legs)) == ("ended", 3)
    assert follower.kinds().count("call.ended") == 1


def test_a_call_that_does_go_on_after_all_is_open_again() -> None:
    late = phone("203", "1.4", "1.1")
    follower = Follower().take(WHOLE, rings(66, CALLER, late), Tick(T + 90))
    assert follower.call.state == "talking" or follower.call.state == "ringing"
    assert follower.take(ends(99, late)).kinds().count("call.ended") == 2


def test_what_comes_after_the_call_is_forgotten_begins_none() -> None:
    follower = Follower().take(WHOLE, Tick(T + 1000))
    assert follower.tracker.kept == (0, 0)
    follower.take(WHOLE, Tick(T + 1010))
    assert follower.tracker.kept == (0, 0)
    assert len(follower.calls) == 1


def test_the_same_id_with_another_start_is_another_call() -> None:
    """A PBX restored from a backup: the first call cannot be ended by the second one's events."""
    again = [replace(event, at=event.at + 3600) for event in WHOLE]
    follower = Follower().take(WHOLE, again)
    assert [call.started_at for call in follower.calls.values()] == [T, T + 3600]
    assert follower.kinds().count("call.ended") == 2


def test_a_call_that_was_open_when_its_id_came_again_is_closed_as_unknown() -> None:
    again = [replace(event, at=event.at + 3600) for event in WHOLE]
    follower = Follower().take(WHOLE[:10], again)
    first, second = follower.calls.values()
    assert (first.state, first.outcome, second.outcome) == ("ended", "unknown", "answered")
    assert follower.kinds(first.id)[-1] == "call.ended"


def test_an_id_comes_again_after_the_call_was_forgotten() -> None:
    again = [replace(event, at=event.at + 3600) for event in WHOLE]
    assert len(Follower().take(WHOLE, Tick(T + 1000), again).calls) == 2


def test_a_start_within_two_seconds_is_the_same_call() -> None:
    assert len(Follower().take(WHOLE, replace(WHOLE[0], at=T + 1.5)).calls) == 1


def test_a_clock_that_is_set_back_loses_no_call() -> None:
    back = [replace(event, at=event.at - 7200) for event in _of("9.")]
    follower = Follower().take(WHOLE, back)
    assert [call.outcome for call in follower.calls.values()] == ["answered", "answered"]


def test_a_queue_that_was_left_before_the_joining_was_told() -> None:
    left = [QueueAbandoned(T + 9, CALLER, "support"), QueueLeft(T + 9, CALLER, "support")]
    joined = QueueJoined(T + 1, CALLER, "support")
    follower = Follower().take(comes(0, CALLER), left, joined, asks(8.9, CALLER), ends(9.01, CALLER))
    assert follower.call.outcome == "abandoned"


def test_a_hang_up_alone_is_no_call() -> None:
    follower = Follower().take(ends(5, CALLER), ChannelSeen(T + 6, CALLER), Tick(T + 9), HungUp(T + 5, ANNA, 16))
    assert follower.told == []


def test_memory_is_bounded_by_number_too() -> None:
    follower = Follower(keep=10)
    for number in range(50):
        caller = outside(f"{number}.1")
        follower.take(comes(number, caller), ends(number + 0.5, caller))
    assert follower.tracker.kept == (0, 10)
    assert len(follower.calls) == 50


def test_a_hang_up_that_was_lost_is_healed_by_the_next_snapshot() -> None:
    follower = Follower().take(WHOLE[:-1], Snapshot(T + 120, ()))
    assert (follower.call.state, follower.call.outcome, follower.call.user) == ("ended", "answered", "anna")


def _of(prefix: str) -> list[PbxEvent]:
    """The same story of other channels."""
    caller, anna = outside(prefix + "1"), phone("201", prefix + "2", prefix + "1")
    return [*comes(0, caller), *rings(1, caller, anna), *answers(5, caller, anna, "b9"), *parts(9, "b9", caller, anna)]
