"""A CRM as a target: each call becomes one entry there, is brought up to date, and gets its recording.

What the CRM speaks is behind the port `CallLog`; here is which of its steps a job needs, and what an error of it means.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import TypeAlias

from routing_engine.calls.call import Call, CallContact, CallDelivery
from routing_engine.calls.log_entry import entry_of
from routing_engine.calls.ports import CallLog, CrmEntry, EntryContact, EntryUser, LogAt, LogEntry, SoundFile
from routing_engine.calls.requests import contact_key
from routing_engine.core.ports import Clock
from routing_engine.delivery.jobs import Dead, Delivered, DeliveryBook, Job, SendOutcome, Skipped, TryAgain
from routing_engine.errors import ProviderError, ProviderMisread, ProviderRefused, ProviderSkipped, ProviderThrottled
from routing_engine.settings.call_log import CallLogKeys
from routing_engine.settings.pages import PagesKeys
from routing_engine.settings.people import User, phone_parts

#: How long it is believed who somebody is in the CRM, or that nobody is.
KNOWN_S = 3600.0
#: Callers need the places that the CRM has: an entry comes a moment later.
_NO_PLACE_S = 2.0
_NOBODY_KNOWS = "nobody knows the other party"

#: Says who the other party is: the contact, None for nobody, or a sentence why it cannot be told now.
MatchContact: TypeAlias = Callable[[Call], Awaitable[CallContact | str | None]]
#: Gives the recording of a call, final; None where there is none any more.
SoundOf: TypeAlias = Callable[[Call], Awaitable[SoundFile | None]]


#: Gives what writes the entries of one person's calls: by integration, the person's key, and what writes all others.
OwnLog: TypeAlias = Callable[[str, str | None, CallLog], CallLog]


def _usual_log(_: str, __: str | None, usual: CallLog) -> CallLog:
    return usual


@dataclass(frozen=True, slots=True)
class CrmSite:
    """What entries need of the site: people, time zone, who the other party is, the recording, and the pages."""

    users: Mapping[str, User]
    zone: tzinfo
    match: MatchContact
    sound_of: SoundOf
    pages: PagesKeys
    own_log: OwnLog = _usual_log


class CallLogTarget:
    """A `Target`: the call log of one integration. `clock` is monotonic, in seconds."""

    def __init__(
        self, name: str, log: CallLog, wishes: CallLogKeys, book: DeliveryBook, site: CrmSite, clock: Clock
    ) -> None:
        self._name, self._log, self._wishes, self._book, self._site = name, log, wishes, book, site
        self._clock = clock
        self._known: dict[str, tuple[float, str]] = {}

    @property
    def log_at(self) -> LogAt:
        """When the entry is made."""
        return self._log.log_at

    async def send(self, job: Job, call: Call) -> SendOutcome:
        """Write what a job says, and return what came of it."""
        target = copy(self)
        target._log = self._site.own_log(self._name, call.user, self._log)
        try:
            return await target._write(job, call)
        except ProviderError as error:
            return _outcome(error)

    async def _write(self, job: Job, call: Call) -> SendOutcome:
        if call.id != job.call_id:
            return Skipped("it has become a part of another call")
        contact = call.contact
        if contact is None:
            # Matched while it rang, or not: a system that was down then may be back now.
            found = await self._site.match(call)
            if isinstance(found, str):
                return TryAgain(found, alone=True)
            if found is not None:
                await self._book.set_contact(call.id, found)
                contact = found
        call = replace(call, contact=self._ours(contact))
        known = call.deliveries.get(self._name)
        if known is not None and known.id is not None and job.kind != "recording":
            return await self._change(call, contact, known.id, known)
        if call.contact is None and self._wishes.unmatched == "skip":
            return Skipped(_NOBODY_KNOWS if contact is None else f"the other party is none of '{self._name}'")
        entry = await self._entry(call)
        if job.kind == "recording":
            return await self._attach(call, entry, None if known is None else known.id)
        # A try before may have arrived all the same: its answer was lost, or we were killed behind it.
        return self._made(call, await self._log.log(entry, again=job.tries > 1))

    def _made(self, call: Call, made: CrmEntry) -> Delivered:
        return Delivered(made.id, made.url or None, contact_key(call.contact) or "")

    # ----------------------------------------------------------------- an entry that is there already

    async def _change(self, call: Call, contact: CallContact | None, crm_id: str, known: CallDelivery) -> SendOutcome:
        """Bring an entry up to what the call is; where it stands with somebody else, take it to the right record."""
        entry, now = await self._entry(call), contact_key(call.contact) or ""
        # One that was written before this was noted stands where it stands.
        if known.record in (None, now):
            if not now and self._wishes.unmatched == "skip":
                return Skipped(_NOBODY_KNOWS if contact is None else f"the other party is none of '{self._name}'", now)
            await self._log.update(entry, crm_id)
            return Delivered(crm_id, known.url, now)
        was = self._stood_with(known.record)
        if call.contact is not None and was is not None and await self._log.move(entry, crm_id, was):
            await self._log.update(entry, crm_id)
            return Delivered(crm_id, known.url, now)
        if was is not None:
            who = contact.name if contact is not None and contact.name else "somebody else"
            body = f"This call was not with {was.name or 'this record'}: it was with {who}.\n{entry.body}"
            await self._log.update(replace(entry, body=body, contact=was), crm_id)
        if call.contact is None:
            return Skipped(f"its entry says that the other party is none of '{self._name}'", "")
        # Not looked for first: what would be found is the entry that stands with the other record.
        return self._made(call, await self._log.log(entry))

    def _stood_with(self, record: str | None) -> EntryContact | None:
        """Return the record that an entry was written to; None where it was written to nobody's."""
        model, _, record_id = (record or "").removeprefix(f"{self._name}.").partition("/")
        return EntryContact(model, record_id) if record_id else None

    def _ours(self, contact: CallContact | None) -> CallContact | None:
        # The id of another system's record says nothing here, or says somebody else.
        known = contact is not None and contact.matched != "ambiguous" and contact.integration == self._name
        return contact if known else None

    async def _attach(self, call: Call, entry: LogEntry, crm_id: str | None) -> SendOutcome:
        if crm_id is None:
            state = call.deliveries[self._name].state if self._name in call.deliveries else "waiting"
            if state == "dead":
                return Dead("its entry could not be written")
            return TryAgain("the entry is not there yet", alone=True)
        if not self._uploads:
            return await self._link(call, entry, crm_id)
        try:
            sound = await self._site.sound_of(call)
        except ProviderError as error:  # of the PBX: the CRM is well
            return TryAgain(str(error), alone=True)
        if sound is None:
            return Skipped("the recording is not there any more")
        await self._log.attach(entry, crm_id, sound)
        await self._book.set_recording(call.id, replace(call.recording, state="attached"))
        return Delivered(crm_id)

    async def _link(self, call: Call, entry: LogEntry, crm_id: str) -> SendOutcome:
        """Write into an entry where its recording can be heard."""
        if not entry.recording_url:
            return Skipped("there is no address of the recording: engine.yaml has no pages.address")
        if self._log.takes_recording == "link":
            await self._log.attach(entry, crm_id, None)
        else:
            await self._log.update(entry, crm_id)  # its text says it
        # Where another system has the sound itself, that is more.
        if call.recording.state == "pending":
            linked = replace(call.recording, state="linked", url=entry.recording_url)
            await self._book.set_recording(call.id, linked)
        return Delivered(crm_id)

    @property
    def _uploads(self) -> bool:
        return self._log.takes_recording == "file" and self._wishes.recording == "attach"

    async def _entry(self, call: Call) -> LogEntry:
        subject = self._wishes.subject(call.direction, call.outcome or "unknown")
        page, user = self._site.pages.page_of(call.id), await self._user(call)
        # The page, and not the sound's own address: that one asks nobody to log in.
        heard_at = "" if self._uploads or self._wishes.recording == "none" or not call.recording.final else page
        return entry_of(call, subject, self._site.zone, user, page if self._wishes.link else "", heard_at)

    async def _user(self, call: Call) -> EntryUser:
        """Return who of us it was: who answered, or the one whose phone it was."""
        user = self._site.users.get(call.user or "")
        phone = next((leg.phone for leg in call.legs if leg.user == call.user), "") if call.user else ""
        extension = phone_parts(phone)[1]
        if user is None:
            return EntryUser(extension=extension, name=call.user or "")
        return await self.person(user, extension)

    async def person(self, user: User, extension: str) -> EntryUser:
        """Return who somebody of ours is in the system."""
        crm_id = user.crm.get(self._name) or await self._found_user(user, extension)
        return EntryUser(crm_id, extension, user.name, user.email)

    async def _found_user(self, user: User, extension: str) -> str:
        until, known = self._known.get(user.key, (0.0, ""))
        if self._clock() < until:
            return known
        try:
            found = await self._log.find_user(user.email, extension) or ""
        except (ProviderRefused, ProviderMisread):
            # Whose it was is worth less than the entry: many accounts may write calls, and not read users.
            found = ""
        self._known[user.key] = self._clock() + KNOWN_S, found
        return found


def _outcome(error: ProviderError) -> SendOutcome:
    if isinstance(error, ProviderThrottled):
        return TryAgain(str(error), error.retry_after_s)
    if isinstance(error, ProviderSkipped):
        return TryAgain(str(error), _NO_PLACE_S, alone=True)
    # What was refused, or misread, would be so again: somebody must act, and then sends it again.
    if isinstance(error, ProviderRefused | ProviderMisread):
        return Dead(str(error))
    return TryAgain(str(error))
