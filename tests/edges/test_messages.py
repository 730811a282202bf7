"""What an edge and its hub say to each other: read back as it was written, and nothing else is taken for a message."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.edges.messages import (
    PIECE,
    Answer,
    Ask,
    Changes,
    Health,
    Hello,
    LineFault,
    Message,
    More,
    NotTaken,
    Phones,
    Piece,
    Refused,
    Stop,
    Taken,
    ToldChange,
    Welcome,
    read,
    read_piece,
    written,
    written_piece,
)
from tests.examples import examples

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
WHOLE = st.integers(0, 2**53)
MESSAGES = st.one_of(
    st.builds(Hello, WHOLE, TEXTS, TEXTS, st.lists(TEXTS).map(tuple), st.floats(0, 4e9)),
    st.builds(Welcome, TEXTS, WHOLE, st.dictionaries(TEXTS, TEXTS)),
    st.builds(Refused, TEXTS, TEXTS, TEXTS),
    st.builds(Phones, st.dictionaries(TEXTS, TEXTS)),
    st.builds(Changes, st.lists(st.builds(ToldChange, WHOLE, call=TEXTS)).map(tuple)),
    st.builds(Taken, WHOLE, st.lists(st.builds(NotTaken, WHOLE, TEXTS)).map(tuple)),
    st.builds(Health, st.floats(0, 4e9), WHOLE, st.none() | st.floats(0, 4e9), WHOLE, st.lists(TEXTS).map(tuple)),
    st.builds(Ask, WHOLE, pbx=TEXTS, body=TEXTS),
    st.builds(Answer, WHOLE, TEXTS, text=TEXTS),
    st.builds(More, WHOLE, WHOLE),
    st.builds(Stop, WHOLE),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(MESSAGES)
@examples(60)
def test_what_is_written_is_read_back_as_it_was(message: Message) -> None:
    assert read(written(message)) == message


@given(st.binary(min_size=1, max_size=PIECE), st.integers(0, 2**32 - 1))
@examples(20)
def test_a_piece_is_read_back_as_it_was(sound: bytes, ask: int) -> None:
    assert read_piece(written_piece(Piece(ask, sound))) == Piece(ask, sound)


def test_a_message_of_a_newer_version_is_none_and_a_member_of_one_is_left_out() -> None:
    assert read('{"type": "weather", "sun": 1}') is None
    assert read('{"type": "stop", "id": 7, "why": "rain"}') == Stop(7)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no", "JSON|Expecting"),
        ("[]", "not a JSON object"),
        ("[" * 100_000, "deeply"),
        ('{"type": "stop"}', "id is missing"),
        ('{"type": "stop", "id": "7"}', "id is no number"),
        ('{"type": "stop", "id": true}', "id is no number"),
        ('{"type": "stop", "id": 1e400}', "id is no number"),
        ('{"type": "stop", "id": NaN}', "NaN is no number"),
        ('{"type": "taken", "number": 99999999999999999999}', "number is no number"),
        ('{"type": "answer", "id": 1, "text": "\\ud800"}', "text has a sign that is none"),
        ('{"type": "ask", "id": 1, "what": "shell", "pbx": "main"}', "what is none of"),
        ('{"type": "changes", "changes": {}}', "changes is not a list"),
        ('{"type": "changes", "changes": [7]}', "changes is not an object"),
        ('{"type": "phones", "phones": ["a"]}', "phones is not an object"),
    ],
)
def test_what_is_no_message_ends_the_line_with_a_sentence(text: str, why: str) -> None:
    with pytest.raises(LineFault, match=why):
        read(text)


@given(st.dictionaries(st.text(max_size=8), JSON), st.sampled_from(["hello", "changes", "health", "answer", "taken"]))
@examples(60)
def test_whatever_comes_is_a_message_or_a_fault_of_the_line(members: dict[str, object], kind: str) -> None:
    try:
        found = read(json.dumps({**members, "type": kind}))
    except LineFault:
        return
    assert found is not None
    assert read(written(found)) == found


@pytest.mark.parametrize("sent", [b"", b"\0\0\0\1", b"\0\0\0\1" + b"x" * (PIECE + 1)])
def test_bytes_that_are_no_piece_end_the_line(sent: bytes) -> None:
    with pytest.raises(LineFault, match="no piece"):
        read_piece(sent)
