"""HubSpot, as its public documentation says: calculated numbers without country code, pages by cursor."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from routing_engine.core.phone import read_number, spellings
from routing_engine.errors import ProviderThrottled
from routing_engine.providers.crm.provider import CrmProvider
from tests.providers.contract import by_caller

from .contract import DescribedContract, Open, ids
from .standin import Asked, Person, StandIn, digits

pytestmark = pytest.mark.io

PAGE = "https://app.hubspot.com/contacts/4711/record/0-1/"
OBJECTS = "/crm/objects/2026-03"
CALCULATED = {"hs_searchable_calculated_phone_number": "phone", "hs_searchable_calculated_mobile_number": "mobilephone"}
#: When a contact was changed is its number in the list of people: milliseconds since 1970, as searches have them.
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


class HubSpot(StandIn):
    token_path = "/oauth/v1/token"
    policy = "TEN_SECONDLY_ROLLING"

    def answer(self, asked: Asked) -> web.Response:
        if asked.path == "/crm/properties/2026-03/contacts":
            field = {"name": "phone", "label": "Phone Number", "type": "string", "fieldType": "phonenumber"}
            return web.json_response({"results": [field]})
        kind, _, search = asked.path.removeprefix(f"{OBJECTS}/").partition("/")
        assert kind in ("contacts", "companies"), asked.path
        if not search:
            assert asked.query.get("archived") in (None, "false")
            return self.page(self.shapes(kind), asked.query.get("after") or "", asked.query["limit"])
        body = asked.json
        try:
            found = [one for one in self.shapes(kind) if self.holds(one, body)]
        except KeyError:
            return web.json_response({"status": "error", "category": "VALIDATION_ERROR"}, status=400)
        return self.page(found, str(body.get("after") or ""), str(body["limit"]))

    def page(self, shapes: list[dict[str, object]], after: str, limit: str) -> web.Response:
        start, size = int(after or 0), min(int(limit), self.page_size)
        found: dict[str, object] = {"total": len(shapes), "results": shapes[start : start + size]}
        if start + size < len(shapes):
            found["paging"] = {"next": {"after": str(start + size)}}
        return web.json_response(found)

    def shapes(self, kind: str) -> list[dict[str, object]]:
        return [self.contact(person) if kind == "contacts" else self.company(person) for person in self.people]

    def contact(self, person: Person) -> dict[str, object]:
        properties = {
            "firstname": person.first, "lastname": person.last, "city": person.city or None, "email": None,
            "phone": person.phone or None, "mobilephone": person.mobile or None, "customer_number": person.number,
            "hubspot_owner_id": "77", "company": "", "lifecyclestage": None, "hs_lead_status": None,
            "hs_object_id": person.id,
            "lastmodifieddate": str(int(MARCH.timestamp() + int(person.id)) * 1000),
        }  # fmt: skip
        return {"id": person.id, "properties": properties, "archived": False, "url": PAGE + person.id}

    def company(self, person: Person) -> dict[str, object]:
        properties = {"name": f"{person.last} GmbH", "phone": person.phone or None}
        return {"id": f"9{person.id}", "properties": properties, "archived": False, "url": PAGE + person.id}

    def holds(self, shape: dict[str, object], body: dict[str, object]) -> bool:
        """Groups are alternatives, at most five of them. A search for words looks at the digits of a number."""
        groups = body.get("filterGroups", [])
        assert isinstance(groups, list)
        assert len(groups) <= 5
        if "query" in body:
            return digits(str(body["query"])) in digits(str(self.value(shape, "phone")))
        return any(all(self.fits(shape, one) for one in group["filters"]) for group in groups)

    def fits(self, shape: dict[str, object], one: dict[str, object]) -> bool:
        value = self.value(shape, str(one["propertyName"]))
        if one["operator"] == "IN":
            assert isinstance(one["values"], list)
            return value in one["values"]
        if one["operator"] == "GTE":
            return int(str(value)) >= int(str(one["value"]))
        assert one["operator"] == "EQ"
        return value == one["value"]

    def value(self, shape: dict[str, object], name: str) -> object:
        properties = shape["properties"]
        assert isinstance(properties, dict)
        number = read_number(properties[CALCULATED.get(name, name)] or "", "AT") if name in CALCULATED else None
        if name not in CALCULATED:
            return properties[name]
        return spellings(number)["significant"] if number is not None else None

    def throttled(self) -> web.Response:
        return web.json_response({"category": "RATE_LIMITS", "policyName": self.policy}, status=429)


class TestHubSpot(DescribedContract):
    provider = "hubspot"
    standin = HubSpot
    page = PAGE + "101"
    integration = """
address: ADDRESS
auth:
  oauth2: {client_id: app, client_secret: '${SECRET}', refresh_token: '${REFRESH}', token_url: ADDRESS/oauth/v1/token}
models: {contact: {fields: {customer_number: customer_number}}}
"""

    async def test_a_private_app_needs_a_token_alone(self, crm: Open, tmp_path: Path) -> None:
        crm.standin.access_token = "key"
        models = self.integration[self.integration.index("models:") :]
        opened = Open(
            crm.standin, "hubspot", f"address: ADDRESS\nauth: {{private_app: '${{TOKEN}}'}}\n{models}", tmp_path
        )
        assert ids(await opened.caller("+43 664 1234567")) == ["101"]
        await opened.provider.close()

    async def test_a_contact_is_one_search(self, crm: Open) -> None:
        assert ids(await crm.caller("+43 664 7654321")) == ["102"]
        assert [one.path for one in crm.standin.asked] == [f"{OBJECTS}/contacts/search"]

    @pytest.mark.parametrize(
        ("number", "who", "searches"), [("+436641234567", "9101", 1), ("+12125550147", "9105", 2), ("+43664", "", 2)]
    )
    async def test_a_company_has_no_calculated_number(self, crm: Open, number: str, who: str, searches: int) -> None:
        assert ids(await crm.caller(number, "company")) == list(filter(None, [who]))
        assert len(crm.standin.asked) == searches

    @pytest.mark.parametrize(
        ("policy", "wait_s"), [("SECONDLY", 1), ("TEN_SECONDLY_ROLLING", 10), ("DAILY", 300)], ids=str
    )
    async def test_the_policy_says_how_long_to_wait(self, crm: Open, policy: str, wait_s: int) -> None:
        crm.standin.policy = policy  # type: ignore[attr-defined]
        crm.standin.nexts.append(crm.standin.throttled)
        with pytest.raises(ProviderThrottled) as caught:
            await crm.provider.find(by_caller("+43 664 1234567"))
        assert caught.value.retry_after_s == wait_s

    async def test_changes_are_searched_and_all_are_listed(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        batch = await crm.provider.page("contact", datetime(2026, 3, 1, 0, 1, 46, tzinfo=UTC), "")
        assert [record.id for record in batch.records] == ["106", "107", "108"]
        await crm.provider.page("contact", None, "")
        assert [one.method for one in crm.standin.asked] == ["POST", "GET"]

    async def test_fields_are_described(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        (field,) = await crm.provider.fields_of("contact")
        assert (field.name, field.label, field.type) == ("phone", "Phone Number", "string")
