"""Transfers, pick-ups, parking and forwards: the contract for calls, section 3, meaning 2."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing_engine.calls.call import CallTransfer
from routing_engine.calls.pbx_events import (
    AttendedTransferred,
    BlindTransferred,
    Bridged,
    CallParked,
    CallUnparked,
    ChannelSeen,
    DialEnded,
    HoldBegan,
    ParkTimedOut,
    PbxEvent,
    PickedUp,
    QueueJoined,
    Tick,
    Unbridged,
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
    local,
    outside,
    parts,
    phone,
    rings,
    stops,
    story,
    trunk,
)

CALLER = outside()
ANNA, BERND = phone("201", "1.2", "1.1"), phone("202", "1.3", "1.1")
TALKING = [*comes(0, CALLER), *rings(1, CALLER, ANNA), *answers(5, CALLER, ANNA)]
# Anna consults Bernd: a call of its own, until she passes the caller on.
AGAIN, ASKED = phone("201", "2.1", exten="202"), phone("202", "2.2", "2.1")
CONSULTS = [
    HoldBegan(T + 20, ANNA),
    *comes(21, AGAIN),
    *rings(21.5, AGAIN, ASKED),
    *answers(24, AGAIN, ASKED, "b2"),
]
PASSED = [
    Bridged(T + 30, CALLER, "b2", instead_of="2.1"),
    Unbridged(T + 30, CALLER, "b1"),
    AttendedTransferred(T + 30.01, ANNA, AGAIN, CALLER, ASKED),
    *ends(30.02, AGAIN, ANNA),
    ChannelSeen(T + 30.05, replace(ASKED, linkedid="1.1")),
]
BLIND = [
    BlindTransferred(T + 20, ANNA, CALLER, "202"),
    Unbridged(T + 20, CALLER, "b1"),
    *ends(20.01, ANNA),
]


def test_a_blind_transfer_is_one_call_whose_user_is_the_last_one() -> None:
    goes_on = [*rings(21, CALLER, BERND), *answers(25, CALLER, BERND, "b2"), *parts(60, "b2", CALLER, BERND)]
    follower = Follower().take(TALKING, BLIND, goes_on)
    call = follower.call
    assert call.transfers == (CallTransfer(T + 20, "main/201", "main/202", "blind"),)
    assert [(leg.phone, leg.result) for leg in call.legs] == [("main/201", "transferred"), ("main/202", "answered")]
    assert (call.user, call.outcome, follower.kinds().count("call.transferred")) == ("bernd", "answered", 1)
    assert call.talk_s == pytest.approx(15 + 35, abs=0.01)


def test_a_blind_transfer_that_nobody_takes_leaves_an_answered_call_that_ends() -> None:
    """13: a failed blind transfer's changed Linkedid leaves a record that is never closed."""
    moved = replace(BERND, linkedid="7.7")
    call = story(TALKING, BLIND, rings(21, CALLER, moved), stops(50, CALLER, moved, "NOANSWER", 19), ends(50, CALLER))
    assert (call.state, call.outcome, call.user) == ("ended", "answered", "anna")
    assert [leg.result for leg in call.legs] == ["transferred", "no_answer"]


def test_a_consultation_is_a_call_of_its_own_until_the_caller_is_passed_on() -> None:
    """24: no id ties the second call to the first."""
    follower = Follower().take(TALKING, CONSULTS)
    assert {one.direction for one in follower.calls.values()} == {"inbound", "internal"}
    follower.take(PASSED, parts(60, "b2", ASKED, CALLER))
    whole, consultation = follower.calls["call-1"], follower.calls["call-2"]
    assert (consultation.merged_into, consultation.state, consultation.outcome) == ("call-1", "ended", None)
    assert follower.kinds("call-2")[-1] == "call.updated"
    assert "call.ended" not in follower.kinds("call-2")
    assert whole.transfers == (CallTransfer(T + 30.01, "main/201", "main/202", "attended"),)
    assert [(leg.phone, leg.result) for leg in whole.legs] == [("main/201", "transferred"), ("main/202", "answered")]
    assert (whole.user, whole.hangup_by, whole.linkedids) == ("bernd", "user", ("1.1", "2.1"))


def test_the_consultation_is_hold_for_the_caller_and_not_talk() -> None:
    call = Follower().take(TALKING, CONSULTS, PASSED, parts(60, "b2", ASKED, CALLER)).calls["call-1"]
    assert call.hold_s == pytest.approx(10, abs=0.01)
    assert call.talk_s == pytest.approx(15 + 30, abs=0.01)


def test_a_consultation_that_leads_to_nothing_stays_a_call_of_its_own() -> None:
    back = [*parts(30, "b2", AGAIN, ASKED), *parts(60, "b1", CALLER, ANNA)]
    follower = Follower().take(TALKING, CONSULTS, back)
    assert [one.outcome for one in follower.calls.values()] == ["answered", "answered"]
    assert follower.calls["call-1"].transfers == ()


def test_an_attended_transfer_into_a_queue_loses_no_piece() -> None:
    """12: pieces lost, an extension in the record that had nothing to do with it."""
    again = phone("201", "2.1", exten="600")
    queued = [*comes(21, again), QueueJoined(T + 22, again, "support")]
    passed = [AttendedTransferred(T + 30, ANNA, again, CALLER), *ends(30.1, again, ANNA)]
    member = phone("203", "1.9", "1.1")
    taken = [*rings(31, CALLER, member), *answers(33, CALLER, member, "b3"), *parts(40, "b3", CALLER, member)]
    follower = Follower().take(TALKING, HoldBegan(T + 20, ANNA), queued, passed, taken)
    assert (follower.call.queue, follower.call.user) == ("support", "carla")
    assert [leg.phone for leg in follower.call.legs] == ["main/201", "main/203"]
    assert follower.call.transfers[0].to == "600"


def test_a_ring_that_is_picked_up_elsewhere_is_one_call() -> None:
    picker = phone("203", "5.1", exten="*8")
    taken = [
        PickedUp(T + 6, picker, ANNA),
        *ends(6.01, ANNA, cause=26),
        DialEnded(T + 6.02, CALLER, replace(picker, linkedid="1.1"), "ANSWER"),
        *enters(6.03, "b1", CALLER, picker),
    ]
    told = Follower().take(comes(0, CALLER), rings(1, CALLER, ANNA), comes(5.9, picker), taken)
    told.take(parts(20, "b1", CALLER, picker))
    assert list(told.calls) == ["call-1"]
    assert told.call.transfers == (CallTransfer(T + 6, "main/201", "main/203", "pickup"),)
    assert [(leg.phone, leg.result) for leg in told.call.legs] == [("main/201", "elsewhere"), ("main/203", "answered")]
    assert told.call.user == "carla"


def test_a_parked_call_is_held_and_fetching_it_is_no_second_transfer() -> None:
    fetcher = phone("202", "6.1", exten="701")
    parked = [Unbridged(T + 20, CALLER, "b1"), CallParked(T + 20.1, CALLER, ANNA, "701"), *ends(21, ANNA)]
    follower = Follower().take(TALKING, replace(BLIND[0], exten="700"), parked)  # type: ignore[arg-type,type-var]
    assert (follower.call.state, follower.call.transfers[0].how) == ("held", "park")
    fetched = [CallUnparked(T + 50, CALLER, fetcher), *enters(50.01, "b5", CALLER, fetcher)]
    follower.take(comes(49.9, fetcher), fetched, parts(60, "b5", CALLER, fetcher))
    assert list(follower.calls) == ["call-1"]
    assert follower.call.transfers == (CallTransfer(T + 20.1, "main/201", "main/202", "park"),)
    assert [leg.result for leg in follower.call.legs] == ["transferred", "answered"]
    assert follower.call.hold_s == pytest.approx(29.9, abs=0.02)


def test_a_park_whose_time_is_up_rings_the_same_telephone_and_is_no_new_call() -> None:
    again = phone("201", "1.8", "1.1")
    parked = [Unbridged(T + 20, CALLER, "b1"), CallParked(T + 20, CALLER, ANNA, "701"), *ends(21, ANNA)]
    back = [ParkTimedOut(T + 65, CALLER), *rings(65.1, CALLER, again), *answers(70, CALLER, again, "b4")]
    follower = Follower().take(TALKING, parked, back, parts(80, "b4", CALLER, again))
    assert [(leg.phone, leg.result) for leg in follower.call.legs] == [
        ("main/201", "transferred"),
        ("main/201", "answered"),
    ]
    assert follower.call.hold_s == pytest.approx(45, abs=0.01)
    assert len(follower.calls) == 1


def test_a_forward_over_local_channels_is_one_call_and_who_forwards_is_no_leg() -> None:
    """11: transfers over Local channels are unseen, and the first agent is credited with the hour."""
    one, two = (local("201@phones", half, f"1.{half + 5}", "1.1") for half in (1, 2))
    bernd = phone("202", "1.9", "1.1")
    forwarded = [*comes(0, CALLER), *dials(1, CALLER, one), *dials(1, None, two)[:1], *rings(1.1, two, bernd)]
    joined = [*answers(5, two, bernd, "b2"), *answers(5.01, CALLER, one, "b1")]
    whole = [Bridged(T + 5.2, CALLER, "b2", instead_of="1.7"), *ends(5.3, one, two), *parts(60, "b2", CALLER, bernd)]
    follower = Follower().take(forwarded, joined, whole)
    assert [(leg.phone, leg.result) for leg in follower.call.legs] == [("main/202", "answered")]
    (forward,) = follower.call.transfers
    assert (forward.by, forward.to, forward.how) == ("main/201", "main/202", "forward")
    assert (follower.call.user, follower.call.talk_s) == ("bernd", pytest.approx(55, abs=0.02))


def test_local_channels_that_stay_are_followed_to_who_is_behind_them() -> None:
    one, two = (local("201@phones", half, f"1.{half + 5}", "1.1") for half in (1, 2))
    anna = phone("201", "1.9", "1.1")
    linked = [*comes(0, CALLER), *dials(1, CALLER, one), *dials(1, None, two)[:1], *rings(1.1, two, anna)]
    joined = [*answers(5, two, anna, "b2"), *answers(6, CALLER, one, "b1"), *parts(60, "b1", CALLER, one)]
    call = story(linked, joined, ends(60.1, two, anna))
    assert (call.answered_at, call.user, call.transfers) == (T + 6.003, "anna", ())


def test_an_agent_behind_a_local_channel_who_passes_the_call_on_forwards_nothing() -> None:
    """A queue's agent in FreePBX; the recording that the agent's own rule asks for is the call's."""
    one, two = (local("201@from-queue", half, f"1.{half + 5}", "1.1") for half in (1, 2))
    anna, carla = phone("201", "1.9", "1.1"), phone("203", "1.10", "1.1")
    two = replace(two, recording="exten-201.wav")
    linked = [*comes(0, CALLER), *dials(1, CALLER, one), *dials(1, None, two)[:1], *rings(1.1, two, anna)]
    joined = [*answers(5, two, anna, "b2"), *answers(5.01, CALLER, one, "b1")]
    passed = [BlindTransferred(T + 20, anna, two, "203"), *ends(20.1, anna), *rings(21, two, carla)]
    follower = Follower().take(linked, joined, passed, answers(25, two, carla, "b3"))
    call = follower.take(parts(60, "b3", carla, two), ends(60.1, one, CALLER)).call
    assert [(told.by, told.to, told.how) for told in call.transfers] == [("main/201", "main/203", "blind")]
    assert (call.user, call.recording.name) == ("carla", "exten-201.wav")


def test_a_telephone_that_sends_a_call_on_itself_forwards_it() -> None:
    sent = DialEnded(T + 1.2, CALLER, ANNA, "BUSY", forwarded_to="Local/06769999999@from-internal")
    mobile = trunk("1.4", "1.1")
    rung = [*ends(1.3, ANNA), *rings(2, CALLER, mobile, "+436769999999@trunk")]
    follower = Follower().take(comes(0, CALLER), dials(1, CALLER, ANNA), sent, rung)
    follower.take(answers(5, CALLER, mobile), parts(9, "b1", CALLER, mobile))
    call = follower.call
    assert call.transfers == (CallTransfer(T + 1.2, "main/201", "+436769999999", "forward"),)
    assert (call.direction, call.from_, call.outcome) == ("inbound", CUSTOMER, "answered")
    assert [leg.phone for leg in call.legs] == ["+436769999999"]
    assert follower.kinds().count("call.ringing") == 1


def test_after_a_transfer_into_a_queue_the_ring_shows_the_caller() -> None:
    """6: the first ring shows only who transferred; 7: the target sees the firm's own number."""
    member = phone("203", "1.9", "1.1")
    queued = [replace(BLIND[0], exten="600"), QueueJoined(T + 20.5, CALLER, "support")]  # type: ignore[arg-type,type-var]
    follower = Follower().take(TALKING, queued, BLIND[1:], rings(21, CALLER, member))
    ringing = next(one.call for one in reversed(follower.told) if "call.ringing" in one.kinds)
    assert (ringing.from_, ringing.state, ringing.transfers[0].to) == (CUSTOMER, "ringing", "600")


def test_a_recording_goes_on_over_a_transfer_to_several_and_is_one() -> None:
    """14: the recording is cut off from the call by a transfer to a ring-all with retry, two durations."""
    recorded = replace(CALLER, recording="in-1.wav")
    again = [phone(f"20{one}", f"1.{one}{turn}", "1.1") for turn in (5, 6) for one in (2, 3)]
    rung = [event for one in again[:2] for event in (*rings(21, CALLER, one), *stops(26, CALLER, one, "NOANSWER", 19))]
    rung += [event for one in again[2:] for event in rings(31, CALLER, one)]
    follower = Follower().take(TALKING, ChannelSeen(T + 6, recorded), BLIND, rung)
    assert (follower.call.recording.state, follower.call.recording.name) == ("recording", "in-1.wav")
    lost = stops(34.9, CALLER, again[3], "CANCEL", 26)
    call = follower.take(lost, answers(35, CALLER, again[2], "b7"), parts(60, "b7", CALLER, again[2])).call
    assert (call.recording.state, call.recording.name, len(call.legs)) == ("pending", "in-1.wav", 3)
    assert call.talk_s == pytest.approx(15 + 25, abs=0.02)


def test_an_outbound_call_that_is_passed_on_inside_keeps_the_number_dialled() -> None:
    """7: an outbound call transferred inside: the target sees the firm's own number."""
    anna, customer = phone("201", "1.1", exten="0066412345"), trunk("1.2", "1.1")
    called = [*comes(0, anna), *rings(1, anna, customer, "+4366412345@trunk"), *answers(5, anna, customer)]
    bernd = phone("202", "1.3", "1.1")
    passed: list[PbxEvent] = [BlindTransferred(T + 20, anna, customer, "202"), *ends(20.1, anna)]
    taken = [*rings(21, customer, bernd), *answers(22, customer, bernd, "b2"), *parts(30, "b2", bernd, customer)]
    call = story(called, passed, taken)
    assert (call.direction, call.to, call.from_, call.user) == ("outbound", "+4366412345", "201", "bernd")


def test_a_telephone_that_only_fetches_is_no_call_until_time_says_so() -> None:
    follower = Follower().take(comes(0, phone("203", "9.1", exten="*8")), Tick(T + 1))
    assert follower.told == []
    follower.take(Tick(T + 3), asks(4, phone("203", "9.1")), ends(4, phone("203", "9.1")))
    assert (follower.call.direction, follower.call.to, follower.call.outcome) == ("internal", "*8", "unanswered")
