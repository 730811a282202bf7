"""The card of who is calling, over real HTTP: fields and labels, hidden ones, several systems, calls before, why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from routing_engine.call_book import CallBook
from routing_engine.calls.call import Call, CallContact, CallRoute
from routing_engine.calls.tracker import TrackedCall
from routing_engine.contacts import ContactModel, contact_of
from routing_engine.core.asks import Found
from routing_engine.desk.actions import ContactDesk
from routing_engine.event_bus import EventBus
from routing_engine.settings.api import Program
from routing_engine.settings.people import People
from routing_engine.storage.connector import DatabasePlace
from routing_engine.storage.database import Database
from routing_engine.web.access import Access
from routing_engine.web.api import ApiListener
from routing_engine.web.contacts_api import ContactsApi
from tests.desk.sites import ANNA, BERND, CUSTOMER, Answers, Desk, desk_site

pytestmark = pytest.mark.io

NOW = 1_796_000_000.0
KEY = "k" * 20
CALL = Call("c1", "main", "1.1", "inbound", NOW - 60, from_="+436641112223", to="201", linkedids=("1.1",))
MODELS = frozenset({"crm.contact", "crm.lead", "erp.customer"})
FOUND = contact_of(ContactModel("crm", "contact"), [ANNA])


@dataclass
class Page:
    """What a page asks, and what stands behind."""

    url: str
    session: aiohttp.ClientSession
    book: CallBook
    database: Database
    answers: Answers
    desk: Desk

    async def card(self, query: str = "", call: str = "c1") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with self.session.get(f"{self.url}/v1/calls/{call}/card{query}", headers=headers) as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def call(self, **about: Any) -> None:
        await self.book.take([TrackedCall(replace(CALL, **about), ("call.started",))])
        await self.database.flush()


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    database, events = Database(DatabasePlace(tmp_path / "calls.db")), EventBus()
    await database.open()
    book = CallBook(database, events.publish, now=lambda: NOW)
    await book.open()
    answers, desk = Answers(), Desk()
    site = desk_site(answers, desk)
    contact_desk = ContactDesk(book, database, lambda: site, lambda: NOW)
    contacts = ContactsApi(book, contact_desk, lambda: site, lambda _: ())
    keys = (Program("page", KEY, frozenset({"calls.read", "calls.write"})),)
    api = ApiListener((contacts,), Access(keys, People(models=MODELS), lambda: 0.0))
    await api.listen("127.0.0.1", 0)
    async with aiohttp.ClientSession() as session:
        yield Page(f"http://{api.addresses[0]}", session, book, database, answers, desk)
    await api.stop()
    await contacts.close()
    await database.close()


async def test_the_record_of_the_route_is_shown_with_its_labels_and_nobody_is_asked(page: Page) -> None:
    await page.call(contact=replace(FOUND, matched="routed"))
    contact = (await page.card())["contact"]
    assert (contact["name"], contact["url"]) == ("Anna Gruber", "https://crm.example.com/contact/7")
    assert {"name": "score", "label": "Lead score", "value": "12", "type": "number", "editable": False} in contact[
        "fields"
    ]
    assert "crm" not in [ask.source.integration for ask in page.answers.asked]


async def test_a_hidden_field_is_nowhere_in_the_card(page: Page) -> None:
    await page.call(contact=FOUND)
    card = await page.card()
    assert "margin" not in str(card)
    assert "secret" not in str(card)


async def test_an_address_that_is_none_of_the_web_is_not_opened(page: Page) -> None:
    await page.call(contact=CallContact("linked", "crm", "contact", "7", "Anna", "javascript:alert(1)"))
    assert (await page.card())["contact"]["url"] is None


async def test_a_record_that_a_program_has_linked_is_read_by_its_id(page: Page) -> None:
    page.answers.records["7"] = ANNA
    await page.call(contact=CallContact("linked", "crm", "contact", "7"))
    cards = [await page.card("?wait=true") for _ in range(2)]
    assert [card["contact"]["name"] for card in cards] == ["Anna Gruber"] * 2
    assert [ask.source.field for ask in page.answers.asked if ask.source.integration == "crm"] == ["id"]


async def test_several_of_one_number_are_there_to_choose_from(page: Page) -> None:
    await page.call(contact=contact_of(ContactModel("crm", "contact"), [ANNA, BERND]))
    card = await page.card()
    assert (card["contact"], [one["name"] for one in card["candidates"]]) == (None, ["Anna Gruber", "Bernd"])
    assert card["candidates"][0]["fields"][0]["value"] == "Anna Gruber"


async def test_other_systems_stand_beside_are_asked_once_and_hold_nothing_up(page: Page) -> None:
    page.answers.by_number["erp.customer"], page.answers.gate = Found((CUSTOMER,)), asyncio.Event()
    await page.call(contact=FOUND)
    first = await page.card()
    assert (first["others"], first["others_pending"]) == ([], True)
    page.answers.gate.set()
    cards = [await page.card("?wait=true") for _ in range(2)]
    assert [(one["integration"], one["name"]) for one in cards[1]["others"]] == [("erp", "Gruber KG")]
    assert len(page.answers.asked) == 1


async def test_why_it_came_here_is_a_sentence(page: Page) -> None:
    await page.call(route=CallRoute("support", "vip", "matched", "r1", "1.1"), contact=replace(FOUND, matched="routed"))
    why = (await page.card())["why"]
    assert (why["route"], why["rule"], why["reason"]) == ("support", "vip", "matched")
    expected = "The route 'support' sent it here: its rule 'vip' matched, for the record that it found."
    assert why["sentence"] == expected


async def test_calls_before_are_of_the_number_and_of_the_contact(page: Page) -> None:
    await page.call(id="c0", pbx_call_id="1.0", started_at=NOW - 500, linkedids=("1.0",))
    other = {"from_": "+4319998888", "started_at": NOW - 900, "linkedids": ("0.9",)}
    await page.call(id="c-mobile", pbx_call_id="0.9", contact=FOUND, **other)
    await page.call(id="c-stranger", pbx_call_id="0.8", from_="+4311111111", started_at=NOW - 100, linkedids=("0.8",))
    await page.call(contact=FOUND)
    assert [one["id"] for one in (await page.card())["last_calls"]] == ["c0", "c-mobile"]


async def test_what_can_be_created_is_a_form_with_the_number_filled_in(page: Page) -> None:
    await page.call()
    form = (await page.card())["create"][0]
    assert (form["integration"], form["model"], form["title"]) == ("crm", "contact", "Contact")
    assert [(one["name"], one["needed"], one["value"]) for one in form["fields"]] == [
        ("name", True, None),
        ("phone", False, "+436641112223"),
    ]


async def test_there_is_no_card_of_a_call_that_is_not_there(page: Page) -> None:
    assert (await page.card(call="nowhere"))["error"]["code"] == "unknown_call"
