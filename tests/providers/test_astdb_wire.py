"""The manager interface on the wire: lines out, blocks in."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.providers.keyed.astdb import action, key_for, read_banner, read_block


def reader_of(raw: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(raw)
    reader.feed_eof()
    return reader


def test_an_action_is_lines_with_an_empty_one_behind() -> None:
    assert action("DBGet", "7", Family="vip", Key="Jörg") == (
        b"Action: DBGet\r\nActionID: 7\r\nFamily: vip\r\nKey: J\xc3\xb6rg\r\n\r\n"
    )


@given(st.text())
def test_no_value_begins_another_line(value: str) -> None:
    try:
        raw = action("DBGet", "7", Key=value)
    except ValueError:
        assert not value.isprintable()
    else:
        assert raw == f"Action: DBGet\r\nActionID: 7\r\nKey: {value}\r\n\r\n".encode()
        assert raw.count(b"\n") == raw.count(b"\r") == 4


def test_the_proof_is_the_digest_of_challenge_and_secret() -> None:
    assert key_for("123456", "secret") == "992f3c4e7ec9a0e96173284c816612bd"


@pytest.mark.parametrize(
    ("raw", "last"),
    [
        (b"Response: Success\r\nActionID: 7\r\nEventList: start\r\n\r\n", False),
        (b"Event: DBGetResponse\r\nVal: gold\r\nActionID: 7\r\n\r\n", False),
        (b"Event: DBGetComplete\r\nActionID: 7\r\nEventList: Complete\r\n\r\n", True),
        (b"Response: Error\r\nActionID: 7\r\nMessage: Database entry not found\r\n\r\n", True),
        (b"Response: Success\r\nActionID: 7\r\n\r\n", True),
    ],
)
async def test_the_last_block_of_an_answer_is_known(raw: bytes, last: bool) -> None:
    heard = await read_block(reader_of(raw))
    assert (heard.id, heard.last) == ("7", last)


async def test_a_field_counts_as_it_stands_first() -> None:
    heard = await read_block(reader_of(b"Event: DBGetResponse\r\nVal: a: b\r\nVal: c\r\n\r\n"))
    assert heard.message["Val"] == "a: b"


async def test_what_is_too_large_or_no_asterisk_is_told() -> None:
    with pytest.raises(ValueError, match="too large"):
        await read_block(reader_of(b"x" * 200_000))
    with pytest.raises(ValueError, match="no manager interface"):
        await read_banner(reader_of(b"SSH-2.0-OpenSSH\r\n"))
    with pytest.raises(EOFError):
        await read_banner(reader_of(b""))
