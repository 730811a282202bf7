"""A listener `http` on loopback with its book of calls, and a program that asks it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp

from routing_engine.call_book import CallBook
from routing_engine.calls.call import Call
from routing_engine.calls.changes import CallChanged
from routing_engine.core.phone import number_text
from routing_engine.event_bus import EventBus
from routing_engine.settings.api import Program
from routing_engine.settings.people import People
from routing_engine.storage.connector import DatabasePlace
from routing_engine.storage.database import Database
from routing_engine.web.access import Access
from routing_engine.web.api import ApiListener
from routing_engine.web.calls_api import CallsApi
from routing_engine.web.endpoints import Endpoints
from routing_engine.web.repeats import Repeats
from routing_engine.web.reports import ReportsApi
from routing_engine.web.stream import CallStream

READS, WRITES, TELLS = "r" * 20, "w" * 20, "e" * 20
KEYS = (
    Program("reader", READS, frozenset({"calls.read"})),
    Program("writer", WRITES, frozenset({"calls.read", "calls.write"})),
    Program("trunk", TELLS, frozenset({"events"})),
)
NOW = 1_796_000_000.0
CALL = Call("c1", "main", "1.1", "inbound", NOW - 60, from_="+436641112223", to="201", linkedids=("1.1",))

#: Further addresses of a test.
More: TypeAlias = Callable[[CallBook, Database], Sequence[Endpoints]]


@dataclass
class Site:
    """A listener with its book, and the changes that were told."""

    url: str
    session: aiohttp.ClientSession
    book: CallBook
    database: Database
    told: list[CallChanged]
    heard: asyncio.Event
    stream: CallStream
    access: Access

    async def ask(self, method: str, path: str, key: str = WRITES, **more: Any) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
        async with self.session.request(method, self.url + path, headers=headers, **more) as answer:
            return answer.status, await answer.json()

    async def until(self, kind: str) -> Call:
        return await self.first(lambda one: kind in one.kinds)

    async def first(self, wanted: Callable[[CallChanged], bool]) -> Call:
        async with asyncio.timeout(60):
            while not (found := [one.call for one in self.told if wanted(one)]):
                self.heard.clear()
                await self.heard.wait()
        return found[-1]


@asynccontextmanager
async def site(folder: Path, more: More = lambda book, database: ()) -> AsyncIterator[Site]:
    database, events = Database(DatabasePlace(folder / "calls.db")), EventBus()
    told, heard = list[CallChanged](), asyncio.Event()

    def hear(event: CallChanged) -> None:
        told.append(event)
        heard.set()

    events.subscribe_at_once(CallChanged, hear)
    await database.open()
    book = CallBook(database, events.publish, now=lambda: NOW)
    await book.open()
    number = partial(number_text, "AT")
    reports = ReportsApi(database, book, lambda name: name == "main", number, lambda: NOW)
    stream = CallStream(book, lambda: 0.0, lambda: NOW)
    events.subscribe_at_once(CallChanged, stream.hear)
    access = Access(KEYS, People(), lambda: 0.0)
    api = ApiListener((CallsApi(book, lambda: NOW, number), reports, stream, *more(book, database)), access)
    api.repeats = Repeats(database, lambda: NOW)
    await api.listen("127.0.0.1", 0)
    reports.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Site(f"http://{api.addresses[0]}", session, book, database, told, heard, stream, access)
    finally:
        await api.stop()
        await api.repeats.close()
        await reports.close()
        await database.close()
