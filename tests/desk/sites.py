"""A site with a CRM and an ERP beside it: look-ups that answer by number or id, a desk that keeps what is written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from routing_engine.calls.ports import EntryUser, RecordDesk, RecordForm
from routing_engine.contacts import ContactMatcher, ContactModel
from routing_engine.core.asks import Find, Found, SourceDown
from routing_engine.core.model import Record
from routing_engine.desk.site import DeskSite, Writer
from routing_engine.errors import ProviderRefused
from routing_engine.settings.integration import FieldInfo, Integration, Model
from routing_engine.settings.people import User

ANNA = Record(
    {"id": "7", "name": "Anna Gruber", "phone": "+436641112223", "score": 12, "margin": "secret"},
    "7",
    "https://crm.example.com/contact/7",
)
BERND = Record({"id": "8", "name": "Bernd", "phone": "+436641112223"}, "8", "https://crm.example.com/contact/8")
CUSTOMER = Record({"id": "K1", "name": "Gruber KG"}, "K1")
CONTACT = Model(
    "contact",
    {"id": "id", "name": "name", "phone": "tel", "email": "mail", "score": "score", "margin": "margin"},
    numbers=("phone",),
    about={"score": FieldInfo("Lead score", "number"), "margin": FieldInfo(shown=False)},
)


@dataclass
class Answers:
    """Look-ups: `by_number` and `by_id` say who is found, by integration; `gate` holds them up."""

    by_number: dict[str, Found | SourceDown] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    asked: list[Find] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def find(self, ask: Find, left_s: float) -> Found | SourceDown:
        self.asked.append(ask)
        if self.gate is not None:
            await self.gate.wait()
        if ask.source.field == "id":
            found = self.records.get(ask.value)
            return Found((found,) if found is not None else ())
        if ask.source.field:
            held = tuple(one for one in self.records.values() if ask.value in str(one.fields.get(ask.source.field)))
            return Found(held)
        return self.by_number.get(f"{ask.source.integration}.{ask.source.model}", Found())


@dataclass
class Desk:
    """A desk that keeps what was written; `error` is what it raises, `gate` holds it up."""

    made: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    changed: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    error: Exception | None = None
    gate: asyncio.Event | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    def form(self, model: str) -> RecordForm:
        if model != "contact":
            return RecordForm(("name", "phone"), (), ("name",))
        return RecordForm(("name", "phone", "margin"), ("name", "phone", "email", "margin"), ("name",))

    async def create(self, model: str, fields: Mapping[str, str], owner: EntryUser | None = None) -> Record:
        self.begun.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.made.append((model, dict(fields), owner.id if owner is not None else ""))
        number = str(100 + len(self.made))
        return Record({**fields, "id": number}, number, f"https://crm.example.com/{model}/{number}")

    async def edit(self, model: str, record_id: str, fields: Mapping[str, str], owner: EntryUser | None = None) -> None:
        if self.error is not None:
            raise self.error
        if record_id == "gone":
            raise ProviderRefused("crm: there is no such record")
        self.changed.append((model, record_id, dict(fields)))


def desk_site(answers: Answers, desk: RecordDesk, users: Mapping[str, User] | None = None) -> DeskSite:
    """Return a site whose CRM can be written to, and whose ERP cannot."""
    integrations = {
        "crm": Integration("crm", "fake", {"contact": CONTACT, "lead": Model("lead", {"id": "id", "name": "n"})}, None),
        "erp": Integration("erp", "fake", {"customer": Model("customer", {})}, None),
    }
    models = (ContactModel("crm", "contact"), ContactModel("erp", "customer"))

    async def writer(integration: str, user: User | None) -> Writer | None:
        owner = EntryUser(user.crm.get(integration, ""), name=user.name) if user is not None else EntryUser()
        return Writer(desk, owner) if integration == "crm" else None

    return DeskSite(integrations, ContactMatcher(answers, models, "AT"), users or {}, {"crm": desk}.get, writer)
