"""SuiteCRM's V8 API, as its code does: filters by column and operator straight into SQL, pages by number, JSON:API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import pytest
from aiohttp import web

from routing_engine.core.asks import Found
from routing_engine.errors import ProviderRefused
from routing_engine.providers.crm.provider import CrmProvider
from tests.providers.contract import by_caller

from .conditions import like
from .contract import DescribedContract, Open, ids
from .standin import Asked, Person, StandIn

pytestmark = pytest.mark.io

FILTER = re.compile(r"filter\[(\w+)\]\[(\w+)\]")


class BadRequest(Exception):
    """What SuiteCRM answers with status 400."""


class SuiteCRM(StandIn):
    token_path = "/Api/access_token"
    #: Whether the role of the engine's user lets it list contacts.
    may_list = True

    def unauthorized(self) -> web.Response:
        return web.json_response({"error": "access_denied", "message": "The resource owner denied."}, status=401)

    def error(self, status: int, detail: str = "what") -> web.Response:
        return web.json_response({"errors": {"status": status, "title": None, "detail": detail}}, status=status)

    def broken(self) -> web.Response:
        return web.Response(status=500, text="<b>Fatal error</b>", content_type="text/html")

    def answer(self, asked: Asked) -> web.Response:
        assert asked.headers["Accept"] == asked.headers["Content-Type"] == "application/vnd.api+json"
        path = asked.path.removeprefix("/Api/V8")
        if path == "/current-user":
            return web.json_response({"data": {"type": "User", "id": "1", "attributes": {"user_name": "engine"}}})
        if path == "/meta/fields/Contacts":
            fields = {"phone_work": {"type": "phone", "required": False, "dbType": "varchar"}}
            return web.json_response({"data": {"type": "fields", "id": "", "attributes": fields}})
        if path != "/module/Contacts":
            return self.error(404)
        if not self.may_list:
            return self.error(400, "[SuiteCRM] [AccessDeniedException] ")
        try:
            return self.page(asked)
        except BadRequest:
            return self.error(400)

    def page(self, asked: Asked) -> web.Response:
        """A page, with links while there are more. A field that is not there fails the whole request."""
        names = asked.query["fields[Contacts]"].split(",")
        rows = self.fitting(asked.pairs, asked.query.get("filter[operator]", "and"))
        number, size = int(asked.query["page[number]"]), min(int(asked.query["page[size]"]), self.page_size)
        found, pages = rows[(number - 1) * size : number * size], -(-len(rows) // size)
        if any(name not in self.row(self.people[0]) for name in names):
            raise BadRequest("no such field")
        body: dict[str, object] = {"data": [self.shape(row, names) for row in found]}
        if found:
            after = f"V8/module/Contacts?page[number]={number + 1}" if number + 1 <= pages else None
            body["meta"] = {"total-pages": pages, "records-on-this-page": len(found)}
            body["links"] = {"first": None, "prev": None, "next": after, "last": None}
        return web.json_response(body)

    def shape(self, row: Mapping[str, object], names: list[str]) -> dict[str, object]:
        """A record as the API tells it: texts are encoded as for a page."""
        return {"type": "Contact", "id": row["id"], "attributes": {name: encoded(row[name]) for name in names}}

    def fitting(self, pairs: tuple[tuple[str, str], ...], operator: str) -> list[Mapping[str, object]]:
        asked = {(found[1], found[2]): value for name, value in pairs if (found := FILTER.fullmatch(name))}
        together = {"or": any, "and": all}[operator]
        rows = [self.row(person) for person in self.people]
        return [row for row in rows if together(self.fits(row, *key, value) for key, value in asked.items())]

    def fits(self, row: Mapping[str, object], column: str, operator: str, value: str) -> bool:
        """MySQL's ways: `=` knows no case and no spaces at the end, `LIKE` has its wildcards."""
        # The rows are counted before the addresses of e-mail are joined: there is no such column then.
        if column not in row or column == "email1" or operator not in ("eq", "like", "gte"):
            raise BadRequest(column)
        held = str(row[column])
        if operator == "eq":
            return held.casefold().rstrip() == value.casefold().rstrip()
        return like(held, value) if operator == "like" else held >= value

    def row(self, person: Person) -> Mapping[str, object]:
        return {
            "id": person.id, "first_name": person.first, "last_name": person.last, "phone_work": person.phone,
            "phone_mobile": person.mobile, "phone_home": "", "phone_other": "", "account_name": "Acme", "title": "",
            "account_id": "a1", "primary_address_city": person.city, "assigned_user_name": "Olga Owner", "email1": "",
            "assigned_user_id": "u1", "customer_number_c": person.number,
            "date_modified": f"2026-03-01 00:00:{int(person.id) % 100:02}",
        }  # fmt: skip


def encoded(value: object) -> object:
    return escape(value, quote=True).replace("&#x27;", "&#039;") if isinstance(value, str) else value


class TestSuiteCRM(DescribedContract):
    provider = "suitecrm"
    standin = SuiteCRM
    page = "ADDRESS/index.php?module=Contacts&action=DetailView&record=101"
    integration = """
server: ADDRESS
auth:
  oauth2: {client_id: 3f0c, client_secret: '${SECRET}'}
models: {contact: {fields: {customer_number: customer_number_c}}}
"""

    async def test_one_request_asks_for_every_format_in_every_column(self, crm: Open) -> None:
        assert ids(await crm.caller("+1 212 555 0147")) == ["105"]
        (asked,) = crm.standin.asked
        assert asked.query["filter[operator]"] == "or"
        columns = {found[1]: asked.query[name] for name in asked.query if (found := FILTER.fullmatch(name))}
        assert set(columns) == {"phone_work", "phone_mobile", "phone_home", "phone_other"}
        assert set(columns.values()) == {"%2%1%2%5%5%5%0%1%4%7%"}

    async def test_an_extension_behind_the_number_is_no_part_of_it(self, crm: Open) -> None:
        crm.standin.people[0] = Person("101", "1", "Anna", "Gruber", "", "+43 664 1234567 ext. 12")
        assert ids(await crm.caller("+43 664 1234567")) == ["101"]

    async def test_a_user_and_a_password_prove_us_too(self, crm: Open, tmp_path: Path) -> None:
        way = "grant: password, username: engine, password: '${PASSWORD}', client_secret"
        opened = Open(crm.standin, "suitecrm", self.integration.replace("client_secret", way), tmp_path / "b")
        assert ids(await opened.caller("+43 664 1234567")) == ["101"]
        form = crm.standin.logins[0].form
        assert (form["grant_type"], form["username"], form["client_id"]) == ("password", "engine", "3f0c")
        await opened.provider.close()

    async def test_a_field_is_asked_for_as_a_whole(self, crm: Open) -> None:
        await crm.field("customer_number", "12%")
        assert crm.standin.asked[0].query["filter[customer_number_c][eq]"] == "12%"

    async def test_a_field_that_is_not_there_is_refused(self, crm: Open, tmp_path: Path) -> None:
        text = self.integration.replace("customer_number_c", "nowhere_c")
        opened = Open(crm.standin, "suitecrm", text, tmp_path / "b")
        with pytest.raises(ProviderRefused, match="status 400"):
            await opened.provider.find(by_caller("+43 664 1234567"))
        await opened.provider.close()

    async def test_many_records_come_in_pages(self, crm: Open) -> None:
        crm.standin.page_size = 1
        assert sorted(ids(await crm.caller("+43 1 5120001"))) == ["106", "107"]
        assert [one.query["page[number]"] for one in crm.standin.asked] == ["1", "2"]

    async def test_changes_are_listed(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        batch = await crm.provider.page("contact", datetime(2026, 3, 1, 0, 0, 7, tzinfo=UTC), "")
        assert [record.id for record in batch.records] == ["107", "108"]
        assert crm.standin.asked[0].query["filter[date_modified][gte]"] == "2026-03-01 00:00:07"

    async def test_the_owner_and_the_account_come_along(self, crm: Open) -> None:
        (record,) = (await crm.caller("+43 664 1234567")).records  # type: ignore[union-attr]
        assert (record.fields["owner"], record.fields["company"]) == ("Olga Owner", "Acme")
        assert record.fields["email"] is None

    async def test_texts_that_come_as_for_a_page_are_read_as_they_were_meant(self, crm: Open) -> None:
        crm.standin.people[0] = Person("101", 'Acme "O\'Neil" & Co', "Anna", "O'Hara <b>", "", "+43 664 1234567")
        (record,) = (await crm.field("customer_number", 'Acme "O\'Neil" & Co')).records  # type: ignore[union-attr]
        assert record.fields["name"] == "Anna O'Hara <b>"

    async def test_a_user_without_the_right_is_told_by_calls_and_by_a_check(self, crm: Open) -> None:
        crm.standin.may_list = False  # type: ignore[attr-defined]
        assert isinstance(crm.provider, CrmProvider)
        with pytest.raises(ProviderRefused, match="a right is missing there") as caught:
            await crm.provider.check()
        assert caught.value.theirs
        assert ids(await crm.caller("+43 664 1234567")) == ["down"]

    async def test_a_search_by_mail_is_refused_when_the_route_is_read(self, crm: Open) -> None:
        model = crm.connection.models["contact"]
        assert model.why_unsearchable("email", False) is not None
        assert model.why_unsearchable("customer_number", False) is None
        found = await crm.field("email", "anna@example.com")
        assert isinstance(found, Found)
        assert (found.note, crm.standin.asked) == (
            "nothing was asked, because 'email' cannot be searched in SuiteCRM",
            [],
        )

    async def test_fields_are_described(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        (field,) = await crm.provider.fields_of("contact")
        assert (field.name, field.type) == ("phone_work", "phone")
