"""LDAP on the wire: messages as the standard writes them, and servers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.errors import ProviderError, ProviderMisread, ProviderRefused, ProviderUnreachable
from routing_engine.providers.ldap import wire
from routing_engine.providers.ldap.filter import read_filter
from routing_engine.providers.ldap.provider import LdapProvider
from routing_engine.providers.ldap.settings import LdapModel, LdapSettings
from routing_engine.providers.ldap.wire import elements, octets, tlv, whole
from routing_engine.providers.net.address import ServerAddress
from routing_engine.settings.integration import Model

from .contract import by_field, ids

pytestmark = pytest.mark.io

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MODELS = {"contact": Model("contact", {"id": "uid"})}


def result(number: int, kind: int, code: int, diagnostic: str = "") -> bytes:
    return tlv(0x30, whole(number), tlv(kind, whole(code, 0x0A), octets(""), octets(diagnostic)))


def entry(number: int, uid: str) -> bytes:
    values = tlv(0x30, octets("UID"), tlv(0x31, octets(uid)))
    return tlv(0x30, whole(number), tlv(0x64, octets(f"uid={uid}"), tlv(0x30, values)))


async def asked(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    """The number, kind and content of the next request."""
    (_, number), (kind, body) = elements(await wire.read_sequence(reader))[:2]
    return int.from_bytes(number, "big"), kind, body


@asynccontextmanager
async def served(talk: Talk, start_tls: ssl.SSLContext | None = None, user: str = "") -> AsyncIterator[LdapProvider]:
    """A provider, and the server it asks."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
            await reader.read()
        except (EOFError, OSError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = ServerAddress("127.0.0.1", server.sockets[0].getsockname()[1], None, 2.0)
    where = LdapModel("dc=example", "subtree", read_filter("(cn=*)"))
    settings = LdapSettings(address, start_tls, user, "s3cret", where, {}, False, 50, 5)
    provider = LdapProvider("dir", settings, MODELS)
    try:
        yield provider
    finally:
        await provider.close()
        server.close()
        await asyncio.sleep(0)


def test_an_anonymous_log_in_is_the_example_that_everybody_knows() -> None:
    assert wire.bind(1, "", "") == bytes.fromhex("300c020101600702010304008000")


def test_a_search_says_scope_limits_filter_and_attributes() -> None:
    message = wire.search(2, "dc=a", "one", b"\x87\x02cn", ["cn", "mail"], 300, 5)
    ((_, content),) = elements(message)
    (_, body) = elements(content)[1]
    kinds = [(4, b"dc=a"), (10, b"\x01"), (10, b"\x00"), (2, b"\x01\x2c"), (2, b"\x05"), (1, b"\x00"), (0x87, b"cn")]
    assert elements(body) == [*kinds, (0x30, octets("cn") + octets("mail"))]


@given(st.integers(0, 2**31), st.binary(max_size=400))
def test_what_is_written_can_be_read(number: int, value: bytes) -> None:
    assert elements(whole(number) + octets(value)) == [(2, whole(number)[2:]), (4, value)]
    assert int.from_bytes(whole(number)[2:], "big") == number
    assert whole(number)[2] < 0x80


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda raw: tlv(0x30, raw)))
async def test_no_bytes_break_the_reader(raw: bytes) -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(raw)
    reader.feed_eof()
    with contextlib.suppress(ValueError, EOFError):
        assert (await wire.read_message(reader)).id.isdigit()


@pytest.mark.parametrize(
    ("code", "diagnostic", "kind", "sentence"),
    [
        (49, "80090308: LdapErr: DSID-0C09, comment: AcceptSecurityContext error, data 775, v4563", ProviderRefused,
         "the account is locked"),
        (49, "data 532", ProviderRefused, "the password has expired"),
        (49, "", ProviderRefused, "it refused the user or the password"),
        (1, "000004DC: a successful bind must be completed", ProviderRefused, "who is not logged in"),
        (8, "", ProviderRefused, "ldaps:// or start_tls"),
        (32, "", ProviderRefused, "no entry at the base"),
        (3, "", ProviderUnreachable, "its time for the search was up"),
        (51, "", ProviderUnreachable, "it is busy"),
        (80, "", ProviderUnreachable, "it failed"),
        (2, "cn=Anna, 4711", ProviderMisread, "result code 2"),
    ],
)  # fmt: skip
def test_a_result_is_told_by_who_must_act(code: int, diagnostic: str, kind: type[ProviderError], sentence: str) -> None:
    error = wire.LdapResult(code, diagnostic).error("dir")
    assert type(error) is kind
    assert sentence in str(error)
    assert "4711" not in str(error)


async def test_answers_may_come_in_any_order_and_unknown_ones_are_passed_over() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, second = (await asked(reader))[0], (await asked(reader))[0]
        writer.write(entry(999, "x") + entry(second, "b") + entry(first, "a") + result(second, 0x65, 0))
        writer.write(tlv(0x30, whole(first), tlv(0x73, octets("ldap://elsewhere/"))) + result(first, 0x65, 0))

    async with served(talk) as provider:
        found = await asyncio.gather(provider.find(by_field("id", "a")), provider.find(by_field("id", "b")))
    assert [ids(one) for one in found] == [["a"], ["b"]]


async def test_a_search_that_nobody_waits_for_is_abandoned() -> None:
    requests: list[tuple[int, int, bytes]] = []
    heard = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await asked(reader))
        heard.set()
        requests.append(await asked(reader))
        heard.set()

    async with served(talk) as provider:
        gone = asyncio.ensure_future(provider.find(by_field("id", "a")))
        await heard.wait()
        heard.clear()
        gone.cancel()
        await heard.wait()
    (number, _, _), (_, kind, content) = requests
    assert (kind, int.from_bytes(content, "big")) == (0x50, number)


@pytest.mark.parametrize(
    "garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x30\x84\xff\xff\xff\xff", b"\x30\x02\x05\x00"]
)
async def test_what_is_no_ldap_is_told(garbage: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(garbage)

    async with served(talk) as provider:
        with pytest.raises(ProviderMisread, match=r"not (an )?LDAP"):
            await provider.find(by_field("id", "a"))


@pytest.mark.parametrize("answer", [2, 53])
async def test_the_password_is_not_sent_where_tls_was_refused(answer: int) -> None:
    sent: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, kind, _ = await asked(reader)
        assert kind == 0x77
        writer.write(result(number, 0x78, answer))
        sent.append(await reader.read())

    async with served(talk, ssl.create_default_context(), "cn=engine") as provider:
        with pytest.raises(ProviderError):
            await provider.find(by_field("id", "a"))
    assert b"s3cret" not in b"".join(sent)


async def test_what_was_slipped_in_before_tls_is_not_believed() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, _, _ = await asked(reader)
        writer.write(result(number, 0x78, 0) + result(number + 1, 0x61, 0))

    context = ssl.create_default_context()
    trustme.CA().configure_trust(context)
    async with served(talk, context, "cn=engine") as provider:
        with pytest.raises(ProviderMisread, match="more before TLS than it may"):
            await provider.find(by_field("id", "a"))


async def test_a_connection_that_breaks_says_that_asking_again_may_help() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.transport.abort()

    async with served(talk) as provider:
        with pytest.raises(ProviderUnreachable) as caught:
            await provider.find(by_field("id", "a"))
    assert caught.value.again
