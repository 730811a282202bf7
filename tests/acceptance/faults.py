"""Faults of a system, by name: how the server behaves, and what the trail is to say of it."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Mapping
from functools import cache

from .faulty import GOOD, Behaviour, Connection, head

BODY = json.dumps(GOOD).encode()
FULL = head("200 OK", f"Content-Length: {len(BODY)}")


async def resets_at_once(connection: Connection) -> None:
    connection.reset()


async def closes_at_once(connection: Connection) -> None:
    connection.writer.close()


async def resets_in_the_head(connection: Connection) -> None:
    await connection.send(FULL[:30])
    connection.reset()


async def closes_in_the_head(connection: Connection) -> None:
    await connection.send(FULL[:30])
    connection.writer.close()


async def resets_in_the_body(connection: Connection) -> None:
    await connection.send(FULL, BODY[:5])
    connection.reset()


async def closes_in_the_body(connection: Connection) -> None:
    await connection.send(FULL, BODY[:5])
    connection.writer.close()


async def never_answers(connection: Connection) -> None:
    await connection.closed_by_them()


async def hangs_after_the_head(connection: Connection) -> None:
    await connection.send(FULL)
    await connection.closed_by_them()


async def trickles_the_head(connection: Connection) -> None:
    for byte in FULL + BODY:
        await connection.send(bytes([byte]))
        await asyncio.sleep(1)


async def trickles_the_body(connection: Connection) -> None:
    await connection.send(FULL)
    for byte in BODY:
        await connection.send(bytes([byte]))
        await asyncio.sleep(1)


async def redirects(connection: Connection) -> None:
    await connection.answers(b"", "302 Found", "Location: /good")


async def is_html(connection: Connection) -> None:
    await connection.answers(b"<html>tier: gold</html>", "200 OK", "Content-Type: text/html")


async def is_half_an_object(connection: Connection) -> None:
    await connection.answers(BODY[:-4])


@cache
def bomb() -> bytes:
    """200 MB that look like 200 kB."""
    return gzip.compress(b'{"id": "1", "note": "' + b"x" * 200_000_000 + b'"}', 1)


async def is_a_gzip_bomb(connection: Connection) -> None:
    await connection.answers(bomb(), "200 OK", "Content-Encoding: gzip")


async def is_no_gzip(connection: Connection) -> None:
    await connection.answers(b"this is no gzip at all", "200 OK", "Content-Encoding: gzip")


async def is_of_2_mib(connection: Connection) -> None:
    await connection.answers(json.dumps({**GOOD, "note": "x" * 2 * 1024 * 1024}).encode())


async def is_of_2_mib_in_chunks(connection: Connection) -> None:
    await connection.send(head("200 OK", "Transfer-Encoding: chunked"))
    for _ in range(64):
        await connection.send(b"8000\r\n", b"x" * 0x8000, b"\r\n")
    await connection.send(b"0\r\n\r\n")


async def is_no_http(connection: Connection) -> None:
    await connection.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


async def has_a_head_without_end(connection: Connection) -> None:
    await connection.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        await connection.send(b"x" * 65536)


def status(text: str, *headers: str) -> Behaviour:
    """Answer with this status."""

    async def answers(connection: Connection) -> None:
        await connection.answers(b"{}", text, *headers)

    return answers


NO_TIME = "no answer in time"
BROKE = "the connection broke before the answer was complete"
NO_HTTP = "the answer is not HTTP as it should be"
TOO_LARGE = "the answer is larger than max_answer_bytes allows"
NO_JSON = "the answer is not JSON"
#: Each fault: how the server behaves, what the trail says, and how often one caller's question reaches it.
FAULTS: Mapping[str, tuple[Behaviour, str, int]] = {
    "resets_at_once": (resets_at_once, BROKE, 2),
    "closes_at_once": (closes_at_once, BROKE, 2),
    "resets_in_the_head": (resets_in_the_head, BROKE, 2),
    "closes_in_the_head": (closes_in_the_head, BROKE, 2),
    "resets_in_the_body": (resets_in_the_body, BROKE, 2),
    "closes_in_the_body": (closes_in_the_body, BROKE, 2),
    "never_answers": (never_answers, NO_TIME, 1),
    "hangs_after_the_head": (hangs_after_the_head, NO_TIME, 1),
    "trickles_the_head": (trickles_the_head, NO_TIME, 1),
    "trickles_the_body": (trickles_the_body, NO_TIME, 1),
    "status_500": (status("500 Oops"), "the server answered with status 500", 1),
    "status_503": (status("503 Busy"), "the server answered with status 503", 2),
    "status_401": (status("401 No"), "the server answered with status 401: it refused our credentials", 1),
    "redirects": (redirects, "the server answered with status 302: a redirect, which is never followed", 1),
    "is_html": (is_html, f"{NO_JSON}: it is a page (HTML)", 1),
    "is_half_an_object": (is_half_an_object, f"{NO_JSON}: it is cut off", 1),
    "is_a_gzip_bomb": (is_a_gzip_bomb, TOO_LARGE, 1),
    "is_no_gzip": (is_no_gzip, NO_HTTP, 1),
    "is_of_2_mib": (is_of_2_mib, TOO_LARGE, 1),
    "is_of_2_mib_in_chunks": (is_of_2_mib_in_chunks, TOO_LARGE, 1),
    "is_no_http": (is_no_http, NO_HTTP, 1),
    "has_a_head_without_end": (has_a_head_without_end, NO_HTTP, 1),
}
