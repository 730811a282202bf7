"""What people do about the other party over the API: each action, its right, two at once, and who attacks it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from routing_engine.call_book import CallBook
from routing_engine.calls.call import Call, CallContact, Leg
from routing_engine.calls.tracker import TrackedCall
from routing_engine.contacts import ContactModel, contact_of
from routing_engine.core.asks import Found, SourceDown
from routing_engine.desk.actions import SAME_S, UNDER_WAY_S, ContactDesk
from routing_engine.errors import ProviderRefused, ProviderUnreachable, RoutingEngineError, UnknownCall
from routing_engine.event_bus import EventBus
from routing_engine.settings.people import User, Verb
from routing_engine.storage.connector import DatabasePlace
from routing_engine.storage.database import Database
from routing_engine.web.contacts_api import ContactsApi
from routing_engine.web.requests import Actor, ApiAnswer, ApiError, ApiRequest
from tests.desk.sites import ANNA, BERND, Answers, Desk, desk_site

pytestmark = pytest.mark.io

NOW = 1_796_000_000.0
LEG = Leg("main/201", "anna", NOW - 50)
CALL = Call("c1", "main", "1.1", "inbound", NOW - 60, from_="+436641112223", to="201", linkedids=("1.1",), legs=(LEG,))
FOUND = contact_of(ContactModel("crm", "contact"), [ANNA])
SEVERAL = contact_of(ContactModel("crm", "contact"), [ANNA, BERND])
CONTACT = {"integration": "crm", "model": "contact"}
MAX = {"action": "create", **CONTACT, "fields": {"name": "Max Neu", "phone": "+436641112223"}}
ALL: frozenset[Verb] = frozenset({"read", "create", "edit"})
READ: frozenset[Verb] = frozenset({"read"})


def person(key: str = "anna", **models: frozenset[Verb]) -> Actor:
    """A person whose group has these rights; `crm_contact` is the data model crm.contact."""
    user = User(key, "Anna Berger", crm={"crm": "u5"})
    rights = {name.replace("_", ".", 1): verbs for name, verbs in models.items()}
    return Actor(key, frozenset({"calls.read", "calls.write"}), user, rights, "s")


@dataclass
class Room:
    """The addresses of contacts without HTTP, and what stands behind."""

    api: ContactsApi
    book: CallBook
    answers: Answers
    desk: Desk
    clock: list[float]

    async def ask(self, path: str, actor: Actor, call: str = "c1", **more: Any) -> dict[str, Any]:
        row = next(one for one in self.api.endpoints() if one.path.endswith(path))
        answer = await row.answer(ApiRequest(actor, {"id": call}, **more))
        assert isinstance(answer, ApiAnswer)
        found: dict[str, Any] = answer.body
        return found

    async def act(self, body: dict[str, Any], actor: Actor | None = None, call: str = "c1") -> dict[str, Any]:
        return await self.ask("/contact", actor or person(crm_contact=ALL), call, body=body)

    async def call(self, **about: Any) -> None:
        await self.book.take([TrackedCall(replace(CALL, **about), ("call.started",))])

    async def contact(self, call: str = "c1") -> CallContact:
        found = await self.book.call(call)
        assert found is not None
        assert found.contact is not None
        return found.contact


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    database, clock = Database(DatabasePlace(tmp_path / "calls.db")), [NOW]
    await database.open()
    book = CallBook(database, EventBus().publish, now=lambda: NOW)
    await book.open()
    answers, desk = Answers(records={"7": ANNA, "8": BERND}), Desk()
    site = desk_site(answers, desk)
    contacts = ContactsApi(
        book, ContactDesk(book, database, lambda: site, lambda: clock[0]), lambda: site, lambda _: ()
    )
    yield Room(contacts, book, answers, desk, clock)
    await contacts.close()
    await database.close()


async def refused(room: Room, body: dict[str, Any], actor: Actor | None = None, call: str = "c1") -> str:
    with pytest.raises(RoutingEngineError) as caught:
        await room.act(body, actor, call)
    return caught.value.code if isinstance(caught.value, ApiError) else type(caught.value).__name__


# Each action


async def test_a_call_is_linked_to_a_record_that_is_there(room: Room) -> None:
    await room.call()
    card = await room.act({"action": "link", **CONTACT, "id": "8"})
    assert (card["contact"]["name"], card["contact"]["matched"]) == ("Bernd", "linked")
    assert await refused(room, {"action": "link", **CONTACT, "id": "nowhere"}) == "unknown_record"


async def test_one_of_several_is_chosen_without_asking_again(room: Room) -> None:
    await room.call(contact=SEVERAL)
    room.answers.records.clear()
    card = await room.act({"action": "choose", **CONTACT, "id": "8"})
    assert (card["contact"]["id"], card["contact"]["matched"], card["candidates"]) == ("8", "linked", [])


async def test_nobody_is_chosen_who_was_not_there_to_choose_from(room: Room) -> None:
    await room.call(contact=SEVERAL)
    assert await refused(room, {"action": "choose", **CONTACT, "id": "9"}) == "no_candidate"


async def test_looking_again_finds_who_was_not_there_before(room: Room) -> None:
    await room.call()
    room.answers.by_number["crm.contact"] = Found((ANNA,))
    assert (await room.act({"action": "rematch"}))["contact"]["name"] == "Anna Gruber"
    room.answers.by_number["crm.contact"] = SourceDown("crm: no answer in time")
    assert await refused(room, {"action": "rematch"}) == "crm_down"
    room.answers.by_number["crm.contact"] = Found()
    assert await refused(room, {"action": "rematch"}) == "nobody"
    assert (await room.contact()).id == "7"


async def test_a_record_is_created_for_its_owner_and_the_call_is_its(room: Room) -> None:
    await room.call()
    card = await room.act(MAX)
    assert (card["contact"]["name"], card["contact"]["matched"]) == ("Max Neu", "created")
    assert room.desk.made == [("contact", {"name": "Max Neu", "phone": "+436641112223"}, "u5")]


async def test_fields_of_a_record_are_changed_and_seen_at_once(room: Room) -> None:
    await room.call(contact=FOUND)
    card = await room.act({"action": "edit", **CONTACT, "id": "7", "fields": {"name": "Anna Neu", "email": "a@b.at"}})
    assert room.desk.changed == [("contact", "7", {"name": "Anna Neu", "email": "a@b.at"})]
    assert card["contact"]["name"] == "Anna Neu"
    assert {"a@b.at"} == {one["value"] for one in card["contact"]["fields"] if one["name"] == "email"}


@pytest.mark.parametrize("text", ["+43 664 1112223", "Anna Gruber", "7"])
async def test_a_record_is_searched_by_number_name_and_id(room: Room, text: str) -> None:
    room.answers.by_number["crm.contact"] = Found((ANNA,))
    found = await room.ask("/contacts", person(crm_contact=READ), query={"q": text})
    assert [one["id"] for one in found["contacts"]] == ["7"]


async def test_a_system_that_is_down_is_named_and_the_others_are_searched(room: Room) -> None:
    room.answers.by_number["crm.contact"] = SourceDown("crm: no answer in time")
    found = await room.ask("/contacts", person(crm_contact=READ, erp_customer=READ), query={"q": "+436641112223"})
    assert found["down"] == [{"integration": "crm", "why": "crm: no answer in time"}]


@pytest.mark.parametrize(("error", "code"), [
    (ProviderRefused("crm: no right to create"), "crm_refused"), (ProviderUnreachable("crm: no answer"), "crm_down"),
])  # fmt: skip
async def test_what_the_system_says_is_told_and_the_call_stays_as_it_is(
    room: Room, error: Exception, code: str
) -> None:
    await room.call()
    room.desk.error = error
    assert await refused(room, MAX) == code
    found = await room.book.call("c1")
    assert found is not None
    assert found.contact is None


# Once


async def test_two_clicks_are_one_record(room: Room) -> None:
    await room.call()
    room.desk.gate = asyncio.Event()
    clicks = [asyncio.create_task(room.act(MAX)) for _ in range(2)]
    await room.desk.begun.wait()
    room.desk.gate.set()
    cards = await asyncio.gather(*clicks, room.act(MAX))
    assert len(room.desk.made) == 1
    assert {card["contact"]["id"] for card in cards} == {"101"}


async def test_two_calls_of_one_number_at_once_are_one_record(room: Room) -> None:
    for number in range(5):
        await room.call(id=f"c{number}", pbx_call_id=f"1.{number}", linkedids=(f"1.{number}",))
    room.desk.gate = asyncio.Event()
    agents = [asyncio.create_task(room.act(MAX, call=f"c{number}")) for number in range(5)]
    await room.desk.begun.wait()
    room.desk.gate.set()
    cards = await asyncio.gather(*agents)
    assert len(room.desk.made) == 1
    assert sorted(card["contact"]["matched"] for card in cards) == ["created", *["linked"] * 4]


async def test_after_a_while_the_same_number_may_have_another_record(room: Room) -> None:
    await room.call()
    await room.act(MAX)
    room.clock[0] += SAME_S + 1
    await room.call(id="c2", pbx_call_id="1.2", linkedids=("1.2",))
    await room.act(MAX, call="c2")
    assert len(room.desk.made) == 2


async def test_an_answer_that_was_lost_is_looked_for_before_it_is_done_again(room: Room) -> None:
    await room.call()
    room.desk.error = ProviderUnreachable("crm: no answer")
    await refused(room, MAX)
    room.desk.error, room.clock[0] = None, NOW + UNDER_WAY_S
    room.answers.by_number["crm.contact"] = Found((ANNA,))
    assert (await room.act(MAX))["contact"]["id"] == "7"
    assert room.desk.made == []


async def test_what_was_refused_can_be_tried_again_at_once(room: Room) -> None:
    await room.call()
    room.desk.error = ProviderRefused("crm: a name is needed")
    await refused(room, MAX)
    room.desk.error = None
    assert (await room.act(MAX))["contact"]["matched"] == "created"


# Rights


@pytest.mark.parametrize("body", [
    {"action": "link", **CONTACT, "id": "8"}, MAX, {"action": "edit", **CONTACT, "id": "7", "fields": {"name": "X"}},
])  # fmt: skip
async def test_what_the_group_does_not_allow_is_not_done(room: Room, body: dict[str, Any]) -> None:
    await room.call()
    nothing, lead = person(), person(crm_lead=ALL)
    assert [await refused(room, body, one) for one in (nothing, lead)] == ["no_right"] * 2
    assert (room.desk.made, room.desk.changed) == ([], [])


async def test_who_may_read_alone_neither_creates_nor_changes(room: Room) -> None:
    await room.call(contact=FOUND)
    reads = person(crm_contact=READ)
    assert await refused(room, MAX, reads) == "no_right"
    assert await refused(room, {"action": "edit", **CONTACT, "id": "7", "fields": {"name": "X"}}, reads) == "no_right"
    card = await room.ask("/card", reads)
    assert (card["contact"]["may"], card["create"]) == (["read"], [])
    assert not any(one["editable"] for one in card["contact"]["fields"])


async def test_who_may_not_read_sees_nothing_of_the_record_and_takes_nobody_away(room: Room) -> None:
    await room.call(contact=FOUND)
    stranger = person(erp_customer=ALL, crm_lead=ALL)
    card = await room.ask("/card", stranger)
    assert "Anna" not in str(card)
    assert card["contact"] is None
    assert await refused(room, {"action": "rematch"}, stranger) == "no_right"
    body = {"action": "link", "integration": "erp", "model": "customer", "id": "K1"}
    assert await refused(room, body, stranger) == "no_right"
    assert (await room.contact()).id == "7"


async def test_another_persons_call_is_a_call_that_is_not_there(room: Room) -> None:
    await room.call(contact=FOUND)
    other = person("bernd", crm_contact=ALL)
    assert await refused(room, MAX, other) == "UnknownCall"
    with pytest.raises(UnknownCall):
        await room.ask("/card", other)


async def test_a_search_looks_where_somebody_may_read_and_nowhere_else(room: Room) -> None:
    room.answers.by_number["crm.contact"] = Found((ANNA,))
    found = await room.ask("/contacts", person(erp_customer=READ), query={"q": "+436641112223"})
    assert found["contacts"] == []
    assert {ask.source.integration for ask in room.answers.asked} == {"erp"}


async def test_a_record_that_is_not_the_calls_is_not_changed_from_there(room: Room) -> None:
    await room.call(contact=FOUND)
    assert await refused(room, {"action": "edit", **CONTACT, "id": "8", "fields": {"name": "X"}}) == "not_of_call"


@pytest.mark.parametrize(
    "fields", [{"margin": "1"}, {"nowhere": "1"}, {"name": "a\x1b[2J"}, {"name": 7}, {}, {"name": " "}]
)
async def test_a_hidden_field_and_what_is_none_are_not_written(room: Room, fields: dict[str, Any]) -> None:
    await room.call(contact=FOUND)
    assert await refused(room, {"action": "edit", **CONTACT, "id": "7", "fields": fields}) in (
        "unknown_field",
        "bad_value",
    )
    assert room.desk.changed == []
