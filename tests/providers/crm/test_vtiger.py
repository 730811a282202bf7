"""Vtiger, cloud and open source: a query language without brackets, ids with a module before them, errors with 200."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from aiohttp import web

from routing_engine.errors import ProviderRefused, ProviderUnreachable
from routing_engine.providers.crm.provider import CrmProvider
from tests.providers.contract import by_caller

from .conditions import BadQuery, Condition, Reader, Row, column, like
from .contract import DescribedContract, Open, ids, listed
from .standin import Asked, Person, StandIn

pytestmark = pytest.mark.io

#: As Vtiger's lexer has them. What is between quotes goes to MySQL, where a backslash means something.
TOKEN = r"'(?:[^']|'')+'|[\w]+|>=|[=,;*]"


def compare(reader: Reader) -> Condition:
    """A column, a sign and a text; MySQL knows neither case nor spaces at the end."""
    name, sign, literal = reader.take(), reader.take("=", ">=", "LIKE").upper(), reader.take()
    if literal[0] != "'" or "\\" in literal:
        raise BadQuery(literal)
    text = literal[1:-1].replace("''", "'")
    if sign == "LIKE":
        return lambda row: like(column(row, name), text)
    if sign == ">=":
        return lambda row: str(column(row, name)) >= text
    return lambda row: str(column(row, name)).casefold().rstrip() == text.casefold().rstrip()


class Vtiger(StandIn):
    """The cloud: HTTP Basic, errors with status 400."""

    token_path = ""
    error_status = 400

    def authorized(self, asked: Asked) -> bool:
        held = base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")).decode()
        return held == f"engine:{self.access_token}"

    def unauthorized(self) -> web.Response:
        return web.Response(status=401)

    def answer(self, asked: Asked) -> web.Response:
        operation = asked.path.rpartition("/")[2]
        return self.operate(operation, asked.query)

    def operate(self, operation: str, query: Mapping[str, str]) -> web.Response:
        if operation == "me":
            return self.give({"id": "19x1", "user_name": "engine"})
        if operation == "describe":
            field = {"name": "phone", "label": "Office Phone", "type": {"name": "phone"}, "mandatory": False}
            return self.give({"name": query["elementType"], "fields": [field]})
        try:
            return self.give(self.select(query["query"]))
        except BadQuery:
            return self.error("QUERY_SYNTAX_ERROR")

    def give(self, result: object) -> web.Response:
        return web.json_response({"success": True, "result": result})

    def error(self, code: str, status: int = 0) -> web.Response:
        error = {"code": code, "message": "what went wrong"}
        return web.json_response({"success": False, "error": error}, status=status or self.error_status)

    def select(self, text: str) -> list[dict[str, object]]:
        """The statement, token by token. A hundred rows at most."""
        reader = Reader(text, TOKEN, compare)
        reader.take("SELECT")
        reader.take("*", "ID")
        reader.take("FROM")
        rows: list[Row] = [self.row(person) for person in self.people] if reader.take() == "Contacts" else []
        if reader.peek().upper() == "WHERE":
            reader.take()
            condition = reader.condition()
            rows = [row for row in rows if condition(row)]
        if reader.peek().upper() == "ORDER":
            reader.take("ORDER")
            reader.take("BY")
            rows = self.ordered(rows, reader)
        reader.take("LIMIT")
        limits = [int(number) for number in reader.many()]
        reader.take(";")
        start, size = limits if len(limits) == 2 else (0, *limits)
        return [dict(row) for row in rows[start : start + min(size, 100)]]

    def ordered(self, rows: list[Row], reader: Reader) -> list[Row]:
        name, down = reader.take(), reader.peek().upper() == "DESC"
        if down:
            reader.take()
        return sorted(rows, key=lambda row: str(column(row, name)), reverse=down)

    def row(self, person: Person) -> dict[str, object]:
        return {
            "id": f"12x{person.id}", "firstname": person.first, "lastname": person.last, "phone": person.phone,
            "mobile": person.mobile, "homephone": "", "otherphone": "", "account_id": "11x500", "email": "",
            "mailingcity": person.city, "assigned_user_id": "19x7", "cf_852": person.number,
            "modifiedtime": f"2026-03-01 00:00:{int(person.id) % 100:02}",
        }  # fmt: skip


class VtigerOpen(Vtiger):
    """Open source: a challenge, a session in every request, and every answer with status 200."""

    error_status = 200
    challenge = ""

    async def handle(self, request: web.Request) -> web.Response:
        asked = Asked(request.method, request.path, dict(request.query), (), request.headers, await request.read())
        assert asked.path == "/webservice.php"
        operation = {**asked.query, **asked.form}["operation"]
        if operation == "getchallenge":
            assert asked.query["username"] == "engine"
            return self.greet()
        if operation == "login":
            self.logins.append(asked)
            return self.login(asked.form)
        self.asked.append(asked)
        if not self.authorized(asked):
            return self.unauthorized()
        return self.nexts.pop(0)() if self.nexts else self.told(lambda: self.operate(operation, asked.query))

    def authorized(self, asked: Asked) -> bool:
        return asked.query["sessionName"] == self.access_token

    def unauthorized(self) -> web.Response:
        return self.error("INVALID_SESSIONID")

    def greet(self) -> web.Response:
        self.counter += 1
        self.challenge = f"challenge-{self.counter}"
        return self.give({"token": self.challenge, "serverTime": 1, "expireTime": 301})

    def login(self, form: Mapping[str, str]) -> web.Response:
        if form["username"] != "engine":
            return self.error("INVALID_USER_CREDENTIALS")
        if form["accessKey"] != hashlib.md5(f"{self.challenge}key".encode(), usedforsecurity=False).hexdigest():
            return self.error("INVALID_USER_CREDENTIALS")
        self.access_token = f"session-{self.counter}"
        return self.give({"sessionName": self.access_token, "userId": "19x1", "version": "0.22"})


class VtigerContract(DescribedContract):
    """What both must do."""

    page = "ADDRESS/index.php?module=Contacts&view=Detail&record=101"
    integration = """
server: ADDRESS
auth: {access_key: {user: engine, access_key: '${TOKEN}'}}
models: {contact: {fields: {customer_number: cf_852}}}
"""

    async def test_one_query_asks_for_every_format_in_two_columns(self, crm: Open) -> None:
        assert ids(await crm.caller("+1 212 555 0147")) == ["105"]
        (asked,) = crm.standin.asked
        assert asked.query["query"] == (
            "SELECT * FROM Contacts WHERE phone LIKE '%2%1%2%5%5%5%0%1%4%7%' OR mobile LIKE '%2%1%2%5%5%5%0%1%4%7%'"
            " ORDER BY modifiedtime DESC LIMIT 0,20;"
        )

    @pytest.mark.parametrize("value", ["1' OR cf_852 LIKE '1", "1\\", "1%'", "(1)", "1;2"])
    async def test_signs_of_the_query_language_are_never_sent(self, crm: Open, value: str) -> None:
        assert ids(await crm.field("customer_number", value)) == []
        assert crm.standin.asked == []

    async def test_an_id_has_its_module_before_it(self, crm: Open) -> None:
        (record,) = (await crm.caller("+43 664 1234567")).records  # type: ignore[union-attr]
        assert (record.id, record.fields["owner_id"], record.fields["email"]) == ("12x101", "19x7", None)

    async def test_the_record_that_changed_last_comes_first(self, crm: Open) -> None:
        assert ids(await crm.caller("+43 1 5120001")) == ["107", "106"]

    async def test_more_than_a_hundred_records_are_listed(self, crm: Open) -> None:
        crm.standin.people = [Person(str(1000 + number), "1", "A", "B") for number in range(201)]
        assert len(await listed(crm)) == 201
        assert len(crm.standin.asked) == 3

    async def test_changes_are_listed(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        batch = await crm.provider.page("contact", datetime(2026, 3, 1, 0, 0, 7, tzinfo=UTC), "")
        assert [record.id for record in batch.records] == ["12x107", "12x108"]

    async def test_fields_are_described(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        (field,) = await crm.provider.fields_of("contact")
        assert (field.name, field.label, field.type) == ("phone", "Office Phone", "phone")

    async def test_a_right_that_is_missing_is_an_administrators(self, crm: Open) -> None:
        assert isinstance(crm.standin, Vtiger)
        crm.standin.nexts.append(lambda: crm.standin.error("ACCESS_DENIED"))  # type: ignore[attr-defined]
        with pytest.raises(ProviderRefused, match="ACCESS_DENIED"):
            await crm.provider.find(by_caller("+43 664 1234567"))

    async def test_a_database_that_fails_is_down(self, crm: Open) -> None:
        crm.standin.nexts.append(lambda: crm.standin.error("DATABASE_QUERY_ERROR"))  # type: ignore[attr-defined]
        with pytest.raises(ProviderUnreachable, match="DATABASE_QUERY_ERROR") as caught:
            await crm.provider.find(by_caller("+43 664 1234567"))
        assert not caught.value.again


class TestVtiger(VtigerContract):
    provider = "vtiger"
    standin = Vtiger
    refreshes = False


class TestVtigerOpen(VtigerContract):
    provider = "vtiger_open"
    standin = VtigerOpen

    async def test_the_key_itself_is_never_sent(self, crm: Open) -> None:
        assert ids(await crm.caller("+43 664 1234567")) == ["101"]
        (entered,) = crm.standin.logins
        assert len(entered.form["accessKey"]) == 32
        assert "key" not in entered.form.values()

    @pytest.mark.parametrize("code", ["INVALID_SESSIONID", "SESSION_EXPIRED", "SESSION_LEFT_IDLE"])
    async def test_a_session_that_ended_is_begun_anew(self, crm: Open, code: str) -> None:
        crm.standin.nexts.append(lambda: crm.standin.error(code))  # type: ignore[attr-defined]
        assert ids(await crm.caller("+43 664 1234567")) == ["101"]
        assert len(crm.standin.logins) == 2

    async def test_a_refused_log_in_is_not_repeated_with_every_call(self, crm: Open) -> None:
        refused = crm.standin.error("INVALID_USER_CREDENTIALS").body  # type: ignore[attr-defined]
        crm.standin.login = lambda form: web.Response(body=refused)  # type: ignore[attr-defined]
        for _ in range(3):
            with pytest.raises(ProviderRefused, match="refused the log-in"):
                await crm.provider.find(by_caller("+43 664 1234567"))
        assert len(crm.standin.logins) == 1

    async def test_a_challenge_that_somebody_else_ended_passes_by(self, crm: Open) -> None:
        crm.standin.login = lambda form: crm.standin.error("INVALID_AUTH_TOKEN")  # type: ignore[attr-defined]
        with pytest.raises(ProviderUnreachable, match="INVALID_AUTH_TOKEN"):
            await crm.provider.find(by_caller("+43 664 1234567"))
