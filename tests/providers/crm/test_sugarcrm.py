"""SugarCRM, as its documentation says: filters in JSON, `$contains` as LIKE, `next_offset`, a platform."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from routing_engine.core.asks import SourceDown
from routing_engine.errors import ProviderRefused
from routing_engine.providers.crm.provider import CrmProvider
from tests.providers.contract import by_caller

from .conditions import like
from .contract import DescribedContract, Open, ids
from .standin import Asked, Person, StandIn

pytestmark = pytest.mark.io

PHONES = ("phone_work", "phone_mobile", "phone_home", "phone_other")


class BadFilter(Exception):
    """A filter that Sugar answers with status 422."""


class SugarCRM(StandIn):
    token_path = "/rest/v11/oauth2/token"
    #: Contacts that were deleted, by id; the platforms that an administrator has registered.
    gone: frozenset[str] = frozenset()
    platforms = ("base", "mobile", "portal", "routing_engine")

    def authorized(self, asked: Asked) -> bool:
        return bool(self.access_token) and asked.headers.get("OAuth-Token") == self.access_token

    def unauthorized(self) -> web.Response:
        return self.error(401, "invalid_grant")

    def error(self, status: int, code: str) -> web.Response:
        return web.json_response({"error": code, "error_message": "what went wrong"}, status=status)

    def broken(self) -> web.Response:
        return self.error(500, "fatal_error")

    def give_token(self, asked: Asked) -> web.Response:
        form = asked.form
        if form["platform"] not in self.platforms:
            return self.error(400, "invalid_platform")
        if form["grant_type"] == "password" and (form["username"], form["password"]) != ("engine", "pass"):
            return self.error(401, "need_login")
        assert (form["client_id"], form["client_secret"]) == ("sugar", "")
        return super().give_token(asked)

    def token_answer(self) -> dict[str, object]:
        return {"token_type": "bearer", "expires_in": 3600, "scope": None, "refresh_expires_in": 1209600}

    def answer(self, asked: Asked) -> web.Response:
        path = asked.path.removeprefix("/rest/v11")
        if path == "/ping":
            return web.json_response("pong")
        if path == "/metadata":
            fields = {"phone_work": {"name": "phone_work", "type": "phone", "vname": "LBL_OFFICE"}, "_hash": "f00"}
            fields["id"] = {"name": "id", "type": "id", "vname": "LBL_ID"}
            return web.json_response({"modules": {asked.query["module_filter"]: {"fields": fields}}})
        if path != "/Contacts/filter":
            return self.error(404, "no_method")
        try:
            return self.page(asked.json)
        except BadFilter:
            return self.error(422, "invalid_parameter")

    def page(self, body: dict[str, object]) -> web.Response:
        """A page of records; of deleted ones only what tells that they are."""
        rows = [row for row in map(self.row, self.people) if self.fits(row, body["filter"])]
        rows = [row for row in rows if body.get("deleted") or not row["deleted"]]
        start, size = int(str(body.get("offset") or 0)), min(int(str(body["max_num"])), self.page_size)
        names = {"id", "date_modified", *str(body["fields"]).split(",")}
        records = [
            {name: row[name] for name in sorted(names) if not row["deleted"] or name in ("id", "deleted")}
            for row in rows[start : start + size]
        ]
        return web.json_response({"next_offset": start + size if start + size < len(rows) else -1, "records": records})

    def fits(self, row: Mapping[str, object], conditions: object) -> bool:
        """All conditions of a list. `$or` holds a list of its own; a field has an operator with a value."""
        assert isinstance(conditions, list)
        return all(self.one_fits(row, name, wanted) for one in conditions for name, wanted in one.items())

    def one_fits(self, row: Mapping[str, object], name: str, wanted: object) -> bool:
        if name == "$or":
            assert isinstance(wanted, list)
            return any(self.fits(row, [one]) for one in wanted)
        if name not in row or not isinstance(wanted, dict):
            raise BadFilter(name)
        ((operator, value),) = wanted.items()
        held = str(row[name])
        known = {
            "$contains": lambda: like(held, f"%{value}%"),
            "$equals": lambda: held.casefold() == value.casefold(),
            "$gte": lambda: held >= value,
        }
        if operator not in known:
            raise BadFilter(operator)
        return known[operator]()

    def row(self, person: Person) -> dict[str, object]:
        return {
            "id": person.id, "first_name": person.first, "last_name": person.last, "phone_work": person.phone,
            "phone_mobile": person.mobile, "phone_home": "", "phone_other": "", "account_name": "Acme",
            "email": [{"email_address": "b@x.org"}, {"email_address": "a@x.org", "primary_address": True}],
            "account_id": "a1", "primary_address_city": person.city, "title": "", "assigned_user_name": "Olga Owner",
            "assigned_user_id": "u1", "customer_number_c": person.number, "deleted": person.id in self.gone,
            "date_modified": f"2026-03-01T00:00:{int(person.id) % 100:02}Z",
        }  # fmt: skip


class TestSugarCRM(DescribedContract):
    provider = "sugarcrm"
    standin = SugarCRM
    page = "ADDRESS/#Contacts/101"
    integration = """
server: ADDRESS
auth:
  oauth2: {client_id: sugar, username: engine, password: '${PASSWORD}'}
models: {contact: {fields: {customer_number: customer_number_c}}}
"""

    async def test_one_request_asks_for_every_format_in_every_field(self, crm: Open) -> None:
        assert ids(await crm.caller("+1 212 555 0147")) == ["105"]
        (asked,) = crm.standin.asked
        (either,) = asked.json["filter"]  # type: ignore[misc]
        assert [tuple(one) for one in either["$or"]] == [(name,) for name in PHONES]  # type: ignore[index]
        assert either["$or"][0]["phone_work"] == {"$contains": "%2%1%2%5%5%5%0%1%4%7"}  # type: ignore[index]

    async def test_a_field_is_asked_for_as_a_whole(self, crm: Open) -> None:
        await crm.field("customer_number", "12%")
        assert crm.standin.asked[0].json["filter"] == [{"customer_number_c": {"$equals": "12%"}}]

    async def test_the_owner_and_the_primary_address_come_along(self, crm: Open) -> None:
        (record,) = (await crm.caller("+43 664 1234567")).records  # type: ignore[union-attr]
        assert (record.fields["owner"], record.fields["email"]) == ("Olga Owner", "a@x.org")
        assert record.fields["title"] is None

    async def test_a_platform_that_nobody_registered_is_refused(self, crm: Open, tmp_path: Path) -> None:
        text = "platform: else\n" + self.integration
        opened = Open(crm.standin, "sugarcrm", text, tmp_path / "b")
        found = await opened.caller("+43 664 1234567")
        assert isinstance(found, SourceDown)
        assert "invalid_platform" in found.why
        await opened.provider.close()

    async def test_the_password_is_sent_again_when_nothing_else_is_good(self, crm: Open) -> None:
        await crm.caller("+43 664 1234567")
        crm.standin.expire()
        crm.standin.refresh_token = "other"
        assert ids(await crm.caller("+43 664 1234567")) == ["101"]
        assert [one.form["grant_type"] for one in crm.standin.logins] == ["password", "refresh_token", "password"]

    async def test_a_field_that_is_not_there_is_refused_with_its_code(self, crm: Open) -> None:
        crm.standin.nexts.append(lambda: SugarCRM().error(422, "invalid_parameter"))
        with pytest.raises(ProviderRefused, match=r"status 422 \(invalid_parameter\)"):
            await crm.provider.find(by_caller("+43 664 1234567"))

    async def test_changes_and_deletions_are_listed(self, crm: Open) -> None:
        crm.standin.gone = frozenset({"107"})  # type: ignore[attr-defined]
        assert isinstance(crm.provider, CrmProvider)
        batch = await crm.provider.page("contact", datetime(2026, 3, 1, 0, 0, 6, tzinfo=UTC), "")
        assert ([record.id for record in batch.records], batch.gone) == (["106", "108"], ["107"])

    async def test_fields_are_described(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        found = await crm.provider.fields_of("contact")
        assert [one.name for one in found] == ["phone_work", "id"]
        assert (found[0].label, found[0].type) == ("LBL_OFFICE", "phone")
