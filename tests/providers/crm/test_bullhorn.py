"""Bullhorn, as its documentation says: an index in Lucene, a database in JPQL, a session on top of OAuth2."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from routing_engine.core.asks import SourceDown
from routing_engine.errors import ProviderRefused, ProviderThrottled
from routing_engine.providers.crm.provider import CrmProvider
from tests.providers.contract import by_caller

from .conditions import BadQuery, Condition, Reader, column, like
from .contract import DescribedContract, Open, ids
from .standin import PEOPLE, Asked, Person, StandIn, digits

pytestmark = pytest.mark.io

LUCENE = r'"(?:\\.|[^"\\])*"|[A-Za-z_][\w.]*:|\w+|[()]'
JPQL = r"'(?:''|[^'])*'|[A-Za-z_][\w.]*|\d+|<>|>=|=|>|[()]"
PHONES = ("phone", "mobile", "phone2", "phone3", "workPhone", "billingPhone")


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


#: How an index may split numbers: Bullhorn does not tell.
SPLITS = {"digits": lambda text: [digits(text)], "words": words, "whole": lambda text: [text]}


def holds(split: str, name: str, value: object, phrase: str) -> bool:
    """Whether a field's words hold those of a phrase, one after the other."""
    if isinstance(value, bool):
        return phrase in (("1", "true") if value else ("0", "false"))
    split_up = SPLITS[split] if name in PHONES else words
    held, wanted = split_up(str(value or "")), split_up(phrase)
    return bool(wanted) and any(held[start : start + len(wanted)] == wanted for start in range(len(held)))


def clause(reader: Reader, split: str) -> Condition:
    """`field:"phrase"`, `field:("one" OR "another")`, or NOT and one of them."""
    token = reader.take()
    if token.upper() == "NOT":
        inside = clause(reader, split)
        return lambda row: not inside(row)
    if not token.endswith(":"):
        raise BadQuery(f"a word without a field: {token}")
    name, phrases = token[:-1], [reader.take()]
    if phrases == ["("]:
        phrases = [reader.take()]
        while reader.take("OR", ")").upper() == "OR":
            phrases.append(reader.take())
    texts = [re.sub(r"\\(.)", r"\1", one[1:-1] if one[0] == '"' else one) for one in phrases]
    return lambda row: any(holds(split, name, column(row, name), text) for text in texts)


def compare(reader: Reader) -> Condition:
    """One comparison of JPQL."""
    name, sign, literal = reader.take(), reader.take("=", "<>", ">", ">=", "LIKE").upper(), reader.take()
    if sign == "LIKE":
        pattern = literal[1:-1].replace("''", "'")
        return lambda row: like(column(row, name), pattern, "")
    if sign in (">", ">="):
        return lambda row: int(str(column(row, name))) >= int(literal) + (sign == ">")
    wanted: object = literal[1:-1] if literal[0] == "'" else literal == "true"
    return lambda row: (column(row, name) == wanted) is (sign == "=")


class Bullhorn(StandIn):
    token_path = "/oauth/token"
    #: How the index splits numbers, who is not in it yet, who was deleted, and where the session leads to.
    split = "digits"
    unseen: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    leads_to = ""
    session = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.sessions: list[Asked] = []

    async def handle(self, request: web.Request) -> web.Response:
        if request.path != "/rest-services/login":
            return await super().handle(request)
        asked = Asked(request.method, request.path, dict(request.query), (), request.headers, b"")
        self.sessions.append(asked)
        if asked.query["access_token"] != self.access_token:
            return self.error(400, "Invalid or expired OAuth access token.")
        self.session = f"session-{len(self.sessions)}"
        url = self.leads_to or f"{self.address}/rest-services/e999/"
        return web.json_response({"BhRestToken": self.session, "restUrl": url})

    def token_answer(self) -> dict[str, object]:
        return {"token_type": "Bearer", "expires_in": 600}

    def authorized(self, asked: Asked) -> bool:
        return bool(self.session) and asked.headers.get("BhRestToken") == self.session

    def unauthorized(self) -> web.Response:
        return self.error(401, "Bad 'BhRestToken' or timed-out.")

    def expire(self) -> None:
        super().expire()
        self.session = ""

    def throttled(self) -> web.Response:
        return web.Response(status=429)

    def broken(self) -> web.Response:
        return self.error(500, "boom", "errors.internal")

    def error(self, status: int, sentence: str, key: str = "errors.request") -> web.Response:
        found = {"errorMessage": sentence, "errorMessageKey": key, "errorCode": status}
        return web.json_response(found, status=status)

    def answer(self, asked: Asked) -> web.Response:
        operation, _, entity = asked.path.removeprefix("/rest-services/e999/").partition("/")
        if operation == "ping":
            return web.json_response({"sessionExpires": 1323449994922})
        if operation == "meta":
            fields = [{"name": "phone", "type": "SCALAR", "dataType": "String", "label": "Direct Phone"}]
            return web.json_response({"entity": entity, "label": "Contact", "fields": fields})
        rows = [self.row(person, entity) for person in self.people]
        try:
            if operation == "search":
                reader = Reader(str(asked.json["query"]), LUCENE, lambda one: clause(one, self.split))
                rows = [row for row in rows if str(row["id"]) not in self.unseen]
            else:
                reader = Reader(str(asked.json["where"]), JPQL, compare)
            condition = reader.condition()
            if reader.peek():
                raise BadQuery("more than a query")
            return self.page(asked, [row for row in rows if condition(row)])
        except BadQuery:
            return self.error(400, "error parsing the query")

    def page(self, asked: Asked, rows: list[dict[str, object]]) -> web.Response:
        names = asked.query["fields"].split(",")
        if any(name not in row for row in rows for name in names):
            return self.error(404, "invalid field")
        start = int(asked.query.get("start", "0"))
        rows = rows[start : start + min(int(asked.query["count"]), self.page_size)]
        found = [{name: row[name] for name in names} for row in rows]
        return web.json_response({"start": start, "count": len(found), "data": found})

    def row(self, person: Person, entity: str) -> dict[str, object]:
        found: dict[str, object] = {
            "id": int(person.id), "firstName": person.first, "lastName": person.last, "email": None,
            "phone": person.phone, "mobile": person.mobile, "phone2": None, "phone3": None,
            "address": {"city": person.city}, "status": "Active",
            "owner": {"id": 7, "firstName": "Olga", "lastName": "Owner"}, "isDeleted": person.id in self.gone,
            "customText1": person.number, "dateLastModified": int(person.id) * 1000, "companyName": "Acme",
            "clientCorporation": {"id": 500, "name": "Acme"},
        }  # fmt: skip
        if entity == "Candidate":
            found |= {"mobile": None, "workPhone": person.mobile}
        elif entity == "ClientCorporation":
            del found["isDeleted"]
            archived = "Archive" if person.id in self.gone else "Active"
            found |= {"name": f"{person.last} Ltd", "billingPhone": person.mobile, "status": archived}
        return found


class TestBullhorn(DescribedContract):
    provider = "bullhorn"
    standin = Bullhorn
    page = "https://cls91.bullhornstaffing.com/BullhornSTAFFING/OpenWindow.cfm?Entity=ClientContact&id=101"
    integration = """
oauth_url: ADDRESS/oauth
rest_url: ADDRESS/rest-services
ats_url: https://cls91.bullhornstaffing.com
auth: {oauth2: {client_id: app, client_secret: '${SECRET}', refresh_token: '${REFRESH}'}}
models: {contact: {fields: {customer_number: customText1}}}
"""

    # --------------------------------------------------------------------------------------- numbers

    @pytest.mark.parametrize("split", SPLITS)
    @pytest.mark.parametrize("number", [person.phones[0] for person in PEOPLE if person.phones])
    async def test_a_caller_is_found_however_the_index_splits_numbers(self, crm: Open, split: str, number: str) -> None:
        crm.standin.split = split  # type: ignore[attr-defined]
        found = ids(await crm.caller(number))
        assert [person.id for person in PEOPLE if person.id in found and number in person.phones]

    async def test_one_search_for_all_spellings_is_enough_where_the_index_knows_them(self, crm: Open) -> None:
        await crm.caller("+43 664 7654321")
        (asked,) = crm.standin.asked
        assert asked.path == "/rest-services/e999/search/ClientContact"
        assert 'phone:("436647654321" OR "6647654321" OR "06647654321") OR mobile:(' in str(asked.json["query"])

    async def test_who_is_not_in_the_index_yet_is_found_in_the_database(self, crm: Open) -> None:
        crm.standin.unseen = frozenset({"101"})  # type: ignore[attr-defined]
        assert ids(await crm.caller("+43 664 1234567")) == ["101"]
        assert [one.path.split("/")[3] for one in crm.standin.asked] == ["search", "query"]

    async def test_a_database_that_takes_no_like_leaves_the_word_to_the_index(self, crm: Open) -> None:
        crm.standin.nexts += [lambda: web.json_response({"data": []}), lambda: crm.standin.error(400, "no LIKE")]  # type: ignore[attr-defined]
        assert ids(await crm.caller("+43 664 1234567")) == []
        assert len(crm.standin.asked) == 2

    @pytest.mark.parametrize("model", ["contact", "candidate", "lead", "company"])
    async def test_who_was_deleted_is_found_in_no_model(self, crm: Open, model: str) -> None:
        assert ids(await crm.caller("+43 664 1234567", model)) == ["101"]
        crm.standin.gone = frozenset({"101"})  # type: ignore[attr-defined]
        assert ids(await crm.caller("+43 664 1234567", model)) == []
        assert len(crm.standin.asked) == 3

    @pytest.mark.parametrize("model", ["contact", "candidate", "company"])
    async def test_the_further_columns_of_a_model_are_searched(self, crm: Open, model: str) -> None:
        assert ids(await crm.caller("+49 171 7654321", model)) == ["103"]
        crm.standin.people[2] = replace(PEOPLE[2], mobile="0049 1717654321")
        assert ids(await crm.caller("+49 171 7654321", model)) == ["103"]

    async def test_many_records_are_read_page_by_page(self, crm: Open) -> None:
        crm.standin.people = [Person(str(one), "", "Ina", "Doppel", "", "+43 1 5120001") for one in range(1, 26)]
        assert len(ids(await crm.caller("+43 1 5120001"))) == 25
        assert [one.query["start"] for one in crm.standin.asked] == ["0", "20"]

    async def test_owner_and_company_come_along(self, crm: Open) -> None:
        (record,) = (await crm.caller("+43 664 1234567")).records  # type: ignore[union-attr]
        assert (record.fields["owner"], record.fields["owner_id"], record.fields["company"]) == (
            "Olga Owner",
            7,
            "Acme",
        )

    async def test_words_of_a_value_are_not_the_value(self, crm: Open) -> None:
        crm.standin.people[0] = Person("101", "12 34", "Anna", "Gruber", "", "+43 664 1234567")
        assert ids(await crm.field("customer_number", "12")) == []
        assert ids(await crm.field("customer_number", "12 34")) == ["101"]

    @pytest.mark.parametrize(
        "value", ['x" OR isDeleted:0 OR id:"x', '123456" OR "', "123456\\", '") OR lastName:("Gruber']
    )
    async def test_a_quote_does_not_leave_its_phrase(self, crm: Open, value: str) -> None:
        assert ids(await crm.field("customer_number", value)) == []
        assert len(crm.standin.asked) == 1

    # --------------------------------------------------------------------------------------- sessions

    async def test_a_session_that_ended_needs_no_new_token(self, crm: Open) -> None:
        await crm.caller("+43 664 1234567")
        crm.standin.session = "another"  # type: ignore[attr-defined]
        assert ids(await crm.caller("+43 664 1234567")) == ["101"]
        assert (len(crm.standin.logins), len(crm.standin.sessions)) == (1, 2)  # type: ignore[attr-defined]

    async def test_each_refresh_token_is_used_once(self, crm: Open) -> None:
        await crm.caller("+43 664 1234567")
        crm.standin.expire()
        assert ids(await crm.caller("+43 664 1234567")) == ["101"]
        assert [one.form["refresh_token"] for one in crm.standin.logins] == ["refresh-0", "refresh-1"]

    async def test_a_session_leads_to_no_other_host(self, crm: Open) -> None:
        crm.standin.leads_to = "https://rest9.example.com/rest-services/e999/"  # type: ignore[attr-defined]
        found = await crm.caller("+43 664 1234567")
        assert isinstance(found, SourceDown)
        assert "not allowed" in found.why
        assert crm.standin.asked == []

    async def test_a_wrong_data_centre_is_an_administrators(self, crm: Open) -> None:
        moved = {"Location": "https://rest-east.bullhornstaffing.com/rest-services/e999/"}
        crm.standin.nexts.append(lambda: web.Response(status=307, headers=moved))
        with pytest.raises(ProviderRefused, match="never followed"):
            await crm.provider.find(by_caller("+43 664 1234567"))

    async def test_too_many_requests_are_a_pause_of_a_second(self, crm: Open) -> None:
        crm.standin.nexts.append(crm.standin.throttled)
        with pytest.raises(ProviderThrottled) as caught:
            await crm.provider.find(by_caller("+43 664 1234567"))
        assert caught.value.retry_after_s == 1

    async def test_a_field_that_is_not_there_is_refused_with_its_code(self, crm: Open) -> None:
        crm.standin.nexts.append(lambda: Bullhorn().error(404, "invalid field"))
        with pytest.raises(ProviderRefused, match=r"status 404 \(errors.request\)"):
            await crm.provider.find(by_caller("+43 664 1234567"))

    # ------------------------------------------------------------------------------------------ rest

    async def test_changes_and_deletions_are_listed(self, crm: Open) -> None:
        crm.standin.gone = frozenset({"107"})  # type: ignore[attr-defined]
        assert isinstance(crm.provider, CrmProvider)
        batch = await crm.provider.page("contact", datetime.fromtimestamp(106, UTC), "")
        assert ([record.id for record in batch.records], batch.gone) == (["106", "108"], ["107"])

    async def test_companies_are_listed_though_they_have_no_mark_of_deletion(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        batch = await crm.provider.page("company", None, "")
        assert len(batch.records) == len(PEOPLE)

    async def test_fields_are_described(self, crm: Open) -> None:
        assert isinstance(crm.provider, CrmProvider)
        (field,) = await crm.provider.fields_of("contact")
        assert (field.name, field.label, field.type) == ("phone", "Direct Phone", "String")

    async def test_without_the_address_of_the_application_records_have_no_page(self, crm: Open, tmp_path: Path) -> None:
        text = self.integration.replace("ats_url: https://cls91.bullhornstaffing.com\n", "")
        opened = Open(crm.standin, "bullhorn", text, tmp_path / "other")
        found = await opened.caller("+43 664 1234567")
        assert [record.url for record in found.records] == [""]  # type: ignore[union-attr]
        await opened.provider.close()
