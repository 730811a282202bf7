"""What people do about the other party of a call: link it, choose, look again, create a record, change one.

One thing at a time for each call, and for each number: two clicks, and two calls at once, are one record.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Protocol

from routing_engine.calls.call import Call, CallContact, Candidate
from routing_engine.contacts import ContactModel, ContactsDown, contact_of, name_of, other_party, record_texts
from routing_engine.core.model import Record
from routing_engine.core.ports import NAME_WORDS
from routing_engine.desk.site import DeskSite
from routing_engine.errors import DeskRefused, ProviderError, ProviderRefused
from routing_engine.logger import Logger
from routing_engine.settings.integration import Model
from routing_engine.settings.people import User
from routing_engine.storage import created_table
from routing_engine.storage.created_table import CreatedRecord, Creating
from routing_engine.storage.database import Database

#: A record that was created for a number within this is the caller's, although its system may not find it yet.
SAME_S = 900.0
#: Whoever has begun is given so long; after that it was killed, or its answer is lost.
UNDER_WAY_S = 60.0
_MOST_FOUND = 2000

_log = Logger()


class DeskBook(Protocol):
    """The book of calls, as far as contacts are changed in it."""

    async def call(self, call_id: str) -> Call | None:
        """Return a call as it is now."""

    async def set_contact(self, call_id: str, contact: CallContact | None) -> Call:
        """Say who the other party is."""


class ContactDesk:
    """`site` is what is in force, `now` the time since 1970. Raises `DeskRefused` and what providers raise."""

    def __init__(
        self, book: DeskBook, database: Database, site: Callable[[], DeskSite], now: Callable[[], float]
    ) -> None:
        self._book, self._database, self._site, self._now = book, database, site, now
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}
        #: What a search has shown: whoever links one of them has its fields without asking again.
        self._found: OrderedDict[tuple[str, str, str], Record] = OrderedDict()

    # ------------------------------------------------------------------------------------ who it is

    async def search(self, where: ContactModel, text: str) -> Sequence[Record] | ContactsDown:
        """Return the records that a number, an e-mail address, an id or a name belongs to."""
        site, found = self._site(), dict[str, Record]()
        model = site.model(where.integration, where.model)
        down: ContactsDown | None = None
        for field in searched_fields(text, model):
            if field != NAME_WORDS and model.why_unsearchable(field, not field) is not None:
                continue
            answer = await site.matcher.search(where, field, text)
            if isinstance(answer, ContactsDown):
                down = down or answer
            else:
                found |= {one.id: one for one in answer if one.id}
        for record in found.values():
            self._keep(where, record)
        return list(found.values()) or down or []

    def _keep(self, where: ContactModel, record: Record) -> None:
        self._found[where.integration, where.model, record.id] = record
        if len(self._found) > _MOST_FOUND:
            self._found.popitem(last=False)

    async def with_fields(self, call: Call) -> Call:
        """Return a call with the fields of its record, where a program has linked it and told none of them."""
        contact = call.contact
        if contact is None or contact.fields or not (contact.integration and contact.model and contact.id):
            return call
        where = ContactModel(contact.integration, contact.model)
        record = self._found.get((contact.integration, contact.model, contact.id)) or await self._read(
            where, contact.id
        )
        if not isinstance(record, Record):
            return call
        self._keep(where, record)
        name, url = contact.name or name_of(record), contact.url or record.url or None
        return replace(call, contact=replace(contact, name=name, url=url, fields=record_texts(record)))

    async def _read(self, where: ContactModel, record_id: str) -> Record | ContactsDown | None:
        site = self._site()
        # Asked all the same, a system that cannot would count as down.
        if site.model(where.integration, where.model).why_unsearchable("id", False) is not None:
            return None
        return await site.matcher.record(where, record_id)

    async def link(self, call: Call, where: ContactModel, record_id: str) -> Call:
        """Link a call to a record that is there."""
        known = next((one for one in _known_of(call) if _is(one, where, record_id)), None)
        record = self._found.get((where.integration, where.model, record_id))
        if known is not None and record is None:
            who = known.integration, known.model, known.id, known.name, known.url
            return await self._book.set_contact(call.id, CallContact("linked", *who, fields=known.fields))
        if record is None:
            answer = await self._read(where, record_id)
            if isinstance(answer, ContactsDown):
                raise DeskRefused("crm_down", answer.why, "try again in a moment")
            if answer is None:
                raise DeskRefused("unknown_record", f"'{where.integration}' has no such record", "search for it")
            record = answer
        return await self._book.set_contact(call.id, replace(contact_of(where, [record]), matched="linked"))

    async def choose(self, call: Call, where: ContactModel, record_id: str) -> Call:
        """Take one of several that have the number."""
        candidates = call.contact.candidates if call.contact is not None else ()
        if not any(_is(one, where, record_id) for one in candidates):
            raise DeskRefused("no_candidate", "this is none of those to choose from", "link the call instead")
        return await self.link(call, where, record_id)

    async def rematch(self, call: Call) -> Call:
        """Look for the number again, as if nobody were known."""
        found = await self._site().matcher.match(call)
        if isinstance(found, ContactsDown):
            raise DeskRefused("crm_down", found.why, "try again in a moment")
        if found is None:
            # Who is linked already stays: a system may find its newest records only after a while.
            raise DeskRefused("nobody", "nobody with this number was found", "link a record, or create one")
        return await self._book.set_contact(call.id, found)

    # -------------------------------------------------------------------------------------- records

    async def edit(
        self, call: Call, where: ContactModel, record_id: str, fields: Mapping[str, str], who: User | None
    ) -> Call:
        """Change fields of a record that the call is about."""
        async with self._turn(call.id):
            writer = await self._site().writer(where.integration, who)
            form = writer.desk.form(where.model).edit if writer is not None else ()
            self._check(where, fields, form)
            if writer is not None:
                await writer.desk.edit(where.model, record_id, fields, writer.owner)
            now = await self._book.call(call.id)
            contact = now.contact if now is not None else None
            if now is None or contact is None or not _is(contact, where, record_id):
                return now or call
            held = {**contact.fields, **fields}
            name = name_of(Record(held)) or contact.name
            return await self._book.set_contact(now.id, replace(contact, fields=held, name=name))

    async def create(
        self, call: Call, where: ContactModel, fields: Mapping[str, str], who: User | None, by_itself: bool = False
    ) -> Call:
        """Create a record for the other party, and link the call to it; once, whoever else asks for it.

        `by_itself`: nobody has looked at it, so where it is not clear what a try before came to, nothing is done.
        """
        number = other_party(call, self._site().matcher.region)
        what = f"{where.integration}.{where.model}/{number.e164 if number is not None else call.id}"
        async with self._turn(call.id), self._turn(what):
            now = await self._book.call(call.id) or call
            if _was_created(now, where) or (by_itself and now.contact is not None):
                return now  # the second click
            seen = await self._database.read(partial(created_table.find_creating, what=what))
            contact = await self._made_before(now, where, seen, by_itself)
            if contact is None:
                began = partial(
                    created_table.begin_creating, what=what, number=number.e164 if number is not None else "",
                    call_id=now.id, at=self._now(), seen=seen,
                )  # fmt: skip
                if not await self._database.write(began):
                    raise DeskRefused("under_way", "somebody creates this record just now", "look again in a moment")
                contact = await self._make(where, what, fields, who, by_itself)
            return await self._book.set_contact(now.id, contact)

    async def _made_before(
        self, call: Call, where: ContactModel, seen: Creating | None, by_itself: bool
    ) -> CallContact | None:
        """Return the record that was created for this number a moment ago; None where one is to be created."""
        if seen is None or self._now() - seen.at > SAME_S:
            return None
        if seen.record is not None:
            one = seen.record
            who = where.integration, where.model, one.id, one.name, one.url
            contact = CallContact("linked", *who, fields=one.fields)
            return replace(contact, matched="created") if seen.call_id == call.id else contact
        if self._now() - seen.at < UNDER_WAY_S and seen.at > 0 and seen.call_id != call.id:
            raise DeskRefused("under_way", "somebody creates this record just now", "look again in a moment")
        # Its answer got lost: it may be there.
        found = await self._site().matcher.match(call)
        if isinstance(found, CallContact):
            return found
        if by_itself or isinstance(found, ContactsDown):
            raise DeskRefused("unclear", "it is not known what came of a try before", "look in the system, and link it")
        return None

    async def _make(
        self, where: ContactModel, what: str, fields: Mapping[str, str], who: User | None, by_itself: bool
    ) -> CallContact:
        try:
            writer = await self._site().writer(where.integration, who)
            form = writer.desk.form(where.model).create if writer is not None else ()
            self._check(where, fields, form, by_itself)
            assert writer is not None, "a form has somebody who writes it"
            record = await writer.desk.create(where.model, fields, writer.owner)
        except (ProviderRefused, DeskRefused):
            # It is not there, and whoever mends what was wrong tries again.
            await self._database.write(partial(created_table.give_up_creating, what=what))
            raise
        contact = replace(contact_of(where, [record]), matched="created")
        made = CreatedRecord(record.id, contact.name, contact.url, record_texts(record))
        await self._database.write(partial(created_table.note_created, what=what, record=made, at=self._now()))
        return contact

    def _check(
        self, where: ContactModel, fields: Mapping[str, str], form: Sequence[str], by_itself: bool = False
    ) -> None:
        """Refuse what cannot be written, and what people do not see of this model."""
        site = self._site()
        if not form:
            raise DeskRefused(
                "not_writable", f"'{where.integration}' takes no such record from here", "use the system itself"
            )
        for name in fields:
            # What people do not see they do not write; the engine itself may know it.
            if name not in form or not (by_itself or site.about(where.integration, where.model, name).shown):
                raise DeskRefused("unknown_field", f"'{name[:80]}' is no field that can be written", "take it away")

    @asynccontextmanager
    async def _turn(self, key: str) -> AsyncIterator[None]:
        lock, count = self._turns.get(key, (asyncio.Lock(), 0))
        self._turns[key] = lock, count + 1
        try:
            async with lock:
                yield
        finally:
            lock, count = self._turns.pop(key)
            if count > 1:
                self._turns[key] = lock, count - 1


def searched_fields(text: str, model: Model) -> Sequence[str]:
    """Return the fields to search a text in, "" for the number of a caller, `NAME_WORDS` for parts of a name."""
    fields = model.fields
    if "@" in text:
        return ["email"] if "email" in fields else []
    digits = sum(char.isdigit() for char in text)
    number = [""] if digits >= 5 and digits * 2 > len(text) else []
    # Without a space it may be an id, which people copy out of an address.
    ids = ["id"] if " " not in text.strip() and "id" in fields else []
    names = [NAME_WORDS] if model.by_name else ["name"] if "name" in fields else []
    return [*number, *ids, *(names if not number else [])]


def _known_of(call: Call) -> Sequence[CallContact | Candidate]:
    return [] if call.contact is None else [call.contact, *call.contact.candidates]


def _is(contact: CallContact | Candidate, where: ContactModel, record_id: str) -> bool:
    return (contact.integration, contact.model, contact.id) == (where.integration, where.model, record_id)


def _was_created(call: Call, where: ContactModel) -> bool:
    contact = call.contact
    if contact is None or contact.matched != "created":
        return False
    return (contact.integration, contact.model) == (where.integration, where.model)


class UnknownCallers:
    """Creates a record for an unknown caller, by itself, when somebody of a group that wants it takes the call.

    `wanted` says in which model, for the person who answered; None for nobody.
    """

    def __init__(self, desk: ContactDesk, wanted: Callable[[str], tuple[User, ContactModel] | None]) -> None:
        self._desk, self._wanted = desk, wanted
        self._tried: OrderedDict[str, None] = OrderedDict()

    async def answered(self, call: Call) -> None:
        """Take a call that was answered, and whose caller nobody knows. Never raises."""
        found = self._wanted(call.user or "")
        if found is None or call.direction != "inbound" or call.from_ is None or call.id in self._tried:
            return
        # Once for each call: a person who takes the record away again has decided.
        self._tried[call.id] = None
        if len(self._tried) > _MOST_FOUND:
            self._tried.popitem(last=False)
        user, where = found
        try:
            await self._desk.create(call, where, {"phone": call.from_}, user, by_itself=True)
        except (ProviderError, DeskRefused) as error:
            _log.warning("desk.not_created", call=call.id, integration=where.integration, why=str(error)[:200])
