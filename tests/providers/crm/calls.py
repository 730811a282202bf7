"""What every described CRM must do with calls, asked of its stand-in through the port `CallLog`.

A subclass names its stand-in, which keeps what was written as `Written`, and refuses what the real one refuses.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC

import pytest

from routing_engine.calls.call import Call, CallContact, Note
from routing_engine.calls.log_entry import entry_of
from routing_engine.calls.ports import CallLog, EntryContact, EntryUser, LogEntry, RecordDesk, SoundFile
from routing_engine.errors import ProviderMisread, ProviderRefused, ProviderThrottled, ProviderUnreachable
from routing_engine.providers.crm.provider import CrmProvider
from routing_engine.settings.call_log import CallLogKeys

from .contract import Open, OpensCrm, ids
from .standin import Written

STARTED = 1_796_043_600.25  # 2026-11-30 13:00:00.25 UTC
CALL = "0193800a-1b2c-7def-8123-456789abcdef"
#: More than three pieces, and no whole number of threes.
SOUND = bytes(range(251)) * 800
WHAT = ("inbound.answered", "inbound.missed", "inbound.voicemail", "outbound.answered", "outbound.unanswered",
        "outbound.busy", "internal.answered")  # fmt: skip
PAGE = "https://calls.example.com/calls/1"
RECORDING_URL = "https://calls.example.com/v1/calls/1/recording"


def sound(size: int | None) -> SoundFile:
    async def read() -> AsyncIterator[bytes]:
        for start in range(0, len(SOUND), 70_000):
            yield SOUND[start : start + 70_000]

    return SoundFile("call-1.wav", 300.4, read, size)


class CallContract(OpensCrm):
    """Run by each system's own test class. `kinds` are what the vendor calls each of `WHAT`."""

    kinds: tuple[str, ...]
    contact = "101"
    user = "9"
    #: Whether the user's name stands with the entry, and whether the vendor tells users by their extension.
    has_user = True
    has_extension = True
    takes = "file"
    #: Whether an entry can be changed, and whether one is found again that was made.
    updates = True
    finds = True
    unmatched = True
    #: Whether an entry can be taken to another record.
    moves = False
    #: What the vendor's ids of entries begin with.
    prefix = ""

    def entry(
        self,
        direction: str = "inbound",
        outcome: str | None = "answered",
        recording_url: str = RECORDING_URL,
        **more: object,
    ) -> LogEntry:
        found = CallContact("found", "crm", "contact", self.contact, "Anna Gruber", fields={"owner_id": self.user})
        call = Call(
            CALL, "main", "1.1", "inbound", STARTED, from_="+436641234567", to="+4312345601", contact=found,
            ended_at=STARTED + 300.4, duration_s=300.4, talk_s=250.0, tags=("vip",), sentiment="positive",
        )  # fmt: skip
        call = replace(call, direction=direction, outcome=outcome, **more)  # type: ignore[arg-type]
        user = EntryUser(self.user, "201", "Anna Agent", "anna@example.com")
        subject = CallLogKeys().subject(direction, outcome)
        return entry_of(call, subject, UTC, user, PAGE, recording_url)

    def log(self, crm: Open) -> CallLog:
        assert isinstance(crm.provider, CrmProvider)
        found = crm.provider.call_log()
        assert found is not None
        return found

    def desk(self, crm: Open) -> RecordDesk:
        assert isinstance(crm.provider, CrmProvider)
        found = crm.provider.record_desk()
        assert found is not None
        return found

    def only(self, crm: Open) -> Written:
        (found,) = crm.standin.written.values()
        return found

    # --------------------------------------------------------------------------------------- entries

    async def test_a_call_is_written_with_all_that_is_known(self, crm: Open) -> None:
        made = await self.log(crm).log(self.entry())
        found = self.only(crm)
        assert (made.id, found.contact) == (self.prefix + found.id, self.contact)
        assert "+436641234567" in found.body
        assert found.subject in ("Call from Anna Gruber (+436641234567)", "")
        assert all(word in found.body for word in ("Tags: vip", "Sentiment: positive", f"Call ID: {CALL}"))
        assert found.user == (self.user if self.has_user else "")

    async def test_an_entry_leads_to_the_page_of_its_call_and_to_the_recording(self, crm: Open) -> None:
        made = await self.log(crm).log(self.entry(recording_url=""))
        assert (PAGE in self.only(crm).body, RECORDING_URL in self.only(crm).body) == (True, False)
        await self.log(crm).update(self.entry(), made.id)
        assert (PAGE in self.only(crm).body, RECORDING_URL in self.only(crm).body) == (True, True)

    @pytest.mark.parametrize("what", range(len(WHAT)), ids=WHAT)
    async def test_what_came_of_it_is_said_in_words_of_the_vendor(self, crm: Open, what: int) -> None:
        direction, _, outcome = WHAT[what].partition(".")
        await self.log(crm).log(self.entry(direction, outcome))
        assert self.only(crm).kind == self.kinds[what]

    async def test_a_call_of_nobody_known_is_written_where_it_has_a_place(self, crm: Open) -> None:
        if self.unmatched:
            await self.log(crm).log(self.entry(contact=None))
            assert self.only(crm).contact == ""
            return
        with pytest.raises(ProviderRefused, match="has no place for a call with somebody unknown"):
            await self.log(crm).log(self.entry(contact=None))

    async def test_what_is_written_later_is_there_too(self, crm: Open) -> None:
        log = self.log(crm)
        made = await log.log(self.entry())
        await log.update(self.entry(notes=(Note(STARTED + 400, "anna", "wants <b>two</b>"),)), made.id)
        body = self.only(crm).body
        assert "anna: wants <b>two</b>" in body.replace("&lt;", "<").replace("&gt;", ">")

    async def test_an_entry_that_somebody_deleted_is_not_made_again(self, crm: Open) -> None:
        log = self.log(crm)
        made = await log.log(self.entry())
        crm.standin.written.clear()
        if self.updates:
            with pytest.raises((ProviderRefused, ProviderMisread)):
                await log.update(self.entry(), made.id)
        assert not crm.standin.written

    # --------------------------------------------------------------------------------------- twice

    async def test_an_entry_whose_answer_got_lost_is_made_once(self, crm: Open) -> None:
        if not self.finds:
            return
        log, crm.standin.lose = self.log(crm), True
        with pytest.raises(ProviderUnreachable):
            await log.log(self.entry())
        made = await log.log(self.entry(), again=True)
        assert made.id == self.prefix + self.only(crm).id
        assert self.only(crm).contact == self.contact

    async def test_the_same_again_changes_nothing(self, crm: Open) -> None:
        if not self.finds:
            return
        first = await self.log(crm).log(self.entry())
        assert await self.log(crm).log(self.entry(), again=True) == first
        assert len(crm.standin.written) == 1

    # --------------------------------------------------------------------------------------- trouble

    async def test_credentials_that_ran_out_are_fetched_anew(self, crm: Open) -> None:
        await crm.caller("+43 664 1234567")
        crm.standin.expire()
        if not self.refreshes:
            with pytest.raises(ProviderRefused):
                await self.log(crm).log(self.entry())
            return
        await self.log(crm).log(self.entry())
        assert len(crm.standin.written) == 1

    async def test_a_system_that_is_asked_too_much_says_when_to_come_again(self, crm: Open) -> None:
        crm.standin.nexts.append(crm.standin.throttled)
        with pytest.raises(ProviderThrottled) as caught:
            await self.log(crm).log(self.entry())
        assert caught.value.retry_after_s >= 1
        assert not crm.standin.written

    @pytest.mark.parametrize("status", [400, 403])
    async def test_what_is_refused_is_an_administrators(self, crm: Open, status: int) -> None:
        crm.standin.nexts.append(lambda: crm.standin.refusal(status))
        with pytest.raises(ProviderRefused) as caught:
            await self.log(crm).log(self.entry())
        assert "1234567" not in str(caught.value)

    async def test_an_entry_goes_to_another_record_where_the_system_can(self, crm: Open) -> None:
        made, was = await self.log(crm).log(self.entry()), EntryContact("contact", self.contact)
        other = EntryContact("contact", self.contact[:-1] + "2", "Paul Hofer")
        assert await self.log(crm).move(replace(self.entry(), contact=other), made.id, was) is self.moves
        assert self.only(crm).contact in (other.id if self.moves else self.contact, "")

    # --------------------------------------------------------------------------------------- recording

    @pytest.mark.parametrize("size", [len(SOUND), None])
    async def test_a_recording_is_added_to_the_entry(self, crm: Open, size: int | None) -> None:
        log = self.log(crm)
        made = await log.log(self.entry())
        assert log.takes_recording == self.takes
        await log.attach(self.entry(), made.id, sound(size) if self.takes == "file" else None)
        found = self.only(crm)
        assert found.sounds == ([SOUND] if self.takes == "file" else [])
        assert found.links == ([RECORDING_URL] if self.takes == "link" else [])

    async def test_an_upload_begins_anew_where_the_credentials_had_run_out(self, crm: Open) -> None:
        if self.takes != "file" or not self.refreshes:
            return
        made = await self.log(crm).log(self.entry())
        crm.standin.expire()
        await self.log(crm).attach(self.entry(), made.id, sound(len(SOUND)))
        assert self.only(crm).sounds == [SOUND]

    # ----------------------------------------------------------------------------------- people, records

    async def test_a_colleague_is_found_by_address_then_by_extension(self, crm: Open) -> None:
        log = self.log(crm)
        assert await log.find_user("anna@example.com", "202") == self.user
        assert await log.find_user("", "201") == (self.user if self.has_extension else None)
        assert await log.find_user("", "") is None

    @pytest.mark.parametrize("email", ["nobody@example.com", "twice@example.com", "' OR '1'='1", "*"])
    async def test_nobody_is_chosen_by_chance(self, crm: Open, email: str) -> None:
        assert await self.log(crm).find_user(email, "999") is None

    async def test_a_new_record_is_found_by_its_number(self, crm: Open) -> None:
        made = await self.desk(crm).create("contact", {"name": "Max Neu", "phone": "+43 664 9998877"})
        assert ids(await crm.caller("+43 664 9998877")) == [made.id.rpartition("x")[2]]
        assert made.fields["name"] == "Max Neu"
