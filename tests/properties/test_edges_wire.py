"""Whatever a caller types or a CRM holds: a middleware gets it as a value, and as nothing else."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from routing_engine.core.phone import read_number
from routing_engine.core.ports import Query
from routing_engine.core.templates import read_template
from routing_engine.errors import ProviderError
from routing_engine.providers.answers.records import page_url
from routing_engine.providers.answers.values import read_value
from routing_engine.providers.http.provider import with_query
from tests.examples import examples
from tests.properties.hostile import HOSTILE, OBEYED, QUICKLY, SHORT, VALUES
from tests.providers.conftest import erp

ADDRESSES = ["https://erp.example.com/a", "https://erp.example.com/a?key=1", "https://erp.example.com/a?"]


def in_utf8(text: str) -> str:
    """Return what reaches the other side of a text with halves of characters, which UTF-8 does not have."""
    return text.encode("utf-8", "replace").decode()


# e. The query


@given(st.sampled_from(ADDRESSES), st.lists(st.tuples(SHORT.filter(bool), HOSTILE), min_size=1, max_size=3))
@QUICKLY
def test_a_query_comes_apart_into_the_values_that_were_put_in(address: str, pairs: list[tuple[str, str]]) -> None:
    found = with_query(address, pairs)
    assert found.startswith(address)
    assert re.fullmatch(r"[\x21-\x7e]+", found)
    assert "#" not in found
    query = urlsplit(found).query
    before = parse_qsl(urlsplit(address).query)
    expected = [(in_utf8(name), in_utf8(value)) for name, value in pairs]
    assert parse_qsl(query, keep_blank_values=True, max_num_fields=99) == [*before, *expected]
    assert str(URL(found, encoded=True)) == found


class Line:
    """The middleware's end of the wire: the bytes of every request."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head, re.I)
                self.heads.append(head)
                self.bodies.append(await reader.readexactly(int(length[1])) if length else b"")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n" + b'{"tier":"a"}')
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def ask(self, text: str, queries: list[Query]) -> None:
        # A line may be long: 64 KiB, percent-encoded, is six times as much.
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=2**21)
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/customer"
        provider = erp(address, text, model="{fields: {tier: tier}}", unix_time=lambda: 1_795_198_986.0)
        try:
            for query in queries:
                await provider.find(query)
        finally:
            await provider.close()
            server.close()
            await server.wait_closed()


@contextmanager
def asked(text: str, *values: str) -> Iterator[Line]:
    """Ask a middleware for each of these values, by input, over a real connection."""
    line, caller = Line(), read_number("+436641234567", "AT")
    queries = [Query("contact", "number", value, False, caller) for value in values]
    try:
        line.loop.run_until_complete(line.ask(text, queries))
        yield line
    except ProviderError as error:
        raise AssertionError(f"{error} for {values!r}") from None
    finally:
        line.loop.run_until_complete(line.loop.shutdown_asyncgens())
        line.loop.close()


def headers(head: bytes) -> Mapping[str, str]:
    lines = head.decode("ascii").split("\r\n")[1:-2]
    return dict(line.split(": ", 1) for line in lines)


AUTH = "auth: {bearer: '${TOKEN}', headers: {X-Site: vienna}}\n"
ON_THE_WIRE = examples(30)


@given(HOSTILE.filter(bool))
@ON_THE_WIRE
@pytest.mark.io
def test_a_get_carries_a_value_in_its_query_only(value: str) -> None:
    with asked(AUTH, "123456", value) as line:
        good, evil = line.heads
    request = evil.split(b"\r\n")[0].decode("ascii")
    found = re.fullmatch(r"GET (/customer\?[\x21-\x7e]*) HTTP/1\.1", request)
    assert found
    assert dict(parse_qsl(urlsplit(found[1]).query, keep_blank_values=True)) == {
        "customer_id": "+436641234567",
        "field_name": "tier",
        "customer_input": in_utf8(value),
        "customer_input_field_name": "number",
    }
    assert good.split(b"\r\n")[1:] == evil.split(b"\r\n")[1:]
    assert headers(evil)["Authorization"] == "Bearer s3cret-t0ken"
    assert len(line.bodies[1]) == 0


@given(HOSTILE.filter(bool))
@ON_THE_WIRE
@pytest.mark.io
def test_a_post_carries_a_value_in_its_body_only(value: str) -> None:
    with asked(AUTH + "method: POST\n", "123456", value) as line:
        good, evil = map(headers, line.heads)
    assert line.heads[1].split(b"\r\n")[0] == b"POST /customer HTTP/1.1"
    assert json.loads(line.bodies[1])["customer_input"] == value
    assert len(json.loads(line.bodies[1])) == 4
    assert {**good, "Content-Length": ""} == {**evil, "Content-Length": ""}


# f. Signatures and credentials


@given(HOSTILE.filter(bool), st.sampled_from(["GET", "POST"]))
@ON_THE_WIRE
@pytest.mark.io
def test_a_signature_is_of_what_is_sent_and_adds_no_line(value: str, method: str) -> None:
    with asked(f"auth: {{hmac: {{secret: '${{TOKEN}}'}}}}\nmethod: {method}\n", "123456", value) as line:
        good, evil = map(headers, line.heads)
    assert good.keys() == evil.keys()
    assert re.fullmatch(r"[0-9a-f]{64}", evil["X-Signature"])
    assert evil["X-Timestamp"] == "1795198986"
    assert evil["X-Signature"] != good["X-Signature"] or value == "123456"


# The page of a record, and what its fields become


@given(st.fixed_dictionaries({"id": VALUES, "name": VALUES}))
@QUICKLY
def test_the_page_of_a_record_is_an_address_and_its_values_are_parts_of_it(fields: dict[str, object]) -> None:
    template = read_template("https://crm.example.com/{id}/x?name={name}")
    values = {name: read_value(list(value) if isinstance(value, tuple) else value) for name, value in fields.items()}
    url = page_url(template, values)
    if not url:
        return
    split = urlsplit(url)
    assert (split.scheme, split.netloc, split.fragment) == ("https", "crm.example.com", "")
    assert re.fullmatch(r"/(?!\.{1,2}/)[^/]+/x", split.path)
    assert len(parse_qsl(split.query, keep_blank_values=True)) == 1


@given(VALUES)
@QUICKLY
def test_a_page_that_a_record_brings_is_a_web_address_or_none(link: object) -> None:
    link = read_value(list(link) if isinstance(link, tuple) else link)
    url = page_url(read_template("{link}"), {"link": link})
    assert url == "" or re.match(r"https?://", url, re.I)
    assert not OBEYED.search(url)
    assert not re.search(r"[\s\"<>]", url)


@given(VALUES)
@QUICKLY
def test_no_field_of_an_answer_keeps_what_a_terminal_obeys(value: object) -> None:
    found = read_value(list(value) if isinstance(value, tuple) else value)
    for one in found if isinstance(found, tuple) else (found,):
        assert not isinstance(one, str) or not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", one)
