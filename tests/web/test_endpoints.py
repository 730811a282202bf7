"""What a row of the table declares holds, and an answer goes out whole, piece by piece, or not at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from routing_engine.errors import ProviderUnreachable
from routing_engine.settings.api import Program
from routing_engine.settings.people import People
from routing_engine.web.access import Access
from routing_engine.web.api import ApiListener
from routing_engine.web.endpoints import TEXT, Endpoint, Parameter, takes
from routing_engine.web.requests import ApiAnswer, ApiRequest, PlainAnswer, StreamAnswer

pytestmark = pytest.mark.io

KEY = "k" * 20
PIECES = [b"one ", b"two ", b"three"]


@dataclass
class Rows:
    """Addresses of a made-up room; `closed` is told when a stream is."""

    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("GET", "/open", None, self._query, parameters=(Parameter("a", "a word"),)),
            Endpoint("POST", "/body", "calls.write", self._body, body=takes({"a": TEXT})),
            Endpoint("GET", "/page", None, self._page),
            Endpoint("GET", "/pieces", None, self._pieces),
            Endpoint("GET", "/broken", None, self._broken),
            Endpoint("GET", "/endless", None, self._endless),
            Endpoint("DELETE", "/page", None, self._nothing),
        )

    async def _query(self, request: ApiRequest) -> ApiAnswer:
        return ApiAnswer({"asked": dict(request.query), "by": request.actor.name})

    async def _body(self, request: ApiRequest) -> ApiAnswer:
        return ApiAnswer(request.body)

    async def _page(self, _: ApiRequest) -> PlainAnswer:
        return PlainAnswer(b"<p>", "text/html; charset=utf-8", headers={"Cache-Control": "max-age=60"})

    async def _nothing(self, _: ApiRequest) -> ApiAnswer:
        return ApiAnswer({}, 204)

    async def _pieces(self, _: ApiRequest) -> StreamAnswer:
        return StreamAnswer(self._told(), "audio/wav", length=len(b"".join(PIECES)))

    async def _told(self) -> AsyncGenerator[bytes, None]:
        for piece in PIECES:
            yield piece

    async def _broken(self, _: ApiRequest) -> StreamAnswer:
        async def pieces() -> AsyncGenerator[bytes, None]:
            yield PIECES[0]
            raise ProviderUnreachable("gone")

        return StreamAnswer(pieces(), "audio/wav")

    async def _endless(self, _: ApiRequest) -> StreamAnswer:
        return StreamAnswer(self._for_ever(), "audio/wav", patience_s=0.05)

    async def _for_ever(self) -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield bytes(65536)
        finally:
            self.closed.set()


@dataclass
class Open:
    rows: Rows
    address: str
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, **more: Any) -> tuple[aiohttp.ClientResponse, bytes]:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with self.session.request(method, f"http://{self.address}{path}", headers=headers, **more) as answer:
            return answer, await answer.read()


@pytest.fixture
async def site() -> AsyncIterator[Open]:
    rows = Rows()
    program = Program("writer", KEY, frozenset({"calls.write"}))
    api = ApiListener((rows,), Access([program], People(), lambda: 0.0))
    await api.listen("127.0.0.1", 0)
    async with aiohttp.ClientSession() as session:
        yield Open(rows, api.addresses[0], session)
    await api.stop()


async def test_an_address_without_a_right_needs_no_key(site: Open) -> None:
    async with site.session.get(f"http://{site.address}/open?a=1") as answer:
        assert await answer.json() == {"asked": {"a": "1"}, "by": ""}


@pytest.mark.parametrize("query", ["b=1", "a=1&a=2", "a=" + "1" * 3000])
async def test_a_parameter_that_nobody_declared_is_refused(site: Open, query: str) -> None:
    answer, body = await site.ask("GET", f"/open?{query}")
    assert (answer.status, b"remedy" in body) == (400, True)


async def test_a_member_that_nobody_declared_is_refused(site: Open) -> None:
    answer, body = await site.ask("POST", "/body", json={"b": "1"})
    assert (answer.status, b"'b' is not known" in body) == (400, True)


async def test_another_method_is_told_which_there_are(site: Open) -> None:
    answer, _ = await site.ask("PUT", "/page")
    assert (answer.status, answer.headers["Allow"]) == (405, "DELETE, GET")


async def test_a_page_goes_out_as_it_is_and_nothing_with_204(site: Open) -> None:
    answer, body = await site.ask("GET", "/page")
    assert (body, answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (
        b"<p>",
        "text/html; charset=utf-8",
        "max-age=60",
    )
    answer, body = await site.ask("DELETE", "/page")
    assert (answer.status, body) == (204, b"")


async def test_who_asks_for_the_head_gets_the_head(site: Open) -> None:
    for path in ("/page", "/pieces"):
        answer, body = await site.ask("HEAD", path)
        assert (answer.status, body, answer.content_length) == (200, b"", {"/page": 3, "/pieces": 13}[path])


async def test_pieces_arrive_as_one_answer(site: Open) -> None:
    answer, body = await site.ask("GET", "/pieces")
    assert (body, answer.headers["Server"]) == (b"".join(PIECES), "routing-engine")


async def test_half_of_an_answer_does_not_look_whole(site: Open) -> None:
    with pytest.raises(aiohttp.ClientError):
        await site.ask("GET", "/broken")


async def test_a_reader_who_takes_nothing_is_ended(site: Open) -> None:
    host, _, port = site.address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(60):
        await site.rows.closed.wait()
    writer.close()


BROKEN = {
    "no HTTP at all": (b"\x16\x03\x01 hello\r\n\r\n", 400, "not_http"),
    "a header without a colon": (b"GET /open HTTP/1.1\r\nHost x\r\n\r\n", 400, "not_http"),
    "a header that is too long": (b"GET /open HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9000 + b"\r\n\r\n", 431, ""),
    "an address that is too long": (b"GET /open?a=" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431, ""),
    "too many headers": (b"GET /open HTTP/1.1\r\n" + b"A: a\r\n" * 200 + b"\r\n", 431, "headers_too_large"),
    "chunks that are none": (b"POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, ""),
    "gzip that is none": (
        b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        400,
        "",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_what_is_no_http_gets_an_error_as_every_other(site: Open, kind: str) -> None:
    sent, status, code = BROKEN[kind]
    host, _, port = site.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    sent = sent.replace(b"Host: x\r\n", f"Host: x\r\nAuthorization: Bearer {KEY}\r\n".encode())
    writer.write(sent)
    async with asyncio.timeout(60):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        error = json.loads(await reader.readexactly(length))["error"]
    assert (int(head.split()[1]), set(error)) == (status, {"code", "message", "remedy"})
    assert code in error["code"]
    writer.close()
