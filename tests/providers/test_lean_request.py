"""What goes past aiohttp's session says and does what the session would: the same bytes, the same failures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

import aiohttp
import pytest
from multidict import CIMultiDict
from yarl import URL

from routing_engine.providers.net.kept_connection import WholeAnswer
from routing_engine.providers.net.lean_request import LeanRequests, LeanResponse, RequestTarget, target_of

pytestmark = pytest.mark.io
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
FINE_READ = 200, b"{}"


async def status_and_body(answer: WholeAnswer | LeanResponse) -> tuple[int, bytes]:
    """Return what an answer says, and give its connection back."""
    if isinstance(answer, WholeAnswer):
        return answer.status, answer.body
    try:
        return answer.status, await answer.content.read()
    finally:
        answer.release()


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """End a connection of a server."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def ended(talks: Iterable[asyncio.Task[None] | None]) -> None:
    """Wait until a server has seen that nobody is there any more."""
    await asyncio.gather(*(talk for talk in talks if talk is not None))


class Listening:
    """A server that writes down what it is sent, and answers each request with the next of `answers`; "" closes."""

    def __init__(self, *answers: bytes) -> None:
        self.requests: list[bytes] = []
        self.answers, self.connections = list(answers), 0
        self.left, self._newest = asyncio.Event(), set[asyncio.StreamWriter]()
        self._talks = set[asyncio.Task[None] | None]()

    async def serve(self, talk: Callable[[str, aiohttp.ClientSession], object]) -> None:
        async with await asyncio.start_server(self._answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with aiohttp.ClientSession(headers={"Accept": "application/json", "User-Agent": "us"}) as session:
                await talk(f"127.0.0.1:{port}", session)  # type: ignore[misc]
            await ended(self._talks)

    def say(self, unasked: bytes) -> None:
        """Write to whoever is connected."""
        for writer in self._newest:
            writer.write(unasked)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._newest = {writer}
        self._talks.add(asyncio.current_task())
        try:
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                body = await reader.readexactly(int(length[0][15:])) if length else b""
                self.requests.append(head + body)
                if not (answer := self.answers.pop(0)):
                    break
                writer.write(answer)
        except asyncio.IncompleteReadError:
            self.left.set()
        await hang_up(writer)


@pytest.mark.parametrize(
    ("method", "path", "headers", "body"),
    [
        ("GET", "/who?number=%2B43&x=a%20b", {"X-Key": "ü"}, None),
        ("GET", "/?a=1#part", {"accept": "text/plain"}, None),
        ("POST", "/who", {"Content-Type": "application/json", "Authorization": "Bearer x"}, b'{"a":1}'),
    ],
)
async def test_the_same_lines_are_sent(method: str, path: str, headers: dict[str, str], body: bytes | None) -> None:
    async def talk(at: str, session: aiohttp.ClientSession) -> None:
        url = URL(f"http://anna:secret@{at}{path}", encoded=True)
        lean = LeanRequests(session)
        if "Authorization" in headers:
            url = url.with_user(None)
        assert lean.takes(method, target_of(url), CIMultiDict(headers), body)
        assert await status_and_body(await lean.send(method, target_of(url), CIMultiDict(headers), body)) == FINE_READ
        assert await status_and_body(await lean.send(method, target_of(url), CIMultiDict(headers), body)) == FINE_READ
        lean.close()
        async with session.request(method, url, headers=headers, data=body) as usual:
            await usual.read()

    server = Listening(FINE, CHUNKED, FINE)
    await server.serve(talk)
    ours, _, theirs = [request.partition(b"\r\n\r\n") for request in server.requests]
    assert (ours[0].split(b"\r\n")[0], ours[2]) == (theirs[0].split(b"\r\n")[0], theirs[2])
    assert sorted(ours[0].split(b"\r\n")) == sorted(theirs[0].split(b"\r\n"))
    assert server.connections == 1, "whoever reads the answer"


@pytest.mark.parametrize(
    ("method", "url", "headers", "body"),
    [
        ("GET", "http://a/b\x7f", {}, None),
        ("GET", "http://a/ü", {}, None),
        ("POST", "http://a/b", {}, b"{}"),
        ("POST", "http://a/b", {"Content-Type": "x"}, b"0" * 40_000),
        ("DELETE", "http://a/b", {}, None),
        ("GET", "http://a/b", {}, b"{}"),
    ],
)
async def test_what_is_not_plain_is_left_to_the_session(
    method: str, url: str, headers: dict[str, str], body: bytes | None
) -> None:
    async with aiohttp.ClientSession() as session:
        assert not LeanRequests(session).takes(method, target_of(URL(url, encoded=True)), headers, body)


async def test_a_header_with_a_line_break_is_refused_without_its_text() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ValueError, match=r"^a header holds a line break$"):
            await LeanRequests(session).send(
                "GET", RequestTarget("http://127.0.0.1:9", "/"), {"Key": "a\r\nX: y"}, None
            )


async def test_a_get_on_a_connection_that_has_died_goes_out_once_more_and_a_post_does_not() -> None:
    async def talk(at: str, session: aiohttp.ClientSession) -> None:
        lean, target = LeanRequests(session), RequestTarget(f"http://{at}", "/")
        assert (await lean.send("GET", target, {}, None)).status == 200
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await lean.send("POST", target, {"Content-Type": "x"}, b"y")
        lean.close()

    server = Listening(b"", FINE, b"", FINE)
    await server.serve(talk)
    assert len(server.requests) == 3


async def test_a_connection_that_nobody_uses_for_long_is_closed() -> None:
    async def talk(at: str, session: aiohttp.ClientSession) -> None:
        lean = LeanRequests(session, keep_alive_s=0)
        assert (await lean.send("GET", RequestTarget(f"http://{at}", "/"), {}, None)).status == 200
        await server.left.wait()
        lean.close()

    server = Listening(FINE, FINE)
    await server.serve(talk)


@pytest.mark.parametrize("behind", [b"HTTP/1.1 408 Too Late\r\nContent-Length: 0\r\n\r\n", b"x"])
async def test_what_comes_when_nobody_has_asked_is_nobodys_answer(behind: bytes) -> None:
    async def talk(at: str, session: aiohttp.ClientSession) -> None:
        lean, target = LeanRequests(session), RequestTarget(f"http://{at}", "/")
        assert await status_and_body(await lean.send("GET", target, {}, None)) == FINE_READ
        server.say(behind)
        await server.left.wait()
        assert await status_and_body(await lean.send("GET", target, {}, None)) == FINE_READ
        lean.close()

    server = Listening(FINE, FINE)
    await server.serve(talk)
    assert server.connections == 2


async def test_an_answer_that_nobody_waits_for_any_more_closes_its_connection() -> None:
    async def talk(at: str, session: aiohttp.ClientSession) -> None:
        lean, target = LeanRequests(session), RequestTarget(f"http://{at}", "/")
        asking = asyncio.ensure_future(lean.send("GET", target, {}, None))
        while not server.requests:
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait({asking})
        assert (await lean.send("GET", target, {}, None)).status == 200
        lean.close()

    server = Listening(b"HTTP/1.1 103 Early Hints\r\n\r\n", FINE)
    await server.serve(talk)
    assert server.connections == 2
