"""What is asked for each found record, and what is said when nothing was asked, of a small CRM described here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from routing_engine.core.asks import Find, Found, SourceDown
from routing_engine.core.model import Operand, Source, Template
from routing_engine.core.phone import read_number
from routing_engine.errors import ProviderRefused
from routing_engine.lookup.limiter import Limiter
from routing_engine.lookup.search import Search
from routing_engine.providers.crm.provider import CrmProvider, open_crm
from routing_engine.providers.crm.read_description import read_description
from routing_engine.providers.crm.settings import read_crm
from routing_engine.settings.integration import RateLimits
from routing_engine.settings.yaml_reader import Problems, read_yaml

pytestmark = pytest.mark.io

CRM = """
address: SERVER
auth: none
models:
  contact:
    fields: {id: id, name: name, phone: phone, city: city, tier: custom.tier, owner: owner.name}
    numbers: [phone]
    search_names: {tier: cf_12, name: none}
errors: [{status: 403, then: no_record}]
records: hits
find_by_phone:
  - get: /search
    query: {q: '{number.significant}', page: '{page}'}
    next: {page: 20, more: more}
    each:
      - {get: '/people/{found.id}'}
      - {get: '/owners/{found.owners.id}', under: owner, errors: EACH}
find_by_field:
  - {get: /search, query: {custom: '{field}', is: '{value}'}, when: {field: cf_*}, exact: false}
  - {get: /search, query: {q: "{field | name}:'{value | zoho}'"}}
check: {get: /me, errors: CHECK}
describe: {get: /fields, fields: fields, name: key, prefix: custom.}
"""
EACH, CHECK = "[{status: 403, then: no_record}]", "[{status: 403, then: refused}]"
ANNA = "+43 664 1234567"


class Small:
    """A CRM whose search tells ids and owners alone. `forbidden` are addresses that answer 403."""

    def __init__(self) -> None:
        self.people = [{"id": str(number), "phone": f"+43 664 000{number:04}"} for number in range(9)]
        self.people[8] |= {"name": "Anna", "phone": ANNA}
        self.asked: list[str] = []
        self.queries: list[dict[str, str]] = []
        self.forbidden: set[str] = set()
        self.page = 20
        self.busy = self.busiest = 0

    async def handle(self, request: web.BaseRequest) -> web.Response:
        self.asked.append(request.path)
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        await asyncio.sleep(0)  # others may come meanwhile
        self.busy -= 1
        return self.answer(request)

    def answer(self, request: web.BaseRequest) -> web.Response:
        if request.path in self.forbidden:
            return web.json_response({}, status=403)
        if request.path == "/fields":
            return web.json_response({"fields": [{"key": "tier"}]})
        self.queries.append(dict(request.query))
        kind, _, name = request.path.strip("/").partition("/")
        if kind == "people":
            return web.json_response(next(one for one in self.people if one["id"] == name))
        return web.json_response({"name": "Olga"} if kind == "owners" else self.search(request))

    def search(self, request: web.BaseRequest) -> dict[str, object]:
        start = (int(request.query.get("page", 1)) - 1) * self.page
        rows = [{"id": one["id"], "owners": [{"id": "u1"}, {"id": "u2"}]} for one in self.people]
        return {"hits": rows[start : start + self.page], "more": start + self.page < len(rows)}


class Asked:
    """The CRM, its provider, and look-ups through it."""

    def __init__(self, crm: Small, address: str, each: str, check: str) -> None:
        notes = Problems("crm.yaml")
        text = CRM.replace("SERVER", address).replace("EACH", each).replace("CHECK", check)
        description = read_description(text, notes, "small")
        section = read_yaml("provider: small", notes)
        assert description is not None, notes.problems
        assert section is not None
        section.value("provider")
        setup = read_crm(description, section, "crm", Path())
        self.crm, self.models = crm, setup.models
        self.provider = open_crm("crm", setup.settings, setup.models, "AT", time.monotonic)
        self.search = Search({"crm": self.provider}, {"crm": setup.models}, "AT", 5, time.monotonic)

    def limited(self, limits: RateLimits) -> None:
        """Bound what is asked of the CRM from now on."""
        limiter = Limiter("crm", limits, time.monotonic)
        self.search = Search({"crm": self.provider}, {"crm": self.models}, "AT", 5, time.monotonic, {"crm": limiter})

    async def caller(self, number: str = ANNA, timeout_s: float = 5) -> Found | SourceDown:
        caller = read_number(number, "AT")
        assert caller is not None
        source = Source("s", "crm", "contact", Template((Operand("call", "caller"),)))
        return await self.search.find(Find(source, caller.e164, caller), timeout_s)

    async def field(self, value: str, name: str = "city") -> Found | SourceDown:
        return await self.search.find(Find(Source("s", "crm", "contact", Template(()), field=name), value, None), 5)


@pytest.fixture
async def opened() -> AsyncIterator[Callable[..., Asked]]:
    crm, made = Small(), list[Asked]()
    runner = web.ServerRunner(web.Server(crm.handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    def make(each: str = EACH, check: str = CHECK) -> Asked:
        made.append(Asked(crm, f"http://127.0.0.1:{runner.addresses[0][1]}", each, check))
        return made[-1]

    yield make
    for one in made:
        await one.provider.close()
    await runner.cleanup()


def records(found: Found | SourceDown) -> list[tuple[str, object]]:
    assert isinstance(found, Found), found
    return [(one.id, one.fields["owner"]) for one in found.records]


async def test_a_record_behind_the_first_five_of_a_page_is_asked_for_too(opened: Callable[..., Asked]) -> None:
    found = await opened().caller()
    assert records(found) == [("8", "Olga")]
    assert isinstance(found, Found)
    assert (found.mismatches, found.note) == (8, "")


async def test_the_same_owner_is_asked_for_once(opened: Callable[..., Asked]) -> None:
    asked = opened()
    await asked.caller()
    assert asked.crm.asked.count("/owners/u1") == 1


async def test_a_right_that_is_missing_for_the_owner_does_not_lose_the_customer(opened: Callable[..., Asked]) -> None:
    asked = opened()
    asked.crm.forbidden.add("/owners/u1")
    assert records(await asked.caller()) == [("8", None)]


async def test_rules_of_each_go_before_those_of_the_description(opened: Callable[..., Asked]) -> None:
    asked = opened(each="[{status: 403, then: refused}]")
    asked.crm.forbidden.add("/owners/u1")
    assert isinstance(await asked.caller(), SourceDown)


async def test_the_same_record_twice_is_one_record(opened: Callable[..., Asked]) -> None:
    asked = opened()
    asked.crm.people.append(asked.crm.people[8])
    assert records(await asked.caller()) == [("8", "Olga")]


async def test_records_beyond_the_pages_that_are_read_are_said_to_be_left_out(opened: Callable[..., Asked]) -> None:
    asked = opened()
    asked.crm.page = 2
    found = await asked.caller()
    assert isinstance(found, Found)
    assert (found.records, found.note) == ((), "there are more than 6; the others were not read")


@pytest.mark.parametrize(
    ("value", "why"),
    [("a\\b", "the value holds a backslash"), ("a\x00b", "the value holds a control character")],
    ids=["escape", "control"],
)
async def test_a_value_that_cannot_be_asked_for_is_said(opened: Callable[..., Asked], value: str, why: str) -> None:
    asked = opened()
    found = await asked.field(value)
    assert isinstance(found, Found)
    assert (found.records, found.note) == ((), f"nothing was asked, because {why}")
    assert asked.crm.asked == []


@pytest.mark.parametrize(("check", "address"), [(CHECK, "/me"), ("[]", "/me"), (CHECK, "/search")])
async def test_a_check_is_not_fine_for_who_may_not_ask(opened: Callable[..., Asked], check: str, address: str) -> None:
    asked = opened(check=check)
    asked.crm.forbidden.add(address)
    assert isinstance(asked.provider, CrmProvider)
    with pytest.raises(ProviderRefused, match="refused our credentials"):
        await asked.provider.check()


async def test_a_field_of_the_customer_s_own_is_searched_in_another_way_and_by_another_name(
    opened: Callable[..., Asked],
) -> None:
    asked = opened()
    await asked.field("gold", "tier")
    await asked.field("Linz", "city")
    assert asked.crm.queries == [{"custom": "cf_12", "is": "gold"}, {"q": "city:'Linz'"}]


async def test_a_field_that_cannot_be_searched_asks_nothing(opened: Callable[..., Asked]) -> None:
    found = await opened().field("Anna", "name")
    assert isinstance(found, Found)
    assert found.note == "nothing was asked, because 'name' cannot be searched in small"


async def test_described_names_have_the_prefix_that_records_have(opened: Callable[..., Asked]) -> None:
    provider = opened().provider
    assert isinstance(provider, CrmProvider)
    assert [one.name for one in await provider.fields_of("contact")] == ["custom.tier"]


@pytest.mark.parametrize("limits", [RateLimits(per_second=0.1, burst=4), RateLimits(per_minute=5, burst=4)])
async def test_every_request_of_a_look_up_counts_and_not_the_look_up_alone(
    opened: Callable[..., Asked], limits: RateLimits
) -> None:
    asked = opened()
    asked.limited(limits)
    found = await asked.caller(timeout_s=0.5)
    assert isinstance(found, SourceDown)
    assert (found.why, found.asked) == ("crm: its limits left no time for all of its requests", True)
    assert len(asked.crm.asked) == 4


@pytest.mark.parametrize("at_a_time", [1, 3])
async def test_requests_side_by_side_take_places_too(opened: Callable[..., Asked], at_a_time: int) -> None:
    asked = opened()
    asked.limited(RateLimits(at_a_time=at_a_time))
    assert [records(one) for one in await asyncio.gather(*(asked.caller() for _ in range(3)))] == [[("8", "Olga")]] * 3
    assert asked.crm.busiest <= at_a_time
