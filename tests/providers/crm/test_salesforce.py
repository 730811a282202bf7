"""Salesforce, as its documentation says: SOSL over phone fields, SOQL, errors as lists, tokens without a lifetime."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from routing_engine.core.asks import SourceDown
from routing_engine.errors import ProviderRefused, ProviderThrottled
from routing_engine.providers.crm.provider import CrmProvider
from routing_engine.providers.crm.settings import reader_of_shipped
from routing_engine.settings.yaml_reader import Problems, read_yaml
from tests.providers.contract import by_caller

from .conditions import BadQuery, Condition, Reader, Row, chosen, column, like
from .contract import SECRETS, DescribedContract, Open, ids
from .standin import Asked, Person, StandIn, digits

pytestmark = pytest.mark.io

TOKEN = r"'(?:\\.|[^'\\])*'|\d{4}-\d\d-\d\dT[\d:]+Z|[A-Za-z_][\w.]*|\d+|>=|!=|[=,()]"
TEXTS = re.compile(r"""\\u([0-9a-fA-F]{4})|\\(.)""")
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
QUERY = re.compile(
    r"SELECT (?P<fields>[\w.,]+) FROM (?P<object>\w+)( WHERE (?P<where>.*?))?( ORDER BY \w+ DESC)?( LIMIT \d+)?", re.S
)
SEARCH = re.compile(
    r"FIND \{(?P<terms>(?:\\.|[^{}\\])*)\} IN PHONE FIELDS"
    r" RETURNING (?P<object>\w+)\((?P<fields>[\w.,]+) WHERE (?P<where>.*) LIMIT (?P<limit>\d+)\)",
    re.S,
)
TERM = re.compile(r'"(?:\\.|[^"\\])*"|\w+')


def text_of(literal: str) -> str:
    """What a literal of SOQL holds: a backslash and what follows is one sign, or the query is not a query."""
    inside = literal[1:-1]
    if any(found[2] and found[2] not in "nrtbf\"'\\_%" for found in TEXTS.finditer(inside)):
        raise BadQuery("no such escape")
    return TEXTS.sub(lambda found: ESCAPES.get(found[2], found[2]), inside)


def compare(reader: Reader) -> Condition:
    """One comparison. Texts compare whatever their case, as the fields do that are not case-sensitive."""
    name, sign, literal = reader.take(), reader.take("=", "!=", ">=", "LIKE").upper(), reader.take()
    if sign == "LIKE":
        pattern = literal[1:-1]
        return lambda row: like(column(row, name), pattern)
    if not literal.startswith("'"):
        return lambda row: compares(column(row, name), sign, literal)
    wanted = text_of(literal).casefold()
    return lambda row: (str(column(row, name)).casefold() == wanted) is (sign == "=")


def compares(value: object, sign: str, literal: str) -> bool:
    if literal[0].isdigit():
        return sign == ">=" and str(value) >= literal
    known: Mapping[str, object] = {"null": None, "true": True, "false": False}
    if literal not in known or sign == ">=":
        raise BadQuery(f"no such value: {literal}")
    return (value is known[literal]) is (sign == "=")


class Salesforce(StandIn):
    token_path = "/services/oauth2/token"
    #: Contacts in the recycle bin, by id, and whether the index has seen what was written.
    gone: frozenset[str] = frozenset()
    indexed = True

    def token_answer(self) -> dict[str, object]:
        return {"token_type": "Bearer", "instance_url": self.address, "issued_at": "1708058728442", "scope": "api"}

    def unauthorized(self) -> web.Response:
        return self.error(401, "INVALID_SESSION_ID")

    def throttled(self) -> web.Response:
        return self.error(403, "REQUEST_LIMIT_EXCEEDED")

    def broken(self) -> web.Response:
        return self.error(500, "UNKNOWN_EXCEPTION")

    def error(self, status: int, code: str) -> web.Response:
        return web.json_response([{"message": "what went wrong", "errorCode": code}], status=status)

    def answer(self, asked: Asked) -> web.Response:
        path = asked.path.removeprefix("/services/data/v62.0")
        try:
            if path == "/search":
                return web.json_response({"searchRecords": self.search(asked.query["q"])})
            if path in ("/query", "/queryAll"):
                return self.page(self.query(asked.query["q"], path == "/queryAll"), 0, path)
        except BadQuery:
            return self.error(400, "MALFORMED_QUERY")
        if found := re.fullmatch(r"/(query|queryAll)/01gx-(\d+)", path):
            return self.page(self.cursor, int(found[2]), f"/{found[1]}")
        if path == "/sobjects/Contact/describe":
            fields = [{"name": "Phone", "label": "Business Phone", "type": "phone"}]
            return web.json_response({"name": "Contact", "fields": fields})
        return self.error(404, "NOT_FOUND")

    def page(self, rows: list[dict[str, object]], start: int, path: str) -> web.Response:
        self.cursor, end = rows, start + self.page_size
        found: dict[str, object] = {"totalSize": len(rows), "done": end >= len(rows), "records": rows[start:end]}
        if end < len(rows):
            found["nextRecordsUrl"] = f"/services/data/v62.0{path}/01gx-{end}"
        return web.json_response(found)

    def query(self, text: str, deleted: bool) -> list[dict[str, object]]:
        found = QUERY.fullmatch(text)
        if text == "SELECT Id FROM Organization LIMIT 1":
            return [{"Id": "00D"}]
        if found is None or len(set(found["fields"].split(","))) != len(found["fields"].split(",")):
            raise BadQuery(text)
        rows = self.fitting(found["where"] or "Id != null", self.rows(found["object"]))
        return [
            {"attributes": {"type": found["object"]}, **chosen(row, found["fields"].split(","))}
            for row in rows
            if deleted or not row["IsDeleted"]
        ]

    def search(self, text: str) -> list[dict[str, object]]:
        """An index of whole numbers, without signs between the digits; it knows no part of one."""
        found = SEARCH.fullmatch(text)
        if found is None:
            raise BadQuery(text)
        terms = {digits(term) for term in TERM.findall(found["terms"]) if term != "OR"}
        rows = self.fitting(found["where"], self.rows(found["object"]) if self.indexed else [])
        hits = (
            row for row in rows if terms & {digits(str(row[name])) for name in ("Phone", "MobilePhone") if row[name]}
        )
        return [{"attributes": {"type": found["object"]}, **chosen(row, found["fields"].split(","))} for row in hits]

    def fitting(self, where: str, rows: list[Row]) -> list[Row]:
        reader = Reader(where, TOKEN, compare)
        condition = reader.condition()
        if reader.tokens:
            raise BadQuery(where)
        return [row for row in rows if condition(row)]

    def rows(self, kind: str) -> list[Row]:
        if kind == "Lead":
            return [self.row(person) | {"IsConverted": True, "Status": "Qualified"} for person in self.people]
        return [self.row(person) for person in self.people] if kind == "Contact" else []

    def row(self, person: Person) -> dict[str, object]:
        return {
            "Id": person.id, "Name": f"{person.first} {person.last}", "Phone": person.phone or None, "Email": None,
            "MobilePhone": person.mobile or None, "HomePhone": None, "MailingCity": person.city or None, "City": None,
            "Account.Name": None, "Company": None, "AccountId": None, "Owner.Name": "Olga Owner", "OwnerId": "005x1",
            "Owner.Extension": "17", "Customer_Number__c": person.number, "IsDeleted": person.id in self.gone,
            "SystemModstamp": f"2026-03-01T00:00:{int(person.id) % 100:02}Z",
        }  # fmt: skip


class TestSalesforce(DescribedContract):
    provider = "salesforce"
    standin = Salesforce
    page = "ADDRESS/lightning/r/Contact/101/view"
    integration = """
server: ADDRESS
hosts: [127.0.0.1]
auth:
  oauth2: {client_id: app, client_secret: '${SECRET}', refresh_token: '${REFRESH}'}
models: {contact: {fields: {customer_number: Customer_Number__c}}}
"""

    async def test_a_number_that_the_index_has_not_seen_yet_is_found_in_the_fields(self, crm: Open) -> None:
        crm.standin.indexed = False  # type: ignore[attr-defined]
        assert ids(await crm.caller("+43 664 1234567")) == ["101"]
        assert [one.path.rpartition("/")[2] for one in crm.standin.asked] == ["search", "query"]

    async def test_the_index_is_asked_once_for_every_spelling(self, crm: Open) -> None:
        assert ids(await crm.caller("+43 664 7654321")) == ["102"]
        (asked,) = crm.standin.asked
        assert asked.query["q"].startswith(
            'FIND {6647654321 OR 436647654321 OR 06647654321 OR "0664 7654321" OR "\\+43 664 7654321"} IN PHONE FIELDS'
        )

    async def test_a_lead_that_became_a_contact_is_no_lead_any_more(self, crm: Open) -> None:
        assert ids(await crm.caller("+43 664 1234567", "lead")) == []

    async def test_the_owner_comes_along(self, crm: Open) -> None:
        (record,) = (await crm.caller("+43 664 1234567")).records  # type: ignore[union-attr]
        assert (record.fields["owner"], record.fields["owner_extension"]) == ("Olga Owner", "17")
        assert record.fields["company"] is None

    async def test_requests_that_are_used_up_are_a_quota(self, crm: Open) -> None:
        crm.standin.nexts.append(crm.standin.throttled)
        with pytest.raises(ProviderThrottled, match=r"REQUEST_LIMIT_EXCEEDED.*quota") as caught:
            await crm.provider.find(by_caller("+43 664 1234567"))
        assert caught.value.retry_after_s == 300

    async def test_a_field_that_is_not_there_is_refused_with_its_code(self, crm: Open) -> None:
        crm.standin.nexts.append(lambda: Salesforce().error(400, "INVALID_FIELD"))
        with pytest.raises(ProviderRefused, match=r"status 400 \(INVALID_FIELD\)"):
            await crm.provider.find(by_caller("+43 664 1234567"))

    async def test_a_token_leads_to_no_other_host(self, crm: Open, tmp_path: Path) -> None:
        text = self.integration.replace("hosts: [127.0.0.1]\n", "")
        named = crm.standin.address.replace("127.0.0.1", "localhost")  # while the token's answer says 127.0.0.1
        opened = Open(crm.standin, "salesforce", text.replace("ADDRESS", named), tmp_path / "other")
        found = await opened.caller("+43 664 1234567")
        assert isinstance(found, SourceDown)
        assert "not allowed" in found.why
        assert crm.standin.asked == []
        await opened.provider.close()

    async def test_a_server_proves_itself_without_a_person(self, crm: Open, tmp_path: Path) -> None:
        text = self.integration.replace("refresh_token: '${REFRESH}'", "grant: client_credentials")
        opened = Open(crm.standin, "salesforce", text, tmp_path / "other")
        assert ids(await opened.caller("+43 664 1234567")) == ["101"]
        form = crm.standin.logins[0].form
        assert (form["grant_type"], form["client_id"], "scope" in form) == ("client_credentials", "app", False)
        await opened.provider.close()

    async def test_changes_and_deletions_are_listed(self, crm: Open) -> None:
        crm.standin.gone = frozenset({"107"})  # type: ignore[attr-defined]
        assert isinstance(crm.provider, CrmProvider)
        batch = await crm.provider.page("contact", datetime(2026, 3, 1, 0, 0, 6, tzinfo=UTC), "")
        assert ([record.id for record in batch.records], batch.gone) == (["106", "108"], ["107"])

    async def test_fields_are_described(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        (field,) = await crm.provider.fields_of("contact")
        assert (field.name, field.label, field.type) == ("Phone", "Business Phone", "phone")

    @pytest.mark.parametrize(
        ("version", "fine"), [("v36.0", False), ("v37.0", True), ("v65.0", True), ("v100.0", True)]
    )
    def test_versions_that_answer_in_another_shape_are_refused(self, version: str, fine: bool, tmp_path: Path) -> None:
        notes = Problems("integrations/crm.yaml", lambda name: SECRETS.get(name) or None)
        section = read_yaml(f"version: {version}\n{self.integration.replace('ADDRESS', 'https://x.example')}", notes)
        assert section is not None
        reader_of_shipped("salesforce", tmp_path)(section, "crm")
        assert [str(one).partition(":1: ")[0] for one in notes.problems] == ([] if fine else ["integrations/crm.yaml"])
