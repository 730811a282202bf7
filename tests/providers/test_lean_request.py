"""What goes past aiohttp's session says and does what the session would: the same bytes, the same failures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import pytest
from multidict import CIMultiDict
from yarl import URL

from routing_engine.providers.net.lean_request import LeanRequests

pytestmark = pytest.mark.io
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Listening:
    """A server that writes down what it is sent, and answers each request with the next of `answers`; "" closes."""

    def __init__(self, *answers: bytes) -> None:
        self.requests: list[bytes] = []
        self.answers, self.connections = list(answers), 0

    async def serve(self, talk: Callable[[str, aiohttp.ClientSession], object]) -> None:
        async with await asyncio.start_server(self._answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with aiohttp.ClientSession(headers={"Accept": "application/json", "User-Agent": "us"}) as session:
                await talk(f"127.0.0.1:{port}", session)  # type: ignore[misc]

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
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
            pass
        writer.close()


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
        assert lean.takes(method, url, CIMultiDict(headers), body)
        answer = await lean.send(method, url, CIMultiDict(headers), body)
        assert (answer.status, await answer.content.read()) == (200, b"{}")
        answer.release()
        async with session.request(method, url, headers=headers, data=body) as usual:
            await usual.read()

    server = Listening(FINE, FINE)
    await server.serve(talk)
    ours, theirs = [request.partition(b"\r\n\r\n") for request in server.requests]
    assert (ours[0].split(b"\r\n")[0], ours[2]) == (theirs[0].split(b"\r\n")[0], theirs[2])
    assert sorted(ours[0].split(b"\r\n")) == sorted(theirs[0].split(b"\r\n"))
    assert server.connections == 1


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
        assert not LeanRequests(session).takes(method, URL(url, encoded=True), headers, body)


async def test_a_header_with_a_line_break_is_refused_without_its_text() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ValueError, match=r"^a header holds a line break$"):
            await LeanRequests(session).send("GET", URL("http://127.0.0.1:9/"), {"Key": "a\r\nX: y"}, None)


async def test_a_get_on_a_connection_that_has_died_goes_out_once_more_and_a_post_does_not() -> None:
    async def talk(at: str, session: aiohttp.ClientSession) -> None:
        lean = LeanRequests(session)
        answer = await lean.send("GET", URL(f"http://{at}/"), {}, None)
        assert answer.status == 200
        answer.close()
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await lean.send("POST", URL(f"http://{at}/"), {"Content-Type": "x"}, b"y")

    server = Listening(b"", FINE, b"", FINE)
    await server.serve(talk)
    assert len(server.requests) == 3


async def test_an_answer_that_nobody_waits_for_any_more_closes_its_connection() -> None:
    async def talk(at: str, session: aiohttp.ClientSession) -> None:
        lean = LeanRequests(session)
        asking = asyncio.ensure_future(lean.send("GET", URL(f"http://{at}/"), {}, None))
        while not server.requests:
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait({asking})
        answer = await lean.send("GET", URL(f"http://{at}/"), {}, None)
        assert answer.status == 200
        answer.close()

    server = Listening(b"HTTP/1.1 103 Early Hints\r\n\r\n", FINE)
    await server.serve(talk)
    assert server.connections == 2
