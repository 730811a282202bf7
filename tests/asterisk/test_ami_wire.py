"""The manager interface on the wire: lines out, messages in, wherever they are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.asterisk.ami_wire import (
    MAX_MESSAGE,
    AmiMessage,
    AmiWire,
    log_in_key,
    unescape_value,
    write_action,
)

BANNER = b"Asterisk Call Manager/11.0.0\r\n"


def read(raw: bytes) -> AmiMessage:
    (message,) = AmiWire().feed(BANNER + raw)
    return message


def test_an_action_is_lines_with_an_empty_one_behind() -> None:
    assert write_action("DBGet", "7", {"Family": "vip", "Key": "Jörg"}) == (
        b"Action: DBGet\r\nActionID: 7\r\nFamily: vip\r\nKey: J\xc3\xb6rg\r\n\r\n"
    )


def test_several_values_of_a_field_are_a_line_each() -> None:
    raw = write_action("Originate", "7", {"Variable": ["A=1", "B=2"]})
    assert raw == b"Action: Originate\r\nActionID: 7\r\nVariable: A=1\r\nVariable: B=2\r\n\r\n"


@given(st.text())
def test_no_value_begins_another_line(value: str) -> None:
    try:
        raw = write_action("DBGet", "7", {"Key": value})
    except ValueError:
        assert not value.isprintable()
    else:
        assert raw == f"Action: DBGet\r\nActionID: 7\r\nKey: {value}\r\n\r\n".encode()
        assert raw.count(b"\n") == raw.count(b"\r") == 4


def test_the_proof_is_the_digest_of_challenge_and_secret() -> None:
    assert log_in_key("123456", "secret") == "992f3c4e7ec9a0e96173284c816612bd"


@pytest.mark.parametrize(
    ("raw", "last"),
    [
        (b"Response: Success\r\nActionID: 7\r\nEventList: start\r\n\r\n", False),
        (b"Event: DBGetResponse\r\nVal: gold\r\nActionID: 7\r\n\r\n", False),
        (b"Event: DBGetComplete\r\nActionID: 7\r\nEventList: Complete\r\n\r\n", True),
        (b"Event: QueueStatusComplete\r\nActionID: 7\r\nEventList: cancelled\r\n\r\n", True),
        (b"Response: Error\r\nActionID: 7\r\nMessage: Database entry not found\r\n\r\n", True),
        (b"Response: Success\r\nActionID: 7\r\n\r\n", True),
    ],
)
def test_the_last_message_of_an_answer_is_known(raw: bytes, last: bool) -> None:
    assert (read(raw).number, read(raw).is_last) == ("7", last)


def test_a_field_counts_as_it_stands_first_and_all_of_them_can_be_had() -> None:
    message = read(b"Event: DBGetResponse\r\nVal: a: b\r\nVal: c\r\n\r\n")
    assert (message["Val"], message.every("Val")) == ("a: b", ["a: b", "c"])


STREAM = BANNER + "Event: A\r\nName: Jörg 🦊\r\n\r\nEvent: B\r\n\r\n".encode()


@given(st.lists(st.integers(0, len(STREAM))))
def test_messages_are_the_same_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    wire, ends = AmiWire(), sorted({0, len(STREAM), *cuts})
    pieces = [STREAM[start:end] for start, end in pairwise(ends)]
    messages = [message for piece in pieces for message in wire.feed(piece)]
    assert messages == [{"Event": "A", "Name": "Jörg 🦊"}, {"Event": "B"}]


def test_what_is_too_large_or_not_an_asterisk_is_told() -> None:
    with pytest.raises(ValueError, match="too large"):
        AmiWire().feed(BANNER + b"x" * (MAX_MESSAGE + 1))
    for raw in (b"SSH-2.0-OpenSSH\r\n", b"H", b"Asterisk Call Manager/" + b"1" * 300):
        with pytest.raises(ValueError, match="is not Asterisk's manager interface"):
            AmiWire().feed(raw)


@given(st.binary())
def test_no_bytes_do_anything_but_raise_a_value_error(raw: bytes) -> None:
    try:
        messages = AmiWire().feed(BANNER + raw)
    except ValueError:
        messages = []
    assert all(isinstance(message, AmiMessage) for message in messages)


def test_a_variable_is_read_as_asterisk_escapes_it() -> None:
    assert unescape_value(r"a\\b\"c\n") == 'a\\b"c\n'
