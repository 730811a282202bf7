"""What the steps that write would send, as real systems took it: each sentence here was once refused or lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from routing_engine.providers.crm.outcome import holds
from routing_engine.providers.crm.settings import shipped_description

CALL = {
    "subject": "Call", "direction": "inbound", "body": "text", "duration_s": 300, "crm_id": "c1",
    "started_at": datetime(2026, 11, 30, 13, 0, tzinfo=UTC), "ended_at": datetime(2026, 11, 30, 13, 5, tzinfo=UTC),
    "recording_name": "a.wav", "recording_base64": "UklGRg==",
}  # fmt: skip


def sent(system: str, step: str, model: str = "contact") -> list[tuple[str, bytes]]:
    """The paths and bodies of the steps that are not left out."""
    description, step_values = shipped_description(system), {"user": "u9", "crm_id": "c1", "file": "f1"}
    record = {"id": "101", "owner_id": "u1"}
    constants = description.models[model].constants
    scope = {"model": constants, "record": record, "call": CALL, "step": step_values, "settings": {}, "auth": {}}
    steps = [one for one in description.writing[step] if holds(one.when, scope)]
    built = [one.request.build(scope, "http://crm.example") for one in steps]
    return [(one.url.path, one.body or b"") for one in built]


@pytest.mark.parametrize("system", ["vtiger", "vtiger_open"])
def test_vtiger_wants_the_whole_hours_of_an_event(system: str) -> None:
    ((_, body),) = sent(system, "log_call")
    element = json.loads(parse_qs(body.decode())["element"][0])
    assert (element["duration_hours"], element["duration_minutes"]) == ("0", "5")
    assert element["contact_id"] == "101"


def test_suitecrm_takes_the_end_from_hours_that_are_not_empty_and_links_a_contact() -> None:
    call, link = sent("suitecrm", "log_call")
    attributes = json.loads(call[1])["data"]["attributes"]
    assert (attributes["duration_hours"], attributes["duration_minutes"]) == ("00", 5)
    assert (attributes["date_start"], attributes["assigned_user_id"]) == ("2026-11-30 13:00:00", "u1")
    assert link[0] == "/module/Calls/c1/relationships"
    assert json.loads(link[1]) == {"data": {"type": "Contacts", "id": "101"}}
    assert len(sent("suitecrm", "log_call", "lead")) == 1


def test_espocrm_assigns_a_call_to_the_engine_s_own_user() -> None:
    me, call = sent("espocrm", "log_call")
    assert (me[0], json.loads(call[1])["assignedUserId"]) == ("/App/user", "u9")


def test_espocrm_takes_a_recording_as_a_post_in_the_stream_of_the_call() -> None:
    file, post = (json.loads(body) for _, body in sent("espocrm", "attach_recording"))
    assert (file["parentType"], file["field"], file["type"]) == ("Note", "attachments", "audio/wav")
    assert (post["parentType"], post["parentId"], post["attachmentsIds"]) == ("Call", "c1", ["f1"])
