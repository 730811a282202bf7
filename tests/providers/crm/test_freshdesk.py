"""Freshdesk, as its documentation says: an index of whole texts, lists by link, a cap of its own for contacts."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp import web

from routing_engine.core.model import Record
from routing_engine.core.phone import read_number
from routing_engine.errors import ProviderThrottled
from routing_engine.lookup.caller_match import match_caller
from routing_engine.providers.crm.provider import CrmProvider
from tests.providers.contract import by_caller

from .conditions import BadQuery, Condition, Reader, column
from .contract import DescribedContract, Open, ids
from .standin import PEOPLE, Asked, Person, StandIn

pytestmark = pytest.mark.io

TOKEN = r"'[^']*'|[A-Za-z_]\w*|[:()]"
SEARCHED = {"phone", "mobile", "email", "name", "customer_number"}
#: Numbers as Freshdesk can be asked for them: it knows no other writing than the one that is stored.
WRITTEN = {
    "102": {"phone": "0664 7654321"},
    "103": {"phone": "+49 30 123456", "mobile": "+491717654321"},
    "105": {"phone": "+1 212-555-0147"},
    "107": {"mobile": "01 5120001"},
    "108": {"phone": "+416641234567"},
}


def compare(reader: Reader) -> Condition:
    """NAME:'TEXT'; only fields that the index knows, and no way to write a quote within the quotes."""
    name = reader.take()
    reader.take(":")
    literal = reader.take()
    if name not in SEARCHED or not literal.startswith("'"):
        raise BadQuery(name)
    return lambda row: str(column(row, name) or "").casefold() == literal[1:-1].casefold()


class Freshdesk(StandIn):
    token_path = ""
    changed = frozenset(person.id for person in PEOPLE)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.people = [replace(person, **WRITTEN.get(person.id, {})) for person in self.people]

    def authorized(self, asked: Asked) -> bool:
        wanted = base64.b64encode(f"{self.access_token}:X".encode()).decode()
        return asked.headers.get("Authorization") == f"Basic {wanted}"

    def unauthorized(self) -> web.Response:
        return web.json_response({"code": "invalid_credentials", "message": "wrong"}, status=401)

    def answer(self, asked: Asked) -> web.Response:
        path = asked.path.removeprefix("/api/v2")
        if path == "/search/contacts":
            return self.search(asked)
        if found := re.fullmatch(r"/contacts/(\d+)", path):
            people = [one for one in self.people if one.id == found[1]]
            return web.json_response(self.shape(people[0])) if people else web.Response(status=404)
        if path == "/contact_fields":
            return web.json_response([{"name": "phone", "label": "Work phone", "type": "default_phone"}])
        return self.list(asked) if path == "/contacts" else web.Response(status=404)

    def search(self, asked: Asked) -> web.Response:
        query, page = asked.query["query"], int(asked.query.get("page", "1"))
        if len(query) > 512 or not re.fullmatch(r'"[^"]*"', query) or not 1 <= page <= 10:
            return self.invalid()
        try:
            reader = Reader(query[1:-1], TOKEN, compare)
            condition = reader.condition()
            if reader.tokens:
                raise BadQuery(query)
            found = [one for one in self.people if condition(self.shape(one) | {"customer_number": one.number})]
        except BadQuery:
            return self.invalid()
        rows = found[(page - 1) * 30 : page * 30]
        return web.json_response({"total": len(found), "results": [*map(self.shape, rows)]})

    def invalid(self) -> web.Response:
        return web.json_response(
            {"description": "Validation failed", "errors": [{"code": "invalid_value"}]}, status=400
        )

    def list(self, asked: Asked) -> web.Response:
        size, page = min(int(asked.query["per_page"]), self.page_size), int(asked.query.get("page", "1"))
        people = [one for one in self.people if "_updated_since" not in asked.query or one.id in self.changed]
        rows = [self.shape(one) for one in people[(page - 1) * size : page * size]]
        address = f"{self.address}/api/v2/contacts?per_page={size}&page={page + 1}"
        headers = {"Link": f'<{address}>;rel="next"'} if page * size < len(people) else {}
        return web.json_response(rows, headers=headers)

    def shape(self, person: Person) -> dict[str, object]:
        return {
            "id": int(person.id), "name": f"{person.first} {person.last}", "email": None, "phone": person.phone or None,
            "mobile": person.mobile or None, "company_id": None, "custom_fields": {"customer_number": person.number},
        }  # fmt: skip


class TestFreshdesk(DescribedContract):
    provider = "freshdesk"
    standin = Freshdesk
    refreshes = False
    page = "ADDRESS/a/contacts/101"
    integration = """
server: ADDRESS
limits: {per_second: 1000}
auth: {api_key: '${TOKEN}'}
models: {contact: {fields: {customer_number: custom_fields.customer_number}}}
"""

    async def test_every_spelling_of_both_fields_is_one_request(self, crm: Open) -> None:
        assert ids(await crm.caller("+43 664 7654321")) == ["102"]
        (asked,) = crm.standin.asked
        assert "phone:'0664 7654321'" in asked.query["query"]
        assert "mobile:'+436647654321'" in asked.query["query"]

    @pytest.mark.parametrize("written", ["0664/7654321", "+43 (0)664 765 43 21", "0664-765 4321"])
    async def test_a_writing_that_nobody_asks_for_is_found_in_a_mirror_only(self, crm: Open, written: str) -> None:
        crm.standin.people = [replace(crm.standin.people[1], phone=written)]
        assert ids(await crm.caller("+43 664 7654321")) == []
        assert [record.id for record in await self.mirrored(crm, "+43 664 7654321")] == ["102"]

    async def mirrored(self, crm: Open, number: str) -> list[Record]:
        """Whose records are the caller's, of all that a mirror lists."""
        assert isinstance(crm.provider, CrmProvider)
        batch = await crm.provider.page("contact", None, "")
        query = by_caller(number)
        assert query.caller == read_number(number, "AT")
        return [*match_caller(batch.records, query, crm.connection.models["contact"].numbers, "AT").callers]

    async def test_the_longest_numbers_stay_within_a_query(self, crm: Open) -> None:
        assert ids(await crm.caller("+49 1590 12345678901")) == []
        assert len(crm.standin.asked) == 1

    async def test_the_contacts_own_cap_is_obeyed(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        crm.standin.nexts.append(lambda: web.Response(status=429, headers={"Retry-After": "43"}))
        with pytest.raises(ProviderThrottled) as caught:
            await crm.provider.page("contact", None, "")
        assert caught.value.retry_after_s == 43

    async def test_changes_are_listed(self, crm: Open) -> None:
        crm.standin.changed = frozenset({"104"})  # type: ignore[attr-defined]
        assert isinstance(crm.provider, CrmProvider)
        batch = await crm.provider.page("contact", datetime(2026, 3, 1, tzinfo=UTC), "")
        assert [record.id for record in batch.records] == ["104"]
        assert crm.standin.asked[0].query["_updated_since"] == "2026-03-01T00:00:00Z"

    async def test_fields_are_described(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        (field,) = await crm.provider.fields_of("contact")
        assert (field.name, field.label, field.type) == ("phone", "Work phone", "default_phone")
