"""Freshsales, as its documentation and public code say: filters of whole texts, a look-up in one field."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from routing_engine.core.asks import Found
from routing_engine.errors import ProviderRefused
from routing_engine.providers.crm.provider import CrmProvider
from tests.providers.contract import by_caller

from .contract import DescribedContract, Open, ids, listed
from .standin import PEOPLE, Asked, Person, StandIn

pytestmark = pytest.mark.io

#: The members that hold what was found, by the kind that is searched.
KINDS = {"contact": "contacts", "sales_account": "sales_accounts", "deal": "deals"}
API = "/crm/sales/api/"
#: The mobile and the work number of people whose numbers are written in another way elsewhere.
SPELLED = {
    "102": ("", "06647654321"),
    "103": ("+491717654321", "+49 30 123456"),
    "105": ("+1 212-555-0147", ""),
    "107": ("", "01 5120001"),
    "108": ("", "+416641234567"),
}


class Freshsales(StandIn):
    token_path = ""
    #: How long a page is at most; as long as it was asked for where this is 0.
    longest = 0

    def __post_init__(self) -> None:
        # Filters compare whole texts, so what is found is written in one of the spellings that are asked for.
        self.people = [self.spelled(person) for person in PEOPLE]
        super().__post_init__()

    def spelled(self, person: Person) -> Person:
        mobile, phone = SPELLED.get(person.id, (person.mobile, person.phone))
        return replace(person, mobile=mobile, phone=phone)

    def authorized(self, asked: Asked) -> bool:
        return asked.headers.get("Authorization") == f"Token token={self.access_token}"

    def unauthorized(self) -> web.Response:
        return web.json_response({"login": "failed", "message": "Invalid access"}, status=401)

    def answer(self, asked: Asked) -> web.Response:
        place, _, kind = asked.path.removeprefix(API).partition("/")
        if place == "filtered_search":
            return self.filtered(asked, kind)
        if place == "lookup":
            found = self.rows(asked.query["entities"], asked.query["f"], [asked.query["q"]], whole=True)
            held = KINDS[asked.query["entities"]]
            return web.json_response({held: {held: found, "meta": {"total": len(found)}}})
        if asked.path == f"{API}settings/contacts/fields":
            field = {"id": "1", "name": "mobile_number", "label": "Mobile", "type": "text", "form_id": 4}
            return web.json_response({"fields": [field]})
        if asked.path == f"{API}selector/owners":
            return web.json_response({"users": [{"id": 7, "display_name": "Olga Owner"}]})
        return self.read(place, kind, asked.query.get("include", ""))

    def read(self, place: str, wanted: str, include: str) -> web.Response:
        kind = {"contacts": "contact", "sales_accounts": "sales_account"}[place]
        for row in (self.row(person, kind, whole=True) for person in self.people):
            if str(row["id"]) == wanted:
                accounts = {"sales_accounts": [{"id": 3, "name": "Gruber GmbH", "is_primary": True, "partial": True}]}
                return web.json_response({kind: {**row, **(accounts if include == "sales_accounts" else {})}})
        return self.error(404, "Not found")

    def filtered(self, asked: Asked, kind: str) -> web.Response:
        (rule,) = asked.json["filter_rule"]  # type: ignore[misc]
        if rule["operator"] == "is_after":
            assert rule["attribute"] == "created_at"
            found = self.rows(kind, "created_at", [])
        else:
            assert rule["operator"] == "is_in"
            found = self.rows(kind, rule["attribute"], rule["value"])
        page, size = int(asked.query["page"]), int(asked.query["per_page"])
        assert (asked.json["page"], asked.json["per_page"]) == (page, size)
        assert size <= 100
        size = self.longest or size
        rows = found[(page - 1) * size : page * size]
        return web.json_response({KINDS[kind]: rows, "meta": {"total": len(found)}})

    def rows(self, kind: str, attribute: str, values: list[str], whole: bool = False) -> list[dict[str, object]]:
        """Whole texts, whatever their case. A field is named without where it lies in the record."""
        assert "." not in attribute
        people = [] if kind == "deal" else self.people
        wanted = {one.lower() for one in values}
        found = [one for one in people if not wanted or self.held(one, attribute).lower() in wanted]
        return [self.row(one, kind, whole) for one in found]

    def held(self, person: Person, attribute: str) -> str:
        held = {"mobile_number": person.mobile, "work_number": person.phone, "phone": person.phone}
        return {**held, "cf_customer_number": person.number, "email": ""}[attribute]

    def row(self, person: Person, kind: str, whole: bool) -> dict[str, object]:
        """A record, whole or as filters tell it: without the fields of one's own."""
        if kind == "sales_account":
            return {"id": 9000 + int(person.id), "name": f"{person.last} GmbH", "phone": person.phone, "owner_id": 7}
        found: dict[str, object] = {
            "id": int(person.id), "first_name": person.first, "last_name": person.last, "city": None, "email": None,
            "mobile_number": person.mobile or None, "work_number": person.phone or None, "owner_id": 7,
        }  # fmt: skip
        return {**found, "custom_field": {"cf_customer_number": person.number}} if whole else found

    def error(self, status: int, text: str) -> web.Response:
        return web.json_response({"errors": {"code": status, "message": [text]}}, status=status)


class TestFreshsales(DescribedContract):
    provider = "freshsales"
    standin = Freshsales
    refreshes = False
    page = "ADDRESS/crm/sales/contacts/101"
    integration = """
server: ADDRESS/crm/sales
auth: {api_key: '${TOKEN}'}
models: {contact: {fields: {customer_number: custom_field.cf_customer_number}}}
"""

    async def test_each_field_is_one_filter_with_every_spelling(self, crm: Open) -> None:
        assert ids(await crm.caller("+43 664 1234567")) == ["101"]
        rules = [one.json["filter_rule"][0] for one in crm.standin.asked if one.method == "POST"]  # type: ignore[index]
        assert [(one["attribute"], one["operator"]) for one in rules] == [
            ("mobile_number", "is_in"),
            ("work_number", "is_in"),
        ]
        assert rules[0]["value"] == [
            "+436641234567", "436641234567", "06641234567", "+43 664 1234567", "0664 1234567", "6641234567",
        ]  # fmt: skip

    async def test_a_mobile_number_is_one_filter_and_then_the_whole_contact(self, crm: Open) -> None:
        found = await crm.caller("+49 171 7654321")
        assert isinstance(found, Found)
        assert [one.fields["company"] for one in found.records] == ["Gruber GmbH"]
        assert [one.path for one in crm.standin.asked] == [f"{API}filtered_search/contact", f"{API}contacts/103"]

    async def test_who_has_it_as_a_mobile_number_goes_before_who_works_there(self, crm: Open) -> None:
        crm.standin.people.append(Person("109", "", "Eva", "Mobil", "", "", "+4315120001"))
        assert ids(await crm.caller("+43 1 5120001")) == ["109"]

    async def test_a_number_that_is_written_freely_is_found_in_a_mirror_alone(self, crm: Open) -> None:
        crm.standin.people[1] = Person("102", "0042", "Paul", "Hofer", "", "0664/7654321")
        assert ids(await crm.caller("+43 664 7654321")) == []
        assert "102" in await listed(crm)

    async def test_an_account_has_one_number(self, crm: Open) -> None:
        found = await crm.caller("+43 664 1234567", "account")
        assert isinstance(found, Found)
        assert [(one.id, one.fields["name"]) for one in found.records] == [("9101", "Gruber GmbH")]
        assert found.records[0].url.endswith("/crm/sales/sales_accounts/9101")

    async def test_a_field_is_asked_for_by_its_own_name(self, crm: Open) -> None:
        assert ids(await crm.field("customer_number", "0042")) == ["102"]
        (asked,) = crm.standin.asked
        assert dict(asked.query) == {"q": "0042", "f": "cf_customer_number", "entities": "contact"}

    @pytest.mark.parametrize("longest", [0, 10])
    async def test_every_page_is_listed_however_long_pages_are(self, crm: Open, longest: int) -> None:
        crm.standin.longest = longest  # type: ignore[attr-defined]
        crm.standin.people = [Person(str(number), "", "A", "B") for number in range(1000, 1205)]
        assert sorted(await listed(crm)) == sorted(person.id for person in crm.standin.people)

    async def test_every_model_can_be_mirrored(self, crm: Open) -> None:
        assert [len(await listed(crm, model)) for model in ("contact", "account", "deal")] == [8, 8, 0]

    async def test_a_filter_that_is_refused_tells_its_code(self, crm: Open) -> None:
        crm.standin.nexts.append(lambda: Freshsales().error(400, "No such attribute"))
        with pytest.raises(ProviderRefused, match=r"status 400 \(400\)"):
            await crm.provider.find(by_caller("+43 664 1234567"))

    async def test_changes_alone_cannot_be_listed_so_all_are(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        batch = await crm.provider.page("contact", datetime(2026, 3, 1, tzinfo=UTC), "")
        assert len(batch.records) == len(crm.standin.people)

    async def test_a_classic_account_has_another_address(self, crm: Open, tmp_path: Path) -> None:
        text = self.integration.replace("ADDRESS/crm/sales", "ADDRESS")
        opened = Open(crm.standin, "freshsales", text, tmp_path / "b")
        crm.standin.nexts.append(lambda: web.json_response({"contacts": []}))
        await opened.provider.find(by_caller("+43 664 1234567"))
        assert crm.standin.asked[0].path == "/api/filtered_search/contact"
        await opened.provider.close()

    async def test_fields_are_described(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        (field,) = await crm.provider.fields_of("contact")
        assert (field.name, field.label, field.type) == ("mobile_number", "Mobile", "text")
