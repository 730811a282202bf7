"""Who the other party of a call is: looked for by number in the integrations, by the same way as routes look.

For calls that no route has decided with a record. Cache, limits, breaker and the check of whose record it is are those
of the look-up path; several verified hits stay several, nobody is chosen by chance.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from routing_engine.calls.call import Call, CallContact, Candidate
from routing_engine.core.asks import Find, SourceDown
from routing_engine.core.model import Decision, Operand, Record, Source, Template, Value
from routing_engine.core.phone import Number, read_number
from routing_engine.core.ports import Lookup
from routing_engine.settings.integration import Model

#: A look-up for a page or an entry is nobody's silence: it may take longer than one of a call.
LOOK_UP_S = 10.0
#: What a record is called by, where its model does not say otherwise: the first of these fields that it has.
_NAMES = ("name", "full_name", "display_name", "company", "account_name", "subject")
_NAME_PARTS = ("first_name", "last_name")
_BY_CALLER = Template((Operand("call", "caller"),))
_BY_ID = Template((Operand("input", ""),))


@dataclass(frozen=True, slots=True)
class ContactsDown:
    """A system that was to be asked did not answer; `why` is a sentence without secrets."""

    why: str


@dataclass(frozen=True, slots=True)
class ContactModel:
    """A model in which other parties are looked for."""

    integration: str
    model: str


def contact_models(
    integrations: Mapping[str, Mapping[str, Model]], order: Sequence[str] = ()
) -> tuple[ContactModel, ...]:
    """Return where to look, in order: integrations by `order`, else by name; their models as they are written."""
    names = order or sorted(integrations)
    return tuple(
        ContactModel(name, model.name)
        for name in names
        for model in integrations.get(name, {}).values()
        if model.attempts
    )


def other_party(call: Call, region: str) -> Number | None:
    """Return the number of who is not us; None for internal calls, withheld numbers and what is no public number."""
    number = {"inbound": call.from_, "outbound": call.to}.get(call.direction)
    found = read_number(number, region) if number else None
    return found if found is not None and found.e164.startswith("+") else None


class ContactMatcher:
    """Looks for other parties over the look-up path in force."""

    def __init__(self, lookup: Lookup, models: Sequence[ContactModel], region: str) -> None:
        self._lookup, self.models, self.region = lookup, models, region

    async def match(self, call: Call, but: Sequence[str] = ()) -> CallContact | ContactsDown | None:
        """Return who it is; None where nobody has the number, or there is none to look for.

        `but` are integrations that were asked already. A system that is down is told only where no other one knows.
        """
        number = other_party(call, self.region)
        if number is None:
            return None
        down: ContactsDown | None = None
        for one in (one for one in self.models if one.integration not in but):
            answer = await self._lookup.find(_find(one, number), LOOK_UP_S)
            if isinstance(answer, SourceDown):
                down = down or ContactsDown(answer.why)
            elif answer.records:
                return contact_of(one, answer.records)
        return down

    async def beside(self, call: Call, but: Sequence[str] = ()) -> list[CallContact]:
        """Return who it is in each integration that was not asked, side by side; one that is down says nothing."""
        names = list(dict.fromkeys(one.integration for one in self.models if one.integration not in but))
        alone = (ContactMatcher(self._lookup, self._of(name), self.region).match(call) for name in names)
        return [one for one in await asyncio.gather(*alone) if isinstance(one, CallContact)]

    async def record(self, where: ContactModel, record_id: str) -> Record | ContactsDown | None:
        """Return a record by its id; None where there is none, or the system cannot be asked so."""
        source = Source("contact", where.integration, where.model, _BY_ID, field="id", timeout_s=LOOK_UP_S)
        answer = await self._lookup.find(Find(source, record_id, None), LOOK_UP_S)
        if isinstance(answer, SourceDown):
            return ContactsDown(answer.why)
        return next((one for one in answer.records if one.id == record_id), None)

    async def search(self, where: ContactModel, field: str, value: str) -> Sequence[Record] | ContactsDown:
        """Return the records whose field holds a value; by their number for one that is a number."""
        number = read_number(value, self.region) if not field else None
        source = Source("contact", where.integration, where.model, _BY_CALLER if number else _BY_ID, field=field)
        ask = Find(source, number.e164 if number else value, number)
        answer = await self._lookup.find(ask, LOOK_UP_S)
        return ContactsDown(answer.why) if isinstance(answer, SourceDown) else answer.records

    def _of(self, integration: str) -> Sequence[ContactModel]:
        return [one for one in self.models if one.integration == integration]


def _find(one: ContactModel, number: Number) -> Find:
    source = Source("contact", one.integration, one.model, _BY_CALLER, timeout_s=LOOK_UP_S)
    return Find(source, number.e164, number)


def contact_of(where: ContactModel, records: Sequence[Record]) -> CallContact:
    """Return the contact of one record, or all of several."""
    if len(records) > 1:
        several = tuple(_candidate(where, one) for one in records)
        return CallContact("ambiguous", candidates=several)
    return CallContact("found", *_who(where, records[0]), fields=record_texts(records[0]))


def routed_contact(decision: Decision, integration: str, model: str) -> CallContact | None:
    """Return the record that a route has decided with, as a contact; None where it had none."""
    if decision.record is None:
        return None
    who = _who(ContactModel(integration, model), decision.record)
    return CallContact("routed", *who, fields=record_texts(decision.record))


def _candidate(where: ContactModel, record: Record) -> Candidate:
    who = where.integration, where.model, record.id, name_of(record), record.url or None
    return Candidate(*who, fields=record_texts(record))


def _who(where: ContactModel, record: Record) -> tuple[str, str, str | None, str | None, str | None]:
    return where.integration, where.model, record.id or None, name_of(record), record.url or None


def name_of(record: Record) -> str | None:
    """Return what people call a record; None where no field says it."""
    fields = record.fields
    parts = " ".join(str(fields[name]) for name in _NAME_PARTS if fields.get(name))
    return next((str(fields[name]) for name in _NAMES if fields.get(name)), parts or None)


def record_texts(record: Record) -> Mapping[str, str]:
    """Return the fields of a record that are texts, or can be said as one."""
    return {name: text for name, value in record.fields.items() for text in _text(value)}


def _text(value: Value) -> Iterator[str]:
    # Lists and nothing are no text: a subject that names one leaves it out.
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
