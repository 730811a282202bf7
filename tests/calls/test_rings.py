"""Who rang, who answered, and what is missed: the contract for calls, section 3, meaning 1."""

from __future__ import annotations

import pytest

from routing_engine.calls.call import Leg
from routing_engine.calls.pbx_events import (
    ApplicationBegan,
    CallStranded,
    ChannelSeen,
    PbxChannel,
    PbxEvent,
    QueueAbandoned,
    QueueJoined,
    QueueLeft,
)

from .stories import (
    CUSTOMER,
    Follower,
    T,
    answers,
    asks,
    comes,
    dials,
    ends,
    enters,
    outside,
    parts,
    phone,
    rings,
    stops,
    story,
)

CALLER = outside()
ANNA, BERND, CARLA = (phone(f"20{one}", f"1.{one + 1}", "1.1") for one in (1, 2, 3))
RING_ALL = [*comes(0, CALLER), *rings(1, CALLER, ANNA), *rings(1.01, CALLER, BERND), *rings(1.02, CALLER, CARLA)]
JOINED = [*comes(0, CALLER), QueueJoined(T + 0.5, CALLER, "support")]
GIVES_UP = [QueueAbandoned(T + 9, CALLER, "support"), QueueLeft(T + 9.001, CALLER, "support")]


def results(legs: tuple[Leg, ...]) -> dict[str, str | None]:
    return {leg.phone: leg.result for leg in legs}


def test_a_ring_group_is_one_call_and_who_did_not_pick_up_missed_nothing() -> None:
    """1: every member that did not pick up gets a missed call. 2: an answered call appears twice, once as missed."""
    lost = [*stops(5, CALLER, BERND, "CANCEL", 26), *stops(5, CALLER, CARLA, "CANCEL", 26)]
    follower = Follower().take(RING_ALL, lost, answers(5.1, CALLER, ANNA), parts(65, "b1", CALLER, ANNA))
    assert results(follower.call.legs) == {"main/201": "answered", "main/202": "elsewhere", "main/203": "elsewhere"}
    assert (follower.call.outcome, follower.call.user) == ("answered", "anna")
    assert follower.kinds().count("call.ringing") == 3
    assert follower.kinds().count("call.ended") == 1
    assert "call.missed" not in follower.kinds()


def test_a_queue_tells_its_losers_twice_and_after_the_winner() -> None:
    twice = [*stops(5.2, CALLER, BERND, "CANCEL", 26), *stops(5.2001, CALLER, BERND, "CANCEL", 26)]
    both = [*JOINED, *rings(1, CALLER, ANNA), *rings(1, CALLER, BERND)]
    left = QueueLeft(T + 5.01, CALLER, "support")
    call = story(both, answers(5, CALLER, ANNA), left, twice, parts(20, "b1", ANNA, CALLER))
    assert (call.queue, call.outcome, call.hangup_by) == ("support", "answered", "user")
    assert results(call.legs) == {"main/201": "answered", "main/202": "elsewhere"}


def test_nobody_answers_and_one_call_is_missed_once() -> None:
    rang_out = [event for one in (ANNA, BERND, CARLA) for event in stops(30, CALLER, one, "NOANSWER", 19)]
    follower = Follower().take(RING_ALL, rang_out, ends(30.1, CALLER))
    assert follower.call.outcome == "missed"
    assert set(results(follower.call.legs).values()) == {"no_answer"}
    assert follower.kinds().count("call.missed") == 1
    assert follower.call.hangup_by == "system"


def test_the_caller_gives_up_while_it_rings() -> None:
    """`elsewhere` would say that somebody else took it."""
    lost = [event for one in (ANNA, BERND) for event in stops(8.01, CALLER, one, "CANCEL", 127, 500)]
    both = [*comes(0, CALLER), *rings(1, CALLER, ANNA), *rings(1, CALLER, BERND)]
    call = story(both, asks(8, CALLER), lost, ends(8.1, CALLER, cause=127))
    assert results(call.legs) == {"main/201": "cancelled", "main/202": "cancelled"}
    assert (call.outcome, call.hangup_by, call.user) == ("missed", "other", None)
    assert call.wait_s == pytest.approx(8.1)


@pytest.mark.parametrize(
    ("status", "cause", "sip", "result"),
    [
        ("BUSY", 17, 486, "busy"),
        ("NOANSWER", 17, 486, "busy"),  # a queue's member
        ("NOANSWER", 21, 603, "declined"),
        ("NOANSWER", 19, 480, "no_answer"),
    ],
)
def test_a_telephone_says_why_it_did_not_answer(status: str, cause: int, sip: int, result: str) -> None:
    call = story(comes(0, CALLER), rings(1, CALLER, ANNA), stops(3, CALLER, ANNA, status, cause, sip), ends(4, CALLER))
    assert results(call.legs) == {"main/201": result}
    assert call.outcome == "missed"


def test_a_telephone_that_rang_beside_a_busy_one_was_not_busy_when_the_caller_gave_up() -> None:
    # As Asterisk 22 tells it: to the telephone that it stops ringing it gives the cause of the busy one.
    both = [*comes(0, CALLER), *rings(1, CALLER, ANNA), *rings(1, CALLER, BERND)]
    busy = [*asks(2, ANNA), *stops(2.001, CALLER, ANNA, "BUSY", 17, 486)]
    lost = [*asks(8, CALLER), *stops(8.01, CALLER, BERND, "CANCEL", 17, 486)]
    call = story(both, busy, lost, ends(8.1, CALLER, cause=17))
    assert results(call.legs) == {"main/201": "busy", "main/202": "cancelled"}
    assert call.outcome == "missed"


def test_a_do_not_disturb_beside_a_second_telephone_does_not_miss_the_call() -> None:
    """3: two clients disagree, missed is shown as answered (a phone on DND and a second device)."""
    web = phone("201-web", "1.9", "1.1")
    both = [*comes(0, CALLER), *rings(1, CALLER, web), *dials(1, CALLER, ANNA), *stops(1.1, CALLER, ANNA, "BUSY", 17)]
    call = story(both, answers(4, CALLER, web), parts(9, "b1", CALLER, web))
    assert (call.outcome, results(call.legs)) == ("answered", {"main/201": "busy", "main/201-web": "answered"})


def test_a_queue_that_is_left_by_hang_up_is_abandoned() -> None:
    follower = Follower().take(JOINED, rings(1, CALLER, ANNA), asks(8.99, CALLER))
    follower.take(stops(9, CALLER, ANNA, "CANCEL", 26), GIVES_UP, ends(9.01, CALLER, cause=0))
    assert (follower.call.outcome, follower.call.queue, follower.call.cause) == ("abandoned", "support", 0)
    assert follower.kinds()[-2:] == ["call.ended", "call.missed"]


def test_a_queue_whose_time_is_up_is_not_abandoned_when_the_caller_goes_on() -> None:
    answered = [*rings(10, CALLER, ANNA), *answers(12, CALLER, ANNA), *parts(20, "b1", CALLER, ANNA)]
    assert story(JOINED, GIVES_UP, answered).outcome == "answered"
    assert story(JOINED, GIVES_UP, asks(40, CALLER), ends(40.1, CALLER)).outcome == "missed"


def test_prompts_music_and_mailboxes_answer_nobody() -> None:
    """Nobody has spoken to the caller: only a bridge with a person in it is an answer."""
    mailbox = ApplicationBegan(T + 31, CALLER, "VoiceMail")
    call = story(comes(0, CALLER), rings(1, CALLER, ANNA), stops(30, CALLER, ANNA, "NOANSWER", 19), mailbox)
    assert (call.state, call.answered_at) == ("ringing", None)
    ended = story(comes(0, CALLER), mailbox, asks(50, CALLER), ends(50, CALLER))
    assert (ended.outcome, ended.answered_at, ended.talk_s) == ("voicemail", None, 0)


@pytest.mark.parametrize("context", ["routing-engine-voicemail", "macro-vm"])
def test_a_mailbox_is_known_by_its_place_too(context: str) -> None:
    there = PbxChannel(CALLER.name, "1.1", "1.1", context=context)
    assert story(comes(0, CALLER), ends(50, there)).outcome == "voicemail"


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (CallStranded(T + 5, CALLER, "NOROUTE"), "NOROUTE"),
        (ChannelSeen(T + 5, PbxChannel(CALLER.name, "1.1", "1.1", context="routing-engine-emergency")), ""),
    ],
)
def test_a_call_that_the_emergency_prompt_ended_says_so(event: PbxEvent, status: str) -> None:
    call = story(comes(0, CALLER), event, ends(12, CALLER))
    assert (call.stranded, call.outcome) == (status, "missed")


def test_a_hunt_group_rings_each_telephone_in_turn() -> None:
    """16: the pop stays at the first agent, the second gets none."""
    follower = Follower().take(comes(0, CALLER), rings(1, CALLER, ANNA))
    follower.take(stops(6, CALLER, ANNA, "NOANSWER", 19))
    assert follower.call.legs[0].left_at == T + 6
    follower.take(rings(7, CALLER, BERND))
    assert follower.kinds().count("call.ringing") == 2
    assert [leg.result for leg in follower.call.legs] == ["no_answer", None]


def test_a_telephone_that_a_queue_rings_again_and_again_is_one_leg() -> None:
    again = phone("201", "1.7", "1.1")
    rung = [*rings(1, CALLER, ANNA), *stops(6, CALLER, ANNA, "NOANSWER", 19), *rings(10, CALLER, again)]
    follower = Follower().take(JOINED, rung, answers(12, CALLER, again), parts(20, "b1", CALLER, again))
    assert [(leg.phone, leg.ringing_at, leg.result) for leg in follower.call.legs] == [
        ("main/201", T + 1.1, "answered")
    ]
    assert follower.kinds().count("call.ringing") == 2


def test_who_waits_for_long_in_a_queue_makes_no_crowd_of_channels() -> None:
    follower = Follower().take(JOINED)
    for turn in range(30):
        members = [phone(f"20{one}", f"1.{turn}{one}", "1.1") for one in range(1, 5)]
        follower.take(event for one in members for event in rings(turn * 20 + 1, CALLER, one))
        follower.take(event for one in members for event in stops(turn * 20 + 16, CALLER, one, "NOANSWER", 19))
    assert follower.tracker.channels < 40
    late = stops(20, CALLER, phone("201", "1.01", "1.1"), "ANSWER", 16)
    last = phone("202", "1.9999", "1.1")
    call = follower.take(
        late, rings(2001, CALLER, last), answers(2005, CALLER, last), parts(2010, "b1", CALLER, last)
    ).call
    assert results(call.legs) == {"main/201": "no_answer", "main/202": "answered"} | dict.fromkeys(
        ["main/203", "main/204"], "no_answer"
    )
    assert (call.legs[1].ringing_at, call.ringing_at) == (T + 1.1, T + 1.1)


def test_a_queue_is_known_by_its_abandoning_too() -> None:
    call = story(comes(0, CALLER), asks(8.99, CALLER), GIVES_UP, ends(9.01, CALLER))
    assert (call.outcome, call.queue) == ("abandoned", "support")


def test_a_conference_is_one_call_for_each_outside_party_answered_while_two_are_in_the_room() -> None:
    other, anna = outside("2.1", caller="06769999999"), phone("201", "3.1", exten="8000")
    first = [*comes(0, CALLER), *enters(1, "room", CALLER, kind="conference")]
    follower = Follower().take(first)
    assert follower.calls["call-1"].answered_at is None
    follower.take(comes(5, anna), enters(6, "room", anna, kind="conference"))
    follower.take(comes(9, other), enters(10, "room", other, kind="conference"))
    follower.take(parts(20, "room", CALLER), parts(30, "room", other), parts(31, "room", anna))
    of = {call.from_: call for call in follower.calls.values()}
    assert (of[CUSTOMER].answered_at, of[CUSTOMER].talk_s) == (T + 6, pytest.approx(14.001))
    assert (of["+436769999999"].user, of["+436769999999"].talk_s) == ("anna", pytest.approx(20.001))
    assert of["201"].direction == "internal"
    assert {call.outcome for call in of.values()} == {"answered"}
