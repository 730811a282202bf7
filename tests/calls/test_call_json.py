"""A call as JSON: every member of the contract, and the form of moments."""

from __future__ import annotations

from routing_engine.calls.as_json import call_json, moment
from routing_engine.calls.call import Call, CallContact, CallDelivery, Candidate, Leg
from routing_engine.calls.changes import uuid7
from routing_engine.calls.json_schema import call_schemas, reference

RINGING = Call("0197", "main", "1764500000.7", "inbound", 1764500000.1234)


def test_a_member_that_is_not_known_is_null_and_never_missing() -> None:
    written = call_json(RINGING)
    assert written["answered_at"] is None
    assert written["contact"] is None
    assert written["recording"] == {"state": "none", "seconds": None, "url": None}


def test_moments_are_utc_with_milliseconds() -> None:
    assert call_json(RINGING)["started_at"] == "2025-11-30T10:53:20.123Z"
    assert moment(1764500000.9999) == "2025-11-30T10:53:21.000Z"


def test_legs_and_candidates_are_lists_of_objects() -> None:
    several = CallContact("ambiguous", candidates=(Candidate("crm", "contact", "7", "Anna"),))
    call = Call("1", "main", "1.1", "inbound", 1.0, legs=(Leg("main/201", result="elsewhere"),), contact=several)
    written = call_json(call)
    assert isinstance(written["legs"], list)
    assert written["legs"][0]["result"] == "elsewhere"  # type: ignore[index,call-overload]
    assert written["contact"]["candidates"][0]["id"] == "7"  # type: ignore[index,call-overload]


def test_deliveries_are_named_by_their_target() -> None:
    call = Call("1", "main", "1.1", "inbound", 1.0, deliveries={"crm": CallDelivery("waiting", 2, 10.0)})
    assert call_json(call)["deliveries"] == {
        "crm": {"state": "waiting", "tries": 2, "next_try_at": moment(10.0), "id": None, "url": None, "error": None}
    }


def test_our_ids_sort_by_their_moment_and_say_version_7() -> None:
    first, second = uuid7(1000.0, (1 << 74) - 1), uuid7(1000.001, 0)
    assert first < second
    assert first[14] == second[14] == "7"
    assert first[19] in "89ab"


def test_the_schema_has_the_members_that_are_written() -> None:
    schema = call_schemas()["Call"]
    assert isinstance(schema, dict)
    assert schema["required"] == [*call_json(RINGING)]
    assert schema["properties"]["legs"] == {"type": "array", "items": reference("Leg")}  # type: ignore[index,call-overload]
