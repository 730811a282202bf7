"""One answer, however large or odd, holds up nobody else: it is bounded in words, and read beside the calls."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable

import pytest
from aiohttp import web

from routing_engine.core.asks import Find, Found, SourceDown
from routing_engine.core.model import Operand, Record, Source, Template
from routing_engine.core.phone import read_number
from routing_engine.core.ports import Provider, Query
from routing_engine.errors import ProviderMisread
from routing_engine.lookup.search import Search
from routing_engine.providers.answers.values import aside
from routing_engine.providers.crm.provider import open_crm
from routing_engine.providers.crm.read_description import read_description
from routing_engine.providers.crm.settings import read_crm
from routing_engine.settings.integration import Model
from routing_engine.settings.yaml_reader import Problems, read_yaml

from .conftest import Middleware, erp, serving
from .test_http_wire import BY_CALLER

pytestmark = pytest.mark.io

CALLER = read_number("+436641234567", "AT")
NUMBERS = [f"06641{number:06}" for number in range(28_000)]
CONTACT = Model("contact", {}, numbers=("phone",))


class Fixed:
    """A provider that has these records for everybody."""

    def __init__(self, *records: Record) -> None:
        self.records = records

    async def find(self, query: Query) -> tuple[Record, ...]:
        return self.records

    async def close(self) -> None:
        """Nothing is open."""


async def searched(provider: Provider, by: str = "caller") -> Found | SourceDown:
    left = Operand("call", "caller") if by == "caller" else Operand("input", "")
    source = Source("customers", "erp", "contact", Template((left,)))
    search = Search({"erp": provider}, {"erp": {"contact": CONTACT}}, "AT", 60, time.monotonic)
    return await search.find(Find(source, "+436641234567", CALLER), 60)


async def turns_of_others(work: Awaitable[object]) -> int:
    """How often another call had its turn while this one was worked on."""
    turns, task = 0, asyncio.ensure_future(work)
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    await task
    return turns


@pytest.mark.parametrize("by", ["caller", "input"])
async def test_more_records_than_one_caller_has_are_an_error_in_words(by: str) -> None:
    found = await searched(Fixed(*(Record({"phone": number}) for number in NUMBERS)), by)
    assert isinstance(found, SourceDown)
    assert found.why == "erp: it answered with 28,000 records: is the search ignored?"


async def test_a_hundred_records_are_an_answer() -> None:
    found = await searched(Fixed(*(Record({"phone": "+436641234567"}, id=str(id_)) for id_ in range(100))))
    assert isinstance(found, Found)
    assert len(found.records) == 100


@pytest.mark.parametrize(
    ("phone", "ours"),
    [
        (("0316 1", *NUMBERS[:18], "0664 1234567"), True),
        ((*NUMBERS[:20], "0664 1234567"), False),
        (";".join(["0664 1234567", *NUMBERS[:14]]), True),
        (";".join(["0664 1234567", *NUMBERS[:90]]), False),
        (("x" * 201, "0664 1234567"), True),
    ],
)
async def test_of_a_field_twenty_texts_of_two_hundred_characters_are_read(phone: tuple[str, ...], ours: bool) -> None:
    found = await searched(Fixed(Record({"phone": phone})))
    assert isinstance(found, Found)
    assert [one.fields["phone"] for one in found.records] == ([phone] if ours else []), "the record stays whole"


async def test_a_hundred_records_full_of_numbers_are_an_error_in_words() -> None:
    found = await searched(Fixed(*(Record({"phone": tuple([";".join(NUMBERS[:15])] * 20)}) for _ in range(100))))
    assert isinstance(found, SourceDown)
    assert found.why == "erp: the numbers of its 100 records are too many: 358,000 characters"


async def test_others_have_their_turn_while_many_numbers_are_read() -> None:
    assert await turns_of_others(searched(Fixed(*(Record({"phone": tuple(NUMBERS[:20])}) for _ in range(99))))) > 20


async def error_of(middleware: Middleware, answer: object, model: str) -> str:
    middleware.body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    provider = erp(middleware.address, "max_answer_bytes: 67108864", model=model)
    with pytest.raises(ProviderMisread) as caught:
        await provider.find(BY_CALLER)
    await provider.close()
    return str(caught.value)


@pytest.mark.parametrize("wrapped", [True, False])
async def test_a_middleware_that_sends_everybody_is_told(middleware: Middleware, wrapped: bool) -> None:
    everybody = [{"phone": number} for number in NUMBERS]
    why = await error_of(middleware, {"customers": everybody} if wrapped else everybody, "{fields: {phone: phone}}")
    assert why == "erp: it answered with 28,000 records: is the search ignored?"


async def test_a_path_that_searches_is_not_tried_on_a_large_answer(middleware: Middleware) -> None:
    answer = {"a": [{"number": number} for number in NUMBERS], "b": 1}
    why = await error_of(middleware, answer, "{fields: {phone: $..number}}")
    assert why == "erp: the answer has more than 20,000 values, too many for a path that searches"


@pytest.mark.parametrize("unit", [b"{},", b"[],", b"1,"])
async def test_millions_of_values_are_never_made(middleware: Middleware, unit: bytes) -> None:
    why = await error_of(middleware, b"[" + unit * 300_000 + b"0]", "{fields: {phone: phone}}")
    assert why == "erp: the answer has more than 250,000 values"


@pytest.mark.parametrize(("size", "beside"), [(65_536, False), (65_537, True)])
async def test_a_body_over_64_kib_is_read_in_a_thread(size: int, beside: bool) -> None:
    assert (await aside(size, threading.get_ident) != threading.get_ident()) is beside


DESCRIPTION = """
address: ADDRESS
auth: {key: {needs: {key: secret}}}
models: {contact: {fields: {id: id, phone: phone}, numbers: [phone]}}
find_by_phone: [{get: /people, records: people, query: {phone: '{number.e164}'}}]
"""


async def test_a_described_system_that_sends_everybody_is_told() -> None:
    async def everybody(_: web.BaseRequest) -> web.Response:
        return web.json_response({"people": [{"id": number, "phone": number} for number in NUMBERS]})

    async with serving(everybody) as address:
        notes = Problems("crm.yaml", {"K": "k"}.get)
        description = read_description(DESCRIPTION.replace("ADDRESS", address), notes, "acme")
        section = read_yaml("auth: {key: '${K}'}\nmax_answer_bytes: 8388608", notes)
        assert description is not None
        assert section is not None
        found = read_crm(description, section, "erp")
        assert notes.problems == []
        provider = open_crm("erp", found.settings, found.models, "AT", time.monotonic)
        with pytest.raises(ProviderMisread, match=r"^erp: it answered with 28,000 records: is the search ignored\?$"):
            await provider.find(BY_CALLER)
        await provider.close()
