"""Zoho CRM, as its documentation says: criteria in brackets, 204 for nobody, 304 for nothing new, tokens of its own."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from routing_engine.core.asks import SourceDown
from routing_engine.errors import ProviderRefused, ProviderThrottled
from routing_engine.providers.crm.provider import CrmProvider
from tests.providers.contract import by_caller

from .contract import DescribedContract, Open, ids
from .standin import Asked, Person, StandIn, digits

pytestmark = pytest.mark.io

#: A criterion's value ends at the first bracket that no backslash stands before; a bare one or a comma is none.
CRITERION = re.compile(r"\((\w+):(equals|starts_with):((?:\\[(),]|[^(),])+)\)")


class BadCriteria(Exception):
    """Criteria that cannot be read, or more than ten of them."""


def read_criteria(text: str) -> list[tuple[str, str]]:
    """The criteria, of which one must hold: `(a:equals:b)`, or several in brackets with `or` between them."""
    alone = CRITERION.fullmatch(text)
    inside = "" if alone else text[1:-1]
    found = [alone] if alone else list(CRITERION.finditer(inside))
    if not alone and "or".join(one[0] for one in found) != inside:
        raise BadCriteria(text)
    if not 0 < len(found) <= 10 or any(one[2] != "equals" for one in found):
        raise BadCriteria(text)
    return [(one[1], re.sub(r"\\([(),])", r"\1", one[3])) for one in found]


class Zoho(StandIn):
    token_path = "/oauth/v2/token"
    rotates = False

    def token_answer(self) -> dict[str, object]:
        return {"api_domain": self.address, "token_type": "Bearer", "expires_in": 3600}

    def give_token(self, asked: Asked) -> web.Response:
        """Zoho refuses with status 200."""
        if asked.form.get("refresh_token") != self.refresh_token:
            return web.json_response({"error": "invalid_code"})
        return super().give_token(asked)

    def authorized(self, asked: Asked) -> bool:
        return bool(self.access_token) and asked.headers.get("Authorization") == f"Zoho-oauthtoken {self.access_token}"

    def unauthorized(self) -> web.Response:
        return self.error(401, "INVALID_TOKEN")

    def throttled(self) -> web.Response:
        return self.error(429, "TOO_MANY_REQUESTS")

    def broken(self) -> web.Response:
        return self.error(500, "INTERNAL_ERROR")

    def error(self, status: int, code: str) -> web.Response:
        body = {"code": code, "details": {}, "message": "what went wrong", "status": "error"}
        return web.json_response(body, status=status)

    def answer(self, asked: Asked) -> web.Response:
        path = asked.path.removeprefix("/crm/v8")
        if path == "/settings/fields":
            field = {"api_name": "Phone", "field_label": "Telefon", "data_type": "phone"}
            return web.json_response({"fields": [field]})
        if path == "/Contacts/search":
            return self.search(asked)
        if path == "/Contacts":
            return self.listing(asked)
        return self.error(400, "INVALID_MODULE")

    def search(self, asked: Asked) -> web.Response:
        size = int(asked.query["per_page"])
        try:
            found = [person for person in self.people if self.fits(person, asked)]
        except BadCriteria:
            return self.error(400, "INVALID_QUERY")
        start = (int(asked.query["page"]) - 1) * size
        return self.page(found, start, size, {"page": int(asked.query["page"])})

    def fits(self, person: Person, asked: Asked) -> bool:
        """Phone fields compare without signs, and a part is enough. Several criteria are compared as `contains`."""
        if "phone" in asked.query:
            return any(digits(asked.query["phone"]) in digits(phone) for phone in person.phones)
        criteria, row = read_criteria(asked.query["criteria"]), self.row(person)
        if any(name not in row for name, _ in criteria):
            raise BadCriteria("no such field")
        held = [(str(row[name] or "").casefold(), value.casefold()) for name, value in criteria]
        return any(value == text if len(held) == 1 else value in text for text, value in held)

    def listing(self, asked: Asked) -> web.Response:
        assert "fields" in asked.query
        since = asked.headers.get("If-Modified-Since", "2026-01-01T00:00:00+00:00")
        found = [person for person in self.people if self.modified(person) >= since]
        if not found and "If-Modified-Since" in asked.headers:
            return web.Response(status=304)
        start, size = int(asked.query.get("page_token", "0")), min(int(asked.query["per_page"]), self.page_size)
        more = {"next_page_token": str(start + size) if start + size < len(found) else None}
        return self.page(found, start, size, more)

    def modified(self, person: Person) -> str:
        return f"2026-03-01T00:00:{int(person.id) % 100:02}+00:00"

    def page(self, people: list[Person], start: int, size: int, more: dict[str, object]) -> web.Response:
        shown = people[start : start + size]
        if not shown:
            return web.Response(status=204)
        info = {"per_page": size, "count": len(shown), "more_records": start + size < len(people), **more}
        return web.json_response({"data": [self.row(person) for person in shown], "info": info})

    def row(self, person: Person) -> dict[str, object]:
        return {
            "id": person.id, "Full_Name": f"{person.first} {person.last}", "Email": None, "Phone": person.phone or None,
            "Mobile": person.mobile or None, "Home_Phone": None, "Other_Phone": None, "Mailing_City": person.city,
            "Account_Name": {"name": "Acme", "id": "9001"} if person.id == "101" else None,
            "Owner": {"name": "Olga Owner", "id": "77", "email": "olga@example.com"},
            "Customer_Number": person.number, "$approved": True,
        }  # fmt: skip


class TestZoho(DescribedContract):
    provider = "zoho"
    standin = Zoho
    page = "https://crm.zoho.eu/crm/org20081234567/tab/Contacts/101"
    integration = """
domain: zoho.eu
org: '20081234567'
hosts: [127.0.0.1]
auth:
  oauth2: {client_id: app, client_secret: '${SECRET}', refresh_token: '${REFRESH}', token_url: ADDRESS/oauth/v2/token}
models: {contact: {fields: {customer_number: Customer_Number}}}
"""

    async def test_a_number_in_phone_fields_is_one_request(self, crm: Open) -> None:
        assert ids(await crm.caller("+43 664 7654321")) == ["102"]
        (asked,) = crm.standin.asked
        assert asked.query["phone"] == "6647654321"

    async def test_criteria_are_ten_and_brackets_in_them_are_escaped(self, crm: Open) -> None:
        assert ids(await crm.caller("+1 212 555 0199")) == []
        criteria = read_criteria(crm.standin.asked[-1].query["criteria"])
        assert len(criteria) == 10
        assert ("Phone", "(212) 555-0199") in criteria

    async def test_a_field_of_another_record_that_is_the_same_person_is_told(self, crm: Open) -> None:
        (record,) = (await crm.caller("+43 664 1234567")).records  # type: ignore[union-attr]
        assert (record.fields["company"], record.fields["owner_email"]) == ("Acme", "olga@example.com")

    async def test_without_the_organisations_number_there_is_no_page(self, crm: Open, tmp_path: Path) -> None:
        opened = Open(crm.standin, "zoho", self.integration.replace("org: '20081234567'\n", ""), tmp_path / "other")
        (record,) = (await opened.caller("+43 664 1234567")).records  # type: ignore[union-attr]
        assert record.url == ""
        await opened.provider.close()

    async def test_a_refresh_token_that_zoho_takes_no_more_needs_a_person(self, crm: Open) -> None:
        crm.standin.refresh_token = "another"
        found = await crm.caller("+43 664 1234567")
        assert isinstance(found, SourceDown)
        assert "invalid_code" in found.why
        assert "log in" in found.why

    async def test_a_scope_that_is_missing_is_an_administrators(self, crm: Open) -> None:
        crm.standin.nexts.append(lambda: Zoho().error(401, "OAUTH_SCOPE_MISMATCH"))
        with pytest.raises(ProviderRefused, match="OAUTH_SCOPE_MISMATCH"):
            await crm.provider.find(by_caller("+43 664 1234567"))
        assert len(crm.standin.logins) == 1

    async def test_throttling_tells_no_time_so_it_is_ten_seconds(self, crm: Open) -> None:
        crm.standin.nexts.append(crm.standin.throttled)
        with pytest.raises(ProviderThrottled) as caught:
            await crm.provider.find(by_caller("+43 664 1234567"))
        assert caught.value.retry_after_s == 10

    @pytest.mark.parametrize(("second", "found"), [(6, ["106", "107", "108"]), (59, [])])
    async def test_changes_are_listed_and_may_be_none(self, crm: Open, second: int, found: list[str]) -> None:
        assert isinstance(crm.provider, CrmProvider)
        batch = await crm.provider.page("contact", datetime(2026, 3, 1, 0, 0, second, tzinfo=UTC), "")
        assert ([record.id for record in batch.records], batch.cursor) == (found, "")

    async def test_fields_are_described(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        (field,) = await crm.provider.fields_of("contact")
        assert (field.name, field.label, field.type) == ("Phone", "Telefon", "phone")
