"""What a middleware may do wrong, and the error it becomes: one row each."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from routing_engine.errors import (
    ProviderError,
    ProviderMisread,
    ProviderRefused,
    ProviderThrottled,
    ProviderUnreachable,
)
from tests.fakes import FOREVER_S

from .conftest import Middleware, erp, raw_server
from .test_http_wire import BY_CALLER, BY_INPUT

pytestmark = pytest.mark.io

STATUSES = [
    (429, ProviderThrottled),
    *((status, ProviderUnreachable) for status in (500, 502, 503, 504)),
    *((status, ProviderRefused) for status in (301, 302, 303, 304, 307, 308)),
    *((status, ProviderRefused) for status in (400, 401, 402, 403, 405, 407, 410, 422, 451)),
]


async def error_at(address: str, text: str = "") -> ProviderError:
    """Ask, and give the error; whatever it is, its text must tell nothing about the caller."""
    provider = erp(address, f"auth: {{bearer: '${{TOKEN}}'}}\n{text}")
    with pytest.raises(ProviderError) as caught:
        await provider.find(BY_INPUT)
    await provider.close()
    assert re.fullmatch(r"erp: .{10,150}", str(caught.value))
    assert not re.search(r"\d{4}|s3cret|127\.|http://", str(caught.value) + repr(caught.value.__cause__))
    return caught.value


@pytest.mark.parametrize(("status", "kind"), STATUSES)
@pytest.mark.parametrize("body", [b"{}", b"null"])
async def test_a_status_that_is_not_2xx_is_an_error(
    middleware: Middleware, status: int, kind: type[ProviderError], body: bytes
) -> None:
    middleware.status, middleware.body = status, b"" if status == 304 else body
    middleware.headers = {"Location": middleware.address + "/elsewhere"}
    error = await error_at(middleware.address)
    assert type(error) is kind
    assert f"status {status}" in str(error)
    assert len(middleware.seen) == 1, "a redirect is never followed"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b""),
        (404, b"<html>" * 1000),
        (204, b""),
        (200, b"null"),
        (201, b"{}"),
        (200, b"[]"),
        (200, b'{"found": false}'),
    ],
)
async def test_these_answers_mean_nobody(middleware: Middleware, status: int, body: bytes) -> None:
    middleware.status, middleware.body = status, body
    provider = erp(middleware.address)
    assert list(await provider.find(BY_CALLER)) == []
    await provider.close()


@pytest.mark.parametrize(
    "body", [b"", b"<html>436641234567 0042</html>", b"17", b'{"error": "0042 is not known"}', b"\xff"]
)
async def test_an_answer_of_another_shape_is_misread(middleware: Middleware, body: bytes) -> None:
    middleware.body = body
    assert type(await error_at(middleware.address)) is ProviderMisread


async def test_an_answer_may_be_as_large_as_it_may_be_and_no_larger(middleware: Middleware) -> None:
    head, tail = b'{"id": 1, "full_name": "', b'"}'
    middleware.body = head + b"x" * (4096 - len(head + tail)) + tail
    provider = erp(middleware.address, "max_answer_bytes: 4096")
    assert len(await provider.find(BY_CALLER)) == 1
    middleware.body += b" "
    with pytest.raises(ProviderMisread, match="max_answer_bytes"):
        await provider.find(BY_CALLER)
    await provider.close()


async def test_an_answer_above_a_mebibyte_is_misread(middleware: Middleware) -> None:
    middleware.body = b'{"id": 1, "full_name": "' + b"x" * 1024 * 1024 + b'"}'
    assert "max_answer_bytes" in str(await error_at(middleware.address))


async def test_a_gzip_answer_is_read(middleware: Middleware) -> None:
    middleware.body, middleware.headers = gzip.compress(middleware.body), {"Content-Encoding": "gzip"}
    provider = erp(middleware.address)
    assert len(await provider.find(BY_CALLER)) == 1
    await provider.close()


async def test_a_gzip_bomb_is_not_inflated(middleware: Middleware) -> None:
    middleware.body = gzip.compress(b" " * 100 * 1024 * 1024, 9)
    middleware.headers = {"Content-Encoding": "gzip"}
    tracemalloc.start()
    error = await error_at(middleware.address)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "max_answer_bytes" in str(error)
    assert peak < 8 * 1024 * 1024


async def test_what_is_not_gzip_is_misread(middleware: Middleware) -> None:
    middleware.headers = {"Content-Encoding": "gzip"}
    assert type(await error_at(middleware.address)) is ProviderMisread


async def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        error = await error_at(f"http://127.0.0.1:{free.getsockname()[1]}/x")
    assert type(error) is ProviderUnreachable


@pytest.mark.parametrize("host", ["no-such-host.invalid", "127.0.0.1.invalid"])
async def test_the_host_is_not_known(host: str) -> None:
    error = await error_at(f"http://{host}/x")
    assert (type(error), "host name" in str(error)) == (ProviderUnreachable, True)


async def test_a_host_name_that_no_dns_can_hold_is_refused() -> None:
    assert type(await error_at(f"http://{'a' * 70}.example/x")) is ProviderRefused


async def test_a_server_without_tls_is_not_spoken_to_in_clear(middleware: Middleware) -> None:
    error = await error_at(middleware.address.replace("http:", "https:"))
    assert (type(error), middleware.seen) == (ProviderUnreachable, [])


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
GARBAGE = [
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\x00\xff" * 100,
    b"HTTP/1.1 abc OK\r\n\r\n",
    HEAD + b"Content-Length: 10\r\nContent-Length: 2\r\n\r\n{}",
    HEAD + b"Content-Length: -1\r\n\r\n{}",
    HEAD + b"X: " + b"y" * 100_000 + b"\r\n\r\n{}",
    HEAD + b"X-Y: z\r\n" * 100_000 + b"\r\n{}",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
]
CUT_SHORT = [b"", b"HTTP/1.1 200", HEAD, HEAD + b'Content-Length: 99\r\n\r\n{"id": 7']


@pytest.mark.parametrize("sent", [*GARBAGE, *CUT_SHORT], ids=range(len(GARBAGE + CUT_SHORT)))
async def test_bytes_that_are_no_whole_answer_are_an_error(sent: bytes) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()
        writer.close()

    async with raw_server(answer) as address:
        error = await error_at(address)
    assert isinstance(error, (ProviderMisread, ProviderUnreachable))


async def test_a_reset_connection_is_unreachable() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with raw_server(answer) as address:
        assert type(await error_at(address)) is ProviderUnreachable
        assert type(await error_at(address, "method: POST")) is ProviderUnreachable


@pytest.mark.parametrize(
    "sent", [b"", HEAD, HEAD + b"Content-Length: 99\r\n\r\n{", b"HTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\n"]
)
async def test_a_silent_server_is_left_when_the_look_up_is_cancelled(sent: bytes) -> None:
    arrived, left = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        arrived.set()
        await reader.read()
        left.set()

    async with raw_server(answer) as address:
        provider = erp(address)
        looking = asyncio.create_task(provider.find(BY_CALLER))
        await arrived.wait()
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
        await asyncio.wait_for(left.wait(), FOREVER_S)
        await provider.close()


async def test_a_body_without_an_end_is_left_at_the_limit() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"\r\n[")
        while True:
            writer.write(b" " * 65536)
            await writer.drain()

    async with raw_server(answer) as address:
        assert "max_answer_bytes" in str(await error_at(address))


async def test_a_get_is_asked_again_when_the_kept_connection_was_closed_meanwhile() -> None:
    asked: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(1)
        writer.write(HEAD + b"Content-Length: 2\r\n\r\n{}")
        await writer.drain()
        if len(asked) == 1:
            await reader.readuntil(b"\r\n\r\n")  # the second look-up, on the same connection
            writer.close()

    async with raw_server(answer) as address:
        provider = erp(address)
        assert list(await provider.find(BY_CALLER)) == []
        assert list(await provider.find(BY_CALLER)) == []
        await provider.close()
    assert len(asked) == 2


async def test_look_ups_at_the_same_time_do_not_wait_for_each_other(middleware: Middleware) -> None:
    inside, all_inside = [0], asyncio.Event()

    async def answer(_: web.Request) -> web.StreamResponse:
        inside[0] += 1
        if inside[0] == 150:
            all_inside.set()
        await all_inside.wait()
        return web.json_response({})

    middleware.answer = answer
    provider = erp(middleware.address)
    async with asyncio.timeout(FOREVER_S):
        assert await asyncio.gather(*(provider.find(BY_CALLER) for _ in range(150))) == [()] * 150
    await provider.close()


async def test_after_closing_nobody_is_asked(middleware: Middleware, tmp_path: Path) -> None:
    provider = erp(middleware.address)
    await provider.close()
    with pytest.raises(ProviderUnreachable, match="closed"):
        await provider.find(BY_CALLER)


@pytest.mark.parametrize(
    ("status", "after", "wait_s"),
    [(429, "", 1), (429, "7", 7), (429, "0", 0), (429, "soon", 1), (429, "99999", 300), (503, "12", 12)],
)
async def test_a_server_that_asks_to_wait_is_told_apart_from_one_that_fails(
    middleware: Middleware, status: int, after: str, wait_s: float
) -> None:
    middleware.status, middleware.headers = status, {"Retry-After": after} if after else {}
    error = await error_at(middleware.address)
    assert isinstance(error, ProviderThrottled)
    assert error.retry_after_s == wait_s


@pytest.mark.parametrize(("status", "again"), [(500, False), (501, False), (502, True), (503, True), (504, True)])
async def test_only_what_may_pass_at_once_is_worth_asking_again(
    middleware: Middleware, status: int, again: bool
) -> None:
    middleware.status = status
    error = await error_at(middleware.address)
    assert isinstance(error, ProviderUnreachable)
    assert error.again is again


def _resets(writer: asyncio.StreamWriter) -> None:
    found = writer.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("ends", [_resets, lambda writer: writer.close()], ids=["reset", "close"])
async def test_a_connection_that_breaks_is_worth_one_more_request_and_no_third(
    method: str, ends: Callable[[asyncio.StreamWriter], None]
) -> None:
    asked: list[int] = []

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(1)
        ends(writer)

    async with raw_server(answer) as address:
        error = await error_at(address, f"method: {method}\n")
    assert isinstance(error, ProviderUnreachable)
    assert (len(asked), error.again) in [(2, False), (1, True)], "aiohttp itself asks a second time by GET"


async def test_an_address_where_nobody_listens_is_asked_once() -> None:
    error = await error_at("http://127.0.0.1:1/")
    assert isinstance(error, ProviderUnreachable)
    assert not error.again


class Balancer:
    """Answers on kept connections, and drops all of them at once when it is told to."""

    def __init__(self) -> None:
        self.open: list[asyncio.StreamWriter] = []
        self.accepted = self.answered = 0
        self.both = asyncio.Barrier(2)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.open.append(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.answered += 1
                if self.answered <= 2:
                    await self.both.wait()  # two at once, so that there are two connections
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def drop_all(self) -> None:
        for writer in self.open:
            linger = struct.pack("ii", 1, 0)  # a reset, as balancers send it
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.close()
        self.open.clear()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_kept_connections_that_were_dropped_say_nothing_about_the_system(method: str) -> None:
    balancer = Balancer()
    server = await asyncio.start_server(balancer.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    provider = erp(f"http://{host}:{port}/", f"method: {method}")
    await asyncio.gather(provider.find(BY_CALLER), provider.find(BY_CALLER))
    balancer.drop_all()
    assert list(await provider.find(BY_CALLER)) == []
    assert (balancer.accepted, balancer.answered) == (3, 3)
    await provider.close()
    server.close()
