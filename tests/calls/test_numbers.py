"""Which way a call goes, and its numbers: by trunks, never by guessing from names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing_engine.calls.pbx_events import ChannelSeen, PbxChannel, Tick
from routing_engine.calls.site import PbxSite, device

from .stories import (
    CUSTOMER,
    DID,
    SITE,
    Follower,
    T,
    answers,
    asks,
    comes,
    dials,
    ends,
    outside,
    parts,
    phone,
    rings,
    stops,
    story,
    trunk,
)

ANNA, CUSTOMER_LEG = phone("201", "1.1", exten="06641234567"), trunk("1.2", "1.1")
DIALS = [*comes(0, ANNA), *rings(1, ANNA, CUSTOMER_LEG, "+436641234567@trunk")]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("PJSIP/trunk-0000002f", "trunk"),
        ("PJSIP/trunk-two-0000002f", "trunk"),
        ("PJSIP/201-0000002f", "phone"),
        ("PJSIP/201-web-0000002f", "phone"),
        ("AsyncGoto/PJSIP/201-0000002f", "phone"),
        ("Local/201@agents-0000002f;1", "local"),
        ("CBAnn/8000-0000002f;2", "other"),
        ("Message/ast_msg_queue", "other"),
    ],
)
def test_a_channel_is_known_by_its_name(name: str, kind: str) -> None:
    assert SITE.kind(name) == kind


def test_a_telephone_has_the_name_of_its_pbx() -> None:
    assert SITE.phone("PJSIP/201-web-0000002f") == "main/201-web"
    assert PbxSite("b", phones="SIP/ext{extension}x").phone("SIP/ext7x-00000001") == "b/7"
    assert device("PJSIP/201-0000002f<ZOMBIE>") == "PJSIP/201"


@pytest.mark.parametrize(
    ("dialled", "number"),
    [
        ("+436641234567@trunk", "+436641234567"),
        ("trunk/sip:+436641234567@10.0.0.1:5060", "+436641234567"),
        ("sip:06641234567@host;user=phone", "+436641234567"),
        ("06641234567@trunk", "+436641234567"),
        ("144@trunk", "144"),
        ("i1/06641234567", "+436641234567"),
        (None, None),
    ],
)
def test_the_number_within_a_dial_string(dialled: str | None, number: str | None) -> None:
    assert SITE.dialled(dialled) == number


def test_an_inbound_call_has_the_caller_and_the_number_called() -> None:
    """21: the direction is wrong because it is guessed from the channel's name."""
    call = story(comes(0, outside()))
    assert (call.direction, call.from_, call.to, call.did) == ("inbound", CUSTOMER, DID, DID)


def test_a_number_of_a_range_is_kept_whole() -> None:
    """34: a DID range: only the main number is stored, not the extension dialled."""
    assert story(comes(0, replace(outside(), exten="+431234560117"))).did == "+431234560117"
    # A FreePBX has gone on to another extension by then.
    freepbx = PbxChannel("PJSIP/trunk-00000001", "1.1", "1.1", "0664", exten="s", did="+431234560117")
    assert story(comes(0, freepbx)).did == "+431234560117"


@pytest.mark.parametrize(
    "channel", [replace(outside(), withheld=True), outside(caller=None), outside(caller="anonymous")]
)
def test_a_withheld_number_is_none(channel: PbxChannel) -> None:
    assert story(comes(0, channel)).from_ is None


def test_an_outbound_call_has_the_number_that_was_dialled_to_the_trunk() -> None:
    """20: logged with the own extension as number. 22: unanswered, and not linked to the contact."""
    follower = Follower().take(DIALS)
    assert follower.kinds()[0] == "call.started"
    assert [one.call.direction for one in follower.told] == ["outbound"] * len(follower.told)
    follower.take(stops(20, ANNA, CUSTOMER_LEG, "NOANSWER", 19), ends(20.1, ANNA))
    call = follower.call
    assert (call.from_, call.to, call.outcome, call.user) == ("201", CUSTOMER, "unanswered", "anna")
    assert "call.missed" not in follower.kinds()


def test_our_number_that_was_shown_is_the_did_of_an_outbound_call() -> None:
    shown = replace(CUSTOMER_LEG, connected=DID)
    assert story(comes(0, ANNA), rings(1, ANNA, shown, "+436641234567@trunk")).did == DID
    assert story(DIALS).did is None  # an extension is no number of ours


def test_a_click_whose_dialplan_shows_the_customer_does_not_call_that_ours() -> None:
    """19: the customer's number as own caller ID, the provider answers 403; both numbers are equal."""
    clicked = PbxChannel("PJSIP/201-00000001", "1.1", "1.1", caller="+436641234567")
    customer = replace(CUSTOMER_LEG, connected="+436641234567")
    follower = Follower().take(rings(0, None, clicked), answers(3, None, clicked, "b0")[:1])
    assert (follower.call.direction, follower.call.to, follower.call.state) == ("outbound", CUSTOMER, "ringing")
    refused = [*dials(4, clicked, customer, "+436641234567@trunk"), *stops(5, clicked, customer, "NOANSWER", 21, 403)]
    call = follower.take(refused, ends(5.1, clicked)).call
    assert (call.from_, call.to, call.did, call.outcome) == ("201", CUSTOMER, None, "failed")


def test_a_click_rings_the_user_and_is_answered_by_the_other_party_only() -> None:
    clicked = PbxChannel("PJSIP/201-00000001", "1.1", "1.1", caller="+436641234567")
    both = [*rings(0, None, clicked), *answers(3, None, clicked, "b0")[:1]]
    both += rings(3.5, clicked, CUSTOMER_LEG, "+436641234567@trunk")
    follower = Follower().take(both)
    assert (follower.call.state, follower.call.answered_at) == ("ringing", None)
    assert follower.kinds().count("call.ringing") == 1
    call = follower.take(answers(9, clicked, CUSTOMER_LEG), parts(30, "b1", CUSTOMER_LEG, clicked)).call
    assert (call.outcome, call.hangup_by, call.answered_at) == ("answered", "other", pytest.approx(T + 9.003))
    assert [(leg.phone, leg.result) for leg in call.legs] == [("main/201", "answered")]


@pytest.mark.parametrize(
    ("status", "cause", "sip", "outcome"),
    [
        ("BUSY", 17, 486, "busy"),
        ("NOANSWER", 21, 603, "unanswered"),
        ("NOANSWER", 21, 403, "failed"),
        ("CONGESTION", 34, 503, "failed"),
        ("NOANSWER", 1, 404, "failed"),
        ("NOANSWER", 19, 480, "unanswered"),
    ],
)
def test_what_came_of_an_outbound_call(status: str, cause: int, sip: int, outcome: str) -> None:
    assert story(DIALS, stops(5, ANNA, CUSTOMER_LEG, status, cause, sip), ends(6, ANNA)).outcome == outcome


def test_a_cancelled_click_and_a_cancelled_call_are_unanswered() -> None:
    cancelled = [*asks(5, ANNA), *stops(5.01, ANNA, CUSTOMER_LEG, "CANCEL", 127, 487), *ends(5.1, ANNA)]
    call = story(DIALS, cancelled)
    assert (call.outcome, call.hangup_by) == ("unanswered", "user")
    clicked = PbxChannel("PJSIP/201-00000001", "1.1", "1.1", caller="+436641234567")
    assert story(rings(0, None, clicked), ends(20, clicked, cause=19)).outcome == "unanswered"


def test_a_second_trunk_that_is_tried_is_the_same_call() -> None:
    other = trunk("1.3", "1.1", "trunk-two")
    tried = [*stops(2, ANNA, CUSTOMER_LEG, "CONGESTION", 34), *rings(3, ANNA, other, "06641234567@trunk-two")]
    call = story(DIALS, tried, answers(5, ANNA, other), parts(9, "b1", ANNA, other))
    assert (call.outcome, call.to, [leg.phone for leg in call.legs]) == ("answered", CUSTOMER, ["main/201"])


def test_a_trunk_that_is_down_gives_no_channel_and_the_call_has_failed() -> None:
    call = story(comes(0, ANNA), Tick(T + 3), ends(4, ANNA, cause=20))
    assert (call.direction, call.to, call.outcome) == ("outbound", CUSTOMER, "failed")


def test_telephones_among_themselves_are_internal() -> None:
    anna, bernd = phone("201", "1.1", exten="202"), phone("202", "1.2", "1.1")
    call = story(comes(0, anna), rings(1, anna, bernd), answers(4, anna, bernd), parts(9, "b1", anna, bernd))
    assert (call.direction, call.from_, call.to, call.user) == ("internal", "201", "202", "bernd")
    unanswered = story(comes(0, anna), rings(1, anna, bernd), asks(9, anna), ends(9, bernd, anna))
    assert (unanswered.outcome, unanswered.user, unanswered.legs[0].result) == ("missed", None, "cancelled")


def test_a_user_who_moves_in_mid_call_keeps_it() -> None:
    anna = phone("201", "1.2", "1.1")
    follower = Follower().take(comes(0, outside()), rings(1, outside(), anna))
    follower.tracker.site = replace(SITE, users={"main/205": "anna"})
    follower.take(answers(3, outside(), anna), parts(9, "b1", outside(), anna))
    assert follower.call.user == "anna"


def test_what_joins_the_decision_and_the_recording_is_learned_from_any_event() -> None:
    named = replace(outside(), route_call_id="r-7", recording="crm/1.wav")
    follower = Follower().take(comes(0, outside()), ChannelSeen(T + 1, named))
    assert (follower.call.route_call_id, follower.call.recording.name) == ("r-7", "crm/1.wav")
    assert follower.call.recording.state == "recording"
    assert follower.take(ends(9, outside())).call.recording.state == "pending"
