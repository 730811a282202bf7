"""What a lost connection, a killed PBX and a restart of ours leave: the contract, section 3, meaning 4."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing_engine.calls.pbx_events import (
    HistoryRead,
    HistoryRow,
    LiveChannel,
    PbxEvent,
    PbxRestarted,
    Snapshot,
    Tick,
)

from .stories import Follower, T, answers, comes, ends, enters, outside, parts, phone, rings

CALLER, ANNA = outside(), phone("201", "1.2", "1.1")
TALKING: list[PbxEvent] = [*comes(0, CALLER), *rings(1, CALLER, ANNA), *answers(5, CALLER, ANNA)]
BOTH_LIVE = (LiveChannel(CALLER, T, bridge="b1", application="Dial"), LiveChannel(ANNA, T + 1, bridge="b1"))
ROW = HistoryRow(T + 80, CALLER, ANNA.name, T, T + 5, "ANSWERED", "Dial")


def test_a_call_that_still_lives_is_taken_up_again() -> None:
    follower = Follower().take(TALKING, Snapshot(T + 60, BOTH_LIVE), HistoryRead(T + 61))
    assert (follower.call.state, follower.tracker.missing) == ("talking", False)
    call = follower.take(parts(90, "b1", CALLER, ANNA)).call
    assert (call.outcome, call.talk_s) == ("answered", pytest.approx(85, abs=0.01))


def test_a_call_that_ended_meanwhile_is_filled_from_the_history() -> None:
    follower = Follower().take(TALKING, Snapshot(T + 100, ()))
    assert (follower.call.state, follower.tracker.missing) == ("talking", True)
    call = follower.take(ROW, HistoryRead(T + 101)).call
    assert (call.outcome, call.ended_at, call.user, call.state) == ("answered", T + 80, "anna", "ended")
    assert call.talk_s == pytest.approx(75, abs=0.01)
    assert follower.kinds().count("call.ended") == 1


def test_the_rest_closes_as_unknown_at_the_last_sign_of_life() -> None:
    other = comes(40, outside("7.1"))
    follower = Follower().take(TALKING, other, Snapshot(T + 100, ()), HistoryRead(T + 101))
    assert [call.outcome for call in follower.calls.values()] == ["unknown"] * 2
    assert [call.ended_at for call in follower.calls.values()] == [pytest.approx(T + 40)] * 2


def test_a_killed_pbx_closes_all_its_calls_as_unknown() -> None:
    follower = Follower().take(TALKING, PbxRestarted(T + 200), HistoryRead(T + 201))
    assert (follower.call.state, follower.call.outcome) == ("ended", "unknown")
    assert follower.call.ended_at == pytest.approx(T + 5.003)
    assert follower.tracker.kept[0] == 0


def test_nobody_waits_longer_than_a_minute_for_the_history() -> None:
    follower = Follower().take(TALKING, Snapshot(T + 100, ()), Tick(T + 130))
    assert follower.call.state == "talking"
    assert follower.take(Tick(T + 161)).call.outcome == "unknown"


def test_a_call_that_came_and_went_in_the_gap_is_there_once() -> None:
    rows = [
        replace(ROW, disposition="NO ANSWER", answered_at=None, at=T + 20),
        replace(ROW, called_name="PJSIP/202-00000009", at=T + 60, answered_at=T + 25),
    ]
    follower = Follower().take(rows, HistoryRead(T + 101), rows, HistoryRead(T + 102))
    call = follower.call
    assert (call.direction, call.from_, call.outcome, call.user) == ("inbound", "+436641234567", "answered", "bernd")
    assert (call.started_at, call.ended_at, call.talk_s) == (T, T + 60, pytest.approx(35))
    assert follower.kinds() == ["call.started", "call.answered", "call.ended"]


@pytest.mark.parametrize(
    ("application", "disposition", "outcome"),
    [("VoiceMail", "ANSWERED", "voicemail"), ("Queue", "NO ANSWER", "abandoned"), ("Playback", "ANSWERED", "missed")],
)
def test_the_history_of_a_call_without_a_person(application: str, disposition: str, outcome: str) -> None:
    row = HistoryRow(T + 20, CALLER, None, T, T + 1, disposition, application, "support,t")
    assert Follower().take(row, HistoryRead(T + 30)).call.outcome == outcome


def test_an_outbound_call_of_the_history_has_its_number() -> None:
    anna = phone("201", "3.1", exten="06641234567")
    row = HistoryRow(T + 20, anna, "PJSIP/trunk-00000005", T, None, "BUSY", "Dial")
    call = Follower().take(row, HistoryRead(T + 30)).call
    assert (call.direction, call.from_, call.to, call.outcome) == ("outbound", "201", "+436641234567", "busy")


def test_a_row_of_a_call_that_goes_on_changes_nothing() -> None:
    follower = Follower().take(TALKING, Snapshot(T + 60, BOTH_LIVE), ROW, HistoryRead(T + 61))
    assert follower.call.state == "talking"


def test_what_began_while_the_list_was_made_is_not_missing() -> None:
    follower = Follower().take(comes(60, CALLER), Snapshot(T + 59.9, ()), HistoryRead(T + 60.5))
    assert follower.call.state == "ringing"


def test_a_call_that_nobody_has_seen_begin_is_taken_up_as_the_pbx_shows_it() -> None:
    live = (
        LiveChannel(CALLER, T, answered_at=T + 5, bridge="b1", application="Dial"),
        LiveChannel(ANNA, T + 1, answered_at=T + 5, bridge="b1", application="AppDial"),
    )
    follower = Follower().take(Snapshot(T + 60, live))
    assert (follower.call.direction, follower.call.answered_at, follower.call.state) == ("inbound", T + 5, "talking")
    call = follower.take(parts(90, "b1", ANNA, CALLER)).call
    assert (call.outcome, call.duration_s, call.user) == ("answered", pytest.approx(90.011), "anna")


def test_a_telephone_that_rings_after_the_gap_is_a_leg() -> None:
    live = (LiveChannel(CALLER, T, application="Dial"), LiveChannel(ANNA, T + 1, ringing=True, application="AppDial"))
    follower = Follower().take(Snapshot(T + 10, live))
    assert follower.kinds() == ["call.started", "call.ringing"]
    assert follower.call.legs[0].phone == "main/201"


def test_a_bridge_that_was_left_in_the_gap_is_left_at_the_snapshot() -> None:
    alone = (LiveChannel(CALLER, T, application="Queue"),)
    follower = Follower().take(TALKING, Snapshot(T + 60, alone))
    assert follower.call.legs[0].left_at == pytest.approx(T + 5.003)
    again = phone("202", "1.4", "1.1")
    follower.take(rings(61, CALLER, again), answers(65, CALLER, again, "b2"), parts(70, "b2", CALLER, again))
    assert follower.call.user == "bernd"


def test_an_engine_started_again_in_mid_call_goes_on_with_the_same_id() -> None:
    before = Follower().take(TALKING).call
    follower = Follower()
    follower.tracker.resume([replace(before, notes=())])
    follower.take(Snapshot(T + 60, BOTH_LIVE), parts(90, "b1", CALLER, ANNA))
    call = follower.call
    assert (call.id, call.answered_at, call.outcome, call.user) == (before.id, before.answered_at, "answered", "anna")
    assert [(leg.phone, leg.result) for leg in call.legs] == [("main/201", "answered")]
    assert not {"call.started", "call.ringing", "call.answered"} & set(follower.kinds())
    assert follower.kinds().count("call.ended") == 1


def test_a_stored_call_that_is_gone_is_filled_or_unknown() -> None:
    before = Follower().take(TALKING).call
    filled, unknown = Follower(), Follower()
    for one in (filled, unknown):
        one.tracker.resume([before])
        one.take(Snapshot(T + 100, ()))
        assert one.tracker.missing
    assert unknown.take(HistoryRead(T + 101)).call.outcome == "unknown"
    call = filled.take(ROW, HistoryRead(T + 101)).call
    assert (call.outcome, call.ended_at, call.id) == ("answered", T + 80, before.id)


def test_a_stored_call_that_is_taken_up_late_is_the_one_that_is_followed() -> None:
    before = replace(Follower().take(TALKING).call, id="stored", transfers=())
    live = tuple(replace(one, answered_at=T + 30) for one in BOTH_LIVE)
    follower = Follower().take(Snapshot(T + 60, live))
    follower.tracker.resume([before])
    call = follower.take(parts(90, "b1", CALLER, ANNA)).call
    assert (call.answered_at, call.outcome) == (before.answered_at, "answered")
    assert follower.tracker.kept[0] == 0


def test_a_stored_call_whose_ids_are_another_call_s_closes_as_unknown() -> None:
    before = replace(Follower().take(TALKING).call, id="stored")
    follower = Follower().take([replace(event, at=event.at + 3600) for event in TALKING])
    follower.tracker.resume([before])
    follower.take(Tick(T + 3700))
    assert (follower.calls["stored"].outcome, follower.calls["call-1"].state) == ("unknown", "talking")


def test_a_stored_call_is_not_over_before_the_pbx_has_said_who_is_in_it() -> None:
    before = Follower().take(TALKING).call
    follower = Follower()
    follower.tracker.resume([before])
    follower.take(ends(60, ANNA))
    assert follower.call.state != "ended"
    assert follower.take(Snapshot(T + 65, BOTH_LIVE[:1]), HistoryRead(T + 66)).call.state == "talking"
    assert follower.take(ends(70, CALLER)).call.outcome == "answered"


def test_a_short_talk_of_the_history_was_one() -> None:
    row = replace(ROW, at=T, answered_at=T)
    assert Follower().take(row, HistoryRead(T + 9)).call.outcome == "answered"


def test_an_end_in_whole_seconds_is_not_before_what_is_known() -> None:
    row = replace(ROW, at=T + 5)
    assert Follower().take(TALKING, Snapshot(T + 100, ()), row, HistoryRead(T + 101)).call.outcome == "answered"


def test_the_history_of_a_line_that_was_dialled_is_no_inbound_call() -> None:
    anna = phone("201", "3.1", exten="9+436641234567")
    line = replace(outside("3.2", "3.1"), exten=None)
    rows = [
        HistoryRow(T + 20, anna, line.name, T, T + 5, "ANSWERED", "Dial", "PJSIP/+436641234567@trunk,30"),
        HistoryRow(T + 20, line, None, T, T + 5, "ANSWERED", "AppDial", "(Outgoing Line)"),
    ]
    call = Follower().take(rows, HistoryRead(T + 30)).call
    assert (call.direction, call.to, call.outcome) == ("outbound", "+436641234567", "answered")


def test_a_stored_call_whose_id_comes_again_is_another_one() -> None:
    before = Follower().take(TALKING).call
    follower = Follower()
    follower.tracker.resume([replace(before, id="stored")])
    follower.take([replace(event, at=event.at + 3600) for event in TALKING])
    assert (follower.calls["stored"].outcome, follower.calls["call-1"].state) == ("unknown", "talking")


def test_hang_ups_at_a_stop_of_the_pbx_end_the_calls_as_they_are() -> None:
    follower = Follower().take(TALKING, ends(30, CALLER, ANNA), PbxRestarted(T + 60), HistoryRead(T + 61))
    assert (follower.call.outcome, follower.call.hangup_by) == ("answered", "system")


def test_a_bridge_of_the_snapshot_is_no_second_answer() -> None:
    follower = Follower().take(TALKING, Snapshot(T + 60, BOTH_LIVE), enters(60.5, "b1", CALLER, ANNA))
    assert follower.kinds().count("call.answered") == 1
