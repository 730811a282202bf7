"""What a change of a call needs, by who wants what."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from routing_engine.calls.call import Call, CallDelivery, CallRecording
from routing_engine.calls.changes import ChangeKind
from routing_engine.delivery.outbox_queue import OutboxQueue
from routing_engine.delivery.planner import DeliveryPlanner, Wanted, needed

from .fakes import NOON, FakeClock, InlineDatabase, a_call


@dataclass(frozen=True)
class Wishes:
    """The section `log` of an integration."""

    outcomes: tuple[str, ...] = ("answered", "missed")
    recording: str = "attach"

    def wants(self, direction: str, outcome: str | None) -> bool:
        return direction == "inbound" and outcome in self.outcomes

    def wants_any(self, direction: str) -> bool:
        return direction == "inbound" and len(self.outcomes) == 4


CRM = Wanted(logs={"crm": Wishes()}, recorded=["main"])
HOOK = Wanted(webhooks={"hook": ["call.ended", "call.missed"]})
ENTRY = CallDelivery("done", 1, id="0051", url="https://crm.example.com/0051")


def kinds_of(call: Call, *kinds: ChangeKind, wanted: Wanted = CRM) -> list[tuple[str, str]]:
    return [(job.target, job.kind) for job in needed(call, kinds, wanted, NOON).jobs]


def test_a_webhook_gets_the_events_that_it_names_in_order() -> None:
    found = needed(a_call(outcome="missed"), ("call.updated", "call.ended", "call.missed"), HOOK, NOON)
    assert [json.loads(job.body)["type"] for job in found.jobs] == ["call.ended", "call.missed"]
    assert found.deliveries == {"hook": CallDelivery("waiting", next_try_at=NOON)}


def test_a_call_is_written_into_the_crm_when_it_has_ended() -> None:
    assert kinds_of(a_call(state="talking", outcome=None), "call.answered") == []
    assert kinds_of(a_call(), "call.ended") == [("crm", "log")]


ALL = Wishes(("answered", "missed", "abandoned", "voicemail"))


def test_a_system_that_has_entries_from_the_start_gets_one_when_it_rings_at_somebody() -> None:
    early, ringing = Wanted(logs={"crm": ALL}, at_start=["crm"]), a_call(state="ringing", outcome=None)
    assert kinds_of(ringing, "call.started", wanted=early) == []  # a route may still ask the CRM
    assert kinds_of(ringing, "call.ringing", wanted=early) == [("crm", "log")]
    begun = a_call(state="talking", outcome=None, deliveries={"crm": CallDelivery("waiting")})
    assert kinds_of(begun, "call.answered", wanted=early) == []
    assert kinds_of(a_call(deliveries={"crm": ENTRY}), "call.ended", wanted=early) == [("crm", "update")]


def test_what_may_not_be_wanted_in_the_end_is_not_begun() -> None:
    ringing = a_call(state="ringing", outcome=None)
    assert kinds_of(ringing, "call.ringing", wanted=Wanted(logs={"crm": Wishes()}, at_start=["crm"])) == []
    outbound = a_call(state="ringing", outcome=None, direction="outbound")
    assert kinds_of(outbound, "call.ringing", wanted=Wanted(logs={"crm": ALL}, at_start=["crm"])) == []


def test_a_call_that_the_toggles_leave_out_is_skipped_and_says_so() -> None:
    found = needed(a_call(outcome="voicemail"), ("call.ended",), CRM, NOON)
    assert (found.jobs, found.deliveries["crm"].state) == ([], "skipped")


@pytest.mark.parametrize("state", ["done", "waiting", "dead"])
def test_an_entry_that_is_there_is_brought_up_to_date(state: str) -> None:
    call = a_call(deliveries={"crm": CallDelivery(state, id="0051")})  # type: ignore[arg-type]
    assert kinds_of(call, "call.updated") == [("crm", "update")]


def test_what_was_skipped_is_looked_at_again_when_somebody_links_a_contact() -> None:
    assert kinds_of(a_call(deliveries={"crm": CallDelivery("skipped")}), "call.updated") == [("crm", "log")]


def test_an_entry_keeps_its_id_while_it_waits() -> None:
    found = needed(a_call(deliveries={"crm": ENTRY}), ("call.updated",), CRM, NOON)
    assert (found.deliveries["crm"].state, found.deliveries["crm"].id) == ("waiting", "0051")


def test_what_waits_already_goes_on_saying_when_it_is_tried_again() -> None:
    call = a_call(deliveries={"crm": CallDelivery("waiting", 4, NOON + 60, error="503")})
    assert needed(call, ("call.updated",), CRM, NOON).deliveries == {}


def test_a_call_that_has_become_part_of_another_one_is_no_entry() -> None:
    call = a_call(merged_into="other", outcome=None, recording=CallRecording("pending", name="x"))
    assert kinds_of(call, "call.updated", "call.ended") == []


def test_a_recording_is_waited_for_once_its_call_has_ended() -> None:
    call = a_call(recording=CallRecording("pending", name="a.wav"))
    assert kinds_of(call, "call.ended") == [("crm", "log"), ("pbx:main", "recording")]
    assert kinds_of(call, "call.ended", wanted=Wanted()) == []


def test_a_recording_that_is_ready_goes_to_the_crms_that_want_it() -> None:
    call = a_call(recording=CallRecording("pending", 12.0, name="a.wav"), deliveries={"crm": ENTRY})
    assert kinds_of(call, "recording.ready") == [("crm", "recording")]
    assert kinds_of(call, "recording.ready", wanted=Wanted(logs={"crm": Wishes(recording="none")})) == []


def test_jobs_are_put_in_the_transaction_that_saves_the_call() -> None:
    database = InlineDatabase()
    planner = DeliveryPlanner(OutboxQueue(database), FakeClock())
    planner.wanted = CRM
    with pytest.raises(ZeroDivisionError):
        database.now(lambda connection: (planner.plan(connection, a_call(), ("call.ended",)), 1 // 0))
    assert database.now(lambda connection: planner.plan(connection, a_call("two"), ("call.ended",)))
    assert planner.touched() == {"crm"}
    assert planner.touched() == set()
    assert [job.call_id for job in database.jobs()] == ["two"]
    database.close()
