"""Who the other party is: whose number is looked for, where, and what several hits or none are."""

from __future__ import annotations

from dataclasses import replace

from routing_engine.calls.call import Call, CallContact
from routing_engine.contacts import ContactMatcher, ContactModel, ContactsDown, contact_models, name_of, other_party
from routing_engine.core.asks import Find, Found, SourceDown
from routing_engine.core.model import Record
from routing_engine.settings.integration import Model

CRM, ERP = ContactModel("crm", "contact"), ContactModel("erp", "customer")
ANNA = Record({"name": "Anna Gruber", "phone": "+436641112223"}, "7", "https://crm.example.com/7")
INBOUND = Call("1", "main", "1.1", "inbound", 1.0, from_="+436641112223", to="201")


class Answers:
    """A look-up that answers by integration, and keeps what it was asked."""

    def __init__(self, **answers: Found | SourceDown) -> None:
        self.answers, self.asked = answers, list[Find]()

    async def find(self, ask: Find, left_s: float) -> Found | SourceDown:
        self.asked.append(ask)
        return self.answers.get(ask.source.integration, Found())


async def match(call: Call, but: tuple[str, ...] = (), **answers: Found | SourceDown) -> object:
    return await ContactMatcher(Answers(**answers), (CRM, ERP), "AT").match(call, but)


async def test_the_first_integration_that_has_the_number_says_who_it_is() -> None:
    found = await match(INBOUND, crm=Found((ANNA,)), erp=Found((Record({"name": "Somebody"}, "9"),)))
    assert isinstance(found, CallContact)
    assert (found.matched, found.integration, found.id, found.name) == ("found", "crm", "7", "Anna Gruber")
    assert found.fields["phone"] == "+436641112223"


async def test_several_hits_stay_several_and_nobody_is_chosen() -> None:
    found = await match(INBOUND, crm=Found((ANNA, Record({"name": "Bernd"}, "8"))))
    assert isinstance(found, CallContact)
    assert (found.matched, found.id, [one.id for one in found.candidates]) == ("ambiguous", None, ["7", "8"])


async def test_a_system_that_is_down_is_told_unless_another_one_knows() -> None:
    down = SourceDown("crm: no answer in time")
    assert await match(INBOUND, crm=down) == ContactsDown("crm: no answer in time")
    assert isinstance(await match(INBOUND, crm=down, erp=Found((ANNA,))), CallContact)


async def test_what_a_route_has_asked_is_not_asked_again() -> None:
    answers = Answers()
    await ContactMatcher(answers, (CRM, ERP), "AT").match(INBOUND, ("crm",))
    assert [ask.source.integration for ask in answers.asked] == ["erp"]


async def test_the_search_is_by_the_number_of_who_is_not_us() -> None:
    answers = Answers()
    outbound = Call("1", "main", "1.1", "outbound", 1.0, from_="201", to="+493012345601")
    await ContactMatcher(answers, (CRM,), "AT").match(outbound)
    (ask,) = answers.asked
    assert (ask.value, ask.source.by_caller) == ("+493012345601", True)


async def test_an_outbound_call_that_nobody_answered_has_its_contact() -> None:
    rang = Call("1", "main", "1.1", "outbound", 1.0, from_="201", to="+436641112223", state="ended")
    found = await match(replace(rang, outcome="unanswered", ended_at=20.0), crm=Found((ANNA,)))
    assert isinstance(found, CallContact)
    assert (found.matched, found.name) == ("found", "Anna Gruber")


def test_internal_withheld_and_short_numbers_are_not_looked_for() -> None:
    for call in (
        Call("1", "main", "1.1", "internal", 1.0, from_="201", to="202"),
        Call("1", "main", "1.1", "inbound", 1.0, from_=None, to="201"),
        Call("1", "main", "1.1", "inbound", 1.0, from_="110", to="201"),
    ):
        assert other_party(call, "AT") is None


def test_integrations_come_by_name_or_as_the_site_says() -> None:
    models = {
        "b": {"contact": Model("contact", {})},
        "a": {"lead": Model("lead", {}), "deal": Model("deal", {}, attempts=0)},
    }
    assert [one.integration for one in contact_models(models)] == ["a", "b"]
    assert contact_models(models, ("b",)) == (ContactModel("b", "contact"),)


def test_a_name_may_be_in_two_fields_or_nowhere() -> None:
    assert name_of(Record({"first_name": "Anna", "last_name": "Gruber"})) == "Anna Gruber"
    assert name_of(Record({"phone": "1"})) is None
