"""A listener with people who log in: two agents, a supervisor, an administrator, each with a browser."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from argon2 import PasswordHasher

from routing_engine.call_book import CallBook
from routing_engine.calls.call import Call, CallContact, Candidate, Leg
from routing_engine.calls.tracker import TrackedCall
from routing_engine.config.engine_yaml import EngineSettings
from routing_engine.config.load import Configuration
from routing_engine.settings.api import ProgramKeys
from routing_engine.settings.integration import Integration
from routing_engine.settings.log_in import LogInKeys
from routing_engine.settings.people import Group, User
from routing_engine.storage import people_table
from routing_engine.storage.database import Database
from routing_engine.storage.place import DatabasePlace
from routing_engine.web.api import ApiListener
from routing_engine.web.calls_api import CallsApi
from routing_engine.web.endpoints import Endpoints
from routing_engine.web.people_site import PeopleSite

NOW = 1_796_000_000.0
PASSWORD = "correct horse battery"
KEY = "k" * 20
HEADER = {"X-Routing-Engine": "1"}
USERS = {
    "anna": User("anna", "Anna Gruber", "anna@example.com", ("main/201",), group="sales"),
    "bert": User("bert", "Bert Huber", "bert@example.com", ("main/202",), group="support"),
    "sue": User("sue", "Sue Visor", "sue@example.com", role="supervisor"),
    "adam": User("adam", "Adam Min", "adam@example.com", role="administrator"),
}
GROUPS = {
    "default": Group("default"),
    "sales": Group("sales", {"crm.contact": frozenset({"read", "create", "edit"}), "crm.lead": frozenset({"read"})}),
    "support": Group("support", {"crm.lead": frozenset({"read"})}),
}
CONTACT = CallContact("found", "crm", "contact", "7", "Petra Pan", "https://crm.example.com/7")
EITHER = CallContact(
    "ambiguous", candidates=(Candidate("crm", "contact", "7", "Petra Pan"), Candidate("crm", "lead", "8", "Lea Lead"))
)


def call_of(call_id: str, user: str, contact: CallContact | None = CONTACT) -> Call:
    leg = Leg(f"main/{call_id}", user, NOW - 50)
    return Call(call_id, "main", call_id, "inbound", NOW - 60, from_="+436641112223", legs=(leg,), contact=contact)


CALLS = (call_of("of-anna", "anna"), call_of("of-bert", "bert"), call_of("either", "bert", EITHER))


def configuration(**more: Any) -> Configuration:
    keys = {"page": ProgramKeys(KEY, ("calls.read", "calls.write"))}
    integrations = {"crm": Integration("crm", "http", {"contact": None, "lead": None}, None, None)}
    settings = EngineSettings(api_keys=keys, log_in=more.pop("log_in", LogInKeys()))
    found = Configuration(settings, integrations, {}, {}, "r1", users=USERS, groups=GROUPS)
    return replace(found, **more)


@dataclass
class Browser:
    """One browser: keeps cookies as one does, and sends what a page of ours sends."""

    url: str
    session: aiohttp.ClientSession
    cookies: dict[str, str] = field(default_factory=dict)
    answered: list[str] = field(default_factory=list)

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str] = HEADER, **more: Any
    ) -> tuple[int, dict[str, Any]]:
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        sent = {**headers, **(cookie if self.cookies else {})}
        async with self.session.request(method, self.url + path, headers=sent, allow_redirects=False, **more) as answer:
            self.answered = answer.headers.getall("Set-Cookie", [])
            for one in self.answered:
                name, _, value = one.partition(";")[0].partition("=")
                self.cookies[name] = value
            body = await answer.read()
            elsewhere = {"location": answer.headers.get("Location")}
            return answer.status, json.loads(body) if body.startswith(b"{") else elsewhere

    async def log_in(self, user: str, password: str = PASSWORD, **more: Any) -> int:
        status, _ = await self.ask("POST", "/v1/session", json={"user": user, "password": password}, **more)
        return status


@dataclass
class PeopleWeb:
    """What runs, and its clocks."""

    url: str
    http: aiohttp.ClientSession
    people: PeopleSite
    database: Database
    book: CallBook
    ticks: list[float]
    listener: ApiListener

    def browser(self) -> Browser:
        return Browser(self.url, self.http)

    async def logged_in(self, user: str) -> Browser:
        found = self.browser()
        assert await found.log_in(user) == 200
        return found

    def pass_by(self, seconds: float) -> None:
        self.ticks[0] += seconds


@asynccontextmanager
async def people_web(
    folder: Path, calls: Sequence[Call] = CALLS, more: Sequence[Endpoints] = (), **about: Any
) -> AsyncIterator[PeopleWeb]:
    database, ticks = Database(DatabasePlace(folder / "calls.db")), [0.0]
    await database.open()
    book = CallBook(database, lambda _: None, now=lambda: NOW)
    await book.open()
    await book.take([TrackedCall(one, ("call.started",)) for one in calls])
    for user in USERS:
        await database.write(partial(people_table.set_password, user=user, hashed=HASHED, now=NOW, by="test"))
    people = PeopleSite(database, configuration(**about), lambda: NOW + ticks[0], lambda: ticks[0])
    api = ApiListener((CallsApi(book, lambda: NOW, str), people.api, people.oidc, *more), people.access)
    await api.listen("127.0.0.1", 0)
    people.start()
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield PeopleWeb(f"http://{api.addresses[0]}", session, people, database, book, ticks, api)
    finally:
        await api.stop()
        await people.close()
        await database.close()


#: One for all, and a cheap one: how much a hash costs stands in it.
HASHED = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
