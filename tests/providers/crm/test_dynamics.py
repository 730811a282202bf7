"""Dynamics 365, as Microsoft documents Dataverse: OData filters whose `contains` knows wildcards, pages by link."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from routing_engine.core.asks import SourceDown
from routing_engine.errors import ProviderMisread, ProviderRefused, ProviderThrottled, ProviderUnreachable
from routing_engine.providers.crm.provider import CrmProvider
from tests.providers.contract import by_caller

from .conditions import BadQuery, Condition, Reader, Row, column, like
from .contract import DescribedContract, Open, ids
from .standin import Asked, Person, StandIn

pytestmark = pytest.mark.io

TOKEN = r"'(?:''|[^'])*'|\d{4}-\d\d-\d\dT[\d:]+Z|[A-Za-z_]\w*|\d+|[(),]"
DATA = "/api/data/v9.2"
NAMES = "@OData.Community.Display.V1.FormattedValue"
PREFER = re.compile(
    r'(odata\.maxpagesize=(\d+),)?odata\.include-annotations="OData.Community.Display.V1.FormattedValue"'
)


def text_of(literal: str) -> str:
    return literal[1:-1].replace("''", "'")


def compare(reader: Reader) -> Condition:
    """`contains(column,'text')`, or a comparison. Dataverse compares texts whatever their case."""
    name = reader.take()
    if name == "contains":
        reader.take("(")
        name, _, literal, _ = reader.take(), reader.take(","), reader.take(), reader.take(")")
        # T-SQL's wildcards work in it; nothing is an escape.
        return lambda row: like(column(row, name), f"%{text_of(literal)}%", "")
    sign, literal = reader.take("EQ", "GE").lower(), reader.take()
    if literal.startswith("'"):
        wanted = text_of(literal).casefold()
        return lambda row: sign == "eq" and str(column(row, name)).casefold() == wanted
    if sign == "ge":
        return lambda row: str(column(row, name)) >= literal
    return lambda row: column(row, name) == int(literal)


class Dynamics(StandIn):
    token_path = "/acme.onmicrosoft.com/oauth2/v2.0/token"
    #: Contacts that somebody deactivated, by id.
    inactive: frozenset[str] = frozenset()

    def unauthorized(self) -> web.Response:
        return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})

    def throttled(self) -> web.Response:
        return self.error(429, "0x80072322", {"Retry-After": "37"})

    def broken(self) -> web.Response:
        return self.error(500, "0x80040216")

    def error(self, status: int, code: str, headers: Mapping[str, str] | None = None) -> web.Response:
        return web.json_response(
            {"error": {"code": code, "message": "what went wrong"}}, status=status, headers=headers
        )

    def answer(self, asked: Asked) -> web.Response:
        prefer = PREFER.fullmatch(asked.headers.get("Prefer", ""))
        assert prefer is not None, asked.headers
        path = asked.path.removeprefix(DATA)
        if path == "/WhoAmI":
            return web.json_response({"UserId": "00000000-0000-0000-0000-000000000001"})
        if path == "/EntityDefinitions(LogicalName='contact')/Attributes":
            label = {"UserLocalizedLabel": {"Label": "Business Phone"}}
            field = {"LogicalName": "telephone1", "AttributeType": "String", "DisplayName": label}
            return web.json_response({"value": [field, {**field, "DisplayName": {"UserLocalizedLabel": None}}]})
        if path not in ("/contacts", "/accounts"):
            return self.error(404, "0x8006088a")
        try:
            return self.page(asked, int(prefer[2] or 5000))
        except BadQuery:
            return self.error(400, "0x80060888")

    def page(self, asked: Asked, size: int) -> web.Response:
        """Top ends a list; a page size makes it one of pages, and has its address for the next one."""
        rows = self.fitting(asked.query["$filter"], self.rows(asked.path))
        names, start = asked.query["$select"].split(","), int(asked.query.get("$skiptoken", 0))
        size = int(asked.query.get("$top") or min(size, self.page_size))
        shown = [self.shape(row, names) for row in rows[start : start + size]]
        found: dict[str, object] = {"@odata.context": f"{self.address}{DATA}/$metadata", "value": shown}
        if start + size < len(rows) and "$top" not in asked.query:
            select, condition = asked.query["$select"], asked.query["$filter"].replace(" ", "%20")
            query = f"$select={select}&$filter={condition}&$skiptoken={start + size}"
            found["@odata.nextLink"] = f"{self.address}{asked.path}?{query}"
        return web.json_response(found)

    def fitting(self, text: str, rows: list[Row]) -> list[Row]:
        reader = Reader(text, TOKEN, compare)
        condition = reader.condition()
        if reader.tokens:
            raise BadQuery(text)
        return [row for row in rows if condition(row)]

    def shape(self, row: Row, names: list[str]) -> dict[str, object]:
        """The columns that were asked for, and the names that people see of looked-up ones."""
        found: dict[str, object] = {"@odata.etag": 'W/"4372108"'}
        for name in names:
            found[name] = column(row, name)
            if f"{name}{NAMES}" in row:
                found[f"{name}{NAMES}"] = row[f"{name}{NAMES}"]
        return found

    def rows(self, path: str) -> list[Row]:
        return [self.row(person) for person in self.people] if path.endswith("contacts") else []

    def row(self, person: Person) -> dict[str, object]:
        return {
            "contactid": person.id, "fullname": f"{person.first} {person.last}", "emailaddress1": None,
            "telephone1": person.phone or None, "mobilephone": person.mobile or None, "telephone2": None,
            "address1_city": person.city or None, "statecode": int(person.id in self.inactive),
            "_parentcustomerid_value": None, "_ownerid_value": "5fd1", f"_ownerid_value{NAMES}": "Olga Owner",
            "new_number": person.number, "modifiedon": f"2026-03-01T00:00:{int(person.id) % 100:02}Z",
        }  # fmt: skip


class TestDynamics(DescribedContract):
    provider = "dynamics"
    standin = Dynamics
    page = "ADDRESS/main.aspx?pagetype=entityrecord&etn=contact&id=101"
    integration = """
server: ADDRESS
tenant: acme.onmicrosoft.com
auth:
  oauth2:
    grant: authorization_code
    client_id: app
    client_secret: '${SECRET}'
    refresh_token: '${REFRESH}'
    token_url: ADDRESS/acme.onmicrosoft.com/oauth2/v2.0/token
models: {contact: {fields: {customer_number: new_number}}}
"""

    async def test_a_caller_is_one_request_with_wildcards(self, crm: Open) -> None:
        assert ids(await crm.caller("+1 212 555 0147")) == ["105"]
        (asked,) = crm.standin.asked
        assert "contains(telephone1,'%2%1%2%5%5%5%0%1%4%7')" in asked.query["$filter"]

    async def test_a_contact_that_was_deactivated_does_not_call(self, crm: Open) -> None:
        crm.standin.inactive = frozenset({"106"})  # type: ignore[attr-defined]
        assert ids(await crm.caller("+43 1 5120001")) == ["107"]

    async def test_the_owner_has_a_name(self, crm: Open) -> None:
        (record,) = (await crm.caller("+43 664 1234567")).records  # type: ignore[union-attr]
        assert (record.fields["owner"], record.fields["owner_id"]) == ("Olga Owner", "5fd1")
        assert record.fields["company"] is None

    async def test_wildcards_within_a_value_are_signs_of_it(self, crm: Open) -> None:
        assert ids(await crm.field("customer_number", "123%")) == []
        assert ids(await crm.field("customer_number", "1' OR '1'='1")) == ["104"]

    async def test_a_server_proves_itself_without_a_person(self, crm: Open, tmp_path: Path) -> None:
        text = self.integration.replace("    grant: authorization_code\n", "").replace(
            "    refresh_token: '${REFRESH}'\n", ""
        )
        opened = Open(crm.standin, "dynamics", text, tmp_path / "other")
        assert ids(await opened.caller("+43 664 1234567")) == ["101"]
        form = crm.standin.logins[0].form
        assert (form["grant_type"], form["scope"]) == ("client_credentials", f"{crm.standin.address}/.default")
        await opened.provider.close()

    async def test_the_time_to_wait_is_microsofts_own(self, crm: Open) -> None:
        crm.standin.nexts.append(crm.standin.throttled)
        with pytest.raises(ProviderThrottled, match="0x80072322") as caught:
            await crm.provider.find(by_caller("+43 664 1234567"))
        assert caught.value.retry_after_s == 37

    async def test_a_search_that_was_broken_off_is_not_asked_again(self, crm: Open) -> None:
        crm.standin.nexts.append(lambda: Dynamics().error(400, "0x80048573"))
        with pytest.raises(ProviderUnreachable, match="0x80048573") as caught:
            await crm.provider.find(by_caller("+43 664 1234567"))
        assert not caught.value.again

    async def test_a_right_that_is_missing_is_an_administrators(self, crm: Open) -> None:
        crm.standin.nexts.append(lambda: Dynamics().error(403, "0x80040220"))
        with pytest.raises(ProviderRefused, match="0x80040220"):
            await crm.provider.find(by_caller("+43 664 1234567"))

    async def test_a_next_page_on_another_server_is_not_followed(self, crm: Open) -> None:
        crm.standin.page_size = 3
        crm.standin.nexts.append(
            lambda: web.json_response(
                {"value": [], "@odata.nextLink": "https://elsewhere.example/api/data/v9.2/contacts"}
            )
        )
        assert isinstance(crm.provider, CrmProvider)
        batch = await crm.provider.page("contact", None, "")
        with pytest.raises(ProviderRefused, match="another server"):
            await crm.provider.page("contact", None, batch.cursor)

    @pytest.mark.parametrize("link", ["javascript:alert(1)", "mailto:a@b.example", "http://["])
    async def test_a_next_page_that_is_no_address_is_misread(self, crm: Open, link: str) -> None:
        assert isinstance(crm.provider, CrmProvider)
        with pytest.raises(ProviderMisread, match="the next page cannot be used"):
            await crm.provider.page("contact", None, link)

    async def test_a_next_page_brings_no_user_of_its_own(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        link = crm.standin.address.replace("://", "://user:password@") + "/api/data/v9.2/contacts"
        with pytest.raises(ProviderRefused, match="another server"):
            await crm.provider.page("contact", None, link)

    async def test_changes_are_listed_and_what_was_deactivated_is_gone(self, crm: Open) -> None:
        crm.standin.inactive = frozenset({"107"})  # type: ignore[attr-defined]
        assert isinstance(crm.provider, CrmProvider)
        batch = await crm.provider.page("contact", datetime(2026, 3, 1, 0, 0, 6, tzinfo=UTC), "")
        assert ([record.id for record in batch.records], batch.gone) == (["106", "108"], ["107"])

    async def test_fields_are_described(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        first, second = await crm.provider.fields_of("contact")
        assert (first.name, first.label, first.type) == ("telephone1", "Business Phone", "String")
        assert second.label == ""

    async def test_a_case_is_not_found_by_its_caller(self, crm: Open) -> None:
        found = await crm.caller("+43 664 1234567", "case")
        assert not isinstance(found, SourceDown)
        assert (found.records, crm.standin.asked) == ((), [])
