"""Bitrix24, as its documentation says: ids by number, then the record and its owner; 503 for too many requests."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from routing_engine.errors import ProviderRefused, ProviderThrottled
from routing_engine.providers.crm.provider import CrmProvider
from tests.providers.contract import by_caller

from .contract import DescribedContract, Open, ids
from .standin import Asked, Person, StandIn, digits

pytestmark = pytest.mark.io

PAGE = 50  # always, whatever is asked for

OWNERS = (
    {"ID": "98", "NAME": "Other", "LAST_NAME": "Owner", "UF_PHONE_INNER": "300"},
    {"ID": "99", "NAME": "Olga", "LAST_NAME": "Owner", "UF_PHONE_INNER": "217"},
)


class Bitrix24(StandIn):
    token_path = "/oauth/token/"
    hook = ""
    owner = "99"
    changed: frozenset[str] = frozenset()

    def authorized(self, asked: Asked) -> bool:
        if self.hook:
            return asked.path.startswith(f"/rest/{self.hook}/")
        return bool(self.access_token) and asked.query.get("auth") == self.access_token

    def unauthorized(self) -> web.Response:
        return self.error(401, "NO_AUTH_FOUND" if self.hook else "expired_token")

    def throttled(self) -> web.Response:
        return self.error(503, "QUERY_LIMIT_EXCEEDED")

    def broken(self) -> web.Response:
        return self.error(500, "INTERNAL_SERVER_ERROR")

    def error(self, status: int, code: str) -> web.Response:
        return web.json_response({"error": code, "error_description": "what went wrong"}, status=status)

    def token_answer(self) -> dict[str, object]:
        return {"expires_in": 3600, "client_endpoint": f"{self.address}/rest/", "status": "F", "scope": "crm,telephony"}

    def answer(self, asked: Asked) -> web.Response:
        method, params = asked.path.rpartition("/")[2], asked.json
        if method == "crm.duplicate.findbycomm":
            return self.found(params)
        if method == "user.get":
            return self.result([one for one in OWNERS if one["ID"] == params["FILTER"]["ID"]])  # type: ignore[index]
        if method == "crm.contact.fields":
            return self.result({"NAME": {"type": "string", "title": "First Name"}})
        if method == "crm.contact.get":
            return next(
                (self.result(self.shape(one)) for one in self.people if one.id == str(params["id"])),
                self.error(400, ""),
            )
        if method == "crm.contact.list":
            return self.list(params)
        return self.result([]) if method.endswith(".list") else self.error(404, "ERROR_METHOD_NOT_FOUND")

    def result(self, found: object, **more: object) -> web.Response:
        return web.json_response({"result": found, **more, "time": {"operating": 0.25}})

    def found(self, params: dict[str, object]) -> web.Response:
        """Digits are compared; an empty result is a list, another one an object."""
        values = params["values"]
        assert isinstance(values, list)
        assert len(values) <= 20
        assert params["type"] == "PHONE"
        wanted = {digits(one) for one in values}
        found = [int(one.id) for one in self.people if wanted & {digits(phone) for phone in one.phones}]
        return self.result({"CONTACT": found} if found and params["entity_type"] == "CONTACT" else [])

    def list(self, params: dict[str, object]) -> web.Response:
        conditions, start = params.get("filter", {}), params.get("start", 0)
        assert isinstance(conditions, dict)
        assert isinstance(start, (int, str))
        found = [one for one in self.people if all(self.fits(one, *pair) for pair in conditions.items())]
        size, begin = min(PAGE, self.page_size), max(int(start or 0), 0)
        rows = [self.shape(person) for person in found[begin : begin + size]]
        more = {"next": begin + size} if begin + size < len(found) and start != -1 else {}
        return self.result(rows, **more)

    def fits(self, person: Person, key: str, value: object) -> bool:
        if key == ">ID":
            return int(person.id) > int(str(value))
        if key == ">=DATE_MODIFY":
            return person.id in self.changed
        assert key.startswith("=")
        return str(self.shape(person).get(key[1:])) == str(value)

    def shape(self, person: Person) -> dict[str, object]:
        phones = [
            {"ID": str(i), "VALUE_TYPE": "WORK", "VALUE": one, "TYPE_ID": "PHONE"}
            for i, one in enumerate(person.phones)
        ]
        return {
            "ID": person.id, "NAME": person.first, "LAST_NAME": person.last, "COMPANY_ID": None, "POST": "",
            "ASSIGNED_BY_ID": self.owner, "UF_CRM_17": person.number, "PHONE": phones,
        }  # fmt: skip


class TestBitrix24(DescribedContract):
    provider = "bitrix24"
    standin = Bitrix24
    page = "ADDRESS/crm/contact/details/101/"
    integration = """
server: ADDRESS
limits: {per_second: 1000}
auth:
  oauth2: {client_id: app, client_secret: '${SECRET}', refresh_token: '${REFRESH}', token_url: ADDRESS/oauth/token/}
models: {contact: {fields: {customer_number: UF_CRM_17}}}
"""

    async def test_every_page_is_listed(self, crm: Open) -> None:
        """Pages have 50 records, whatever is asked for; the next one begins behind the last id."""
        crm.standin.people += [Person(str(number), str(number), "A", "B") for number in range(200, 320)]
        assert isinstance(crm.provider, CrmProvider)
        found, cursor = list[str](), ""
        for _ in range(3):
            batch = await crm.provider.page("contact", None, cursor)
            found, cursor = [*found, *(record.id for record in batch.records)], batch.cursor
        assert (found, cursor) == ([person.id for person in crm.standin.people], "")

    async def test_the_owners_extension_comes_along(self, crm: Open) -> None:
        (record,) = (await crm.caller("+43 664 1234567")).records  # type: ignore[union-attr]
        assert (record.fields["owner"], record.fields["owner_extension"]) == ("Olga Owner", "217")
        assert (record.fields["owner_id"], record.fields["company_id"], record.fields["position"]) == ("99", None, None)
        asked = [one.path.removeprefix("/rest/") for one in crm.standin.asked]
        assert asked == ["crm.duplicate.findbycomm", "crm.contact.get", "user.get"]

    async def test_a_record_of_nobody_asks_for_no_owner(self, crm: Open) -> None:
        crm.standin.owner = ""  # type: ignore[attr-defined]
        (record,) = (await crm.field("customer_number", "123456")).records  # type: ignore[union-attr]
        assert (record.fields["owner"], len(crm.standin.asked)) == (None, 1)

    async def test_of_many_with_one_number_all_are_read(self, crm: Open) -> None:
        crm.standin.people += [Person(str(number), "1", "A", "B", phone="+43 1 7000") for number in range(200, 207)]
        assert ids(await crm.caller("+43 1 7000")) == [str(number) for number in range(200, 207)]

    async def test_an_id_without_a_record_is_nobody(self, crm: Open) -> None:
        crm.standin.shape = lambda person: None  # type: ignore[attr-defined]
        assert ids(await crm.caller("+43 664 1234567")) == []

    async def test_every_spelling_is_one_request(self, crm: Open) -> None:
        await crm.caller("+43 664 1234567")
        asked = crm.standin.asked[0].json
        assert asked == {
            "type": "PHONE",
            "entity_type": "CONTACT",
            "values": ["+436641234567", "06641234567", "4306641234567"],
        }

    async def test_a_webhook_stands_in_the_address_alone(self, crm: Open, tmp_path: Path) -> None:
        crm.standin.hook = "1/key"  # type: ignore[attr-defined]
        start = self.integration.index("auth:")
        text = (
            self.integration[:start]
            + "auth: {webhook: {user: 1, code: '${TOKEN}'}}\n"
            + self.integration[self.integration.index("models:") :]
        )
        opened = Open(crm.standin, "bitrix24", text, tmp_path)
        assert ids(await opened.caller("+43 664 1234567")) == ["101"]
        assert "auth" not in crm.standin.asked[0].query
        await opened.provider.close()

    async def test_a_webhook_that_was_removed_does_not_show_in_the_error(self, crm: Open, tmp_path: Path) -> None:
        crm.standin.hook = "1/other"  # type: ignore[attr-defined]
        text = "server: ADDRESS\nauth: {webhook: {user: 1, code: '${PASSWORD}'}}\n"
        opened = Open(crm.standin, "bitrix24", text, tmp_path)
        with pytest.raises(
            ProviderRefused, match=r"status 401 \(NO_AUTH_FOUND\): it refused our credentials"
        ) as caught:
            await opened.provider.find(by_caller("+43 664 1234567"))
        assert "pass" not in str(caught.value)
        await opened.provider.close()

    @pytest.mark.parametrize(
        ("status", "code", "wait_s"), [(503, "QUERY_LIMIT_EXCEEDED", 2), (429, "OPERATION_TIME_LIMIT", 60)]
    )
    async def test_both_throttlings_are_told(self, crm: Open, status: int, code: str, wait_s: float) -> None:
        crm.standin.nexts.append(lambda: Bitrix24().error(status, code))
        with pytest.raises(ProviderThrottled, match=code) as caught:
            await crm.provider.find(by_caller("+43 664 1234567"))
        assert caught.value.retry_after_s == wait_s

    @pytest.mark.parametrize(
        ("status", "code"), [(503, "OVERLOAD_LIMIT"), (403, "insufficient_scope"), (403, "ACCESS_DENIED")]
    )
    async def test_what_only_an_administrator_can_mend_is_refused(self, crm: Open, status: int, code: str) -> None:
        crm.standin.nexts.append(lambda: Bitrix24().error(status, code))
        with pytest.raises(ProviderRefused, match=code):
            await crm.provider.find(by_caller("+43 664 1234567"))

    async def test_changes_are_listed(self, crm: Open) -> None:
        crm.standin.changed = frozenset({"103"})  # type: ignore[attr-defined]
        assert isinstance(crm.provider, CrmProvider)
        batch = await crm.provider.page("contact", datetime(2026, 3, 1, tzinfo=UTC), "")
        assert [record.id for record in batch.records] == ["103"]

    async def test_fields_are_described(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        (field,) = await crm.provider.fields_of("contact")
        assert (field.name, field.label, field.type) == ("NAME", "First Name", "string")
