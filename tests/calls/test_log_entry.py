"""The entry that a CRM gets of a call: its subject, and a body that people read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from routing_engine.calls.as_json import call_from_json, stored_json
from routing_engine.calls.call import Call, CallContact, CallRoute, Candidate, Note
from routing_engine.calls.log_entry import entry_of
from routing_engine.calls.ports import EntryUser, LogEntry
from routing_engine.settings.call_log import NO_CALLS, CallLogKeys, read_subject

ZONE = timezone(timedelta(hours=1))
ANNA = CallContact("found", "crm", "contact", "7", "Anna Gruber", fields={"tier": "gold"})
CALL = Call(
    "0193", "main", "1.1", "inbound", 1_796_043_600.25, outcome="answered", from_="+436641234567", to="+4312345601",
    ended_at=1_796_043_900.0, duration_s=299.75, talk_s=3725.0, hold_s=20.0, queue="sales", contact=ANNA,
    tags=("vip", "new"), sentiment="positive", disposition="order",
    notes=(Note(1_796_044_000.0, "bernd", "call back"),),
    route=CallRoute("support", "vip", "rule", "r1", "c1"),
)  # fmt: skip


def entry(call: Call = CALL, subject: str = "Call from {call.who}", **more: object) -> LogEntry:
    return entry_of(call, read_subject(subject), ZONE, EntryUser("u1", "201", "Olga"), **more)  # type: ignore[arg-type]


def test_the_body_has_everything_in_the_site_s_time() -> None:
    body = entry(link="https://x/calls/1", recording_url="https://x/r").body
    assert body.splitlines() == [
        "Inbound call from +436641234567 to +4312345601",
        "Began 2026-11-30 14:00, lasted 5:00, spoken 1:02:05, on hold 0:20",
        "Outcome: answered, by Olga (201)",
        "Queue: sales", "Route: support, rule vip", "Disposition: order", "Sentiment: positive", "Tags: vip, new",
        "Notes:", "2026-11-30 14:06 bernd: call back",
        "Recording: https://x/r", "Details: https://x/calls/1", "Call ID: 0193",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Call from {call.who}", "Call from Anna Gruber (+436641234567)"),
        ("[{contact.tier}] {contact.name} {call.from}", "[gold] Anna Gruber +436641234567"),
        ("{contact.nothing} {user.name}/{user.extension} {call.tags}", "Olga/201 vip, new"),
        ("{call.date} {call.time} {call.duration} {call.talk} {{x}}", "2026-11-30 14:00 5:00 1:02:05 {x}"),
        ("{contact.nothing}", "Call"),
    ],
)
def test_a_subject_is_a_text_over_the_call(subject: str, text: str) -> None:
    assert entry(subject=subject).subject == text


@pytest.mark.parametrize(
    "name", ["J\u00fcrgen Gro\u00df", "\u0410\u0440\u0442\u0451\u043c", "\u00c5sa \u00d8st", "\u738b\u82b3 & <Co>"]
)
def test_letters_of_every_language_stay_as_they_are(name: str) -> None:
    call = replace(CALL, contact=replace(ANNA, name=name), notes=(Note(1_796_044_000.0, "bernd", name),))
    assert entry(call).subject == f"Call from {name} (+436641234567)"
    assert f"bernd: {name}" in entry(call).body
    assert call_from_json(stored_json(call)) == call


def test_a_subject_stays_one_line_whatever_a_name_holds() -> None:
    odd = replace(ANNA, name="Anna\n  Gruber\t(x)")
    assert entry(replace(CALL, contact=odd)).subject == "Call from Anna Gruber (x) (+436641234567)"
    assert len(entry(replace(CALL, contact=replace(ANNA, name="x" * 999))).subject) == 255


def test_a_withheld_number_and_an_unknown_caller_have_words() -> None:
    assert entry(replace(CALL, from_=None, contact=None)).subject == "Call from a withheld number"
    assert entry(replace(CALL, contact=None)).subject == "Call from +436641234567"


def test_of_several_contacts_none_is_taken() -> None:
    several = CallContact("ambiguous", candidates=(Candidate("crm", "contact", "7"), Candidate("crm", "contact", "8")))
    assert entry(replace(CALL, contact=several)).contact is None
    found = entry().contact
    assert found is not None
    assert (found.model, found.id, found.fields["tier"]) == ("contact", "7", "gold")


def test_outcomes_are_written_as_the_toggles_say() -> None:
    keys = CallLogKeys(inbound=("missed",))
    assert [keys.wants("inbound", one) for one in ("answered", "missed", "unknown")] == [False, True, True]
    assert keys.wants("outbound", "busy")
    assert not keys.wants("outbound", "failed")
    assert not keys.wants("internal", "answered")
    assert not NO_CALLS.wants("inbound", "unknown")
    assert CallLogKeys().wants_any("inbound")
    assert not keys.wants_any("inbound")


def test_an_own_subject_goes_before_ours_and_the_direction_stands_for_the_rest() -> None:
    keys = CallLogKeys(subjects={"inbound": read_subject("In {call.who}")})
    assert keys.subject("inbound", "missed").parts[0] == "In "
    assert keys.subject("outbound", "busy").parts[0] == "Call to "
    assert keys.subject("inbound", None).parts[0] == "In "
