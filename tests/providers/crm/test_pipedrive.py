"""Pipedrive, as its SDK says: searches in all fields that tell none of your own, records asked for one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from routing_engine.core.asks import Found, SourceDown
from routing_engine.errors import ProviderRefused, ProviderThrottled
from routing_engine.providers.crm.provider import CrmProvider
from routing_engine.providers.crm.settings import shipped_description
from tests.providers.contract import by_caller

from .contract import DescribedContract, Open, ids, listed
from .standin import Asked, Person, StandIn, digits

pytestmark = pytest.mark.io

#: The key of a field of one's own is forty digits of a hash.
FIELD = "9b1d3c2f" * 5
CHANGED = "2026-03-01T00:00:{:02}Z"
DEALS = (
    {"id": 35, "title": "Roof", "status": "open", "person_id": 101, "owner_id": 9, "update_time": "2"},
    {"id": 36, "title": "Wall", "status": "won", "person_id": 101, "owner_id": 8, "update_time": "4"},
    {"id": 37, "title": "Door", "status": "open", "person_id": 101, "owner_id": 7, "update_time": "3"},
)


class Pipedrive(StandIn):
    token_path = "/oauth/token"
    #: Whether the index knows a number by its digits, or as it is written.
    by_digits = True
    #: Persons that were deleted, by id: searches know them for some moments more.
    gone: frozenset[str] = frozenset()

    def answer(self, asked: Asked) -> web.Response:
        path, query = asked.path.removeprefix("/v2/"), asked.query
        if path == "persons/search":
            return self.search(query)
        if path == "persons":
            since = query.get("updated_since", "")
            people = [one for one in self.people if CHANGED.format(int(one.id) % 100) >= since]
            return self.page([self.whole(one) for one in people], query, "")
        if path == "leads/search":
            return self.page([{"item": {"id": "39c4", "title": query["term"], "custom_fields": []}}], query, "items")
        if path == "deals":
            return self.deals(query)
        if path == "/v1/leads":
            return self.leads(int(query["start"]), int(query["limit"]))
        if path == "personFields":
            field = {"field_name": "Customer number", "field_code": FIELD, "field_type": "varchar"}
            return web.json_response({"success": True, "data": [field], "additional_data": {"next_cursor": None}})
        return self.read(path.removeprefix("persons/"))

    def read(self, wanted: str) -> web.Response:
        for person in self.people:
            if person.id == wanted and person.id not in self.gone:
                return web.json_response({"success": True, "data": self.whole(person)})
        return self.error(404, "ERR_NOT_FOUND")

    def deals(self, query: Mapping[str, str]) -> web.Response:
        assert query["sort_by"] in ("update_time", "id")
        found = [one for one in DEALS if str(one["person_id"]) == query.get("person_id", "101")]
        found = [one for one in found if one["status"] == query["status"]]
        down = query.get("sort_direction") == "desc"
        return self.page(sorted(found, key=lambda one: str(one[query["sort_by"]]), reverse=down), query, "")

    def leads(self, start: int, size: int) -> web.Response:
        """The older API: pages by a number, and other names than a search has."""
        rows = [{"id": f"lead-{number}", "title": "Roof", "person_id": 101, "owner_id": 7} for number in range(130)]
        more = {"start": start, "limit": size, "more_items_in_collection": start + size < len(rows)}
        data = {"data": rows[start : start + size], "additional_data": more}
        return web.json_response({"success": True, **data})

    def search(self, query: Mapping[str, str]) -> web.Response:
        """A term of less than two signs is an error, but for a whole value. The case never matters."""
        exact, term = query.get("exact_match") == "true", query["term"].strip().lower()
        if len(term) < (1 if exact else 2):
            return self.error(400, "ERR_SCHEMA_VALIDATION_FAILED")
        found = [one for one in self.people if self.fits(one, term, query.get("fields", ""), exact)]
        return self.page([{"result_score": 0.5, "item": self.item(one)} for one in found], query, "items")

    def fits(self, person: Person, term: str, fields: str, exact: bool) -> bool:
        if fields == "phone":
            held = [digits(one) if self.by_digits else one for one in person.phones]
            return any((digits(term) if self.by_digits else term) in one for one in held)
        assert fields == ""
        return exact and term in (person.number.lower(), f"{person.first} {person.last}".lower(), *person.phones)

    def page(self, rows: Sequence[Mapping[str, object]], query: Mapping[str, str], within: str) -> web.Response:
        start = int(query.get("cursor", 0))
        end = start + min(int(query["limit"]), self.page_size)
        more = {"next_cursor": str(end) if end < len(rows) else None}
        data = {within: rows[start:end]} if within else rows[start:end]
        return web.json_response({"success": True, "data": data, "additional_data": more})

    def item(self, person: Person) -> dict[str, object]:
        """What a search tells: numbers as texts, and values of one's own without their names."""
        return {
            "id": int(person.id), "type": "person", "name": f"{person.first} {person.last}", "emails": [],
            "phones": list(person.phones), "owner": {"id": 7}, "organization": {"id": 3, "name": "Gruber GmbH"},
            "custom_fields": [person.number], "notes": [], "visible_to": 3,
        }  # fmt: skip

    def whole(self, person: Person) -> dict[str, object]:
        return {
            "id": int(person.id), "name": f"{person.first} {person.last}", "owner_id": 7, "org_id": 3,
            "phones": [{"value": one, "primary": True, "label": "work"} for one in person.phones], "emails": [],
            "custom_fields": {FIELD: person.number}, "is_deleted": person.id in self.gone,
            "update_time": CHANGED.format(int(person.id) % 100),
        }  # fmt: skip

    def error(self, status: int, code: str) -> web.Response:
        return web.json_response({"success": False, "error": "what went wrong", "code": code}, status=status)

    def unauthorized(self) -> web.Response:
        return self.error(401, "ERR_UNAUTHORIZED")

    def throttled(self) -> web.Response:
        headers = {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "10"}
        return web.json_response({"success": False, "error": "request over limit"}, status=429, headers=headers)


class TestPipedrive(DescribedContract):
    provider = "pipedrive"
    standin = Pipedrive
    page = "https://acme.pipedrive.com/person/101"
    integration = f"""
company: acme
address: ADDRESS
auth:
  oauth2:
    {{client_id: app, client_secret: '${{SECRET}}', refresh_token: '${{REFRESH}}', token_url: ADDRESS/oauth/token}}
models: {{contact: {{fields: {{customer_number: custom_fields.{FIELD}}}}}}}
"""

    async def test_a_token_of_a_person_goes_in_a_header_of_its_own(self, crm: Open, tmp_path: Path) -> None:
        crm.standin.authorized = lambda asked: asked.headers.get("x-api-token") == "key"  # type: ignore[method-assign]
        head, tail = self.integration.index("auth:"), self.integration.index("models:")
        text = self.integration[:head] + "auth: {api_token: '${TOKEN}'}\n" + self.integration[tail:]
        opened = Open(crm.standin, "pipedrive", text, tmp_path / "b")
        assert ids(await opened.caller("+43 664 1234567")) == ["101"]
        await opened.provider.close()

    async def test_a_caller_is_a_search_and_then_each_that_was_found(self, crm: Open) -> None:
        found = await crm.caller("+43 664 1234567")
        assert isinstance(found, Found)
        search, *persons = crm.standin.asked
        assert (search.path, search.query["term"], search.query["fields"]) == (
            "/v2/persons/search",
            "6641234567",
            "phone",
        )
        assert [one.path for one in persons] == ["/v2/persons/101", "/v2/persons/108"]
        fields = found.records[0].fields
        assert (fields["company"], fields["owner_id"], fields["phone"]) == ("Gruber GmbH", 7, "+43 664 1234567")

    async def test_a_number_that_is_indexed_as_it_is_written_is_found_as_people_write_it(self, crm: Open) -> None:
        crm.standin.by_digits = False  # type: ignore[attr-defined]
        assert ids(await crm.caller("+43 664 1234567")) == ["101"]
        terms = [one.query["term"] for one in crm.standin.asked if "term" in one.query]
        assert terms == ["6641234567", "+43 664 1234567"]

    async def test_a_person_who_was_deleted_meanwhile_is_what_the_search_told(self, crm: Open) -> None:
        crm.standin.gone = frozenset({"101"})  # type: ignore[attr-defined]
        found = await crm.caller("+43 664 1234567")
        assert isinstance(found, Found)
        assert [(one.id, one.fields["customer_number"]) for one in found.records] == [("101", None)]

    async def test_strangers_stay_strangers_however_many_are_found(self, crm: Open) -> None:
        same = [Person(str(number), "1", "S", "T", "", "+41 1 5120001") for number in range(300, 310)]
        crm.standin.people = [*same, *crm.standin.people]
        assert ids(await crm.caller("+43 1 5120001")) == ["106", "107"]
        assert sum(one.path != "/v2/persons/search" for one in crm.standin.asked) == 12

    async def test_a_value_in_another_field_finds_nobody(self, crm: Open) -> None:
        crm.standin.people.append(Person("109", "999", "777", ""))
        assert ids(await crm.field("customer_number", "777")) == ["106"]
        assert ids(await crm.field("name", "anna GRUBER")) == ["101"]
        assert all(one.query["exact_match"] == "true" for one in crm.standin.asked if "term" in one.query)

    async def test_open_deals_of_a_person_come_with_their_owner_newest_first(self, crm: Open) -> None:
        found = await crm.field("contact_id", "101", "open_deal")
        assert isinstance(found, Found)
        assert [(one.id, one.fields["owner_id"]) for one in found.records] == [("37", 7), ("35", 9)]
        assert found.records[0].url == "https://acme.pipedrive.com/deal/37"
        assert ids(await crm.field("contact_id", "' OR 1=1", "open_deal")) == []

    async def test_a_lead_is_found_by_its_title(self, crm: Open) -> None:
        found = await crm.field("name", "Big roof", "lead")
        assert isinstance(found, Found)
        assert [one.url for one in found.records] == ["https://acme.pipedrive.com/leads/inbox/39c4"]

    async def test_too_many_requests_are_a_pause_as_long_as_it_says(self, crm: Open) -> None:
        crm.standin.nexts.append(crm.standin.throttled)
        with pytest.raises(ProviderThrottled) as caught:
            await crm.provider.find(by_caller("+43 664 1234567"))
        assert caught.value.retry_after_s == 10

    async def test_a_block_is_left_alone_for_minutes_and_a_missing_right_is_told(self, crm: Open) -> None:
        page = "<html>blocked</html>"
        crm.standin.nexts.append(lambda: web.Response(status=403, text=page, content_type="text/html"))
        with pytest.raises(ProviderThrottled) as caught:
            await crm.provider.find(by_caller("+43 664 1234567"))
        assert caught.value.retry_after_s == 300
        crm.standin.nexts.append(lambda: Pipedrive().error(403, "ERR_SCOPE"))
        with pytest.raises(ProviderRefused, match=r"ERR_SCOPE.*refused our credentials"):
            await crm.provider.find(by_caller("+43 664 1234567"))

    async def test_an_address_that_is_no_pipedrive_is_no_unknown_caller(self, crm: Open) -> None:
        crm.standin.nexts.append(lambda: web.Response(status=404, text="<html>"))
        assert isinstance(await crm.caller("+43 664 1234567"), SourceDown)

    async def test_an_error_within_a_good_status_is_an_error(self, crm: Open) -> None:
        crm.standin.nexts.append(lambda: Pipedrive().error(200, "ERR_ODD"))
        with pytest.raises(ProviderRefused, match="ERR_ODD"):
            await crm.provider.find(by_caller("+43 664 1234567"))

    async def test_changes_and_deletions_are_listed(self, crm: Open) -> None:
        crm.standin.gone = frozenset({"107"})  # type: ignore[attr-defined]
        assert isinstance(crm.provider, CrmProvider)
        batch = await crm.provider.page("contact", datetime(2026, 3, 1, 0, 0, 6, tzinfo=UTC), "")
        assert ([record.id for record in batch.records], batch.gone) == (["106", "108"], ["107"])

    async def test_leads_and_open_deals_are_listed_too(self, crm: Open) -> None:
        assert len(await listed(crm, "lead")) == 130
        assert await listed(crm, "open_deal") == ["35", "37"]

    @pytest.mark.parametrize("model", ["contact", "company", "deal", "open_deal", "lead"])
    def test_every_model_can_be_mirrored(self, model: str) -> None:
        assert shipped_description("pipedrive").listing_for(model) is not None

    async def test_fields_are_described(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        (field,) = await crm.provider.fields_of("contact")
        assert (field.name, field.label, field.type) == (FIELD, "Customer number", "varchar")
