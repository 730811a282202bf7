"""Asterisk's manager events as events of calls: what is read, what is passed over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.asterisk.ami_wire import AmiMessage
from routing_engine.calls.pbx_events import (
    ApplicationBegan,
    BlindTransferred,
    Bridged,
    CallStranded,
    ChannelBegan,
    ChannelSeen,
    DialBegan,
    DialEnded,
    HungUp,
    PbxChannel,
    PbxEvent,
)
from routing_engine.pbx.ami_events import CHANNEL_VARIABLES, events_of, restarted, snapshot
from tests.calls.recorded import NAMES, connections
from tests.examples import examples

CHANNEL = [("Timestamp", "1796063224.5"), ("Channel", "PJSIP/201-1"), ("Uniqueid", "7.1"), ("Linkedid", "7.0")]


def event(name: str, *more: tuple[str, str]) -> AmiMessage:
    return AmiMessage([("Event", name), *CHANNEL, *more])


def read(name: str, *more: tuple[str, str]) -> PbxEvent:
    return events_of(event(name, *more))[0]


def of_stream(name: str, kind: type[PbxEvent]) -> list[PbxEvent]:
    messages = (message for connection in connections(name) for message in connection)
    return [found for message in messages for found in events_of(message) if type(found) is kind]


def test_a_channel_is_read_whole() -> None:
    variables = [("ChanVariable", f"{name}={name.lower()}") for name in CHANNEL_VARIABLES]
    fields = [("CallerIDNum", "201"), ("ConnectedLineNum", "<unknown>"), ("Exten", "s"), ("Context", "phones")]
    channel = PbxChannel(
        "PJSIP/201-1",
        "7.1",
        "7.0",
        "201",
        None,
        "s",
        "phones",
        False,
        "from_did",
        "route_call_id",
        "mixmonitor_filename",
    )
    assert read("NewCallerid", *fields, *variables) == ChannelSeen(1796063224.5, channel)


@pytest.mark.parametrize(
    ("more", "withheld"),
    [
        (("ChanVariable", "CALLERID(num-pres)=prohib_not_screened"), True),
        (("ChanVariable", "CALLERID(num-pres)=allowed_not_screened"), False),
        # FreePBX lets every number be shown, and keeps there what the caller wanted.
        (("ChanVariable", "CALLINGNUMPRES_SV=prohib"), True),
        (("CID-CallingPres", "35 (Presentation Prohibited, Not Screened)"), True),
    ],
)
def test_a_withheld_number_is_known_by_its_presentation(more: tuple[str, str], withheld: bool) -> None:
    seen = read("NewCallerid", more)
    assert isinstance(seen, ChannelSeen)
    assert seen.channel.withheld is withheld


def test_a_call_from_outside_comes_in_and_a_telephone_that_is_called_does_not() -> None:
    began = of_stream("inbound-answered", ChannelBegan)
    assert [one.incoming for one in began if isinstance(one, ChannelBegan)] == [True, False]


def test_a_call_from_outside_that_begins_as_down_is_told_by_its_ring() -> None:
    # chan_sip of Asterisk 20 does so.
    assert isinstance(read("Newstate", ("ChannelState", "4")), ChannelBegan)
    assert isinstance(read("Newstate", ("ChannelState", "6")), ChannelSeen)


def test_a_file_that_a_freepbx_only_names_is_no_recording() -> None:
    named = read("Newstate", ("ChannelState", "6"), ("ChanVariable", "CALLFILENAME=in-201-1.wav"))
    begun = read("Newstate", ("ChannelState", "6"), ("ChanVariable", "MIXMONITOR_FILENAME=in-201-1.wav"))
    assert isinstance(named, ChannelSeen)
    assert isinstance(begun, ChannelSeen)
    assert (named.channel.recording, begun.channel.recording) == (None, "in-201-1.wav")


def test_who_hung_up_with_which_cause() -> None:
    ended = [one for one in of_stream("inbound-busy", HungUp) if isinstance(one, HungUp)]
    assert (ended[0].cause, ended[0].sip_status) == (17, 486)


def test_a_dial_of_the_pbx_itself_has_no_caller() -> None:
    dest = [("DestChannel", "PJSIP/201-1"), ("DestUniqueid", "7.1"), ("DestLinkedid", "7.1"), ("DialString", "201")]
    (began,) = events_of(AmiMessage([("Event", "DialBegin"), *dest]), 5.0)
    assert began == DialBegan(5.0, None, PbxChannel("PJSIP/201-1", "7.1", "7.1"), "201")


def test_where_a_telephone_sends_the_call_itself() -> None:
    ended = [one for one in of_stream("forward-by-phone", DialEnded) if isinstance(one, DialEnded)]
    assert ended[0].forwarded_to == "202"


@pytest.mark.parametrize(
    ("bridge", "kind"),
    [
        (("BridgeCreator", "ConfBridge"), "conference"),
        (("BridgeTechnology", "holding_bridge"), "holding"),
        (("BridgeTechnology", "simple_bridge"), "call"),
    ],
)
def test_what_a_bridge_is_for(bridge: tuple[str, str], kind: str) -> None:
    entered = read("BridgeEnter", bridge, ("BridgeUniqueid", "b"), ("SwapUniqueid", "7.9"))
    assert isinstance(entered, Bridged)
    assert (entered.bridge, entered.kind, entered.instead_of) == ("b", kind, "7.9")


def test_the_mailbox_is_heard_of_by_cel_or_by_the_dialplan() -> None:
    for name in ("voicemail-no-answer", "voicemail-dialplan"):
        assert {one.application for one in of_stream(name, ApplicationBegan) if isinstance(one, ApplicationBegan)} == {
            "VoiceMail"
        }


def test_whatever_comes_from_the_emergency_context_tells_that_the_call_is_stranded() -> None:
    more = [("Context", "routing-engine-emergency"), ("ChanVariable", "ROUTE_STATUS=OK")]
    stranded = events_of(event("Newstate", *more))[1]
    assert isinstance(stranded, CallStranded)
    assert stranded.status == "OK"


def test_a_transfer_that_failed_is_none() -> None:
    by = [("TransfererUniqueid", "7.1"), ("Extension", "202")]
    assert events_of(event("BlindTransfer", *by, ("Result", "Fail"))) == ()
    assert isinstance(read("BlindTransfer", *by, ("Result", "Success")), BlindTransferred)


def test_an_event_without_a_channel_says_nothing() -> None:
    assert events_of(AmiMessage([("Event", "Newstate"), ("Timestamp", "1.5")])) == ()


def test_the_moment_of_a_restart_is_never_after_it() -> None:
    booted = restarted(AmiMessage([("Event", "FullyBooted"), ("Uptime", "12")]), 1000.9)
    assert booted is not None
    assert booted.at == pytest.approx(987.9)
    assert restarted(AmiMessage([("Event", "FullyBooted")]), 1000.9) is None


def test_a_snapshot_knows_when_a_call_began_and_was_answered() -> None:
    shown = event("CoreShowChannel", ("Duration", "01:00:05"), ("BridgeId", "b"), ("ChannelState", "6"))
    status = event("Status", ("Variable", "CDR(start,u)=1000.25"), ("Variable", "CDR(answer,u)=1004.5"))
    (with_status,) = snapshot([shown], [status], 9000.0).channels
    (without,) = snapshot([shown], [], 9000.0).channels
    assert (with_status.began_at, with_status.answered_at, with_status.bridge) == (1000.25, 1004.5, "b")
    assert (without.began_at, without.answered_at) == (9000.0 - 3605, None)


@pytest.mark.parametrize("name", NAMES)
def test_every_moment_of_a_recorded_stream_is_known(name: str) -> None:
    found = [one for connection in connections(name) for message in connection for one in events_of(message)]
    assert all(one.at > 1.7e9 for one in found)


FIELDS = ["Uniqueid", "DestUniqueid", "Timestamp", "Cause", "TechCause", "Uptime", "ChanVariable", "Result", "Duration"]
NAMES_OF_EVENTS = ["Newchannel", "Hangup", "DialBegin", "DialEnd", "BlindTransfer", "CEL", "BridgeEnter", "FullyBooted"]


@examples(100)
@given(st.sampled_from(NAMES_OF_EVENTS), st.lists(st.tuples(st.sampled_from(FIELDS), st.text(max_size=12))))
def test_no_event_whatever_stands_in_it_breaks_the_reader(name: str, fields: list[tuple[str, str]]) -> None:
    message = AmiMessage([("Event", name), *fields])
    for found in events_of(message):
        assert found.at >= 0
    restarted(message, 1000.0)
