"""The custom middleware's wire form: every row of the contract's chapter 5, as it arrives at a real server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from urllib.parse import unquote_plus

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from demo import middleware as demo
from routing_engine.core.phone import Number, read_number
from routing_engine.core.ports import Provider, Query
from routing_engine.errors import ProviderRefused
from routing_engine.providers.answers.records import shape_of
from routing_engine.providers.http.provider import parameters, with_query
from routing_engine.providers.http.settings import PRESETS, HttpSettings
from routing_engine.settings.integration import Model
from tests.examples import examples

from .conftest import Middleware, erp, serving
from .contract import CUSTOMERS, ProviderContract

pytestmark = pytest.mark.io

CALLER = read_number("0664 123 45 67", "AT")
BY_CALLER = Query("contact", "", "+436641234567", True, CALLER)
BY_CALLER_IN_FIELD = Query("contact", "phone", "+436641234567", True, CALLER)
BY_INPUT = Query("contact", "number", "0042", False, CALLER)
BY_INPUT_MAPPED = Query("contact", "name", "0042", False, CALLER)
HIDDEN = Query("contact", "number", "0042", False, None)
NO_FIELD = Query("contact", "", "0042", False, CALLER)


def spelled(form: str) -> Query:
    return Query("contact", "", "+436641234567", True, CALLER, form)


WIRE = [
    ("", BY_CALLER, "customer_id=%2B436641234567&field_name=id,full_name,tier"),
    ("", BY_CALLER_IN_FIELD, "customer_id=%2B436641234567&field_name=id,full_name,tier"),
    (
        "",
        BY_INPUT,
        "customer_id=%2B436641234567&field_name=id,full_name,tier&customer_input=0042&customer_input_field_name=number",
    ),
    (
        "parameters: {field_name: '', customer_id: ''}",
        BY_INPUT_MAPPED,
        "customer_input=0042&customer_input_field_name=full_name",
    ),
    ("", HIDDEN, "field_name=id,full_name,tier&customer_input=0042&customer_input_field_name=number"),
    ("", NO_FIELD, "customer_id=%2B436641234567&field_name=id,full_name,tier&customer_input=0042"),
    ("", spelled("national"), "customer_id=06641234567&field_name=id,full_name,tier"),
    ("", spelled("digits"), "customer_id=436641234567&field_name=id,full_name,tier"),
    ("", spelled("received"), "customer_id=0664%20123%2045%2067&field_name=id,full_name,tier"),
    ("", spelled("last 8"), "customer_id=41234567&field_name=id,full_name,tier"),
    ("parameters: {preset: legacy}", BY_CALLER, "customer_id=%2B436641234567"),
    ("parameters: {preset: legacy}", BY_INPUT, "customer_id=%2B436641234567"),
    (
        "parameters: {preset: legacy, customer_id: nr, customer_input: typed}",
        BY_INPUT,
        "nr=%2B436641234567&typed=0042",
    ),
    ("parameters: {customer_id: caller id}", BY_CALLER, "caller%20id=%2B436641234567&field_name=id,full_name,tier"),
    (
        "parameters: {customer_input_field_name: ''}",
        BY_INPUT,
        "customer_id=%2B436641234567&field_name=id,full_name,tier&customer_input=0042",
    ),
]


@pytest.mark.parametrize(("text", "query", "expected"), WIRE)
async def test_a_get_sends_these_parameters(middleware: Middleware, text: str, query: Query, expected: str) -> None:
    provider = erp(middleware.address, text)
    await provider.find(query)
    await provider.close()
    (seen,) = middleware.seen
    assert (seen.method, seen.path, seen.body) == ("GET", f"/customer?{expected}", b"")


@pytest.mark.parametrize(("text", "query", "expected"), WIRE)
async def test_a_post_sends_the_same_as_json(middleware: Middleware, text: str, query: Query, expected: str) -> None:
    provider = erp(middleware.address, f"method: POST\n{text}")
    await provider.find(query)
    await provider.close()
    (seen,) = middleware.seen
    pairs = [pair.split("=") for pair in expected.split("&")]
    assert (seen.method, seen.path) == ("POST", "/customer")
    assert json.loads(seen.body) == {unquote_plus(name): unquote_plus(value) for name, value in pairs}
    assert seen.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_json_is_always_asked_for_and_no_cookie_is_ever_sent(middleware: Middleware, method: str) -> None:
    middleware.headers = {"Set-Cookie": "session=1; Path=/"}
    provider = erp(middleware.address, f"method: {method}")
    await provider.find(BY_CALLER)
    await provider.find(BY_CALLER)
    await provider.close()
    assert [seen.headers["Accept"] for seen in middleware.seen] == ["application/json"] * 2
    assert "Cookie" not in middleware.seen[1].headers


async def test_look_ups_share_one_connection(middleware: Middleware) -> None:
    provider = erp(middleware.address)
    for middleware.status in (200, 404, 200, 200):
        await provider.find(BY_CALLER)
    await provider.close()
    assert (len(middleware.connections), len(middleware.seen)) == (1, 4)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("{fields: {city: $.address.city, tags: '$.tags[*]', id: id}}", "field_name=address.city,tags[*],id"),
        ("{fields: {a: name, b: name}}", "field_name=name"),
        ("{}", ""),
    ],
)
async def test_field_name_lists_their_names(middleware: Middleware, model: str, expected: str) -> None:
    middleware.body = b'{"id": 1, "name": "x"}'
    provider = erp(middleware.address, model=model)
    await provider.find(BY_CALLER)
    await provider.close()
    assert dict(middleware.seen[0].query).get("field_name", "") == expected.removeprefix("field_name=")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("?tenant=a%2Fb+c", "?tenant=a%2Fb+c&customer_id=%2B436641234567"),
        ("?", "?customer_id=%2B436641234567"),
        ("/a%2Fb;v=1/../c?x&", "/a%2Fb;v=1/../c?x&customer_id=%2B436641234567"),
    ],
)
async def test_the_address_stays_as_it_is_written(middleware: Middleware, address: str, expected: str) -> None:
    provider = erp(f"'{middleware.address}{address}'", "parameters: {field_name: ''}")
    await provider.find(BY_CALLER)
    await provider.close()
    assert middleware.seen[0].path == f"/customer{expected}"


async def test_a_post_keeps_the_query_of_the_address(middleware: Middleware) -> None:
    provider = erp(f"{middleware.address}?tenant=1", "method: POST")
    await provider.find(BY_CALLER)
    await provider.close()
    assert middleware.seen[0].path == "/customer?tenant=1"


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("parameters: {customer_id: ''}", BY_CALLER),
        ("parameters: {preset: legacy}", HIDDEN),
        ("", Query("contact", "number", "", False, CALLER)),
        ("", Query("contact", "", "", True, None)),
    ],
)
async def test_nobody_is_asked_when_there_is_nothing_to_search_by(
    middleware: Middleware, text: str, query: Query
) -> None:
    provider = erp(middleware.address, text)
    with pytest.raises(ProviderRefused, match="nothing to search by"):
        await provider.find(query)
    await provider.close()
    assert middleware.seen == []


class TestHttpGet(ProviderContract):
    """The contract against the demonstration's middleware."""

    method = "GET"

    @pytest.fixture
    async def provider(self) -> AsyncIterator[Provider]:
        fields = "{id: id, number: customer_number, name: full_name, city: city, phone: phone}"
        model = f"{{fields: {fields}, record_url: 'https://crm.example.com/contacts/{{id}}'}}"
        runner = web.AppRunner(demo.app(CUSTOMERS), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        provider = erp(f"http://127.0.0.1:{runner.addresses[0][1]}/x", f"method: {self.method}", model)
        yield provider
        await provider.close()
        await runner.cleanup()


class TestHttpPost(TestHttpGet):
    method = "POST"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@examples(50)
@given(st.data())
async def test_any_text_arrives_as_it_was_sent_and_in_no_other_parameter(data: st.DataObject) -> None:
    sent = {name: data.draw(TEXT) for name in ("customer_id", "customer_input", "customer_input_field_name")}
    number = Number(sent["customer_id"], "", "", "")
    query = Query("contact", sent["customer_input_field_name"], sent["customer_input"], False, number, "received")
    seen = Middleware()
    async with serving(seen.handle) as address:
        for method in ("GET", "POST"):
            provider = erp(address, f"method: {method}", "{}")
            seen.body = b"{}"
            await provider.find(query)
            await provider.close()
    get, post = seen.seen
    assert dict(get.query) == sent == json.loads(post.body)
    assert len(get.query) == 3


@given(TEXT, TEXT, TEXT, st.sampled_from(["https://e.x/a", "https://e.x/a?b=1", "https://e.x/?"]))
def test_the_query_is_plain_ascii_without_signs_that_mean_something(
    number: str, value: str, field: str, address: str
) -> None:
    shape = shape_of("erp", Model("contact", {}))
    query = Query("contact", field, value, False, Number(number, number, number, number))
    pairs = parameters(query, HttpSettings(address, parameters=PRESETS["default"]), shape)
    added = with_query(address, pairs.items()).removeprefix(address).removeprefix("?")
    assert added.isascii()
    assert added.count("=") == 3
    assert not set(added) & set(" +#?\r\n\0/'\"<>;")
