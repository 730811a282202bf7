"""Every address of the running service, tried by everybody: each role in each group, each key, and nobody at all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest

from routing_engine.api_service import ApiService
from routing_engine.calls.tracker import TrackedCall
from routing_engine.engine import open_store
from routing_engine.followed_calls import FollowedCalls
from routing_engine.service import Service
from routing_engine.settings.api import RIGHTS
from routing_engine.settings.listeners import ListenerAddress
from routing_engine.settings.people import Role
from routing_engine.storage import people_table
from routing_engine.storage.connector import Connector
from routing_engine.storage.place import DatabasePlace
from routing_engine.subscribers import Host, Subscriber
from routing_engine.web.access import ROLE_RIGHTS
from routing_engine.web.endpoints import Endpoint

from .people import CONTACT, EITHER, HASHED, Browser, call_of

pytestmark = pytest.mark.io

ROLES: tuple[Role, ...] = get_args(Role)
#: What each group may do with contacts; nobody may do anything with leads.
GROUPS = {"default": (), "reads": ("read",), "writes": ("read", "create", "edit")}
PEOPLE = [f"{role}-{group}" for role, group in product(ROLES, GROUPS)]
#: Addresses that a role may use by its right, and that ask for more.
MORE: Mapping[tuple[str, str], tuple[Role, ...]] = {
    ("GET", "/v1/audit"): ("administrator",),
    ("GET", "/v1/deliveries"): ("supervisor", "administrator"),
    ("POST", "/v1/deliveries/{id}/retry"): ("supervisor", "administrator"),
    ("POST", "/v1/deliveries/{id}/drop"): ("supervisor", "administrator"),
    ("GET", "/v1/edges"): (),  # no person is an engine
}
#: What an address needs to come as far as its call: a new one belongs here.
BODIES: Mapping[str, Mapping[str, Any]] = {
    "PATCH /v1/calls/{id}": {"tags": ["x"]},
    "POST /v1/calls/{id}/contact": {"action": "rematch"},
    "POST /v1/calls/{id}/transfer": {"to": "203", "how": "blind"},
    "POST /v1/calls": {"to": "+436641112223"},
    "POST /v1/session": {"user": "nobody", "password": "wrong"},
    "POST /v1/me/password": {"old": "wrong", "new": "another password"},
    "POST /v1/decide": {"route": "support", "caller": "+436641112223"},
    "POST /v1/events/{source}": {},
}
#: Refusals that are about what was sent, and not about who sent it.
NO_RIGHTS = ("wrong_password", "cross_site", "not_proved", "wrong_old_password")
#: Of a contact, and of calls of others: what must not be told to who may not read it.
SECRETS = ("Petra Pan", "crm.example.com/7", "Lea Lead")
ACME = """
title: Acme CRM
settings: {site: {example: 'http://127.0.0.1:1'}}
address: '{settings.site}'
auth: {key: {needs: {token: secret}, headers: {Authorization: 'Bearer {auth.token}'}}}
models:
  contact: {object: people, fields: {id: id, name: name, phone: phone}, numbers: [phone]}
  lead: {object: leads, fields: {id: id, name: name, phone: phone}, numbers: [phone]}
find_by_phone: [{get: '/{model.object}', query: {phone: '{number.e164}'}}]
"""


def write_folder(folder: Path) -> Path:
    for name in ("routes", "integrations", "providers", "pbxs"):
        (folder / name).mkdir()
    keys = [f"  {right}: {{key: {{file: keys/{right}}}, may: [{right}]}}" for right in RIGHTS]
    (folder / "keys").mkdir()
    for name in (*RIGHTS, "crm"):
        (folder / "keys" / name).write_text(key_of(name))
        (folder / "keys" / name).chmod(0o600)
    listeners = "listeners: {fastagi: 127.0.0.1:0, http: 127.0.0.1:0}\n"
    (folder / "engine.yaml").write_text(f"region: AT\n{listeners}api_keys:\n" + "\n".join(keys) + "\n")
    (folder / "routes" / "support.yaml").write_text("default: {to: {queue: support}}\n")
    (folder / "providers" / "acme.yaml").write_text(ACME)
    crm = "provider: acme\nsite: http://127.0.0.1:9\nauth: {key: {file: keys/crm}}\n"
    (folder / "integrations" / "crm.yaml").write_text(crm)
    users = [f"{role}-{group}: {{name: X, role: {role}, group: {group}}}\n" for role, group in product(ROLES, GROUPS)]
    (folder / "users.yaml").write_text("".join(users))
    groups = [f"{name}: {{models: {{crm.contact: [{', '.join(verbs)}]}}}}\n" for name, verbs in GROUPS.items()]
    (folder / "groups.yaml").write_text("".join(groups))
    return folder


def key_of(right: str) -> str:
    return right.ljust(20, "k")


@dataclass
class WholeSite:
    """The whole service, and a browser of each person that is logged in already."""

    url: str
    http: aiohttp.ClientSession
    rows: list[Endpoint]
    people: dict[str, Browser] = field(default_factory=dict)

    async def ask(self, who: str, row: Endpoint, call: str = "mine", **more: Any) -> tuple[int, str]:
        """Ask as a person, as the key `key RIGHT`, or as nobody (""); the path's values are ids of nothing."""
        path = row.path.replace("/v1/calls/{id}", f"/v1/calls/{call}").replace("{id}", "4711")
        body = more or BODIES.get(f"{row.method} {row.path}", {})
        headers = {"X-Routing-Engine": "1"}
        if who.startswith("key "):
            headers = {"Authorization": f"Bearer {key_of(who[4:])}"}
        elif who:
            headers["Cookie"] = f"routing_engine={self.people[who].cookies['routing_engine']}"
        path = path.replace("{source}", "cloud").replace("{integration}", "crm")
        sent = {"json": body} if row.method in ("POST", "PATCH") else {}
        async with self.http.request(
            row.method, self.url + path, headers=headers, allow_redirects=False, **sent
        ) as answer:
            if answer.content_type == "text/event-stream":
                return answer.status, (await answer.content.readuntil(b"\n\n")).decode()
            return answer.status, await answer.text()


@asynccontextmanager
async def whole_site(folder: Path) -> AsyncIterator[WholeSite]:
    found: list[tuple[FollowedCalls, ApiService, str]] = []

    async def open_api(host: Host) -> Subscriber:
        calls = FollowedCalls(host.events, host.active)
        calls.begin()
        api = ApiService(calls, host.events, host.configuration)
        host.addresses["http"] = [*await api.open(ListenerAddress("127.0.0.1", 0))]
        found.append((calls, api, host.addresses["http"][0]))
        return Subscriber(close=api.close)

    with Connector(DatabasePlace(folder / "state" / "calls.db")).transaction() as connection:
        for one in PEOPLE:
            people_table.set_password(connection, one, HASHED, 1.0, "test")
    service = Service(open_store(folder), (open_api,))
    await service.start()
    (calls, api, address) = found[0]
    assert calls.book is not None
    stories = [("other", "somebody", CONTACT), ("either", "somebody", EITHER), *((one, one, CONTACT) for one in PEOPLE)]
    await calls.book.take(
        [TrackedCall(call_of(name, user, contact), ("call.started",)) for name, user, contact in stories]
    )
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        site = WholeSite(f"http://{address}", http, [*api.rows])
        for one in PEOPLE:
            site.people[one] = Browser(site.url, http)
            assert await site.people[one].log_in(one) == 200
        try:
            yield site
        finally:
            await service.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("rights"))


def refused(status: int, text: str) -> bool:
    """Whether somebody was not let in; a record or a call that is not there is another thing."""
    return status in (401, 403) and json.loads(text)["error"]["code"] not in NO_RIGHTS


def tried(site: WholeSite) -> Iterator[Endpoint]:
    # The session's own end would end the test; what goes to others' pages is tried in its own file.
    yield from (row for row in site.rows if row.path != "/v1/session" or row.method != "DELETE")


async def test_nobody_gets_more_than_role_and_group_allow(folder: Path) -> None:
    async with whole_site(folder) as site:
        rows = [*tried(site)]
        assert len(rows) > 25
        wrong: list[str] = []
        for row in rows:
            # Nobody.
            status, text = await site.ask("", row)
            if row.right is not None and status != 401:
                wrong.append(f"nobody: {row.method} {row.path}: {status}")
            # Each key has one right.
            for right in RIGHTS:
                status, text = await site.ask(f"key {right}", row)
                if refused(status, text) != (row.right not in (right, None)):
                    wrong.append(f"key {right}: {row.method} {row.path}: {status} {text[:200]}")
            for role, group in product(ROLES, GROUPS):
                may = row.right in (None, "person", *ROLE_RIGHTS[role])
                may = may and role in MORE.get((row.method, row.path), ROLES)
                # To look for a record is to read it.
                may = may and ("read" in GROUPS[group] or row.path != "/v1/calls/{id}/contact")
                status, text = await site.ask(f"{role}-{group}", row, f"{role}-{group}")
                if refused(status, text) == may:
                    wrong.append(f"{role}-{group}: {row.method} {row.path}: {status} {text[:200]}")
        assert not wrong, "\n".join(wrong)


async def test_a_call_of_others_answers_an_agent_as_one_that_is_not_there(folder: Path) -> None:
    async with whole_site(folder) as site:
        rows = [row for row in site.rows if row.path.startswith("/v1/calls/{id}")]
        assert len(rows) >= 9
        for row, group in product(rows, GROUPS):
            forbidden, unknown = [await site.ask(f"agent-{group}", row, name) for name in ("other", "never")]
            assert forbidden[0] == 404, (row.method, row.path, forbidden)
            assert forbidden[1].replace("other", "never") == unknown[1], (row.method, row.path)
        status, text = await site.ask("agent-writes", next(row for row in site.rows if row.path == "/v1/calls"))
        assert [one["id"] for one in json.loads(text)["calls"]] == ["agent-writes"]
        assert status == 200


async def test_nothing_of_a_record_is_told_to_whom_the_group_does_not_allow_it(folder: Path) -> None:
    async with whole_site(folder) as site:
        reads = [row for row in site.rows if row.method == "GET" and row.right is not None]
        for row, role in product(reads, ROLES):
            name = f"{role}-default"
            for call in (name, "either"):
                _, text = await site.ask(name, row, call)
                assert not any(word in text for word in SECRETS), (name, row.path, text[:300])
        # And who may read contacts is told of them, and of leads nothing.
        card = next(row for row in reads if row.path == "/v1/calls/{id}/card")
        _, text = await site.ask("supervisor-reads", card, "either")
        assert ("Petra Pan" in text, "Lea Lead" in text) == (True, False)


@pytest.mark.parametrize("verb", ["link", "create", "edit", "choose"])
async def test_nobody_writes_what_the_group_may_not(folder: Path, verb: str) -> None:
    async with whole_site(folder) as site:
        contact = next(row for row in site.rows if row.path == "/v1/calls/{id}/contact")
        asked = {"action": verb, "integration": "crm", "model": "contact"}
        asked |= {} if verb == "create" else {"id": "7"}
        asked |= {"fields": {"name": "X"}} if verb in ("create", "edit") else {}
        who = {"link": "default", "choose": "default", "create": "reads", "edit": "reads"}[verb]
        for role in ROLES:
            name = f"{role}-{who}"
            status, text = await site.ask(name, contact, name, **asked)
            assert (status, json.loads(text)["error"]["code"]) == (403, "no_right"), (name, text)
            status, text = await site.ask(name, contact, name, **{**asked, "model": "lead"})
            assert status == 403, (name, text)


@pytest.mark.parametrize("group", GROUPS)
async def test_nobody_links_what_the_group_may_not_read(folder: Path, group: str) -> None:
    async with whole_site(folder) as site:
        patch = next(row for row in site.rows if row.method == "PATCH")
        name = f"agent-{group}"
        lead = {"contact": {"integration": "crm", "model": "lead", "id": "8"}}
        assert (await site.ask(name, patch, name, **lead))[0] == 403
        away, _ = await site.ask(name, patch, name, contact=None)
        assert away == (200 if "read" in GROUPS[group] else 403)


async def test_nobody_sends_colleagues_to_an_address_of_the_own(folder: Path) -> None:
    async with whole_site(folder) as site:
        patch = next(row for row in site.rows if row.method == "PATCH")
        trap = {"integration": "crm", "model": "contact", "id": "7", "url": "https://crm.example.com.evil.example"}
        status, text = await site.ask("agent-writes", patch, "agent-writes", contact=trap)
        assert (status, json.loads(text)["error"]["code"]) == (403, "no_right")


async def test_nobody_acts_as_somebody_else(folder: Path) -> None:
    async with whole_site(folder) as site:
        for path in ("/v1/calls", "/v1/sip-credentials"):
            row = next(row for row in site.rows if (row.method, row.path) == ("POST", path))
            body = {"user": "agent-reads", **({"to": "+436641112223"} if path == "/v1/calls" else {})}
            status, text = await site.ask("agent-writes", row, **body)
            assert (status, json.loads(text)["error"]["code"]) == (403, "no_right"), (path, text)
        calls = next(row for row in site.rows if (row.method, row.path) == ("GET", "/v1/calls"))
        status, _ = await site.ask("agent-writes", replace(calls, path="/v1/calls?user=agent-reads"))
        assert status == 403
