"""A record that is created by itself for an unknown caller: once, also of two calls and two engines at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from routing_engine.call_book import CallBook
from routing_engine.calls.call import Call
from routing_engine.calls.tracker import TrackedCall
from routing_engine.contacts import ContactModel
from routing_engine.core.asks import Found
from routing_engine.desk.actions import ContactDesk, UnknownCallers
from routing_engine.errors import ProviderUnreachable
from routing_engine.event_bus import EventBus
from routing_engine.settings.people import User
from routing_engine.storage.connector import DatabasePlace
from routing_engine.storage.database import Database

from .sites import ANNA, Answers, Desk, desk_site

pytestmark = pytest.mark.io

NOW = 1_796_000_000.0
ANSWERED = Call(
    "c1", "main", "1.1", "inbound", NOW - 60, from_="+436641112223", to="201", linkedids=("1.1",), user="anna",
    answered_at=NOW - 50, state="talking",
)  # fmt: skip
USER, LEAD = User("anna", "Anna Berger", crm={"crm": "u5"}), ContactModel("crm", "lead")


@dataclass
class Engine:
    """One process: a book, a desk, and what is done for unknown callers."""

    database: Database
    book: CallBook
    unknown: UnknownCallers
    users: dict[str, User] = field(default_factory=lambda: {"anna": USER})

    async def call(self, number: int = 1, **about: object) -> Call:
        ids = {"id": f"c{number}", "pbx_call_id": f"1.{number}", "linkedids": (f"1.{number}",)}
        call = replace(ANSWERED, **{**ids, **about})  # type: ignore[arg-type]
        await self.book.take([TrackedCall(call, ("call.answered",))])
        return call

    async def matched(self, number: int = 1) -> str | None:
        found = await self.book.call(f"c{number}")
        return found.contact.matched if found is not None and found.contact is not None else None


async def engine(folder: Path, answers: Answers, desk: Desk) -> Engine:
    database = Database(DatabasePlace(folder / "calls.db"))
    await database.open()
    book = CallBook(database, EventBus().publish, now=lambda: NOW)
    await book.open()
    site = desk_site(answers, desk)
    contacts = ContactDesk(book, database, lambda: site, lambda: NOW)
    unknown = UnknownCallers(contacts, lambda key: (USER, LEAD) if key == "anna" else None)
    return Engine(database, book, unknown)


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[tuple[Engine, Answers, Desk]]:
    answers, desk = Answers(), Desk()
    found = await engine(tmp_path, answers, desk)
    yield found, answers, desk
    await found.database.close()


async def test_who_nobody_knows_becomes_a_record_of_whoever_answered(one: tuple[Engine, Answers, Desk]) -> None:
    site, _, desk = one
    await site.unknown.answered(await site.call())
    assert desk.made == [("lead", {"phone": "+436641112223"}, "u5")]
    assert await site.matched() == "created"


async def test_one_call_is_taken_once_also_when_it_is_answered_again(one: tuple[Engine, Answers, Desk]) -> None:
    site, _, desk = one
    call = await site.call()
    await asyncio.gather(*(site.unknown.answered(call) for _ in range(3)))
    assert len(desk.made) == 1


async def test_ten_calls_of_one_number_at_once_are_one_record(one: tuple[Engine, Answers, Desk]) -> None:
    site, _, desk = one
    desk.gate = asyncio.Event()
    calls = [await site.call(number) for number in range(10)]
    tasks = [asyncio.create_task(site.unknown.answered(call)) for call in calls]
    await desk.begun.wait()
    desk.gate.set()
    await asyncio.gather(*tasks)
    assert len(desk.made) == 1
    assert sorted([await site.matched(number) or "" for number in range(10)]) == ["created", *["linked"] * 9]


async def test_two_engines_on_one_database_are_one_record_too(tmp_path: Path) -> None:
    answers, desk = Answers(), Desk(gate=asyncio.Event())
    first, second = await engine(tmp_path, answers, desk), await engine(tmp_path, answers, desk)
    tasks = [
        asyncio.create_task(first.unknown.answered(await first.call(1))),
        asyncio.create_task(second.unknown.answered(await second.call(2))),
    ]
    await desk.begun.wait()
    # One holds the system; the other one has been told, and leaves it.
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert desk.gate is not None
    desk.gate.set()
    await asyncio.gather(*tasks)
    assert len(desk.made) == 1
    await first.database.close()
    await second.database.close()


@pytest.mark.parametrize("about", [
    {"user": "bernd"}, {"from_": None}, {"direction": "outbound"}, {"user": None},
])  # fmt: skip
async def test_only_the_groups_own_inbound_calls_with_a_number(
    one: tuple[Engine, Answers, Desk], about: dict[str, object]
) -> None:
    site, _, desk = one
    await site.unknown.answered(await site.call(**about))
    assert desk.made == []


async def test_where_nobody_knows_what_came_of_it_nothing_is_done_again(one: tuple[Engine, Answers, Desk]) -> None:
    site, answers, desk = one
    desk.error = ProviderUnreachable("crm: no answer")
    await site.unknown.answered(await site.call())
    desk.error = None
    await site.unknown.answered(await site.call(2))
    assert (desk.made, await site.matched(2)) == ([], None)
    answers.by_number["crm.contact"] = Found((ANNA,))


async def test_a_system_that_is_down_breaks_nothing(one: tuple[Engine, Answers, Desk]) -> None:
    site, _, desk = one
    desk.error = ProviderUnreachable("crm: no answer")
    await site.unknown.answered(await site.call())
    assert await site.matched() is None
