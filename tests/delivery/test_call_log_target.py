"""A CRM as a target: which of its steps a job needs, and what an error of it means for the job."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest

from routing_engine.calls.call import Call, CallContact, CallDelivery, CallRecording
from routing_engine.calls.ports import CrmEntry, EntryContact, LogAt, LogEntry, SoundFile, TakesRecording
from routing_engine.delivery.call_log_target import CallLogTarget, CrmSite
from routing_engine.delivery.jobs import Dead, Delivered, Job, JobKind, Skipped, TryAgain
from routing_engine.errors import (
    ProviderMisread,
    ProviderRefused,
    ProviderSkipped,
    ProviderThrottled,
    ProviderUnreachable,
)
from routing_engine.settings.call_log import CallLogKeys
from routing_engine.settings.pages import PagesKeys
from routing_engine.settings.people import User

ANNA = CallContact("found", "crm", "contact", "7", "Anna Gruber")
CALL = Call("c1", "main", "1.1", "inbound", 1.0, from_="+436641112223", state="ended", outcome="missed", contact=ANNA)
USERS = {"anna": User("anna", "Anna Berger", "anna@example.com", ("main/201",), {"crm": "u5"})}


class Crm:
    """A call log that keeps what was done, and breaks as it is told."""

    log_at: LogAt = "end"
    takes_recording: TakesRecording = "file"
    moves = True

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.done, self.entries = error, list[str](), list[LogEntry]()
        self.asked_users = 0

    def _do(self, what: str, entry: LogEntry) -> None:
        if self.error is not None:
            raise self.error
        self.done.append(what)
        self.entries.append(entry)

    async def log(self, entry: LogEntry, again: bool = False) -> CrmEntry:
        self._do("searched and made" if again else "made", entry)
        return CrmEntry("e1", "https://crm.example.com/e1")

    async def update(self, entry: LogEntry, crm_id: str) -> None:
        self._do(f"updated {crm_id}", entry)

    async def move(self, entry: LogEntry, crm_id: str, was: EntryContact) -> bool:
        if self.moves:
            self._do(f"moved {crm_id} from {was.model} {was.id}", entry)
        return self.moves

    async def attach(self, entry: LogEntry, crm_id: str, recording: SoundFile | None) -> None:
        self._do(f"attached to {crm_id}", entry)

    async def find_user(self, email: str, extension: str) -> str | None:
        self.asked_users += 1
        return "u9" if email == "bernd@example.com" else None


class Book:
    """The book of calls, as far as a target writes to it."""

    def __init__(self) -> None:
        self.contacts, self.recordings = list[CallContact | None](), list[CallRecording]()

    async def call(self, call_id: str) -> Call | None:
        return CALL

    async def set_contact(self, call_id: str, contact: CallContact | None) -> Call:
        self.contacts.append(contact)
        return CALL

    async def set_recording(self, call_id: str, recording: CallRecording) -> Call:
        self.recordings.append(recording)
        return CALL

    async def set_delivery(self, call_id: str, target: str, delivery: CallDelivery) -> Call:
        return CALL


async def nobody(_: Call) -> CallContact | str | None:
    return None


async def no_sound(_: Call) -> SoundFile | None:
    return None


def target(  # type: ignore[no-untyped-def]
    crm: Crm, book: Book | None = None, match=nobody, sound=no_sound, pages: str = "https://calls.example.com", **keys
) -> CallLogTarget:
    site = CrmSite(USERS, UTC, match, sound, PagesKeys(pages))
    return CallLogTarget("crm", crm, CallLogKeys(**keys), book or Book(), site, lambda: 0.0)


def job(kind: JobKind = "log", tries: int = 1) -> Job:
    return Job("crm", "c1", kind, tries=tries)


async def test_an_entry_is_made_with_the_record_it_belongs_to() -> None:
    crm = Crm()
    made = await target(crm).send(job(), CALL)
    assert made == Delivered("e1", "https://crm.example.com/e1", "crm.contact/7")
    (entry,) = crm.entries
    assert entry.contact is not None
    assert (entry.contact.id, entry.id, "Missed call" in entry.subject) == ("7", "c1", True)


async def test_an_entry_that_is_there_is_brought_up_to_date() -> None:
    crm = Crm()
    known = replace(CALL, deliveries={"crm": CallDelivery("done", id="e1", url="u")})
    assert await target(crm).send(job("update"), known) == Delivered("e1", "u", "crm.contact/7")
    assert crm.done == ["updated e1"]


def linked_anew(contact: CallContact | None) -> Call:
    """A call whose entry stands with Anna, and whose contact is somebody else by now."""
    there = CallDelivery("done", id="e1", url="u", record="crm.contact/7")
    return replace(CALL, contact=contact, deliveries={"crm": there})


async def test_an_entry_goes_to_the_record_that_the_call_was_linked_to() -> None:
    crm, bernd = Crm(), CallContact("linked", "crm", "contact", "8", "Bernd")
    assert await target(crm).send(job("update"), linked_anew(bernd)) == Delivered("e1", "u", "crm.contact/8")
    assert crm.done == ["moved e1 from contact 7", "updated e1"]


async def test_where_entries_cannot_be_moved_the_wrong_one_says_so_and_the_right_one_is_made() -> None:
    crm, bernd = Crm(), CallContact("linked", "crm", "contact", "8", "Bernd")
    crm.moves = False
    made = await target(crm).send(job("update"), linked_anew(bernd))
    assert (made, crm.done) == (Delivered("e1", "https://crm.example.com/e1", "crm.contact/8"), ["updated e1", "made"])
    wrong, right = crm.entries
    assert wrong.contact is not None
    assert (wrong.contact.id, "it was with Bernd" in wrong.body, right.contact and right.contact.id) == ("7", True, "8")


async def test_an_entry_whose_call_belongs_to_another_system_says_so_once() -> None:
    crm, customer = Crm(), CallContact("linked", "erp", "customer", "K1", "Gruber KG")
    first = await target(crm).send(job("update"), linked_anew(customer))
    assert (isinstance(first, Skipped), "it was with Gruber KG" in crm.entries[0].body) == (True, True)
    known = replace(linked_anew(customer), deliveries={"crm": CallDelivery("skipped", id="e1", record="")})
    assert isinstance(await target(crm).send(job("update"), known), Skipped)
    assert crm.done == ["updated e1"]


async def test_what_may_have_arrived_is_searched_before_it_is_made_again() -> None:
    crm = Crm()
    await target(crm).send(job(tries=2), CALL)
    assert crm.done == ["searched and made"]


async def test_a_call_of_nobody_is_skipped_or_written_as_the_file_says() -> None:
    unknown, crm = replace(CALL, contact=None), Crm()
    assert isinstance(await target(crm).send(job(), unknown), Skipped)
    assert isinstance(await target(crm, unmatched="log").send(job(), unknown), Delivered)
    assert crm.entries[0].contact is None


@pytest.mark.parametrize("contact", [replace(ANNA, integration="erp"), replace(ANNA, matched="ambiguous")])
async def test_a_record_of_another_system_is_none_of_this_one(contact: CallContact) -> None:
    assert isinstance(await target(Crm()).send(job(), replace(CALL, contact=contact)), Skipped)


async def test_a_contact_that_was_not_found_in_time_is_looked_for_when_it_is_written() -> None:
    async def found(_: Call) -> CallContact | str | None:
        return ANNA

    book = Book()
    outcome = await target(Crm(), book, found).send(job(), replace(CALL, contact=None))
    assert (isinstance(outcome, Delivered), book.contacts) == (True, [ANNA])


async def test_a_system_that_is_down_at_the_look_up_makes_it_wait() -> None:
    async def down(_: Call) -> CallContact | str | None:
        return "crm: no answer in time"

    assert await target(Crm(), match=down).send(job(), replace(CALL, contact=None)) == TryAgain(
        "crm: no answer in time", alone=True
    )


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ProviderUnreachable("gone"), TryAgain("gone")),
        (ProviderThrottled("slower", 30.0), TryAgain("slower", 30.0)),
        (ProviderSkipped("no place"), TryAgain("no place", 2.0, alone=True)),
        (ProviderRefused("no right"), Dead("no right")),
        (ProviderMisread("odd"), Dead("odd")),
    ],
)
async def test_an_error_says_whether_it_is_tried_again(error: Exception, outcome: object) -> None:
    assert await target(Crm(error)).send(job(), CALL) == outcome


async def test_who_took_it_is_known_by_the_file_or_asked_for_once() -> None:
    crm = Crm()
    aimed = target(crm)
    await aimed.send(job(), replace(CALL, user="anna"))
    assert (crm.entries[-1].user.id, crm.asked_users) == ("u5", 0)
    USERS["bernd"] = User("bernd", "Bernd", "bernd@example.com")
    for _ in range(2):
        await aimed.send(job(), replace(CALL, user="bernd"))
    assert (crm.entries[-1].user.id, crm.asked_users) == ("u9", 1)


async def test_an_account_that_may_not_read_users_writes_calls_all_the_same() -> None:
    class Shy(Crm):
        async def find_user(self, email: str, extension: str) -> str | None:
            raise ProviderRefused("no right for users")

    crm = Shy()
    outcome = await target(crm).send(job("log"), replace(CALL, user="bernd"))
    assert (outcome, crm.done) == (Delivered("e1", "https://crm.example.com/e1", "crm.contact/7"), ["made"])


async def test_a_recording_waits_for_its_entry_and_is_then_attached() -> None:
    async def sound(_: Call) -> SoundFile | None:
        return SoundFile("a.wav", 3.0, lambda: None)  # type: ignore[arg-type,return-value]

    crm, book = Crm(), Book()
    aimed = target(crm, book, sound=sound)
    assert isinstance(await aimed.send(job("recording"), CALL), TryAgain)
    known = replace(CALL, deliveries={"crm": CallDelivery("done", id="e1")})
    assert await aimed.send(job("recording"), known) == Delivered("e1")
    assert (crm.done, book.recordings[0].state) == (["attached to e1"], "attached")


# ------------------------------------------------------------------------------------- links to the call's page

PAGE = "https://calls.example.com/calls/c1"
#: A call whose entry is there, and whose recording is whole.
HEARD = replace(
    CALL, recording=CallRecording("pending", 3.0, name="a"), deliveries={"crm": CallDelivery("done", id="e1")}
)
TAKES: tuple[TakesRecording, ...] = ("file", "link", "")


def taking(what: TakesRecording) -> Crm:
    crm = Crm()
    crm.takes_recording = what
    return crm


@pytest.mark.parametrize(("keys", "link"), [({}, PAGE), ({"link": False}, ""), ({"pages": ""}, "")])
async def test_an_entry_leads_to_the_page_of_its_call_where_that_is_known_and_wanted(
    keys: dict[str, str], link: str
) -> None:
    crm = Crm()
    await target(crm, **keys).send(job(), CALL)
    (entry,) = crm.entries
    assert (entry.link, f"Details: {PAGE}" in entry.body) == (link, bool(link))


@pytest.mark.parametrize("takes", TAKES)
async def test_a_recording_that_is_to_be_linked_is_not_uploaded(takes: TakesRecording) -> None:
    crm, book = taking(takes), Book()
    assert await target(crm, book, recording="link").send(job("recording"), HEARD) == Delivered("e1")
    assert crm.done == ["attached to e1" if takes == "link" else "updated e1"]
    (entry,) = crm.entries
    assert (entry.recording_url, f"Recording: {PAGE}" in entry.body) == (PAGE, True)
    assert book.recordings == [CallRecording("linked", 3.0, PAGE, "a")]


async def test_a_system_that_keeps_no_sound_gets_the_address_with_attach_too() -> None:
    crm, book = taking("link"), Book()
    await target(crm, book).send(job("recording"), HEARD)
    assert (crm.done, crm.entries[0].recording_url, book.recordings[0].state) == (["attached to e1"], PAGE, "linked")


async def test_a_recording_without_an_address_is_left_out_and_stays_what_it_is() -> None:
    crm, book = taking("link"), Book()
    outcome = await target(crm, book, recording="link", pages="").send(job("recording"), HEARD)
    assert isinstance(outcome, Skipped)
    assert ("pages.address" in outcome.why, crm.done, book.recordings) == (True, [], [])


async def test_a_recording_that_another_system_has_stays_attached() -> None:
    crm, book = taking("link"), Book()
    there = replace(HEARD, recording=replace(HEARD.recording, state="attached"))
    assert await target(crm, book, recording="link").send(job("recording"), there) == Delivered("e1")
    assert (crm.done, book.recordings) == (["attached to e1"], [])


@pytest.mark.parametrize(
    ("keys", "recording"),
    [
        ({"recording": "link"}, CallRecording("pending", name="a")),
        ({"recording": "link"}, CallRecording("absent", 0.0, name="a")),
        ({"recording": "none"}, HEARD.recording),
        ({"recording": "attach"}, HEARD.recording),
    ],
)
async def test_no_entry_promises_a_recording_that_is_not_to_be_heard_there(
    keys: dict[str, str], recording: CallRecording
) -> None:
    crm = Crm()
    await target(crm, **keys).send(job(), replace(CALL, recording=recording))
    assert (crm.entries[0].recording_url, "Recording:" in crm.entries[0].body) == ("", False)
