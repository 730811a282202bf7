"""A call that somebody else has written as JSON: every member is of its kind, or it is not taken."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from routing_engine.calls.as_json import JsonObject, JsonValue, call_from_json, stored_json
from routing_engine.calls.call import Call
from routing_engine.calls.checked import checked, read_json
from tests.examples import examples

from .test_stored_call import CALLS


@given(CALLS)
@examples(60)
def test_a_stored_call_is_read_as_it_was(call: Call) -> None:
    # Without the signs that no database keeps.
    stored = stored_json(call).replace("\\u0000", "").encode("utf-8", "replace").decode()
    assert checked(Call, read_json(stored)) == call_from_json(stored)


def stored(**members: JsonValue) -> JsonObject:
    return {**json.loads(stored_json(Call("1", "main", "7.1", "inbound", 1.5))), **members}


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"started_at": "now"}, "started_at is no number"),
        ({"started_at": None}, "started_at is no number"),
        ({"direction": "sideways"}, "direction is none of"),
        ({"legs": "none"}, "legs is not a list"),
        ({"legs": [{"user": "anna"}]}, "legs.phone is missing"),
        ({"legs": [{"phone": 201}]}, "legs.phone is no text"),
        ({"contact": []}, "contact is not an object"),
        ({"contact": {"matched": "routed", "fields": {"name": 7}}}, "contact.fields.name is no text"),
        ({"version": 1.5}, "version is no number"),
        ({"from_": "a\0"}, "from_ has a sign that is none"),
    ],
)
def test_a_member_of_another_kind_is_named(members: dict[str, JsonValue], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        checked(Call, stored(**members))


def test_what_a_newer_version_says_more_is_left_out() -> None:
    assert checked(Call, stored(mood="fine")) == Call("1", "main", "7.1", "inbound", 1.5)
