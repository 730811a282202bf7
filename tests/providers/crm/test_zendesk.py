"""Zendesk Support, as its documentation says: one search for all, digits behind a `*`, exports by seconds."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from routing_engine.errors import ProviderThrottled
from routing_engine.providers.crm.provider import CrmProvider
from tests.providers.contract import by_caller

from .contract import DescribedContract, Open, ids, listed
from .standin import Asked, Person, StandIn, digits

pytestmark = pytest.mark.io

#: One word of a search: a property and its value, or a text to look for anywhere.
WORD = re.compile(r'(?:(\w+)([:<>]))?("[^"]*"|[^\s"]+)\s*')
TICKETS = (
    {"id": 35, "subject": "Delivery", "status": "open", "requester_id": 101, "assignee_id": 9, "updated_at": "2"},
    {"id": 36, "subject": "Invoice", "status": "pending", "requester_id": 101, "assignee_id": 8, "updated_at": "3"},
    {"id": 37, "subject": "Thanks", "status": "solved", "requester_id": 101, "assignee_id": 7, "updated_at": "4"},
)
STATUSES = ("new", "open", "pending", "hold", "solved", "closed")


class Zendesk(StandIn):
    token_path = "/oauth/tokens"
    #: Users that were deleted, by id.
    gone: frozenset[str] = frozenset()

    def unauthorized(self) -> web.Response:
        return web.json_response({"error": "invalid_token", "error_description": "revoked"}, status=401)

    def answer(self, asked: Asked) -> web.Response:
        query = asked.query
        if asked.path == "/api/v2/search.json":
            hits = self.search(query["query"])
            return self.page(asked, "results", hits, int(query.get("page", "1")), int(query["per_page"]))
        if asked.path == "/api/v2/search/count.json":
            return web.json_response({"count": len(self.search(query["query"]))})
        if asked.path == "/api/v2/tickets/show_many.json":
            wanted = query["ids"].split(",")
            return web.json_response({"tickets": [one for one in TICKETS if str(one["id"]) in wanted]})
        if found := re.fullmatch(r"/api/v2/users/(\d+)/identities.json", asked.path):
            return self.identities(found[1])
        if found := re.fullmatch(r"/api/v2/users/(\d+).json", asked.path):
            users = [one for one in self.people if one.id == found[1]]
            status = 200 if users else 404
            return web.json_response(
                {"user": self.user(users[0])} if users else {"error": "RecordNotFound"}, status=status
            )
        if asked.path == "/api/v2/incremental/users/cursor.json":
            return self.export(asked)
        return web.json_response({"error": "RecordNotFound", "description": "Not found"}, status=404)

    def page(self, asked: Asked, name: str, found: list[dict[str, object]], number: int, size: int) -> web.Response:
        """Pages by number, a hundred at most, a thousand results in all."""
        size = min(size, 100, self.page_size)
        if number * size > 1000:
            return web.json_response({"error": "Invalid search"}, status=422)
        more = URL(self.address + asked.path) % {**asked.query, "page": number + 1}
        start = (number - 1) * size
        rest = str(more) if start + size < len(found) else None
        return web.json_response({name: found[start : start + size], "next_page": rest, "count": len(found)})

    def export(self, asked: Asked) -> web.Response:
        """All that changed since a second, oldest first. The last page has a cursor too: for the next export."""
        start = int(asked.query.get("cursor") or 0)
        since = int(asked.query.get("start_time") or 0)
        people = [person for person in self.people if int(person.id) >= since]
        end = min(start + self.page_size, len(people))
        after = f"{self.address}{asked.path}?cursor={end}&start_time={since}"
        users = [self.user(person) for person in people[start:end]]
        return web.json_response({"users": users, "after_url": after, "end_of_stream": end == len(people)})

    def identities(self, who: str) -> web.Response:
        """Every address and number of a user; the user themselves shows one of each."""
        (person,) = (one for one in self.people if one.id == who)
        numbers = [{"id": 9, "type": "phone_number", "value": number, "primary": False} for number in person.phones]
        found = [{"id": 8, "type": "email", "value": "a@x.org", "primary": True}, *numbers]
        return web.json_response({"identities": found, "next_page": None, "previous_page": None, "count": len(found)})

    def user(self, person: Person) -> dict[str, object]:
        return {
            "id": int(person.id), "name": f"{person.first} {person.last}", "email": None, "tags": ["vip"],
            "phone": person.phone or person.mobile, "role": "end-user", "active": person.id not in self.gone,
            "user_fields": {"customer_number": person.number, "city": person.city}, "external_id": None,
            "organization_id": 500,
        }  # fmt: skip

    def search(self, text: str) -> list[dict[str, object]]:
        """Every word must fit. Values compare whatever their case, by whole words: what we get may not be the value."""
        words = [(found[1] or "", found[2] or "", found[3].strip('"')) for found in WORD.finditer(text)]
        if ("type", ":", "ticket") in words:
            found = [one for one in TICKETS if all(self.ticket_fits(one, *word) for word in words)]
            return sorted(found, key=lambda one: str(one["updated_at"]), reverse=True)
        return [self.user(person) for person in self.people if all(self.fits(person, *word) for word in words)]

    def ticket_fits(self, ticket: dict[str, object], key: str, sign: str, value: str) -> bool:
        if sign == "<":
            return STATUSES.index(str(ticket[key])) < STATUSES.index(value)
        return key == "type" or str(ticket.get(f"{key}_id", ticket.get(key))) == value

    def fits(self, person: Person, key: str, sign: str, value: str) -> bool:
        if key == "phone":
            wanted, held = value.lstrip("*"), [digits(number) for number in person.phones]
            assert wanted.isdecimal()
            return any(one.endswith(wanted) if value.startswith("*") else one == wanted for one in held)
        known = {"type": "user", "role": "end-user", "customer_number": person.number, "name": person.last}
        if not key:
            return any(value.lower() in one.lower() for one in (*known.values(), person.first))
        return set(value.lower().split()) <= set(known.get(key, "").lower().split())


class TestZendesk(DescribedContract):
    provider = "zendesk"
    standin = Zendesk
    page = "https://acme.zendesk.com/agent/users/101"
    integration = """
subdomain: acme
address: ADDRESS
auth:
  oauth2: {client_id: app, client_secret: '${SECRET}', refresh_token: '${REFRESH}', token_url: ADDRESS/oauth/tokens}
models: {contact: {fields: {customer_number: user_fields.customer_number}}}
"""

    async def test_the_number_is_asked_for_in_digits_alone(self, crm: Open) -> None:
        await crm.caller("+43 664 1234567")
        (asked,) = crm.standin.asked
        assert asked.query["query"] == "type:user role:end-user phone:*6641234567"

    async def test_further_numbers_of_a_user_are_asked_for_only_when_they_matter(self, crm: Open) -> None:
        found = await crm.caller("+49 171 7654321")
        assert found.records[0].fields["others"] == ("+49 30 123456", "+49 (0)171 7654321")  # type: ignore[union-attr]
        paths = [asked.path.removeprefix("/api/v2/") for asked in crm.standin.asked]
        assert paths == ["search.json", "search.json", "users/103/identities.json"]

    async def test_an_address_and_a_token_are_the_password_of_basic(self, crm: Open, tmp_path: Path) -> None:
        crm.standin.authorized = lambda asked: basic(asked) == "ada@acme.com/token:key"  # type: ignore[method-assign]
        head, tail = self.integration.index("auth:"), self.integration.index("models:")
        way = "auth: {api_token: {email: ada@acme.com, token: '${TOKEN}'}}\n"
        opened = Open(crm.standin, "zendesk", self.integration[:head] + way + self.integration[tail:], tmp_path / "b")
        assert ids(await opened.caller("+43 664 1234567")) == ["101"]
        await opened.provider.close()

    async def test_a_server_proves_itself_without_a_person(self, crm: Open, tmp_path: Path) -> None:
        text = self.integration.replace("refresh_token: '${REFRESH}'", "grant: client_credentials")
        opened = Open(crm.standin, "zendesk", text, tmp_path / "b")
        assert ids(await opened.caller("+43 664 1234567")) == ["101"]
        form = crm.standin.logins[0].form
        assert (form["grant_type"], form["scope"]) == ("client_credentials", "read write")
        await opened.provider.close()

    async def test_a_ticket_is_found_by_its_number(self, crm: Open) -> None:
        found = await crm.field("id", "0035", "ticket")
        assert ids(found) == []  # 35 is another text than 0035
        found = await crm.field("id", "35", "ticket")
        assert ids(found) == ["35"]
        assert found.records[0].url == "https://acme.zendesk.com/agent/tickets/35"  # type: ignore[union-attr]

    async def test_another_field_of_a_ticket_finds_no_stranger(self, crm: Open) -> None:
        assert ids(await crm.field("status", "35", "ticket")) == []
        assert ids(await crm.field("id", "x", "ticket")) == []

    async def test_open_tickets_of_a_caller_come_with_their_agent_newest_first(self, crm: Open) -> None:
        found = await crm.field("requester", "101", "open_ticket")
        assert [(one.id, one.fields["owner_id"]) for one in found.records] == [("36", 8), ("35", 9)]  # type: ignore[union-attr]

    async def test_a_word_that_is_only_part_of_a_value_finds_nobody(self, crm: Open) -> None:
        crm.standin.people[0] = Person("101", "12 34", "Anna", "Gruber", "", "+43 664 1234567")
        assert ids(await crm.field("customer_number", "12")) == []
        assert ids(await crm.field("customer_number", "12 34")) == ["101"]

    @pytest.mark.parametrize("value", ['1" name:"Gruber', "12345*", "name:Gruber", "a b:c", "12<34"])
    async def test_signs_of_the_search_language_are_never_sent(self, crm: Open, value: str) -> None:
        assert ids(await crm.field("customer_number", value)) == []
        assert crm.standin.asked == []

    async def test_a_pause_of_the_whole_account_is_kept_too(self, crm: Open) -> None:
        crm.standin.nexts.append(lambda: web.Response(status=503, headers={"Retry-After": "9"}))
        with pytest.raises(ProviderThrottled) as caught:
            await crm.provider.find(by_caller("+43 664 1234567"))
        assert caught.value.retry_after_s == 9

    async def test_a_search_is_followed_through_its_pages(self, crm: Open) -> None:
        crm.standin.page_size = 1
        assert sorted(ids(await crm.caller("+43 1 5120001"))) == ["106", "107"]
        assert len(crm.standin.asked) == 2

    async def test_changes_and_deletions_are_exported(self, crm: Open) -> None:
        crm.standin.gone = frozenset({"107"})  # type: ignore[attr-defined]
        assert isinstance(crm.provider, CrmProvider)
        batch = await crm.provider.page("contact", datetime.fromtimestamp(106, UTC), "")
        assert ([record.id for record in batch.records], batch.gone) == (["106", "108"], ["107"])
        assert batch.cursor == ""

    async def test_an_export_begins_at_the_first_second(self, crm: Open) -> None:
        assert len(await listed(crm)) == len(crm.standin.people)
        assert crm.standin.asked[0].query["start_time"] == "0"


def basic(asked: Asked) -> str:
    """What HTTP Basic's header holds."""
    return base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")).decode()
