"""FastAGI on the wire: tables of bytes and values, split wherever a network may split them."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Callable
from datetime import datetime
from types import FrameType

import pytest
from fakes import DEAD, environment
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.channels.agi.wire import (
    MAX_COMMAND,
    MAX_ENVIRONMENT_BYTES,
    MAX_ENVIRONMENT_LINES,
    MAX_LINE,
    MAX_USAGE_LINES,
    AgiWire,
    ArrivingCall,
    Environment,
    Hangup,
    Reply,
    command,
    read_call,
    read_reply,
)
from routing_engine.errors import ChannelBroken
from tests.examples import examples

NOW = datetime(2026, 11, 18, 10, 30)
USAGE = "520-Invalid command syntax.  Proper usage follows:\nUsage: SET VARIABLE <name> <value>\n\n200 result=1\n"
USAGE_END = "520 End of proper usage.\n"

#: One line as Asterisk 22 sends it, and what it says (facts/asterisk.md, section 3).
REPLIES = [
    ("200 result=0", Reply(200, "0")),
    ("200 result=1", Reply(200, "1")),
    ("200 result=-1", Reply(200, "-1")),
    ("200 result=-2", Reply(200, "-2")),
    ("200 result=0 endpos=24000", Reply(200, "0", "endpos=24000")),
    ("200 result=50 endpos=1280", Reply(200, "50", "endpos=1280")),
    ("200 result=-1 endpos=0", Reply(200, "-1", "endpos=0")),
    ("200 result= (timeout)", Reply(200, "", "(timeout)")),
    ("200 result=12 (timeout)", Reply(200, "12", "(timeout)")),
    ("200 result=0123", Reply(200, "0123")),
    ("200 result=12*4", Reply(200, "12*4")),
    ("200 result=", Reply(200, "")),
    ("200 result=35 (dtmf) endpos=160", Reply(200, "35", "(dtmf) endpos=160")),
    ("200 result=1 ()", Reply(200, "1", "()")),
    ("200 result=1 (Müller 😀)", Reply(200, "1", "(Müller 😀)")),
    ("200 result=1 (hangup)", Reply(200, "1", "(hangup)")),
    ("200 result=0 Gosub complete", Reply(200, "0", "Gosub complete")),
    ("100 result=0 Trying...", None),
    ("510 Invalid or unknown command", Reply(510, "", "Invalid or unknown command")),
    (DEAD, Reply(511, "", DEAD[4:])),
    (
        "520 Invalid command syntax.  Proper usage not available.",
        Reply(520, "", "Invalid command syntax.  Proper usage not available."),
    ),
    ("200 result=0\r", Reply(200, "0")),
]


def wire() -> AgiWire:
    """Return a wire whose session is open."""
    found = AgiWire()
    found.feed(environment())
    return found


@pytest.mark.parametrize(("line", "reply"), REPLIES)
def test_a_reply_is_read(line: str, reply: Reply | None) -> None:
    assert read_reply(line) == reply


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("200 result=1 (x)", "x"),
        ("200 result=1 (x) y())", "x) y()"),
        ("200 result=1 ())(", ")"),
        ("200 result=1 ()", ""),
        ("200 result=0", ""),
        ("200 result=1 )(", ""),
        ("200 result=1 ( a  b )", " a  b "),
    ],
)
def test_a_value_runs_to_the_last_bracket(line: str, value: str) -> None:
    reply = read_reply(line)
    assert reply is not None
    assert reply.value == value


@pytest.mark.parametrize(
    "line",
    ["", " ", "hello", "20 result=0", "2000 result=0", "２００ result=0", "-20 x", "HTTP/1.1 200 OK", "agi_x: 1", "\0"],
)
def test_a_line_that_is_no_reply_ends_the_session(line: str) -> None:
    with pytest.raises(ChannelBroken):
        wire().feed(line.encode() + b"\n")


# What a session says, and the events it gives

SESSIONS = {
    "replies": ("200 result=0\n200 result=12 (timeout)\n", [Reply(200, "0"), Reply(200, "12", "(timeout)")]),
    "a hang-up while idle": ("HANGUP\n", [Hangup()]),
    "a hang-up before a reply": (f"HANGUP\n{DEAD}\n", [Hangup(), Reply(511, "", DEAD[4:])]),
    "a hang-up after -1": ("200 result=-1 endpos=5760\nHANGUP\n", [Reply(200, "-1", "endpos=5760"), Hangup()]),
    "two hang-ups": ("HANGUP\nHANGUP\n", [Hangup(), Hangup()]),
    "a usage text": (USAGE + USAGE_END + "200 result=1\n", [Reply(520), Reply(200, "1")]),
    "a usage text of one line": ("520 No usage.\n200 result=1\n", [Reply(520, "", "No usage."), Reply(200, "1")]),
    "not the final reply": (
        "100 result=0 Trying...\n200 result=0 Gosub complete\n",
        [Reply(200, "0", "Gosub complete")],
    ),
    "UTF-8": ("200 result=1 (Zoë 😀)\n", [Reply(200, "1", "(Zoë 😀)")]),
    "a value that is hangup": ("200 result=1 (HANGUP)\n", [Reply(200, "1", "(HANGUP)")]),
    "half a line": ("200 result=", []),
    "the replies to a burst": ("200 result=1\n" * 3, [Reply(200, "1")] * 3),
    "a burst and a refusal": (
        "200 result=1\n511 no\n200 result=1\n",
        [Reply(200, "1"), Reply(511, "", "no"), Reply(200, "1")],
    ),
    "such a line in a usage text": (USAGE + "200 result=1\n" + USAGE_END, [Reply(520)]),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_gives_its_events(name: str) -> None:
    text, events = SESSIONS[name]
    assert wire().feed(text.encode()) == events


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_may_be_split_at_every_byte(name: str) -> None:
    data, events = SESSIONS[name][0].encode(), SESSIONS[name][1]
    for place in range(len(data)):
        one = wire()
        assert one.feed(data[:place]) + one.feed(data[place:]) == events


@pytest.mark.parametrize("foreign", ["GET / HTTP/1.1", "agi_", "agi_x", "", "Agi_x: 1"])
def test_an_environment_in_one_piece_with_a_foreign_line_ends_the_session(foreign: str) -> None:
    with pytest.raises(ChannelBroken):
        AgiWire().feed(f"agi_request: agi://engine/support\n{foreign}\nagi_channel: PJSIP/100\n\n".encode())


def test_an_environment_in_one_piece_is_read_as_a_whole_and_not_line_by_line() -> None:
    whole, data = AgiWire(), environment()
    calls = calls_in(lambda: whole.feed(data))
    assert calls < data.count(b"\n") < calls_in(lambda: feed_in_two(AgiWire(), data))


def feed_in_two(wire: AgiWire, data: bytes) -> None:
    """Feed it the first line, then the others: they are read line by line."""
    first = data.index(b"\n") + 1
    wire.feed(data[:first])
    wire.feed(data[first:])


def calls_in(work: Callable[[], object]) -> int:
    """Return how many functions of the wire are called: what time would tell, without a clock."""
    calls = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call" and frame.f_globals["__name__"] == AgiWire.__module__

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def test_an_environment_may_be_split_at_every_byte() -> None:
    data = environment(calleridname="Zoë 😀", arg_1="a: b") + b"HANGUP\n"
    expected = AgiWire().feed(data)
    for place in range(len(data)):
        one = AgiWire()
        assert one.feed(data[:place]) + one.feed(data[place:]) == expected


ALL = environment(calleridname="Zoë") + "".join(text for text, _ in SESSIONS.values()).encode()


@given(st.lists(st.integers(0, len(ALL)), max_size=30))
@examples(100)
def test_a_session_may_be_split_anyhow(places: list[int]) -> None:
    one, cuts = AgiWire(), sorted({0, *places, len(ALL)})
    pieces = [ALL[start:end] for start, end in itertools.pairwise(cuts)]
    assert [event for piece in pieces for event in one.feed(piece)] == AgiWire().feed(ALL)


@given(st.binary(max_size=300), st.booleans())
@examples(200)
def test_any_bytes_are_events_or_the_end_of_the_session(data: bytes, opened: bool) -> None:
    one = wire() if opened else AgiWire()
    with contextlib.suppress(ChannelBroken):
        assert isinstance(one.feed(data), list)


def test_a_memory_view_is_taken_as_it_is() -> None:
    assert wire().feed(memoryview(bytearray(b"200 result=0\n"))) == [Reply(200, "0")]


# The environment


def opened(data: bytes) -> Environment:
    (event,) = AgiWire().feed(data)
    assert isinstance(event, Environment)
    return event


def test_an_environment_keeps_what_stands_after_the_first_colon() -> None:
    values = opened(environment(calleridname='Anna \\"Q\\" O;Neil: x', accountcode="")).values
    assert (values["calleridname"], values["accountcode"]) == ('Anna \\"Q\\" O;Neil: x', "")


def test_arguments_keep_their_order() -> None:
    found = opened(environment(arg_1="one,still one", arg_2="", arg_3="+49301234567"))
    assert found.arguments == ("one,still one", "", "+49301234567")


def test_an_environment_may_use_carriage_returns() -> None:
    assert opened(environment().replace(b"\n", b"\r\n")).values["uniqueid"] == "1795198986.2"


def test_bytes_that_are_no_utf_8_are_replaced() -> None:
    assert opened(environment(calleridname="M\udcfcller")).values["calleridname"] == "M\ufffdller"


TOO_MUCH = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\n",
    "SIP": b"OPTIONS sip:x SIP/2.0\r\n",
    "no colon": b"agi_network yes\n",
    "another name": b"network: yes\n",
    "a line without an end": b"agi_x: " + b"x" * (MAX_LINE + 1),
    "too many lines": b"".join(b"agi_arg_%d: x\n" % n for n in range(MAX_ENVIRONMENT_LINES + 1)),
    "too many bytes": b"".join(b"agi_arg_%d: %s\n" % (n, b"x" * 1000) for n in range(66)),
    "the same name for ever": b"agi_x: xxxxxxxxxx\n" * (MAX_ENVIRONMENT_BYTES // 16 + 1),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_no_asterisk_sends_first_ends_the_session(name: str) -> None:
    with pytest.raises(ChannelBroken):
        AgiWire().feed(TOO_MUCH[name])


def test_an_environment_at_its_limit_is_taken() -> None:
    lines = b"".join(b"agi_arg_%d: x\n" % n for n in range(MAX_ENVIRONMENT_LINES))
    assert len(opened(lines + b"\n").arguments) == MAX_ENVIRONMENT_LINES


def test_a_reply_without_an_end_ends_the_session() -> None:
    with pytest.raises(ChannelBroken, match="a line without an end"):
        wire().feed(b"200 result=1 (" + b"x" * MAX_LINE)


def test_a_usage_text_without_an_end_ends_the_session() -> None:
    with pytest.raises(ChannelBroken, match="a usage text without an end"):
        wire().feed(USAGE.encode() + b"x\n" * MAX_USAGE_LINES)


def test_a_second_environment_ends_the_session() -> None:
    with pytest.raises(ChannelBroken):
        wire().feed(environment())


# Commands

COMMANDS = [
    (("ANSWER",), b"ANSWER\n"),
    (("SET VARIABLE", "A", "b c"), b'SET VARIABLE "A" "b c"\n'),
    (("SET VARIABLE", "A", ""), b'SET VARIABLE "A" ""\n'),
    (("X", 'say "hi"'), b'X "say \\"hi\\""\n'),
    (("X", "a\\"), b'X "a\\\\"\n'),
    (("X", '\\"'), b'X "\\\\\\""\n'),
    (("X", "a\nHANGUP"), b'X "a HANGUP"\n'),
    (("X", "a\r\nb\0c\x7fd\te"), b'X "a  b c d e"\n'),
    (("X", "Zoë € 😀"), 'X "Zoë € 😀"\n'.encode()),
    (("X", "half \ud800"), b'X "half ?"\n'),
    (("X", "${A}(),|;&'"), b'X "${A}(),|;&\'"\n'),
]


@pytest.mark.parametrize(("words", "line"), COMMANDS)
def test_a_command_is_quoted(words: tuple[str, ...], line: bytes) -> None:
    assert command(*words) == line


@given(st.lists(st.text(max_size=50), min_size=1, max_size=3))
@examples(200)
def test_a_command_is_always_one_line_with_even_quotes(values: list[str]) -> None:
    line = command("X", *values)
    assert line.count(b"\n") == 1
    bare = line.replace(b"\\\\", b"").replace(b'\\"', b"")
    assert bare.count(b'"') == 2 * len(values)


def test_the_longest_command_is_what_asterisk_takes() -> None:
    assert len(command("X", "x" * (MAX_COMMAND - 4))) == MAX_COMMAND + 1
    with pytest.raises(ValueError, match="a command of 8191 bytes"):
        command("X", "x" * (MAX_COMMAND - 3))


def test_the_length_of_a_command_is_counted_in_bytes() -> None:
    with pytest.raises(ValueError):
        command("X", "€" * 2730)


# The call


def call(**changed: str) -> ArrivingCall:
    return read_call(opened(environment(**changed)), "AT", lambda: NOW)


LONG = "5" * 8_000


def test_whoever_reaches_the_port_leaves_no_more_than_a_call_needs() -> None:
    found = call(callerid=LONG, calleridname=LONG, dnid=LONG, language=LONG, uniqueid=LONG, network_script=LONG)
    caller = found.caller
    kept = (caller.name, caller.called, caller.unread, caller.language, caller.call_id, found.route, found.language)
    assert sorted(map(len, kept)) == [0, 0, 80, 200, 200, 200, 200]
    assert caller.number is None


@pytest.mark.parametrize("word", ["name", "called", "caller", "language"])
def test_the_words_of_the_address_are_cut_too(word: str) -> None:
    found = call(network_script=f"support?{word}={LONG}")
    kept = (found.caller.name, found.caller.called, found.caller.unread, found.language)
    assert max(map(len, kept)) <= 200


@pytest.mark.parametrize("language", ["../../../../etc", "de/../x", "de\u0301", "$" + "{SHELL(id)}", "d" * 9, "de;x"])
def test_a_language_that_is_none_is_left_out(language: str) -> None:
    assert call(language=language).caller.language == ""
    assert call(network_script=f"support?language={language}").language == ""


def test_a_call_has_all_that_asterisk_says() -> None:
    caller = call().caller
    assert caller.number is not None
    assert (caller.number.e164, caller.called, caller.name) == ("+436641234567", "217", "Anna")
    assert (caller.language, caller.call_id, caller.at, caller.hidden) == ("en", "1795198986.2", NOW, False)


@pytest.mark.parametrize(
    ("script", "route"),
    [
        ("support", "support"),
        ("support?language=de", "support"),
        ("/support/", "support"),
        ("s%C3%BCd", "süd"),
        ("a/b", "a/b"),
        ("..%2F..%2Fetc", "../../etc"),
        ("", ""),
        ("?language=de", ""),
    ],
)
def test_the_url_names_the_route(script: str, route: str) -> None:
    assert call(network_script=script).route == route


def test_the_first_argument_is_the_route_where_the_url_has_none() -> None:
    assert call(network_script="", arg_1="language=de", arg_2="support", arg_3="sales").route == "support"


def test_the_url_may_carry_the_language_the_number_and_the_name() -> None:
    found = call(network_script="support?language=de&called=4311&caller=%2B4930123456&name=M%C3%BCller+%26+Co")
    assert found.caller.number is not None
    assert (found.caller.called, found.caller.number.e164) == ("4311", "+4930123456")
    assert (found.caller.name, found.language) == ("Müller & Co", "de")


def test_the_language_of_the_channel_is_not_that_of_the_url() -> None:
    assert call(network_script="support?language=de").caller.language == "en"


def test_arguments_carry_the_same_words_and_the_url_comes_first() -> None:
    found = call(network_script="support?called=1", arg_1="called=2", arg_2=" language = de_AT ", arg_3="x")
    assert (found.caller.called, found.language) == ("1", "de_AT")


@pytest.mark.parametrize("presentation", ["32", "33", "35", "96", "99", "67"])
def test_a_withheld_number_is_hidden_although_it_is_delivered(presentation: str) -> None:
    caller = call(callingpres=presentation).caller
    hidden = presentation != "67"
    assert (caller.number is None, caller.hidden, caller.name) == (
        (True, True, "") if hidden else (False, False, "Anna")
    )


@pytest.mark.parametrize("presentation", ["0", "1", "3", "", "-1", "abc", "٣٢", "²", "3" * 5000])
def test_other_presentations_are_not_withheld(presentation: str) -> None:
    assert call(callingpres=presentation).caller.hidden is False


@pytest.mark.parametrize("word", ["anonymous", "Anonymous", "unknown", "", " private ", "<unknown>"])
def test_a_word_instead_of_a_number_is_a_hidden_caller(word: str) -> None:
    caller = call(callerid=word).caller
    assert (caller.number, caller.hidden) == (None, True)


def test_a_withheld_number_stays_withheld_when_the_dialplan_hands_it_over() -> None:
    caller = call(callingpres="32", network_script="support?caller=%2B4930123456").caller
    assert (caller.number, caller.hidden) == (None, True)


def test_a_malformed_number_is_not_hidden_but_none() -> None:
    caller = call(callerid="sip:anna@example.com").caller
    assert (caller.number, caller.hidden) == (None, False)


def test_a_missing_name_is_empty() -> None:
    assert call(calleridname="unknown").caller.name == ""


def test_an_unknown_dialled_number_is_the_extension() -> None:
    assert call(dnid="unknown", extension="300").caller.called == "300"


@pytest.mark.parametrize("name", ["a\0b", 'x" "y', "${SHELL(rm)}", "\u202eevil", "M\udcfcller", "x" * 60_000, "HANGUP"])
def test_a_hostile_name_is_only_a_name(name: str) -> None:
    assert call(calleridname=name).caller.called == "217"


@pytest.mark.parametrize(
    ("received", "kept"),
    [("1795.2", "1795.2"), ("pbx-1795.2", "pbx-1795.2"), ('a"b c\0$', "abc"), ("x" * 99, "x" * 80)],
)
def test_the_id_of_a_call_is_harmless(received: str, kept: str) -> None:
    assert call(uniqueid=received).caller.call_id == kept


@given(st.dictionaries(st.sampled_from(["network_script", "callerid", "dnid", "arg_1", "callingpres"]), st.text()))
@examples(100)
def test_any_environment_is_a_call(changed: dict[str, str]) -> None:
    values = {name: value.replace("\n", "") for name, value in changed.items()}
    assert isinstance(read_call(Environment(values, tuple(values.values())), "AT", lambda: NOW), ArrivingCall)
