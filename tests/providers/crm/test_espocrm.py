"""EspoCRM, as its source says: a digits-only column of all numbers, lists that tell the first number alone."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from aiohttp import web

from routing_engine.errors import ProviderRefused
from routing_engine.providers.crm.provider import CrmProvider
from tests.providers.contract import by_caller

from .conditions import like
from .contract import DescribedContract, Open, ids
from .standin import Asked, Person, StandIn, digits

pytestmark = pytest.mark.io

LARGEST = 200  # recordListMaxSizeLimit


class EspoCRM(StandIn):
    token_path = ""
    changed: frozenset[str] = frozenset()

    def authorized(self, asked: Asked) -> bool:
        return asked.headers.get("X-Api-Key") == self.access_token

    def unauthorized(self) -> web.Response:
        return web.Response(status=401)

    def broken(self) -> web.Response:
        return web.Response(status=500, headers={"X-Status-Reason": "SQLSTATE[42S22] 6641234567"})

    def answer(self, asked: Asked) -> web.Response:
        path = asked.path.removeprefix("/crm/api/v1/")
        if path == "Metadata":
            fields = {"phoneNumber": {"type": "phone"}, "name": {"type": "personName"}}
            return web.json_response(fields if asked.query["key"] == "entityDefs.Contact.fields" else None)
        if found := re.fullmatch(r"Contact/(\d+)", path):
            return self.read(found[1])
        if path not in ("Contact", "Lead", "Account"):
            return web.Response(status=404)
        params = json.loads(asked.query.get("searchParams", "{}"))
        return self.list(params, self.people if path == "Contact" else [], "X-No-Total" in asked.headers)

    def read(self, wanted: str) -> web.Response:
        for person in self.people:
            if person.id == wanted:
                data = [{"phoneNumber": one, "primary": one == person.phones[0]} for one in person.phones]
                return web.json_response({**self.shape(person), "phoneNumberData": data})
        return web.Response(status=404)

    def list(self, params: dict[str, object], people: list[Person], no_total: bool) -> web.Response:
        size, start = params.get("maxSize", 20), params.get("offset", 0)
        if not isinstance(size, int) or not isinstance(start, int) or size > LARGEST:
            return web.Response(status=403)
        where = params.get("where", [])
        assert isinstance(where, list)
        try:
            found = [one for one in people if all(self.fits(one, item) for item in where)]
        except KeyError:
            return web.Response(status=400, headers={"X-Status-Reason": "Bad where"})
        select = params.get("select")
        rows = [self.shape(person) for person in found[start : start + min(size, self.page_size)]]
        if isinstance(select, list):
            rows = [{name: value for name, value in row.items() if name in select} for row in rows]
        more = start + len(rows) < len(found)
        return web.json_response({"total": (-1 if more else -2) if no_total else len(found), "list": rows})

    def fits(self, person: Person, item: dict[str, str]) -> bool:
        kind, attribute, value = item["type"], item["attribute"], item["value"]
        if attribute == "phoneNumberNumeric":
            assert kind == "like"
            return any(like(digits(one), value) for one in person.phones)
        if kind == "greaterThanOrEquals":
            assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", value)
            return value < "2026-01-01" or person.id in self.changed
        assert kind == "equals"
        return str(self.shape(person)[attribute]) == value

    def shape(self, person: Person) -> dict[str, object]:
        return {
            "id": person.id, "name": f"{person.first} {person.last}", "phoneNumber": (*person.phones, None)[0],
            "emailAddress": None, "accountName": "", "accountId": None, "addressCity": person.city or None,
            "assignedUserName": "Olga Owner", "assignedUserId": "u1", "doNotCall": False,
            "cCustomerNumber": person.number,
        }  # fmt: skip


class TestEspoCRM(DescribedContract):
    provider = "espocrm"
    standin = EspoCRM
    refreshes = False
    page = "ADDRESS/crm/#Contact/view/101"
    integration = """
server: ADDRESS/crm
auth: {api_key: '${TOKEN}'}
models: {contact: {fields: {customer_number: cCustomerNumber}}}
"""

    async def test_a_second_number_counts_though_lists_do_not_tell_it(self, crm: Open) -> None:
        (record,) = (await crm.caller("+49 171 7654321")).records  # type: ignore[union-attr]
        assert record.fields["phone"] == "+49 30 123456"
        assert record.fields["phones"] == ("+49 30 123456", "+49 (0)171 7654321")

    async def test_one_request_searches_and_one_reads_the_record(self, crm: Open) -> None:
        assert ids(await crm.caller("+43 664 7654321")) == ["102"]
        assert [one.path for one in crm.standin.asked] == ["/crm/api/v1/Contact", "/crm/api/v1/Contact/102"]
        where = json.loads(crm.standin.asked[0].query["searchParams"])["where"]
        assert where == [{"type": "like", "attribute": "phoneNumberNumeric", "value": "%6647654321"}]

    async def test_what_is_nothing_is_told_from_what_is_false(self, crm: Open) -> None:
        (record,) = (await crm.caller("+43 664 1234567")).records  # type: ignore[union-attr]
        assert (record.fields["company"], record.fields["no_calls"]) == (None, False)
        assert (record.fields["owner"], record.fields["owner_id"]) == ("Olga Owner", "u1")

    async def test_a_user_without_the_right_for_contacts_is_told(self, crm: Open) -> None:
        crm.standin.nexts += [lambda: web.Response(status=403)]
        assert isinstance(crm.provider, CrmProvider)
        with pytest.raises(ProviderRefused, match="status 403: it refused our credentials"):
            await crm.provider.check()

    async def test_a_field_that_is_not_there_is_refused(self, crm: Open) -> None:
        crm.standin.fits = lambda person, item: {}["nothing"]  # type: ignore[attr-defined]
        with pytest.raises(ProviderRefused, match="status 400: it refused the request"):
            await crm.provider.find(by_caller("+43 664 1234567"))

    async def test_changes_are_listed(self, crm: Open) -> None:
        crm.standin.changed = frozenset({"105"})  # type: ignore[attr-defined]
        assert isinstance(crm.provider, CrmProvider)
        batch = await crm.provider.page("contact", datetime(2026, 3, 1, tzinfo=UTC), "")
        assert [record.id for record in batch.records] == ["105"]

    async def test_fields_are_described(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        assert {(one.name, one.type) for one in await crm.provider.fields_of("contact")} == {
            ("phoneNumber", "phone"),
            ("name", "personName"),
        }
