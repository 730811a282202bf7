"""A plain answer is read here, and says what aiohttp would make of it; at the first doubt aiohttp reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpResponseParser
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.providers.net.kept_connection import _plain_head
from routing_engine.providers.net.lean_request import LeanRequests, RequestTarget
from tests.examples import examples

from .test_lean_request import ended, hang_up, status_and_body

#: Status, headers and body.
Read: TypeAlias = tuple[int, list[tuple[str, str]], bytes]

PLAIN = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 4\r\nX-A:  b c\t\r\nconnection: keep-alive\r\n\r\nbody"
#: Each breaks one thing that makes an answer plain.
ODD = [
    b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody",
    b"HTTP/1.1 103 Early\r\nContent-Length: 4\r\n\r\nbody",
    b"HTTP/1.1 204 None\r\nContent-Length: 4\r\n\r\nbody",
    b"HTTP/1.1 304 Same\r\nContent-Length: 4\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nbody",
    b"HTTP/1.1 200 OK\nContent-Length: 4\n\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4_0\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length : 4\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n X: folded\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Encoding: gzip\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: keep-alive\r\nConnection: close\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX: \xc3\xa9\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX: a\x00b\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX: a\rb\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX: " + b"y" * 8200 + b"\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n" + b"X: y\r\n" * 130 + b"\r\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n",
    b" " + PLAIN,
]


def lower(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in headers.items()]


def read_by_us(came: bytes) -> Read | None:
    head = _plain_head(came)
    if head is None or head.ends != len(came):
        return None
    return head.status, lower(head.headers), came[head.begins :]


def read_by_aiohttp(came: bytes) -> Read:
    loop = asyncio.new_event_loop()
    try:
        parser = HttpResponseParser(BaseProtocol(loop), loop, 65536, read_until_eof=True)
        messages, _, _ = parser.feed_data(came)
        message, content = messages[0]
        assert not message.should_close
        assert content.is_eof()
        return message.code, lower(message.headers), bytes(content.read_nowait())
    finally:
        loop.close()


def test_a_plain_answer_is_read_as_aiohttp_reads_it() -> None:
    assert read_by_us(PLAIN) == read_by_aiohttp(PLAIN)


@pytest.mark.parametrize("came", ODD)
def test_at_the_first_doubt_aiohttp_reads_it(came: bytes) -> None:
    assert _plain_head(came) is None


HEADS = [one.partition(b"\r\n\r\n")[0] for one in [PLAIN, *ODD[:-4]]]
LINES = st.sampled_from([line for head in HEADS for line in head.split(b"\r\n")[1:]])


@examples(300)
@given(
    st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.1 404 Not Found", b"HTTP/1.1 500 ", b"HTTP/1.1  200 OK"]),
    st.lists(LINES, max_size=5),
    st.binary(max_size=2),
    st.integers(0, 200),
)
def test_whatever_passes_for_plain_aiohttp_reads_the_same(
    first: bytes, lines: Sequence[bytes], odd: bytes, at: int
) -> None:
    whole = b"\r\n".join([first, *lines, b"", b"body"])
    came = whole[:at] + odd + whole[at:]
    ours = read_by_us(came)
    assert ours is None or ours == read_by_aiohttp(came)


@pytest.mark.io
@pytest.mark.parametrize("answer", [PLAIN, PLAIN.replace(b"keep-alive", b"close"), PLAIN.replace(b"OK", b"\xe9")])
async def test_an_answer_may_come_in_any_two_parts(answer: bytes) -> None:
    async with InTwoParts(answer) as server, aiohttp.ClientSession() as session:
        lean = LeanRequests(session)
        for server.at in range(0, len(answer), 7):
            assert await status_and_body(await lean.send("GET", server.target, {}, None)) == (200, b"body")
        lean.close()


@pytest.mark.io
@pytest.mark.parametrize("at", [20, len(PLAIN) - 2])
async def test_an_answer_that_breaks_off_is_an_error(at: int) -> None:
    async with InTwoParts(PLAIN[:at], ends=True) as server, aiohttp.ClientSession() as session:
        lean = LeanRequests(session)
        with pytest.raises(aiohttp.ClientError):
            await status_and_body(await lean.send("GET", server.target, {}, None))
        lean.close()


class InTwoParts:
    """A server that answers in two writes, `at` being where the second begins; with `ends` it hangs up then."""

    def __init__(self, answer: bytes, ends: bool = False) -> None:
        self.answer, self.at, self.ends = answer, 0, ends
        self._talks = set[asyncio.Task[None] | None]()

    async def __aenter__(self) -> InTwoParts:
        self._listening = await asyncio.start_server(self._answer_all, "127.0.0.1", 0)
        self.target = RequestTarget(f"http://127.0.0.1:{self._listening.sockets[0].getsockname()[1]}", "/")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.close()
        await ended(self._talks)

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._talks.add(asyncio.current_task())
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(self.answer[: self.at])
                for _ in range(5):  # turns of the loop that both sides run in: the first part is read meanwhile
                    await asyncio.sleep(0)
                writer.write(self.answer[self.at :])
                if self.ends or b"close" in self.answer:
                    break
        except asyncio.IncompleteReadError:
            pass
        await hang_up(writer)
