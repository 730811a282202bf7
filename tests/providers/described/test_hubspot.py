"""HubSpot, as its public documentation says: calculated numbers without country code, pages by cursor."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from routing_engine.core.numbers import read_number, spellings

from .contract import DescribedContract, Open, ids
from .standin import Asked, Person, StandIn

PAGE = "https://app.hubspot.com/contacts/4711/record/0-1/"


class HubSpot(StandIn):
    token_path = "/oauth/v1/token"

    def answer(self, asked: Asked) -> web.Response:
        assert asked.path.startswith("/crm/objects/2026-03/contacts")
        if asked.method == "GET":
            return self.page(self.people, asked.query)
        body = asked.json
        groups = body["filterGroups"]
        assert isinstance(groups, list)
        assert len(groups) <= 5
        found = [person for person in self.people if any(self.fits(person, group["filters"]) for group in groups)]
        return self.page(found, {"after": str(body.get("after") or ""), "limit": str(body["limit"])})

    def page(self, people: list[Person], query: object) -> web.Response:
        assert isinstance(query, dict)
        start, size = int(query.get("after") or 0), min(int(query.get("limit") or 10), self.page_size)
        found: dict[str, object] = {"total": len(people), "results": [*map(self.shape, people[start : start + size])]}
        if start + size < len(people):
            found["paging"] = {"next": {"after": str(start + size)}}
        return web.json_response(found)

    def shape(self, person: Person) -> dict[str, object]:
        properties = {
            "firstname": person.first, "lastname": person.last, "city": person.city or None,
            "phone": person.phone or None, "mobilephone": person.mobile or None, "customer_number": person.number, "hubspot_owner_id": None,
        }  # fmt: skip
        return {"id": person.id, "properties": properties, "archived": False, "url": PAGE + person.id}

    def fits(self, person: Person, filters: list[dict[str, str]]) -> bool:
        return all(self.value(person, one["propertyName"]) == one["value"] for one in filters)

    def value(self, person: Person, name: str) -> object:
        calculated = {"hs_searchable_calculated_phone_number": person.phone}
        calculated["hs_searchable_calculated_mobile_number"] = person.mobile
        if name not in calculated:
            return self.shape(person)["properties"][name]  # type: ignore[index]
        number = read_number(calculated[name], "AT")
        return spellings(number)["significant"] if number is not None else None

    def throttled(self) -> web.Response:
        return web.json_response({"category": "RATE_LIMITS", "policyName": "TEN_SECONDLY_ROLLING"}, status=429)


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
        text = (
            "address: ADDRESS\nauth: {private_app: '${TOKEN}'}\n"
            + self.integration[self.integration.index("models:") :]
        )
        opened = Open(crm.standin, "hubspot", text, tmp_path)
        assert ids(await opened.caller("+43 664 1234567")) == ["101"]
        await opened.provider.close()
